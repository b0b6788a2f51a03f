package slack

import (
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// Review is word about the postmortem of an incident: that the policy requires one and a draft is
// ready, or that it, or something it promised, is late.
type Review struct {
	Composer
	Key      string // unique for ever
	Incident string
	SLO      slo.ID
	Required string   // why it is required, as a clause without markup; "" for a reminder
	Draft    string   // address of the draft, "" if there is none
	File     string   // where it lies, "" if nowhere
	By       string   // the day by which it should be reviewed; "" leaves that out
	Late     bool     // that day has passed
	Overdue  []string // action items that are overdue, foreign text
}

// ComposeReview returns one reply in the incident's thread, which is seen in the channel, too. It
// is pure.
func ComposeReview(r Review, now time.Time) []outbox.Entry {
	name := escape(plain(string(r.SLO), 60))
	var lines []string
	icon := "⏳ "
	switch {
	case r.Required != "":
		icon = "📝 "
		lines = append(lines, icon+dress(sentences.MustReview(r.Required)))
	case r.Late:
		lines = append(lines, icon+dress(sentences.Unreviewed(r.By)))
	default:
		lines = append(lines, icon+dress(sentences.OverdueActions(len(r.Overdue))))
	}
	const most = 8
	for _, o := range r.Overdue[:min(most, len(r.Overdue))] {
		lines = append(lines, "• "+escape(clip(o, 200)))
	}
	if more := len(r.Overdue) - most; more > 0 {
		lines = append(lines, "+ "+figures.Count(more)+" more")
	}
	if r.Required != "" && r.By != "" {
		lines = append(lines, escape(sentences.ReviewBy(r.By)))
	}
	if r.Draft != "" {
		lines = append(lines, link(r.Draft, "The draft"))
	}
	if r.File != "" {
		lines = append(lines, "File: "+code(r.File))
	}
	sentence := icon + sentences.OfReview(name, r.Required != "", r.Late, len(r.Overdue))
	b := Body{Text: clip(sentence, maxSentence), Broadcast: true, Incident: r.Incident, SLO: string(r.SLO)}
	b.Blocks = []Block{section(strings.Join(lines, "\n"))}
	return []outbox.Entry{{
		Key: r.Key, Receiver: r.receiver(), Lane: outbox.LaneReport, Channel: r.Channel, Thread: r.Incident, Op: outbox.Reply, Body: b.marshal(), Created: now,
	}}
}

package slack

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// gateTurned announces that the error-budget policy froze a budget's releases, or lets them go
// again. Coming into caution and out of it is no news of its own: the budget's shares are told
// already.
func (f message) gateTurned() []outbox.Entry {
	if f.Event.Reason != alerting.PolicyFrozen && f.Event.Reason != alerting.PolicyThawed {
		return nil
	}
	e := f.entry("post", outbox.LaneTicket, outbox.Post, f.gateBody())
	e.Channel = cmp.Or(f.Notify.Channel, f.channel())
	return []outbox.Entry{e}
}

// gateBody says what happened, what it means, what ends it and who is exempt.
func (f message) gateBody() Body {
	g, state, predicate := f.Gate, "🧊 Frozen", f.predicate()
	if f.Event.Reason == alerting.PolicyThawed {
		state = "🌤️ Thawed"
	}
	if g.Gate == alerting.GateExempt {
		predicate = sentences.Responsible(plain(g.Permit.By, 80)) + "."
	}
	b := Body{Text: f.sentence(state, predicate), Name: state + " · " + f.name(80), Mention: written(f.Notify.Mention)}
	lines := []string{dress(f.Promise()), escapeLong(g.Reason), escapeLong(sentences.Allows(g.Gate)), escapeLong(g.Clears)}
	if a := g.Permit; a != nil {
		lines = append(lines, dress(sentences.Permitted(*a)))
	}
	lines = append(lines, dress(f.Late()), dress(f.Waiting()))
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
	b.Blocks = append(b.Blocks, header(state+" · "+f.name(100)), section(strings.Join(lines, "\n")))
	b.Blocks = append(b.Blocks, sectionIf(forWhom(b.Mention))...)
	b.Blocks = append(b.Blocks, sectionIf(f.links())...)
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return b
}

// Permit composes what tells that somebody lets releases pass which the policy would stop. channel
// is where that is said, "" for the default.
func (h Composer) Permit(a alerting.Act, channel string, now time.Time) []outbox.Entry {
	permit := sentences.Permit(a)
	b := Body{
		Text: clip("🔓 "+escapeLong(permit.String()), maxSentence), Name: "🔓 " + plain(cmp.Or(string(a.SLO), a.Service), 80), Incident: "permit/" + a.Key,
		Blocks: []Block{section("🔓 " + dress(permit) + "\n> " + escape(a.Text)), contextBlock(mrkdwn(h.signature()))},
	}
	return []outbox.Entry{{
		Key: "permit/" + a.Key + "/post", Receiver: h.receiver(), Lane: outbox.LaneTicket, Channel: cmp.Or(channel, h.Channel),
		Thread: "permit/" + a.Key, Op: outbox.Post, Body: b.marshal(), Created: now,
	}}
}

// abort tells that an experiment has to end.
func (f message) abort() []outbox.Entry {
	b := Body{Text: f.sentence("🛑 Abort", f.predicate()), Name: "🛑 Abort · " + f.name(80), Mention: f.mentions()}
	b.Blocks = []Block{
		header("🛑 Abort the experiment · " + f.name(80)),
		section(f.dressLines([]sentences.Text{f.Abort(), f.Spending(), f.Waiting()})),
	}
	b.Blocks = append(b.Blocks, sectionIf(forWhom(b.Mention))...)
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(f.footer())))
	return []outbox.Entry{f.entry("post", outbox.LaneTicket, outbox.Post, b)}
}

package slack

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// Evidence composes what is owed when slowburn has looked into an incident: the headline of the
// root message has the essence, the thread all of it. If nothing could be found out the root stays
// as it is; the thread says so in small print if something failed, and nothing if there was nothing
// to ask. Facts.Event is the incident's newest.
func (h Composer) Evidence(facts notify.Facts) []outbox.Entry {
	f := message{Notification: facts.Notification, composer: h, to: facts.Target}
	return inThread(f.looked(), facts.Target)
}

func (f message) looked() []outbox.Entry {
	if f.Incident.Unheard() || f.Found.Empty() && f.Found.Failure() == "" {
		return nil
	}
	key := f.Event.Incident + "/evidence/" + string(f.Found.Kind)
	reply := f.entry("", outbox.LaneTicket, outbox.Reply, f.findings())
	reply.Key = key + "/reply"
	if f.Found.Empty() {
		return []outbox.Entry{reply}
	}
	edit := f.entry("", outbox.LaneTicket, outbox.Edit, f.root())
	edit.Key = key + "/edit"
	return []outbox.Entry{edit, reply}
}

const (
	// roomInLine and roomInReply are how many characters a line, and a section, of evidence may
	// have.
	roomInLine  = 900
	roomInReply = 2_000
	// longestLine is how many characters of a line of evidence are shown.
	longestLine = 300
)

// findings returns the reply that tells all of it.
func (f message) findings() Body {
	e := f.Found
	if e.Empty() {
		why := "Evidence: not available (" + e.Failure() + ")"
		return Body{Text: clip(escape(why), maxSentence), Blocks: []Block{contextBlock(plainText(plain(why, foreignLimit)))}}
	}
	b := Body{Text: f.sentence("🔍 Evidence", neutralize(plain(headline(e), 60)))}
	add := func(title string, lines []string) {
		if text := listed(title, lines, roomInReply); text != "" {
			b.Blocks = append(b.Blocks, section(text))
		}
	}
	add(sentences.Burns(f.Incident.Open), safe(e.Burns.Sentences()))
	add("What changed", changes(e))
	add("Golden signals", safe(e.Lines()))
	add("Traces", []string{joined(traces(e))})
	b.Blocks = append(b.Blocks, contextBlock(mrkdwn(provenance(e))))
	return b
}

// headline returns what was found in a few words.
func headline(e *ranking.Evidence) string {
	if c := e.Changes; len(c) > 0 {
		return e.Burns.Headline() + "; " + c[0].What
	}
	return e.Burns.Headline()
}

// changes returns what was changed, with links to where they are described.
func changes(e *ranking.Evidence) []string {
	var lines []string
	for _, c := range e.Changes {
		line := line(c.Sentence(e.Onset))
		if l := shortLink(c.Link, "Details"); l != "" {
			line += " " + l
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return []string{sentences.NothingChanged}
	}
	lines[0] += " _" + sentences.Correlated + "_"
	return lines
}

// traces returns links to traces or, without a place to show them, their IDs.
func traces(e *ranking.Evidence) (parts []string) {
	for _, t := range e.Traces {
		part := cmp.Or(shortLink(t.URL, clip(t.ID, 9)), code(clip(t.ID, 64)))
		if t.Seconds > 0 {
			part += " " + figures.Value(t.Seconds) + " s"
		}
		parts = append(parts, part)
	}
	return parts
}

// shortLink returns a link, or nothing if its address is none or would take the room of what has to
// be said.
func shortLink(address, words string) string {
	if safe, ok := safeURL(address); !ok || len(safe) > 400 {
		return ""
	}
	return link(address, words)
}

// joined puts short texts into one line, as many as there is room for.
func joined(parts []string) string {
	text := ""
	for i, p := range parts {
		if i > 0 {
			p = " · " + p
		}
		if utf8.RuneCountInString(text+p) <= roomInLine {
			text += p
		}
	}
	return text
}

// provenance says where the findings come from.
func provenance(e *ranking.Evidence) string {
	parts := []string{"Since the onset, up to " + at(e.At), "found within " + figures.Value(max(e.Took, 0.1)) + " s"}
	if len(e.Burns.Looked) > 0 {
		parts = append(parts, "compared by "+escape(strings.Join(e.Burns.Looked, ", ")))
	}
	for _, s := range append(e.Burns.Skipped, e.Problems...) {
		parts = append(parts, "not looked at: "+escape(s))
	}
	return clip(strings.Join(parts, " · "), limitOf("context.text"))
}

func safe(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = line(l)
	}
	return out
}

func line(s string) string { return neutralize(plain(s, longestLine)) }

// listed returns a title with lines, as many as there is room for; nothing without any.
func listed(title string, lines []string, room int) string {
	text := ""
	for _, l := range lines {
		if l == "" || utf8.RuneCountInString(text+l) > room && text != "" {
			continue
		}
		text += "\n" + l
	}
	if text == "" {
		return ""
	}
	return "*" + title + "*" + text
}

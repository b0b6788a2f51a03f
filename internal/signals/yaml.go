package signals

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// commentWidth is where comments are wrapped.
const commentWidth = 110

// Empty reports whether nothing is proposed that could stand in a file.
func (p Proposal) Empty() bool {
	for _, one := range p.SLOs {
		if one.Refused == "" {
			return false
		}
	}
	return true
}

// YAML is the proposal as an SLO file, with comments that explain each choice. The same proposal makes the
// same bytes. Of a proposal without SLOs, only comments are left.
func (p Proposal) YAML() []byte {
	w := &writer{}
	if p.Empty() {
		w.comment("", fmt.Sprintf("%s: there is no SLO to propose.", p.Service))
		w.comments("", p.Notes)
		p.refusals(w)
		return []byte(w.b.String())
	}
	w.line("", strings.TrimSpace(file.Modeline(file.SchemaURL)))
	w.comment("", "Suggested from what Prometheus has; read it, change it, keep it.")
	w.comments("", p.Notes)
	w.line("", "version: "+file.Version)
	w.line("", "service: "+scalar(p.Service))
	if p.Tier != "" {
		w.comment("", "By how fast its requests are. Whether it is critical is for you to say.")
		w.line("", "tier: "+p.Tier)
	}
	p.signals(w)
	w.line("", "slos:")
	for _, one := range p.SLOs {
		if one.Refused == "" {
			one.write(w)
		}
	}
	p.refusals(w)
	return []byte(w.b.String())
}

func (p Proposal) signals(w *writer) {
	if p.From == "" {
		return
	}
	w.line("", "signals:")
	w.comments("  ", p.Traps)
	w.line("  ", "from: "+scalar(p.From))
	w.line("  ", "match: "+single(p.Match))
	if len(p.Saturation) == 0 {
		return
	}
	w.line("  ", "saturation:")
	for _, m := range p.Saturation {
		w.line("    ", "- name: "+scalar(m.Name))
		w.line("      ", "query: "+single(m.Query))
		w.line("      ", "limit: "+number(m.Limit))
	}
}

func (p Proposal) refusals(w *writer) {
	for _, one := range p.SLOs {
		if one.Refused != "" {
			w.comment("  ", fmt.Sprintf("No SLO %s: %s.", one.Name, one.Refused))
			w.comments("  ", one.Why)
		}
	}
}

func (one SLO) write(w *writer) {
	w.comments("  ", one.Why)
	w.line("  ", "- name: "+scalar(one.Name))
	w.line("    ", "description: "+scalar(one.Description))
	w.line("    ", "objective: "+one.Objective.Percent())
	w.line("    ", "window: "+slo.ShortDuration(lookBack))
	w.line("    ", "sli:")
	for _, l := range one.SLI {
		w.line("      ", l)
	}
	if len(one.Alerts) > 0 {
		w.line("    ", "alerts:")
		for _, l := range one.Alerts {
			w.line("      ", l)
		}
	}
}

// writer collects lines.
type writer struct{ b strings.Builder }

func (w *writer) line(indent, text string) { w.b.WriteString(indent + text + "\n") }

func (w *writer) comments(indent string, list []string) {
	for _, c := range list {
		w.comment(indent, c)
	}
}

// comment writes a comment, wrapped. Nothing in it can end it: whatever is not printable becomes a space.
func (w *writer) comment(indent, text string) {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	rest := ""
	for _, word := range strings.Fields(text) {
		if rest != "" && len(indent)+len(rest)+len(word) > commentWidth {
			w.line(indent, "# "+rest)
			rest = ""
		}
		rest = strings.TrimPrefix(rest+" "+word, " ")
	}
	if rest != "" {
		w.line(indent, "# "+rest)
	}
}

// single writes text in single quotes, where nothing but the quote itself has a meaning. PromQL has no line
// breaks, since its strings are quoted.
func single(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// scalar writes text plainly where YAML takes it for nothing but text.
func scalar(s string) string {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if i == 0 && !letter || !letter && !unicode.IsDigit(r) && !strings.ContainsRune(" -_.,", r) {
			return single(s)
		}
	}
	switch strings.ToLower(s) {
	case "", "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return single(s)
	}
	return s
}

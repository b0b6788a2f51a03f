package report

import (
	"strings"

	"github.com/slowburn-sre/slowburn/internal/figures"
)

// Summary is the report in parts, for a message with a thread. Title, Verdict, Columns and Rows are
// plain text; the text of a Detail is standard Markdown (not Slack's mrkdwn).
type Summary struct {
	Key     string // unique, "report/weekly/2026-W48"
	Title   string
	Verdict string   // at most 150 runes
	Span    string   // the period with its zone
	Numbers string   // pages and medians in one line, with how they changed
	Decide  []string // what is to be decided, most pressing first, at most five
	Columns []string
	Rows    [][]string // the worst, at most ten
	More    string     // "+ 4 more in the thread", or ""
	Details []Detail   // for the thread, in order
}

// Detail is one section of the thread.
type Detail struct{ Title, Text string }

const (
	// summaryRows is how many SLOs the first message shows.
	summaryRows = 10
	// summaryDecisions is how many decisions it shows.
	summaryDecisions = 5
	// detailRows is how many rows a section of the thread has at most; the full report has all.
	detailRows = 20
	// detailRunes bounds a section, so that it fits one message. Whole lines are left out, never
	// half of one.
	detailRunes = 8000
)

// Summary cuts the report into parts.
func (r Report) Summary() Summary {
	s := Summary{
		Key: r.Key, Title: r.Title(), Verdict: r.Verdict(), Span: r.Span(), Numbers: r.NumberLine(),
		Columns: []string{"SLO", "SLI", "Objective", "Budget left", "Change", "Standing"},
	}
	for _, w := range r.Rows[:min(len(r.Rows), summaryRows)] {
		s.Rows = append(s.Rows, []string{string(w.ID), w.SLI(), w.objective(), w.Left(), w.Change(), w.Verdict.Text()})
	}
	if rest := len(r.Rows) - summaryRows; rest > 0 {
		s.More = "+ " + figures.Count(rest) + " more in the thread"
	}
	for _, d := range r.Decisions[:min(len(r.Decisions), summaryDecisions)] {
		name := ""
		if d.ID != "" {
			name = string(d.ID) + ": "
		}
		s.Decide = append(s.Decide, name+d.Text)
	}
	for _, part := range r.sections() {
		if part.heading == numberHeading || part.heading == decisionHeading && len(r.Decisions) <= summaryDecisions {
			continue // they are in the first message
		}
		s.Details = append(s.Details, Detail{part.heading, bound(part.write(detailRows))})
	}
	return s
}

// bound leaves out the last lines of a text that is too long, and says so.
func bound(text string) string {
	if len([]rune(text)) <= detailRunes {
		return text
	}
	kept, room := strings.Builder{}, detailRunes-60
	for line := range strings.Lines(text) {
		if room -= len([]rune(line)); room < 0 {
			break
		}
		kept.WriteString(line)
	}
	return kept.String() + "\nThe rest is in the full report.\n"
}

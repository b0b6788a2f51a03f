package report

import (
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// Drills is what the drills of the last seven days have proven. It stands apart: no drill is an
// incident, a page or an acknowledgement of any other part of a report.
type Drills struct {
	Routes, Proven int // pairs of a service's severity and a destination
	Destinations   int // channels of receivers
	Unproven       []Unproven
	Answers        []Answer // of loud ones
}

// Unproven is a destination that took no drill in the last seven days.
type Unproven struct {
	Destination string
	Services    []string
	Reason      string    // of the newest drill; "" if there was none
	Last        time.Time // when it was proven last; zero is never
}

// Answer is how fast a loud drill was acknowledged.
type Answer struct {
	Destination, By string
	After           time.Duration
}

// drillText says which routes are proven.
func (r Report) drillText(limit int) string {
	d := r.Drills
	text := sentences.Proven(d.Proven, d.Routes, d.Destinations) + " Drills count nowhere else in this report.\n"
	var rows [][]string
	for _, u := range d.Unproven {
		last := "never"
		if !u.Last.IsZero() {
			last = figures.UTC(u.Last)
		}
		rows = append(rows, []string{markdown.Text(u.Destination), markdown.Text(few(u.Services)), last, markdown.Text(u.Reason)})
	}
	if len(rows) > 0 {
		text += "\nNot proven:\n\n" + table([]string{"Destination", "Services", "Proven last", "Why not"}, rows, limit)
	}
	rows = nil
	for _, a := range d.Answers {
		rows = append(rows, []string{markdown.Text(a.Destination), markdown.Text(a.By), figures.Duration(a.After)})
	}
	if len(rows) > 0 {
		text += "\nAnswered by people:\n\n" + table([]string{"Destination", "By", "After"}, rows, limit)
	}
	return text
}

// few names some of a list.
func few(all []string) string {
	const shown = 3
	words := strings.Join(all[:min(len(all), shown)], ", ")
	if n := len(all) - shown; n > 0 {
		words += " and " + figures.Count(n) + " more"
	}
	return words
}

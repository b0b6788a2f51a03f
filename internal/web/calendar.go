package web

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// calendar shows day by day where the budget went: in incidents, or without anybody being told.
type calendar struct {
	Days   []day         // oldest first
	Budget budget.Status // of the first window
	Window string
	slo.Objective
}

// day is one day in UTC. InIncidents and the rest of Sum.Bad add up to all.
type day struct {
	At          time.Time
	Sum         budget.Sum
	InIncidents int64
}

// calendarDays is how many days a calendar shows at most: five weeks.
const calendarDays = 35

// calendar sums up the days of the first window.
func (s *site) calendar(b engine.Budget, incidents []alerting.Incident) calendar {
	st := b.Windows[0]
	c := calendar{Budget: st, Window: figures.Window(st.Window), Objective: b.Spec.Objective}
	from := later(later(st.From, b.AsOf.Add(-(calendarDays-1)*slo.Day)), b.Since).Truncate(slo.Day)
	s.Source.Snapshot().WithLedger(b.ID, func(_ *slo.Spec, l *budget.Ledger) {
		_, attribution := alerting.Attribution(l, incidents)
		for at := from; at.Before(b.AsOf); at = at.Add(slo.Day) {
			first, last := budget.MinuteOf(at), budget.MinuteOf(at.Add(slo.Day))
			d := day{At: at, Sum: l.Sum(first, last)}
			_, rest := attribution.In(first, last)
			d.InIncidents = d.Sum.Bad - rest
			c.Days = append(c.Days, d)
		}
	})
	return c
}

// spent returns a share of the budget.
func (c calendar) spent(bad int64) string { return c.Budget.CostOf(bad) }

// Words say what the calendar shows.
func (c calendar) Words() string {
	var all, inIncidents int64
	var worst day
	for _, d := range c.Days {
		all, inIncidents = all+d.Sum.Bad, inIncidents+d.InIncidents
		if d.Sum.Bad > worst.Sum.Bad {
			worst = d
		}
	}
	if all == 0 {
		return "Nothing of the budget went on these days, as far as is known."
	}
	return fmt.Sprintf("On these days %s of the budget of %s went: %s in incidents, %s unattributed, which %s. The worst day was %s with %s.",
		c.spent(all), c.Window, c.spent(inIncidents), c.spent(all-inIncidents), sentences.Unattributed, figures.Day(worst.At), c.spent(worst.Sum.Bad))
}

// The size of a day and of the heading, in units of the view box.
const (
	dayWidth, dayHeight = 80.0, 52.0
	dayHead             = 22.0
)

// SVG draws the days in weeks from Monday. A bar's height is the day's share, beside that of the
// worst day.
func (c calendar) SVG() template.HTML {
	if len(c.Days) == 0 {
		return ""
	}
	monday := c.Days[0].At.AddDate(0, 0, -(int(c.Days[0].At.Weekday())+6)%7)
	weeks := int(c.Days[len(c.Days)-1].At.Sub(monday)/(7*slo.Day)) + 1
	most := int64(1)
	for _, d := range c.Days {
		most = max(most, d.Sum.Bad)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="calendar" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="calendar-t calendar-d">`, 7*dayWidth, dayHead+float64(weeks)*dayHeight)
	fmt.Fprintf(&b, `<title id="calendar-t">Where the budget went, day by day</title><desc id="calendar-d">%s</desc>`, text(c.Words()))
	for n, name := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
		fmt.Fprintf(&b, `<text class="tick" x="%.0f" y="15">%s</text>`, float64(n)*dayWidth+6, name)
	}
	for _, d := range c.Days {
		n := int(d.At.Sub(monday) / slo.Day)
		c.draw(&b, d, float64(n%7)*dayWidth, dayHead+float64(n/7)*dayHeight, float64(most))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers and our own words
}

// draw draws one day with its corner at x and y.
func (c calendar) draw(b *strings.Builder, d day, x, y, most float64) {
	const gap, bars = 2.0, dayHeight - 20
	fmt.Fprintf(b, `<rect class="day" x="%.0f" y="%.0f" width="%.0f" height="%.0f"/>`, x+gap, y+gap, dayWidth-2*gap, dayHeight-2*gap)
	in, rest := bars*float64(d.InIncidents)/most, bars*float64(d.Sum.Bad-d.InIncidents)/most
	fmt.Fprintf(b, `<rect class="spent-incidents" x="%.0f" y="%.1f" width="%.0f" height="%.1f"/>`, x+gap, y+dayHeight-gap-in, dayWidth-2*gap, in)
	fmt.Fprintf(b, `<rect class="spent-rest" x="%.0f" y="%.1f" width="%.0f" height="%.1f"/>`, x+gap, y+dayHeight-gap-in-rest, dayWidth-2*gap, rest)
	words := c.spent(d.Sum.Bad)
	if d.Sum.Seen() == 0 {
		words = figures.Unknown
	}
	fmt.Fprintf(b, `<text class="tick" x="%.0f" y="%.0f">%d</text>`, x+6, y+15, d.At.Day())
	fmt.Fprintf(b, `<text class="tick end strong" x="%.0f" y="%.0f">%s</text>`, x+dayWidth-6, y+15, words)
}

// Table lists the same in figures, newest first.
func (c calendar) Table() table {
	t := table{Label: "Days", Head: []column{
		{"Day (UTC)", asName},
		{"Events", asNumber},
		{"Bad", asNumber},
		{"SLI of the day", asNumber},
		{"Of the budget of " + c.Window, asNumber},
		{"In incidents", asNumber},
		{"Unattributed", asNumber},
	}}
	for _, d := range slices.Backward(c.Days) {
		name := text(figures.Day(d.At))
		if d.Sum.Seen() == 0 {
			t.add(name, "— nothing is known", figures.Unknown, figures.Unknown, figures.Unknown, figures.Unknown, figures.Unknown)
			continue
		}
		t.add(name, text(figures.Events(d.Sum.Total)), text(figures.Events(d.Sum.Bad)), text(sliOf(d.Sum, c.Objective)), text(c.spent(d.Sum.Bad)), text(c.spent(d.InIncidents)), text(c.spent(d.Sum.Bad-d.InIncidents)))
	}
	return t
}

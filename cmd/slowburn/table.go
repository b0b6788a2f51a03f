package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/printable"
	"github.com/slowburn-sre/slowburn/slo"
)

// table prints aligned columns under a heading.
type table struct {
	w      *tabwriter.Writer
	colour bool // the first column may have colours
}

func newTable(out io.Writer, head ...string) table {
	t := table{w: tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)}
	t.row(head...)
	return t
}

// colourTable prints to a terminal with colours in the first column, as newTable elsewhere.
func colourTable(e *env, head ...string) table {
	if !e.colours() {
		return newTable(e.out, head...)
	}
	t := table{tabwriter.NewWriter(e.screens.out, 0, 4, 2, ' ', 0), true}
	t.row(head...)
	return t
}

// The colours, by their numbers in ECMA-48. All have two digits, so that they move no column.
const (
	plainText = "39"
	red       = "31"
	yellow    = "33"
)

// row prints cells, each of which stays in its line and its column.
func (t table) row(cells ...string) { t.painted(plainText, cells...) }

// painted prints cells, the first in a colour where there are any.
func (t table) painted(colour string, cells ...string) {
	lines := make([]string, len(cells))
	for i, c := range cells {
		lines[i] = printable.Line(c)
	}
	if t.colour && len(lines) > 0 {
		lines[0] = "\x1b[" + colour + "m" + lines[0] + "\x1b[" + plainText + "m"
	}
	fmt.Fprintln(t.w, strings.Join(lines, "\t"))
}

func (t table) flush() error { return t.w.Flush() }

// The figures of the API are exact numbers, null where nothing is known. Counts of events have
// three decimals there, so they are whole thousandths again here.

func thousandths(events float64) int64 {
	n, _ := figures.Thousandths(events)
	return n
}

func eventsOf(events float64) string { return figures.Events(thousandths(events)) }

// windowOf writes a window of the API as people read it: "28d" is "28 d" here as on the pages. A
// calendar window is words already.
func windowOf(text string) string {
	if d, err := model.ParseDuration(text); err == nil {
		return figures.Duration(time.Duration(d))
	}
	return text
}

// spentOf writes the share of a budget that bad events took, and whether that budget is an
// estimate.
func spentOf(bad, allowed *float64, estimated bool) string {
	if bad == nil || allowed == nil {
		return figures.Unknown
	}
	return figures.Account{Allowed: thousandths(*allowed), Estimated: estimated}.Cost(thousandths(*bad))
}

// costOf writes which share of the whole budget an incident took.
func costOf(c api.IncidentCost) string {
	if c.Cost == nil {
		return figures.Unknown
	}
	return figures.Estimate(shareSpent(c.Cost), c.Projected || c.Estimated)
}

// leftOf writes the share of a budget that an account leaves, of whose minutes some share is
// estimated.
func leftOf(a api.Account, estimated float64) string {
	if a.Remaining == nil {
		return figures.Unknown
	}
	return figures.Account{
		Bad: thousandths(*a.Bad), Total: thousandths(*a.Total), Allowed: thousandths(*a.Allowed), Projected: a.Projected, Estimated: estimated > 0,
	}.Left()
}

// shareLeft writes a share of a budget that is left and of which nothing but its ratio is known.
func shareLeft(v *float64) string {
	if v == nil {
		return figures.Unknown
	}
	return figures.Left(figures.Parts(1 - *v))
}

// shareSpent writes a share of a budget that went and of which nothing but its ratio is known.
func shareSpent(v *float64) string {
	if v == nil {
		return figures.Unknown
	}
	return figures.Cost(figures.Parts(*v))
}

// sliOf writes the SLI of counts under an objective, a percentage.
func sliOf(bad, total *float64, objective float64) string {
	o, err := slo.ParseObjective(figures.Decimal(objective))
	if err != nil || bad == nil || total == nil {
		return figures.Unknown // or the daemon is none of ours
	}
	return figures.SLI(thousandths(*bad), thousandths(*total), o)
}

// lasting writes a duration in seconds.
func lasting(seconds float64) string {
	return figures.Duration(time.Duration(seconds * float64(time.Second)))
}

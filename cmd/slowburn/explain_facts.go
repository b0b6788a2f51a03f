package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// tell writes the explanation for people.
func (x *explanation) tell(w io.Writer, by string) error {
	fmt.Fprintf(w, "%s, %s over %s\n", x.ID, figures.Percent(x.Objective), windowOf(x.Window))
	fmt.Fprintf(w, "From %s to %s: %s bad of %s events", figures.UTC(x.From), figures.UTC(x.To), eventsOf(x.Bad), eventsOf(x.Total))
	switch {
	case x.Allowed == nil:
		fmt.Fprint(w, ".\n\n")
	case x.Projected:
		fmt.Fprintf(w, ".\n\nOnly %s of the %s minutes of the window are known, so what is left of its budget is not. At the traffic in them, it would be %s events; the shares below are of that.\n\n",
			figures.Count(x.Data.Known), figures.Count(x.Data.Minutes), figures.Estimate(eventsOf(*x.Allowed), true))
	default:
		fmt.Fprintf(w, ", %s of the budget of %s.\n\n", x.spent(x.Bad), figures.Estimate(eventsOf(*x.Allowed), x.Data.Estimated > 0))
	}
	x.tellCorrections(w)
	if err := errors.Join(x.tellBuckets(w, by), x.tellIncidents(w)); err != nil {
		return err
	}
	x.tellData(w)
	if x.Journey != nil {
		fmt.Fprint(w, "It")
		tellJourney(w, x.Journey)
		fmt.Fprintln(w, "  "+sentences.NoQueries)
	}
	x.tellQueries(w)
	if x.Note != "" {
		_, err := fmt.Fprintln(w, x.Note)
		return err
	}
	return x.tellAlerts(w)
}

// spent writes which share of the window's budget bad events took.
func (x *explanation) spent(bad float64) string {
	return spentOf(&bad, x.Allowed, x.Projected || x.Data.Estimated > 0)
}

// unread reports whether nothing was read of a bucket.
func unread(b api.SpentBucket) bool {
	return b.Known == 0 && b.Unknown == 0 && b.Excused == 0 && b.Total == 0
}

// tellCorrections says what the figures leave out, and what they would be with it.
func (x *explanation) tellCorrections(w io.Writer) {
	if x.GrossBad == nil {
		return
	}
	fmt.Fprintf(w, "Without corrections: %s bad of %s events. Left out:\n", eventsOf(*x.GrossBad), eventsOf(*x.GrossTotal))
	for _, c := range x.Corrections {
		fmt.Fprintf(w, "  %s, %s bad of %s events\n", correctionText(c), eventsOf(c.Bad), eventsOf(c.Total))
	}
	fmt.Fprintln(w)
}

// tellBuckets shows every day since the ledger began, but of the hours only those that have
// something to tell: a bad event, or a minute that is not known or left out.
func (x *explanation) tellBuckets(w io.Writer, by string) error {
	columns := []string{strings.ToUpper(by), "BAD", "TOTAL", "BUDGET", "KNOWN MINUTES"}
	if x.GrossBad != nil {
		columns = append(columns, "LEFT OUT")
	}
	t := newTable(w, columns...)
	hidden, leftOut := 0, 0.0
	buckets := x.Buckets
	for len(buckets) > 0 && unread(buckets[0]) {
		buckets = buckets[1:]
	}
	for _, b := range buckets {
		if by == "hour" && b.Bad == 0 && b.Known == b.Minutes {
			hidden++
			continue
		}
		t.row(x.corrected(b.Excused, b.LeftOut, b.Name, eventsOf(b.Bad), eventsOf(b.Total), x.spent(b.Bad), figures.Of(b.Known, b.Minutes))...)
		leftOut += b.LeftOut
	}
	t.row(x.corrected(x.Data.Excused, leftOut, "sum", eventsOf(x.Bad), eventsOf(x.Total), x.spent(x.Bad), figures.Of(x.Data.Known, x.Data.Minutes))...)
	err := t.flush()
	if n := len(x.Buckets) - len(buckets); n > 0 {
		fmt.Fprintf(w, "Nothing was read of the %s before.\n", figures.Plural(n, by))
	}
	switch {
	case hidden == 1:
		fmt.Fprintln(w, "1 quiet hour is left out.")
	case hidden > 1:
		fmt.Fprintf(w, "%s quiet hours are left out.\n", figures.Count(hidden))
	}
	return err
}

// corrected appends what corrections leave out to a row, if there are any.
func (x *explanation) corrected(minutes int, bad float64, row ...string) []string {
	switch {
	case x.GrossBad == nil:
		return row
	case minutes == 0:
		return append(row, "")
	}
	return append(row, fmt.Sprintf("%s bad in %s", eventsOf(bad), figures.Plural(minutes, "minute")))
}

func (x *explanation) tellIncidents(w io.Writer) error {
	fmt.Fprintln(w)
	t := newTable(w, "INCIDENT", "SEVERITY", "ONSET", "BURNED", "COST", "BAD", "OF THE BUDGET NOW")
	for _, i := range x.Incidents {
		t.row(i.ID, i.Severity, figures.UTC(i.Onset), lasting(i.Duration), costOf(i.IncidentCost), eventsOf(i.Bad), x.spent(i.Bad))
	}
	t.row("unattributed", "", "", "", "", eventsOf(x.Unattributed.Bad), x.spent(x.Unattributed.Bad))
	t.row("sum", "", "", "", "", eventsOf(x.Bad), x.spent(x.Bad))
	err := t.flush()
	if len(x.Incidents) > 0 {
		fmt.Fprintln(w, "COST is of the budget as it was when the incident ended, of an open one at its newest minute, and stays. The columns after it are what of it is in today's window.")
	}
	return err
}

func (x *explanation) tellData(w io.Writer) {
	d := x.Data
	excused := ""
	if d.Excused > 0 {
		excused = figures.Count(d.Excused) + " are left out by corrections, "
	}
	fmt.Fprintf(w, "\nData: %s now. Of %s minutes %s are known, %s%s were read and told nothing, %s are partial or were never read.\n",
		d.State, figures.Count(d.Minutes), figures.Count(d.Known), excused, figures.Count(d.Unknown), figures.Count(d.Unseen))
	if text := sentences.Estimated(float64(d.Estimated) / float64(max(d.Known, 1))); text != "" {
		fmt.Fprintln(w, "  "+text)
	}
	for _, p := range d.Problems {
		fmt.Fprintln(w, "  "+p)
	}
}

func (x *explanation) tellQueries(w io.Writer) {
	fmt.Fprintln(w)
	if len(x.Queries) == 0 {
		return
	}
	fmt.Fprintln(w, "The same in Prometheus, as far as it still has the data:")
	for _, q := range x.Queries {
		fmt.Fprintf(w, "  %s\n    %s\n", q.What, strings.ReplaceAll(q.Text, "\n", "\n    "))
		if q.Note != "" {
			fmt.Fprintf(w, "    (%s)\n", q.Note)
		}
	}
	fmt.Fprintln(w)
}

func (x *explanation) tellAlerts(w io.Writer) error {
	p := x.Alerts
	if p == nil || len(p.Reaches) == 0 {
		_, err := fmt.Fprintln(w, "No alert can fire: there was no known traffic, or the SLO has no alerts.")
		return err
	}
	fmt.Fprintf(w, "What the alerts catch at %s events a minute:\n", figures.Value(p.EventsPerMinute))
	t := newTable(w, "ALERT", "BURN ABOVE", "SHORTEST OUTAGE", "BUDGET BY THEN", "RESET", "AFTER AN HOUR", "SMALLEST ERROR RATIO")
	for _, r := range p.Reaches {
		burn, ratio := figures.Unknown, "never"
		if r.Burn != nil {
			burn = figures.Times(*r.Burn)
		}
		if r.Ratio != nil {
			ratio = figures.Ratio(*r.Ratio)
		}
		t.row(r.Severity+" "+r.Pair, burn, orNever(r.Outage), shareSpent(r.Gone), orNever(r.Reset), orNever(r.ResetLong), ratio)
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, sentences.FalsePages(p.FalsePages, p.FalseDays))
	return err
}

// orNever writes seconds.
func orNever(seconds *float64) string {
	if seconds == nil {
		return "never"
	}
	return lasting(*seconds)
}

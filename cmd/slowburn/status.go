package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/printable"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

type statusCmd struct {
	remote
	Which string        `arg:"" optional:"" name:"service[/slo]" names:"slo" help:"SERVICE or SERVICE/SLO; everything without it."`
	Watch bool          `short:"w" help:"Repeat until interrupted."`
	Every time.Duration `help:"How often --watch queries the daemon." default:"5s"`
}

// Run shows budgets, worst first. It answers "no" when a budget is overspent.
func (c *statusCmd) Run(e *env) error {
	for {
		over, err := c.show(e)
		if !c.Watch {
			if err == nil && over {
				return answerNo(nil)
			}
			return err
		}
		if err != nil {
			fmt.Fprintln(e.err, "slowburn:", err)
		}
		select {
		case <-e.ctx.Done():
			return nil
		case <-time.After(c.Every):
			fmt.Fprint(e.screens.out, "\033[H\033[2J")
			fmt.Fprintf(e.out, "%s, every %s; stop with Ctrl-C\n\n", figures.UTC(e.now()), figures.Duration(c.Every))
		}
	}
}

func (c *statusCmd) show(e *env) (over bool, err error) {
	var all []api.SLO
	if err := c.get(e, "slos", nil, &all); err != nil {
		return false, err
	}
	known := namesOf(all)
	if c.Which != "" {
		all = slices.DeleteFunc(all, func(s api.SLO) bool {
			return s.Service != c.Which && s.Service+"/"+s.Name != c.Which && s.ID != c.Which
		})
	}
	if len(all) == 0 && c.Which != "" {
		if err := c.undecided(e, c.Which); err != nil {
			return false, err
		}
		return false, cannotFindOut(fmt.Errorf("there is no SLO %q%s", c.Which, meant(c.Which, known)))
	}
	if len(all) == 0 {
		fmt.Fprintln(e.err, "slowburn:", sentences.NoBudgets)
	}
	slices.SortStableFunc(all, worseFirst)
	for _, s := range all {
		over = over || s.Budget.Remaining != nil && *s.Budget.Remaining < 0
	}
	return over, c.print(e, all, func() error {
		if err := printStatus(e, all); err != nil {
			return err
		}
		return errors.Join(c.tellOpen(e), c.tellApprovals(e))
	})
}

// tellOpen lists the incidents that have not ended, below the budgets.
func (c *statusCmd) tellOpen(e *env) error {
	var open []api.Incident
	if err := c.get(e, "incidents", url.Values{"open": {"true"}}, &open); err != nil {
		return err
	}
	if c.Which != "" {
		open = slices.DeleteFunc(open, func(i api.Incident) bool {
			return i.Service != c.Which && i.SLO != c.Which && slo.ID(i.SLO).Base() != slo.ID(c.Which)
		})
	}
	all := len(open)
	open = slices.DeleteFunc(open, func(i api.Incident) bool { return i.Rule == string(alerting.RuleNoData) })
	if gaps := all - len(open); gaps > 0 {
		defer fmt.Fprintf(e.out, "\n%s in the data: slowburn incidents --open --no-data\n", figures.Plural(gaps, "open gap"))
	}
	if len(open) == 0 {
		_, err := fmt.Fprintln(e.out, "\nNo incident is open.")
		return err
	}
	fmt.Fprintf(e.out, "\n%s:\n", figures.Plural(len(open), "open incident"))
	t := colourTable(e, "SEVERITY", "ID", "ONSET", "BURNED", "COST", "ACKNOWLEDGED BY", "HEADLINE")
	for _, i := range open {
		t.painted(colourOf(i.Severity), i.Severity, i.ID, figures.UTC(i.Onset), lasting(i.Duration), costOf(i.IncidentCost), cmp.Or(i.AcknowledgedBy, figures.Unknown), i.Headline)
	}
	return t.flush()
}

// colourOf returns the colour of a severity.
func colourOf(severity string) string {
	switch strings.ToLower(severity) {
	case "page":
		return red
	case "ticket":
		return yellow
	}
	return plainText
}

// worseFirst orders by how they stand, then by what is left.
func worseFirst(a, b api.SLO) int {
	left := func(s api.SLO) float64 {
		if s.Budget.Remaining == nil {
			return math.Inf(-1)
		}
		return *s.Budget.Remaining
	}
	order := func(s api.SLO) int { return alerting.Grade(s.State).Order() }
	return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(left(a), left(b)), cmp.Compare(a.ID, b.ID))
}

func printStatus(e *env, all []api.SLO) error {
	t := colourTable(e, "STATE", "SLO", "OBJECTIVE", "WINDOW", "SLI", "BUDGET LEFT", "BURN", "TIME TO EXHAUSTION", "GATE", "DATA")
	for _, s := range all {
		gate := figures.Unknown
		if s.Gate != nil {
			gate = *s.Gate
		}
		state := stateOf(s)
		t.painted(colourOf(state), state, s.ID, figures.Percent(s.Objective), windowOf(s.Window), sliOf(s.Budget.Bad, s.Budget.Total, s.Objective),
			leftOf(s.Budget.Account, s.Budget.Estimated), burnOf(s), sentences.TimeToExhaustion(s.Budget.Forecast(s.Data.AsOf)), gate, strings.ReplaceAll(s.Data.State, "_", " ")+marked(s))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, s := range all {
		tellCorrections(e.out, s)
		if s.Journey != nil {
			fmt.Fprint(e.out, "\n"+s.ID)
			tellJourney(e.out, s.Journey)
		}
	}
	return nil
}

// tellCorrections says what is left out of an SLO's budget, and how it stands with it.
func tellCorrections(out io.Writer, s api.SLO) {
	g := s.Budget.Gross
	if g == nil {
		return
	}
	fmt.Fprintf(out, "\n%s without corrections: %s of the budget left", s.ID, leftOf(*g, s.Budget.Estimated))
	if g.Total != nil {
		fmt.Fprintf(out, ", %s of %s events bad", eventsOf(*g.Bad), eventsOf(*g.Total))
	}
	fmt.Fprintln(out, ". Left out:")
	for _, c := range s.Budget.Corrections {
		fmt.Fprintf(out, "  %s\n", correctionText(c))
	}
}

// correctionText returns a correction in a line.
func correctionText(c api.Correction) string {
	if c.Running {
		return c.Text + ", runs until " + figures.UTC(c.Until)
	}
	return c.Text
}

// tellJourney says how the steps of a journey stand, and how far its own figure can be off.
func tellJourney(w io.Writer, j *api.Journey) {
	fmt.Fprintf(w, " is derived from its steps (%s)", j.Combine)
	if j.Bad != nil {
		fmt.Fprintf(w, "; in truth between %s and %s events were bad", eventsOf(j.Bad.Least), eventsOf(j.Bad.Most))
	}
	fmt.Fprintln(w, ".")
	for _, s := range j.Steps {
		line := fmt.Sprintf("  %s: %s good, %s in the last %s", s.SLO, sliOf(s.Bad, s.Total, s.Objective), sliOf(s.RecentBad, s.RecentTotal, s.Objective), j.Over)
		if s.Worst {
			line += ", the worst now"
		}
		if len(s.Open) > 0 {
			line += ", burning"
		}
		if s.Data != "ok" && s.Data != "zero_traffic" {
			line += ", data: " + s.Data
		}
		fmt.Fprintln(w, line)
	}
}

// burnOf shows the burn over the first page's long window, or the shortest there is.
func burnOf(s api.SLO) string {
	if len(s.Burn) == 0 {
		return figures.Unknown
	}
	b := s.Burn[0]
	for _, x := range s.Burn {
		if x.Window == "1h" {
			b = x
		}
	}
	if b.Rate == nil {
		return figures.Unknown
	}
	return figures.Times(*b.Rate) + " over " + windowOf(b.Window)
}

// stateOf writes how a budget stands; what somebody is called for is written large.
func stateOf(s api.SLO) string {
	words := strings.ReplaceAll(s.State, "_", " ")
	if g := alerting.Grade(s.State); g == alerting.GradePage || g == alerting.GradeTicket {
		return strings.ToUpper(words)
	}
	return words
}

// marked says that the data are read with corrections, and whether one runs, and that counts are
// estimates.
func marked(s api.SLO) string {
	if s.Budget.Estimated > 0 {
		return corrected(s) + ", estimated"
	}
	return corrected(s)
}

// corrected says that the data are read with corrections, and whether one runs.
func corrected(s api.SLO) string {
	for _, c := range s.Budget.Corrections {
		if c.Running {
			return ", " + c.Kind
		}
	}
	if s.Budget.Gross != nil {
		return ", corrected"
	}
	return ""
}

type incidentsCmd struct {
	List incidentsListCmd `cmd:"" default:"withargs" help:"List incidents, newest first."`
	Show incidentsShowCmd `cmd:"" help:"Show one incident with its timeline."`
	actsCmd
}

type incidentsListCmd struct {
	remote
	Open    bool   `help:"Only those that have not ended."`
	Service string `help:"Only those of a service." names:"service"`
	NoData  bool   `name:"no-data" help:"Also missing data, in which nothing is known to have failed."`
	Limit   int    `help:"At most this many." default:"50"`
}

// Run lists incidents.
func (c *incidentsListCmd) Run(e *env) error {
	query := url.Values{"service": {c.Service}, "limit": {fmt.Sprint(c.Limit)}}
	if c.Open {
		query.Set("open", "true")
	}
	if !c.NoData {
		query.Set("no_data", "false")
	}
	var all []api.Incident
	if err := c.get(e, "incidents", query, &all); err != nil {
		return err
	}
	if err := c.knows(e, c.Service, len(all)); err != nil {
		return err
	}
	return c.print(e, all, func() error {
		t := newTable(e.out, "ID", "SEVERITY", "STATE", "ONSET", "BURNED", "DETECTED AFTER", "COST", "HEADLINE")
		for _, i := range all {
			t.row(i.ID, i.Severity, i.State, figures.UTC(i.Onset), lasting(i.Duration), lasting(i.TimeToDetect), costOf(i.IncidentCost), i.Headline)
		}
		return t.flush()
	})
}

type incidentsShowCmd struct {
	remote
	ID string `arg:"" names:"incident" help:"The incident's ID."`
}

// Run shows one incident.
func (c *incidentsShowCmd) Run(e *env) error {
	var i api.IncidentDetail
	return c.show(e, "incidents/"+url.PathEscape(c.ID), nil, &i, func() error {
		if i.Headline != "" {
			fmt.Fprintf(e.out, "%s.\n\n", i.Headline)
		}
		fmt.Fprintf(e.out, "%s\n%s, onset %s, burned %s, detected after %s, took %s of the budget\n",
			i.ID, i.Severity, figures.UTC(i.Onset), lasting(i.Duration), lasting(i.TimeToDetect), costOf(i.IncidentCost))
		if i.Title != "" {
			fmt.Fprintf(e.out, "declared: %s\n", i.Title)
		}
		if i.MergedInto != "" {
			fmt.Fprintf(e.out, "merged into %s\n", i.MergedInto)
		}
		if i.TimeToAcknowledge != nil {
			fmt.Fprintf(e.out, "acknowledged by %s after %s\n", i.AcknowledgedBy, lasting(*i.TimeToAcknowledge))
		}
		fmt.Fprintln(e.out)
		for _, h := range i.Timeline {
			fmt.Fprintf(e.out, "%s  %-11s %s\n", figures.UTC(h.At), h.Kind, h.Text)
		}
		if err := tellEvidence(e.out, i.Evidence, i.Open); err != nil {
			return err
		}
		if i.Links.Slack != "" {
			fmt.Fprintf(e.out, "\nSlack: %s\n", i.Links.Slack)
		}
		return nil
	})
}

// tellEvidence says what was found out about an incident: the newest of it.
func tellEvidence(out io.Writer, all []json.RawMessage, open bool) error {
	if len(all) == 0 {
		return nil
	}
	var found ranking.Evidence
	if err := json.Unmarshal(all[len(all)-1], &found); err != nil {
		return cannotFindOut(fmt.Errorf("the evidence of the incident cannot be read: %w", err))
	}
	tellLines(out, sentences.Burns(open), found.Burns.Sentences())
	var changes []string
	for _, c := range found.Changes {
		changes = append(changes, c.Sentence(found.Onset)+" "+c.Link)
	}
	tellLines(out, "What changed. "+sentences.Correlated, changes)
	tellLines(out, "Golden signals", found.Lines())
	var traces []string
	for _, t := range found.Traces {
		traces = append(traces, cmp.Or(t.URL, t.ID)+" "+t.Where)
	}
	tellLines(out, "Traces", traces)
	tellLines(out, "Not known", found.Problems)
	return nil
}

// tellLines prints a heading with lines; nothing without any.
func tellLines(out io.Writer, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", heading)
	for _, l := range lines {
		fmt.Fprintf(out, "  %s\n", strings.TrimSpace(printable.Line(l)))
	}
}

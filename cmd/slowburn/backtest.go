package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

type backtestCmd struct {
	Paths      []string       `arg:"" optional:"" help:"SLO files, folders or globs. Without any: those of the configuration."`
	Last       model.Duration `help:"Replay the time up to now." default:"30d"`
	From       time.Time      `help:"Replay from this time instead." placeholder:"TIME"`
	To         time.Time      `help:"Replay up to this time." placeholder:"TIME"`
	Prometheus string         `name:"prometheus.url" placeholder:"URL" help:"The server; overrides the configuration."`
	Incidents  string         `help:"A CSV file of incidents that people know of, with columns from,to: reports how well the alerts would have done." placeholder:"FILE"`
	NoData     bool           `name:"no-data" help:"Also list the stretches without data, in which nothing is known to have failed."`
	printer
}

// replay is what a backtest found out about one budget.
type replay struct {
	ID        slo.ID
	Incidents []alerting.Incident
	Notices   []alerting.Event
	Known     float64   // share of the minutes whose events are known
	Begun     time.Time // the first minute with data that was replayed; zero if there was none
	Problems  []string
}

// Run reads history and walks it with the code that decides live.
func (c *backtestCmd) Run(e *env) error {
	if _, _, err := c.span(e.now()); err != nil {
		return exitError{exitUsage, err}
	}
	_, set, client, err := prepare(e, c.Paths, c.Prometheus)
	if err != nil {
		return err
	}
	from, to, err := c.span(sourceTime(e.ctx, client, e.now))
	if err != nil {
		return exitError{exitUsage, err}
	}
	labels, err := readLabels(c.Incidents, e.now())
	if err != nil {
		return cannotFindOut(err)
	}
	ledgers, problems, err := readHistory(e, prom.New(client, prom.Options{}), set, from, to)
	if err != nil {
		return cannotFindOut(err)
	}
	var replays []replay
	for _, id := range slices.Sorted(maps.Keys(ledgers)) {
		spec, ledger := set.Lookup(id), ledgers[id]
		ledger.Excuse(budget.NewExcuses(set.CorrectionsOf(id), spec.Window()))
		r := replayOne(alerting.Input{ID: id, Spec: spec, Ledger: ledger}, from, to)
		r.Problems = problems[id]
		replays = append(replays, r)
	}
	err = c.print(e, backtestAsFacts(replays, labels, from, to), func() error { return c.tell(e, replays, labels, from, to) })
	if none := withoutData(set, replays); err == nil && len(none) > 0 {
		return cannotFindOut(fmt.Errorf("there are no data at all of %s: does the metric exist, and do its labels match?", strings.Join(none, ", ")))
	}
	return err
}

// withoutData returns the SLOs of which nothing was found in the time that was replayed.
func withoutData(set *slo.Set, replays []replay) (none []string) {
	for _, spec := range set.Specs {
		if !slices.ContainsFunc(replays, func(r replay) bool { return r.ID.Base() == spec.ID() && !r.Begun.IsZero() }) {
			none = append(none, string(spec.ID()))
		}
	}
	return none
}

// prepare reads the SLOs of the paths or, without any, of the configuration, and makes the client
// of the server: the one that is named, or that of the configuration.
func prepare(e *env, paths []string, server string) (config.Config, *slo.Set, *prom.Client, error) {
	cfg, err := config.Load(e.cli.ConfigFile)
	if err != nil && (len(paths) == 0 || !errors.Is(err, os.ErrNotExist)) {
		return cfg, nil, nil, refused(err)
	}
	var set *slo.Set
	if len(paths) > 0 {
		set, err = config.LoadSLOs(paths)
	} else {
		set, err = cfg.LoadSet()
	}
	if err != nil {
		return cfg, nil, nil, refused(err)
	}
	client, err := e.prometheus(&cfg.Prometheus, server)
	if err != nil {
		return cfg, nil, nil, cannotFindOut(err)
	}
	return cfg, set, client, nil
}

// span returns the time to replay, in whole minutes.
func (c *backtestCmd) span(now time.Time) (from, to budget.Minute, err error) {
	end := c.To
	if end.IsZero() {
		end = now.Add(-time.Minute)
	}
	begin := c.From
	if begin.IsZero() {
		begin = end.Add(-time.Duration(c.Last))
	}
	if !begin.Before(end) {
		return 0, 0, fmt.Errorf("--from %s is not before --to %s", begin.Format(time.RFC3339), end.Format(time.RFC3339))
	}
	return budget.MinuteOf(begin), budget.MinuteOf(end), nil
}

// readHistory reads every minute, and before the first one as many as the alerts look back; of the
// windows of the budgets before that, the sums of hours.
func readHistory(e *env, reader *prom.Reader, set *slo.Set, from, to budget.Minute) (map[slo.ID]*budget.Ledger, map[slo.ID][]string, error) {
	horizon, past := budget.Minute(0), budget.Minute(0)
	for _, spec := range set.Specs {
		horizon, past = max(horizon, alerting.Horizon(spec)), max(past, alerting.History(spec))
	}
	work := reader.Backfill(set.Specs, prom.Plan{From: from - max(past, horizon), Fine: from - horizon, To: to})
	ledgers := map[slo.ID]*budget.Ledger{}
	bar := newBar(e.screens.err)
	for !work.Done() {
		batch := work.Next(e.ctx)
		if len(batch.Failures) > 0 {
			return nil, nil, batch.Failures[0].Err
		}
		for id, reading := range batch.Readings {
			if ledgers[id] == nil {
				ledgers[id] = &budget.Ledger{}
			}
			for _, s := range reading.Slots {
				if s.Slot.State == budget.Absent && ledgers[id].At(s.At).State.Counts() {
					continue // the day after, which is read before, has a sample that tells of it
				}
				ledgers[id].Put(s.At, s.Slot)
			}
			for _, h := range reading.Hours {
				ledgers[id].PutHour(h.Hour, h.Sum)
			}
		}
		p := work.Progress()
		bar.show(float64(p.Done) / float64(p.Of))
	}
	bar.done()
	for _, j := range set.Journeys() {
		ledgers[j.ID()] = composeJourney(j, ledgers)
	}
	return ledgers, work.Problems(), nil
}

// composeJourney derives the ledger of a journey; it is empty if one of its steps was never read.
func composeJourney(j *slo.Spec, ledgers map[slo.ID]*budget.Ledger) *budget.Ledger {
	var steps []*budget.Ledger
	for _, step := range j.SLI.Journey.Steps {
		if ledgers[step.SLO] == nil {
			return &budget.Ledger{}
		}
		steps = append(steps, ledgers[step.SLO])
	}
	return budget.ComposeAll(j.SLI.Journey, steps)
}

// replayOne runs the live decision code from the zero state. It begins with the first minute that
// has data: before a metric existed, none were missing.
func replayOne(in alerting.Input, from, to budget.Minute) replay {
	r := replay{ID: in.ID}
	begin := max(from, in.Ledger.Begin())
	if begin >= to {
		return r
	}
	r.Begun = begin.Time()
	_, events := alerting.Advance(in, alerting.State{Through: begin}, to)
	r.Incidents = alerting.Fold(nil, events)
	for _, e := range events {
		if e.Kind == alerting.Noticed {
			r.Notices = append(r.Notices, e)
		}
	}
	r.Known = in.Ledger.Sum(from, to).Coverage(to - from)
	return r
}

func (c *backtestCmd) tell(e *env, replays []replay, labels []alerting.Span, from, to budget.Minute) error {
	fmt.Fprintf(e.out, "Replayed %s to %s, %s.\n\n", figures.UTC(from.Time()), figures.UTC(to.Time()), figures.Duration(to.Time().Sub(from.Time())))
	t := newTable(e.out, "FROM", "TO", "SEVERITY", "SLO", "DETECTED AFTER", "BURNED", "COST")
	type row struct {
		at    time.Time
		cells []string
	}
	var rows []row
	for _, r := range replays {
		for _, i := range r.Incidents {
			if i.Rule == alerting.RuleNoData && !c.NoData {
				continue
			}
			rows = append(rows, row{i.Detected, cellsOf(i)})
		}
		for _, n := range r.Notices {
			if n.Rule == alerting.RuleTraffic {
				silent := figures.Duration(n.Time().Sub(n.Since.Time()))
				rows = append(rows, row{n.Time(), []string{figures.UTC(n.Time()), figures.Unknown, noTraffic, string(n.SLO), silent, figures.Unknown, figures.Unknown}})
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.at.Compare(b.at) })
	for _, r := range rows {
		t.row(r.cells...)
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(e.out)
	for _, r := range replays {
		if r.Begun.IsZero() {
			fmt.Fprintf(e.out, "%s: no data\n", r.ID)
			continue
		}
		fmt.Fprintf(e.out, "%s: %s, data known for %s of the time", r.ID, counts(r, c.NoData), figures.Known(r.Known))
		if r.Begun.After(from.Time()) {
			fmt.Fprintf(e.out, ", none before %s", figures.UTC(r.Begun))
		}
		fmt.Fprintln(e.out)
		for _, p := range r.Problems {
			fmt.Fprintln(e.out, "  ", p)
		}
	}
	if labels != nil {
		tellScore(e.out, alerting.ScoreAgainst(pagesOf(replays, to), labels))
	}
	return nil
}

// noTraffic is what a list says of the silence of the users, which opens no incident.
const noTraffic = "no traffic"

// cellsOf returns the row of an incident.
func cellsOf(i alerting.Incident) []string {
	end, what := "still open", string(i.Severity)
	if !i.Open {
		end = figures.UTC(i.Resolved)
	}
	burned := figures.Unknown
	if i.Last.Burn != nil {
		burned = figures.Duration(i.Duration())
	}
	if i.Rule == alerting.RuleNoData {
		what = "no data"
	}
	return []string{figures.UTC(i.Detected), end, what, string(i.SLO), figures.Duration(i.TimeToDetect()), burned, i.CostText()}
}

// counts says of how much a replay tells; of missing data only if that was asked for.
func counts(r replay, noData bool) string {
	n, gaps, missing := map[alerting.Severity]int{}, 0, ""
	for _, i := range r.Incidents {
		if i.Rule == alerting.RuleNoData {
			gaps++
		} else {
			n[i.Severity]++
		}
	}
	if gaps > 0 && noData {
		missing = figures.Plural(gaps, "stretch") + " without data, "
	}
	silent := 0
	for _, e := range r.Notices {
		if e.Rule == alerting.RuleTraffic {
			silent++
		}
	}
	if silent > 0 {
		missing += figures.Plural(silent, "stretch") + " without traffic, "
	}
	return figures.Plural(n[alerting.Page], "page") + ", " + figures.Plural(n[alerting.Ticket], "ticket") + ", " + missing +
		figures.Plural(len(r.Notices)-silent, "notice") + " about the budget"
}

func tellScore(out io.Writer, s alerting.Score) {
	part := func(v float64, ok bool) string {
		if !ok {
			return figures.Unknown
		}
		return figures.Known(v)
	}
	fmt.Fprintf(out, "\nAgainst %s: %s found (recall %s); %s pages were about one (precision %s).\n",
		figures.Plural(s.Incidents, "labelled incident"), figures.Count(s.Found), part(s.Recall()), figures.Of(s.True, s.Alerts), part(s.Precision()))
	if s.Found > 0 {
		fmt.Fprintf(out, "Median time from the beginning of an incident to the page %s, from its end to the end of the page %s (n = %s).\n",
			figures.Duration(alerting.Median(s.DetectedIn)), figures.Duration(alerting.Median(s.ResetIn)), figures.Count(s.Found))
	}
}

// readLabels reads the incidents that people know of; nil without a file.
func readLabels(path string, now time.Time) ([]alerting.Span, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(bufio.NewReader(f)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	spans := []alerting.Span{}
	for n, row := range rows {
		if n == 0 && len(row) > 0 && strings.EqualFold(strings.TrimSpace(row[0]), "from") {
			continue
		}
		span, err := parseSpan(row, now)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n+1, err)
		}
		spans = append(spans, span)
	}
	return spans, nil
}

func parseSpan(row []string, now time.Time) (alerting.Span, error) {
	if len(row) < 2 {
		return alerting.Span{}, errors.New("an incident is two times: from,to")
	}
	var ends [2]time.Time
	for n, text := range row[:2] {
		var err error
		if ends[n], err = readTime(text, now); err != nil {
			return alerting.Span{}, err
		}
	}
	if !ends[0].Before(ends[1]) {
		return alerting.Span{}, errors.New("from is not before to")
	}
	return alerting.Span{From: ends[0], To: ends[1]}, nil
}

// bar shows progress on a terminal, and nothing elsewhere.
type bar struct {
	out  io.Writer
	last int
}

func newBar(out io.Writer) *bar {
	if !isTerminal(out) {
		return &bar{}
	}
	return &bar{out: out, last: -1}
}

func (b *bar) show(share float64) {
	const width = 40
	n := int(share * width)
	if b.out == nil || n == b.last {
		return
	}
	b.last = n
	fmt.Fprintf(b.out, "\rreading history [%s%s] %3d %%", strings.Repeat("=", n), strings.Repeat(" ", width-n), int(100*share))
}

func (b *bar) done() {
	if b.out != nil {
		fmt.Fprint(b.out, "\r\033[K")
	}
}

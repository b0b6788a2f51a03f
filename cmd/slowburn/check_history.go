package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// historyDays is how far back an SLO is compared with what happened: four weeks, the default
// window.
const historyDays = 28

// manySeries are series of which a sample an hour would be too much: 672 samples each in four
// weeks. They are looked at every four hours. tooManySeries is what the ledger refuses to read,
// too.
const (
	manySeries    = 3000
	tooManySeries = 10_000
)

// errTooMany says that a history was not read, to spare the server.
var errTooMany = fmt.Errorf("it has more than %d series; sum them up by a recording rule first", tooManySeries)

// history returns the good and bad events of the last days, by looking at the counters now and
// then. What happened to a counter between its last look and its end is missing, so it is an
// estimate.
func (i *inspector) history(ctx context.Context, f *facts) ([]lint.Tally, *prom.Error) {
	if f.series > tooManySeries {
		return nil, &prom.Error{Kind: prom.TooLarge, Op: "history", Err: errTooMany}
	}
	total, other, isGood := f.daily()
	if total == "" {
		return i.slices(ctx, other)
	}
	all, err := i.days(ctx, total)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	some, err := i.days(ctx, other)
	if err != nil {
		return nil, err
	}
	var out []lint.Tally
	for _, p := range all {
		day := lint.Tally{End: time.UnixMilli(p.At), Total: p.Value, Bad: some.at(p.At)}
		if isGood {
			day.Bad = max(0, day.Total-day.Bad)
		}
		out = append(out, day)
	}
	return out, nil
}

// slices returns the history of what is judged minute by minute: every minute is an event, and some
// of them are looked at.
func (i *inspector) slices(ctx context.Context, bad string) (out []lint.Tally, err *prom.Error) {
	shares, err := i.days(ctx, bad)
	for _, p := range shares {
		const minutes = 24 * 60
		out = append(out, lint.Tally{End: time.UnixMilli(p.At), Total: minutes, Bad: minutes * p.Value})
	}
	return out, err
}

// dailyPoints are the values of a query at the ends of days, in order.
type dailyPoints []prom.Point

// at returns the value at a time; without any there was nothing.
func (ps dailyPoints) at(ms int64) float64 {
	for _, p := range ps {
		if p.At == ms {
			return p.Value
		}
	}
	return 0
}

func (i *inspector) days(ctx context.Context, query string) (dailyPoints, *prom.Error) {
	curves, err := i.client.Range(ctx, query, i.now.AddDate(0, 0, 1-historyDays), i.now, slo.Day)
	if err != nil || len(curves) == 0 {
		return nil, err
	}
	return curves[0].Points, nil
}

// daily returns the queries for the events of a day: all, and those that are bad or good. Of what
// is judged minute by minute it is the share of bad ones alone.
func (f *facts) daily() (total, other string, isGood bool) {
	every := "1h"
	if f.series > manySeries {
		every = "4h"
	}
	grown := func(selector string) string { return fmt.Sprintf("sum(increase(%s[1d:%s]))", selector, every) }
	counted := func(q *slo.Query) string {
		if q.Bare() {
			return grown(q.Text)
		}
		text := "sum(" + strings.ReplaceAll(strings.ReplaceAll(q.Text, "["+slo.WindowVariable+"]", "[1d:"+every+"]"), slo.WindowVariable, "1d") + ")"
		if q.Gain() == slo.PerSecond {
			text += " * 86400"
		}
		return text
	}
	switch i, c := &f.spec.SLI, f.spec.SLI.Counters(); {
	case c != nil:
		return counted(c.Total), counted(c.Part), c.Good
	case i.Histogram != nil && f.good != "":
		return grown(f.total), grown(f.good), true
	case i.Histogram != nil:
		h := grown(f.total)
		return "histogram_count(" + h + ")", fmt.Sprintf("histogram_count(%s) * histogram_fraction(-Inf, %v, %s)", h, i.Below, h), true
	}
	m := f.spec.SLI.Minutes()
	return "", fmt.Sprintf("avg_over_time((%s)[1d:%s])", m.Worst("", f.asked(m.Query)), every), false
}

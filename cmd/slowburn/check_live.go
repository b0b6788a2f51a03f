package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// What a server is asked, per SLO of two bare counters: the distance of scrapes in three small
// queries, two counts of series, the age of the newest samples, the type of each metric (once for
// all SLOs), whether it falls if nobody knows its type, and the days of four weeks, two range
// queries over subqueries with a step of at least an hour. See docs/check.md for what that costs.

// atOnce is how many SLOs are asked about at a time; the client bounds the requests.
const atOnce = 8

// inspector asks one server about SLOs.
type inspector struct {
	client *prom.Client
	now    time.Time
	most   time.Duration // samples are waited for, where an SLO says nothing else

	mu    sync.Mutex
	types map[string]lint.Type // by the text of a selector
	late  map[slo.ID]string    // how late samples come that are waited for
}

// checkLive asks the server about every SLO of the set. What it finds is a warning at the part it
// is about; a server that does not answer is an error. unread are the SLOs that could not be
// compared with their history, and why.
func (i *inspector) checkLive(ctx context.Context, set *slo.Set) (found slo.Problems, unread map[slo.ID]error, err error) {
	i.types, i.late = map[string]lint.Type{}, map[slo.ID]string{}
	problems, histories, failures := make([]slo.Problems, len(set.Specs)), make([]error, len(set.Specs)), make([]error, len(set.Specs))
	gate := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for n, spec := range set.Specs {
		all.Go(func() {
			gate <- struct{}{}
			problems[n], histories[n], failures[n] = i.inspect(ctx, spec)
			<-gate
		})
	}
	all.Wait()
	unread = map[slo.ID]error{}
	for n, spec := range set.Specs {
		if failures[n] != nil {
			return nil, nil, failures[n]
		}
		if found = append(found, problems[n]...); histories[n] != nil {
			unread[spec.ID()] = histories[n]
		}
	}
	return found, unread, nil
}

// inspect asks about one SLO. If a query of it has no data or is refused, nothing more is asked.
func (i *inspector) inspect(ctx context.Context, spec *slo.Spec) (found slo.Problems, unread, err error) {
	if len(spec.Queries()) == 0 { // a journey: its steps are asked about as SLOs of their own
		return nil, nil, nil
	}
	f := &facts{spec: spec}
	var failure *prom.Error
	if f.scrape, failure = i.client.ScrapesOf(ctx, spec, i.now); failure != nil {
		return nil, nil, failure
	}
	if found, err = i.basics(ctx, f); err != nil || len(found) > 0 {
		return found, nil, err
	}
	seen := lint.Seen{Types: map[string]lint.Type{}, Scrape: f.scrape}
	for _, q := range f.bare() {
		if _, known := seen.Types[q.Metric]; known {
			continue
		}
		if seen.Types[q.Metric], err = i.metricType(ctx, q.Text); err != nil {
			return nil, nil, err
		}
	}
	if seen.Late, seen.Most, err = i.lateness(ctx, f); err != nil {
		return nil, nil, err
	}
	seen.Said = sentences.Found(spec.ID(), seen.Late, seen.Most)
	missing, err := i.missingLabels(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	days, failure := i.history(ctx, f)
	switch {
	case failure == nil:
		seen.Days = days
	case failure.Kind == prom.Unreachable:
		return nil, nil, failure
	default:
		unread = failure
	}
	return append(missing, lint.Live(spec, seen)...), unread, nil
}

// lateness returns how late the samples of an SLO come and how long they are waited for, and notes
// what comes late and is waited for.
func (i *inspector) lateness(ctx context.Context, f *facts) (late, most time.Duration, err error) {
	most = cmp.Or(f.spec.MaxLateness, i.most)
	late, failure := i.client.LatenessOf(ctx, f.spec, f.scrape, most, i.now)
	if failure != nil {
		return 0, 0, failure
	}
	if late > 0 && late <= most {
		i.mu.Lock()
		i.late[f.spec.ID()] = sentences.Found(f.spec.ID(), late, most)
		i.mu.Unlock()
	}
	return late, most, nil
}

// facts are what basics has found out about an SLO.
type facts struct {
	spec        *slo.Spec
	scrape      time.Duration // how far apart the samples are, 0 if that is not known
	total, good string        // selectors of counters; of other kinds the total alone, or nothing
	series      float64       // how many of the largest query
}

// asked returns a query as the daemon asks it.
func (f *facts) asked(q *slo.Query) string { return prom.Asked(f.spec, q, f.scrape) }

// bare returns the queries that are bare selectors; those of a histogram are no series of their
// own.
func (f *facts) bare() (out []*slo.Query) {
	for _, q := range f.spec.Queries() {
		if q.Bare() && q != f.spec.SLI.Histogram {
			out = append(out, q)
		}
	}
	return out
}

// basics asks whether each query is answered, and with data.
func (i *inspector) basics(ctx context.Context, f *facts) (found slo.Problems, err error) {
	if f.spec.SLI.Histogram.Bare() {
		return i.histogram(ctx, f)
	}
	counters, ratio := f.spec.SLI.Counters(), f.spec.SLI.Kind == slo.Ratio
	for part, q := range f.spec.Parts() {
		text := f.asked(q)
		switch {
		case ratio:
			text = "max(" + text + ")"
		case q.Bare():
			text = "count(" + prom.Newest(q, f.scrape) + ")"
		}
		if q.Bare() && f.total == "" {
			f.total = q.Text
		}
		probe, failure := i.client.Probe(ctx, text, i.now)
		switch {
		case failure != nil && failure.Kind == prom.Refused:
			found = append(found, lint.Finding(f.spec, part, "query-refused", failure.Err.Error()+hintOf(failure), f.tryIt(q)))
		case failure != nil:
			return nil, failure
		case probe.Series == 0 && (part != "bad" || counters == nil): // a perfect service has no bad series
			found = append(found, lint.Finding(f.spec, part, "no-data", "the query returns no data", i.hintOfNothing(ctx, q, f.tryIt(q))))
		case ratio && probe.Value > 1:
			found = append(found, lint.Finding(f.spec, part, "percent-ratio", fmt.Sprintf("the query is %s now, %s", figures.Value(probe.Value), lint.RatioRange), "divide by 100 if it is a percentage"))
		case q.Bare() && !ratio:
			f.series = max(f.series, probe.Value)
		}
	}
	return found, nil
}

// histogram asks for the buckets of a latency SLO.
func (i *inspector) histogram(ctx context.Context, f *facts) (slo.Problems, error) {
	total, good, failure := i.client.Histogram(ctx, f.spec, i.now)
	h := f.spec.SLI.Histogram
	switch {
	case failure != nil && errors.Is(failure.Err, prom.ErrNoHistogram):
		return slo.Problems{lint.Finding(f.spec, "histogram", "no-data", failure.Err.Error(), i.hintOfNoHistogram(ctx, h))}, nil
	case failure != nil && failure.Kind == prom.Unusable:
		return slo.Problems{lint.Finding(f.spec, "below", "missing-bucket", failure.Err.Error(), failure.Hint+"; an interpolated bucket would only be a guess")}, nil
	case failure != nil && failure.Kind == prom.Refused:
		return slo.Problems{lint.Finding(f.spec, "histogram", "query-refused", failure.Err.Error()+hintOf(failure), f.tryIt(h))}, nil
	case failure != nil:
		return nil, failure
	}
	if f.total, f.good = total, good; total == "" {
		f.total = h.Text
	}
	probe, failure := i.client.Probe(ctx, "count("+f.total+")", i.now)
	if failure != nil {
		return nil, failure
	}
	f.series = probe.Value
	return nil, nil
}

func (f *facts) tryIt(q *slo.Query) string {
	if q.Bare() {
		return "try the query in Prometheus: " + q.Text
	}
	return "try the query in Prometheus: " + f.asked(q)
}

func hintOf(e *prom.Error) string {
	if e.Hint == "" {
		return ""
	}
	return "; " + e.Hint
}

// fallsOf is the share of the changes of counters that go down, if there are enough of them.
const fallsOf = "sum(resets(%[1]s[30m])) / (sum(changes(%[1]s[30m])) >= 10)"

// metricType returns the type of what a bare selector picks: as its targets say, or by how it moves
// if they do not.
func (i *inspector) metricType(ctx context.Context, selector string) (t lint.Type, err error) {
	i.mu.Lock()
	t, known := i.types[selector]
	i.mu.Unlock()
	if known {
		return t, nil
	}
	q, err := slo.ParseQuery(selector)
	if err != nil {
		return t, err
	}
	var failure *prom.Error
	if t.Name, failure = i.client.MetricType(ctx, q.Metric); failure != nil {
		t.Name = "" // not every compatible server keeps metadata
	}
	if t.Name == "" || t.Name == "unknown" {
		probe, failure := i.client.Probe(ctx, fmt.Sprintf(fallsOf, selector), i.now)
		if failure != nil && failure.Kind == prom.Unreachable {
			return t, failure
		}
		t.Falls = probe.Value
	}
	i.mu.Lock()
	i.types[selector] = t
	i.mu.Unlock()
	return t, nil
}

// missingLabels returns the labels of by that no series of a bare query has.
func (i *inspector) missingLabels(ctx context.Context, f *facts) (found slo.Problems, err error) {
	for n, label := range f.spec.By {
		if f.total == "" {
			break
		}
		has, failure := i.client.HasLabel(ctx, f.total, label, i.now)
		if failure != nil {
			return nil, failure
		}
		if !has {
			found = append(found, lint.Finding(f.spec, fmt.Sprintf("by.%d", n), "by-missing", fmt.Sprintf("no series of %s has the label %s%s", f.total, label, i.nearName(ctx, f.total, label)), "name a label that the counters have, or remove it"))
		}
	}
	return found, nil
}

package prom

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/slo"
)

// t0 is when the tests' worlds begin: a whole hour.
var t0 = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// m0 is the minute of t0.
var m0 = budget.MinuteOf(t0)

func query(t testing.TB, text string) *slo.Query {
	t.Helper()
	q, err := slo.ParseQuery(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// events makes an SLO that counts bad events.
func events(t testing.TB, name, total, bad string, by ...string) *slo.Spec {
	return &slo.Spec{
		Service: "svc", Name: name, By: by,
		SLI: slo.Indicator{Kind: slo.Events, Total: query(t, total), Bad: query(t, bad)},
	}
}

// tier is an SLO on one of the services of package truth.
func tier(t testing.TB, job string) *slo.Spec {
	return events(t, job, `http_requests_total{job="`+job+`"}`, `http_requests_total{job="`+job+`",code=~"5.."}`)
}

// serve starts a server over db and returns a client for it.
func serve(t testing.TB, db *promfake.DB, change ...func(*ClientOptions)) *Client {
	t.Helper()
	return clientFor(t, promtest.Serve(t, db.Handler()), change...)
}

func clientFor(t testing.TB, url string, change ...func(*ClientOptions)) *Client {
	t.Helper()
	o := ClientOptions{URL: url, Timeout: 20 * time.Second}
	for _, f := range change {
		f(&o)
	}
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

// book is a ledger as a test keeps it: the last word about every minute of every budget.
type book map[slo.ID]map[budget.Minute]budget.Slot

func (b book) take(batch *Batch) {
	for id, r := range batch.Readings {
		if b[id] == nil {
			b[id] = map[budget.Minute]budget.Slot{}
		}
		for _, s := range r.Slots {
			b[id][s.At] = s.Slot
		}
		for _, l := range r.Late {
			s := b[id][l.At]
			total := s.Total + l.Total
			b[id][l.At] = budget.Count(min(max(s.Bad+l.Bad, 0), total), total)
		}
	}
}

func (b book) sum(id slo.ID) (bad, total int64) {
	for _, s := range b[id] {
		bad, total = bad+s.Bad, total+s.Total
	}
	return bad, total
}

// read reads, takes what was read and commits it.
func (b book) read(r *Reader, specs []*slo.Spec, now time.Time) *Batch {
	batch := r.Read(context.Background(), specs, now)
	b.take(batch)
	r.Commit(batch)
	return batch
}

// must is read without a failure.
func (b book) must(t testing.TB, r *Reader, specs []*slo.Spec, now time.Time) *Batch {
	t.Helper()
	batch := b.read(r, specs, now)
	for _, f := range batch.Failures {
		t.Fatalf("reading at %s: %s: %v", now, f.Bundle, f.Err)
	}
	return batch
}

// all fails unless each minute of a budget, from the first to the last, is right.
func (b book) all(t testing.TB, id slo.ID, first, last budget.Minute, right func(budget.Slot) bool) {
	t.Helper()
	for m := first; m <= last; m++ {
		if s := b[id][m]; !right(s) {
			t.Errorf("minute %d of %s is %+v", m-m0, id, s)
		}
	}
}

// tick reads when the samples of a minute are in, and fails the test on any failure.
func tick(t testing.TB, r *Reader, specs []*slo.Spec, to budget.Minute, into book) *Batch {
	t.Helper()
	return into.must(t, r, specs, after(to))
}

// after is when the samples of a minute are in.
func after(m budget.Minute) time.Time { return m.End().Add(31 * time.Second) }

// restart is a reader that knows only the marks of another.
func restart(r *Reader, c *Client) *Reader {
	n := New(c, r.opts)
	n.Restore(maps.Clone(r.marks))
	return n
}

func lset(name string, pairs ...string) labels.Labels {
	return labels.FromStrings(append([]string{"__name__", name}, pairs...)...)
}

func at(seconds float64) int64 { return t0.UnixMilli() + int64(seconds*1000) }

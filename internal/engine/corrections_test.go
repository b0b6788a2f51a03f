package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// maintain reloads with a planned maintenance over [from, to), in minutes since t0; without
// minutes, with none.
func (w *world) maintain(minutes ...int) {
	w.t.Helper()
	set := slo.NewSet(w.set.Specs, nil, nil)
	for i := 0; i < len(minutes); i += 2 {
		at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
		set.Corrections = append(set.Corrections, &slo.Correction{
			Name: "upgrade", Kind: slo.Maintenance, SLOs: []string{"shop/*"}, Cap: file.DefaultCap, Author: "anna", Reason: "a new database",
			Spans: []slo.Span{{From: at(minutes[i]), To: at(minutes[i+1])}},
		})
	}
	if err := w.engine.Reload(context.Background(), engine.Terms{Set: set}, w.now()); err != nil {
		w.t.Fatal(err)
	}
	w.set = set
}

func (w *world) status() budget.Status {
	w.t.Helper()
	b, ok := w.engine.Snapshot().Budget("shop/availability")
	if !ok {
		w.t.Fatal("there is no budget")
	}
	return b.Windows[0]
}

// A planned maintenance holds the page, and leaves its minutes out of the budget while gross stays
// visible; over a restart, too. Taken out of the files, the minutes count again.
func TestAPlannedMaintenance(t *testing.T) {
	w := oneService(t, outage(50, [2]int{10, 40}))
	w.steps(5)
	w.maintain(8, 45)
	w.steps(40)
	w.restart()
	w.steps(15)
	if is := w.incidents(); len(is) > 0 {
		t.Errorf("incidents: %+v", is)
	}
	s := w.status()
	if s.Sum.Bad != 0 || s.Sum.Excused != 37 || s.Gross == nil || s.Gross.Sum.Bad != 30*100*budget.Unit {
		t.Errorf("net %+v, gross %+v", s.Sum, s.Gross)
	}
	points, _ := w.engine.Snapshot().History("shop/availability", t0, t0.Add(time.Hour), time.Hour)
	if len(points) != 1 || points[0].Sum.Bad != 0 || points[0].Gross.Bad != s.Gross.Sum.Bad {
		t.Errorf("history: %+v", points)
	}
	w.maintain()
	if s := w.status(); s.Gross != nil || s.Sum.Bad != 30*100*budget.Unit {
		t.Errorf("without the correction: %+v", s)
	}
}

// What is excused after the fact leaves the budget; the incident that was told stays told, and ends
// on good minutes.
func TestACorrectionAfterTheFact(t *testing.T) {
	w := during(t)
	w.maintain(10, 17)
	w.steps(40)
	is := w.burns()
	if len(is) != 1 || is[0].Open || is[0].Bad() == 0 {
		t.Errorf("incidents: %+v", is)
	}
	if s := w.status(); s.Sum.Bad != 23*100*budget.Unit || s.Gross.Sum.Bad != 30*100*budget.Unit {
		t.Errorf("net %+v, gross %+v", s.Sum, s.Gross)
	}
}

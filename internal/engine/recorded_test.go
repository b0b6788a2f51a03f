package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/register"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestAnIncidentThatIsOverTakesWhatComesLate: of two targets that fail for ten minutes, the samples
// of one are stuck until the incident of the other is long over. Its record, its page, its message,
// the report, the register and the draft then have what the ledger has, over a restart too. A disk
// that is full in between loses nothing of it.
func TestAnIncidentThatIsOverTakesWhatComesLate(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprint("full disk ", full), func(t *testing.T) {
			t.Parallel()
			testRecordTakesWhatComesLate(t, full)
		})
	}
}

func testRecordTakesWhatComesLate(t *testing.T, full bool) {
	const half, whole = 600 * budget.Unit, 1200 * budget.Unit
	minute := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	f := &flow{rng: rand.New(rand.NewPCG(1, 1)), every: 30 * time.Second, scraped: t0.Add(-90 * time.Minute)}
	f.outages = [][2]time.Time{{minute(35), minute(45)}}
	for n := range 2 {
		f.targets = append(f.targets, &flowing{
			instance: fmt.Sprint(n), sums: map[string]float64{"200": 1e6, "500": 100}, phase: time.Duration(n+1) * 7 * time.Second,
			missing: func(time.Time) bool { return false },
			late: func(at time.Time) time.Duration {
				if n == 0 || at.Before(minute(30)) || !at.Before(minute(80)) {
					return 0
				}
				return minute(80).Sub(at)
			},
		})
	}
	w := newWorld(t, []*slo.Spec{promise("shop")})
	live := func(minutes int) {
		for range minutes {
			w.pass(time.Minute)
			f.fill(w)
			w.engine.Tick(t.Context(), w.daemonNow())
			w.deliver()
		}
	}
	f.fill(w)
	if full {
		w.point = func(name string) error {
			if at := w.now(); name == "store commit.incidents" && at.After(minute(40)) && at.Before(minute(95)) {
				return errors.New("no space")
			}
			return nil
		}
	}
	live(75)
	if !full {
		if all := w.burns(); len(all) != 1 || all[0].Open || all[0].Bad() != half || all[0].Late {
			t.Fatalf("before the rest comes: %+v", all)
		}
	}
	live(30)
	w.restart()
	live(5)

	all := w.burns()
	if len(all) != 1 || all[0].Open {
		t.Fatalf("%d incidents, the first %+v", len(all), all)
	}
	i := all[0]
	if newest := i.Log[len(i.Log)-1]; i.Bad() != whole || i.Told() != half || !i.Late || newest.Kind != alerting.Recounted || i.Last.Kind != alerting.Resolved {
		t.Errorf("recorded are %d bad events of %d told, late %v, at last %s", i.Bad(), i.Told(), i.Late, newest.Kind)
	}
	w.engine.Snapshot().WithLedger(i.SLO, func(spec *slo.Spec, l *budget.Ledger) {
		_, shares := alerting.Attribution(l, all)
		own, rest := shares.In(l.First(), l.End())
		if sum := l.Sum(i.Last.Burn.Onset, i.Last.At+1); sum.Bad != whole || sum.Total != i.Last.Burn.Total || own[0] != whole || rest != 0 {
			t.Errorf("the ledger has %+v, of which %d are the incident's, and %d nobody's", sum, own[0], rest)
		}
		if want := alerting.AccountOf(budget.StatusAt(l, spec.Objective, spec.Window(), i.Last.At+1)); i.Last.Budget != want {
			t.Errorf("the budget at its end is %+v, want %+v", i.Last.Budget, want)
		}
		if e := register.New([]register.Subject{{Incident: i, Spec: spec, Ledger: l}})[0]; e.Bad != whole || e.Total != i.Last.Burn.Total {
			t.Errorf("the register has %d of %d", e.Bad, e.Total)
		}
		v := postmortem.Judge(i, spec.Objective, l, limitBetween(half, whole, l, spec, i))
		if v.Bad != whole || !v.Required || v.Reason != postmortem.CrossedLate {
			t.Errorf("the verdict is %+v", v)
		}
	})
	kept, _, err := w.engine.MakeReport(context.Background(), "weekly", report.PeriodOf(slo.Week, t0), w.now())
	var out reported
	if err != nil || json.Unmarshal(kept.Data, &out) != nil || len(out.Incidents) != 1 || out.Incidents[0].Bad*budget.Unit != whole || out.Burners[0].Unattributed != 0 {
		t.Errorf("the report says %+v, %v", out, err)
	}
	if page := w.page("/incidents/" + i.ID); !strings.Contains(page, "1,200") {
		t.Errorf("the page does not say it")
	}
	if roots := w.roots(); len(roots) != 1 || !strings.Contains(roots[0], "("+i.Last.Budget.CostOf(whole)+" of the budget)") {
		t.Errorf("the channel reads %q", roots)
	}
}

// limitBetween is a share of four weeks, in basis points, above which only the second number of bad
// events requires a postmortem.
func limitBetween(a, b int64, l *budget.Ledger, spec *slo.Spec, i alerting.Incident) int64 {
	return (a + b) / 2 * 10_000 / postmortem.Judge(i, spec.Objective, l, 0).Budget.Allowed
}

package engine_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestHistoryOverFailures: the history is read over disk errors, kills and restarts, and nothing of
// it is missing.
func TestHistoryOverFailures(t *testing.T) {
	for name, wrong := range map[string]func(w *world) error{
		"the disk fails": func(*world) error { return syscall.EIO },
		"killed":         func(w *world) error { w.kill(); return errDead },
		"the disk fails, then killed": func(w *world) error {
			w.point = func(string) error { w.point = nil; w.kill(); return errDead }
			return syscall.EIO
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 0; n < 40; n += 3 {
				if sampled(n, 6) {
					continue
				}
				w := newWorldAt(t, t0, nil, specsOf(promise("shop")), &service{name: "shop", load: outage(50, [2]int{-45, -40})})
				w.steps(2)
				reached := 0
				w.point = func(string) error {
					if reached++; reached-1 == n {
						return wrong(w)
					}
					return nil
				}
				for range 3 {
					_ = w.engine.FillAll(t.Context(), w.now())
					if w.dead {
						w.revive()
					}
					w.step()
					if w.dead {
						w.revive()
					}
				}
				w.point = nil
				w.restart()
				if err := w.engine.FillAll(t.Context(), w.now()); err != nil {
					t.Fatal(err)
				}
				w.restart()
				w.steps(2)
				w.checkHistory(n)
			}
		})
	}
}

// checkHistory compares the hour before t0 with the truth.
func (w *world) checkHistory(n int) {
	w.t.Helper()
	s := w.services[0]
	w.engine.Snapshot().WithLedger("shop/availability", func(_ *slo.Spec, l *budget.Ledger) {
		if first := firstSeen(l); first > budget.MinuteOf(t0.Add(-time.Hour)) {
			w.t.Errorf("trouble at step %d: the history begins at %s", n, first.Time())
		}
		for m := budget.MinuteOf(t0.Add(-time.Hour)); m < l.End(); m++ {
			if got := l.At(m); got.Bad != s.truth[m].Bad || got.Total != s.truth[m].Total {
				w.t.Errorf("trouble at step %d: %s holds %+v, truth %+v", n, m.Time(), got, s.truth[m])
			}
		}
	})
	if is := w.incidents(); len(is) != 0 {
		w.t.Errorf("what lies in the past is no news: %+v", is)
	}
}

// TestHistoryWaitsForTheDisk: while nothing can be written, no more history is read, which would
// pile up in memory.
func TestHistoryWaitsForTheDisk(t *testing.T) {
	w := oneService(t, steady(50))
	w.steps(2)
	w.point = func(string) error { return syscall.ENOSPC }
	if err := w.engine.FillAll(t.Context(), w.now()); err == nil {
		t.Error("nothing was wrong")
	}
	before := w.db.Stats().Queries
	for range 5 {
		_ = w.engine.FillAll(t.Context(), w.now())
	}
	if asked := w.db.Stats().Queries - before; asked > 0 {
		t.Errorf("Prometheus was asked %d more times", asked)
	}
	w.point = nil
	w.step()
	if err := w.engine.FillAll(t.Context(), w.now()); err != nil {
		t.Error(err)
	}
	w.checkHistory(0)
}

// TestWhatIsWrongInHistoryIsShown: what was judged while history is read is told where the SLO is
// shown, counted over all of it: the hours and the minutes.
func TestWhatIsWrongInHistoryIsShown(t *testing.T) {
	w := oneService(t, steady(50))
	for _, hours := range []int{40, 2} { // by the hour, and by the minute
		begin := t0.Add(-time.Duration(hours) * time.Hour)
		for i := range 180 {
			pairs := []string{"__name__", "requests_total", "job", "shop", "instance", "2", "code", "200"}
			if i >= 90 {
				pairs = append(pairs, "cluster", "eu")
			}
			s := w.db.Series(labels.FromStrings(pairs...))
			if err := s.Append(begin.Add(time.Duration(i)*30*time.Second).UnixMilli(), float64(100*i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.steps(2)
	if err := w.engine.FillAll(t.Context(), w.now()); err != nil {
		t.Fatal(err)
	}
	w.step()
	b, _ := w.engine.Snapshot().Budget("shop/availability")
	shown := strings.Join(b.Problems, "\n")
	if want := "in the history that was read: 2 series went on under another name; they count as the same: " + `requests_total{cluster="eu"`; !strings.Contains(shown, want) {
		t.Errorf("shown is %q, want %q", shown, want)
	}
}

package prom

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestExpressionsWaitForWhatIsLate: the samples of all targets, or of one of four that alone fails,
// come some minutes late. After a while a minute of an expression over them is evaluated when they
// are there, and what was evaluated before is put right; an SLO that must not wait so long does
// not.
func TestExpressionsWaitForWhatIsLate(t *testing.T) {
	for _, tc := range []struct {
		late   time.Duration
		failed int // targets that are late
		most   time.Duration
	}{{0, 4, 0}, {3 * time.Minute, 4, 0}, {3 * time.Minute, 1, 0}, {10 * time.Minute, 4, 0}, {10 * time.Minute, 1, 0}, {10 * time.Minute, 1, 2 * time.Minute}} {
		t.Run(fmt.Sprintf("%d of four %v late, at most %v", tc.failed, tc.late, tc.most), func(t *testing.T) {
			t.Parallel()
			var now time.Time
			db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
			spec := events(t, "x", `sum(rate(a_total[$window]))`, `sum(rate(a_total{code="500"}[$window]))`)
			spec.MaxLateness = tc.most
			filled := [4]time.Time{t0.Add(-time.Hour), t0.Add(-time.Hour), t0.Add(-time.Hour), t0.Add(-time.Hour)}
			arrive := func() {
				for i := range filled {
					late := time.Duration(0)
					if i < tc.failed {
						late = tc.late
					}
					for ; !filled[i].Add(late).After(now); filled[i] = filled[i].Add(15 * time.Second) {
						for _, code := range []string{"200", "500"} {
							ls := lset("a_total", "instance", fmt.Sprint(i), "job", "x", "code", code)
							if err := db.Append(ls, filled[i].UnixMilli(), filled[i].Sub(t0).Seconds()+1e6); err != nil {
								t.Fatal(err)
							}
						}
					}
				}
			}
			now = t0
			arrive()
			r, got, first := New(serve(t, db), Options{}), map[budget.Minute]budget.Slot{}, map[budget.Minute]time.Time{}
			for now.Before(t0.Add(70 * time.Minute)) {
				arrive()
				b := r.Read(t.Context(), []*slo.Spec{spec}, now)
				for _, f := range b.Failures {
					t.Fatal(f.Err)
				}
				for _, s := range b.Readings[spec.ID()].Slots {
					if got[s.At] = s.Slot; first[s.At].IsZero() {
						first[s.At] = now
					}
				}
				r.Commit(b)
				if wait := b.Waits[spec.ID()].Late; now.Sub(t0) > 40*time.Minute && tc.most == 0 && tc.late > time.Minute && (wait < tc.late-time.Minute || wait > tc.late+3*time.Minute) {
					t.Fatalf("%s: said to be %v late", now.Format("15:04:05"), wait)
				}
				now = later(b.Next, now.Add(5*time.Second))
			}
			most := tc.late + 3*time.Minute
			if tc.most > 0 {
				most = tc.most + time.Minute
			}
			for m := m0 + 3; m.End().Before(t0.Add(54 * time.Minute)); m++ {
				if s := got[m]; s.Total < 479*budget.Unit || s.Total > 481*budget.Unit || s.Bad < 239*budget.Unit || s.Bad > 241*budget.Unit {
					t.Errorf("minute %d is %+v in the end", m-m0, s)
				}
				if after := first[m].Sub(m.End()); m > m0+30 && after > most {
					t.Errorf("minute %d is evaluated %v after its end", m-m0, after)
				}
			}
		})
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stalled is a counter and a gauge of which nothing is written for some minutes. What is missing
// then comes in its order, so fast; 0 is at once.
type stalled struct {
	t          testing.TB
	db         *promfake.DB
	scrape     time.Duration
	begin, end time.Time
	fast       float64
	done       time.Time // up to here is written
	phase      time.Duration
}

// write writes what is there at a time.
func (w *stalled) write(now time.Time) {
	upto := now
	switch {
	case now.After(w.begin) && now.Before(w.end):
		upto = w.begin
	case now.After(w.begin) && w.fast > 0:
		upto = w.begin.Add(time.Duration(w.fast * float64(now.Sub(w.end))))
	}
	for ; !w.done.Add(w.phase).After(minTime(upto, now)); w.done = w.done.Add(w.scrape) {
		at := w.done.Add(w.phase)
		n := at.Sub(t0).Seconds()
		for i, code := range []string{"200", "500"} {
			must(w.t, w.db.Append(lset("a_total", "instance", "1", "job", "x", "code", code), at.UnixMilli(), 1e6+n*float64(100-90*i)))
		}
		must(w.t, w.db.Append(lset("a_seconds", "instance", "1", "job", "x"), at.UnixMilli(), 1+math.Sin(n/100)))
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// TestExpressionsAfterAStall: nothing is written for five minutes, and then all of it, at once or
// bit by bit. In the end every minute of an expression is what the server says of it now, also if
// the reader was begun anew meanwhile.
func TestExpressionsAfterAStall(t *testing.T) {
	specs := []*slo.Spec{
		events(t, "rate", `sum(rate(a_total[$window]))`, `sum(rate(a_total{code="500"}[$window]))`),
		events(t, "five", `sum(increase(a_total[5m]))`, `sum(increase(a_total{code="500"}[5m]))`),
		{Service: "svc", Name: "good", SLI: slo.Indicator{Kind: slo.Events, Total: query(t, `sum(rate(a_total[$window]))`), Good: query(t, `sum(rate(a_total{code="200"}[$window]))`)}},
		{Service: "svc", Name: "slices", SLI: slo.Indicator{Kind: slo.Slices, Slice: query(t, `max(a_seconds)`), GoodWhen: slo.Condition{Op: "<=", Value: 1.5}}},
	}
	for n := range 12 {
		if sampled(n, 5) {
			continue
		}
		scrape := []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second}[n%3]
		begin := t0.Add(30*time.Minute + time.Duration(n)*34*time.Second)
		fast := []float64{0, 3, 20}[n/3%3]
		t.Run(fmt.Sprintf("%v scrapes, from %s on, then %g times as fast", scrape, begin.Format("15:04:05"), fast), func(t *testing.T) {
			t.Parallel()
			var now time.Time
			db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
			w := &stalled{t: t, db: db, scrape: scrape, begin: begin, end: begin.Add(5 * time.Minute), fast: fast, done: t0.Add(-time.Hour), phase: 3 * time.Second}
			c := serve(t, db)
			r, got := New(c, Options{}), book{}
			for now = t0; now.Before(t0.Add(70 * time.Minute)); {
				w.write(now)
				b := got.must(t, r, specs, now)
				if n%2 == 1 && now.Sub(w.begin) > 3*time.Minute && now.Sub(w.begin) < 4*time.Minute {
					r = restart(r, c)
				}
				now = later(b.Next, now.Add(5*time.Second))
			}
			for _, s := range specs {
				p := exprPace{scrape: scrape}
				said, err := r.eval.evaluateSlots(t.Context(), s, &p, m0+10, m0+60)
				if err != nil {
					t.Fatal(err)
				}
				for m := m0 + 10; m <= m0+60; m++ {
					if is, want := got[s.ID()][m], said[s.ID()].slots[m]; is != want {
						t.Errorf("%s: minute %d is %+v, and the server says %+v", s.Name, m-m0, is, want)
					}
				}
			}
		})
	}
}

// TestExpressionsCostWhatTheirAnswersCost: that late samples are looked for costs no query of its
// own, and that slower targets are looked for one in five minutes.
func TestExpressionsCostWhatTheirAnswersCost(t *testing.T) {
	const minutes, formulas = 120, 2
	var now time.Time
	db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
	w := &stalled{t: t, db: db, scrape: 15 * time.Second, begin: t0.Add(24 * time.Hour), done: t0.Add(-time.Hour)}
	specs := []*slo.Spec{events(t, "rate", `sum(rate(a_total[$window]))`, `sum(rate(a_total{code="500"}[$window]))`)}
	c := serve(t, db)
	r, before := New(c, Options{}), int64(0)
	for now = t0.Add(7 * time.Second); now.Before(t0.Add((10 + minutes) * time.Minute)); {
		w.write(now)
		b := r.Read(t.Context(), specs, now)
		r.Commit(b)
		if before == 0 && now.After(t0.Add(10*time.Minute)) {
			before = c.Usage().Queries
		}
		now = later(b.Next, now.Add(5*time.Second))
	}
	if n := c.Usage().Queries - before; n > minutes*formulas+minutes/lookEvery {
		t.Errorf("%d queries in %d minutes", n, minutes)
	}
}

// TestExpressionsThatAreDearToAskAgain: a server answers of a large expression a few minutes only.
// New ones are asked for without the older ones then.
func TestExpressionsThatAreDearToAskAgain(t *testing.T) {
	var now time.Time
	db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
	db.Faults.Add(promfake.Fault{When: promfake.OnPath("/query_range"), Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		start, _ := strconv.ParseFloat(r.FormValue("start"), 64)
		if end, _ := strconv.ParseFloat(r.FormValue("end"), 64); end-start > 240 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`)
			return
		}
		next.ServeHTTP(w, r)
	}})
	w := &stalled{t: t, db: db, scrape: 15 * time.Second, begin: t0.Add(24 * time.Hour), done: t0.Add(-time.Hour)}
	specs := []*slo.Spec{events(t, "rate", `sum(rate(a_total[$window]))`, `sum(rate(a_total{code="500"}[$window]))`)}
	r, got, failed := New(serve(t, db), Options{}), book{}, 0
	for now = t0.Add(7 * time.Second); now.Before(t0.Add(2 * time.Hour)); {
		w.write(now)
		b := got.read(r, specs, now)
		for _, f := range b.Failures {
			if f.task != "" {
				failed++
			}
		}
		now = later(b.Next, now.Add(5*time.Second))
	}
	if failed == 0 || failed > 6 {
		t.Errorf("%d questions in two hours failed", failed)
	}
	got.all(t, specs[0].ID(), m0+3, m0+117, func(s budget.Slot) bool { return s.Total >= 6599*budget.Unit && s.Total <= 6601*budget.Unit })
}

// TestExpressionsLaterThanTheyAreWaitedFor: all samples come later than anything is waited for.
// Minutes are unknown meanwhile, and known when the samples are there: never anything else for
// longer than a few minutes, and in the end each is what the server says.
func TestExpressionsLaterThanTheyAreWaitedFor(t *testing.T) {
	specs := []*slo.Spec{
		events(t, "rate", `sum(rate(a_total[$window]))`, `sum(rate(a_total{code="500"}[$window]))`),
		events(t, "five", `sum(increase(a_total[5m]))`, `sum(increase(a_total{code="500"}[5m]))`),
		{Service: "svc", Name: "slices", SLI: slo.Indicator{Kind: slo.Slices, Slice: query(t, `max(a_seconds)`), GoodWhen: slo.Condition{Op: "<=", Value: 1.5}}},
	}
	for _, late := range []time.Duration{20 * time.Minute, 40 * time.Minute} {
		t.Run(late.String(), func(t *testing.T) {
			t.Parallel()
			var now time.Time
			db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
			w := &stalled{t: t, db: db, scrape: 15 * time.Second, begin: t0.Add(24 * time.Hour), done: t0.Add(-2 * time.Hour), phase: 3 * time.Second}
			c := serve(t, db)
			r, got := New(c, Options{}), book{}
			for now = t0; now.Before(t0.Add(3 * time.Hour)); {
				w.write(now.Add(-late))
				b := got.must(t, r, specs, now)
				for id, slots := range got {
					for m, s := range slots {
						if s.State.Known() && now.Sub(m.End()) < late-6*time.Minute {
							t.Fatalf("%s: at %s minute %d is %+v", id, now.Format("15:04:05"), m-m0, s)
						}
					}
				}
				now = later(b.Next, now.Add(5*time.Second))
			}
			for _, s := range specs {
				said, err := r.eval.evaluateSlots(t.Context(), s, &exprPace{scrape: w.scrape}, m0+5, m0+120)
				if err != nil {
					t.Fatal(err)
				}
				for m := m0 + 5; m <= m0+120; m++ {
					if is, want := got[s.ID()][m], said[s.ID()].slots[m]; is != want {
						t.Errorf("%s: minute %d is %+v, and the server says %+v", s.Name, m-m0, is, want)
					}
				}
			}
		})
	}
}

// TestExpressionsFindWhatIsAlwaysTooLate: the samples of one of four targets come later than they
// are waited for. Nobody waits for them; minutes get what is missing when it is there; and the SLO
// says how late they are, also after a restart.
func TestExpressionsFindWhatIsAlwaysTooLate(t *testing.T) {
	for _, tc := range []struct {
		late, most time.Duration
	}{{17 * time.Minute, 0}, {20 * time.Minute, 0}, {40 * time.Minute, 0}, {60 * time.Minute, 0}, {20 * time.Minute, 2 * time.Minute}, {6 * time.Minute, 2 * time.Minute}} {
		t.Run(fmt.Sprintf("%v, waited for %v", tc.late, tc.most), func(t *testing.T) {
			t.Parallel()
			var now time.Time
			db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
			spec := events(t, "x", `sum(rate(a_total[$window]))`, `sum(rate(a_total{code="500"}[$window]))`)
			spec.MaxLateness = tc.most
			w := &writers{t: t, db: db, late: [4]time.Duration{tc.late}}
			c := serve(t, db)
			r, got, first := New(c, Options{}), book{}, map[budget.Minute]time.Time{}
			most := cmp.Or(tc.most, DefaultMaxLateness)
			for now = t0; now.Before(t0.Add(5 * time.Hour)); {
				w.write(now)
				b := r.Read(t.Context(), []*slo.Spec{spec}, now)
				for _, f := range b.Failures {
					t.Fatal(f.Err)
				}
				for _, s := range b.Readings[spec.ID()].Slots {
					if first[s.At].IsZero() {
						first[s.At] = now
					}
				}
				got.take(b)
				r.Commit(b)
				if now.Sub(t0) > 3*time.Hour {
					wait := b.Waits[spec.ID()]
					if wait.Most != most || wait.Late < tc.late-time.Minute || wait.Late > tc.late+2*time.Minute || b.Stats.TooLate != 1 {
						t.Fatalf("%s: said to be %+v", now.Format("15:04:05"), wait)
					}
				}
				if now.Sub(t0) > 4*time.Hour && now.Sub(t0) < 4*time.Hour+30*time.Second {
					r = restart(r, c)
				}
				now = later(b.Next, now.Add(5*time.Second))
			}
			for m := m0 + 3; m.End().Before(now.Add(-tc.late - 7*time.Minute)); m++ {
				if s := got[spec.ID()][m]; s.Total < 479*budget.Unit || s.Total > 481*budget.Unit || s.Bad < 239*budget.Unit || s.Bad > 241*budget.Unit {
					t.Errorf("minute %d is %+v in the end", m-m0, s)
				}
				if after := first[m].Sub(m.End()); m > m0+180 && after > 2*time.Minute {
					t.Errorf("minute %d is evaluated %v after its end", m-m0, after)
				}
			}
		})
	}
}

// writers writes counters of four targets that grow by two a second, each so late, or not at all
// for some time.
type writers struct {
	t          testing.TB
	db         *promfake.DB
	late       [4]time.Duration
	stuck      int       // of how many nothing is written
	begin, end time.Time // meanwhile
	fast       float64   // how fast it comes then; 0 is at once
	done       [4]time.Time
}

// write writes what is there at a time.
func (w *writers) write(now time.Time) {
	for i := range w.done {
		upto := now.Add(-w.late[i])
		switch {
		case i >= w.stuck || !now.After(w.begin):
		case now.Before(w.end):
			upto = w.begin
		case w.fast > 0:
			upto = minTime(upto, w.begin.Add(time.Duration((w.fast-float64(i)/2)*float64(now.Sub(w.end)))))
		}
		for w.done[i] = later(w.done[i], t0.Add(-90*time.Minute)); !w.done[i].After(upto); w.done[i] = w.done[i].Add(15 * time.Second) {
			for _, code := range []string{"200", "500"} {
				must(w.t, w.db.Append(lset("a_total", "instance", fmt.Sprint(i), "job", "x", "code", code), w.done[i].UnixMilli(), w.done[i].Sub(t0).Seconds()+1e6))
			}
		}
	}
}

// TestExpressionsAfterALongStall: nothing is written for longer than anything is waited for, of all
// targets or of some. When what is missing has come, every minute is what the server says of it,
// soon; and what is new is evaluated soon again.
func TestExpressionsAfterALongStall(t *testing.T) {
	const soon = 6 * time.Minute
	for n, tc := range []struct {
		stuck int
		long  time.Duration
		fast  float64
	}{
		{4, 23 * time.Minute, 0},
		{4, 23 * time.Minute, 10},
		{4, 70 * time.Minute, 20},
		{4, 200 * time.Minute, 50},
		{2, 23 * time.Minute, 10},
		{2, 70 * time.Minute, 20},
		{2, 200 * time.Minute, 0},
		{2, 200 * time.Minute, 50},
		{1, 10 * time.Minute, 0},
		{2, 40 * time.Minute, 10},
		{4, 23 * time.Minute, -1}, // at once, and a minute late as always
	} {
		t.Run(fmt.Sprintf("%d of 4 for %v, then %g times as fast", tc.stuck, tc.long, tc.fast), func(t *testing.T) {
			t.Parallel()
			var now time.Time
			db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
			specs := []*slo.Spec{
				events(t, "rate", `sum(rate(a_total[$window]))`, `sum(rate(a_total{code="500"}[$window]))`),
				{Service: "svc", Name: "good", SLI: slo.Indicator{Kind: slo.Events, Total: query(t, `sum(rate(a_total[$window]))`), Good: query(t, `sum(rate(a_total{code="200"}[$window]))`)}},
			}
			w := &writers{t: t, db: db, stuck: tc.stuck, begin: t0.Add(31*time.Minute + 17*time.Second), fast: tc.fast}
			w.end = w.begin.Add(tc.long)
			newest := budget.Minute(2)
			if tc.fast < 0 {
				w.late, newest = [4]time.Duration{time.Minute, time.Minute, time.Minute, time.Minute}, 4
			}
			drained := w.end
			if tc.fast > 0 { // the slowest
				drained = drained.Add(time.Duration(float64(tc.long) / (tc.fast - float64(tc.stuck-1)/2 - 1)))
			}
			c := serve(t, db)
			r, got := New(c, Options{}), book{}
			check := func(when string, to budget.Minute) {
				for _, s := range specs {
					said, err := r.eval.evaluateSlots(t.Context(), s, &exprPace{scrape: 15 * time.Second}, m0+10, to)
					if err != nil {
						t.Fatal(err)
					}
					wrong := 0
					for m := m0 + 10; m <= to; m++ {
						if is, want := got[s.ID()][m], said[s.ID()].slots[m]; is != want {
							if wrong++; wrong < 3 {
								t.Errorf("%s: %s: minute %d is %+v, and the server says %+v", s.Name, when, m-m0, is, want)
							}
						}
					}
					if wrong > 0 {
						t.Errorf("%s: %s: %d minutes are wrong", s.Name, when, wrong)
					}
				}
			}
			for now = t0; now.Before(drained.Add(30 * time.Minute)); {
				w.write(now)
				b := r.Read(t.Context(), specs, now)
				for _, f := range b.Failures {
					t.Fatal(f.Err)
				}
				got.take(b)
				r.Commit(b)
				if n%2 == 1 && now.Sub(w.end).Abs() < 30*time.Second {
					r = restart(r, c)
				}
				next := later(b.Next, now.Add(5*time.Second))
				if now.Before(drained.Add(soon)) && !next.Before(drained.Add(soon)) {
					check("soon", budget.MinuteOf(w.end))
					if tc.stuck == 4 && n%2 == 0 { // begun anew, it does not know that all of it stood
						check("soon", budget.MinuteOf(now)-newest)
					}
				}
				now = next
			}
			check("in the end", budget.MinuteOf(now)-20)
		})
	}
}

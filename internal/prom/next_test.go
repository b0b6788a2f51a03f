package prom

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestOnlyWhatCanBeCompleteIsAskedFor: two metrics, one of which comes three minutes late. Each is
// asked for at about the time at which its next minute is in, and not in between; what is too early
// is quiet; every sample is read about once.
func TestOnlyWhatCanBeCompleteIsAskedFor(t *testing.T) {
	var now time.Time
	db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
	specs := []*slo.Spec{events(t, "early", `a_total`, `a_total{code="500"}`), events(t, "late", `b_total`, `b_total{code="500"}`)}
	filled := [2]time.Time{t0.Add(-30 * time.Minute), t0.Add(-30 * time.Minute)}
	arrive := func() {
		for i, name := range []string{"a_total", "b_total"} {
			for late := time.Duration(i) * 3 * time.Minute; !filled[i].Add(late).After(now); filled[i] = filled[i].Add(15 * time.Second) {
				for _, code := range []string{"200", "500"} {
					ls := lset(name, "instance", "1", "job", "x", "code", code)
					if err := db.Append(ls, filled[i].UnixMilli(), float64(filled[i].Unix()-t0.Unix()+1e6)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	now = t0
	arrive()
	r, reads, decided := New(serve(t, db), Options{}), map[slo.ID]int{}, map[slo.ID]budget.Minute{}
	var queries, samples int64
	for ; now.Before(t0.Add(40 * time.Minute)); now = now.Add(5 * time.Second) {
		arrive()
		before := db.Stats()
		b := r.Read(t.Context(), specs, now)
		for _, f := range b.Failures {
			t.Fatal(f.Err)
		}
		if b.Quiet() && len(b.Readings) == 0 && b.Stats.Queries > 0 {
			t.Errorf("%d queries for nothing", b.Stats.Queries)
		}
		if now.Sub(t0) > 15*time.Minute {
			queries, samples = queries+b.Stats.Queries, samples+db.Stats().Sub(before).SamplesRead
		}
		for id, reading := range b.Readings {
			reads[id]++
			for _, s := range reading.Slots {
				decided[id] = s.At
				if late := map[slo.ID]time.Duration{"svc/late": 3 * time.Minute}[id]; now.Sub(t0) > 15*time.Minute && now.Sub(s.At.End()) > late+20*time.Second {
					t.Errorf("%s: %s is decided at %s", id, s.At.End().Format("15:04:05"), now.Format("15:04:05"))
				}
			}
		}
		r.Commit(b)
	}
	if n := reads["svc/early"]; n < 39 || n > 45 {
		t.Errorf("what is in time was read %d times in 40 minutes", n)
	}
	if n := reads["svc/late"]; n > 160 {
		t.Errorf("what is late was read %d times in 40 minutes", n)
	}
	if scraped := int64(25 * 4 * 4); samples > scraped*13/10 {
		t.Errorf("%d samples read of %d, by %d queries", samples, scraped, queries)
	}
	t.Logf("%v reads, %d queries and %d samples in 25 minutes", reads, queries, samples)
	if behind := budget.MinuteOf(now) - decided["svc/late"]; behind > 5 {
		t.Errorf("what is late is decided %d minutes behind", behind)
	}
}

// TestATargetThatIsAlwaysLateIsFound: a target appears beside three that are in time, and each of
// its samples comes ten minutes late, so that no window ever shows one. The list of series tells of
// it, and from then on none of its events is lost.
func TestATargetThatIsAlwaysLateIsFound(t *testing.T) {
	var now time.Time
	db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
	specs := []*slo.Spec{events(t, "shop", `a_total`, `a_total{code="500"}`)}
	var filled [4]time.Time
	for i := range filled {
		filled[i] = t0.Add(-30 * time.Minute)
	}
	begun := t0.Add(10 * time.Minute)
	filled[3] = begun
	arrive := func() {
		for i := range filled {
			for late := time.Duration(i/3) * 10 * time.Minute; !filled[i].Add(late).After(now); filled[i] = filled[i].Add(15 * time.Second) {
				v := 1e6 + filled[i].Sub(t0).Seconds()
				if i == 3 {
					v = filled[i].Sub(begun).Seconds()
				}
				if err := db.Append(lset("a_total", "instance", fmt.Sprint(i), "job", "x", "code", "200"), filled[i].UnixMilli(), v); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	r, got := New(serve(t, db), Options{}), book{}
	for now = t0; now.Before(t0.Add(60 * time.Minute)); now = now.Add(15 * time.Second) {
		arrive()
		got.must(t, r, specs, now)
	}
	for m := m0 + 12; m < m0+45; m++ { // of a second, one by each
		if s := got["svc/shop"][m]; s.Total != 240*budget.Unit {
			t.Errorf("minute %d has %d events, want 240: 60 of them are the late target's", m-m0, s.Total/budget.Unit)
		}
	}
}

// TestTimeThatGoesBack: a source that was half an hour ahead of the time has had minutes read that
// had not happened. When it is right again they are read again, and the samples count.
func TestTimeThatGoesBack(t *testing.T) {
	db := promfake.New(promfake.Options{})
	specs := []*slo.Spec{events(t, "shop", `a_total`, `a_total{code="500"}`)}
	fill := func(from, to time.Duration) {
		for at := from; at < to; at += 15 * time.Second {
			for _, code := range []string{"200", "500"} {
				if err := db.Append(lset("a_total", "instance", "1", "job", "x", "code", code), t0.Add(at).UnixMilli(), 1e6+at.Seconds()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	fill(-30*time.Minute, 10*time.Minute+20*time.Second)
	r, got := New(serve(t, db), Options{}), book{}
	for m := m0; m < m0+10; m++ {
		tick(t, r, specs, m, got)
	}
	tick(t, r, specs, m0+40, got)
	for m := m0 + 10; m < m0+20; m++ {
		fill(time.Duration(m-m0)*time.Minute+30*time.Second, time.Duration(m-m0+1)*time.Minute+30*time.Second)
		tick(t, r, specs, m, got)
	}
	got.all(t, "svc/shop", m0+2, m0+17, func(s budget.Slot) bool {
		return s.State == budget.OK && s.Total == 120*budget.Unit && s.Bad == 60*budget.Unit
	})
}

// TestSeriesThatAreLateEachByItsOwn: the series of a scrape come one by one, up to two or ten
// minutes late. Each sample is counted in its own minute and, when it is known how late they are,
// read about once.
func TestSeriesThatAreLateEachByItsOwn(t *testing.T) {
	for _, late := range []time.Duration{2 * time.Minute, 10 * time.Minute} {
		t.Run(late.String(), func(t *testing.T) { t.Parallel(); testSeriesThatAreLateEachByItsOwn(t, late) })
	}
}

func testSeriesThatAreLateEachByItsOwn(t *testing.T, late time.Duration) {
	type arrival struct {
		at     time.Time
		series int
		n      int
	}
	const targets, codes, minutes, scrape = 4, 3, 100, 15
	rnd := rand.New(rand.NewPCG(5, 5))
	var due []arrival
	for s := range targets * codes {
		last := time.Time{}
		for n := range minutes * 60 / scrape {
			last = later(last, t0.Add(time.Duration(n*scrape+s%targets)*time.Second+time.Duration(rnd.Int64N(int64(late)))))
			due = append(due, arrival{last, s, n})
		}
	}
	slices.SortStableFunc(due, func(a, b arrival) int { return a.at.Compare(b.at) })
	db := promfake.New(promfake.Options{})
	c := serve(t, db)
	r, got, written := New(c, Options{}), book{}, 0
	spec := events(t, "x", `a_total{job="x"}`, `a_total{job="x",code="2"}`)
	settled := t0.Add(45 * time.Minute)
	var before, known int64
	for now := t0.Add(15 * time.Minute); now.Before(t0.Add(95 * time.Minute)); {
		for len(due) > 0 && !due[0].at.After(now) {
			a := due[0]
			ls := lset("a_total", "job", "x", "instance", fmt.Sprint(a.series%targets), "code", fmt.Sprint(a.series/targets))
			must(t, db.Append(ls, at(float64(a.n*scrape+a.series%targets)), float64(1000+10*a.n)))
			due, written = due[1:], written+1
		}
		b := got.read(r, []*slo.Spec{spec}, now)
		if before == 0 && now.After(settled) {
			before, known = c.Usage().Samples, int64(written)
		}
		now = later(b.Next, now.Add(5*time.Second))
	}
	times := float64(c.Usage().Samples-before) / float64(int64(written)-known)
	if t.Logf("samples are read %.2f times", times); times > 1.3 {
		t.Errorf("samples are read %.2f times", times)
	}
	got.all(t, "svc/x", m0+16, m0+79, func(s budget.Slot) bool {
		return s.Total == targets*codes*40*budget.Unit && s.Bad == targets*40*budget.Unit
	})
}

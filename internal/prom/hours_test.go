package prom

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestHoursAgainstTruth reads the hours of every kind of trouble at every amount of traffic and
// compares with what the samples can show.
func TestHoursAgainstTruth(t *testing.T) {
	const length = 48 * time.Hour
	db := promfake.New(promfake.Options{})
	var specs []*slo.Spec
	worlds := map[string]*truth.Truth{}
	samples := int64(len(truth.Kinds)*len(truth.Tiers)*4*2) * int64(length/(30*time.Second))
	all, err := truth.All(db, t0, length, 30*time.Second)
	must(t, err)
	for _, w := range all {
		worlds[w.Service.Name] = w
		specs = append(specs, tier(t, w.Service.Name))
	}
	end := m0 + budget.Minutes(length)
	c := serve(t, db)
	before := db.Stats()
	ledgers, faults := historyOf(t, New(c, Options{}), c, specs, Plan{From: m0 + 60, Fine: end, To: end}, false)
	if st := db.Stats().Sub(before); st.SamplesRead > samples {
		t.Errorf("%d samples read of %d, want fewer than there are", st.SamplesRead, samples)
	}
	for _, s := range specs {
		got, seen := ledgers[s.ID()].Sum(m0+60, end), worlds[s.Name].Sum((m0+60).Time(), end.Time()).Seen()
		e := consumption(float64(got.Bad), float64(got.Total), float64(seen.Bad), float64(seen.Total()))
		if e > 0.03 {
			t.Errorf("%s: the budget is off by %.3f %%: %d of %d thousandths, the samples show %d of %d", s.Name, e, got.Bad, got.Total, seen.Bad, seen.Total())
		}
		if kind := strings.TrimSuffix(s.Name, "-"+truth.Tiers[0].Name); (kind == "label-added" || kind == "port-changed") &&
			!strings.Contains(strings.Join(faults[s.ID()], "\n"), "8 series went on under another name") {
			t.Errorf("%s: told is %q, want all eight renames", s.Name, faults[s.ID()])
		}
		if got.Estimated > 0 {
			t.Errorf("%s: %d minutes are estimates", s.Name, got.Estimated)
		}
		want := int(end - m0 - 60)
		if found := worlds[s.Name].Service.Found; !found.IsZero() {
			want = int(end - budget.MinuteOf(found))
		}
		if n := got.Seen(); n < want-2 || n > want {
			t.Errorf("%s: %d minutes are known, want %d", s.Name, n, want)
		}
	}
}

// TestHoursInSmallAnswers: where answers may only be small, the hours are the same, and none is an
// estimate for the sake of its neighbours.
func TestHoursInSmallAnswers(t *testing.T) {
	const length = 26 * time.Hour
	db := promfake.New(promfake.Options{})
	var specs []*slo.Spec
	for i, kind := range []string{"churn", "often restarted", "label added", "plain"} {
		w, err := truth.Generate(db, truth.Of(kind, truth.Tiers[1], uint64(i), t0, length, 30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		specs = append(specs, tier(t, w.Services[0].Service.Name))
	}
	end := m0 + budget.Minutes(length)
	plan := Plan{From: m0 + 60, Fine: end, To: end}
	c := serve(t, db)
	want := history(t, New(c, Options{}), c, specs, plan, false)
	small := serve(t, db, func(o *ClientOptions) { o.MaxBytes = 12 << 10 })
	got := history(t, New(small, Options{}), small, specs, plan, false)
	for _, s := range specs {
		if w, g := want[s.ID()].Sum(m0, end), got[s.ID()].Sum(m0, end); w != g || g.Seen() == 0 {
			t.Errorf("%s: %+v in small answers, %+v in large ones", s.Name, g, w)
		}
	}
}

// TestHoursJudgeBirthsAsLive: a process that has run for forty minutes when it is found has not had
// all of its events since, live as in history, though it is young enough for the hour.
func TestHoursJudgeBirthsAsLive(t *testing.T) {
	db := promfake.New(promfake.Options{})
	found := 4*60 + 50 // minutes
	for name, from := range map[string]int{"a": 0, "b": 0, "late": found} {
		s := db.Series(lset("c", "job", "j", "instance", name, "code", "200"))
		for i := 2 * from; i < 2*6*60; i++ {
			v := 10 * i
			if name == "late" {
				v -= 10 * 2 * (found - 40)
			}
			if err := s.Append(at(float64(30*i+5)), float64(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := serve(t, db)
	s := events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)
	l := history(t, New(c, Options{}), c, []*slo.Spec{s}, Plan{From: m0 + 120, Fine: m0 + 360, To: m0 + 360}, false)[s.ID()]
	if got, want := l.Sum(m0+240, m0+300).Total, int64(2*1200+190)*budget.Unit; got != want {
		t.Errorf("%d thousandths in the hour, want %d", got, want)
	}
}

// TestGoodEventsThatAreGoneInHistoryAreTold: the hours are not known, and it is said how many
// minutes that is.
func TestGoodEventsThatAreGoneInHistoryAreTold(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for name, hours := range map[string]int{"n": 6, "fine": 3} {
		s := db.Series(lset(name, "instance", "1", "job", "j"))
		for i := range hours * 120 {
			must(t, s.Append(at(float64(30*i+7)), float64(10*i)))
		}
	}
	c := serve(t, db)
	s := &slo.Spec{Service: "svc", Name: "x", SLI: slo.Indicator{Kind: slo.Events, Total: query(t, "n"), Good: query(t, "fine")}}
	ledgers, faults := historyOf(t, New(c, Options{}), c, []*slo.Spec{s}, Plan{From: m0 + 60, Fine: m0 + 300, To: m0 + 300}, false)
	if sum := ledgers[s.ID()].Sum(m0+60, m0+300); sum.Bad != 0 || sum.Known != 60 {
		t.Errorf("%+v, want one hour that is known", sum)
	}
	if want := "180 minutes had events and no series of good ones"; !strings.Contains(strings.Join(faults[s.ID()], "\n"), want) {
		t.Errorf("told is %q, want %q", faults[s.ID()], want)
	}
}

// TestASeriesThatIsAwayOverTheHour: an error series that ends with a restart, which nothing else
// shows, and is born again in the next hour as high as it was, has one event more.
func TestASeriesThatIsAwayOverTheHour(t *testing.T) {
	db := promfake.New(promfake.Options{})
	good, bad := db.Series(lset("c", "instance", "1", "job", "j", "code", "200")), db.Series(lset("c", "instance", "1", "job", "j", "code", "500"))
	for i := range 5 * 120 {
		ms := at(float64(30*i + 7))
		must(t, good.Append(ms, 0))
		switch {
		case i < 225 || i > 243:
			must(t, bad.Append(ms, 1))
		case i == 225:
			must(t, bad.MarkStale(ms))
		}
	}
	c := serve(t, db)
	s := events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)
	l := history(t, New(c, Options{}), c, []*slo.Spec{s}, Plan{From: m0 + 60, Fine: m0 + 240, To: m0 + 240}, false)[s.ID()]
	if sum := l.Sum(m0+120, m0+180); sum.Bad != budget.Unit {
		t.Errorf("%+v, want one bad event", sum)
	}
}

// TestHoursOfALargeSLOAreReadInParts: an SLO of which not even one hour fits into an answer is read
// in parts, and is counted as if it were read at once: also where targets go on under other names,
// and others take their place.
func TestHoursOfALargeSLOAreReadInParts(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for n := range 60 {
		for i := range 4 * 120 {
			name, v := fmt.Sprintf("%d:80", n), float64((n+1)*i)
			switch {
			case n%10 == 1 && i >= 200: // another port
				name = fmt.Sprintf("%d:90", n)
			case n%10 == 2 && i >= 300: // another pod
				name, v = fmt.Sprintf("%d-new", n), float64((n+1)*(i-299))
			case n%10 == 3 && i >= 310: // a restart
				v = float64((n + 1) * (i - 309))
			}
			must(t, db.Series(lset("c", "job", "j", "instance", name, "code", "200")).Append(at(float64(30*i)+float64(n)/4), v))
		}
	}
	s := events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)
	plan := Plan{From: m0 + 60, Fine: m0 + 240, To: m0 + 240}
	c := serve(t, db)
	want := history(t, New(c, Options{}), c, []*slo.Spec{s}, plan, false)[s.ID()].Sum(m0, m0+240)
	small := serve(t, db, func(o *ClientOptions) { o.MaxBytes = 5 << 10 })
	ledgers, faults := historyOf(t, New(small, Options{}), small, []*slo.Spec{s}, plan, false)
	if got := ledgers[s.ID()].Sum(m0, m0+240); got != want || got.Estimated > 0 {
		t.Errorf("%+v in parts, %+v at once: %v", got, want, faults)
	}
}

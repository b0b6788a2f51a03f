package alerting

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// The vectors of the Site Reliability Workbook's chapter 5, exact in continuous time, walked by the
// live decision code in slots of a minute. A window that crosses its threshold inside a minute is
// seen at the minute's end, so every time below is the exact one rounded up to the minute, and one
// minute more where the exact time is a whole minute (the comparison is strict).

const (
	rate  = 1_000_000 // events a minute: no low-traffic effects
	start = budget.Minute(1440 * 20_000)
)

func workbookSpec(t testing.TB, objective string, pages, tickets []slo.Pair) *slo.Spec {
	t.Helper()
	o, err := slo.ParseObjective(objective)
	if err != nil {
		t.Fatal(err)
	}
	return &slo.Spec{
		Service: "shop", Name: "availability", Objective: o,
		Windows: []slo.Window{{Rolling: 30 * slo.Day}},
		SLI:     slo.Indicator{Kind: slo.Events},
		Alerts:  slo.Alerts{Page: pages, Ticket: tickets, Significance: true},
	}
}

var (
	fast   = slo.Pair{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}
	slow   = slo.Pair{Budget: 500, Long: 6 * time.Hour, Short: 30 * time.Minute}
	day    = slo.Pair{Budget: 1000, Long: 24 * time.Hour, Short: 2 * time.Hour}
	threeD = slo.Pair{Budget: 1000, Long: 72 * time.Hour, Short: 6 * time.Hour}
)

// incident is a ledger of four clean days, then length minutes at the given error ratio, then clean
// days. A length with a fraction makes the last minute partly bad.
func incident(ratio, length float64, after int) *budget.Ledger {
	l := &budget.Ledger{}
	for m := start - 4*1440; m < start+budget.Minute(math.Ceil(length))+budget.Minute(after); m++ {
		share := math.Min(math.Max(length-float64(m-start), 0), 1)
		if m < start {
			share = 0
		}
		l.Put(m, budget.Count(int64(math.Round(ratio*share*rate*budget.Unit)), rate*budget.Unit))
	}
	return l
}

func minutes(f float64) budget.Minute {
	m := budget.Minute(math.Ceil(f - 1e-9))
	if math.Abs(f-math.Round(f)) < 1e-9 {
		m = budget.Minute(math.Round(f)) + 1
	}
	return m
}

// firstFiring is how many minutes after the start the pair fires, by the code that decides live; -1
// if never.
func firstFiring(spec *slo.Spec, l *budget.Ledger) budget.Minute {
	_, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, State{Through: start - 60}, l.End())
	for _, e := range events {
		if e.Kind == Opened {
			return e.At + 1 - start
		}
	}
	return -1
}

func TestDetectionTimesOfTheWorkbook(t *testing.T) {
	const never = -1
	for _, c := range []struct {
		ratio                   float64
		fast, slow, day, threeD float64 // minutes, exact
	}{
		{0.001, never, never, never, never},
		{0.002, never, never, never, 36 * 60},
		{0.005, never, never, 864, 864},
		{0.0061, never, 21.6 / 0.0061 / 10, 432 / 0.0061 / 100, 432 / 0.0061 / 100},
		{0.01, never, 216, 432, 432},
		{0.0144, never, 150, 300, 300},
		{0.015, 57.6, 144, 288, 288},
		{0.02, 43.2, 108, 216, 216},
		{0.05, 17.28, 43.2, 86.4, 86.4},
		{0.1, 8.64, 21.6, 43.2, 43.2},
		{0.2, 4.32, 10.8, 21.6, 21.6},
		{0.5, 1.728, 4.32, 8.64, 8.64},
		{1, 0.864, 2.16, 4.32, 4.32},
	} {
		l := incident(c.ratio, 3*1440, 0)
		for _, p := range []struct {
			name  string
			exact float64
			spec  *slo.Spec
		}{
			{"14.4x over 1h", c.fast, workbookSpec(t, "99.9", []slo.Pair{fast}, nil)},
			{"6x over 6h", c.slow, workbookSpec(t, "99.9", []slo.Pair{slow}, nil)},
			{"3x over 24h", c.day, workbookSpec(t, "99.9", nil, []slo.Pair{day})},
			{"1x over 3d", c.threeD, workbookSpec(t, "99.9", nil, []slo.Pair{threeD})},
		} {
			t.Run(fmt.Sprintf("%s sees an error ratio of %v", p.name, c.ratio), func(t *testing.T) {
				want := budget.Minute(never)
				if p.exact != never {
					want = minutes(p.exact)
				}
				// The significance test asks for three bad minutes or fifty errors; at this rate it
				// never delays.
				if got := firstFiring(p.spec, l); got != want {
					t.Errorf("after %d minutes, want %d", got, want)
				}
			})
		}
	}
}

func TestWholeTimelinesOfTheWorkbook(t *testing.T) {
	const never = -1
	for _, c := range []struct {
		ratio, length float64
		fires, resets float64 // exact, in minutes; resets counts from the end of the incident
	}{
		{0.15, 10, 5.76, 4.53},
		{1, 0.8, never, never},
		{1, 0.9, 0.864, 4.93},
		{1, 2.2, 0.864, 29.8},
		{1, 60, 0.864, 29.8},
		{0.05, 60, 17.28, 26.4},
		{0.02, 120, 43.2, 21.0},
		{0.01, 300, 216, 12.0},
		{0.007, 720, 308.6, 4.3},
	} {
		t.Run(fmt.Sprintf("%v %% for %v minutes", c.ratio*100, c.length), func(t *testing.T) {
			spec := workbookSpec(t, "99.9", []slo.Pair{fast, slow}, nil)
			l := incident(c.ratio, c.length, 120)
			_, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, State{Through: start - 60}, l.End())
			fires, resets := budget.Minute(never), float64(never)
			for _, e := range events {
				switch e.Kind {
				case Opened:
					fires = e.At + 1 - start
				case Resolved:
					resets = float64(e.At+1-start) - c.length
				}
			}
			if c.fires == never {
				if fires != never {
					t.Fatalf("fired after %d minutes, want never", fires)
				}
				return
			}
			if want := minutes(c.fires); fires != want {
				t.Errorf("fired after %d minutes, want %d", fires, want)
			}
			if d := resets - c.resets; d < -0.05 || d > 2 {
				t.Errorf("resolved %.1f minutes after the end, want %.1f and at most two slots more", resets, c.resets)
			}
		})
	}
}

func TestThresholdsOfOtherWindowLengths(t *testing.T) {
	for _, c := range []struct {
		days int
		want [4]float64
	}{
		{30, [4]float64{14.4, 6, 3, 1}},
		{28, [4]float64{13.44, 5.6, 2.8, 0.9333333}},
		{7, [4]float64{3.36, 1.4, 0.7, 0.2333333}},
		{90, [4]float64{43.2, 18, 9, 3}},
	} {
		for i, p := range []slo.Pair{fast, slow, day, threeD} {
			if got := p.Burn(time.Duration(c.days) * slo.Day); math.Abs(got-c.want[i]) > 1e-6 {
				t.Errorf("%d days, pair %d: burn %v, want %v", c.days, i, got, c.want[i])
			}
		}
	}
}

func TestExtremeObjectives(t *testing.T) {
	for _, c := range []struct {
		objective string
		exact     float64
	}{
		{"99", 8.64}, {"95", 43.2}, {"93", -1},
	} {
		want := budget.Minute(-1)
		if c.exact > 0 {
			want = minutes(c.exact)
		}
		if got := firstFiring(workbookSpec(t, c.objective, []slo.Pair{fast}, nil), incident(1, 1440, 0)); got != want {
			t.Errorf("a total outage under %s %% pages after %d minutes, want %d", c.objective, got, want)
		}
	}
}

func TestTheBinomialTail(t *testing.T) {
	for _, c := range []struct {
		k, n int64
		p    float64
		want float64
	}{
		{1, 10, 0.001, .00996},
		{2, 10, 0.001, 4.5e-5},
		{1, 50, 0.001, .0488},
		{3, 50, 0.001, 1.9e-5},
		{2, 100, 0.001, .00464},
		{3, 100, 0.001, 1.5e-4},
		{5, 100, 0.001, 7.0e-8},
		{20, 1000, 0.001, 1.3e-19},
		{1, 10, 0.0144, .135},
		{2, 10, 0.0144, .00864},
		{1, 50, 0.0144, .516},
		{2, 100, 0.0144, .423},
		{5, 100, 0.0144, .0151},
		{20, 1000, 0.0144, .0925},
		{170, 10000, 0.0144, .0181},
		{0, 10, 0.001, 1},
		{11, 10, 0.001, 0},
		{5, 1_000_000, 0.001, 1},
	} {
		got := binomialTail(c.k, c.n, c.p)
		if math.Abs(got-c.want) > 0.03*c.want+1e-22 {
			t.Errorf("P(X ≥ %d of %d at %v) = %.4g, want %.4g", c.k, c.n, c.p, got, c.want)
		}
	}
}

// A stray error hours before a burn is not where it began, however long the short window of the
// pair is.
func TestTheOnsetIsWhereTheBurnBegan(t *testing.T) {
	spec := fullSpec(t)
	var l budget.Ledger
	for m := range budget.Minute(6300) {
		bad := int64(0)
		switch {
		case m%170 == 0: // an error of every day
			bad = 20_000
		case m >= 5000: // the burn, for a ticket
			bad = 40_000
		}
		l.Put(m, budget.Count(bad, 10_000_000))
	}
	_, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: &l}, State{Through: 4900}, 6300)
	for _, e := range events {
		if e.Kind == Opened && e.Burn != nil {
			if e.Burn.Onset < 4990 || e.Burn.Onset > 5010 {
				t.Errorf("%s began at %d, the burn at 5000", e.Rule, e.Burn.Onset)
			}
			return
		}
	}
	t.Errorf("nothing opened: %+v", events)
}

package budget

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

// pageLookbacks are those of the default pages.
var pageLookbacks = []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour}

// since is a burn that goes on since a minute; none if that is zero.
func since(onset Minute) []Burnt {
	if onset == 0 {
		return nil
	}
	return []Burnt{{From: onset, To: noon}}
}

// lived is a ledger of so many days before noon, and what comes after it until the budget is spent,
// with the traffic and the bad events of each minute, in events.
type lived struct {
	*Ledger
	spent Minute // after noon
}

func live(t *testing.T, o slo.Objective, w slo.Window, days Minute, total, bad func(Minute) float64) lived {
	t.Helper()
	put := func(l *Ledger, m Minute) { l.Put(m, Count(int64(bad(m)*Unit), int64(total(m)*Unit))) }
	past, all := &Ledger{}, &Ledger{}
	for m := noon - days*1440; m < noon; m++ {
		put(past, m)
		put(all, m)
	}
	for m := noon; m < noon+Minutes(w.Length()); m++ {
		if StatusAt(all, o, w, m).Left() < 0 {
			return lived{past, m - noon}
		}
		put(all, m)
	}
	return lived{past, 0}
}

// A budget that burns is spent when the forecast says, three minutes after the first failure too,
// by day and by night, and whether minutes have been thinned out or not.
func TestTheForecastHoldsFromTheThirdMinute(t *testing.T) {
	o, w := objective(t, "99.9"), slo.Window{Rolling: 28 * slo.Day}
	for _, c := range []struct {
		name  string
		burn  float64
		days  Minute
		total func(Minute) float64
	}{
		{"flat", 200, 35, func(Minute) float64 { return 6000 }},
		{"flat, slower", 20, 35, func(Minute) float64 { return 6000 }},
		{"falling to night", 60, 35, func(m Minute) float64 { return 6000 * (1 + .6*math.Cos(2*math.Pi*float64(m-noon+60)/1440)) }},
		{"rising from night", 60, 35, func(m Minute) float64 { return 6000 * (1 - .6*math.Cos(2*math.Pi*float64(m-noon-60)/1440)) }},
		{"before the weekend", 30, 35, func(m Minute) float64 {
			if (m-noon+70*1440)%(7*1440) >= 720 && (m-noon+70*1440)%(7*1440) < 720+2*1440 {
				return 2000
			}
			return 6000
		}},
		{"a ledger of five days", 60, 5, func(m Minute) float64 { return 6000 * (1 + .6*math.Cos(2*math.Pi*float64(m-noon+60)/1440)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			onset := noon - 3
			l := live(t, o, w, c.days, c.total, func(m Minute) float64 {
				switch {
				case m == onset: // it begins late in the minute
					return c.total(m) * c.burn * 0.001 / 4
				case m > onset:
					return c.total(m) * c.burn * 0.001
				}
				return c.total(m) * 0.0002
			})
			f := Forecast(l.Ledger, o, StatusAt(l.Ledger, o, w, noon), since(onset), pageLookbacks...)
			came := time.Duration(l.spent) * time.Minute
			if x := float64(f.In) / float64(came); x < 0.95 || x > 1.05 || f.Early >= came || f.Late <= came {
				t.Errorf("the forecast is %v (%v to %v), and the budget is spent after %v", f.In, f.Early, f.Late, came)
			}
			l.Thin(noon - 48*60)
			if thinned := Forecast(l.Ledger, o, StatusAt(l.Ledger, o, w, noon), since(onset), pageLookbacks...); thinned != f {
				t.Errorf("thinned: %+v, was %+v", thinned, f)
			}
		})
	}
}

func TestTheMiddleIsToldOnlyWhereItIsKnown(t *testing.T) {
	o, w := objective(t, "99.9"), slo.Window{Rolling: 28 * slo.Day}
	for _, c := range []struct {
		name  string
		rate  int64 // events a minute
		since Minute
		bad   func(since Minute) int64 // in events
		want  string
	}{
		{"many bad events", 1000, 30, func(Minute) int64 { return 20 }, "middle"},
		{"few", 100, 30, func(m Minute) int64 { return int64(m+1) % 2 }, "band"},
		{"four", 100, 4, func(Minute) int64 { return 1 }, "nothing"},
		{"as many, in clumps of a hundred", 1000, 30, func(m Minute) int64 { return int64(m%5+1) / 5 * 100 }, "band"},
		{"many, and then none: it is over", 1000, 30, func(m Minute) int64 { return int64(max(0, min(20, 20*(20-m)))) }, "lasts"},
		{"a tenth, and then half of all", 1000, 60, func(m Minute) int64 { return 100 + 400*int64(m/50) }, "middle"},
		{"a burn that barely exhausts the budget", 1000, 360, func(Minute) int64 { return 1 }, "band"},
		{"no traffic", 0, 30, func(Minute) int64 { return 0 }, "nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onset := noon - c.since
			l := steady(noon, 35, c.rate, func(m Minute) int64 {
				if m >= onset {
					return c.bad(m-onset) * Unit
				}
				return c.rate / 5
			})
			f := Forecast(l, o, StatusAt(l, o, w, noon), since(onset), pageLookbacks...)
			got := "nothing"
			switch {
			case f.Lasts:
				got = "lasts"
			case f.Known && f.In > 0:
				got = "middle"
			case f.Known:
				got = "band"
			}
			if got != c.want {
				t.Errorf("told is %s, want %s: %+v", got, c.want, f)
			}
		})
	}
}

// When the burn has changed, the present burn is what it is now, whether an incident is open or
// not.
func TestTheForecastFollowsTheBurn(t *testing.T) {
	o, w := objective(t, "99.9"), slo.Window{Rolling: 28 * slo.Day}
	for _, c := range []struct {
		name           string
		onset, changed Minute // before now
		before         int64  // of 1,000 events a minute; since then 500 are bad
		over           time.Duration
	}{
		{"a tenth, and for ten minutes half", 120, 10, 100, 5 * time.Minute},
		{"a tenth, and for twenty minutes half", 120, 20, 100, 5 * time.Minute},
		{"a hundredth, and for forty minutes half", 120, 40, 10, 30 * time.Minute},
		{"nothing is open, and half for twenty minutes", 0, 20, 0, 5 * time.Minute},
		{"nothing is open, and half for forty minutes", 0, 40, 0, 30 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := steady(noon, 35, 1000, func(m Minute) int64 {
				switch {
				case m >= noon-c.changed:
					return 500 * Unit
				case m >= noon-c.onset:
					return c.before * Unit
				}
				return Unit / 5
			})
			onset := noon - c.onset
			if c.onset == 0 {
				onset = 0
			}
			f := Forecast(l, o, StatusAt(l, o, w, noon), since(onset), pageLookbacks...)
			left := float64(StatusAt(l, o, w, noon).Left()) / Unit
			if want := time.Duration(left/500) * time.Minute; f.Gone || f.In < want*9/10 || f.In > want*11/10 || f.Over != c.over {
				t.Errorf("half of all fail, %.0f still may: %+v", left, f)
			}
		})
	}
}

// In a rolling window, a burn below 1 exhausts the budget, too, if the days that age out were
// better.
func TestGoodDaysAgeOut(t *testing.T) {
	o, w := objective(t, "99.9"), slo.Window{Rolling: 28 * slo.Day}
	total := func(Minute) float64 { return 1000 }
	l := live(t, o, w, 35, total, func(m Minute) float64 {
		switch {
		case m >= noon-2*1440: // an outage two days ago took most, since then it burns by 0.9
			return 0.9
		case m >= noon-2*1440-60:
			return 0.92 * 40_320 / 60
		}
		return 0
	})
	f := Forecast(l.Ledger, o, StatusAt(l.Ledger, o, w, noon), nil, 6*time.Hour, 48*time.Hour)
	if came := time.Duration(l.spent) * time.Minute; came == 0 || f.Lasts || f.Early > came || f.Late < came && f.Late > 0 {
		t.Errorf("the forecast is %+v, and the budget is spent after %v", f, came)
	}
}

// BenchmarkForecast is what a tick does for every budget: most are far from being exhausted, and a
// few burn, for hours or for weeks.
func BenchmarkForecast(b *testing.B) {
	o, w := objective(b, "99.9"), slo.Window{Rolling: 28 * slo.Day}
	for _, burn := range []int64{0, 1, 20, 500} {
		b.Run(fmt.Sprintf("burn=%d", burn), func(b *testing.B) {
			l := steady(noon, 60, 1000, func(m Minute) int64 {
				if m >= noon-30 {
					return burn * Unit
				}
				return int64(m % 2 * Unit / 2)
			})
			l.Thin(noon - 73*60)
			for b.Loop() {
				Forecast(l, o, StatusAt(l, o, w, noon), since(noon-30), pageLookbacks...)
			}
		})
	}
}

// A burn that is over tells nothing of what is to come: from the minute on that an alert says so,
// and from the tenth on at any rate, the forecast is what it would be if it had not been, but for
// what it has spent.
func TestTheForecastForgetsABurnThatIsOver(t *testing.T) {
	o, w := objective(t, "99.9"), slo.Window{Rolling: 7 * slo.Day}
	for _, rate := range []int64{10, 100, 6000} {
		for _, usual := range []int64{0, 150, 300, 800} { // in a million
			for _, burn := range []int64{20, 200, 1000} { // in a thousand
				for _, lasted := range []Minute{5, 60, 8 * 60} {
					rng := rand.New(rand.NewPCG(uint64(rate*usual), uint64(burn)))
					onset := noon - lasted
					l := steady(noon+120, 8, rate, func(m Minute) int64 {
						if m >= onset && m < noon {
							return rate * burn / 1000 * Unit
						}
						return int64(chanceOf(rng, float64(rate*usual)/1e6)) * Unit
					})
					for _, after := range []Minute{1, 2, 5, 10, 20, 40, 120} {
						name := fmt.Sprintf("%d/min, %d in a million, for %d minutes %d in a thousand, %d minutes ago", rate, usual, lasted, burn, after)
						for _, over := range []bool{true, false} {
							f := Forecast(l, o, StatusAt(l, o, w, noon+after), []Burnt{{onset, noon, over}}, pageLookbacks...)
							if proven := float64(rate*burn*int64(after))/1000 > 20; f.Gone || f.Lasts || !over && !proven {
								continue
							}
							left := StatusAt(l, o, w, noon+after).Remaining()
							least := time.Duration(left / 4 * float64(w.Length())) // at a burn of 4: few events tell little
							if usual < 800 && f.Known || f.Known && f.Early < least {
								t.Errorf("%s: over %v, %.2f left: %+v", name, over, left, f)
							}
						}
					}
				}
			}
		}
	}
}

// chanceOf draws a Poisson number.
func chanceOf(rng *rand.Rand, mean float64) (n int) {
	for x := rng.ExpFloat64(); x < mean; x += rng.ExpFloat64() {
		n++
	}
	return n
}

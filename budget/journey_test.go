package budget

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/slo"
)

func events(bad, total int64) Slot { return Count(bad*Unit, total*Unit) }

func TestWhatAJourneyIsMadeOf(t *testing.T) {
	absent, failed, quiet := Slot{State: Absent}, Slot{State: Failed}, Slot{State: ZeroTraffic}
	hole := Slot{Bad: 2 * Unit, Total: 10 * Unit, State: Partial}
	for name, c := range map[string]struct {
		combine slo.Combine
		steps   []Slot
		want    Slot
	}{
		"the worst step's share, of the events with which the journey begins": {slo.Weakest, []Slot{events(10, 1000), events(5, 10)}, events(500, 1000)},
		"a quiet till that is down all minute fails every journey":            {slo.Weakest, []Slot{events(0, 1000), events(1, 1)}, events(1000, 1000)},
		"failures that have nothing to do with each other":                    {slo.Product, []Slot{events(10, 100), events(2, 10)}, events(28, 100)},
		"a mean by weight":                          {slo.Weighted, []Slot{events(10, 100), events(4, 10)}, events(30, 100)},
		"a step without traffic has no share":       {slo.Product, []Slot{events(10, 100), quiet}, events(10, 100)},
		"nor a weight":                              {slo.Weighted, []Slot{events(10, 100), quiet}, events(10, 100)},
		"the next step, if nobody began":            {slo.Weakest, []Slot{quiet, events(1, 7)}, events(1, 7)},
		"no traffic anywhere":                       {slo.Product, []Slot{quiet, quiet}, quiet},
		"data missing of one step":                  {slo.Weakest, []Slot{events(0, 100), absent}, absent},
		"missing beside unusable: the worse of two": {slo.Weakest, []Slot{failed, absent}, failed},
		"not read yet":                              {slo.Weakest, []Slot{failed, {}}, Slot{}},
		"a hole in one step":                        {slo.Weakest, []Slot{events(0, 20), hole}, Slot{Bad: 4 * Unit, Total: 20 * Unit, State: Partial}},
		"thirds are rounded to thousandths":         {slo.Weakest, []Slot{events(0, 1), events(1, 3)}, Slot{Bad: 333, Total: Unit, State: OK}},
		"halves are rounded up":                     {slo.Product, []Slot{{Total: 1, State: OK}, events(1, 2)}, Slot{Bad: 1, Total: 1, State: OK}},
		"history stays history":                     {slo.Weakest, []Slot{{Total: 5, State: OK, Backfilled: true}, events(0, 1)}, Slot{Total: 5, State: OK, Backfilled: true}},
	} {
		if got := compose(journeyOf(c.combine, 1, 2), c.steps); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func journeyOf(c slo.Combine, weights ...int64) *slo.Journey {
	j := &slo.Journey{Combine: c}
	for _, w := range weights {
		j.Steps = append(j.Steps, slo.Step{Weight: w * 1000})
	}
	return j
}

func TestAnHourOfAJourney(t *testing.T) {
	full := Sum{Bad: 10, Total: 100, Known: 60, BadSlots: 3}
	for name, c := range map[string]struct{ a, b, want Sum }{
		"nothing is known to the minute":             {full, Sum{Bad: 1, Total: 2, Known: 60}, Sum{Bad: 50, Total: 100, Partial: 60}},
		"as much as the step that knows least knows": {full, Sum{Total: 5, Known: 40, Partial: 5, Unknown: 15}, Sum{Bad: 10, Total: 100, Partial: 45, Unknown: 15}},
		"a step that knows nothing":                  {full, Sum{Unknown: 60}, Sum{Unknown: 60}},
		"a step that was never read":                 {full, Sum{}, Sum{}},
		"an hour without traffic":                    {Sum{Known: 60}, Sum{Known: 60}, Sum{Partial: 60}},
	} {
		if got := composeHour(journeyOf(slo.Weakest, 1, 1), []Sum{c.a, c.b}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestBoundsOfAJourney(t *testing.T) {
	steps := []Sum{{Bad: 10, Total: 1000}, {Bad: 1, Total: 3}, {}}
	if got, want := boundsOf(1000, steps), (Bounds{333, 344}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := boundsOf(1000, []Sum{{Bad: 7, Total: 10}, {Bad: 8, Total: 10}}), (Bounds{800, 1000}); got != want {
		t.Errorf("%v, want %v: no more than all can fail", got, want)
	}
}

// The rules, one by one, in fractions of unbounded size.
func naive(j *slo.Journey, steps []Slot) Slot {
	out := Slot{State: ZeroTraffic}
	for _, s := range steps {
		out.Backfilled = out.Backfilled || s.Backfilled
		out.Estimated = out.Estimated || s.Estimated
	}
	for _, worst := range []State{Unseen, Failed, Absent, Partial, OK} {
		for _, s := range steps {
			if s.State == worst {
				out.State = worst
				switch worst {
				case Unseen:
					return Slot{}
				case Failed, Absent:
					return out
				}
				goto counts
			}
		}
	}
counts:
	share, weights := new(big.Rat), new(big.Rat)
	good := big.NewRat(1, 1)
	for i, s := range steps {
		if s.Total == 0 {
			continue
		}
		if out.Total == 0 {
			out.Total = s.Total
		}
		r := big.NewRat(s.Bad, s.Total)
		w := big.NewRat(j.Steps[i].Weight, 1000)
		weights.Add(weights, w)
		switch j.Combine {
		case slo.Weighted:
			share.Add(share, w.Mul(w, r))
		case slo.Product:
			good.Mul(good, new(big.Rat).Sub(big.NewRat(1, 1), r))
		default:
			if r.Cmp(share) > 0 {
				share = r
			}
		}
	}
	if out.Total == 0 {
		return out
	}
	switch j.Combine {
	case slo.Weighted:
		share.Quo(share, weights)
	case slo.Product:
		share.Sub(big.NewRat(1, 1), good)
	}
	bad := share.Mul(share, big.NewRat(out.Total, 1))
	bad.Add(bad, big.NewRat(1, 2))
	out.Bad = new(big.Int).Quo(bad.Num(), bad.Denom()).Int64()
	return out
}

func drawJourney(t *rapid.T) (*slo.Journey, []Slot) {
	j := &slo.Journey{Combine: rapid.SampledFrom([]slo.Combine{slo.Weakest, slo.Product, slo.Weighted}).Draw(t, "combine")}
	var steps []Slot
	for range rapid.IntRange(2, 5).Draw(t, "steps") {
		j.Steps = append(j.Steps, slo.Step{Weight: rapid.Int64Range(1, 1_000_000).Draw(t, "weight")})
		total := rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, 1e7), rapid.Int64Range(0, 1<<60)).Draw(t, "total")
		s := Count(rapid.Int64Range(0, total).Draw(t, "bad"), total)
		switch rapid.IntRange(0, 12).Draw(t, "state") {
		case 0:
			s = Slot{State: rapid.SampledFrom([]State{Unseen, Absent, Failed}).Draw(t, "unknown")}
		case 1:
			s.State = Partial
		case 2:
			s.Backfilled = true
		case 3:
			s.Estimated = true
		}
		steps = append(steps, s)
	}
	return j, steps
}

func TestComposeIsWhatTheRulesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j, steps := drawJourney(t)
		got, want := compose(j, steps), naive(j, steps)
		if got != want {
			t.Fatalf("%s of %+v: %+v, by the rules %+v", j.Combine, steps, got, want)
		}
		if got.Bad < 0 || got.Bad > got.Total {
			t.Fatalf("%+v", got)
		}
	})
}

// The figure lies between its bounds; the weakest step is the lower one.
func TestComposeLiesBetweenItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j, steps := drawJourney(t)
		s := compose(j, steps)
		if !s.State.Known() || j.Combine == slo.Weighted {
			return
		}
		var sums []Sum
		for _, step := range steps {
			sums = append(sums, Sum{Bad: step.Bad, Total: step.Total})
		}
		b := boundsOf(s.Total, sums)
		if b.Least > s.Bad || s.Bad > b.Most || b.Most > s.Total {
			t.Fatalf("%s: %+v is not within %+v", j.Combine, s, b)
		}
		if j.Combine == slo.Weakest && s.Bad > b.Least+1 {
			t.Fatalf("the weakest is %d, and cannot be above %d", s.Bad, b.Least)
		}
	})
}

// One step that knows nothing is enough; and the order of the steps after the first changes
// nothing.
func TestComposeKnowsNoMoreThanItsStepsAndNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j, steps := drawJourney(t)
		s := compose(j, steps)
		for _, step := range steps {
			if s.State.Known() && !step.State.Known() {
				t.Fatalf("%+v, although a step is %s", s, step.State)
			}
		}
		if steps[0].Total == 0 {
			return
		}
		turned := &slo.Journey{Combine: j.Combine, Steps: append([]slo.Step{j.Steps[0]}, reversed(j.Steps[1:])...)}
		if got := compose(turned, append([]Slot{steps[0]}, reversed(steps[1:])...)); got != s {
			t.Fatalf("%+v in one order, %+v in another", s, got)
		}
	})
}

func reversed[T any](in []T) (out []T) {
	for i := len(in) - 1; i >= 0; i-- {
		out = append(out, in[i])
	}
	return out
}

// Over any stretch, in minutes or in hours, the figure lies between the bounds.
func TestBoundsOverHoldTheFigure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j := journeyOf(rapid.SampledFrom([]slo.Combine{slo.Weakest, slo.Product}).Draw(t, "combine"), 1, 1)
		steps := []*Ledger{yesterday(), yesterday()}
		for m := Minute(600); m < 600+240; m++ {
			for _, l := range steps {
				total := rapid.Int64Range(0, 3000).Draw(t, "total")
				l.Put(m, Count(rapid.Int64Range(0, total).Draw(t, "bad"), total))
			}
		}
		own := ComposeAll(j, steps)
		from, to := Minute(600+rapid.Int64Range(0, 120).Draw(t, "from")), Minute(600+rapid.Int64Range(120, 240).Draw(t, "to"))
		for range 2 {
			sum, b := own.Sum(from, to), BoundsOver(own, steps, from, to)
			if b.Least > sum.Bad || sum.Bad > b.Most || b.Most > sum.Total {
				t.Fatalf("%+v is not within %+v", sum, b)
			}
			own.Thin(780)
			steps[0].Thin(780)
		}
	})
}

func TestWorstOf(t *testing.T) {
	for name, c := range map[string]struct {
		sums []Sum
		want int
	}{
		"none is bad":                   {[]Sum{{Total: 5}, {}}, -1},
		"the higher share":              {[]Sum{{Bad: 5, Total: 100}, {Bad: 1, Total: 10}}, 1},
		"the first of two that are bad": {[]Sum{{}, {Bad: 1, Total: 2}, {Bad: 2, Total: 4}}, 1},
	} {
		if got := WorstOf(c.sums); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

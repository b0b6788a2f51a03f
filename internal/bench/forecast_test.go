package bench

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/chance"
	"github.com/slowburn-sre/slowburn/slo"
)

// burning is a kind of life whose budget begins to burn, and goes on at that rate until it is gone.
type burning struct {
	name      string
	perMinute float64
	daily     float64       // swing of the traffic over the day: 0.6 is ±60 %
	uneven    float64       // standard deviation of the logarithm of a day's traffic; weekends have half
	clump     float64       // failures come in clumps of so many
	from, to  float64       // burn rate, evenly drawn by its logarithm
	after     time.Duration // since the onset, when the forecast is made
	old       int           // days of ledger
	told      bool          // the middle has to be known, and right nine times of ten
}

var burnings = []burning{
	{name: "6,000/min, 3 min in", perMinute: 6000, from: 10, to: 200, after: 3 * time.Minute, told: true},
	{name: "6,000/min, 30 min in", perMinute: 6000, from: 10, to: 200, after: 30 * time.Minute, told: true},
	{name: "6,000/min ±60 % a day, 3 min in", perMinute: 6000, daily: 0.6, from: 10, to: 200, after: 3 * time.Minute, told: true},
	{name: "6,000/min ±60 % a day, 30 min in", perMinute: 6000, daily: 0.6, from: 10, to: 200, after: 30 * time.Minute, told: true},
	{name: "6,000/min ±60 % a day, burn 1.5 to 8, 5 h in", perMinute: 6000, daily: 0.6, from: 1.5, to: 8, after: 5 * time.Hour, told: true},
	{name: "6,000/min ±60 % a day, days ±15 %, weekends half, 30 min in", perMinute: 6000, daily: 0.6, uneven: 0.15, from: 10, to: 200, after: 30 * time.Minute},
	{name: "the same, burn 1.5 to 8, 5 h in", perMinute: 6000, daily: 0.6, uneven: 0.15, from: 1.5, to: 8, after: 5 * time.Hour},
	{name: "60/min ±90 % a day, 30 min in", perMinute: 60, daily: 0.9, from: 10, to: 200, after: 30 * time.Minute},
	{name: "60/min, 30 min in", perMinute: 60, from: 10, to: 200, after: 30 * time.Minute},
	{name: "1/min, 60 min in", perMinute: 1, from: 20, to: 300, after: time.Hour},
	{name: "600/min, clumps of 10, 5 min in", perMinute: 600, clump: 10, from: 10, to: 200, after: 5 * time.Minute},
	{name: "600/min, clumps of 10, 30 min in", perMinute: 600, clump: 10, from: 10, to: 200, after: 30 * time.Minute},
	{name: "6,000/min ±60 % a day, a ledger of ten days, 30 min in", perMinute: 6000, daily: 0.6, from: 10, to: 200, after: 30 * time.Minute, old: 10},
	{name: "6,000/min ±60 % a day, a ledger of four days, 30 min in", perMinute: 6000, daily: 0.6, from: 10, to: 200, after: 30 * time.Minute, old: 4},
}

const (
	burningShare    = 0.001 // of bad events that the objective allows
	burningDays     = 28
	burningSpent    = 0.3  // share of the budget that is spent when the burn begins
	burningIdle     = 0.15 // burn rate before
	burningMinutes  = 73 * 60
	burningDay      = 24 * 60
	burningYearDays = 100
)

// burningLife is one of them, minute by minute from its beginning; sums go up to a minute.
type burningLife struct {
	kind        burning
	rng         *rand.Rand
	begin       budget.Minute
	phase       float64
	days        [burningYearDays]float64
	bads, alls  []float64
	onset       budget.Minute
	late, share float64 // how much of the onset's minute was over when it began; what fails since
	old         budget.Minute
	wasted      float64 // a minute, for an hour
}

func newBurningLife(k burning, seed uint64) *burningLife {
	x := &burningLife{kind: k, rng: chance.New(seed, k.name), begin: budget.MinuteOf(t0), bads: []float64{0}, alls: []float64{0}}
	if k.old == 0 {
		k.old = 35
	}
	x.phase = 2 * math.Pi * x.rng.Float64()
	for i := range x.days {
		x.days[i] = math.Exp(k.uneven * x.rng.NormFloat64())
		if k.uneven > 0 && i%7 >= 5 {
			x.days[i] /= 2
		}
	}
	x.begin += budget.Minute(60 * x.rng.IntN(7*24))
	x.onset = x.begin + budget.Minute(k.old*burningDay) + budget.Minute(x.rng.IntN(60))
	x.late, x.share = x.rng.Float64(), burningShare*k.from*math.Pow(k.to/k.from, x.rng.Float64())
	x.old = x.onset - budget.Minute((1+x.rng.Float64()*float64(min(k.old-2, 22)))*burningDay)
	x.wasted = (burningSpent - burningIdle) * burningShare * k.perMinute * burningDays * burningDay / 60
	return x
}

// minute returns what happens in the next minute: the bad and all events.
func (x *burningLife) minute() (bad, total float64) {
	m := x.begin + budget.Minute(len(x.alls)-1)
	day := float64(m) / burningDay
	mean := x.kind.perMinute * (1 + x.kind.daily*math.Sin(2*math.Pi*day+x.phase)) * x.days[int64(m-budget.MinuteOf(t0))/burningDay%burningYearDays]
	total = chance.Poisson(x.rng, mean)
	share := burningShare * burningIdle
	switch {
	case m == x.onset:
		share = x.late*share + (1-x.late)*x.share
	case m > x.onset:
		share = x.share
	}
	if x.kind.clump > 0 {
		bad = x.kind.clump * chance.Poisson(x.rng, share*total/x.kind.clump)
	} else {
		bad = chance.Binomial(x.rng, total, share)
	}
	if m >= x.old && m < x.old+60 {
		bad += chance.Poisson(x.rng, x.wasted)
	}
	bad = min(bad, total)
	x.bads = append(x.bads, x.bads[len(x.bads)-1]+bad)
	x.alls = append(x.alls, x.alls[len(x.alls)-1]+total)
	return bad, total
}

// ledger returns what a daemon holds of the life at a minute.
func (x *burningLife) ledger(at budget.Minute) *budget.Ledger {
	l, fine := &budget.Ledger{}, (at - burningMinutes).Hour()
	hour := budget.Sum{Known: 60}
	for m := x.begin; m < at; m++ {
		bad, total := x.minute()
		slot := budget.Count(int64(bad)*budget.Unit, int64(total)*budget.Unit)
		if m.Hour() >= fine {
			l.Put(m, slot)
			continue
		}
		hour.Bad, hour.Total = hour.Bad+slot.Bad, hour.Total+slot.Total
		if m%60 == 59 {
			l.PutHour(m.Hour(), hour)
			hour = budget.Sum{Known: 60}
		}
	}
	return l
}

// newestBad returns one past the newest minute before at that had a bad event.
func (x *burningLife) newestBad(at budget.Minute) budget.Minute {
	for i := at - x.begin; at > x.onset+1 && x.bads[i] == x.bads[i-1]; i-- {
		at--
	}
	return at
}

// gone goes on until the budget is gone, and returns the minute after which it is; false if it is
// not within the length of a window.
func (x *burningLife) gone(at budget.Minute) (budget.Minute, bool) {
	for m := at; m < at+burningDays*burningDay; m++ {
		x.minute()
		from := m + 1 - burningDays*burningDay
		from -= from % 60
		i := max(from-x.begin, 0)
		bad, total := x.bads[len(x.bads)-1]-x.bads[i], x.alls[len(x.alls)-1]-x.alls[i]
		if from < x.begin {
			total *= float64(m+1-from) / float64(m+1-x.begin)
		}
		if bad > burningShare*total {
			return m + 1, true
		}
	}
	return 0, false
}

// tally counts what came of the forecasts of a kind: those that tell nothing, those that tell the
// middle, and of these those that are right within a quarter; those whose band holds what came; and
// of the plain forecasts, those that are right.
type tally struct{ lives, silent, told, right, inside, plain int }

func (n *tally) add(f budget.Outlook, plain, came time.Duration, ends bool) {
	n.lives++
	near := func(said time.Duration) bool {
		x := float64(said) / float64(came)
		return ends && 0.8 <= x && x <= 1.25
	}
	switch {
	case f.Lasts && ends, f.Gone:
	case f.Lasts:
		n.inside++
	case !f.Known:
		n.silent++
	case !ends && f.Late == 0, ends && f.Early <= came && (came <= f.Late || f.Late == 0):
		n.inside++
	}
	if f.In > 0 {
		n.told++
		if near(f.In) {
			n.right++
		}
	}
	if near(plain) {
		n.plain++
	}
}

// plainForecast divides what is left of the budget by the burn of the last hour, as dashboards do.
func plainForecast(l *budget.Ledger, o slo.Objective, w slo.Window, at budget.Minute) time.Duration {
	burn, _ := budget.Burn(l.Sum(at-60, at), o)
	if burn == 0 {
		return 0
	}
	return time.Duration(budget.StatusAt(l, o, w, at).Remaining() / burn * float64(w.Length()))
}

// Forecasts are held against lives in which the burn really goes on: where the middle is told, the
// budget is gone within a quarter of it nine times of ten, and the band contains what comes four
// times of five.
func TestForecastsComeTrue(t *testing.T) {
	objective, err := slo.ParseObjective("99.9")
	if err != nil {
		t.Fatal(err)
	}
	window := slo.Window{Rolling: burningDays * slo.Day}
	told, right := 0, 0
	percent := func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
	for _, k := range burnings {
		if *lives < 20 && !k.told {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			var n tally
			for seed := range *lives {
				x := newBurningLife(k, uint64(seed))
				at := x.onset + budget.Minutes(k.after)
				l := x.ledger(at)
				f := budget.Forecast(l, objective, budget.StatusAt(l, objective, window, at), []budget.Burnt{{From: x.onset, To: x.newestBad(at)}}, 5*time.Minute, 30*time.Minute, time.Hour, 6*time.Hour)
				plain := plainForecast(l, objective, window, at)
				gone, ends := x.gone(at)
				n.add(f, plain, time.Duration(gone-at)*time.Minute, ends)
			}
			spoke := n.lives - n.silent
			t.Logf("of %d lives %d are silent; the middle is told in %.0f %% and within 0.8 to 1.25 in %.0f %% of these; %.0f %% are in the band; left ÷ burn of the last hour is within 0.8 to 1.25 in %.0f %%",
				n.lives, n.silent, percent(n.told, spoke), percent(n.right, n.told), percent(n.inside, spoke), percent(n.plain, n.lives))
			if right := percent(n.right, n.lives); k.told && right < 90 {
				t.Errorf("said and right in %.0f %% of all lives, want nine of ten", right)
			}
			if inside := percent(n.inside, spoke); *lives >= 50 && (inside < 74 || inside > 90) {
				t.Errorf("%.0f %% are in the band of 80 %%", inside)
			}
			told, right = told+n.told, right+n.right
		})
	}
	if percent(right, told) < 90 {
		t.Errorf("of all middles that were told %.0f %% are right, want nine of ten", percent(right, told))
	}
}

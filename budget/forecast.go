package budget

import (
	"math"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

// Outlook says when the budget of a window will be gone if the present burn goes on.
type Outlook struct {
	// Known is false when fewer than five bad events back the forecast, or there is no traffic:
	// then nothing is said at all.
	Known bool
	// Gone is true when the budget is already spent.
	Gone bool
	// Lasts is true when the budget is never exhausted at this rate, because old errors age out of
	// the window faster than new ones come, or because a calendar window resets first.
	Lasts bool
	// In is the time to exhaustion, in whole hours, or in minutes below six hours; Early and Late
	// are its 80 % band. Late is zero when the slower end of the band never gets there.
	In, Early, Late time.Duration
	// Over is the look-back that stands for the present burn.
	Over time.Duration
}

// minForecastEvents is how many bad events a forecast needs: below it the band is wider than any
// use of it.
const minForecastEvents = 5

// Forecast extends the present burn into the future.
//
// The present burn is that of the shortest look-back (counted back from at; shortest first) that
// tells enough: five bad events, or so many good ones that the budget certainly lasts.
//
// The budget is that of [StatusAt], also while the window has seen less than its length. It finds
// the smallest h for which
//
//	bad(t+h−P, t] + r_bad·h > allowed·(total(t+h−P, t] + r_total·h)
//
// that is, it lets old errors age out of a rolling window while new ones come in; dividing what is
// left by the rate, as is often done, does not. The band takes r_bad at the 10th and the 90th
// percentile of Gamma(k+½), the posterior of a Poisson rate after k bad events.
func Forecast(l *Ledger, o slo.Objective, w slo.Window, at Minute, lookbacks ...time.Duration) Outlook {
	now := StatusAt(l, o, w, at)
	if now.Sum.Bad > 0 && now.Left() < 0 {
		return Outlook{Known: true, Gone: true}
	}
	for _, lookback := range lookbacks {
		recent := l.Sum(at-Minutes(lookback), at)
		k, total := float64(recent.Bad)/Unit, float64(recent.Total)/Unit
		switch {
		case k >= minForecastEvents:
			return extend(l, o, w, at, recent, lookback)
		case total > 0 && gammaQuantile(k+0.5, z90) < total*o.AllowedRatio():
			return Outlook{Lasts: true, Over: lookback}
		}
	}
	return Outlook{}
}

// extend forecasts from the burn of a look-back.
func extend(l *Ledger, o slo.Objective, w slo.Window, at Minute, recent Sum, lookback time.Duration) Outlook {
	k, hours := float64(recent.Bad)/Unit, float64(recent.Seen())/60
	run := func(events float64) time.Duration {
		return exhaustion(l, o, w, at, events*Unit/hours, float64(recent.Total)/hours)
	}
	f := Outlook{
		Known: true, Over: lookback,
		In: run(k), Early: run(gammaQuantile(k+0.5, z90)), Late: run(gammaQuantile(k+0.5, -z90)),
	}
	f.Lasts = f.In == 0
	return f
}

// exhaustion returns the time until the budget is gone at the given rates per hour, 0 if it never
// is.
func exhaustion(l *Ledger, o slo.Objective, w slo.Window, at Minute, badRate, totalRate float64) time.Duration {
	limit := int(w.Length() / time.Hour)
	from := MinuteOf(w.Start(at.Time()))
	if reset := w.Reset(at.Time()); !reset.IsZero() {
		limit = int(reset.Sub(at.Time()) / time.Hour)
	}
	kept := l.Sum(from, at)
	// What the window is taken to hold beyond what was seen ([StatusAt]) gives way to what is yet
	// to come.
	unseen := float64(basisOf(l, w, from, at, kept).total - kept.Total)
	fading := totalRate
	if w.Calendar == "" {
		fading = unseen / max(float64(l.Begin()-from)/60, 1)
	}
	for h := 1; h <= limit; h++ {
		if w.Calendar == "" {
			kept = kept.minus(l.Sum(from+Minute(h-1)*60, min(from+Minute(h)*60, at)))
		}
		room := o.AllowedRatio()*(float64(kept.Total)+max(unseen-fading*float64(h), 0)) - float64(kept.Bad)
		net := badRate - o.AllowedRatio()*totalRate // how fast it shrinks
		if room < net*float64(h) {
			return inHours(max(room/net, float64(h-1)), h)
		}
	}
	return 0
}

// Recovery returns when at least a share of the budget, in basis points, is left again if no event
// goes bad from now on and traffic stays what it was: in a rolling window old errors age out hour
// by hour, a calendar window starts anew. It is at itself if that much is left already.
func Recovery(l *Ledger, o slo.Objective, w slo.Window, at Minute, basisPoints int64) time.Time {
	s := StatusAt(l, o, w, at)
	if !s.LeftBelow(basisPoints) {
		return s.At
	}
	if reset := w.Reset(s.At); !reset.IsZero() {
		return reset
	}
	from := MinuteOf(s.From)
	for t := s.At.Truncate(time.Hour).Add(time.Hour); ; t = t.Add(time.Hour) {
		next := MinuteOf(w.Start(t))
		if next >= at {
			return t
		}
		s.Sum, from = s.Sum.minus(l.Sum(from, next)), next
		if !s.LeftBelow(basisPoints) {
			return t
		}
	}
}

// inHours returns x hours, which lie in the hour that ends with h: to the minute while minutes
// matter, else to the hour.
func inHours(x float64, h int) time.Duration {
	if h > 6 {
		return time.Duration(h) * time.Hour
	}
	return max(time.Duration(math.Ceil(x*60))*time.Minute, time.Minute)
}

func (s Sum) minus(o Sum) Sum {
	return Sum{
		less(s.Bad, o.Bad), less(s.Total, o.Total),
		s.Known - o.Known, s.Partial - o.Partial, s.Unknown - o.Unknown, s.BadSlots - o.BadSlots, s.Excused - o.Excused, s.Estimated - o.Estimated,
	}
}

// z90 is the 90th percentile of the standard normal distribution.
const z90 = 1.2815515655446004

// gammaQuantile returns the quantile of Gamma(shape, 1) at the standard normal deviate z, by the
// Wilson–Hilferty approximation; for shapes above five it is good to a percent.
func gammaQuantile(shape, z float64) float64 {
	c := 1 / (9 * shape)
	return shape * math.Pow(max(1-c+z*math.Sqrt(c), 0), 3)
}

package budget

import (
	"math"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

// Outlook says when the budget of a window will be gone if the present burn goes on.
type Outlook struct {
	// Known is false when fewer than five bad events back the forecast, or there is no traffic:
	// then nothing is said at all.
	Known bool
	// Gone is true when the budget is already spent. Neither this nor Lasts is told of a budget
	// whose size is not known yet ([Status.Sized]).
	Gone bool
	// Lasts is true when the budget is not exhausted at this rate, at the early end of the band
	// either: old errors age out of the window faster than new ones come, or a calendar window
	// resets first.
	Lasts bool
	// In is the time to exhaustion, in whole hours, or in minutes below six hours. It is zero where
	// nobody can know it within a quarter nine times of ten (few events, clumps, a burn that barely
	// exhausts the budget, a budget whose size is not known yet): then only the band may be told.
	In time.Duration
	// Early and Late are the band in which it lies four times of five. Late is zero when the slower
	// end never gets there.
	Early, Late time.Duration
	// Over is how much of the past stands for the present burn, and Rate its burn rate: 1 uses up
	// the budget exactly within its window.
	Over time.Duration
	Rate float64
}

// minForecastEvents is how many bad events a forecast needs: below it the band is wider than any
// use of it.
const minForecastEvents = 5

// z90 is the 90th percentile of the standard normal distribution.
const z90 = 1.2815515655446004

// Burnt is a burn that alerts have told of.
type Burnt struct {
	From, To Minute // from its onset to one past the newest minute that belongs to it
	Over     bool   // an alert says so; else it may go on
}

// Forecast extends the present burn of a budget, which stands as [StatusAt] says, into the future.
//
// The present burn is the share of bad events since the onset of the burn that goes on. Where the
// shorter look-backs (counted back from now) disagree with it, because it has changed, they win: it
// is the share over the longest of them that agrees with all shorter ones. The minute of the onset
// is left out if it can be, for the failures began somewhere in it.
//
// A burn that is over tells nothing of what is to come. Its minutes are left out, and the
// look-backs reach as much further back: what is left is how the budget usually burns. It is over
// as soon as what came after it cannot have been the same burn, even before an alert says so.
//
// The traffic to come is that of the same hours of the weeks before, times what the last hour was
// of its usual traffic ([traffic]). The budget is that of [StatusAt] at every moment to come, also
// while the window has seen less than its length: old events age out of a rolling window while new
// ones come in. Dividing what is left by the rate, as is often done, does neither.
//
// The band is wide for three reasons: few bad events tell the share (a Gamma posterior, widened by
// how unevenly they came: [Ledger.dispersion]), few are left until the budget is gone, and traffic
// is not what it usually is, as much as it was not in the weeks before.
func Forecast(l *Ledger, o slo.Objective, now Status, told []Burnt, lookbacks ...time.Duration) Outlook {
	out := forecast(l, o, now, MinuteOf(now.At), told, lookbacks)
	switch {
	case now.Sized:
	case out.Gone || out.Lasts:
		return Outlook{} // of a budget whose size is not known
	default:
		out.In = 0
	}
	return out
}

// forecast does what [Forecast] does, as if the size of the budget were known.
func forecast(l *Ledger, o slo.Objective, now Status, at Minute, told []Burnt, lookbacks []time.Duration) Outlook {
	if now.Sum.Bad > 0 && now.Left() < 0 {
		return Outlook{Known: true, Gone: true}
	}
	onset, over := past{l}.goesOn(at, told)
	usual := past{l}.aside(over)
	burns := usual.burnsOf(at, onset, lookbacks)
	if i := slices.IndexFunc(burns, func(b burn) bool { return b.total > 0 }); i < 0 {
		return Outlook{}
	} else if burns = burns[i:]; !slices.ContainsFunc(burns, func(b burn) bool { return !b.harmless(now, o) }) {
		return Outlook{Lasts: true, Over: burns[0].length(at), Rate: burns[0].share() / o.AllowedRatio()}
	}
	prior := usual.clumps(burns[len(burns)-1].from)
	present := burns[0]
	for _, longer := range burns[1:] {
		if !usual.agree(present.from, longer, at, prior) {
			break
		}
		present = longer
	}
	phi, _ := usual.dispersion(present.from, at, present.share(), prior)
	out := newRoad(l, o, now.Window, at).outlook(present, phi)
	out.Over, out.Rate = present.length(at), present.share()/o.AllowedRatio()
	return out
}

// past is a ledger of which a forecast asks how it burned.
type past struct{ *Ledger }

// burn is what went bad since a minute, in events.
type burn struct {
	from       Minute
	bad, total float64
}

func (l past) burnSince(from, at Minute) burn {
	s := l.Sum(from, at)
	return burn{from, float64(s.Bad) / Unit, float64(s.Total) / Unit}
}

// goesOn returns the onset of the burn that goes on at a time, zero if none does, and those that
// are over by then.
func (l past) goesOn(at Minute, told []Burnt) (onset Minute, over []excuse) {
	for _, b := range told {
		switch {
		case b.From >= at:
		case b.To > at, !b.Over && !l.ended(b, at):
			onset = max(onset, b.From)
		default:
			over = append(over, excuse{from: b.From, to: b.To})
		}
	}
	return onset, over
}

// ended reports whether what came after a burn cannot have been the same: so few bad events are
// three standard deviations below it.
func (l past) ended(b Burnt, at Minute) bool {
	was, since := l.burnSince(min(b.From+1, b.To-1), b.To), l.burnSince(b.To, at)
	if was.total == 0 || since.total == 0 || since.share() >= was.share() {
		return false
	}
	_, uneven := l.dispersion(was.from, b.To, was.share(), l.clumps(b.From))
	return differ(was, since, uneven)
}

// differ reports whether the shares of two burns are three standard deviations or more apart, if
// bad events came so unevenly.
func differ(a, b burn, uneven float64) bool {
	p, d := (a.bad+b.bad)/(a.total+b.total), a.share()-b.share()
	return d*d > 9*uneven*variance(p)*(1/a.total+1/b.total)
}

// aside returns the ledger without some stretches, to be read until it is written the next time. Of
// an hour of which only the sum is known, nothing is left if it has a part in one.
func (l past) aside(over []excuse) past {
	if len(over) == 0 {
		return l
	}
	x := &Excuses{}
	if l.excuses != nil {
		x.union = slices.Clone(l.excuses.union)
	}
	for _, s := range over {
		if !l.fineAt(s.from.Hour()) {
			s.from = floorHour(s.from)
		}
		if last := (s.to - 1).Hour(); !l.fineAt(last) {
			s.to = Minute((last + 1) * 60)
		}
		x.union = sorted(append(x.union, without(s, x.union)...))
	}
	rest := *l.Ledger
	rest.excuses, rest.memo = x, nil
	return past{&rest}
}

// back returns the minute since which so many minutes have passed, without those that are left out.
func (l past) back(at, minutes Minute) Minute {
	from := at - minutes
	if l.excuses != nil {
		for _, s := range slices.Backward(l.excuses.union) {
			from -= max(min(s.to, at)-max(s.from, from), 0)
		}
	}
	return from
}

// burnsOf returns the burns that may stand for the present one, shortest first.
func (l past) burnsOf(at, onset Minute, lookbacks []time.Duration) []burn {
	var all []burn
	open := onset > 0
	for _, lookback := range lookbacks {
		if from := l.back(at, Minutes(lookback)); !open || from > onset+1 {
			all = append(all, l.burnSince(from, at))
		}
	}
	if open {
		since := l.burnSince(onset+1, at)
		if since.bad < minForecastEvents {
			since = l.burnSince(onset, at)
		}
		all = append(all, since)
	}
	return all
}

func (b burn) share() float64 { return min(b.bad/b.total, 1) }

func (b burn) length(at Minute) time.Duration { return time.Duration(at-b.from) * time.Minute }

// harmless reports, without a look at the traffic to come, that a burn is far from exhausting the
// budget, as most are.
func (b burn) harmless(now Status, o slo.Objective) bool {
	if b.total == 0 {
		return true
	}
	more := 1.5 * gammaQuantile(b.bad+0.5, z90) / b.total / o.AllowedRatio() * float64(now.Allowed)
	return float64(now.Sum.Bad)+more < 0.75*float64(now.Allowed)
}

// agree reports whether what was before a burn that began at from, back to that of a longer one,
// can have been the same burn: the shares differ by less than three standard deviations.
func (l past) agree(from Minute, longer burn, at Minute, prior float64) bool {
	recent, older := l.burnSince(from, at), l.burnSince(longer.from, from)
	if recent.total == 0 || older.total == 0 {
		return true
	}
	_, now := l.dispersion(from, at, recent.share(), prior)
	_, then := l.dispersion(older.from, from, older.share(), prior)
	return !differ(recent, older, max(now, then))
}

// variance returns that of one event that is bad with probability p; never zero, so that nothing is
// certain because all have failed so far.
func variance(p float64) float64 { return p * max(1-p, 0.02) }

// dispersion says how unevenly bad events came in [from, to), if the share p of all was bad: the
// variance of their number over that of independent ones, at least 1. It is measured over pieces in
// which at least one is expected, minutes or (of more than six hours, or where minutes are not
// kept) hours, and drawn to prior as four more pieces would. The first result compares each piece
// with p, the second with the piece before: a change of the share makes only the first large.
func (l past) dispersion(from, to Minute, p, prior float64) (around, between float64) {
	pieces, chi, steps, last := -1.0, 0.0, 0.0, 0.0
	bad, total := 0.0, 0.0
	add := func(b, t int64) {
		bad, total = bad+float64(b)/Unit, total+float64(t)/Unit
		if p*total < 1 {
			return
		}
		d := (bad - p*total) / math.Sqrt(variance(p)*total)
		if pieces >= 0 {
			steps += (d - last) * (d - last) / 2
		}
		chi, last, pieces, bad, total = chi+d*d, d, pieces+1, 0, 0
	}
	if to-from <= 6*60 && from >= l.Fine() {
		l.Each(from, to, func(_ Minute, s Slot) bool {
			add(s.Bad, s.Total)
			return true
		})
	} else {
		for m := from; m < to; m += 60 {
			s := l.Sum(m, min(m+60, to))
			add(s.Bad, s.Total)
		}
	}
	mean := func(sum float64) float64 { return max((sum+4*prior)/(max(pieces, 0)+4), 1) }
	return mean(chi), mean(steps)
}

// clumps says how unevenly bad events came in the day before a minute: the median dispersion of
// its hours with at least five. It is 1 where that is not known.
func (l past) clumps(before Minute) float64 {
	var all []float64
	for from := max(floorHour(before)-24*60, l.Fine()); from+60 <= before; from += 60 {
		b := l.burnSince(from, from+60)
		if b.bad < minForecastEvents {
			continue
		}
		chi, n := 0.0, -1.0
		l.Each(from, from+60, func(_ Minute, s Slot) bool {
			if e := b.share() * float64(s.Total) / Unit; e > 0 {
				d := float64(s.Bad)/Unit - e
				chi, n = chi+d*d/e, n+1
			}
			return true
		})
		if n > 0 {
			all = append(all, chi/n)
		}
	}
	if len(all) < 3 {
		return 1
	}
	slices.Sort(all)
	return max(all[len(all)/2], 1)
}

// outlook forecasts from a burn whose bad events came with a dispersion.
func (r *road) outlook(b burn, phi float64) Outlook {
	p := b.share()
	if b.bad < minForecastEvents {
		if _, ends := r.spentAfter(gammaQuantile(b.bad/phi+0.5, z90) * phi / b.total); ends {
			return Outlook{}
		}
		return Outlook{Lasts: true}
	}
	middle, ends := r.spentAfter(p)
	shape := 1 / (phi*variance(p)/p/b.bad + phi/max(p*r.events(middle)/Unit, 1))
	miss := r.traffic.miss(middle)
	at := func(z float64) (float64, bool) {
		spread := math.Log(gammaQuantile(shape, z) / gammaQuantile(shape, 0))
		wide := math.Copysign(math.Hypot(spread, z*miss), z)
		return r.spentAfter(min(p*math.Exp(wide), 1))
	}
	early, perhaps := at(z90)
	if !perhaps {
		return Outlook{Known: true, Lasts: true}
	}
	out := Outlook{Known: true, Early: inMinutes(early)}
	late, ever := at(-z90)
	if ever {
		out.Late = inMinutes(late)
	}
	if ends && ever && early >= 0.8*middle && late <= 1.25*middle {
		out.In = inMinutes(middle)
	}
	return out
}

// Recovery returns when at least a share of the budget, in basis points, is left again if no event
// goes bad from now on and traffic stays what it was: in a rolling window old errors age out hour
// by hour, a calendar window starts anew. It is now if that much is left already.
func Recovery(l *Ledger, s Status, basisPoints int64) time.Time {
	w, at := s.Window, MinuteOf(s.At)
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

// inMinutes returns a time in minutes as a duration: to the minute within a day, else to the hour.
func inMinutes(x float64) time.Duration {
	if x > 24*60 {
		return time.Duration(math.Round(x/60)) * time.Hour
	}
	return time.Duration(max(math.Round(x), 1)) * time.Minute
}

func (s Sum) minus(o Sum) Sum {
	return Sum{
		less(s.Bad, o.Bad), less(s.Total, o.Total),
		s.Known - o.Known, s.Partial - o.Partial, s.Unknown - o.Unknown, s.BadSlots - o.BadSlots, s.Excused - o.Excused, s.Estimated - o.Estimated,
	}
}

// gammaQuantile returns the quantile of Gamma(shape, 1) at the standard normal deviate z, by the
// Wilson–Hilferty approximation; for shapes above five it is good to a percent.
func gammaQuantile(shape, z float64) float64 {
	c := 1 / (9 * shape)
	return shape * math.Pow(max(1-c+z*math.Sqrt(c), 0), 3)
}

package budget

import (
	"math/big"

	"github.com/slowburn-sre/slowburn/slo"
)

// A derived journey has no events of its own. Each of its minutes takes its number of events from
// the first step that had any, since that is where users begin, and its share of bad ones from the
// steps' shares. Taking the worst step's slot as it stands would let a quiet step fail unseen: with
// 1,000 requests a minute in the shop and 10 at the till, a day without the till would be 1 in
// 2,700 of four weeks' events.

// compose returns the slot of a journey's minute, given the slots of its steps in their order.
//
// What one step does not know the journey does not know: the state is that of the worst step, and
// there are counts only if every step has some, as where all are Partial. A step without traffic
// has no share and is left out; if none had traffic, the journey had none. The order of the steps
// decides nothing but the number of events.
func compose(j *slo.Journey, steps []Slot) Slot {
	parts := make([]part, 0, len(steps))
	s := Slot{State: ZeroTraffic}
	for i, step := range steps {
		s.Backfilled = s.Backfilled || step.Backfilled
		s.Estimated = s.Estimated || step.Estimated
		s.Shared = s.Shared || step.Shared
		if gravity[step.State] > gravity[s.State] {
			s.State = step.State
		}
		parts = appendPart(parts, j, i, step.Bad, step.Total)
	}
	switch {
	case s.State == Unseen || s.State == Excused:
		return Slot{}
	case s.State == Absent || s.State == Failed || len(parts) == 0:
		return s
	case s.State == ZeroTraffic:
		s.State = OK
	}
	s.Total, s.Bad = parts[0].total, badOf(j.Combine, parts)
	return s
}

// gravity orders states by how little they tell.
var gravity = [...]int{ZeroTraffic: 0, OK: 1, Partial: 2, Absent: 3, Failed: 4, Unseen: 5, Excused: 6}

// composeHour returns the sum of a journey's hour where the minutes of a step are gone. It is less
// exact than the sum of composed minutes: failures of two steps in different minutes of the hour
// look as if they had met. So no minute of it counts as known, but as partial. The zero Sum is an
// hour in which a step was never read.
func composeHour(j *slo.Journey, steps []Sum) Sum {
	parts := make([]part, 0, len(steps))
	seen, unknown, estimated := 60, 0, 0
	for i, step := range steps {
		if step.Seen()+step.Unknown == 0 {
			return Sum{}
		}
		seen = min(seen, step.Seen())
		unknown, estimated = max(unknown, step.Unknown), max(estimated, step.Estimated)
		parts = appendPart(parts, j, i, step.Bad, step.Total)
	}
	if seen == 0 {
		return Sum{Unknown: unknown}
	}
	s := Sum{Partial: seen, Unknown: min(unknown, 60-seen), Estimated: min(estimated, seen)}
	if len(parts) > 0 {
		s.Total, s.Bad = parts[0].total, badOf(j.Combine, parts)
	}
	return s
}

// ComposeAt returns the slot of a journey's minute, from the ledgers of its steps. It is false
// where a step keeps no minutes any more, so that only the hour can be had, from [ComposeHourAt].
// It goes by what was measured: corrections of a step say nothing about the journey, which may have
// corrections of its own.
func ComposeAt(j *slo.Journey, steps []*Ledger, m Minute) (Slot, bool) {
	slots := make([]Slot, len(steps))
	for i, l := range steps {
		if m < l.Fine() {
			return Slot{}, false
		}
		slots[i] = l.Gross().At(m)
	}
	return compose(j, slots), true
}

// ComposeHourAt returns the sum of a journey's hour, counted from the Unix epoch, from the ledgers
// of its steps.
func ComposeHourAt(j *slo.Journey, steps []*Ledger, h int64) Sum {
	return composeHour(j, sumsOf(steps, Minute(h*60), Minute(h*60+60)))
}

func sumsOf(ledgers []*Ledger, from, to Minute) []Sum {
	sums := make([]Sum, len(ledgers))
	for i, l := range ledgers {
		sums[i] = l.Gross().Sum(from, to)
	}
	return sums
}

// ComposeAll returns the ledger of a journey as far back as those of all its steps go.
func ComposeAll(j *slo.Journey, steps []*Ledger) *Ledger {
	out := &Ledger{}
	from, fine, to := steps[0].First(), Minute(0), steps[0].End()
	for _, l := range steps {
		if l.Empty() {
			return out
		}
		from, fine, to = max(from, l.First()), max(fine, l.Fine()), min(to, l.End())
	}
	for h := from.Hour(); h < min(fine, to).Hour(); h++ {
		if sum := ComposeHourAt(j, steps, h); sum != (Sum{}) {
			out.PutHour(h, sum)
		}
	}
	for m := max(from, fine); m < to; m++ {
		if s, _ := ComposeAt(j, steps, m); s.State != Unseen {
			out.Put(m, s)
		}
	}
	return out
}

// Bounds are the least and the most events of a journey that can have been bad, given its steps, in
// thousandths. If the failures of the steps always met the same users, the journey is as bad as its
// worst step; if they never did, the failures add up (Fréchet's bounds).
type Bounds struct{ Least, Most int64 }

// plus returns the sum of both.
func (b Bounds) plus(o Bounds) Bounds { return Bounds{Add(b.Least, o.Least), Add(b.Most, o.Most)} }

// boundsOf returns the bounds of a number of a journey's events, given the sums of its steps over
// the same time. They hold for weakest and product; a weighted mean is no share of users and has
// none.
func boundsOf(total int64, steps []Sum) (b Bounds) {
	for _, s := range steps {
		if s.Total <= 0 {
			continue
		}
		b.Least = max(b.Least, Scale(total, s.Bad, s.Total))
		b.Most = min(total, Add(b.Most, scaleUp(total, s.Bad, s.Total, uint64(s.Total)-1)))
	}
	return b
}

// BoundsOver returns the bounds of a journey's bad events in [from, to), from its own ledger and
// those of its steps. Where only hours are kept they are wider, and they always hold the journey's
// own figure.
func BoundsOver(own *Ledger, steps []*Ledger, from, to Minute) (b Bounds) {
	fine := own.Fine()
	for _, l := range steps {
		fine = max(fine, l.Fine())
	}
	from, to = max(from, own.First()), min(to, own.End())
	for m := from; m < to; {
		end := m + 1
		if m < fine {
			end = min(Minute((m.Hour()+1)*60), to)
		}
		if sum := own.Sum(m, end); sum.Total > 0 {
			one := boundsOf(sum.Total, sumsOf(steps, m, end))
			b = b.plus(Bounds{min(one.Least, sum.Bad), max(one.Most, sum.Bad)})
		}
		m = end
	}
	return b
}

// WorstOf returns the index of the sum with the highest share of bad events, the first of several;
// -1 if none is bad.
func WorstOf(sums []Sum) int {
	worst := -1
	for i, s := range sums {
		if s.Bad > 0 && (worst < 0 || CompareProducts(s.Bad, sums[worst].Total, sums[worst].Bad, s.Total) > 0) {
			worst = i
		}
	}
	return worst
}

// part is what a step with traffic adds.
type part struct{ bad, total, weight int64 }

func appendPart(parts []part, j *slo.Journey, i int, bad, total int64) []part {
	if total <= 0 {
		return parts
	}
	return append(parts, part{bad, total, j.Steps[i].Weight})
}

// badOf returns how many of the first part's events were bad for the journey, rounded to the
// nearest thousandth.
func badOf(c slo.Combine, parts []part) (bad int64) {
	total := parts[0].total
	switch c {
	case slo.Product:
		good := big.NewRat(1, 1)
		for _, p := range parts {
			good.Mul(good, big.NewRat(p.total-p.bad, p.total))
		}
		return rounded(total, good.Sub(big.NewRat(1, 1), good))
	case slo.Weighted:
		sum, weights := new(big.Rat), int64(0)
		for _, p := range parts {
			sum.Add(sum, new(big.Rat).Mul(big.NewRat(p.bad, p.total), big.NewRat(p.weight, 1)))
			weights += p.weight
		}
		return rounded(total, sum.Quo(sum, big.NewRat(weights, 1)))
	}
	for _, p := range parts {
		bad = max(bad, scaleUp(total, p.bad, p.total, uint64(p.total)/2))
	}
	return bad
}

// rounded returns total × ratio to the nearest whole number; half is rounded up.
func rounded(total int64, ratio *big.Rat) int64 {
	x := ratio.Mul(ratio, big.NewRat(total, 1))
	n := new(big.Int).Lsh(x.Num(), 1)
	n.Add(n, x.Denom())
	return n.Quo(n, new(big.Int).Lsh(x.Denom(), 1)).Int64()
}

package budget

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Excuses are the minutes of one budget that corrections leave out. They are laid over a ledger by
// [Ledger.Excuse] and never written into it. A minute is excused once, by the first correction that
// may.
//
// A cap bounds each correction: of every window that ends anywhere it excuses at most that share,
// in minutes, the earliest ones first. Which minutes those are follows from the corrections alone,
// not from traffic and not from when somebody looks; so a replay excuses the same, and what a plan
// may cost is known beforehand.
//
// Excuses are never changed after they are made. Nil excuses nothing.
type Excuses struct {
	by    []*slo.Correction
	spans []excuse // disjoint, oldest first
	union []excuse // the same, adjoining ones joined whoever excuses them
	over  []excuse // what the caps have cut, oldest first
}

// excuse is a stretch of minutes [from, to) and the index of the correction.
type excuse struct {
	from, to Minute
	by       int
}

// covers reports whether the whole of hour h is in the stretch.
func (e excuse) covers(h int64) bool { return e.from <= Minute(h*60) && Minute((h+1)*60) <= e.to }

// NewExcuses works out which minutes the corrections excuse in a budget whose first window is w.
func NewExcuses(corrections []*slo.Correction, w slo.Window) *Excuses {
	x := &Excuses{by: corrections}
	for i, c := range corrections {
		r := ration{window: w, limit: Minutes(w.Length()) * Minute(c.Cap) / 10000}
		all := Minute(0)
		for _, s := range c.Spans {
			all += Minutes(s.To.Sub(s.From))
		}
		r.ample = all <= r.limit
		for _, s := range c.Spans {
			for _, free := range without(excuse{MinuteOf(s.From), MinuteOf(s.To), i}, x.spans) {
				r.take(free)
			}
		}
		x.spans = sorted(append(x.spans, r.taken...))
		x.over = sorted(append(x.over, r.over...))
	}
	if len(x.spans)+len(x.over) == 0 {
		return nil
	}
	for _, s := range x.spans {
		x.union = join(x.union, s)
	}
	return x
}

func sorted(all []excuse) []excuse {
	slices.SortStableFunc(all, func(a, b excuse) int { return cmp.Compare(a.from, b.from) })
	return all
}

// join appends a stretch, or lengthens the last one that it adjoins.
func join(all []excuse, e excuse) []excuse {
	if n := len(all); n > 0 && all[n-1].to == e.from {
		all[n-1].to = e.to
		return all
	}
	return append(all, e)
}

// without returns what is left of a stretch outside of others, which are disjoint and sorted.
func without(e excuse, others []excuse) []excuse {
	var rest []excuse
	for _, o := range within(others, e.from, e.to) {
		if e.from < o.from {
			rest = append(rest, excuse{e.from, o.from, e.by})
		}
		e.from = o.to
	}
	if e.from < e.to {
		rest = append(rest, e)
	}
	return rest
}

// within returns the stretches that have a minute in [from, to), of disjoint and sorted ones.
func within(all []excuse, from, to Minute) []excuse {
	i := sort.Search(len(all), func(i int) bool { return all[i].to > from })
	n := sort.Search(len(all)-i, func(n int) bool { return all[i+n].from >= to })
	return all[i : i+n]
}

// ration gives out the minutes of one correction, oldest first, as long as its cap allows.
type ration struct {
	window      slo.Window
	limit       Minute
	ample       bool // the cap is not reached, wherever the minutes lie
	taken, over []excuse
	sum         Minute // of taken
	old         int    // of taken, how many lie wholly before the window
	oldSum      Minute // and their sum
}

func (r *ration) take(e excuse) {
	if r.ample {
		r.taken = join(r.taken, e)
		return
	}
	for m := e.from; m < e.to; m++ {
		one := excuse{m, m + 1, e.by}
		if r.used(MinuteOf(r.window.Start(m.End()))) >= r.limit {
			r.over = join(r.over, one)
			continue
		}
		r.taken = join(r.taken, one)
		r.sum++
	}
}

// used returns how many of the taken minutes lie at start or after it, where the window begins.
// Start never goes back.
func (r *ration) used(start Minute) Minute {
	for r.old < len(r.taken) && r.taken[r.old].to <= start {
		r.oldSum += r.taken[r.old].to - r.taken[r.old].from
		r.old++
	}
	used := r.sum - r.oldSum
	if r.old < len(r.taken) {
		used -= max(start-r.taken[r.old].from, 0)
	}
	return used
}

// At returns the correction that excuses a minute and the first minute that it does not excuse any
// more; nil if none does.
func (x *Excuses) At(m Minute) (*slo.Correction, Minute) {
	if x == nil {
		return nil, 0
	}
	if s := within(x.spans, m, m+1); len(s) > 0 {
		return x.by[s[0].by], s[0].to
	}
	return nil, 0
}

// cuts reports whether an hour is excused in part, so that its minutes must be kept.
func (x *Excuses) cuts(h int64) bool {
	if x == nil {
		return false
	}
	s := within(x.union, Minute(h*60), Minute((h+1)*60))
	return len(s) > 0 && !s[0].covers(h)
}

// Excuse lays corrections over the ledger: from now on it reads net, and an excused minute counts
// for nothing. Its slots stay as they were read; [Ledger.Gross] shows them. Nil takes corrections
// off.
//
// An hour that is excused in part keeps its minutes when the ledger is thinned. If they are gone
// already, because the correction came later or history was read by the hour, that hour is not
// excused: nobody knows what to leave out.
func (l *Ledger) Excuse(x *Excuses) { l.excuses = x }

// Gross returns the ledger without its corrections, for reading until the ledger is written the
// next time.
func (l *Ledger) Gross() *Ledger {
	if l.excuses == nil {
		return l
	}
	gross := *l
	gross.excuses, gross.memo = nil, nil
	return &gross
}

// Excuses returns the corrections that are laid over the ledger.
func (l *Ledger) Excuses() *Excuses { return l.excuses }

// excused reports whether a minute is left out.
func (l *Ledger) excused(m Minute) bool {
	if l.excuses == nil {
		return false
	}
	s := within(l.excuses.union, m, m+1)
	return len(s) > 0 && (l.fineAt(m.Hour()) || s[0].covers(m.Hour()))
}

// corrected is a ledger of which is asked what corrections leave out.
type corrected struct{ *Ledger }

// without takes from the gross sum of [from, to) what corrections leave out.
func (l corrected) without(sum Sum, from, to Minute) Sum {
	if l.excuses == nil || from >= to {
		return sum
	}
	for _, s := range within(l.excuses.union, from, to) {
		left := l.leaves(s, from, to)
		sum = sum.minus(left)
		sum.Excused += left.Known + left.Partial + left.Unknown
	}
	return sum
}

// leaves returns what a stretch of the union leaves out of the gross sum of [from, to). Where only
// the sum of an hour is known, the hour is left out whole or not at all.
func (l corrected) leaves(s excuse, from, to Minute) Sum {
	var sum Sum
	a, b := max(s.from, from, l.First()), min(s.to, to, l.end)
	for a < b {
		h := a.Hour()
		end := min(b, Minute((h+1)*60))
		if last := Minute(b.Hour() * 60); a == Minute(h*60) && last > a {
			end = last
			sum = sum.Plus(l.gross(a, end))
		} else if l.fineAt(h) || s.covers(h) {
			sum = sum.Plus(l.part(h, a, end))
		}
		a = end
	}
	return sum
}

// LeftOut is what one correction leaves out of a window.
type LeftOut struct {
	Correction *slo.Correction
	Sum        Sum // of the minutes that are left out
	Capped     int // minutes that it names and that count all the same, because the cap is reached
	Coarse     int // minutes that it names and that count all the same, because only the sum of their hour is known
}

// Minutes returns how many minutes that were read are left out.
func (o LeftOut) Minutes() int { return o.Sum.Known + o.Sum.Partial + o.Sum.Unknown }

// Text says it in words: "db-upgrade: 20 minutes of planned maintenance (anna: a new database)",
// and what counts all the same.
func (o LeftOut) Text() string {
	c := o.Correction
	text := fmt.Sprintf("%s: %s of %s (%s: %s)", c.Name, figures.Plural(o.Minutes(), "minute"), c.Kind.Text(), c.Author, c.Reason)
	if o.Capped > 0 {
		text += fmt.Sprintf("; its cap is reached, %s more count", figures.Plural(o.Capped, "minute"))
	}
	if o.Coarse > 0 {
		text += fmt.Sprintf("; %s more count, as only the sum of their hour is known", figures.Plural(o.Coarse, "minute"))
	}
	return text
}

// leftOut returns what each correction leaves out of [from, to), in their order; corrections that
// name no minute of it are left out.
func (l corrected) leftOut(from, to Minute) []LeftOut {
	x := l.excuses
	if x == nil || l.Empty() {
		return nil
	}
	all := make([]LeftOut, len(x.by))
	from, to = max(from, l.First()), min(to, l.end)
	for _, s := range within(x.spans, from, to) {
		all[s.by].Correction = x.by[s.by]
		l.attribute(&all[s.by], s, from, to)
	}
	for _, s := range x.over {
		if n := min(s.to, to) - max(s.from, from); n > 0 {
			all[s.by].Correction = x.by[s.by]
			all[s.by].Capped += int(n)
		}
	}
	return slices.DeleteFunc(all, func(o LeftOut) bool { return o.Correction == nil })
}

// attribute adds what a stretch leaves out, hour by hour. An hour of which only the sum is known
// belongs to who excuses its beginning.
func (l corrected) attribute(e *LeftOut, s excuse, from, to Minute) {
	for a, b := max(s.from, from), min(s.to, to); a < b; {
		h := a.Hour()
		end := min(b, Minute((h+1)*60))
		whole := within(l.excuses.union, a, a+1)[0].covers(h)
		switch {
		case l.fineAt(h) || whole && s.from <= max(Minute(h*60), from):
			e.Sum = e.Sum.Plus(l.part(h, a, end))
		case !whole:
			e.Coarse += int(end - a)
		}
		a = end
	}
}

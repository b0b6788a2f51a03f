package budget

import "time"

// Stretch is a window of time with what happened in it.
type Stretch struct {
	From, To Minute
	Sum      Sum
	// Searched is the part of the time asked for in which a window of this length could be looked
	// for, in minutes. Below an hour that is where minutes are still kept.
	Searched Minute
}

// Worst returns the window of the given length in [from, to) in which the largest share of events
// was bad, the first one of several; false if there were no events. Windows below an hour begin at
// any minute, longer ones at any whole hour.
//
// Two services with the same share of bad events over a month differ here: one outage of 43 minutes
// has a worst hour far below that of 43 single bad minutes. Source: Hauer et al., Meaningful
// Availability, NSDI 2020.
func Worst(l *Ledger, from, to Minute, length time.Duration) (Stretch, bool) {
	step := Minute(1)
	if length >= time.Hour {
		step, from, to = 60, Minute((from+59)/60*60), Minute(to/60*60)
	}
	n := int(Minutes(length) / step)
	cells, first := l.cells(from, to, step)
	worst, sum, found := Stretch{Searched: Minute(len(cells)) * step}, Sum{}, false
	for i, c := range cells {
		sum = sum.Plus(c)
		if i >= n {
			sum = sum.minus(cells[i-n])
		}
		if i < n-1 || sum.Total == 0 {
			continue
		}
		if !found || worse(sum, worst.Sum) {
			at := first + Minute(i+1-n)*step
			worst.From, worst.To, worst.Sum, found = at, at+Minute(n)*step, sum, true
		}
	}
	return worst, found
}

// cells returns the sums of every step of [from, to), without the part at the beginning that is not
// kept so finely.
func (l *Ledger) cells(from, to, step Minute) (cells []Sum, first Minute) {
	from, to = max(from, l.First()), min(to, l.end)
	if step == 1 {
		l.Each(from, to, func(m Minute, s Slot) bool {
			if cells == nil {
				first = m
			}
			for first+Minute(len(cells)) < m {
				cells = append(cells, Sum{})
			}
			var one Sum
			one.add(s)
			cells = append(cells, one)
			return true
		})
		return cells, first
	}
	for m := from; m < to; m += step {
		cells = append(cells, l.Sum(m, m+step))
	}
	return cells, from
}

// worse compares the shares of bad events, exactly.
func worse(a, b Sum) bool { return CompareProducts(a.Bad, b.Total, b.Bad, a.Total) > 0 }

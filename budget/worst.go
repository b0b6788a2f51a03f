package budget

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

// Stretch is a window of time with what happened in it.
type Stretch struct {
	From, To Minute
	Sum      Sum // of five minutes only the bad events and all events
	// Searched is the part of the time asked for in which a window of this length could be looked
	// for, in minutes.
	Searched Minute
}

// fiveMinutes is the shortest window whose worst is looked for.
const fiveMinutes = 5

// five is the worst five minutes of an hour: what stays of its minutes when they are thinned out.
type five struct {
	at         Minute // where they begin, a multiple of five minutes
	bad, total int64
}

// Worst returns the window of the given length in [from, to) in which the largest share of events
// was bad, the first one of several; false if no event went bad. Lengths are five minutes, or whole
// hours: windows of five minutes begin at a multiple of them, longer ones at any whole hour. So
// none depends on whether minutes have been thinned out. Where bad events are known only by the
// hour, as a coarse backfill reads them, there are no worst five minutes.
//
// Two services with the same share of bad events over a month differ here: one outage of 43 minutes
// has a worst hour far below that of 43 single bad minutes. Source: Hauer et al., Meaningful
// Availability, NSDI 2020.
func Worst(l *Ledger, from, to Minute, length time.Duration) (Stretch, bool) {
	if length < time.Hour {
		return l.worstFive(from, to)
	}
	from, to = max(Minute((from+59).Hour()*60), l.First()), min(Minute(to.Hour()*60), l.end)
	n := int(length / time.Hour)
	worst, sum, cells := Stretch{}, Sum{}, []Sum(nil)
	for m := from; m < to; m += 60 {
		worst.Searched += 60
		cells = append(cells, l.Sum(m, m+60))
		i := len(cells)
		if sum = sum.Plus(cells[i-1]); i > n {
			sum = sum.minus(cells[i-1-n])
		}
		if i >= n && worse(sum, worst.Sum) {
			worst.From, worst.To, worst.Sum = m-Minute(n-1)*60, m+60, sum
		}
	}
	return worst, worst.Sum.Bad > 0
}

// worse compares the shares of bad events, exactly. Anything bad is worse than no events.
func worse(a, b Sum) bool {
	return a.Bad > 0 && (b.Total == 0 || CompareProducts(a.Bad, b.Total, b.Bad, a.Total) > 0)
}

// worstFive returns the worst five minutes of [from, to).
func (l *Ledger) worstFive(from, to Minute) (Stretch, bool) {
	from, to = max(from, l.First()), min(to, l.end)
	worst, whole := Stretch{}, true
	for h := from.Hour(); Minute(h*60) < to; h++ {
		first, last := max(from, Minute(h*60)), min(to, Minute(h*60+60))
		if !l.fineAt(h) {
			f, ok := l.fiveOf(h)
			switch sum := (Sum{Bad: f.bad, Total: f.total}); {
			case l.Sum(first, last).Bad == 0:
			case !ok || first > f.at || f.at+fiveMinutes > last:
				whole = false
				continue
			case worse(sum, worst.Sum):
				worst.From, worst.To, worst.Sum = f.at, f.at+fiveMinutes, sum
			}
			worst.Searched += last - first
			continue
		}
		worst.Searched += last - first
		for m := (first + fiveMinutes - 1) / fiveMinutes * fiveMinutes; m+fiveMinutes <= last; m += fiveMinutes {
			if sum := l.Sum(m, m+fiveMinutes); worse(sum, worst.Sum) {
				worst.From, worst.To, worst.Sum = m, m+fiveMinutes, Sum{Bad: sum.Bad, Total: sum.Total}
			}
		}
	}
	return worst, whole && worst.Sum.Bad > 0
}

// remember keeps the worst five minutes of an hour whose minutes are about to go.
func (l *Ledger) remember(h int64, packed []byte) {
	var worst, sum Sum
	slots, at := unpack(packed), Minute(0)
	for i, s := range slots {
		if i%fiveMinutes == 0 {
			sum = Sum{}
		}
		if sum.add(s); i%fiveMinutes == fiveMinutes-1 && worse(sum, worst) {
			worst, at = sum, Minute(h*60)+Minute(i)-fiveMinutes+1
		}
	}
	if worst.Bad > 0 {
		l.putFive(five{at, worst.Bad, worst.Total})
	}
}

func (l *Ledger) putFive(f five) {
	i, found := l.findFive(f.at.Hour())
	if found {
		l.fives[i] = f
		return
	}
	l.fives = slices.Insert(l.fives, i, f)
}

func (l *Ledger) findFive(h int64) (int, bool) {
	return slices.BinarySearchFunc(l.fives, h, func(f five, h int64) int { return cmp.Compare(f.at.Hour(), h) })
}

// fiveOf returns the worst five minutes of an hour without minutes, and false if they are not
// known.
func (l *Ledger) fiveOf(h int64) (five, bool) {
	i, found := l.findFive(h)
	if !found {
		return five{}, false
	}
	return l.fives[i], true
}

// appendFive writes what is known of the worst five minutes of an hour for the disk.
func (l *Ledger) appendFive(b []byte, h int64) []byte {
	f, ok := l.fiveOf(h)
	if !ok {
		return b
	}
	b = append(b, hourWorst, byte((f.at-Minute(h*60))/fiveMinutes))
	b = binary.AppendUvarint(b, uint64(f.bad))
	return binary.AppendUvarint(b, uint64(f.total))
}

// loadFive reads what appendFive wrote, and returns the rest.
func (l decoder) loadFive(h int64, b []byte) ([]byte, error) {
	if len(b) == 0 || b[0] >= 60/fiveMinutes {
		return nil, errDamaged
	}
	f := five{at: Minute(h*60) + fiveMinutes*Minute(b[0])}
	var err error
	f.bad, b, err = readCount(b[1:], nil)
	f.total, b, err = readCount(b, err)
	if err != nil || f.bad > f.total {
		return nil, errDamaged
	}
	l.putFive(f)
	return b, nil
}

package postmortem

import (
	"math"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
)

// Bucket is a few minutes of the ledger around the incident.
type Bucket struct {
	From, To time.Time
	Sum      budget.Sum
	Minutes  int // minutes in it; those that Sum does not hold were never read
}

// Known reports whether at least one of its minutes is known.
func (b Bucket) Known() bool { return b.Sum.Seen() > 0 }

// maxBuckets is how many rows a reader can take in; a longer incident is shown in longer buckets.
const maxBuckets = 48

// bucketSizes are the lengths of a bucket, shortest first.
var bucketSizes = []budget.Minute{5, 15, 30, 60, 180, 360, 720, 1440}

// profile cuts the time from a little before the incident to a little after it into buckets. Where
// the minutes have been thinned out only whole hours can be shown.
func profile(l *budget.Ledger, from, to budget.Minute) []Bucket {
	size := bucketSizes[0]
	for _, s := range bucketSizes {
		size = s
		if (to-from)/s+1 <= maxBuckets-6 && (s >= 60 || fine(l, from-3*s)) {
			break
		}
	}
	var all []Bucket
	for m := floor(from, size) - 3*size; m < floor(to-1, size)+4*size && len(all) < 2*maxBuckets; m += size {
		all = append(all, Bucket{From: m.Time(), To: (m + size).Time(), Sum: l.Sum(m, m+size), Minutes: int(size)})
	}
	return all
}

// fine reports whether the ledger still keeps the minutes from m on, or never had any there.
func fine(l *budget.Ledger, m budget.Minute) bool {
	first := l.End()
	l.Each(m, l.End(), func(k budget.Minute, _ budget.Slot) bool {
		first = k
		return false
	})
	return first <= m || l.Sum(m, first) == budget.Sum{}
}

func floor(m, size budget.Minute) budget.Minute {
	r := m % size
	if r < 0 {
		r += size
	}
	return m - r
}

// bars are eighths of a full bar.
var bars = []rune("▁▂▃▄▅▆▇█")

// bar returns the bar for a share of the highest, 0…1.
func bar(share float64) rune { return bars[int(share*float64(len(bars)-1)+0.5)] }

// Sparkline draws the curve from zero, or from its lowest value if that is below, to its highest;
// what is not known is a dot. Noise so looks like noise.
func (c Curve) Sparkline() string {
	low, high := 0.0, 0.0
	for _, v := range c.Values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	var s strings.Builder
	for _, v := range c.Values {
		switch {
		case math.IsNaN(v):
			s.WriteRune('·')
		case high <= low:
			s.WriteRune(bars[0])
		default:
			s.WriteRune(bar((v - low) / (high - low)))
		}
	}
	return s.String()
}

// Sparkline draws the bad share of each bucket against the worst one. A bucket without bad events
// is the lowest bar, one of which nothing is known is a dot, one without traffic is a blank.
func Sparkline(buckets []Bucket) string {
	worst := 0.0
	for _, b := range buckets {
		ratio, _ := b.Sum.BadRatio()
		worst = max(worst, ratio)
	}
	var s strings.Builder
	for _, b := range buckets {
		ratio, traffic := b.Sum.BadRatio()
		switch {
		case !b.Known():
			s.WriteRune('·')
		case !traffic:
			s.WriteRune(' ')
		case worst == 0:
			s.WriteRune(bars[0])
		default:
			s.WriteRune(bar(ratio / worst))
		}
	}
	return s.String()
}

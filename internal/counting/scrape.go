package counting

import (
	"math"
	"slices"
)

// scrape is what one scrape of a target shows. It tells whether the process began anew or lives on,
// and how many events each sample shows; it notes restarts, and in cursors what is told by a value.
type scrape struct {
	view
	target          int32
	ms              int64
	before          int64 // the scrape before, ms
	shown           []shown
	starts, created Starts
}

// shown is what one scrape shows of a series.
type shown struct {
	series int32
	v      float64
}

// isReset reports whether a counter has begun anew between two values, rather than standing a
// little lower for a moment: it has lost an eighth.
func isReset(from, to float64) bool { return to < from && to <= from-from/8 }

// evidence looks for a restart of the target, and reports whether some series shows that there was
// none: it stands at least seven eighths as high as before, and higher than a new process can.
func (sc *scrape) evidence() (lives bool) {
	target, ms, before := sc.target, sc.ms, sc.before
	t, fell := &sc.Targets[target], false
	for _, s := range sc.shown {
		cur := &sc.Cursors[s.series]
		fell = fell || s.v < cur.Value && sc.known(s.series) && ms > cur.MS && !unusable(s.v) && !t.restarted(cur.MS, ms)
	}
	if !fell || !sc.index.Scraped[target] {
		return false
	}
	bound, deep := sc.bound(target, ms, before), false
	if t.Last == t.Born && sc.rate(target) == 0 { // after one scrape nobody knows what a new process can have
		bound = math.Inf(1)
	}
	for _, s := range sc.shown {
		cur := &sc.Cursors[s.series]
		switch {
		case !sc.known(s.series) || ms <= cur.MS || unusable(s.v) || t.restarted(cur.MS, ms):
		case isReset(cur.Value, s.v): // since an older sample it may have fallen at any time
			deep = deep || cur.MS >= before
		default:
			lives = lives || cur.Value > bound
		}
	}
	if deep && !lives {
		t.restart(ms)
	}
	return lives
}

// increment returns how many events a sample shows and since when they may have happened. It moves
// the value of the cursor.
func (sc *scrape) increment(t *Target, cur *Cursor, s shown, lives bool) (n float64, from int64) {
	ms, before := sc.ms, sc.before
	old, gap := cur.Value, ms-cur.MS
	fall := old - s.v
	if fall > 0 && !t.restarted(cur.MS, ms) && (!isReset(old, s.v) || lives && cur.MS >= before && fall <= slack) {
		sc.blame(s.series, Glitch)
		if cur.Dips > 0 && s.v >= cur.Low {
			cur.Dips++
		} else {
			cur.Dips = 1
		}
		if cur.Low = s.v; cur.Dips >= glitchFor {
			cur.Value, cur.Dips = s.v, 0
		}
		return 0, cur.MS
	}
	if -fall > tooHigh && s.v > tooHigh { // no height to stand at: what comes back below was there before
		if cur.Dips++; cur.Dips < glitchFor {
			cur.Low = 0
			return -fall, cur.MS
		}
	}
	cur.Value, cur.Dips = s.v, 0
	switch {
	case fall > 0 || t.restarted(cur.MS, ms) || sc.createdAnew(s.series, cur.MS):
		return s.v, cur.MS
	case gap > forgive && before > cur.MS+gap/2 && s.v > 0:
		sc.blame(s.series, Away)
		if s.v <= sc.bound(sc.index.Series[s.series].Target, ms, before) {
			return s.v, before
		}
	}
	return s.v - old, cur.MS
}

// wentOnElsewhere reports whether what the target showed last has gone on in another, under whose
// name its process was since.
func (sc *scrape) wentOnElsewhere() bool {
	t := &sc.Targets[sc.target]
	return slices.ContainsFunc(sc.index.byTarget[sc.target], func(o int32) bool {
		cur := &sc.Cursors[o]
		return cur.Flags&Heir != 0 && cur.MS >= t.Last-t.interval()/2
	})
}

// drop passes over a value that never counts. What is no number may be the marker by which a series
// ends, which VictoriaMetrics answers with like with a sample: it is one where another series of
// the target begins, and is told as a fault only if the series goes on. Either way the scrape has
// not shown the series.
func (sc *scrape) drop(s shown, known bool, births *Group) {
	cur := &sc.Cursors[s.series]
	begins := func(o shown) bool {
		return !unusable(o.v) && sc.index.shares(s.series, o.series) && (!sc.known(o.series) ||
			sc.Cursors[o.series].Flags&Heir != 0 || births != nil && slices.Contains(births.Series, o.series))
	}
	switch {
	case math.IsNaN(s.v) && cur.MS > 0 && cur.Flags&(Ended|Heir) != 0:
		return
	case !known, !math.IsNaN(s.v), cur.Flags&Blank != 0:
		sc.blame(s.series, Dropped)
	case slices.ContainsFunc(sc.shown, begins):
		cur.Flags |= Ended
		return
	default:
		cur.Flags |= Blank
	}
}

// standIn returns the interval of the neighbours of what a scrape shows.
func (sc *scrape) standIn() int32 {
	for _, s := range sc.shown {
		for _, r := range sc.index.Series[s.series].Routes {
			if i := sc.Accounts[r.Account].Pace.Interval; i > 0 {
				return i
			}
		}
	}
	return 0
}

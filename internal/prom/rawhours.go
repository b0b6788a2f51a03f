package prom

import (
	"cmp"
	"math"
	"slices"

	"github.com/slowburn-sre/slowburn/internal/counting"
)

// This file counts the raw samples of irregular hours by the rules of live reading: scrape by scrape
// of a target, oldest first.

// shown is one sample of a scrape.
type shown struct {
	s *hourSeries
	v float64
}

// hourScrape is what one scrape of a target showed.
type hourScrape struct {
	target int32
	ms     int64
	shown  []shown
}

// rawHour is an hour whose irregular targets were read raw.
type rawHour struct {
	*hourCount
	t       *hourTable
	col     int
	newest  map[int32]int64 // by series: its last sample in the hour
	last    int64           // newest scrape of any target so far, 0 if there was none
	varying map[targetLabel]bool
}

// takeRaw counts an hour of the targets that were read raw.
func (c *hourCount) takeRaw(t *hourTable, col int, runs []counting.Run) {
	if len(runs) == 0 {
		return
	}
	h := &rawHour{hourCount: c, t: t, col: col, newest: map[int32]int64{}, varying: map[targetLabel]bool{}}
	for _, sc := range h.scrapes(runs) {
		h.scrape(&sc)
		h.last = sc.ms
	}
	for a := range t.present {
		h.noteEdges(a)
	}
}

// scrapes sorts samples into scrapes.
func (h *rawHour) scrapes(runs []counting.Run) (all []hourScrape) {
	series := map[int32]*hourSeries{}
	for _, s := range h.t.series {
		series[s.entry.series] = s
	}
	from, to := h.t.startOf(h.col), h.t.startOf(h.col+1)
	at := map[targetMs]int{}
	for _, r := range runs {
		s := series[r.Series]
		if s == nil {
			continue
		}
		for _, x := range r.Samples {
			switch {
			case x.MS <= from || x.MS > to:
				continue
			case math.IsNaN(x.V) || math.IsInf(x.V, 0) || x.V < 0:
				for _, route := range s.routes {
					h.dropped[route.Account]++
				}
				continue
			}
			key := targetMs{s.target, x.MS}
			i, ok := at[key]
			if !ok {
				i = len(all)
				at[key] = i
				all = append(all, hourScrape{target: s.target, ms: x.MS})
			}
			all[i].shown = append(all[i].shown, shown{s, x.V})
			h.newest[r.Series] = max(h.newest[r.Series], x.MS)
		}
	}
	slices.SortFunc(all, func(a, b hourScrape) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.target, b.target)) })
	return all
}

type targetMs struct {
	target int32
	ms     int64
}

// noteEdges notes until when an account has data, in an hour in which it ends.
func (h *rawHour) noteEdges(account int32) {
	if !h.t.is(account, h.col) || h.t.is(account, h.col+1) {
		return
	}
	tally := h.tally(account, h.t.first+int64(h.col))
	for _, s := range h.t.byAccount[account] {
		if slices.Contains(s.routes, counting.Route{Account: account, Role: counting.Total}) {
			tally.last = max(tally.last, h.newest[s.entry.series])
		}
	}
}

// scrape counts what one scrape of a target showed.
func (h *rawHour) scrape(sc *hourScrape) {
	tg := h.targets[sc.target]
	if tg == nil {
		tg = &hourTarget{born: sc.ms, interval: h.t.interval(sc.shown[0].s)}
		h.targets[sc.target] = tg
	}
	for _, x := range sc.shown {
		for _, r := range x.s.routes {
			if r.Role == counting.Total {
				h.see(r.Account, sc.ms)
				tally := h.tally(r.Account, h.t.first+int64(h.col))
				if tally.first == 0 || sc.ms < tally.first {
					tally.first = sc.ms
				}
			}
		}
	}
	if h.restarted(sc) {
		tg.restart = sc.ms
	}
	var born []shown
	sum := 0.0
	for _, x := range sc.shown {
		cur := h.cursors[x.s.entry.series]
		switch {
		case cur == nil:
			born = append(born, x)
		case sc.ms > cur.ms:
			n, glitch := h.increment(tg, cur, x, sc.ms)
			if glitch {
				continue
			}
			h.book(h.t, x.s, h.col, sc.ms, n, false)
			sum += n
			*cur = hourCursor{s: x.s, ms: sc.ms, v: x.v}
		}
	}
	if len(born) > 0 {
		h.births(tg, sc, born)
	}
	if sc.ms > tg.last {
		if tg.last > 0 {
			d := float64(sc.ms-tg.last) / 1000
			w := math.Pow(0.5, d/rateHalfLife)
			tg.rate = tg.rate*w + sum/d*(1-w)
		}
		tg.last = sc.ms
	}
}

const (
	rateHalfLife = 600 // seconds
	// awayLong is after what absence, while its target was scraped, a series may be a new counter.
	awayLong = 5 * minuteMs
	// dipsToBelieve is after how many samples below its old height a counter goes on from there.
	dipsToBelieve = 10
)

// restarted reports whether the process of a target began anew before a scrape: some counters fell
// by more than an eighth, and those that did not are the smaller part. A process that serves the
// counters of others resets one of them at a time.
func (h *rawHour) restarted(sc *hourScrape) bool {
	fell, rose := 0.0, 0.0
	for _, x := range sc.shown {
		switch cur := h.cursors[x.s.entry.series]; {
		case cur == nil || sc.ms <= cur.ms || h.targets[sc.target].restart > cur.ms:
		case x.v < cur.v-cur.v/8:
			fell += cur.v
		default:
			rose += cur.v
		}
	}
	return sc.shown[0].s.scraped && fell > 0 && fell >= rose
}

// increment returns how many events a sample shows since the series' cursor. A glitch shows none
// and leaves the cursor's height.
func (h *rawHour) increment(tg *hourTarget, cur *hourCursor, x shown, ms int64) (n float64, glitch bool) {
	switch {
	case x.s.scraped && tg.restart > cur.ms, x.v < cur.v-cur.v/8:
		return x.v, false
	case x.v >= cur.v:
		gap := ms - cur.ms
		if gap > awayLong && x.s.scraped && tg.last > cur.ms+gap/2 && x.v <= birthSlack+birthFactor*h.rate(tg, x.s)*float64(ms-tg.last)/1000 {
			return x.v, false
		}
		return x.v - cur.v, false
	}
	if cur.dipped > 0 && x.v >= cur.low {
		cur.dipped++
	} else {
		cur.dipped = 1
	}
	cur.low, cur.ms = x.v, ms
	if cur.dipped > dipsToBelieve {
		cur.v, cur.dipped = x.v, 0
	}
	return 0, true
}

// rate is how many events a second a target has lately: its own, or while it is young the mean of
// the others of its account.
func (h *rawHour) rate(tg *hourTarget, s *hourSeries) float64 {
	if tg.rate > 0 && tg.last-tg.born > 10*minuteMs {
		return tg.rate
	}
	sum, n := 0.0, 0.0
	for _, other := range h.t.neighbours(s.target, []*hourSeries{s}) {
		if o := h.targets[other]; o != nil && o.rate > 0 && o.last > h.t.startOf(h.col-1) && o.last-o.born > 5*minuteMs {
			sum, n = sum+o.rate, n+1
		}
	}
	if n == 0 {
		return tg.rate
	}
	return sum / n
}

// births judges all first values of one scrape of a target together.
func (h *rawHour) births(tg *hourTarget, sc *hourScrape, born []shown) {
	sum, worst := 0.0, 0.0
	for _, x := range born {
		sum, worst = sum+x.v, max(worst, x.v)
	}
	fresh := tg.last == 0
	rate := h.rate(tg, born[0].s)
	var heirs map[int32]*hourCursor
	if sum >= birthSlack {
		heirs = h.forerunners(tg, sc, born)
	}
	bound := birthSlack + birthFactor*rate*float64(h.gap(tg, sc.ms))/1000
	for _, x := range born {
		cur := heirs[x.s.entry.series]
		switch {
		case cur != nil:
			cur.heir = true
			h.book(h.t, x.s, h.col, sc.ms, x.v-cur.v, false)
		case heirs != nil:
			if x.v <= birthSlack+birthFactor*rate*60 {
				h.book(h.t, x.s, h.col, sc.ms, x.v, true)
			}
		case fresh && (worst > bound || h.mayBeLate(tg, sc, x.s)), x.v > bound, tg.old && sc.ms <= tg.born+2*tg.interval:
			tg.old = tg.old || fresh // a position, no more
		default:
			h.book(h.t, x.s, h.col, sc.ms, x.v, true)
		}
		h.cursors[x.s.entry.series] = &hourCursor{s: x.s, ms: sc.ms, v: x.v}
	}
}

// mayBeLate reports whether a target comes so soon after the first sight of its SLO that it only is
// scraped at another moment.
func (h *rawHour) mayBeLate(tg *hourTarget, sc *hourScrape, s *hourSeries) bool {
	return slices.ContainsFunc(s.routes, func(r counting.Route) bool {
		return sc.ms <= h.sight[h.info[r.Account].Promise]+tg.interval
	})
}

// gap is for how long a first value may have grown: since the scrape before of its target, or, of a
// new target, since something was scraped.
func (h *rawHour) gap(tg *hourTarget, ms int64) int64 {
	if tg.last > 0 {
		return ms - tg.last
	}
	from := ms - tg.interval
	if h.last > 0 {
		from = min(from, h.last)
	}
	return ms - from + minuteMs
}

// forerunners matches what appeared with what has vanished shortly before: fewest other labels
// first, then the nearest value. It is nil unless none of them stands lower now, and they are
// together too large for a new process.
func (h *rawHour) forerunners(tg *hourTarget, sc *hourScrape, born []shown) map[int32]*hourCursor {
	vanished := h.vanished(sc)
	if len(vanished) == 0 {
		return nil
	}
	out, used, sum := map[int32]*hourCursor{}, map[*hourCursor]bool{}, 0.0
	for _, x := range born {
		var best *hourCursor
		distance := 0
		for _, cur := range vanished {
			if used[cur] || !sameRoutes(cur.s, x.s) {
				continue
			}
			d := h.distance(cur.s, x.s)
			if d < 0 {
				continue
			}
			if best == nil || d < distance || d == distance && math.Abs(cur.v-x.v) < math.Abs(best.v-x.v) {
				best, distance = cur, d
			}
		}
		if best == nil {
			continue
		}
		if x.v < best.v {
			return nil
		}
		used[best] = true
		out[x.s.entry.series] = best
		sum += best.v
	}
	if sum < birthSlack {
		return nil
	}
	return out
}

// vanished returns the positions of series that had their last sample shortly before a scrape,
// sorted by series.
func (h *rawHour) vanished(sc *hourScrape) (all []*hourCursor) {
	targets := append(h.t.neighbours(sc.target, seriesOf(sc.shown)), sc.target)
	for _, target := range targets {
		tg := h.targets[target]
		if tg == nil {
			continue
		}
		for _, s := range h.t.byTarget[target] {
			cur := h.cursors[s.entry.series]
			if cur == nil || cur.heir || cur.ms >= sc.ms || sc.ms-cur.ms > tg.interval*7/2+minuteMs ||
				h.newest[s.entry.series] > cur.ms || s.has(h.col) && h.newest[s.entry.series] == 0 || s.has(h.col+1) {
				continue
			}
			all = append(all, cur)
		}
	}
	slices.SortFunc(all, func(a, b *hourCursor) int { return cmp.Compare(a.s.entry.series, b.s.entry.series) })
	return all
}

func seriesOf(all []shown) []*hourSeries {
	out := make([]*hourSeries, len(all))
	for i, x := range all {
		out[i] = x.s
	}
	return out
}

func sameRoutes(a, b *hourSeries) bool { return slices.Equal(a.routes, b.routes) }

// distance returns by how many labels two series differ, or -1 if they cannot be one: more than
// two, or a label that tells series of one target apart.
func (h *rawHour) distance(a, b *hourSeries) int {
	n := 0
	differs := func(name string) bool {
		n++
		return n > 2 || name == nameLabel || h.varies(a.target, name) || h.varies(b.target, name)
	}
	la, lb := a.labels(), b.labels()
	for name, v := range la {
		if lb[name] != v && differs(name) {
			return -1
		}
	}
	for name := range lb {
		if _, ok := la[name]; !ok && differs(name) {
			return -1
		}
	}
	return n
}

type targetLabel struct {
	target int32
	label  string
}

// varies reports whether series of one target, on the same metric, differ by a label at the same
// time: before this hour or after it, for in it they may have been renamed.
func (h *rawHour) varies(target int32, label string) bool {
	key := targetLabel{target, label}
	if known, ok := h.varying[key]; ok {
		return known
	}
	h.varying[key] = false
	for _, col := range []int{h.col - 1, h.col + 1} {
		values := map[string]string{}
		for _, s := range h.t.byTarget[target] {
			if !s.has(col) {
				continue
			}
			ls := s.labels()
			if v, ok := values[ls[nameLabel]]; ok && v != ls[label] {
				h.varying[key] = true
			}
			values[ls[nameLabel]] = ls[label]
		}
	}
	return h.varying[key]
}

package counting

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
)

// This file counts history by the hour.
//
// For an hour in which nothing began, ended or fell, the difference of the last value of the hour
// and the last one of the hour before is what happened in it: exactly, for differences telescope.
// So two values per series and hour are enough, where raw samples are a hundred times as many. Only
// the hours of a target of which the rules could say more ([Hours.Irregular]) are read raw, and are
// counted from the positions before them as live reading does.

const hourMs = 60 * minuteMs

// Row is what a server says of one series: its last value in each hour.
type Row struct {
	Series   int32
	Interval int64        // how far apart the scrapes of its target are, ms
	Last     []float64    // by column; NaN = no sample in that hour
	Gone     map[int]bool // columns at whose end it was not there any more, though it has a value
}

func (r *Row) has(col int) bool {
	return col >= 0 && col < len(r.Last) && !math.IsNaN(r.Last[col])
}

// TargetHour is an hour of a target, by its column.
type TargetHour struct {
	Target int32
	Col    int
}

// Table is what a server says of some hours.
type Table struct {
	First  int64 // hour of column 0, since the Unix epoch
	From   int   // the first column that is wanted; those before it, of which there is one at least, lead to it
	End    int   // one past the last column that is counted
	Ahead  bool  // the column at End is known, too: what has no value there has ended
	Rows   []*Row
	Resets map[TargetHour]bool // some counter fell in that hour, or at its edge
	// Starts are when the newest process of a target began, by the hours in which it was shown, ms,
	// and Reach how long after it its counters are shown at the latest.
	Starts map[TargetHour]int64
	Reach  int64

	byTarget  map[int32][]*Row
	byAccount map[int32][]*Row
	present   map[int32][]bool // by account and column: its total has samples
}

// StartOf returns when the hour of a column begins, ms.
func (t *Table) StartOf(col int) int64 { return (t.First + int64(col)) * hourMs }

// EndingAt returns the column of the hour that ends at a time, ms.
func (t *Table) EndingAt(ms int64) int { return int(ms/hourMs - 1 - t.First) }

// sort finds what belongs together. Rows are put in the order of their series.
func (t *Table) sort(x *Index) {
	slices.SortFunc(t.Rows, func(a, b *Row) int { return cmp.Compare(a.Series, b.Series) })
	t.byTarget, t.byAccount, t.present = map[int32][]*Row{}, map[int32][]*Row{}, map[int32][]bool{}
	for _, row := range t.Rows {
		s := &x.Series[row.Series]
		t.byTarget[s.Target] = append(t.byTarget[s.Target], row)
		for i, r := range s.Routes {
			if !slices.ContainsFunc(s.Routes[:i], func(o Route) bool { return o.Account == r.Account }) {
				t.byAccount[r.Account] = append(t.byAccount[r.Account], row)
			}
			if r.Role != Total {
				continue
			}
			p := t.present[r.Account]
			if p == nil {
				p = make([]bool, t.End+1)
				t.present[r.Account] = p
			}
			for col := range p {
				p[col] = p[col] || row.has(col)
			}
		}
	}
}

// is reports whether an account's total has samples in a column. What lies ahead and is not known
// is taken for a yes.
func (t *Table) is(account int32, col int) bool {
	if col == t.End && !t.Ahead {
		return true
	}
	p := t.present[account]
	return col >= 0 && col < len(p) && p[col]
}

// gone reports whether a series has no sample after a column, as far as that is known.
func (t *Table) gone(row *Row, col int) bool {
	return row.has(col) && !row.has(col+1) && (col+1 < t.End || t.Ahead)
}

// vanished returns the last value of a series that ended in an hour, or at its beginning.
func (t *Table) vanished(row *Row, col int) (last float64, ok bool) {
	switch {
	case t.gone(row, col):
		return row.Last[col], true
	case t.gone(row, col-1):
		return row.Last[col-1], true
	}
	return 0, false
}

// MayHide returns the targets whose process may have begun anew in the hours [from, to) although no
// counter stands lower at their ends: those of which no series stood higher than it can have come
// in an hour.
func (t *Table) MayHide(x *Index, from, to int) map[int32]bool {
	rows := map[int32][]*Row{}
	for _, row := range t.Rows {
		target := x.Series[row.Series].Target
		rows[target] = append(rows[target], row)
	}
	hide := map[int32]bool{}
	for target, rows := range rows {
		for col := max(from, 1); col < to && !hide[target]; col++ {
			shown, alive := 0, 0
			for _, row := range rows {
				if row.has(col-1) || row.has(col) {
					shown++
				}
				if row.outlives(col) {
					alive++
				}
			}
			hide[target] = shown > 0 && (alive == 0 || alive < shown && !x.Scraped[target]) // without a process every counter is alone
		}
	}
	maps.DeleteFunc(hide, func(_ int32, yes bool) bool { return !yes })
	return hide
}

// outlives reports whether a counter stands higher at the end of an hour than one that began in it
// can, by its busiest of the last hours.
func (r *Row) outlives(col int) bool {
	if !r.has(col) || !r.has(col-1) || r.Last[col] < r.Last[col-1] {
		return false
	}
	const hours = 6
	most := 0.0
	for at := max(col-hours+1, 1); at <= col; at++ {
		if r.has(at) && r.has(at-1) {
			most = max(most, r.Last[at]-r.Last[at-1])
		}
	}
	return r.Last[col] > slack+times*most
}

// hourTally is what an hour holds of an account.
type hourTally struct {
	sum     Tally
	partial int
	first   int64 // first and last sample of its total that was read raw
	last    int64
}

// Hours moves positions over tables of hours, the oldest first: [Hours.Begin] a table, and then,
// hour by hour, [Hours.Count] it.
type Hours struct {
	view
	c    *Counter
	t    *Table
	last map[int32]int64 // by account: newest sample of its total; of an hour that was not read raw its end
	hole map[int32]int64 // by account: its newest sample before the hole that ends in this hour
	sums map[int32]map[int64]*hourTally
}

// NewHours knows no position yet.
func NewHours(index *Index, promises int) *Hours {
	state := &State{Promises: make([]Promise, promises), Primed: true}
	return &Hours{view: view{state, index}, c: NewCounter(state, index, nil), last: map[int32]int64{}, hole: map[int32]int64{}, sums: map[int32]map[int64]*hourTally{}}
}

// Unsure does what [Counter.Unsure] does, for samples that are read raw.
func (h *Hours) Unsure(runs []Run) []int32 { return h.c.Unsure(runs) }

// Troubles returns what was wrong with each account so far, in the hours that are wanted.
func (h *Hours) Troubles() map[int32]*Trouble { return h.State.Troubles() }

// Begin takes up a table, and positions from its first column, as far as there are none from the
// tables before.
func (h *Hours) Begin(t *Table) {
	h.t = t
	h.Grow(len(h.index.Series), len(h.index.Scraped), len(h.index.Accounts))
	t.sort(h.index)
	for _, row := range t.Rows {
		for _, r := range h.index.Series[row.Series].Routes {
			if p := &h.Accounts[r.Account].Pace; p.Interval == 0 {
				p.Interval = int32(row.Interval)
			}
		}
		if row.has(0) && h.Cursors[row.Series].MS == 0 {
			h.stand(row, t.StartOf(1))
		}
	}
	for a := range t.present {
		if t.is(a, 0) {
			h.last[a] = max(h.last[a], t.StartOf(1))
		}
	}
}

// stand sets the position of a series that is seen for the first time: its value at a time counts
// for nothing, and its target and accounts are taken to have been there for long.
func (h *Hours) stand(row *Row, ms int64) {
	s := &h.index.Series[row.Series]
	h.Cursors[row.Series] = Cursor{MS: ms, Value: row.Last[0]}
	if t := &h.Targets[s.Target]; t.Last == 0 {
		*t = Target{Born: 1, Last: ms - row.Interval, Pace: Pace{Interval: int32(row.Interval)}}
		for _, other := range h.t.byTarget[s.Target] { // as in the hour that comes
			if other.has(0) && other.has(1) {
				t.Rate += max(0, other.Last[1]-other.Last[0]) / (hourMs / 1000)
			}
		}
	}
	for _, r := range s.Routes {
		if p := &h.Promises[h.index.Accounts[r.Account].Promise]; r.Role == Total && p.Begun == 0 {
			p.Begun = ms
		}
	}
}

// began reports whether a process began in an hour, or so shortly before it that its counters may
// be shown in it first.
func (t *Table) began(target int32, col int) bool {
	return t.Starts[TargetHour{target, col}] > t.StartOf(col)-t.Reach
}

// mayLive reports whether the process of a target that is seen for the first time in an hour is
// known to be older, so that it may only have another name. Of one that is gone at the end of the
// hour, the creation of its counters is not known then.
func (t *Table) mayLive(target int32, col int, born []*Row) bool {
	at, shown := t.Starts[TargetHour{target, col}]
	return shown && at <= t.StartOf(col) || !shown && len(t.Starts) > 0 && t.gone(born[0], col)
}

// Irregular returns the targets of which the last values do not tell what the rules say of an hour:
// something fell, began or came back in it, or a budget has data for a part of it. The hours before
// it must have been counted.
func (h *Hours) Irregular(col int) map[int32]bool {
	t, raw, born := h.t, map[int32]bool{}, map[int32][]*Row{}
	for target, rows := range t.byTarget {
		for _, row := range rows {
			switch {
			case !row.has(col):
			case t.Resets[TargetHour{target, col}] || t.began(target, col) || row.has(col-1) && row.Last[col] < row.Last[col-1]:
				raw[target] = true
			case row.has(col-1) && !row.Gone[col-1]:
			case h.Cursors[row.Series].MS > 0:
				raw[target] = true // it was away
			default:
				born[target] = append(born[target], row)
			}
		}
	}
	for _, target := range slices.Sorted(maps.Keys(born)) {
		h.doubt(target, col, born[target], raw)
	}
	for a := range t.present {
		if t.is(a, col) && (!t.is(a, col-1) || !t.is(a, col+1)) {
			for _, row := range t.byAccount[a] {
				if row.has(col) {
					raw[h.index.Series[row.Series].Target] = true
				}
			}
		}
	}
	return raw
}

// doubt asks whether the verdict on the first values of a target, wherever in an hour they were
// shown, can be another one than that they count whole. If so, it is added to the targets that are
// read raw, and with it whatever its verdict depends on.
func (h *Hours) doubt(target int32, col int, born []*Row, raw map[int32]bool) {
	t, sum, most, fresh := h.t, 0.0, 0.0, true
	for _, row := range born {
		sum, most = sum+row.Last[col], max(most, row.Last[col])
	}
	lives := t.mayLive(target, col, born)
	if sum < slack && !lives {
		return
	}
	for _, row := range t.byTarget[target] {
		fresh = fresh && !row.has(col-1)
	}
	others := []int32{target}
	if fresh {
		others = h.neighbours(target, born)
	}
	vanished, witness := map[int32]bool{}, int32(-1)
	for _, other := range others {
		for _, row := range t.byTarget[other] {
			if _, ok := t.vanished(row, col); ok || fresh && t.cameBack(h.index, row, born, col) {
				vanished[other] = true
			}
			if row.has(col-1) && row.has(col) {
				witness = other
			}
		}
	}
	scrape := born[0].Interval
	if fresh {
		scrape += minuteMs
	}
	if most <= h.bound(target, scrape, 0) && (len(vanished) == 0 || !lives && h.fallen(col, born, vanished)) {
		return
	}
	raw[target] = true
	maps.Copy(raw, vanished)
	if witness >= 0 { // it tells whether Prometheus was down before
		raw[witness] = true
	}
}

// cameBack reports whether a series may have gone on in a target that began in an hour, and in
// itself again before the hour was over: the target ended in it, and where its largest series stood
// lies between where the series stood at the two ends of the hour.
func (t *Table) cameBack(x *Index, row *Row, born []*Row, col int) bool {
	largest := slices.MaxFunc(born, func(a, b *Row) int { return cmp.Compare(a.Last[col], b.Last[col]) })
	last := largest.Last[col]
	return t.gone(largest, col) && row.has(col-1) && row.has(col) &&
		row.Last[col-1] <= last && last <= row.Last[col] && x.shares(largest.Series, row.Series)
}

// fallen reports whether some first value stands lower at the end of an hour than all that it could
// have gone on from, so that nothing goes on in any of them.
func (h *Hours) fallen(col int, born []*Row, vanished map[int32]bool) bool {
	return slices.ContainsFunc(born, func(b *Row) bool {
		lowest := math.Inf(1)
		for other := range vanished {
			for _, row := range h.t.byTarget[other] {
				if last, ok := h.t.vanished(row, col); ok && h.index.shares(b.Series, row.Series) {
					lowest = min(lowest, last)
				}
			}
		}
		return b.Last[col] < lowest && !math.IsInf(lowest, 1)
	})
}

// neighbours returns the targets that have series of the same accounts, sorted, without the target
// itself.
func (h *Hours) neighbours(target int32, rows []*Row) []int32 {
	found := map[int32]bool{}
	for _, row := range rows {
		for _, r := range h.index.Series[row.Series].Routes {
			for _, o := range h.t.byAccount[r.Account] {
				found[h.index.Series[o.Series].Target] = true
			}
		}
	}
	delete(found, target)
	return slices.Sorted(maps.Keys(found))
}

// Count moves over an hour of the table. What was read raw is given by target, with the starts of
// those that are unsure.
func (h *Hours) Count(col int, raw map[int32][]Run, starts, created Starts) {
	t := h.t
	clear(h.hole)
	for a := range t.present {
		if last := h.last[a]; t.is(a, col) && !t.is(a, col-1) && last > 0 {
			h.hole[a] = last
		}
	}
	var runs []Run
	for _, target := range slices.Sorted(maps.Keys(t.byTarget)) {
		if there, ok := raw[target]; ok {
			runs = append(runs, there...)
		} else {
			h.whole(target, col)
		}
	}
	h.sight(runs)
	end := t.StartOf(col + 1)
	h.Last = max(h.Last, t.StartOf(col))
	h.c.Take(runs, Question{To: end, Now: end, Starts: starts, Created: created})
	if col == t.End-1 { // whatever still waits for its verdict gets it
		h.c.Take(nil, Question{To: end + 10*minuteMs, Now: end + 10*minuteMs})
	}
	h.drain(col)
	if col < t.From {
		h.ForgetTroubles() // those of the lead are not ours
	}
}

// whole counts the series of a target by their last values in an hour that is not irregular. What
// it finds belongs to the hour; it is booked in its last minute.
func (h *Hours) whole(target int32, col int) {
	t, end, sum, shown := &h.Targets[target], h.t.StartOf(col+1), 0.0, false
	for _, row := range h.t.byTarget[target] {
		if !row.has(col) {
			continue
		}
		if shown = true; t.Last == 0 {
			*t = Target{Born: end - hourMs}
		}
		if t.Pace.Interval == 0 {
			t.Pace.Interval = int32(row.Interval)
		}
		v, cur := row.Last[col], &h.Cursors[row.Series]
		n, from := v, cur.MS
		switch {
		case !h.known(row.Series):
			h.c.book(row.Series, end, 0, nothing, 0, v)
			h.c.born(row.Series, end, v, end-hourMs)
		case h.index.Scraped[target] && t.restarted(cur.MS, end):
		case v >= cur.Value:
			n = v - cur.Value
		case cur.Dips > 0: // it stays below its old height all the hour: that is where it goes on
			n = max(0, v-cur.Low)
		}
		if from > 0 {
			h.c.book(row.Series, end, n, from, 0, v)
		}
		sum += n
		*cur = Cursor{MS: end, Value: v}
	}
	if shown {
		t.Rate = sum / (hourMs / 1000)
		t.Last = max(t.Last, end-t.interval())
	}
}

// sight dates the first sight of SLOs: what comes up to a scrape later than the first sample is
// only scraped at another moment.
func (h *Hours) sight(runs []Run) {
	for _, r := range runs {
		for _, route := range h.index.Series[r.Series].Routes {
			p := &h.Promises[h.index.Accounts[route.Account].Promise]
			if route.Role != Total || len(r.Samples) == 0 || p.Sight > 0 {
				continue
			}
			begun := EndOf(SlotOf(r.Samples[0].MS + int64(h.Accounts[route.Account].Pace.Interval)))
			if p.Begun == 0 || begun < p.Begun {
				p.Begun = begun
			}
		}
	}
}

// drain adds what was counted up to the end of an hour to the sums of the hours. Events that
// happened since before a hole in which their account had no samples are spread over it.
func (h *Hours) drain(col int) {
	t := h.t
	for i := range h.Accounts {
		a := int32(i)
		since, hole := h.hole[a]
		h.OpenMinutes(a, func(m Minute) {
			tally := h.tally(a, m.At.Hour())
			if m.First > 0 {
				tally.first = shorter(tally.first, m.First)
				tally.last = max(tally.last, m.Last)
				h.last[a] = max(h.last[a], m.Last)
			}
			if hole && m.Since > 0 && m.Since-1 <= since+int64(h.Accounts[i].Pace.Interval) {
				h.bridge(a, since, EndOf(m.At), m.Sum)
				return
			}
			tally.sum = tally.sum.plus(m.Sum)
		})
		h.Accounts[i].open = 0
	}
	h.minutes = h.minutes[:0]
	for a := range t.present {
		if t.is(a, col) && t.is(a, col+1) {
			h.last[a] = t.StartOf(col + 1)
		}
	}
}

// bridge spreads events over a hole in which an account had no samples. Hours that were handed out
// before the hole are over.
func (h *Hours) bridge(account int32, from, to int64, sum Tally) {
	first, last := SlotOf(from)+1, SlotOf(to)
	if hour := SlotOf(from).Hour(); hour < h.t.First+int64(h.t.From) {
		first = max(first, budget.Minute((hour+1)*60))
	}
	all := float64(last - first + 1)
	for m := first; m <= last; {
		end := min(budget.Minute((m.Hour()+1)*60), last+1)
		tally, share := h.tally(account, m.Hour()), float64(end-m)/all
		tally.sum = tally.sum.plus(Tally{Total: sum.Total * share, Bad: sum.Bad * share, Good: sum.Good * share})
		tally.partial = max(tally.partial, int(end-m))
		m = end
	}
}

func (h *Hours) tally(account int32, hour int64) *hourTally {
	if h.sums[account] == nil {
		h.sums[account] = map[int64]*hourTally{}
	}
	tally := h.sums[account][hour]
	if tally == nil {
		tally = &hourTally{}
		h.sums[account][hour] = tally
	}
	return tally
}

// Sums returns the hours of the table that are wanted, by account, once all of them are counted. An
// hour in which the good events are missing beside the total is left out: that is a question, not
// an outage.
func (h *Hours) Sums() map[int32][]budget.HourAt {
	t, out := h.t, map[int32][]budget.HourAt{}
	for _, a := range slices.Sorted(maps.Keys(t.present)) {
		for hour, tally := range h.sums[a] {
			if tally.partial > 0 && !t.is(a, int(hour-t.First)) {
				out[a] = append(out[a], h.sumOf(a, hour, tally, 0))
			}
		}
		for col := t.From; col < t.End; col++ {
			switch {
			case !t.is(a, col):
			case !h.hasGood(a, col):
				h.blameFor(a, Unpaired, -1, 60)
			default:
				tally := h.tally(a, t.First+int64(col))
				out[a] = append(out[a], h.sumOf(a, t.First+int64(col), tally, t.known(a, col, tally)))
			}
		}
		slices.SortFunc(out[a], func(a, b budget.HourAt) int { return cmp.Compare(a.Hour, b.Hour) })
		delete(h.sums, a)
	}
	return out
}

// known returns how many minutes of an hour an account has data of.
func (t *Table) known(account int32, col int, tally *hourTally) int {
	known := 60
	if !t.is(account, col-1) && tally.first > 0 {
		known -= int(SlotOf(tally.first) - budget.Minute((t.First+int64(col))*60))
	}
	if !t.is(account, col+1) && tally.last > 0 {
		known -= int(budget.Minute((t.First+int64(col)+1)*60) - 1 - SlotOf(tally.last))
	}
	return max(known, 0)
}

// hasGood reports whether an hour of an account that counts good events has them all the time that
// its total is there.
func (h *Hours) hasGood(account int32, col int) bool {
	if !h.index.Accounts[account].ByGood {
		return true
	}
	t := h.t
	good := func(col int) bool {
		return slices.ContainsFunc(t.byAccount[account], func(row *Row) bool {
			return row.has(col) && slices.Contains(h.index.Series[row.Series].Routes, Route{Account: account, Role: Good})
		})
	}
	for at := col - 1; at <= col+1; at++ {
		if at >= 0 && (at < t.End || t.Ahead) && t.is(account, at) && !good(at) {
			return false
		}
	}
	return true
}

func (h *Hours) sumOf(account int32, hour int64, tally *hourTally, known int) budget.HourAt {
	bad, total, countable := h.c.events(account, tally.sum)
	if !countable {
		return budget.HourAt{Hour: hour, Sum: budget.Sum{Unknown: 60}}
	}
	s := budget.Sum{Bad: bad, Total: total, Known: known, Partial: min(tally.partial, 60-known)}
	s.BadSlots = int(min(int64(known), bad/budget.Unit+min(1, bad%budget.Unit)))
	return budget.HourAt{Hour: hour, Sum: s}
}

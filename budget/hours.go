package budget

import "slices"

// hours are the sums of a ledger's hours, gaps included.
//
// A budget window is a month of them, and is asked for in every minute. So the sum of each day is
// kept, too: of a window no more than the hours of its first and its last day are added up one by
// one. Days are packed, but for the one that was written last: thousands of ledgers have hundreds.
type hours struct {
	first, end int64        // from the first hour up to, not including, end
	days       []hoursDay   // from the day of the first hour on
	open       *[24]hourSum // the hours of the day openDay, nil if there are none yet
	openDay    int64
}

// hoursDay is one day, counted from the Unix epoch in UTC.
type hoursDay struct {
	bad, total                                   int64 // sums: 24 hours of the most that they hold are exact
	known, partial, unknown, badSlots, estimated uint16
	packed                                       string // a column of each of them; older than it is while the day is open
}

// hourSum is a Sum that fits an hour: 60 is below 256.
type hourSum struct {
	bad, total                                   int64
	known, partial, unknown, badSlots, estimated uint8
}

// hourCounts is how many columns a packed day has, and where some of them stand.
const (
	hourCounts    = 7
	totalColumn   = 1
	knownColumn   = 2
	partialColumn = 3
)

func (h *hourSum) counts() [hourCounts]int64 {
	return [hourCounts]int64{h.bad, h.total, int64(h.known), int64(h.partial), int64(h.unknown), int64(h.badSlots), int64(h.estimated)}
}

// sumOf returns counts of one hour, or of several, as a sum.
func sumOf(c [hourCounts]int64) Sum {
	return Sum{Bad: c[0], Total: c[1], Known: int(c[2]), Partial: int(c[3]), Unknown: int(c[4]), BadSlots: int(c[5]), Estimated: int(c[6])}
}

func (h *hourSum) sum() Sum { return sumOf(h.counts()) }

func (s Sum) hour() hourSum {
	return hourSum{s.Bad, s.Total, uint8(s.Known), uint8(s.Partial), uint8(s.Unknown), uint8(s.BadSlots), uint8(s.Estimated)}
}

func dayOf(hour int64) int64 { return floorDiv(hour, 24) }

// empty reports whether there is none.
func (h *hours) empty() bool { return h.first == h.end }

// has reports whether an hour lies between the first and the last.
func (h *hours) has(hour int64) bool { return h.first <= hour && hour < h.end }

// at returns the sum of an hour, zero where there is none.
func (h *hours) at(hour int64) hourSum {
	switch {
	case !h.has(hour):
		return hourSum{}
	case h.isOpen(dayOf(hour)):
		return h.open[hour-24*h.openDay]
	}
	return h.ofDay(dayOf(hour), hour, hour+1).hour()
}

// seenOn returns the hours of a day that has some: of each its events and the minutes that were
// seen. Whoever asks for many of them one by one takes a day at a time: to read one of a packed day
// takes as long.
func (h *hours) seenOn(day int64) (all [24]Sum) {
	if h.isOpen(day) {
		for n := range all {
			s := &h.open[n]
			all[n] = Sum{Total: s.total, Known: int(s.known), Partial: int(s.partial)}
		}
		return all
	}
	packed := h.days[day-dayOf(h.first)].packed
	if packed == "" {
		return all
	}
	var columns [partialColumn + 1]column
	for i := range columns {
		columns[i], packed = cutColumn(packed, 24)
	}
	for n := range all {
		all[n] = Sum{Total: columns[totalColumn].at(n), Known: int(columns[knownColumn].at(n)), Partial: int(columns[partialColumn].at(n))}
	}
	return all
}

func (h *hours) isOpen(day int64) bool { return h.open != nil && h.openDay == day }

// set writes the sum of an hour, and makes room for it.
func (h *hours) set(hour int64, s hourSum) {
	h.reach(hour)
	h.unpack(dayOf(hour))
	d, was := &h.days[dayOf(hour)-dayOf(h.first)], &h.open[hour-24*h.openDay]
	d.bad, d.total = d.bad-was.bad+s.bad, d.total-was.total+s.total
	d.known += uint16(s.known) - uint16(was.known)
	d.partial += uint16(s.partial) - uint16(was.partial)
	d.unknown += uint16(s.unknown) - uint16(was.unknown)
	d.badSlots += uint16(s.badSlots) - uint16(was.badSlots)
	d.estimated += uint16(s.estimated) - uint16(was.estimated)
	*was = s
}

// reach makes room for an hour, before the first or behind the last.
func (h *hours) reach(hour int64) {
	if h.empty() {
		h.first, h.end, h.days, h.open = hour, hour, nil, nil
	}
	if n := dayOf(h.first) - dayOf(hour); n > 0 {
		h.days = slices.Concat(make([]hoursDay, n), h.days)
	}
	h.first, h.end = min(h.first, hour), max(h.end, hour+1)
	for int64(len(h.days)) <= dayOf(h.end-1)-dayOf(h.first) {
		h.days = append(h.days, hoursDay{})
	}
}

// unpack opens a day for writing, and packs the one that is open.
func (h *hours) unpack(day int64) {
	switch {
	case h.isOpen(day):
		return
	case h.open == nil:
		h.open = new([24]hourSum)
	default:
		h.days[h.openDay-dayOf(h.first)].packed = packHours(h.open)
	}
	h.openDay = day
	*h.open = unpackHours(h.days[day-dayOf(h.first)].packed)
}

func packHours(all *[24]hourSum) string {
	var counts [hourCounts][24]int64
	for n := range all {
		for i, c := range all[n].counts() {
			counts[i][n] = c
		}
	}
	var room [512]byte
	b := room[:0]
	for i := range counts {
		b = appendColumn(b, counts[i][:])
	}
	return string(b)
}

func unpackHours(packed string) (all [24]hourSum) {
	if packed == "" {
		return all
	}
	var columns [hourCounts]column
	for i := range columns {
		columns[i], packed = cutColumn(packed, 24)
	}
	for n := range all {
		var c [hourCounts]int64
		for i := range columns {
			c[i] = columns[i].at(n)
		}
		all[n] = sumOf(c).hour()
	}
	return all
}

// forget drops the hours before one.
func (h *hours) forget(before int64) {
	before = min(before, h.end)
	if before <= h.first {
		return
	}
	day := dayOf(before)
	for hour := max(h.first, 24*day); hour < before; hour++ {
		h.set(hour, hourSum{})
	}
	if h.openDay < day {
		h.open = nil
	}
	if h.days = slices.Clone(h.days[day-dayOf(h.first):]); before == h.end {
		h.days, h.open = nil, nil
	}
	h.first = before
}

// sum adds up the hours of [from, to), of which there must be all.
func (h *hours) sum(from, to int64) Sum {
	first, last := dayOf(from), dayOf(to)
	switch {
	case from == to:
		return Sum{}
	case first == last:
		return h.ofDay(first, from, to)
	}
	var sum Sum
	if from > 24*first {
		sum = h.ofDay(first, from, 24*first+24)
		first++
	}
	for i := first - dayOf(h.first); i < last-dayOf(h.first); i++ { // nothing is copied: this is what every window of every budget is made of
		d := &h.days[i]
		sum.Bad, sum.Total = Add(sum.Bad, d.bad), Add(sum.Total, d.total)
		sum.Known += int(d.known)
		sum.Partial += int(d.partial)
		sum.Unknown += int(d.unknown)
		sum.BadSlots += int(d.badSlots)
		sum.Estimated += int(d.estimated)
	}
	if to > 24*last {
		sum = sum.Plus(h.ofDay(last, 24*last, to))
	}
	return sum
}

// ofDay adds up hours of one day.
func (h *hours) ofDay(day, from, to int64) Sum {
	var counts [hourCounts]int64
	from, to = from-24*day, to-24*day
	if h.isOpen(day) {
		for n := from; n < to; n++ {
			for i, c := range h.open[n].counts() {
				counts[i] += c
			}
		}
		return sumOf(counts)
	}
	packed := h.days[day-dayOf(h.first)].packed
	for i := range counts {
		var c column
		if packed == "" {
			break
		}
		c, packed = cutColumn(packed, 24)
		counts[i] = c.sum(int(from), int(to))
	}
	return sumOf(counts)
}

// firstData returns the first hour of which anything is known, and false if there is none.
func (h *hours) firstData() (hour int64, ok bool) {
	for i := range h.days {
		if h.days[i].known == 0 && h.days[i].partial == 0 {
			continue
		}
		for hour = max(24*(dayOf(h.first)+int64(i)), h.first); hour < h.end; hour++ {
			if s := h.at(hour); s.known > 0 || s.partial > 0 {
				return hour, true
			}
		}
	}
	return 0, false
}

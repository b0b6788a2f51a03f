package budget

import (
	"math"

	"github.com/slowburn-sre/slowburn/slo"
)

// road is the way of a budget through the time that is foretold, as [StatusAt] would show it: up to
// the reset of a calendar window, and over the length of a rolling one. It is walked as far as
// somebody asks.
type road struct {
	traffic *traffic
	o       slo.Objective
	size    *sizing
	end     Minute
	legs    []leg
}

// leg is one stretch of a road, in minutes from now and in thousandths of events: how many events
// have come by its end since now, and how many of them may be bad at its beginning and at its end.
type leg struct {
	from, to            Minute
	before, events      float64
	roomBefore, roomEnd float64
}

func newRoad(l *Ledger, o slo.Objective, w slo.Window, at Minute) *road {
	r := &road{traffic: newTraffic(l, at), o: o, size: newSizing(l, w, at), end: Minutes(w.Length())}
	if reset := w.Reset(at.Time()); !reset.IsZero() {
		r.end = MinuteOf(reset) - at
	}
	return r
}

// step returns how long a leg is, by how far ahead it lies.
func step(ahead Minute) Minute {
	switch {
	case ahead < 12*60:
		return 10
	case ahead < 4*24*60:
		return 60
	}
	return 3 * 60
}

// leg returns the i-th leg; false behind the end of the road.
func (r *road) leg(i int) (leg, bool) {
	if i < len(r.legs) {
		return r.legs[i], true
	}
	var g leg
	if i > 0 {
		g.from, g.before = r.legs[i-1].to, r.legs[i-1].events
	}
	if g.from >= r.end {
		return leg{}, false
	}
	from := r.traffic.at + g.from
	to := min(from-from%step(g.from)+step(g.from), r.traffic.at+r.end)
	g.to, g.events = to-r.traffic.at, g.before+r.traffic.rate((from+to)/2)*float64(to-from)
	r.size.moveTo(from)
	g.roomBefore, g.roomEnd = r.size.room(r.o, from, g.before), r.size.room(r.o, to, g.events)
	r.legs = append(r.legs, g)
	return g, true
}

// spentAfter returns after how many minutes the budget is spent if the share p of all events goes
// bad; false if that does not happen on the road, whose length is then returned.
func (r *road) spentAfter(p float64) (float64, bool) {
	for i := 0; ; i++ {
		g, ok := r.leg(i)
		if !ok {
			return float64(r.end), false
		}
		begin, end := p*g.before-g.roomBefore, p*g.events-g.roomEnd
		switch {
		case begin > 0:
			return float64(g.from), true
		case end > 0:
			return float64(g.from) + float64(g.to-g.from)*begin/(begin-end), true
		}
	}
}

// events returns how many events come within so many minutes, in thousandths.
func (r *road) events(minutes float64) float64 {
	for _, g := range r.legs {
		if minutes <= float64(g.to) {
			return g.before + (g.events-g.before)*(minutes-float64(g.from))/float64(g.to-g.from)
		}
	}
	return 0
}

// sizing is what a window still holds of the ledger while it moves on. What is to come is added by
// whoever asks.
type sizing struct {
	l        *Ledger
	w        slo.Window
	at       Minute
	kept     tail // of the window itself
	traffic  tail // of the stretch whose traffic tells how many events a calendar window holds
	calendar bool
	begun    Minute // the first minute with data
}

// tail is the end of a ledger from a minute on.
type tail struct {
	from Minute
	sum  Sum
}

func newSizing(l *Ledger, w slo.Window, at Minute) *sizing {
	s := &sizing{l: l, w: w, at: at, calendar: w.Calendar != "", begun: l.Begin()}
	s.kept.from = MinuteOf(w.Start(at.Time()))
	s.kept.sum = l.Sum(s.kept.from, at)
	if s.calendar {
		s.traffic.from = floorHour(at - Minutes(w.Length()))
		s.traffic.sum = l.Sum(s.traffic.from, at)
	}
	return s
}

// moveTo lets age out what is out of the window at a minute to come.
func (s *sizing) moveTo(m Minute) {
	from := floorHour(m - Minutes(s.w.Length()))
	if s.calendar {
		s.traffic.moveTo(s.l, from, s.at)
	} else {
		s.kept.moveTo(s.l, from, s.at)
	}
}

func (t *tail) moveTo(l *Ledger, from, at Minute) {
	if from > t.from {
		t.sum, t.from = t.sum.minus(l.Sum(t.from, min(from, at))), from
	}
}

// room returns how many of the events that come until a minute may be bad, in thousandths, if there
// are ahead of them.
func (s *sizing) room(o slo.Objective, m Minute, ahead float64) float64 {
	more := int64(min(ahead, 1<<62))
	total := Add(s.kept.sum.Total, more)
	seen := func(t tail) Minute { return Minute(t.sum.Seen()) + m - s.at }
	if s.calendar {
		total = max(total, stretched(s.begun, s.traffic.from, m, seen(s.traffic), Add(s.traffic.sum.Total, more)))
	} else {
		total = stretched(s.begun, s.kept.from, m, seen(s.kept), total)
	}
	return float64(total)*o.AllowedRatio() - float64(s.kept.sum.Bad)
}

func floorHour(m Minute) Minute { return Minute(m.Hour() * 60) }

const (
	week       = 7 * 24 // hours
	weeksBack  = 3      // how many weeks tell what is usual
	daysBack   = 7      // how many days do, where no week is known
	pseudo     = 10 * Unit
	tooUnusual = 10 // times the usual traffic: then the weeks before tell nothing
)

// traffic foretells how many events there will be after a minute, from the hours before it: their
// sums are kept as long as the ledger, so nothing depends on whether minutes have been thinned out.
//
// An hour usually has the mean of the same hour of the last three weeks; of the last days where the
// ledger is too young; of all hours of the last day where it is younger than that. To come is what
// is usual times what the last hour was of it.
type traffic struct {
	l     past
	means *hourMeans
	at    Minute
	flat  float64           // mean of the last day, in thousandths of events a minute
	hours [week + 1]float64 // those to come, beginning with the hour before that of at
}

func newTraffic(l *Ledger, at Minute) *traffic {
	t := &traffic{l: past{l}, means: meansOf(l), at: at, flat: mean(l.Sum(at-24*60, at))}
	last, usual := mean(l.Sum(at-60, at)), 0.0
	for _, part := range [2][2]Minute{{at - 60, floorHour(at)}, {floorHour(at), at}} {
		usual += t.between(part[0], part[1], t.usual)
	}
	scale := scaleOf(last*60, usual)
	for i := range t.hours {
		t.hours[i] = scale * t.usual(at.Hour()-1+int64(i))
		if scale > tooUnusual {
			t.hours[i] = last
		}
	}
	return t
}

// mean returns the events a minute of those minutes that are known, in thousandths.
func mean(s Sum) float64 { return float64(s.Total) / float64(max(s.Seen(), 1)) }

// scaleOf compares what came with what usually comes, both in thousandths; few events change
// little.
func scaleOf(came, usual float64) float64 { return (came + pseudo) / (usual + pseudo) }

// rate returns the events a minute in a minute to come, in thousandths.
func (t *traffic) rate(m Minute) float64 { return t.smooth(m, t.scaled) }

func (t *traffic) scaled(hour int64) float64 {
	i := hour - t.at.Hour() + 1
	if i > week {
		i = 1 + (i-1)%week
	}
	return t.hours[i]
}

// smooth draws a line from the middle of one hour to the middle of the next.
func (t *traffic) smooth(m Minute, of func(int64) float64) float64 {
	h := (m - 30).Hour()
	x := float64(m-30-Minute(h*60)) / 60
	return of(h)*(1-x) + of(h+1)*x
}

// between returns the events of [from, to) inside an hour, in thousandths.
func (t *traffic) between(from, to Minute, of func(int64) float64) float64 {
	return t.smooth((from+to)/2, of) * float64(to-from)
}

// usual returns the events a minute that an hour usually has, by the hours before t.at.
func (t *traffic) usual(hour int64) float64 {
	now := t.at.Hour()
	sum, n := 0.0, 0.0
	add := func(h int64) {
		if rate, ok := t.means.of(h); ok && h < now {
			sum, n = sum+rate, n+1
		}
	}
	for h, back := hour-week, 0; back < weeksBack; h -= week {
		if h < now {
			add(h)
			back++
		}
	}
	if n == 0 {
		for d := int64(1); d <= daysBack; d++ {
			add(hour - d*24)
		}
	}
	if n == 0 {
		return t.flat
	}
	return sum / n
}

// hourMeans are the mean events a minute of a ledger's hours, in thousandths. What is usual is
// asked of hundreds of them, so each day is read once.
type hourMeans struct {
	l    *Ledger
	days []*[24]float64 // from the ledger's first on, nil before it is read; NaN where nothing is known
}

func meansOf(l *Ledger) *hourMeans { return &hourMeans{l, make([]*[24]float64, len(l.hours.days))} }

// of returns the mean of an hour, if anything of it is known.
func (h *hourMeans) of(hour int64) (float64, bool) {
	if !h.l.hours.has(hour) {
		return 0, false
	}
	day := dayOf(hour)
	means := &h.days[day-dayOf(h.l.hours.first)]
	if *means == nil {
		*means = h.ofDay(day)
	}
	rate := (*means)[hour-24*day]
	return rate, !math.IsNaN(rate)
}

// ofDay reads a day, and no more of it than a mean needs.
func (h *hourMeans) ofDay(day int64) *[24]float64 {
	means := new([24]float64)
	sums := h.l.hours.seenOn(day)
	for n := range means {
		net := sums[n]
		if h.l.excuses != nil {
			begin := Minute((24*day + int64(n)) * 60)
			net = corrected{h.l}.without(net, begin, begin+60)
		}
		if means[n] = math.NaN(); net.Seen() > 0 {
			means[n] = mean(net)
		}
	}
	return means
}

// miss returns how far traffic was from what would have been foretold over so many minutes: the
// root mean square of its logarithm, from eight starts in the past.
func (t *traffic) miss(minutes float64) float64 {
	hours := min(max(int64(math.Ceil(minutes/60)), 1), week)
	newest, oldest := t.at.Hour()-hours, t.l.Begin().Hour()+25 // a day tells what is usual, more or less
	apart := min(max(hours/2, 17), max((newest-oldest)/7, 1))
	sum, n := 0.0, 0.0
	for start := newest; start >= oldest && start > newest-8*apart; start -= apart {
		if e, ok := t.missed(start, hours); ok {
			sum, n = sum+e*e, n+1
		}
	}
	switch {
	case n >= 3:
		return max(math.Sqrt(sum/n), 0.004)
	case t.at-t.l.Begin() < 24*60:
		return 0.4 // the first day: nobody knows whether it is day or night
	}
	return 0.15
}

// missed returns the logarithm of what came over what would have been foretold, of so many hours
// from start on.
func (t *traffic) missed(start, hours int64) (float64, bool) {
	then := traffic{l: t.l, means: t.means, at: Minute(start * 60), flat: t.flat}
	last, ok := t.means.of(start - 1)
	came, said := 0.0, 0.0
	apart := int64(1)
	if hours > 48 {
		apart = 5 // enough of them, and every hour of the day in its turn
	}
	for h := start; h < start+hours; h += apart {
		if rate, known := t.means.of(h); known {
			came, said = came+rate, said+then.usual(h)
		}
	}
	if !ok || came == 0 || said == 0 {
		return 0, false
	}
	return math.Log(came / said / scaleOf(last*60, then.usual(start-1)*60)), true
}

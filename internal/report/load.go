package report

import (
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
)

// Load is how often people were called in the period.
type Load struct {
	Pages      int // incidents that paged, counted when they did
	Tickets    int // incidents that opened as a ticket and did not become a page in the period
	OutOfHours int
	Unresolved int // incidents open at the end of the period; missing data are none
	// Acknowledged are pages that somebody took on. Of the Judged ones, which ended, those are
	// Precise that took at least the share of the budget that their alert is about.
	Acknowledged    int
	Judged, Precise int
	NoData          int // notices of missing data

	Shifts    int       // twelve-hour shifts in the period
	Heavy     int       // shifts with more than two pages
	MostPages int       // in one shift
	MostAt    time.Time // when that shift began

	from, to time.Time
	zone     *time.Location
	shifts   map[time.Time]int // pages by the shift's beginning
	toAck    []time.Duration
}

const (
	// pagesPerShift is how many incidents a shift can take: each is worth about six hours of work,
	// and a shift has twelve. Source: Site Reliability Engineering, chapter 11.
	pagesPerShift = 2
	shiftLength   = 12 * time.Hour
	dayBegins     = 9  // o'clock; working hours and the day shift begin
	dayEnds       = 18 // o'clock; working hours end
	nightBegins   = 21 // o'clock; the night shift begins
)

// in reports whether t, the end of the minute that decided something, lies in the period.
func (l *Load) in(t time.Time) bool { return t.After(l.from) && !t.After(l.to) }

// alerts counts what one budget's incidents said in the period.
func (b *builder) alerts(s Subject) {
	l := &b.Load
	for _, i := range s.Incidents {
		b.load(l, i)
		if i.Rule != alerting.RuleNoData && !i.Detected.IsZero() && !i.Detected.After(l.to) && (i.Resolved.IsZero() || i.Resolved.After(l.to)) {
			l.Unresolved++
		}
	}
}

// load counts what an incident said in the time of l. A ticket that became a page in it is a page.
func (b *builder) load(l *Load, i alerting.Incident) {
	ticket, paged := 0, false
	for _, e := range i.Log {
		if !l.in(e.Time()) || e.Kind != alerting.Opened && e.Kind != alerting.Escalated {
			continue
		}
		switch {
		case e.Rule == alerting.RuleNoData:
			l.NoData++
		case e.Severity == alerting.Page:
			paged = true
			l.page(e)
			l.answer(i, e, b.acked[i.ID])
		case e.Kind == alerting.Opened:
			ticket = 1
		}
	}
	if !paged {
		l.Tickets += ticket
	}
}

func (l *Load) page(e alerting.Event) {
	l.Pages++
	t := e.Time().In(l.zone)
	if !workingHours(t) {
		l.OutOfHours++
	}
	l.shifts[shiftOf(t)]++
}

// answer counts what became of a page.
func (l *Load) answer(i alerting.Incident, page alerting.Event, ack alerting.Act) {
	if ack.Key != "" {
		l.Acknowledged++
		l.toAck = append(l.toAck, max(ack.At.Sub(page.Time()), 0))
	}
	if i.Open || page.Pair == nil || i.Last.Budget.Allowed <= 0 {
		return
	}
	l.Judged++
	if compareShares(i.Bad(), i.Last.Budget.Allowed, page.Pair.Budget, 10000) >= 0 {
		l.Precise++
	}
}

// workingHours holds from Monday to Friday, nine to six; holidays are not known.
func workingHours(t time.Time) bool {
	day := t.Weekday() != time.Saturday && t.Weekday() != time.Sunday
	return day && t.Hour() >= dayBegins && t.Hour() < dayEnds
}

// shiftOf returns when the shift began that t falls into: at 9 or at 21 o'clock.
func shiftOf(t time.Time) time.Time {
	y, m, d := t.Date()
	switch {
	case t.Hour() < dayBegins:
		return time.Date(y, m, d-1, nightBegins, 0, 0, 0, t.Location())
	case t.Hour() < nightBegins:
		return time.Date(y, m, d, dayBegins, 0, 0, 0, t.Location())
	}
	return time.Date(y, m, d, nightBegins, 0, 0, 0, t.Location())
}

func (l *Load) finish() {
	l.Shifts = int((l.to.Sub(l.from) + shiftLength/2) / shiftLength)
	for begin, n := range l.shifts {
		if n > pagesPerShift {
			l.Heavy++
		}
		if n > l.MostPages || n == l.MostPages && begin.Before(l.MostAt) {
			l.MostPages, l.MostAt = n, begin
		}
	}
	l.shifts = nil
}

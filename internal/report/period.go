package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/slo"
)

// Period is a calendar week (ISO 8601, from Monday), month or quarter. Its text is "2026-W47",
// "2026-11" or "2026-Q4". It has no time zone; only its Bounds have. Periods are comparable.
type Period struct {
	Kind   slo.Calendar // Week, Month or Quarter
	Year   int          // of a week the ISO year, which may differ from the calendar's around New Year
	Number int          // of the week (1…53), month (1…12) or quarter (1…4)
}

// ParsePeriod reads "2026-W47", "2026-11" or "2026-Q4".
func ParsePeriod(s string) (Period, error) {
	year, rest, ok := strings.Cut(strings.TrimSpace(s), "-")
	y, err := strconv.Atoi(year)
	if !ok || err != nil || len(year) != 4 {
		return Period{}, fmt.Errorf("period %q: write a week as 2026-W47, a month as 2026-11 or a quarter as 2026-Q4", s)
	}
	p := Period{Kind: slo.Month, Year: y}
	digits := 2
	switch {
	case strings.HasPrefix(rest, "W"):
		p.Kind, rest = slo.Week, rest[1:]
	case strings.HasPrefix(rest, "Q"):
		p.Kind, rest, digits = slo.Quarter, rest[1:], 1
	}
	n, err := strconv.ParseUint(rest, 10, 8)
	if err != nil || len(rest) != digits || n < 1 || int(n) > p.last() {
		return Period{}, fmt.Errorf("period %q: the %ss of %d are numbered 1 to %d, written like %s", s, p.Kind, y, p.last(), Period{p.Kind, y, 1})
	}
	p.Number = int(n)
	return p, nil
}

// last returns the highest number in the period's year.
func (p Period) last() int {
	switch p.Kind {
	case slo.Week:
		_, n := time.Date(p.Year, time.December, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
		return n
	case slo.Quarter:
		return 4
	}
	return 12
}

// PeriodOf returns the period of a kind that holds the calendar day of t, in t's own zone.
func PeriodOf(kind slo.Calendar, t time.Time) Period {
	y, m, _ := t.Date()
	switch kind {
	case slo.Week:
		y, n := t.ISOWeek()
		return Period{kind, y, n}
	case slo.Quarter:
		return Period{kind, y, (int(m)-1)/3 + 1}
	}
	return Period{slo.Month, y, int(m)}
}

// IsZero reports whether the period is the zero value: none.
func (p Period) IsZero() bool { return p == Period{} }

// String returns the period's text, which ParsePeriod reads.
func (p Period) String() string {
	switch p.Kind {
	case slo.Week:
		return fmt.Sprintf("%04d-W%02d", p.Year, p.Number)
	case slo.Quarter:
		return fmt.Sprintf("%04d-Q%d", p.Year, p.Number)
	case slo.Month:
		return fmt.Sprintf("%04d-%02d", p.Year, p.Number)
	}
	return ""
}

// MarshalText returns String; the zero period is empty.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses as ParsePeriod does; empty text is the zero period.
func (p *Period) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*p = Period{}
		return nil
	}
	*p, err = ParsePeriod(string(b))
	return err
}

// Next returns the period after this one.
func (p Period) Next() Period {
	if p.Number++; p.Number > p.last() {
		p.Year, p.Number = p.Year+1, 1
	}
	return p
}

// Prev returns the period before this one.
func (p Period) Prev() Period {
	if p.Number--; p.Number < 1 {
		p.Year--
		p.Number = p.last()
	}
	return p
}

// wallStart returns midnight of the period's first day as wall-clock time: the reading of a clock
// in any zone, written as if it were UTC.
func (p Period) wallStart() time.Time {
	switch p.Kind {
	case slo.Week:
		fourth := time.Date(p.Year, time.January, 4, 0, 0, 0, 0, time.UTC) // always in week 1
		monday := fourth.AddDate(0, 0, -(int(fourth.Weekday())+6)%7)
		return monday.AddDate(0, 0, 7*(p.Number-1))
	case slo.Quarter:
		return time.Date(p.Year, time.Month(3*p.Number-2), 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(p.Year, time.Month(p.Number), 1, 0, 0, 0, 0, time.UTC)
}

func (p Period) wallEnd() time.Time { return p.Next().wallStart() }

// Bounds returns the first instant of the period in a zone and the first one after it. A midnight
// that the clock skips is the instant after the gap; one that it shows twice is the first.
func (p Period) Bounds(zone *time.Location) (from, to time.Time) {
	return crontime.Instant(p.wallStart(), zone), crontime.Instant(p.wallEnd(), zone)
}

// Contains reports whether t lies in the period, as the calendar of the zone has it.
func (p Period) Contains(t time.Time, zone *time.Location) bool {
	from, to := p.Bounds(zone)
	return !t.Before(from) && t.Before(to)
}

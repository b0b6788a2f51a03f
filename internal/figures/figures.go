// Package figures writes every number, share, duration, time and unknown that people read: in
// Slack, in other receivers, on pages, in the command line, in reports and postmortems.
//
// One rule of rounding runs through it: towards the worse. What is good (budget left, an SLI, the
// part of the data that is known) is rounded down, what is bad (a cost, a share of bad events) is
// rounded up. An SLI of 99.8999 % under an objective of 99.9 % never reads 99.9 %, and a budget
// that is overspent by a hair never reads 0.0 %. What is not known is [Unknown], never zero.
//
// Everything here is a pure function of its arguments. Counts are in thousandths of an event, as in
// package budget, and are divided as integers. JSON is not for people: it keeps exact numbers.
package figures

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

// Unknown stands for a figure that is not known.
const Unknown = "—"

// minus is the sign of a negative figure.
const minus = "−"

// thousand is how many parts an event has in the ledger (see budget.Unit).
const thousand = 1000

// SLI writes the share of good events, with two digits more than the objective has and rounded
// down: what is below the objective never reads as the objective, and what is not perfect never
// reads as 100 %. It is [Unknown] without events.
func SLI(bad, total int64, o slo.Objective) string {
	_, fraction, _ := strings.Cut(o.Percent(), ".")
	return down(total-bad, total, len(fraction)+2)
}

// Account is an error budget of a window, in thousandths of events: all that it takes to write a
// share of it.
type Account struct {
	Bad, Total, Allowed int64
	Projected           bool // too little is known of the window to say what it allows
	Estimated           bool // some of the counts are estimates
}

// Left writes the share of the budget that is left: "62.1 %", "about 62.1 %" where some of the
// counts are estimates. It is [Unknown] without traffic, and of a budget that is projected.
func (a Account) Left() string {
	if a.Projected || a.Total == 0 {
		return Unknown
	}
	return Estimate(Left(a.Bad, a.Allowed), a.Estimated)
}

// Cost writes the share of the budget that something took, in thousandths of events: "24.9 %", or
// "about 24.9 %" of a budget that is projected or estimated.
func (a Account) Cost(bad int64) string {
	return Estimate(Cost(bad, a.Allowed), a.Projected || a.Estimated)
}

// Allows writes how many events the budget lets go bad: "1,234", or "about 1,234" of a budget that
// is projected or estimated.
func (a Account) Allows() string {
	return Estimate(Events(a.Allowed), a.Projected || a.Estimated)
}

// Left writes the share of an error budget that is left, rounded down to one digit: "62.1 %", or
// "−38.4 %" when it is overspent. Whether there was anything to count is for the caller to say:
// without bad events all of the budget is left. A budget that allows less than a thousandth of an
// event is gone with the first.
func Left(bad, allowed int64) string {
	switch {
	case bad == 0:
		return "100 %"
	case allowed <= 0:
		return "0 %"
	}
	return down(allowed-bad, allowed, 1)
}

// Cost writes the share of an error budget that something took, rounded up to one digit: "35.7 %".
// Whether it is known what was taken is for the caller to say. Of a budget that allows less than a
// thousandth of an event, anything takes all.
func Cost(bad, allowed int64) string {
	switch {
	case bad == 0:
		return "0 %"
	case allowed <= 0:
		return "100 %"
	}
	return up(bad, allowed, 1)
}

// Estimate marks a figure that is estimated: "about 24.9 %". Nothing stays nothing, and what is
// unknown stays unknown.
func Estimate(figure string, estimated bool) string {
	if !estimated || figure == "0 %" || figure == Unknown {
		return figure
	}
	return "about " + figure
}

// Coverage writes which share of some minutes is known, and which part of what is known is an
// estimate: "98 %", "98 % (12 % of it estimated)".
func Coverage(known, estimated float64) string {
	if estimated <= 0 {
		return Known(known)
	}
	const least = 0.001 // a little is not nothing
	return Known(known) + " (" + Known(max(estimated, least)) + " of it estimated)"
}

// Share writes a part of a whole of which more is worse, such as bad events of all events: rounded
// up, with two digits that count. "43 %", "3.1 %", "0.023 %". What is not all never reads as all,
// and a little is not nothing: "<0.000001 %".
func Share(part, whole int64) string {
	digits := 0
	for p := big.NewInt(part); part > 0 && p.Mul(p, big.NewInt(10)).Cmp(big.NewInt(whole)) < 0; digits++ {
		if digits == 7 {
			return "<0.000001 %"
		}
	}
	if text := up(part, whole, min(digits, 6)); text != "100 %" || part >= whole {
		return text
	}
	return down(part, whole, 0)
}

// Parts returns a share that is only known as a ratio as so many parts of a whole that what a float
// loses cannot be seen; it rounds up. It saturates at a million times the whole, and is 0 for
// what is not a number.
func Parts(r float64) (part, whole int64) {
	const parts = 1e12
	switch part := math.Ceil(r*parts - 0.5); {
	case math.IsNaN(part):
		return 0, parts
	case math.Abs(part) > 1e18:
		return int64(math.Copysign(1e18, part)), parts
	default:
		return int64(part), parts
	}
}

// Ratio writes what [Share] does, for a share that is only known as a ratio, 0.43 for 43 %.
func Ratio(r float64) string {
	const whole = 1e15
	if math.IsNaN(r) || math.Abs(r) > 1e3 {
		return Unknown
	}
	part := int64(math.Ceil(r*whole - 0.5))
	if r > 0 {
		part = max(part, 1)
	}
	return Share(part, whole)
}

// Known writes the part of the minutes or of the history that is known, from a ratio, rounded down
// to one digit.
func Known(r float64) string {
	const whole = 1e9
	if math.IsNaN(r) || math.Abs(r) > whole {
		return Unknown
	}
	part := int64(math.Round(r * whole))
	if r < 1 {
		part = min(part, whole-1)
	}
	return down(min(part, whole), whole, 1)
}

// Objective writes what an SLO promises: "99.9 %".
func Objective(o slo.Objective) string { return o.Percent() + " %" }

// Allowed writes the share of bad events that an SLO allows: "0.1 %".
func Allowed(o slo.Objective) string { return Percent(float64(o.Allowed()) / (slo.Billion / 100)) }

// Percent writes a percentage that somebody has configured, exactly: "99.9 %". It has the seven
// digits of an objective; what is finer is what a float loses.
func Percent(v float64) string {
	s := strconv.FormatFloat(v, 'f', 7, 64)
	return signed(strings.TrimSuffix(strings.TrimRight(s, "0"), ".")) + " %"
}

// Basis writes a share that somebody has configured, in basis points, exactly: "2 %", "2.5 %".
func Basis(points int64) string { return Percent(float64(points) / 100) }

// AtMost writes a ratio that something may promise at most, with four digits and rounded down:
// "99.4005 %".
func AtMost(r float64) string { return Percent(math.Floor(r*1e6+1e-6) / 1e4) }

// AtLeast writes a ratio that something must promise at least, as [AtMost] does, but rounded up.
func AtLeast(r float64) string { return Percent(math.Ceil(r*1e6-1e-6) / 1e4) }

// Beside writes a share that stands beside a limit which it is above or not, with two digits: "9.99
// %", "10.01 %". It is rounded away from the limit, so that the two tell the same.
func Beside(part, whole int64, above bool) string { return percent(part, whole, 2, above) }

// Hours writes a duration that stands beside a limit in hours which it is above or not: "23 h 59
// min", "24 h 1 min". It is rounded to minutes away from the limit, as by [Beside].
func Hours(d time.Duration, above bool) string {
	minutes := int(d / time.Minute)
	if above && d%time.Minute > 0 {
		minutes++
	}
	switch hours, rest := minutes/60, minutes%60; {
	case d < 0:
		return minus + Hours(-max(d, -math.MaxInt64), above)
	case hours == 0:
		return Count(rest) + " min"
	case rest == 0:
		return Count(hours) + " h"
	default:
		return Count(hours) + " h " + Count(rest) + " min"
	}
}

// Decimal writes a number that somebody has configured, exactly and without an exponent: "0.25".
func Decimal(v float64) string { return signed(strconv.FormatFloat(v, 'f', -1, 64)) }

// Times writes a burn rate, or the threshold of one: "13.42×". Both are cut after the second digit,
// and from 100 on after the point. So a burn never reads as below a threshold that it is above, nor
// the other way round. A little is not nothing: "<0.01×".
func Times(rate float64) string {
	hundredths := math.Floor(rate*100 + 1e-9)
	switch {
	case math.IsNaN(rate) || rate < 0 || rate > 1e15:
		return Unknown
	case rate > 0 && hundredths == 0:
		return "<0.01×"
	case rate >= 100:
		return group(uint64(hundredths/100)) + "×"
	}
	return Decimal(hundredths/100) + "×"
}

// Burn writes the burn rate of a sum of events. It is [Unknown] without events.
func Burn(bad, total int64, o slo.Objective) string {
	if total <= 0 {
		return Unknown
	}
	return Times(float64(bad) / float64(total) / o.AllowedRatio())
}

// Points writes by how many percentage points of a budget something went up or down, from a
// difference of ratios, rounded down to one digit: "+4.0", "−12.3".
func Points(difference float64) string {
	tenths := math.Floor(difference*1000 + 1e-9)
	switch {
	case math.IsNaN(difference) || math.Abs(difference) > 1e12:
		return Unknown
	case tenths > 0:
		return "+" + strconv.FormatFloat(tenths/10, 'f', 1, 64)
	}
	return signed(strconv.FormatFloat(tenths/10+0, 'f', 1, 64))
}

// Arrow writes by how much a count went up or down: "▲ 6", "▼ 1", "±0".
func Arrow(change int) string {
	return arrow(change > 0, change < 0, Count(max(change, -change)))
}

// ArrowDuration writes by how much a duration became longer or shorter: "▲ 4 min", "▼ 30 s", "±0".
func ArrowDuration(change time.Duration) string {
	return arrow(change > 0, change < 0, Duration(max(change, -change)))
}

func arrow(up, down bool, by string) string {
	switch {
	case up:
		return "▲ " + by
	case down:
		return "▼ " + by
	}
	return "±0"
}

// Events writes a count that is kept in thousandths of an event: "1,234", "0.5", "−3". From ten
// events on the fraction is dropped.
func Events(thousandths int64) string {
	sign, n := "", uint64(thousandths)
	if thousandths < 0 {
		sign, n = minus, -n
	}
	whole, rest := n/thousand, n%thousand
	if whole >= 10 || rest == 0 {
		return sign + group(whole)
	}
	return sign + group(whole) + strings.TrimRight("."+strconv.FormatUint(thousand+rest, 10)[1:], "0")
}

// Count writes a whole number: "12,345".
func Count(n int) string {
	if n < 0 {
		return minus + group(uint64(-n))
	}
	return group(uint64(n))
}

// Of writes a part of a count: "1,234 of 40,320".
func Of(n, all int) string { return Count(n) + " of " + Count(all) }

// Plural writes a count with its noun: "1 page", "2 pages", "2 stretches", "2
// processes", "2 series".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	switch {
	case strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "ss"):
		noun += "es"
	case !strings.HasSuffix(noun, "series"):
		noun += "s"
	}
	return Count(n) + " " + noun
}

// Different writes how many that are not the same: "3 different minutes", but "1 minute".
func Different(n int, noun string) string {
	if n == 1 {
		return Plural(n, noun)
	}
	return Plural(n, "different "+noun)
}

// Few writes a number that stands beside a least one which it does not reach, cut after the first
// digit: 9.996 of 10 is "9.9".
func Few(v float64) string {
	if math.IsNaN(v) || math.Abs(v) > 1e15 {
		return Unknown
	}
	return Events(int64(math.Floor(v*10+1e-9)) * (thousand / 10))
}

// Thousandths returns a number of events that is known from a float as the ledger keeps it, and
// false if it is no number of events.
func Thousandths(events float64) (int64, bool) {
	if math.IsNaN(events) || math.Abs(events) > 1e15 {
		return 0, false
	}
	return int64(math.Round(events * thousand)), true
}

// Value writes something that was measured and that is neither good nor bad by itself, with three
// digits that count: "0.0423", "12.3", "4,570".
func Value(v float64) string {
	if math.IsNaN(v) || math.Abs(v) > 1e15 {
		return Unknown
	}
	digits := 2
	if v != 0 {
		digits = min(2-int(math.Floor(math.Log10(math.Abs(v)))), 9)
	}
	step := math.Pow10(-digits)
	if v = math.Round(v/step) * step; math.Abs(v) >= 1000 {
		return Count(int(v))
	}
	s := strconv.FormatFloat(v, 'f', max(digits, 0), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return signed(s)
}

// Duration writes a duration in its two largest units and cuts the rest: "2 d 4 h", "1 h 5 min",
// "40 s", "250 ms".
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return minus + Duration(-max(d, -math.MaxInt64))
	case d == 0:
		return "0 s"
	case d < time.Second:
		return Count(int(d/time.Millisecond)) + " ms"
	}
	units := []struct {
		name string
		size time.Duration
	}{{"d", slo.Day}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	for d < units[0].size {
		units = units[1:]
	}
	s := Count(int(d/units[0].size)) + " " + units[0].name
	if len(units) > 1 {
		if rest := d % units[0].size / units[1].size; rest > 0 {
			s += " " + Count(int(rest)) + " " + units[1].name
		}
	}
	return s
}

// Until writes when something will happen: "1 h 18 min"; where that is not known, its band "40 min
// to 3 h", or "40 min or later" where nobody can say how late.
func Until(in, early, late time.Duration) string {
	switch {
	case in > 0 || early == late:
		return Duration(max(in, early))
	case late == 0:
		return Duration(early) + " or later"
	}
	return Duration(early) + " to " + Duration(late)
}

// Window writes the window of an SLO: "28 d", or "month (Europe/Berlin)".
func Window(w slo.Window) string {
	if w.Calendar == "" {
		return Duration(w.Rolling)
	}
	return w.String()
}

// UTC writes a time in UTC to the minute: "2026-03-29 01:00 UTC". The zero time is [Unknown].
func UTC(t time.Time) string { return In(t, time.UTC) }

// In writes a time in a zone to the minute: "2026-03-29 03:00 CEST". The zero time is [Unknown].
func In(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return Unknown
	}
	return t.In(zone).Format("2006-01-02 15:04 MST")
}

// Clock writes what a clock on the wall shows, in the zone that the time is in: "03:30".
func Clock(t time.Time) string { return t.Format("15:04") }

// Day writes the day of a time, in the zone that the time is in: "2026-03-29". The zero time is
// [Unknown].
func Day(t time.Time) string {
	if t.IsZero() {
		return Unknown
	}
	return t.Format(time.DateOnly)
}

// down writes num/den as a percentage with so many digits after the point, rounded down. Exactly
// nothing and exactly all have none.
func down(num, den int64, digits int) string { return percent(num, den, digits, false) }

// up writes num/den as down does, rounded up.
func up(num, den int64, digits int) string { return percent(num, den, digits, true) }

func percent(num, den int64, digits int, up bool) string {
	switch {
	case den <= 0:
		return Unknown
	case num == 0 || num == den:
		digits = 0
	}
	n := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits+2)), nil)
	n.Mul(n, big.NewInt(num))
	if up {
		n.Neg(n.Div(n.Neg(n), big.NewInt(den))) // Div rounds down, as den is positive
	} else {
		n.Div(n, big.NewInt(den))
	}
	sign, written := "", new(big.Int).Abs(n).String()
	if n.Sign() < 0 {
		sign = minus
	}
	if len(written) <= digits {
		written = strings.Repeat("0", digits+1-len(written)) + written
	}
	whole, fraction := written[:len(written)-digits], written[len(written)-digits:]
	if digits > 0 {
		fraction = "." + fraction
	}
	return sign + commas(whole) + fraction + " %"
}

// signed gives a number that Go has written the sign of all figures.
func signed(s string) string { return strings.Replace(s, "-", minus, 1) }

// group writes a number with a comma between every three digits.
func group(n uint64) string { return commas(strconv.FormatUint(n, 10)) }

func commas(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

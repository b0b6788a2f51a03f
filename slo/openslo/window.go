package openslo

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// span is a duration as OpenSLO writes them: a number and one unit.
type span struct {
	count int64
	unit  string
}

// units of OpenSLO, with the lengths that its reference library gives them. Mind m and M; s occurs
// in v1alpha only.
var units = map[string]time.Duration{
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": slo.Day, "w": 7 * slo.Day,
	"M": 30 * slo.Day, "Q": 90 * slo.Day, "Y": 365 * slo.Day,
}

// length returns the span as a duration, or the longest one there is.
func (s span) length() time.Duration {
	if unit := units[s.unit]; s.count < int64(math.MaxInt64/unit) {
		return time.Duration(s.count) * unit
	}
	return math.MaxInt64
}

var shorthand = regexp.MustCompile(`^(\d{1,5})([mhdwMQY])$`)

// readSpan reads a duration. OpenSLO allows one unit only, and a bare number never.
func readSpan(v strictyaml.Value) (span, bool) {
	text, ok := v.Literal("a duration such as 28d")
	if !ok {
		return span{}, false
	}
	m := shorthand.FindStringSubmatch(text)
	if m == nil {
		v.Problem(fmt.Sprintf("%s cannot be %q", v.Name(), text), "write a number and one of m (minutes), h, d, w, M (months), Q, Y")
		return span{}, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return span{n, m[2]}, err == nil
}

// window reads timeWindow: exactly one.
func (r *reader) window(spec strictyaml.Object) (slo.Window, bool) {
	v := spec.Get("timeWindow")
	if !v.Given() {
		return slo.Window{Rolling: 28 * slo.Day}, r.forgive(spec.Value, "timeWindow is missing", "write timeWindow: [{duration: 28d, isRolling: true}]")
	}
	list, ok := v.List(100)
	if !ok {
		return slo.Window{}, false
	}
	if len(list) != 1 {
		v.Problem(fmt.Sprintf("timeWindow has %d entries; OpenSLO wants exactly one", len(list)), "write an SLO for every window")
		return slo.Window{}, false
	}
	o, _ := list[0].Object("duration", "isRolling", "calendar")
	at := o.Need("duration", "write duration: 28d")
	length, ok := readSpan(at)
	if !ok {
		return slo.Window{}, false
	}
	return lasting(o, at, length)
}

// lasting returns the window of that length, rolling or by the calendar as o says.
func lasting(o strictyaml.Object, at strictyaml.Value, length span) (slo.Window, bool) {
	rolling, _ := o.Get("isRolling").Bool()
	calendar := o.Get("calendar")
	switch {
	case rolling && calendar.Given():
		calendar.Problem("a rolling window has no calendar", "remove one of isRolling and calendar")
		return slo.Window{}, false
	case rolling:
		return file.Rolling(at, length.length(), rollingHint(length))
	case !calendar.Given():
		o.Problem("a window that does not roll needs a calendar", "write isRolling: true, or calendar: {startTime: …, timeZone: …}")
		return slo.Window{}, false
	}
	return readCalendar(at, calendar, length)
}

// rollingHint suspects minutes that were meant to be months.
func rollingHint(s span) string {
	if s.unit == "m" {
		return fmt.Sprintf("m is minutes and M is months; did you mean %dM?", s.count)
	}
	return "write for example 28d"
}

// periods are the calendar windows of slowburn as OpenSLO can write them.
var periods = []struct {
	calendar slo.Calendar
	spans    []span
}{
	{slo.Week, []span{{1, "w"}, {7, "d"}}},
	{slo.Month, []span{{1, "M"}}},
	{slo.Quarter, []span{{1, "Q"}, {3, "M"}}},
	{slo.Year, []span{{1, "Y"}, {12, "M"}, {4, "Q"}}},
}

// readCalendar reads a calendar window. Periods begin with the week, month, quarter or year here;
// one that is anchored elsewhere is moved with a word. One of another length rolls.
func readCalendar(duration, v strictyaml.Value, length span) (slo.Window, bool) {
	o, _ := v.Object("startTime", "timeZone")
	at := o.Need("startTime", "write startTime: 2026-01-01 00:00:00")
	text, ok := at.Literal("a date and time such as 2026-01-01 00:00:00")
	start, err := time.Parse(time.DateTime, text)
	if ok && err != nil {
		at.Problem(fmt.Sprintf("startTime cannot be %q", text), "write date and time: 2026-01-01 00:00:00")
	}
	zone, zoned := file.Zone(o.Need("timeZone", "write timeZone: Europe/Berlin"))
	if !ok || err != nil || !zoned {
		return slo.Window{}, false
	}
	for _, p := range periods {
		if !slices.Contains(p.spans, length) {
			continue
		}
		w := slo.Window{Calendar: p.calendar, Zone: zone}
		if first := time.Date(start.Year(), start.Month(), start.Day(), start.Hour(), start.Minute(), start.Second(), 0, zone); !beginsAt(w, first) {
			at.Lint("not-carried-over", fmt.Sprintf("this %s does not begin with the calendar's; it is moved to where the calendar's %s begins, at midnight", p.calendar, p.calendar), "write the first midnight of a "+string(p.calendar))
		}
		return w, true
	}
	duration.Lint("not-carried-over", fmt.Sprintf("a calendar window of %d%s is not known here; it becomes a rolling one of %s", length.count, length.unit, slo.ShortDuration(length.length())), "known are 1w, 1M, 1Q and 1Y")
	return file.Rolling(duration, length.length(), "write for example 1M")
}

// beginsAt reports whether a period of the window begins at that instant.
func beginsAt(w slo.Window, t time.Time) bool { return w.Reset(t.Add(-time.Second)).Equal(t) }

package slack

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Figures as people read them.

// count writes thousandths of events as a number of events: "1,234", and a fraction only where it matters, "0.5".
func count(thousandths int64) string {
	whole, rest := thousandths/budget.Unit, thousandths%budget.Unit
	if thousandths < 0 {
		return "−" + count(-thousandths)
	}
	if whole >= 10 || rest == 0 {
		return grouped((thousandths + budget.Unit/2) / budget.Unit)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%03d", whole, rest), "0")
}

// grouped writes a number with a comma between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// percent writes a share with as many digits as it takes to see it: "43 %", "3.1 %", "0.02 %".
func percent(share float64) string {
	p := share * 100
	switch a := math.Abs(p); {
	case math.IsNaN(p) || math.IsInf(p, 0):
		return "unknown"
	case a == 0:
		return "0 %"
	case a >= 1e6:
		return fmt.Sprintf("%s %%", grouped(int64(min(math.Round(p/1000)*1000, 9e15))))
	case a >= 10:
		return trimmed(p, 0) + " %"
	case a >= 0.1:
		return trimmed(p, 1) + " %"
	case a < 1e-6:
		return "less than 0.000001 %"
	}
	return trimmed(p, int(math.Ceil(-math.Log10(math.Abs(p))))) + " %"
}

func trimmed(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		s = "0"
	}
	return strings.Replace(s, "-", "−", 1)
}

// goodShare writes an SLI with two digits more than its objective, rounded down: what is below
// the objective must never look as if it were met.
func goodShare(sli float64, o slo.Objective) string {
	digits := 2
	if _, fraction, ok := strings.Cut(o.Percent(), "."); ok {
		digits = min(len(fraction)+2, 7)
	}
	scale := math.Pow10(digits)
	return trimmed(math.Floor(sli*100*scale+1e-6)/scale, digits) + " %"
}

// times writes a burn rate: "14.6", "120", "1.2".
func times(burn float64) string {
	switch {
	case burn >= 100:
		return grouped(int64(min(math.Round(burn), 1e12)))
	case burn >= 0.05:
		return trimmed(burn, 1)
	}
	return trimmed(burn, 2)
}

// span writes a duration in words, with at most two units: "7 minutes", "2 days 1 hour".
func span(d time.Duration) string {
	if d < time.Minute {
		return "less than a minute"
	}
	d = d.Round(time.Minute)
	days, hours, minutes := int64(d/slo.Day), int64(d%slo.Day/time.Hour), int64(d%time.Hour/time.Minute)
	switch {
	case days >= 10 || days > 0 && hours == 0:
		return plural(days, "day")
	case days > 0:
		return plural(days, "day") + " " + plural(hours, "hour")
	case hours > 0 && minutes > 0:
		return plural(hours, "hour") + " " + plural(minutes, "minute")
	case hours > 0:
		return plural(hours, "hour")
	}
	return plural(minutes, "minute")
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// window names a look-back: "hour", "5 minutes", "3 days".
func window(d time.Duration) string {
	return strings.TrimPrefix(span(d), "1 ")
}

// at shows a moment in the reader's own time zone, and in UTC where that is not possible.
func at(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), t.UTC().Format("2 Jan 15:04 UTC"))
}

// unit is what an SLO counts, one and many.
func unit(k slo.Kind, many bool) string {
	one := "event"
	switch k {
	case slo.Slices:
		one = "minute"
	case slo.Uptime:
		one = "check"
	case slo.Events, slo.Latency, slo.Ratio:
	}
	if many {
		return one + "s"
	}
	return one
}

// counted writes thousandths with their unit: "1 event", "1,234 events".
func counted(thousandths int64, k slo.Kind) string {
	return count(thousandths) + " " + unit(k, thousandths != budget.Unit)
}

package strictyaml

import (
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// durationError says why something is not a duration, and what to write.
type durationError struct{ message, hint string }

func (e *durationError) Error() string { return e.message }

// mistakes are the ways in which durations usually go wrong, tried in order.
var mistakes = []struct {
	pattern       *regexp.Regexp
	message, hint string
}{
	{regexp.MustCompile(`^$`), "there is no duration", "write for example 5m"},
	{regexp.MustCompile(`^-`), "a duration cannot be negative", "write for example 1h"},
	{regexp.MustCompile(`^0+(ms|[smhdwy])?$`), "a duration cannot be zero", "write for example 5m"},
	{regexp.MustCompile(`^\d+$`), "a duration needs a unit", "write for example 5m, 1h or 28d"},
	{regexp.MustCompile(`(?i:^\d+ ?mo|month)|^\d+M$`), "months differ in length, so a month is not a duration", "write {calendar: month} for a calendar month, 28d for four weeks, or 5m for five minutes"},
	{regexp.MustCompile(`y$`), "years differ in length, so a year is not a duration here", "write {calendar: year} for a calendar year, or 365d"},
	{regexp.MustCompile(`^\d+[.,]\d+`), "a duration is made of whole numbers", "write 1h30m instead of 1.5h, 300ms instead of 0.3s"},
	{regexp.MustCompile(`^\d+[SMHDW]`), "units are written small", "write d for days, h for hours, m for minutes"},
	{regexp.MustCompile(`^\d+ `), "a duration has no spaces and short units", "write for example 5m, 1h or 28d"},
}

// parseDuration reads a positive duration as Prometheus writes them: 300ms, 30s, 5m, 1h30m, 28d,
// 4w. Days are 24 hours and weeks are 7 days; months and years are refused.
func parseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	for _, m := range mistakes {
		if m.pattern.MatchString(s) {
			return 0, &durationError{quote(s) + ": " + m.message, m.hint}
		}
	}
	d, err := model.ParseDuration(s)
	if err != nil || strings.Contains(s, "y") {
		return 0, &durationError{quote(s) + " is not a duration", "write for example 30s, 5m, 1h30m, 28d or 4w, the large unit first"}
	}
	if d <= 0 {
		return 0, &durationError{quote(s) + ": a duration cannot be zero", "write for example 5m"}
	}
	return time.Duration(d), nil
}

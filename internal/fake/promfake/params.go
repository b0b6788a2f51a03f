package promfake

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// Bounds of an open time range. Clients send them as text when they mean "everything"; they lie
// beyond what RFC 3339 can say, hence the own texts.
var (
	earliest = time.Unix(math.MinInt64/1000+62135596801, 0).UTC()
	latest   = time.Unix(math.MaxInt64/1000-62135596801, 999999999).UTC()
)

// timeParam reads a time from the form, with a default for its absence.
func timeParam(r *http.Request, name string, absent time.Time) (time.Time, error) {
	s := r.FormValue(name)
	if s == "" {
		return absent, nil
	}
	t, err := parseTime(s)
	if err != nil {
		return t, fmt.Errorf("invalid time value for '%s': %w", name, err)
	}
	return t, nil
}

// rangeParams reads `start` and `end` in milliseconds; both are optional.
func rangeParams(r *http.Request) (mint, maxt int64, _ *apiError) {
	start, err := timeParam(r, "start", earliest)
	if err != nil {
		return 0, 0, badParam("start", err)
	}
	end, err := timeParam(r, "end", latest)
	if err != nil {
		return 0, 0, badParam("end", err)
	}
	if end.Before(start) {
		return 0, 0, badData(errors.New("end timestamp must not be before start timestamp"))
	}
	return start.UnixMilli(), end.UnixMilli(), nil
}

// limitParam reads `limit`; zero means none.
func limitParam(r *http.Request) (int, error) {
	s := r.FormValue("limit")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err == nil && n < 0 {
		err = errors.New("limit must be non-negative")
	}
	return n, err
}

// parseTime reads Unix seconds with a fraction, rounded to milliseconds, or RFC 3339.
func parseTime(s string) (time.Time, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		sec, frac := math.Modf(f)
		frac = math.Round(frac*1000) / 1000
		return time.Unix(int64(sec), int64(frac*float64(time.Second))).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	for _, bound := range []time.Time{earliest, latest} {
		if s == bound.Format(time.RFC3339Nano) {
			return bound, nil
		}
	}
	return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", s)
}

// parseDuration reads seconds with a fraction or a Prometheus duration (5m, 1h30m).
func parseDuration(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		ns := f * float64(time.Second)
		if ns > math.MaxInt64 || ns < math.MinInt64 {
			return 0, fmt.Errorf("cannot parse %q to a valid duration. It overflows int64", s)
		}
		return time.Duration(ns), nil
	}
	if d, err := model.ParseDuration(s); err == nil {
		return time.Duration(d), nil
	}
	return 0, fmt.Errorf("cannot parse %q to a valid duration", s)
}

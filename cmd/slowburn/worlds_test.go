package main

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// The worlds that scenarios_test.go tells of end on a Sunday noon. They are a day long unless they
// say otherwise; what is to happen happens in their last hours.
var (
	worldEnd   = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	worldBegin = worldEnd.Add(-24 * time.Hour)
)

// clock returns a time on the last day of a world: of an hour and a minute.
func clock(hour, minute int) time.Time {
	return time.Date(2026, 11, 29, hour, minute, 0, 0, time.UTC)
}

// within reports whether a time is in (from, to], as the increments of a sample are.
func within(t, from, to time.Time) bool { return t.After(from) && !t.After(to) }

// metric is one time series of a world as it is scraped: a counter that grows by some events a
// second, or whatever else.
type metric struct {
	every  time.Duration                     // between two scrapes
	offset time.Duration                     // of the scrapes from whole minutes
	from   time.Time                         // zero is the world's begin
	start  float64                           // its value before
	labels func(t time.Time) []string        // pairs, the name among them; nil ends the series
	rate   func(t time.Time) float64         // events a second up to then
	shown  func(t time.Time, v float64) bool // false is a scrape that is missing; nil shows all
	bent   func(t time.Time, v float64) float64
}

// write puts the samples of a series into a server; a series whose labels change ends by a marker.
func write(t testing.TB, db *promfake.DB, m metric) {
	t.Helper()
	v, last := m.start, labels.EmptyLabels()
	if m.from.IsZero() {
		m.from = worldBegin
	}
	for at := m.from.Add(m.offset); !at.After(worldEnd); at = at.Add(m.every) {
		for second := at.Add(-m.every); second.Before(at); second = second.Add(time.Second) {
			v += m.rate(second.Add(time.Second))
		}
		is := labels.FromStrings(m.labels(at)...)
		if labels.Compare(is, last) != 0 && !last.IsEmpty() {
			must(t, db.MarkStale(last, at.UnixMilli()))
		}
		if last = is; is.IsEmpty() || m.shown != nil && !m.shown(at, v) {
			continue
		}
		shown := math.Round(v)
		if m.bent != nil {
			shown = m.bent(at, shown)
		}
		must(t, db.Append(is, at.UnixMilli(), shown))
	}
}

// requests are those to a service: ten a second, of which one in five thousand fails, and in an
// outage all. It is scraped every 30 s, and has served for months.
type requests struct {
	instance string    // of one that is usual
	from     time.Time // when it is first scraped
	every    time.Duration
	outage   [2]time.Time
	lifetime float64 // bad requests of its life, of 60 million
	labels   func(code string, t time.Time) []string
	bent     func(code string, t time.Time, v float64) float64
	shown    func(code string, t time.Time) bool
}

// anOutage is an hour in which every request fails, from ten o'clock.
var anOutage = [2]time.Time{clock(10, 0), clock(11, 0)}

func (a requests) write(t testing.TB, db *promfake.DB) {
	t.Helper()
	for code, start := range map[string]float64{"200": 60e6, "500": a.lifetime} {
		m := metric{
			from: a.from, every: max(a.every, 30*time.Second), offset: 7 * time.Second, start: start,
			labels: func(at time.Time) []string {
				pairs := []string{"__name__", "http_requests_total", "job", "api", "instance", cmp.Or(a.instance, "10.0.0.1:8080"), "code", code}
				if a.labels != nil {
					pairs = append(pairs, a.labels(code, at)...)
				}
				return pairs
			},
			rate: func(at time.Time) float64 {
				fails := within(at, a.outage[0], a.outage[1])
				switch {
				case code == "500" && fails:
					return 10
				case code == "500":
					return 0.002
				case fails:
					return 0
				}
				return 10
			},
		}
		if a.bent != nil {
			m.bent = func(at time.Time, v float64) float64 { return a.bent(code, at, v) }
		}
		if a.shown != nil {
			m.shown = func(at time.Time, _ float64) bool { return a.shown(code, at) }
		}
		write(t, db, m)
	}
}

// since adds labels from a time on.
func since(from time.Time, pairs ...string) func(string, time.Time) []string {
	return func(_ string, at time.Time) []string {
		if at.Before(from) {
			return nil
		}
		return pairs
	}
}

// histogram is a service of ten requests a second that takes up to half a second for nearly all, up
// to one for the rest; in an outage everything is slower. le writes the bound of one second.
func histogram(t testing.TB, db *promfake.DB, outage [2]time.Time, le func(t time.Time) string) {
	t.Helper()
	for _, bound := range []string{"0.5", "1", "+Inf", "count"} {
		write(t, db, metric{
			every: 30 * time.Second, offset: 7 * time.Second, start: 60e6,
			labels: func(at time.Time) []string {
				pairs := []string{"job", "api", "instance", "10.0.0.1:8080", "__name__", "http_request_duration_seconds_bucket"}
				switch bound {
				case "count":
					pairs[5] = "http_request_duration_seconds_count"
					return pairs
				case "1":
					if text := le(at); text != "" {
						return append(pairs, "le", text)
					}
					return nil
				}
				return append(pairs, "le", bound)
			},
			rate: func(at time.Time) float64 {
				slow := within(at, outage[0], outage[1])
				switch {
				case slow && (bound == "0.5" || bound == "1"):
					return 0
				case bound == "0.5":
					return 9.7
				}
				return 10
			},
		})
	}
}

// pods are two pods, scraped every minute, of which a share of 20 requests a second fails; nothing
// is scraped in a hole.
func pods(t testing.TB, db *promfake.DB, share func(t time.Time) float64, hole [2]time.Time, name func(pod string, t time.Time) []string) {
	t.Helper()
	for _, pod := range []string{"0", "1"} {
		for _, code := range []string{"200", "500"} {
			write(t, db, metric{
				every: time.Minute, offset: time.Duration(7*len(pod)) * time.Second,
				labels: func(at time.Time) []string {
					return append([]string{"__name__", "e_total", "job", "e", "code", code}, name(pod, at)...)
				},
				rate: func(at time.Time) float64 {
					if code == "500" {
						return 10 * share(at)
					}
					return 10 * (1 - share(at))
				},
				shown: func(at time.Time, _ float64) bool { return !within(at, hole[0], hole[1]) },
			})
		}
	}
}

// podsOfE are pods whose names stay.
func podsOfE(pod string, _ time.Time) []string { return []string{"instance", "e:" + pod} }

// failing is a share of failures between two times, and one in five thousand else.
func failing(share float64, from, to time.Time) func(time.Time) float64 {
	return func(t time.Time) float64 {
		if within(t, from, to) {
			return share
		}
		return 0.0002
	}
}

func oneOf(t time.Time, times ...time.Time) bool {
	return slices.ContainsFunc(times, func(o time.Time) bool { return t.Truncate(time.Minute).Equal(o) && t.Second() < 30 })
}

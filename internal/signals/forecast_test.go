package signals

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/prom"
)

var noon = time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)

// drawn is three days of a gauge, a sample every quarter of an hour; hours is the time left until
// noon, negative.
func drawn(f func(hours float64) float64) (points []prom.Point) {
	for at := noon.Add(-longLook); !at.After(noon); at = at.Add(forecastStep) {
		points = append(points, prom.Point{At: at.UnixMilli(), Value: f(at.Sub(noon).Hours())})
	}
	return points
}

func TestForecast(t *testing.T) {
	wave := func(h float64) float64 { return math.Sin(2 * math.Pi * h / 1.7) }
	for _, tc := range []struct {
		name   string
		f      func(h float64) float64
		hours  float64 // until full; 0 for no forecast
		reason string
	}{
		{"a straight line is followed to its limit", func(h float64) float64 { return 0.8 + 0.002*h }, 100, ""},
		{"small waves do not hide a line", func(h float64) float64 { return 0.8 + 0.002*h + 0.001*wave(h) }, 100, ""},
		{"much is free", func(h float64) float64 { return 0.3 + 0.002*h }, 0, "% is free"},
		{"it stands still", func(float64) float64 { return 0.8 }, 0, "not growing"},
		{"it falls", func(h float64) float64 { return 0.8 - 0.002*h }, 0, "not growing"},
		{"a sawtooth is no line", func(h float64) float64 { return 0.7 + 0.1*wave(h) }, 0, "follows no line"},
		{"a step is no line", func(h float64) float64 {
			if h < -30 {
				return 0.5
			}
			return 0.8
		}, 0, "it jumped"},
		{"growth that has just begun is not believed", func(h float64) float64 { return 0.8 + 0.0002*h + 0.02*math.Max(0, h+6) }, 0, "over three days"},
		{"growth that has slowed down is not believed", func(h float64) float64 {
			if h > -8 {
				return 0.8 + 0.0004*(h+8)
			}
			return 0.8 + 0.004*(h+8)
		}, 0, "different rates"},
		{"it would take months", func(h float64) float64 { return 0.8 + 0.0001*h }, 0, "within 30 days"},
		{"nothing is known", func(float64) float64 { return math.NaN() }, 0, "no data"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := forecast(drawn(tc.f), 1, noon)
			if tc.hours == 0 {
				if got.Known() || !strings.Contains(got.Reason, tc.reason) {
					t.Errorf("%+v, want the reason %q", got, tc.reason)
				}
				return
			}
			full := noon.Add(time.Duration(tc.hours * float64(time.Hour)))
			if !got.Known() || got.Earliest.After(full.Add(time.Minute)) || got.Latest.Before(full.Add(-time.Minute)) || got.Latest.Sub(got.Earliest) > 40*time.Hour {
				t.Errorf("%+v, want a band around %v", got, full)
			}
		})
	}
	if got := forecast(drawn(func(float64) float64 { return 1.2 }), 1, noon); !got.Earliest.Equal(noon) {
		t.Errorf("what is full is full now: %+v", got)
	}
}

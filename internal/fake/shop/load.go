package shop

import (
	"math"
	"time"
)

// load returns the relative traffic at t: about 1 on average over a weekday, high in the afternoon,
// low at night, less at the weekend.
func load(t time.Time) float64 {
	t = t.UTC()
	hour := float64(t.Hour()) + float64(t.Minute())/60
	day := 1 + 0.6*math.Sin(2*math.Pi*(hour-8)/24)
	if wd := t.Weekday(); wd == time.Saturday || wd == time.Sunday {
		day *= 0.7
	}
	return day
}

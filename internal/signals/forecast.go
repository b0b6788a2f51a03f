package signals

import (
	"math"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
)

// The two look-backs of a forecast. The short one sees what happens now, the long one spans several
// of the daily ups and downs; a forecast is given only if both say the same.
const (
	shortLook = 6 * time.Hour
	longLook  = 3 * 24 * time.Hour
)

// What a forecast must fulfil.
const (
	minPoints = 12                  // samples in each look-back
	minFit    = 0.5                 // R², the share of the movement that the line explains
	minFull   = 0.6                 // of the limit: with more than 40 % free there is nothing to forecast
	maxDiffer = 2.0                 // times that the two slopes may differ
	farthest  = 30 * 24 * time.Hour // beyond which a line says nothing
)

// forecast draws a line through each look-back and asks when it meets the limit. It says nothing
// rather than something doubtful: after a step, without a clear line, or when the two differ.
func forecast(points []prom.Point, limit float64, at time.Time) ranking.Forecast {
	points = finite(points)
	if len(points) == 0 {
		return ranking.Forecast{Reason: "no data"}
	}
	now := points[len(points)-1].Value
	switch {
	case limit <= 0:
		return ranking.Forecast{Reason: "no limit is known"}
	case now >= limit:
		return ranking.Forecast{Earliest: at, Latest: at}
	case now < minFull*limit:
		return ranking.Forecast{Reason: figures.Known(1-now/limit) + " is free"}
	}
	long, reason := fit(since(points, at.Add(-longLook)), at)
	if reason != "" {
		return ranking.Forecast{Reason: "over three days " + reason}
	}
	short, reason := fit(since(points, at.Add(-shortLook)), at)
	if reason != "" {
		return ranking.Forecast{Reason: "over six hours " + reason}
	}
	return agree(long, short, limit, at)
}

// agree returns the forecast of two lines that say the same.
func agree(long, short line, limit float64, at time.Time) ranking.Forecast {
	if long.slope <= 0 || short.slope <= 0 {
		return ranking.Forecast{Reason: "it is not growing"}
	}
	if r := long.slope / short.slope; r > maxDiffer || r < 1/maxDiffer {
		return ranking.Forecast{Reason: "the last six hours and the last three days grow at different rates"}
	}
	first, last := math.Inf(1), 0.0
	for _, l := range []line{long, short} {
		for _, slope := range []float64{l.slope - 2*l.uncertain, l.slope + 2*l.uncertain} {
			seconds := math.Inf(1)
			if slope > 0 {
				seconds = math.Max(0, (limit-l.now)/slope)
			}
			first, last = math.Min(first, seconds), math.Max(last, seconds)
		}
	}
	if first > farthest.Seconds() {
		return ranking.Forecast{Reason: "it will not be full within 30 days"}
	}
	last = math.Min(last, 10*farthest.Seconds())
	return ranking.Forecast{Earliest: at.Add(seconds(first)), Latest: at.Add(seconds(last))}
}

func seconds(s float64) time.Duration { return time.Duration(s) * time.Second }

func finite(points []prom.Point) (out []prom.Point) {
	for _, p := range points {
		if !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0) {
			out = append(out, p)
		}
	}
	return out
}

func since(points []prom.Point, from time.Time) []prom.Point {
	for i, p := range points {
		if p.At >= from.UnixMilli() {
			return points[i:]
		}
	}
	return nil
}

// line is a least-squares line: its value now, its slope per second, and the standard error of the
// slope.
type line struct{ now, slope, uncertain float64 }

// fit draws the line through points, or says why there is none.
func fit(points []prom.Point, at time.Time) (line, string) {
	n := float64(len(points))
	if len(points) < minPoints {
		return line{}, "there are too few samples"
	}
	var mx, my float64
	x := func(p prom.Point) float64 { return float64(p.At-at.UnixMilli()) / 1000 }
	for _, p := range points {
		mx += x(p) / n
		my += p.Value / n
	}
	var sxx, sxy, syy float64
	for _, p := range points {
		dx, dy := x(p)-mx, p.Value-my
		sxx, sxy, syy = sxx+dx*dx, sxy+dx*dy, syy+dy*dy
	}
	if syy <= n*my*my*1e-18 || sxx == 0 {
		return line{now: my}, "" // a flat line is a good line
	}
	slope := sxy / sxx
	wrong := math.Max(0, syy-slope*sxy) // sum of squares that the line leaves
	step := stepError(points)
	switch {
	case 1-min(wrong, step)/syy < minFit:
		return line{}, "it follows no line"
	case step < wrong:
		return line{}, "it jumped"
	}
	return line{now: my - slope*mx, slope: slope, uncertain: math.Sqrt(wrong / (n - 2) / sxx)}, ""
}

// stepError returns the sum of squares that is left when the points are taken for two levels with
// one step between them, at its best place.
func stepError(points []prom.Point) float64 {
	var total, squares float64
	for _, p := range points {
		total += p.Value
		squares += p.Value * p.Value
	}
	best, left, n := math.Inf(1), 0.0, float64(len(points))
	for i, p := range points[:len(points)-1] {
		left += p.Value
		k := float64(i + 1)
		right := total - left
		best = math.Min(best, squares-left*left/k-right*right/(n-k))
	}
	return math.Max(0, best)
}

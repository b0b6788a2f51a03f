package prom

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// drawn is a life drawn at random: a few targets that are scraped together with all their series,
// with missed scrapes, a common outage, restarts, and series that are born late and go away with a
// restart.
type drawn struct {
	text   string
	total  float64 // increments after minute 2, by the plainest reading of the rules
	latest float64
}

// drawLife plays the targets scrape by scrape and counts, beside it, what the rules say, with
// everything in sight.
func drawLife(t *rapid.T) drawn {
	d := drawn{}
	step := rapid.SampledFrom([]float64{15, 30, 60}).Draw(t, "interval")
	outage := rapid.Float64Range(200, 1500).Draw(t, "outage")
	length := rapid.SampledFrom([]float64{0, 100, 400}).Draw(t, "length")
	for target := range rapid.IntRange(1, 3).Draw(t, "targets") {
		lines := [2]string{fmt.Sprintf("instance=%d code=200:", target), fmt.Sprintf("instance=%d code=500:", target)}
		var value, last [2]float64
		shown, before := [2]bool{true, false}, [2]bool{}
		offset := rapid.Float64Range(1, step-1).Draw(t, "offset")
		scraped := false
		for now := offset; now < 1800; now += step {
			now := float64(int(now*1000)) / 1000
			restart := rapid.IntRange(0, 25).Draw(t, "restart") == 0
			if restart {
				value, shown = [2]float64{}, [2]bool{true, false}
			}
			for i := range value {
				if n := rapid.IntRange(0, 3+27*(1-i)).Draw(t, "events"); n > 1 {
					value[i] += float64(n - 1)
					shown[i] = true
				}
			}
			missed := now > 150 && rapid.IntRange(0, 30).Draw(t, "missed") == 0
			if missed || now > outage && now < outage+length {
				continue
			}
			for i := range value {
				if !shown[i] {
					before[i] = false
					continue
				}
				lines[i] += fmt.Sprintf(" %.3f=%g", now, value[i])
				n := value[i]
				switch {
				case !scraped && now <= 60: // the position
					n = 0
				case before[i] && value[i] >= last[i]:
					n = value[i] - last[i]
				}
				if now > 120 {
					d.total += n
				}
				last[i], before[i] = value[i], true
			}
			scraped = true
			d.latest = max(d.latest, now)
		}
		d.text += lines[0] + "\n" + lines[1] + "\n"
	}
	return d
}

// TestNothingIsLostOrCountedTwice: the sum of all slots is the sum of all increments, to the
// thousandth.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drawLife(rt)
		c := serve(t, life(t, d.text))
		specs := []*slo.Spec{events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)}
		r, got := New(c, Options{}), book{}
		tick(t, r, specs, m0+1, got)
		for to := m0 + 1; to < m0+40; {
			to = min(to+budget.Minute(rapid.IntRange(1, 15).Draw(rt, "step")), m0+40)
			tick(t, r, specs, to, got)
		}
		if _, total := got.sum("svc/x"); total != int64(d.total*1000) {
			rt.Fatalf("%d thousandths, want %g events\n%s\n%s", total, d.total, d.text, slots(got["svc/x"]))
		}
	})
}

package prom

import (
	"fmt"
	"math/rand/v2"
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

// fell reports whether a counter lost an eighth of its height or more.
func fell(v, high float64) bool { return v < high && v <= high*7/8 }

// drawLife plays the targets scrape by scrape and counts, beside it, what the rules say, with
// everything in sight.
func drawLife(t *rapid.T) drawn {
	d := drawn{}
	step := rapid.SampledFrom([]float64{15, 30, 60}).Draw(t, "interval")
	outage := rapid.Float64Range(200, 1500).Draw(t, "outage")
	length := rapid.SampledFrom([]float64{0, 100, 400}).Draw(t, "length")
	for target := range rapid.IntRange(1, 3).Draw(t, "targets") {
		lines := [2]string{fmt.Sprintf("instance=%d code=200:", target), fmt.Sprintf("instance=%d code=500:", target)}
		var value, high [2]float64
		var at [2]float64 // newest sample, 0 = none
		shown, before, since := [2]bool{true, false}, 0.0, 0.0
		offset := rapid.Float64Range(1, step-1).Draw(t, "offset")
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
			for i := range value { // a deep fall since the scrape before is a restart
				if shown[i] && at[i] > 0 && at[i] == before && fell(value[i], high[i]) {
					since = now
				}
			}
			for i := range value {
				if !shown[i] {
					continue
				}
				lines[i] += fmt.Sprintf(" %.3f=%g", now, value[i])
				n := value[i]
				switch {
				case at[i] == 0 && now <= 60: // the position
					n = 0
				case at[i] == 0 || at[i] < since || fell(value[i], high[i]): // a new counter
				case value[i] < high[i]: // a glitch
					n = 0
				case now-at[i] > 300 && before > (at[i]+now)/2: // away for long while the other was there
				default:
					n = value[i] - high[i]
				}
				if now > 120 {
					d.total += n
				}
				if at[i] == 0 || at[i] < since || value[i] >= high[i] || fell(value[i], high[i]) {
					high[i] = value[i]
				}
				at[i] = now
			}
			before = now
			d.latest = max(d.latest, now)
		}
		d.text += lines[0] + "\n" + lines[1] + "\n"
	}
	return d
}

// TestNothingIsLostOrCountedTwice: the sum of all slots is the sum of all increments, to the
// thousandth. The lives are always the same ones.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	lives := rapid.Custom(drawLife)
	seeds := []int{2312, 2748} // a process that begins anew before its second scrape
	for seed := range 100 {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("life ", seed), func(t *testing.T) {
			d, rng := lives.Example(seed), rand.New(rand.NewPCG(uint64(seed), 0))
			c := serve(t, life(t, d.text))
			specs := []*slo.Spec{events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)}
			r, got := New(c, Options{}), book{}
			tick(t, r, specs, m0+1, got)
			for to := m0 + 1; to < m0+40; {
				to = min(to+budget.Minute(1+rng.IntN(15)), m0+40)
				tick(t, r, specs, to, got)
			}
			if _, total := got.sum("svc/x"); total != int64(d.total*1000) {
				t.Fatalf("%d thousandths, want %g events\n%s\n%s", total, d.total, d.text, slots(got["svc/x"]))
			}
		})
	}
}

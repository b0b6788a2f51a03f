package web

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/slo"
)

// What is not known is a gap, never a line at zero. No name becomes markup.
func TestChartHasGaps(t *testing.T) {
	at := func(h int) time.Time { return now.Truncate(time.Hour).Add(time.Duration(h) * time.Hour) }
	c := chart{
		ID: "x", Title: "<b>", Words: `"quoted"`, From: at(0), To: at(5), Height: 100, Axis: axis{Low: 0, High: 10, Ticks: []tick{{5, "<q>", "<s>"}}},
		Lines: []line{{Key: "a", Area: true, Points: []point{
			{at(0), 10, true}, {at(1), 5, true}, {at(2), 0, false}, {at(3), 5, true}, {at(4), 0, false}, {at(5), 10, true},
		}}},
		Thresholds: []threshold{{5, "limit", "<i>"}}, Shades: []shade{{at(-3), at(1), "page", "<u>"}, {at(7), at(8), "page", "later"}},
		Marks: []mark{{at(2), "change", "<em>"}, {at(9), "change", "later"}},
	}
	svg := string(c.SVG())
	for _, want := range []string{
		`<path class="line line-a" d="M0.0 0.0h0L200.0 50.0M600.0 50.0h0M1000.0 0.0h0"/>`, `d="M0.0 0.0h0L200.0 50.0V100H0.0Z"`,
		`<rect class="shade shade-page" x="0.00%" y="23" width="20.00%"`, `x1="40.00%" x2="40.00%"`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("without %s:\n%s", want, svg)
		}
	}
	for _, bad := range []string{"<b", "<q", "<s>", "<i", "<u", "<em", "later", `"quoted"`} {
		if strings.Contains(svg, bad) {
			t.Errorf("holds %s", bad)
		}
	}
	for _, empty := range []chart{{}, {From: now, To: now}, {Lines: []line{{}}, From: now, To: now.Add(time.Hour)}} {
		if svg := string(empty.SVG()); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("an empty chart is drawn at no place:\n%s", svg)
		}
	}
}

// The axis of an error ratio goes by decades: what is allowed lies above its floor, a burn of 640
// is no further from one of 64 than that from one of 6.4, and nothing lies outside of it.
func TestTheErrorRatioIsReadableAtAnyBurn(t *testing.T) {
	c := chart{Height: 300, Axis: decades(0.001)}
	var labels []string
	for _, tick := range c.Axis.Ticks {
		labels = append(labels, tick.Left+" "+tick.Right)
	}
	if d := gocmp.Diff([]string{"0 ", "0.1\u00a0% 1×", "1\u00a0% 10×", "10\u00a0% 100×", "100\u00a0% 1,000×"}, labels); d != "" {
		t.Error(d)
	}
	d := drawing{chart: c}
	for v, want := range map[float64]float64{0: 308, 0.0001: 308, 0.001: 233, 0.01: 158, 0.1: 83, 1: 8, 2: 8} {
		if got := d.y(v); got < want-0.01 || got > want+0.01 {
			t.Errorf("%g is at %.2f, want %.2f", v, got, want)
		}
	}
	for _, allowed := range []float64{0.0001, 0.005, 0.05, 0.3, 0.9} {
		a := decades(allowed)
		if last := a.Ticks[len(a.Ticks)-1]; last.Value != 1 || len(a.Ticks) > 7 {
			t.Errorf("%g: %+v", allowed, a.Ticks)
		}
	}
}

// A step is as long as it takes to know something: single failures among few events are no comb,
// and an outage begins at its minute.
func TestStepsOfTheErrorRatio(t *testing.T) {
	o := shopSet(t, shopYAML).Lookup("checkout/availability").Objective
	for _, c := range []struct {
		what string
		bad  string // of each hundred of 200 events in a minute; "-" is one of which nothing is known
		want string // begin-end of each step in minutes, and its bad events in a hundred
	}{
		{"nothing fails", "00000", "0-5:0"},
		{"one of few fails", "00100", "0-5:0.2"},
		{"an outage", "0009999", "0-3:0 3-4:9 4-5:9 5-6:9 6-7:9"},
		{"nothing is known between", "00-00", "0-2:0 gap 3-5:0"},
		{"nothing is known", "---", "gap gap gap"},
	} {
		var points []incidents.Point
		for n, r := range c.bad {
			p := incidents.Point{At: now.Add(time.Duration(n) * time.Minute)}
			if r != '-' {
				p.Sum = budget.Sum{Total: 200 * budget.Unit, Bad: 2 * int64(r-'0') * budget.Unit, Known: 1}
			}
			points = append(points, p)
		}
		if got := stepsInWords(stepsOf(points, o, time.Minute)); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// stepsInWords writes steps as the table of tests does.
func stepsInWords(steps []point) string {
	var all []string
	minute := func(p point) string { return figures.Decimal(p.At.Sub(now).Minutes()) }
	for n := 0; n < len(steps); n++ {
		if !steps[n].Known {
			all = append(all, "gap")
			continue
		}
		all = append(all, minute(steps[n])+"-"+minute(steps[n+1])+":"+figures.Value(100*steps[n].Value))
		n++
	}
	return strings.Join(all, " ")
}

// The charts of a budget show the time that is asked for; by themselves six hours while something
// burns, and four weeks else.
func TestRangesOfTheCharts(t *testing.T) {
	h := newShop(t).handler()
	for path, want := range map[string]string{
		"/slo/checkout/availability":           "6h",
		"/slo/search/freshness":                "28d",
		"/slo/search/freshness?range=1h":       "1h",
		"/slo/checkout/availability?range=7d":  "7d",
		"/slo/checkout/availability?range=28d": "28d",
		"/slo/checkout/availability?range=2y":  "6h",
	} {
		body := get(h, path).Body.String()
		if !strings.Contains(body, `aria-current="true">`+want+`</a>`) || strings.Count(body, `role="img"`) < 3 {
			t.Errorf("%s does not show %s in three charts", path, want)
		}
		if strip := strings.Contains(body, "last 28 days"); strip != (want != "28d") {
			t.Errorf("%s: a strip of four weeks: %v", path, strip)
		}
	}
	if got := spanOf("", false); got != 28*slo.Day {
		t.Error(got)
	}
}

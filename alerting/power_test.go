package alerting

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/slo"
)

// near reports whether got is within a share of want.
func near(got, want, share float64) bool { return math.Abs(got-want) <= share*math.Abs(want) }

// The workbook's pairs at 99.9 % over 30 days: the exact times of its formulas, rounded up to slots
// of a minute.
func TestPowerOfTheWorkbook(t *testing.T) {
	p := PowerOf(workbookSpec(t, "99.9", []slo.Pair{fast, slow}, []slo.Pair{day, threeD}), 10_000)
	for _, c := range []struct {
		name  string
		got   Reach
		want  Reach
		exact float64 // minutes of total outage in continuous time
	}{
		{"14.4x over 1h/5m", p.Pairs[0].Reach, Reach{Outage: time.Minute, Reset: 5 * time.Minute, ResetLong: 5 * time.Minute, Ratio: 0.0144}, 0.864},
		{"6x over 6h/30m", p.Pairs[1].Reach, Reach{Outage: 3 * time.Minute, Reset: 30 * time.Minute, ResetLong: 30 * time.Minute, Ratio: 0.006}, 2.16},
		{"3x over 24h/2h", p.Pairs[2].Reach, Reach{Outage: 5 * time.Minute, Reset: 2 * time.Hour, ResetLong: 2 * time.Hour, Ratio: 0.003}, 4.32},
		{"1x over 3d/6h", p.Pairs[3].Reach, Reach{Outage: 5 * time.Minute, Reset: 6 * time.Hour, ResetLong: 6 * time.Hour, Ratio: 0.001}, 4.32},
		{"all pages: half an hour after all but the shortest outages", p.Page, Reach{Outage: time.Minute, Reset: 5 * time.Minute, ResetLong: 30 * time.Minute, Ratio: 0.006}, 0.864},
		{"all tickets", p.Ticket, Reach{Outage: 5 * time.Minute, Reset: 6 * time.Hour, ResetLong: 6 * time.Hour, Ratio: 0.001}, 4.32},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !near(c.got.Ratio, c.want.Ratio, 0.004) {
				t.Errorf("the smallest ratio is %.6f, want %.6f", c.got.Ratio, c.want.Ratio)
			}
			// A total outage takes 1/43.2 of the budget of 43.2 minutes with each of its minutes.
			if gone := c.got.Outage.Minutes() / 43.2; !near(c.got.Gone, gone, 2e-4) || c.got.Outage.Minutes() < c.exact {
				t.Errorf("%.5f of the budget is gone after %v, want %.5f", c.got.Gone, c.got.Outage, gone)
			}
			c.got.Ratio, c.got.Gone = c.want.Ratio, c.want.Gone
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for i, burn := range []float64{14.4, 6, 3, 1} {
		if !near(p.Pairs[i].Burn, burn, 1e-12) {
			t.Errorf("pair %d fires above %v, want %v", i, p.Pairs[i].Burn, burn)
		}
	}
	if p.FalsePages != 0 {
		t.Errorf("%d false pages at ten thousand events a minute", p.FalsePages)
	}
}

func TestPowerAtLittleTraffic(t *testing.T) {
	spec := workbookSpec(t, "99.9", []slo.Pair{fast, slow}, nil)
	bare := *spec
	bare.Alerts.Significance = false
	for _, c := range []struct {
		name   string
		spec   *slo.Spec
		rate   float64
		outage time.Duration
		false_ string
	}{
		{"ten events an hour page with the third failure", spec, 1.0 / 6, 18 * time.Minute, "none"},
		{"without the test they page with the first, and falsely", &bare, 1.0 / 6, 6 * time.Minute, "some"},
		{"a hundred an hour without the test page falsely, too", &bare, 100.0 / 60, 2 * time.Minute, "some"},
		{"of one event a minute, three must fail that are apart", spec, 1, 11 * time.Minute, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := PowerOf(c.spec, c.rate)
			false_ := "none"
			if p.FalsePages > 0 {
				false_ = "some"
			}
			if got, want := fmt.Sprint(p.Page.Outage, false_), fmt.Sprint(c.outage, c.false_); got != want {
				t.Errorf("shortest outage and false pages: %s, want %s (%d)", got, want, p.FalsePages)
			}
		})
	}
}

func TestPowerOfNothing(t *testing.T) {
	workbook := workbookSpec(t, "99.9", []slo.Pair{fast}, nil)
	for _, c := range []struct {
		name string
		spec *slo.Spec
		rate float64
	}{
		{"no traffic", workbook, 0},
		{"traffic that is not a number", workbook, math.NaN()},
		{"a pair that even a total outage does not reach", workbookSpec(t, "90", []slo.Pair{fast}, nil), 1000},
		{"no pairs", workbookSpec(t, "99.9", nil, nil), 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := PowerOf(c.spec, c.rate)
			if p.Page != (Reach{}) || p.Ticket != (Reach{}) || p.FalsePages != 0 {
				t.Errorf("catches %+v", p)
			}
		})
	}
}

// A burn rate is a share of the budget over a window, so the same shares of a week fire at smaller
// burns.
func TestPowerScalesWithTheWindow(t *testing.T) {
	spec := workbookSpec(t, "99.9", nil, nil)
	spec.Windows = []slo.Window{{Rolling: 7 * slo.Day}}
	spec.Alerts.Page = []slo.Pair{fast}
	if p := PowerOf(spec, 10_000); !near(p.Page.Ratio, 0.00336, 0.004) {
		t.Errorf("the smallest ratio over a week is %v, want 0.336 %%", p.Page.Ratio)
	}
}

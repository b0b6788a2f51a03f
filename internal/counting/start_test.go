package counting

import (
	"fmt"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
)

// startOutcome adds up what is decided.
type startOutcome struct{ total int64 }

// Slot implements Outcome.
func (o *startOutcome) Slot(_ int32, _ budget.Minute, s budget.Slot) { o.total += s.Total }

// Late implements Outcome.
func (o *startOutcome) Late(_ int32, _, _ budget.Minute, _, total int64) { o.total += total }

// shownAt is one scrape: seconds, the value of the counter, and when the process began.
type shownAt struct{ at, v, start float64 }

// TestStarts: what the start of a process tells. Target 0 is scraped from minute 0 on; target 1 is
// as the case says. Everything after the first minute counts.
func TestStarts(t *testing.T) {
	even := func(from, to, v, each, start float64) (out []shownAt) {
		for at := from; at <= to; at += 15 {
			out = append(out, shownAt{at, v, start})
			v += each
		}
		return out
	}
	for _, tc := range []struct {
		name         string
		first, other []shownAt
		with, less   int64 // events, with and without starts
	}{
		{"a counter begins anew and is as high again", append(even(15, 120, 1, 0, -900), shownAt{135, 1, 130}, shownAt{150, 1, 130}), nil, 1, 0},
		{"or higher", append(even(15, 120, 1, 0, -900), shownAt{135, 3, 130}), nil, 3, 2},
		{"it did at every scrape", append(even(15, 120, 1, 0, -900), shownAt{135, 1, 130}, shownAt{150, 1, 140}, shownAt{165, 1, 160}), nil, 3, 0},
		{"its start is computed anew each time", append(even(15, 120, 1, 0, -900), shownAt{135, 1, -899}, shownAt{150, 1, -901}), nil, 0, 0},
		{"its clock goes ahead by ten seconds", append(even(15, 120, 4, 0, -900), shownAt{135, 1, 140}, shownAt{150, 1, 140}, shownAt{165, 1, 140}), nil, 1, 1},
		{"its clock is wrong by a day", append(even(15, 120, 1, 0, -900), shownAt{135, 1, 86_500}, shownAt{150, 1, 86_500}), nil, 0, 0},
		{"an exporter begins anew, not what it shows", append(even(15, 120, 9000, 0, -900), shownAt{135, 9001, 130}), nil, 1, 1},
		{"an exporter begins anew while the server is down", append(even(15, 600, 9000, 0, -900), shownAt{1800, 9001, 1700}), nil, 1, 1},
		{"a process begins anew while the server is down", append(even(15, 600, 1, 1, -900), shownAt{1500, 100, 700}), nil, 39 + 100, 39 + 60},
		{"a new process has had more than others ever have", even(15, 1800, 9000, 1, -900), []shownAt{{907, 2000, 880}, {922, 2001, 880}}, 119 + 2001, 119 + 1},
		{"an old process is found", even(15, 1800, 9000, 1, -900), []shownAt{{907, 2000, -5000}, {922, 2001, -5000}}, 119 + 1, 119 + 1},
		{"a new exporter shows the counters of an old process", even(15, 1800, 9000, 1, -900), []shownAt{{907, 1e7, 880}, {922, 1e7, 880}}, 119, 119},
		{"a first process where nobody serves anything", even(15, 1800, 0, 0, -900), []shownAt{{907, 2000, 880}, {922, 2000, 880}}, 2000, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, shows := range []bool{true, false} {
				for _, step := range []int64{15, 60, 7200} {
					want := tc.less
					if shows {
						want = tc.with
					}
					if got := playStarts([2][]shownAt{tc.first, tc.other}, shows, step*second); got != want*budget.Unit {
						t.Errorf("starts shown: %v, read each %d s: %d thousandths, want %d events", shows, step, got, want)
					}
				}
			}
		})
	}
}

// playStarts reads the scrapes of two targets in steps, and returns what was counted.
func playStarts(targets [2][]shownAt, shows bool, step int64) int64 {
	x, out := &Index{}, &startOutcome{}
	x.AddAccount(Info{})
	x.Differ = func(_, _ int32) int { return 1 }
	for i := range int32(2) {
		x.Meet(i, i, true, []Route{{0, Total}})
	}
	state := &State{Promises: []Promise{{Since: SlotOf(begin)}}}
	for from, to := begin-1, begin+30*second; from < begin+3600*second; from, to = to, to+step {
		var runs []Run
		starts := Starts{}
		for i, list := range targets {
			var samples []Sample
			for _, s := range list {
				if ms := begin + int64(s.at)*second; ms > from && ms <= to {
					samples = append(samples, Sample{ms, s.v})
					starts[int32(i)] = append(starts[int32(i)], Sample{ms, float64(begin)/1000 + s.start})
				}
			}
			if samples != nil {
				runs = append(runs, Run{int32(i), samples})
			}
		}
		c := NewCounter(state, x, out)
		q := Question{Since: from, To: to, Now: to, Starts: Starts{}}
		if !state.Primed {
			q.Since = 0
		}
		for _, target := range c.Unsure(runs) {
			if shows {
				q.Starts[target] = starts[target]
			}
		}
		c.Take(runs, q)
		c.Decide(to)
	}
	NewCounter(state, x, out).DecideAll(SlotOf(begin+3600*second), true)
	return out.total
}

// TestUnsureIsRare: processes that have counted more than a few events and are scraped without a gap
// are not asked when they began, nor are those that have counted nothing.
func TestUnsureIsRare(t *testing.T) {
	x := &Index{}
	x.AddAccount(Info{})
	for i := range int32(4) {
		x.Meet(i, i/2, true, []Route{{0, Total}})
	}
	state := &State{Promises: []Promise{{Since: SlotOf(begin)}}}
	scrapes := func(from, to int64, values ...float64) (runs []Run) {
		for i, v := range values {
			var samples []Sample
			for at := from; at < to; at += 15 * second {
				samples = append(samples, Sample{begin + at, v})
			}
			runs = append(runs, Run{int32(i), samples})
		}
		return runs
	}
	c := NewCounter(state, x, &startOutcome{})
	if got := c.Unsure(scrapes(second, minute, 1, 1, 1, 1)); len(got) != 0 {
		t.Errorf("asked of %v when everything is a position", got)
	}
	c.Take(scrapes(second, minute, 900, 1, 0, 0), Question{To: begin + minute, Now: begin + minute})
	for _, tc := range []struct {
		from   int64
		values []float64
		want   string
	}{
		{minute + second, []float64{901, 1, 0, 0}, "[]"},
		{minute + second, []float64{901, 1, 1, 0}, "[1]"},
		{minute + second, []float64{1, 1, 1, 0}, "[0 1]"},
		{minute + second, []float64{1, 1, 900, 0}, "[0]"},
		{10 * minute, []float64{901, 1, 0, 0}, "[0]"},
	} {
		if got := fmt.Sprint(c.Unsure(scrapes(tc.from, tc.from+minute, tc.values...))); got != tc.want {
			t.Errorf("%v at %d s: asked of %s, want %s", tc.values, tc.from/second, got, tc.want)
		}
	}
}

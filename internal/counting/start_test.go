package counting

import (
	"fmt"
	"slices"
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
	var lives []counterLife
	for i, list := range targets {
		l := counterLife{target: int32(i)}
		for _, s := range list {
			l.shown = append(l.shown, showing{s.at, s.v, s.start, 0})
		}
		lives = append(lives, l)
	}
	return playLives(lives, shows, step)
}

// showing is a scrape of a counter: seconds, its value, when its process began, and when it was
// created itself; 0 = it does not say.
type showing struct{ at, v, start, created float64 }

// counterLife is what one series shows.
type counterLife struct {
	target int32
	shown  []showing
}

// playLives reads series in steps, and returns what was counted.
func playLives(lives []counterLife, shows bool, step int64) int64 {
	x, out := &Index{}, &startOutcome{}
	x.AddAccount(Info{})
	x.Differ = func(_, _ int32) int { return 1 }
	for i, l := range lives {
		x.Meet(int32(i), l.target, true, []Route{{0, Total}})
	}
	state := &State{Promises: []Promise{{Since: SlotOf(begin)}}}
	for from, to := begin-1, begin+30*second; from < begin+3600*second; from, to = to, to+step {
		var runs []Run
		starts, created := Starts{}, Starts{}
		note := func(list Starts, of int32, ms int64, at float64) {
			if n := len(list[of]); at != 0 && (n == 0 || list[of][n-1].MS < ms) {
				list[of] = append(list[of], Sample{ms, float64(begin)/1000 + at})
			}
		}
		for i, l := range lives {
			var samples []Sample
			for _, s := range l.shown {
				if ms := begin + int64(s.at)*second; ms > from && ms <= to {
					samples = append(samples, Sample{ms, s.v})
					note(starts, l.target, ms, s.start)
					note(created, int32(i), ms, s.created)
				}
			}
			if samples != nil {
				runs = append(runs, Run{int32(i), samples})
			}
		}
		for _, list := range starts {
			slices.SortFunc(list, byTime)
		}
		c := NewCounter(state, x, out)
		q := Question{Since: from, To: to, Now: to, Starts: Starts{}, Created: Starts{}}
		if !state.Primed {
			q.Since = 0
		}
		for _, target := range c.Unsure(runs) {
			if !shows {
				continue
			}
			q.Starts[target] = starts[target]
			for i, l := range lives {
				if l.target == target {
					q.Created[int32(i)] = created[int32(i)]
				}
			}
		}
		c.Take(runs, q)
		c.Decide(to)
	}
	NewCounter(state, x, out).DecideAll(SlotOf(begin+3600*second), true)
	return out.total
}

// TestBeginnings: what the creation of a counter tells, and what the start of a process does of
// names. Everything after the first minute counts.
func TestBeginnings(t *testing.T) {
	even := func(from, to, v, each, start, created float64) (out []showing) {
		for at := from; at <= to; at += 15 {
			out = append(out, showing{at, v, start, created})
			v += each
		}
		return out
	}
	busy := counterLife{0, even(15, 1800, 9000, 1, 0, -900)}
	for _, tc := range []struct {
		name       string
		lives      []counterLife
		with, less int64 // events, with and without starts
	}{
		{
			"errors come at once and their counter is created",
			[]counterLife{busy, {0, even(900, 915, 5000, 1, 0, 890)}},
			119 + 5001, 119 + 1,
		},
		{
			"errors are seen that were there before",
			[]counterLife{busy, {0, even(900, 915, 5000, 1, 0, 500)}},
			119 + 1, 119 + 1,
		},
		{
			"a counter is created by a clock that is far ahead",
			[]counterLife{busy, {0, even(900, 915, 5000, 1, 0, 5000)}},
			119 + 1, 119 + 1,
		},
		{
			"a new process has had more than others ever have, and shows only its counters' creation",
			[]counterLife{busy, {1, even(907, 922, 2000, 1, 0, 880)}},
			119 + 2001, 119 + 1,
		},
		{
			"a process is found four minutes after it began",
			[]counterLife{busy, {1, even(907, 922, 240, 1, 667, 0)}},
			119 + 241, 119 + 1,
		},
		{
			"counters are created anew and are as high again",
			[]counterLife{{0, append(even(15, 120, 1, 0, 0, -900), showing{135, 1, 0, 130})}, {0, append(even(15, 120, 2, 0, 0, -800), showing{135, 2, 0, 133})}},
			3, 0,
		},
		{
			"one of them was not: its process goes on",
			[]counterLife{{0, append(even(15, 120, 1, 0, 0, -900), showing{135, 1, 0, 130})}, {0, append(even(15, 120, 2, 0, 0, -800), showing{135, 2, 0, -800})}},
			0, 0,
		},
		{
			"a counter is away, and is created anew above its old value",
			[]counterLife{busy, {0, append(even(15, 60, 3, 0, 0, -900), even(150, 165, 4, 0, 0, 140)...)}},
			119 + 4, 119 + 1,
		},
		{
			"a label is added to counters that are created anew",
			[]counterLife{{0, even(15, 120, 8, 1, 0, -900)}, {0, even(135, 150, 16, 1, 0, 130)}},
			7 + 17, 7 + 2,
		},
		{
			"a label is added with a restart, and the counter is as high again",
			[]counterLife{{0, even(15, 120, 1, 1, -900, 0)}, {0, even(135, 150, 9, 1, 130, 0)}},
			7 + 10, 7 + 2,
		},
		{
			"a label is added to an exporter that restarts, not what it shows",
			[]counterLife{{0, even(15, 120, 9000, 1, -900, 0)}, {0, even(135, 150, 9008, 1, 130, 0)}},
			7 + 2, 7 + 2,
		},
		{
			"a label is added to a process of few events",
			[]counterLife{{0, even(15, 120, 1, 0, -900, 0)}, {0, even(135, 150, 2, 1, -900, 0)}},
			2, 3,
		},
		{
			"a label is added to a counter of few events, by its creation",
			[]counterLife{{0, even(15, 120, 1, 0, 0, -900)}, {0, even(135, 150, 2, 1, 0, -900)}},
			2, 3,
		},
		{
			"an error series of few is born as another is gone, and the process shows others",
			[]counterLife{{0, even(15, 600, 1, 0, -900, 0)}, {0, even(15, 120, 1, 0, -900, 0)}, {0, even(135, 150, 2, 1, -900, 0)}},
			3, 3,
		},
		{
			"the port of a process of few events changes",
			[]counterLife{{0, even(15, 120, 1, 0, -900, 0)}, {1, even(135, 150, 2, 1, -900, 0)}},
			2, 3,
		},
		{
			"another old process has its first events as one is gone",
			[]counterLife{{0, even(15, 120, 1, 0, -900, 0)}, {1, even(135, 150, 2, 1, -800, 0)}},
			3, 3,
		},
		{
			"the port of a process changes, and a counter stands lower for a moment",
			[]counterLife{
				{0, even(15, 120, 9000, 1, -900, 0)},
				{0, even(15, 120, 700, 0, -900, 0)},
				{1, even(135, 150, 9010, 1, -900, 0)},
				{1, even(135, 150, 699, 0, -900, 0)},
			},
			7 + 4, 7 + 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, shows := range []bool{true, false} {
				for _, step := range []int64{15, 60, 7200} {
					want := tc.less
					if shows {
						want = tc.with
					}
					if got := playLives(tc.lives, shows, step*second); got != want*budget.Unit {
						t.Errorf("starts shown: %v, read each %d s: %d thousandths, want %d events", shows, step, got, want)
					}
				}
			}
		})
	}
}

// TestUnsureIsRare: processes that have counted more than a few events and are scraped without a
// gap are not asked when they began, nor are those that have counted nothing.
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

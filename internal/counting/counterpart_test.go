package counting

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
)

// notes is an outcome that keeps the last word about every minute.
type notes map[budget.Minute]budget.Slot

func (n notes) Slot(_ int32, at budget.Minute, s budget.Slot) { n[at] = s }

func (n notes) Late(_ int32, _, at budget.Minute, bad, total int64) {
	s := n[at]
	if s.State == budget.Failed { // as the ledger does
		panic("a failed minute cannot be amended")
	}
	n[at] = budget.Count(s.Bad+bad, s.Total+total)
}

// each keeps notes about every account.
type each [2]notes

func (e each) Slot(account int32, at budget.Minute, s budget.Slot) { e[account].Slot(account, at, s) }

func (e each) Late(account int32, since, at budget.Minute, bad, total int64) {
	e[account].Late(account, since, at, bad, total)
}

func (n notes) String() string {
	var out []string
	for _, at := range slices.Sorted(maps.Keys(n)) {
		s := n[at]
		text := fmt.Sprintf("%d/%d", s.Bad/budget.Unit, s.Total/budget.Unit)
		switch s.State {
		case budget.Failed:
			text = "?"
		case budget.Absent:
			text = "-"
		case budget.Partial:
			text += "~"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// scene is a process that is scraped four times a minute for twenty minutes. A request is counted
// by its code; all counts them again, if it is there. Values below zero are series that are not
// shown.
type scene struct {
	requests func(m int, v *values) // of a quarter of a minute
	shown    func(m int, v *values) // hides series
	apart    bool                   // total is a series of its own, as the count of a histogram
	twin     bool
	restart  int // in which minute the process begins anew; 0 is never
	targets  int
}

type values struct{ good, bad, all float64 }

// play counts a scene tick by tick; cut is how many minutes are read at a time. Minutes 10 to 19 of
// 20 are what it returns.
func (sc scene) play(t *testing.T, cut int) (notes, *State) {
	t.Helper()
	index, got := &Index{}, notes{}
	index.AddAccount(Info{ByGood: true, Twin: sc.twin})
	state := &State{Promises: make([]Promise, 1)}
	for i := range max(sc.targets, 1) {
		n := int32(3 * i)
		total := []Route{{0, Total}}
		if sc.apart {
			index.Meet(n, int32(i), true, []Route{{0, Good}})
			index.Meet(n+1, int32(i), true, nil)
			index.Meet(n+2, int32(i), true, total)
		} else {
			index.Meet(n, int32(i), true, []Route{{0, Total}, {0, Good}})
			index.Meet(n+1, int32(i), true, total)
			index.Meet(n+2, int32(i), true, nil)
		}
	}
	c := NewCounter(state, index, got)
	state.Promises[0].Since = 2000 + 1
	all := make([]values, max(sc.targets, 1))
	for i := range all {
		all[i] = values{1000, 10, 1010}
	}
	var runs []Run
	asked := EndOf(2000 - 1)
	for m := range 20 {
		for q := range 4 {
			ms := EndOf(budget.Minute(2000+m-1)) + int64(q)*15_000 + 5_000
			for i := range all {
				v := &all[i]
				quarter := values{10, 0, 10}
				if i == 0 && sc.requests != nil {
					sc.requests(m, &quarter)
				}
				if i == 0 && m > 0 && m == sc.restart && q == 0 {
					*v = values{}
				}
				v.good, v.bad, v.all = v.good+quarter.good, v.bad+quarter.bad, v.all+quarter.all
				is := *v
				if i == 0 && sc.shown != nil {
					sc.shown(m, &is)
				}
				for k, value := range []float64{is.good, is.bad, is.all} {
					if value > 0 || math.IsNaN(value) {
						runs = append(runs, Run{int32(3*i + k), []Sample{{ms, value}}})
					}
				}
			}
		}
		if (m+1)%cut == 0 {
			to := EndOf(budget.Minute(2000 + m))
			c.Take(runs, Question{Since: asked, To: to, Now: to})
			c.Decide(to)
			asked, runs = to, nil
		}
	}
	end := EndOf(2000+19) + 120_000
	c.Take(nil, Question{Since: asked, To: end, Now: end})
	c.Decide(end)
	for at := range got {
		if at < 2010 || at >= 2020 {
			delete(got, at)
		}
	}
	return got, state
}

// hide hides the good series in minutes.
func hide(from, to int) func(int, *values) {
	return func(m int, v *values) {
		if m >= from && m < to {
			v.good = -1
		}
	}
}

// noNumber lets the good series show what is no number in minutes.
func noNumber(from, to int) func(int, *values) {
	return func(m int, v *values) {
		if m >= from && m < to {
			v.good = math.NaN()
		}
	}
}

// fail fails every request in minutes.
func fail(from, to int) func(int, *values) {
	return func(m int, v *values) {
		if m >= from && m < to {
			v.good, v.bad = 0, 10
		}
	}
}

func TestATotalWithoutItsCounterpart(t *testing.T) {
	usual := func(_ int, v *values) { v.good, v.bad = 9, 1 }
	for _, tc := range []struct {
		what string
		scene
		want   string
		faults int
	}{
		{"nothing is missing", scene{requests: usual}, "4/40 4/40 4/40 4/40 4/40 4/40 4/40 4/40 4/40 4/40", 0},
		{"every request fails while the good series stand: an outage", scene{requests: fail(13, 16)}, "0/40 0/40 0/40 40/40 40/40 40/40 0/40 0/40 0/40 0/40", 0},
		{"the good series go, and what is left is bad: a question", scene{requests: usual, shown: hide(13, 20)}, "4/40 4/40 4/40 ? ? ? ? ? ? ?", 7},
		{"and are back: their difference tells, and lies evenly", scene{requests: usual, shown: hide(13, 16)}, "4/40 4/40 4/40 4/40~ 4/40~ 4/40~ 4/40 4/40 4/40 4/40", 3},
		{"the bucket goes while the count goes on", scene{apart: true, twin: true, shown: hide(13, 20)}, "0/40 0/40 0/40 ? ? ? ? ? ? ?", 7},
		{"and is back", scene{apart: true, twin: true, requests: func(m int, v *values) { v.good = 9 }, shown: hide(13, 16)}, "4/40 4/40 4/40 4/40~ 4/40~ 4/40~ 4/40 4/40 4/40 4/40", 3},
		{"and is back, and few were bad: no minute rounds off one more", scene{apart: true, twin: true, requests: func(m int, v *values) {
			if m == 14 {
				v.good, v.bad = 9, 1
			}
		}, shown: hide(13, 19)}, "0/40 0/40 0/40 1/40~ 1/40~ 0/40~ 1/40~ 1/40~ 0/40~ 0/40", 6},
		{"a bucket that never was there is a question, too", scene{apart: true, twin: true, shown: hide(0, 20)}, "? ? ? ? ? ? ? ? ? ?", 20},
		{"the good series show no number for a while: their difference tells", scene{requests: usual, shown: noNumber(13, 16)}, "4/40 4/40 4/40 4/40~ 4/40~ 4/40~ 4/40 4/40 4/40 4/40", 3},
		{"the bucket shows no number for a while", scene{apart: true, twin: true, requests: func(m int, v *values) { v.good = 9 }, shown: noNumber(13, 16)}, "4/40 4/40 4/40 4/40~ 4/40~ 4/40~ 4/40 4/40 4/40 4/40", 3},
		{"good events that nobody ever had are an outage", scene{apart: true, shown: hide(0, 20)}, "40/40 40/40 40/40 40/40 40/40 40/40 40/40 40/40 40/40 40/40", 0},
		{"the process restarts and every request fails: an outage", scene{requests: func(m int, v *values) {
			if m >= 13 {
				v.good, v.bad = 0, 10
			}
		}, shown: hide(13, 20), apart: true, restart: 13}, "0/40 0/40 0/40 40/40 40/40 40/40 40/40 40/40 40/40 40/40", 0},
		{"an exporter forgets idle series two minutes into an outage", scene{requests: fail(13, 18), shown: hide(15, 18)}, "0/40 0/40 0/40 40/40 40/40 40/40 40/40 40/40 0/40 0/40", 0},
		{"no requests: silence, not a question", scene{requests: func(m int, v *values) {
			if m >= 13 {
				*v = values{}
			}
		}, shown: hide(13, 20)}, "0/40 0/40 0/40 0/0 0/0 0/0 0/0 0/0 0/0 0/0", 0},
		{"one of three targets: the others tell", scene{targets: 3, apart: true, twin: true, shown: hide(13, 16)}, "0/120 0/120 0/120 0/120 0/120 0/120 0/120 0/120 0/120 0/120", 3},
		{"one of three targets for good: it is left out", scene{targets: 3, apart: true, twin: true, shown: hide(13, 20)}, "0/120 0/120 0/120 0/80 0/80 0/80 0/80 0/80 0/80 0/80", 7},
	} {
		t.Run(tc.what, func(t *testing.T) {
			for _, cut := range []int{1, 2, 5, 20} {
				got, state := tc.play(t, cut)
				if got.String() != tc.want {
					t.Errorf("read %d minutes at a time:\n got %s\nwant %s", cut, got, tc.want)
				}
				n := 0
				if tr := state.Troubles()[0]; tr != nil {
					n = tr.N[Unpaired]
				}
				if n != tc.faults {
					t.Errorf("%d minutes are said to be in question, want %d", n, tc.faults)
				}
			}
		})
	}
}

// TestAMarkerBesideASampleOfTheSameSeries: a label is written anew, as by an upgrade to Prometheus
// 3, and VictoriaMetrics answers with the marker by which the series ends under its old spelling:
// at the time of the first sample of the new one, before or behind it, apart or not.
func TestAMarkerBesideASampleOfTheSameSeries(t *testing.T) {
	for _, order := range []string{"marker, sample", "sample, marker", "marker; sample", "sample; marker"} {
		index, got := &Index{}, [2]notes{{}, {}}
		index.AddAccount(Info{ByGood: true, Twin: true})
		index.AddAccount(Info{})
		index.Meet(0, 0, true, []Route{{0, Good}, {1, Total}})
		index.Meet(1, 0, true, []Route{{0, Total}})
		c := NewCounter(&State{Promises: []Promise{{Since: 2001}}}, index, each(got))
		asked := EndOf(2000 - 1)
		for m := range 20 {
			to := EndOf(budget.Minute(2000 + m))
			var runs []Run
			for q := range int64(4) {
				s := Sample{asked + q*15_000 + 5_000, float64(1000 + 40*m + 10*int(q))}
				runs = append(runs, Run{1, []Sample{s}})
				marker := Sample{s.MS, math.NaN()}
				switch {
				case m != 13 || q != 3:
					runs = append(runs, Run{0, []Sample{s}})
				case order == "marker, sample":
					runs = append(runs, Run{0, []Sample{marker, s}})
				case order == "sample, marker":
					runs = append(runs, Run{0, []Sample{s, marker}})
				case order == "marker; sample":
					runs = append(runs, Run{0, []Sample{marker}}, Run{0, []Sample{s}})
				default:
					runs = append(runs, Run{0, []Sample{s}}, Run{0, []Sample{marker}})
				}
			}
			c.Take(runs, Question{Since: asked, To: to, Now: to})
			c.Decide(to)
			asked = to
		}
		for m := budget.Minute(2010); m < 2019; m++ {
			for account, got := range got {
				if s := got[m]; s != budget.Count(0, 40*budget.Unit) {
					t.Errorf("%s: minute %d of account %d is %+v", order, m-2000, account, s)
				}
			}
		}
	}
}

// TestATotalThatComesAfterItsGoodEvents: of some minutes the total comes later than it is waited
// for, and its good events in time. Nobody hears of errors.
func TestATotalThatComesAfterItsGoodEvents(t *testing.T) {
	for _, until := range []int{14, 18, 45} {
		index, got := &Index{}, notes{}
		index.AddAccount(Info{ByGood: true})
		for i := range int32(2) { // the second target is always in time
			index.Meet(2*i, i, true, []Route{{0, Good}})
			index.Meet(2*i+1, i, true, []Route{{0, Total}})
		}
		state := &State{Promises: []Promise{{Since: 2001}}}
		c := NewCounter(state, index, got)
		var held []Sample
		asked := EndOf(2000 - 1)
		for m := range 60 {
			to := EndOf(budget.Minute(2000 + m))
			var runs []Run
			for q := range int64(4) {
				s := Sample{asked + q*15_000 + 5_000, float64(1000 + 40*m + 10*int(q))}
				runs = append(runs, Run{0, []Sample{s}}, Run{2, []Sample{s}}, Run{3, []Sample{s}})
				if held = append(held, s); m < 13 || m >= until {
					runs = append(runs, Run{1, held})
					held = nil
				}
			}
			c.Take(runs, Question{Since: asked, To: to, Now: to})
			c.Decide(to)
			asked = to
		}
		for m := budget.Minute(2010); m < 2058; m++ {
			if s := got[m]; s != budget.Count(0, 80*budget.Unit) {
				t.Errorf("minute %d is %+v", m-2000, s)
			}
		}
	}
}

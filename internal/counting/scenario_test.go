package counting

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// tiers are events per second and target.
var tiers = []struct {
	name string
	rate float64
}{{"30/s", 30}, {"1/s", 1}, {"60/h", 60.0 / 3600}, {"4/h", 4.0 / 3600}}

func lateTarget(of int, by int64) func(*simWorld, int, bool, int64) int64 {
	return func(_ *simWorld, target int, _ bool, _ int64) int64 {
		if of == 0 || target == of {
			return by
		}
		return 0
	}
}

func backlog(half bool) func(*simWorld, int, bool, int64) int64 {
	return func(w *simWorld, target int, _ bool, ms int64) int64 {
		from, to := begin+60*minute, begin+72*minute
		if ms < from || ms >= to || half && target%2 == 1 {
			return 0
		}
		return to - ms
	}
}

// eachLate lets every series of a scrape come by its own.
func eachLate(by int64) func(*simWorld, int, bool, int64) int64 {
	return func(w *simWorld, _ int, _ bool, _ int64) int64 { return w.rnd.Int64N(by) }
}

// scenarios is what happens to real data. The bounds are on the error of the sum of bad and of all
// events, in percent, and on the delay of half and of all decisions, in seconds.
var scenarios = []struct {
	scenario
	bad, total  float64
	half, worst int64
	own         bool // every event stands in its own minute
}{
	{scenario{name: "plain"}, 0, 0, 7, 37, true},
	{scenario{name: "deploys", deployEvery: 20}, 3, 1, 7, 67, true},
	{scenario{name: "deploys, no markers", deployEvery: 20, noMarkers: true}, 3, 1, 7, 97, true},
	{scenario{name: "restarts", restartEvery: 30}, 0, 0, 7, 67, true},
	{scenario{name: "restarts every two minutes", restartEvery: 2}, 0, 0, 7, 67, false},
	{scenario{name: "restarts every two minutes, no starts", restartEvery: 2, startless: true, quiet: 20}, 0, 0, 7, 67, false},
	{scenario{name: "failed scrapes", missed: 0.02}, 0, 0, 7, 67, true},
	{scenario{name: "one second to ten minutes", interval: func(i int) int64 {
		return []int64{1, 5, 10, 15, 30, 60, 120, 300, 600, 15}[i] * second
	}}, 0, 0, 17, 187, false},
	{scenario{name: "label added", relabelAt: 60}, 0, 0, 7, 97, true},
	{scenario{name: "label added, no markers", relabelAt: 60, noMarkers: true}, 0, 0, 7, 97, true},
	{scenario{name: "instances renamed", renameTargets: 60}, 0, 0, 7, 97, true},
	{scenario{name: "instances renamed, no markers", renameTargets: 60, noMarkers: true}, 0, 0, 7, 97, true},
	{scenario{name: "label added and taken away", relabelAt: 60, relabelTo: 90}, 0, 0, 7, 97, true},
	{scenario{name: "label added and taken away, no markers", relabelAt: 60, relabelTo: 90, noMarkers: true}, 0, 0, 7, 97, true},
	{scenario{name: "instances renamed and back", renameTargets: 60, renameTo: 90}, 0, 0, 7, 97, true},
	{scenario{name: "instances renamed and back, no markers", renameTargets: 60, renameTo: 90, noMarkers: true}, 0, 0, 7, 97, true},
	{scenario{name: "instances renamed for a minute", renameTargets: 60, renameTo: 61}, 0, 0, 7, 97, true},
	{scenario{name: "instances renamed and back, all 4 min late", renameTargets: 52, renameTo: 70, late: lateTarget(0, 4*minute)}, 0, 0, 257, 550, false},
	{scenario{name: "instances renamed and back, all 9 min late, no markers", noMarkers: true, renameTargets: 52, renameTo: 70, late: lateTarget(0, 9*minute)}, 0, 0, 560, 1300, true},
	{scenario{name: "instances renamed and back, a backlog", renameTargets: 70, renameTo: 89, late: backlog(false)}, 0, 0, 7, 400, true},
	{scenario{name: "instances renamed and back, a backlog of half", renameTargets: 61, renameTo: 67, late: backlog(true), quiet: 2}, 0.2, 0.5, 7, 400, false},
	{scenario{name: "instances renamed and back, each series late", renameTargets: 91, renameTo: 104, late: eachLate(6 * minute)}, 0.1, 0.1, 385, 1350, false},
	{scenario{name: "a label added and taken away, while scrapes become slower", relabelAt: 42, relabelTo: 49, slowAt: 46}, 0, 0, 27, 67, true},
	{scenario{name: "all 9 min late, failed scrapes", failed: 0.05, late: lateTarget(0, 9*minute)}, 0, 0, 560, 760, true},
	{scenario{name: "old targets found", oldTargetAt: 60}, 0, 0, 7, 97, true},
	{scenario{name: "one of ten 2 min late", late: lateTarget(3, 2*minute)}, 0, 0, 122, 142, true},
	{scenario{name: "one of ten 10 min late", late: lateTarget(3, 10*minute)}, 0, 0, 602, 622, true},
	{scenario{name: "one of ten 10 min late, failed scrapes", failed: 0.02, late: lateTarget(3, 10*minute)}, 0, 0, 602, 1202, true},
	{scenario{name: "one of ten 2 min late, failed scrapes", failed: 0.02, late: lateTarget(3, 2*minute)}, 0, 0, 152, 422, true},
	{scenario{name: "all 3 min late", late: lateTarget(0, 3*minute)}, 0, 0, 197, 317, true},
	{scenario{name: "0 to 40 s late", late: func(_ *simWorld, target int, _ bool, ms int64) int64 {
		return rand.New(rand.NewPCG(uint64(ms), uint64(target))).Int64N(40 * second)
	}}, 0, 0, 42, 132, true},
	{scenario{name: "each series by its own up to 10 min late, for 45 min", late: func(w *simWorld, _ int, _ bool, ms int64) int64 {
		if ms < begin+70*minute {
			return w.rnd.Int64N(10 * minute)
		}
		return 0
	}}, 0, 0, 67, 1200, true},
	{scenario{name: "error series late", late: func(_ *simWorld, _ int, bad bool, ms int64) int64 {
		if bad && ms > begin+60*minute && ms < begin+70*minute {
			return 60 * second
		}
		return 0
	}}, 0, 0, 7, 127, true},
	{scenario{name: "backlog of all", late: backlog(false)}, 0, 0, 7, 900, true},
	{scenario{name: "backlog of half", late: backlog(true)}, 0, 0, 7, 900, true},
	{scenario{name: "dips", dips: 0.01}, 0, 0, 7, 37, true},
	{scenario{name: "lost samples", lost: 0.01}, 0, 0, 7, 67, true},
	{scenario{name: "error series away", badAway: 0.01}, 0, 0, 7, 127, true},
	{scenario{name: "server down", downFrom: 60, downTo: 80}, 0, 0, 12, 67, false},
}

func TestScenarios(t *testing.T) {
	for _, sc := range scenarios {
		for _, tier := range tiers {
			t.Run(fmt.Sprint(sc.name, " ", tier.name), func(t *testing.T) {
				t.Parallel()
				world := sc.scenario
				world.rate = tier.rate
				r := newSim(newWorld(world, 1))
				got, want, wrong := r.live()
				percent := func(a, b float64) float64 {
					if a == b {
						return 0
					}
					return 100 * (a - b) / max(b, 1)
				}
				badOff, off := percent(got.Bad, want.Bad), percent(got.Total, want.Total)
				half, worst := quantile(r.delays, 0.5), quantile(r.delays, 1)
				text := t.Name() + fmt.Sprintf(": bad %g of %g (%+.2f %%), total %g of %g (%+.3f %%), in another minute %.3f %%; delay %d/%d/%d s; read × %.2f in %d turns; amended %.2f %%; partial %d; lag %d; %d starts asked",
					got.Bad, want.Bad, badOff, got.Total, want.Total, off, 100*wrong/max(want.Total, 1), half, quantile(r.delays, 0.9), worst, float64(r.read)/float64(r.seen), r.turns, 100*r.amended/max(want.Total, 1), r.partial, r.lag/1000, r.asked)
				t.Log(text)
				if tr := r.state.troubles[0]; tr != nil {
					t.Log("troubles", tr.N, tr.Names)
				}
				mostBad, most := sc.bad, sc.total
				if tier.rate < 0.002 { // a handful of events, whose series come and go with them
					mostBad, most = mostBad+sc.quiet, most+sc.quiet
				}
				if sc.own && wrong > 0 {
					t.Error("events stand in another minute")
				}
				if math.Abs(badOff) > mostBad+1e-6 || math.Abs(off) > most+1e-6 || half > sc.half || worst > sc.worst {
					t.Error("too far")
				}
			})
		}
	}
}

// TestLatenessCostsNoSamples: scrapes that come late are read about as often as those that come at
// once, whether they are late by the same or each by its own, also where the series of a scrape do
// not come together; and each event is counted in its own minute.
func TestLatenessCostsNoSamples(t *testing.T) {
	type lateness = func(*simWorld, int, bool, int64) int64
	read := func(late lateness) (times, off, elsewhere float64) {
		r := newSim(newWorld(scenario{rate: 1, late: late}, 1))
		got, want, wrong := r.live()
		off = max(math.Abs(got.Bad/want.Bad-1), math.Abs(got.Total/want.Total-1))
		return float64(r.read) / float64(r.seen), off, wrong / 2 / want.Total
	}
	plain, _, _ := read(nil)
	for _, by := range []int64{40 * second, 2 * minute, 10 * minute} {
		for _, tc := range []struct {
			name      string
			late      lateness
			most, off float64
			elsewhere float64
		}{
			{"by the same", lateTarget(0, by), 1.1, 0, 0},
			{"each scrape by its own", func(_ *simWorld, target int, _ bool, ms int64) int64 {
				return rand.New(rand.NewPCG(uint64(ms), uint64(target))).Int64N(by)
			}, 1.3, 0, 0},
			{"each series by its own", eachLate(by), 1.3, 0, 0},
		} {
			times, off, elsewhere := read(tc.late)
			times /= plain
			t.Logf("%d s late, %s: read × %.2f, sums off by %.2f %%, %.2f %% in another minute", by/second, tc.name, times, 100*off, 100*elsewhere)
			if times > tc.most || off > tc.off || elsewhere > tc.elsewhere {
				t.Errorf("%d s late, %s: read %.2f times as often, want at most %v; sums off by %v, want at most %v", by/second, tc.name, times, tc.most, off, tc.off)
			}
		}
	}
}

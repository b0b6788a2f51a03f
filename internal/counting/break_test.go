package counting

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var lives = flag.Int("lives", 30, "random worlds of two or three mishaps at once")

// mishaps are what may happen to a world at once. Each is drawn with the world.
var mishaps = []struct {
	name string
	add  func(*scenario, *rand.Rand)
}{
	{"restarts", func(s *scenario, r *rand.Rand) { s.restartEvery = 7 + r.Int64N(30) }},
	{"deploys", func(s *scenario, r *rand.Rand) { s.deployEvery = 7 + r.Int64N(30) }},
	{"scrapes missed", func(s *scenario, r *rand.Rand) { s.missed = 0.1 * r.Float64() }},
	{"scrapes failed", func(s *scenario, r *rand.Rand) { s.failed = 0.05 * r.Float64() }},
	{"samples lost", func(s *scenario, r *rand.Rand) { s.lost = 0.03 * r.Float64() }},
	{"dips", func(s *scenario, r *rand.Rand) { s.dips = 0.02 * r.Float64() }},
	{"error series away", func(s *scenario, r *rand.Rand) { s.badAway = 0.02 * r.Float64() }},
	{"a label added", func(s *scenario, r *rand.Rand) { s.relabelAt = 40 + r.Int64N(80) }},
	{"a label added and taken away", func(s *scenario, r *rand.Rand) {
		s.relabelAt = 40 + r.Int64N(60)
		s.relabelTo = s.relabelAt + 1 + r.Int64N(20)
	}},
	{"instances renamed", func(s *scenario, r *rand.Rand) { s.renameTargets = 40 + r.Int64N(80) }},
	{"instances renamed and back", func(s *scenario, r *rand.Rand) {
		s.renameTargets = 40 + r.Int64N(60)
		s.renameTo = s.renameTargets + 1 + r.Int64N(20)
	}},
	{"no markers", func(s *scenario, _ *rand.Rand) { s.noMarkers = true }},
	{"scraped every minute from then on", func(s *scenario, r *rand.Rand) { s.slowAt = 40 + r.Int64N(80) }},
	{"one target late", func(s *scenario, r *rand.Rand) {
		s.late = lateTarget(1+r.IntN(9), (1+r.Int64N(12))*minute)
	}},
	{"all targets late", func(s *scenario, r *rand.Rand) { s.late = lateTarget(0, (1+r.Int64N(12))*minute) }},
	{"a backlog", func(s *scenario, r *rand.Rand) { s.late = backlog(r.IntN(2) == 0) }},
	{"each series late", func(s *scenario, r *rand.Rand) {
		s.late = eachLate((1 + r.Int64N(10)) * minute)
	}},
}

// broken is a world with two or three mishaps.
func broken(seed uint64) scenario {
	r := rand.New(rand.NewPCG(seed, 11))
	s := scenario{rate: tiers[r.IntN(3)].rate}
	for _, k := range r.Perm(len(mishaps))[:2+r.IntN(2)] {
		mishaps[k].add(&s, r)
		s.name += ", " + mishaps[k].name
	}
	s.name = fmt.Sprintf("world %d: %g a second%s", seed, s.rate, s.name)
	return s
}

// found are worlds in which events were told that no sample showed, up to 146 times as many.
var found = map[uint64]string{
	17:    "series that come one by one are renamed: one was paired with the forerunner of another",
	34:    "the same, and back",
	188:   "a label is added to a late target after it was away for more than an hour: its old process looked new",
	190:   "instances go back to their old names, and have another label: their old values looked new",
	201:   "the same, with errors",
	418:   "instances are renamed and back while series come one by one: new names lost patience with old ones that were late",
	723:   "a late target had failed its last scrape when it was first seen, and was never asked again",
	751:   "renamed and back, all late: their old names were waited for no longer than one that is in time",
	1975:  "a label is taken away again from a target whose scrapes have become slower: it was taken for a new one",
	1652:  "new names were shown by a window that had passed over their first samples, which came late",
	5406:  "a first value under a new name fell into a dip: the new names looked new",
	6085:  "the same, and its next value was paid for twice",
	7656:  "an old name returns after a restart, series by series: nobody looked for it among the new names",
	10191: "the same, in time",
	3691:  "new names and old came in one backlog: the old ones first, with all that the new ones had counted, too",
}

// TestFaultsAtOnce: random worlds of two or three faults at once. Most are counted exactly, every
// event in its own minute; in none are more than a tenth more events or errors told than there
// were, or a fifth less.
func TestFaultsAtOnce(t *testing.T) {
	exact, worlds := 0, slices.Collect(maps.Keys(found))
	for seed := range uint64(*lives) {
		worlds = append(worlds, seed)
	}
	for _, seed := range worlds {
		sc := broken(seed)
		r := newSim(newWorld(sc, seed))
		got, want, wrong := r.live()
		far := func(got, want float64) bool { return got > 1.1*want+5 || got < 0.8*want-5 }
		if far(got.Bad, want.Bad) || far(got.Total, want.Total) {
			t.Errorf("%s (%s): bad %g of %g, total %g of %g, %g in another minute", sc.name, found[seed], got.Bad, want.Bad, got.Total, want.Total, wrong)
		}
		if wrong < 1e-6*want.Total && math.Abs(got.Bad-want.Bad) < 1e-6*want.Total {
			exact++
		}
	}
	if t.Logf("%d of %d worlds are exact", exact, len(worlds)); exact < len(worlds)*3/4 {
		t.Errorf("%d of %d worlds are exact", exact, len(worlds))
	}
}

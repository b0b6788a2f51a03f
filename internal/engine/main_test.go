package engine_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// seeds is how many random lives TestRandomLives plays.
var seeds = flag.Int("seeds", 6, "random lives of the model checker")

// firstSeed replays a life that failed.
var firstSeed = flag.Uint64("seed", 1, "seed of the first random life")

// everyStep takes the time to let every single step fail; otherwise every eighth does.
var everyStep = flag.Bool("everystep", false, "fail at every step of a story, not at every eighth")

// underRace is whether the race detector runs, under which everything takes five times as long: then only
// samples are taken of the long tables, all of which run without it.
var underRace bool

// sampled reports whether the n-th case of a long table is to be left out, of which one in so many is kept.
func sampled(n, of int) bool { return underRace && n%of != 0 }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

package engine_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// lives is how many random lives TestRandomLives plays. From whole on, which is what `make lives`
// and CI ask for, the long tables are tried whole, and every eighth step of a story fails. Below it
// samples of them are: each case is a service with its Prometheus, Slack and store on disk, and
// there are hundreds.
var lives = flag.Int("lives", 1, "random lives of the model checker; from 6 on the long tables are tried whole")

const whole = 6

// firstSeed replays a life that failed.
var firstSeed = flag.Uint64("seed", 1, "seed of the first random life")

// everyStep takes the time to let every single step fail.
var everyStep = flag.Bool("everystep", false, "fail at every step of a story, not at every eighth")

// sampled reports whether the n-th case of a long table is to be left out, of which one in so many
// is kept; a third of these under the race detector, which needs no more cases to see a race.
func sampled(n, of int) bool {
	if raceDetector {
		of *= 3
	}
	return *lives < whole && n%of != 0
}

// raceDetector is set when the tests run under it.
var raceDetector bool

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

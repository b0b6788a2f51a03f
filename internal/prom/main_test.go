package prom

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// lives asks for the long tables. Each of their cases is a world of samples that is read over HTTP,
// minute by minute; `make test` tries a sample of them, `make lives` and CI all.
var lives = flag.Int("lives", 1, "from 2 on the long tables are tried whole")

// sampled reports whether the n-th case of a long table is to be left out, of which one in so many
// is kept; a third of these under the race detector, which needs no more cases to see a race.
func sampled(n, of int) bool {
	if raceDetector {
		of *= 3
	}
	return *lives < 2 && n%of != 0
}

// raceDetector is set when the tests run under it.
var raceDetector bool

// TestMain keeps random lives few, for each of them talks to a server; -rapid.checks asks for more.
func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "20")
	flag.Parse()
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

//go:build !race

package signals_test

// raceDetector tells whether the tests run under it.
const raceDetector = false

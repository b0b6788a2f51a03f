//go:build !race

package suggest_test

// raceDetector tells whether the tests run under it.
const raceDetector = false

//go:build race

package main

// With the race detector a month of the shop takes minutes; its parts are tried with it in their
// own packages.
func init() { raceDetector = true }

//go:build race

package prom

func init() { raceDetector = true }

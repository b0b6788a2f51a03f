// Package conformance holds the proof that the embedded Prometheus of the tests and the demo
// (internal/fake/promfake) answers like the original.
//
// The test gives the same six hours of awkward samples to both, asks both the same questions over
// HTTP, and compares the answers: status code, error type, shape, labels, timestamps, and numbers
// up to a relative 1e-12. To add a question, add a line to the table in conformance_test.go; to add
// a difficulty to the data, add it to world in world_test.go. There is no list of accepted
// differences: none is known.
package conformance

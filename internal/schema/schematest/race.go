//go:build race

package schematest

// Files is how many files the laws are tried on: fewer under the race detector, since nothing here runs concurrently.
const Files = 1000

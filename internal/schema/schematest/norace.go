//go:build !race

package schematest

// Files is how many files the laws are tried on.
const Files = 10_000

//go:build !linux

package store

import "os"

// lockFile does nothing where a lock of a file would get in the way of SQLite's own.
func lockFile(*os.File) error { return nil }

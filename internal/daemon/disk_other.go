//go:build !unix

package daemon

// FreeSpace fails: it is not known here.
func FreeSpace(string) (uint64, bool) { return 0, false }

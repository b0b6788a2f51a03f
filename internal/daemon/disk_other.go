//go:build !unix

package daemon

// FreeSpace is not known here.
func FreeSpace(string) (uint64, bool) { return 0, false }

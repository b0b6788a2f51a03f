//go:build unix

package daemon

import "syscall"

// FreeSpace returns how many bytes this process may still write on the disk of a folder.
func FreeSpace(dir string) (uint64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}

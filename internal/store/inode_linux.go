package store

import (
	"os"
	"syscall"
)

// lockFile locks the file itself, beside the lock that stands under its name: by a hard link it has
// another name. The lock is one that SQLite neither takes nor sees. On a network file system, where
// it would be of the same kind as SQLite's own, the file is not locked.
func lockFile(f *os.File) error {
	const nfs, smb, smb2, cifs = 0x6969, 0x517b, 0xfe534d42, 0xff534d42
	var fs syscall.Statfs_t
	if syscall.Fstatfs(int(f.Fd()), &fs) != nil {
		return nil
	}
	switch uint32(fs.Type) {
	case nfs, smb, smb2, cifs:
		return nil
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == syscall.EWOULDBLOCK {
		return ErrLocked
	}
	return nil
}

//go:build unix

package store

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

var errQuota error = syscall.EDQUOT

// acquire takes the lock of a store, or says who has it. The lock belongs to the open file, so the
// kernel frees it with the process, however that ends; the file itself stays, as removing it would
// let two processes hold two different files of one name.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if err == syscall.EWOULDBLOCK {
			return nil, holder(f)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	sign(f)
	return f, nil
}

// sign leaves the process's number for those who find the lock taken. Failing to (a full disk) does
// not matter: the lock is held.
func sign(f *os.File) {
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
}

func holder(f io.Reader) error {
	b, _ := io.ReadAll(io.LimitReader(f, 32))
	pid, err := strconv.Atoi(strings.Trim(string(b), "\x00\r\n "))
	if err != nil {
		return ErrLocked
	}
	return fmt.Errorf("%w: process %d", ErrLocked, pid)
}

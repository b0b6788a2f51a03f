package store

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

var errQuota error = syscall.Errno(1295) // ERROR_DISK_QUOTA_EXCEEDED

const errSharing = syscall.Errno(32) // ERROR_SHARING_VIOLATION

// acquire takes the lock of a store, or says who has it. The file is opened so that others may read
// it and not write it; the system frees it with the process, however that ends.
func acquire(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, syscall.FILE_SHARE_READ,
		nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err == errSharing {
		return nil, holder(path)
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	f := os.NewFile(uintptr(h), path)
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

func holder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return ErrLocked
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 32))
	pid, err := strconv.Atoi(strings.Trim(string(b), "\x00\r\n "))
	if err != nil {
		return ErrLocked
	}
	return fmt.Errorf("%w: process %d", ErrLocked, pid)
}

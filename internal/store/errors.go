package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong with a store; test for them with errors.Is.
var (
	ErrLocked  = errors.New("another process has the store open")
	ErrCorrupt = errors.New("the store is damaged")
	ErrNewer   = errors.New("the store was written by a newer slowburn")
	ErrForeign = errors.New("the file is a database of another program")
	ErrGone    = errors.New("the store's file was removed or replaced while it was open")
	ErrUnknown = errors.New("there is no such entry")
	// ErrInvalid means that the caller handed in what could not be read back. Nothing was written.
	ErrInvalid = errors.New("the tick cannot be kept")
)

// Error is every error of this package: what was tried, on which file, why it failed, and what a
// person can do about it.
type Error struct {
	Op   string // such as "open" or "commit"
	Path string
	Err  error
	Hint string // may be ""
}

// Error puts the hint at the end, in brackets, so that it reaches whoever reads a log.
func (e *Error) Error() string {
	s := fmt.Sprintf("store: %s %s: %v", e.Op, e.Path, e.Err)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// The hints. They never propose to delete anything.
const (
	hintCorrupt = "nothing was changed; restore the file from a backup, or move it away together with its -wal and -shm files: " +
		"slowburn then starts afresh and reads back what Prometheus still has"
	hintNewer   = "nothing was changed; run the newer slowburn again, or point storage at another path"
	hintForeign = "nothing was changed; point storage at a path of its own"
	hintFull    = "free some space; slowburn goes on by itself"
	hintPerm    = "slowburn needs to read and write the file and to create files beside it"
	hintNotDir  = "a part of the path is a file, not a directory"
	hintDir     = "the path is a directory; name a file in it, such as slowburn.db"
	hintGone    = "restart slowburn; what was written since then is in the removed file"
	hintLocked  = "stop the other process, or point storage at another path"
	hintRead    = "the disk reports errors; look at the kernel's log"
)

// wrap makes err an *Error of the operation. Causes that a person can do something about are named
// and get a hint.
func wrap(op, path string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if isCorrupt(err) && !errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return &Error{Op: op, Path: path, Err: err, Hint: hintFor(err)}
}

func hintFor(err error) string {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ""
	case errors.Is(err, ErrCorrupt):
		return hintCorrupt
	case errors.Is(err, ErrNewer):
		return hintNewer
	case errors.Is(err, ErrForeign):
		return hintForeign
	case errors.Is(err, ErrGone):
		return hintGone
	case errors.Is(err, ErrLocked):
		return hintLocked
	case errors.Is(err, syscall.EISDIR):
		return hintDir
	case errors.Is(err, syscall.ENOTDIR):
		return hintNotDir
	case isDiskFull(err):
		return hintFull
	case errors.Is(err, fs.ErrPermission), isCode(err, sqlite3.SQLITE_READONLY), isCode(err, sqlite3.SQLITE_CANTOPEN):
		return hintPerm
	case isCode(err, sqlite3.SQLITE_IOERR):
		return hintRead
	}
	return ""
}

// isDiskFull reports whether something could not be written because the disk, or the quota, is used
// up. The store is as it was before, and works again as soon as there is space.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, errQuota) ||
		isCode(err, sqlite3.SQLITE_FULL) || isExtended(err, sqlite3.SQLITE_IOERR_SHMSIZE)
}

// isCorrupt also knows a schema that lost a table or a column: no statement of ours asks for one
// that it has not made.
func isCorrupt(err error) bool {
	return isCode(err, sqlite3.SQLITE_CORRUPT) || isCode(err, sqlite3.SQLITE_NOTADB) ||
		isCode(err, sqlite3.SQLITE_ERROR) && strings.Contains(err.Error(), "no such ")
}

// isCode compares the primary result code of SQLite, its low byte.
func isCode(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}

func isExtended(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == code
}

package store

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// realPath returns where a file is whose path may lead over links: by whatever name it is opened,
// it has one lock, and one write-ahead log. A file that is not there yet is where its links lead.
func realPath(path string) (string, error) {
	for range 40 { // as many links as the system follows
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			return real, nil
		}
		if !os.IsNotExist(err) {
			return "", err
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return path, nil // the folder is not there either: it is made
		}
		path = filepath.Join(dir, filepath.Base(path))
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return "", fmt.Errorf("too many links lead to %s", path)
}

// A tick that is on the disk can be lost later: somebody deletes the write-ahead log, the disk cuts
// it, an older copy is put in the place of the file. SQLite goes on from what is left without a
// word. So the time of the newest tick stands in the lock's file, too, beside the process's number.
// It is not synced: it may be older than the store, as after a power cut, and is never newer.

// witnessAt is where it begins in that file, behind the process's number.
const witnessAt = 32

// noteTick writes down when the newest tick was. That it cannot does not matter.
func (f *file) noteTick(at time.Time) {
	if f.lock != nil && !at.IsZero() {
		_, _ = f.lock.WriteAt([]byte(at.UTC().Format(time.RFC3339Nano)+"\n"), witnessAt)
	}
}

func (f *file) lost() time.Time { return f.seen }

// notedTick returns what the process before has written down; zero if it has not.
func notedTick(path string) time.Time {
	f, err := os.Open(path)
	if err != nil {
		return time.Time{}
	}
	defer f.Close()
	text, _ := io.ReadAll(io.NewSectionReader(f, witnessAt, 64))
	line, _, _ := strings.Cut(string(text), "\n")
	at, err := time.Parse(time.RFC3339Nano, line)
	if err != nil {
		return time.Time{}
	}
	return at
}

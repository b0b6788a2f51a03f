package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// defaultCheck bounds the look for damage at start.
const defaultCheck = 2 * time.Second

// file is a SQLite file as a backend: its lock is the leadership.
type file struct {
	path string
	lock *os.File    // nil when read-only
	held *os.File    // the file itself, locked as well; it must stay open for as long as SQLite has it
	info os.FileInfo // of the file that was opened
	seen time.Time   // when the newest tick of the process before was, as the lock's file has it
	tidier
}

// Open opens the store at path, and creates it, with its directory, if there is none. Only one
// process can have it open. A file that is damaged, foreign or from a newer slowburn is refused and
// left as it is; errors are of type *Error.
func Open(path string, opts Options) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = realPath(abs)
	}
	if err != nil {
		return nil, wrap("open", path, err)
	}
	f := &file{path: abs}
	db := newDB(abs, f, opts)
	if err := db.open(f, opts); err != nil {
		db.Close()
		return nil, wrap("open", path, err)
	}
	return db, nil
}

func newDB(path string, b backend, opts Options) *DB {
	c := &connections{path: path, backend: b, fault: opts.Fault}
	if c.fault == nil {
		c.fault = func(string) error { return nil }
	}
	return &DB{connections: c, messages: messages{c}, records: records{c}}
}

func (db *DB) open(f *file, opts Options) error {
	if !opts.ReadOnly {
		if err := f.prepare(); err != nil {
			return err
		}
	}
	if err := inspect(f.path); err != nil {
		return err
	}
	var err error
	if f.info, err = os.Stat(f.path); err != nil {
		return err
	}
	if err := db.connect(opts.ReadOnly); err != nil {
		return err
	}
	if err := db.check(opts.CheckFor); err != nil {
		return err
	}
	if opts.ReadOnly {
		return db.sameVersion()
	}
	return migrate(context.Background(), db.w, db.fault)
}

// prepare makes the directory and the file, readable by the owner only, and takes the lock.
func (f *file) prepare() error {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if info, err := os.Stat(f.path); err == nil && info.IsDir() {
		return syscall.EISDIR
	}
	var err error
	f.seen = notedTick(f.path + ".lock")
	if f.lock, err = acquire(f.path + ".lock"); err != nil {
		return err
	}
	f.noteTick(f.seen)
	if err := orphaned(f.path); err != nil {
		return err
	}
	if f.held, err = os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	return errors.Join(lockFile(f.held), syncDir(dir))
}

// orphaned refuses a write-ahead log whose database is missing or empty. SQLite would delete it.
func orphaned(path string) error {
	wal, err := os.Stat(path + "-wal")
	if err != nil || wal.Size() == 0 {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		return nil
	}
	return fmt.Errorf("%w: the file is missing or empty, its write-ahead log %s-wal is not", ErrCorrupt, path)
}

// syncDir makes the names in a directory durable, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}

// magic begins every SQLite file.
var magic = []byte("SQLite format 3\x00")

// inspect looks at the header of the file before SQLite touches it: SQLite would turn any database
// into one with a write-ahead log. An empty file is a new store.
func inspect(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 100)
	n, err := io.ReadFull(f, head)
	switch {
	case n == 0 && err == io.EOF:
		return nil
	case err == io.ErrUnexpectedEOF || err == nil && !bytes.Equal(head[:len(magic)], magic):
		return fmt.Errorf("%w: it does not begin as a SQLite file does", ErrCorrupt)
	case err != nil:
		return err
	}
	return inspectHeader(head)
}

// inspectHeader reads what migrate wrote. If the file was never checkpointed it is still in the
// write-ahead log, and the header says nothing: then identify decides.
func inspectHeader(head []byte) error {
	logged := head[18] == 2 // written with a write-ahead log
	version := int(binary.BigEndian.Uint32(head[60:]))
	app := binary.BigEndian.Uint32(head[68:])
	switch {
	case app != applicationID && (app != 0 || !logged):
		return ErrForeign
	case app == applicationID && version > schemaVersion:
		return newer(version)
	}
	return nil
}

func (db *connections) connect(readOnly bool) error {
	common := "_pragma=busy_timeout(5000)&_pragma=cell_size_check(1)&_txlock=immediate"
	reading := common + "&_pragma=query_only(1)"
	writing := common + "&_pragma=journal_mode(wal)&_pragma=synchronous(full)" +
		fmt.Sprintf("&_pragma=journal_size_limit(%d)&_pragma=wal_autocheckpoint(%d)", tidyAbove, mostLogged/pageSize)
	if readOnly {
		reading += "&mode=ro"
		writing = reading
	}
	var err error
	if db.w, err = sql.Open("sqlite", dsn(db.path, writing)); err != nil {
		return err
	}
	db.w.SetMaxOpenConns(1)
	db.pump, db.view = db.w, db.w
	if db.r, err = sql.Open("sqlite", dsn(db.path, reading)); err != nil {
		return err
	}
	db.r.SetMaxOpenConns(4)
	return db.w.Ping()
}

// The write-ahead log is copied into the file once it is larger than tidyAbove: behind a commit and
// beside the next ones, since a storm's log takes as long to copy as it took to write. After that
// the next commit begins the log anew, and cuts it to that size. If commits come so fast that the
// copy never catches up with them, one of them does it itself when there is more than mostLogged.
const (
	pageSize   = 4 << 10
	tidyAbove  = 4 << 20
	mostLogged = 256 << 20
)

// tidier copies the write-ahead log into the file, once at a time.
type tidier struct {
	mu           sync.Mutex
	busy, closed bool
	running      sync.WaitGroup
}

// wrote lets the log be copied, if it is long enough and that is not being done.
func (f *file) wrote(db *connections) {
	log, err := os.Stat(f.path + "-wal")
	if err != nil || log.Size() <= tidyAbove {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy || f.closed {
		return
	}
	f.busy = true
	f.running.Go(func() {
		if db.fault("checkpoint") == nil {
			_, _ = db.r.Exec("pragma wal_checkpoint(passive)") // what it could not do is done after another commit
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.busy = false
	})
}

// rest waits for what is running, and lets nothing begin any more.
func (t *tidier) rest() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.running.Wait()
}

func dsn(path, query string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: query}
	return u.String()
}

// check looks for damage in the structure of the file, for a bounded time. What the structure holds
// is checked when it is read: every record carries its checksum.
func (db *connections) check(limit time.Duration) error {
	if limit < 0 {
		return nil
	}
	if limit == 0 {
		limit = defaultCheck
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var found string
	err := db.w.QueryRowContext(ctx, "pragma integrity_check(1)").Scan(&found)
	switch {
	case ctx.Err() != nil:
		return nil // no damage was found in the time there was
	case err != nil:
		return err
	case found != "ok":
		return fmt.Errorf("%w: %s", ErrCorrupt, found)
	}
	return nil
}

func (db *connections) sameVersion() error {
	version, err := identify(context.Background(), db.w)
	if err == nil && version != schemaVersion {
		err = wrongVersion(version)
	}
	return err
}

// present refuses to go on when the file is no longer at its path: SQLite would go on writing into
// a file that nobody can find any more.
func (f *file) present(*Term) error {
	now, err := os.Stat(f.path)
	if err != nil || !os.SameFile(now, f.info) {
		return ErrGone
	}
	return nil
}

// fence does nothing: whoever has the lock of the file leads.
func (f *file) fence(context.Context, txn, *Term) error { return nil }

// prepared returns a new map: SQLite reads the text of a statement anew each time, which takes as
// long as what it does.
func (f *file) prepared() map[string]*sql.Stmt { return map[string]*sql.Stmt{} }

func (f *file) again(error) bool { return false }

// lead gives a term at once, which is over when the store is closed.
func (f *file) lead(context.Context, func(error)) (*Term, error) { return endless(), nil }

func (f *file) close() error {
	var errs []error
	for _, held := range []*os.File{f.held, f.lock} {
		if held != nil {
			errs = append(errs, held.Close())
		}
	}
	return errors.Join(errs...)
}

package store

import (
	"context"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// What can be wrong with a store; test for them with errors.Is.
var (
	ErrLocked  = errors.New("another process has the store open")
	ErrCorrupt = errors.New("the store is damaged")
	ErrNewer   = errors.New("the store was written by a newer slowburn")
	ErrForeign = errors.New("the file is a database of another program")
	ErrGone    = errors.New("the store's file was removed or replaced while it was open")
	ErrEmpty   = errors.New("the database has no tables yet")
	ErrUnknown = errors.New("there is no such entry")
	// ErrStandby means that another process leads, or that this one has not asked to. Nothing was
	// written.
	ErrStandby = errors.New("this process does not lead")
	// ErrDeposed means that this process led and another leads now. Nothing was written, unless it
	// is ErrUnclear as well.
	ErrDeposed = outbox.ErrDeposed
	// ErrUnclear means that the database has not said whether it has written something down.
	ErrUnclear = errors.New("it is not known whether it is written down")
	// ErrInvalid means that the caller handed in what could not be read back. Nothing was written.
	ErrInvalid = errors.New("the tick cannot be kept")
)

// What is wrong with a server, or with how it is named.
var (
	errAddress       = errors.New("the address of the database cannot be read")
	errFiles         = errors.New("the files that the address names for TLS cannot be used")
	errUnprotected   = errors.New("the connection would not be protected")
	errPooled        = errors.New("a pooler stands in between, which shares sessions between its clients")
	errOldServer     = errors.New("the server is too old")
	errEncoding      = errors.New("the database cannot keep every text")
	errForeignTables = errors.New("the database has tables of another program")
)

// Error is every error of this package: what was tried, on which file or database, why it failed,
// and what a person can do about it.
type Error struct {
	Op   string // such as "open" or "commit"
	Path string
	Err  error
	Hint string // may be ""
	// Since is when the database stopped answering, if it does not; by this machine's clock.
	Since time.Time
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

// The hints about PostgreSQL.
const (
	hintAddress     = "write it as postgres://USER@HOST/DATABASE?sslmode=verify-full"
	hintUnprotected = "write sslmode=verify-full, and sslrootcert=FILE unless the system knows who signed the server's certificate; only a socket and this machine do without"
	hintAuthority   = "write sslrootcert=FILE, the certificate of whoever signed the server's"
	hintHostName    = "name the server in the address as its certificate does"
	hintCertificate = "renew the server's certificate"
	hintNoTLS       = "let the server speak TLS: ssl = on, ssl_cert_file and ssl_key_file in postgresql.conf"
	hintOurs        = "the server does not take slowburn's certificate: see sslcert and sslkey in the address, and ssl_ca_file of the server"
	hintFiles       = "see sslrootcert, sslcert and sslkey in the address: each names a PEM file that slowburn may read"
	hintPooled      = "name the server itself: who leads is a lock of a session, which a pooler hands on"
	hintOldServer   = "upgrade the server"
	hintEncoding    = "make a database with: create database NAME template template0 encoding 'UTF8'"
	hintTables      = "nothing was changed; give slowburn a database of its own, or a schema by search_path=NAME"
	hintServerGone  = "see whether the server runs and can be reached from here; slowburn tries again by itself"
	hintLogin       = "check the user, the password and pg_hba.conf"
	hintNoDatabase  = "make it with: create database NAME owner USER template template0 encoding 'UTF8'"
	hintRights      = "slowburn makes its own tables: let its user own the database, or grant create on the schema"
	hintReadOnly    = "name the primary, or all servers with target_session_attrs=read-write; slowburn goes on by itself once one takes writes"
	hintServerFull  = "free some space on the server's disk; slowburn goes on by itself"
	hintConnections = "raise max_connections: each slowburn takes up to eight"
	hintDamaged     = "nothing was changed; see the server's log, and restore the database from a backup"
	hintBusy        = "the server was too slow; slowburn tries again by itself"
)

// wrap makes err an *Error of the operation, which says whether the database answers at all.
func (db *connections) wrap(op string, err error) error {
	err = wrap(op, db.path, err)
	var e *Error
	if errors.As(err, &e) {
		e.Since = db.reach.silent()
	}
	return err
}

// unclear marks the error of a commit that a server has not answered.
func (db *connections) unclear(err error) error {
	if err == nil || db.reach == nil || codeOf(err) != "" {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnclear, err)
}

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
	return &Error{Op: op, Path: path, Err: err, Hint: hintFor(path, err)}
}

func hintFor(path string, err error) string {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ""
	case errors.Is(err, ErrCorrupt):
		if strings.HasPrefix(path, "postgres:") {
			return hintDamaged
		}
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
	case codeOf(err) == "53100":
		return hintServerFull
	case isDiskFull(err):
		return hintFull
	case errors.Is(err, fs.ErrPermission), isCode(err, sqlite3.SQLITE_READONLY), isCode(err, sqlite3.SQLITE_CANTOPEN):
		return hintPerm
	case isCode(err, sqlite3.SQLITE_IOERR):
		return hintRead
	}
	return serverHint(err)
}

// serverHint says what to do about an error of PostgreSQL, or of the way to it.
func serverHint(err error) string {
	for _, known := range []struct {
		err  error
		hint string
	}{
		{errAddress, hintAddress},
		{errFiles, hintFiles},
		{errUnprotected, hintUnprotected},
		{errPooled, hintPooled},
		{errOldServer, hintOldServer},
		{errEncoding, hintEncoding},
		{errForeignTables, hintTables},
	} {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	if strings.Contains(err.Error(), "read only connection") {
		return hintReadOnly
	}
	if hint := tlsHint(err); hint != "" {
		return hint
	}
	switch code := codeOf(err); code {
	case "28000", "28P01":
		return hintLogin
	case "3D000":
		return hintNoDatabase
	case "42501", "3F000":
		return hintRights
	case "25006":
		return hintReadOnly
	case "53300":
		return hintConnections
	case "57014", "55P03", "25P03":
		return hintBusy
	case "08P01": // a setting that only a server knows
		return hintPooled
	case "57P01", "57P02", "57P03", "57P05":
		return hintServerGone
	}
	if isCut(err) {
		return hintServerGone
	}
	return ""
}

// tlsHint says what to do where both sides could not agree on a protected connection.
func tlsHint(err error) string {
	var signed x509.UnknownAuthorityError
	var named x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert *net.OpError
	switch {
	case errors.As(err, &signed):
		return hintAuthority
	case errors.As(err, &named):
		return hintHostName
	case errors.As(err, &invalid):
		return hintCertificate
	case errors.As(err, &alert) && alert.Op == "remote error", // as crypto/tls calls what the other side says
		strings.Contains(err.Error(), "connection requires a valid client certificate"),
		strings.Contains(err.Error(), "failed to write startup message"): // it hung up, and we were faster than its reason
		return hintOurs
	case strings.Contains(err.Error(), "server refused TLS connection"):
		return hintNoTLS
	}
	return ""
}

// isCut reports whether the way to the server is broken, or was never there.
func isCut(err error) bool {
	var connect *pgconn.ConnectError
	var network *net.OpError
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn)
}

// codeOf returns what PostgreSQL calls an error, "" if it is none of its.
func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// isDiskFull reports whether something could not be written because the disk, or the quota, is used
// up. The store is as it was before, and works again as soon as there is space.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, errQuota) || codeOf(err) == "53100" ||
		isCode(err, sqlite3.SQLITE_FULL) || isExtended(err, sqlite3.SQLITE_IOERR_SHMSIZE)
}

// isCorrupt also knows a schema that lost a table or a column: no statement of ours asks for one
// that it has not made.
//
// Codes are those of PostgreSQL's manual, appendix A.
func isCorrupt(err error) bool {
	return isCode(err, sqlite3.SQLITE_CORRUPT) || isCode(err, sqlite3.SQLITE_NOTADB) ||
		isCode(err, sqlite3.SQLITE_ERROR) && strings.Contains(err.Error(), "no such ") ||
		slices.Contains([]string{"XX001", "XX002", "42P01", "42703"}, codeOf(err))
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

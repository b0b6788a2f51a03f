// Package pgtest starts a PostgreSQL for tests, if one is installed: a server per test process, and
// a schema per test, by which the locks of a store are told apart too.
//
// Where none is installed a test is skipped, so that `make test` needs nothing but Go;
// SLOWBURN_CI=1 makes that a failure. The server listens on loopback and on a socket, and its data
// are in a temporary directory; nothing is synced to the disk, which only a power cut would notice.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a server of its own.
type Server struct {
	Dir      string // short, because a socket's path may have no more than 107 bytes
	Port     int
	bin      string
	as       *syscall.SysProcAttr
	cmd      *exec.Cmd
	settings []string
	done     chan struct{}
	log      bytes.Buffer
}

// Durable are the settings of a server that loses nothing when the power goes, for measurements.
var Durable = []string{"fsync=on", "full_page_writes=on", "autovacuum=on", "shared_buffers=128MB"}

// errNone says that nothing is installed.
var errNone = errors.New("PostgreSQL is not installed")

// binaries returns the directory of the newest installation, "" if there is none.
func binaries() string {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(all, func(a, b string) int { return version(a) - version(b) })
	if len(all) > 0 {
		return filepath.Dir(all[len(all)-1])
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// Start makes and starts a server for the length of a test, for those that stop and kill it.
// Settings such as "fsync=on" are for it alone.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := newServer(settings...)
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(s.Close)
	return s
}

func newServer(settings ...string) (*Server, error) {
	return makeServer(settings, "initdb", "-U", "slowburn", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
}

// makeServer starts a server on the data that a command makes.
func makeServer(settings []string, command string, args ...string) (*Server, error) {
	s := &Server{bin: binaries(), as: attributes(), settings: settings}
	if s.bin == "" {
		return nil, errNone
	}
	var err error
	if s.Dir, err = os.MkdirTemp("", "pg"); err != nil { // t.TempDir is long, and closed to other users
		return nil, err
	}
	if err := s.initialize(command, args...); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.Dir))
	}
	return s, nil
}

func (s *Server) initialize(command string, args ...string) error {
	if err := s.disown(); err != nil {
		return err
	}
	out, err := s.command(command, append(args, "-D", s.Dir+"/d")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	return s.Start()
}

// disown gives the directory to the user of the distribution's server, which refuses to run as
// root.
func (s *Server) disown() error {
	uid, gid, err := account()
	if err != nil || uid == os.Getuid() {
		return err
	}
	s.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.Dir, uid, gid)
}

// account returns the user that servers run as.
func account() (uid, gid int, err error) {
	if os.Getuid() != 0 {
		return os.Getuid(), os.Getgid(), nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, err
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid, nil
}

// Files writes files that a server may read, such as its key, and returns the directory.
func Files(t testing.TB, files map[string][]byte) (dir string) {
	t.Helper()
	if binaries() == "" {
		missing(t, errNone)
	}
	uid, gid, err := account()
	if err != nil {
		t.Fatal(err)
	}
	if dir, err = os.MkdirTemp("", "pg"); err != nil { // t.TempDir is closed to other users
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, data, 0o600), os.Chown(path, uid, gid)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.SysProcAttr, c.Dir = s.as, s.Dir
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	return c
}

// Start starts the server, also after Kill, and waits until it answers.
func (s *Server) Start() error {
	args := []string{"-D", s.Dir + "/d", "-k", s.Dir, "-p", strconv.Itoa(s.Port), "-h", "127.0.0.1"}
	for _, setting := range append([]string{
		"fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=16MB",
		"autovacuum=off", "max_wal_senders=0", "wal_level=minimal", "logging_collector=off",
	}, s.settings...) {
		args = append(args, "-c", setting)
	}
	s.cmd = s.command("postgres", args...)
	s.done = make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	started := make(chan error)
	go func() { // the server ends with the thread that forked it, so that must live as long
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait()
		}
		close(s.done)
	}()
	if err := <-started; err != nil {
		return err
	}
	return s.answers()
}

func (s *Server) answers() error {
	for until := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := pgx.Connect(context.Background(), s.Address("postgres"))
		if err == nil {
			return c.Close(context.Background())
		}
		select {
		case <-s.done:
			return fmt.Errorf("postgres ended: %s", s.log.String())
		default:
		}
		if time.Now().After(until) {
			return fmt.Errorf("postgres does not answer: %w: %s", err, s.log.String())
		}
	}
}

// Address returns the address of a database by the socket.
func (s *Server) Address(database string) string {
	return fmt.Sprintf("host=%s port=%d user=slowburn dbname=%s", s.Dir, s.Port, database)
}

// Through returns the address of a database by a port of this machine, such as that of a proxy.
func (s *Server) Through(port int, database string) string {
	return fmt.Sprintf("postgres://slowburn@127.0.0.1:%d/%s?sslmode=disable", port, database)
}

// Primary are the settings of a server that can have a replica.
var Primary = []string{"wal_level=replica", "max_wal_senders=4"}

// Replica starts a server that follows another one, started with [Primary], over a proxy: what that
// holds back the replica does not have.
func (s *Server) Replica(t testing.TB, way *Proxy) *Server {
	t.Helper()
	from := []string{"-h", "127.0.0.1", "-p", strconv.Itoa(way.Port), "-U", "slowburn"}
	r, err := makeServer(Primary, "pg_basebackup", append(from, "--checkpoint=fast", "--no-sync", "--write-recovery-conf")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// Promote makes a replica the primary, with what it has.
func (s *Server) Promote(t testing.TB) { s.Exec(t, "postgres", "select pg_promote()") }

// Kill ends the server as a crash does, and waits until it is gone.
func (s *Server) Kill() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.done
}

// Close ends the server and removes its data.
func (s *Server) Close() {
	select {
	case <-s.done:
	default:
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.done
	}
	_ = os.RemoveAll(s.Dir)
}

// Make makes an empty schema in a database that is there for the tests, and returns how an address
// by the socket names it. A store takes no notice of what is in another schema.
func (s *Server) Make(t testing.TB) (address string) {
	t.Helper()
	name := fmt.Sprintf("t%d", made.Add(1))
	s.Exec(t, "postgres", "create schema "+name)
	return s.Address("postgres") + " search_path=" + name
}

var made atomic.Int64

// Exec runs statements in a database.
func (s *Server) Exec(t testing.TB, database, statements string) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, s.Address(database))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, statements); err != nil {
		t.Fatal(err)
	}
}

// Lock keeps everybody else from a table, until it is released or the test is over.
func (s *Server) Lock(t testing.TB, table string) (release func()) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, s.Address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { c.Close(ctx) })
	t.Cleanup(release)
	if _, err := c.Exec(ctx, "begin; lock table "+table+" in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	return release
}

// Waits reports whether a statement waits for a lock; like is its text, as SQL compares it.
func (s *Server) Waits(t testing.TB, like string) (yes bool) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, s.Address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	const waiting = `select exists (select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like $1)`
	if err := c.QueryRow(ctx, waiting, like).Scan(&yes); err != nil {
		t.Fatal(err)
	}
	return yes
}

var shared struct {
	once sync.Once
	s    *Server
	err  error
}

// Shared returns the server that all tests of the process share. Whoever uses it calls [Stop] in
// its TestMain.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.once.Do(func() { shared.s, shared.err = newServer() })
	if shared.err != nil {
		missing(t, shared.err)
	}
	return shared.s
}

// Database returns the address of an empty schema for the test, on the shared server.
func Database(t testing.TB) string {
	t.Helper()
	return Shared(t).Make(t)
}

// Stop ends the shared server, if it was started.
func Stop() {
	if shared.s != nil {
		shared.s.Close()
	}
}

// missing ends a test without a server.
func missing(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, errNone) || os.Getenv("SLOWBURN_CI") == "1" {
		t.Fatal(err)
	}
	t.Skip(err.Error())
}

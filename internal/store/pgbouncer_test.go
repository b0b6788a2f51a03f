package store

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// PgBouncer itself, in each of its modes, and with a setting in the first packet that it does not
// know: each time the answer says that a pooler stands in between.
func TestPgBouncerIsAnswered(t *testing.T) {
	server := pgtest.Shared(t)
	server.Exec(t, "postgres", "create database pooled template template0")
	for _, mode := range []string{"session", "transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			address := fmt.Sprintf("postgres://slowburn@127.0.0.1:%d/pooled?sslmode=disable", pgBouncer(t, server, mode))
			for _, address := range []string{address, address + "&search_path=public"} {
				_, err := OpenPostgres(background, address, Options{})
				if err == nil || !strings.HasSuffix(err.Error(), "("+hintPooled+")") {
					t.Errorf("%v, want %q", err, hintPooled)
				}
			}
		})
	}
}

// pgBouncer starts a PgBouncer in front of a server, if one is installed, and returns its port.
func pgBouncer(t *testing.T, server *pgtest.Server, mode string) (port int) {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		if path = "/usr/sbin/pgbouncer"; os.Getenv("SLOWBURN_CI") != "1" {
			if _, err := os.Stat(path); err != nil {
				t.Skip("PgBouncer is not installed")
			}
		}
	}
	l := got(net.Listen("tcp", "127.0.0.1:0"))(t)
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir := got(os.MkdirTemp("", "pgb"))(t) // t.TempDir is closed to other users
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "users"), []byte(`"slowburn" ""`+"\n"), 0o644))
	config := filepath.Join(dir, "pgbouncer.ini")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s/users
pool_mode = %s
`, server.Dir, server.Port, port, dir, mode), 0o644))
	cmd := exec.Command(path, "-q", config)
	if os.Getuid() == 0 { // it refuses to run as root
		u := got(user.Lookup("postgres"))(t)
		uid, gid := got(strconv.Atoi(u.Uid))(t), got(strconv.Atoi(u.Gid))(t)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(time.Minute); ; pause(background, quick.poll) {
		c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			c.Close()
			return port
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// ailing is a daemon on a PostgreSQL of its own, and an outage that it will see.
type ailing struct {
	*process
	server     *pgtest.Server
	prometheus *servers.Server
	slack      *slacktest.Server
	beats      atomic.Int64
}

// newAiling starts it. The server is prepared before anything is in it.
func newAiling(t *testing.T, prepareServer func(*pgtest.Server)) *ailing {
	t.Helper()
	a := &ailing{server: pgtest.Start(t)}
	if prepareServer != nil {
		prepareServer(a.server)
	}
	file := filepath.Join(t.TempDir(), "address")
	if err := os.WriteFile(file, []byte(a.server.Make(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	heart := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { a.beats.Add(1) }))
	t.Cleanup(heart.Close)
	target := httptest.NewServer(&shop{failing: true, last: time.Now()})
	t.Cleanup(target.Close)
	a.prometheus = servers.Prometheus(t, servers.PrometheusOptions{Scrape: []string{target.URL}})
	a.slack = slacktest.Start(slacktest.Options{})
	t.Cleanup(a.slack.Close)
	a.process = newProcess(t, a.prometheus.URL, a.slack, "store: {postgres_file: "+file+"}", `heartbeat: {url: "`+heart.URL+`", interval: 10s}`+"\n")
	a.eventually(atOnce, "leading", func() bool { return leads(a.process) })
	return a
}

// pages waits for the page and returns what it says.
func (a *ailing) pages() string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), aFewTurns)
	defer cancel()
	if err := a.slack.Wait(ctx, func(st slacktest.State) bool { return len(st.Roots(channel)) > 0 }); err != nil {
		a.t.Fatalf("nobody was told: %v\n%s", err, a.printed())
	}
	return a.slack.State().Roots(channel)[0].Text
}

// settles fails unless, when everything is well again, the page stands there once and is known.
func (a *ailing) settles() {
	a.t.Helper()
	before := a.beats.Load()
	a.eventually(aFewTurns, "well again", func() bool {
		all := a.incidents()
		return len(all) == 1 && all[0].Open && a.beats.Load() > before && !strings.Contains(a.slack.State().Roots(channel)[0].Text, "may be a repeat")
	})
	if roots := a.slack.State().Roots(channel); len(roots) != 1 {
		a.t.Errorf("%d messages in the channel, want one\n%s", len(roots), a.slack.State())
	}
	a.stop()
}

// TestPagesWhilePostgreSQLTakesNothing: while the leader's lease holds, a server that takes no
// writes keeps no page from going out, marked, because whoever leads next would not know of it.
func TestPagesWhilePostgreSQLTakesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some minutes of wall time")
	}
	t.Parallel()
	t.Run("read only", func(t *testing.T) {
		t.Parallel()
		a := newAiling(t, nil)
		a.server.Exec(t, "postgres", "alter system set default_transaction_read_only = on")
		a.server.Exec(t, "postgres", "select pg_reload_conf()")
		a.eventually(aFewTurns, "unable to write", func() bool { return strings.Contains(a.printed(), "cannot write to the store") })
		beats := a.beats.Load()
		if text := a.pages(); !strings.HasPrefix(text, "(may be a repeat) ") {
			t.Errorf("the page reads %q", text)
		}
		if n := a.beats.Load() - beats; n > 0 || !strings.Contains(a.printed(), "read-only transaction") {
			t.Errorf("%d heartbeats while nothing can be written; the log:\n%s", n, a.printed())
		}
		a.server.Exec(t, "postgres", "alter system set default_transaction_read_only = off")
		a.server.Exec(t, "postgres", "select pg_reload_conf()")
		a.settles()
	})
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		disk := filepath.Join(t.TempDir(), "disk")
		a := newAiling(t, func(s *pgtest.Server) { disk = smallDisk(t, s) })
		fill(t, disk)
		if text := a.pages(); !strings.HasPrefix(text, "(may be a repeat) ") {
			t.Errorf("the page reads %q", text)
		}
		if !strings.Contains(a.printed(), "No space left on device") {
			t.Errorf("the log does not say why\n%s", a.printed())
		}
		if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
			t.Fatal(err)
		}
		a.settles()
	})
	// Nobody can be sure of leading, so nobody sends: only that the heartbeat stops tells people.
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		a := newAiling(t, nil)
		a.eventually(aFewTurns, "beating", func() bool { return a.beats.Load() > 0 })
		a.server.Kill()
		a.eventually(atOnce, "standing by", func() bool { return strings.Contains(a.get("/metrics"), "\nslowburn_leader 0\n") })
		beats := a.beats.Load()
		a.eventually(aFewTurns, "where a leader would have told", func() bool { return a.burned() >= 150 })
		if n := len(a.slack.State().Roots(channel)); n > 0 {
			t.Errorf("%d messages were sent while nobody can lead\n%s", n, a.slack.State())
		}
		if n := a.beats.Load() - beats; n > 0 {
			t.Errorf("%d heartbeats while nobody can lead", n)
		}
		if n := strings.Count(a.printed(), "level=ERROR"); n > 40 { // the outage takes minutes, and what fails is tried each second
			t.Errorf("the log has %d errors, in which nobody finds anything\n%s", n, a.printed())
		}
		if err := a.server.Start(); err != nil {
			t.Fatal(err)
		}
		a.pages()
		a.settles()
	})
}

// burned is how many samples of the outage Prometheus has, one per second.
func (a *ailing) burned() int {
	a.t.Helper()
	resp, err := http.Get(a.prometheus.URL + "/api/v1/query?query=" + url.QueryEscape(`count_over_time(http_requests_total{code="500"}[1h])`))
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		a.t.Fatal(err)
	}
	if len(answer.Data.Result) == 0 {
		return 0
	}
	n, err := strconv.Atoi(answer.Data.Result[0].Value[1].(string))
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

// smallDisk gives the server a file system of a few megabytes for the tables that are made from now
// on, and returns where it is.
func smallDisk(t *testing.T, s *pgtest.Server) string {
	t.Helper()
	dir := filepath.Join(s.Dir, "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mountSmall(t, dir)
	info, err := os.Stat(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "postgres", "create tablespace small location '"+dir+"'")
	s.Exec(t, "postgres", "alter system set default_tablespace = small")
	s.Exec(t, "postgres", "select pg_reload_conf()")
	return dir
}

// mountSmall puts a file system of a few megabytes at a folder.
func mountSmall(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=8m"); err != nil {
		if os.Getenv("SLOWBURN_CI") == "" && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS)) {
			t.Skip("a small file system needs the right to mount one") // it is imitated in packages store and engine
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// fill takes all that is left of a file system.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

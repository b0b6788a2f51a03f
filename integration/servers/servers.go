// Package servers starts the real servers slowburn works with, for the length of one test:
// Prometheus, VictoriaMetrics and Alertmanager, each on a free port of the loopback interface with
// its data in a temporary directory.
//
//	func TestSomething(t *testing.T) {
//		prom := servers.Prometheus(t, servers.PrometheusOptions{Scrape: []string{target.URL}})
//		// ... ask prom.URL + "/api/v1/query" ...
//		prom.Stop(t)  // an outage
//		prom.Start(t) // and its end: same port, same data
//	}
//
// The binaries are not built here, they are found: in PATH, or below the directory named by
// SLOWBURN_SERVERS, into which Debian packages may have been unpacked with dpkg -x. Where a binary
// is missing the test is skipped, so that the module can be tested on any machine; with
// SLOWBURN_CI=1 a missing binary is a failure, so that the continuous integration cannot pass by
// skipping.
package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/logtest"
)

const (
	// startTimeout bounds the wait for a server to say that it is ready. The slowest of the three
	// needs two seconds on an idle machine.
	startTimeout = 60 * time.Second
	// stopTimeout bounds the wait for an orderly exit; then it is killed.
	stopTimeout = 20 * time.Second
	// pollInterval is the pause between two questions whether it is ready.
	pollInterval = 50 * time.Millisecond
)

// Server is one server process. It keeps its address, its flags and its data directory when it is
// stopped and started again.
type Server struct {
	// URL is the base address without a trailing slash.
	URL string

	name  string   // for messages
	path  string   // of the binary
	args  []string // without the program's name
	ready string   // path that answers 200 when the server works

	cmd    *exec.Cmd
	output *logtest.Log
	exited chan error // receives the result of Wait, once
}

// start fills in a Server, runs it and stops it at the end of the test.
func start(tb testing.TB, s *Server) *Server {
	tb.Helper()
	s.Start(tb)
	tb.Cleanup(func() { s.Stop(tb) })
	return s
}

// Start runs the process and returns when it is ready. It does nothing when the process is running
// already. A server that cannot be started fails the test with everything the process printed.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if s.cmd != nil {
		return
	}
	s.output = &logtest.Log{}
	s.exited = make(chan error, 1)
	cmd := exec.Command(s.path, s.args...)
	cmd.Stdout, cmd.Stderr = s.output, s.output
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v", s.name, err)
	}
	s.cmd = cmd
	go func() { s.exited <- cmd.Wait() }()
	if err := s.waitReady(tb.Context()); err != nil {
		tb.Fatalf("%s is not ready: %v\n%s", s.name, err, s.output)
	}
}

// Stop ends the process and waits until it is gone: orderly by SIGTERM, and by force if it does not
// go. It does nothing when the process is not running.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		<-s.exited
		tb.Logf("%s had to be killed", s.name)
	}
	s.cmd = nil
}

// Output returns what the process has printed since its last Start.
func (s *Server) Output() string { return s.output.String() }

// waitReady asks the readiness path until it answers 200, the process ends or the time is up.
func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		last := probe(ctx, s.URL+s.ready)
		if last == nil {
			return nil
		}
		select {
		case err := <-s.exited:
			s.cmd = nil
			return fmt.Errorf("the process ended: %w", errors.Join(err, last))
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", startTimeout, last)
		case <-time.After(pollInterval):
		}
	}
}

// probe returns nil when the URL answers 200.
func probe(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}

// find returns the path of the first of the programs that exists, or skips the test. See the
// package comment for where it looks.
func find(tb testing.TB, names ...string) string {
	tb.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, dir := range []string{"usr/bin", "bin", "."} {
			path := filepath.Join(os.Getenv("SLOWBURN_SERVERS"), dir, name)
			if filepath.IsAbs(path) && isExecutable(path) {
				return path
			}
		}
	}
	Missing(tb, fmt.Sprintf("no %s in PATH or below SLOWBURN_SERVERS", names[0]))
	return ""
}

// Missing ends the test because something it needs is not on this machine: as skipped, or as failed
// when SLOWBURN_CI=1 promises that everything is there.
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("SLOWBURN_CI") == "1" {
		tb.Fatalf("%s, and SLOWBURN_CI=1 forbids to skip", what)
	}
	tb.Skip(what)
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// freeAddress returns a loopback address nobody listens on. Another process could take the port
// before the server does; on a port the kernel hands out in turn that is rare enough to accept.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

// writeFile writes a file of the server's directory and returns its path.
func writeFile(tb testing.TB, dir, name, content string) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatalf("write %s: %v", name, err)
	}
	return path
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/logtest"
)

// process is `slowburn serve` in the background.
type process struct {
	cmd    *exec.Cmd
	log    logtest.Log
	url    string
	exited chan struct{} // closed when it has ended
}

// stageDaemon plays with the daemon:
//
//	daemon start [FLAG…]       on a free port; SLOWBURN_URL names it from then on
//	daemon stop                by SIGTERM; it must end well, and leaves daemon.log
//	daemon kill                without a warning
//	daemon hangup              SIGHUP
//	[!] daemon logged PATTERN  waits for a line in its log (or looks that there is none)
func stageDaemon(ts *testscript.TestScript, neg bool, args []string) {
	s := stageOf(ts)
	if args[0] != "start" && s.daemon == nil {
		ts.Fatalf("there is no daemon")
	}
	switch args[0] {
	case "start":
		s.start(ts, args[1:])
	case "stop":
		ts.Check(s.daemon.cmd.Process.Signal(syscall.SIGTERM))
		s.ended(ts)
	case "kill":
		s.daemon.kill()
		s.leaveLog(ts)
	case "hangup":
		ts.Check(s.daemon.cmd.Process.Signal(syscall.SIGHUP))
	case "logged":
		s.logged(ts, neg, regexp.MustCompile(args[1]))
	default:
		ts.Fatalf("daemon %s?", args[0])
	}
}

// running is the line by which the daemon says where it is.
var running = regexp.MustCompile(`msg="slowburn is running" address=(\S+)`)

func (s *theatre) start(ts *testscript.TestScript, flags []string) {
	p := &process{exited: make(chan struct{})}
	p.cmd = s.command(ts, append([]string{"slowburn", "serve", "--web.listen-address=127.0.0.1:0"}, flags...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	ts.Check(p.cmd.Start())
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	err := eventually(func() error {
		select {
		case <-p.exited:
			return nil
		default:
		}
		if m := running.FindStringSubmatch(p.log.String()); m != nil {
			p.url = m[1]
			return nil
		}
		return errors.New("the daemon has not started yet")
	})
	if err != nil || p.url == "" {
		p.kill()
		ts.Fatalf("the daemon does not run: %v\n%s", err, p.log.String())
	}
	s.daemon = p
	ts.Setenv("SLOWBURN_URL", p.url)
	ts.Check(s.evaluated(s.now().Add(-daemon.DefaultLag).Truncate(time.Minute)))
}

// ended waits for the daemon to end well.
func (s *theatre) ended(ts *testscript.TestScript) {
	p := s.daemon
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.kill()
		ts.Fatalf("the daemon does not stop:\n%s", p.log.String())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		ts.Fatalf("the daemon ended with %d:\n%s", code, p.log.String())
	}
	s.leaveLog(ts)
}

func (s *theatre) leaveLog(ts *testscript.TestScript) {
	ts.Check(os.WriteFile(ts.MkAbs("daemon.log"), []byte(s.daemon.log.String()), 0o644))
	s.daemon = nil
}

func (s *theatre) logged(ts *testscript.TestScript, neg bool, pattern *regexp.Regexp) {
	if neg {
		if found := pattern.FindString(s.daemon.log.String()); found != "" {
			ts.Fatalf("the log holds %q", found)
		}
		return
	}
	ts.Check(eventually(func() error {
		if text := s.daemon.log.String(); !pattern.MatchString(text) {
			return fmt.Errorf("%q is not in the log, which ends with:\n%s", pattern, text[max(0, len(text)-2000):])
		}
		return nil
	}))
}

// kill ends the process at once and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

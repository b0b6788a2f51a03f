package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/web"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/shop"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// theatre is everything around the program in one script.
type theatre struct {
	t      testing.TB
	vars   []string // environment of the script as it began
	clock  atomic.Pointer[shop.Clock]
	file   string // tells the clock to the processes
	DB     *promfake.DB
	prom   *promfake.Server
	slack  *slacktest.Server
	seen   *slacktest.Expectation
	roots  []slacktest.Seen // messages that were expected; the last is talked about
	daemon *process
}

// stageKey is where a script keeps its theatre.
type stageKey struct{}

func stageOf(ts *testscript.TestScript) *theatre { return ts.Value(stageKey{}).(*theatre) }

// curtainUp is when every script begins: Monday, in the middle of a minute, so that the seconds a
// script takes do not move it into another one.
var curtainUp = time.Date(2026, time.November, 16, 8, 0, 35, 0, time.UTC)

func openStage(env *testscript.Env) error {
	s := &theatre{file: filepath.Join(env.WorkDir, ".clock")}
	s.t, _ = env.T().(testing.TB)
	if err := s.set(curtainUp); err != nil {
		return err
	}
	env.Setenv(clockEnv, s.file)
	env.Setenv("SLACK_BOT_TOKEN", "")
	env.Setenv("GORACE", os.Getenv("GORACE"))
	env.Setenv("GOGC", os.Getenv("GOGC"))
	env.Setenv("GOMEMLIMIT", os.Getenv("GOMEMLIMIT"))
	s.vars = env.Vars
	env.Values[stageKey{}] = s
	env.Defer(s.close)
	return nil
}

func (s *theatre) close() {
	if s.daemon != nil {
		s.daemon.kill()
	}
	if s.slack != nil {
		s.slack.Close()
	}
	if s.prom != nil {
		_ = s.prom.Close()
	}
}

// now is the time in the script.
func (s *theatre) now() time.Time { return s.clock.Load().At(time.Now()) }

// set puts the clock of this process and of the others; from there it goes as fast as the wall's.
func (s *theatre) set(at time.Time) error {
	c := shop.Clock{Wall: time.Now(), Shop: at, Speed: 1}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	s.clock.Store(&c)
	if err := os.WriteFile(s.file+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(s.file+".new", s.file)
}

// stageClock lets time pass: "clock 09:30", "clock 2026-11-17T09:30", "clock +90m", "clock jump
// 12:00".
func stageClock(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	jump := len(args) == 2 && args[0] == "jump"
	if jump {
		args = args[1:]
	}
	if len(args) != 1 {
		ts.Fatalf("usage: clock [jump] TIME|+DURATION")
	}
	to, err := s.when(args[0])
	ts.Check(err)
	at := s.now().Truncate(time.Minute)
	if jump || s.daemon == nil {
		at = to.Add(-time.Minute)
	}
	for at.Before(to) {
		at = at.Add(time.Minute)
		ts.Check(s.set(at.Add(35 * time.Second)))
		if s.daemon != nil {
			ts.Check(s.evaluated(at))
		}
	}
}

// when reads a time of the script: an hour of its day, a date with an hour, or a distance from now.
func (s *theatre) when(text string) (time.Time, error) {
	now := s.now().Truncate(time.Minute)
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		d, err := time.ParseDuration(text)
		return now.Add(d), err
	}
	if at, err := time.Parse("2006-01-02T15:04", text); err == nil {
		return at, nil
	}
	at, err := time.Parse("15:04", text)
	return now.Truncate(24 * time.Hour).Add(at.Sub(at.Truncate(24 * time.Hour))), err
}

// evaluated waits until the daemon has evaluated the minutes before a time.
func (s *theatre) evaluated(through time.Time) error {
	return eventually(func() error {
		var answer struct {
			Data struct {
				LastTick *struct{ Through time.Time }
			}
		}
		_, body, err := ask(http.MethodGet, s.daemon.url+"/api/v1/status", "", "")
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			return err
		}
		if tick := answer.Data.LastTick; tick == nil || tick.Through.Before(through) {
			return fmt.Errorf("the daemon has not evaluated %s yet: %s", through.Format("15:04"), body)
		}
		return nil
	})
}

// patience bounds every wait of a script. It only ever passes when a script fails.
const patience = time.Minute

// eventually tries until it works.
func eventually(try func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for pause := 15 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) { // a try may be a process
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// exits runs a command and insists on its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := codeOf(ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func codeOf(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// until runs a command until what it prints matches.
func until(ts *testscript.TestScript, _ bool, args []string) {
	s, pattern := stageOf(ts), regexp.MustCompile("(?m)"+args[0])
	ts.Check(eventually(func() error {
		text := ""
		if args[1] == "http" {
			text = s.http(ts, args[2:])
		} else {
			out, _ := s.command(ts, args[1:]...).CombinedOutput()
			text = string(out)
		}
		if !pattern.MatchString(text) {
			return fmt.Errorf("%q was not seen in: %s", args[0], text)
		}
		return nil
	}))
}

// command is a process in the script's folder and environment.
func (s *theatre) command(ts *testscript.TestScript, args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = s.vars[:len(s.vars):len(s.vars)]
	for _, name := range []string{"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLOWBURN_URL"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	return cmd
}

// stageHTTP asks the daemon (a path) or anybody on this machine (an address): "http get
// /-/healthy". "http tell" posts with the token that the daemon has written beside its store. The
// status is printed first, then the body.
func stageHTTP(ts *testscript.TestScript, _ bool, args []string) {
	fmt.Fprint(ts.Stdout(), stageOf(ts).http(ts, args))
}

func (s *theatre) http(ts *testscript.TestScript, args []string) string {
	address := args[1]
	if strings.HasPrefix(address, "/") && s.daemon != nil {
		address = s.daemon.url + address
	}
	data := ""
	if len(args) > 2 {
		data = ts.ReadFile(args[2])
	}
	method, token := strings.ToUpper(args[0]), ""
	if method == "TELL" {
		method, token = http.MethodPost, daemon.ReadLocal(ts.MkAbs("data/slowburn.db.token"))
	}
	status, body, err := ask(method, address, data, token)
	if err != nil {
		return err.Error() + "\n"
	}
	return status + "\n" + body
}

func ask(method, address, data, token string) (status, body string, err error) {
	req, err := http.NewRequest(method, address, strings.NewReader(data))
	if err != nil {
		return "", "", err
	}
	req.Header.Set(web.TokenHeader, token)
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.Status, string(text), err
}

// fill puts the addresses of the stand-ins into files.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := ts.ReadFile(name)
		for _, key := range []string{"PROMETHEUS", "SLACK_API"} {
			text = strings.ReplaceAll(text, "$"+key, ts.Getenv(key))
		}
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// makeFile makes what a txtar cannot hold: "make huge FILE", "make nested FILE", "make garbage
// FILE".
func makeFile(ts *testscript.TestScript, _ bool, args []string) {
	text := ""
	switch args[0] {
	case "huge":
		text = "# " + strings.Repeat("x", 2<<20) + "\n"
	case "nested":
		text = strings.Repeat("[", 100_000)
	case "garbage":
		text = "this was a database once\x00" + strings.Repeat("\xff\x13", 5000)
	default:
		ts.Fatalf("make huge|nested|garbage FILE")
	}
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, []byte(text), 0o600))
}

// newer marks a store as written by a slowburn of the far future.
func newer(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec("PRAGMA user_version = 10000")
	ts.Check(errors.Join(err, db.Close()))
}

// condition knows [root]: whoever may read everything cannot be refused a file.
func condition(name string) (bool, error) {
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// note keeps in a variable what a pattern's first group matches in what the last command printed:
// note NAME PATTERN.
func note(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("note NAME PATTERN")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("%s is not in what was printed", args[1])
	}
	ts.Setenv(args[0], found[1])
}

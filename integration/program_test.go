package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

const (
	// aFewTurns bounds the wait for something that takes the daemon two or three turns of a minute
	// each.
	aFewTurns = 4 * time.Minute
	// atOnce bounds the wait for a start or a stop.
	atOnce = 30 * time.Second
)

// shop is a target that Prometheus scrapes: fifty requests a second, all of which fail or none.
type shop struct {
	mu        sync.Mutex
	failing   bool
	last      time.Time
	good, bad float64
}

// ServeHTTP is the metrics page.
func (s *shop) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live()
	fmt.Fprintf(w, "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} %.0f\nhttp_requests_total{code=\"500\"} %.0f\n", s.good, s.bad)
}

// live lets the requests happen since the last look.
func (s *shop) live() {
	now := time.Now()
	n := 50 * now.Sub(s.last).Seconds()
	if s.failing {
		s.bad += n
	} else {
		s.good += n
	}
	s.last = now
}

func (s *shop) heal() { s.turn(false) }
func (s *shop) fail() { s.turn(true) }

// turn lets all requests fail from now on, or none.
func (s *shop) turn(failing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live()
	s.failing = failing
}

// The windows are as short as a slot allows, so that the story fits into a test.
const shopSLOs = `
version: slowburn/v1
service: shop
slos:
  - name: availability
    objective: 99.9
    sli: {events: {total: http_requests_total, bad: 'http_requests_total{code="500"}'}}
    alerts: {page: [{budget: 2%, long: 3m, short: 1m}], ticket: off, spent: off, no_data: off}
`

// process is the daemon as people run it.
type process struct {
	t      *testing.T
	url    string
	config string
	args   []string
	env    []string
	path   string // of the program
	log    string // file with what it prints
	cmd    *exec.Cmd
}

// newProcess writes the files of a daemon and starts it. More is added to its configuration.
func newProcess(t *testing.T, prometheus string, slack *slacktest.Server, more ...string) *process {
	t.Helper()
	p := prepare(t, prometheus, slack, more...)
	p.start()
	p.ready()
	return p
}

// prepare writes the files of a daemon.
func prepare(t *testing.T, prometheus string, slack *slacktest.Server, more ...string) *process {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"shop.yaml":     shopSLOs,
		"slowburn.yaml": fmt.Sprintf("prometheus: {url: %q}\nslos: [shop.yaml]\nslack: {channel: \"#%s\", api_url: %q}\n", prometheus, channel, slack.APIURL()) + strings.Join(more, "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	p := &process{
		t: t, log: filepath.Join(dir, "log"), url: "http://" + address, env: append(os.Environ(), "SLACK_BOT_TOKEN="+slack.Token),
		config: filepath.Join(dir, "slowburn.yaml"),
	}
	p.args = []string{"serve", "--config.file=" + p.config, "--web.listen-address=" + address, "--evaluation.lag=2s"}
	t.Cleanup(func() {
		if p.cmd != nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	return p
}

// start runs the program.
func (p *process) start() {
	p.t.Helper()
	if p.path == "" {
		p.path = program(p.t)
	}
	p.cmd = exec.Command(p.path, p.args...)
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.env, log, log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// ready waits until the program is ready.
func (p *process) ready() {
	p.t.Helper()
	p.eventually(atOnce, "ready", func() bool {
		resp, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// printed is everything it has printed so far.
func (p *process) printed() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// eventually waits until the condition holds.
func (p *process) eventually(patience time.Duration, what string, condition func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("after %s the program is not %s\n%s", patience, what, p.printed())
		}
	}
}

// told is an incident as the API tells it.
type told struct {
	ID, SLO, Rule string
	Open          bool
}

// seen waits until the first message in the channel says something.
func (p *process) seen(slack *slacktest.Server, what string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), aFewTurns)
	defer cancel()
	if err := slack.Wait(ctx, func(st slacktest.State) bool {
		roots := st.Roots(channel)
		return len(roots) > 0 && strings.Contains(roots[0].Text, what)
	}); err != nil {
		p.t.Fatalf("nobody saw %q: %v\n%s", what, err, p.printed())
	}
}

// incidents asks the API.
func (p *process) incidents() (all []told) {
	p.t.Helper()
	resp, err := http.Get(p.url + "/api/v1/incidents")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Data any }
	answer.Data = &all
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	return all
}

// TestTheProgramPagesAndResolvesWhatPrometheusScrapes is the main job with everything real but
// Slack: the program as it is built, a Prometheus that scrapes every second, and the wall clock.
func TestTheProgramPagesAndResolvesWhatPrometheusScrapes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some minutes of wall time")
	}
	t.Parallel()
	shop := &shop{failing: true, last: time.Now()}
	target := httptest.NewServer(shop)
	defer target.Close()
	prometheus := servers.Prometheus(t, servers.PrometheusOptions{Scrape: []string{target.URL}})
	slack := slacktest.Start(slacktest.Options{})
	defer slack.Close()
	p := newProcess(t, prometheus.URL, slack)

	p.seen(slack, "requests on shop")
	p.kill()
	p.start()
	p.ready() // it turns at once, over minutes that it may have seen before
	if open := p.incidents(); len(open) != 1 || !open[0].Open || open[0].Rule != "page" {
		t.Errorf("after kill -9 and a restart the API knows %+v, want the one page", open)
	}
	prometheus.Stop(t)
	shop.heal()
	prometheus.Start(t)
	p.seen(slack, "Resolved")

	if all := p.incidents(); len(all) != 1 || all[0].Open {
		t.Errorf("at the end the API knows %+v, want the one page, resolved", all)
	}
	if roots := slack.State().Roots(channel); len(roots) != 1 {
		t.Errorf("%d messages in the channel, want one\n%s", len(roots), slack.State())
	}
	p.stop()
}

// code asks for a page and returns the status of the answer.
func (p *process) code(path string) int {
	p.t.Helper()
	resp, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// stop is the stop of an init system: SIGTERM, and a good exit soon.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	timer := time.AfterFunc(atOnce, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the program ended with %v\n%s", err, p.printed())
	}
}

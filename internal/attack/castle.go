package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// camp is where the attack is led from: the daemon that is attacked, and those of our own.
type camp struct {
	binary string
	target *target // nil attacks the bank in its place

	mu      sync.Mutex
	castles map[string]func() (*castle, error)
}

// castle is a daemon of our own, with everything around it.
type castle struct {
	*target
	dir    string
	binary string
	cmd    *exec.Cmd
	ended  chan struct{}
	log    lines
	slack  *slacktest.Server
	sink   *sink
	lure   *sink  // what others name as an address; nobody may ask there
	lured  string // its address
	stop   []func()
}

// lines is a text that is written and read at the same time.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns what was written so far.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// at returns the daemon that is attacked without harm: the one that runs, or the bank.
func (c *camp) at(ctx context.Context) (*target, error) {
	if c.target != nil {
		return c.target, nil
	}
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return nil, err
	}
	return own.target, nil
}

// castle returns a daemon of our own by its name, started when it is first asked for.
func (c *camp) castle(ctx context.Context, name string) (*castle, error) {
	if c.binary == "" {
		return nil, skip("needs a daemon of its own: give -binary")
	}
	c.mu.Lock()
	started := c.castles[name]
	if started == nil {
		if c.castles == nil {
			c.castles = map[string]func() (*castle, error){}
		}
		started = sync.OnceValues(func() (*castle, error) { return build(context.WithoutCancel(ctx), c.binary, plans[name]) })
		c.castles[name] = started
	}
	c.mu.Unlock()
	return started()
}

// muster starts all daemons of our own, since some take a while until they have read enough.
func (c *camp) muster(ctx context.Context) {
	for name := range plans {
		go func() { _, _ = c.castle(ctx, name) }()
	}
}

// started returns the daemons of our own that were started, by their names.
func (c *camp) started() map[string]*castle {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]*castle{}
	for name, started := range c.castles {
		if own, _ := started(); own != nil {
			all[name] = own
		}
	}
	return all
}

// leave ends the daemons of our own.
func (c *camp) leave() {
	for _, own := range c.started() {
		own.tearDown()
	}
}

// showLogs writes what the daemons of our own have logged.
func (c *camp) showLogs(out io.Writer) {
	for name, own := range c.started() {
		fmt.Fprintf(out, "== %s\n%s", name, own.log.String())
	}
}

// plan says how a daemon of our own is made: its files, more flags, and what stands around it.
type plan struct {
	files      map[string]string // with PROMETHEUS, SLACK, SINK and LURE in place of addresses
	flags      []string
	prometheus func() http.Handler // nil is the hostile shop
	prepare    func(dir string) error
}

// build writes the files of a daemon, starts what it talks to, and starts it.
func build(ctx context.Context, binary string, p plan) (*castle, error) {
	dir, err := os.MkdirTemp("", "slowburn-attack-")
	if err != nil {
		return nil, err
	}
	own := &castle{dir: dir, binary: binary, sink: &sink{}, lure: &sink{}, target: &target{}}
	own.stop = append(own.stop, func() { _ = os.RemoveAll(dir) })
	if p.prometheus == nil {
		p.prometheus = hostileShop
	}
	prom, hooks, lure := httptest.NewServer(p.prometheus()), httptest.NewServer(own.sink), httptest.NewServer(own.lure)
	own.lured = lure.URL
	own.slack = slacktest.Start(slacktest.Options{TeamID: teamID, AppID: appID, Token: botToken, SigningSecret: signingSecret, Unpaced: true, SignedAt: time.Now, AckWithin: 20 * time.Second})
	own.stop = append(own.stop, prom.Close, hooks.Close, lure.Close, own.slack.Close)
	fill := strings.NewReplacer("$PROMETHEUS", prom.URL, "$SLACK", own.slack.APIURL(), "$SINK", hooks.URL, "$LURE", lure.URL)
	for name, text := range p.files {
		if err := own.write(name, fill.Replace(text)); err != nil {
			return own, err
		}
	}
	if p.prepare != nil {
		if err := p.prepare(dir); err != nil {
			return own, err
		}
	}
	return own, own.start(ctx, p.flags...)
}

// write writes a file of the castle.
func (own *castle) write(name, text string) error {
	path := filepath.Join(own.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// running is the line by which the daemon says where it is.
var running = regexp.MustCompile(`msg="slowburn is running" address=(\S+)`)

// start starts the daemon and waits until it has made its first tick.
func (own *castle) start(ctx context.Context, flags ...string) error {
	own.cmd = own.command(context.Background(), append([]string{"serve", "--web.listen-address=127.0.0.1:0"}, flags...)...)
	own.cmd.Stdout, own.cmd.Stderr = &own.log, &own.log
	from := len(own.log.String())
	if err := own.cmd.Start(); err != nil {
		return err
	}
	own.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { _ = cmd.Wait(); close(ended) }(own.cmd, own.ended)
	return eventually(ctx, func() error {
		m := running.FindStringSubmatch(own.log.String()[from:])
		if m == nil {
			return own.alive("the daemon does not start")
		}
		own.url, _ = url.Parse(m[1])
		if a, err := own.send(ctx, http.MethodGet, "/-/ready", ""); err != nil || a.status != http.StatusOK {
			return own.alive("the daemon does not get ready")
		}
		return nil
	})
}

// alive returns why the daemon has ended, which is final, or else an error with the words.
func (own *castle) alive(words string) error {
	select {
	case <-own.ended:
		text := own.log.String()
		return final{fmt.Errorf("the daemon has ended: …%s", text[max(0, len(text)-600):])}
	default:
		return errors.New(words)
	}
}

// final is an error after which waiting is of no use.
type final struct{ error }

// eventually tries until it works, or for half a minute.
func eventually(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := try()
		var never final
		if err == nil || errors.As(err, &never) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// command prepares the program in the castle's folder, with nothing of our own environment.
func (own *castle) command(ctx context.Context, args ...string) *exec.Cmd {
	binary, err := filepath.Abs(own.binary)
	if err != nil {
		binary = own.binary
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = own.dir
	cmd.Env = []string{"HOME=" + own.dir, "PATH=/usr/bin:/bin", "GOMEMLIMIT=512MiB"}
	return cmd
}

// cli runs the program with these arguments and returns what it prints and its exit code, as it
// must within ten seconds.
func (own *castle) cli(ctx context.Context, env []string, args ...string) (out string, code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := own.command(ctx, args...)
	cmd.Env = append(cmd.Env, env...)
	if own.url != nil {
		cmd.Env = append(cmd.Env, "SLOWBURN_URL="+own.url.String())
	}
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return string(text), -1, errors.New("the command does not end")
	case errors.As(err, &exit):
		return string(text), exit.ExitCode(), nil
	}
	return string(text), 0, err
}

// halt ends the daemon, which must end well.
func (own *castle) halt() error {
	_ = own.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-own.ended:
	case <-time.After(15 * time.Second):
		_ = own.cmd.Process.Kill()
		<-own.ended
		return errors.New("the daemon does not stop")
	}
	return nil
}

// tearDown ends the daemon and removes what it left.
func (own *castle) tearDown() {
	if own.ended != nil {
		_ = own.cmd.Process.Kill()
		<-own.ended
	}
	for n := len(own.stop) - 1; n >= 0; n-- {
		own.stop[n]()
	}
}

// do posts a value with a token, and returns the answer.
func (own *castle) do(ctx context.Context, token, path string, value map[string]any, headers ...string) (answer, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return answer{}, err
	}
	return own.send(ctx, http.MethodPost, path, string(body), append(headers, "X-Slowburn-Token: "+token)...)
}

// sink takes what a webhook is sent.
type sink struct {
	mu   sync.Mutex
	seen []received
}

// received is one request of a webhook.
type received struct {
	method string
	header http.Header
	body   string
}

// ServeHTTP keeps a request.
func (s *sink) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, received{r.Method, r.Header.Clone(), string(text)})
}

// all returns what came so far.
func (s *sink) all() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.seen...)
}

package store

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// pairs is how many pairs of processes take over side by side in each kind of end: they wait most
// of the time.
const pairs = 10

// A page is decided right before its leader is killed, or cut off from everything: the other
// process sends it, once. How long people wait for it is measured, with the times that a daemon
// has. From fifty lives on the leader is also cut off, and killed in the midst of sending, when
// nobody can know whether it has sent: then the next one waits until that is over, and looks. From
// a thousand on, on a machine that has nothing else to do, it must not be longer than what is
// promised.
func TestAPageOutlivesItsLeader(t *testing.T) {
	rounds := 1 + *lives/50
	var all sync.WaitGroup
	for _, c := range []struct {
		name    string
		at      string // what its leader has come to
		cut     bool
		atMost  time.Duration // what is promised
		howMany int
	}{
		{"killed when it is decided", "decided", false, 15 * time.Second, rounds},
		{"killed when it is begun", "begun", false, 15 * time.Second, rounds - 1},
		{"cut off when it is decided", "decided", true, 60 * time.Second, rounds - 1},
		{"cut off when it is begun", "begun", true, 60 * time.Second, rounds - 1},
	} {
		if c.howMany == 0 {
			continue
		}
		server := pgtest.Start(t)
		all.Go(func() { // not t.Parallel, which allows no more than there are cores
			t.Run(c.name, func(t *testing.T) {
				took := outlive(t, server, c.howMany, c.at, c.cut)
				if t.Failed() {
					return
				}
				t.Logf("from decision to message in %d: median %s, worst %s", len(took), took[len(took)/2].Round(10*time.Millisecond), took[len(took)-1].Round(10*time.Millisecond))
				if *lives >= 1000 && took[len(took)-1] > c.atMost {
					t.Errorf("%s are promised", c.atMost)
				}
			})
		})
	}
	all.Wait()
}

// outlive lets pairs of processes take over from each other until it has happened so often, and
// returns the times from decision to message, the shortest first.
func outlive(t *testing.T, server *pgtest.Server, howMany int, at string, cut bool) (took []time.Duration) {
	var mu sync.Mutex
	var all sync.WaitGroup
	var next atomic.Int64
	for n := range min(pairs, howMany) {
		all.Go(func() {
			t.Run(strconv.Itoa(n), func(t *testing.T) {
				for p := newPair(t, server); int(next.Add(1)) <= howMany; {
					d := p.round(at, cut)
					mu.Lock()
					took = append(took, d)
					mu.Unlock()
				}
			})
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

// pair is two processes that page, and the world around them.
type pair struct {
	t      *testing.T
	server *pgtest.Server
	schema string
	world  *httptest.Server
	pagers []*pager
	all    sync.WaitGroup

	mu      sync.Mutex
	owed    string // the key of the page that is to be decided
	at      string // at which point its leader ends
	cut     bool   // it is cut off, not killed
	ended   *pager
	decided time.Time
	sent    map[string][]time.Time
	arrived chan struct{}
}

type pager struct {
	proxy *pgtest.Proxy
	cmd   *exec.Cmd
	off   bool // from everything
}

func newPair(t *testing.T, server *pgtest.Server) *pair {
	p := &pair{t: t, server: server, sent: map[string][]time.Time{}, arrived: make(chan struct{}, 100)}
	address := server.Make(t)
	openAt(t, address, Options{}, usualTimes).Close()
	_, p.schema, _ = strings.Cut(address, "search_path=")
	p.world = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.world.Close)
	for n := range 2 {
		p.pagers = append(p.pagers, &pager{proxy: server.NewProxy(t)})
		p.start(n)
	}
	t.Cleanup(func() {
		for _, m := range p.pagers {
			_ = m.cmd.Process.Kill()
			_ = m.cmd.Wait()
		}
		p.all.Wait()
	})
	return p
}

func (p *pair) start(n int) {
	m := p.pagers[n]
	cmd := child(p.t, "pager", fmt.Sprintf("%s&search_path=%s %s %d", p.server.Through(m.proxy.Port, "postgres"), p.schema, p.world.URL, n))
	_, err := cmd.StdinPipe()
	must(p.t, err)
	must(p.t, cmd.Start())
	m.cmd = cmd
}

// round decides on a page, ends its leader, and returns after what time somebody was told.
func (p *pair) round(at string, cut bool) time.Duration {
	p.mu.Lock()
	key := fmt.Sprint("page", len(p.sent))
	p.owed, p.at, p.cut, p.ended = key, at, cut, nil
	p.mu.Unlock()
	select {
	case <-p.arrived:
	case <-time.After(5 * time.Minute):
		p.t.Fatal("nobody was told")
	}
	p.mu.Lock()
	ended, took := p.ended, p.sent[key][0].Sub(p.decided)
	p.mu.Unlock()
	for n, m := range p.pagers {
		switch {
		case m != ended:
		case cut:
			p.mu.Lock()
			m.off = false
			p.mu.Unlock()
			m.proxy.Hold(false)
		default:
			_ = m.cmd.Wait()
			p.start(n)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, times := range p.sent { // what a cut-off leader still sends comes late
		if len(times) != 1 {
			p.t.Errorf("%s was sent %d times", key, len(times))
		}
	}
	return took
}

// serve is what tells pagers that there is a page to decide, hears what they have come to, and
// takes what they send.
func (p *pair) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, key := p.pagers[r.FormValue("member")[0]-'0'], r.FormValue("key")
	if m.off {
		panic(http.ErrAbortHandler)
	}
	switch r.URL.Path {
	case "/owed":
		fmt.Fprint(w, p.owed)
		return
	case "/decided", "/begun":
		if p.owed != "" && (key == p.owed || r.URL.Path == "/begun") {
			p.owed, p.decided = "", time.Now()
		}
		if r.URL.Path != "/"+p.at || p.ended != nil {
			return
		}
		p.ended = m
		if p.cut {
			m.off = true
			m.proxy.Hold(true)
		} else {
			_ = m.cmd.Process.Kill()
		}
		panic(http.ErrAbortHandler)
	case "/channel":
		switch {
		case r.Method == http.MethodPost:
			if p.sent[key] = append(p.sent[key], time.Now()); len(p.sent[key]) == 1 {
				p.arrived <- struct{}{}
			}
		case len(p.sent[key]) == 0:
			http.NotFound(w, r)
		}
	}
}

// runPager is one of the two: it leads whenever it can, decides what is to be decided, and has a
// pump as the daemon does.
func runPager(args string) error {
	words := strings.Fields(args)
	ctx, stop := context.WithCancel(background)
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until whoever started it is gone
		stop()
	}()
	w := way{world: words[1], member: words[2]}
	db, err := openPostgres(ctx, words[0], Options{Fault: func(op string) error {
		if op == "begin.done" {
			_, _ = w.ask(ctx, http.MethodPost, "/begun", "")
		}
		return nil
	}}, usualTimes)
	if err != nil {
		return err
	}
	defer db.Close()
	for n := 0; ctx.Err() == nil; n++ {
		term, err := db.Lead(ctx, nil)
		if err != nil {
			return nil
		}
		leads, over := context.WithCancel(ctx)
		p := outbox.NewPump(db, map[string]outbox.Receiver{"l": w}, outbox.Options{Attempt: 5 * time.Second, Lease: term.Until})
		var all sync.WaitGroup
		all.Go(func() { _ = p.Run(leads) })
		for !term.isLost() && pause(leads, 100*time.Millisecond) {
			key, err := w.ask(leads, http.MethodGet, "/owed", "")
			if err != nil || key == "" {
				continue
			}
			e := outbox.Entry{Key: key, Receiver: "l", Lane: outbox.LanePage, Channel: "#c", Thread: key, Op: outbox.Post, Created: time.Now(), Body: []byte("{}")}
			if db.Commit(leads, Tick{At: time.Now(), Owed: []outbox.Entry{e}}) == nil {
				_, _ = w.ask(leads, http.MethodPost, "/decided", key)
				p.Kick()
			}
		}
		over()
		all.Wait()
	}
	return nil
}

// way is how a pager reaches the world; it is the receiver of its pump.
type way struct{ world, member string }

func (w way) ask(ctx context.Context, method, path, key string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, w.world+path+"?key="+key+"&member="+w.member, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s", resp.Status)
	}
	var text string
	_, _ = fmt.Fscan(resp.Body, &text)
	return text, nil
}

// Deliver implements outbox.Receiver.
func (w way) Deliver(ctx context.Context, o outbox.Owed, _ outbox.Receipt) (outbox.Receipt, error) {
	if _, err := w.ask(ctx, http.MethodPost, "/channel", o.Key); err != nil {
		return outbox.Receipt{}, &outbox.Failure{Class: outbox.Ambiguous, Reason: "no answer"}
	}
	return outbox.Receipt{Channel: o.Channel, TS: o.Key}, nil
}

// Find implements outbox.Receiver.
func (w way) Find(ctx context.Context, owed []outbox.Owed, _ outbox.Receipt, _ time.Duration) (map[string][]outbox.Receipt, error) {
	found := map[string][]outbox.Receipt{}
	for _, o := range owed {
		_, err := w.ask(ctx, http.MethodGet, "/channel", o.Key)
		switch {
		case err == nil:
			found[o.Key] = []outbox.Receipt{{Channel: o.Channel, TS: o.Key}}
		case !strings.HasPrefix(err.Error(), "404"):
			return nil, &outbox.Failure{Class: outbox.Retry, Reason: "no answer"}
		}
	}
	return found, nil
}

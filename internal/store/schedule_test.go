package store

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

var lives = flag.Int("lives", 1, "random schedules of faults over processes that share a PostgreSQL")

// Three processes share a PostgreSQL. They are killed, stopped, cut off and reset at random, and so
// is the server. Whoever leads writes and sends, as the engine and the pump do.
func TestRandomFaultsOverThreeProcesses(t *testing.T) {
	server := pgtest.Start(t)
	var terms, writes, sends int
	for seed := range uint64(*lives) {
		s := newSchedule(t, server, seed)
		s.run()
		n := s.judge()
		terms, writes, sends = terms+n[0], writes+n[1], sends+n[2]
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d schedules: %d terms, %d writes, %d messages", *lives, terms, writes, sends)
}

// schedule is one life of three processes.
type schedule struct {
	t       *testing.T
	rng     *rand.Rand
	server  *pgtest.Server
	address string
	members []*member
	channel *channel

	mu    sync.Mutex
	acked []string // writes that a member knows to be kept
}

// member is a process, and its way to the server.
type member struct {
	proxy *pgtest.Proxy
	cmd   *exec.Cmd
	in    io.Closer
	read  sync.WaitGroup
}

// channel is where messages are sent to. It is asked for those of which nobody knows.
type channel struct {
	*httptest.Server
	mu   sync.Mutex
	sent map[string]int
}

func newChannel() *channel {
	c := &channel{sent: map[string]int{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		key := r.FormValue("key")
		if r.Method == http.MethodPost {
			c.sent[key]++
		} else if c.sent[key] == 0 {
			http.NotFound(w, r)
		}
	}))
	return c
}

func newSchedule(t *testing.T, server *pgtest.Server, seed uint64) *schedule {
	s := &schedule{t: t, rng: rand.New(rand.NewPCG(seed, 11)), server: server, address: server.Make(t), channel: newChannel()}
	openAt(t, s.address, Options{}, quick).Close()
	for range 3 {
		m := &member{proxy: server.NewProxy(t)}
		s.members = append(s.members, m)
		s.start(m)
	}
	return s
}

func (s *schedule) start(m *member) {
	s.t.Helper()
	_, schema, _ := strings.Cut(s.address, "search_path=")
	m.cmd = child(s.t, "member", s.server.Through(m.proxy.Port, "postgres")+"&search_path="+schema+" "+s.channel.URL)
	in, err := m.cmd.StdinPipe()
	must(s.t, err)
	out, err := m.cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, m.cmd.Start())
	m.in = in
	m.read.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.mu.Lock()
			s.acked = append(s.acked, lines.Text())
			s.mu.Unlock()
		}
	})
}

func (s *schedule) end(m *member) {
	_ = m.cmd.Process.Kill()
	m.read.Wait()
	_ = m.cmd.Wait()
}

func (s *schedule) between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.rng.Int64N(int64(high-low)))
}

// run lets faults happen, mends them all, and waits until a member has written again.
func (s *schedule) run() {
	var faults sync.WaitGroup
	for range 8 {
		m, d := s.members[s.rng.IntN(len(s.members))], s.between(100*time.Millisecond, 2*quick.idle)
		switch what := s.rng.IntN(10); what {
		case 0, 1:
			s.end(m)
			s.start(m)
		case 2, 3, 4: // the process stands still, or the machine
			_ = m.cmd.Process.Signal(syscall.SIGSTOP)
			cmd := m.cmd
			faults.Go(func() { pause(background, d); _ = cmd.Process.Signal(syscall.SIGCONT) })
		case 5, 6, 7:
			m.proxy.Hold(true)
			faults.Go(func() { pause(background, d); m.proxy.Hold(false) })
		case 8:
			m.proxy.Reset()
		case 9:
			s.server.Kill()
			must(s.t, s.server.Start())
		}
		pause(background, s.between(50*time.Millisecond, quick.idle)) // until the next fault
	}
	faults.Wait()
	s.mu.Lock()
	before := len(s.acked)
	s.mu.Unlock()
	for deadline := time.Now().Add(time.Minute); ; pause(background, quick.poll) {
		s.mu.Lock()
		n := len(s.acked)
		s.mu.Unlock()
		if n > before+5 {
			break
		}
		if time.Now().After(deadline) {
			s.t.Fatal("nobody leads")
		}
	}
	for _, m := range s.members { // they finish what they are sending
		m.in.Close()
		m.read.Wait()
		_ = m.cmd.Wait()
	}
}

// judge compares what was kept and sent with what a single process would have done.
func (s *schedule) judge() (counts [3]int) {
	s.channel.Close()
	db := openAt(s.t, s.address, Options{ReadOnly: true}, quick)
	defer db.Close()
	kept := map[string]bool{}
	var last, n int
	acts := got(db.Acts(background, ActFilter{Limit: 1_000_000}))(s.t)
	for i := range acts { // in the order in which they were told
		a := acts[len(acts)-1-i]
		kept[a.Key] = true
		var term, number int
		_, err := fmt.Sscanf(a.Key, "%d/%d/", &term, &number)
		must(s.t, err)
		if term < last || number != n {
			s.t.Errorf("%s follows %d/%d: a deposed leader wrote, or did not see what was written", a.Key, last, n-1)
		}
		if term > last {
			counts[0]++
		}
		last, n = term, number+1
	}
	for _, key := range s.acked {
		if !kept[key] {
			s.t.Errorf("%s is lost", key)
		}
	}
	state := got(db.Load(background))(s.t).Accounts["shop/pay"]
	if int(state.State.Through-minute(0)) != n {
		s.t.Errorf("the state has come to %d, want %d", state.State.Through-minute(0), n)
	}
	for i := range n {
		if state.Ledger.At(minute(i)) != tickAt(i, "shop/pay").Turns[0].Slots[0].Slot {
			s.t.Errorf("minute %d is not in the ledger", i)
		}
	}
	for _, o := range got(db.Outbox(background, OutboxFilter{Limit: 1_000_000}))(s.t) {
		times := s.channel.sent[o.Key]
		if times > 1 || o.State == outbox.Sent && times == 0 {
			s.t.Errorf("%s is %s and was sent %d times", o.Key, o.State, times)
		}
		counts[2] += times
	}
	counts[1] = n
	return counts
}

// runMember is a member: it leads whenever it can, until its standard input ends.
func runMember(args string) error {
	address, channel, _ := strings.Cut(args, " ")
	ctx, stop := context.WithCancel(background)
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		stop()
	}()
	var db *DB
	for db == nil {
		var err error
		if db, err = openPostgres(ctx, address, Options{}, quick); err != nil && !pause(ctx, quick.poll) {
			return nil
		}
	}
	defer db.Close()
	for {
		term, err := db.Lead(ctx, nil)
		if err != nil {
			return nil
		}
		l := leader{db: db, term: term, channel: channel}
		if l.begin(ctx) {
			l.work(ctx)
		}
		term.Resign()
	}
}

// leader writes and sends during one term.
type leader struct {
	db      *DB
	term    *Term
	channel string
	n       int // of the next write
}

// begin reads where the term before has ended.
func (l *leader) begin(ctx context.Context) bool {
	acts, err := l.db.Acts(ctx, ActFilter{Limit: 1})
	if err != nil || len(acts) == 0 {
		return err == nil
	}
	n, err := strconv.Atoi(strings.Split(acts[0].Key, "/")[1])
	l.n = n + 1
	return err == nil
}

func (l *leader) work(ctx context.Context) {
	for ctx.Err() == nil && !l.term.isLost() {
		tick := tickAt(l.n, "shop/pay")
		tick.Acts = []alerting.Act{{Key: fmt.Sprintf("%d/%d/%s", l.term.Number, l.n, l.term.Holder), Kind: alerting.Changed}}
		err := l.db.Commit(ctx, tick)
		switch {
		case err == nil:
			fmt.Println(tick.Acts[0].Key)
			l.n++
			if l.n%7 == 0 {
				_ = l.db.Fold(ctx, nil)
			}
			l.deliver(ctx)
			pause(ctx, quick.beat/20)
		case errors.Is(err, ErrDeposed):
			return
		default: // as the engine does: the same tick once more
			pause(ctx, quick.poll)
		}
	}
}

// deliver sends what is owed. What was begun and not settled is looked up, but not before an attempt
// of somebody else has ended.
func (l *leader) deliver(ctx context.Context) {
	due, err := l.db.Due(ctx, 0)
	if err != nil {
		return
	}
	for _, o := range due {
		if !o.Begun.IsZero() && time.Since(o.Begun) < 2*quick.lease {
			continue
		}
		found := http.StatusNotFound
		if !o.Begun.IsZero() {
			found = l.ask(ctx, http.MethodGet, o.Key)
		}
		if found == http.StatusNotFound {
			own, err := l.db.Begin(ctx, []outbox.Claim{{Key: o.Key, Begun: o.Begun, Attempts: o.Attempts}}, time.Now())
			if err != nil || len(own) == 0 {
				return
			}
			o = own[0]
			found = l.ask(ctx, http.MethodPost, o.Key)
		}
		if found != http.StatusOK {
			return
		}
		if l.db.Settle(ctx, o.Key, outbox.Result{State: outbox.Sent, At: time.Now(), Begun: o.Begun, Attempts: o.Attempts}) != nil {
			return
		}
	}
}

// ask sends a message, or looks for it, while the lease lasts; 0 is no answer.
func (l *leader) ask(ctx context.Context, method, key string) (status int) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), l.term.Until())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, l.channel+"/?key="+key, nil)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

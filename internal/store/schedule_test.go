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
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

var lives = flag.Int("lives", 0, "random schedules of faults over processes that share a PostgreSQL")

// lanes is how many schedules go on side by side, each with a server of its own: they wait most of
// the time. More of them leave members too little of a core to keep a lease of [quick].
var lanes = 4 * runtime.GOMAXPROCS(0)

// Two or three processes share a PostgreSQL. They are killed, stopped and reset at random, cut off
// from the server, from where messages go and from what tells them what to decide, and their clocks
// are wrong; the server is killed, and refuses what is written. Whoever leads writes and sends, as
// the engine and the pump do.
func TestRandomFaultsOverProcesses(t *testing.T) {
	if *lives == 0 {
		t.Skip("half a minute of real waits: `make lives` and CI live it")
	}
	var all [3]int
	var mu sync.Mutex
	var wait sync.WaitGroup
	var next atomic.Int64
	for range min(lanes, *lives) {
		server := pgtest.Start(t)
		wait.Go(func() { // not t.Parallel, which allows no more than there are cores
			for seed := int(next.Add(1)) - 1; seed < *lives && !t.Failed(); seed = int(next.Add(1)) - 1 {
				t.Run(strconv.Itoa(seed), func(t *testing.T) {
					s := newSchedule(t, server, uint64(seed))
					s.run()
					n := s.judge()
					mu.Lock()
					defer mu.Unlock()
					for i := range all {
						all[i] += n[i]
					}
				})
			}
		})
	}
	wait.Wait()
	t.Logf("%d schedules: %d terms, %d writes, %d messages", *lives, all[0], all[1], all[2])
}

// schedule is one life of two or three processes.
type schedule struct {
	t       *testing.T
	rng     *rand.Rand
	server  *pgtest.Server
	address string
	members []*member
	world   *world

	mu    sync.Mutex
	acked []string // writes that a member knows to be kept
}

// member is a process, and its way to the server.
type member struct {
	name  string
	proxy *pgtest.Proxy
	cmd   *exec.Cmd
	in    io.Closer
	read  sync.WaitGroup
}

// world is where messages are sent to, and asked for of which nobody knows; and what tells members
// what there is to decide.
type world struct {
	*httptest.Server
	mu   sync.Mutex
	sent map[string]int
	cut  map[string]string // what happens to the requests of a member: path, then how
}

func newWorld() *world {
	w := &world{sent: map[string]int{}, cut: map[string]string{}}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key, how := r.FormValue("key"), w.cut[r.FormValue("member")+r.URL.Path]
	if how == "lost" { // it does not get here
		panic(http.ErrAbortHandler)
	}
	switch {
	case r.URL.Path != "/channel":
	case r.Method == http.MethodPost:
		w.sent[key]++
	case w.sent[key] == 0:
		http.NotFound(rw, r)
	}
	if how == "unanswered" {
		panic(http.ErrAbortHandler)
	}
}

// cutOff lets something happen to the requests of a member for a while.
func (w *world) cutOff(member, path, how string, d time.Duration) {
	w.mu.Lock()
	w.cut[member+path] = how
	w.mu.Unlock()
	pause(background, d)
	w.mu.Lock()
	delete(w.cut, member+path)
	w.mu.Unlock()
}

func newSchedule(t *testing.T, server *pgtest.Server, seed uint64) *schedule {
	s := &schedule{t: t, rng: rand.New(rand.NewPCG(seed, 11)), server: server, address: server.Make(t), world: newWorld()}
	openAt(t, s.address, Options{}, usualTimes).Close() // to migrate may take longer than the times of a schedule
	for n := range 2 + s.rng.IntN(2) {
		m := &member{name: strconv.Itoa(n), proxy: server.NewProxy(t)}
		s.members = append(s.members, m)
		s.start(m)
	}
	return s
}

func (s *schedule) start(m *member) {
	s.t.Helper()
	_, schema, _ := strings.Cut(s.address, "search_path=")
	wrong := time.Duration(s.rng.IntN(3)-1) * s.between(0, 24*time.Hour) // its clock
	m.cmd = child(s.t, "member", fmt.Sprintf("%s&search_path=%s %s %s %s", s.server.Through(m.proxy.Port, "postgres"), schema, s.world.URL, m.name, wrong))
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
		switch what := s.rng.IntN(16); what {
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
		case 10, 11:
			faults.Go(func() { s.world.cutOff(m.name, "/channel", "lost", d) })
		case 12:
			faults.Go(func() { s.world.cutOff(m.name, "/channel", "unanswered", d) })
		case 13, 14:
			faults.Go(func() { s.world.cutOff(m.name, "/prometheus", "lost", d) })
		case 15: // as on a full disk: it can be read, and not be written
			s.refuse(true)
			pause(background, d)
			s.refuse(false)
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

// refuse lets the server refuse what is written, or take it again.
func (s *schedule) refuse(on bool) {
	s.server.Exec(s.t, "postgres", fmt.Sprintf("alter system set default_transaction_read_only = %t", on))
	s.server.Exec(s.t, "postgres", "select pg_reload_conf()")
}

// judge compares what was kept and sent with what a single process would have done.
func (s *schedule) judge() (counts [3]int) {
	s.world.Close()
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
		times := s.world.sent[o.Key]
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
	words := strings.Fields(args)
	wrong, err := time.ParseDuration(words[3])
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(background)
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		stop()
	}()
	var db *DB
	for db == nil {
		var err error
		if db, err = openPostgres(ctx, words[0], Options{}, quick); err != nil && !pause(ctx, quick.poll) {
			return nil
		}
	}
	defer db.Close()
	for {
		term, err := db.Lead(ctx, nil)
		if err != nil {
			return nil
		}
		l := leader{db: db, term: term, world: words[1], name: words[2], wrong: wrong, seen: map[string]time.Time{}}
		if l.begin(ctx) {
			l.work(ctx)
		}
		term.Resign()
	}
}

// leader writes and sends during one term.
type leader struct {
	db    *DB
	term  *Term
	world string
	name  string
	wrong time.Duration        // how far its clock is ahead
	seen  map[string]time.Time // when it saw that something was begun, by its own clock
	n     int                  // of the next write
}

// now is the time as this member has it.
func (l *leader) now() time.Time { return time.Now().Add(l.wrong) }

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
		if l.ask(ctx, http.MethodGet, "/prometheus", "") != http.StatusOK { // there is nothing to decide
			l.deliver(ctx)
			pause(ctx, quick.beat/8)
			continue
		}
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
			pause(ctx, quick.beat/8)
		case errors.Is(err, ErrDeposed):
			return
		default: // as the engine does: the same tick once more
			pause(ctx, quick.poll)
		}
	}
}

// deliver sends what is owed. What was begun and not settled is looked up, but not before an
// attempt of somebody else has ended.
func (l *leader) deliver(ctx context.Context) {
	due, err := l.db.Due(ctx, 0)
	if err != nil {
		return
	}
	for _, o := range due {
		if l.mayBeUnderWay(o) {
			continue
		}
		found := http.StatusNotFound
		if !o.Begun.IsZero() {
			found = l.ask(ctx, http.MethodGet, "/channel", o.Key)
		}
		if found == http.StatusNotFound {
			own, err := l.db.Begin(ctx, []outbox.Claim{{Key: o.Key, Begun: o.Begun, Attempts: o.Attempts}}, l.now())
			if err != nil || len(own) == 0 {
				return
			}
			o = own[0]
			found = l.ask(ctx, http.MethodPost, "/channel", o.Key)
		}
		if found != http.StatusOK {
			return
		}
		if l.db.Settle(ctx, o.Key, outbox.Result{State: outbox.Sent, At: l.now(), Begun: o.Begun, Attempts: o.Attempts}) != nil {
			return
		}
	}
}

// mayBeUnderWay reports whether somebody may still be sending a message. The clock of whoever began
// it is not believed: it counts from when this member has seen it.
func (l *leader) mayBeUnderWay(o outbox.Owed) bool {
	if o.Begun.IsZero() {
		return false
	}
	attempt := fmt.Sprint(o.Key, " ", o.Begun.UnixNano(), " ", o.Attempts)
	if l.seen[attempt].IsZero() {
		l.seen[attempt] = time.Now()
	}
	return time.Since(l.seen[attempt]) < 2*quick.lease
}

// ask sends a message, looks for it, or asks what is to be decided, while the lease lasts; 0 is no
// answer.
func (l *leader) ask(ctx context.Context, method, path, key string) (status int) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), l.term.Until())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, l.world+path+"?key="+key+"&member="+l.name, nil)
	if err != nil {
		return 0
	}
	if path == "/channel" { // a connection that breaks must not make the client repeat it by itself
		r.Close = true
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

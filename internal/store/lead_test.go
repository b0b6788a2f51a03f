package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// quick are the times of leadership, ten times shorter. Tests wait for what happens, never for a
// time, so a slow machine makes them slow and not wrong.
var quick = times{
	beat: 200 * time.Millisecond, lease: 600 * time.Millisecond, idle: time.Second,
	inTx: 500 * time.Millisecond, poll: 50 * time.Millisecond, wait: 2 * time.Second,
}

// leading opens a member and waits until it leads.
func leading(t testing.TB, address string, opts Options, times times) (*DB, *Term) {
	t.Helper()
	db := openAt(t, address, opts, times)
	return db, takeOver(t, db)
}

// takeOver waits until a member leads. No fault may keep it from that for long.
func takeOver(t testing.TB, db *DB) *Term {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	var newest atomic.Pointer[error]
	term, err := db.Lead(ctx, func(err error) { newest.Store(&err) })
	if err != nil {
		if e := newest.Load(); e != nil && *e != nil {
			err = *e
		}
		t.Fatalf("nobody took over: %v", err)
	}
	return term
}

// isPassive fails if a member can write anything at all.
func isPassive(t testing.TB, db *DB, want error) {
	t.Helper()
	key := entryAt("shop/pay", 0).Key
	_, begun := db.Begin(background, []outbox.Claim{{Key: key}}, at(1))
	for what, err := range map[string]error{
		"commit": db.Commit(background, tickAt(7, "shop/pay")),
		"begin":  begun,
		"settle": db.Settle(background, key, outbox.Result{State: outbox.Sent, At: at(1)}),
		"fold":   db.Fold(background, nil),
		"prune":  db.Prune(background, at(100)),
		"drop":   db.DropDays(background, at(100)),
		"forget": db.Forget(background, "shop/pay"),
	} {
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
}

func TestAStandbyWritesNothingButRequests(t *testing.T) {
	address := pgtest.Database(t)
	leader := mustLead(t, address)
	standby := openAt(t, address, Options{}, quick)
	must(t, leader.Commit(background, tickAt(0, "shop/pay")))
	before := pictureOf(t, standby)
	isPassive(t, standby, ErrStandby)
	same(t, "store", pictureOf(t, standby), before)

	heard := make(chan struct{}, 100)
	ctx, stop := context.WithCancel(background)
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		leader.Listen(ctx, func() { heard <- struct{}{} })
	}()
	<-heard // it listens now
	must(t, standby.Ask(background, Request{Key: "1", Kind: "act", At: at(1), Data: []byte(`{}`)}))
	<-heard
	same(t, "requests", len(got(leader.Requests(background))(t)), 1)
	must(t, leader.Commit(background, Tick{Verdicts: []Verdict{{Key: "1", At: at(2), Data: []byte(`{}`)}}}))
	<-heard
	if _, ok := got2(standby.Verdict(background, "1"))(t); !ok {
		t.Error("no verdict")
	}
	stop()
	<-listened
}

func TestOneLeadsAndTheNextTakesOverWhenItResignsOrDies(t *testing.T) {
	address := pgtest.Database(t)
	a, first := leading(t, address, Options{}, quick)
	b := openAt(t, address, Options{}, quick)
	waiting := make(chan *Term)
	go func() { waiting <- takeOver(t, b) }()
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	select {
	case <-waiting:
		t.Fatal("two lead")
	default:
	}
	must(t, a.Close())
	second := <-waiting
	if second.Number != first.Number+1 || second.Holder == first.Holder || !first.isLost() {
		t.Errorf("term %d after %d", second.Number, first.Number)
	}
	must(t, b.Commit(background, tickAt(1, "shop/pay")))
	same(t, "ticks", int(got(b.Load(background))(t).Accounts["shop/pay"].State.Through-minute(0)), 2)
}

// leadingThroughProxy opens a store that leads, and has written a tick, by a proxy that can cut it
// off. Others reach it by the address.
func leadingThroughProxy(t *testing.T) (address string, proxy *pgtest.Proxy, a *DB, term *Term) {
	t.Helper()
	server := pgtest.Shared(t)
	address, proxy = server.Make(t), server.NewProxy(t)
	schema := address[len(server.Address("postgres"))+len(" search_path="):]
	a, term = leading(t, server.Through(proxy.Port, "postgres")+"&search_path="+schema, Options{}, quick)
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	return address, proxy, a, term
}

// A process that is stopped answers no beat, but its kernel goes on answering the server's
// keepalives: only the session's idle time finds it.
func TestAPartitionEndsTheTermOnBothSides(t *testing.T) {
	address, proxy, a, first := leadingThroughProxy(t)
	proxy.Hold(true)
	until := first.Until()
	b := openAt(t, address, Options{}, quick)
	second := takeOver(t, b)
	now := time.Now()
	if !first.Until().Before(now) {
		t.Errorf("both may send: the first until %s, now %s, until %s when it was cut off", first.Until(), now, until)
	}
	must(t, b.Commit(background, tickAt(1, "shop/pay")))
	before := pictureOf(t, b)
	proxy.Hold(false)
	<-first.Lost()
	isPassive(t, a, ErrDeposed)
	same(t, "store", pictureOf(t, b), before)
	if second.isLost() {
		t.Error("the second term is lost")
	}
}

// The server counts from when it heard a sign of life, so the lease counts from before that was
// given, however late the answer comes.
func TestALeaseCountsFromBeforeItsSignOfLife(t *testing.T) {
	server := pgtest.Shared(t)
	address := server.Make(t)
	slow := patient
	slow.beat = time.Second
	_, schema, _ := strings.Cut(address, "search_path=")
	_, term := leading(t, address, Options{}, slow)
	for range 20 { // on a busy machine the next sign of life may have been given before this looks
		release := server.Lock(t, schema+".leader")
		for !server.Waits(t, "select%leader%") {
			pause(background, 10*time.Millisecond)
		}
		given, before := time.Now(), term.Until()
		pause(background, 100*time.Millisecond) // for which the answer is held up
		release()
		released := time.Now()
		for term.Until().Equal(before) {
			pause(background, time.Millisecond)
		}
		until := term.Until()
		if time.Since(released) >= slow.beat {
			continue
		}
		if most := given.Add(slow.lease); until.After(most) {
			t.Errorf("the lease ends %s too late", until.Sub(most))
		}
		return
	}
	t.Error("the machine is too busy to see a sign of life")
}

// pausing stops a member at the named step until it is released.
type pausing struct {
	at       string
	armed    atomic.Bool
	reached  chan struct{}
	released chan struct{}
}

func newPausing(at string) *pausing {
	return &pausing{at: at, reached: make(chan struct{}), released: make(chan struct{})}
}

func (p *pausing) fault(op string) error {
	if op == p.at && p.armed.CompareAndSwap(true, false) {
		close(p.reached)
		<-p.released
	}
	return nil
}

// patient are times in which nothing ends by itself: neither side notices anything but by the term.
var patient = times{
	beat: time.Minute, lease: 3 * time.Minute, idle: 5 * time.Minute,
	inTx: time.Minute, poll: 20 * time.Millisecond, wait: time.Minute,
}

// leadingDeaf opens a member and waits until it leads. What the server says to the session of its
// lock it does not hear, as if the process stood still; what it asks over others is answered.
func leadingDeaf(t *testing.T, address string, opts Options, times times) *DB {
	t.Helper()
	db := openAt(t, address, opts, times)
	s, hears := db.backend.(*server), make(chan struct{})
	dial, deaf := s.cfg.DialFunc, new(atomic.Bool)
	s.cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		return &deafConn{Conn: c, deaf: deaf, hears: hears}, err
	}
	takeOver(t, db)
	s.cfg.DialFunc = dial
	deaf.Store(true)
	t.Cleanup(func() { close(hears) })
	return db
}

// deafConn keeps what has come in while it is deaf.
type deafConn struct {
	net.Conn
	deaf  *atomic.Bool
	hears chan struct{}
}

func (c *deafConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.deaf.Load() {
		<-c.hears
	}
	return n, err
}

// The steps at which a leader is stopped: before its transaction, and within it.
var (
	before = []string{"commit.begin", "begin.begin", "settle.begin", "fold.begin", "prune.begin"}
	within = []string{"commit.journal", "commit.commit", "begin.commit", "settle.commit", "fold.days", "fold.commit"}
)

func TestADeposedLeaderWritesNothing(t *testing.T) {
	for _, step := range before {
		t.Run(step, func(t *testing.T) {
			changed, err := staleWrite(t, step, sqlFence)
			if !errors.Is(err, ErrDeposed) || changed != "" {
				t.Errorf("%v; after the next term began the store changed:\n%s", err, changed)
			}
		})
	}
}

// What a leader had checked in time goes through, or not, before the next one reads.
func TestTheNextTermWaitsForAWriteThatIsUnderWay(t *testing.T) {
	for _, step := range within {
		t.Run(step, func(t *testing.T) {
			changed, err := staleWrite(t, step, sqlFence)
			if err != nil || changed != "" {
				t.Errorf("%v; after the next term began the store changed:\n%s", err, changed)
			}
		})
	}
}

// The negative control: a check that does not lock the row of the term lets a write through that
// the next leader does not know of.
func TestWithoutTheLockOfTheTermAStaleWriteIsFound(t *testing.T) {
	changed, err := staleWrite(t, "commit.commit", sqlTerm)
	if err != nil || changed == "" {
		t.Errorf("the store did not change: %v", err)
	}
}

// staleWrite lets a leader be deposed while it is stopped in a write, and go on once the next one
// leads, or waits for it. It returns how the store differs from what the next leader read when it
// began, and what became of the write.
func staleWrite(t *testing.T, step, check string) (changed string, stale error) {
	t.Helper()
	address := pgtest.Database(t)
	stop := newPausing(step)
	a := leadingDeaf(t, address, Options{Fault: stop.fault}, patient)
	a.backend.(*server).check = check
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	stop.armed.Store(true)
	written := make(chan error)
	go func() { written <- act(a, step) }()
	<-stop.reached
	depose(t, address)

	b := openAt(t, address, Options{}, patient)
	type beginning struct {
		term *Term
		read picture
	}
	began := make(chan beginning)
	go func() { term := takeOver(t, b); began <- beginning{term, pictureOf(t, b)} }()
	var next beginning
	for next.term == nil && !waits(t, address) {
		select {
		case next = <-began:
		case <-time.After(10 * time.Millisecond):
		}
	}
	close(stop.released)
	stale = <-written
	if next.term == nil {
		next = <-began
	}
	return diff(pictureOf(t, b), next.read), stale
}

// act does what the step belongs to.
func act(db *DB, step string) error {
	key := entryAt("shop/pay", 0).Key
	switch what, _, _ := strings.Cut(step, "."); what {
	case "begin":
		_, err := db.Begin(background, []outbox.Claim{{Key: key}}, at(1))
		return err
	case "settle":
		return db.Settle(background, key, outbox.Result{State: outbox.Sent, At: at(1)})
	case "fold":
		return db.Fold(background, nil)
	case "prune":
		return db.Prune(background, at(1))
	default:
		return db.Commit(background, tickAt(1, "shop/pay"))
	}
}

// depose ends the session that has the lock of leadership, as the server does with one that says
// nothing.
func depose(t testing.TB, address string) {
	t.Helper()
	run(t, address, fmt.Sprintf(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
		and classid = %d and objid::bigint = hashtext(current_schema())::bigint & 4294967295`, leadsLock))
}

// A leader whose session somebody ends, by hand or because the server stops, knows at once and not
// with its next sign of life, for which there is a minute here: another one may lead from then on.
func TestALeaderWhoseSessionIsEndedKnowsAtOnce(t *testing.T) {
	address := pgtest.Database(t)
	a, first := leading(t, address, Options{}, patient)
	depose(t, address)
	select {
	case <-first.Lost():
	case <-time.After(patient.beat / 2):
		t.Fatal("it does not know that it leads no longer")
	}
	if left := time.Until(first.Until()); left > 0 {
		t.Errorf("it may send for %s", left)
	}
	isPassive(t, a, ErrDeposed)
}

// told is a receiver that counts.
type told struct{ n atomic.Int64 }

func (r *told) Deliver(context.Context, outbox.Owed, outbox.Receipt) (outbox.Receipt, error) {
	return outbox.Receipt{TS: fmt.Sprint(r.n.Add(1))}, nil
}

func (r *told) Find(context.Context, []outbox.Owed, outbox.Receipt, time.Duration) (map[string][]outbox.Receipt, error) {
	return nil, outbox.ErrNoLookup
}

// A leader that stood still while its session was ended, and another one began, has time left of
// its lease. What it owes in memory alone, of which the other one knows nothing, it does not send;
// while nobody else leads it does.
func TestWhatOnlyADeposedLeaderOwesIsNotSent(t *testing.T) {
	address := pgtest.Database(t)
	a := leadingDeaf(t, address, Options{}, patient)
	channel := &told{}
	pump := outbox.NewPump(a, map[string]outbox.Receiver{"slack": channel}, outbox.Options{Lease: a.term.Load().Until})
	owe := func(key string, minute int, want int64) {
		t.Helper()
		pump.Owe([]outbox.Entry{{Key: key, Receiver: "slack", Lane: outbox.LanePage, Channel: "#c", Thread: key, Op: outbox.Post, Created: at(1), Body: []byte("{}")}})
		got(pump.Pass(background, at(minute)))(t)
		if n := channel.n.Load(); n != want {
			t.Errorf("%d pages were sent, want %d", n, want)
		}
	}
	owe("page/1", 2, 1)
	depose(t, address)
	leading(t, address, Options{}, patient)
	if left := time.Until(a.term.Load().Until()); left <= 0 {
		t.Fatal("it knows that it may not send")
	}
	owe("page/2", 3, 1)
}

// A server that is promoted has the row of the term, and may lack what its leader wrote since. To
// it no leader of before writes, though nobody else leads there yet and it has its lease: it must
// load first what is there.
func TestATermIsGoodForOneServer(t *testing.T) {
	primary := pgtest.Start(t, pgtest.Primary...)
	address, way, wal := primary.Make(t), primary.NewProxy(t), primary.NewProxy(t)
	_, schema, _ := strings.Cut(address, "search_path=")
	a, term := leading(t, primary.Through(way.Port, "postgres")+"&search_path="+schema, Options{}, patient)
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	replica := primary.Replica(t, wal)
	wal.Hold(true)
	must(t, a.Commit(background, tickAt(1, "shop/pay")))
	replica.Promote(t)
	way.To(replica)
	primary.Exec(t, "postgres", `select pg_terminate_backend(pid) from pg_stat_activity
		where application_name = 'slowburn' and pid not in (select pid from pg_locks where locktype = 'advisory')`)
	b := openAt(t, replica.Address("postgres")+" search_path="+schema, Options{}, patient)
	before := pictureOf(t, b)
	_ = a.Commit(background, tickAt(1, "shop/pay")) // finds that its connection was ended
	isPassive(t, a, ErrDeposed)
	same(t, "store", pictureOf(t, b), before)
	if term.isLost() {
		t.Error("it was not the server that it began on that ended its term")
	}
	next := takeOver(t, b)
	if next.Number != term.Number+1 || next.timeline == term.timeline {
		t.Errorf("term %d on %s after %d on %s", next.Number, next.timeline, term.Number, term.timeline)
	}
}

// waits reports whether a statement of the test waits for a lock of another.
func waits(t testing.TB, address string) (yes bool) {
	t.Helper()
	c := got(pgx.Connect(background, address))(t)
	defer c.Close(background)
	must(t, c.QueryRow(background, `select exists (select 1 from pg_locks where not granted and relation = 'leader'::regclass)
		or exists (select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'update leader%')`).Scan(&yes))
	return yes
}

func run(t testing.TB, address, statement string) {
	t.Helper()
	c := got(pgx.Connect(background, address))(t)
	defer c.Close(background)
	_, err := c.Exec(background, statement)
	must(t, err)
}

// A leader that is stopped in the midst of a transaction does not keep the next one waiting for
// ever: the server ends the transaction.
func TestALeaderThatIsStoppedInATransactionIsNotWaitedForLong(t *testing.T) {
	address := pgtest.Database(t)
	stop := newPausing("commit.commit")
	deaf := quick
	deaf.beat, deaf.lease = patient.beat, patient.lease
	a := leadingDeaf(t, address, Options{Fault: stop.fault}, deaf)
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	stop.armed.Store(true)
	written := make(chan error)
	go func() { written <- a.Commit(background, tickAt(1, "shop/pay")) }()
	<-stop.reached
	depose(t, address)
	b := openAt(t, address, Options{}, quick)
	takeOver(t, b)
	read := pictureOf(t, b)
	close(stop.released)
	if err := <-written; err == nil {
		t.Error("the write of the deposed leader succeeded")
	}
	same(t, "store", pictureOf(t, b), read)
}

func TestALeaderWhoseServerDiesLeadsAgainWhenItIsBack(t *testing.T) {
	server := pgtest.Start(t)
	address := server.Make(t)
	a, first := leading(t, address, Options{}, quick)
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	server.Kill()
	<-first.Lost()
	isPassive(t, a, ErrDeposed)
	must(t, server.Start())
	second := got(a.Lead(background, nil))(t)
	if second.Number != first.Number+1 {
		t.Errorf("term %d after %d", second.Number, first.Number)
	}
	must(t, a.Commit(background, tickAt(1, "shop/pay")))
	p := pictureOf(t, a)
	same(t, "slots", len(p.Ledgers["shop/pay"]), 3) // two minutes and the sum of their hour
}

// A leader that was cut off leads again when its turn comes, whoever led meanwhile.
func TestWhoeverLostTheLeadAsksForItLikeEverybody(t *testing.T) {
	address := pgtest.Database(t)
	a, first := leading(t, address, Options{}, quick)
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	depose(t, address)
	<-first.Lost()
	second := got(a.Lead(background, nil))(t)
	must(t, a.Commit(background, tickAt(1, "shop/pay")))
	depose(t, address)
	b := openAt(t, address, Options{}, quick)
	third := takeOver(t, b)
	<-second.Lost()
	isPassive(t, a, ErrDeposed)
	third.Resign()
	takeOver(t, a)
	must(t, a.Commit(background, tickAt(2, "shop/pay")))
}

// A state is written if it has changed since it was last written, by whomever.
func TestWhoLeadsAgainKnowsNothingOfBefore(t *testing.T) {
	address := pgtest.Database(t)
	a, first := leading(t, address, Options{}, quick)
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	first.Resign()
	b, second := leading(t, address, Options{}, quick)
	must(t, b.Commit(background, tickAt(10, "shop/pay"))) // another share is spent
	second.Resign()
	takeOver(t, a)
	again := tickAt(11, "shop/pay")
	again.Turns[0].State.Spent = 0
	must(t, a.Commit(background, again))
	same(t, "state", got(a.Load(background))(t).Accounts["shop/pay"].State, again.Turns[0].State)
}

// What a standby waits for is told each time: another one, or the server.
func TestWhatAStandbyWaitsForIsTold(t *testing.T) {
	server := pgtest.Start(t)
	address := server.Make(t)
	a, _ := leading(t, address, Options{}, quick)
	b := openAt(t, address, Options{}, quick)
	told := make(chan error, 1000)
	ctx, stop := context.WithCancel(background)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = b.Lead(ctx, func(err error) { told <- err })
	}()
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	if err := <-told; err != nil {
		t.Errorf("another one leads, and told was %v", err)
	}
	server.Kill()
	err := <-told
	for err == nil {
		err = <-told
	}
	if !strings.Contains(err.Error(), "slowburn tries again by itself") {
		t.Errorf("told %v", err)
	}
	must(t, server.Start())
	c := openAt(t, address, Options{}, quick) // a or b leads, and the other one is told so, or c is
	go func() { _, _ = c.Lead(ctx, func(err error) { told <- err }) }()
	for err := range told {
		if err == nil {
			break
		}
	}
	stop()
	<-over
}

// A server that is cut off tells nobody. What is read for a leader ends with its term, as what is
// written does; and from then on nothing is waited for until it stands by.
func TestReadsOfALeaderEndWithItsTerm(t *testing.T) {
	_, proxy, a, term := leadingThroughProxy(t)
	follower, _, err := a.Follow(background)
	must(t, err)
	reads := map[string]func() error{
		"incidents":  func() error { _, err := a.Incidents(background, IncidentFilter{}); return err },
		"incident":   func() error { _, _, err := a.Incident(background, "x"); return err },
		"acts":       func() error { _, err := a.Acts(background, ActFilter{}); return err },
		"evidence":   func() error { _, err := a.Evidence(background, "x"); return err },
		"reports":    func() error { _, err := a.Reports(background, "", 1); return err },
		"due":        func() error { _, err := a.Due(background, 0); return err },
		"bodies":     func() error { _, err := a.Bodies(background, []string{"x"}); return err },
		"owes":       func() error { _, err := a.Owes(background, "x"); return err },
		"root":       func() error { _, _, err := a.Root(background, "slack", "x"); return err },
		"outbox":     func() error { _, err := a.Outbox(background, OutboxFilter{}); return err },
		"depth":      func() error { _, err := a.Depth(background); return err },
		"deliveries": func() error { _, err := a.Deliveries(background); return err },
		"requests":   func() error { _, err := a.Requests(background); return err },
		"verdict":    func() error { _, _, err := a.Verdict(background, "x"); return err },
		"marks":      func() error { _, err := a.Marks(background); return err },
		"load":       func() error { _, err := a.Load(background); return err },
		"follow":     func() error { _, err := follower.Next(background); return err },
		"account":    func() error { _, _, err := a.Account(background, "shop/pay"); return err },
	}
	for _, when := range []string{"while it is cut off", "after its term"} {
		proxy.Hold(true)
		ended := make(chan string, len(reads))
		for what, read := range reads {
			go func() {
				if err := read(); !errors.Is(err, ErrDeposed) {
					t.Errorf("%s, %s: %v", what, when, err)
				}
				ended <- what
			}()
		}
		patience := time.After(30 * time.Second)
		for range reads {
			select {
			case <-ended:
			case <-patience:
				t.Fatalf("%s somebody waits for a read that nobody answers", when)
			}
		}
		<-term.Lost()
	}
	proxy.Hold(false)
	takeOver(t, a)
	for what, read := range reads {
		if err := read(); err != nil && !errors.Is(err, ErrBehind) {
			t.Errorf("%s, when it leads again: %v", what, err)
		}
	}
}

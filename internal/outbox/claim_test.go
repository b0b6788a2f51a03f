package outbox_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// lives is how many random schedules are tried, and from a thousand on the load is the full one;
// `make lives`, `make bench` and CI ask for more.
var lives = flag.Int("lives", 30, "random schedules of pumps that share a store")

// hooked is a store with a pause point: after it was read, and before anything is claimed.
type hooked struct {
	*outboxtest.Store
	afterDue func()
	rows     atomic.Int64 // read by Due
	bodies   atomic.Int64
}

func (h *hooked) Due(ctx context.Context, after int64) ([]outbox.Owed, error) {
	due, err := h.Store.Due(ctx, after)
	h.rows.Add(int64(len(due)))
	if h.afterDue != nil {
		h.afterDue()
	}
	return due, err
}

func (h *hooked) Bodies(ctx context.Context, keys []string) (map[string]json.RawMessage, error) {
	h.bodies.Add(int64(len(keys)))
	return h.Store.Bodies(ctx, keys)
}

// A pump reads what is due and is held up; another one, or its own worker, sends it meanwhile.
func TestWhatIsSentBetweenReadingAndClaimingIsNotSentAgain(t *testing.T) {
	t.Run("by another pump", func(t *testing.T) {
		db, receiver := &hooked{Store: &outboxtest.Store{}}, &recorder{}
		db.Add(entry("a", "a", outbox.Post, outbox.LanePage), entry("b", "a", outbox.Reply, outbox.LanePage))
		receivers := map[string]outbox.Receiver{"l": receiver}
		other := outbox.NewPump(db.Store, receivers, outbox.Options{})
		db.afterDue = func() { pass(t, other, noon) }
		one := outbox.NewPump(db, receivers, outbox.Options{})
		for i := range 10 {
			pass(t, one, noon.Add(time.Duration(i)*20*time.Second))
		}
		if receiver.String() != "a b" {
			t.Errorf("sent %q", receiver)
		}
	})
	t.Run("by its own worker", func(t *testing.T) {
		db, receiver := &hooked{Store: &outboxtest.Store{}}, &recorder{hold: make(chan struct{})}
		db.Add(entry("a", "a", outbox.Post, outbox.LanePage))
		p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Post: outbox.Pace{Every: time.Nanosecond, Burst: 9}})
		first := make(chan struct{})
		go func() { defer close(first); pass(t, p, noon) }()
		receiver.hold <- struct{}{} // it is being sent
		db.afterDue = sync.OnceFunc(func() { close(receiver.hold); <-first })
		pass(t, p, noon.Add(time.Second))
		if receiver.String() != "a" {
			t.Errorf("sent %q", receiver)
		}
	})
}

func pass(t *testing.T, p *outbox.Pump, at time.Time) {
	t.Helper()
	if _, err := p.Pass(t.Context(), at); err != nil {
		t.Error(err)
	}
}

// truthful is a healthy receiver; one of its channels is archived. It counts what it was given.
type truthful struct {
	mu   sync.Mutex
	sent map[string]int
	all  atomic.Int64
}

func (h *truthful) Deliver(_ context.Context, o outbox.Owed, _ outbox.Receipt) (outbox.Receipt, error) {
	if o.Channel == "#archived" {
		return outbox.Receipt{}, &outbox.Failure{Class: outbox.Misconfigured, Reason: "is_archived"}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent[o.Key]++
	h.all.Add(1)
	return outbox.Receipt{Channel: o.Channel, TS: o.Key}, nil
}

func (h *truthful) Find(_ context.Context, owed []outbox.Owed, _ outbox.Receipt, _ time.Duration) (map[string][]outbox.Receipt, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := map[string][]outbox.Receipt{}
	for _, o := range owed {
		if h.sent[o.Key] > 0 {
			found[o.Key] = []outbox.Receipt{{Channel: o.Channel, TS: o.Key}}
		}
	}
	return found, nil
}

// A real store, a real pump that runs, and messages that come while others wait in an archived
// channel: nothing is sent twice, and nothing waits for them.
func TestUnderLoadNothingIsDoubled(t *testing.T) {
	messages, backlogs := 150, []int{0, 300}
	if *lives >= 1000 {
		messages, backlogs = 2_000, []int{0, 300, 1_000, 2_500}
	}
	for _, backlog := range backlogs {
		t.Run(fmt.Sprint(backlog, " wait"), func(t *testing.T) {
			db, err := store.Open(filepath.Join(t.TempDir(), "s.db"), store.Options{CheckFor: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			receiver := &truthful{sent: map[string]int{}}
			p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Post: outbox.Pace{Every: time.Millisecond, Burst: 1}, Every: 5 * time.Millisecond})
			body, _ := json.Marshal(map[string]any{"text": "x", "blocks": make([]string, 2000)})
			owe := func(keys []string, channel string) {
				tick := store.Tick{}
				for _, key := range keys {
					e := entry(key, key, outbox.Post, outbox.LaneTicket)
					e.Channel, e.Body, e.Created = channel, body, time.Now()
					tick.Owed = append(tick.Owed, e)
				}
				if err := db.Commit(t.Context(), tick); err != nil {
					t.Fatal(err)
				}
			}
			var old []string
			for i := range backlog {
				old = append(old, fmt.Sprint("old", i))
			}
			owe(old, "#archived")
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- p.Run(ctx) }()
			for n := range messages {
				owe([]string{fmt.Sprint("k", n)}, fmt.Sprint("#c", n%40))
				p.Kick()
			}
			for receiver.all.Load() < int64(messages) {
				time.Sleep(time.Millisecond) // the test's own timeout ends it
			}
			stop()
			<-done
			for n := range messages {
				if times := receiver.sent[fmt.Sprint("k", n)]; times != 1 {
					t.Errorf("k%d was sent %d times", n, times)
				}
			}
			t.Logf("%d messages, %d waiting elsewhere: %d sends", messages, backlog, receiver.all.Load())
		})
	}
}

// What waits in a channel that takes nothing is read once, and costs no pass anything after that.
func TestWhatWaitsElsewhereCostsNothing(t *testing.T) {
	db := &hooked{Store: &outboxtest.Store{}}
	const waiting = 500
	for i := range waiting {
		e := entry(fmt.Sprint("old", i), fmt.Sprint("old", i), outbox.Post, outbox.LaneTicket)
		e.Channel = "#archived"
		db.Add(e)
	}
	p := outbox.NewPump(db, map[string]outbox.Receiver{"l": &truthful{sent: map[string]int{}}}, outbox.Options{})
	pass(t, p, noon)
	if n := db.rows.Load(); n != waiting {
		t.Errorf("%d headers are read first, want %d", n, waiting)
	}
	for i := range 100 {
		db.Add(entry(fmt.Sprint("new", i), fmt.Sprint("new", i), outbox.Post, outbox.LaneTicket))
		pass(t, p, noon.Add(time.Duration(i+1)*2*time.Second))
	}
	if rows, bodies := db.rows.Load()-waiting, db.bodies.Load(); rows != 100 || bodies != 0 {
		t.Errorf("100 new messages cost %d headers and %d bodies beside those they are begun with", rows, bodies)
	}
	if left := db.Open(); left != waiting {
		t.Errorf("%d are left, want the %d that cannot be sent", left, waiting)
	}
}

// hanging takes no message of most channels, and takes its time.
type hanging struct{ recorder }

func (h *hanging) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	if o.Channel != "#healthy" {
		<-ctx.Done()
		return outbox.Receipt{}, &outbox.Failure{Class: outbox.Ambiguous, Reason: "timeout"}
	}
	return h.recorder.Deliver(ctx, o, root)
}

// Forty dead channels have messages for hours, and one is healthy: it gets its own at once,
// whatever the others hold.
func TestDeadChannelsStarveNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, receiver := &outboxtest.Store{}, &hanging{}
		for i := range 40 * 5 {
			e := entry(fmt.Sprint("dead", i), fmt.Sprint("dead", i), outbox.Post, outbox.LanePage)
			e.Channel, e.Created = fmt.Sprint("#dead", i%40), time.Now()
			db.Add(e)
		}
		p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(time.Minute) // they have been tried
		for i := range 50 {
			key := fmt.Sprint("k", i)
			e := entry(key, key, outbox.Post, outbox.LaneTicket)
			e.Channel, e.Created = "#healthy", time.Now()
			db.Add(e)
			p.Kick()
			time.Sleep(3 * time.Second)
			if db.Get(key).State != outbox.Sent {
				t.Fatalf("%s waits for dead channels", key)
			}
		}
		stop()
		<-done
	})
}

// leased is a receiver that says for how long it may take.
type leased struct {
	recorder
	limits []time.Duration
}

func (l *leased) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	end, _ := ctx.Deadline()
	l.mu.Lock()
	l.limits = append(l.limits, time.Until(end))
	l.mu.Unlock()
	return l.recorder.Deliver(ctx, o, root)
}

// A process asks right before a send whether it may still send, and sends no longer than that.
func TestALeaseBoundsASend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, receiver := &outboxtest.Store{}, &leased{}
		end := time.Now().Add(6 * time.Second)
		p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Lease: func() time.Time { return end }})
		db.Add(entry("a", "a", outbox.Post, outbox.LanePage))
		pass(t, p, time.Now())
		if receiver.String() != "a" || receiver.limits[0] != 6*time.Second {
			t.Errorf("sent %q within %v", receiver, receiver.limits)
		}
		db.Add(entry("b", "b", outbox.Post, outbox.LanePage))
		db.FailWith(func(op, key string) error {
			if op == "begin" {
				time.Sleep(7 * time.Second) // it is stopped right after it has begun
			}
			return nil
		})
		time.Sleep(2 * time.Second)
		pass(t, p, time.Now())
		if receiver.String() != "a" {
			t.Errorf("sent %q after the lease has run out", receiver)
		}
		end = time.Now().Add(time.Hour)
		db.FailWith(nil)
		for range 20 {
			time.Sleep(2 * time.Second)
			pass(t, p, time.Now())
		}
		if receiver.String() != "a b" {
			t.Errorf("sent %q when it may again", receiver)
		}
	})
}

// pointing finds an earlier copy of what it was sent, after a while, and lets it lead to the newer
// one.
type pointing struct {
	recorder
	takes    time.Duration
	pointed  int
	deadline time.Time
}

func (p *pointing) Find(_ context.Context, owed []outbox.Owed, _ outbox.Receipt, _ time.Duration) (map[string][]outbox.Receipt, error) {
	time.Sleep(p.takes)
	return map[string][]outbox.Receipt{owed[0].Key: {{Channel: "C", TS: "0"}, {Channel: "C", TS: "1"}}}, nil
}

func (p *pointing) Point(ctx context.Context, _, _ outbox.Receipt) error {
	p.pointed++
	p.deadline, _ = ctx.Deadline()
	return nil
}

// A first copy is changed while this process may send, and no longer: another one may have sent
// since.
func TestALeaseBoundsAMend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, receiver := &outboxtest.Store{}, &pointing{}
		end := time.Now().Add(6 * time.Second)
		p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Lease: func() time.Time { return end }})
		pass(t, p, time.Now()) // what is owed when it begins would be looked up first
		db.Add(entry("a", "a", outbox.Post, outbox.LanePage))
		pass(t, p, time.Now())
		db.Add(entry("a/first", "a", outbox.Mend, outbox.LaneReport))
		receiver.takes = 7 * time.Second // it is stopped while it looks
		pass(t, p, time.Now())
		if receiver.pointed > 0 || db.Get("a/first").State != outbox.Pending {
			t.Errorf("after the lease has run out the first copy was changed %d times; the mend is %s", receiver.pointed, db.Get("a/first").State)
		}
		receiver.takes, end = 0, time.Now().Add(time.Hour)
		for range 20 {
			time.Sleep(time.Minute)
			end = time.Now().Add(3 * time.Second)
			pass(t, p, time.Now())
		}
		if receiver.pointed != 1 || db.Get("a/first").State != outbox.Sent || receiver.deadline.IsZero() {
			t.Errorf("when it may again the first copy was changed %d times; the mend is %s", receiver.pointed, db.Get("a/first").State)
		}
	})
}

// repeats writes down what is marked.
type repeats struct{ recorder }

func (r *repeats) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	if o.Repeat {
		o.Key += "?"
	}
	return r.recorder.Deliver(ctx, o, root)
}

// Where another may send as well and the store does not answer, only pages go out, marked; where it
// says that another leads, nothing does.
func TestWithoutTheStoreOnlyPagesGoOutWhereOthersMaySend(t *testing.T) {
	for name, c := range map[string]struct {
		lease func() time.Time
		err   error
		want  string
	}{
		"alone":            {nil, outboxtest.ErrDown, "page ticket more"},
		"others may, too":  {func() time.Time { return time.Now().Add(time.Hour) }, outboxtest.ErrDown, "page? more?"},
		"another one does": {func() time.Time { return time.Now().Add(time.Hour) }, outbox.ErrDeposed, ""},
		"the lease is out": {func() time.Time { return time.Time{} }, outboxtest.ErrDown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			db, receiver := &outboxtest.Store{}, &repeats{}
			p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Lease: c.lease})
			pass(t, p, noon)
			db.Add(entry("page", "page", outbox.Post, outbox.LanePage), entry("ticket", "ticket", outbox.Post, outbox.LaneTicket), entry("report", "report", outbox.Post, outbox.LaneReport))
			db.FailWith(func(op, _ string) error {
				if op == "begin" || op == "settle" {
					return c.err
				}
				return nil
			})
			for i := range 5 {
				pass(t, p, noon.Add(time.Duration(i)*2*time.Second))
			}
			if name != "another one does" { // whose engine decides nothing
				p.Owe([]outbox.Entry{entry("more", "more", outbox.Post, outbox.LanePage), entry("other report", "r", outbox.Post, outbox.LaneReport)})
			}
			for i := range 5 {
				pass(t, p, noon.Add(time.Duration(i+5)*2*time.Second))
			}
			if receiver.String() != c.want {
				t.Errorf("sent %q, want %q", receiver, c.want)
			}
		})
	}
}

// digesting names a hundred in a digest.
type digesting struct {
	recorder
	named, digests int
}

func (d *digesting) Digest(entries []outbox.Entry, _ int) (json.RawMessage, int) {
	n := min(len(entries), 100)
	return json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)), n
}

func (d *digesting) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	var body struct{ N int }
	_ = json.Unmarshal(o.Body, &body)
	if body.N > 0 {
		d.named, d.digests = d.named+body.N, d.digests+1
	}
	return d.recorder.Deliver(ctx, o, root)
}

// A storm is named in digests, the first of them at once; what is read for that grows as the storm
// does, and no faster.
func TestAStormIsFoldedInLinearWork(t *testing.T) {
	for _, n := range []int{1_000, 3_000} {
		db, receiver := &hooked{Store: &outboxtest.Store{}}, &digesting{}
		for i := range n {
			key := fmt.Sprint("k", i)
			db.Add(entry(key, key, outbox.Post, outbox.LaneTicket))
		}
		p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{})
		seconds := 0
		for ; db.Open() > 0 && seconds < n; seconds++ {
			pass(t, p, noon.Add(time.Duration(seconds)*2*time.Second))
			if seconds == 2 && receiver.digests == 0 {
				t.Errorf("%d: no digest in the first seconds", n)
			}
		}
		if receiver.named != n-5 || receiver.digests != (n-5+99)/100 {
			t.Errorf("%d: %d are named in %d digests", n, receiver.named, receiver.digests)
		}
		if rows, bodies := db.rows.Load(), db.bodies.Load(); rows != int64(n) || bodies > 2*int64(n) {
			t.Errorf("%d: %d headers and %d bodies are read", n, rows, bodies)
		}
		if seconds > n/100+20 {
			t.Errorf("%d: it took %d passes", n, seconds)
		}
	}
}

// flushing is a receiver that takes a while, in which the pump tells the store what it was not told
// yet.
type flushing struct {
	recorder
	during func()
}

func (f *flushing) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	f.during()
	return f.recorder.Deliver(ctx, o, root)
}

// What was owed in memory is written down marked as tried. That it was not is told to the store
// later, but not while it is being sent: if the sender dies, the next one must look it up.
func TestWhatIsBeingSentStaysClaimed(t *testing.T) {
	db, receiver := &outboxtest.Store{}, &flushing{}
	p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Lease: func() time.Time { return time.Now().Add(time.Hour) }})
	pass(t, p, noon)
	e := entry("a", "a", outbox.Post, outbox.LanePage)
	p.Owe([]outbox.Entry{e})
	e.Tried = true
	db.Add(e)
	db.FailWith(func(op, _ string) error {
		if op == "settle" {
			return outboxtest.ErrDown
		}
		return nil
	})
	receiver.during = func() {
		db.FailWith(nil)
		_ = p.Flush(t.Context())
		if o := db.Get("a"); o.Begun.IsZero() {
			t.Errorf("while it is being sent the store has %+v", o)
		}
	}
	for i := range 10 {
		pass(t, p, noon.Add(time.Duration(i)*20*time.Second))
	}
	if receiver.String() != "a" || db.Get("a").State != outbox.Sent {
		t.Errorf("sent %q, and the store has %+v", receiver, db.Get("a"))
	}
}

// settling is a store that takes a while to settle.
type settling struct {
	*outboxtest.Store
	during func()
}

func (s *settling) Settle(ctx context.Context, key string, r outbox.Result) error {
	if during := s.during; during != nil {
		s.during = nil
		during()
	}
	return s.Store.Settle(ctx, key, r)
}

// Nor is that told while the store is told what came of the sending: it would no longer know that
// the outcome is unclear, and the message would be sent again.
func TestWhatIsBeingSettledStaysClaimed(t *testing.T) {
	db, receiver := &settling{Store: &outboxtest.Store{}}, &late{}
	var p *outbox.Pump
	receiver.clock = func() time.Time { // it is sent now
		db.during = func() { _ = p.Flush(t.Context()) }
		return time.Now()
	}
	p = outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Lease: func() time.Time { return time.Now().Add(time.Hour) }})
	pass(t, p, noon)
	e := entry("a", "a", outbox.Post, outbox.LanePage)
	p.Owe([]outbox.Entry{e})
	e.Tried = true
	db.Add(e)
	for i := range 10 {
		pass(t, p, noon.Add(time.Duration(i)*20*time.Second))
	}
	if receiver.String() != "a" || db.Get("a").State != outbox.Sent {
		t.Errorf("sent %q, and the store has %+v", receiver, db.Get("a"))
	}
}

// A place is read again; before the answer is there, something is owed there, and read.
func TestWhatIsOwedDuringARereadIsNotForgotten(t *testing.T) {
	db, receiver := &hooked{Store: &outboxtest.Store{}}, &recorder{}
	p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{})
	pass(t, p, noon)
	db.Add(entry("a", "a", outbox.Post, outbox.LanePage))
	calls := 0
	db.afterDue = func() {
		switch calls++; calls {
		case 1: // somebody else begins it: the claim is refused
			_, _ = db.Begin(t.Context(), []outbox.Claim{{Key: "a"}}, noon)
		case 3: // the place is being read again
			db.Add(entry("b", "b", outbox.Post, outbox.LanePage))
			_, _ = p.Pending(t.Context(), noon)
		}
	}
	for i := range 10 {
		pass(t, p, noon.Add(time.Duration(i)*20*time.Second))
	}
	if !strings.Contains(receiver.String(), "b") {
		t.Errorf("sent %q", receiver)
	}
}

// asked counts look-ups.
type asked struct {
	recorder
	finds int
}

func (a *asked) Find(context.Context, []outbox.Owed, outbox.Receipt, time.Duration) (map[string][]outbox.Receipt, error) {
	a.finds++
	return nil, nil
}

// What another process does not know the outcome of may still be on its way. Its clock may be
// behind ours: so the time that it was to wait says nothing.
func TestAnUnclearOutcomeOfAnotherIsNotLookedUpAtOnce(t *testing.T) {
	db, receiver := &outboxtest.Store{}, &asked{}
	db.Add(entry("a", "a", outbox.Post, outbox.LanePage))
	theirs := noon.Add(-time.Hour)
	_, _ = db.Begin(t.Context(), []outbox.Claim{{Key: "a"}}, theirs)
	unclear := outbox.Result{
		State: outbox.Pending, At: theirs, NextTry: theirs.Add(5 * time.Second), Begun: theirs,
		Err: (&outbox.Failure{Class: outbox.Ambiguous, Reason: "timeout"}).Error(),
	}
	if err := db.Settle(t.Context(), "a", unclear); err != nil {
		t.Fatal(err)
	}
	p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Lease: func() time.Time { return time.Now().Add(time.Hour) }})
	for second := range 60 {
		pass(t, p, noon.Add(time.Duration(second)*time.Second))
		if second < 10 && receiver.finds > 0 {
			t.Fatalf("it was looked up after %d s", second)
		}
	}
	if receiver.finds != 1 || receiver.String() != "a" {
		t.Errorf("it was looked up %d times, and sent %q", receiver.finds, receiver)
	}
}

// Whoever sends again, after others may have, knows nothing of before: what was owed in memory
// alone is gone, and a page may have been sent by them, without that being written down.
func TestWhoeverSendsAgainLooksFirst(t *testing.T) {
	db, receiver := &outboxtest.Store{}, &asked{}
	until := time.Now().Add(time.Hour)
	p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Lease: func() time.Time { return until }})
	pass(t, p, noon)
	until = time.Time{}
	p.Owe([]outbox.Entry{entry("mine", "mine", outbox.Post, outbox.LanePage)})
	pass(t, p, noon)
	p.Forget()
	db.Add(entry("theirs", "theirs", outbox.Post, outbox.LanePage))
	until = time.Now().Add(time.Hour)
	for i := range 10 {
		pass(t, p, noon.Add(time.Duration(i)*20*time.Second))
	}
	if receiver.finds != 1 || receiver.String() != "theirs" {
		t.Errorf("it looked %d times, and sent %q", receiver.finds, receiver)
	}
}

// late is a receiver whose answer to what it is sent is lost. It notes when it had "a", and when
// that was asked for.
type late struct {
	recorder
	clock         func() time.Time
	tried, looked time.Time
}

func (l *late) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	r, _ := l.recorder.Deliver(ctx, o, root)
	if o.Key == "a" {
		l.tried = l.clock()
	}
	return r, &outbox.Failure{Class: outbox.Ambiguous, Reason: "timeout"}
}

func (l *late) Find(_ context.Context, owed []outbox.Owed, _ outbox.Receipt, _ time.Duration) (map[string][]outbox.Receipt, error) {
	found := map[string][]outbox.Receipt{}
	for _, o := range owed {
		if o.Key == "a" {
			l.looked = l.clock()
			found[o.Key] = []outbox.Receipt{{Channel: "C", TS: "1"}}
		}
	}
	return found, nil
}

// A request that timed out may come in later than its sender has given up. Our clock may be
// corrected otherwise meanwhile, and the store be read again because somebody else did something
// there: it is not looked up sooner.
func TestACorrectedClockShortensNoWait(t *testing.T) {
	for _, lease := range []func() time.Time{nil, func() time.Time { return time.Now().Add(time.Hour) }} {
		for _, jump := range []time.Duration{0, 3 * time.Second, 2 * time.Minute, -2 * time.Minute} {
			clock, correction := noon, time.Duration(0)
			steady := func() time.Time { return clock }
			db, receiver := &outboxtest.Store{}, &late{clock: steady}
			p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Clock: steady, Lease: lease})
			pass(t, p, clock) // what is owed when it begins would be looked up first
			db.Add(entry("a", "a", outbox.Post, outbox.LanePage), entry("b", "b", outbox.Post, outbox.LaneTicket))
			for n := 0; n < 3000 && receiver.looked.IsZero(); n++ {
				pass(t, p, clock.Add(correction))
				if !receiver.tried.IsZero() && correction == 0 {
					correction = jump
					_, _ = db.Begin(t.Context(), []outbox.Claim{{Key: "b"}}, clock)
				}
				clock = clock.Add(100 * time.Millisecond)
			}
			if wait := receiver.looked.Sub(receiver.tried); receiver.tried.IsZero() || wait < 5*time.Second {
				t.Errorf("after a jump by %s it was looked up after %s", jump, wait)
			}
		}
	}
}

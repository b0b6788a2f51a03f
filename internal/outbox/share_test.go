package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
)

// Two or three members with a pump each share a store and a receiver. They are killed, stopped and
// cut off from the store, from the receiver and from what tells them what to decide; their clocks
// are wrong, the store is full for a while, writes come late and answers get lost. What each of
// them did is recorded and judged by a model of one message: it is never sent by one who does not
// own it, nor while it may be there already, and in the end it is there once.

// bounds of leading, shorter than any wait of the pump.
const (
	beatEvery = 2 * time.Second
	leaseFor  = 6 * time.Second
	idleAfter = 10 * time.Second
)

// op is what a member did about a message, or what the world says in the end.
type op struct {
	key    string
	kind   string // owe, begin, send, arrive, find, settle, end
	who    int    // the life of a member
	claim  bool   // begin: it had read that an earlier send was begun
	marked bool   // send: it could not be written down, and says that it may be a repeat
	state  outbox.State
	answer string // yes, no, "" if nobody knows; of a send also later
	count  int
	at     time.Duration // since the schedule began
}

// message is what the model knows of one.
type message struct {
	owed, settled bool
	owner         int  // who may send it, 0 if nobody
	sent          int  // how often the receiver has it
	flying        int  // how many arrive later
	absent        bool // it is known that it is not there, and that nothing is under way
	marked        bool // a copy says that it may be a repeat
}

// step is what may be after an operation; nothing if that must not happen.
func (m message) step(o op) []any {
	same := []any{m}
	yes, unknown := o.answer == "yes", o.answer == ""
	then := func(n message) []any { // it happened, or perhaps not
		if unknown {
			return []any{m, n}
		}
		return []any{n}
	}
	n := m
	switch o.kind {
	case "owe":
		n.owed = true
		return []any{n}
	case "begin":
		if !yes && !unknown {
			return same
		}
		if !m.owed || m.settled || m.owner != 0 && !o.claim {
			if unknown {
				return same
			}
			return nil
		}
		n.owner = o.who
		return then(n)
	case "send":
		if (!m.absent || m.owner != o.who) && !o.marked && !m.marked {
			if o.answer != "no" {
				return nil
			}
			return same
		}
		switch n.absent, n.marked = false, m.marked || o.marked && o.answer != "no"; o.answer {
		case "no":
			return same
		case "later":
			n.flying++
		default:
			n.sent++
		}
		return []any{n}
	case "arrive":
		if m.flying == 0 {
			return nil
		}
		n.flying, n.sent = m.flying-1, m.sent+1
		return []any{n}
	case "find":
		if unknown {
			return same
		}
		if yes != (m.sent > 0) {
			return nil
		}
		n.absent = m.absent || !yes && m.flying == 0
		return []any{n}
	case "settle":
		switch {
		case m.settled || o.answer == "no":
			return same
		case o.state == outbox.Sent && m.sent == 0:
			return nil // told as sent and is not there: lost
		case o.state == outbox.Sent:
			n.settled = true
		default:
			n.owner = 0
		}
		return then(n)
	case "end":
		if o.count == m.sent && (m.sent == 1 || m.sent > 1 && m.marked) && m.settled {
			return same
		}
	}
	return nil
}

var model = porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, o := range history {
			key := o.Input.(op).key
			byKey[key] = append(byKey[key], o)
		}
		var all [][]porcupine.Operation
		for _, part := range byKey {
			all = append(all, part)
		}
		return all
	},
	Init: func() []any { return []any{message{absent: true}} },
	Step: func(state, in, _ any) []any { return state.(message).step(in.(op)) },
}

// broken is what is left out, so that the judge can show that it sees it.
type broken struct {
	beginSaysNothing bool // Begin returns what was asked for, as if all of it was begun
	looksAway        bool // the receiver says that nothing is there, although it is
	leaseIsForever   bool // nobody looks at the lease
	noFence          bool // the store takes what a deposed leader writes
}

// shared is the world of one schedule.
type shared struct {
	broken
	rng   *rand.Rand
	lead  bool // one of them leads; if not, all send
	calm  bool // nothing goes wrong any more
	db    outboxtest.Store
	lives int

	mu       sync.Mutex
	clock    int64
	history  []porcupine.Operation
	there    map[string]int
	term     int
	leader   *member
	lastBeat time.Time
	began    time.Time
	full     bool      // the store takes nothing
	happened []outcome // what there is to decide, by the order of time
	decided  int       // of it, as the store has it
	stale    int       // writes of a deposed leader that the store took
}

// outcome is what a member is to decide: what is owed then.
type outcome []outbox.Entry

// tick returns a number that grows: the order of everything.
func (s *shared) tick() int64 { s.clock++; return s.clock }

// called notes that an operation begins; the function it returns notes what came of it.
func (s *shared) called() func(op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call := s.tick()
	return func(o op) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if o.kind != "end" {
			o.at = time.Since(s.began)
		}
		s.history = append(s.history, porcupine.Operation{ClientId: o.who, Input: o, Call: call, Return: s.tick()})
	}
}

func (s *shared) dice(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calm {
		return n // none of the faces
	}
	return s.rng.IntN(n)
}

// member is one process of one that is started again and again.
type member struct {
	*shared
	life  int
	term  int
	dead  bool
	cut   bool               // off from the store
	deaf  bool               // off from the receiver
	blind bool               // off from what tells it what to decide
	wrong time.Duration      // how far its clock is ahead
	until time.Time          // stopped until then
	beat  time.Time          // its newest that was answered
	stop  context.CancelFunc // ends its pump; nil if it has none
	done  chan error
	risks int
}

var (
	errCut  = errors.New("no answer")
	errFull = errors.New("the store is full")
)

// stopped waits as long as the process is stopped.
func (m *member) stopped() {
	m.mu.Lock()
	until := m.until
	m.mu.Unlock()
	time.Sleep(time.Until(until))
}

// gone reports whether the store does not hear this process.
func (m *member) gone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead || m.cut
}

// write is the way of every write to the store. lost says that it took effect without an answer.
func (m *member) write(f func() error) (answer string, err error) {
	m.stopped()
	defer m.stopped()
	face := m.dice(30)
	if !m.lead {
		face = 30 // where all may send, a store that does not answer would make pages go out twice
	}
	if m.gone() || face == 0 {
		return "no", errCut
	}
	late := face == 2 && m.lead
	if late { // the network holds it, perhaps until somebody else leads; nobody waits for the answer so long
		time.Sleep(time.Duration(m.dice(200)) * 100 * time.Millisecond)
	}
	m.mu.Lock()
	full, deposed := m.full, m.lead && m.term != m.shared.term
	m.mu.Unlock()
	switch {
	case full:
		return "no", errFull
	case deposed && !m.noFence:
		return "no", outbox.ErrDeposed
	}
	if err := f(); err != nil {
		return "no", err
	}
	if deposed {
		m.mu.Lock()
		m.shared.stale++
		m.mu.Unlock()
	}
	if face == 1 || late {
		return "", errCut
	}
	return "yes", nil
}

func (m *member) Due(ctx context.Context, after int64) ([]outbox.Owed, error) {
	m.stopped()
	if m.gone() {
		return nil, errCut
	}
	due, err := m.db.Due(ctx, after)
	m.stopped()
	time.Sleep(time.Duration(m.dice(3)) * 100 * time.Millisecond)
	return due, err
}

func (m *member) Bodies(ctx context.Context, keys []string) (map[string]json.RawMessage, error) {
	if m.gone() {
		return nil, errCut
	}
	return m.db.Bodies(ctx, keys)
}

func (m *member) Begin(ctx context.Context, claims []outbox.Claim, at time.Time) (own []outbox.Owed, err error) {
	ends := m.called()
	answer, err := m.write(func() (err error) { own, err = m.db.Begin(ctx, claims, at); return err })
	begun := map[string]bool{}
	for _, o := range own {
		begun[o.Key] = true
	}
	for _, c := range claims {
		o := op{key: c.Key, kind: "begin", who: m.life, claim: !c.Begun.IsZero(), answer: answer}
		if !begun[c.Key] {
			o.answer = "no"
		}
		ends(o)
	}
	if err != nil {
		return nil, err
	}
	m.pause()
	if m.beginSaysNothing {
		for _, c := range claims {
			if !begun[c.Key] {
				own = append(own, m.db.Get(c.Key))
			}
		}
	}
	return own, nil
}

// pause stops the process now and then where it is most dangerous: it has claimed, and is about to
// send.
func (m *member) pause() {
	if m.lead && m.dice(20) == 0 {
		m.mu.Lock()
		m.until = time.Now().Add(2 * idleAfter)
		m.mu.Unlock()
	}
}

func (m *member) Settle(ctx context.Context, key string, r outbox.Result) error {
	ends := m.called()
	answer, err := m.write(func() error { return m.db.Settle(ctx, key, r) })
	ends(op{key: key, kind: "settle", who: m.life, state: r.State, answer: answer})
	return err
}

func (m *member) Root(ctx context.Context, receiver, thread string) (outbox.Owed, bool, error) {
	if m.gone() {
		return outbox.Owed{}, false, errCut
	}
	return m.db.Root(ctx, receiver, thread)
}

// Deliver takes a message, loses it, or loses the answer. It may take as long as the context says.
func (m *member) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	ends := m.called()
	sent := op{key: o.Key, kind: "send", who: m.life, marked: o.Repeat}
	if o.Repeat {
		m.risk(1)
		defer m.risk(-1)
	}
	m.mu.Lock()
	deaf := m.deaf
	m.mu.Unlock()
	face := m.dice(16)
	if deaf {
		face = 2
	}
	wait := time.Duration(m.dice(10)) * 50 * time.Millisecond
	if face < 2 {
		<-ctx.Done() // until it has to be over
	} else {
		time.Sleep(wait)
	}
	if face == 2 || face == 0 { // it never arrives
		sent.answer = "no"
		ends(sent)
		return outbox.Receipt{}, &outbox.Failure{Class: outbox.Ambiguous, Reason: "reset"}
	}
	if face == 3 { // it arrives after its sender has given up
		sent.answer = "later"
		ends(sent)
		time.AfterFunc(3*time.Second, func() {
			ends := m.called()
			m.arrives(o.Key)
			ends(op{key: o.Key, kind: "arrive", who: m.life})
		})
		return outbox.Receipt{}, &outbox.Failure{Class: outbox.Ambiguous, Reason: "timeout"}
	}
	m.arrives(o.Key)
	sent.answer = "yes"
	ends(sent)
	if face == 4 || face == 1 {
		return outbox.Receipt{}, &outbox.Failure{Class: outbox.Ambiguous, Reason: "reset"}
	}
	if face == 5 && !m.lead {
		time.Sleep(time.Second)
	}
	if o.Op == outbox.Edit {
		return root, nil
	}
	return outbox.Receipt{Channel: "C", TS: o.Key}, nil
}

// risk counts the marked messages that are under way.
func (m *member) risk(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.risks += n
}

func (s *shared) arrives(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.there[key]++
}

// Find tells what is there, if it can be asked.
func (m *member) Find(_ context.Context, owed []outbox.Owed, _ outbox.Receipt, _ time.Duration) (map[string][]outbox.Receipt, error) {
	if m.looksAway {
		return nil, nil
	}
	m.mu.Lock()
	deaf := m.deaf
	m.mu.Unlock()
	if m.dice(12) == 0 || deaf {
		return nil, &outbox.Failure{Class: outbox.Retry, Reason: "reset"}
	}
	ends := m.called()
	found := map[string][]outbox.Receipt{}
	for _, o := range owed {
		m.mu.Lock()
		n := m.there[o.Key]
		m.mu.Unlock()
		f := op{key: o.Key, kind: "find", who: m.life, answer: "no"}
		if n > 0 {
			f.answer, found[o.Key] = "yes", []outbox.Receipt{{Channel: "C", TS: o.Key}}
		}
		ends(f)
	}
	return found, nil
}

// send starts the pump of a member.
func (m *member) send(ctx context.Context) {
	ctx, m.stop = context.WithCancel(ctx)
	m.done = make(chan error, 1)
	quick := outbox.Pace{Every: 100 * time.Millisecond, Burst: 5}
	p := outbox.NewPump(m, map[string]outbox.Receiver{"l": m}, outbox.Options{
		Post: quick, Find: quick, Attempt: 4 * time.Second, Lease: m.lease, Now: m.now, Clock: time.Now,
	})
	decides := make(chan struct{})
	go func() { defer close(decides); m.decide(ctx, p) }()
	go func() { err := p.Run(ctx); <-decides; m.done <- err }()
}

// now is the time as the member has it.
func (m *member) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.wrong)
}

// decide does what the engine does: it decides in the order of time, and writes down what is owed
// together with how far it has come. What the store refuses is owed in memory, and written later.
func (m *member) decide(ctx context.Context, p *outbox.Pump) {
	if !m.lead {
		return // the world does it
	}
	m.stopped()
	m.mu.Lock()
	next := m.decided // of the store, when it began to lead
	m.mu.Unlock()
	var waiting []outcome // decided, and not written
	handed := 0
	for first := next; ctx.Err() == nil; time.Sleep(500 * time.Millisecond) {
		m.stopped()
		m.mu.Lock()
		if !m.blind && next < len(m.happened) {
			waiting = append(waiting, slices.Clone(m.happened[next]))
			next++
		}
		m.mu.Unlock()
		for len(waiting) > 0 {
			err := m.commit(first, waiting[0])
			if errors.Is(err, outbox.ErrDeposed) {
				return
			}
			if err != nil {
				for ; handed < len(waiting); handed++ {
					m.handOver(p, waiting[handed])
				}
				break
			}
			first, waiting, handed = first+1, waiting[1:], max(handed-1, 0)
			p.Kick()
		}
	}
}

// handOver owes in memory what the store does not have, and marks it as tried.
func (m *member) handOver(p *outbox.Pump, o outcome) {
	m.owed(o)
	for n := range o {
		if !m.gone() && m.db.Get(o[n].Key).Key != "" {
			continue
		}
		p.Owe([]outbox.Entry{o[n]})
		o[n].Tried = true
	}
}

// commit writes down an outcome, and that it was decided.
func (m *member) commit(n int, o outcome) error {
	m.owed(o)
	_, err := m.write(func() error {
		m.db.Add(o...)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.decided = max(m.decided, n+1)
		return nil
	})
	return err
}

// owed notes that messages may be owed from now on.
func (m *member) owed(o outcome) {
	for _, e := range o {
		m.called()(op{key: e.Key, kind: "owe", who: m.life})
	}
}

// lease says until when the member may send.
func (m *member) lease() time.Time {
	m.stopped()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.lead || m.leaseIsForever {
		return time.Now().Add(time.Hour)
	}
	return m.beat.Add(leaseFor)
}

// rest ends the pump of a member, if it has one.
func (m *member) rest() {
	if m.stop != nil {
		m.stop()
		<-m.done
		m.stop = nil
	}
}

// live is the life of one process: it sends, or tries to lead and sends while it does.
func (m *member) live(ctx context.Context) {
	defer m.rest()
	if !m.lead {
		m.send(ctx)
	}
	for ctx.Err() == nil {
		asked := time.Now()
		m.stopped()
		m.mu.Lock()
		dead, was, leads := m.dead, m.stop != nil, m.shared.leader == m
		if m.lead && !dead && !m.cut {
			if !leads && !was && time.Since(m.lastBeat) > idleAfter {
				m.shared.term++
				m.term, m.shared.leader, leads = m.shared.term, m, true
			}
			if leads {
				m.beat, m.lastBeat = asked, time.Now()
			}
		}
		m.mu.Unlock()
		switch {
		case dead:
			return
		case m.lead && leads && !was:
			m.send(ctx)
		case m.lead && !leads && was:
			m.rest()
		}
		time.Sleep(beatEvery)
	}
}

// trouble does something to a member now and then.
func (s *shared) trouble(members []*member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := members[s.rng.IntN(len(members))]
	long := 3
	if s.lead {
		long = 25
	}
	wait := time.Duration(1+s.rng.IntN(long*10)) * 100 * time.Millisecond
	kinds := 5
	if s.lead {
		kinds = 9
	}
	lasting := func(what *bool) {
		*what = true
		time.AfterFunc(wait, func() { s.mu.Lock(); *what = false; s.mu.Unlock() })
	}
	switch s.rng.IntN(kinds) {
	case 0:
		m.dead = true
		// What was sent without being written down, and is under way when its sender dies, the next
		// one does not find if it looks at once. It says that it may be a repeat.
		if s.leader == m && m.risks == 0 && s.rng.IntN(2) == 0 {
			s.leader, s.lastBeat = nil, time.Time{} // the connection breaks at once
		}
	case 1:
		lasting(&m.deaf)
	case 5:
		lasting(&m.cut)
	case 6:
		lasting(&m.blind)
	case 7:
		lasting(&s.full)
	case 8:
		m.wrong = time.Duration(s.rng.IntN(360)-180) * time.Second
	default:
		m.until = time.Now().Add(wait)
	}
}

// play plays one schedule and returns what was done.
func (s *shared) play(t *testing.T) []porcupine.Operation {
	synctest.Test(t, func(t *testing.T) {
		s.began = time.Now()
		ctx, stop := context.WithCancel(t.Context())
		members := make([]*member, 2+s.rng.IntN(2))
		var all sync.WaitGroup
		for n := range members {
			members[n] = s.member()
			all.Go(func() {
				for ctx.Err() == nil {
					s.mu.Lock()
					m := members[n]
					s.mu.Unlock()
					m.live(ctx)
					time.Sleep(time.Second)
					next := s.member()
					s.mu.Lock()
					members[n] = next
					s.mu.Unlock()
				}
			})
		}
		s.owe(members)
		s.mu.Lock()
		s.calm = true
		s.mu.Unlock()
		for end := time.Now().Add(20 * time.Minute); s.owes() && time.Now().Before(end); {
			time.Sleep(time.Second)
		}
		time.Sleep(20 * time.Second) // what is under way comes in
		stop()
		all.Wait()
	})
	for _, o := range s.happened {
		for _, e := range o {
			s.called()(op{key: e.Key, kind: "end", count: s.there[e.Key]})
		}
	}
	return s.history
}

// owes reports whether something is still to be decided or sent.
func (s *shared) owes() bool {
	s.mu.Lock()
	late := s.lead && s.decided < len(s.happened)
	s.mu.Unlock()
	return late || s.db.Open() > 0
}

// member makes a process.
func (s *shared) member() *member {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives++
	return &member{shared: s, life: s.lives}
}

// owe decides on messages, and makes trouble meanwhile.
func (s *shared) owe(members []*member) {
	const incidents = 8
	for n := range incidents {
		key := fmt.Sprint("m", n)
		lane := outbox.Lane(n % 3)
		o := outcome{entry(key, key, outbox.Post, lane), entry(key+"/reply", key, outbox.Reply, lane)}
		for i := range o {
			o[i].Channel, o[i].Created = fmt.Sprint("#c", n%3), time.Now()
		}
		s.mu.Lock()
		s.happened = append(s.happened, o)
		s.mu.Unlock()
		if !s.lead {
			for _, e := range o {
				ends := s.called()
				s.db.Add(e)
				ends(op{key: e.Key, kind: "owe"})
			}
		}
		for range 4 {
			time.Sleep(time.Duration(1+s.dice(40)) * 100 * time.Millisecond)
			s.trouble(members)
		}
	}
}

// counts are what happened in schedules.
type counts struct{ messages, sends, marked, repeated, terms, stale int }

func (c *counts) add(s *shared) {
	c.terms, c.stale = c.terms+s.term, c.stale+s.stale
	marked := map[string]bool{}
	for _, o := range s.history {
		if o := o.Input.(op); o.kind == "send" && o.marked {
			marked[o.key] = true
		}
	}
	c.marked += len(marked)
	for key, n := range s.there {
		c.messages, c.sends = c.messages+1, c.sends+n
		if n > 1 && marked[key] {
			c.repeated++
		}
	}
}

// judge plays a schedule and says whether the model allows what was done.
func judge(t *testing.T, seed int, b broken, c *counts) porcupine.CheckResult {
	s := &shared{broken: b, rng: rand.New(rand.NewPCG(uint64(seed), 7)), lead: seed%3 > 0, there: map[string]int{}}
	history := s.play(t)
	c.add(s)
	m := model.ToModel()
	result := porcupine.CheckOperationsTimeout(m, history, time.Minute)
	if result != porcupine.Ok && b == (broken{}) {
		for _, part := range m.Partition(history) {
			if porcupine.CheckOperations(m, part) {
				continue
			}
			for _, o := range part {
				t.Logf("%d to %d: %+v", o.Call, o.Return, o.Input)
			}
		}
	}
	return result
}

func TestPumpsThatShareAStore(t *testing.T) {
	var c counts
	for seed := range *lives {
		if result := judge(t, seed, broken{}, &c); result != porcupine.Ok || c.stale > 0 {
			t.Fatalf("seed %d: %s, %d writes by a deposed leader", seed, result, c.stale)
		}
	}
	t.Logf("%d schedules: %d messages, %d terms; %d said that they may be a repeat, and %d of them were; no other was", *lives, c.messages, c.terms, c.marked, c.repeated)
}

// The judge sees what it is there to see.
func TestTheJudgeSeesBrokenPumps(t *testing.T) {
	for name, b := range map[string]broken{
		"Begin does not say what it began":             {beginSaysNothing: true},
		"a look-up does not find what is there":        {looksAway: true},
		"nobody looks at the lease before a message":   {leaseIsForever: true},
		"the store takes what a deposed leader writes": {noFence: true},
	} {
		t.Run(name, func(t *testing.T) {
			var c counts
			for seed := range 400 {
				if judge(t, seed, b, &c) == porcupine.Illegal || c.stale > 0 {
					t.Logf("seen in schedule %d", seed)
					return
				}
			}
			t.Error("it is not seen in 400 schedules")
		})
	}
}

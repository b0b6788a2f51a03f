package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
	"github.com/slowburn-sre/slowburn/slo"
)

// Store is what every store must do alike, whatever database is below it.
type Store interface {
	Load(context.Context) (Snapshot, error)
	Commit(context.Context, Tick) error
	Fold(context.Context, map[slo.ID]*budget.Ledger) error
	Forget(context.Context, ...slo.ID) error
	DropDays(context.Context, time.Time) error
	Account(context.Context, slo.ID) (Account, bool, error)
	Due(context.Context, int64) ([]outbox.Owed, error)
	Bodies(context.Context, []string) (map[string]json.RawMessage, error)
	Begin(context.Context, []outbox.Claim, time.Time) ([]outbox.Owed, error)
	Settle(context.Context, string, outbox.Result) error
	Root(context.Context, string, string) (outbox.Owed, bool, error)
	Outbox(context.Context, OutboxFilter) ([]outbox.Owed, error)
	Depth(context.Context) (Depth, error)
	Deliveries(context.Context) ([]Delivery, error)
	Prune(context.Context, time.Time) error
	Incidents(context.Context, IncidentFilter) ([]alerting.Incident, error)
	Incident(context.Context, string) (alerting.Incident, bool, error)
	Acts(context.Context, ActFilter) ([]alerting.Act, error)
	Act(context.Context, string) (alerting.Act, bool, error)
	Verify(context.Context, Place, ...Place) (Audit, error)
	Evidence(context.Context, string) ([]Evidence, error)
	Reports(context.Context, string, int) ([]Report, error)
	Report(context.Context, string, string) (Report, bool, error)
	Lead(context.Context, func(error)) (*Term, error)
	Ask(context.Context, Request) error
	Requests(context.Context) ([]Request, error)
	Verdict(context.Context, string) (Verdict, bool, error)
	Follow(context.Context) (*Follower, Snapshot, error)
	Owes(context.Context, string) (bool, error)
	Close() error
}

func TestSQLite(t *testing.T) {
	testStore(t, func(t testing.TB) Store { return mustOpen(t, tempPath(t), Options{}) })
}

func TestPostgreSQL(t *testing.T) {
	testStore(t, func(t testing.TB) Store { return mustLead(t, pgtest.Database(t)) })
}

// testStore is the conformance test: each store passes all of it. open gives an empty store.
func testStore(t *testing.T, open func(testing.TB) Store) {
	for _, test := range []struct {
		sentence string
		run      func(*testing.T, Store)
	}{
		{"a new store is empty", testEmpty},
		{"a tick is found again whole", testWhole},
		{"the same tick twice is the same as once", testTwice},
		{"a state that went back to zero is zero after a restart", testZeroState},
		{"the newest of two slots of a minute counts", testHealed},
		{"an empty mark or fact is deleted", testDeleted},
		{"a tick that could not be read back is refused", testInvalid},
		{"a fold changes nothing that can be read", testFold},
		{"a fold without ledgers reads them from the disk", testFoldAlone},
		{"minutes that were thinned out leave the disk with the next fold", testThinned},
		{"days that were dropped leave the disk", testDropDays},
		{"a ledger that begins anew takes nothing from the disk", testBeginsAnew},
		{"one budget can be read by itself", testAccount},
		{"a forgotten budget starts empty when it comes back", testForget},
		{"an entry is owed once", testOnce},
		{"a storm is kept whole", testStorm},
		{"an act on a thread of many is kept whole", testManyActs},
		{"what is owed is kept in the order in which it was committed", testOrder},
		{"a send that was begun is ambiguous until it is settled", testBegun},
		{"what is begun is begun by one, and settled by that one", testBegunOnce},
		{"of many who begin at once, one begins each entry", testBeginRace},
		{"only what is newer than what was read is read again", testFresh},
		{"what is owed after a send is owed once, in the same transaction", testThen},
		{"what was sent stays sent", testStaysSent},
		{"an entry that was sent while the disk was full is ambiguous", testTried},
		{"the root is the newest sent post or edit of a thread", testRoot},
		{"settling what is not known is an error", testUnknown},
		{"pruning spares the pending, the dead and threads in use", testPrune},
		{"the depth counts by state and knows the oldest", testDepth},
		{"incidents are found by service, SLO, time and whether they are open", testIncidents},
		{"reading and writing go on side by side", testSideBySide},
		{"a report is kept by name and period", testReports},
		{"evidence is kept once per event, and a restart has that of open incidents", testEvidence},
		{"what people did is kept once, in the order in which it was told", testActs},
		{"acts are a chain, and what is done to it is found", testChain},
		{"text that is no text is kept as far as it can be", testOddText},
		{"a key may be as long as it likes", testLongKeys},
		{"a request is asked once, and answered once, with what came of it", testInbox},
		{"a follower knows what a restart would load", testFollower},
		{"a follower that missed what was folded says so", testFollowerFolded},
		{"who leads may do so at once, until it resigns", testLeads},
	} {
		t.Run(test.sentence, func(t *testing.T) { test.run(t, open(t)) })
	}
}

var background = context.Background()

func testEmpty(t *testing.T, db Store) {
	p := pictureOf(t, db)
	if len(p.Ledgers)+len(p.Open)+len(p.Marks)+len(p.Facts)+len(p.Outbox) > 0 || !p.Last.IsZero() {
		t.Errorf("not empty: %+v", p)
	}
}

func testWhole(t *testing.T, db Store) {
	tick := tickAt(0, "shop/pay", `shop/cart{route="/a b"}`)
	tick.Turns[1].Hours = []budget.HourAt{{Hour: minute(-60).Hour(), Sum: budget.Sum{Bad: 5, Total: 900000, Known: 58, Unknown: 2, BadSlots: 1}}}
	must(t, db.Commit(background, tick))
	p := pictureOf(t, db)
	for _, turn := range tick.Turns {
		l := new(budget.Ledger)
		turn.Apply(l)
		same(t, "ledger", p.Ledgers[turn.SLO], slots(l))
		same(t, "state", p.States[turn.SLO], turn.State)
	}
	same(t, "incidents", p.Open, map[string]alerting.Incident{"shop/pay/page/0": tick.Turns[0].Incidents[0]})
	same(t, "entry", p.Outbox[0].Entry, tick.Turns[0].Entries[0])
	same(t, "marks", p.Marks, tick.Marks)
	same(t, "facts", p.Facts, tick.Facts)
	same(t, "last tick", p.Last, tick.At)
}

func testTwice(t *testing.T, db Store) {
	tick := tickAt(0, "shop/pay", "shop/cart")
	must(t, db.Commit(background, tick))
	once := pictureOf(t, db)
	must(t, db.Commit(background, tick))
	same(t, "twice", pictureOf(t, db), once)
}

func testZeroState(t *testing.T, db Store) {
	busy := alerting.State{Missing: 3, Burn: &alerting.Open{Incident: "a"}, NoData: &alerting.Open{Incident: "b"}}
	for i, s := range []alerting.State{{}, busy, {}} {
		s.Through = minute(i)
		must(t, db.Commit(background, Tick{At: at(i), Turns: []Turn{{SLO: "shop/pay", State: s}}}))
		same(t, "state", got(db.Load(background))(t).Accounts["shop/pay"].State, s)
	}
}

func testHealed(t *testing.T, db Store) {
	for i, s := range []budget.Slot{{State: budget.Absent}, budget.Count(1000, 2000)} {
		must(t, db.Commit(background, Tick{At: at(i), Turns: []Turn{{SLO: "shop/pay", Slots: []budget.SlotAt{{At: minute(0), Slot: s}}}}}))
	}
	l := got(db.Load(background))(t).Accounts["shop/pay"].Ledger
	same(t, "slot", l.At(minute(0)), budget.Count(1000, 2000))
}

func testDeleted(t *testing.T, db Store) {
	must(t, db.Commit(background, Tick{Marks: map[string][]byte{"a": {1}, "b": {2}}, Facts: map[string]string{"a": "1", "b": "2"}}))
	must(t, db.Commit(background, Tick{Marks: map[string][]byte{"a": nil}, Facts: map[string]string{"a": ""}}))
	p := pictureOf(t, db)
	same(t, "marks", p.Marks, map[string][]byte{"b": {2}})
	same(t, "facts", p.Facts, map[string]string{"b": "2"})
}

func testInvalid(t *testing.T, db Store) {
	must(t, db.Commit(background, tickAt(0, "shop/pay")))
	before := pictureOf(t, db)
	for _, bad := range []Turn{
		{SLO: ""},
		{SLO: "shop/pay", Slots: []budget.SlotAt{{At: minute(1), Slot: budget.Slot{Bad: 2, Total: 1, State: budget.OK}}}},
		{SLO: "shop/pay", Slots: []budget.SlotAt{{At: minute(1), Slot: budget.Slot{Bad: -1, Total: 1, State: budget.OK}}}},
		{SLO: "shop/pay", Slots: []budget.SlotAt{{At: minute(1), Slot: budget.Slot{State: 9}}}},
		{SLO: "shop/pay", Hours: []budget.HourAt{{Hour: 1, Sum: budget.Sum{Known: 61}}}},
		{SLO: "shop/pay", Hours: []budget.HourAt{{Hour: 1, Sum: budget.Sum{Known: 1, Partial: -1}}}},
		{SLO: "shop/pay", Hours: []budget.HourAt{{Hour: 1, Sum: budget.Sum{Bad: 1}}}},
	} {
		tick := tickAt(1, "shop/cart")
		tick.Turns = append(tick.Turns, bad)
		if err := db.Commit(background, tick); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	same(t, "store", pictureOf(t, db), before)
}

// fill commits n ticks of two SLOs, and returns their ledgers.
func fill(t testing.TB, db Store, from, n int) map[slo.ID]*budget.Ledger {
	t.Helper()
	ledgers := map[slo.ID]*budget.Ledger{}
	for id, a := range got(db.Load(background))(t).Accounts {
		ledgers[id] = a.Ledger
	}
	for i := from; i < from+n; i++ {
		tick := tickAt(i, "shop/pay", "shop/cart")
		must(t, db.Commit(background, tick))
		for _, turn := range tick.Turns {
			if ledgers[turn.SLO] == nil {
				ledgers[turn.SLO] = new(budget.Ledger)
			}
			turn.Apply(ledgers[turn.SLO])
		}
	}
	return ledgers
}

func testFold(t *testing.T, db Store) {
	ledgers := fill(t, db, 24*60-50, 100) // over midnight
	before := pictureOf(t, db)
	must(t, db.Fold(background, ledgers))
	same(t, "after the fold", pictureOf(t, db), before)
	must(t, db.Fold(background, ledgers))
	same(t, "after a second one", pictureOf(t, db), before)
	fill(t, db, 24*60+50, 1)
	must(t, db.Fold(background, ledgers))
}

func testFoldAlone(t *testing.T, db Store) {
	for i := range 3 {
		fill(t, db, i*30, 30)
		before := pictureOf(t, db)
		must(t, db.Fold(background, nil))
		same(t, "after the fold", pictureOf(t, db), before)
	}
}

func testThinned(t *testing.T, db Store) {
	must(t, db.Commit(background, Tick{At: at(0), Turns: []Turn{ // the first day of a ledger keeps its minutes
		{SLO: "shop/pay", Hours: []budget.HourAt{{Hour: minute(-120).Hour(), Sum: budget.Sum{Known: 60}}}},
	}}))
	ledgers := fill(t, db, 24*60-90, 200)
	must(t, db.Fold(background, ledgers))
	for _, keep := range []int{24*60 - 40, 24*60 + 70, 24*60 + 500} {
		for _, l := range ledgers {
			l.Thin(minute(keep))
		}
		must(t, db.Fold(background, ledgers))
		for id, l := range ledgers {
			same(t, string(id), pictureOf(t, db).Ledgers[id], slots(l))
		}
	}
}

func testDropDays(t *testing.T, db Store) {
	ledgers := fill(t, db, 24*60-30, 60)
	must(t, db.Fold(background, ledgers))
	must(t, db.DropDays(background, at(24*60+10)))
	for id, l := range ledgers {
		l.Forget(minute(24 * 60))
		same(t, string(id), pictureOf(t, db).Ledgers[id], slots(l))
	}
}

// An SLO is taken out of the files, comes back, and whoever keeps the ledgers begins a new one.
func testBeginsAnew(t *testing.T, db Store) {
	fill(t, db, 24*60-90, 150)
	must(t, db.Fold(background, nil))
	anew := map[slo.ID]*budget.Ledger{"shop/pay": {}, "shop/cart": {}}
	for n := range 90 {
		tick := tickAt(24*60+150+n, "shop/pay", "shop/cart")
		must(t, db.Commit(background, tick))
		for _, turn := range tick.Turns {
			turn.Apply(anew[turn.SLO])
		}
	}
	before := pictureOf(t, db)
	must(t, db.Fold(background, anew))
	same(t, "after the fold", pictureOf(t, db), before)
}

func testAccount(t *testing.T, db Store) {
	ledgers := fill(t, db, 0, 5)
	a, ok := got2(db.Account(background, "shop/cart"))(t)
	same(t, "ledger", slots(a.Ledger), slots(ledgers["shop/cart"]))
	if _, other := got2(db.Account(background, "shop/gone"))(t); !ok || other || a.State.Through != minute(5) {
		t.Errorf("found %v and %v, %+v", ok, other, a.State)
	}
}

func testForget(t *testing.T, db Store) {
	ledgers := fill(t, db, 0, 10)
	must(t, db.Fold(background, ledgers))
	fill(t, db, 10, 10) // these are still in the journal
	before := pictureOf(t, db)
	must(t, db.Forget(background, "shop/pay", "never/seen"))
	delete(before.Ledgers, "shop/pay")
	delete(before.States, "shop/pay")
	same(t, "after forgetting", pictureOf(t, db), before)
	back := tickAt(30, "shop/pay")
	must(t, db.Commit(background, back))
	must(t, db.Fold(background, nil))
	l := new(budget.Ledger)
	back.Turns[0].Apply(l)
	same(t, "came back", pictureOf(t, db).Ledgers["shop/pay"], slots(l))
}

// owed commits entries of one thread.
func oweAll(t testing.TB, db Store, entries ...outbox.Entry) {
	t.Helper()
	must(t, db.Commit(background, Tick{At: start, Owed: entries}))
}

func entry(key string, op outbox.Op) outbox.Entry {
	return outbox.Entry{Key: key, Receiver: "slack", Channel: "#a", Thread: "t", Op: op, Created: start, Body: []byte(`{}`)}
}

func testOnce(t *testing.T, db Store) {
	oweAll(t, db, entry("a", outbox.Post))
	must(t, db.Settle(background, "a", outbox.Result{State: outbox.Sent, At: at(1)}))
	again := entry("a", outbox.Post)
	again.Body = []byte(`{"other":1}`)
	oweAll(t, db, again, again)
	all := got(db.Outbox(background, OutboxFilter{}))(t)
	if len(all) != 1 || all[0].State != outbox.Sent || string(all[0].Body) != "{}" {
		t.Errorf("got %+v", all)
	}
}

func testOrder(t *testing.T, db Store) {
	var want []string
	for i := range 3 {
		tick := tickAt(i, "shop/pay", "shop/cart")
		tick.Turns[1].Entries = []outbox.Entry{entryAt("shop/cart", i)}
		tick.Owed = []outbox.Entry{entry(fmt.Sprint("report/", i), outbox.Post)}
		must(t, db.Commit(background, tick))
		want = append(want, tick.Turns[0].Entries[0].Key, tick.Turns[1].Entries[0].Key, tick.Owed[0].Key)
	}
	var keys []string
	last := int64(0)
	for _, o := range got(db.Due(background, 0))(t) {
		if o.Seq <= last {
			t.Errorf("%s has number %d after %d", o.Key, o.Seq, last)
		}
		keys, last = append(keys, o.Key), o.Seq
	}
	same(t, "keys", keys, want)
}

// claimed begins entries that were never begun, and returns the keys of those that were.
func claimed(t testing.TB, db Store, at time.Time, keys ...string) []string {
	t.Helper()
	var claims []outbox.Claim
	for _, k := range keys {
		claims = append(claims, outbox.Claim{Key: k})
	}
	var own []string
	for _, o := range got(db.Begin(background, claims, at))(t) {
		own = append(own, o.Key)
	}
	return own
}

func testBegun(t *testing.T, db Store) {
	oweAll(t, db, entry("a", outbox.Post), entry("b", outbox.Reply))
	own := got(db.Begin(background, []outbox.Claim{{Key: "b"}, {Key: "a"}}, at(1)))(t)
	want := outbox.Owed{Entry: entry("a", outbox.Post), Seq: own[0].Seq, State: outbox.Pending, Begun: at(1)}
	same(t, "what was begun, with its body", own[0], want)
	for _, o := range got(db.Due(background, 0))(t) {
		if !o.Begun.Equal(at(1)) {
			t.Errorf("%s was begun at %s", o.Key, o.Begun)
		}
	}
	must(t, db.Settle(background, "a", outbox.Result{State: outbox.Pending, NextTry: at(5), Err: "busy", At: at(2), Begun: at(1)}))
	o := got(db.Due(background, 0))(t)[0]
	header := entry("a", outbox.Post)
	header.Body = nil
	same(t, "entry", o, outbox.Owed{Entry: header, Seq: o.Seq, State: outbox.Pending, Attempts: 1, NextTry: at(5), LastErr: "busy"})
	same(t, "bodies", got(db.Bodies(background, []string{"a", "nobody"}))(t), map[string]json.RawMessage{"a": json.RawMessage("{}")})
}

func testBegunOnce(t *testing.T, db Store) {
	oweAll(t, db, entry("a", outbox.Post), entry("b", outbox.Post), entry("c", outbox.Post))
	same(t, "the first", claimed(t, db, at(1), "a", "b"), []string{"a", "b"})
	same(t, "the second", claimed(t, db, at(2), "c", "b", "a", "nobody"), []string{"c"})
	taken := outbox.Result{State: outbox.Pending, At: at(3)}
	if err := db.Settle(background, "a", taken); !errors.Is(err, outbox.ErrTaken) {
		t.Errorf("settled by one who has not begun it: %v", err)
	}
	again := got(db.Begin(background, []outbox.Claim{{Key: "a", Begun: at(1)}}, at(4)))(t)
	if len(again) != 1 || !again[0].Begun.Equal(at(4)) {
		t.Errorf("who has read that it was begun cannot begin it anew: %+v", again)
	}
	taken.Begun = at(4)
	must(t, db.Settle(background, "a", taken))
	same(t, "by one who does not know of that attempt", len(claimed(t, db, at(5), "a")), 0)
	taken.Begun, taken.State = at(1), outbox.Sent
	must(t, db.Settle(background, "a", taken)) // the first one's message arrived after all
	same(t, "after that", len(got(db.Begin(background, []outbox.Claim{{Key: "a", Attempts: 2}}, at(5)))(t)), 0)
}

func testBeginRace(t *testing.T, db Store) {
	var keys []string
	var entries []outbox.Entry
	for i := range 40 {
		keys = append(keys, fmt.Sprint("k", i))
		entries = append(entries, entry(keys[i], outbox.Post))
	}
	oweAll(t, db, entries...)
	var mu sync.Mutex
	var all sync.WaitGroup
	times := map[string]int{}
	for sender := range 8 {
		all.Go(func() {
			for i := range 20 {
				a, b := keys[(i*7+sender)%len(keys)], keys[(i*3+2*sender)%len(keys)]
				if a == b {
					continue
				}
				own, err := db.Begin(background, []outbox.Claim{{Key: a}, {Key: b}}, at(1))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, o := range own {
					times[o.Key]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for key, n := range times {
		if n != 1 {
			t.Errorf("%s was begun %d times", key, n)
		}
	}
}

func testFresh(t *testing.T, db Store) {
	oweAll(t, db, entry("a", outbox.Post))
	follows := entry("b", outbox.Edit)
	follows.IfTold = true
	oweAll(t, db, follows)
	all := got(db.Due(background, 0))(t)
	fresh := got(db.Due(background, all[0].Seq))(t)
	if len(fresh) != 1 || fresh[0].Key != "b" || !fresh[0].IfTold || all[0].IfTold {
		t.Errorf("got %+v", fresh)
	}
	same(t, "nothing is newer", len(got(db.Due(background, all[1].Seq))(t)), 0)
}

func testThen(t *testing.T, db Store) {
	oweAll(t, db, entry("a", outbox.Post))
	more := entry("a/first", outbox.Mend)
	must(t, db.Settle(background, "a", outbox.Result{State: outbox.Sent, At: at(1), Then: &more}))
	must(t, db.Settle(background, "a", outbox.Result{State: outbox.Sent, At: at(1), Then: &more}))
	due := got(db.Due(background, 0))(t)
	if len(due) != 1 || due[0].Key != more.Key || due[0].Op != outbox.Mend {
		t.Errorf("got %+v", due)
	}
}

func testStaysSent(t *testing.T, db Store) {
	oweAll(t, db, entry("a", outbox.Post))
	sent := outbox.Result{State: outbox.Sent, At: at(1), Receipt: outbox.Receipt{Channel: "C1", TS: "1.2", Link: "https://x"}}
	must(t, db.Settle(background, "a", sent))
	must(t, db.Settle(background, "a", outbox.Result{State: outbox.Pending, At: at(2)}))
	same(t, "what is begun", len(claimed(t, db, at(3), "a")), 0)
	o := got(db.Outbox(background, OutboxFilter{}))(t)[0]
	if o.State != outbox.Sent || o.Receipt != sent.Receipt || !o.Settled.Equal(at(1)) || !o.Begun.IsZero() {
		t.Errorf("got %+v", o)
	}
}

func testTried(t *testing.T, db Store) {
	a, b := entry("a", outbox.Post), entry("b", outbox.Post)
	oweAll(t, db, a)
	a.Tried, b.Tried = true, true
	oweAll(t, db, a, b)
	for _, o := range got(db.Due(background, 0))(t) {
		if o.Begun.IsZero() {
			t.Errorf("%s is not ambiguous", o.Key)
		}
	}
}

func testRoot(t *testing.T, db Store) {
	oweAll(t, db, entry("a", outbox.Post), entry("b", outbox.Reply), entry("c", outbox.Edit), entry("d", outbox.Post))
	if _, ok := got2(db.Root(background, "slack", "t"))(t); ok {
		t.Error("a root before anything was sent")
	}
	for i, key := range []string{"a", "c", "b"} {
		must(t, db.Settle(background, key, outbox.Result{State: outbox.Sent, At: at(i), Receipt: outbox.Receipt{TS: key}}))
	}
	r, ok := got2(db.Root(background, "slack", "t"))(t)
	if !ok || r.Receipt.TS != "c" || r.Key != "c" {
		t.Errorf("got %+v, %v", r, ok)
	}
	if _, ok := got2(db.Root(background, "webhook", "t"))(t); ok {
		t.Error("another receiver has the same root")
	}
}

func got2[T any](v T, ok bool, err error) func(testing.TB) (T, bool) {
	return func(t testing.TB) (T, bool) {
		t.Helper()
		must(t, err)
		return v, ok
	}
}

func testUnknown(t *testing.T, db Store) {
	if err := db.Settle(background, "nobody", outbox.Result{State: outbox.Sent}); !errors.Is(err, ErrUnknown) || !errors.Is(err, outbox.ErrTaken) {
		t.Errorf("got %v", err)
	}
}

func testPrune(t *testing.T, db Store) {
	must(t, db.Commit(background, tickAt(0, "shop/pay"))) // its incident is open
	must(t, db.Settle(background, entryAt("shop/pay", 0).Key, outbox.Result{State: outbox.Sent, At: at(0)}))
	for i, state := range []outbox.State{outbox.Sent, outbox.Dead, outbox.Superseded, outbox.Sent} {
		e := entry(fmt.Sprint(i), outbox.Post)
		e.Thread = fmt.Sprint("thread ", i)
		oweAll(t, db, e)
		must(t, db.Settle(background, e.Key, outbox.Result{State: state, At: at(100 * i)}))
	}
	busy := entry("busy", outbox.Reply)
	busy.Thread = "thread 3"
	oweAll(t, db, busy)
	must(t, db.Prune(background, at(1000)))
	var keys []string
	for _, o := range got(db.Due(background, 0))(t) {
		keys = append(keys, o.Key)
	}
	for _, o := range got(db.Outbox(background, OutboxFilter{}))(t) {
		keys = append(keys, o.Key)
	}
	same(t, "kept", keys, []string{"busy", "busy", "3", "1", entryAt("shop/pay", 0).Key})
}

func testDepth(t *testing.T, db Store) {
	for i, state := range []outbox.State{outbox.Pending, outbox.Pending, outbox.Sent, outbox.Dead} {
		e := entry(fmt.Sprint(i), outbox.Post)
		e.Created = at(10 - i)
		oweAll(t, db, e)
		must(t, db.Settle(background, e.Key, outbox.Result{State: state, At: at(20 + i), Err: string(state)}))
	}
	d := got(db.Depth(background))(t)
	same(t, "depth", d, Depth{Count: map[outbox.State]int{outbox.Pending: 2, outbox.Sent: 1, outbox.Dead: 1}, Oldest: at(9)})
	all := got(db.Deliveries(background))(t)
	same(t, "deliveries", all, []Delivery{{
		Receiver: "slack", Channel: "#a", Pending: 2, Retrying: 2, Dead: 1, Oldest: at(9), LastSent: at(22), LastErr: "dead",
	}})
	dead := got(db.Outbox(background, OutboxFilter{State: outbox.Dead, Receiver: "slack", Thread: "t", Channel: "#a", Limit: 5}))(t)
	if len(dead) != 1 || dead[0].Key != "3" {
		t.Errorf("dead: %+v", dead)
	}
}

func testIncidents(t *testing.T, db Store) {
	for i, id := range []slo.ID{"shop/pay", `shop/pay{route="/a"}`, "shop/pay_later", "web/home"} {
		tick := tickAt(i*100, id) // open
		tick.Turns[0].Incidents = []alerting.Incident{incidentAt(id, i*100, i%2 == 0)}
		must(t, db.Commit(background, tick))
	}
	for _, test := range []struct {
		sentence string
		filter   IncidentFilter
		want     []slo.ID
	}{
		{"no filter gives all, newest first", IncidentFilter{}, []slo.ID{"web/home", "shop/pay_later", `shop/pay{route="/a"}`, "shop/pay"}},
		{"a service has its SLOs", IncidentFilter{Service: "shop"}, []slo.ID{"shop/pay_later", `shop/pay{route="/a"}`, "shop/pay"}},
		{"an SLO has its single budgets", IncidentFilter{SLO: "shop/pay"}, []slo.ID{`shop/pay{route="/a"}`, "shop/pay"}},
		{"a single budget has its own", IncidentFilter{SLO: `shop/pay{route="/a"}`}, []slo.ID{`shop/pay{route="/a"}`}},
		{"open ones", IncidentFilter{Open: true}, []slo.ID{"shop/pay_later", "shop/pay"}},
		{"a time has those that were open in it", IncidentFilter{From: at(150), To: at(250)}, []slo.ID{"shop/pay_later", "shop/pay"}},
		{"a limit keeps the newest", IncidentFilter{Limit: 1}, []slo.ID{"web/home"}},
	} {
		var ids []slo.ID
		for _, i := range got(db.Incidents(background, test.filter))(t) {
			ids = append(ids, i.SLO)
		}
		same(t, test.sentence, ids, test.want)
	}
	i, ok := got2(db.Incident(background, "web/home/page/60"))(t)
	if !ok || i.SLO != "web/home" || len(i.Log) != 2 {
		t.Errorf("got %+v, %v", i, ok)
	}
	if _, ok := got2(db.Incident(background, "nothing"))(t); ok {
		t.Error("found an incident that never was")
	}
}

func testSideBySide(t *testing.T, db Store) {
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := db.Incidents(background, IncidentFilter{})
				_, err2 := db.Due(background, 0)
				if err := errors.Join(err, err2); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := range 30 {
		must(t, db.Commit(background, tickAt(n, "shop/pay")))
		claimed(t, db, at(n), entryAt("shop/pay", n).Key)
	}
	must(t, db.Fold(background, nil))
	close(stop)
	readers.Wait()
}

func testReports(t *testing.T, db Store) {
	weekly := Report{Name: "weekly", Period: "2026-W47", From: at(0), To: at(10080), At: at(10090), Markdown: "# Week", Data: []byte(`{"n":1}`)}
	monthly := Report{Name: "monthly", Period: "2026-11", From: at(0), To: at(20000), At: at(20001), Markdown: "# Month"}
	must(t, db.Commit(background, Tick{Reports: []Report{weekly, monthly}}))
	weekly.Markdown = "# Week, corrected"
	must(t, db.Commit(background, Tick{Reports: []Report{weekly}}))
	r, ok := got2(db.Report(background, "weekly", "2026-W47"))(t)
	same(t, "report", r, weekly)
	if _, other := got2(db.Report(background, "weekly", "2026-W48"))(t); !ok || other {
		t.Errorf("found %v, and one that never was %v", ok, other)
	}
	var names []string
	for _, r := range got(db.Reports(background, "", 0))(t) {
		names = append(names, r.Name)
	}
	same(t, "newest first", names, []string{"monthly", "weekly"})
	same(t, "by name", len(got(db.Reports(background, "weekly", 5))(t)), 1)
}

func testEvidence(t *testing.T, db Store) {
	about := func(incident string, kind alerting.Kind, minute int, data string) Evidence {
		return Evidence{Incident: incident, Kind: kind, At: at(minute), Data: []byte(data)}
	}
	opened, escalated := about("a", alerting.Opened, 1, `{"n":1}`), about("a", alerting.Escalated, 2, `{"n":2}`)
	closed, later := about("b", alerting.Opened, 1, `{}`), about("a", alerting.Opened, 9, `{"n":9}`)
	must(t, db.Commit(background, Tick{
		Turns: []Turn{{SLO: "s/o", Incidents: []alerting.Incident{{ID: "a", SLO: "s/o", Open: true}, {ID: "b", SLO: "s/o"}}}},
	}))
	must(t, db.Commit(background, Tick{Evidence: []Evidence{opened, closed}}))
	must(t, db.Commit(background, Tick{Evidence: []Evidence{escalated, later}}))
	same(t, "of an incident", got(db.Evidence(background, "a"))(t), []Evidence{opened, escalated})
	same(t, "after a restart", got(db.Load(background))(t).Evidence, []Evidence{opened, escalated})
	same(t, "of an unknown one", len(got(db.Evidence(background, "c"))(t)), 0)
}

func testActs(t *testing.T, db Store) {
	ack := alerting.Act{Key: "ack/1", At: at(7), Kind: alerting.Acknowledge, By: "Ada", Via: "slack", Incident: "shop/pay/page/0"}
	deploy := alerting.Act{
		Key: "deploy/1", At: at(5), Kind: alerting.Changed, By: "ci", Via: "api", Service: "shop",
		Change: &alerting.Change{Kind: "deploy", Title: "v2", Start: at(5)},
	}
	must(t, db.Commit(background, Tick{Acts: []alerting.Act{ack}}))
	must(t, db.Commit(background, Tick{Acts: []alerting.Act{deploy}}))
	again := ack
	again.By = "Bob"
	var taken *TakenError
	if err := db.Commit(background, Tick{Acts: []alerting.Act{again}, Facts: map[string]string{"with": "it"}}); !errors.As(err, &taken) {
		t.Fatalf("another act by the same key: %v", err)
	}
	same(t, "what is stored", taken.Act, ack)
	same(t, "nothing else is written", len(got(db.Load(background))(t).Facts), 0)
	must(t, db.Commit(background, Tick{Acts: []alerting.Act{ack}, Facts: map[string]string{"with": "it"}})) // the same once more
	for _, c := range []struct {
		name   string
		filter ActFilter
		want   []alerting.Act
	}{
		{"no filter gives all, the newest told first", ActFilter{}, []alerting.Act{deploy, ack}},
		{"a kind", ActFilter{Kind: alerting.Changed}, []alerting.Act{deploy}},
		{"an incident", ActFilter{Incident: "shop/pay/page/0"}, []alerting.Act{ack}},
		{"a service", ActFilter{Service: "shop"}, []alerting.Act{deploy}},
		{"a time", ActFilter{From: at(6), To: at(8)}, []alerting.Act{ack}},
		{"a limit", ActFilter{Limit: 1}, []alerting.Act{deploy}},
	} {
		same(t, c.name, got(db.Acts(background, c.filter))(t), c.want)
	}
	first, known := got2(db.Act(background, "ack/1"))(t)
	same(t, "an act by its key, as it was told first", first, ack)
	_, none := got2(db.Act(background, "ack/2"))(t)
	same(t, "known", []bool{known, none}, []bool{true, false})
}

func testOddText(t *testing.T, db Store) {
	odd := "a\x00b\xffc"
	tick := tickAt(0, "shop/pay")
	e := entry(odd, outbox.Post)
	e.Channel, e.Thread = odd, odd
	tick.Owed = []outbox.Entry{e}
	tick.Facts, tick.Marks = map[string]string{odd: odd}, map[string][]byte{odd: {0}}
	tick.Acts = []alerting.Act{{Key: odd, Incident: odd, By: odd, Service: odd}}
	tick.Evidence = []Evidence{{Incident: odd, Kind: alerting.Opened, Data: []byte("\"\xff\"")}}
	tick.Reports = []Report{{Name: odd, Period: odd, Markdown: odd, Data: []byte("\"\xff\"")}}
	must(t, db.Commit(background, tick))
	header := got(db.Due(background, 0))(t)
	header = header[len(header)-1:]
	same(t, "begun", claimed(t, db, at(1), header[0].Key), []string{header[0].Key})
	must(t, db.Settle(background, odd, outbox.Result{State: outbox.Sent, Err: odd, Receipt: outbox.Receipt{Channel: odd, TS: odd}}))
	const kept = "a\uFFFDb\uFFFDc"
	same(t, "facts", pictureOf(t, db).Facts, map[string]string{kept: kept})
	same(t, "act", got(db.Acts(background, ActFilter{Incident: odd}))(t)[0].Key, "a\x00b\uFFFDc")
	same(t, "evidence", string(got(db.Evidence(background, odd))(t)[0].Data), "\"\uFFFD\"")
	if r, ok := got2(db.Report(background, odd, odd))(t); !ok || r.Markdown != kept {
		t.Errorf("report: %+v, %v", r, ok)
	}
	if o := got(db.Outbox(background, OutboxFilter{State: outbox.Sent, Thread: odd, Channel: odd}))(t); len(o) != 1 || o[0].LastErr != kept {
		t.Errorf("outbox: %+v", o)
	}
	if _, ok := got2(db.Root(background, "slack", odd))(t); !ok {
		t.Error("the root is lost")
	}
}

// No database compresses this into an index.
func longText(seed byte) string {
	b := []byte{seed}
	for len(b) < 20_000 {
		sum := sha256.Sum256(b)
		b = append(b, hex.EncodeToString(sum[:])...)
	}
	return string(b)
}

func testLongKeys(t *testing.T, db Store) {
	long := longText('a')
	other := long[:len(long)-1] + "!"
	e, f := entry(long, outbox.Post), entry(other, outbox.Post)
	e.Thread, f.Thread = long, other
	i := incidentAt("shop/pay", 0, true)
	i.ID = long
	must(t, db.Commit(background, Tick{
		Owed: []outbox.Entry{e, f, e}, Acts: []alerting.Act{{Key: long, Incident: long}, {Key: other}}, Incidents: []alerting.Incident{i},
	}))
	if own := claimed(t, db, at(1), long); len(own) != 1 || own[0] != long {
		t.Errorf("%d were begun", len(own))
	}
	must(t, db.Settle(background, long, outbox.Result{State: outbox.Sent, At: at(1)}))
	due := got(db.Due(background, 0))(t)
	if len(due) != 1 || due[0].Key != other {
		t.Errorf("%d are owed", len(due))
	}
	if ok := got(db.Owes(background, long))(t); !ok {
		t.Error("the long key is unknown")
	}
	if got, ok := got2(db.Incident(background, long))(t); !ok || got.ID != long {
		t.Error("the incident is unknown")
	}
	if acts := got(db.Acts(background, ActFilter{Incident: long}))(t); len(acts) != 1 || acts[0].Key != long {
		t.Errorf("%d acts", len(acts))
	}
	if act, ok := got2(db.Act(background, long))(t); !ok || act.Key != long {
		t.Error("the act is unknown")
	}
	must(t, db.Ask(background, Request{Key: long, Kind: "act", At: at(1), Data: []byte(`{}`)}))
	must(t, db.Commit(background, Tick{Verdicts: []Verdict{{Key: got(db.Requests(background))(t)[0].Key, At: at(2), Data: []byte(`{}`)}}}))
	if _, ok := got2(db.Verdict(background, long))(t); !ok {
		t.Error("no verdict")
	}
}

func testInbox(t *testing.T, db Store) {
	a, b := Request{Key: "a", Kind: "act", At: at(1), Data: []byte(`{"n":1}`)}, Request{Key: "b", Kind: "press", At: at(2), Data: []byte(`{}`)}
	again := a
	again.Data = []byte(`{"n":2}`)
	if _, ok := got2(db.Verdict(background, "a"))(t); ok {
		t.Error("a request that nobody made is known")
	}
	for _, r := range []Request{a, b, again} {
		must(t, db.Ask(background, r))
	}
	same(t, "asked", got(db.Requests(background))(t), []Request{a, b})
	if v, ok := got2(db.Verdict(background, "a"))(t); !ok || !v.At.IsZero() {
		t.Errorf("%v: a verdict before there is one: %+v", ok, v)
	}
	yes := Verdict{Key: "a", At: at(3), Data: []byte(`{"ok":true}`)}
	no := Verdict{Key: "a", At: at(4), Data: []byte(`{"ok":false}`)}
	for _, v := range []Verdict{yes, no} {
		must(t, db.Commit(background, Tick{Acts: []alerting.Act{{Key: "act/a"}}, Verdicts: []Verdict{v}}))
	}
	v, ok := got2(db.Verdict(background, "a"))(t)
	if !ok {
		t.Fatal("no verdict")
	}
	same(t, "verdict", v, yes)
	same(t, "open", got(db.Requests(background))(t), []Request{b})
	must(t, db.Ask(background, again)) // who asks again is answered again
	same(t, "open after another question", got(db.Requests(background))(t), []Request{b, again})
	yes.At = at(5)
	must(t, db.Commit(background, Tick{Verdicts: []Verdict{yes}}))
	must(t, db.Ask(background, Request{Key: "c", Kind: "act", At: at(6), Data: []byte(`{}`)}))
	must(t, db.Commit(background, Tick{Verdicts: []Verdict{{Key: "c", At: yes.At.Add(answersFor), Data: []byte(`{}`)}}}))
	if _, ok := got2(db.Verdict(background, "a"))(t); !ok {
		t.Error("an answer of a day ago is gone")
	}
	must(t, db.Commit(background, Tick{Verdicts: []Verdict{{Key: "d", At: yes.At.Add(answersFor + time.Second)}}}))
	if _, ok := got2(db.Verdict(background, "a"))(t); ok {
		t.Error("an old answer is kept")
	}
	same(t, "open when old answers have gone", got(db.Requests(background))(t), []Request{b})
}

func testFollower(t *testing.T, db Store) {
	fill(t, db, 0, 3)
	f, snap, err := db.Follow(background)
	must(t, err)
	follow := func() News {
		t.Helper()
		news, err := f.Next(background)
		must(t, err)
		for _, turn := range news.Turns {
			a := snap.Accounts[turn.SLO]
			if a.Ledger == nil {
				a.Ledger = new(budget.Ledger)
			}
			turn.Apply(a.Ledger)
			a.State = turn.State
			snap.Accounts[turn.SLO] = a
		}
		want := got(db.Load(background))(t)
		same(t, "accounts", len(snap.Accounts), len(want.Accounts))
		for id, a := range want.Accounts {
			same(t, string(id), slots(snap.Accounts[id].Ledger), slots(a.Ledger))
			same(t, "state of "+string(id), snap.Accounts[id].State, a.State)
		}
		same(t, "open", news.Open, want.Open)
		same(t, "facts", news.Facts, want.Facts)
		same(t, "last tick", news.LastTick, want.LastTick)
		return news
	}
	same(t, "turns without news", len(follow().Turns), 0)
	fill(t, db, 3, 20)
	same(t, "turns", len(follow().Turns), 40)
	tick := tickAt(23, "shop/new", "shop/pay")
	tick.Acts = []alerting.Act{{Key: "1", Incident: "x"}, {Key: "2"}}
	must(t, db.Commit(background, tick))
	same(t, "acts", follow().Acts, tick.Acts)
	must(t, db.Fold(background, nil)) // nothing was missed
	follow()
	fill(t, db, 24, 2)
	follow()
}

func testFollowerFolded(t *testing.T, db Store) {
	fill(t, db, 0, 3)
	f, _, err := db.Follow(background)
	must(t, err)
	fill(t, db, 3, 2)
	must(t, db.Fold(background, nil))
	for range 2 {
		if _, err := f.Next(background); !errors.Is(err, ErrBehind) {
			t.Errorf("got %v", err)
		}
		fill(t, db, 5, 1)
	}
}

func testLeads(t *testing.T, db Store) {
	term := got(db.Lead(background, nil))(t)
	if !term.Until().After(time.Now()) || term.isLost() {
		t.Errorf("leads until %s", term.Until())
	}
	must(t, db.Commit(background, tickAt(0, "shop/pay")))
	term.Resign()
	term.Resign()
	if term.Until().After(time.Now()) || !term.isLost() {
		t.Errorf("resigned, and leads until %s", term.Until())
	}
}

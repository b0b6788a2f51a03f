package store

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// twin is what the store should hold, kept naively: every slot in a map, and the ledgers as the
// engine has them.
type twin struct {
	slots   map[slo.ID]map[budget.Minute]budget.Slot
	ledgers map[slo.ID]*budget.Ledger
	states  map[slo.ID]alerting.State
	thinned map[slo.ID]budget.Minute
	now     budget.Minute
}

// TestTwin lives a random life: ticks with gaps, healed slots and backfills, folds, thinning,
// forgetting, clean and unclean restarts. Whatever the order, what is loaded is what the twin
// holds.
func TestTwin(t *testing.T) {
	dir := t.TempDir()
	lives := 0
	rapid.Check(t, func(rt *rapid.T) {
		lives++
		path := filepath.Join(dir, fmt.Sprint(lives), "slowburn.db")
		l := life{T: rt, path: path, twin: twin{
			slots:   map[slo.ID]map[budget.Minute]budget.Slot{},
			ledgers: map[slo.ID]*budget.Ledger{}, states: map[slo.ID]alerting.State{}, thinned: map[slo.ID]budget.Minute{},
			now: minute(0),
		}}
		l.open()
		defer func() { l.db.Close(); os.RemoveAll(filepath.Dir(path)) }()
		rt.Repeat(map[string]func(*rapid.T){
			"commit": l.commit, "again": l.commit, "fold": l.fold, "thin": l.thin, "forget": l.forget, "restart": l.restart, "": l.compare,
		})
	})
}

type life struct {
	*rapid.T
	twin
	path string
	db   *DB
}

var lifeIDs = []slo.ID{"a/one", "a/two", `b/three{x="1"}`}

func (l *life) open() {
	if _, err := os.Stat(l.path); err != nil {
		l.ok(os.MkdirAll(filepath.Dir(l.path), 0o700))
		l.ok(os.WriteFile(l.path, emptyStore(), 0o600))
	}
	db, err := Open(l.path, Options{CheckFor: -1})
	if err != nil {
		l.Fatal(err)
	}
	l.db = db
	_, err = db.w.Exec("pragma synchronous = off") // nobody pulls the plug here
	l.ok(err)
}

func (l *life) ok(err error) {
	if err != nil {
		l.Fatal(err)
	}
}

func (l *life) commit(t *rapid.T) {
	l.now += budget.Minute(rapid.IntRange(1, 200).Draw(t, "pause"))
	tick := Tick{At: l.now.Time()}
	for _, id := range lifeIDs {
		if rapid.Bool().Draw(t, "takes part") {
			tick.Turns = append(tick.Turns, l.turn(t, id))
		}
	}
	l.ok(l.db.Commit(background, tick))
	if rapid.Bool().Draw(t, "twice") {
		l.ok(l.db.Commit(background, tick))
	}
}

func (l *life) turn(t *rapid.T, id slo.ID) Turn {
	turn := Turn{SLO: id, State: alerting.State{Through: l.now, Missing: rapid.IntRange(0, 1).Draw(t, "missing")}}
	if rapid.Bool().Draw(t, "burning") {
		turn.State.Burn = &alerting.Open{Incident: string(id), Opened: 7}
	}
	back := rapid.SampledFrom([]int{0, 0, 0, 1, 30, 2000}).Draw(t, "back")
	for n := range rapid.IntRange(0, 5).Draw(t, "slots") {
		m := l.now - budget.Minute(back+n)
		if m < l.thinned[id] {
			continue // the engine does not write what it has thinned out
		}
		turn.Slots = append(turn.Slots, budget.SlotAt{At: m, Slot: drawSlot(t)})
	}
	if ledger := l.ledgers[id]; ledger != nil && !ledger.Empty() && rapid.IntRange(0, 9).Draw(t, "hours") == 0 {
		turn.Slots = nil // a backfill goes on where the ledger begins, towards the past
		turn.Hours = []budget.HourAt{{Hour: ledger.First().Hour() - 1, Sum: budget.Sum{Bad: 3, Total: 4000, Known: 60, BadSlots: 2, Estimated: rapid.IntRange(0, 60).Draw(t, "estimated")}}}
	}
	if rapid.IntRange(0, 3).Draw(t, "sorted") > 0 {
		slices.Reverse(turn.Slots)
	}
	turn.Slots = l.remember(turn)
	return turn
}

func drawSlot(t *rapid.T) budget.Slot {
	total := rapid.SampledFrom([]int64{0, 1, 60_000, 1 << 40}).Draw(t, "total")
	s := budget.Count(rapid.Int64Range(0, total).Draw(t, "bad"), total)
	if rapid.IntRange(0, 4).Draw(t, "unknown") == 0 {
		s = budget.Slot{State: budget.Absent}
	}
	s.Backfilled, s.Estimated = rapid.Bool().Draw(t, "backfilled"), rapid.Bool().Draw(t, "estimated")
	return s
}

// remember writes a turn into the ledger and returns the slots that it took: the engine commits no
// others.
func (l *life) remember(turn Turn) (taken []budget.SlotAt) {
	id := turn.SLO
	if l.ledgers[id] == nil {
		l.ledgers[id], l.slots[id] = new(budget.Ledger), map[budget.Minute]budget.Slot{}
	}
	l.states[id] = turn.State
	for _, s := range turn.Slots {
		if l.ledgers[id].Put(s.At, s.Slot) {
			l.slots[id][s.At] = s.Slot
			taken = append(taken, s)
		}
	}
	for _, h := range turn.Hours {
		l.ledgers[id].PutHour(h.Hour, h.Sum)
	}
	return taken
}

// fold gives some of the ledgers, and leaves the others to be read from the disk.
func (l *life) fold(t *rapid.T) {
	given := maps.Clone(l.ledgers)
	for _, id := range lifeIDs {
		if rapid.IntRange(0, 3).Draw(t, "left out") == 0 {
			delete(given, id)
		}
	}
	l.ok(l.db.Fold(background, given))
}

// thin thins the ledgers, and folds as the engine does.
func (l *life) thin(t *rapid.T) {
	for _, id := range lifeIDs {
		if ledger := l.ledgers[id]; ledger != nil && rapid.Bool().Draw(t, "thin") {
			m := l.now - budget.Minute(rapid.IntRange(0, 3000).Draw(t, "keep"))
			ledger.Thin(m)
			l.thinned[id] = max(l.thinned[id], budget.Minute(m.Hour()*60))
		}
	}
	l.ok(l.db.Fold(background, l.ledgers))
}

func (l *life) forget(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "rarely") > 0 {
		return
	}
	id := rapid.SampledFrom(lifeIDs).Draw(t, "id")
	l.ok(l.db.Forget(background, id))
	delete(l.ledgers, id)
	delete(l.slots, id)
	delete(l.states, id)
	delete(l.thinned, id)
}

func (l *life) restart(t *rapid.T) {
	if rapid.Bool().Draw(t, "copied while open") { // as after a crash: with its log, unfinished
		copied := l.path + ".copy"
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(l.path + suffix)
			l.ok(err)
			l.ok(os.WriteFile(copied+suffix, b, 0o600))
		}
		l.ok(l.db.Close())
		l.path = copied
	} else {
		l.ok(l.db.Close())
	}
	l.open()
	if rapid.Bool().Draw(t, "without loading") {
		return // the next commit must not need it
	}
	_, err := l.db.Load(background)
	l.ok(err)
}

func (l *life) compare(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "look") > 0 {
		return // a look fills the store's memory; it must do without, too
	}
	snap, err := l.db.Load(background)
	l.ok(err)
	if len(snap.Accounts) != len(l.ledgers) {
		t.Fatalf("%d accounts, want %d", len(snap.Accounts), len(l.ledgers))
	}
	for id, want := range l.ledgers {
		a := snap.Accounts[id]
		if d := diff(a.State, l.states[id]); d != "" {
			t.Fatalf("state of %s:\n%s", id, d)
		}
		held := slots(a.Ledger)
		for at := want.First(); at < want.End(); at++ { // what a ledger kept for a while may stay on the disk
			if !want.Minutes(at) {
				delete(held, at.Time().Format(time.RFC3339))
			}
		}
		if d := diff(held, slots(want)); d != "" {
			t.Fatalf("ledger of %s:\n%s", id, d)
		}
		for m, s := range l.slots[id] {
			if m >= l.thinned[id] && a.Ledger.At(m) != s {
				t.Fatalf("%s at %s is %+v, want %+v", id, m.Time(), a.Ledger.At(m), s)
			}
		}
	}
}

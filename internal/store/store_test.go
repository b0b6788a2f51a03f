package store

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// start is a Monday, at midnight.
var start = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }

func minute(n int) budget.Minute { return budget.MinuteOf(at(n)) }

func tempPath(t testing.TB) string { return filepath.Join(t.TempDir(), "data", "slowburn.db") }

func mustOpen(t testing.TB, path string, opts Options) *DB {
	t.Helper()
	db, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// emptyStore is the file of a store that was opened once: quicker to copy than to make.
var emptyStore = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "slowburn")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "empty.db")
	db, err := Open(path, Options{})
	if err != nil {
		panic(err)
	}
	db.Close()
	file, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return file
})

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// tickAt is the tick that reads minute n of the given SLOs, with one entry owed by the first.
func tickAt(n int, ids ...slo.ID) Tick {
	tick := Tick{At: at(n + 1), Facts: map[string]string{"n": fmt.Sprint(n)}, Marks: map[string][]byte{"bundle": {1, byte(n)}}}
	for i, id := range ids {
		tick.Turns = append(tick.Turns, Turn{
			SLO:   id,
			Slots: []budget.SlotAt{{At: minute(n), Slot: budget.Count(int64(n%3)*1000, int64(60+i)*1000)}},
			State: alerting.State{Through: minute(n + 1), Spent: int64(n / 10)},
		})
	}
	if len(ids) > 0 {
		tick.Turns[0].Incidents = []alerting.Incident{incidentAt(ids[0], n, n%2 == 0)}
		tick.Turns[0].Entries = []outbox.Entry{entryAt(ids[0], n)}
	}
	return tick
}

func incidentAt(id slo.ID, n int, open bool) alerting.Incident {
	e := alerting.Event{At: minute(n), SLO: id, Incident: fmt.Sprintf("%s/page/%d", id, n/5), Kind: alerting.Opened, Rule: alerting.RulePage, Severity: alerting.Page}
	i := alerting.Incident{}.Apply(e)
	if !open {
		e.Kind, e.At = alerting.Resolved, e.At+1
		i = i.Apply(e)
	}
	return i
}

func entryAt(id slo.ID, n int) outbox.Entry {
	return outbox.Entry{
		Key: fmt.Sprintf("%s/page/%d/opened/%d", id, n/5, n), Receiver: "slack", Lane: outbox.LanePage, Channel: "#oncall",
		Thread: fmt.Sprintf("%s/page/%d", id, n/5), Op: outbox.Post, Body: json.RawMessage(`{"text":"down"}`), Created: at(n),
	}
}

// slots is what a ledger says, minute by minute and hour by hour, without its own layout.
func slots(l *budget.Ledger) map[string]any {
	m := map[string]any{}
	for at := l.First(); at < l.End(); at++ {
		if s := l.At(at); s != (budget.Slot{}) {
			m[at.Time().Format(time.RFC3339)] = s
		}
	}
	for h := l.First(); h < l.End(); h += 60 {
		if sum := l.Sum(h, h+60); sum != (budget.Sum{}) {
			m[h.Time().Format("hour 2006-01-02T15")] = sum
		}
	}
	return m
}

// picture is everything a store holds, for comparison.
type picture struct {
	Ledgers map[slo.ID]map[string]any
	States  map[slo.ID]alerting.State
	Open    map[string]alerting.Incident
	Marks   map[string][]byte
	Facts   map[string]string
	Last    time.Time
	Outbox  []outbox.Owed
	All     []alerting.Incident
	Reports []Report
}

func pictureOf(t testing.TB, db Store) picture {
	t.Helper()
	ctx := context.Background()
	snap := got(db.Load(ctx))(t)
	p := picture{
		Ledgers: map[slo.ID]map[string]any{}, States: map[slo.ID]alerting.State{},
		Open: snap.Open, Marks: snap.Marks, Facts: snap.Facts, Last: snap.LastTick,
	}
	for id, a := range snap.Accounts {
		p.Ledgers[id], p.States[id] = slots(a.Ledger), a.State
	}
	p.Outbox = got(db.Outbox(ctx, OutboxFilter{}))(t)
	for i := range p.Outbox {
		p.Outbox[i].Seq = 0 // numbers may be skipped
	}
	p.All = got(db.Incidents(ctx, IncidentFilter{}))(t)
	p.Reports = got(db.Reports(ctx, "", 0))(t)
	return p
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := diff(got, want); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func diff(got, want any) string { return cmp.Diff(want, got) }

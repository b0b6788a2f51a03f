package web

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/register"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// Turns are given one at a time. Whoever waits for as many as one may, and whoever comes when many
// wait, is told so at once; nobody who waits is passed over for good.
func TestTurnsAreGivenOneAtATime(t *testing.T) {
	turns, at, most := newTurns(), atomic.Int64{}, atomic.Int64{}
	first, err := turns.await(t.Context(), "mallory")
	must(t, err)
	gone, cancel := context.WithCancel(t.Context())
	answers := make(chan error)
	queue := func(ctx context.Context, asker string) {
		want := turns.waiting() + 1
		go func() {
			leave, err := turns.await(ctx, asker)
			if err == nil {
				most.Store(max(most.Load(), at.Add(1)))
				at.Add(-1)
				leave()
			}
			answers <- err
		}()
		for turns.waiting() != want {
			runtime.Gosched()
		}
	}
	for range ownTurns - 1 {
		queue(t.Context(), "mallory")
	}
	if _, err := turns.await(t.Context(), "mallory"); !errors.Is(err, errOwnTurns) {
		t.Errorf("one more by the same: %v", err)
	}
	queue(gone, "somebody who leaves")
	for n := turns.waiting(); n < maxTurns; n++ {
		queue(t.Context(), fmt.Sprint("somebody else ", n))
	}
	if _, err := turns.await(t.Context(), "Ada"); !errors.Is(err, errNoTurn) {
		t.Errorf("one more than may wait: %v", err)
	}
	cancel()
	if err := <-answers; !errors.Is(err, errNoTurn) {
		t.Errorf("whoever leaves: %v", err)
	}
	queue(t.Context(), "Ada")
	first()
	for range maxTurns - 1 {
		if err := <-answers; err != nil {
			t.Errorf("whoever waits: %v", err)
		}
	}
	if most.Load() != 1 || turns.waiting() != 0 || len(turns.asking) != 0 {
		t.Errorf("%d at a time; %d wait afterwards, %v", most.Load(), turns.waiting(), turns.asking)
	}
}

// What is dear is worked out in turn, whatever door it is asked for by: while one is worked out,
// whoever asks is told to come again when as many wait as may, and nothing more is begun.
func TestDearAnswersTakeTurns(t *testing.T) {
	for name, ask := range map[string]struct{ path, words string }{
		"a report that was never sent": {"/api/v1/reports/weekly/2026-W40", "dear to work out"},
		"its page":                     {"/reports/weekly/2026-W40", "dear to work out"},
		"the register":                 {"/api/v1/register", "dear to work out"},
		"all budgets on one page":      {"/?all=1", "dear to work out"},
		"what the alerts can catch":    {"/slo/checkout/latency?power=1", "Ask again"},
		"the golden signals":           {"/api/v1/signals/checkout", "dear to work out"},
	} {
		s := newShop(t)
		worked := 0
		s.options.Report = func(context.Context, string, string) (store.Report, bool, error) {
			worked++
			return store.Report{Name: "weekly", Period: "2026-W40"}, true, nil
		}
		s.options.Register = func(context.Context, time.Time, time.Time) ([]register.Entry, error) { worked++; return nil, nil }
		s.options.Signals = func(context.Context, string) (ranking.Snapshot, bool) { worked++; return ranking.Snapshot{}, true }
		h := s.handler().(*front)
		var leave []func()
		for _, turns := range []*turns{h.server.dear, h.server.asks} {
			l, err := turns.await(t.Context(), "192.0.2.1")
			must(t, err)
			leave = append(leave, l)
			for range ownTurns - 1 {
				must(t, turns.stand("192.0.2.1"))
			}
		}
		get := func() *httptest.ResponseRecorder { return get(h, ask.path) }
		if w := get(); worked > 0 || !strings.Contains(w.Body.String(), ask.words) || w.Code != 429 && ask.words != "Ask again" {
			t.Errorf("%s, while others wait: %d, worked out %d times", name, w.Code, worked)
		}
		for n, turns := range []*turns{h.server.dear, h.server.asks} {
			for range ownTurns - 1 {
				turns.goAway("192.0.2.1")
			}
			leave[n]()
		}
		if w := get(); w.Code != 200 || strings.Contains(w.Body.String(), ask.words) {
			t.Errorf("%s, afterwards: %d", name, w.Code)
		}
	}
}

// waiting returns how many wait for a turn or have it.
func (t *turns) waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all
}

package outbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestNextTry(t *testing.T) {
	fail := func(c outbox.Class, after time.Duration) *outbox.Failure {
		return &outbox.Failure{Class: c, Reason: "r", After: after}
	}
	for name, c := range map[string]struct {
		failure   *outbox.Failure
		attempts  int
		age       time.Duration
		low, high time.Duration // of the wait; both zero for a dead letter
	}{
		"the first retry comes after a second":                     {fail(outbox.Retry, 0), 0, 0, time.Second, time.Second},
		"waits double":                                             {fail(outbox.Retry, 0), 3, 0, 6 * time.Second, 8 * time.Second},
		"waits grow to a minute and no further":                    {fail(outbox.Retry, 0), 1000, 0, 45 * time.Second, time.Minute},
		"Retry-After is honoured":                                  {fail(outbox.RateLimited, 30*time.Second), 0, 0, 30 * time.Second, 30 * time.Second},
		"a Retry-After of a millisecond is a second":               {fail(outbox.RateLimited, time.Millisecond), 0, 0, time.Second, time.Second},
		"a negative Retry-After is ignored":                        {fail(outbox.RateLimited, -5*time.Second), 0, 0, time.Second, time.Second},
		"a Retry-After of 122 years is five minutes":               {fail(outbox.RateLimited, math.MaxInt64), 0, 0, 5 * time.Minute, 5 * time.Minute},
		"what may have arrived is given time to arrive":            {fail(outbox.Ambiguous, 0), 0, 0, 5 * time.Second, 5 * time.Second},
		"a person is given five minutes":                           {fail(outbox.Misconfigured, 0), 0, 0, 5 * time.Minute, 5 * time.Minute},
		"an unknown answer is tried soon at first":                 {fail(outbox.Unknown, 0), 1, 0, time.Second, 2 * time.Second},
		"an unknown answer is tried slowly then":                   {fail(outbox.Unknown, 0), 3, 0, 5 * time.Minute, 5 * time.Minute},
		"a message that will never be taken is dead":               {fail(outbox.Permanent, 0), 0, 0, 0, 0},
		"a page of more than a day that still fails is dead":       {fail(outbox.Retry, 0), 9, 25 * time.Hour, 0, 0},
		"a page of less than a day is kept although misconfigured": {fail(outbox.Misconfigured, 0), 200, 23 * time.Hour, 5 * time.Minute, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			o := outbox.Owed{Entry: outbox.Entry{Key: "k", Created: noon.Add(-c.age)}, Attempts: c.attempts}
			r := outbox.NextTry(o, c.failure, noon)
			if c.high == 0 {
				if r.State != outbox.Dead {
					t.Errorf("it is %s, want dead", r.State)
				}
				return
			}
			if d := r.NextTry.Sub(noon); r.State != outbox.Pending || d < c.low || d > c.high {
				t.Errorf("%s after %s, want pending after %s to %s", r.State, d, c.low, c.high)
			}
			if again := outbox.NextTry(o, c.failure, noon); again != r {
				t.Error("the same failure leads to another time")
			}
		})
	}
}

// recorder is a receiver that writes down what it is given.
type recorder struct {
	mu   sync.Mutex
	got  []string
	hold chan struct{} // if set, deliveries wait for it
}

func (r *recorder) Deliver(_ context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	if r.hold != nil {
		<-r.hold
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, o.Key)
	if o.Op == outbox.Edit {
		return root, nil
	}
	return outbox.Receipt{Channel: "C", TS: fmt.Sprint(len(r.got))}, nil
}

func (r *recorder) Find(context.Context, []outbox.Owed, outbox.Receipt, time.Duration) (map[string][]outbox.Receipt, error) {
	return nil, outbox.ErrNoLookup
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.got, " ")
}

func entry(key, thread string, op outbox.Op, lane outbox.Lane) outbox.Entry {
	return outbox.Entry{Key: key, Receiver: "l", Lane: lane, Channel: "c", Thread: thread, Op: op, Body: json.RawMessage("{}"), Created: noon}
}

func TestOrder(t *testing.T) {
	post, edit, reply := outbox.Post, outbox.Edit, outbox.Reply
	page, ticket, resolve, report := outbox.LanePage, outbox.LaneTicket, outbox.LaneResolve, outbox.LaneReport
	for name, c := range map[string]struct {
		entries []outbox.Entry
		want    string
	}{
		"pages before tickets before ends before reports": {
			[]outbox.Entry{entry("report", "a", post, report), entry("ticket", "b", post, ticket), entry("end", "d", reply, resolve), entry("page", "c", post, page)},
			"page ticket end report",
		},
		"the oldest first within a lane": {[]outbox.Entry{entry("1", "a", post, page), entry("2", "b", post, page), entry("3", "c", post, page)}, "1 2 3"},
		"a root before its replies, the replies in order": {
			[]outbox.Entry{entry("root", "a", post, ticket), entry("r1", "a", reply, resolve), entry("r2", "a", reply, page)}, "root r1 r2",
		},
		"an escalation pulls its root along": {
			[]outbox.Entry{entry("other", "b", post, ticket), entry("root", "a", post, report), entry("escalation", "a", reply, page)},
			"root escalation other",
		},
		"of several edits the newest": {
			[]outbox.Entry{entry("root", "a", post, page), entry("e1", "a", edit, ticket), entry("e2", "a", edit, ticket), entry("e3", "a", edit, ticket)},
			"root e3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, receiver := &outboxtest.Store{}, &recorder{}
			store.Add(c.entries...)
			p := outbox.NewPump(store, map[string]outbox.Receiver{"l": receiver}, outbox.Options{})
			for i := range 10 {
				if _, err := p.Pass(t.Context(), noon.Add(time.Duration(i)*time.Second)); err != nil {
					t.Fatal(err)
				}
			}
			if receiver.String() != c.want {
				t.Errorf("sent %s, want %s", receiver, c.want)
			}
			if store.Open() != 0 {
				t.Errorf("%d entries are left", store.Open())
			}
		})
	}
}

func TestOnePostASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a pass takes no time of its own
		store, receiver := &outboxtest.Store{}, &recorder{}
		for i := range 10 {
			store.Add(entry(fmt.Sprint(i), fmt.Sprint(i), outbox.Post, outbox.LanePage))
		}
		p := outbox.NewPump(store, map[string]outbox.Receiver{"l": receiver}, outbox.Options{})
		for i := range 20 {
			_, _ = p.Pass(t.Context(), noon.Add(time.Duration(i)*250*time.Millisecond))
		}
		if n := len(strings.Fields(receiver.String())); n != 5 {
			t.Errorf("%d posts in 4.75 seconds, want 5", n)
		}
		_, _ = p.Pass(t.Context(), noon.Add(-time.Hour)) // the clock steps back
		if n := len(strings.Fields(receiver.String())); n > 6 {
			t.Errorf("%d posts: a clock that steps back gives no tokens", n)
		}
	})
}

func TestAStopLetsTheSendUnderWayFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, receiver := &outboxtest.Store{}, &recorder{hold: make(chan struct{})}
		store.Add(entry("a", "a", outbox.Post, outbox.LanePage), entry("b", "b", outbox.Post, outbox.LanePage))
		p := outbox.NewPump(store, map[string]outbox.Receiver{"l": receiver}, outbox.Options{})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait() // a is under way
		stop()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("Run returned while a send was under way")
		default:
		}
		close(receiver.hold)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := store.Get("a").State; got != outbox.Sent || receiver.String() != "a" {
			t.Errorf("a is %s, sent was %q: the one under way, and no more", got, receiver)
		}
	})
}

func TestKickWakesRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, receiver := &outboxtest.Store{}, &recorder{}
		p := outbox.NewPump(store, map[string]outbox.Receiver{"l": receiver}, outbox.Options{Every: time.Hour})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		store.Add(entry("a", "a", outbox.Post, outbox.LanePage))
		p.Kick()
		p.Kick()
		synctest.Wait()
		if receiver.String() != "a" {
			t.Error("nothing was sent after a kick")
		}
		stop()
		<-done
	})
}

func TestAnUnknownReceiverIsShownAndWaitsItsTurn(t *testing.T) {
	store := &outboxtest.Store{}
	store.Add(entry("a", "a", outbox.Post, outbox.LanePage))
	p := outbox.NewPump(store, nil, outbox.Options{})
	s, err := p.Pass(t.Context(), noon)
	if err != nil || s.Healthy() || store.Get("a").LastErr != "misconfigured: no receiver named l" {
		t.Errorf("%v %+v %q", err, s, store.Get("a").LastErr)
	}
	_, _ = p.Pass(t.Context(), noon.Add(25*time.Hour))
	if got := store.Get("a").State; got != outbox.Dead {
		t.Errorf("after a day it is %s, want dead", got)
	}
}

// TestFollowUps: what only follows up on a thread goes where that has been told, and nowhere else.
func TestFollowUps(t *testing.T) {
	post := entry("post", "a", outbox.Post, outbox.LanePage)
	end := entry("end", "a", outbox.Edit, outbox.LaneResolve)
	end.IfTold = true
	for name, c := range map[string]struct {
		before, then []outbox.Entry
		want         string
	}{
		"nothing was told: it is needless":          {nil, []outbox.Entry{end}, ""},
		"the beginning was sent: it follows":        {[]outbox.Entry{post}, []outbox.Entry{end}, "post end"},
		"the beginning still waits: it comes after": {nil, []outbox.Entry{post, end}, "post end"},
	} {
		t.Run(name, func(t *testing.T) {
			var store outboxtest.Store
			receiver := &recorder{}
			pump := outbox.NewPump(&store, map[string]outbox.Receiver{"l": receiver}, outbox.Options{})
			at := noon
			for _, entries := range [][]outbox.Entry{c.before, c.then} {
				store.Add(entries...)
				for range 3 {
					if _, err := pump.Pass(t.Context(), at); err != nil {
						t.Fatal(err)
					}
					at = at.Add(2 * time.Second)
				}
			}
			if got := receiver.String(); got != c.want || store.Open() != 0 {
				t.Errorf("sent %q, not %q; %d left", got, c.want, store.Open())
			}
		})
	}
}

// TestStoredEntriesStayReadable: what a receiver was called when it was written down.
func TestStoredEntriesStayReadable(t *testing.T) {
	var e outbox.Entry
	if err := json.Unmarshal([]byte(`{"key":"k","leg":"slack","op":"post"}`), &e); err != nil || e.Receiver != "slack" {
		t.Errorf("%+v: %v", e, err)
	}
}

package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
)

// diligent is a receiver that writes down what it is asked, and finds nothing.
type diligent struct {
	recorder
	mu    sync.Mutex
	asked []string
}

func (d *diligent) Find(_ context.Context, owed []outbox.Owed, _ outbox.Receipt, _ time.Duration) (map[string][]outbox.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range owed {
		d.asked = append(d.asked, o.Key)
	}
	return nil, nil
}

// tried is an entry of a channel that may have been sent long ago, and is to be looked up.
func tried(key, channel string, lane outbox.Lane) outbox.Entry {
	e := entry(key, key, outbox.Post, lane)
	e.Channel, e.Tried, e.Created = channel, true, noon.Add(-time.Hour)
	return e
}

// After a long downtime many ends are looked up, forty a minute. A page that comes meanwhile is
// sent before any of them in its channel is.
func TestAPageIsSentBeforeEndsAreLookedUp(t *testing.T) {
	db, receiver := &outboxtest.Store{}, &diligent{}
	p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{})
	pass(t, p, noon)
	for n := range 30 {
		db.Add(tried(fmt.Sprint("end", n), "c", outbox.LaneResolve))
	}
	db.Add(entry("page", "page", outbox.Post, outbox.LanePage))
	pass(t, p, noon.Add(time.Second))
	if receiver.String() != "page" || len(receiver.asked) > 0 {
		t.Errorf("sent %q, and looked up were %q before it", receiver, receiver.asked)
	}
	pass(t, p, noon.Add(2*time.Second))
	if len(receiver.asked) == 0 {
		t.Error("after it no end is looked up")
	}
}

// The pace of look-ups is one for all channels of a receiver. A page that has to be looked up waits
// for one turn at most, however many ends, and first copies of what was repeated, are to be looked
// up in other channels.
func TestAPageIsLookedUpBeforeWhatIsLessUrgentElsewhere(t *testing.T) {
	end := func(n int) outbox.Entry { return tried(fmt.Sprint("end", n), fmt.Sprint("c", n), outbox.LaneResolve) }
	first := func(n int) outbox.Entry {
		e := entry(fmt.Sprint("first", n), fmt.Sprint("first", n), outbox.Mend, outbox.LaneReport)
		e.Channel = fmt.Sprint("c", n)
		return e
	}
	for _, other := range []func(int) outbox.Entry{end, first} {
		for range 30 { // workers race for the turn
			db, receiver := &outboxtest.Store{}, &diligent{}
			p := outbox.NewPump(db, map[string]outbox.Receiver{"l": receiver}, outbox.Options{
				Parallel: 64, Find: outbox.Pace{Every: 2 * time.Second, Burst: 1},
			})
			for n := range 40 {
				db.Add(other(n))
			}
			pass(t, p, noon)
			db.Add(tried("page", "pages", outbox.LanePage))
			for n := range 2 {
				pass(t, p, noon.Add(time.Duration(n+1)*3*time.Second))
			}
			if !slices.Contains(receiver.asked, "page") {
				t.Errorf("looked up were %q", receiver.asked)
			}
			open := db.Open()
			for n := range 4 {
				pass(t, p, noon.Add(time.Duration(n+3)*3*time.Second))
			}
			if db.Open() > open-2 {
				t.Errorf("after it nothing else is looked up: %d wait of %d", db.Open(), open)
			}
		}
	}
}

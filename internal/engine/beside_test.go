package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// pause holds up whoever comes first to a point, until it is told to go on.
type pause struct {
	taken         atomic.Bool
	reached, goOn chan struct{}
}

func newPause() *pause {
	return &pause{reached: make(chan struct{}), goOn: make(chan struct{})}
}

func (p *pause) here() {
	if p.taken.CompareAndSwap(false, true) {
		close(p.reached)
		<-p.goOn
	}
}

// slowComposer pauses where the end of an incident is composed, and keeps what it was told of it.
type slowComposer struct {
	engine.Composer
	*pause
	ends *[]incidents.Notification
}

func (c slowComposer) Event(t incidents.Notification, shown outbox.Shown) []outbox.Entry {
	if t.Event.Kind == alerting.Resolved {
		*c.ends = append(*c.ends, t)
		c.here()
	}
	return c.Composer.Event(t, shown)
}

// slowStore pauses where ledgers are folded.
type slowStore struct {
	engine.Store
	*pause
}

func (s slowStore) Fold(ctx context.Context, ledgers map[slo.ID]*budget.Ledger) error {
	s.here()
	return s.Store.Fold(ctx, ledgers)
}

// troubled is a source that has something to say of every batch, and slowLog pauses where that is
// said: before the first budget is decided about.
type troubled struct{ engine.Source }

func (s troubled) Read(ctx context.Context, specs []*slo.Spec, now time.Time) *prom.Batch {
	b := s.Source.Read(ctx, specs, now)
	b.Problems = append(b.Problems, "some samples look odd")
	return b
}

type slowLog struct {
	slog.Handler
	*pause
}

func (l slowLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "reading" {
		l.here()
	}
	return l.Handler.Handle(ctx, r)
}

// TestAnActDoesNotWaitForATick: while a tick is at what takes long with thousands of budgets,
// somebody acknowledges what burns. That is done at once, and it is still so after the tick.
func TestAnActDoesNotWaitForATick(t *testing.T) {
	for name, hold := range map[string]func(w *world, p *pause){
		"decides": func(w *world, p *pause) {
			w.engine.Source = troubled{w.engine.Source}
			w.engine.Log = slog.New(slowLog{w.engine.Log.Handler(), p})
		},
		"composes": func(w *world, p *pause) {
			w.engine.Composer = slowComposer{w.engine.Composer, p, new([]incidents.Notification)}
		},
		"builds a report": func(w *world, p *pause) {
			w.engine.Reviews = func() []postmortem.Review { p.here(); return nil }
		},
		"folds": func(w *world, p *pause) { w.engine.Store = slowStore{w.engine.Store, p} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := t0.Add(30 * time.Minute) // 09:30 in Berlin, where a report is due at ten
			w := newWorldAt(t, start, schedule(t, "weekly", "0 10 * * MON", "Europe/Berlin"), specsOf(promise("shop")), &service{name: "shop", load: outage(50, [2]int{48, 90})})
			w.steps(28)
			open := w.engine.Snapshot().Open.All()
			if len(open) != 1 {
				t.Fatalf("%d incidents are open", len(open))
			}
			p := newPause()
			hold(w, p)
			w.tickUntil(p)
			w.ackMeanwhile(p, open[0].ID)
			w.steps(50)
			got := w.incident(open[0].ID)
			if by, ok := got.Acknowledged(); !ok || by.By != "Ada" || got.Open || w.engine.Snapshot().Open.Len() != 0 {
				t.Errorf("in the end it is open: %t, with the acts %+v", got.Open, got.Acts)
			}
			if replies := strings.Join(w.replies(), "\n"); strings.Count(replies, "Acknowledged by Ada") != 1 || strings.Count(replies, "✅") != 1 {
				t.Errorf("the thread reads\n%s", replies)
			}
			w.checkOncePerKey()
			w.checkBudgets()
		})
	}
}

// TestAnActDoesNotWaitForAReload: a reload takes out an SLO that burns. While its end is composed,
// somebody acknowledges what else burns.
func TestAnActDoesNotWaitForAReload(t *testing.T) {
	load := outage(50, [2]int{4, 60})
	w := newWorld(t, specsOf(promise("shop"), promise("till")), &service{name: "shop", load: load}, &service{name: "till", load: load})
	w.steps(15)
	gone, stays := w.engine.Snapshot().Open.InService("shop"), w.engine.Snapshot().Open.InService("till")
	if len(gone) != 1 || len(stays) != 1 {
		t.Fatalf("open: %+v and %+v", gone, stays)
	}
	p := newPause()
	w.engine.Composer = slowComposer{w.engine.Composer, p, new([]incidents.Notification)}
	done := make(chan struct{})
	w.ticking = done
	go func() {
		defer close(done)
		if err := w.reload(promise("till")); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-p.reached:
	case <-done:
		t.Fatal("the reload told no end")
	}
	w.ackMeanwhile(p, stays[0].ID)
	if got := w.incident(gone[0].ID); got.Open || got.Last.Reason != alerting.SLORemoved {
		t.Errorf("what is gone is %+v", got)
	}
	if got := w.incident(stays[0].ID); !got.Open || len(got.Acts) != 1 {
		t.Errorf("what stays is %+v", got)
	}
	if open := w.engine.Snapshot().Open; open.Len() != 1 || len(open.All()[0].Acts) != 1 {
		t.Errorf("shown as open is %+v", open.All())
	}
	w.checkOncePerKey()
}

// tickUntil makes turns, minute by minute, until one of them pauses.
func (w *world) tickUntil(p *pause) {
	w.t.Helper()
	for range 60 {
		w.pass(time.Minute)
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.engine.Tick(context.Background(), w.daemonNow())
		}()
		select {
		case <-done:
			w.deliver()
		case <-p.reached:
			w.ticking = done
			return
		}
	}
	w.t.Fatal("no tick has come there")
}

// ackMeanwhile acknowledges an incident while a tick pauses, and lets that go on.
func (w *world) ackMeanwhile(p *pause, id string) {
	w.t.Helper()
	acted := make(chan error, 1)
	go func() { acted <- w.do(alerting.Act{Key: "k", Kind: alerting.Acknowledge, By: "Ada", Incident: id}) }()
	select {
	case err := <-acted:
		if i, ok := w.engine.Snapshot().Open.Find(id); err != nil || !ok || len(i.Acts) != 1 || len(w.incident(id).Acts) != 1 {
			w.t.Errorf("acknowledged: %v, shown as %+v, stored as %+v", err, i.Acts, w.incident(id).Acts)
		}
	case <-time.After(20 * time.Second):
		w.t.Error("an act waits for the tick")
	}
	close(p.goOn)
	<-w.ticking
}

// TestWhatIsToldKnowsActsOfMeanwhile: the end of an incident is being composed when somebody
// acknowledges it. It is told with that.
func TestWhatIsToldKnowsActsOfMeanwhile(t *testing.T) {
	w, i := burning(t)
	var ends []incidents.Notification
	p := newPause()
	w.engine.Composer = slowComposer{w.engine.Composer, p, &ends}
	w.tickUntil(p)
	w.ackMeanwhile(p, i.ID)
	if len(ends) != 2 {
		t.Fatalf("the end was composed %d times", len(ends))
	}
	for n, end := range ends {
		if by, ok := end.Incident.Acknowledged(); ok != (n == 1) || ok && by.By != "Ada" {
			t.Errorf("the %d. time it was acknowledged: %t", n+1, ok)
		}
	}
	w.deliver()
	w.steps(2)
	if got := w.incident(i.ID); got.Open || len(got.Acts) != 1 || w.engine.Snapshot().Open.Len() != 0 {
		t.Errorf("in the end it is %+v", got)
	}
	w.checkOncePerKey()
}

// TestAnActDoesNotReviveWhatHasEnded: the end of an incident could not be written down yet. The
// store says that it is open; who acknowledges it then is told that it is over.
func TestAnActDoesNotReviveWhatHasEnded(t *testing.T) {
	w, i := burning(t)
	w.point = fullDisk
	for range 30 {
		if w.step(); w.engine.Snapshot().Open.Len() == 0 {
			break
		}
	}
	w.point = nil
	if !w.incident(i.ID).Open || w.engine.Snapshot().Open.Len() != 0 {
		t.Fatal("the story is none")
	}
	var refused *incidents.ActError
	if err := w.do(alerting.Act{Key: "k", Kind: alerting.Acknowledge, By: "Ada", Incident: i.ID}); !errors.As(err, &refused) || refused.Problem != incidents.ActConflict {
		t.Errorf("it was acknowledged: %v", err)
	}
	w.steps(3)
	if w.engine.Snapshot().Open.Len() != 0 || w.incident(i.ID).Open {
		t.Error("it is open again")
	}
	w.checkOncePerKey()
}

package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

// A fault of the program that shows with the figures of one budget must not end the watch over all
// others, nor keep the daemon from starting while these figures are on the disk. So what is done
// for one budget is guarded: if it panics, that budget stands still. Its minutes are written down
// all the same, its page says what happened, the log has the stack, the panic is counted, and the
// SLO is told to be one that cannot be judged.

// stops are the budgets that stand still.
type stops struct {
	log   *slog.Logger
	total int              // panics so far
	now   map[slo.ID]error // since the newest tick was written down
}

// fault is a panic in what was done for a budget, or beside them.
type fault struct {
	id    slo.ID
	panic any
	stack []byte
	back  *alerting.State // to which the budget is set back; nil leaves it
}

// guard does something for one budget, or beside them for "". It reports whether it was done; if
// not, the budget is to stand as it did before.
func (b *budgets) guard(id slo.ID, f func()) bool {
	p, stack := try(f)
	if p != nil {
		b.stop(fault{id: id, panic: p, stack: stack})
	}
	return p == nil
}

// stopAll lets budgets stand still after faults.
func (b *budgets) stopAll(faults []fault) {
	for _, f := range faults {
		b.stop(f)
	}
}

// stop lets a budget stand still after a fault.
func (b *budgets) stop(f fault) {
	b.stops.total++
	err := fmt.Errorf("slowburn has failed to evaluate it, and does so again with each new minute: %v", f.panic)
	if b.stops.now == nil {
		b.stops.now = map[slo.ID]error{}
	}
	b.stops.now[f.id] = err
	if a := b.byID[f.id]; a != nil {
		a.failed = err
		if f.back != nil {
			a.state, a.told = *f.back, nil
		}
	}
	b.stops.log.Error("panic; the other budgets go on", "slo", f.id, "panic", f.panic, "stack", string(f.stack))
}

// try does something and returns with what it panicked, nil if it did not.
func try(f func()) (p any, stack []byte) {
	defer func() {
		if p = recover(); p != nil {
			stack = debug.Stack()
		}
	}()
	f()
	return nil, nil
}

// failed adds the budgets that stand still to what could not be read, which is told.
func (s *stops) failed(batch *prom.Batch) {
	for id, err := range s.now {
		of := string(id)
		if id == "" {
			of = "slowburn"
		}
		batch.Failures = append(batch.Failures, prom.Failure{
			Bundle: of, SLOs: []slo.ID{id}, Err: &prom.Error{Kind: prom.Unusable, Op: "evaluation of " + of, Err: err},
		})
	}
	s.now = nil
}

// errStopped is shown of a budget of which nothing can be shown.
var errStopped = errors.New("its figures cannot be computed")

// figuresOf returns budgets.figures, and no figures at all where those panic.
func (b *budgets) figuresOf(a *account) (f *Figures) {
	if b.guard(a.id, func() { f = b.figures(a) }) {
		return f
	}
	if a.failed == nil { // of an SLO of which nothing was read yet
		a.failed = errStopped
	}
	f = &Figures{
		ID: a.id, Spec: a.spec, AsOf: a.state.Through.Time(), account: a, state: a.state,
		verdict: alerting.Verdict{Service: a.spec.Service, SLO: a.id, Gate: alerting.GateUnknown, Ground: alerting.Broken, Problem: a.failed.Error()},
	}
	for _, w := range a.spec.Windows {
		f.Windows = append(f.Windows, budget.Status{At: f.AsOf, From: f.AsOf, Window: w})
	}
	if len(f.Windows) == 0 {
		f.Windows = []budget.Status{{At: f.AsOf, From: f.AsOf}}
	}
	return f
}

package prom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// A read is of many bundles, and the slowest of them must not hold up what all others decide. So
// each is a task with a budget of time of its own, and there are two lanes.
//
// Whoever is new runs in the fast lane, and the read waits for it, but not longer than patience: a
// task that takes longer is cut off, keeps the pieces that it has, and runs in the slow lane from
// then on. There it has the whole timeout for each query and few places, and no read waits for it:
// what it has found is taken by the first read after it is done.

// DefaultPatience is how long a read waits for one bundle.
const DefaultPatience = 10 * time.Second

var errPatience = errors.New("it takes longer than a turn may wait")

// task is one bundle, or one expression, to be read.
type task struct {
	name string
	of   string // what is read, for people
	ids  []slo.ID
	// work may run while other things happen to the reader, so it uses only what it was made with.
	// After until it begins no further piece.
	work func(ctx context.Context, until time.Time) outcomeOf
}

// do works. A fault of the program that it shows is the task's own failure, not everybody's.
func (t task) do(ctx context.Context, until time.Time) (result outcomeOf) {
	defer func() {
		if p := recover(); p != nil {
			err := fmt.Errorf("slowburn has failed to read it: %v", p)
			result = outcomeOf{err: &Error{Kind: Unusable, Op: "reading", Err: err, Stack: debug.Stack()}}
		}
	}()
	return t.work(ctx, until)
}

// outcomeOf is what a task has found.
type outcomeOf struct {
	take func(*Batch)
	more bool // there are minutes left that could be read at once
	err  *Error
}

// job is a task in the slow lane.
type job struct {
	task
	cancel context.CancelFunc
	done   chan struct{}
	result outcomeOf     // and what it took: both are set when done is closed
	took   time.Duration // wall time
}

// lanes runs the tasks of a reader, under its lock.
type lanes struct {
	patience time.Duration
	places   int
	turn     int                // counts the runs
	begun    map[string]int     // by task: the newest run in which it began
	slow     map[string]*Error  // tasks of the slow lane: how the newest attempt failed, if it did
	running  map[string]*job    // of the slow lane
	all      sync.WaitGroup     // of the slow lane
	ctx      context.Context    //nolint:containedctx // of the slow lane, which outlives a read
	stop     context.CancelFunc // and its end
}

func newLanes(patience time.Duration) *lanes {
	l := &lanes{
		patience: cmp.Or(patience, DefaultPatience),
		begun:    map[string]int{}, slow: map[string]*Error{}, running: map[string]*job{},
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// run does the tasks in so many places and puts into the batch what is done within patience. What
// the slow lane has found since the last run goes into it first; such a task begins again only
// after the batch has been committed.
func (l *lanes) run(ctx context.Context, tasks []task, places int, out *Batch) {
	l.places = places
	l.turn++
	taken := l.collect(out)
	// Who has waited longest is first.
	slices.SortStableFunc(tasks, func(a, b task) int { return cmp.Compare(l.begun[a.name], l.begun[b.name]) })
	var fast, slow []task
	for _, t := range tasks {
		err, isSlow := l.slow[t.name]
		switch {
		case l.running[t.name] != nil:
			if err != nil {
				out.fail(t, err)
			}
		case taken[t.name]:
		case isSlow:
			slow = append(slow, t)
		default:
			fast = append(fast, t)
		}
	}
	l.start(slow, len(tasks), out)
	l.sprint(ctx, fast, out)
	out.Stats.Waiting += len(l.running)
}

// collect takes what jobs of the slow lane have found.
func (l *lanes) collect(out *Batch) (taken map[string]bool) {
	taken = map[string]bool{}
	for name, j := range l.running {
		select {
		case <-j.done:
		default:
			continue
		}
		delete(l.running, name)
		taken[name] = true
		l.slow[name] = j.result.err
		if j.result.err == nil && j.took < l.patience/2 {
			delete(l.slow, name)
		}
		out.take(j.task, j.result)
		out.Stats.Waiting++ // for the minutes since it began
	}
	return taken
}

// start begins as many tasks in the slow lane as it has places.
func (l *lanes) start(slow []task, all int, out *Batch) {
	width := l.width(len(slow)+len(l.running), all)
	for _, t := range slow {
		if err := l.slow[t.name]; err != nil { // it goes on failing until it does not
			out.fail(t, err)
		}
		if len(l.running) >= width {
			out.Stats.Waiting++
			continue
		}
		ctx, cancel := context.WithCancel(l.ctx)
		j := &job{task: t, cancel: cancel, done: make(chan struct{})}
		l.running[t.name], l.begun[t.name] = j, l.turn
		l.all.Go(func() {
			defer cancel()
			defer close(j.done)
			began := time.Now()
			j.result = t.do(ctx, began.Add(l.patience))
			j.took = time.Since(began)
		})
	}
}

// width returns how many places the slow lane may take. If most tasks are slow, then it is the
// server, and nobody is held up by a neighbour; one place is left for questions beside the reading.
func (l *lanes) width(slow, all int) int {
	if 2*slow > all {
		return max(l.places-1, 1)
	}
	return max(l.places/4, 1)
}

// sprint does the tasks of the fast lane. Those for which there was no time are first in the next
// run.
func (l *lanes) sprint(ctx context.Context, tasks []task, out *Batch) {
	end := time.Now().Add(l.patience)
	var results sync.Mutex
	side(len(tasks), l.places, func(i int) {
		t := tasks[i]
		began := time.Now()
		if began.After(end) {
			results.Lock()
			defer results.Unlock()
			out.Stats.Waiting++
			return
		}
		own, cancel := context.WithTimeoutCause(ctx, l.patience, errPatience)
		defer cancel()
		result := t.do(own, began.Add(l.patience/2))
		results.Lock()
		defer results.Unlock()
		l.begun[t.name] = l.turn
		if result.err != nil && errors.Is(context.Cause(own), errPatience) {
			result.err = &Error{
				Kind: Timeout, Op: result.err.Op, URL: result.err.URL, Err: errPatience,
				Hint: fmt.Sprintf("no answer within %s; from now on it is read beside the others", figures.Duration(l.patience)),
			}
			l.slow[t.name] = result.err
		}
		out.take(t, result)
	})
}

// forget cancels what runs in the slow lane, for its bundles are planned anew.
func (l *lanes) forget() {
	for name, j := range l.running {
		j.cancel()
		delete(l.running, name)
	}
}

// close ends the slow lane and waits until nobody is in it.
func (l *lanes) close() {
	l.stop()
	l.all.Wait()
}

// take puts the outcome of a task into the batch.
func (b *Batch) take(t task, result outcomeOf) {
	if result.take != nil {
		result.take(b)
	}
	if result.err != nil {
		b.fail(t, result.err)
	}
	if result.more {
		b.Stats.Waiting++
	}
}

func (b *Batch) fail(t task, err *Error) {
	b.Failures = append(b.Failures, Failure{Bundle: t.of, SLOs: t.ids, Err: err, task: t.name})
}

// side runs n jobs side by side, so many at a time.
func side(n, places int, job func(int)) {
	var wg sync.WaitGroup
	jobs := make(chan int)
	for range min(n, places) {
		wg.Go(func() {
			for i := range jobs {
				job(i)
			}
		})
	}
	for i := range n {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
}

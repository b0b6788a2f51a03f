package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// story is a short life with an outage from its beginning to its resolve.
func story(t testing.TB) *world {
	w := oneService(t, outage(50, [2]int{4, 7}))
	w.looks = true
	return w
}

const storyLength = 16

// told is what a story leaves behind.
type told struct {
	Incidents []alerting.Incident
	Keys      map[string]outbox.Op // of everything that was owed
	Roots     []string
}

func (w *world) told() told {
	w.t.Helper()
	out := told{Incidents: w.incidents(), Keys: map[string]outbox.Op{}, Roots: w.roots()}
	all, err := w.store.Outbox(context.Background(), store.OutboxFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range all {
		out.Keys[o.Key] = o.Op
		if o.State != outbox.Sent && o.State != outbox.Superseded {
			w.t.Errorf("%s is %s: %s", o.Key, o.State, o.LastErr)
		}
	}
	return out
}

// compare plays the story with something going wrong at the n-th step that touches the disk or
// Slack, for every n, and compares what is left with a life in which nothing did.
func compare(t *testing.T, few bool, wrong func(w *world, name string) error) {
	smooth := story(t)
	points := 0
	smooth.point = func(string) error { points++; return nil }
	smooth.steps(storyLength)
	want := smooth.told()
	if len(want.Incidents) != 1 || want.Incidents[0].Open || points < 100 {
		t.Fatalf("the story is none: %d points, %+v", points, want)
	}
	stride := 8
	switch {
	case *everyStep:
		stride = 1
	case few:
		stride = 90
	}
	for n := 0; n < points; n += stride {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w, reached, name := story(t), 0, ""
			w.point = func(at string) error {
				if reached++; reached-1 != n {
					return nil
				}
				name = at
				return wrong(w, at)
			}
			for range storyLength {
				if w.step(); w.dead {
					w.revive()
					w.engine.Tick(context.Background(), w.now())
					w.look()
					w.deliver()
				}
			}
			w.checkOncePerKey()
			if d := cmp.Diff(want, w.told()); d != "" {
				t.Errorf("after trouble at %s (-smooth +got):\n%s", name, d)
			}
			w.checkBudgets()
		})
	}
}

// TestEveryStepMayFail (law 5): an error at any step of the disk or of Slack leaves the same
// incidents and the same messages.
func TestEveryStepMayFail(t *testing.T) {
	compare(t, *lives < whole, func(_ *world, name string) error { return fmt.Errorf("%s: %w", name, syscall.EIO) })
}

// TestKillAtEveryStep (law 5, faults 1, 2, 4): kill -9 at any step, restart from what was on the
// disk.
func TestKillAtEveryStep(t *testing.T) {
	compare(t, *lives < whole, func(w *world, _ string) error { w.kill(); return errDead })
}

// TestKillAfterEveryFailure: an error at any step, and the kill at the very next one, so that
// memory cannot help.
func TestKillAfterEveryFailure(t *testing.T) {
	compare(t, *lives < whole, func(w *world, name string) error {
		w.point = func(string) error { w.point = nil; w.kill(); return errDead }
		return fmt.Errorf("%s: %w", name, syscall.ENOSPC)
	})
}

// TestCommitThatOnlySaysItFailed: every first commit takes effect and reports an error. The outbox
// has the page then, so it is not sent past it.
func TestCommitThatOnlySaysItFailed(t *testing.T) {
	w, n := story(t), 0
	w.looks = false // checkTold counts the messages of the incident itself
	w.point = func(name string) error {
		if name == "store commit.done" {
			if n++; n%2 == 1 {
				return syscall.EIO
			}
		}
		return nil
	}
	w.steps(30)
	w.checkTold()
	w.checkBudgets()
}

// TestDiskFull (fault 29): the disk is full for half an hour, in which a service breaks and
// recovers. The page goes out, health is red, and afterwards everything is on the disk and nothing
// was said twice.
func TestDiskFull(t *testing.T) {
	for name, tc := range map[string]struct {
		outage   [2]int
		full, to int
	}{
		"the outage begins and ends while the disk is full": {[2]int{15, 22}, 10, 40},
		"the outage begins while the disk is full":          {[2]int{25, 50}, 10, 40},
		"the outage ends while the disk is full":            {[2]int{5, 20}, 10, 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneService(t, outage(50, tc.outage))
			full := errors.Join(syscall.ENOSPC)
			for n := 1; n <= 70; n++ {
				w.point = nil
				isFull := n >= tc.full && n < tc.to
				if isFull {
					w.point = func(name string) error {
						if name == "slack before" || name == "slack after" {
							return nil
						}
						return full
					}
				}
				sum := w.step()
				if isFull != (sum.StoreErr != nil) {
					t.Fatalf("minute %d: the disk is full: %t, the tick says %v", n, isFull, sum.StoreErr)
				}
				if n == tc.outage[0]+5 && len(w.rootsWith("Page")) != 1 {
					t.Errorf("five minutes into the outage the channel reads %q", w.roots())
				}
			}
			got := w.told()
			if len(got.Incidents) != 1 || got.Incidents[0].Open || len(w.rootsWith("Resolved")) != 1 || len(got.Roots) != 1 {
				t.Errorf("left behind: %+v", got)
			}
			w.checkOncePerKey()
			w.checkBudgets()
			w.restart()
			w.steps(2)
			w.checkBudgets()
		})
	}
}

// TestAStopWritesDownWhatAFullDiskRefused: Prometheus cannot be reached, and an incident has ended,
// while the disk is full. There is space again, and the daemon is stopped before its next tick. The
// one after it tells neither again, and brings both messages to their ends.
func TestAStopWritesDownWhatAFullDiskRefused(t *testing.T) {
	w := oneService(t, outage(50, [2]int{5, 15}))
	w.steps(12)
	w.point = fullDisk
	w.steps(10)
	w.db.Faults.Fail(promfake.Reset())
	w.steps(8)
	if len(w.rootsWith("Resolved")) != 1 || len(w.rootsWith("🔌")) != 1 || w.pump.Summary().Unwritten == 0 {
		t.Fatalf("on the full disk the channel reads %q, %d unwritten", w.roots(), w.pump.Summary().Unwritten)
	}
	w.point = nil
	w.restart()
	if left := w.pending(); len(left) > 0 {
		t.Errorf("of what was sent %d messages are not written down as sent", len(left))
	}
	w.steps(2)
	w.db.Faults.Clear()
	w.steps(10)
	if len(w.rootsWith("✅ Resolved")) != 1 || len(w.rootsWith("✅ Prometheus")) != 1 || len(w.roots()) != 2 {
		t.Errorf("in the end the channel reads %q", w.roots())
	}
	w.checkOncePerKey()
	w.checkBudgets()
}

// brokenShops is a world of services that all break between the same two minutes.
func brokenShops(t *testing.T, n int, broken [2]int) *world {
	t.Helper()
	var specs []*slo.Spec
	var services []*service
	for i := range n {
		name := fmt.Sprint("shop", i)
		specs = append(specs, promise(name))
		services = append(services, &service{name: name, load: outage(50, broken)})
	}
	return newWorld(t, specs, services...)
}

// fullDisk refuses all that is written, and lets messages go out.
func fullDisk(name string) error {
	if strings.HasPrefix(name, "slack") {
		return nil
	}
	return syscall.ENOSPC
}

// TestAnEndThatWasToldOnAFullDiskIsNotToldAgain: the pages are on the disk, which is full when they
// end. That is told, the process is killed, and the one after it decides the ends again.
func TestAnEndThatWasToldOnAFullDiskIsNotToldAgain(t *testing.T) {
	w := brokenShops(t, 3, [2]int{4, 25})
	w.steps(10)
	w.point = fullDisk
	w.steps(20)
	told := func() (ends int) {
		for _, root := range w.slack.State().Roots(channel) {
			for _, reply := range w.slack.Thread(channel, root.TS) {
				if strings.Contains(reply.Text, "Resolved") {
					ends++
				}
			}
		}
		return ends
	}
	if n := told(); n != 3 {
		t.Fatalf("on the full disk %d of 3 ends are told: %q", n, w.roots())
	}
	w.kill()
	w.revive()
	w.point = nil
	w.steps(20)
	if n := told(); n != 3 || len(w.rootsWith("Resolved")) != 3 || len(w.roots()) != 3 || len(w.pending()) > 0 {
		t.Errorf("in the end 3 ends are told %d times, the channel reads %q, %d are owed", n, w.roots(), len(w.pending()))
	}
	w.checkOncePerKey()
	w.checkBudgets()
}

// TestAFullDiskSilencesNothing: six services break in the same minute while the disk is full, and
// Slack takes one message at a time. All six pages go out, and so do their ends; when there is
// space again each of them is on the disk, and none is said again. The same if the process is
// killed meanwhile, as far as it had decided.
func TestAFullDiskSilencesNothing(t *testing.T) {
	for name, killed := range map[string]bool{"it lives on": false, "it is killed meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := brokenShops(t, 6, [2]int{15, 25})
			w.steps(10)
			w.point = fullDisk
			w.slack.Inject(slacktest.Fault{Method: "chat.postMessage", Nth: 2, Count: 5, Do: slacktest.RateLimited(1)})
			w.slack.Inject(slacktest.Fault{Method: "chat.postMessage", Nth: 8, Do: slacktest.ResetBefore()})
			w.steps(12)
			if pages := w.rootsWith("Page"); len(pages) != 6 {
				t.Errorf("%d of 6 pages went out: %q", len(pages), w.roots())
			}
			if s := w.pump.Summary(); s.Unwritten == 0 {
				t.Errorf("nothing shows it: %+v", s)
			}
			if killed {
				w.kill()
				w.revive()
			} else {
				w.point = fullDisk
				w.steps(18)
				if ends := w.rootsWith("Resolved"); len(ends) != 6 {
					t.Errorf("%d of 6 ends were told: %q", len(ends), w.roots())
				}
			}
			w.point = nil
			w.steps(30)
			if roots, ends := w.roots(), w.rootsWith("Resolved"); len(roots) != 6 || len(ends) != 6 {
				t.Errorf("in the end the channel reads %q", roots)
			}
			if left := w.pending(); len(left) > 0 || w.pump.Summary().Unwritten > 0 {
				t.Errorf("%d are still owed, %d unwritten", len(left), w.pump.Summary().Unwritten)
			}
			w.checkOncePerKey()
			w.checkBudgets()
			w.restart()
			w.steps(2)
			w.checkOncePerKey()
			w.checkBudgets()
		})
	}
}

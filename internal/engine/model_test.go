package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/slo"
)

// reference is what the decisions must be: one walk over the true events, in one piece, from the
// zero state.
func reference(spec *slo.Spec, s *service, from, to budget.Minute) []alerting.Event {
	l := &budget.Ledger{}
	for m := from; m < to; m++ {
		l.Put(m, budget.Count(s.truth[m].Bad, s.truth[m].Total))
	}
	in := alerting.Input{ID: spec.ID(), Spec: spec, Ledger: l}
	_, events := alerting.Advance(in, alerting.State{Through: from}, to)
	return events
}

// checkReference compares the incidents in the store with the reference, event by event.
func (w *world) checkReference() []alerting.Incident {
	w.t.Helper()
	var want []alerting.Incident
	for n, s := range w.services {
		var from, to budget.Minute
		w.engine.Snapshot().WithLedger(w.set.Specs[n].ID(), func(_ *slo.Spec, l *budget.Ledger) { to = l.End() })
		from = budget.MinuteOf(t0) + 1
		want = append(want, alerting.Fold(nil, reference(w.set.Specs[n], s, from, to))...)
	}
	got := map[string]alerting.Incident{}
	for _, i := range w.incidents() {
		i.Group = "" // where it is told is decided among budgets
		got[i.ID] = i
	}
	wanted := map[string]alerting.Incident{}
	for _, i := range want {
		wanted[i.ID] = i
	}
	if d := cmp.Diff(wanted, got, whenDecided); d != "" {
		w.t.Errorf("live and reference differ (-reference +live):\n%s", d)
	}
	return want
}

// TestLiveEqualsBacktest (laws 1 and 10): three days, all rules, ticks of a minute or of an hour,
// restarts and outages of Prometheus in between: the same incidents as one walk over the same
// events.
func TestLiveEqualsBacktest(t *testing.T) {
	for seed := range uint64(2) {
		if sampled(int(seed), 2) {
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 10))
			spec := promise("shop")
			spec.Alerts.Ticket = []slo.Pair{{Budget: 100, Long: 2 * time.Hour, Short: 10 * time.Minute}}
			spec.Alerts.Spent = []int64{5000, 7500, 9000, 10000}
			w := newWorld(t, specsOf(spec), &service{name: "shop", load: bumpy(seed)})
			w.step()
			for end := t0.Add(72 * time.Hour); w.now().Before(end); {
				switch rng.IntN(12) {
				case 0:
					w.restart()
				case 1:
					w.db.Faults.Fail(promfake.Reset())
					w.pass(time.Duration(rng.IntN(90)) * time.Minute)
					w.step()
					w.db.Faults.Clear()
				case 2:
					w.steps(5)
				}
				w.pass(time.Duration(rng.IntN(20)) * time.Minute)
				w.step()
			}
			if is := w.checkReference(); len(is) < 5 {
				t.Errorf("only %d incidents: nothing was tested", len(is))
			}
			w.checkBudgets()
		})
	}
}

// bumpy is a service whose failures come in waves of every height and length.
func bumpy(seed uint64) func(budget.Minute) (int, int) {
	return func(m budget.Minute) (int, int) {
		hour := rand.New(rand.NewPCG(seed, uint64(m/97)))
		share, length := hour.Float64(), hour.IntN(40)
		if hour.IntN(2) > 0 || int(m%97) >= length {
			share = 0.002
		}
		bad := 0
		minute := rand.New(rand.NewPCG(seed, uint64(m)<<20))
		for range 40 {
			if minute.Float64() < share*share {
				bad++
			}
		}
		return 40 - bad, bad
	}
}

// life is a random life of the model checker: what happens when, in minutes after t0.
type life struct {
	seed    uint64
	outages [][2]int
	rng     *rand.Rand
	log     []string
}

const (
	lifeLength = 240
	calm       = 75 // minutes at the end in which nothing goes wrong, for everything to be told
)

// newLife draws outages that are far enough apart to be told apart, and not to be taken for one
// that flaps.
func newLife(seed uint64) *life {
	l := &life{seed: seed, rng: rand.New(rand.NewPCG(seed, 77))}
	for at := 5 + l.rng.IntN(40); at < lifeLength; {
		length := 1 + l.rng.IntN(25)
		l.outages = append(l.outages, [2]int{at, at + length})
		at += length + 40 + l.rng.IntN(60)
	}
	return l
}

// trouble is something that lasts for a while.
type trouble struct {
	name       string
	begin, end func(w *world, l *life)
}

var promTroubles = []promfake.Failure{
	promfake.Reset(), promfake.Status(500), promfake.Status(422), promfake.HTML(200), promfake.Truncated(),
	promfake.Values("NaN"), promfake.Partial(1, "a part"), promfake.ErrorBody("timeout", "no"), promfake.Cut(),
}

var slackTroubles = []slacktest.Effect{
	slacktest.ServerError(500), slacktest.Commit(slacktest.ServerError(503)), slacktest.ResetBefore(), slacktest.ResetAfter(),
	slacktest.Truncated(), slacktest.EmptyObject(), slacktest.RetryAfter("abc"), slacktest.RateLimited(20),
	slacktest.APIError("internal_error"), slacktest.FatalErrorPosted(), slacktest.APIError("is_archived"),
}

var troublesOfLife = []trouble{
	{
		"prometheus", func(w *world, l *life) { w.db.Faults.Fail(promTroubles[l.rng.IntN(len(promTroubles))]) },
		func(w *world, _ *life) { w.db.Faults.Clear() },
	},
	{"slack", func(w *world, l *life) {
		// Looking up works: while it does not, nobody can know what arrived, and the outbox rather
		// repeats itself.
		w.slack.Inject(slacktest.Fault{Count: -1, When: notLookUp, Do: slackTroubles[l.rng.IntN(len(slackTroubles))]})
	}, func(w *world, _ *life) { w.slack.ClearFaults() }},
	{"disk", func(w *world, l *life) {
		w.point = func(name string) error {
			if strings.HasPrefix(name, "store") && l.rng.IntN(3) == 0 {
				return syscall.ENOSPC
			}
			return nil
		}
	}, func(w *world, _ *life) { w.point = nil }},
	{"kills", func(w *world, l *life) {
		w.point = func(string) error {
			if l.rng.IntN(10) == 0 {
				w.kill()
				return errDead
			}
			return nil
		}
	}, func(w *world, _ *life) { w.point = nil }},
	{
		"clock", func(w *world, l *life) { w.wrong = time.Duration(l.rng.IntN(96)-48) * time.Hour },
		func(w *world, _ *life) { w.wrong = 0 },
	},
	{"away", func(w *world, l *life) { w.pass(time.Duration(l.rng.IntN(40)) * time.Minute) }, func(*world, *life) {}},
}

// live plays the life. At most one trouble goes on at a time, or two of Prometheus, Slack and the
// daemon.
func (l *life) live(w *world) {
	w.step()
	minute := func() int { return int(w.now().Sub(t0) / time.Minute) }
	for minute() < lifeLength {
		first := troublesOfLife[l.rng.IntN(len(troublesOfLife))]
		second := troublesOfLife[l.rng.IntN(2)]
		l.log = append(l.log, fmt.Sprintf("%d: %s and %s", minute(), first.name, second.name))
		first.begin(w, l)
		second.begin(w, l)
		for range 1 + l.rng.IntN(20) {
			l.step(w)
		}
		first.end(w, l)
		second.end(w, l)
		if l.rng.IntN(3) == 0 {
			w.restart()
		}
		for range l.rng.IntN(15) {
			l.step(w)
		}
	}
	w.steps(calm)
}

func (l *life) step(w *world) {
	if w.step(); w.dead {
		l.log = append(l.log, fmt.Sprintf("killed at %s", w.now().Format("15:04")))
		w.revive()
	}
}

// TestRandomLives is a small model checker. A seed that fails is replayed with -seed and -lives=1.
func TestRandomLives(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*lives); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			l := newLife(seed)
			w := oneService(t, outage(50, l.outages...))
			l.live(w)
			l.check(w)
			if t.Failed() {
				t.Logf("replay with: go test ./internal/engine -run TestRandomLives -seed %d -lives 1\noutages %v\n%s\nthe channel reads %q", seed, l.outages, strings.Join(l.log, "\n"), w.roots())
			}
		})
	}
}

// check asks for everything that must hold after any life.
func (l *life) check(w *world) {
	w.checkBudgets()
	w.checkOncePerKey()
	incidents := w.checkReference()
	l.checkAgainstOutages(w, incidents)
	told := map[string]int{}
	for _, m := range w.slack.State().Roots(channel) {
		if m.Metadata == nil {
			continue
		}
		told[fmt.Sprint(m.Metadata.Payload["incident"])]++
		if !strings.HasPrefix(m.Text, "✅") && !strings.HasPrefix(m.Text, "🕓") {
			w.t.Errorf("a root is left at %q", m.Text)
		}
	}
	for _, i := range incidents {
		if told[i.ID] != 1 {
			w.t.Errorf("%s has %d root messages", i.ID, told[i.ID])
		}
		delete(told, i.ID)
	}
	for id, n := range told {
		if !strings.HasPrefix(id, "notice/") || n != 1 {
			w.t.Errorf("%d root messages for %s, which never was", n, id)
		}
	}
	for _, o := range w.pending() {
		w.t.Errorf("still owed: %s: %s", o.Key, o.LastErr)
	}
}

// detection is after how many minutes of a total outage a page must have been decided.
const detection = 4

// checkAgainstOutages: every outage that lasts has its page, and no page is without one.
func (l *life) checkAgainstOutages(w *world, incidents []alerting.Incident) {
	found := map[string]bool{}
	for _, o := range l.outages {
		from, to := t0.Add(time.Duration(o[0])*time.Minute), t0.Add(time.Duration(o[1])*time.Minute)
		paged := false
		for _, i := range incidents {
			if i.Onset.Equal(from) && i.Ended.Equal(to) && i.TimeToDetect() <= detection*time.Minute && i.Resolved.After(to) {
				paged, found[i.ID] = true, true
			}
		}
		if over := to.Before(w.now().Add(-15 * time.Minute)); over && o[1]-o[0] >= detection && !paged {
			w.t.Errorf("nobody was paged for the outage from %s to %s", from, to)
		}
	}
	for _, i := range incidents {
		if !found[i.ID] && !i.Open {
			w.t.Errorf("a page without an outage: %+v", i)
		}
	}
}

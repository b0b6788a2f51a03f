package alerting

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// told walks a ledger with acts and writes what happened as "+minute kind severity reason".
func told(spec *slo.Spec, l *budget.Ledger, acts ...Act) []string {
	_, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l, Acts: acts}, State{Through: start - 60}, l.End())
	var out []string
	for _, e := range events {
		if e.Reason != StillBurning && e.Kind != Noticed {
			out = append(out, fmt.Sprintf("+%d %s %s %s", e.At-start, e.Kind, e.Severity, e.Reason))
		}
	}
	return out
}

func TestWhatPeopleDoMovesTheMachine(t *testing.T) {
	outage := func() (*slo.Spec, *budget.Ledger) {
		spec := workbookSpec(t, "99.9", []slo.Pair{fast}, []slo.Pair{day})
		spec.Slack.Escalate.After = 15 * time.Minute
		return spec, incident(1, 60, 60)
	}
	slowly := func() (*slo.Spec, *budget.Ledger) {
		spec := workbookSpec(t, "99.9", []slo.Pair{fast}, []slo.Pair{day})
		return spec, incident(0.01, 600, 60)
	}
	act := func(minute int, kind ActKind, with ...func(*Act)) func(incident string) Act {
		return func(incident string) Act {
			a := Act{Key: fmt.Sprint(kind, minute), Kind: kind, By: "Ada", At: start.Time().Add(time.Duration(minute)*time.Minute + 20*time.Second), Incident: incident}
			for _, f := range with {
				f(&a)
			}
			return a
		}
	}
	to := func(s Severity) func(*Act) { return func(a *Act) { a.Level = s } }
	until := func(minute int) func(*Act) {
		return func(a *Act) { a.Until = start.Time().Add(time.Duration(minute) * time.Minute) }
	}
	of := func(key string) func(*Act) { return func(a *Act) { a.Other = key } }
	for name, c := range map[string]struct {
		life func() (*slo.Spec, *budget.Ledger)
		acts []func(string) Act
		want string
	}{
		"nobody takes the page: three reminders and no more": {
			outage, nil,
			"+0 opened page burn_high; +15 updated page unacknowledged; +30 updated page unacknowledged; +45 updated page unacknowledged; +64 resolved page burn_low",
		},
		"somebody takes it after the first": {
			outage,
			[]func(string) Act{act(20, Acknowledge)},
			"+0 opened page burn_high; +15 updated page unacknowledged; +64 resolved page burn_low",
		},
		"somebody takes it and gives it back": {
			outage,
			[]func(string) Act{act(10, Acknowledge), act(20, Undo, of("acknowledge10"))},
			"+0 opened page burn_high; +30 updated page unacknowledged; +45 updated page unacknowledged; +64 resolved page burn_low",
		},
		"a silence puts the reminders off": {
			outage,
			[]func(string) Act{act(10, Silence, until(40))},
			"+0 opened page burn_high; +39 updated page silence_over; +54 updated page unacknowledged; +64 resolved page burn_low",
		},
		"a silence until the budget recovers": {
			outage,
			[]func(string) Act{act(10, Silence)},
			"+0 opened page burn_high; +64 resolved page burn_low",
		},
		"a page is made a ticket, and stays one": {
			outage,
			[]func(string) Act{act(10, Escalate, to(Ticket))},
			"+0 opened page burn_high; +10 updated ticket person; +64 resolved ticket burn_low",
		},
		"and is made a page again": {
			outage,
			[]func(string) Act{act(10, Escalate, to(Ticket)), act(20, Escalate, to(Page))},
			"+0 opened page burn_high; +10 updated ticket person; +20 escalated page person; +35 updated page unacknowledged; +50 updated page unacknowledged; +64 resolved page burn_low",
		},
		"taking that back": {
			outage,
			[]func(string) Act{act(10, Escalate, to(Ticket)), act(20, Undo, of("escalate10"))},
			"+0 opened page burn_high; +10 updated ticket person; +20 escalated page person; +35 updated page unacknowledged; +50 updated page unacknowledged; +64 resolved page burn_low",
		},
		"a ticket is made a page": {
			slowly,
			[]func(string) Act{act(500, Escalate, to(Page))},
			"+432 opened ticket burn_high; +500 escalated page person; +604 updated page errors_stopped",
		},
		"an act on another incident is not ours": {
			outage,
			[]func(string) Act{act(10, Acknowledge, func(a *Act) { a.Incident = "x" })},
			"+0 opened page burn_high; +15 updated page unacknowledged; +30 updated page unacknowledged; +45 updated page unacknowledged; +64 resolved page burn_low",
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec, l := c.life()
			_, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, State{Through: start - 60}, l.End())
			var acts []Act
			for _, f := range c.acts {
				acts = append(acts, f(events[0].Incident))
			}
			if d := cmp.Diff(strings.Split(c.want, "; "), told(spec, l, acts...)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestARuleBreaksWhatAPersonSaidBefore(t *testing.T) {
	// A slow burn that is a ticket, which somebody silences and calls a ticket, turns into an
	// outage.
	spec := fullSpec(t)
	l := incident(0.005, 1000, 0)
	for m := l.End(); m < start+1100; m++ {
		l.Put(m, budget.Count(rate*budget.Unit/2, rate*budget.Unit))
	}
	in := Input{ID: spec.ID(), Spec: spec, Ledger: l}
	_, events := Advance(in, State{Through: start - 60}, l.End())
	at := events[0].Time().Add(time.Minute)
	in.Acts = []Act{
		{Key: "1", Kind: Escalate, Level: Page, At: at, Incident: events[0].Incident, SLO: spec.ID()},
		{Key: "2", Kind: Escalate, Level: Ticket, At: at.Add(time.Minute), Incident: events[0].Incident, SLO: spec.ID()},
		{Key: "3", Kind: Silence, At: at.Add(2 * time.Minute), Incident: events[0].Incident, SLO: spec.ID()},
	}
	_, events = Advance(in, State{Through: start - 60}, l.End())
	i := Fold(nil, events)[0]
	for _, a := range in.Acts {
		i = i.Take(a)
	}
	if i.Loud() != Page || i.Escalated.IsZero() {
		t.Fatalf("it is a %s", i.Loud())
	}
	if _, silent := i.Silenced(i.Escalated.Add(-time.Minute)); !silent {
		t.Error("the ticket was not silent")
	}
	if _, silent := i.Silenced(i.Escalated); silent {
		t.Error("the page is silent, although only the ticket was silenced")
	}
}

// A service that flaps is two incidents: one that ends when it first may, and one that stays open
// until the flapping ends.
func TestFlappingIsNotManyIncidents(t *testing.T) {
	for _, c := range []struct {
		bad, good, share int // minutes of either, and how many in a thousand fail
		pairs            []slo.Pair
	}{
		{5, 5, 1000, []slo.Pair{fast}},
		{5, 5, 100, []slo.Pair{fast, slow}},
		{1, 1, 30, []slo.Pair{fast}},
		{2, 8, 300, []slo.Pair{fast}},
		{30, 30, 1000, []slo.Pair{fast, slow}},
		{20, 20, 50, []slo.Pair{fast, slow}},
		{10, 20, 300, []slo.Pair{fast}},
	} {
		spec := workbookSpec(t, "99.9", c.pairs, nil)
		l := &budget.Ledger{}
		for m := start - 1440; m < start+600; m++ {
			bad := int64(0)
			if k := int(m - start); k >= 0 && k%(c.bad+c.good) < c.bad && k < 480 {
				bad = rate * int64(c.share)
			}
			l.Put(m, budget.Count(bad, rate*budget.Unit))
		}
		_, events := Advance(Input{ID: spec.ID(), Spec: spec, Ledger: l}, State{Through: start - 60}, l.End())
		incidents := Fold(nil, events)
		if n := len(incidents); n == 0 || n > 2 {
			t.Errorf("%d minutes bad, %d good, %d ‰, %d pairs: %d incidents in eight hours", c.bad, c.good, c.share, len(c.pairs), n)
		}
		for n, i := range incidents {
			if i.Open || n > 0 && i.First.Follows != incidents[n-1].ID {
				t.Errorf("%s follows %q, open: %v", i.ID, i.First.Follows, i.Open)
			}
		}
	}
}

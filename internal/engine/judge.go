package engine

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// story is what one turn of one budget came to, before it is told.
type story struct {
	incidents.Turn
	turn   store.Turn
	before alerting.State // of the budget
}

// judge decides about budgets: by what is in their ledgers, and by what people did as the book has
// it. What it decides is told by a [teller].
type judge struct {
	*budgets
	book incidents.Book
}

func (m *memory) judge() judge { return judge{m.budgets, m.book} }

// facing returns what a decision about an account may look at.
func (j judge) facing(a *account) alerting.Input {
	in := j.input(a)
	in.Acts = j.book.ActsOn(a.id)
	return in
}

// turn writes a reading into a ledger and advances the state machine over it.
func (j judge) turn(a *account, reading prom.Reading) story {
	s := story{turn: store.Turn{SLO: a.id}, before: a.state}
	var to budget.Minute
	written := j.guard(a.id, func() { to = j.record(a, reading, &s.turn) })
	in := j.facing(a)
	if written { // what decides and what is told and shown look at the same windows
		now := in
		now.Ledger = j.memo.Over(a.ledger)
		j.guard(a.id, func() {
			state, events := alerting.Advance(now, a.state, to)
			a.state, s.Events = state, events
		})
		_, _ = try(func() { a.told = incidents.FiguresAt(now, a.state, a.state.Through) })
	}
	s.turn.State = a.state
	s.Budget = incidents.Budget{Input: in, State: a.state, Measured: true, Wait: j.waitOf(a.spec, a.id), Figures: a.told}
	return s
}

// journey advances a journey over what its steps have just learned, and adds its reading. It
// returns nothing if nothing is new.
func (j judge) journey(of *slo.Spec, readings map[slo.ID]prom.Reading) []story {
	reading := j.derive(of, readings)
	if len(reading.Slots) == 0 {
		return nil
	}
	var turn store.Turn
	if j.byID[of.ID()] == nil { // live from the newest minute on; what is older is no news
		reading.Slots = reading.Slots[len(reading.Slots)-1:]
		a, _ := j.read(of.ID(), reading)
		turn = j.takeHistory(a, everything(budget.ComposeAll(of.SLI.Journey, j.stepsOf(of))))
	}
	readings[of.ID()] = reading
	live := j.turn(j.byID[of.ID()], reading)
	live.turn.Slots, live.turn.Hours = append(turn.Slots, live.turn.Slots...), turn.Hours
	return []story{live}
}

// rewound takes a budget back to a minute. It changes nothing yet.
func (j judge) rewound(a *account, to budget.Minute) story {
	in := j.facing(a)
	state, events := alerting.Rewind(in, a.state, to)
	turn := store.Turn{SLO: a.id, State: state}
	a.ledger.Gross().Each(to, a.ledger.End(), func(m budget.Minute, s budget.Slot) bool {
		if s.State != budget.Unseen {
			turn.Slots = append(turn.Slots, budget.SlotAt{At: m})
		}
		return true
	})
	return story{incidents.Turn{Budget: incidents.Budget{Input: in, State: a.state, Measured: true}, Events: events}, turn, a.state}
}

// removed ends what is open for SLOs that are gone. It changes nothing yet.
func (j judge) removed(gone []*account) (all []story) {
	for _, a := range gone {
		in := j.facing(a)
		all = append(all, story{
			incidents.Turn{Budget: incidents.Budget{Input: in, State: a.state}, Events: alerting.Remove(in, a.state, a.state.Through-1)},
			store.Turn{SLO: a.id, State: alerting.State{Through: a.state.Through}},
			a.state,
		})
	}
	return all
}

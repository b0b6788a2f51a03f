package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// A journey has no queries. Whenever a minute of a step is written, read or healed, the same minute
// of the journey is derived, as soon as every step has it. From there on it is an SLO like any
// other: its slots are kept in the same commit as those they were made of, and its ledger is what
// alerts look at.

// stepsOf returns the ledgers of a journey's steps; nil if one has none yet.
func (b *budgets) stepsOf(j *slo.Spec) []*budget.Ledger {
	var all []*budget.Ledger
	for _, step := range j.SLI.Journey.Steps {
		a := b.byID[step.SLO]
		if a == nil {
			return nil
		}
		all = append(all, a.ledger)
	}
	return all
}

// derive makes the minutes of a journey, or the hours where a step keeps no minutes, of which a
// step has just learned something. Minutes that some step has not read yet are left for later.
func (b *budgets) derive(j *slo.Spec, readings map[slo.ID]prom.Reading) (out prom.Reading) {
	steps := b.stepsOf(j)
	if steps == nil {
		return out
	}
	own := &budget.Ledger{}
	if a := b.byID[j.ID()]; a != nil {
		own = a.ledger.Gross()
	}
	minutes, hours := touched(j, readings)
	for _, m := range slices.Sorted(maps.Keys(minutes)) {
		s, kept := budget.ComposeAt(j.SLI.Journey, steps, m)
		switch {
		case !kept:
			hours[m.Hour()] = true
		case s.State != budget.Unseen && s != own.At(m):
			out.Slots = append(out.Slots, budget.SlotAt{At: m, Slot: s})
		}
	}
	for _, h := range slices.Sorted(maps.Keys(hours)) {
		if sum := budget.ComposeHourAt(j.SLI.Journey, steps, h); sum != (budget.Sum{}) {
			out.Hours = append(out.Hours, budget.HourAt{Hour: h, Sum: sum})
		}
	}
	return out
}

// touched finds every minute and hour that the readings write in a step of the journey.
func touched(j *slo.Spec, readings map[slo.ID]prom.Reading) (minutes map[budget.Minute]bool, hours map[int64]bool) {
	minutes, hours = map[budget.Minute]bool{}, map[int64]bool{}
	for _, step := range j.SLI.Journey.Steps {
		for _, s := range readings[step.SLO].Slots {
			minutes[s.At] = true
		}
		for _, h := range readings[step.SLO].Hours {
			hours[h.Hour] = true
		}
	}
	return minutes, hours
}

// everything reads a whole ledger.
func everything(l *budget.Ledger) (out prom.Reading) {
	l.Each(l.First(), l.End(), func(m budget.Minute, s budget.Slot) bool {
		if s.State != budget.Unseen {
			out.Slots = append(out.Slots, budget.SlotAt{At: m, Slot: s})
		}
		return true
	})
	for m := l.First(); m < min(l.Fine(), l.End()); m += 60 {
		out.Hours = append(out.Hours, budget.HourAt{Hour: m.Hour(), Sum: l.Sum(m, m+60)})
	}
	return out
}

// journeysHistory derives the past of journeys from what has just been read of their steps'. What a
// journey already has stays: it was derived under the terms of its time.
func (b *budgets) journeysHistory(readings map[slo.ID]prom.Reading) (all []store.Turn) {
	for _, j := range b.set.Journeys() {
		a := b.byID[j.ID()]
		if a == nil {
			continue
		}
		reading, own := b.derive(j, readings), a.ledger.Gross()
		reading.Slots = slices.DeleteFunc(reading.Slots, func(s budget.SlotAt) bool { return own.At(s.At).State != budget.Unseen })
		reading.Hours = slices.DeleteFunc(reading.Hours, func(h budget.HourAt) bool {
			return own.Sum(budget.Minute(h.Hour*60), budget.Minute(h.Hour*60+60)) != budget.Sum{}
		})
		if turn := b.takeHistory(a, reading); len(turn.Slots)+len(turn.Hours) > 0 {
			readings[j.ID()] = reading
			all = append(all, turn)
		}
	}
	return all
}

// failJourneys says of journeys that they cannot be derived while a step cannot be read.
func (b *budgets) failJourneys() {
	for _, j := range b.set.Journeys() {
		for _, step := range j.SLI.Journey.Steps {
			a, s := b.byID[j.ID()], b.byID[step.SLO]
			if a != nil && s != nil && s.failed != nil {
				a.failed = fmt.Errorf("the step %s: %w", step.SLO, s.failed)
				break
			}
		}
	}
}

// Journey is how the steps of a journey stand.
type Journey struct {
	Over   time.Duration // of what Recent sums up
	Steps  []StepState   // in the file's order
	Worst  int           // index of the step with the highest recent share of bad events; -1 if none is bad
	Bounds budget.Bounds // of the bad events in the first window; zero for a weighted mean, which has none
}

// StepState is how one step of a journey stands.
type StepState struct {
	slo.Step
	Spec   *slo.Spec
	Sum    budget.Sum // over the journey's first window
	Recent budget.Sum
	Data   string // state of the newest minute
	Open   []string
}

// journey returns how the steps of a journey stand; nil for what is none. The ledgers are as
// measured, since the journey is derived from that.
func (b *budgets) journey(a *account) *Journey {
	ledgers := []*budget.Ledger(nil)
	if a.spec.SLI.Kind == slo.Composed {
		ledgers = b.stepsOf(a.spec)
	}
	if ledgers == nil {
		return nil
	}
	j, at := &Journey{Over: a.spec.Alerts.Shortest()}, a.state.Through
	from := budget.MinuteOf(a.spec.Window().Start(at.Time()))
	var recent []budget.Sum
	for i, step := range a.spec.SLI.Journey.Steps {
		l := ledgers[i].Gross()
		s := StepState{
			Step: step, Spec: b.set.Lookup(step.SLO), Data: l.At(at - 1).State.String(),
			Sum: l.Sum(from, at), Recent: l.Sum(at-budget.Minutes(j.Over), at),
		}
		j.Steps, recent = append(j.Steps, s), append(recent, s.Recent)
	}
	j.Worst = budget.WorstOf(recent)
	if a.spec.SLI.Journey.Combine != slo.Weighted {
		j.Bounds = budget.BoundsOver(a.ledger, ledgers, from, at)
	}
	return j
}

// openSteps adds to the steps of a journey what is open on them; nil stays nil.
func openSteps(b incidents.Book, j *Journey) *Journey {
	if j == nil {
		return nil
	}
	now := *j
	now.Steps = slices.Clone(j.Steps)
	for n := range now.Steps {
		now.Steps[n].Open = nil
		for _, i := range b.OnBudget(now.Steps[n].SLO) {
			now.Steps[n].Open = append(now.Steps[n].Open, i.ID)
		}
	}
	return &now
}

// journeysAbove finds for each step the journeys that it is in, however deep.
func journeysAbove(set *slo.Set) map[slo.ID][]slo.ID {
	above := map[slo.ID][]slo.ID{}
	var climb func(at *slo.Spec, top slo.ID)
	climb = func(at *slo.Spec, top slo.ID) {
		if at == nil || at.SLI.Kind != slo.Composed {
			return
		}
		for _, step := range at.SLI.Journey.Steps {
			above[step.SLO] = append(above[step.SLO], top)
			climb(set.Lookup(step.SLO), top)
		}
	}
	for _, j := range set.Journeys() {
		climb(j, j.ID())
	}
	return above
}

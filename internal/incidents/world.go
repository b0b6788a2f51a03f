package incidents

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// World is what the book asks about the budgets that incidents and acts are on. Its ledgers are
// only read.
type World interface {
	// Set returns the SLOs in force.
	Set() *slo.Set
	// Budget returns a budget, or a service as a whole, whose ledger is empty. It returns false for
	// what the files do not name any more.
	Budget(id slo.ID) (Budget, bool)
	// InService lists the measured budgets of a service.
	InService(name string) []Budget
	// Together reports whether what is told of two budgets reaches the same people in the same
	// places, so that it can stand in one thread.
	Together(a, b Budget) bool
}

// Budget is what the book may look at of a budget.
type Budget struct {
	alerting.Input // from a World it has no acts: those are in the book
	State          alerting.State
	Measured       bool           // its SLO is in force, and minutes of it have been read
	Wait           sentences.Wait // what its minutes wait for
	// Figures are what it comes to at the end of a minute, where that has been computed; nil if
	// not.
	Figures *Figures
}

// Figures are what a budget comes to at the end of a minute.
type Figures struct {
	At        budget.Minute
	Status    budget.Status // of its first window
	Outlook   budget.Outlook
	Standings []alerting.Standing
}

// FiguresAt computes what a budget comes to.
func FiguresAt(in alerting.Input, st alerting.State, at budget.Minute) *Figures {
	now := in.StatusAt(at)
	return &Figures{At: at, Status: now, Outlook: alerting.Outlook(in, now, st.Burnt()...), Standings: alerting.Standings(in, st, at)}
}

// figuresAt returns the figures that are known, or computes those of another minute.
func (b Budget) figuresAt(at budget.Minute) *Figures {
	if b.Figures != nil && b.Figures.At == at {
		return b.Figures
	}
	return FiguresAt(b.Input, b.State, at)
}

// budget returns a budget with the acts that its decisions depend on.
func (b Book) budget(w World, id slo.ID) (Budget, bool) {
	in, ok := w.Budget(id)
	if ok {
		in.Acts = b.ActsOn(id)
	}
	return in, ok
}

// steps returns the ledgers of a journey's steps, in their order; nil if one has not been read yet.
func steps(w World, journey *slo.Spec) []*budget.Ledger {
	var all []*budget.Ledger
	for _, step := range journey.SLI.Journey.Steps {
		in, ok := w.Budget(step.SLO)
		if !ok || !in.Measured {
			return nil
		}
		all = append(all, in.Ledger)
	}
	return all
}

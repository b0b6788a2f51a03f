package engine

import "github.com/slowburn-sre/slowburn/budget"

// excuse lays the corrections of the set over ledgers. Budgets that share their window and their corrections share the work.
func (e *Engine) excuse(accounts ...*account) {
	for _, a := range accounts {
		corrections := e.set.CorrectionsOf(a.id)
		if len(corrections) == 0 {
			a.ledger.Excuse(nil)
			continue
		}
		key := a.spec.Window().String()
		for _, c := range corrections {
			key += "/" + c.Name
		}
		x, known := e.excuses[key]
		if !known {
			x = budget.NewExcuses(corrections, a.spec.Window())
			e.excuses[key] = x
		}
		a.ledger.Excuse(x)
	}
}

package web

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/slo"
)

// order is one in which budgets can be listed.
type order struct {
	name    string
	compare func(a, b ranked) int
}

// orders are by the word in an address: what needs a look comes first. With a minus it comes last.
var orders = map[string]order{
	"name": {"Name", func(a, b ranked) int { return cmp.Compare(a.budget.ID, b.budget.ID) }},
	"objective": {"Objective", func(a, b ranked) int {
		return cmp.Compare(a.budget.Spec.Objective.Allowed(), b.budget.Spec.Objective.Allowed())
	}},
	"sli": {"SLI", by(func(r ranked) (float64, bool) {
		st := r.budget.Windows[0]
		if st.SLI == nil {
			return 0, false
		}
		return *st.SLI, true
	})},
	"left": {"Budget left", by(func(r ranked) (float64, bool) {
		st := r.budget.Windows[0]
		return st.Remaining(), st.Sum.Total > 0 && st.Sized
	})},
	"fast":      {"Fast burn", by(func(r ranked) (float64, bool) { return burnOf(r, 0) })},
	"slow":      {"Slow burn", by(func(r ranked) (float64, bool) { return burnOf(r, 1) })},
	"exhausted": {"Time to exhaustion", by(timeToExhaustion)},
	"alert":     {"Alert", worst},
}

// by compares figures, the smallest first; what is not known is last.
func by(of func(ranked) (float64, bool)) func(a, b ranked) int {
	return func(a, b ranked) int {
		x, known := of(a)
		y, other := of(b)
		switch {
		case known && other:
			return cmp.Compare(x, y)
		case known:
			return -1
		case other:
			return 1
		}
		return 0
	}
}

// burnOf returns the negative of a burn rate over the long window of one of the first two alerts: a
// fast burn comes first.
func burnOf(r ranked, n int) (float64, bool) {
	pairs := pagePairs(r.budget)
	if n >= len(pairs) {
		return 0, false
	}
	for _, w := range r.budget.Burns {
		if w.Window == pairs[n].Long && w.Known {
			return -w.Rate, true
		}
	}
	return 0, false
}

// pagePairs returns the windows of the first two alerts: those of pages, if there are two.
func pagePairs(b *engine.Budget) []slo.Pair {
	pairs := append(slices.Clone(b.Spec.Alerts.Page), b.Spec.Alerts.Ticket...)
	return pairs[:min(len(pairs), 2)]
}

// timeToExhaustion returns that of the forecast; a budget that is spent has none left.
func timeToExhaustion(r ranked) (float64, bool) {
	o := r.budget.Outlook
	switch {
	case o.Gone:
		return 0, true
	case o.Lasts:
		return float64(100 * 366 * slo.Day), true
	case o.Known:
		return float64(max(o.In, (o.Early+o.Late)/2, time.Minute)), true
	}
	return 0, false
}

// orderOf returns the order of a word, nil if there is none: then it is by service.
func orderOf(word string) *order {
	o, ok := orders[strings.TrimPrefix(word, "-")]
	if !ok {
		return nil
	}
	if strings.HasPrefix(word, "-") {
		forward := o.compare
		o.name, o.compare = o.name+", last first", func(a, b ranked) int { return forward(b, a) }
	}
	return &o
}

// columns returns the headings of the list of budgets. A heading orders the list, then turns it
// round, then gives it back its own order.
func (s budgetList) columns(q url.Values) []sortable {
	all := []sortable{
		{Name: "SLO", Class: "w-slo", To: "name"},
		{Name: "Objective", Class: "n w-obj", To: "objective"},
		{Name: "SLI", Class: "n w-sli", To: "sli"},
		{Name: "Error budget left", Class: "w-bar", To: "left"},
		{Class: "w-left"},
		{Name: "Budget, 28 d", Class: "w-spark"},
		{Name: "Fast burn", Class: "n w-burn", To: "fast"},
		{Name: "Slow burn", Class: "n w-burn", To: "slow"},
		{Name: "Exhausted in", Class: "n w-ex", To: "exhausted"},
		{Name: "Alert", Class: "w-al", To: "alert"},
	}
	for n, c := range all {
		word := c.To
		if word == "" {
			continue
		}
		switch q.Get("sort") {
		case word:
			all[n].Sorted, word = "ascending", "-"+word
		case "-" + word:
			all[n].Sorted, word = "descending", ""
		}
		all[n].To = s.addressWith(q, "sort", word)
	}
	return all
}

// usualWindow is the one that the list of budgets does not name.
var usualWindow = slo.Window{Rolling: 28 * slo.Day}

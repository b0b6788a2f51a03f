package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// changes adds what each change that began in the period cost one budget.
func (b *builder) changes(s Subject) {
	for _, c := range alerting.Attribute(alerting.Input{ID: s.ID, Spec: s.Spec, Ledger: s.Ledger}, b.in.Acts, b.to) {
		if start := c.Change.Change.Start; !start.Before(b.From) && start.Before(b.To) {
			b.Changes = append(b.Changes, c)
		}
	}
}

// deliver orders the costs, the dearest first, and works out the figures of the deploys.
func (b *builder) deliver() {
	slices.SortStableFunc(b.Changes, func(x, y alerting.Cost) int {
		return cmp.Or(compareShares(y.Excess, max(y.Budget.Allowed, 1), x.Excess, max(x.Budget.Allowed, 1)),
			x.Change.Change.Start.Compare(y.Change.Change.Start), cmp.Compare(x.SLO, y.SLO))
	})
	var acts []alerting.Act
	var incidents []alerting.Incident
	served := map[string]bool{}
	for _, s := range b.subjects {
		served[s.ID.Service()] = true
		incidents = append(incidents, s.Incidents...)
	}
	for _, a := range b.in.Acts {
		if served[a.Service] || served[a.SLO.Service()] {
			acts = append(acts, a)
		}
	}
	b.Delivery = alerting.Deliver(acts, incidents, b.From, b.To)
}

// changeText shows what was changed and what went wrong after it.
func (r Report) changeText(limit int) string {
	if len(r.Changes) == 0 {
		return "None was recorded (`slowburn change add`), so nothing is known of deploys, of failed ones and of the time to recover from them.\n"
	}
	var rows [][]string
	for _, c := range r.Changes {
		if c.Excess == 0 {
			continue
		}
		share := c.CostText()
		if len(c.Shared) > 0 {
			share += " (with " + figures.Plural(len(c.Shared), "other change") + ")"
		}
		ch := c.Change.Change
		rows = append(rows, []string{
			figures.In(ch.Start, r.zone), markdown.Code(string(c.SLO)), markdown.Text(ch.Kind), markdown.Link(ch.Title, ch.Link), markdown.Text(c.Change.By), figures.Events(c.Excess), share,
		})
	}
	s := r.deliveryText()
	if len(rows) == 0 {
		return s + "\nAfter none of the changes went more wrong than before it.\n"
	}
	head := []string{"When", "SLO", "Kind", "What", "Who", "Bad beyond before:", "Of its budget:"}
	return s + "\n" + table(head, rows, limit) +
		"\n" + sentences.AfterChange + " An experiment's own spend is shown apart from that of services.\n"
}

func (r Report) deliveryText() string {
	d := r.Delivery
	if d.Deploys == 0 {
		return "No deploy was recorded.\n"
	}
	s := figures.Plural(d.Deploys, "deploy")
	if week, ok := d.PerWeek(); ok {
		s += " (" + figures.Value(week) + " a week)"
	}
	s += ", of which " + figures.Count(d.Failed) + " failed: change failure rate " + figures.Share(int64(d.Failed), int64(d.Deploys))
	return s + "; median time to recover " + middle(d.Recovery) + "; lead time " + middle(d.Lead) + ".\n"
}

// middle returns a median with its number, or n/a where the feed does not tell.
func middle(sorted []time.Duration) string {
	if len(sorted) == 0 {
		return "n/a"
	}
	return median(sorted)
}

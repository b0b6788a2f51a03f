package web

import (
	"cmp"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// factsOf returns what can be said of an incident now, as messages say it.
func factsOf(seen *engine.Snapshot, i alerting.Incident, now time.Time) sentences.Facts {
	f := sentences.Facts{Event: i.Last, Incident: i, Spec: seen.Set.Lookup(i.SLO), Now: now}
	f.Found, f.Since = incidents.Known(seen.Open, i)
	if b, ok := seen.Budget(i.SLO); ok {
		f.Spec, f.Status, f.Outlook = b.Spec, b.Windows[0], b.Outlook
		if !i.Open {
			return f // what failed is told by its own account
		}
		seen.WithLedger(i.SLO, func(_ *slo.Spec, l *budget.Ledger) { f.Failing = incidents.Failing(l, i, i.Last.At+1) })
	}
	return f
}

// incidentOf converts an incident for the API, with its headline.
func (s *server) incidentOf(i alerting.Incident) api.Incident {
	f := factsOf(s.Source.Snapshot(), i, s.Now())
	out := api.IncidentOf(i, f.Spec, s.Now()).WithOldNames()
	out.Headline = cmp.Or(i.Title(), symptom(f))
	return out
}

// symptom says in a sentence what is the matter.
func symptom(f sentences.Facts) string {
	if !tellable(f) {
		return briefly(f.Incident)
	}
	if f.Headlined() {
		return sentences.Sentence(f.Summary())
	}
	return f.Summary()
}

// heading says what is the matter in the words that stand above the page of an incident: what users
// feel, or what it was once it is over.
func heading(f sentences.Facts) string {
	switch i := f.Incident; {
	case i.Title() != "":
		return i.Title()
	case tellable(f) && f.Headlined() && i.Open:
		return sentences.Sentence(f.Headline().Title())
	default:
		return symptom(f)
	}
}

// tellable reports whether more than the kind of an incident is known. Of an SLO that was removed,
// and of a record that is damaged, it is not.
func tellable(f sentences.Facts) bool { return f.Spec != nil && !f.Incident.Damaged }

// briefly says of an incident what is always known.
func briefly(i alerting.Incident) string { return nameOf(i) + " of " + string(i.SLO) }

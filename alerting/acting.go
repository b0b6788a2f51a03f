package alerting

import (
	"time"

	"github.com/slowburn-sre/slowburn/budget"
)

// stepActs moves the open burn by what people did up to the end of the minute, and by what they did
// not. It looks at no data: a page that somebody asks for does not wait for Prometheus.
func (w *walk) stepActs(m budget.Minute) {
	if w.Burn == nil || len(w.Acts) == 0 && w.Spec.Slack.Escalate.After == 0 {
		return
	}
	acts := w.actsBy(m)
	w.setLevel(m, acts)
	w.remind(m, acts)
}

// actsBy returns the acts on the open burn that were done before the end of a minute and not taken
// back.
func (w *walk) actsBy(m budget.Minute) []Act {
	var all []Act
	for _, a := range w.Acts {
		if a.Incident == w.Burn.Incident || a.Incident == "" && (a.Concerns(w.ID) || a.Kind == Undo) {
			all = append(all, a)
		}
	}
	return InForce(all, m.End().Add(-1))
}

// setLevel makes the burn as loud as the last person said who said it after the rules had.
func (w *walk) setLevel(m budget.Minute, acts []Act) {
	b, was := w.Burn, w.Burn.loud()
	b.Set = ""
	for _, a := range acts {
		byThen := b.Raised == 0 || !a.At.Before(b.Raised.End())
		if a.Kind == Escalate && a.Incident == b.Incident && byThen {
			b.Set = a.Level
		}
	}
	if b.Set == b.Severity {
		b.Set = ""
	}
	switch {
	case b.loud() == was:
	case b.loud() == Page:
		b.Paged, b.Waits = m, m
		w.emitBurn(m, Escalated, ByPerson)
	default:
		w.emitBurn(m, Updated, ByPerson)
	}
}

// maxReminders bounds how often people are reminded of a page that nobody takes.
const maxReminders = 3

// remind tells of a page that nobody takes, and of a silence that has ended too early.
func (w *walk) remind(m budget.Minute, acts []Act) {
	b := w.Burn
	if b.silentAt(acts, m.End()) {
		return
	}
	if b.silentAt(acts, m.Time()) && b.Paged != m && m > b.Opened {
		b.Waits = m
		w.emitBurn(m, Updated, SilenceOver)
		return
	}
	after := budget.Minutes(w.Spec.Slack.Escalate.After)
	if after == 0 || b.loud() != Page || acknowledged(acts, b.Incident) {
		return
	}
	if waited := m - b.Waits; waited > 0 && waited%after == 0 && waited/after <= maxReminders {
		w.emitBurn(m, Updated, Unacknowledged)
	}
}

func acknowledged(acts []Act, incident string) bool {
	for _, a := range acts {
		if a.Kind == Acknowledge && a.Incident == incident {
			return true
		}
	}
	return false
}

// silentAt reports whether a silence is in force.
func (o *Open) silentAt(acts []Act, at time.Time) bool {
	var escalated time.Time
	if o.Paged != 0 {
		escalated = o.Paged.End()
	}
	_, silent := silentOn(acts, at, escalated)
	return silent
}

package slack

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// TestMessagesSayWhatIsWaitedFor: whatever is told of a budget whose samples come late says so, in
// the same words; so does the message that names many.
func TestMessagesSayWhatIsWaitedFor(t *testing.T) {
	const says = "Samples of 2 targets come about 9 min late; minutes are decided about 10 min after they end."
	s := newStory(t, checkout(t), 1000).play(9, budget.Count(150*budget.Unit, 1000*budget.Unit))
	for name, change := range map[string]func(*message){
		"a page":                   func(*message) {},
		"a ticket that became one": func(f *message) { f.Event.Kind = alerting.Escalated },
		"a page that nobody has":   func(f *message) { f.Event.Kind, f.Event.Reason = alerting.Updated, alerting.Unacknowledged },
		"the end of a silence":     func(f *message) { f.Event.Kind, f.Event.Reason = alerting.Updated, alerting.SilenceOver },
		"its end":                  func(f *message) { f.Event.Kind, f.Incident.Open = alerting.Resolved, false },
		"a share of the budget":    func(f *message) { f.Event.Kind, f.Event.Reason = alerting.Noticed, alerting.BudgetSpent },
		"an experiment that has to end": func(f *message) {
			f.Event.Kind, f.Event.Rule, f.Event.Reason = alerting.Noticed, alerting.RuleExperiment, alerting.ExperimentBurns
		},
		"a freeze": func(f *message) {
			f.Event.Kind, f.Event.Rule, f.Event.Reason = alerting.Noticed, alerting.RulePolicy, alerting.PolicyFrozen
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := s.facts[0]
			f.Wait = sentences.Wait{Through: monday, Behind: 9*time.Minute + 30*time.Second, Late: 9 * time.Minute, Targets: 2}
			change(&f)
			if f.Event.Kind == alerting.Updated {
				f.Incident = f.Incident.Apply(f.Event)
			}
			entries := f.event()
			said := entries[len(entries)-1] // of an edit and a reply, the reply
			if text := readable(t, bodyOf(t, said)); !strings.Contains(text, says) {
				t.Errorf("it does not say what is waited for:\n%s", text)
			}
			one := said
			one.Body = Body{Text: "x", Name: "another"}.marshal()
			body, _ := digest([]outbox.Entry{said, one}, 2)
			said.Body = body
			if text := readable(t, bodyOf(t, said)); strings.Count(text, "Samples of 1 incident come up to about 9 min late; minutes are decided up to about 10 min after they end.") != 1 {
				t.Errorf("a digest does not say what is waited for:\n%s", text)
			}
		})
	}
}

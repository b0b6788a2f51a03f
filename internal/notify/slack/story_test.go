package slack

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/goldentest"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// monday is when every story begins: a quiet hour, at night.
var monday = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func objective(t testing.TB, s string) slo.Objective {
	t.Helper()
	o, err := slo.ParseObjective(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// checkout is an SLO with the workbook's alerts.
func checkout(t testing.TB) *slo.Spec {
	return &slo.Spec{
		Service: "checkout", Name: "availability", Owner: "payments",
		Description: "Orders are answered without a server error.",
		Objective:   objective(t, "99.9"), Windows: []slo.Window{{Rolling: 28 * slo.Day}},
		SLI: notifytest.Spec().SLI,
		Alerts: slo.Alerts{
			Page: []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}, {Budget: 500, Long: 6 * time.Hour, Short: 30 * time.Minute}},
			Ticket: []slo.Pair{
				{Budget: 1000, Long: 24 * time.Hour, Short: 2 * time.Hour}, {Budget: 1000, Long: 72 * time.Hour, Short: 6 * time.Hour},
			},
			Spent: []int64{5000, 7500, 9000, 10000}, NoData: 10 * time.Minute, Significance: true,
		},
		Links: slo.Links{Runbook: "https://wiki.example/checkout", Dashboard: "https://grafana.example/d/checkout?var-x=1&y=2"},
		Slack: slo.SlackRoute{Channel: "#payments-oncall", Mention: mentions("<!subteam^S0123>")},
	}
}

var composer = Composer{
	Origin:  notify.Origin{URL: "https://slowburn.example", Version: "v1.0.0", Prometheus: "https://prometheus.example"},
	Channel: "#reliability", Interactive: true,
}

// story plays slots minute by minute, and composes what happens at once.
type story struct {
	t       testing.TB
	spec    *slo.Spec
	ledger  *budget.Ledger
	state   alerting.State
	known   map[string]alerting.Incident
	at      budget.Minute
	entries []outbox.Entry
	facts   []message
}

// newStory begins with a month of good service, at so many events a minute.
func newStory(t testing.TB, spec *slo.Spec, perMinute int64) *story {
	s := &story{t: t, spec: spec, ledger: &budget.Ledger{}, known: map[string]alerting.Incident{}, at: budget.MinuteOf(monday)}
	for m := s.at - 28*24*60; m < s.at; m++ {
		s.ledger.Put(m, budget.Count(0, perMinute*budget.Unit))
	}
	s.state.Through = s.at
	return s
}

// play adds minutes of the same kind and tells each as it happens.
func (s *story) play(minutes int, slot budget.Slot) *story {
	for range minutes {
		s.ledger.Put(s.at, slot)
		s.at++
		s.tell(s.at.Time().Add(20 * time.Second))
	}
	return s
}

// tell advances to the present and composes what is new. What opens and ends within one call is
// late.
func (s *story) tell(now time.Time) {
	in := alerting.Input{ID: s.spec.ID(), Spec: s.spec, Ledger: s.ledger}
	var events []alerting.Event
	s.state, events = alerting.Advance(in, s.state, s.at)
	ends := map[string]int{}
	for _, e := range events {
		switch e.Kind {
		case alerting.Opened:
			ends[e.Incident] |= 1
		case alerting.Resolved:
			ends[e.Incident] |= 2
		}
	}
	for _, e := range events {
		i := s.known[e.Incident]
		if i.ID != "" || e.Kind == alerting.Opened {
			i = i.Apply(e)
			s.known[e.Incident] = i
		}
		f := message{composer: composer, Notification: incidents.Notification{
			Facts: sentences.Facts{
				Spec: s.spec, Event: e, Incident: i, Over: ends[e.Incident] == 3, Now: now,
				Status:  budget.StatusAt(s.ledger, s.spec.Objective, s.spec.Window(), e.At+1),
				Outlook: alerting.Outlook(in, in.StatusAt(e.At+1), i.Burnt()...),
				Failing: incidents.Failing(s.ledger, i, e.At+1),
			},
			Standings: alerting.Standings(in, s.state, e.At+1),
		}}
		s.facts = append(s.facts, f)
		s.entries = append(s.entries, f.event()...)
	}
}

func TestMessagesReadWell(t *testing.T) {
	bad := func(bad, total int64) budget.Slot { return budget.Count(bad*budget.Unit, total*budget.Unit) }
	absent := budget.Slot{State: budget.Absent}
	for name, tell := range map[string]func(t *testing.T) []outbox.Entry{
		"a page from its beginning to its end": func(t *testing.T) []outbox.Entry {
			return newStory(t, checkout(t), 1000).play(9, bad(150, 1000)).play(65, bad(0, 1000)).entries
		},
		"a ticket that becomes a page": func(t *testing.T) []outbox.Entry {
			return newStory(t, checkout(t), 1000).play(14*60, bad(5, 1000)).play(9, bad(200, 1000)).entries
		},
		"a page at low traffic": func(t *testing.T) []outbox.Entry {
			s := newStory(t, checkout(t), 1)
			for range 4 {
				s.play(5, bad(0, 2)).play(1, bad(1, 2))
			}
			return s.entries
		},
		"the data are missing and come back": func(t *testing.T) []outbox.Entry {
			return newStory(t, checkout(t), 100).play(23, absent).play(1, bad(0, 100)).entries
		},
		"the budget runs out": func(t *testing.T) []outbox.Entry {
			spec := checkout(t)
			spec.Alerts.Page, spec.Alerts.Ticket, spec.Slack = nil, nil, slo.SlackRoute{}
			return newStory(t, spec, 1000).play(1, bad(0, 1000)).play(60, bad(700, 1000)).entries
		},
		"an outage that nobody could see": func(t *testing.T) []outbox.Entry {
			s := newStory(t, checkout(t), 1000)
			for i := range 180 {
				slot := bad(0, 1000)
				if i >= 20 && i < 40 {
					slot = bad(200, 1000)
				}
				s.ledger.Put(s.at, slot)
				s.at++
			}
			s.tell(s.at.Time().Add(time.Minute))
			return s.entries
		},
		"somebody acknowledges": func(t *testing.T) []outbox.Entry {
			s := newStory(t, checkout(t), 1000).play(9, bad(150, 1000))
			f := s.facts[0]
			ack := alerting.Act{Key: "k1", Kind: alerting.Acknowledge, By: "ana", At: f.Event.Time().Add(2 * time.Minute), Incident: f.Incident.ID}
			f.Incident = f.Incident.Take(ack)
			for n, bad := range []int64{0, 625, 1500} {
				f.Trail = append(f.Trail, incidents.Point{At: monday.Add(time.Duration(n) * 5 * time.Minute), Sum: budget.Sum{Bad: bad, Total: 10_000}})
			}
			f.Now = ack.At
			return f.acted(incidents.Done{Notification: f.Notification, Act: ack})
		},
		"nobody has it, and then a silence is over": func(t *testing.T) []outbox.Entry {
			s := newStory(t, checkout(t), 1000).play(9, bad(150, 1000))
			f, entries := s.facts[0], []outbox.Entry(nil)
			f.Event.Kind = alerting.Updated
			for _, f.Event.Reason = range []alerting.Reason{alerting.Unacknowledged, alerting.SilenceOver} {
				entries = append(entries, f.event()[1:]...)
			}
			return entries
		},
		"a silenced ticket becomes a page": func(t *testing.T) []outbox.Entry {
			s := newStory(t, checkout(t), 1000).play(14*60, bad(5, 1000)).play(9, bad(200, 1000))
			f := s.facts[slices.IndexFunc(s.facts, func(f message) bool { return f.Event.Kind == alerting.Escalated })]
			f.Incident = f.Incident.Take(alerting.Act{Key: "k1", Kind: alerting.Silence, By: "ana", At: f.Event.Time().Add(-time.Minute), Incident: f.Incident.ID})
			return f.event()[1:]
		},
		"two incidents are merged": func(t *testing.T) []outbox.Entry {
			s := newStory(t, checkout(t), 1000).play(9, bad(150, 1000))
			f := s.facts[0]
			merge := alerting.Act{Key: "k1", Kind: alerting.Merge, By: "ana", At: f.Event.Time().Add(2 * time.Minute), Incident: f.Incident.ID, Other: "payments/availability/page/1"}
			f.Now = merge.At
			return f.acted(incidents.Done{Notification: f.Notification, Act: merge, From: f.Incident.ID})[1:]
		},
		"somebody overrides the policy": func(*testing.T) []outbox.Entry {
			return composer.Permit(incidents.Permit{Act: alerting.Act{Key: "k1", Kind: alerting.Override, Service: "checkout", By: "ana", Text: "the fix of the fix", At: monday, Until: monday.Add(time.Hour)}, Now: monday}, "")
		},
		"an override is asked for": func(*testing.T) []outbox.Entry {
			return composer.Permit(incidents.Permit{Act: askedFor(), Now: monday}, "")
		},
		"the override is approved": func(*testing.T) []outbox.Entry {
			done := askedFor()
			done.Key, done.Kind, done.Asks, done.ApprovedBy = "yes@k1", alerting.Override, "", "ben"
			return composer.Permit(incidents.Permit{Act: done, Asked: askedFor(), Now: monday}, "")
		},
		"the override is rejected": func(*testing.T) []outbox.Entry {
			no := alerting.Act{Key: "no", Kind: alerting.Reject, Asks: alerting.Override, Other: "k1", Service: "checkout", By: "ben", Text: "not before the weekend", At: monday}
			return composer.Permit(incidents.Permit{Act: no, Asked: askedFor(), Now: monday}, "")
		},
		"a class is asked for": func(t *testing.T) []outbox.Entry {
			s := newStory(t, checkout(t), 1000).play(9, bad(150, 1000))
			f := s.facts[0]
			ask := askedFor()
			ask.Asks, ask.Text, ask.Service, ask.Incident = alerting.Classify, alerting.NotMajor, "", f.Incident.ID
			return f.acted(incidents.Done{Notification: f.Notification, Act: ask})[1:]
		},
		"an experiment has to end": func(t *testing.T) []outbox.Entry {
			s := newStory(t, checkout(t), 1000).play(9, bad(150, 1000))
			f := s.facts[0]
			f.Event.Rule, f.Event.Kind, f.Event.Reason, f.Event.Act = alerting.RuleExperiment, alerting.Noticed, alerting.ExperimentSpent, "chaos/42"
			return f.event()
		},
		"a journey whose till is out": func(t *testing.T) []outbox.Entry {
			s := newStory(t, checkout(t), 1000).play(9, bad(150, 1000))
			f := s.facts[0]
			f.Spec.SLI = slo.Indicator{Kind: slo.Composed, Journey: &slo.Journey{}}
			f.Worst = &alerting.Step{SLO: "till/availability", Over: 5 * time.Minute, Sum: budget.Sum{Bad: 3, Total: 20}}
			since := f.Event.Time().Add(-8 * time.Minute)
			f.Upstream = []alerting.Upstream{
				{SLO: "till/availability", Incident: "till/availability/page/1", Severity: alerting.Page, Onset: since, Open: true},
				{SLO: "bank/availability", Incident: "bank/availability/ticket/1", Severity: alerting.Ticket, Onset: since.Add(-time.Hour), Open: true},
				{SLO: "db/availability", Incident: "db/availability/page/1", Severity: alerting.Page, Onset: since, Open: true},
				{SLO: "dns/answers", Incident: "dns/answers/page/1", Severity: alerting.Page, Onset: since, Open: true},
			}
			f.Now = f.Event.Time()
			return f.event()
		},
		"a weekly report": func(*testing.T) []outbox.Entry { return ComposeReport(weekly(), monday) },
		"Prometheus is away": func(*testing.T) []outbox.Entry {
			n := Notice{Composer: composer, Kind: "prometheus", Title: "Prometheus", Reason: "dial tcp 10.0.0.1:9090: connection refused", Since: monday, At: monday.Add(5 * time.Minute), Effect: "12 SLOs cannot be watched."}
			n.Channel = "#reliability"
			over := n
			over.Over, over.At = true, monday.Add(40*time.Minute)
			return append(ComposeNotice(n, n.At), ComposeNotice(over, over.At)...)
		},
		"an SLO has more label values than budgets": func(*testing.T) []outbox.Entry {
			n := Notice{Composer: composer, Kind: "combinations/shop/checkout", Title: "shop/checkout", Since: monday, At: monday, Says: "has more than 1000 combinations of route; the rest is not followed."}
			n.Channel = "#reliability"
			return ComposeNotice(n, n.At)
		},
		"a storm": func(t *testing.T) []outbox.Entry {
			entries := newStory(t, checkout(t), 1000).play(9, bad(150, 1000)).entries[:1]
			for i := range 4 {
				e := entries[0]
				e.Key, e.Lane = fmt.Sprint("ticket", i), outbox.LaneTicket
				e.Body = Body{Text: "x", Name: fmt.Sprintf("🎫 Ticket · service-%d/latency", i)}.marshal()
				entries = append(entries, e)
			}
			body, n := digest(entries, len(entries))
			if n != len(entries) {
				t.Errorf("%d of %d entries are named", n, len(entries))
			}
			e := entries[0]
			e.Body = body
			return []outbox.Entry{e}
		},
	} {
		t.Run(name, func(t *testing.T) {
			entries := tell(t)
			if len(entries) == 0 {
				t.Fatal("nothing was said")
			}
			got := &txtar.Archive{Comment: []byte("What people read: " + name + ".\n\n")}
			for i, e := range entries {
				b := bodyOf(t, e)
				if problems := b.Validate(); len(problems) > 0 {
					t.Errorf("entry %d: %v", i, problems)
				}
				got.Files = append(got.Files, txtar.File{Name: fmt.Sprintf("%d %s", i+1, summary(e, b)), Data: []byte(readable(t, b))})
			}
			goldentest.Check(t, filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txtar"), txtar.Format(got))
		})
	}
}

func weekly() Report {
	r := Report{Composer: composer, Summary: report.Summary{
		Key: "report/weekly/2026-W48", Title: "Reliability, week 48 of 2026",
		Verdict: "11 of 12 SLOs kept their objective, one fewer than last week",
		Columns: []string{"SLO", "SLI", "Objective", "Budget left"},
		Span:    "Mon 23 Nov 2026 00:00 to Mon 30 Nov 2026 00:00, Europe/Berlin; 100 % of the data is known",
		Details: []report.Detail{{Title: "Incidents", Text: "- **checkout/availability**: 43 minutes, 12 % of the budget\n- none else\n"}},
	}}
	r.Channel = "#reliability-leads"
	for i := range 24 {
		r.Rows = append(r.Rows, []string{fmt.Sprintf("service-%02d/availability", i), "99.95 %", "99.9 %", "50 %"})
	}
	return r
}

func bodyOf(t testing.TB, e outbox.Entry) Body {
	t.Helper()
	b, err := parseBody(e.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func summary(e outbox.Entry, b Body) string {
	lane := []string{"page", "ticket", "resolve", "report"}[e.Lane]
	s := fmt.Sprintf("%s, lane %s, %s", e.Op, lane, e.Channel)
	if b.Broadcast {
		s += ", broadcast"
	}
	return s
}

// readable is a message as a person sees it, nearly.
func readable(t testing.TB, b Body) string {
	t.Helper()
	out := "notification: " + b.Text + "\n"
	for _, raw := range b.Blocks {
		var m struct {
			Type     string
			Text     any
			Fields   []Text
			Elements []struct {
				Type        string
				Text        any
				Placeholder Text
			}
			Rows [][]cell
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		out += "[" + m.Type + "] " + words(m.Text) + "\n"
		for _, f := range m.Fields {
			out += "    " + strings.ReplaceAll(f.Text, "\n", "  ") + "\n"
		}
		for _, e := range m.Elements {
			out += "    " + words(e.Text) + e.Placeholder.Text + "\n"
		}
		for _, row := range m.Rows {
			var cells []string
			for _, c := range row {
				cells = append(cells, c.Text)
			}
			out += "    " + strings.Join(cells, " | ") + "\n"
		}
	}
	return out + "\n"
}

func words(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		return fmt.Sprint(v["text"])
	}
	return ""
}

// mentions are some that are good.
func mentions(texts ...string) (all []slo.Mention) {
	for _, s := range texts {
		m, err := slo.ParseMention(s)
		if err != nil {
			panic(err)
		}
		all = append(all, m)
	}
	return all
}

// askedFor is an override that waits for a second person.
func askedFor() alerting.Act {
	return alerting.Act{
		Key: "k1", Kind: alerting.Asked, Asks: alerting.Override, Service: "checkout", By: "ana", Text: "the fix of the fix",
		At: monday, Until: monday.Add(time.Hour), Expires: monday.Add(time.Hour),
	}
}

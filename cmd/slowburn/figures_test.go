package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/compare"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/alertmanager"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/notify/pagerduty"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/notify/webhook"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/register"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// awkward is a budget with an incident whose figures are easily rounded wrongly, and how they read.
type awkward struct {
	what       string
	objective  string
	bad, total int64         // of the window, all in one minute, in thousandths of events
	long       budget.Sum    // of the long window of the alert
	lasted     time.Duration // from the onset to the end of the last bad minute

	sli, left, cost, burn, events, duration string
	inHours                                 string // the duration as regulators count it
}

const thousand, million = 1000, 1_000_000

var awkwards = []awkward{
	{
		"a hair below the objective", "99.9", 10_004 * thousand, 10 * million * thousand,
		budget.Sum{Bad: 1342, Total: 100_000},
		65 * time.Minute,
		"99.899 %", "−0.1 %", "100.1 %", "13.42×", "10,004", "1 h 5 min", "1 h 5 min",
	},
	{
		"just below a line of the policy, and next to no burn", "99.9", 7504 * thousand, 10 * million * thousand,
		budget.Sum{Bad: 4, Total: million},
		20 * time.Minute,
		"99.924 %", "24.9 %", "75.1 %", "<0.01×", "7,504", "20 min", "20 min",
	},
	{
		"five nines that are breached", "99.999", 400 * thousand, 10 * million * thousand,
		budget.Sum{Bad: 1, Total: 100},
		25 * time.Hour,
		"99.99600 %", "−300.0 %", "400.0 %", "1,000×", "400", "1 d 1 h", "25 h",
	},
	{
		"between two digits", "99.9", 35_649 * thousand, 100 * million * thousand,
		budget.Sum{Bad: 144, Total: 10_000},
		2 * time.Minute,
		"99.964 %", "64.3 %", "35.7 %", "14.4×", "35,649", "2 min", "2 min",
	},
	{
		"a fraction of an event", "99.9", 1_234_567, 10 * million * thousand,
		budget.Sum{Bad: 9999, Total: 100_000},
		75*slo.Day + 5*time.Hour + 59*time.Minute,
		"99.987 %", "87.6 %", "12.4 %", "99.99×", "1,234", "75 d 5 h", "1,805 h 59 min",
	},
	{
		"overspent by one event of very many", "99.9", 100*million*thousand + 1, 100 * million * million,
		budget.Sum{Bad: 1, Total: 3000},
		time.Hour,
		"99.899 %", "−0.1 %", "100.1 %", "0.33×", "100,000,000", "1 h", "1 h",
	},
}

// detected is how long each incident took to be seen: it is cut, not rounded.
const detected, detectedText = 59*time.Second + 600*time.Millisecond, "59 s"

// awkwardNow is the end of the newest minute.
var awkwardNow = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// lived is all that the surfaces show of an awkward budget.
type lived struct {
	spec           *slo.Spec
	ledger         *budget.Ledger
	now            time.Time // the end of the newest minute
	status         budget.Status
	outlook        budget.Outlook
	open, resolved alerting.Incident
	long           budget.Sum
	trialFrom      time.Time // when an experiment began that cost what the incident did
}

func (a awkward) live(t *testing.T) lived {
	t.Helper()
	o, err := slo.ParseObjective(a.objective)
	if err != nil {
		t.Fatal(err)
	}
	l := livedOf(o)
	l.long, l.now, l.outlook = a.long, awkwardNow, budget.Outlook{Known: true, Lasts: true}
	at := budget.MinuteOf(awkwardNow)
	last := at - 10 // the bad minute
	for m := at - budget.Minutes(80*slo.Day); m < at; m++ {
		slot := budget.Count(0, 0)
		if m == last {
			slot = budget.Count(a.bad, a.total)
		}
		l.ledger.Put(m, slot)
	}
	l.trialFrom = last.Time()
	l.burn(last.End().Add(-a.lasted), last, detected)
	return l
}

// livedOf is the budget of an SLO with an objective of which nothing is known yet.
func livedOf(o slo.Objective) lived {
	return lived{
		spec: &slo.Spec{
			Service: "checkout", Name: "availability", Owner: "payments", Objective: o, Windows: []slo.Window{{Rolling: 28 * slo.Day}},
			SLI: notifytest.Spec().SLI, Alerts: slo.Alerts{Page: []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}}},
		},
		ledger: &budget.Ledger{},
	}
}

// burn lets the budget burn from an onset through a minute, which was seen after a while.
func (l *lived) burn(onset time.Time, last budget.Minute, seen time.Duration) {
	at, pair := budget.MinuteOf(l.now), l.spec.Alerts.Page[0]
	l.status = budget.StatusAt(l.ledger, l.spec.Objective, l.spec.Window(), at)
	failed := l.ledger.Sum(budget.MinuteOf(onset), last+1)
	e := alerting.Event{
		At: at - 1, SLO: l.spec.ID(), Incident: "checkout/availability/page/1", Kind: alerting.Opened, Severity: alerting.Page,
		Rule: alerting.RulePage, Reason: alerting.BurnHigh, Pair: &pair, Long: &l.long, Short: &l.long, Since: budget.MinuteOf(onset),
		Budget: alerting.AccountOf(l.status),
		Burn:   &alerting.Burning{Onset: budget.MinuteOf(onset), Last: last, Bad: failed.Bad, Total: failed.Total, Minute: 1, PeakAt: last, Peak: l.long},
	}
	l.open = alerting.Incident{}.Apply(e)
	l.open.Onset, l.open.Detected, l.open.Ended = onset, onset.Add(seen), last.End()
	e.Kind, e.Reason = alerting.Resolved, alerting.BurnLow
	l.resolved = l.open.Apply(e)
	l.resolved.Ended = last.End()
}

// told is what a receiver is told of an incident.
func (l lived) told(i alerting.Incident) notify.Facts {
	return notify.Facts{
		Target: notify.Target{Receiver: "r", First: true}, Origin: notify.Origin{URL: "https://slowburn.example"},
		Notification: incidents.Notification{Facts: sentences.Facts{
			Spec: l.spec, Event: i.Last, Incident: i, Status: l.status, Outlook: l.outlook, Now: l.now,
			Failing: incidents.Failing(l.ledger, i, i.Last.At+1),
		}},
	}
}

// trial is an experiment that cost what the incident did.
func (l lived) trial() alerting.Act {
	return alerting.Act{
		Key: "trial", Kind: alerting.Experiment, At: l.trialFrom, By: "ana", Service: l.spec.Service,
		Change: &alerting.Change{Kind: "experiment", Title: "zone away", Start: l.trialFrom, End: l.now, Spend: 10000},
	}
}

// Snapshot is what the pages and the API read: an engine's, but for the burn, which is not that of
// the ledger.
func (l lived) Snapshot() *engine.Snapshot {
	e := engine.New(engine.Options{Source: prom.New(nil, prom.Options{}), Log: slog.New(slog.DiscardHandler)},
		slo.NewSet([]*slo.Spec{l.spec}, nil, nil), store.Snapshot{
			Accounts: map[slo.ID]store.Account{l.spec.ID(): {Ledger: l.ledger, State: alerting.State{Through: budget.MinuteOf(l.now)}}},
			Open:     map[string]alerting.Incident{l.open.ID: l.open}, Acts: []alerting.Act{l.trial()},
		})
	s := *e.Snapshot()
	rate, known := budget.Burn(l.long, l.spec.Objective)
	s.Budgets[0].Burns = []engine.WindowBurn{{Window: time.Hour, Rate: rate, Known: known}}
	return &s
}

// archive has the one incident, which is over except where open ones are asked for.
type archive struct {
	*store.DB
	incident, open alerting.Incident
}

func (a archive) Incidents(_ context.Context, f store.IncidentFilter) ([]alerting.Incident, error) {
	if f.Open && a.open.Open {
		return []alerting.Incident{a.open}, nil
	}
	return []alerting.Incident{a.incident}, nil
}

func (a archive) Incident(context.Context, string) (alerting.Incident, bool, error) {
	return a.incident, true, nil
}

func (archive) Evidence(context.Context, string) ([]store.Evidence, error) { return nil, nil }

func (archive) Outbox(context.Context, store.OutboxFilter) ([]outbox.Owed, error) { return nil, nil }

func (archive) Acts(context.Context, store.ActFilter) ([]alerting.Act, error) { return nil, nil }

// readable undoes what a surface does to signs that mean something there.
func readable(text string) string {
	text = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\<`, "<").Replace(text)
	return html.UnescapeString(text)
}

// surfaces are the texts that people read of an awkward budget, by where they read it.
func (l lived) surfaces(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	say := func(where string, entries []outbox.Entry) {
		for _, e := range entries {
			all[where] += string(e.Body) + "\n"
		}
	}
	for state, i := range map[string]alerting.Incident{"open": l.open, "resolved": l.resolved} {
		f := l.told(i)
		say("Slack, "+state, slack.Composer{Origin: f.Origin, Channel: "#oncall"}.Event(f))
		say("PagerDuty, "+state, (&pagerduty.Client{}).Event(f))
		say("Alertmanager, "+state, (&alertmanager.Client{}).Event(f))
		say("webhook, "+state, (&webhook.Client{}).Event(f))
	}
	daemon := httptest.NewServer(web.New(web.Options{
		Source: l, Archive: archive{incident: l.resolved, open: l.open}, Now: func() time.Time { return l.now },
		Reloaded: func() api.Reloaded { return api.Reloaded{OK: true, At: &l.now} },
	}))
	defer daemon.Close()
	for where, path := range map[string]string{
		"page of all budgets": "/", "page of incidents": "/incidents", "page of an incident": "/incidents/" + l.open.ID,
		"page of a service": "/services/checkout", "page of an SLO": "/slo/checkout/availability", "changes": "/changes", "API": "/api/v1/slos",
	} {
		w := httptest.NewRecorder()
		daemon.Config.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, daemon.URL+path, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, w.Code)
		}
		all[where] = w.Body.String()
	}
	for where, c := range map[string]interface{ Run(*env) error }{
		"slowburn status":      &statusCmd{remote: remote{client: client{URL: daemon.URL}}},
		"slowburn change list": &changeListCmd{remote: remote{client: client{URL: daemon.URL}}, Last: 28 * slo.Day, Limit: 50},
		"slowburn incidents":   &incidentsListCmd{remote: remote{client: client{URL: daemon.URL}}, Limit: 50},
	} {
		var out, errs bytes.Buffer
		_ = c.Run(&env{surroundings: surroundings{out: &out, err: &errs, now: func() time.Time { return l.now }, getenv: unset}, ctx: context.Background(), cli: &cli{}})
		all[where] = out.String() + errs.String()
	}
	l.byCommand(t, all)
	all["report"] = report.Build(report.Input{
		Name: "weekly", Period: report.PeriodOf(slo.Week, l.now.Add(-time.Minute)), Until: l.now,
		Acts: []alerting.Act{l.trial()}, Subjects: []report.Subject{{ID: l.spec.ID(), Spec: l.spec, Ledger: l.ledger, Incidents: []alerting.Incident{l.resolved}}},
	}).Markdown()
	all["draft"] = postmortem.Draft(postmortem.Facts{Incident: l.resolved, Spec: l.spec, Ledger: l.ledger}).Markdown()
	for where := range all {
		all[where] = readable(all[where])
	}
	return all
}

// byCommand adds what commands say of an awkward budget, in a terminal and in Slack.
func (l lived) byCommand(t *testing.T, all map[string]string) {
	t.Helper()
	var out bytes.Buffer
	e := &env{surroundings: surroundings{out: &out, err: &out}, ctx: context.Background(), cli: &cli{}}
	said := func(where string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		all[where] = out.String()
		out.Reset()
	}
	x := explanation{api.Explanation{Spend: api.SpendOf(l.status, l.ledger, []alerting.Incident{l.resolved}, false)}}
	x.ID, x.Objective = string(l.spec.ID()), 100*l.spec.Objective.Ratio()
	said("slowburn explain", x.tell(&out, "day"))
	gate := api.GateOf(l.verdict())
	gate.Budgets = []api.Gate{gate}
	said("slowburn gate", printGate(e, gate))
	theirs := compare.Theirs{Tool: compare.Pyrra, Remaining: new(0.5), Objective: new(0.98), Window: 30 * slo.Day}
	found := comparisonOf(compare.Budgets(compare.Ours{Spec: l.spec, Ledger: l.ledger, At: budget.MinuteOf(l.now)}, theirs), nil)
	found.ID, found.Tool, found.Window = string(l.spec.ID()), "pyrra", l.spec.Window().String()
	said("slowburn compare", (&compareCmd{}).tell(e, []api.Comparison{found}, l.now))
	d := doctor{env: e}
	d.found = d.looksAt(l.spec, prom.Pace{Every: l.resolved.Ended.Sub(l.resolved.Onset)})
	said("slowburn doctor", d.table())
	over := l.resolved
	over.Resolved = over.Ended
	entries, err := json.Marshal(api.RegisterOf(register.New([]register.Subject{{Incident: over, Spec: l.spec, Ledger: l.ledger}})))
	out.Write(entries)
	said("register", err)
	for _, text := range []string{"status", "gate checkout"} {
		b := slack.Answer(desk{l: l}, text)
		for _, block := range b.Blocks {
			body, err := json.Marshal(block)
			out.Write(body)
			said("/slowburn "+strings.Fields(text)[0], err)
		}
	}
}

// verdict is what the policy says of the budget.
func (l lived) verdict() alerting.Verdict {
	in := alerting.Input{ID: l.spec.ID(), Spec: l.spec, Ledger: l.ledger, Policy: &alerting.Policy{}}
	v := alerting.Assess(in, alerting.State{Through: budget.MinuteOf(l.now)}, l.status)
	v.AsOf = l.now
	return v
}

// desk is what Slack's command asks.
type desk struct {
	slack.Backend
	l lived
}

func (d desk) Standings() []slack.Standing {
	return []slack.Standing{{ID: d.l.spec.ID(), Spec: d.l.spec, Status: d.l.status, Data: "ok", Open: []alerting.Incident{d.l.open}}}
}

func (d desk) Gate(string) (alerting.Verdict, bool) { return d.l.verdict(), true }

// shownOn says which figure is shown where.
var shownOn = map[string][]string{
	"objective":         {"Slack, open", "Slack, resolved", "page of all budgets", "page of a service", "page of an SLO", "slowburn status", "slowburn explain", "slowburn compare", "report", "draft"},
	"window":            {"Slack, open", "page of all budgets", "page of a service", "page of an SLO", "slowburn status", "slowburn explain", "slowburn compare", "slowburn gate", "/slowburn gate", "draft"},
	"SLI":               {"Slack, resolved", "page of all budgets", "page of a service", "page of an SLO", "slowburn status", "report"},
	"budget left":       {"Slack, resolved", "PagerDuty, open", "Alertmanager, open", "page of all budgets", "page of a service", "page of an SLO", "slowburn status", "slowburn gate", "slowburn compare", "/slowburn gate", "report", "draft"},
	"left, if any is":   {"/slowburn status"},
	"left, or spent":    {"Slack, open"},
	"cost":              {"Slack, open", "Slack, resolved", "PagerDuty, open", "Alertmanager, open", "webhook, resolved", "page of incidents", "page of an incident", "page of an SLO", "changes", "slowburn change list", "slowburn incidents", "slowburn explain", "report", "draft"},
	"burn rate":         {"Slack, open", "PagerDuty, open", "Alertmanager, open", "page of all budgets", "page of a service", "page of an SLO", "slowburn status", "draft"},
	"bad events":        {"Slack, open", "Slack, resolved", "PagerDuty, open", "Alertmanager, open", "page of an incident", "slowburn explain", "report", "draft"},
	"bad in the window": {"page of an SLO"},
	"duration":          {"Slack, resolved", "webhook, resolved", "page of incidents", "page of an incident", "page of an SLO", "slowburn incidents", "slowburn explain", "slowburn doctor", "report", "draft"},
	"duration in hours": {"register"},
	"time to detection": {"Slack, open", "page of an incident", "slowburn incidents", "report", "draft"},
	"failing share":     {"Slack, open", "PagerDuty, open", "Alertmanager, open", "webhook, open", "page of all budgets", "slowburn status"},
	"usual share":       {"Slack, open", "PagerDuty, open", "Alertmanager, open", "webhook, open", "page of all budgets", "slowburn status"},
	"exhaustion":        {"Slack, open", "PagerDuty, open", "Alertmanager, open", "webhook, open", "page of all budgets", "slowburn status"},
}

// Every figure reads the same wherever it is shown, and is rounded towards the worse.
func TestAFigureReadsTheSameEverywhere(t *testing.T) {
	for _, a := range awkwards {
		t.Run(a.what, func(t *testing.T) {
			l := a.live(t)
			l.reads(t, map[string]string{
				"objective": a.objective + " %", "window": "28 d", "duration in hours": a.inHours, "SLI": a.sli, "budget left": a.left, "cost": a.cost,
				"burn rate": a.burn, "bad events": a.events, "bad in the window": a.events, "duration": a.duration, "time to detection": detectedText,
			})
		})
	}
}

// reads fails the test where a surface does not show a figure as is wanted.
func (l lived) reads(t *testing.T, figures map[string]string) {
	t.Helper()
	all := l.surfaces(t)
	figures["left, if any is"], figures["left, or spent"] = figures["budget left"], figures["budget left"]
	if l.status.Left() < 0 {
		figures["left, if any is"], figures["left, or spent"] = "overspent by", "the budget is spent"
	}
	for figure, want := range figures {
		for _, where := range shownOn[figure] {
			if !whole(all[where], want) && !whole(all[where], sentences.Sentence(want)) {
				t.Errorf("%s: the %s is not %q:\n%s", where, figure, want, all[where])
			}
		}
	}
	var answer struct{ Data []api.SLO }
	if err := json.Unmarshal([]byte(all["API"]), &answer); err != nil || len(answer.Data) != 1 {
		t.Fatal(err, all["API"])
	}
	exact := answer.Data[0]
	off := func(a, b float64) bool { return math.Abs(a-b) > 1e-12*math.Abs(b) }
	if off(*exact.SLI, 100**l.status.SLI) || *exact.Budget.Bad != float64(l.status.Sum.Bad)/budget.Unit || off(*exact.Budget.Remaining, l.status.Remaining()) {
		t.Errorf("the API rounds: %v %v %v is not %+v", *exact.SLI, *exact.Budget.Bad, *exact.Budget.Remaining, l.status)
	}
}

// lives is how many random instants of random lives are compared.
var lives = flag.Int("lives", 5, "random instants at which all surfaces are compared")

// TestAnInstantOfAnyLifeReadsTheSameEverywhere: whatever has happened to a budget, and whenever
// somebody looks, each figure is what its formula and the house's way of writing it say, on every
// surface.
func TestAnInstantOfAnyLifeReadsTheSameEverywhere(t *testing.T) {
	for n := range *lives {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			l := randomLife(t, rand.New(rand.NewPCG(uint64(n), 13)))
			f := l.told(l.open)
			want := map[string]string{
				"objective": figures.Objective(l.spec.Objective), "window": figures.Window(l.spec.Window()),
				"SLI": figures.SLI(l.status.Sum.Bad, l.status.Sum.Total, l.spec.Objective), "budget left": l.status.LeftText(),
				"cost": l.status.CostOf(l.open.Bad()), "burn rate": figures.Burn(l.long.Bad, l.long.Total, l.spec.Objective), "bad events": figures.Events(l.open.Bad()),
				"duration": figures.Duration(l.open.Duration()), "time to detection": figures.Duration(l.open.Detected.Sub(l.open.Onset)),
				"bad in the window": figures.Events(l.status.Sum.Bad), "failing share": f.Headline().Symptom(), "usual share": f.Headline().Usually(),
			}
			want["duration in hours"] = want["duration"]
			_, want["exhaustion"], _ = strings.Cut(f.Headline().Within(0), "; ")
			l.reads(t, want)
		})
	}
}

// randomLife is a month of a service with hours that are busier than others, background errors,
// gaps and outages, in the last of which somebody looks.
func randomLife(t *testing.T, rnd *rand.Rand) lived {
	t.Helper()
	o, err := slo.ParseObjective([]string{"95", "99", "99.5", "99.9", "99.95", "99.99", "99.999"}[rnd.IntN(7)])
	if err != nil {
		t.Fatal(err)
	}
	l := livedOf(o)
	l.now = awkwardNow.Add(-time.Duration(rnd.IntN(7*24*60)) * time.Minute)
	at := budget.MinuteOf(l.now)
	begin := at - budget.Minutes(31*slo.Day)
	traffic, background := 1+rnd.Int64N(1+rnd.Int64N(20_000)), rnd.IntN(300)
	type outage struct {
		from, to budget.Minute
		share    float64
	}
	last := at - 1 - budget.Minute(rnd.IntN(20))
	onset := last - budget.Minute(rnd.IntN(300))
	outages := []outage{{onset, last, 0.01 + 0.99*rnd.Float64()}}
	for range rnd.IntN(6) {
		from := begin + budget.Minute(rnd.IntN(28*24*60))
		outages = append(outages, outage{from, from + budget.Minute(rnd.IntN(200)), rnd.Float64()})
	}
	gap := begin + budget.Minute(rnd.IntN(25*24*60))
	gapEnd := gap + budget.Minute(rnd.IntN(2*24*60))
	for m := begin; m < at; m++ {
		total := traffic*int64(600+m%1440)/1000 + rnd.Int64N(3) + 1
		bad := int64(0)
		if background > 0 && m <= last && rnd.IntN(background) == 0 {
			bad = 1 // after the last bad minute there is none
		}
		for _, o := range outages {
			if m >= o.from && m <= o.to {
				bad = max(bad, int64(math.Ceil(o.share*float64(total))))
			}
		}
		slot := budget.Count(bad*budget.Unit, total*budget.Unit)
		if m >= gap && m < gapEnd {
			slot = budget.Slot{State: budget.Absent}
		}
		l.ledger.Put(m, slot)
	}
	l.long, l.trialFrom = l.ledger.Sum(at-60, at), onset.Time()
	l.burn(onset.Time(), last, time.Duration(rnd.IntN(2400))*time.Second)
	l.outlook = l.Snapshot().Budgets[0].Outlook
	return l
}

// whole reports whether a text has a figure that is no part of a longer one.
func whole(text, figure string) bool {
	for {
		before, after, found := strings.Cut(text, figure)
		switch {
		case !found:
			return false
		case !strings.ContainsAny(lastRune(before), "0123456789.,−-") && !strings.ContainsAny(firstRune(after), "0123456789"):
			return true
		}
		text = after
	}
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

func lastRune(s string) string {
	r := []rune(s)
	return string(r[max(len(r)-1, 0):])
}

// What is not known is a dash on every surface that has a place for it, and no figure.
func TestWhatIsNotKnownIsADashEverywhere(t *testing.T) {
	for what, slot := range map[string]budget.Slot{"no traffic": budget.Count(0, 0), "no data": {State: budget.Absent}} {
		t.Run(what, func(t *testing.T) {
			l := awkwards[0].live(t)
			at := budget.MinuteOf(awkwardNow)
			l.ledger = &budget.Ledger{}
			for m := at - budget.Minutes(30*slo.Day); m < at; m++ {
				l.ledger.Put(m, slot)
			}
			l.long = budget.Sum{}
			l.status = budget.StatusAt(l.ledger, l.spec.Objective, l.spec.Window(), at)
			all := l.surfaces(t)
			for where, row := range map[string]string{"slowburn status": "  checkout/availability  ", "report": "| `checkout/availability` | payments |"} {
				if !strings.Contains(all[where], row) {
					t.Errorf("%s: there is no %q", where, row)
				}
				for line := range strings.Lines(all[where]) {
					if !strings.Contains(line, row) {
						continue
					}
					line = strings.ReplaceAll(strings.ReplaceAll(line, "99.9 %", ""), "28 d", "")
					if strings.Count(line, figures.Unknown) < 3 || strings.Contains(line, "%") {
						t.Errorf("%s: %s", where, line)
					}
				}
			}
			for _, where := range []string{"slowburn status", "report", "page of all budgets", "Slack, open"} {
				if slices.ContainsFunc([]string{"NaN", "Inf", "–"}, func(bad string) bool {
					return strings.Contains(strings.ReplaceAll(all[where], "Mon–Fri 09–18", ""), bad)
				}) {
					t.Errorf("%s:\n%s", where, all[where])
				}
			}
			if page := all["page of all budgets"]; strings.Count(page, `">—</td>`) < 3 || strings.Contains(page, "— of the budget") {
				t.Error(page)
			}
		})
	}
}

// TestAnEstimateIsMarkedEverywhere: wherever a budget is shown whose counts are estimates, that is
// said.
func TestAnEstimateIsMarkedEverywhere(t *testing.T) {
	l := awkwards[3].live(t)
	at := budget.MinuteOf(awkwardNow)
	l.ledger = &budget.Ledger{}
	for m := at - budget.Minutes(30*slo.Day); m < at; m++ {
		slot := budget.Count(0, 100*thousand*budget.Unit)
		if m == budget.MinuteOf(l.open.Ended)-1 {
			slot = budget.Count(l.open.Bad(), 100*thousand*budget.Unit)
		}
		slot.Estimated = m < at-budget.Minutes(2*slo.Day)
		l.ledger.Put(m, slot)
	}
	l.status = budget.StatusAt(l.ledger, l.spec.Objective, l.spec.Window(), at)
	if l.status.Estimated() < 0.5 {
		t.Fatalf("%+v", l.status.Sum)
	}
	l.open.Last.Budget, l.resolved.Last.Budget = alerting.AccountOf(l.status), alerting.AccountOf(l.status)
	all := l.surfaces(t)
	for figure, want := range map[string]string{"budget left": l.status.LeftText(), "left, if any is": l.status.LeftText(), "left, or spent": l.status.LeftText(), "cost": l.status.CostOf(l.open.Bad())} {
		for _, where := range shownOn[figure] {
			if where == "slowburn compare" {
				continue // both figures are counted anew, and of theirs nobody knows
			}
			if !strings.HasPrefix(want, "about ") || !whole(all[where], want) {
				t.Errorf("%s: the %s is not %q:\n%s", where, figure, want, all[where])
			}
		}
	}
	for where, text := range all {
		for _, figure := range []string{l.status.LeftText(), l.status.CostOf(l.open.Bad())} {
			bare := strings.TrimPrefix(figure, "about ")
			unmarked := strings.NewReplacer(figure, "", "A"+figure[1:], "").Replace(text) // a sentence may begin with it
			if where != "slowburn compare" && whole(unmarked, bare) {
				t.Errorf("%s: %s is not marked:\n%s", where, bare, text)
			}
		}
	}
	for _, where := range []string{"Slack, open", "report", "slowburn status", "/slowburn status", "page of an SLO"} {
		if !strings.Contains(all[where], "estimated") {
			t.Errorf("%s does not say how much:\n%s", where, all[where])
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// youth is a ledger of 99.9 % over four weeks: so many minutes old, with a thousand requests in
// each of them and days before in which they were looked for in vain. Ten minutes, those that ended
// half an hour ago, went bad as a whole. A hole is the minutes that could not be read before them.
type youth struct {
	name      string
	age, hole budget.Minute

	cost     string // of the ten minutes, by the budget as it was when they were over
	left     string // figures.Unknown: no share is told
	gate     string
	coverage string
	lasts    bool // the forecast knows that it does
}

var youths = []youth{
	{"an hour", 60, 0, "about 24.8 %", figures.Unknown, "unknown", "0.1 %", false},
	{"an hour with a hole", 60, 15, "about 24.8 %", figures.Unknown, "unknown", "0.1 %", false},
	{"a day", 1440, 0, "about 24.8 %", figures.Unknown, "unknown", "3.5 %", false},
	{"a day with a hole", 1440, 144, "about 24.9 %", figures.Unknown, "unknown", "3.2 %", false},
	{"three days", 3 * 1440, 0, "24.8 %", "75.1 %", "unknown", "10.7 %", true},
	{"three days with a hole", 3 * 1440, 432, "about 25.1 %", figures.Unknown, "unknown", "9.6 %", false},
	{"ten days", 10 * 1440, 0, "24.8 %", "75.1 %", "unknown", "35.7 %", true},
	{"ten days with a hole", 10 * 1440, 1440, "25.7 %", "74.2 %", "unknown", "32.1 %", true},
	{"twenty days", 20 * 1440, 0, "24.8 %", "75.1 %", "open", "71.4 %", true},
}

// youngWorld is all that the surfaces read of one young ledger.
type youngWorld struct {
	*engine.Engine
	testing *testing.T
	id      slo.ID
	db      *store.DB
	ledger  *budget.Ledger
	burn    alerting.Incident
	pages   *httptest.Server
}

func (y youth) live(t *testing.T) *youngWorld {
	t.Helper()
	objective, _ := slo.ParseObjective("99.9")
	spec := &slo.Spec{
		Service: "checkout", Name: "availability", Owner: "payments", Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}},
		SLI: notifytest.Spec().SLI, Alerts: slo.Alerts{Page: []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}}, Spent: []int64{1000}},
	}
	at, l := budget.MinuteOf(awkwardNow), &budget.Ledger{}
	for m := at - y.age - 3*1440; m < at; m++ {
		slot := budget.Slot{State: budget.Absent}
		switch burns := at - 40; {
		case m >= burns && m < burns+10:
			slot = budget.Count(thousand*budget.Unit, thousand*budget.Unit)
		case m >= burns-2-y.hole && m < burns-2:
			slot = budget.Slot{State: budget.Failed}
		case m >= at-y.age:
			slot = budget.Count(0, thousand*budget.Unit)
		}
		l.Put(m, slot)
	}
	policy := alerting.DefaultPolicy()
	in := alerting.Input{ID: spec.ID(), Spec: spec, Ledger: l, Policy: &policy}
	st, events := alerting.Advance(in, alerting.State{Through: at - min(y.age, 1440)}, at)
	w := &youngWorld{testing: t, id: spec.ID(), ledger: l}
	turn := store.Turn{SLO: spec.ID(), State: st}
	notices := 0
	for _, i := range alerting.Fold(nil, events) {
		if i.Rule == alerting.RulePage {
			w.burn = i
		}
		turn.Incidents = append(turn.Incidents, i)
	}
	for _, e := range events {
		if e.Reason == alerting.BudgetSpent {
			notices++
		}
	}
	if told := y.left != figures.Unknown; (notices > 0) != told || w.burn.ID == "" {
		t.Errorf("%d notices of what is spent, page %q", notices, w.burn.ID)
	}
	var err error
	if w.db, err = store.Open(filepath.Join(t.TempDir(), "slowburn.db"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	if err := w.db.Commit(t.Context(), store.Tick{At: awkwardNow, Turns: []store.Turn{turn}}); err != nil {
		t.Fatal(err)
	}
	when, err := crontime.Parse("0 9 * * MON", "UTC")
	if err != nil {
		t.Fatal(err)
	}
	snap := store.Snapshot{Accounts: map[slo.ID]store.Account{spec.ID(): {Ledger: l, State: st}}}
	w.Engine = engine.New(engine.Options{
		Source: prom.New(nil, prom.Options{}), Store: w.db, Log: slog.New(slog.DiscardHandler), Policy: &policy,
		Reports: []report.Schedule{report.NewSchedule("weekly", when)},
	}, slo.NewSet([]*slo.Spec{spec}, nil, nil), snap)
	w.pages = httptest.NewServer(web.New(web.Options{
		Source: w, Archive: w.db, Now: func() time.Time { return awkwardNow }, Reloaded: func() api.Reloaded { return api.Reloaded{OK: true, At: &awkwardNow} },
	}))
	t.Cleanup(w.pages.Close)
	return w
}

// youngBackend is what /slowburn asks. It asks nothing of what is not here.
type youngBackend struct {
	slack.Backend
	*youngWorld
}

func (b youngBackend) Open() []alerting.Incident { return nil }

func (b youngBackend) Standings() []slack.Standing {
	var all []slack.Standing
	for _, x := range b.Snapshot().Budgets {
		all = append(all, slack.Standing{ID: x.ID, Spec: x.Spec, Status: x.Windows[0], Outlook: x.Outlook, Data: x.Data, Open: x.Open})
	}
	return all
}

func (b youngBackend) Gate(string) (alerting.Verdict, bool) {
	return alerting.Worst(b.Snapshot().Verdicts("checkout", "", awkwardNow)), true
}

func (b youngBackend) Now() time.Time { return awkwardNow }

// slack returns what /slowburn answers.
func (w *youngWorld) slack(text string) string {
	t := w.testing
	t.Helper()
	const token, secret = "xoxb-stand-in", "8f742231b10e8888abcd99yyyzzz85a5"
	srv := slacktest.Start(slacktest.Options{Token: token, Unpaced: true, SigningSecret: secret, AckWithin: 20 * time.Second})
	defer srv.Close()
	client, err := slack.New(slack.Config{Token: token, APIURL: srv.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	desk := slack.NewDesk(slack.DeskConfig{Backend: youngBackend{nil, w}}, slack.Doors{Client: client, SigningSecrets: []slack.Secret{secret}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- desk.Run(ctx) }()
	door := httptest.NewServer(desk.Handler())
	defer func() {
		door.Close()
		cancel()
		<-done
	}()
	srv.SetCallbacks(door.URL+"/slack/interactions", door.URL+"/slack/commands")
	if ack, err := srv.Command("general", "/slowburn", text, "U0ANA"); err != nil || ack.Status != http.StatusOK {
		t.Fatal(text, ack, err)
	}
	said := srv.State().Ephemerals()
	if len(said) != 1 {
		t.Fatalf("%s: %d answers", text, len(said))
	}
	return slacktest.Message{Text: said[0].Text, Blocks: said[0].Blocks}.Visible()
}

// get returns a page, or the answer of the API as data.
func (w *youngWorld) get(path string, data any) string {
	w.testing.Helper()
	r, err := http.Get(w.pages.URL + path)
	if err != nil {
		w.testing.Fatal(err)
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK {
		w.testing.Fatalf("%s: %d %s", path, r.StatusCode, body)
	}
	if data != nil {
		envelope := struct{ Data any }{data}
		if err := json.Unmarshal(body, &envelope); err != nil {
			w.testing.Fatalf("%s: %v", path, err)
		}
	}
	return readable(string(body))
}

// run returns what a command prints.
func (w *youngWorld) run(c interface{ Run(*env) error }) string {
	var out, errs bytes.Buffer
	_ = c.Run(&env{surroundings: surroundings{out: &out, err: &errs, getenv: unset}, ctx: w.testing.Context(), cli: &cli{ConfigFile: filepath.Join(w.testing.TempDir(), "none.yaml")}})
	return out.String() + errs.String()
}

// TestAYoungLedgerTellsTheSameEverywhere: what is known of a young ledger is told alike on every
// surface. Below a tenth of the window no share of the budget is told and its end is not forecast,
// what an incident cost is told as about so much; below half of it the gate is unknown; and the
// coverage is that of the window's minutes.
func TestAYoungLedgerTellsTheSameEverywhere(t *testing.T) {
	for _, y := range youths {
		t.Run(y.name, func(t *testing.T) {
			w := y.live(t)
			rep, _, err := w.MakeReport(t.Context(), "weekly", report.PeriodOf(slo.Week, awkwardNow.Add(-time.Hour)), awkwardNow)
			if err != nil {
				t.Fatal(err)
			}
			w.tellsInData(y, rep.Data)
			w.tellsInWords(y, rep.Markdown)
		})
	}
}

// tellsInData checks what programs read.
func (w *youngWorld) tellsInData(y youth, weekly json.RawMessage) {
	t := w.testing
	told := y.left != figures.Unknown
	var one api.SLO
	var gate api.Gate
	var spend api.Spend
	var incident api.IncidentDetail
	var r api.ReportData
	w.get("/api/v1/slos/checkout/availability", &one)
	w.get("/api/v1/gate/checkout/availability", &gate)
	w.get("/api/v1/slos/checkout/availability/spend", &spend)
	w.get("/api/v1/incidents/"+w.burn.ID, &incident)
	if err := json.Unmarshal(weekly, &r); err != nil || len(r.SLOs) != 1 || len(r.Incidents) == 0 {
		t.Fatalf("%v: %s", err, weekly)
	}
	row, cost := r.SLOs[0], r.Incidents[len(r.Incidents)-1]
	window := int(spend.To.Sub(spend.From) / time.Minute)
	known := float64(y.age-y.hole) / float64(window)
	for where, got := range map[string]float64{
		"status": one.Budget.Coverage, "gate": gate.Coverage, "report": *row.Coverage, "report's budget": row.Budget.Coverage,
		"explain": float64(spend.Data.Known) / float64(spend.Data.Minutes),
	} {
		if math.Abs(got-known) > 1e-9 {
			t.Errorf("%s: %v of the window is known, want %v", where, got, known)
		}
	}
	for where, got := range map[string]api.Account{"status": one.Budget.Account, "gate": gate.Account, "report": row.Budget.Account} {
		if (got.Spent != nil) != told || (got.Remaining != nil) != told || got.Projected == told || *got.Allowed != *spend.Allowed {
			t.Errorf("%s: %s", where, jsonOf(got))
		}
	}
	if (spend.Spent != nil) != told || spend.Projected == told {
		t.Errorf("explain: spent %v, projected %v", spend.Spent, spend.Projected)
	}
	for where, got := range map[string]api.IncidentCost{"incident": incident.IncidentCost, "report": cost.IncidentCost, "explain": spend.Incidents[0].IncidentCost} {
		if costOf(got) != y.cost {
			t.Errorf("%s: it cost %s, want %s", where, costOf(got), y.cost)
		}
	}
	verdict := postmortem.Judge(w.burn, w.Snapshot().Budgets[0].Spec.Objective, w.ledger, 0)
	if !cost.Required || !verdict.Required || cost.FourWeeksProjected == told || *cost.FourWeeks != (alerting.Account{Bad: verdict.Bad, Allowed: verdict.Budget.Allowed}).Spent() {
		t.Errorf("the report says of the postmortem %s; the verdict is %+v", jsonOf(cost), verdict)
	}
	for where, got := range map[string]string{"status": one.Budget.Outlook, "report": row.Outlook.State} {
		if (got == "lasts") != y.lasts || (got == "unknown") == y.lasts {
			t.Errorf("%s: the outlook is %s, %s, open %v", where, got, jsonOf(row.Outlook), w.burn.Open)
		}
	}
	if gate.State != y.gate || one.Gate == nil || *one.Gate != y.gate {
		t.Errorf("the gate is %s: %s", gate.State, gate.Reason)
	}
	if standing := row.Standing == "within"; standing != (y.gate == "open") {
		t.Errorf("in the report it stands %s", row.Standing)
	}
	if measured := strings.Contains(w.get("/metrics", nil), "slowburn_slo_error_budget_remaining_ratio{"); measured != told {
		t.Errorf("what is left is a metric: %v", measured)
	}
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// tellsInWords checks what people read.
func (w *youngWorld) tellsInWords(y youth, weekly string) {
	t := w.testing
	remote := remote{client: client{URL: w.pages.URL}}
	told := y.left != figures.Unknown
	status, explain := w.run(&statusCmd{remote: remote}), w.run(&explainCmd{remote: remote, Which: string(w.id), By: "day"})
	page, chat := w.get("/slo/checkout/availability", nil), w.slack("status")
	draft := postmortem.Draft(postmortem.Facts{Incident: w.burn, Spec: w.Snapshot().Budgets[0].Spec, Ledger: w.ledger}).Markdown()
	weekly = readable(weekly)
	row := func(text, prefix string) string {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, prefix) || strings.Contains(line, "  "+prefix+"  ") {
				return line
			}
		}
		t.Errorf("no line %q in\n%s", prefix, text)
		return ""
	}
	statusRow, reportRow := row(status, string(w.id)), row(weekly, "| `"+string(w.id)+"` | payments |")
	for where, text := range map[string]string{"status": statusRow, "weekly report": reportRow, "/slowburn status": chat, "page": page} {
		if told && !whole(text, y.left) {
			t.Errorf("%s: %s is not left in\n%s", where, y.left, text)
		}
	}
	if !told {
		left := fmt.Sprintf("%s of the budget", y.cost)
		for where, text := range map[string]string{"status": statusRow, "weekly report": reportRow} {
			if n := strings.Count(text, figures.Unknown); n < 2 {
				t.Errorf("%s: what is left and the outlook are not unknown:\n%s", where, text)
			}
		}
		for where, text := range map[string]string{"explain": explain, "/slowburn status": chat} {
			if strings.Contains(text, left) || strings.Contains(text, "of the budget left") {
				t.Errorf("%s tells a share:\n%s", where, text)
			}
		}
	}
	st := w.Snapshot().Budgets[0].Windows[0] // explain divides the budget of now
	if text := row(explain, w.burn.ID); !strings.Contains(text, "  "+st.CostOf(w.burn.Bad())) || told == strings.Contains(text, "about") {
		t.Errorf("explain: not %s: %s", st.CostOf(w.burn.Bad()), text)
	}
	for where, text := range map[string]string{
		"weekly report": weekly, "incidents": w.run(&incidentsListCmd{remote: remote, Limit: 50}),
		"page of the incident": w.get("/incidents/"+w.burn.ID, nil), "draft": draft,
	} {
		if !whole(text, y.cost) || !told && whole(strings.ReplaceAll(text, y.cost, ""), strings.TrimPrefix(y.cost, "about ")) {
			t.Errorf("%s: the cost is not %s:\n%s", where, y.cost, text)
		}
	}
	for where, text := range map[string]string{"weekly report": weekly, "page": page} {
		if !whole(text, y.coverage) {
			t.Errorf("%s: not %s known:\n%s", where, y.coverage, text)
		}
	}
	for where, text := range map[string]string{"status": statusRow, "weekly report": reportRow} {
		if strings.Contains(text, sentences.NotExhausted) != y.lasts {
			t.Errorf("%s: it lasts: %v:\n%s", where, !y.lasts, text)
		}
	}
	verdict := map[string]string{"unknown": "unknown: checkout", "open": "go: checkout"}[y.gate]
	if gate := strings.ToLower(w.slack("gate checkout")); !strings.Contains(gate, verdict) {
		t.Errorf("/slowburn gate: not %q: %s", verdict, gate)
	}
	if fields := strings.Fields(statusRow); !slices.Contains(fields, y.gate) {
		t.Errorf("status: the gate is not %s: %s", y.gate, statusRow)
	}
	if !strings.Contains(weekly, "**required, not begun**") {
		t.Errorf("weekly report: no postmortem is required")
	}
}

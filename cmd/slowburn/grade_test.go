package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/slo"
)

// graded are budgets of every grade.
type graded struct {
	slack.Backend
	seen *engine.Snapshot
}

func (g graded) Snapshot() *engine.Snapshot { return g.seen }

func (g graded) Standings() []slack.Standing {
	var all []slack.Standing
	for _, x := range g.seen.Budgets {
		all = append(all, slack.Standing{ID: x.ID, Spec: x.Spec, Status: x.Windows[0], Outlook: x.Outlook, Data: x.Data, Open: x.Open})
	}
	return all
}

// TestABudgetStandsTheSameEverywhere: /slowburn status, the page of all budgets and slowburn status
// list budgets in the same order, and say the same of each.
func TestABudgetStandsTheSameEverywhere(t *testing.T) {
	at, fine := budget.MinuteOf(awkwardNow), budget.Count(0, 1000*thousand)
	g := graded{}
	var specs []*slo.Spec
	accounts, open := map[slo.ID]store.Account{}, map[string]alerting.Incident{}
	add := func(name string, slot, newest budget.Slot, days int, incidents ...alerting.Incident) {
		l := awkwards[0].live(t)
		spec := *l.spec
		spec.Name, spec.Service = name, "s-"+name
		ledger := &budget.Ledger{}
		for m := at - budget.Minutes(time.Duration(days)*slo.Day); m < at; m++ {
			ledger.Put(m, slot)
		}
		ledger.Put(at-1, newest)
		specs, accounts[spec.ID()] = append(specs, &spec), store.Account{Ledger: ledger, State: alerting.State{Through: at}}
		for _, i := range incidents {
			i.ID, i.SLO, i.Last.SLO = string(spec.ID())+"/page/1", spec.ID(), spec.ID()
			open[i.ID] = i
		}
	}
	page := awkwards[0].live(t).open
	quieter, gap := page, page
	quieter.Last.Severity = alerting.Ticket
	gap.Rule, gap.Severity, gap.Last.Rule, gap.Last.Severity = alerting.RuleNoData, alerting.Ticket, alerting.RuleNoData, alerting.Ticket
	add("good", fine, fine, 30)
	add("young", fine, fine, 1)
	add("corrected", fine, budget.Slot{State: budget.Partial}, 30)
	add("low", budget.Count(8*thousand/10, 1000*thousand), fine, 30)
	add("quieter", fine, fine, 30, quieter)
	add("spent", budget.Count(2*thousand, 1000*thousand), fine, 30)
	add("absent", fine, budget.Slot{State: budget.Absent}, 30)
	add("gap", fine, fine, 30, gap)
	add("page", fine, fine, 30, page)
	g.seen = engine.New(engine.Options{Source: prom.New(nil, prom.Options{}), Log: slog.New(slog.DiscardHandler)},
		slo.NewSet(specs, nil, nil), store.Snapshot{Accounts: accounts, Open: open}).Snapshot()

	daemon := httptest.NewServer(web.New(web.Options{
		Source: g, Archive: archive{incident: page}, Now: func() time.Time { return awkwardNow },
		Reloaded: func() api.Reloaded { return api.Reloaded{OK: true, At: &awkwardNow} },
	}))
	defer daemon.Close()
	matches := func(text, pattern string) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all = append(all, strings.Join(m[1:], " "))
		}
		return all
	}

	var out bytes.Buffer
	e := &env{surroundings: surroundings{out: &out, err: &out, now: func() time.Time { return awkwardNow }, getenv: unset}, ctx: context.Background(), cli: &cli{}}
	_ = (&statusCmd{remote: remote{client: client{URL: daemon.URL}}}).Run(e)
	cli := matches(strings.ReplaceAll(strings.ToLower(out.String()), "no data", "no-data"), `(?m)^([a-z-]+) +s-([a-z]+)/`)

	w := httptest.NewRecorder()
	daemon.Config.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, daemon.URL+"/?sort=alert", nil))
	pages := matches(w.Body.String(), `(?s)href="/slo/s-([a-z]+)/[a-z]+"[^<]*>s-.*?"bar bar-([a-z-]+)"`)
	for n, p := range pages {
		name, key, _ := strings.Cut(p, " ")
		pages[n] = key + " " + name
	}

	icons := map[string]string{"🔥": "page", "🔴": "spent", "🎫": "ticket", "🟡": "low", "🟢": "good"}
	var bot []string
	for _, m := range matches(slack.Answer(g, "status").Text+blocksOf(t, slack.Answer(g, "status")), `(🔥|❔|🔴|🎫|🟡|🟢) \*s-([a-z]+)/`) {
		icon, name, _ := strings.Cut(m, " ")
		key := icons[icon]
		if icon == "❔" {
			key = map[bool]string{true: "unknown", false: "no-data"}[name == "young"]
		}
		bot = append(bot, key+" "+name)
	}
	want := []string{"page page", "no-data absent", "no-data gap", "spent spent", "ticket quieter", "low low", "unknown young", "good corrected", "good good"}
	for where, got := range map[string][]string{"slowburn status": cli, "page of all budgets": pages, "/slowburn status": bot} {
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%q\nwant\n%q", where, got, want)
		}
	}
}

func blocksOf(t *testing.T, b slack.Body) string {
	t.Helper()
	var all strings.Builder
	for _, block := range b.Blocks {
		body, err := block.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		all.Write(body)
	}
	return all.String()
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/api"
)

// daemonWith answers with those budgets and open incidents.
func daemonWith(t *testing.T, budgets []api.SLO, open []api.Incident) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var data any = budgets
		switch {
		case strings.HasSuffix(r.URL.Path, "/incidents"):
			data = append([]api.Incident{}, open...)
		case strings.HasSuffix(r.URL.Path, "/status"):
			data = api.Status{}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": data})
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// On a terminal the state has a colour, which moves no column; nowhere else, and not for whoever
// sets NO_COLOR.
func TestStatusHasColoursOnATerminal(t *testing.T) {
	fires := func(id, severity string) api.SLO {
		return api.SLO{Promise: api.Promise{ID: id, Objective: 99.9}, State: severity, Data: api.Data{State: "ok"}}
	}
	budgets := []api.SLO{
		fires("a/page", "page"), fires("b/ticket", "ticket"),
		{Promise: api.Promise{ID: "c/ok", Objective: 99.9}, State: "good", Data: api.Data{State: "zero_traffic"}},
		{Promise: api.Promise{ID: "d/dark", Objective: 99.9}, State: "no_data", Data: api.Data{State: "absent"}},
	}
	open := []api.Incident{{ID: "a/page/page/1", SLO: "a/page", Service: "a", Severity: "page", Open: true, AcknowledgedBy: "Ana"}, {ID: "bank/declared/x", Service: "bank", Severity: "ticket", Open: true}}
	url := daemonWith(t, budgets, open)
	shown := func(terminal bool, environment map[string]string) string {
		var out bytes.Buffer
		e := &env{surroundings: surroundings{
			out: &out, err: &out, getenv: func(name string) string { return environment[name] }, terminal: func(io.Writer) bool { return terminal },
		}.guarded(), ctx: context.Background(), cli: &cli{}}
		c := statusCmd{remote: remote{client: client{URL: url}}}
		if err := c.Run(e); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	plain, coloured := shown(false, nil), shown(true, nil)
	for _, want := range []string{"PAGE     a/page", "TICKET   b/ticket", "good     c/ok", "no data  d/dark", "2 open incidents:", "page      a/page/page/1", "Ana", "ticket    bank/declared/x", "zero traffic", "absent"} {
		if !strings.Contains(plain, want) {
			t.Errorf("there is no %q in\n%s", want, plain)
		}
	}
	for _, want := range []string{"\x1b[31mPAGE\x1b[39m", "\x1b[33mTICKET\x1b[39m", "\x1b[39mgood\x1b[39m", "\x1b[31mpage\x1b[39m"} {
		if !strings.Contains(coloured, want) {
			t.Errorf("there is no %q in\n%q", want, coloured)
		}
	}
	if bare := regexp.MustCompile("\x1b\\[3[139]m|\x1b\\[33m").ReplaceAllString(coloured, ""); bare != plain {
		t.Errorf("colours move columns:\n%s\n%s", bare, plain)
	}
	for _, environment := range []map[string]string{{"NO_COLOR": "1"}, {"TERM": "dumb"}} {
		if got := shown(true, environment); got != plain {
			t.Errorf("with %v status has colours:\n%q", environment, got)
		}
	}
}

// A budget that is overspent by a hair, and an SLI a hair below its objective, do not look as if
// all were well.
func TestStatusRoundsTowardsTheWorse(t *testing.T) {
	account := func(bad, total, allowed float64) api.WindowBudget {
		return api.WindowBudget{Window: "28d", SLI: new(100 * (1 - bad/total)), Budget: api.Budget{Account: api.Account{
			Allowed: &allowed, Bad: &bad, Total: &total, Spent: new(bad / allowed), Remaining: new(1 - bad/allowed),
		}}}
	}
	burn := func(rate float64) []api.Burn { return []api.Burn{{Window: "1h", Rate: &rate}} }
	all := []api.SLO{
		{Promise: api.Promise{ID: "a/just-below", Objective: 99.9}, State: "good", WindowBudget: account(10_004, 1e7, 1e4), Burn: burn(0.004)},
		{Promise: api.Promise{ID: "b/policy-line", Objective: 99.9}, State: "good", WindowBudget: account(7504, 1e7, 1e4), Burn: burn(13.42)},
		{Promise: api.Promise{ID: "c/five-nines", Objective: 99.999}, State: "good", WindowBudget: account(400, 1e7, 100), Burn: burn(1234.5)},
		{Promise: api.Promise{ID: "d/unknown", Objective: 99.9}, State: "good", WindowBudget: api.WindowBudget{Window: "28d"}},
	}
	var out bytes.Buffer
	c := statusCmd{remote: remote{client: client{URL: daemonWith(t, all, nil)}}}
	if err := c.Run(&env{surroundings: surroundings{out: &out, err: &out, getenv: unset}, ctx: context.Background(), cli: &cli{}}); err == nil {
		t.Error("a budget is overspent, and the answer is yes")
	}
	shown := map[string][]string{}
	for line := range strings.Lines(out.String()) {
		if cells := strings.Fields(line); len(cells) > 1 {
			shown[cells[1]] = cells[1:]
		}
	}
	for id, want := range map[string]string{
		"a/just-below":  "a/just-below 99.9 % 28 d 99.899 % −0.1 % <0.01× over 1 h",
		"b/policy-line": "b/policy-line 99.9 % 28 d 99.924 % 24.9 % 13.42× over 1 h",
		"c/five-nines":  "c/five-nines 99.999 % 28 d 99.99600 % −300.0 % 1,234× over 1 h",
		"d/unknown":     "d/unknown 99.9 % 28 d — — —",
	} {
		if n := len(strings.Fields(want)); len(shown[id]) < n || !slices.Equal(shown[id][:n], strings.Fields(want)) {
			t.Errorf("status shows %q, want %q", strings.Join(shown[id], " "), want)
		}
	}
}

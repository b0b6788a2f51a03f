package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/api"
)

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
		{Promise: api.Promise{ID: "a/just-below", Objective: 99.9}, WindowBudget: account(10_004, 1e7, 1e4), Burn: burn(0.004)},
		{Promise: api.Promise{ID: "b/policy-line", Objective: 99.9}, WindowBudget: account(7504, 1e7, 1e4), Burn: burn(13.42)},
		{Promise: api.Promise{ID: "c/five-nines", Objective: 99.999}, WindowBudget: account(400, 1e7, 100), Burn: burn(1234.5)},
		{Promise: api.Promise{ID: "d/unknown", Objective: 99.9}, WindowBudget: api.WindowBudget{Window: "28d"}},
	}
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": all})
	}))
	defer daemon.Close()
	var out bytes.Buffer
	c := statusCmd{remote: remote{client: client{URL: daemon.URL}}}
	if err := c.Run(&env{surroundings: surroundings{out: &out, err: &out}, ctx: context.Background(), cli: &cli{}}); err == nil {
		t.Error("a budget is overspent, and the answer is yes")
	}
	shown := map[string][]string{}
	for line := range strings.Lines(out.String()) {
		if cells := strings.Fields(line); len(cells) > 0 {
			shown[cells[0]] = cells
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

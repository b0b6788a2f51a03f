package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/slowburn-sre/slowburn/internal/api"
)

// explained is a daemon that knows where one budget went: ten events a minute over two days, with
// an incident.
type explained struct {
	spend api.Spend
	asked []string
}

func newExplained() *explained {
	to := time.Date(2026, 11, 16, 13, 0, 0, 0, time.UTC)
	hour := func(ago int, bad float64) api.SpentBucket {
		at := to.Add(-time.Duration(ago) * time.Hour)
		return api.SpentBucket{At: at, Name: at.Format("Mon 2006-01-02 15:04 MST"), SpentShare: spentShare(bad), Total: 600, Minutes: 60, Known: 60}
	}
	return &explained{spend: api.Spend{
		ID: "shop/availability", Objective: 99.9, Window: "2d", From: to.Add(-4 * time.Hour), To: to,
		Allowed: new(float64(30)), Bad: 201.5, Total: 2400, Spent: new(201.5 / 30),
		Buckets:      []api.SpentBucket{hour(4, 0), hour(3, 201), hour(2, 0), hour(1, 0.5)},
		Incidents:    []api.SpentIncident{{ID: "shop/availability/page/2", Severity: "page", Onset: to.Add(-3 * time.Hour), Duration: 1200, SpentShare: spentShare(200)}},
		Unattributed: spentShare(1.5), Data: api.SpentData{State: "ok", Minutes: 240, Known: 240},
	}}
}

func spentShare(bad float64) api.SpentShare { return api.SpentShare{Bad: bad, Share: new(bad / 30)} }

// ServeHTTP answers as the daemon's API does.
func (x *explained) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.asked = append(x.asked, r.URL.Path+" "+r.URL.Query().Get("by")+" "+r.URL.Query().Get("labels"))
	if strings.HasPrefix(r.URL.Path, "/api/v1/slos/shop/late") {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "error", "errorType": api.Undecided, "error": "No minute of shop/late has been decided yet: samples are overdue."})
		return
	}
	if r.URL.Path == "/api/v1/slos" {
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": []api.SLO{}})
		return
	}
	if r.URL.Path != "/api/v1/slos/shop/availability/spend" {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "error", "error": "There is no such SLO."})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": x.spend})
}

const explainedSLO = `version: slowburn/v1
service: shop
owner: shop-team
slos:
  - name: availability
    objective: 99.9
    window: 28d
    sli:
      events:
        total: http_requests_total{job="shop"}
        bad: http_requests_total{job="shop",code=~"5.."}
`

// explainArgs runs explain as its command line would, beside a configuration if there are SLO
// files.
func explainArgs(t *testing.T, x *explained, file string, args ...string) (code int, out, told string) {
	t.Helper()
	server := httptest.NewServer(x)
	defer server.Close()
	dir := t.TempDir()
	if file != "" {
		for name, text := range map[string]string{"slowburn.yaml": "slos: [shop.yaml]\n", "shop.yaml": file} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var c explainCmd
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append(args, "--url", server.URL)); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	e := &env{surroundings: surroundings{out: &stdout, err: &stderr, getenv: os.Getenv}, ctx: context.Background(), cli: &cli{ConfigFile: filepath.Join(dir, "slowburn.yaml")}}
	code = exitCode(c.Run(e), &stderr)
	return code, stdout.String(), stderr.String()
}

func explainFacts(t *testing.T, x *explained, file string, args ...string) (f explanation) {
	t.Helper()
	code, out, told := explainArgs(t, x, file, append(args, "-o", "json")...)
	if code != exitGood {
		t.Fatalf("exit code %d: %s", code, told)
	}
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestExplainConsultsTheSLOFile(t *testing.T) {
	f := explainFacts(t, newExplained(), explainedSLO, "shop/availability")
	if f.Note != "" || len(f.Queries) == 0 || f.Alerts == nil || f.Alerts.EventsPerMinute != 10 {
		t.Fatalf("%q, %d queries, %+v", f.Note, len(f.Queries), f.Alerts)
	}
	if r := f.Alerts.Reaches[0]; r.Pair != "1h/5m" || *r.Outage != 300 { // by then so many failures that no clump is so large
		t.Errorf("the first pair catches %+v", r)
	}
	code, out, told := explainArgs(t, newExplained(), explainedSLO, "shop/availability", "--by", "hour")
	for _, want := range []string{"unattributed", "    sum(increase(http_requests_total", "2 quiet hours are left out", "page any", "0 false pages in 60 simulated days", "Mon 2026-11-16 10:00"} {
		if code != exitGood || !strings.Contains(out, want) {
			t.Errorf("exit code %d, %s, does not say %q:\n%s", code, told, want, out)
		}
	}
}

func TestExplainSaysWhatItCannot(t *testing.T) {
	unseen := newExplained()
	unseen.spend.Allowed = nil
	broken := newExplained()
	broken.spend.Allowed, broken.spend.Data.Problems = nil, []string{"2 samples were no number", "1 series went on"}
	for _, tc := range []struct {
		name string
		x    *explained
		file string
		args []string
		code int
		says string
	}{
		{"without a configuration it says so", newExplained(), "", []string{"shop/availability"}, exitGood, "There is no configuration"},
		{"with an SLO file of others it says so", newExplained(), strings.ReplaceAll(explainedSLO, "availability", "latency"), []string{"shop/availability"}, exitGood, "do not have shop/availability"},
		{"with a broken SLO file it says so", newExplained(), "slos: nothing", []string{"shop/availability"}, exitGood, "see slowburn check"},
		{"an SLO that is not there is unknown", newExplained(), "", []string{"shop/nothing"}, exitUnknown, `there is no SLO "shop/nothing"`},
		{"nothing known is unknown", unseen, "", []string{"shop/availability"}, exitUnknown, "nothing is known about shop/availability yet.\n"},
		{"nothing known is unknown, with what is wrong", broken, "", []string{"shop/availability"}, exitUnknown, "yet: 2 samples were no number; 1 series went on.\n"},
		{"an SLO of which nothing is decided yet is no unknown name", newExplained(), "", []string{"shop/late"}, exitUnknown, "No minute of shop/late has been decided yet: samples are overdue."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, told := explainArgs(t, tc.x, tc.file, tc.args...)
			if code != tc.code || !strings.Contains(out+told, tc.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, tc.code, tc.says, out, told)
			}
		})
	}
}

// A service, or an SLO with labels, stands for its only budget; of several it says which there are.
func TestExplainSaysWhichBudgetsThereAre(t *testing.T) {
	budgets := []api.SLO{
		{Promise: api.Promise{ID: "bank/up", Service: "bank", Name: "up"}},
		{Promise: api.Promise{ID: `shop/works{route="/pay"}`, Service: "shop", Name: "works"}},
		{Promise: api.Promise{ID: `shop/works{route="/cart"}`, Service: "shop", Name: "works"}},
	}
	url := daemonWith(t, budgets, nil)
	for name, want := range map[string]struct {
		code int
		says string
	}{
		"shop":       {exitUsage, "2 budgets; name one of them:\n  shop/works{route=\"/pay\"}\n  shop/works{route=\"/cart\"}"},
		"shop/works": {exitUsage, "2 budgets"},
		"shp":        {exitUnknown, `there is no SLO "shp"; did you mean "shop"?`},
	} {
		var out, errs bytes.Buffer
		code := run([]string{"explain", name, "--url=" + url}, surroundings{out: &out, err: &errs, getenv: unset, now: time.Now})
		if code != want.code || !strings.Contains(errs.String(), want.says) {
			t.Errorf("explain %s ends with %d, want %d and %q: %s", name, code, want.code, want.says, errs.String())
		}
	}
}

// TestExplainSaysWhatIsWrongWithTheData: which part is estimated, and the problems as they are.
func TestExplainSaysWhatIsWrongWithTheData(t *testing.T) {
	x := newExplained()
	x.spend.Data.Known, x.spend.Data.Estimated = 200, 50
	x.spend.Data.Problems = []string{"3 samples stood a little lower"}
	_, out, _ := explainArgs(t, x, "", "shop/availability")
	const want = "  25.0 % of the known minutes are estimates: Prometheus has extrapolated their counts, which misses events where series begin or end.\n  3 samples stood a little lower\n"
	if !strings.Contains(out, want) {
		t.Errorf("it does not say %q:\n%s", want, out)
	}
	if _, out, _ := explainArgs(t, newExplained(), "", "shop/availability"); strings.Contains(out, "estimates") {
		t.Errorf("it speaks of estimates where there are none:\n%s", out)
	}
}

func TestExplainAsksForOneBudgetOfMany(t *testing.T) {
	x := newExplained()
	explainFacts(t, x, "", `shop/availability{route="/pay"}`, "--by", "hour")
	if want := []string{`/api/v1/slos/shop/availability/spend hour {route="/pay"}`}; !slices.Equal(x.asked, want) {
		t.Errorf("asked for %q, want %q", x.asked, want)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/slo"
)

// explained is a service of ten events a minute whose ledger is known to the minute: one bad event an hour, then on the 15th
// a quiet hour, an outage of twenty minutes, and an hour without data; and another outage over the begin of the window.
type explained struct {
	ledger budget.Ledger
	slo    api.SLO
	all    []api.Incident
	asked  []string
}

var explainAsOf = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

// explainFrom is where a window of 28 days begins, on an hour.
var explainFrom = explainAsOf.Add(-28 * slo.Day).Truncate(time.Hour)

func newExplained() *explained {
	x := &explained{}
	outage := time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)
	for at := explainFrom.Add(-2 * time.Hour); at.Before(explainAsOf); at = at.Add(time.Minute) {
		bad := int64(0)
		switch since := at.Sub(outage); {
		case since >= 0 && since < 20*time.Minute, at.Before(explainFrom.Add(10*time.Minute)) && !at.Before(explainFrom.Add(-10*time.Minute)):
			bad = 10
		case at.Minute() == 30 && !at.Truncate(time.Hour).Equal(outage.Add(-2*time.Hour)):
			bad = 1
		}
		slot := budget.Count(bad*budget.Unit, 10*budget.Unit)
		if at.Truncate(time.Hour).Equal(outage.Add(2 * time.Hour)) {
			slot = budget.Slot{State: budget.Absent}
		}
		x.ledger.Put(budget.MinuteOf(at), slot)
	}
	o, _ := slo.ParseObjective("99.9")
	st := budget.StatusAt(&x.ledger, o, slo.Window{Rolling: 28 * slo.Day}, budget.MinuteOf(explainAsOf))
	allowed, bad, total := float64(st.Allowed)/budget.Unit, float64(st.Sum.Bad)/budget.Unit, float64(st.Sum.Total)/budget.Unit
	x.slo = api.SLO{
		ID: "shop/availability", Service: "shop", Name: "availability", Objective: 99.9, Data: api.Data{State: "ok", AsOf: explainAsOf},
		WindowBudget: api.WindowBudget{Window: "28d", Budget: api.Budget{Allowed: &allowed, Bad: &bad, Total: &total}},
	}
	resolved, early := outage.Add(25*time.Minute), explainFrom.Add(15*time.Minute)
	x.all = []api.Incident{
		{ID: "shop/availability/page/2", SLO: x.slo.ID, Rule: "page", Severity: "page", Onset: outage, Resolved: &resolved, Bad: 200, Duration: "20m"},
		{ID: "shop/availability/no_data/1", SLO: x.slo.ID, Rule: "no_data", Severity: "ticket", Onset: outage, Bad: 0},
		{ID: "shop/availability/ticket/1", SLO: x.slo.ID, Rule: "ticket", Severity: "ticket", Onset: explainFrom.Add(-10 * time.Minute), Resolved: &early, Bad: 200, Duration: "20m"},
	}
	return x
}

// ServeHTTP answers as the daemon's API does, out of the ledger.
func (x *explained) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.asked = append(x.asked, r.URL.Path+" "+r.URL.Query().Get("labels"))
	answer := func(data any) { _ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": data}) }
	switch r.URL.Path {
	case "/api/v1/slos/shop/availability":
		answer(x.slo)
	case "/api/v1/slos/shop/availability/history":
		q := r.URL.Query()
		from, _ := time.Parse(time.RFC3339, q.Get("from"))
		to, _ := time.Parse(time.RFC3339, q.Get("to"))
		step, err := model.ParseDuration(q.Get("step"))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer(x.history(from, to, time.Duration(step)))
	case "/api/v1/incidents":
		answer(x.all)
	default:
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "error", "error": "There is no such SLO."})
	}
}

func (x *explained) history(from, to time.Time, step time.Duration) (h api.History) {
	for at := from; at.Before(to); at = at.Add(step) {
		sum := x.ledger.Sum(budget.MinuteOf(at), min(budget.MinuteOf(at.Add(step)), budget.MinuteOf(to)))
		p := api.HistoryPoint{At: at, Known: sum.Known, Unknown: sum.Unknown}
		if sum.Seen() > 0 {
			bad, total := float64(sum.Bad)/budget.Unit, float64(sum.Total)/budget.Unit
			p.Bad, p.Total = &bad, &total
		}
		h.Points = append(h.Points, p)
	}
	return h
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

// explainArgs runs explain as its command line would, beside a configuration if there are SLO files.
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

func TestExplainAddsUp(t *testing.T) {
	for _, by := range []string{"day", "hour"} {
		t.Run("by "+by, func(t *testing.T) {
			x := newExplained()
			f := explainFacts(t, x, "", "shop/availability", "--by", by)
			buckets, parts := 0.0, f.Unattributed.Bad
			for _, b := range f.Buckets {
				buckets += b.Bad
			}
			for _, i := range f.Incidents {
				parts += i.Bad
			}
			if want := *x.slo.Budget.Bad; math.Abs(buckets-want) > 1e-9 || math.Abs(parts-want) > 1e-9 || f.Bad != want || f.Total != *x.slo.Budget.Total {
				t.Errorf("buckets hold %v bad events, incidents and the rest %v, the whole %v of %v; want %v", buckets, parts, f.Bad, f.Total, want)
			}
			if *f.Spent != f.Bad / *f.Allowed {
				t.Errorf("spent %v, want %v", *f.Spent, f.Bad / *f.Allowed)
			}
		})
	}
}

func TestExplainCountsWhatADeclaredIncidentSharesOnce(t *testing.T) {
	x := newExplained()
	begin, end := x.all[0].Onset.Add(-2*time.Hour), x.all[0].Onset.Add(10*time.Minute)
	x.all = append(x.all, api.Incident{ID: "shop/availability/declared/1", SLO: x.slo.ID, Rule: "declared", Severity: "page", Onset: begin, Resolved: &end})
	f := explainFacts(t, x, "", "shop/availability")
	parts := f.Unattributed.Bad
	for _, i := range f.Incidents {
		parts += i.Bad
	}
	beside := float64(x.ledger.Sum(budget.MinuteOf(begin), budget.MinuteOf(x.all[0].Onset)).Bad) / budget.Unit
	if len(f.Incidents) != 3 || f.Incidents[2].Bad != beside || math.Abs(parts-f.Bad) > 1e-9 || f.Unattributed.Bad < 0 {
		t.Errorf("incidents %+v and the rest %v are %v of %v; it took %v beside the page", f.Incidents, f.Unattributed.Bad, parts, f.Bad, beside)
	}
}

func TestExplainAttributes(t *testing.T) {
	f := explainFacts(t, newExplained(), "", "shop/availability")
	if len(f.Incidents) != 2 || f.Incidents[0].Bad != 200 || f.Incidents[1].Bad != 100 {
		t.Errorf("want the burns only, 200 of the one in the window and 100 of the one that began before it: %+v", f.Incidents)
	}
	// 28 days with one bad event an hour, but for the quiet hour and the one without data. The outages end before
	// the half hour, and so does the window.
	if want := 28.0*24 - 2; f.Unattributed.Bad != want {
		t.Errorf("%v bad events are unattributed, want %v", f.Unattributed.Bad, want)
	}
	first, outage := f.Buckets[0], f.Buckets[21]
	if !first.At.Equal(explainFrom) || first.Minutes != 15*60 || len(f.Buckets) != 29 {
		t.Errorf("the first of %d days begins at %v with %d minutes", len(f.Buckets), first.At, first.Minutes)
	}
	if outage.Bad != 200+22 || outage.Known != 23*60 || outage.Unknown != 60 || outage.Minutes != 1440 {
		t.Errorf("the day of the outage: %+v", outage)
	}
	if d := f.Data; d.Unknown != 60 || d.Unseen != 0 || d.Minutes != 28*1440+30 {
		t.Errorf("the minutes: %+v", d)
	}
}

func TestExplainConsultsTheSLOFile(t *testing.T) {
	f := explainFacts(t, newExplained(), explainedSLO, "shop/availability")
	if f.Note != "" || len(f.Queries) == 0 || f.Alerts == nil || f.Alerts.EventsPerMinute != 10 {
		t.Fatalf("%q, %d queries, %+v", f.Note, len(f.Queries), f.Alerts)
	}
	if r := f.Alerts.Reaches[0]; r.Pair != "1h/5m" || *r.Outage != "3m" { // three bad minutes, as there are fewer than fifty failures
		t.Errorf("the first pair catches %+v", r)
	}
	code, out, told := explainArgs(t, newExplained(), explainedSLO, "shop/availability", "--by", "hour")
	for _, want := range []string{"unattributed", "    sum(increase(http_requests_total", "2 quiet hours are left out", "page any", "False pages: none", "Sun 2026-11-15 12:00"} {
		if code != exitGood || !strings.Contains(out, want) {
			t.Errorf("exit code %d, %s, does not say %q:\n%s", code, told, want, out)
		}
	}
}

func TestExplainSaysWhatItCannot(t *testing.T) {
	unseen := newExplained()
	unseen.slo.Budget = api.Budget{}
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
		{"an SLO that is not there is no", newExplained(), "", []string{"shop/nothing"}, exitNo, "no such SLO"},
		{"a service is wrong usage", newExplained(), "", []string{"shop"}, exitUsage, "SERVICE/SLO"},
		{"nothing known is unknown", unseen, "", []string{"shop/availability"}, exitUnknown, "nothing is known"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, told := explainArgs(t, tc.x, tc.file, tc.args...)
			if code != tc.code || !strings.Contains(out+told, tc.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, tc.code, tc.says, out, told)
			}
		})
	}
}

func TestExplainCountsTheDaysOfTheWindowsZone(t *testing.T) {
	x := newExplained()
	x.slo.Window = "month (Europe/Berlin)"
	f := explainFacts(t, x, "", "shop/availability")
	first := f.Buckets[0]
	if first.Name != "Sun 2026-11-01" || !first.At.Equal(time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC)) || first.Minutes != 1440 || len(f.Buckets) != 22 {
		t.Errorf("the first of %d days: %+v", len(f.Buckets), first)
	}
}

func TestExplainAsksForOneBudgetOfMany(t *testing.T) {
	x := newExplained()
	x.slo.ID = `shop/availability{route="/pay"}`
	explainFacts(t, x, "", x.slo.ID)
	for _, a := range x.asked[:2] {
		if !strings.HasSuffix(a, ` {route="/pay"}`) {
			t.Errorf("asked for %q", a)
		}
	}
}

func TestExplainReadsWindows(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []slo.Window{
		{Rolling: 28 * slo.Day}, {Rolling: 12 * time.Hour}, {Calendar: slo.Month, Zone: time.UTC}, {Calendar: slo.Week, Zone: berlin},
	} {
		got, err := windowOf(w.String())
		if err != nil || got.String() != w.String() || !got.Start(explainAsOf).Equal(w.Start(explainAsOf)) {
			t.Errorf("%s is read as %s, %v", w, got, err)
		}
	}
	if _, err := windowOf("a while"); err == nil {
		t.Error("a while is no window")
	}
}

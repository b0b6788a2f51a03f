package postmortem_test

import (
	"math"
	"math/big"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/goldentest"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/report/lives"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

func life(t testing.TB, text string) lives.Life {
	t.Helper()
	all, err := lives.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// facts are those of the newest incident of a life.
func facts(l lives.Life) postmortem.Facts {
	n := len(l.Incidents) - 1
	return postmortem.Facts{Incident: l.Incidents[n], Spec: l.Spec, Ledger: l.Ledger}
}

// evidence adds everything that can be added.
func evidence(f postmortem.Facts, earlier []alerting.Incident) postmortem.Facts {
	f.Zone, _ = time.LoadLocation("Europe/Berlin")
	f.Page = "https://slowburn.example/incidents/1"
	f.Links = map[string]string{f.Incident.Log[0].Key(): "https://slack.example/p1"}
	for key, a := range []alerting.Act{
		{Kind: alerting.Acknowledge, At: f.Incident.Detected.Add(3 * time.Minute), By: "Ada"},
		{Kind: alerting.Mitigated, At: f.Incident.Detected.Add(33 * time.Minute), By: "Björn", Text: "rolled back"},
	} {
		a.Key, a.Incident = strconv.Itoa(key), f.Incident.ID
		f.Incident = f.Incident.Take(a)
	}
	f.Earlier = earlier
	onset := f.Incident.Onset
	f.Signals = &postmortem.Signals{
		Before: onset, Onset: f.Incident.Detected, Peak: onset.Add(5 * time.Minute), After: f.Incident.Resolved,
		All: []postmortem.Signal{{
			Kind: "latency", Name: "p99", Query: "histogram_quantile(0.99, x)", Before: "120 ms", Onset: "2.1 s", Peak: "9.8 s",
			Curve: &postmortem.Curve{From: onset.Add(-15 * time.Minute), Step: 5 * time.Minute, Values: []float64{0.12, 0.12, 0.12, 2.1, 9.8, 9.1, math.NaN(), 8, 0.12}, Low: "120 ms", High: "9.8 s"},
		}},
	}
	f.FoundAt = f.Incident.Detected
	f.Where = &ranking.Ranking{
		Verdict: ranking.StandsOut, Now: ranking.Count{Bad: 800_000, Total: 4_000_000},
		Contributors: []ranking.Contributor{{
			Label: "route", Value: "/pay", Share: 0.85, Query: "topk(5, y)",
			Now: ranking.Count{Bad: 680_000, Total: 800_000}, Before: ranking.Count{Bad: 10_000, Total: 24_000_000},
		}},
	}
	f.Traces = []ranking.Trace{{ID: "4bf92f3577b34da6", Where: `route="/pay"`, URL: "https://traces.example/4bf92f3577b34da6"}}
	f.Changes = []ranking.Suspect{{At: onset.Add(-4 * time.Minute), What: "v1.2.2 → v1.2.3 <!channel>", Seen: "seen in build_info", Link: "https://ci.example/7"}}
	f.Acts = []alerting.Act{{
		Key: "c", Kind: alerting.Changed, At: onset.Add(30 * time.Minute), By: "Ada", Service: f.Spec.Service,
		Change: &alerting.Change{Kind: "rollback", Title: "payments", Version: "v1.2.2", Start: onset.Add(30 * time.Minute)},
	}}
	f.Depends = []slo.ID{"bank/availability"}
	f.Upstream = []alerting.Upstream{{SLO: "bank/availability", Incident: "bank/availability/page/1", Severity: alerting.Page, Onset: onset.Add(-2 * time.Minute), Ended: onset.Add(38 * time.Minute)}}
	f.Problems = []string{"traces: the server has no exemplars"}
	if len(earlier) > 0 {
		f.Reviews = []postmortem.Review{{Incident: earlier[0].ID, Status: postmortem.StatusInReview, Class: "deploy", Actions: []postmortem.Action{
			{What: "Try again once", Priority: "P0", Done: true}, {What: "Alert on retries", Priority: "P1", Due: time.Date(2026, 11, 13, 0, 0, 0, 0, time.UTC)},
		}}}
	}
	return f
}

func TestGoldens(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	if len(files) == 0 {
		t.Fatal("no goldens")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			l := life(t, string(archive.Files[0].Data))
			f := facts(l)
			last := len(archive.Files) - 1
			if archive.Files[1].Name == "evidence" {
				f = evidence(f, l.Incidents)
			}
			archive.Files[last].Data = []byte(postmortem.Draft(f).Markdown())
			if again := postmortem.Draft(f).Markdown(); again != string(archive.Files[last].Data) {
				t.Error("the same facts gave other bytes")
			}
			goldentest.Check(t, file, txtar.Format(archive))
			checkFront(t, string(archive.Files[last].Data), l.ID)
		})
	}
}

// checkFront reads the front matter as YAML.
func checkFront(t *testing.T, markdown string, id slo.ID) {
	t.Helper()
	parts := strings.SplitN(markdown, "---\n", 3)
	var front map[string]any
	if err := yaml.Unmarshal([]byte(parts[1]), &front); err != nil || front["slo"] != string(id) || front["status"] != "draft" {
		t.Errorf("front matter %v: %v", front, err)
	}
}

func TestRequired(t *testing.T) {
	for _, c := range []struct {
		what                string
		bad, allowed, limit int64
		want                bool
		reason              postmortem.Reason
	}{
		{"exactly the limit is not above it", 200, 1000, 2000, false, postmortem.UnderLimit},
		{"a thousandth of an event above it is", 201, 1000, 2000, true, postmortem.OverLimit},
		{"nothing burned", 0, 1000, 2000, false, postmortem.NoBurn},
		{"no budget to measure by", 5, 0, 2000, false, postmortem.NoTraffic},
		{"a house limit of half", 500, 1000, 5000, false, postmortem.UnderLimit},
		{"more than the whole budget", 1001, 1000, 10000, true, postmortem.OverLimit},
		{"counts that overflow when multiplied", math.MaxInt64, math.MaxInt64 / 4, 2000, true, postmortem.OverLimit},
		{"and stay below", math.MaxInt64 / 5, math.MaxInt64, 2000, false, postmortem.UnderLimit},
	} {
		if got, reason := postmortem.Required(c.bad, c.allowed, c.limit); got != c.want || reason != c.reason {
			t.Errorf("%s: %v, %s", c.what, got, reason)
		}
	}
}

// The comparison is exact: a twin in fractions agrees for any counts.
func TestRequiredIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		allowed := rapid.Int64Range(1, math.MaxInt64).Draw(t, "allowed")
		limit := rapid.Int64Range(1, 20000).Draw(t, "limit")
		edge := new(big.Int).Div(new(big.Int).Mul(big.NewInt(allowed), big.NewInt(limit)), big.NewInt(10000))
		bad := rapid.Int64Range(1, math.MaxInt64).Draw(t, "bad")
		if edge.IsInt64() && edge.Int64() > 1 && rapid.Bool().Draw(t, "at the edge") {
			bad = edge.Int64() + rapid.Int64Range(-1, 1).Draw(t, "beside it")&math.MaxInt64
			bad = max(bad, 1)
		}
		want := big.NewRat(bad, allowed).Cmp(big.NewRat(limit, 10000)) > 0
		if got, _ := postmortem.Required(bad, allowed, limit); got != want {
			t.Fatalf("%d of %d at %d: %v", bad, allowed, limit, got)
		}
	})
}

const outage = `slo a/b 99.9 7d
2026-10-18T00:00Z 2026-11-18T23:00Z 0/1000
2026-11-18T21:10Z 2026-11-18T21:30Z 400/1000
`

func TestJudge(t *testing.T) {
	l := life(t, outage)
	i := l.Incidents[0]
	v := postmortem.Judge(i, l.Spec.Objective, l.Ledger, 0)
	// 20 minutes × 400 events = 8,000 of 40,320 that four weeks allow, 19.8 %; of the SLO's own
	// week it is 79 %.
	if v.Required || v.Reason != postmortem.UnderLimit || v.Bad != 8000_000 || v.Budget.Allowed/1000_000 != 40 {
		t.Errorf("the SLO's own window was taken for the four weeks: %+v", v)
	}
	if v := postmortem.Judge(i, l.Spec.Objective, l.Ledger, 1900); !v.Required || v.Reason != postmortem.OverLimit {
		t.Errorf("a house limit of 19 %%: %+v", v)
	}
}

func TestLateDataCount(t *testing.T) {
	l := life(t, outage)
	i := l.Incidents[0]
	m := budget.MinuteOf(i.Onset) + 19
	l.Ledger.Put(m, budget.Count(900_000, 1000_000))
	v := postmortem.Judge(i, l.Spec.Objective, l.Ledger, 0)
	if !v.Required || v.Reason != postmortem.CrossedLate || v.Bad != 8500_000 {
		t.Errorf("a hole that was filled after the end: %+v", v)
	}
	draft := postmortem.Draft(postmortem.Facts{Incident: i, Spec: l.Spec, Ledger: l.Ledger}).Markdown()
	if !strings.Contains(draft, "from 8,000 to 8,500 bad events") || !strings.Contains(draft, "**P0**") {
		t.Error("the draft does not say that late data raised the cost, or demands no P0 item")
	}
	l.Ledger.Thin(l.Ledger.End())
	thinned := postmortem.Draft(postmortem.Facts{Incident: i, Spec: l.Spec, Ledger: l.Ledger})
	if p := thinned.Profile; p[0].To.Sub(p[0].From) != time.Hour || !strings.Contains(thinned.Markdown(), "no longer kept") {
		t.Error("a profile finer than what the ledger keeps")
	}
	if v := postmortem.Judge(i, l.Spec.Objective, l.Ledger, 0); v.Bad != 8000_000 {
		t.Errorf("without minutes the log must stand: %+v", v)
	}
}

func TestYoungLedgerIsScaledToFourWeeks(t *testing.T) {
	l := life(t, "slo a/b 99.9 7d\n2026-11-17T00:00Z 2026-11-19T00:00Z 0/1000\n2026-11-18T21:10Z 2026-11-18T21:20Z 400/1000")
	v := postmortem.Judge(l.Incidents[0], l.Spec.Objective, l.Ledger, 0)
	if v.Required || !v.Scaled || v.Budget.Allowed/1000_000 != 40 {
		t.Errorf("two days of history: %+v", v)
	}
	if allowed := postmortem.Judge(l.Incidents[0], l.Spec.Objective, new(budget.Ledger), 0).Budget.Allowed; allowed != 0 {
		t.Errorf("an empty ledger allows %d", allowed)
	}
}

func matchers(t *testing.T, pairs ...string) []*labels.Matcher {
	var all []*labels.Matcher
	for i := 0; i < len(pairs); i += 2 {
		m, err := labels.NewMatcher(labels.MatchRegexp, pairs[i], pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// Every query is PromQL, and of bare selectors it carries its range and its instant.
func TestQueriesArePromQL(t *testing.T) {
	bare := func(name string, pairs ...string) *slo.Query {
		return &slo.Query{Text: name, Metric: name, Matchers: matchers(t, pairs...)}
	}
	from := time.Date(2026, 11, 18, 21, 10, 0, 0, time.UTC)
	to := from.Add(35 * time.Minute)
	for _, c := range []struct {
		what string
		sli  slo.Indicator
		id   slo.ID
		want string // of the last query
	}{
		{
			"bad of total",
			slo.Indicator{Kind: slo.Events, Bad: bare("e", "code", "5.."), Total: bare("r")},
			"a/b",
			`sum(increase(e{code=~"5.."}[35m] @ 1795038300)) / sum(increase(r[35m] @ 1795038300))`,
		},
		{
			"good of total",
			slo.Indicator{Kind: slo.Events, Good: bare("g"), Total: bare("r")},
			"a/b",
			`1 - sum(increase(g[35m] @ 1795038300)) / sum(increase(r[35m] @ 1795038300))`,
		},
		{
			"one budget of many",
			slo.Indicator{Kind: slo.Events, Bad: bare("e", "code", "5.."), Total: bare("r")},
			`a/b{route="/pay"}`,
			`sum(increase(e{code=~"5..",route="/pay"}[35m] @ 1795038300)) / sum(increase(r{route="/pay"}[35m] @ 1795038300))`,
		},
		{
			"names that PromQL takes in quotes alone",
			slo.Indicator{Kind: slo.Events, Bad: bare("http.errors", "http.status", "5.."), Total: bare("http.requests")},
			`a/b{http.route="/pay"}`,
			`sum(increase({"http.route"="/pay","http.status"=~"5..",__name__="http.errors"}[35m] @ 1795038300)) / ` +
				`sum(increase({"http.route"="/pay",__name__="http.requests"}[35m] @ 1795038300))`,
		},
		{
			"an expression",
			slo.Indicator{Kind: slo.Events, Bad: &slo.Query{Text: "sum(rate(e[$window])) or vector(0)"}, Total: &slo.Query{Text: "sum(rate(r[$window]))"}},
			"a/b",
			`(sum(rate(e[35m])) or vector(0)) / (sum(rate(r[35m])))`,
		},
		{
			"a histogram",
			slo.Indicator{Kind: slo.Latency, Histogram: bare("h"), Below: 0.3},
			`a/b{route="/pay"}`,
			`1 - histogram_fraction(0, 0.3, sum(increase(h{route="/pay"}[35m] @ 1795038300)))`,
		},
		{
			"a gauge",
			slo.Indicator{Kind: slo.Uptime, Up: bare("probe_success")},
			"a/b",
			`1 - sum(sum_over_time(probe_success[35m] @ 1795038300)) / sum(count_over_time(probe_success[35m] @ 1795038300))`,
		},
		{
			"an expression of a gauge",
			slo.Indicator{Kind: slo.Uptime, Up: &slo.Query{Text: "max(up) or vector(0)"}},
			"a/b",
			`avg_over_time(((max(up) or vector(0)) != bool 1)[35m:1m] @ 1795038300)`,
		},
		{"slices", slo.Indicator{Kind: slo.Slices, Slice: &slo.Query{Text: "lag[$window]"}, GoodWhen: slo.Condition{Op: "<", Value: 0.3}}, "a/b", ""},
		{
			"a ratio",
			slo.Indicator{Kind: slo.Ratio, Bad: &slo.Query{Text: "error_ratio"}},
			"a/b",
			`avg_over_time((error_ratio)[35m:1m] @ 1795038300)`,
		},
	} {
		spec, _ := lives.Spec("a/b", "99.9", slo.Window{Rolling: 7 * slo.Day})
		spec.SLI = c.sli
		if c.want == "" {
			spec.SLI.Slice.Text = "max_over_time(lag[$window])"
			c.want = `1 - avg_over_time(((max_over_time(lag[1m])) < bool 0.3)[35m:1m] @ 1795038300)`
		}
		all := postmortem.Queries(spec, c.id, from, to)
		for _, q := range all {
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(q.Text); err != nil || !q.At.Equal(to) || !q.From.Equal(from) {
				t.Errorf("%s: %s, from %v to %v: %v", c.what, q.Text, q.From, q.At, err)
			}
		}
		if c.sli.Kind == slo.Latency && all[0].Text != `sum(increase(h_bucket{le="0.3",route="/pay"}[35m] @ 1795038300))` {
			t.Errorf("%s: the fast events of one budget are %s", c.what, all[0].Text)
		}
		if got := strings.Join(strings.Fields(all[len(all)-1].Text), " "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
}

func TestNothingUntrustedLeavesItsPlace(t *testing.T) {
	l := life(t, outage)
	l.Spec.Owner = "x\"\nstatus: closed"
	f := evidence(facts(l), nil)
	f.Incident.Acts[0].By = "<!here> | [a](http://b)\n# heading"
	f.Where.Contributors[0].Value = "`|\n\""
	markdown := postmortem.Draft(f).Markdown()
	checkFront(t, markdown, l.ID)
	for _, bad := range []string{"<!here>", "<!channel>", "\n# heading", "[a](http", "\nstatus: closed"} {
		if strings.Contains(markdown, bad) {
			t.Errorf("%q got through", bad)
		}
	}
}

func TestDifferenceBetweenNotCollectedAndNothingFound(t *testing.T) {
	f := facts(life(t, outage))
	if n := strings.Count(postmortem.Draft(f).Markdown(), "Not collected."); n != 4 {
		t.Errorf("%d sections say so, want 4", n)
	}
	f.Signals, f.Where, f.Changes, f.Earlier = &postmortem.Signals{}, &ranking.Ranking{}, []ranking.Suspect{}, []alerting.Incident{}
	if strings.Contains(postmortem.Draft(f).Markdown(), "Not collected.") {
		t.Error("an empty answer is said not to have been asked for")
	}
}

func TestSparkline(t *testing.T) {
	b := func(bad, total int64, known int) postmortem.Bucket {
		return postmortem.Bucket{Sum: budget.Sum{Bad: bad, Total: total, Known: known}, Minutes: 5}
	}
	for _, c := range []struct {
		what string
		in   []postmortem.Bucket
		want string
	}{
		{"unknown is a dot, no traffic a blank", []postmortem.Bucket{b(0, 0, 0), b(0, 0, 5), b(0, 9, 5)}, "· ▁"},
		{"the worst is the highest", []postmortem.Bucket{b(1, 8, 5), b(4, 8, 5), b(8, 8, 5)}, "▂▅█"},
	} {
		if got := postmortem.Sparkline(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestCurveIsDrawnFromZero(t *testing.T) {
	for _, c := range []struct {
		what string
		in   []float64
		want string
	}{
		{"noise on a high value is flat", []float64{0.291, 0.293, 0.292}, "███"},
		{"what is not known is a dot", []float64{0, math.NaN(), 8, 4}, "▁·█▅"},
		{"below zero the lowest is the foot", []float64{-4, 4, 0}, "▁█▅"},
		{"nothing at all", []float64{0, 0}, "▁▁"},
	} {
		if got := (postmortem.Curve{Values: c.in}).Sparkline(); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestReviewIsDueInFiveWorkingDays(t *testing.T) {
	friday := time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC)
	if got := postmortem.NextReview(friday, time.UTC).Format("Mon 01-02"); got != "Fri 11-27" {
		t.Error(got)
	}
	berlin, _ := time.LoadLocation("Europe/Berlin") // where it is Saturday already
	if got := postmortem.NextReview(friday, berlin).Format("Mon 01-02"); got != "Fri 11-27" {
		t.Error(got)
	}
}

// However long an incident is, the table around it stays readable, covers it and has no gap.
func TestProfileCoversTheIncident(t *testing.T) {
	for _, hours := range []int{1, 5, 30, 80} {
		end := time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours) * time.Hour).Format("2006-01-02T15:04Z")
		l := life(t, "slo a/b 99 7d\n2026-11-04T00:00Z 2026-11-11T00:00Z 0/300\n2026-11-11T00:00Z "+end+" 250/300")
		d := postmortem.Draft(facts(l))
		p := d.Profile
		if len(p) < 5 || len(p) > 48 || p[0].From.After(d.Times.Onset) || p[len(p)-1].To.Before(d.Facts.Incident.Ended) {
			t.Errorf("%d h: %d rows from %v to %v", hours, len(p), p[0].From, p[len(p)-1].To)
		}
		for n := 1; n < len(p); n++ {
			if !p[n].From.Equal(p[n-1].To) {
				t.Errorf("%d h: a gap at %v", hours, p[n].From)
			}
		}
	}
}

func TestATemplateMayBeTheHousesOwn(t *testing.T) {
	d := postmortem.Draft(facts(life(t, "slo shop/pay 99.9 28d\n2026-10-18T00:00Z 2026-11-18T23:00Z 0/1000\n2026-11-18T12:00Z 2026-11-18T14:00Z 500/1000\n")))
	got, err := d.Render("{{.Front}}# Review of {{.Title}}\n\n{{section \"Impact\"}}## Our own\n\n*Who was called?*\n\n{{section \"Action items\"}}")
	if err != nil || !strings.Contains(got, "## Our own") || !strings.Contains(got, "## Impact") || strings.Contains(got, "## Timeline") {
		t.Errorf("%v\n%s", err, got)
	}
	for template, want := range map[string]string{
		`{{section "Blame"}}`: "there is no section \"Blame\"; there are: About the data;",
		`{{.Culprit}}`:        "Culprit",
		`{{section`:           "unclosed action",
	} {
		if err := postmortem.CheckTemplate(template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", template, err)
		}
	}
	if err := postmortem.CheckTemplate(postmortem.DefaultTemplate); err != nil {
		t.Errorf("the default: %v", err)
	}
}

// TestAnSLOThatIsGoneHasNoQueries: of one that was taken out of the files, with an incident open,
// only the name is known.
func TestAnSLOThatIsGoneHasNoQueries(t *testing.T) {
	gone := &slo.Spec{Service: "shop", Name: "old", SLI: slo.Indicator{Kind: slo.Events}}
	if all := postmortem.Queries(gone, gone.ID(), time.Unix(0, 0), time.Unix(600, 0)); len(all) != 0 {
		t.Errorf("queries: %v", all)
	}
}

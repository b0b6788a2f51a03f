package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// liveNow is when the server of these tests is asked.
var liveNow = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// liveServer knows four weeks of services whose faults are known, in samples every five minutes but
// for the last hour.
func liveServer(t testing.TB) string {
	t.Helper()
	db := promfake.New(promfake.Options{Now: func() time.Time { return liveNow }})
	write := func(every time.Duration, value func(n int) float64, pairs ...string) {
		series := db.Series(labels.FromStrings(pairs...))
		n := 0
		for at := liveNow.AddDate(0, 0, -29); at.Before(liveNow.Add(-time.Hour)); at = at.Add(5 * time.Minute) {
			must(t, series.Append(at.UnixMilli(), value(n)))
			n++
		}
		for at := liveNow.Add(-time.Hour); !at.After(liveNow); at = at.Add(every) {
			must(t, series.Append(at.UnixMilli(), value(n)))
			n++
		}
	}
	grows := func(by float64) func(int) float64 { return func(n int) float64 { return by * float64(n) } }
	random := rand.New(rand.NewPCG(1, 2))
	write(15*time.Second, grows(1000), "__name__", "busy_total", "code", "200", "job", "shop")
	write(15*time.Second, grows(0.1), "__name__", "busy_total", "code", "500", "job", "shop")
	write(15*time.Second, grows(0.01), "__name__", "quiet_total", "code", "200")
	write(15*time.Second, grows(100), "__name__", "broken_total", "code", "200")
	write(15*time.Second, grows(5), "__name__", "broken_total", "code", "500")
	write(2*time.Minute, grows(1000), "__name__", "slow_total", "code", "200")
	for _, late := range []time.Duration{9 * time.Minute, 20 * time.Minute} { // one target of two
		series := db.Series(labels.FromStrings("__name__", fmt.Sprintf("late_%.0f_total", late.Minutes()), "code", "200", "instance", "late"))
		write(15*time.Second, grows(1000), "__name__", fmt.Sprintf("late_%.0f_total", late.Minutes()), "code", "200", "instance", "in time")
		for n, at := 0, liveNow.Add(-time.Hour); !at.After(liveNow.Add(-late)); n, at = n+1, at.Add(15*time.Second) {
			must(t, series.Append(at.UnixMilli(), float64(1000*n)))
		}
	}
	write(15*time.Second, func(int) float64 { return float64(random.IntN(100)) }, "__name__", "jobs_waiting_here", "x", "1")
	write(15*time.Second, func(int) float64 { return 3 }, "__name__", "described", "x", "1")
	write(15*time.Second, grows(1000), "__name__", "http.requests", "http.status", "200", "job", "shop")
	write(15*time.Second, func(int) float64 { return 35 }, "__name__", "error_percent")
	write(15*time.Second, func(n int) float64 { return float64(min(1, n%10)) }, "__name__", "probe_success")
	db.SetMetadata("described", metadata.Metadata{Type: "gauge"})
	return promtest.Serve(t, db.Handler())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// runLive checks one SLO against the server.
func runLive(t *testing.T, url, slo string) (code int, said string) {
	var out, errs bytes.Buffer
	e := &env{
		surroundings: surroundings{out: &out, err: &errs, getenv: os.Getenv, now: func() time.Time { return liveNow }},
		ctx:          t.Context(), cli: &cli{ConfigFile: filepath.Join(t.TempDir(), "slowburn.yaml")},
	}
	name := filepath.Join(t.TempDir(), "slo.yaml")
	must(t, os.WriteFile(name, []byte("version: slowburn/v1\nservice: a\nslos:\n  - name: b\n"+slo), 0o600))
	code = exitCode((&checkCmd{Paths: []string{name}, Prometheus: url}).Run(e), &errs)
	return code, strings.ReplaceAll(out.String()+errs.String(), name, "slo.yaml")
}

func TestWhatALiveServerKnows(t *testing.T) {
	url := liveServer(t)
	for _, c := range []struct {
		what, slo string
		want      []string // substrings; "good" alone if nothing is found
	}{
		{"a busy and reliable service", "    objective: 99.9\n    sli: {events: {total: busy_total, bad: 'busy_total{code=\"500\"}'}}\n", nil},
		{"the same by good events, and by a label", "    objective: 99.9\n    by: [job]\n    sli: {events: {total: busy_total, good: 'busy_total{code=\"200\"}'}}\n", nil},
		{"the same as expressions", "    objective: 99.9\n    sli: {events: {total: 'sum(increase(busy_total[$window]))', bad: 'sum(increase(busy_total{code=\"500\"}[$window]))'}}\n", nil},
		{"names in UTF-8", "    objective: 99.9\n    by: [http.status]\n    sli: {events: {total: '{\"http.requests\", job=\"shop\"}', bad: '{\"http.requests\", job=\"shop\", \"http.status\"=~\"5..\"}'}}\n", nil},
		{"a misspelt counter", "    objective: 99.9\n    sli: {events: {total: bussy_total, bad: 'bussy_total{code=\"500\"}'}}\n", []string{
			"slo.yaml:6:27: warning: a/b: the query returns no data [no-data]\n     6 |     sli: {events: {total: bussy_total", "|                           ^\n", "hint: there is no metric bussy_total; did you mean busy_total?; try the query in Prometheus: bussy_total",
		}},
		{"a label that nobody has", "    objective: 99.9\n    by: [route]\n    sli: {events: {total: busy_total, bad: 'busy_total{code=\"500\"}'}}\n", []string{
			"slo.yaml:6:10: warning: a/b: no series of busy_total has the label route; its labels are code, job [by-missing]",
		}},
		{"hardly any traffic", "    objective: 99.9\n    sli: {events: {total: quiet_total, bad: 'quiet_total{code=\"500\"}'}}\n", []string{
			"slo.yaml:5:16: warning: a/b: about 83 events in 28 d allow only 0 bad ones at 99.9 %; fewer than 10 are chance [too-little-traffic]",
		}},
		{"a target that was never met", "    objective: 99.9\n    sli: {events: {total: broken_total, bad: 'broken_total{code=\"500\"}'}}\n", []string{
			"slo.yaml:5:16: warning: a/b: no week of the last 28 days met 99.9 %", "had 95.238 % good [never-met]", "hint: write objective: 95,",
		}},
		{"good and bad are swapped", "    objective: 99\n    sli: {events: {total: busy_total, bad: 'busy_total{job=\"shop\"}'}}\n", []string{"only 0 % of the events were good [good-bad-swapped]"}},
		{"samples that come late", "    objective: 99\n    sli: {events: {total: late_9_total, bad: 'late_9_total{code=\"500\"}'}}\n", []string{
			"slowburn: unless series of it have ended, samples of a/b come about 9 min late; minutes are decided about 9 min after they end\n", "1 SLO of 1 service: good\n",
		}},
		{"samples that come later than they are waited for", "    objective: 99\n    max_lateness: 5m\n    sli: {events: {total: late_9_total, bad: 'late_9_total{code=\"500\"}'}}\n", []string{
			"slo.yaml:7:27: warning: a/b: unless series of it have ended, samples of a/b come about 9 min late, later than max_lateness (5 min): minutes are decided without them, and again when they come. Raise max_lateness [late-samples]", "hint: write max_lateness: 12m, or see why they are late",
		}},
		{"the same by the source's bound", "    objective: 99\n    sli: {events: {total: late_20_total, bad: 'late_20_total{code=\"500\"}'}}\n", []string{
			"unless series of it have ended, samples of a/b come about 20 min late, later than max_lateness (15 min): minutes are decided without them, and again when they come. Raise max_lateness [late-samples]",
		}},
		{"a slow scrape", "    objective: 99\n    sli: {events: {total: slow_total, bad: 'slow_total{code=\"500\"}'}}\n", []string{"scraped every 2 min", "[short-window]", "holds fewer than 4 scrapes"}},
		{"a slow scrape of what is evaluated: the daemon asks over two scrapes, and so does this", "    objective: 99\n    sli: {events: {total: 'sum(increase(slow_total[$window]))', bad: 'sum(increase(slow_total{code=\"500\"}[$window]))'}}\n", []string{
			"scraped every 2 min, so what happens is known up to 2 min later [short-window]", "holds fewer than 4 scrapes",
		}},
		{"a hint shows the range that the daemon asks for", "    objective: 99\n    sli: {events: {total: 'sum(increase(bussy_total[$window]))', bad: 'sum(increase(slow_total[$window]))'}}\n", []string{"[no-data]", "hint: there is no metric bussy_total; did you mean busy_total?; try the query", "sum(increase(bussy_total[4m12s]))"}},
		{"a misspelt label in a part of an expression", "    objective: 99.9\n    sli: {events: {total: 'sum(increase(busy_total[$window])) + sum(increase(busy_total{jbo=\"shop\"}[$window]))', bad: 'sum(increase(busy_total{code=\"500\"}[$window]))'}}\n", []string{
			"hint: busy_total has no label jbo; did you mean job?; try the query",
		}},
		{"a gauge by its movement", "    objective: 99\n    sli: {events: {total: jobs_waiting_here, bad: 'jobs_waiting_here{y=\"1\"}'}}\n", []string{"of the changes of jobs_waiting_here go down, so it is no counter [gauge-counted]"}},
		{"a gauge by its metadata", "    objective: 99\n    sli: {events: {total: described, bad: 'described{y=\"1\"}'}}\n", []string{"described is a gauge, as its own metadata say [gauge-counted]"}},
		{"a percentage", "    objective: 99\n    sli: {ratio: {bad: error_percent}}\n", []string{"the query is 35 now, but a ratio goes from 0 to 1 [percent-ratio]"}},
		{"an uptime that was never met", "    objective: 99\n    sli: {uptime: probe_success}\n", []string{"[never-met]"}},
		{"slices that are met", "    objective: 99\n    sli: {slices: {query: error_percent, good: '< 40'}}\n", nil},
		{"slices that are not", "    objective: 99\n    sli: {slices: {query: error_percent, good: '< 30'}}\n", []string{"had 0 % good [never-met]"}},
		{"a warning that was accepted", "    objective: 99.9 # slowburn:ignore never-met we are working on it\n    sli: {events: {total: broken_total, bad: 'broken_total{code=\"500\"}'}}\n", nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			code, said := runLive(t, url, c.slo)
			if len(c.want) == 0 && said != "1 SLO of 1 service: good\n" || code != exitGood {
				t.Errorf("exit code %d:\n%s", code, said)
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("%q is missing in\n%s", want, said)
				}
			}
		})
	}
}

// What a check costs the server, per SLO and by the number of its series: measured here, told in
// docs/check.md.
func TestACheckIsCheapForTheServer(t *testing.T) {
	db := promfake.New(promfake.Options{Now: func() time.Time { return liveNow }})
	const series = 4
	for n := range series {
		code := []string{"200", "500"}[n%2]
		s := db.Series(labels.FromStrings("__name__", "r_total", "pod", fmt.Sprint(n), "code", code))
		for at := liveNow.AddDate(0, 0, -29); !at.After(liveNow); at = at.Add(30 * time.Second) {
			must(t, s.Append(at.UnixMilli(), float64(at.Unix()%1e6)*map[string]float64{"200": 1, "500": 1e-4}[code]))
		}
	}
	client, err := prom.NewClient(prom.ClientOptions{URL: promtest.Serve(t, db.Handler()), Stats: true})
	must(t, err)
	set, err := file.Load([]file.File{{Name: "a.yaml", Data: []byte("version: slowburn/v1\nservice: a\nslos:\n  - {name: b, objective: 99.9, sli: {events: {total: r_total, bad: 'r_total{code=\"500\"}'}}}\n")}})
	must(t, err)
	if _, unread, err := (&inspector{client: client, now: liveNow, most: prom.DefaultMaxLateness}).checkLive(context.Background(), set); err != nil || len(unread) > 0 {
		t.Fatal(err, unread)
	}
	u := client.Usage()
	t.Logf("%d requests, %d samples, %d per series", u.Queries, u.Samples, u.Samples/series)
	if u.Queries > 10 || u.Samples/series > 2000 {
		t.Errorf("%d requests and %d samples per series are too many", u.Queries, u.Samples/series)
	}
}

// TestTheDoctorLooksAtEverySLO: how far apart the samples of each are and how late they come is
// said, what is alike once, in the words of the daemon.
func TestTheDoctorLooksAtEverySLO(t *testing.T) {
	client, err := prom.NewClient(prom.ClientOptions{URL: liveServer(t)})
	must(t, err)
	defer client.CloseIdle()
	query := func(text string) *slo.Query {
		q, err := slo.ParseQuery(text)
		must(t, err)
		return q
	}
	var specs []*slo.Spec
	for _, metric := range []string{"busy_total", "quiet_total", "late_9_total", "slow_total", "late_20_total", "nothing_total"} {
		specs = append(specs, &slo.Spec{Service: "a", Name: metric, SLI: slo.Indicator{Kind: slo.Events, Total: query(metric), Bad: query(metric + `{code="500"}`)}})
	}
	d := doctor{env: &env{surroundings: surroundings{now: func() time.Time { return liveNow }}}, set: slo.NewSet(specs, nil, nil)}
	d.cfg.Prometheus.MaxLateness = 15 * time.Minute
	d.scrapes(t.Context(), client)
	var got []string
	for _, f := range d.found {
		got = append(got, f.State+" "+f.Part+": "+f.Finding)
	}
	want := []string{
		"ok prometheus: a/busy_total is scraped every 15 s (and 3 other SLOs)",
		"warn prometheus: unless series of it have ended, samples of a/late_20_total come about 20 min late, later than max_lateness (15 min): minutes are decided without them, and again when they come. Raise max_lateness",
		"ok prometheus: unless series of it have ended, samples of a/late_9_total come about 9 min late; minutes are decided about 9 min after they end",
		"fail prometheus: a/nothing_total has no data",
		"warn prometheus: a/slow_total is scraped every 2 min, so alerts come up to 2 min later",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("it finds\n%s", strings.Join(got, "\n"))
	}
}

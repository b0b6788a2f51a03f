package file

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

func mustLoad(t testing.TB, text string) *slo.Set {
	t.Helper()
	set, err := Load([]File{{"good.yaml", []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// good uses every key of an SLO file.
const good = `version: slowburn/v1
service: checkout
owner: payments
description: Takes orders and money.
tier: high_fast
links: {runbook: https://wiki.example/checkout, dashboard: https://grafana.example/d/1}
slack: {channel: "#payments-oncall", mention: ["<!subteam^S0123>"]}
signals:
  from: otel-http
  match: '{job="checkout"}'
  saturation:
    - {name: cpu throttling, query: 'rate(throttled_total[$window]) / rate(periods_total[$window])', limit: 0.25}
slos:
  - name: latency
    owner: platform
    objective: 99
    links: {runbook: https://wiki.example/latency}
    slack: {channel: "#latency"}
    window: [7d, {calendar: quarter, timezone: Europe/Berlin}]
    sli: {latency: {histogram: 'request_duration_seconds{job="checkout"}', below: 300ms}}
  - name: availability
    description: Orders are answered without a server error.
    sli:
      events:
        total: 'http_requests_total{job="checkout"}'
        bad: 'http_requests_total{job="checkout",code=~"5.."}'
    by: [route]
    alerts:
      page:   [{budget: 2%, long: 1h, short: 5m}, {budget: 5%, long: 6h, short: 30m}]
      ticket: [{budget: 10%, long: 24h, short: 2h}]
      spent: [100%, 50%]
      no_data: 5m
      significance: off
  - name: queue
    objective: 95
    window: {calendar: month}
    sli: {slices: {query: 'max(queue_length)', good: '<= 100', missing: bad}}
  - name: up
    objective: 99.5
    sli: {uptime: 'probe_success{job="checkout"}'}
    alerts: {page: off, spent: [], no_data: off}
  - name: ready-made
    objective: 98
    sli: {ratio: {good: success_ratio}}
  - name: envoy
    objective: 98
    sli: {latency: {histogram: rq_time_milliseconds, below: 250ms}}
`

func TestAWholeFile(t *testing.T) {
	set := mustLoad(t, good)
	if len(set.Warnings) > 0 {
		t.Errorf("warnings: %v", set.Warnings)
	}
	var ids []slo.ID
	for _, s := range set.Specs {
		ids = append(ids, s.ID())
	}
	want := []slo.ID{"checkout/availability", "checkout/envoy", "checkout/latency", "checkout/queue", "checkout/ready-made", "checkout/up"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
	if set.Lookup("checkout/nothing") != nil || set.Lookup(`checkout/up{a="b"}`) == nil {
		t.Error("a budget is found by its SLO, and what is not there is not found")
	}
	berlin, _ := time.LoadLocation("Europe/Berlin")
	route := slo.SlackRoute{Channel: "#payments-oncall", Mention: mentions("<!subteam^S0123>")}
	objective, _ := slo.ParseObjective("99.9")
	availability := &slo.Spec{
		Service: "checkout", Name: "availability", Description: "Orders are answered without a server error.",
		Owner: "payments", Tier: "high_fast", Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}},
		SLI: slo.Indicator{
			Kind:  slo.Events,
			Total: &slo.Query{Text: `http_requests_total{job="checkout"}`, Metric: "http_requests_total", Matchers: matchers("job", "checkout"), File: "good.yaml", Line: 25, Column: 16},
			Bad:   &slo.Query{Text: `http_requests_total{job="checkout",code=~"5.."}`, Metric: "http_requests_total", Matchers: append([]*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "code", "5..")}, matchers("job", "checkout")...), File: "good.yaml", Line: 26, Column: 14},
		},
		By: []string{"route"},
		Alerts: slo.Alerts{
			Page:   []slo.Pair{{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}, {Budget: 500, Long: 6 * time.Hour, Short: 30 * time.Minute}},
			Ticket: []slo.Pair{{Budget: 1000, Long: 24 * time.Hour, Short: 2 * time.Hour}},
			Spent:  []int64{5000, 10000}, NoData: 5 * time.Minute, Traffic: 30 * time.Minute,
		},
		Links: slo.Links{Runbook: "https://wiki.example/checkout", Dashboard: "https://grafana.example/d/1"},
		Slack: route, File: "good.yaml", Line: 21, Places: map[string]strictyaml.Pos{
			"name": {Line: 21, Column: 11}, "alerts": {Line: 28, Column: 5}, "by.0": {Line: 27, Column: 10},
			"page.0": {Line: 29, Column: 16}, "page.1": {Line: 29, Column: 51}, "ticket.0": {Line: 30, Column: 16},
		},
	}
	opts := cmp.Options{cmp.AllowUnexported(slo.Objective{}, slo.Mention{}), cmp.Comparer(func(a, b *labels.Matcher) bool { return a.String() == b.String() })}
	if diff := cmp.Diff(availability, set.Lookup("checkout/availability"), opts); diff != "" {
		t.Error(diff)
	}
	latency := set.Lookup("checkout/latency")
	if latency.Owner != "platform" || latency.Links.Runbook != "https://wiki.example/latency" || latency.Links.Dashboard == "" || latency.Slack.Channel != "#latency" || len(latency.Slack.Mention) != 1 {
		t.Errorf("an SLO overrides what it writes and inherits the rest: %+v", latency)
	}
	if latency.SLI.Below != 0.3 || latency.SLI.LimitText != "300ms" || latency.Windows[1].Zone.String() != berlin.String() {
		t.Errorf("%+v", latency)
	}
	if below := set.Lookup("checkout/envoy").SLI.Below; below != 250 {
		t.Errorf("250ms in buckets of milliseconds is %v", below)
	}
	if q := set.Lookup("checkout/ready-made").SLI; q.Bad.Text != "1 - (success_ratio)" || q.Bad.Bare() || q.Good != nil {
		t.Errorf("a ratio of good events: %+v", q.Bad)
	}
	if up := set.Lookup("checkout/up").Alerts; up.Page != nil || len(up.Ticket) != 2 || len(up.Spent) != 0 || up.NoData != 0 || !up.Significance {
		t.Errorf("%+v", up)
	}
	if q := set.Lookup("checkout/queue").SLI; q.GoodWhen != (slo.Condition{Op: "<=", Value: 100}) || q.Missing != slo.MissingBad {
		t.Errorf("%+v", q)
	}
	if s := set.Service("checkout"); s.Signals == nil || s.Signals.Saturation[0].Limit != 0.25 || s.Tier != "high_fast" {
		t.Errorf("%+v", s)
	}
	if ps := lint.Set(set); len(ps) > 0 {
		t.Errorf("lint of a loaded set: %v", ps)
	}
}

func matchers(name, value string) []*labels.Matcher {
	return []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, name, value)}
}

func TestNothingToLoadIsAnEmptySet(t *testing.T) {
	set, err := Load(nil)
	if err != nil || len(set.Specs) != 0 || set.Lookup("a/b") != nil || set.Service("a") != nil {
		t.Errorf("%+v %v", set, err)
	}
}

// The order in which files are found changes nothing.
func TestTheOrderOfFilesDoesNotMatter(t *testing.T) {
	a, b := File{"a.yaml", []byte(good)}, File{"b.yaml", []byte(strings.ReplaceAll(good, "service: checkout", "service: other"))}
	for _, broken := range []string{"", "!"} {
		b.Data = append(b.Data, broken...)
		one, err1 := Load([]File{a, b})
		two, err2 := Load([]File{b, a})
		if fmt.Sprint(err1) != fmt.Sprint(err2) {
			t.Errorf("%v\n%v", err1, err2)
		}
		if err1 != nil {
			continue
		}
		for i := range one.Specs {
			if one.Specs[i].ID() != two.Specs[i].ID() {
				t.Errorf("%s, %s", one.Specs[i].ID(), two.Specs[i].ID())
			}
		}
	}
}

// mentions returns some that are good.
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

package slo

import (
	"testing"
	_ "time/tzdata"
)

func TestScratch(t *testing.T) {
	good := `version: slowburn/v1
service: checkout
owner: payments
description: Takes orders and money.
tier: high_fast
links: {runbook: https://x.example/a, dashboard: https://x.example, repository: https://x.example}
slack: {channel: "#payments-oncall", mention: ["<!subteam^S0123>"]}
signals:
  from: otel-http
  match: '{job="checkout"}'
  saturation:
    - {name: cpu throttling, query: 'rate(a[$window]) / rate(b[$window])', limit: 0.25}
slos:
  - name: availability
    objective: 99.9
    window: 28d
    sli:
      events: {total: 'http_requests_total{job="checkout"}', bad: 'http_requests_total{job="checkout",code=~"5.."}'}
    by: [route]
    alerts:
      page:   [{budget: 2%, long: 1h, short: 5m}, {budget: 5%, long: 6h, short: 30m}]
      ticket: [{budget: 10%, long: 24h, short: 2h}, {budget: 10%, long: 3d, short: 6h}]
      spent: [50%, 75%, 90%, 100%]
      no_data: 10m
      significance: on
  - name: latency
    sli: {latency: {histogram: 'h_seconds{job="checkout"}', below: 300ms}}
    window: [7d, {calendar: quarter, timezone: Europe/Berlin}]
`
	set, err := Load([]File{{"a.yaml", []byte(good)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range set.Specs {
		t.Logf("%s %+v", s.ID(), s)
	}
	bad := `version: slowburn/v1
service: check out
onwer: payments
slack: {channel: #foo
  }
slos:
  - name: availability
    objetive: 99.9
    window: 30D
    window: 28d
    objective: 0.999
    sli:
      events:
        total: >
          sum(rate(x[$window]))
            / sum(
        bad: |
          sum(rate(x[$window]))
          / fooo(x)
  - name: b
    objective: 99
    window: 1M
    sli:
      events:
        total: "sum(\"a\"
           + 3)"
        good: 'x{a="b}'
`
	_, err = Load([]File{{"a.yaml", []byte(bad)}})
	t.Logf("\n%v", err)
}

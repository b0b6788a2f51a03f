package slo

import (
	"strings"
	"testing"
)

// The name is put in the place of the metric's own, wherever else its letters stand.
func TestRename(t *testing.T) {
	for text, want := range map[string]string{
		`h_bucket{kind="h_bucket"}`:              `h{kind="h_bucket"}`,
		`h_bucket`:                               `h`,
		`{kind="h_bucket", __name__="h_bucket"}`: `h{kind="h_bucket"}`,
		`{"http.h_bucket", "http.kind"="a"}`:     `h{"http.kind"="a"}`,
	} {
		q, err := ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		got := q.Rename("h")
		again, err := ParseQuery(got.Text)
		if err != nil || got.Text != want || again.Metric != "h" || len(again.Matchers) != len(q.Matchers) {
			t.Errorf("%s became %s, want %s: %v", text, got.Text, want, err)
		}
	}
	q, _ := ParseQuery(`h{a="b"}`)
	if got := q.Rename("http.h"); got.Text != `{__name__="http.h",a="b"}` {
		t.Errorf("a name in UTF-8: %s", got.Text)
	}
}

// What somebody writes into an SLO file must not bring down the server that everybody asks.
func TestExpressionsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`sum(increase({__name__=~".+"}[$window]))`:                                                  "does not name one metric",
		`sum(increase(x[$window])) + 0*count({__name__=~".+"} * on() group_right {__name__=~".+"})`: "does not name one metric",
		`sum({__name__=~".+"})`: "does not name one metric",
		`sum({job="a"})`:        "does not name one metric",
		`max_over_time(sum({__name__=~"a|b"})[$window:30s])`: "does not name one metric",
		`sum_over_time(x[$window:1ms])`:                      "a step of 1ms",
		`0*max_over_time(x[1d:1ms])`:                         "a step of 1ms",
		`max_over_time(x[1d:1s])`:                            "more than 11000 times",
		`max_over_time(max_over_time(x[6h:1m])[6h:1m])`:      "more than 11000 times",
		`max_over_time(max_over_time(x[1d])[1d:])`:           "",
		`max_over_time(x[$window:1s])`:                       "",
		`sum(increase(x[$window])) * 1e308`:                  "beyond 1e15",
		`topk(1e18, x)`:                                      "beyond 1e15",
		`sum(increase(x[$window])) or vector(0)`:             "",
		`sum(increase({"http.requests", job="a"}[$window]))`: "",
		`sum(increase({__name__="x", job=~".*"}[$window]))`:  "",
		`sum(increase(x[$window])) # hidden`:                 "comment is not accepted",
		`sum(increase(x[$window])) # hidden)`:                "comment is not accepted",
		"sum( # a\n increase(x[$window])) * 2 # b":           "comment is not accepted",
		`sum(increase(x{a="# none"}[$window]))`:              "",
	} {
		_, err := ParseQuery(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]bool{
		`sum(increase(x[$window])) or on() vector(1e9)`: true, `x or vector(0)`: false, `x or vector(-(1))`: true, `x or (y * vector(2))`: true, `x * vector(2)`: false,
	} {
		if got := (&Query{Text: text}).Constant(); got != want {
			t.Errorf("%s makes events of nothing: %t", text, got)
		}
	}
}

// Subqueries and functions around it do not hide how an expression counts.
func TestGain(t *testing.T) {
	for text, want := range map[string]Gain{
		`sum(rate(r[$window]))`:                          PerSecond,
		`sum(irate(r[5m])) * 60`:                         PerSecond,
		`increase(a[$window]) + rate(b[$window])`:        PerSecond,
		`sum by (x) (increase(r[$window])) or vector(0)`: PerWindow,
		`sum(rate(b[5m])) / sum(rate(r[5m])) > 0.01`:     PerSecond, // as the total beside it: they keep their quotient
		`max_over_time(delta(r[$window])[1h:1m])`:        PerWindow,
		`sum(requests:count5m)`:                          NoGain,
		`sum(rate_total{rate="increase"}) # rate(r[1m])`: NoGain,
	} {
		if got := (&Query{Text: text}).Gain(); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

package slo

import "testing"

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

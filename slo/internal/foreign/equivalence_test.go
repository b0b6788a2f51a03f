package foreign_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/sloth"
)

// sameRatio are indicators as Sloth's users write them: a query of errors and one of all events, or
// a raw ratio alone.
var sameRatio = [][]string{
	{`sum(rate(req_total{code=~"5.."}[{{.window}}]))`, `sum(rate(req_total[{{.window}}]))`},
	{`sum by (route) (rate(req_total{code="500"}[{{.window}}]))`, `sum by (route) (rate(req_total[{{.window}}]))`},
	{`sum(rate(req_total[{{.window}}])) - sum(rate(req_total{code!="500"}[{{.window}}]))`, `sum(rate(req_total[{{.window}}]))`},
	{`sum(increase(req_total{code="500"}[{{.window}}])) or vector(0)`, `sum(increase(req_total[{{.window}}]))`},
	{`sum(rate(req_total{code="500"}[{{.window}}])) + 0.5 * sum(rate(req_total{code="404"}[{{.window}}]))`, `sum(rate(req_total[{{.window}}]))`},
	{`sum(sum by (route) (rate(req_total{code="500"}[{{.window}}])))`, `sum(rate(req_total[{{.window}}]))`},
	{`sum(rate(req_total{code="500"}[{{.window}}])) - (sum(rate(req_total{code="500",route="/a"}[{{.window}}])) + sum(rate(req_total{code="500",route="/b"}[{{.window}}])))`, `sum(rate(req_total[{{.window}}]))`},
	{`sum(rate(req_total{code="500"}[{{.window}}])) * (sum(rate(req_total{route="/a"}[{{.window}}])) / sum(rate(req_total[{{.window}}])))`, `sum(rate(req_total[{{.window}}]))`},
	{`max(sum by (route) (rate(req_total{code="500"}[{{.window}}])))`, `sum(rate(req_total[{{.window}}]))`},
	{`sum(count_over_time((up == 0)[{{.window}}:1m])) or vector(0)`, `sum(count_over_time(up[{{.window}}:1m]))`},
	{`sum(rate(req_total{code="500"}[{{.window}}])) / sum(rate(req_total[{{.window}}]))`},
	{`1 - (sum(rate(req_total{code!="500"}[{{.window}}])) / sum(rate(req_total[{{.window}}])))`},
	{`(sum(rate(req_total[{{.window}}])) - sum(rate(req_total{code="200"}[{{.window}}]))) / sum(rate(req_total[{{.window}}]))`},
	{`1 - avg(avg_over_time(up[{{.window}}]))`},
}

// TestTheRatioStaysTheSame evaluates the queries of Sloth and those that slowburn makes of them
// with Prometheus' own engine on random counters: over the same window both ratios are equal.
func TestTheRatioStaysTheSame(t *testing.T) {
	db, at := counters(t)
	for _, queries := range sameRatio {
		t.Run(queries[0], func(t *testing.T) {
			set, err := file.Load([]file.File{{Name: "a.yaml", Data: []byte(slothFile(queries))}}, sloth.Reader(sloth.Options{}))
			if err != nil {
				t.Fatal(err)
			}
			theirs := "(" + strings.ReplaceAll(strings.Join(queries, ") / ("), "{{.window}}", "1h") + ")"
			want, got := evaluate(t, db, theirs, at), evaluate(t, db, badRatio(set.Specs[0]), at)
			if len(want) == 0 || len(got) != len(want) {
				t.Fatalf("%v against %v", got, want)
			}
			for key, ratio := range want {
				if other, ok := got[key]; !ok || math.Abs(other-ratio) > 1e-9 || ratio <= 0 || ratio >= 1 {
					t.Errorf("%s: %v, in Sloth %v", key, other, ratio)
				}
			}
		})
	}
}

func slothFile(queries []string) string {
	sli := fmt.Sprintf("{raw: {error_ratio_query: %q}}", queries[0])
	if len(queries) == 2 {
		sli = fmt.Sprintf("{events: {error_query: %q, total_query: %q}}", queries[0], queries[1])
	}
	return "version: prometheus/v1\nservice: shop\nslos:\n  - name: slo\n    objective: 99\n    alerting: {name: A}\n    sli: " + sli + "\n"
}

// badRatio returns the share of bad events over an hour, as an SLO's queries have it.
func badRatio(s *slo.Spec) string {
	count := func(q *slo.Query) string {
		if !q.Bare() {
			return "(" + q.Render(time.Hour) + ")"
		}
		return fmt.Sprintf("sum by (%s) (increase(%s[1h]))", strings.Join(s.By, ", "), q.Text)
	}
	switch {
	case s.SLI.Total == nil:
		return s.SLI.Bad.Render(time.Hour)
	case s.SLI.Bad != nil:
		return count(s.SLI.Bad) + " / " + count(s.SLI.Total)
	}
	return "1 - " + count(s.SLI.Good) + " / " + count(s.SLI.Total)
}

// counters returns two hours of counters that grow at random and a gauge that is 0 now and then.
func counters(t *testing.T) (*promfake.DB, time.Time) {
	db := promfake.New(promfake.Options{})
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	random := rand.New(rand.NewPCG(1, 2))
	series := func(step func(v float64) float64, ls ...string) {
		s, v := db.Series(labels.FromStrings(ls...)), 0.0
		for at := start; at.Before(start.Add(2 * time.Hour)); at = at.Add(15 * time.Second) {
			v = step(v)
			if err := s.Append(at.UnixMilli(), v); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, route := range []string{"/a", "/b", "/c"} {
		for i, code := range []string{"500", "404", "200"} {
			most := []int{5, 10, 100}[i]
			series(func(v float64) float64 { return v + float64(random.IntN(most)) }, "__name__", "req_total", "route", route, "code", code)
		}
		series(func(float64) float64 { return float64(min(random.IntN(20), 1)) }, "__name__", "up", "instance", route)
	}
	return db, start.Add(2*time.Hour - time.Second)
}

// evaluate asks for a query at one time and answers its values by labels.
func evaluate(t *testing.T, db *promfake.DB, query string, at time.Time) map[string]float64 {
	form := url.Values{"query": {query}, "time": {strconv.FormatInt(at.Unix(), 10)}}
	w := httptest.NewRecorder()
	db.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/query?"+form.Encode(), nil))
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Error != "" {
		t.Fatal(query, err, answer.Error)
	}
	out := map[string]float64{}
	for _, r := range answer.Data.Result {
		f, err := strconv.ParseFloat(r.Value[1].(string), 64)
		if err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprint(r.Metric)] = f
	}
	return out
}

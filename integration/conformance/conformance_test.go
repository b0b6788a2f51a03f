package conformance_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/integration/conformance/realprom"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// tolerance is the greatest relative difference between two numbers that count as equal. The
// engines are the same; only the order of additions may differ.
const tolerance = 1e-12

// question is one request that both servers must answer alike.
type question struct {
	name string // a sentence that says what is at stake
	path string // below /api/v1/
	args url.Values
	// ordered answers keep their order; others are sets of series.
	ordered bool
	// looseText compares status code and error type, not the wording.
	looseText bool
}

// instant asks for one moment, given as the time since start.
func instant(name, query string, at time.Duration) question {
	return question{name: name, path: "query", args: url.Values{
		"query": {query}, "time": {stamp(start.Add(at))},
	}}
}

// ranged asks for the whole six hours.
func ranged(name, query string, step time.Duration) question {
	return question{name: name, path: "query_range", args: url.Values{
		"query": {query}, "start": {stamp(start)}, "end": {stamp(end)}, "step": {seconds(step)},
	}}
}

// about asks an endpoint that tells about series.
func about(name, path string, kv ...string) question {
	q := question{name: name, path: path, args: url.Values{}}
	for i := 0; i < len(kv); i += 2 {
		q.args.Add(kv[i], kv[i+1])
	}
	return q
}

func (q question) inOrder() question     { q.ordered = true; return q }
func (q question) anyWording() question  { q.looseText = true; return q }
func stamp(t time.Time) string           { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
func seconds(d time.Duration) string     { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
func within(from, to time.Time) []string { return []string{"start", stamp(from), "end", stamp(to)} }

const middle, late = 3 * time.Hour, 5*time.Hour + 59*time.Minute

// questions is the list. What slowburn itself asks comes first.
var questions = slices.Concat(rawSamples, windows, shapes, staleness, native, series, exemplars, mistakes)

var rawSamples = []question{
	instant("raw samples of one minute", `http_requests_total{job="shop"}[1m]`, middle),
	instant("raw samples of an hour that crosses the hole", `http_requests_total[1h]`, 2*time.Hour),
	instant("raw samples around a staleness mark", `http_requests_total{instance="b"}[10m]`, 700*step+time.Minute),
	instant("raw samples with an offset", `http_requests_total{code="500"}[5m] offset 1h`, middle),
	instant("raw samples in the past by the @ modifier", `http_requests_total{code="500"}[5m] @ `+stamp(start.Add(time.Hour)), middle),
	instant("raw samples from head and blocks together", `http_requests_total{instance="a"}[6h]`, late),
	instant("raw samples that are not finite", `odd_numbers[20m]`, middle),
	instant("raw samples of a quoted metric name", `{"queue.depth","service.name"="orders"}[5m]`, middle),
	instant("raw samples in a window without any", `http_requests_total{instance="b"}[5m]`, late),
	instant("an edge of the window falls on a sample", `http_requests_total{instance="a",code="200"}[1m]`, 100*step),
}

var windows = []question{
	instant("increase over an hour with resets", `increase(http_requests_total{code="500"}[1h])`, late),
	instant("increase over the whole time", `sum by (code) (increase(http_requests_total[6h]))`, late),
	instant("rate of a ratio", `sum(rate(http_requests_total{code=~"5.."}[30m])) / sum(rate(http_requests_total[30m]))`, middle),
	ranged("rate as a graph", `rate(http_requests_total[5m])`, time.Minute),
	ranged("increase as a graph that crosses the hole", `increase(http_requests_total{instance="a"}[10m])`, 7*time.Minute),
	ranged("resets are counted", `resets(http_requests_total[1h])`, 30*time.Minute),
	instant("quantile of a classic histogram", `histogram_quantile(0.95, rate(request_duration_seconds_bucket[10m]))`, middle),
	instant("averages and extremes over time", `max_over_time(temperature[1h]) - min_over_time(temperature[1h]) + avg_over_time(temperature[1h])`, middle),
	instant("share of minutes that are up", `avg_over_time(up[6h])`, late),
	instant("a subquery", `max_over_time(sum(rate(http_requests_total[5m]))[1h:1m])`, middle),
	instant("a subquery with the default step", `count_over_time(up[1h:])`, middle),
	instant("a slope and a forecast", `deriv(temperature[30m]) + predict_linear(temperature[30m], 3600)`, middle),
}

var shapes = []question{
	instant("an instant vector", `http_requests_total`, middle),
	instant("a scalar", `scalar(sum(up)) + 1`, middle),
	instant("a string", `"slow"`, middle),
	instant("not a number and infinities", `odd_numbers * 0 or vector(1) / 0 or -vector(1) / 0`, 10*step),
	instant("the smallest number", `odd_numbers`, 35*step),
	instant("sorted, largest first", `sort_desc(http_requests_total)`, middle).inOrder(),
	instant("the top two", `topk(2, http_requests_total)`, middle).inOrder(),
	instant("an operator without a match", `http_requests_total{code="500"} / on (instance) http_requests_total{code="418"}`, middle),
	instant("many to one", `http_requests_total / ignoring (code) group_left sum without (code) (http_requests_total)`, middle),
	instant("labels are rewritten", `label_replace(up, "host", "$1-x", "instance", "(.*)")`, middle),
	instant("absence is stated with labels", `absent(nothing{job="shop",code=~"5.."})`, middle),
	instant("counting by value", `count_values("v", up)`, middle),
	instant("time and its parts", `hour(timestamp(up)) + on () group_left () vector(time() + day_of_month())`, middle),
	instant("a hint that a metric may be no counter", `rate(temperature[10m])`, middle),
	instant("a warning about a quantile that is none", `quantile(1.5, up)`, middle),
	about("a limit on the series of a query", "query", "query", "http_requests_total", "time", stamp(start.Add(middle)), "limit", "2"),
	about("statistics of a query", "query", "query", "sum(rate(http_requests_total[5m]))", "time", stamp(start.Add(middle)), "stats", "all"),
	ranged("a range of scalars", `time() / 1000`, 33*time.Minute),
	about("a query with a timestamp in RFC 3339", "query", "query", "up", "time", "2026-11-03T06:00:00Z"),
	about("a query with a step as a duration", "query_range", "query", "up",
		"start", "2026-11-03T06:00:00Z", "end", "2026-11-03T07:00:00Z", "step", "10m"),
}

var staleness = []question{
	instant("a series with a mark is gone at once", `http_requests_total{instance="b"}`, 700*step),
	instant("a series that merely stopped lasts five minutes", `http_requests_total{instance="d",code="200"}`, 999*step+4*time.Minute+59*time.Second),
	instant("and not a moment longer", `http_requests_total{instance="d",code="200"}`, 999*step+5*time.Minute),
	ranged("a graph with all these ends", `http_requests_total`, 90*time.Second),
	instant("before the first sample", `http_requests_total`, -time.Minute),
	instant("long after the last sample", `http_requests_total`, 24*time.Hour),
}

var native = []question{
	instant("a native histogram", `latency_native`, middle),
	instant("raw native histograms", `latency_native[2m]`, middle),
	instant("a native histogram of floats, with resets", `increase(latency_native_float[3h])`, late),
	instant("a quantile of a native histogram", `histogram_quantile(0.9, sum(rate(latency_native[10m])))`, middle),
	instant("the fraction below a bound", `histogram_fraction(0, 0.4, rate(latency_native[10m]))`, middle),
	instant("count and sum", `histogram_count(increase(latency_native[1h])) / histogram_sum(increase(latency_native[1h]))`, middle),
	instant("custom bounds", `histogram_fraction(0, 0.3, rate(latency_native_custom[10m]))`, middle),
	ranged("a graph of native histograms", `rate(latency_native_float[15m])`, 40*time.Minute),
}

var series = []question{
	about("series by selector", "series", append([]string{"match[]", `{job="shop",__name__=~"http.*|up"}`}, within(start, end)...)...),
	about("series of two selectors", "series", append([]string{"match[]", `up`, "match[]", `temperature`}, within(start, end)...)...),
	about("series in the last minutes only", "series", append([]string{"match[]", `http_requests_total`}, within(end.Add(-10*time.Minute), end)...)...),
	about("label names", "labels", within(start, end)...),
	about("label names of one metric", "labels", append([]string{"match[]", `http_requests_total`}, within(start, end)...)...),
	about("metric names", "label/__name__/values", within(start, end)...),
	about("label values with quotes and umlauts", "label/path/values", within(start, end)...),
	about("label values of one metric", "label/code/values", append([]string{"match[]", `http_requests_total{instance="a"}`}, within(start, end)...)...),
	about("values of a label that needs quoting", "label/U__service_2e_name/values", within(start, end)...),
	about("values of a label nobody has", "label/nobody/values", within(start, end)...),
	about("a limit on label values", "label/__name__/values", append([]string{"limit", "2"}, within(start, end)...)...),
}

var exemplars = []question{
	about("exemplars of a bucket", "query_exemplars", append([]string{"query", `request_duration_seconds_bucket{le="0.1"}`}, within(start, end)...)...),
	about("exemplars found through an expression", "query_exemplars", append([]string{"query", `histogram_quantile(0.9, rate(request_duration_seconds_bucket[5m]))`}, within(start, start.Add(2*time.Hour))...)...),
	about("no exemplars", "query_exemplars", append([]string{"query", `up`}, within(start, end)...)...),
}

var mistakes = []question{
	instant("a query that does not parse", `sum(rate(http_requests_total[5m])`, middle),
	instant("a range where an instant is needed", `rate(http_requests_total)`, middle),
	instant("an unknown function", `burn(up)`, middle),
	instant("an empty query", ``, middle),
	instant("an ambiguous match", `up * on () http_requests_total`, middle),
	instant("a duplicate after rewriting", `label_replace(http_requests_total, "code", "", "", "")`, middle),
	about("no query at all", "query", "time", "1762150000"),
	about("a time that is none", "query", "query", "up", "time", "yesterday"),
	about("a timeout that is none", "query", "query", "up", "time", stamp(end), "timeout", "soon"),
	about("an end before the start", "query_range", "query", "up", "start", "100", "end", "50", "step", "10"),
	about("a step of zero", "query_range", "query", "up", "start", "100", "end", "500", "step", "0"),
	about("a range with too many points", "query_range", "query", "up", "start", "0", "end", "100000", "step", "1"),
	about("a range over a range vector", "query_range", "query", "up[5m]", "start", "100", "end", "500", "step", "10"),
	about("series without a selector", "series"),
	about("series with a broken selector", "series", "match[]", `{job=`),
	about("a selector that matches everything", "series", "match[]", `{job=~".*"}`),
	about("a label name that is none", "label/not%20one%00/values"),
	about("exemplars of a broken query", "query_exemplars", append([]string{"query", `up{`}, within(start, end)...)...),
	about("a path that does not exist", "nothing").anyWording(),
}

func TestEmbeddedPrometheusAnswersLikeTheRealOne(t *testing.T) {
	samples := world()
	real, fake := startReal(t, samples), startFake(t, samples)

	t.Logf("%d samples, %d questions", len(samples), len(questions))
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) {
			want, got := ask(t, http.MethodGet, real, q), ask(t, http.MethodGet, fake, q)
			if diffs := compare(q, want, got); len(diffs) > 0 {
				t.Errorf("%s %v:\n  %s", q.path, q.args, strings.Join(diffs, "\n  "))
			}
		})
	}
	t.Run("a query may be posted as a form", func(t *testing.T) {
		q := rawSamples[0]
		if diffs := compare(q, ask(t, http.MethodPost, real, q), ask(t, http.MethodPost, fake, q)); len(diffs) > 0 {
			t.Error(strings.Join(diffs, "\n"))
		}
	})
}

// The control: were the comparison blind, or the questions empty, the test above would pass
// whatever the embedded server answered.
func TestOneWrongSampleIsNoticed(t *testing.T) {
	samples := world()
	real := startReal(t, samples)
	for i, x := range samples {
		if x.lset.Get("__name__") == "http_requests_total" && x.ms == start.Add(middle).UnixMilli() {
			samples[i].v *= 1 + 1e-9
		}
	}
	fake := startFake(t, samples)
	noticed := 0
	for _, q := range slices.Concat(rawSamples, windows, shapes) {
		if len(compare(q, ask(t, http.MethodGet, real, q), ask(t, http.MethodGet, fake, q))) > 0 {
			noticed++
		}
	}
	if noticed < 5 {
		t.Errorf("%d questions noticed a wrong sample, want at least 5", noticed)
	}
}

// startReal returns the address of the genuine server with the samples.
func startReal(t *testing.T, samples []sample) string {
	t.Helper()
	server := realprom.Start(t)
	loadReal(t, server, samples)
	return server.URL
}

// startFake returns the address of the embedded server with the samples.
func startFake(t *testing.T, samples []sample) string {
	t.Helper()
	db := promfake.New(promfake.Options{})
	loadFake(t, db, samples)
	server := httptest.NewServer(db.Handler())
	t.Cleanup(server.Close)
	return server.URL
}

// reply is what a server said.
type reply struct {
	code        int
	contentType string
	body        any // decoded JSON, or the text where it is no JSON
}

func ask(t *testing.T, method, base string, q question) reply {
	t.Helper()
	target, body := base+"/api/v1/"+q.path, io.Reader(nil)
	if method == http.MethodPost {
		body = strings.NewReader(q.args.Encode())
	} else {
		target += "?" + q.args.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{code: resp.StatusCode, contentType: resp.Header.Get("Content-Type")}
	if json.Unmarshal(text, &r.body) != nil {
		r.body = string(text)
	}
	return r
}

// compare returns what is different, in words, at most a handful.
func compare(q question, want, got reply) []string {
	var diffs []string
	if want.code != got.code {
		diffs = append(diffs, fmt.Sprintf("status code: real %d, embedded %d", want.code, got.code))
	}
	if want.contentType != got.contentType && !q.looseText {
		diffs = append(diffs, fmt.Sprintf("content type: real %q, embedded %q", want.contentType, got.contentType))
	}
	if q.looseText {
		for _, r := range []reply{want, got} {
			if answer, ok := r.body.(map[string]any); ok {
				delete(answer, "error")
			} else {
				r.body = nil
			}
		}
	}
	if _, isText := want.body.(string); isText && q.looseText {
		return diffs
	}
	diffs = append(diffs, difference("$", normal(q, want.body), normal(q, got.body))...)
	return diffs[:min(len(diffs), 6)]
}

// normal brings the parts of an answer whose order means nothing into one order: the series of a
// vector or a matrix, and the lists of hints.
func normal(q question, v any) any {
	answer, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for _, hints := range []string{"warnings", "infos"} {
		sortAny(answer[hints])
	}
	data, ok := answer["data"].(map[string]any)
	if stats, ok := data["stats"].(map[string]any); ok {
		delete(stats, "timings") // what it took, not what it is
	}
	if ok && !q.ordered && (data["resultType"] == "vector" || data["resultType"] == "matrix") {
		sortAny(data["result"])
	}
	if q.path == "series" || q.path == "query_exemplars" {
		sortAny(answer["data"])
	}
	return answer
}

// sortAny sorts a list by its labels, or by its whole text where it has none.
func sortAny(v any) {
	list, ok := v.([]any)
	if !ok {
		return
	}
	key := func(v any) string {
		if m, ok := v.(map[string]any); ok {
			for _, name := range []string{"metric", "seriesLabels"} {
				if labels, ok := m[name]; ok {
					v = labels
				}
			}
		}
		text, _ := json.Marshal(v) // the keys of an object come sorted
		return string(text)
	}
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(key(a), key(b)) })
}

// difference walks two JSON values and names every place where they differ.
func difference(at string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			return differentKeys(at, w, g)
		}
	case []any:
		if g, ok := got.([]any); ok {
			return differentItems(at, w, g)
		}
	case float64:
		if g, ok := got.(float64); ok && near(w, g) {
			return nil
		}
	case string:
		if g, ok := got.(string); ok && (w == g || nearText(w, g)) {
			return nil
		}
	default:
		if want == got {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: real %s, embedded %s", at, short(want), short(got))}
}

func differentKeys(at string, want, got map[string]any) []string {
	var diffs []string
	for k := range want {
		if _, ok := got[k]; !ok {
			diffs = append(diffs, fmt.Sprintf("%s.%s: real %s, embedded nothing", at, k, short(want[k])))
		} else {
			diffs = append(diffs, difference(at+"."+k, want[k], got[k])...)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			diffs = append(diffs, fmt.Sprintf("%s.%s: real nothing, embedded %s", at, k, short(got[k])))
		}
	}
	slices.Sort(diffs)
	return diffs
}

func differentItems(at string, want, got []any) []string {
	if len(want) != len(got) {
		return []string{fmt.Sprintf("%s: real %d items %s, embedded %d items %s", at, len(want), short(want), len(got), short(got))}
	}
	var diffs []string
	for i := range want {
		diffs = append(diffs, difference(fmt.Sprintf("%s[%d]", at, i), want[i], got[i])...)
	}
	return diffs
}

// near compares numbers by relative difference; equal infinities are equal, and so is one
// not-a-number to another.
func near(a, b float64) bool {
	if a == b || math.IsNaN(a) && math.IsNaN(b) {
		return true
	}
	return math.Abs(a-b) <= tolerance*max(math.Abs(a), math.Abs(b))
}

// nearText compares numbers written as strings, as Prometheus writes samples.
func nearText(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && near(x, y)
}

func short(v any) string {
	text, _ := json.Marshal(v)
	if len(text) > 300 {
		text = append(text[:300], "…"...)
	}
	return string(text)
}

func TestTheComparisonSeesDifferences(t *testing.T) {
	for _, c := range []struct {
		name, want, got string
		same            bool
	}{
		{"the same number written differently", `["1e3"]`, `["1000"]`, true},
		{"the last digit of a double", `[0.30000000000000004]`, `[0.3]`, true},
		{"one part in a billion", `[1.000000001]`, `[1]`, false},
		{"infinity against not a number", `["+Inf"]`, `["NaN"]`, false},
		{"a key too many", `{"a":1}`, `{"a":1,"b":null}`, false},
		{"a key too few", `{"a":1,"b":null}`, `{"a":1}`, false},
		{"an item too few", `[1,2]`, `[1]`, false},
		{"null against an empty list", `{"data":null}`, `{"data":[]}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want, got any
			if json.Unmarshal([]byte(c.want), &want) != nil || json.Unmarshal([]byte(c.got), &got) != nil {
				t.Fatal("the case is no JSON")
			}
			if same := len(difference("$", want, got)) == 0; same != c.same {
				t.Errorf("same = %v, want %v", same, c.same)
			}
		})
	}
}

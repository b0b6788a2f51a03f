package promfake_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// get fetches a path and returns status and body.
func get(t *testing.T, address string) (int, string) {
	t.Helper()
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestAnswersLookLikePrometheus(t *testing.T) {
	db := promfake.New(promfake.Options{Now: func() time.Time { return at(75) }})
	ramp(t, db, lset("c_total", "pod", "a", "path", `/x"<é>`), 5)
	base, _ := open(t, db)
	for _, tc := range []struct {
		name, path string
		status     int
		want       string
	}{
		{
			"a vector, at the server's own time", "/api/v1/query?query=c_total", 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"c_total","path":"/x\"\u003cé\u003e","pod":"a"},"value":[1793610075,"75"]}]}}`,
		},
		{
			"raw samples", "/api/v1/query?query=c_total[30s]", 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"c_total","path":"/x\"\u003cé\u003e","pod":"a"},"values":[[1793610060,"60"],[1793610075,"75"]]}]}}`,
		},
		{"an empty vector", "/api/v1/query?query=nope", 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`},
		{
			"a scalar with a fraction of a second", "/api/v1/query?query=1/3&time=1793610000.05", 200,
			`{"status":"success","data":{"resultType":"scalar","result":[1793610000.050,"0.3333333333333333"]}}`,
		},
		{"numbers JSON does not know", "/api/v1/query?query=-1/0&time=5", 200, `{"status":"success","data":{"resultType":"scalar","result":[5,"-Inf"]}}`},
		{
			"large and small numbers", "/api/v1/query?query=vector(1e21)&time=5", 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[5,"1e+21"]}]}}`,
		},
		{"a string", `/api/v1/query?query="a"&time=5`, 200, `{"status":"success","data":{"resultType":"string","result":[5,"a"]}}`},
		{"no series", "/api/v1/series?match[]=nope", 200, `{"status":"success","data":[]}`},
		{"label names", "/api/v1/labels", 200, `{"status":"success","data":["__name__","path","pod"]}`},
		{"label values, limited", "/api/v1/label/__name__/values?limit=1", 200, `{"status":"success","data":["c_total"]}`},
		{"a cut list says so", "/api/v1/labels?limit=1", 200, `{"status":"success","data":["__name__"],"warnings":["results truncated due to limit"]}`},
		{"no exemplars", "/api/v1/query_exemplars?query=c_total", 200, `{"status":"success","data":[]}`},
		{"ready", "/-/ready", 200, "Prometheus Server is Ready.\n"},
		{"healthy", "/-/healthy", 200, "Prometheus Server is Healthy.\n"},
		{
			"a syntax error", "/api/v1/query?query=sum(", 400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"}`,
		},
		{
			"a bad time", "/api/v1/query?query=1&time=noon", 400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": invalid time value for 'time': cannot parse \"noon\" to a valid timestamp"}`,
		},
		{
			"a bad timeout", "/api/v1/query?query=1&timeout=x", 400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"timeout\": cannot parse \"x\" to a valid duration"}`,
		},
		{
			"many-to-many matching", "/api/v1/query?query=label_replace(c_total,\"path\",\"\",\"\",\"\")%2Bon()group_left()(c_total or vector(1))", 422,
			`"errorType":"execution"`,
		},
		{"no time left", "/api/v1/query?query=c_total&timeout=0.000000001", 503, `"errorType":"timeout"`},
		{
			"an end before the start", "/api/v1/query_range?query=1&start=10&end=5&step=1", 400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": end timestamp must not be before start time"}`,
		},
		{"a step of zero", "/api/v1/query_range?query=1&start=1&end=5&step=0", 400, `"errorType":"bad_data"`},
		{"11,000 steps are fine", "/api/v1/query_range?query=c_total&start=0&end=11000&step=1", 200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`},
		{
			"11,001 are too many", "/api/v1/query_range?query=c_total&start=0&end=11001&step=1", 400,
			`{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"}`,
		},
		{"series need a selector", "/api/v1/series", 400, `{"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}`},
		{"a selector that selects everything", "/api/v1/series?match[]={a=~\".*\"}", 400, `"errorType":"bad_data"`},
		{"an unknown path", "/api/v1/nothing", 404, "404 page not found\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body := get(t, base+strings.ReplaceAll(strings.ReplaceAll(tc.path, " ", "%20"), `"`, "%22"))
			if status != tc.status || !strings.Contains(body, tc.want) || tc.want[0] == '{' && body != tc.want {
				t.Errorf("got %d %s\nwant %d %s", status, body, tc.status, tc.want)
			}
		})
	}
}

func TestPostIsLikeGet(t *testing.T) {
	db := promfake.New(promfake.Options{})
	ramp(t, db, lset("c_total"), 5)
	base, _ := open(t, db)
	resp, err := http.PostForm(base+"/api/v1/query", url.Values{"query": {"c_total"}, "time": {"1793610075"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(body), `"value":[1793610075,"75"]`) {
		t.Errorf("got %s", body)
	}
}

func TestGzipIsSentWhenAskedFor(t *testing.T) {
	db := promfake.New(promfake.Options{})
	ramp(t, db, lset("c_total"), 1000)
	base, _ := open(t, db)
	req, _ := http.NewRequest(http.MethodGet, base+"/api/v1/query?query=c_total[5h]&time=1793625000", nil)
	req.Header.Set("Accept-Encoding", "br, gzip")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	zr, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatalf("the answer is not gzip: %v", err)
	}
	body, err := io.ReadAll(zr)
	if err != nil || !json.Valid(body) {
		t.Errorf("bad body (%v): %.100s", err, body)
	}
	if sent := db.Stats().Bytes; sent == 0 || sent > int64(len(body))/2 {
		t.Errorf("%d bytes sent for %d bytes of JSON", sent, len(body))
	}
}

func TestStatisticsCountSamplesOnce(t *testing.T) {
	db := promfake.New(promfake.Options{})
	ramp(t, db, lset("c_total"), 100)
	base, _ := open(t, db)
	before := db.Stats()
	_, body := get(t, base+"/api/v1/query?query=c_total[1m]&time=1793611500&stats=all")
	if !strings.Contains(body, `"totalQueryableSamples":4`) || !strings.Contains(body, `"samplesRead":4`) {
		t.Errorf("statistics are missing or wrong: %s", body)
	}
	got := db.Stats().Sub(before)
	got.Bytes = 0
	if want := (promfake.Stats{Requests: 1, Queries: 1, Samples: 4, SamplesRead: 4}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheFutureIsHidden(t *testing.T) {
	var now atomic.Int64
	now.Store(sec(60))
	db := promfake.New(promfake.Options{Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	ramp(t, db, lset("c_total"), 100)
	late := lset("late_total")
	if err := db.Append(late, sec(600), 1); err != nil {
		t.Fatal(err)
	}
	if err := db.AppendExemplar(late, exemplar.Exemplar{Labels: labels.FromStrings("trace_id", "1"), Ts: sec(600)}); err != nil {
		t.Fatal(err)
	}
	_, c := open(t, db)
	if got := ask(t, c, "c_total", at(90)); got != "c_total => 60 @[1793610090]" {
		t.Errorf("at 09:01 the sample of 09:01 is the newest, got %q", got)
	}
	seen := func() (names model.LabelValues, exemplars int) {
		names, _, _, err := c.LabelValues(context.Background(), "__name__", nil, time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.QueryExemplars(context.Background(), "late_total", at(0), at(3600))
		if err != nil {
			t.Fatal(err)
		}
		return names, len(res)
	}
	if names, exemplars := seen(); len(names) != 1 || exemplars != 0 {
		t.Errorf("a series of the future shows: %v, %d exemplars", names, exemplars)
	}
	now.Store(sec(600))
	if got := ask(t, c, "c_total", at(600)); got != "c_total => 600 @[1793610600]" {
		t.Errorf("at 09:10 the sample of 09:10 is there, got %q", got)
	}
	if names, exemplars := seen(); len(names) != 2 || exemplars != 1 {
		t.Errorf("the future has come and is still hidden: %v, %d exemplars", names, exemplars)
	}
}

// nativeAt is a native histogram after n observations: 3/4 of 0.1 s, 1/4 of 1.5 s.
func nativeAt(n int) *histogram.Histogram {
	fast, slow := int64(3*n/4), int64(n/4)
	return &histogram.Histogram{
		Schema: 0, Count: uint64(fast + slow), Sum: 0.1*float64(fast) + 1.5*float64(slow), ZeroThreshold: 1e-9,
		PositiveSpans: []histogram.Span{{Offset: -3, Length: 1}, {Offset: 3, Length: 1}}, PositiveBuckets: []int64{fast, slow - fast},
	}
}

func TestNativeHistograms(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for i := 1; i <= 300; i++ {
		n := 40 * i
		if i > 200 {
			n = 40 * (i - 200) // the process restarted
		}
		if err := db.AppendHistogram(lset("h"), sec(15*i), nativeAt(n)); err != nil {
			t.Fatal(err)
		}
		if err := db.AppendFloatHistogram(lset("f"), sec(15*i), nativeAt(n).ToFloat(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.MarkStale(lset("h"), sec(4501)); err != nil {
		t.Fatal(err)
	}
	_, c := open(t, db)
	for _, tc := range []struct {
		name, query string
		when        time.Time
		want        string
	}{
		{"a count", `histogram_count(h)`, at(1500), `{} => 4000 @[1793611500]`},
		{"a float histogram counts too", `histogram_count(f)`, at(1500), `{} => 4000 @[1793611500]`},
		{"an increase over chunks and a reset", `round(histogram_count(increase(h[1h])), 10)`, at(4500), `{} => 9600 @[1793614500]`},
		{"a fraction at a bucket bound", `histogram_fraction(0, 1, rate(h[10m]))`, at(1500), `{} => 0.75 @[1793611500]`},
		{"a stale marker ends it", `histogram_count(h)`, at(4502), ``},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := ask(t, c, tc.query, tc.when); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.query, got, tc.want)
			}
		})
	}
	v, _, _, err := c.Query(context.Background(), "h", at(15))
	if err != nil {
		t.Fatal(err)
	}
	want := &model.SampleHistogram{Count: 40, Sum: 18, Buckets: model.HistogramBuckets{
		{Boundaries: 0, Lower: 0.0625, Upper: 0.125, Count: 30}, {Boundaries: 0, Lower: 1, Upper: 2, Count: 10},
	}}
	if diff := cmp.Diff(want, v.(model.Vector)[0].Histogram); diff != "" {
		t.Errorf("histogram (-want +got):\n%s", diff)
	}
}

func TestExemplarsMetadataAndInfo(t *testing.T) {
	db := promfake.New(promfake.Options{})
	l := lset("c_total", "code", "500")
	for i := range 3 {
		if err := db.Append(l, sec(15*i), float64(i)); err != nil {
			t.Fatal(err)
		}
		if err := db.AppendExemplar(l, exemplar.Exemplar{Labels: labels.FromStrings("trace_id", string(rune('a'+i))), Value: 0.5, Ts: sec(15 * i)}); err != nil {
			t.Fatal(err)
		}
	}
	ramp(t, db, lset("temperature"), 3)
	db.SetMetadata("c_total", metadata.Metadata{Type: model.MetricTypeCounter, Help: "Counts."})
	_, c := open(t, db)
	res, err := c.QueryExemplars(context.Background(), `rate(c_total{code=~"5.."}[1m])`, at(10), at(20))
	if err != nil {
		t.Fatal(err)
	}
	want := []v1.ExemplarQueryResult{{
		SeriesLabels: model.LabelSet{"__name__": "c_total", "code": "500"},
		Exemplars:    []v1.Exemplar{{Labels: model.LabelSet{"trace_id": "b"}, Value: 0.5, Timestamp: model.Time(sec(15))}},
	}}
	if diff := cmp.Diff(want, res); diff != "" {
		t.Errorf("exemplars (-want +got):\n%s", diff)
	}
	_, warnings, infos, err := c.Query(context.Background(), "rate(temperature[1m])", at(45))
	if err != nil || len(warnings) != 0 || len(infos) != 1 {
		t.Errorf("rate of a gauge: warnings %v, infos %v, error %v", warnings, infos, err)
	}
	md, err := c.Metadata(context.Background(), "c_total", "")
	if err != nil || len(md["c_total"]) != 1 || md["c_total"][0].Help != "Counts." {
		t.Errorf("metadata: %v, %v", md, err)
	}
	info, err := c.Buildinfo(context.Background())
	if err != nil || info.Version != promfake.Version {
		t.Errorf("build info: %v, %v", info, err)
	}
	if rt, err := c.Runtimeinfo(context.Background()); err != nil || !rt.ReloadConfigSuccess {
		t.Errorf("runtime info: %v, %v", rt, err)
	}
	series, _, _, err := c.Series(context.Background(), []string{`c_total`, `{code="500"}`}, at(0), at(60))
	if err != nil || len(series) != 1 {
		t.Errorf("a series that two selectors find is listed once: %v, %v", series, err)
	}
	series, _, _, err = c.Series(context.Background(), []string{`c_total`}, at(60), at(120))
	if err != nil || len(series) != 0 {
		t.Errorf("a series that ended before is not listed: %v, %v", series, err)
	}
}

func TestClientErrorsKeepTheirType(t *testing.T) {
	db := promfake.New(promfake.Options{MaxSamples: 50})
	ramp(t, db, lset("c_total"), 100)
	_, c := open(t, db)
	_, _, _, err := c.Query(context.Background(), "c_total[1h]", at(1500))
	var apiErr *v1.Error
	if !errors.As(err, &apiErr) || apiErr.Type != v1.ErrExec {
		t.Errorf("a query over too many samples fails in execution, got %v", err)
	}
}

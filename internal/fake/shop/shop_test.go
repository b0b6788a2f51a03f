package shop_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/fake/shop"
	"github.com/slowburn-sre/slowburn/slo/file"
)

var live = time.Date(2026, 11, 18, 14, 0, 0, 0, time.UTC)

// number evaluates a query that has one value.
func number(t testing.TB, c v1.API, query string, at time.Time) float64 {
	t.Helper()
	v, _, _, err := c.Query(context.Background(), query, at)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	vec, ok := v.(model.Vector)
	if !ok || len(vec) != 1 {
		t.Fatalf("%s: want one value, got %v", query, v)
	}
	return float64(vec[0].Value)
}

// BenchmarkHistory writes the whole history. It reports the size of the result and the heap that is
// in use with it.
func BenchmarkHistory(b *testing.B) {
	var sz promfake.Size
	var mem runtime.MemStats
	for b.Loop() {
		db := promfake.New(promfake.Options{})
		shop.New(1, db, live).Fill(live)
		sz = db.Size()
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&mem)
		runtime.KeepAlive(db)
		b.StartTimer()
	}
	b.ReportMetric(float64(sz.Series), "series")
	b.ReportMetric(float64(sz.Samples)/1e6, "Msamples")
	b.ReportMetric(float64(sz.ChunkBytes)/(1<<20), "chunks-MiB")
	b.ReportMetric(float64(mem.HeapInuse)/(1<<20), "heap-MiB")
}

// world fills a month once for the tests that only read it.
var world = sync.OnceValues(func() (*promfake.DB, *shop.Shop) {
	db := promfake.New(promfake.Options{})
	s := shop.New(1, db, live)
	s.Fill(live)
	return db, s
})

// raceDetector is set when the tests run under it.
var raceDetector bool

func TestHistoryIsAsIntended(t *testing.T) {
	if raceDetector {
		t.Skip("a month takes too long under the race detector; the other tests fill time in parallel too")
	}
	db, _ := world()
	c := promtest.API(t, db)
	const (
		checkout = `http_requests_total{job="checkout"}`
		failed   = `http_requests_total{job="checkout",code=~"5.."}`
	)
	for _, tc := range []struct {
		name, query string
		low, high   float64
	}{
		{"checkout serves about 55 requests a second", `sum(rate(` + checkout + `[7d]))`, 45, 65},
		{"checkout has spent about 55 % of its budget", `sum(increase(` + failed + `[28d])) / sum(increase(` + checkout + `[28d])) / 0.001`, 0.50, 0.60},
		{"two weeks ago one incident took about 35 % of it", `sum(increase(` + failed + `[1h] @ 1793790900)) / sum(increase(` + checkout + `[28d])) / 0.001`, 0.32, 0.38},
		{"on other days it stays below its budget", `sum(increase(` + failed + `[10d])) / sum(increase(` + checkout + `[10d])) / 0.001`, 0.15, 0.25},
		{"every route of checkout has budget left", `max(sum by (route) (increase(` + failed + `[28d])) / sum by (route) (increase(` + checkout + `[28d]))) / 0.001`, 0.5, 0.65},
		{"checkout is fast enough", `1 - sum(increase(http_request_duration_seconds_bucket{job="checkout",le="0.3"}[28d])) / sum(increase(http_request_duration_seconds_count{job="checkout"}[28d]))`, 0.003, 0.006},
		{"payments had a small incident", `sum(increase(grpc_server_handled_total{job="payments",grpc_code="Unavailable"}[28d])) / sum(increase(grpc_server_handled_total{job="payments"}[28d])) / 0.0005`, 0.15, 0.45},
		{"partners has about 40 requests an hour", `sum(increase(http_requests_total{job="partners"}[7d])) / 168`, 32, 44},
		{"partners keeps its promise", `sum(increase(http_requests_total{job="partners",code="500"}[28d])) / sum(increase(http_requests_total{job="partners"}[28d])) / 0.01`, 0.02, 0.7},
		{"the front page was down for twelve minutes", `(1 - avg_over_time(probe_success{job="web"}[28d])) / 0.001`, 0.25, 0.40},
		{"the front page is fast enough", `1 - avg(histogram_fraction(0, 0.5, rate(http_server_request_duration_seconds[28d])))`, 0.0005, 0.005},
		{"orders once waited far too long", `max_over_time(queue_oldest_seconds[28d])`, 600, 6000},
		{"the queue spent a good third of its budget then", `avg_over_time((queue_oldest_seconds > bool 120)[28d:1m]) / 0.005`, 0.2, 0.6},
		{"deployments can be seen", `changes(kube_deployment_status_observed_generation{deployment="checkout"}[28d])`, 4, 8},
		{"one version runs on every pod", `count(count by (version) (build_info{job="checkout"}))`, 1, 1},
		{"file descriptors do not run out", `max(process_open_fds / process_max_fds)`, 0.02, 0.5},
		{"the CPU is not throttled much", `sum(rate(container_cpu_cfs_throttled_periods_total{job="checkout"}[1d])) / sum(rate(container_cpu_cfs_periods_total{job="checkout"}[1d]))`, 0.005, 0.1},
		{"every target is up", `count(up == 1)`, 8, 8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := number(t, c, tc.query, live); got < tc.low || got > tc.high {
				t.Errorf("%s\n got %v, want %v to %v", tc.query, got, tc.low, tc.high)
			}
		})
	}
}

// outline condenses everything in a DB into text: the samples and the exemplars of the last hour,
// raw.
func outline(t *testing.T, db *promfake.DB, at time.Time) string {
	t.Helper()
	c := promtest.API(t, db)
	v, _, _, err := c.Query(context.Background(), `{__name__=~".+"}[1h]`, at)
	if err != nil {
		t.Fatal(err)
	}
	ex, err := c.QueryExemplars(context.Background(), `{__name__=~".+"}`, at.Add(-time.Hour), at)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(v, "\n", ex)
}

func TestSameSeedSameShopHoweverTimeIsCut(t *testing.T) {
	end := live.Add(20 * time.Minute)
	var want string
	for _, cut := range []struct {
		name  string
		steps func(yield func(time.Time) bool)
	}{
		{"all at once", func(yield func(time.Time) bool) { yield(end) }},
		{"history, then second by second", func(yield func(time.Time) bool) {
			for at := live; !at.After(end) && yield(at); at = at.Add(time.Second) {
			}
		}},
		{"in uneven pieces, some of them backwards", func(yield func(time.Time) bool) {
			for _, d := range []time.Duration{-20 * time.Minute, -30 * time.Minute, 0, 1, 7 * time.Minute, 6 * time.Minute, 20 * time.Minute} {
				if !yield(live.Add(d)) {
					return
				}
			}
		}},
	} {
		db := promfake.New(promfake.Options{})
		s := shop.NewWithHistory(5, db, live, 90*time.Minute)
		if err := s.Stage(shop.Story(live.Add(2*time.Minute), 10*time.Minute)); err != nil {
			t.Fatal(err)
		}
		for to := range cut.steps {
			s.Fill(to)
		}
		got := outline(t, db, end)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s: another world:\n%.1000s", cut.name, cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
		}
	}
	db := promfake.New(promfake.Options{})
	s := shop.NewWithHistory(6, db, live, 90*time.Minute)
	s.Fill(end)
	if outline(t, db, end) == want {
		t.Error("another seed gives the same world")
	}
}

func TestStoryBreaksOneRouteAndHeals(t *testing.T) {
	db := promfake.New(promfake.Options{})
	s := shop.NewWithHistory(1, db, live, 290*time.Minute)
	s.Fill(live)
	story := shop.Story(live.Add(5*time.Minute), 12*time.Minute)
	if err := s.Stage(story); err != nil {
		t.Fatal(err)
	}
	s.Fill(live.Add(30 * time.Minute))
	c := promtest.API(t, db)
	ratio := func(route string) string {
		return fmt.Sprintf(`sum(increase(http_requests_total{job="checkout",route=%q,code="500"}[5m]) or vector(0)) / sum(increase(http_requests_total{job="checkout",route=%q}[5m]))`, route, route)
	}
	for _, tc := range []struct {
		name, query string
		at          time.Time
		low, high   float64
	}{
		{"before, /pay is fine", ratio("/pay"), story.Start, 0, 0.01},
		{"in the outage, six of ten payments fail", ratio("/pay"), story.Start.Add(8 * time.Minute), 0.55, 0.65},
		{"the other routes never notice", ratio("/cart"), story.Start.Add(8 * time.Minute), 0, 0.01},
		{"after the roll-back it is fine again", ratio("/pay"), story.End().Add(6 * time.Minute), 0, 0.01},
		{"the new version is on every pod", `count(build_info{job="checkout",version="v2.4.1"})`, story.Start.Add(time.Minute), 3, 3},
		{"and gone after the roll-back", `count(build_info{job="checkout",version!="v2.4.1"})`, story.End().Add(time.Minute), 3, 3},
		{"both deployments can be seen", `changes(kube_deployment_status_observed_generation{deployment="checkout"}[30m])`, live.Add(30 * time.Minute), 2, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := number(t, c, tc.query, tc.at); got < tc.low || got > tc.high {
				t.Errorf("%s\n got %v, want %v to %v", tc.query, got, tc.low, tc.high)
			}
		})
	}
	ex, err := c.QueryExemplars(context.Background(), `http_requests_total{route="/pay",code="500"}`, story.Start, story.End())
	if err != nil || len(ex) == 0 || len(ex[0].Exemplars[0].Labels["trace_id"]) != 32 {
		t.Errorf("no exemplars from the outage: %v, %v", ex, err)
	}
	if err := s.Stage(shop.Story(live, time.Minute)); err == nil {
		t.Error("an outage in the past was accepted")
	}
}

func TestLargeIncidentSpendsItsShareOnEveryWeekday(t *testing.T) {
	for day := range 7 {
		at := live.AddDate(0, 0, day)
		large := shop.Past(at)[0]
		if large.Length < 20*time.Minute || large.Length > 75*time.Minute {
			t.Errorf("live on a %s: the large incident lasts %s", at.Weekday(), large.Length)
		}
		if large.End().After(at) {
			t.Errorf("live on a %s: the incident is not in the past", at.Weekday())
		}
	}
}

func TestClockRunsFaster(t *testing.T) {
	c := shop.Clock{Wall: live, Shop: live.Add(-time.Hour), Speed: 30}
	if got, want := c.At(live.Add(10*time.Second)), live.Add(-55*time.Minute); !got.Equal(want) {
		t.Errorf("ten seconds later the shop's clock shows %s, want %s", got, want)
	}
	if got := c.Until(live.Add(-55*time.Minute), live); got != 10*time.Second {
		t.Errorf("to wait: %s, want 10s", got)
	}
}

func TestEverySLOFileLoads(t *testing.T) {
	var files []file.File
	for name, text := range shop.SLOFiles() {
		files = append(files, file.File{Name: name, Data: []byte(text)})
	}
	set, err := file.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Warnings) > 0 {
		t.Errorf("warnings:\n%v", set.Warnings)
	}
	if len(files) != 5 || len(set.Specs) != 9 {
		t.Errorf("%d files with %d SLOs, want 5 with 9", len(files), len(set.Specs))
	}
}

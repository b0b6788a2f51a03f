package suggest_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/fake/shop"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/internal/suggest"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

var live = time.Date(2026, 11, 18, 14, 0, 0, 0, time.UTC)

// world fills a month once for the tests that only read it.
var world = sync.OnceValue(func() *promfake.DB {
	db := newDB()
	shop.New(1, db, live).Fill(live)
	return db
})

func serve(t testing.TB, db *promfake.DB) *prom.Client {
	t.Helper()
	c, err := prom.NewClient(prom.ClientOptions{URL: promtest.Serve(t, db.Handler()), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func propose(t testing.TB, db *promfake.DB, o suggest.Options) []suggest.Proposal {
	t.Helper()
	o.At = live
	list, err := suggest.Propose(context.Background(), serve(t, db), o)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// files are the proposals as SLO files.
func files(list []suggest.Proposal) (out []file.File) {
	for _, p := range list {
		if !p.Empty() {
			out = append(out, file.File{Name: p.Service.Name + ".yaml", Data: p.YAML()})
		}
	}
	return out
}

// text is all files, one below the other.
func text(list []suggest.Proposal) string {
	var b strings.Builder
	for _, p := range list {
		b.Write(p.YAML())
	}
	return b.String()
}

// lines is what was proposed, a line per SLO.
func lines(list []suggest.Proposal) (out []string) {
	for _, p := range list {
		for _, one := range p.SLOs {
			sli := string(one.SLI.Kind) + ":"
			for part, q := range one.Parts() {
				sli += " " + part + ": " + q.Text
			}
			if one.SLI.Kind == slo.Slices {
				sli += fmt.Sprint(" good: ", one.SLI.GoodWhen.Op, one.SLI.GoodWhen.Value)
			}
			if one.SLI.LimitText != "" {
				sli += " below: " + one.SLI.LimitText
			}
			out = append(out, fmt.Sprintf("%s/%s %s %s", p.Service.Name, one.Name, one.Objective.Percent(), sli))
		}
	}
	return out
}

// shopTest skips what takes too long under the race detector: filling a month.
func shopTest(t *testing.T) *promfake.DB {
	t.Helper()
	if raceDetector {
		t.Skip("a month takes too long under the race detector; the sources are tested with it")
	}
	return world()
}

// shopList is what is suggested for the whole shop, asked for once.
func shopList(t *testing.T) []suggest.Proposal {
	t.Helper()
	db := shopTest(t)
	return onceForAll(func() []suggest.Proposal { return propose(t, db, suggest.Options{}) })
}

var onceForAll = func() func(func() []suggest.Proposal) []suggest.Proposal {
	var once sync.Once
	var list []suggest.Proposal
	return func(ask func() []suggest.Proposal) []suggest.Proposal {
		once.Do(func() { list = ask() })
		return list
	}
}()

func TestTheShopIsFoundAsItIs(t *testing.T) {
	list := shopList(t)
	want := []string{
		`checkout/availability 99.5 events: total: http_requests_total{job="checkout"} bad: http_requests_total{code=~"5..",job="checkout"}`,
		`checkout/latency 99.5 latency: histogram: http_request_duration_seconds{job="checkout"} below: 300ms`,
		`orders-worker/success 99.95 events: total: jobs_processed_total{job="orders-worker"} bad: jobs_processed_total{job="orders-worker",result=~"(?i)fail.*|err.*|dead.*"}`,
		`orders-worker/freshness 99 slices: query: max(queue_oldest_seconds{job="orders-worker"}) good: <60`,
		`partners/availability 99.5 events: total: http_requests_total{job="partners"} bad: http_requests_total{code=~"5..",job="partners"}`,
		`partners/latency 99 latency: histogram: http_request_duration_seconds{job="partners"} below: 1s`,
		`payments/availability 99.95 events: total: grpc_server_handled_total{job="payments"} bad: grpc_server_handled_total{grpc_code=~"Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss",job="payments"}`,
		`payments/latency 99.5 latency: histogram: grpc_server_handling_seconds{grpc_type="unary",job="payments"} below: 300ms`,
		`web/latency 99.5 latency: histogram: http_server_request_duration_seconds{job="web"} below: 500ms`,
		`web/uptime 99.5 uptime: up: probe_success{job="web"}`,
	}
	if diff := cmp.Diff(want, lines(list)); diff != "" {
		t.Errorf("other SLOs (-want +got):\n%s", diff)
	}
	set, err := file.Load(files(list))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Warnings) > 0 {
		t.Error(set.Warnings)
	}
}

func TestTheTargetIsTheHighestStepThatTheWorstWeekMet(t *testing.T) {
	db := shopTest(t)
	c := serve(t, db)
	for _, p := range shopList(t) {
		for _, one := range p.SLOs {
			if one.Name != "availability" {
				continue
			}
			metric, label := "http_requests_total", `code=~"5.."`
			if p.Service.Name == "payments" {
				metric, label = "grpc_server_handled_total", `grpc_code="Unavailable"`
			}
			query := fmt.Sprintf(`sum(increase(%s{job="%s",%s}[7d])) / sum(increase(%s{job="%s"}[7d]))`, metric, p.Service.Name, label, metric, p.Service.Name)
			curves, err := c.Range(context.Background(), query, live.Add(-21*24*time.Hour), live, 12*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for _, point := range curves[0].Points {
				worst = max(worst, point.Value)
			}
			next := map[string]float64{"99.5": 0.001, "99.9": 0.0005, "99.95": 0.0001}[one.Objective.Percent()]
			if worst > one.Objective.AllowedRatio()*1.02 || worst < next*0.98 {
				t.Errorf("%s: Prometheus says the worst week had a share of %.5f bad; the target is %s", p.Service.Name, worst, one.Objective.Percent())
			}
		}
	}
}

// Whether all services are looked at or some changes nothing about one.
func TestTheSameServerGivesTheSameBytes(t *testing.T) {
	some := regexp.MustCompile("checkout|web")
	all := slices.DeleteFunc(slices.Clone(shopList(t)), func(p suggest.Proposal) bool { return !some.MatchString(p.Service.Name) })
	if diff := cmp.Diff(text(all), text(propose(t, shopTest(t), suggest.Options{Service: some}))); diff != "" || text(all) == "" {
		t.Fatal(diff)
	}
}

func TestWhatExistsIsLeftAlone(t *testing.T) {
	db := shopTest(t)
	var existing []file.File
	for name, text := range shop.SLOFiles() {
		existing = append(existing, file.File{Name: name, Data: []byte(text)})
	}
	set, err := file.Load(existing)
	if err != nil {
		t.Fatal(err)
	}
	list := propose(t, db, suggest.Options{Existing: set})
	want := []string{`partners/latency 99 latency: histogram: http_request_duration_seconds{job="partners"} below: 1s`}
	if diff := cmp.Diff(want, lines(list)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := file.Load(append(existing, files(list)...)); err != nil {
		t.Errorf("the suggestions do not fit beside what exists: %v", err)
	}
	if again := propose(t, db, suggest.Options{Existing: set, Service: regexp.MustCompile("partners|web")}); len(again) != 2 {
		t.Errorf("--service partners|web gives %v", lines(again))
	}
}

func TestSnapshotOfTheShop(t *testing.T) {
	db := shopTest(t)
	set, err := file.Load([]file.File{{Name: "checkout.yaml", Data: []byte(shop.SLOFiles()["checkout.yaml"])}})
	if err != nil {
		t.Fatal(err)
	}
	before := db.Stats()
	s := signals.Take(context.Background(), serve(t, db), set.Service("checkout"), live, signals.SnapshotOptions{})
	for _, one := range []ranking.Signal{s.Latency, s.Traffic, s.Errors, s.Saturation[0].Signal} {
		if !one.Now.Known || !one.Baseline.Known {
			t.Errorf("%s is unknown: %+v", one.Name, one)
		}
	}
	if r := s.Traffic.Now.Value; r < 30 || r > 120 {
		t.Errorf("traffic is %v events/s", r)
	}
	if share, ok := s.Saturation[0].Share(); !ok || share < 0.01 || share > 0.5 {
		t.Errorf("throttling is %v of its limit: %+v", share, s.Saturation[0])
	}
	if n := db.Stats().Sub(before).Requests; n > 40 {
		t.Errorf("a snapshot sent %d requests", n)
	}
}

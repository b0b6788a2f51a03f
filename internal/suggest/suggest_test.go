package suggest_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/suggest"
	"github.com/slowburn-sre/slowburn/slo/file"
)

const month = 29 * 24 * time.Hour

func TestRequestTypesAreGroupedByClass(t *testing.T) {
	db := newDB()
	counters := map[string]float64{}
	for route, fast := range map[string]float64{"/cart": 9.99, "/pay": 9.99, "/export": 0, "/search": 9.99} {
		counters[`http_requests_total{job="shop",code="200"}`] += 10
		for le, n := range map[string]float64{"0.1": fast, "1.0": max(fast, 9.5), "5.0": 9.995, "+Inf": 10} {
			counters[fmt.Sprintf(`http_request_duration_seconds_bucket{job="shop",route="%s",le="%s"}`, route, le)] = n
		}
	}
	plant(t, db, 5*time.Minute, month, counters)
	want := []string{
		`shop/availability 99.99 events: total: http_requests_total{job="shop"} bad: http_requests_total{code=~"5..",job="shop"}`,
		`shop/latency-high-fast 99.9 latency: histogram: http_request_duration_seconds{job="shop",route=~"/cart|/pay|/search"} below: 100ms`,
		`shop/latency-high-slow 99.9 latency: histogram: http_request_duration_seconds{job="shop",route="/export"} below: 5s`,
	}
	list := propose(t, db, suggest.Options{})
	if diff := cmp.Diff(want, lines(list)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if list[0].Service.Tier != "" {
		t.Errorf("a service of two classes has the tier %s", list[0].Service.Tier)
	}
}

func TestServicesOfOneNameInTwoNamespacesStayApart(t *testing.T) {
	db := newDB()
	counters := map[string]float64{}
	for _, ns := range []string{"blue", "green"} {
		counters[fmt.Sprintf(`nginx_ingress_controller_requests{namespace="%s",service="cart",status="200"}`, ns)] = 10
	}
	plant(t, db, 5*time.Minute, month, counters)
	var names []string
	for _, p := range propose(t, db, suggest.Options{}) {
		names = append(names, p.Service.Name+" "+p.Service.Signals.Match)
	}
	want := []string{`cart {namespace="blue",service="cart"}`, `green-cart {namespace="green",service="cart"}`}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneFailureIsNotProposedTwice(t *testing.T) {
	db := newDB()
	plant(t, db, 5*time.Minute, month, map[string]float64{
		`http_requests_total{job="cart",code="200"}`:                                                  10,
		`istio_requests_total{reporter="source",destination_service_name="cart",response_code="200"}`: 10,
		`grpc_server_handled_total{job="cart",grpc_code="OK"}`:                                        10,
	})
	list := propose(t, db, suggest.Options{})
	if len(list) != 1 {
		t.Fatalf("%d services", len(list))
	}
	var names []string
	for _, one := range list[0].SLOs {
		names = append(names, one.Name)
	}
	if diff := cmp.Diff([]string{"availability", "rpc-availability"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(text(list), "Istio counts requests of this service too; go-http is used") {
		t.Errorf("nothing is said about Istio:\n%s", text(list))
	}
}

// An outage often ends with a rollback, and the counters of its errors end with it.
func TestErrorsOfProcessesThatAreGoneStillCount(t *testing.T) {
	db := newDB()
	plant(t, db, time.Minute, month, map[string]float64{`http_requests_total{job="api",pod="a",code="200"}`: 10})
	dead := labelsOf(t, `http_requests_total{job="api",pod="b",code="500"}`)
	start := live.Add(-10*24*time.Hour - 50*time.Minute)
	for m := range 30 {
		if err := db.Append(dead, start.Add(time.Duration(m)*time.Minute).UnixMilli(), float64(100*(m+1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.MarkStale(dead, start.Add(30*time.Minute).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	// 3,000 errors among 6 million requests of the week: 99.95 % were good, the pod had been there
	// for half an hour.
	list := propose(t, db, suggest.Options{})
	if got := list[0].SLOs[0].Objective.Percent(); got != "99.95" {
		t.Errorf("the target is %s\n%s", got, text(list))
	}
}

func TestALittleTrafficIsRefusedWithTheReason(t *testing.T) {
	db := newDB()
	plant(t, db, 5*time.Minute, month, map[string]float64{`http_requests_total{job="rare",code="200"}`: 50.0 / (28 * 86400)})
	list := propose(t, db, suggest.Options{})
	if len(list) != 1 || !list[0].Empty() {
		t.Fatalf("\n%s", text(list))
	}
	for line := range strings.Lines(text(list)) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "  #") {
			t.Errorf("%q is no comment", line)
		}
	}
	if !strings.Contains(text(list), "too few for any objective") {
		t.Errorf("\n%s", text(list))
	}
}

func TestALowTargetHasAlertsThatCanFire(t *testing.T) {
	db := newDB()
	plant(t, db, time.Minute, month, map[string]float64{`http_requests_total{job="shaky",code="200"}`: 9.4, `http_requests_total{job="shaky",code="500"}`: 0.6})
	list := propose(t, db, suggest.Options{})
	set, err := file.Load(files(list))
	if err != nil || len(set.Warnings) > 0 {
		t.Fatalf("%v %v\n%s", err, set, text(list))
	}
	if got := set.Specs[0].Objective.Percent(); got != "90" || !strings.Contains(text(list), "page:\n        - {budget: 5%, long: 6h, short: 30m}\n") {
		t.Errorf("%s\n%s", got, text(list))
	}
}

func TestAServerThatFailsIsAnError(t *testing.T) {
	db := newDB()
	db.Faults.Fail(promfake.Status(503))
	if list, err := suggest.Propose(context.Background(), serve(t, db), suggest.Options{At: live}); err == nil {
		t.Errorf("%v without an error", list)
	}
	if _, err := suggest.Propose(context.Background(), serve(t, newDB()), suggest.Options{}); err == nil {
		t.Error("no time, no error")
	}
}

func TestOneSourceThatFailsDoesNotHideTheOthers(t *testing.T) {
	db := newDB()
	plant(t, db, 5*time.Minute, month, map[string]float64{
		`http_requests_total{job="a",code="200"}`:           10,
		`grpc_server_handled_total{job="b",grpc_code="OK"}`: 10,
	})
	db.Faults.Add(promfake.Fault{When: promfake.OnQuery("grpc_server_handled_total"), Do: promfake.ErrorBody("execution", "query processing would load too many samples")})
	list, err := suggest.Propose(context.Background(), serve(t, db), suggest.Options{At: live})
	if len(list) != 1 || list[0].Service.Name != "a" || err == nil || !strings.Contains(err.Error(), "grpc: ") {
		t.Errorf("%v, %v", lines(list), err)
	}
}

func TestADatabaseThatIsDownPages(t *testing.T) {
	db := newDB()
	plant(t, db, 5*time.Minute, month, map[string]float64{`pg_stat_database_xact_commit{job="pg"}`: 99, `pg_stat_database_xact_rollback{job="pg"}`: 1})
	stand(t, db, 5*time.Minute, month, map[string]float64{`pg_up{job="pg"}`: 1})
	for _, one := range propose(t, db, suggest.Options{})[0].SLOs {
		if quiet := len(one.Alerts.Page) == 0; quiet != (one.Name == "errors") {
			t.Errorf("%s: %v", one.Name, one.Alerts)
		}
		if one.Name == "uptime" && !strings.Contains(one.Why[0].Text, "minutes in 28 d allow only") {
			t.Errorf("%v", one.Why)
		}
	}
}

func TestServicesBehindACollectorAreToldApart(t *testing.T) {
	db := newDB()
	plant(t, db, 5*time.Minute, month, map[string]float64{
		`http_server_request_duration_seconds_count{job="collector",exported_job="cart",http_response_status_code="200"}`: 10,
		`http_server_request_duration_seconds_count{job="collector",exported_job="pay",http_response_status_code="200"}`:  10,
	})
	want := []string{"cart", "pay"}
	for i, p := range propose(t, db, suggest.Options{Service: regexp.MustCompile("ca|cart|pay|p")}) {
		if p.Service.Name != want[i] || p.Service.Signals.Match != fmt.Sprintf(`{exported_job="%s"}`, want[i]) {
			t.Errorf("%s %s", p.Service.Name, p.Service.Signals.Match)
		}
	}
}

// Counters that come back into sight after a hole in the data are not new.
func TestAHoleInTheDataIsNoBirth(t *testing.T) {
	db := newDB()
	start := live.Add(-30 * 24 * time.Hour)
	holeFrom := live.Add(-3*24*time.Hour - 8*time.Minute) // across a whole hour
	for _, code := range []string{"200", "500"} {
		s := db.Series(labelsOf(t, fmt.Sprintf(`http_requests_total{job="api",code="%s"}`, code)))
		value := 0.0
		for at := start; !at.After(live); at = at.Add(time.Minute) {
			switch {
			case code == "200":
				value += 600
			case at.Before(start.Add(24 * time.Hour)): // an outage long before the history that counts
				value += 600
			}
			if at.After(holeFrom) && at.Before(holeFrom.Add(15*time.Minute)) {
				continue
			}
			if err := s.Append(at.UnixMilli(), value); err != nil {
				t.Fatal(err)
			}
		}
	}
	list := propose(t, db, suggest.Options{})
	if got := list[0].SLOs[0].Objective.Percent(); got != "99.99" {
		t.Errorf("the target is %s, as if the old outage had happened again\n%s", got, text(list))
	}
}

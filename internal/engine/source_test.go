package engine_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

// troubles are ways in which a Prometheus does not answer.
func troubles(t *testing.T) map[string]promfake.Failure {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host was asked, with authorization %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	return map[string]promfake.Failure{
		"resets every connection":         promfake.Reset(),
		"answers 500":                     promfake.Status(500),
		"answers 503":                     promfake.Status(503),
		"answers 422":                     promfake.Status(422),
		"answers 401":                     promfake.Status(401),
		"answers with a login page":       promfake.HTML(200),
		"answers half of the JSON":        promfake.Truncated(),
		"breaks off":                      promfake.Cut(),
		"answers NaN everywhere":          promfake.Values("NaN"),
		"answers +Inf everywhere":         promfake.Values("+Inf"),
		"answers a number beyond floats":  promfake.Values("1e309"),
		"redirects to another host":       promfake.Redirect(http.StatusTemporaryRedirect, elsewhere.URL),
		"answers in part, with a warning": promfake.Partial(1, "a store did not answer"),
		"says error with status 200":      promfake.ErrorBody("execution", "no"),
	}
}

// TestPrometheusOutWhileHealthy (faults 5, 10, 11, 12): half an hour without an answer, and nobody
// hears of the service. One notice after five minutes, one when it is over, and a ledger that is
// exact.
func TestPrometheusOutWhileHealthy(t *testing.T) {
	n := 0
	for name, fault := range troubles(t) {
		if n++; sampled(n, 8) {
			continue
		}
		t.Run("Prometheus "+name, func(t *testing.T) {
			t.Parallel()
			w := oneService(t, steady(50))
			w.steps(15)
			w.db.Faults.Fail(fault)
			for n := range 30 {
				if sum := w.step(); sum.Good() {
					t.Fatal("nothing was wrong with the tick")
				}
				if got := len(w.rootsWith("cannot be reached")); (got == 1) != (n >= 5) {
					t.Fatalf("%d notices after %d minutes", got, n)
				}
			}
			w.db.Faults.Clear()
			w.steps(15)
			if roots := w.roots(); len(roots) != 1 || !strings.Contains(roots[0], "is back") {
				t.Errorf("the channel reads %q", roots)
			}
			if is := w.incidents(); len(is) != 0 {
				t.Errorf("incidents: %+v", is)
			}
			w.checkBudgets()
			w.checkOncePerKey()
		})
	}
}

// TestPrometheusOutDuringIncident (fault 6): the incident began before and ends after. It stays
// open, it is one.
func TestPrometheusOutDuringIncident(t *testing.T) {
	n := 0
	for name, fault := range troubles(t) {
		if n++; sampled(n, 8) {
			continue
		}
		t.Run("Prometheus "+name, func(t *testing.T) {
			t.Parallel()
			w := oneService(t, outage(50, [2]int{20, 60}))
			w.steps(26)
			w.db.Faults.Fail(fault)
			for range 20 {
				w.step()
				if open := w.engine.Snapshot().Open.All(); len(open) != 1 {
					t.Fatalf("%d incidents are open", len(open))
				}
			}
			w.db.Faults.Clear()
			w.steps(40)
			is := w.incidents()
			if len(is) != 1 || is[0].Open || !is[0].Ended.Equal(t0.Add(time.Hour)) {
				t.Fatalf("incidents: %+v", is)
			}
			if roots := w.rootsWith("Resolved: requests on shop"); len(roots) != 1 || len(w.rootsWith("on shop")) != 1 {
				t.Errorf("the channel reads %q", w.roots())
			}
			w.checkBudgets()
			w.checkOncePerKey()
		})
	}
}

// TestPrometheusOutAcrossTheEnd: the service recovers while nobody can see it. The resolve comes
// with the data.
func TestPrometheusOutAcrossTheEnd(t *testing.T) {
	w := oneService(t, outage(50, [2]int{20, 30}))
	w.steps(26)
	w.db.Faults.Fail(promfake.Status(503))
	w.steps(30)
	if w.engine.Snapshot().Open.Len() != 1 {
		t.Fatal("it was resolved without data")
	}
	w.db.Faults.Clear()
	w.step()
	if is := w.incidents(); len(is) != 1 || is[0].Open {
		t.Errorf("incidents: %+v", is)
	}
	w.checkBudgets()
}

// TestIncidentInsideGap (fault 7): it began and ended while Prometheus could not be reached. It is
// told once, calmly.
func TestIncidentInsideGap(t *testing.T) {
	w := oneService(t, outage(50, [2]int{25, 35}))
	w.steps(20)
	w.db.Faults.Fail(promfake.Reset())
	w.steps(50)
	w.db.Faults.Clear()
	w.steps(10)
	is := w.incidents()
	if len(is) != 1 || is[0].Open || is[0].Severity != alerting.Page {
		t.Fatalf("incidents: %+v", is)
	}
	if missed := w.rootsWith("Missed live", "shop/availability"); len(missed) != 1 || len(w.rootsWith("shop")) != 1 {
		t.Errorf("the channel reads %q", w.roots())
	}
	w.checkBudgets()
	w.checkOncePerKey()
}

// TestEscalationInsideGap: a ticket was open, became a page and ended while nobody could see it.
// Nobody is woken for it.
func TestEscalationInsideGap(t *testing.T) {
	spec := promise("shop")
	spec.Alerts.Ticket = []slo.Pair{{Budget: 20, Long: 30 * time.Minute, Short: 5 * time.Minute}}
	w := newWorld(t, specsOf(spec), &service{name: "shop", load: func(m budget.Minute) (int, int) {
		switch at := int(m - budget.MinuteOf(t0)); {
		case at >= 20 && at < 60:
			return 44, 6
		case at >= 60 && at < 70:
			return 0, 50
		}
		return 50, 0
	}})
	w.steps(55)
	if open := w.engine.Snapshot().Open.All(); len(open) != 1 || open[0].Severity != alerting.Ticket {
		t.Fatalf("open: %+v", open)
	}
	w.db.Faults.Fail(promfake.Reset())
	w.steps(80)
	w.db.Faults.Clear()
	w.steps(5)
	for _, i := range w.incidents() {
		if i.Escalated.IsZero() || i.Open {
			t.Errorf("the incident is %+v", i)
		}
	}
	roots := w.rootsWith("requests on shop")
	if len(roots) != 1 {
		t.Fatalf("the channel reads %q", w.roots())
	}
	for _, reply := range w.slack.Thread(channel, roots[0].TS) {
		if strings.Contains(reply.Text, "Now a page") {
			t.Errorf("somebody was woken: %q", reply.Text)
		}
	}
}

// TestNobodyScrapes: Prometheus answers and has no data for a while. The SLO goes silent, says so,
// and the difference of the counters tells afterwards what happened meanwhile.
func TestNobodyScrapes(t *testing.T) {
	from, to := budget.MinuteOf(t0)+20, budget.MinuteOf(t0)+50
	for name, during := range map[string][][2]int{
		"the service is healthy":                      nil,
		"an incident is open before and after":        {{15, 60}},
		"an incident begins and ends inside the hole": {{30, 40}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, specsOf(promise("shop")), &service{
				name: "shop", load: outage(50, during...), down: func(m budget.Minute) bool { return m >= from && m < to },
			})
			w.steps(45)
			for _, i := range w.burns() {
				if !i.Open {
					t.Error("it was resolved without data")
				}
			}
			if len(w.rootsWith("No data")) != 1 {
				t.Errorf("the channel reads %q", w.roots())
			}
			w.steps(40)
			want := 0
			if len(during) > 0 && during[0][0] == 15 {
				want = 1
			}
			if got := len(w.burns()); got != want {
				t.Errorf("%d incidents, want %d: %q", got, want, w.roots())
			}
			w.checkBudgets()
			w.checkOncePerKey()
		})
	}
}

// TestOneSLOCannotBeRead: one of two bundles is refused. The other goes on, at its own pace.
func TestOneSLOCannotBeRead(t *testing.T) {
	sick := promise("sick")
	sick.SLI.Total, sick.SLI.Bad = query(`other_total{job="sick"}`), query(`other_total{job="sick",code="500"}`)
	w := newWorld(t, specsOf(promise("shop"), sick), &service{name: "shop", load: outage(50, [2]int{20, 26})})
	w.db.Faults.Add(promfake.Fault{When: promfake.OnQuery("other_total"), Do: promfake.Status(422)})
	w.steps(40)
	if is := w.burns(); len(is) != 1 || is[0].Open {
		t.Errorf("incidents: %+v", is)
	}
	if len(w.rootsWith("Resolved", "on shop")) != 1 || len(w.rootsWith("cannot be reached")) != 1 {
		t.Errorf("the channel reads %q", w.roots())
	}
	w.checkBudgets()
}

// TestSourceNoticeOverRestarts: the notice is one, and its end is told, also when the daemon
// restarts in between.
func TestSourceNoticeOverRestarts(t *testing.T) {
	w := oneService(t, steady(50))
	w.steps(5)
	w.db.Faults.Fail(promfake.HTML(502))
	for range 20 {
		w.step()
		w.restart()
	}
	w.db.Faults.Clear()
	w.restart()
	w.steps(3)
	if roots := w.roots(); len(roots) != 1 || !strings.Contains(roots[0], "is back after 20 min") {
		t.Errorf("the channel reads %q", roots)
	}
	w.checkOncePerKey()
	w.checkBudgets()
}

// capped is a source that says, as often as it begins anew, that an SLO has too many label values.
type capped struct {
	engine.Source
	said bool
}

func (c *capped) Read(ctx context.Context, specs []*slo.Spec, now time.Time) *prom.Batch {
	b := c.Source.Read(ctx, specs, now)
	if !c.said {
		b.Capped = map[slo.ID]string{specs[0].ID(): "more than 1000 combinations of route; the rest is not followed"}
	}
	c.said = true
	return b
}

// TestTooManyCombinationsAreToldOnce: a notice of its own, which opens nothing, and no second one
// after restarts.
func TestTooManyCombinationsAreToldOnce(t *testing.T) {
	w := oneService(t, steady(50))
	for range 4 {
		w.engine.Source = &capped{Source: w.engine.Source}
		w.steps(2)
		w.restart()
	}
	if roots := w.rootsWith("shop/availability has more than 1000 combinations of route"); len(roots) != 1 || len(w.incidents()) != 0 {
		t.Errorf("the channel reads %q, with %d incidents", w.roots(), len(w.incidents()))
	}
	w.checkOncePerKey()
}

// TestPrometheusSlow (fault 9): answers that never come or drip are as good as none.
func TestPrometheusSlow(t *testing.T) {
	for name, fault := range map[string]promfake.Failure{
		"hangs": promfake.Hang(), "drips": promfake.SlowBody(20, 100*time.Millisecond),
	} {
		t.Run("Prometheus "+name, func(t *testing.T) {
			t.Parallel()
			w := oneService(t, outage(50, [2]int{10, 14}))
			w.hangs(true)
			w.steps(5)
			w.db.Faults.Fail(fault)
			w.steps(7)
			w.db.Faults.Clear()
			w.steps(12)
			if is := w.incidents(); len(is) != 1 || is[0].Open {
				t.Errorf("incidents: %+v", is)
			}
			w.checkBudgets()
		})
	}
}

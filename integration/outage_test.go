package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/integration/servers"
)

// The story: a service fails for 25 minutes, and in the middle of it Prometheus dies for eight. The
// server has all samples beforehand; the daemon's clock walks over them.
const (
	failsFor    = 25 * time.Minute
	goneAfter   = 12 * time.Minute
	goneFor     = 8 * time.Minute
	failRatio   = 0.2
	perSecond   = 40 // requests, over all pods
	scrapeEvery = 15 * time.Second
)

const outageSLOs = `
version: slowburn/v1
service: checkout
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        total: 'http_requests_total{job="checkout"}'
        bad: 'http_requests_total{job="checkout",code=~"5.."}'
    alerts: {spent: off} # a service that is hours old has spent all of its budget
`

// outage is the story's place in time.
type outage struct{ start time.Time }

func (o outage) gone(at time.Time) bool {
	return at.After(o.start.Add(goneAfter)) && at.Before(o.start.Add(goneAfter+goneFor))
}

// counters are the requests and the failures of a pod since the beginning, two hours before the
// outage.
func (o outage) counters(at time.Time) (total, bad int64) {
	total = int64(at.Sub(o.begin()).Seconds() * perSecond / 2)
	failing := min(max(at.Sub(o.start), 0), failsFor)
	return total, int64(failing.Seconds() * perSecond / 2 * failRatio)
}

func (o outage) begin() time.Time { return o.start.Add(-2 * time.Hour) }
func (o outage) end() time.Time   { return o.start.Add(2 * time.Hour) }

// scraped is what Prometheus scraped, with timestamps in the given unit: nothing while it was gone.
func (o outage) scraped(unit time.Duration) string {
	var b strings.Builder
	for pod, offset := range []time.Duration{3 * time.Second, 11 * time.Second} {
		for _, code := range []string{"200", "500"} {
			for at := o.begin().Add(offset); at.Before(o.end()); at = at.Add(scrapeEvery) {
				if o.gone(at) {
					continue
				}
				total, bad := o.counters(at)
				value := bad
				if code == "200" {
					value = total - bad
				}
				fmt.Fprintf(&b, "http_requests_total{job=\"checkout\",instance=\"pod-%d\",code=%q} %d %d\n", pod, code, value, at.UnixNano()/int64(unit))
			}
		}
	}
	return b.String()
}

func TestAnOutageIsPagedAndResolvedAlthoughPrometheusDiesInTheMiddle(t *testing.T) {
	o := outage{time.Now().Add(-48 * time.Hour).Truncate(time.Hour)}
	t.Run("Prometheus", func(t *testing.T) {
		t.Parallel()
		o.play(t, servers.Prometheus(t, servers.PrometheusOptions{
			OpenMetrics: "# TYPE http_requests counter\n" + o.scraped(time.Second) + "# EOF\n",
		}))
	})
	t.Run("VictoriaMetrics", func(t *testing.T) {
		t.Parallel()
		server := servers.VictoriaMetrics(t)
		server.Import(t, o.scraped(time.Millisecond))
		o.play(t, server)
	})
}

// play is the story.
func (o outage) play(t *testing.T, server *servers.Server) {
	first := o.start.Add(-time.Hour)
	d := newDaemon(t, server.URL, first, outageSLOs)

	d.run(first.Add(3 * time.Minute))
	if err := d.FillAll(t.Context(), d.now); err != nil {
		t.Fatal(err)
	}
	if history := d.sum("checkout/availability", o.begin(), first); history.Known < 55 {
		t.Errorf("%d minutes of history were read, want nearly the hour that there is", history.Known)
	}

	d.run(o.start.Add(goneAfter))
	pages := d.incidents(alerting.RulePage)
	if len(pages) != 1 || !pages[0].Open {
		t.Fatalf("%d minutes into the outage: want one open page, got %+v", int(goneAfter.Minutes()), pages)
	}
	// Exactly, an error ratio of 20 % burns 2 % of 28 days in one hour after 4.03 minutes; it is
	// seen at the slot's end.
	if after := pages[0].Detected.Sub(o.start); after < 4*time.Minute || after > 6*time.Minute {
		t.Errorf("paged after %s, want 4 to 6 minutes", after)
	}

	server.Stop(t)
	if failed := d.run(o.start.Add(goneAfter + 3*time.Minute)); failed != 3 {
		t.Errorf("%d turns failed while Prometheus was gone, want all 3", failed)
	}
	d.restart() // and the daemon dies, too
	if failed := d.run(o.start.Add(goneAfter + goneFor)); failed != 5 {
		t.Errorf("%d turns failed after the restart, want all 5", failed)
	}
	if pages := d.incidents(alerting.RulePage); len(pages) != 1 || !pages[0].Open {
		t.Errorf("while Prometheus was gone the page was resolved or repeated: %+v", pages)
	}

	server.Start(t)
	if failed := d.run(o.start.Add(80 * time.Minute)); failed != 0 {
		t.Errorf("%d turns failed although Prometheus is back", failed)
	}
	o.checkStory(t, d)
	o.checkLedger(t, d, first)
	o.checkBacktest(t, d, first)
}

// replayed is an incident as `slowburn backtest` prints it.
type replayed struct {
	ID                        string
	Rule                      string
	Onset, Detected, Resolved time.Time
	Bad                       float64
}

// checkBacktest lets the program say afterwards, from the same Prometheus, what it would have done.
// It is what the daemon did.
func (o outage) checkBacktest(t *testing.T, d *daemon, first time.Time) {
	file := filepath.Join(t.TempDir(), "checkout.yaml")
	if err := os.WriteFile(file, []byte(outageSLOs), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program(t), "backtest", "--prometheus.url="+d.url, "-o", "json",
		"--from="+first.Format(time.RFC3339), "--to="+d.now.Format(time.RFC3339), file).Output()
	if err != nil {
		t.Fatalf("backtest: %v", err)
	}
	var answer struct {
		SLOs []struct{ Incidents []replayed }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	var live []replayed
	for _, i := range d.incidents("") {
		live = append(live, replayed{i.ID, string(i.Rule), i.Onset, i.Detected, i.Resolved, float64(i.Bad()) / budget.Unit})
	}
	slices.Reverse(live) // the oldest first, as in a backtest
	if len(answer.SLOs) != 1 {
		t.Fatalf("backtest: %s", out)
	}
	if diff := cmp.Diff(live, answer.SLOs[0].Incidents); diff != "" {
		t.Errorf("the backtest differs from what happened live (-live +backtest):\n%s", diff)
	}
}

// checkStory looks at what people have seen.
func (o outage) checkStory(t *testing.T, d *daemon) {
	pages := d.incidents(alerting.RulePage)
	if len(pages) != 1 || pages[0].Open {
		t.Fatalf("after the outage: want one page, resolved, got %+v", pages)
	}
	// The 30-minute window must fall below 5.6 times the budget: 29.2 minutes after the end, and
	// the slots.
	if after := pages[0].Resolved.Sub(o.start.Add(failsFor)); after < 29*time.Minute || after > 32*time.Minute {
		t.Errorf("resolved %s after the end, want 29 to 32 minutes", after)
	}
	if tickets := d.incidents(alerting.RuleTicket); len(tickets) != 0 {
		t.Errorf("the outage was told twice, as a page and as a ticket: %+v", tickets)
	}
	state := d.slack.State()
	roots := map[string]int{}
	for _, m := range state.Roots(channel) {
		switch {
		case strings.Contains(m.Text, "requests on checkout"):
			roots["page"]++
		case strings.Contains(m.Text, "Prometheus"):
			roots["source"]++
		default:
			t.Errorf("an unexpected message: %s", m.Text)
		}
	}
	if roots["page"] != 1 || roots["source"] != 1 {
		t.Errorf("messages: %v, want one about the page and one about Prometheus\n%s", roots, state)
	}
	if v := state.Violations(); len(v) > 0 {
		t.Errorf("Slack would have refused: %v", v)
	}
}

// checkLedger compares the ledger with the counters: nothing is lost over the hole, and it is known
// to be one.
func (o outage) checkLedger(t *testing.T, d *daemon, first time.Time) {
	// Both pods are scraped at other seconds than the minute's end, so the sum of slots is that of
	// the last samples in it.
	last := func(end time.Time) (total, bad int64) {
		for _, offset := range []time.Duration{3 * time.Second, 11 * time.Second} {
			n := end.Add(offset - scrapeEvery)
			a, b := o.counters(n)
			total, bad = total+a, bad+b
		}
		return total, bad
	}
	from, to := first.Add(5*time.Minute), o.start.Add(75*time.Minute)
	total0, bad0 := last(from)
	total1, bad1 := last(to)
	sum := d.sum("checkout/availability", from, to)
	if sum.Total != (total1-total0)*budget.Unit || sum.Bad != (bad1-bad0)*budget.Unit {
		t.Errorf("the ledger has %d of %d thousandths bad, the counters %d of %d events", sum.Bad, sum.Total, bad1-bad0, total1-total0)
	}
	hole := d.sum("checkout/availability", o.start.Add(goneAfter+time.Minute), o.start.Add(goneAfter+goneFor-time.Minute))
	if hole.Known > 0 {
		t.Errorf("%d minutes of the hole count as known", hole.Known)
	}
}

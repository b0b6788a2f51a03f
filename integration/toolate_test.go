package integration_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestSourcesThatAreTooLate: the samples of a service, of one of its two targets, or those of a few
// minutes of one, come later than anything is waited for. Nobody is paged for it, every event is
// counted in the end, by counters and by expressions, and the SLO says what is wrong. An outage
// among what is late is found, once.
func TestSourcesThatAreTooLate(t *testing.T) {
	t.Run("Prometheus", func(t *testing.T) {
		server := servers.Prometheus(t, servers.PrometheusOptions{Flags: []string{"--web.enable-remote-write-receiver"}, OutOfOrder: 2 * time.Hour})
		testTooLate(t, &remoteWrite{t: t, url: server.URL})
	})
	t.Run("VictoriaMetrics", func(t *testing.T) {
		server := servers.VictoriaMetrics(t)
		testTooLate(t, &remoteWrite{t: t, url: server.URL, shown: func() { server.Import(t, "") }})
	})
}

// tooLate says, of each job, how late a sample is that was taken so long after the start.
var tooLate = map[string]func(pod int, since time.Duration) time.Duration{
	"in-time":  func(int, time.Duration) time.Duration { return 0 },
	"all-late": func(int, time.Duration) time.Duration { return 20 * time.Minute },
	"one-late": func(pod int, _ time.Duration) time.Duration { return time.Duration(pod) * 20 * time.Minute },
	"an-hour":  func(pod int, _ time.Duration) time.Duration { return time.Duration(pod) * 50 * time.Minute },
	"outage":   func(pod int, _ time.Duration) time.Duration { return time.Duration(pod) * 20 * time.Minute },
	// What was written meanwhile is newer: it comes out of order.
	"disordered": func(pod int, since time.Duration) time.Duration {
		if pod == 1 && since >= 60*time.Minute && since < 66*time.Minute {
			return 86*time.Minute - since
		}
		return 0
	},
}

const (
	tooLateFor    = 4 * time.Hour
	failsFrom     = 90 * time.Minute
	failsTo       = 100 * time.Minute
	firstCounted  = 24 * time.Minute
	lastCounted   = 2*time.Hour + 40*time.Minute
	tooLateScrape = 30 * time.Second
)

// tooLateSamples are the samples of all jobs in the order in which they are written.
func tooLateSamples(start time.Time) (out []written) {
	for job, late := range tooLate {
		for pod := range podsOfJob {
			failed := 0.0
			for n := range int(tooLateFor / tooLateScrape) {
				since := time.Duration(n) * tooLateScrape
				at := start.Add(since + time.Duration(3+8*pod)*time.Second)
				if job == "outage" && pod == 1 && since >= failsFrom && since < failsTo {
					failed += perScrape
				}
				for code, v := range map[string]float64{"200": oldCounter + float64(perScrape*n) - failed, "500": 1000 + failed} {
					labels := []string{"__name__", "requests_total", "code", code, "instance", fmt.Sprint("pod-", pod), "job", job}
					out = append(out, written{labels, at, v, at.Add(late(pod, since))})
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b written) int { return cmp.Or(a.due.Compare(b.due), a.at.Compare(b.at)) })
	return out
}

// tooLateSLOs has an SLO of counters and one of expressions for each job.
func tooLateSLOs() (files []string) {
	for job := range tooLate {
		files = append(files, fmt.Sprintf(`version: slowburn/v1
service: %[1]s
slos:
  - name: counters
    objective: 99.9
    alerts: {spent: off}
    sli: {events: {total: 'requests_total{job="%[1]s"}', bad: 'requests_total{job="%[1]s",code=~"5.."}'}}
  - name: rates
    objective: 99.9
    alerts: {spent: off}
    sli: {events: {total: 'sum(rate(requests_total{job="%[1]s"}[$window]))', bad: 'sum(rate(requests_total{job="%[1]s",code=~"5.."}[$window]))'}}
`, job))
	}
	return files
}

func testTooLate(t *testing.T, w *remoteWrite) {
	t.Helper()
	start := time.Now().UTC().Add(-6 * time.Hour).Truncate(time.Hour)
	samples := tooLateSamples(start)
	d := newDaemon(t, w.url, start.Add(20*time.Minute), tooLateSLOs()...)
	for d.now.Before(start.Add(tooLateFor)) {
		for len(samples) > 0 && samples[0].due.Before(d.now) {
			w.add(samples[0].labels, samples[0].at, samples[0].value)
			samples = samples[1:]
		}
		w.send()
		d.run(d.now)
	}
	for _, i := range d.incidents("") {
		switch {
		case i.SLO.Service() == "outage" && i.Rule == alerting.RulePage:
			if off := i.Onset.Sub(start.Add(failsFrom)).Abs(); off > time.Minute || !i.Late || i.Open {
				t.Errorf("the outage of %s began at %s, late %v, open %v", i.SLO, i.Onset, i.Late, i.Open)
			}
		case i.SLO.Service() == "all-late" && i.Rule == alerting.RuleNoData && i.Severity == alerting.Ticket: // there are none when they are due
		default:
			t.Errorf("an incident that is none: %+v", i)
		}
	}
	if n := len(d.incidents(alerting.RulePage)); n != 2 {
		t.Errorf("%d incidents, want the outage's, of counters and of rates", n)
	}
	d.checkTooLate(start)
}

// checkTooLate compares the ledgers with what was written, and looks at what is said.
func (d *daemon) checkTooLate(start time.Time) {
	d.t.Helper()
	for job := range tooLate {
		total := int64((lastCounted-firstCounted)/tooLateScrape) * perScrape * podsOfJob * budget.Unit
		bad := int64(0)
		if job == "outage" {
			bad = int64((failsTo-failsFrom)/tooLateScrape) * perScrape * budget.Unit
		}
		for name, off := range map[string]int64{"counters": 0, "rates": 1000} {
			id := slo.ID(job + "/" + name)
			s := d.sum(id, start.Add(firstCounted), start.Add(lastCounted))
			if off > 0 {
				off = total / off
			}
			if max(s.Total-total, total-s.Total, s.Bad-bad, bad-s.Bad) > off {
				d.t.Errorf("%s: %d of %d thousandths, want %d of %d", id, s.Bad, s.Total, bad, total)
			}
			b, _ := d.Snapshot().Budget(id)
			said := slices.ContainsFunc(b.Problems, func(p string) bool { return strings.Contains(p, "later than max_lateness") })
			if late := job != "in-time" && job != "disordered"; said != late {
				d.t.Errorf("%s has the problems %q", id, b.Problems)
			}
		}
	}
}

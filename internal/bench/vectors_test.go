package bench

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// The vectors of the Site Reliability Workbook's chapter 5 once more, this time from the other end:
// counters are scraped, an embedded Prometheus serves them over HTTP, and SLO files, reader,
// ledger, engine and store do what they do live.
//
// The exact times are of continuous time. A slot is a minute, so a crossing inside a minute is seen
// at its end. The end of a crossing's minute is one more if the exact time is a whole minute, for
// the comparison is strict. Scrapes that do not fall on the minute's end put some events into the
// next slot: at most one minute more.

const (
	never   = -1
	perMin  = 1_000_000      // events a minute: no low-traffic effects
	clean   = 73 * time.Hour // without an error, before: more than the longest alert window
	aligned = 0
)

// vector is an incident and what must come of it.
type vector struct {
	ratio, length float64 // share of failures, and minutes
	alerts        string  // of the SLO file
	fires         float64 // minutes after the start, exact; or never
	resets        float64 // minutes after the end, exact; 0 is not looked at
}

const (
	fast   = "page: [{budget: 2%, long: 1h, short: 5m}], ticket: off"
	slow   = "page: [{budget: 5%, long: 6h, short: 30m}], ticket: off"
	day    = "page: off, ticket: [{budget: 10%, long: 24h, short: 2h}]"
	threeD = "page: off, ticket: [{budget: 10%, long: 3d, short: 6h}]"
	pages  = "page: [{budget: 2%, long: 1h, short: 5m}, {budget: 5%, long: 6h, short: 30m}], ticket: off"
	long   = 900 // minutes: the incident outlasts every detection below
)

var vectors = []vector{
	{0.001, long, threeD, never, 0},
	{0.005, long, day, 864, 0},
	{0.0061, long, slow, 21.6 / 0.061, 0},
	{0.01, long, slow, 216, 0},
	{0.01, long, fast, never, 0},
	{0.0144, long, fast, never, 0},
	{0.0144, long, threeD, 300, 0},
	{0.02, long, fast, 43.2, 0},
	{0.05, long, fast, 17.28, 0},
	{0.1, long, fast, 8.64, 0},
	{0.5, long, slow, 4.32, 0},
	{1, long, fast, 0.864, 0},
	{1, long, threeD, 4.32, 0},

	{0.15, 10, pages, 5.76, 4.53},
	{1, 0.8, pages, never, 0},
	{1, 0.9, pages, 0.864, 4.93},
	{1, 2.2, pages, 0.864, 29.8},
	{1, 60, pages, 0.864, 29.8},
	{0.05, 60, pages, 17.28, 26.4},
	{0.02, 120, pages, 43.2, 21.0},
	{0.01, 300, pages, 216, 12.0},
	{0.007, 720, pages, 308.6, 4.3},
}

// sloFile is the SLO file of all vectors, each a service of its own.
func sloFile(vectors []vector) string {
	var b strings.Builder
	for i, v := range vectors {
		fmt.Fprintf(&b, `---
version: slowburn/v1
service: v%02d
slos:
  - name: availability
    objective: 99.9
    window: 30d
    sli: {events: {total: 'http_requests_total{job="v%02d"}', bad: 'http_requests_total{job="v%02d",code="500"}'}}
    alerts: {%s, spent: off, no_data: off}
`, i, i, i, v.alerts)
	}
	return b.String()
}

// scrape writes what Prometheus sees of a vector: at every multiple of every, plus offset.
func (v vector) scrape(t testing.TB, db *promfake.DB, job string, from, start, to time.Time, every, offset time.Duration) {
	t.Helper()
	series := func(code string) *promfake.Series {
		return db.Series(labels.FromStrings("__name__", "http_requests_total", "job", job, "instance", "a:80", "code", code))
	}
	good, failed := series("200"), series("500")
	for at := from.Add(offset); !at.After(to); at = at.Add(every) {
		total := math.Round(at.Sub(from).Minutes() * perMin)
		bad := math.Round(v.ratio * perMin * math.Min(math.Max(at.Sub(start).Minutes(), 0), v.length))
		if good.Append(at.UnixMilli(), total-bad) != nil || failed.Append(at.UnixMilli(), bad) != nil {
			t.Fatal("the samples of a vector are out of order")
		}
	}
}

// rounded is the end of the slot in which an exact time is seen.
func rounded(minutes float64) float64 {
	if math.Abs(minutes-math.Round(minutes)) < 1e-9 {
		return math.Round(minutes) + 1
	}
	return math.Ceil(minutes)
}

// play reads all vectors: the clean days by the hour, the first hour of the incidents minute by
// minute, the rest in pieces. By the law of causality the size of the steps makes no difference.
func play(t *testing.T, every, offset time.Duration) map[slo.ID]alerting.Incident {
	start := t0.Add(clean)
	end := start.Add(15 * time.Hour)
	db := promfake.New(promfake.Options{})
	for i, v := range vectors {
		v.scrape(t, db, fmt.Sprintf("v%02d", i), t0, start, end, every, offset)
	}
	c := newChain(t, serve(t, db), enginetest.Load(t, sloFile(vectors)), noHistory)
	for now := t0.Add(10 * time.Minute); now.Before(start); now = now.Add(time.Hour) {
		c.tick(t, now)
	}
	for now := start; now.Before(end); {
		c.tick(t, now)
		step := time.Minute
		if now.Sub(start) > time.Hour {
			step = 37 * time.Minute
		}
		now = now.Add(step)
	}
	c.tick(t, end)
	incidents, err := c.store.Incidents(background, store.IncidentFilter{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[slo.ID]alerting.Incident{}
	for _, i := range incidents {
		if prior, twice := found[i.SLO]; twice {
			t.Errorf("%s has two incidents: %s and %s", i.SLO, prior.ID, i.ID)
		}
		found[i.SLO] = i
	}
	return found
}

// TestTheWorkbookThroughPrometheus: what the book says comes out of the far end of the whole chain.
func TestTheWorkbookThroughPrometheus(t *testing.T) {
	for _, s := range []struct {
		name          string
		every, offset time.Duration
		late          float64 // minutes that the scrapes may add
	}{
		{"scraped every minute, on the minute", time.Minute, aligned, 0},
		{"scraped every 30 seconds, 7 seconds late", 30 * time.Second, 7 * time.Second, 1},
	} {
		t.Run(s.name, func(t *testing.T) {
			found := play(t, s.every, s.offset)
			for i, v := range vectors {
				id := slo.ID(fmt.Sprintf("v%02d/availability", i))
				if err := v.check(found[id], t0.Add(clean), s.late); err != nil {
					t.Errorf("%v %% for %v minutes, %s: %v", v.ratio*100, v.length, v.alerts, err)
				}
			}
		})
	}
}

// check compares an incident, which is the zero one if there was none, with what the book says.
func (v vector) check(i alerting.Incident, start time.Time, late float64) error {
	if (v.fires == never) != (i.ID == "") {
		return fmt.Errorf("incident %q, want one %v minutes after the start", i.ID, v.fires)
	}
	if v.fires == never {
		return nil
	}
	if fired := i.Detected.Sub(start).Minutes(); fired < rounded(v.fires) || fired > rounded(v.fires)+late {
		return fmt.Errorf("fired after %v minutes, want %v and at most %v more", fired, rounded(v.fires), late)
	}
	// The short window ends on a slot's end, and it is looked at on the next one.
	if after := i.Resolved.Sub(start).Minutes() - v.length; v.resets != 0 && (after < v.resets-0.05 || after > v.resets+2+late) {
		return fmt.Errorf("resolved %.1f minutes after the end, want %v and at most %v more", after, v.resets, 2+late)
	}
	return nil
}

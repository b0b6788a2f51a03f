package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/slo"
)

// nobody is an address at which no Prometheus answers.
const nobody = "http://127.0.0.1:1"

// BenchmarkAsk asks a daemon that holds a month of so many SLOs, while Prometheus is down, and lets
// it evaluate meanwhile. Each time the handler is a new one, so that no page is remembered.
func BenchmarkAsk(b *testing.B) {
	for _, size := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("SLOs=%d", size), func(b *testing.B) { benchmarkAsk(b, size) })
	}
}

// asked is every page, and what else is asked for often, of a fleet of so many SLOs.
func asked(size int) []struct{ name, path, want string } {
	return []struct{ name, path, want string }{
		{"page", "/", "Show all " + figures.Count(size)},
		{"all", "/?all=1", "service-0029/availability"},
		{"service", "/services/service-0000", "service-0000"},
		{"budget", "/slo/service-0025/availability", "service-0025"},
		{"month", "/slo/service-0025/availability?range=28d", "service-0025"},
		{"incidents", "/incidents", "service-0000"},
		{"changes", "/changes", "Changes"},
		{"reports", "/reports", "Reports"},
		{"actions", "/actions", "Action items"},
		{"status", "/status", "Status"},
		{"audit", "/audit", "Audit"},
		{"approvals", "/approvals", "Approvals"},
		{"gate", "/api/v1/gate/service-0025", `"go":true`},
		{"list", "/api/v1/slos", "service-0029/availability"},
		{"metrics", "/metrics", `service="service-0029"`},
	}
}

// monthOldChain is a chain of so many SLOs with a month behind them, and an outage of a few; end is
// when that is over.
func monthOldChain(b testing.TB, size int) (c chain, end time.Time) {
	end = t0.Add(24 * time.Hour)
	set := enginetest.Load(b, fleetFiles(size)...)
	snap, tick := store.Snapshot{Accounts: monthOld(set, budget.MinuteOf(end))}, store.Tick{At: end}
	for i, spec := range set.Specs[:30] {
		turn := store.Turn{SLO: spec.ID()}
		turn.State, turn.Incidents, snap.Accounts[spec.ID()] = weekWithOutage(spec, i, budget.MinuteOf(end))
		tick.Turns = append(tick.Turns, turn)
	}
	c = newChain(b, nobody, set, snap)
	if err := c.store.Commit(b.Context(), tick); err != nil {
		b.Fatal(err)
	}
	policy := alerting.DefaultPolicy()
	c.govern(b, &policy, end)
	return c, end
}

func benchmarkAsk(b *testing.B, size int) {
	c, end := monthOldChain(b, size)
	now := end
	outage := func() {
		now = now.Add(time.Minute)
		if c.Tick(b.Context(), now).Good() {
			b.Fatal("somebody answered")
		}
	}
	outage()
	for _, ask := range asked(size) {
		b.Run(ask.name, func(b *testing.B) {
			measure(b, func() func() {
				h := web.New(web.Options{Source: c.Engine, Archive: c.store, Now: func() time.Time { return end }})
				return func() { askFor(b, h, ask.path, ask.want) }
			})
		})
	}
	b.Run("outage", func(b *testing.B) { measure(b, func() func() { return outage }) })
}

// askFor gets a page, which has to have what is wanted.
func askFor(t testing.TB, h http.Handler, path, want string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
	if !strings.Contains(w.Body.String(), want) {
		t.Fatalf("%s: %d %.300s", path, w.Code, w.Body)
	}
}

// counted is a store that counts what it is asked.
type counted struct {
	*store.DB
	n int
}

func (c *counted) Incidents(ctx context.Context, f store.IncidentFilter) ([]alerting.Incident, error) {
	c.n++
	return c.DB.Incidents(ctx, f)
}

func (c *counted) Evidence(ctx context.Context, id string) ([]store.Evidence, error) {
	c.n++
	return c.DB.Evidence(ctx, id)
}

func (c *counted) Outbox(ctx context.Context, f store.OutboxFilter) ([]outbox.Owed, error) {
	c.n++
	return c.DB.Outbox(ctx, f)
}

func (c *counted) Acts(ctx context.Context, f store.ActFilter) ([]alerting.Act, error) {
	c.n++
	return c.DB.Acts(ctx, f)
}

// TestTheWorkOfAPageGrowsWithItsBudgets: of ten times the budgets a page allocates no more than ten
// times as much, and asks the store no more often; a page of one budget does not see the others.
func TestTheWorkOfAPageGrowsWithItsBudgets(t *testing.T) {
	type work struct {
		allocated float64
		asked     int
	}
	of := map[string][]work{}
	for _, size := range []int{30, 300} {
		c, end := monthOldChain(t, size)
		for _, ask := range asked(size) {
			if ask.name == "page" {
				ask.want = "service-00" // all of thirty stand on it
			}
			archive := &counted{DB: c.store}
			h := web.New(web.Options{Source: c.Engine, Archive: archive, Now: func() time.Time { return end }})
			askFor(t, h, ask.path, ask.want)
			w := work{asked: archive.n}
			w.allocated = testing.AllocsPerRun(1, func() { askFor(t, h, ask.path, ask.want) })
			of[ask.name] = append(of[ask.name], w)
		}
	}
	for name, w := range of {
		if w[1].asked > w[0].asked || w[1].asked > 3 {
			t.Errorf("%s asks the store %d times about 30 budgets, and %d times about 300", name, w[0].asked, w[1].asked)
		}
		most := 11 * w[0].allocated
		if name == "service" || name == "budget" || name == "month" || name == "gate" {
			most = 1.5 * w[0].allocated // and a list of all services, if it has one
		}
		if w[1].allocated > most {
			t.Errorf("%s allocates %.0f times for 30 budgets, and %.0f times for 300", name, w[0].allocated, w[1].allocated)
		}
		t.Logf("%s: %+v", name, w)
	}
}

// BenchmarkReport makes the account of a week of 200 SLOs, a third of which had an outage, with the
// store below it.
func BenchmarkReport(b *testing.B) {
	end := t0.Add(7 * slo.Day)
	set := enginetest.Load(b, fleetFiles(200)...)
	snap := store.Snapshot{Accounts: map[slo.ID]store.Account{}}
	tick := store.Tick{At: end}
	for i, spec := range set.Specs {
		turn := store.Turn{SLO: spec.ID()}
		turn.State, turn.Incidents, snap.Accounts[spec.ID()] = weekWithOutage(spec, i, budget.MinuteOf(end))
		tick.Turns = append(tick.Turns, turn)
	}
	c := newChain(b, nobody, set, snap)
	if err := c.store.Commit(b.Context(), tick); err != nil {
		b.Fatal(err)
	}
	week, _ := report.ParsePeriod("2026-W45")
	measure(b, func() func() {
		return func() {
			r, ok, err := c.MakeReport(b.Context(), "weekly", week, end)
			if !ok || err != nil || strings.Count(r.Markdown, "/page/") < 60 {
				b.Fatal(ok, err, r.Markdown)
			}
		}
	})
}

// weekWithOutage is a month whose last week is decided; every third one has half an hour in which
// all failed.
func weekWithOutage(spec *slo.Spec, i int, end budget.Minute) (alerting.State, []alerting.Incident, store.Account) {
	week := end - budget.Minutes(7*slo.Day)
	l := oldLedger(i, end, week-alerting.Horizon(spec))
	for m := week + 3000; i%3 == 0 && m < week+3030; m++ {
		l.Put(m, budget.Count(10_000*budget.Unit, 10_000*budget.Unit))
	}
	state, events := alerting.Advance(alerting.Input{ID: spec.ID(), Spec: spec, Ledger: l}, alerting.State{Through: week}, end)
	return state, alerting.Fold(nil, events), store.Account{Ledger: l, State: state}
}

// BenchmarkSay is how long it takes from the commit of what is owed until the message stands in an
// idle channel.
func BenchmarkSay(b *testing.B) {
	c := newChain(b, nobody, enginetest.Load(b, fleetFiles(1)...), noHistory)
	var rooms []slacktest.Channel // one for each message: a channel is busy until its message is written down
	for n := range 200 {
		rooms = append(rooms, slacktest.Channel{Name: fmt.Sprint("room-", n), Joined: true})
	}
	workspace := slacktest.Start(slacktest.Options{Channels: rooms})
	b.Cleanup(workspace.Close)
	client, err := slack.New(slack.Config{Token: slack.Secret(workspace.Token), APIURL: workspace.APIURL()})
	if err != nil {
		b.Fatal(err)
	}
	pump := outbox.NewPump(c.store, map[string]outbox.Receiver{"slack": client}, outbox.Options{})
	ctx, cancel := context.WithCancel(background)
	var done sync.WaitGroup
	done.Go(func() { _ = pump.Run(ctx) })
	b.Cleanup(func() { cancel(); done.Wait() })
	n := 0
	measure(b, func() func() {
		room := rooms[n%len(rooms)].Name
		n++
		now := time.Now()
		owed := slack.ComposeNotice(slack.Notice{
			Composer: slack.Composer{Channel: "#" + room}, Kind: fmt.Sprint("source", n), Title: "Prometheus", Reason: "timeout", Since: now, At: now,
		}, now)
		return func() {
			if err := c.store.Commit(ctx, store.Tick{At: now, Owed: owed}); err != nil {
				b.Fatal(err)
			}
			pump.Kick()
			if err := workspace.Wait(ctx, func(s slacktest.State) bool { return len(s.Roots(room)) > 0 }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// measure reports the CPU and the wall time of what prepare returns, both of them the median.
func measure(b *testing.B, prepare func() func()) {
	b.Helper()
	var cpus, walls []time.Duration
	for b.Loop() {
		do := prepare()
		start, before := time.Now(), ownCPU()
		do()
		cpus, walls = append(cpus, ownCPU()-before), append(walls, time.Since(start))
	}
	slices.Sort(cpus)
	slices.Sort(walls)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(milliseconds(cpus[len(cpus)/2]), "cpu-ms")
	b.ReportMetric(milliseconds(walls[len(walls)/2]), "wall-ms")
}

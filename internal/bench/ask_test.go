package bench

import (
	"context"
	"fmt"
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

func benchmarkAsk(b *testing.B, size int) {
	end := t0.Add(24 * time.Hour)
	set := enginetest.Load(b, fleetFiles(size)...)
	c := newChain(b, nobody, set, store.Snapshot{Accounts: monthOld(set, budget.MinuteOf(end))})
	policy := alerting.DefaultPolicy()
	c.govern(b, &policy, end)
	now := end
	outage := func() {
		now = now.Add(time.Minute)
		if c.Tick(b.Context(), now).Good() {
			b.Fatal("somebody answered")
		}
	}
	outage()
	for _, ask := range []struct{ name, path, want string }{
		{"page", "/", "Show all " + fmt.Sprint(size)},
		{"all", "/?all=1", "service-0999/availability"},
		{"budget", "/slo/service-0500/availability", "service-0500"},
		{"gate", "/api/v1/gate/service-0500", `"go":true`},
		{"list", "/api/v1/slos", "service-0999/availability"},
		{"metrics", "/metrics", `service="service-0999"`},
	} {
		b.Run(ask.name, func(b *testing.B) {
			measure(b, func() func() {
				h := web.New(web.Options{Source: c.Engine, Archive: c.store, Now: func() time.Time { return end }})
				return func() {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+ask.path, nil))
					if !strings.Contains(w.Body.String(), ask.want) {
						b.Fatalf("%d %.300s", w.Code, w.Body)
					}
				}
			})
		})
	}
	b.Run("outage", func(b *testing.B) { measure(b, func() func() { return outage }) })
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

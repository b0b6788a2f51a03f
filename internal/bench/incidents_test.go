package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/slo"
)

// BenchmarkIncidents opens a page for every SLO of a fleet whose ledgers hold a month, in one live
// tick, and lets them burn on: with a SQLite store and messages for Slack. First without company,
// for the CPU time of the tick in which they open and of those in which they burn, and for the
// memory. Then beside a pump that sends to the stand-in for Slack, at its pace, while /-/healthy,
// the metrics and the API are asked without a pause: for the longest answers, and for the time from
// the beginning of the tick to the first digest.
func BenchmarkIncidents(b *testing.B) {
	for _, each := range []int{4, 5_000} { // of a service, which has one thread; a file may have no more
		for _, n := range []int{1_000, 3_000, 10_000} {
			name := fmt.Sprintf("open=%d/threads=%d", n, (n+min(each, n)-1)/min(each, n))
			b.Run(name, func(b *testing.B) {
				set := enginetest.Load(b, crowdedFiles(n, min(each, n))...)
				costOfIncidents(b, set)
				answersMeanwhile(b, set, each == 4)
			})
		}
	}
}

// costOfIncidents measures the ticks.
func costOfIncidents(b *testing.B, set *slo.Set) {
	f := newFire(b, set, nil)
	defer f.close()
	opening := f.open(b)
	began, turns := ownCPU(), 0
	for b.Loop() {
		f.tick(b)
		turns++
	}
	burns := ownCPU() - began
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(milliseconds(opening), "opening-cpu-ms")
	b.ReportMetric(milliseconds(burns)/float64(turns), "tick-cpu-ms")
	b.ReportMetric(residentMB(), "rss-MB")
}

// answersMeanwhile measures what others see of them. Replies in one thread are sent one by one, so
// there is a digest only of several threads.
func answersMeanwhile(b *testing.B, set *slo.Set, digests bool) {
	ctx, stop := context.WithTimeout(b.Context(), 5*time.Minute)
	defer stop()
	stand := slacktest.Start(slacktest.Options{})
	defer stand.Close()
	client, err := slack.New(slack.Config{Token: slack.Secret(stand.Token), APIURL: stand.APIURL()})
	if err != nil {
		b.Fatal(err)
	}
	f := newFire(b, set, client)
	defer f.close()
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { _ = f.pump.Run(ctx) })
	asked := ask(b, web.New(web.Options{Source: f.Engine, Archive: f.db, Now: func() time.Time { return f.now }}))
	began := time.Now()
	f.open(b)
	for digests && f.pump.Summary().Folded == 0 {
		select {
		case <-ctx.Done():
			b.Fatalf("no digest: %+v", f.pump.Summary())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if digests {
		b.ReportMetric(milliseconds(time.Since(began)), "first-digest-ms")
	}
	for path, longest := range asked() {
		b.ReportMetric(milliseconds(longest), path+"-ms")
	}
}

// BenchmarkActsAmongIncidents lets somebody act without a pause in the tick in which so many
// incidents open, and in those in which they burn: for the longest that an act takes, and for the
// CPU time of the process meanwhile, which is what it would take on an idle machine, at most.
func BenchmarkActsAmongIncidents(b *testing.B) {
	for _, n := range []int{1_000, 3_000, 10_000} {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			set := enginetest.Load(b, crowdedFiles(n, 4)...)
			f := newFire(b, set, nil)
			defer f.close()
			done := f.act(b, func(int) alerting.Act {
				return alerting.Act{Kind: alerting.Changed, Service: set.Specs[0].Service, Change: &alerting.Change{Kind: "deploy", Title: "it", Start: t0}}
			})
			f.open(b)
			wall, cpu := done()
			open := f.Snapshot().Open.IDs()
			done = f.act(b, func(n int) alerting.Act {
				return alerting.Act{Kind: alerting.Remark, Incident: open[n*7919%len(open)], Text: "looking"}
			})
			for b.Loop() {
				f.tick(b)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(milliseconds(wall), "opening-act-ms")
			b.ReportMetric(milliseconds(cpu), "opening-act-cpu-ms")
			wall, cpu = done()
			b.ReportMetric(milliseconds(wall), "burning-act-ms")
			b.ReportMetric(milliseconds(cpu), "burning-act-cpu-ms")
		})
	}
}

// BenchmarkActOnAThread lets somebody acknowledge a thread in which so many incidents are told, and
// another one take it over; then all of them end in one tick. Somebody else acts on another service
// meanwhile, without a pause. It measures the CPU time of the process in each of the three, and the
// longest that an act of somebody else takes, also as the CPU time of the process meanwhile, which
// is what it would take on an idle machine, at most.
func BenchmarkActOnAThread(b *testing.B) {
	for _, n := range []int{1_000, 5_000} {
		b.Run(fmt.Sprintf("thread=%d", n), func(b *testing.B) {
			set := enginetest.Load(b, append(crowdedFiles(n, n), "version: slowburn/v1\nservice: else\nslos: [{name: a, objective: 99.9, sli: {events: {total: r, bad: f}}}]\n")...)
			f := newFire(b, set, nil)
			defer f.close()
			f.open(b)
			f.tick(b)
			ack := alerting.Act{Kind: alerting.Acknowledge, Incident: f.Snapshot().Open.InService(serviceName(0))[n/2].ID}
			turns := 0
			beside := func(what string, f1 func()) {
				done := f.act(b, func(k int) alerting.Act {
					return alerting.Act{Kind: alerting.Changed, Service: "else", Change: &alerting.Change{Kind: "deploy", Title: fmt.Sprint(what, turns, k), Start: t0}}
				})
				spent := ownCPU()
				f1()
				b.ReportMetric(milliseconds(ownCPU()-spent), what+"-cpu-ms")
				wall, cpu := done()
				b.ReportMetric(milliseconds(wall), what+"-others-ms")
				b.ReportMetric(milliseconds(cpu), what+"-others-cpu-ms")
			}
			for b.Loop() {
				turns++
				for _, what := range []string{"take", "hand-over"} {
					beside(what, func() {
						a := ack
						a.Key, a.By = fmt.Sprint(what, turns), fmt.Sprint(what, turns) // who has it already changes nothing
						if err := f.Do(b.Context(), a, f.now); err != nil {
							b.Fatal(err)
						}
					})
				}
			}
			f.over = true
			for f.Snapshot().Open.Len() > 0 {
				beside("end", func() { f.tick(b) })
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// act lets somebody do one thing after the other until the function that it returns is called. That
// returns how long the longest took, and the CPU time of the process in it.
func (f *fire) act(b *testing.B, what func(n int) alerting.Act) func() (wall, cpu time.Duration) {
	ctx, cancel := context.WithCancel(b.Context())
	var wall, cpu time.Duration
	var running sync.WaitGroup
	running.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			a, began, spent := what(n), time.Now(), ownCPU()
			a.Key, a.By = fmt.Sprint(a.Kind, began.UnixNano()), "Ada"
			if err := f.Do(ctx, a, t0.Add(time.Hour)); err != nil {
				b.Error(err)
				return
			}
			wall, cpu = max(wall, time.Since(began)), max(cpu, ownCPU()-spent)
			select { // leave the machine to the tick
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return func() (time.Duration, time.Duration) {
		cancel()
		running.Wait()
		return wall, cpu
	}
}

// fire is an engine whose fleet begins to burn.
type fire struct {
	*engine.Engine
	db   *store.DB
	pump *outbox.Pump
	now  time.Time
	n    int
	*outage
}

// newFire makes one, which sends by a client, or not at all.
func newFire(b *testing.B, set *slo.Set, client *slack.Client) *fire {
	db := openFile(b)
	f := &fire{db: db, now: t0, n: len(set.Specs), outage: &outage{}, pump: outbox.NewPump(db, map[string]outbox.Receiver{"slack": client}, outbox.Options{})}
	o := engine.Options{Source: f.outage, Store: db, Composer: loud{to: slack.Composer{Channel: "#general"}}, Log: slog.New(slog.DiscardHandler)}
	if client != nil {
		o.Kick = f.pump.Kick
	}
	f.Engine = engine.New(o, set, store.Snapshot{Accounts: monthOld(set, budget.MinuteOf(t0))})
	f.tick(b)
	runtime.GC()
	return f
}

func (f *fire) close() { _ = f.db.Close() }

// tick makes the turn of the next minute.
func (f *fire) tick(b *testing.B) {
	f.now = f.now.Add(time.Minute)
	if sum := f.Tick(b.Context(), f.now); !sum.Good() {
		b.Fatal(sum.Failures, sum.StoreErr)
	}
}

// open makes turns until the incidents open, in one of them, and returns the CPU time of that.
func (f *fire) open(b *testing.B) time.Duration {
	for range 10 {
		began := ownCPU()
		f.tick(b)
		switch f.Snapshot().Open.Len() {
		case 0:
		case f.n:
			return ownCPU() - began
		default:
			b.Fatalf("%d of %d have opened", f.Snapshot().Open.Len(), f.n)
		}
	}
	b.Fatal("nothing has opened")
	return 0
}

// ask asks a handler for its health and more, again and again, until the function that it returns
// is called. That returns the longest time of each answer.
func ask(b *testing.B, h http.Handler) func() map[string]time.Duration {
	ctx, cancel := context.WithCancel(b.Context())
	longest := map[string]time.Duration{}
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			for name, path := range map[string]string{"healthy": "/-/healthy", "metrics": "/metrics", "status": "/api/v1/status", "incidents": "/api/v1/incidents?limit=100"} {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody)
				r.Host = "127.0.0.1"
				start := time.Now()
				h.ServeHTTP(httptest.NewRecorder(), r)
				longest[name] = max(longest[name], time.Since(start))
				select { // leave the machine to the tick
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
	})
	return func() map[string]time.Duration {
		cancel()
		running.Wait()
		return longest
	}
}

// crowdedFiles are services with so many SLOs each.
func crowdedFiles(n, each int) (texts []string) {
	for first := 0; first < n; first += each {
		var text strings.Builder
		fmt.Fprintf(&text, "version: slowburn/v1\nservice: %s\nslos:\n", serviceName(first/each))
		for i := first; i < min(first+each, n); i++ {
			fmt.Fprintf(&text, "  - {name: n%05d, objective: 99.9, sli: {events: {total: 'r{n=\"%[1]d\"}', bad: 'f{n=\"%[1]d\"}'}}}\n", i)
		}
		texts = append(texts, text.String())
	}
	return texts
}

// outage is a source in which half of all requests fail since t0, until it is over.
type outage struct{ over bool }

// Read returns a minute for every SLO.
func (o *outage) Read(_ context.Context, specs []*slo.Spec, now time.Time) *prom.Batch {
	batch, bad := &prom.Batch{Readings: map[slo.ID]prom.Reading{}}, int64(5_000*budget.Unit)
	if o.over {
		bad = 0
	}
	for _, spec := range specs {
		batch.Readings[spec.ID()] = prom.Reading{Slots: []budget.SlotAt{{At: budget.MinuteOf(now) - 1, Slot: budget.Count(bad, 10_000*budget.Unit)}}}
	}
	return batch
}

// Commit forgets the batch.
func (*outage) Commit(*prom.Batch) {}

// Backfill reads no history.
func (*outage) Backfill([]*slo.Spec, prom.Plan) *prom.Backfill { return nil }

// Backfills finds none unfinished.
func (*outage) Restart() map[string][]byte                                { return nil }
func (*outage) Backfills(map[string][]byte, []*slo.Spec) []*prom.Backfill { return nil }

// loud composes for Slack what is told of events and of acts, and nothing else.
type loud struct {
	enginetest.Mute
	to slack.Composer
}

// Event implements engine.Composer.
func (l loud) Event(t incidents.Notification, shown outbox.Shown) []outbox.Entry {
	return l.to.Event(notify.Facts{Notification: t, Target: notify.Target{Shown: shown}})
}

// Act implements engine.Composer.
func (l loud) Act(d incidents.Done) []outbox.Entry { return l.to.Act(d, notify.Target{}) }

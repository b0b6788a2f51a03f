package bench

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/chance"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// lives is how many random lives TestLiveIsABacktest tries; `make lives`, CI and `make bench` ask
// for more.
var lives = flag.Int("lives", 1, "how many random lives to try the law on")

const (
	lifeLength = 36 * time.Hour
	lifeEnd    = lifeLength + 5*time.Minute
)

// life is a random world of two services: pods crash and are replaced, scrapes are missed,
// Prometheus is down twice, and now and then something is broken, for minutes or for hours.
func life(seed uint64) truth.Options {
	rng := chance.New(seed, "life")
	span := func(mean time.Duration) truth.Span {
		from := t0.Add(time.Duration(rng.Int64N(int64(lifeLength)))).Truncate(time.Minute)
		return truth.Span{From: from, To: from.Add(time.Minute + time.Duration(rng.ExpFloat64()*float64(mean)).Truncate(time.Minute))}
	}
	o := truth.Options{Seed: seed, Start: t0, Length: lifeLength, Interval: 30 * time.Second, Down: []truth.Span{span(10 * time.Minute), span(30 * time.Minute)}}
	for _, tier := range []struct {
		name      string
		perSecond float64
	}{{"busy", 50}, {"quiet", 0.1}} {
		s := truth.Service{
			Name: tier.name, Pods: 2, PerSecond: tier.perSecond, BadShare: 0.0005,
			Restarts: 8 * time.Hour, Churn: 12 * time.Hour, Missed: 0.01, Lazy: true,
		}
		for range 2 + rng.IntN(4) {
			share := []float64{0.003, 0.02, 0.1, 0.5, 1}[rng.IntN(5)]
			s.Incidents = append(s.Incidents, truth.Incident{Span: span(time.Hour), Share: share})
		}
		o.Services = append(o.Services, s)
	}
	return o
}

// lifeFile has every rule: the four default pairs, shares of the budget, missing data, the guard of
// low traffic.
func lifeFile() string {
	var b strings.Builder
	for _, name := range []string{"busy", "quiet"} {
		fmt.Fprintf(&b, `---
version: slowburn/v1
service: %[1]s
slos:
  - name: availability
    objective: 99.9
    sli: {events: {total: 'http_requests_total{job="%[1]s"}', bad: 'http_requests_total{job="%[1]s",code=~"5.."}'}}
`, name)
	}
	return b.String()
}

// daemon is a chain that can be restarted: what it knows goes through its file.
type daemon struct {
	t    *testing.T
	url  string
	set  *slo.Set
	path string
	db   *store.DB
	*engine.Engine
}

func startDaemon(t *testing.T, url string, set *slo.Set) *daemon {
	d := &daemon{t: t, url: url, set: set, path: filepath.Join(t.TempDir(), "slowburn.db")}
	d.start()
	t.Cleanup(func() { _ = d.db.Close() })
	return d
}

func (d *daemon) start() {
	client, err := prom.NewClient(prom.ClientOptions{URL: d.url})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(client.CloseIdle)
	if d.db, err = store.Open(d.path, store.Options{}); err != nil {
		d.t.Fatal(err)
	}
	snap, err := d.db.Load(background)
	if err != nil {
		d.t.Fatal(err)
	}
	reader := prom.New(client, prom.Options{})
	reader.Restore(snap.Marks)
	d.Engine = engine.New(engine.Options{
		Source: reader, Store: d.db, Composer: enginetest.Mute{}, Log: slog.New(slog.DiscardHandler),
	}, d.set, snap)
}

func (d *daemon) restart() {
	if err := d.db.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.start()
}

func (d *daemon) tick(after time.Duration) {
	if sum := d.Tick(background, t0.Add(after)); !sum.Good() {
		d.t.Fatalf("tick after %s: %v %v", after, sum.Failures, sum.StoreErr)
	}
}

// incidents is the whole story of every incident, with the events it is made of.
func (d *daemon) incidents() []alerting.Incident {
	all, err := d.db.Incidents(background, store.IncidentFilter{})
	if err != nil {
		d.t.Fatal(err)
	}
	for i := range all {
		if all[i].Rule == alerting.RuleNoData {
			withoutBudget(&all[i])
		}
	}
	return all
}

// withoutBudget strikes out what the budget was when data went missing. It is the one figure that
// is known better afterwards: the counters that come back tell how much happened meanwhile. That it
// was missing, and from when to when, is the same.
func withoutBudget(i *alerting.Incident) {
	i.First.Budget, i.Last.Budget = alerting.Account{}, alerting.Account{}
	for n := range i.Log {
		i.Log[n].Budget = alerting.Account{}
	}
}

// TestLiveIsABacktest: a daemon that reads as it goes, in turns of any length, and is restarted now
// and then, decides what one that reads all of it at once decides afterwards, but for when.
func TestLiveIsABacktest(t *testing.T) {
	eventful, began := 0, time.Now()
	for seed := range uint64(*lives) {
		db := promfake.New(promfake.Options{})
		if _, err := truth.Generate(db, life(seed)); err != nil {
			t.Fatal(err)
		}
		url, set := serve(t, db), enginetest.Load(t, lifeFile())
		live, afterwards := startDaemon(t, url, set), startDaemon(t, url, set)
		first := 10 * time.Minute
		live.tick(first)
		afterwards.tick(first)
		rng := chance.New(seed, "cuts")
		for at := first; at < lifeEnd; {
			at = min(at+turn(rng), lifeEnd)
			if rng.IntN(20) == 0 {
				live.restart()
			}
			live.tick(at)
		}
		afterwards.tick(lifeEnd)
		want, got := afterwards.incidents(), live.incidents()
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(alerting.Event{}, "Decided")); diff != "" {
			t.Fatalf("life %d: live and afterwards differ (-afterwards +live):\n%s", seed, diff)
		}
		if len(want) > 2 {
			eventful++
		}
	}
	if eventful < *lives/2 {
		t.Errorf("only %d of %d lives were eventful; the test proves little", eventful, *lives)
	}
	t.Logf("%d lives of %s, %d of them eventful, in %s", *lives, lifeLength, eventful, time.Since(began).Round(time.Second))
}

// turn is the time between two ticks: mostly a minute or a few, at times hours, as after an outage
// of the daemon.
func turn(rng *rand.Rand) time.Duration {
	return time.Duration([]int{1, 1, 2, 5, 17, 60, 300}[rng.IntN(7)]) * time.Minute
}

package integration_test

import (
	"context"
	"log/slog"
	"path/filepath"
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
	"github.com/slowburn-sre/slowburn/slo"
)

// daemon is what `slowburn serve` runs, wired as it wires it, on a clock that the test moves:
// reader, engine, store on disk, outbox and Slack client. Only Slack is a stand-in.
type daemon struct {
	t     testing.TB
	url   string // of Prometheus
	set   *slo.Set
	path  string
	slack *slacktest.Server
	now   time.Time

	db   *store.DB
	pump *outbox.Pump
	*engine.Engine
}

const channel = "reliability"

// newDaemon starts a daemon at a time.
func newDaemon(t testing.TB, url string, now time.Time, slos ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, url: url, set: enginetest.Load(t, slos...), path: filepath.Join(t.TempDir(), "slowburn.db"), now: now}
	d.slack = slacktest.Start(slacktest.Options{Now: func() time.Time { return d.now }})
	t.Cleanup(d.slack.Close)
	d.start()
	t.Cleanup(func() { _ = d.db.Close() })
	return d
}

// start is the start of the process: everything it knows comes from the store.
func (d *daemon) start() {
	var err error
	if d.db, err = store.Open(d.path, store.Options{}); err != nil {
		d.t.Fatal(err)
	}
	snap, err := d.db.Load(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	client, err := prom.NewClient(prom.ClientOptions{URL: d.url, Timeout: 10 * time.Second, Stats: true})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(client.CloseIdle)
	reader := prom.New(client, prom.Options{})
	reader.Restore(snap.Marks)
	receiver, err := slack.New(slack.Config{Token: slack.Secret(d.slack.Token), APIURL: d.slack.APIURL(), Fallback: "#" + channel})
	if err != nil {
		d.t.Fatal(err)
	}
	d.pump = outbox.NewPump(d.db, map[string]outbox.Receiver{"slack": receiver}, outbox.Options{Now: func() time.Time { return d.now }})
	d.Engine = engine.New(engine.Options{
		Source: reader, Store: d.db, Composer: composer{slack: slack.Composer{Receiver: "slack", Channel: "#" + channel}},
		Log: slog.New(slog.DiscardHandler),
	}, d.set, snap)
}

// restart is the death of the process, and its next start.
func (d *daemon) restart() {
	if err := d.db.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.start()
}

// run turns the minute hand up to and including a time, and delivers what is owed. It returns how
// many turns could not read everything.
func (d *daemon) run(until time.Time) (failed int) {
	d.t.Helper()
	for ; !d.now.After(until); d.now = d.now.Add(time.Minute) {
		sum := d.Tick(d.t.Context(), d.now)
		if sum.StoreErr != nil {
			d.t.Fatal(sum.StoreErr)
		}
		if len(sum.Failures) > 0 {
			failed++
		}
		d.deliver()
	}
	return failed
}

// deliver gives Slack, which takes about a message a second, the minute that it has.
func (d *daemon) deliver() {
	turn := d.now
	for ; d.now.Before(turn.Add(time.Minute)); d.now = d.now.Add(time.Second) {
		sum, err := d.pump.Pass(d.t.Context(), d.now)
		if err != nil {
			d.t.Fatal(err)
		}
		waiting := 0
		for _, n := range sum.Waiting {
			waiting += n
		}
		if waiting == 0 {
			break
		}
	}
	d.now = turn
}

// incidents is every incident of a rule, of any if it is "", newest first.
func (d *daemon) incidents(rule alerting.Rule) (found []alerting.Incident) {
	d.t.Helper()
	all, err := d.db.Incidents(context.Background(), store.IncidentFilter{})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, i := range all {
		if rule == "" || i.Rule == rule {
			found = append(found, i)
		}
	}
	return found
}

// sum is what the ledger of an SLO says about [from, to).
func (d *daemon) sum(id slo.ID, from, to time.Time) (s budget.Sum) {
	d.t.Helper()
	if !d.Snapshot().WithLedger(id, func(_ *slo.Spec, l *budget.Ledger) { s = l.Sum(budget.MinuteOf(from), budget.MinuteOf(to)) }) {
		d.t.Fatalf("there is no budget %s", id)
	}
	return s
}

// composer makes Slack messages of what the engine says.
type composer struct {
	enginetest.Mute
	slack slack.Composer
}

// Event implements engine.Composer.
func (c composer) Event(t incidents.Notification, shown outbox.Shown) []outbox.Entry {
	return c.slack.Event(notify.Facts{Notification: t, Target: notify.Target{Shown: shown}})
}

// Notice implements engine.Composer.
func (c composer) Notice(n engine.Notice) []outbox.Entry {
	return slack.ComposeNotice(slack.Notice{
		Composer: c.slack, Kind: "prometheus", Title: "Prometheus", Reason: n.Text,
		Since: n.Since, At: n.At, Over: n.Kind == engine.SourceBack,
	}, n.At)
}

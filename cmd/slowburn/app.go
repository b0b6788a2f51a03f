package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	oklog "github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/reviews"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// app is the daemon, wired and not yet running. `serve` runs it on the system's clock and
// `demo` on one that goes faster; nothing in it knows the difference.
type app struct {
	appOptions
	cfg     Config
	db      *store.DB
	client  *prom.Client
	asker   *prom.Client // asks for evidence, so that it never takes the evaluation's places
	engine  *engine.Engine
	pump    *outbox.Pump
	ways    atomic.Pointer[ways] // who is told, and how; a reload exchanges it
	beat    chan struct{}        // a tick that worked, for the heartbeat
	metrics legMetrics
	web     http.Handler
	reload  reloadState
	keeper  *reviews.Keeper
	ticked  chan struct{} // after every tick
	desk    *slack.Desk   // nil if nobody can act from Slack
	// sources are where golden signals are found; a reload replaces them.
	sources atomic.Pointer[signals.Catalogue]
}

// appOptions are what the surroundings decide.
type appOptions struct {
	log         *slog.Logger
	clock       func() time.Time // what time it is, for every decision
	every       time.Duration    // how long a minute of that clock is, in wall time
	lag         time.Duration    // how far behind the clock the newest slot is read
	listener    net.Listener
	externalURL string
	webConfig   string
	configFile  string // read again by a reload; "" forbids it
	getenv      func(string) string
}

// The pace of a daemon.
const (
	tickEvery  = time.Minute
	defaultLag = 30 * time.Second // one usual scrape interval and its delay
)

// reloadState is what the metrics say about the newest reload.
type reloadState struct {
	good atomic.Bool
	at   atomic.Int64
}

// newApp wires everything in the order in which it depends on each other. On an error nothing stays open.
func newApp(ctx context.Context, cfg Config, set *slo.Set, o appOptions) (*app, error) {
	a := &app{appOptions: o, cfg: cfg, ticked: make(chan struct{}, 1), beat: make(chan struct{}, 1)}
	a.sources.Store(&cfg.Signals)
	a.reload.mark(true, o.clock())
	client, err := newClient(cfg.Prometheus)
	if err != nil {
		return nil, err
	}
	if a.asker, err = newClient(cfg.Prometheus.beside()); err != nil {
		return nil, err
	}
	if a.db, err = store.Open(cfg.StorePath, store.Options{}); err != nil {
		return nil, err
	}
	snap, err := a.db.Load(ctx)
	if err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	w, err := a.newWays(cfg)
	if err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	a.ways.Store(w)
	reader := prom.New(client, prom.Options{})
	reader.Restore(snap.Marks)
	a.pump = outbox.NewPump(a.db, w.legs, outbox.Options{Logger: o.log, Now: a.now})
	registry := prometheus.NewRegistry()
	a.metrics = newLegMetrics(registry)
	schedules, channels := cfg.schedules()
	a.engine = engine.New(engine.Options{
		Source: reader, Skew: skewOf(client, o.clock), Store: a.db, Composer: currentWays{&a.ways}, Log: o.log, Lag: o.lag,
		Reports: schedules, ReportChannels: channels, ExternalURL: o.externalURL,
		Policy:   cfg.Policy,
		Services: a.servicesAt,
		Reviews:  func() []postmortem.Review { return a.keeper.Reviews() },
		Kick:     a.pump.Kick, Direct: a.direct,
		Observe:  a.observe(a.afterTick(web.EvaluationMetrics(registry))),
		Evidence: a.evidence,
	}, set, snap)
	a.client = client
	a.keeper = a.newKeeper()
	if a.desk, err = a.newDesk(w.doors); err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	a.web = a.handler(registry)
	return a, nil
}

// direct sends what could not be written down, because the disk is full: better twice than never.
// What arrives is found again when the store takes the entries.
func (a *app) direct(entries []outbox.Entry) {
	ctx, cancel := context.WithTimeout(context.Background(), directTimeout)
	defer cancel()
	for _, e := range entries {
		leg := a.pump.Leg(e.Leg)
		if leg == nil || e.Op == outbox.Edit {
			continue
		}
		root, _, _ := a.db.Root(ctx, e.Leg, e.Thread) // reading may still work; without it the message stands alone
		if _, err := leg.Deliver(ctx, outbox.Owed{Entry: e}, root); err != nil {
			a.log.Error("cannot send past the full store", "key", e.Key, "err", err)
		}
	}
}

// directTimeout bounds sending past a store that cannot be written.
const directTimeout = 20 * time.Second

func newClient(p PrometheusConfig) (*prom.Client, error) {
	return prom.NewClient(prom.ClientOptions{
		URL: p.URL, HTTP: p.HTTP, Timeout: p.Timeout, Concurrency: p.Concurrency, UserAgent: "slowburn/" + version.Version,
	})
}

// Run runs the daemon until ctx ends: it stops listening, lets the turn and the sends in flight
// finish, and closes the store last.
func (a *app) Run(ctx context.Context) error {
	a.recordConfig(ctx, nil, a.engine.Set())
	var g oklog.Group
	actor := func(f func(context.Context) error) {
		ctx, cancel := context.WithCancel(ctx)
		g.Add(func() error { return f(ctx) }, func(error) { cancel() })
	}
	actor(func(ctx context.Context) error { <-ctx.Done(); return nil })
	actor(func(ctx context.Context) error { return web.Serve(ctx, a.listener, a.web, a.webConfig, a.log) })
	actor(func(ctx context.Context) error { return a.engine.Run(ctx, a.clock, a.every) })
	actor(func(ctx context.Context) error { return a.engine.FillHistory(ctx, a.clock) })
	actor(func(ctx context.Context) error { return a.engine.LookInto(ctx, a.clock) })
	actor(a.pump.Run)
	actor(a.runLegs)
	actor(func(ctx context.Context) error { return a.keeper.Run(ctx, a.now, a.ticked) })
	if a.desk != nil {
		actor(a.desk.Run)
	}
	actor(a.watchHangup)
	err := g.Run()
	return errors.Join(err, a.Close())
}

// Close closes the store.
func (a *app) Close() error { return a.db.Close() }

// Reload reads the configuration and the SLO files again. If anything is wrong with them, everything stays
// as it is and the metric says so.
func (a *app) Reload(ctx context.Context) error {
	before := a.engine.Set()
	err := a.tryReload(ctx)
	a.reload.mark(err == nil, a.clock())
	if err != nil {
		a.log.Error("reload failed; the old configuration stays", "err", err)
		return err
	}
	a.log.Info("reloaded", "slos", len(a.engine.Set().Specs))
	a.recordConfig(ctx, before, a.engine.Set())
	return nil
}

func (a *app) tryReload(ctx context.Context) error {
	if a.configFile == "" {
		return errors.New("there is no configuration file to read")
	}
	cfg, err := loadConfig(a.configFile)
	if err != nil {
		return err
	}
	set, err := cfg.load()
	if err != nil {
		return err
	}
	schedules, channels := cfg.schedules()
	w, err := a.newWays(cfg)
	if err != nil {
		return err
	}
	if err := a.engine.Reload(ctx, set, schedules, channels, cfg.Policy, a.clock()); err != nil {
		return err
	}
	w.house.Interactive = a.desk != nil // the doors are opened at the start only
	a.ways.Store(w)
	a.pump.SetLegs(w.legs)
	a.sources.Store(&cfg.Signals)
	return nil
}

func (r *reloadState) mark(good bool, at time.Time) {
	r.good.Store(good)
	if good {
		r.at.Store(at.Unix())
	}
}

// afterTick lets those know who work after every tick; who is still at it makes one round for several.
func (a *app) afterTick(observe func(engine.Summary)) func(engine.Summary) {
	return func(s engine.Summary) {
		observe(s)
		select {
		case a.ticked <- struct{}{}:
		default:
		}
	}
}

// now is our clock, corrected if the source's says otherwise: messages carry the source's time, and age by it.
func (a *app) now() time.Time { return a.engine.Corrected(a.clock()) }

// handler is everything that is served over HTTP.
func (a *app) handler(registry *prometheus.Registry) http.Handler {
	return web.New(web.Options{
		Source: a.engine, Archive: a.db, Now: a.clock, Interval: tickEvery,
		Postmortem: a.review,
		Report:     a.report,
		Register:   a.register,
		Signals:    a.signals,
		Slack:      a.signedRequests(),
		Do:         func(ctx context.Context, act alerting.Act) error { return a.engine.Do(ctx, act, a.clock()) },
		Reviews:    func() []postmortem.Review { return a.keeper.Reviews() },
		Reload:     a.Reload, Reloaded: a.reload.newest, Registry: registry,
		Version: version.Version, ExternalURL: a.externalURL, WriteToken: a.getenv(writeTokenEnv), Log: a.log,
	})
}

func (r *reloadState) newest() (bool, time.Time) {
	return r.good.Load(), time.Unix(r.at.Load(), 0).UTC()
}

// report builds the report of any period, for one that was never sent.
func (a *app) report(ctx context.Context, name, period string) (store.Report, bool, error) {
	p, err := report.ParsePeriod(period)
	if err != nil {
		return store.Report{}, false, nil
	}
	return a.engine.MakeReport(ctx, name, p, a.clock())
}

// skewOf asks the source what time it is, beside our own clock.
func skewOf(client *prom.Client, clock func() time.Time) func(context.Context, time.Time) (time.Duration, *prom.Error) {
	return func(ctx context.Context, _ time.Time) (time.Duration, *prom.Error) {
		skew, _, err := client.ClockSkew(ctx, clock)
		return skew, err
	}
}

// signals takes the golden signals of a service, now.
func (a *app) signals(ctx context.Context, service string) (signals.Snapshot, bool) {
	known := a.engine.Set().Service(service)
	if known == nil {
		return signals.Snapshot{}, false
	}
	return signals.Take(ctx, a.client, known, a.now(), signals.SnapshotOptions{Catalogue: *a.sources.Load()}), true
}

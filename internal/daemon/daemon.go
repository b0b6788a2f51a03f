package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	oklog "github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/version"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/login"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/reviews"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Daemon is everything of the daemon, wired and not yet running. `serve` runs it on the system's
// clock and `demo` on one that goes faster; nothing in it knows the difference.
type Daemon struct {
	Options
	cfg     atomic.Pointer[config.Config] // in force
	db      *store.DB
	term    atomic.Pointer[store.Term] // in which this daemon leads; nil before it did
	standby standby                    // what it does while it does not
	inbox   *inbox
	auditor *auditor
	reader  *prom.Reader
	witness *witness
	Archive *Archive
	Engine  *engine.Engine
	Pump    *outbox.Pump
	ways    waysInForce // who is told, and how; a reload exchanges them
	metrics receiverMetrics
	drills  *drillBook
	arrival *arrival
	pulse   *pulse
	web     http.Handler
	tokens  atomic.Pointer[[]web.Token] // of the configuration and the environment
	local   []web.Token                 // that of web.local_token_file, if it could be written
	login   *login.Door                 // by which people sign in; nil if they do not
	reload  reloadState
	Keeper  *reviews.Keeper
	ticked  chan struct{} // after every tick
	Desk    *slack.Desk   // takes what people do in Slack; a reload exchanges its doors
}

// Options are what the surroundings decide.
type Options struct {
	Log         *slog.Logger
	Clock       func() time.Time // what time it is, for every decision
	Every       time.Duration    // how long a minute of that clock is, in wall time
	Lag         time.Duration    // how far behind the clock the newest slot is read
	Listener    net.Listener
	ExternalURL string
	WebConfig   string
	ConfigFile  string // read again by a reload; "" forbids it
	Storage     string // the file of the store, instead of what the configuration names; "" is that
	Getenv      func(string) string
}

// The pace of a daemon.
const (
	TickEvery  = time.Minute
	DefaultLag = time.Duration(0) // a minute is decided when it is complete, whatever the clock says
)

// reloadState is what metrics, pages and API say about the newest reload.
type reloadState struct{ atomic.Pointer[api.Reloaded] }

// New wires everything in the order in which it depends on each other. On an error nothing stays
// open.
func New(ctx context.Context, cfg config.Config, set *slo.Set, o Options) (*Daemon, error) {
	cfg = cfg.StoredIn(o.Storage)
	a := &Daemon{Options: o, ticked: make(chan struct{}, 1)}
	a.cfg.Store(&cfg)
	a.reload.good(o.Clock(), nil)
	tokens, err := openTokens(cfg.Web, o.Getenv(WriteTokenEnv), o.Log)
	if err != nil {
		return nil, err
	}
	a.tokens.Store(&tokens)
	if a.login, err = a.openLogin(cfg.Web.OIDC); err != nil {
		return nil, err
	}
	client, err := NewClient(cfg.Prometheus)
	if err != nil {
		return nil, err
	}
	asker, err := NewClient(cfg.Prometheus.Beside())
	if err != nil {
		return nil, err
	}
	if a.db, err = OpenStore(ctx, cfg, store.Options{}); err != nil {
		return nil, err
	}
	a.local = writeLocal(cfg.LocalTokenFile(), o.Log) // the folder of the store is there
	snap, err := a.load(ctx)
	if err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	a.sayDamage(snap)
	w, err := a.newWays(cfg)
	if err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	a.ways.Store(w)
	a.reader = prom.New(client, prom.Options{MaxLateness: cfg.Prometheus.MaxLateness})
	a.witness = a.newWitness(client, asker)
	a.Pump = outbox.NewPump(a.db, w.reached, a.delivery())
	registry := prometheus.NewRegistry()
	a.metrics = newReceiverMetrics(registry)
	registry.MustRegister(unwritten(a.Pump), a.leadership())
	schedules, channels := cfg.Schedules()
	a.Engine = engine.NewStandby(engine.Options{
		Source: a.reader, Skew: skewOf(client, o.Clock), Sampled: client.Sampled, Store: a.db, Composer: w, Log: o.Log, Lag: o.Lag,
		Reports: schedules, ReportChannels: channels, ExternalURL: o.ExternalURL,
		Policy:   cfg.Policy,
		Services: a.witness.servicesAt,
		Reviews:  func() []postmortem.Review { return a.Keeper.Reviews() },
		Drills:   func(at time.Time) *report.Drills { return a.drills.reported(at) },
		Audit:    func() *report.Audit { return a.auditor.reported() },
		Kick:     a.Pump.Kick, Owe: a.Pump.Owe,
		Observe:  a.observe(web.EvaluationMetrics(registry)),
		Evidence: a.witness.evidence,
	}, set, snap)
	a.connect()
	a.web = a.handler(registry)
	if a.term.Load() != nil {
		a.goOn(snap.Marks)
	}
	return a, nil
}

// newWitness makes what tells of the past, from a client for evidence and one for the rest.
func (a *Daemon) newWitness(client, asker *prom.Client) *witness {
	return &witness{
		db: a.db, client: client, asker: asker, now: a.Now, cfg: &a.cfg,
		seen: func() *engine.Snapshot { return a.Engine.Snapshot() }, // there is none yet
	}
}

// connect makes the parts that see to it that people are told, and what is kept for them, from the
// store, the pump and the engine.
func (a *Daemon) connect() {
	a.ways.seen = a.Engine.Snapshot
	a.Archive = &Archive{db: a.db, seen: a.Engine.Snapshot, witness: a.witness, cfg: &a.cfg, url: a.ExternalURL}
	a.Keeper = a.newKeeper()
	a.Archive.keeper = a.Keeper
	a.drills = &drillBook{db: a.db, pump: a.Pump, log: a.Log, now: a.Now, ways: &a.ways}
	a.auditor = &auditor{db: a.db, log: a.Log, now: a.Clock}
	a.inbox = &inbox{
		db: a.db, engine: a.Engine, pump: a.Pump, drills: a.drills, log: a.Log, now: a.Now, clock: a.Clock, shares: a.cfg.Load().Postgres.Given(), follow: a.follow,
	}
	a.arrival = &arrival{
		db: a.db, engine: a.Engine, pump: a.Pump, log: a.Log, now: a.Now, ways: &a.ways, drills: a.drills, metrics: a.metrics,
	}
	a.pulse = &pulse{
		ways: &a.ways, pump: a.Pump, paging: a.arrival.standing, log: a.Log, metrics: a.metrics, worked: make(chan struct{}, 1),
	}
	a.Desk = slack.NewDesk(slack.DeskConfig{Backend: backend{a}, Log: a.Log}, a.ways.Load().doors)
}

// observe hands a tick on: to the metrics, to those who work after every tick (who is still at it
// makes one round for several), and to the heartbeat.
func (a *Daemon) observe(next func(engine.Summary)) func(engine.Summary) {
	return func(s engine.Summary) {
		next(s)
		select {
		case a.ticked <- struct{}{}:
		default:
		}
		a.pulse.observe(s)
	}
}

// sayDamage logs what is missing in the store, or cannot be read.
func (a *Daemon) sayDamage(snap store.Snapshot) {
	if !snap.Lost.IsZero() {
		why := "its write-ahead log was cut or lost, or an older copy was put in its place; what Prometheus still has is decided again"
		if a.cfg.Load().Postgres.Given() {
			why = "a server has taken over that lagged, or an older copy was restored; what Prometheus still has is decided again, and pages of that time are looked for before they are sent"
		}
		a.Log.Error("the store ends before what was written to it: "+why, "store", a.db.Path(), "ends", snap.LastTick, "written", snap.Lost)
	}
	for id, i := range snap.Open {
		if i.Damaged {
			a.Log.Error("the record of an open incident cannot be read; it goes on without its past", "incident", id)
		}
	}
}

// OpenStore opens the store that a configuration names.
func OpenStore(ctx context.Context, cfg config.Config, o store.Options) (*store.DB, error) {
	if !cfg.Postgres.Given() {
		return store.Open(cfg.StorePath, o)
	}
	address, err := cfg.Postgres.Read()
	if err != nil {
		return nil, err
	}
	return store.OpenPostgres(ctx, address, o)
}

// sharedAttempt is the longest that a delivery takes where others may send too: the next leader
// looks up what this one has begun only after it.
const sharedAttempt = 5 * time.Second

// delivery returns how the pump works: on a shared store, only as long as this daemon leads.
func (a *Daemon) delivery() outbox.Options {
	o := outbox.Options{Logger: a.Log, Now: a.Now, Clock: a.Clock}
	if a.cfg.Load().Postgres.Given() {
		o.Attempt, o.Lease = sharedAttempt, a.leadsUntil
	}
	return o
}

// Store returns where the store is, without secrets.
func (a *Daemon) Store() string { return a.db.Path() }

// NewClient makes the client of the Prometheus that a configuration names. It connects to nothing.
func NewClient(p config.Prometheus) (*prom.Client, error) {
	return prom.NewClient(prom.ClientOptions{
		URL: p.URL, HTTP: p.HTTP, Timeout: p.Timeout, Concurrency: p.Concurrency, UserAgent: "slowburn/" + version.Version,
	})
}

// Run runs the daemon until ctx ends: it stops listening, lets the turn and the sends in flight
// finish, and closes the store last.
func (a *Daemon) Run(ctx context.Context) error {
	var g oklog.Group
	actor := func(f func(context.Context) error) {
		ctx, cancel := context.WithCancel(ctx)
		g.Add(func() error { return f(ctx) }, func(error) { cancel() })
	}
	actor(func(ctx context.Context) error { <-ctx.Done(); return nil })
	actor(a.takeTurns)
	actor(func(ctx context.Context) error { a.db.Listen(ctx, a.inbox.heard.ring); return nil })
	actor(func(ctx context.Context) error { return web.Serve(ctx, a.Listener, a.web, a.WebConfig, a.Log) })
	actor(a.watchHangup)
	actor(a.auditor.run)
	actor(a.Desk.Run)
	err := g.Run()
	a.flush(context.WithoutCancel(ctx))
	return errors.Join(err, a.Close())
}

// flushFor bounds how long a stop waits for a store that refused to be written.
const flushFor = 5 * time.Second

// flush writes down what only memory has, because the store could not be written, as far as it can
// be now; the log says what is lost.
func (a *Daemon) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushFor)
	defer cancel()
	if err := a.Engine.Flush(ctx); err != nil {
		a.Log.Error("what was decided while the store could not be written is lost; it is decided again", "err", err)
	}
	if err := a.Pump.Flush(ctx); err != nil {
		a.Log.Error("what was sent while the store could not be written is not known to the next process", "err", err)
	}
}

// Close gives up what is still being read, and closes the store.
func (a *Daemon) Close() error {
	a.reader.Close()
	return a.db.Close()
}

// Reload reads the configuration and the SLO files again. If anything is wrong with them,
// everything stays as it is and the metric says so.
func (a *Daemon) Reload(ctx context.Context) error { return a.reloadFor(ctx, "") }

// reloadFor reloads for somebody whose identity was proven, which the audit log then has; "" is
// nobody.
func (a *Daemon) reloadFor(ctx context.Context, who string) error {
	before := a.Engine.Snapshot().Set
	waiting, err := a.tryReload(ctx)
	if err != nil {
		a.reload.failed()
		a.Log.Error("reload failed; the old configuration stays", "err", err)
		return err
	}
	a.reload.good(a.Clock(), waiting)
	a.Log.Info("reloaded", "slos", len(a.Engine.Snapshot().Set.Specs))
	if len(waiting) > 0 {
		a.Log.Warn("a change of some keys needs a restart", "keys", strings.Join(waiting, ", "))
	}
	if after := a.Engine.Snapshot(); !after.Standby {
		a.recordConfig(ctx, before, after.Set, who)
	}
	return nil
}

// tryReload takes the files up, or changes nothing. It returns the keys whose changes take effect
// after a restart.
func (a *Daemon) tryReload(ctx context.Context) (waiting []string, err error) {
	if a.ConfigFile == "" {
		return nil, errors.New("there is no configuration file to read")
	}
	cfg, set, err := config.LoadAll(a.ConfigFile)
	if err != nil {
		return nil, err
	}
	cfg, waiting = cfg.StoredIn(a.Storage).TakenUp(*a.cfg.Load())
	schedules, channels := cfg.Schedules()
	w, err := a.newWays(cfg)
	if err != nil {
		return nil, err
	}
	tokens, err := openTokens(cfg.Web, a.Getenv(WriteTokenEnv), a.Log)
	if err != nil {
		return nil, err
	}
	if err := a.Engine.Reload(ctx, engine.Terms{Set: set, Policy: cfg.Policy, Reports: schedules, ReportChannels: channels, Composer: w}, a.Clock()); err != nil {
		return nil, err
	}
	a.cfg.Store(&cfg)
	a.ways.Store(w)
	a.tokens.Store(&tokens)
	a.Pump.SetReceivers(w.reached)
	a.Desk.SetDoors(w.doors)
	return waiting, nil
}

// good notes that files were taken up at a time, but for some keys that wait for a restart.
func (r *reloadState) good(at time.Time, waiting []string) {
	r.Store(&api.Reloaded{OK: true, At: new(at.UTC().Truncate(time.Second)), Waiting: waiting})
}

// failed notes that the newest files were refused; those before stay in force.
func (r *reloadState) failed() {
	before := *r.Load()
	before.OK = false
	r.Store(&before)
}

// Now returns our clock, corrected if the source's says otherwise: messages carry the source's
// time, and age by it.
func (a *Daemon) Now() time.Time { return a.Engine.Corrected(a.Clock()) }

// handler returns everything that is served over HTTP.
func (a *Daemon) handler(registry *prometheus.Registry) http.Handler {
	return web.New(web.Options{
		Source: a.Engine, Archive: a.db, Now: a.Clock, Interval: TickEvery, Paging: a.arrival.standing,
		MaxLateness: a.cfg.Load().Prometheus.MaxLateness, Lag: a.Lag,
		Postmortem: a.Archive.review,
		Report:     a.report,
		Register:   a.Archive.register,
		Signals:    a.witness.signals,
		Slack:      a.Desk.Handler(),
		Do:         a.inbox.do,
		Audit:      a.auditor.standing.Load,
		Drill:      a.inbox.drill,
		Answer:     a.inbox.answer,
		WaitsFor:   a.waitsFor,
		Reviews:    func() []postmortem.Review { return a.Keeper.Reviews() },
		Reload:     a.reloadFor, Reloaded: func() api.Reloaded { return *a.reload.Load() }, Registry: registry,
		Version: version.Version, ExternalURL: a.ExternalURL, Tokens: a.currentTokens, Trust: a.trust, Login: a.login, Log: a.Log,
	})
}

// report builds the report of any period, for one that was never sent.
func (a *Daemon) report(ctx context.Context, name, period string) (store.Report, bool, error) {
	p, err := report.ParsePeriod(period)
	if err != nil {
		return store.Report{}, false, nil
	}
	if known, err := namesReport(ctx, a.db, a.cfg.Load().Reports, name); !known {
		return store.Report{}, false, err
	}
	return a.Engine.MakeReport(ctx, name, p, a.Clock())
}

// namesReport reports whether a report has a name: the usual one, one that is scheduled, or one
// that was sent.
func namesReport(ctx context.Context, db *store.DB, scheduled []config.Report, name string) (bool, error) {
	if name == report.DefaultName || slices.ContainsFunc(scheduled, func(r config.Report) bool { return r.Name == name }) {
		return true, nil
	}
	sent, err := db.Reports(ctx, name, 1)
	return name != "" && len(sent) > 0, err
}

// skewOf asks the source what time it is, beside our own clock.
func skewOf(client *prom.Client, clock func() time.Time) func(context.Context, time.Time) (time.Duration, *prom.Error) {
	return func(ctx context.Context, _ time.Time) (time.Duration, *prom.Error) {
		skew, _, err := client.ClockSkew(ctx, clock)
		return skew, err
	}
}

// watchHangup reloads on SIGHUP.
func (a *Daemon) watchHangup(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			_ = a.Reload(ctx) // logged and shown by the metric
		}
	}
}

// NewLogger makes the logger of a program of the house. Level and format are as the flags have
// them, in the words of promslog; what they do not allow is ignored.
func NewLogger(w io.Writer, level, format string) *slog.Logger {
	l := promslog.NewLevel()
	_ = l.Set(level)
	f := promslog.NewFormat()
	_ = f.Set(format)
	return promslog.New(&promslog.Config{Level: l, Format: f, Writer: w})
}

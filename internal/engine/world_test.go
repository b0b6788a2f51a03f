package engine_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// t0 is when the tests' worlds begin: a Monday, at a whole hour.
var t0 = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

// channel is where everything is said.
const channel = "#reliability"

// world is slowburn as it is deployed, with a Prometheus and a Slack around it that speak HTTP, on
// clocks that move only when the test says so. The clock of Prometheus, of Slack and of the
// services is the true one; the daemon's may be off by wrong.
type world struct {
	t     testing.TB
	at    atomic.Int64 // true time, nanoseconds
	wrong time.Duration

	db       *promfake.DB
	srv      *promfake.Server
	services []*service
	filled   time.Time
	slack    *slacktest.Server
	web      *http.Client // to Slack

	set     *slo.Set
	reports []report.Schedule
	path    string // of the store

	// point, if set, is asked at every step that touches the disk or Slack; its error is the
	// step's.
	point func(name string) error
	dead  bool // killed: nothing happens any more until revive

	ticking chan struct{} // closed when the tick ends that tickUntil has left

	within time.Duration // bounds each question and each message; zero is 20 s

	looks bool                                                     // evidence is gathered after each tick
	finds func(context.Context, evidence.Request) ranking.Evidence // nil finds that there is too little to say

	client *prom.Client
	store  *store.DB
	reader *prom.Reader
	pump   *outbox.Pump
	engine *engine.Engine
}

// service is a counter of all and of bad requests, scraped every half minute.
type service struct {
	name  string
	load  func(budget.Minute) (good, bad int) // events between two scrapes
	down  func(budget.Minute) bool            // nobody scrapes it; nil is never
	truth map[budget.Minute]budget.Sum
	good  *promfake.Series
	bad   *promfake.Series
	sums  [2]int
}

// steady is a load without failures.
func steady(n int) func(budget.Minute) (int, int) {
	return func(budget.Minute) (int, int) { return n, 0 }
}

// outage fails every request in [from, to), counted in minutes since t0.
func outage(n int, spans ...[2]int) func(budget.Minute) (int, int) {
	return func(m budget.Minute) (int, int) {
		for _, s := range spans {
			if at := int(m - budget.MinuteOf(t0)); at >= s[0] && at < s[1] {
				return 0, n
			}
		}
		return n, 0
	}
}

// promise is an SLO over a service: 99 %, a page above a fifth bad over ten minutes and over two.
// The windows are short so that a story is.
func promise(name string) *slo.Spec {
	objective, err := slo.ParseObjective("99")
	if err != nil {
		panic(err)
	}
	return &slo.Spec{
		Service: name, Name: "availability", Description: "Requests are answered.", Objective: objective,
		Windows: []slo.Window{{Rolling: 28 * slo.Day}},
		SLI: slo.Indicator{
			Kind:  slo.Events,
			Total: query(`requests_total{job="` + name + `"}`),
			Bad:   query(`requests_total{job="` + name + `",code="500"}`),
		},
		Alerts: slo.Alerts{
			Page:         []slo.Pair{{Budget: 50, Long: 10 * time.Minute, Short: 2 * time.Minute}},
			NoData:       10 * time.Minute,
			Significance: true,
		},
	}
}

func query(text string) *slo.Query {
	q, err := slo.ParseQuery(text)
	if err != nil {
		panic(err)
	}
	return q
}

// newWorld has an hour of samples before t0 and a daemon that has not ticked yet.
func newWorld(t testing.TB, specs []*slo.Spec, services ...*service) *world {
	t.Helper()
	return newWorldAt(t, t0, nil, specs, services...)
}

// newWorldAt begins at another time, and with reports.
func newWorldAt(t testing.TB, start time.Time, reports []report.Schedule, specs []*slo.Spec, services ...*service) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "slowburn.db"), set: slo.NewSet(specs, nil, nil), reports: reports, filled: start.Add(-time.Hour)}
	w.at.Store(start.UnixNano())
	w.db = promfake.New(promfake.Options{Now: w.now})
	var err error
	if w.srv, err = promfake.Start(w.db.Handler()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.srv.Close() })
	w.slack = slacktest.Start(slacktest.Options{Now: w.now, Unpaced: true})
	t.Cleanup(w.slack.Close)
	w.web = &http.Client{Transport: &http.Transport{}}
	t.Cleanup(w.web.CloseIdleConnections)
	for _, s := range services {
		w.add(s)
	}
	w.fill()
	w.open()
	t.Cleanup(w.close)
	return w
}

// oneService is the usual world: one service, one SLO.
func oneService(t testing.TB, load func(budget.Minute) (int, int)) *world {
	t.Helper()
	return newWorld(t, []*slo.Spec{promise("shop")}, &service{name: "shop", load: load})
}

func (w *world) add(s *service) {
	series := func(code string) *promfake.Series {
		return w.db.Series(labels.FromStrings("__name__", "requests_total", "job", s.name, "instance", "1", "code", code))
	}
	s.good, s.bad, s.truth = series("200"), series("500"), map[budget.Minute]budget.Sum{}
	w.services = append(w.services, s)
}

// now is the true time.
func (w *world) now() time.Time { return time.Unix(0, w.at.Load()).UTC() }

// daemonNow is what the daemon's machine takes for the time.
func (w *world) daemonNow() time.Time { return w.now().Add(w.wrong) }

// fill lets time pass for the services, up to now.
func (w *world) fill() {
	for ; w.filled.Before(w.now()); w.filled = w.filled.Add(30 * time.Second) {
		for _, s := range w.services {
			s.scrape(w.t, w.filled.Add(11*time.Second))
		}
	}
}

func (s *service) scrape(t testing.TB, at time.Time) {
	m := budget.MinuteOf(at)
	good, bad := s.load(m)
	s.sums[0], s.sums[1] = s.sums[0]+good, s.sums[1]+bad
	if s.sums != [2]int{good, bad} { // the first sample is a position; what came before it is not known
		sum := s.truth[m]
		sum.Bad, sum.Total = sum.Bad+int64(bad)*budget.Unit, sum.Total+int64(good+bad)*budget.Unit
		s.truth[m] = sum
	}
	if s.down != nil && s.down(m) {
		return
	}
	if err := errors.Join(s.good.InsertLate(at.UnixMilli(), float64(s.sums[0])), s.bad.InsertLate(at.UnixMilli(), float64(s.sums[1]))); err != nil {
		t.Fatal(err)
	}
}

// open starts the daemon from its store.
func (w *world) open() {
	w.t.Helper()
	var err error
	w.client, err = prom.NewClient(prom.ClientOptions{
		URL: w.srv.URL, Timeout: cmp.Or(w.within, 20*time.Second),
		HTTP: config.HTTPClientConfig{Authorization: &config.Authorization{Type: "Bearer", Credentials: "secret"}, FollowRedirects: true},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.store, err = store.Open(w.path, store.Options{CheckFor: -1, Fault: func(op string) error { return w.reach("store " + op) }}); err != nil {
		w.t.Fatal(err)
	}
	snap, err := w.store.Load(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	w.reader = prom.New(w.client, prom.Options{})
	w.reader.Restore(snap.Marks)
	client, err := slack.New(slack.Config{Token: slack.Secret(w.slack.Token), APIURL: w.slack.APIURL(), HTTP: w.web})
	if err != nil {
		w.t.Fatal(err)
	}
	receiver := &receiver{Client: client, w: w}
	quick := outbox.Pace{Every: time.Millisecond, Burst: 100}
	w.pump = outbox.NewPump(w.store, map[string]outbox.Receiver{"slack": receiver}, outbox.Options{
		Post: quick, Edit: quick, Find: quick, Attempt: cmp.Or(w.within, 20*time.Second),
	})
	w.engine = engine.New(engine.Options{
		Source: w.reader, Store: w.store, Composer: voice{slack: slack.Composer{Channel: channel}},
		Log: slog.New(slog.NewTextHandler(w, nil)), Reports: w.reports,
		Skew:     w.skew,
		Owe:      w.pump.Owe,
		Sampled:  w.client.Sampled,
		Evidence: w.evidence,
	}, w.set, snap)
}

// evidence stands in for the questions to Prometheus, which package evidence tests.
func (w *world) evidence(ctx context.Context, r evidence.Request) ranking.Evidence {
	if w.reach("evidence") != nil || w.finds == nil {
		return ranking.Evidence{Incident: r.Incident, Kind: r.Kind, Onset: r.Onset, At: r.At, Burns: ranking.Ranking{Verdict: ranking.TooFew}}
	}
	return w.finds(ctx, r)
}

func (w *world) skew(ctx context.Context, now time.Time) (time.Duration, *prom.Error) {
	skew, _, err := w.client.ClockSkew(ctx, func() time.Time { return now })
	return skew, err
}

func (w *world) close() {
	if w.store != nil {
		if err := w.store.Close(); err != nil {
			w.t.Error(err)
		}
		w.reader.Close()
		w.client.CloseIdle()
		w.store = nil
	}
}

// restart stops the daemon in good order and starts it again. As package daemon does, it writes
// down what it can; on a full disk that is nothing.
func (w *world) restart() {
	w.t.Helper()
	_ = w.engine.Flush(context.Background())
	_ = w.pump.Flush(context.Background())
	w.close()
	w.open()
}

// hangs makes questions and messages end soon where nothing will answer, from a restart on.
func (w *world) hangs(yes bool) {
	if yes {
		w.within = 300 * time.Millisecond
		w.restart()
	}
}

// errDead is what a killed process hears from everything.
var errDead = errors.New("killed")

// reach is called at every step that the test may want to fail.
func (w *world) reach(name string) error {
	if w.dead {
		return errDead
	}
	if w.point != nil {
		return w.point(name)
	}
	return nil
}

// kill ends the process as kill -9 does at this very moment: what is on the disk is what revive
// finds.
func (w *world) kill() {
	w.dead = true
	w.path = w.copyDisk()
}

// copyDisk copies what is on the disk at this very moment and returns where it is.
func (w *world) copyDisk() string {
	to := filepath.Join(w.t.TempDir(), filepath.Base(w.path))
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(w.path + suffix)
		if err == nil {
			err = os.WriteFile(to+suffix, data, 0o600)
		}
		if err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
	}
	return to
}

// revive starts the daemon from what kill has left.
func (w *world) revive() {
	w.t.Helper()
	w.close()
	w.dead = false
	w.open()
}

// receiver is the way to Slack, with points before and after the call.
type receiver struct {
	*slack.Client
	w *world
}

func (l *receiver) Deliver(ctx context.Context, o outbox.Owed, root outbox.Receipt) (outbox.Receipt, error) {
	if err := l.w.reach("slack before"); err != nil {
		return outbox.Receipt{}, &outbox.Failure{Class: outbox.Retry, Reason: "not sent"}
	}
	r, err := l.Client.Deliver(ctx, o, root)
	if err2 := l.w.reach("slack after"); err2 != nil {
		return outbox.Receipt{}, &outbox.Failure{Class: outbox.Ambiguous, Reason: "nobody knows"}
	}
	return r, err
}

// step is a minute of life: time passes, the daemon ticks, what is owed is sent.
func (w *world) step() engine.Summary {
	w.t.Helper()
	w.pass(time.Minute)
	sum := w.engine.Tick(context.Background(), w.daemonNow())
	w.look()
	if !w.dead {
		w.deliver()
	}
	return sum
}

// Write takes the lines of the log. The program fails only for the service that a test breaks on
// purpose.
func (w *world) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`msg="panic`)) && !bytes.Contains(line, []byte("slo=broken/")) {
		w.t.Errorf("the program has failed: %s", line)
	}
	return len(line), nil
}

// look gathers evidence if this world does.
func (w *world) look() {
	if w.looks && !w.dead {
		w.engine.Gather(context.Background(), w.daemonNow)
	}
}

// steps lives for n minutes.
func (w *world) steps(n int) {
	w.t.Helper()
	for range n {
		w.step()
	}
}

// pass lets time pass while the daemon does nothing. The seconds of the minute are those of a tick.
func (w *world) pass(d time.Duration) {
	w.at.Store(w.now().Truncate(time.Minute).Add(d + 42*time.Second).UnixNano())
	w.fill()
}

// deliver gives the outbox half a minute.
func (w *world) deliver() {
	w.t.Helper()
	for range 5 {
		sum, err := w.pump.Pass(context.Background(), w.engine.Corrected(w.daemonNow()))
		if w.dead || err != nil {
			return
		}
		waiting := 0
		for _, n := range sum.Waiting {
			waiting += n
		}
		if waiting == 0 {
			return
		}
		w.at.Add(int64(6 * time.Second))
	}
}

// incidents is everything in the store, oldest first.
func (w *world) incidents() []alerting.Incident {
	w.t.Helper()
	all, err := w.store.Incidents(context.Background(), store.IncidentFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// burns is the incidents that are about errors, not about data.
func (w *world) burns() []alerting.Incident {
	w.t.Helper()
	var out []alerting.Incident
	for _, i := range w.incidents() {
		if i.Rule != alerting.RuleNoData {
			out = append(out, i)
		}
	}
	return out
}

// roots is the visible text of the channel's root messages, oldest first.
func (w *world) roots() []string {
	var out []string
	for _, m := range w.slack.State().Roots(channel) {
		out = append(out, m.Text)
	}
	return out
}

// rootsWith is the root messages whose sentence has all the words.
func (w *world) rootsWith(words ...string) []slacktest.Message {
	var out []slacktest.Message
next:
	for _, m := range w.slack.State().Roots(channel) {
		for _, word := range words {
			if !strings.Contains(m.Text, word) {
				continue next
			}
		}
		out = append(out, m)
	}
	return out
}

// pending is what is still owed.
func (w *world) pending() []outbox.Owed {
	w.t.Helper()
	all, err := w.store.Outbox(context.Background(), store.OutboxFilter{State: outbox.Pending})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// checkBudgets compares every ledger with what really happened, to the event, over the minutes from
// the ledger's beginning to its end.
func (w *world) checkBudgets() {
	w.t.Helper()
	for _, s := range w.services {
		id := slo.ID(s.name + "/availability")
		found := w.engine.Snapshot().WithLedger(id, func(_ *slo.Spec, l *budget.Ledger) {
			var want budget.Sum
			first := firstSeen(l)
			for m := first; m < l.End(); m++ {
				want.Bad += s.truth[m].Bad
				want.Total += s.truth[m].Total
			}
			got := l.Sum(first, l.End())
			if got.Bad != want.Bad || got.Total != want.Total {
				w.t.Errorf("%s from %s to %s: %d of %d, truth %d of %d", id, first.Time(), l.End().Time(), got.Bad, got.Total, want.Bad, want.Total)
			}
		})
		if !found {
			w.t.Errorf("there is no ledger of %s", id)
		}
	}
}

// firstSeen is the first minute of a ledger that was read.
func firstSeen(l *budget.Ledger) budget.Minute {
	first := l.End()
	l.Each(l.First(), l.End(), func(m budget.Minute, s budget.Slot) bool {
		first = m
		return s.State == budget.Unseen
	})
	return first
}

// checkOncePerKey fails if any message stands in the channel twice.
func (w *world) checkOncePerKey() {
	w.t.Helper()
	st := w.slack.State()
	seen := map[string]int{}
	for _, m := range st.All(channel) {
		if m.Metadata != nil && !m.Deleted {
			seen[fmt.Sprint(m.Metadata.Payload["key"])]++
		}
	}
	for key, n := range seen {
		if n > 1 {
			w.t.Errorf("%s was sent %d times", key, n)
		}
	}
}

// voice is the composer of the daemon, without what only people need.
type voice struct{ slack slack.Composer }

// Event makes the messages about an event.
func (v voice) Event(t incidents.Notification, shown outbox.Shown) []outbox.Entry {
	return v.slack.Event(notify.Facts{Notification: t, Target: notify.Target{Shown: shown}})
}

// Together reports whether budgets are told of in one channel.
func (v voice) Together(a, b alerting.Input) bool {
	return a.Spec.Slack.Channel == b.Spec.Slack.Channel
}

// Act makes the messages about an act.
func (v voice) Act(d incidents.Done) []outbox.Entry { return v.slack.Act(d, notify.Target{}) }

func (voice) TellsEach(alerting.Act) bool { return false }

// Evidence makes the messages about what was found out.
func (v voice) Evidence(t incidents.Notification) []outbox.Entry {
	return v.slack.Evidence(notify.Facts{Notification: t})
}

// Report makes the messages of a report.
func (v voice) Report(r report.Report, _ string, now time.Time) []outbox.Entry {
	return slack.ComposeReport(slack.Report{Composer: v.slack, Summary: r.Summary()}, now)
}

// Notice makes the messages about the source.
func (v voice) Notice(n engine.Notice) []outbox.Entry {
	says := ""
	if n.SLO != "" {
		says = string(n.SLO) + " has " + n.Text
	}
	return slack.ComposeNotice(slack.Notice{
		Composer: v.slack, Says: says, Kind: string(n.Kind[:4]), Title: "Prometheus", Reason: n.Text, Since: n.Since, At: n.At,
		Over: n.Kind == engine.SourceBack || n.Kind == engine.SLOsSee,
	}, n.At)
}

// Permit makes the messages about those who let a release pass.
func (v voice) Permit(p incidents.Permit) []outbox.Entry {
	return v.slack.Permit(p, p.Notify.Channel)
}

func specsOf(specs ...*slo.Spec) []*slo.Spec { return specs }

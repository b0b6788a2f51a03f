package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/web"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/drills"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// wired is a daemon whose engine has an open incident and owes its page, with a Slack beside it and
// a receiver for everything else that the configuration names.
type wired struct {
	*Daemon
	slack *slacktest.Server
	other *notifytest.Receiver
	at    time.Time
}

const oncall = "#payments-oncall"

// wire starts one. Its SLO pages into [oncall]; "#reliability" is the default channel.
func wire(t *testing.T, text string) *wired {
	t.Helper()
	return wireOn(t, text, nil)
}

// wireOn starts one on a disk that fails as it is told to.
func wireOn(t *testing.T, text string, fault func(string) error) *wired {
	t.Helper()
	w := &wired{at: notifytest.Story("", false)[0].Event.Time()}
	w.slack = slacktest.Start(slacktest.Options{
		Now:      func() time.Time { return w.at },
		Channels: []slacktest.Channel{{Name: "payments-oncall", Joined: true}, {Name: "reliability", Joined: true}},
	})
	t.Cleanup(w.slack.Close)
	w.other = notifytest.NewReceiver(t, nil)
	text = w.config(text)
	w.Daemon = openStoryIn(t, text, t.TempDir()+"/slowburn.db", fault)
	w.Clock = func() time.Time { return w.at }
	w.Getenv = func(string) string { return "" }
	w.local = []web.Token{web.NewToken(config.LocalToken, web.AllRights, nil, memberToken)}
	w.wireUp(t, text)
	return w
}

// config is a configuration in which everything goes to everybody that the rest names.
func (w *wired) config(rest string) string {
	to := "slack"
	for _, kind := range []string{"pagerduty", "webhook", "alertmanager"} {
		if strings.Contains(rest, kind) {
			to += ", " + kind
		}
	}
	return "slack: {channel: \"#reliability\"}\nroutes: [{to: [" + to + "], channel: \"" + oncall + "\"}]\n" + strings.ReplaceAll(rest, "OTHER", w.other.URL)
}

// wireUp connects what openStory has left open; it does so again as after a restart.
func (w *wired) wireUp(t *testing.T, text string) {
	t.Helper()
	client, err := slack.New(slack.Config{Token: slack.Secret(w.slack.Token), APIURL: w.slack.APIURL(), Fallback: "#reliability"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := parsed(t, text)
	beside := made(t, cfg)
	reached := map[string]outbox.Receiver{config.SlackReceiver: client}
	for name, r := range beside {
		reached[name] = r
	}
	w.ways.Store(&ways{composer: newComposer(cfg, beside, "", true, true), fallback: cfg.Fallback, drill: cfg.Drill, reached: reached})
	w.Pump = outbox.NewPump(w.db, reached, outbox.Options{Find: outbox.Pace{Every: time.Millisecond, Burst: 100}})
	w.connect()
	snap, err := w.db.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	w.arrival.recall(snap.Facts)
	w.drills.recall(snap.Facts, w.at)
}

// pass lets a minute go by n times, and does what the daemon does meanwhile.
func (w *wired) pass(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, err := w.Pump.Pass(t.Context(), w.at); err != nil {
			t.Fatal(err)
		}
		w.arrival.ask(t.Context())
		if err := w.arrival.tellDeaf(t.Context(), w.at); err != nil {
			t.Fatal(err)
		}
		w.at = w.at.Add(time.Minute)
	}
}

// get asks the daemon's own server.
func (w *wired) get(t *testing.T, path string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	r.Host = "127.0.0.1"
	rec := httptest.NewRecorder()
	w.handler(prometheus.NewRegistry()).ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// notices returns the messages of a channel that are about ways.
func (w *wired) notices(channel string) (all []string) {
	for _, m := range w.slack.Messages(channel) {
		if strings.Contains(m.Text, "takes") {
			all = append(all, m.Text)
		}
	}
	return all
}

// TestAChannelThatRefusesPagesIsUnhealthy: Slack refuses one channel. Health, readiness, metrics,
// API and pages say what is so, people hear of it once where Slack still works, over a restart too,
// and all is well again when the channel is.
func TestAChannelThatRefusesPagesIsUnhealthy(t *testing.T) {
	w := wire(t, "")
	w.Engine.Tick(t.Context(), w.at)
	if code, body := w.get(t, "/-/healthy"); code != http.StatusOK {
		t.Fatalf("before: %d %s", code, body)
	}
	w.slack.SetArchived("payments-oncall", true)
	w.pass(t, 1)
	code, body := w.get(t, "/-/healthy")
	if want := "Pages do not arrive at slack #payments-oncall since 2026-11-23 12:"; code != http.StatusServiceUnavailable || !strings.HasPrefix(body, want) || !strings.Contains(body, "misconfigured: ") {
		t.Errorf("/-/healthy: %d %s", code, body)
	}
	if code, body := w.get(t, "/-/ready"); code != http.StatusOK {
		t.Errorf("/-/ready: %d %s", code, body)
	}
	for path, want := range map[string]string{
		"/metrics":       `slowburn_receiver_up{channel="#payments-oncall",receiver="slack"} 0`,
		"/api/v1/status": `"state":"down"`,
		"/status":        "slack #payments-oncall",
		"/":              "Slowburn is not well.",
	} {
		if code, body := w.get(t, path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, without %q:\n%s", path, code, want, body)
		}
	}
	if all := w.notices("#reliability"); len(all) != 0 {
		t.Errorf("a hiccup is told: %q", all)
	}
	w.pass(t, 6)
	if all := w.notices("#reliability"); len(all) != 1 || !strings.Contains(all[0], "📵 Pages do not arrive: slack #payments-oncall takes no pages since") {
		t.Errorf("told: %q", all)
	}
	w.wireUp(t, w.config("")) // a restart
	w.ways.Load().heartbeat = heartbeat{"https://beat.example.com", time.Minute}
	w.pulse.observe(engine.Summary{})
	if len(w.pulse.worked) != 0 {
		t.Error("the heartbeat says that all is well")
	}
	if p := w.arrival.standing(); p.OK {
		t.Error("a restart has forgotten that a channel is down")
	}
	w.pass(t, 6)
	if all := w.notices("#reliability"); len(all) != 1 {
		t.Errorf("a restart tells it again: %q", all)
	}
	w.slack.SetArchived("payments-oncall", false)
	w.pass(t, 7)
	w.Engine.Tick(t.Context(), w.at)
	if code, body := w.get(t, "/-/healthy"); code != http.StatusOK {
		t.Errorf("afterwards: %d %s", code, body)
	}
	back := 0
	for _, text := range w.notices("#reliability") {
		if strings.Contains(text, "takes pages again") {
			back++
		}
	}
	if back != 2 { // the message and the reply
		t.Errorf("told: %q", w.notices("#reliability"))
	}
}

// TestThatPagesDoNotArriveIsToldOnAFullDisk: the notice goes out though nothing can be written
// down, once, and is known after a restart when it can be again.
func TestThatPagesDoNotArriveIsToldOnAFullDisk(t *testing.T) {
	full := false
	w := wireOn(t, "", func(string) error {
		if full {
			return syscall.ENOSPC
		}
		return nil
	})
	w.pass(t, 2)
	full = true
	w.slack.SetArchived("payments-oncall", true)
	for range 8 {
		_, _ = w.Pump.Pass(t.Context(), w.at)
		w.arrival.ask(t.Context())
		if err := w.arrival.tellDeaf(t.Context(), w.at); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		w.at = w.at.Add(time.Minute)
	}
	if all := w.notices("#reliability"); len(all) != 1 || !strings.Contains(all[0], "📵 Pages do not arrive: slack #payments-oncall takes no pages since") {
		t.Errorf("told: %q", all)
	}
	full = false
	check(t, w.Engine.Flush(t.Context()))
	w.pass(t, 1)
	w.wireUp(t, w.config("")) // a restart
	if p := w.arrival.standing(); p.OK {
		t.Error("a restart does not know that a channel is down")
	}
	w.pass(t, 6)
	if all := w.notices("#reliability"); len(all) != 1 {
		t.Errorf("a restart tells it again: %q", all)
	}
}

// TestARevokedTokenIsSeenBeforeAPage: nothing is owed, and Slack takes the token no more. Another
// receiver hears of it.
func TestARevokedTokenIsSeenBeforeAPage(t *testing.T) {
	w := wire(t, "pagerduty: {routing_key_file: k, url: OTHER}\n")
	w.pass(t, 2)
	sent := len(w.other.Got())
	w.slack.RevokeToken(w.slack.Token)
	w.pass(t, 7)
	if p := w.arrival.standing(); p.OK || len(p.Destinations) != 2 || p.Destinations[0].State != api.DestinationUp || p.Destinations[1].Reason != "misconfigured: token_revoked" {
		t.Errorf("%+v", p)
	}
	got := w.other.Got()[sent:]
	if len(got) != 1 || !strings.Contains(string(got[0].Body), "Pages do not arrive: slack #payments-oncall takes no pages") || !strings.Contains(string(got[0].Body), `"trigger"`) {
		t.Errorf("the pager has heard %s", got)
	}
	w.slack.SetToken(w.slack.Token, "chat:write", "channels:read", "channels:history", "groups:read")
	w.pass(t, 2)
	if got = w.other.Got()[sent:]; len(got) != 2 || !strings.Contains(string(got[1].Body), `"resolve"`) || !w.arrival.standing().OK {
		t.Errorf("the pager has heard %s", got)
	}
}

// TestWhatIsPutRightTakesPagesAtOnce: pages that wait since Slack took the token no more go out
// with the first answer that it takes it again, not when their next try would have come.
func TestWhatIsPutRightTakesPagesAtOnce(t *testing.T) {
	w := wire(t, "")
	w.pass(t, 1)
	page := w.ways.Load().Event(w.Engine.Open(w.at)[0], nil)[0]
	page.Key, page.Thread = page.Key+"/another", page.Thread+"/another"
	check(t, w.db.Commit(t.Context(), store.Tick{At: w.at, Owed: []outbox.Entry{page}}))
	w.slack.RevokeToken(w.slack.Token)
	w.pass(t, 1)
	w.slack.SetToken(w.slack.Token, "chat:write", "channels:read", "channels:history", "groups:read")
	w.pass(t, 2)
	if roots := w.slack.State().Roots("payments-oncall"); len(roots) != 2 {
		t.Errorf("two minutes later there are %d pages; waiting: %+v", len(roots), ok(w.Pump.Pending(t.Context(), w.at))(t))
	}
}

// TestAReceiverThatIsGoneIsSeenBeforeAPage: nothing is owed, and nobody answers where PagerDuty is.
// Health, metrics and API say so, and Slack hears of it; that somebody answers again ends it. What
// was refused is not taken for mended because somebody answers.
func TestAReceiverThatIsGoneIsSeenBeforeAPage(t *testing.T) {
	for _, kind := range []string{"pagerduty: {routing_key_file: k, url: OTHER}\n", "webhooks: [{url: OTHER}]\n"} {
		w := wire(t, kind)
		w.Engine.Tick(t.Context(), w.at)
		w.pass(t, 2)
		if p := w.arrival.standing(); !p.OK || len(p.Destinations) != 2 {
			t.Fatalf("before: %+v", p)
		}
		w.other.SetGone(true)
		w.pass(t, 7)
		w.Engine.Tick(t.Context(), w.at)
		name := w.arrival.standing().Destinations[0].Receiver
		if name == config.SlackReceiver {
			name = w.arrival.standing().Destinations[1].Receiver
		}
		if code, body := w.get(t, "/-/healthy"); code != http.StatusServiceUnavailable || !strings.HasPrefix(body, "Pages do not arrive at "+name+" since 2026-11-23 12:") {
			t.Errorf("/-/healthy: %d %s", code, body)
		}
		for path, want := range map[string]string{
			"/metrics":       `slowburn_receiver_up{channel="",receiver="` + name + `"} 0`,
			"/api/v1/status": `"state":"down"`,
		} {
			if code, body := w.get(t, path); code != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: %d, without %q:\n%s", path, code, want, body)
			}
		}
		if all := append(w.notices("#reliability"), w.notices(oncall)...); len(all) != 1 || !strings.Contains(all[0], "Pages do not arrive: "+name+" takes no pages since") {
			t.Errorf("told: %q", all)
		}
		w.other.SetGone(false)
		w.pass(t, 2)
		if p := w.arrival.standing(); !p.OK {
			t.Errorf("afterwards: %+v", p)
		}
	}
}

// TestNobodyIsTold: without any receiver slowburn is meant to be looked at, and is well.
func TestNobodyIsTold(t *testing.T) {
	w := wire(t, "")
	w.ways.Store(&ways{composer: w.ways.Load().composer})
	if p := w.arrival.standing(); !p.OK || len(p.Destinations) != 0 {
		t.Errorf("%+v", p)
	}
}

// TestAStartKnowsWhatWasTold: that a channel takes no pages, and what the newest drill has proven,
// is known from the store, before anything is asked or sent.
func TestAStartKnowsWhatWasTold(t *testing.T) {
	path, way := t.TempDir()+"/slowburn.db", "slack "+oncall
	story := notifytest.Story("", false)[0].Event.Time()
	db := ok(store.Open(path, store.Options{}))(t)
	ok(db.Lead(t.Context(), nil))(t)
	check(t, db.Commit(t.Context(), store.Tick{Facts: map[string]string{
		factDeaf + way:  string(notify.JSON(notify.Told{Since: story.Add(-time.Hour), Reason: "misconfigured: is_archived"})),
		factDrill + way: string(notify.JSON(drills.Result{ID: "drill/x", At: story, LastProven: story})),
	}}))
	check(t, db.Close())
	cfg := ok(config.Parse("slowburn.yaml", []byte("prometheus: {url: 'http://127.0.0.1:9'}\nslos: [slos/]\nstore: {path: '"+path+"'}\nslack: {channel: '"+oncall+"'}\n")))(t)
	a := ok(New(t.Context(), cfg, slo.NewSet([]*slo.Spec{notifytest.Spec()}, nil, nil), Options{
		Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return story }, Every: time.Minute,
		Getenv: func(name string) string { return map[string]string{"SLACK_BOT_TOKEN": "xoxb-1"}[name] },
	}))(t)
	defer func() { check(t, a.Close()) }()
	if p := a.arrival.standing(); p.OK || len(p.Destinations) != 1 || p.Destinations[0].State != api.DestinationDown || p.Destinations[0].Drill == nil || p.Proven == 0 {
		t.Errorf("%+v", p)
	}
}

// TestEverybodyTellsThatPagesDoNotArrive: whoever leads has told it, and those that stand by say so
// by health, metrics and API, also the one that has led before; and that it is over. What a member
// has seen itself, while it led, is not held against what the others have seen since.
func TestEverybodyTellsThatPagesDoNotArrive(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := o.band.seat(o.seat)
	o.until("the first leads", first.leads)
	first.Pump.Reach.Recall("slack", oncall, "misconfigured: is_archived", o.now(), o.now()) // and it is mended later
	depose := first.term.Load().Resign
	second := o.band.seat(o.seat)
	depose()
	holds := func(m *member) bool { return m.leadsUntil().After(time.Now()) }
	o.until("one of them leads", func() bool { return holds(first) || holds(second) })
	leader, other := first, second
	if holds(second) {
		leader, other = second, first
	}
	tell := func(down string) {
		check(t, leader.db.Commit(t.Context(), store.Tick{Facts: map[string]string{factDeaf + "slack " + oncall: down}}))
	}
	says := func() bool {
		code, health := other.ask("/-/healthy", nil, nil)
		_, metrics := other.ask("/metrics", nil, nil)
		_, status := other.ask("/api/v1/status", nil, nil)
		down := code == http.StatusServiceUnavailable && strings.Contains(health, "Pages do not arrive at slack "+oncall)
		if code, body := other.ask("/-/ready", nil, nil); code != http.StatusOK {
			t.Errorf("ready: %d %s", code, body)
		}
		return down && strings.Contains(metrics, `slowburn_receiver_up{channel="`+oncall+`",receiver="slack"} 0`) && strings.Contains(status, `"state":"down"`)
	}
	well := func() bool {
		_, health := other.ask("/-/healthy", nil, nil)
		_, metrics := other.ask("/metrics", nil, nil)
		return strings.HasPrefix(health, "Standing by: ") && !strings.Contains(health, "Pages do not arrive") &&
			strings.Contains(metrics, `slowburn_receiver_up{channel="`+oncall+`",receiver="slack"} 1`)
	}
	o.until("the other one knows of nothing", well)
	tell(string(notify.JSON(notify.Told{Since: o.now().Add(-time.Hour), Reason: "misconfigured: is_archived"})))
	o.until("the other one says so", says)
	tell("")
	o.until("the other one says that it is over", well)
}

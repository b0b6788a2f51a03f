package daemon

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/folder"
	"github.com/slowburn-sre/slowburn/internal/httpclient"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/receivers"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/trouble"
)

// ways are who is told, and how, as the configuration says. They are made anew by a reload.
type ways struct {
	composer
	reached   map[string]outbox.Receiver // the receivers that can be reached, by name
	doors     slack.Doors                // by which people answer
	fallback  config.Fallback
	drill     config.Drill
	heartbeat heartbeat
}

// newWays makes the receivers of a configuration. It connects to nothing.
func (a *Daemon) newWays(cfg config.Config) (*ways, error) {
	w := &ways{reached: map[string]outbox.Receiver{}, fallback: cfg.Fallback, drill: cfg.Drill}
	toSlack, err := NewSlack(cfg.Slack, a.Getenv, a.Log)
	if err != nil {
		return nil, err
	}
	if toSlack != nil {
		w.reached[config.SlackReceiver] = toSlack
	}
	beside := map[string]notify.Receiver{}
	for _, r := range cfg.Receivers {
		if beside[r.Name], err = NewReceiver(r, a.Now, a.Log); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		w.reached[r.Name] = beside[r.Name]
	}
	if len(w.reached) == 0 {
		a.Log.Warn("nobody is told: there is no Slack bot token (SLACK_BOT_TOKEN or slack.bot_token_file), no webhook and no other receiver; what is owed waits in the outbox")
	}
	if w.doors, err = OpenDoors(cfg.Slack, toSlack, a.Getenv, a.Log); err != nil {
		return nil, err
	}
	w.composer = newComposer(cfg, beside, a.ExternalURL, toSlack != nil, w.doors.Open())
	if h := cfg.Heartbeat; h.URL != "" || h.URLFile != "" {
		address, err := secret(h.URLFile, h.URL, a.Log)
		if err != nil {
			return nil, err
		}
		if h.URLFile != "" {
			seeEncrypted("url", address, "heartbeat", a.Log)
		}
		w.heartbeat = heartbeat{notify.Secret(address), h.Every}
	}
	return w, nil
}

// NewReceiver makes one receiver beside Slack. It reads the files that hold its secrets.
func NewReceiver(r config.Receiver, now func() time.Time, log *slog.Logger) (notify.Receiver, error) {
	kind, ok := receivers.Kind(r.Name)
	if !ok {
		return nil, fmt.Errorf("there is no kind of receiver called %s", notify.KindOf(r.Name))
	}
	s := notify.Settings{Values: map[string]notify.Secret{}, Now: now}
	for key, value := range r.Values {
		s.Values[key] = notify.Secret(value)
	}
	for key, file := range r.Files {
		text, err := secret(file, "", log)
		if err != nil {
			return nil, err
		}
		s.Values[key] = notify.Secret(text)
		seeEncrypted(key, text, r.Name, log)
	}
	if kind.HTTP {
		client, err := httpclient.New(r.HTTP, kind.Name)
		if err != nil {
			return nil, err
		}
		s.Client = client
	}
	return kind.New(s)
}

// seeEncrypted warns of an address that is a secret, and is asked without TLS on another machine.
func seeEncrypted(key, address, receiver string, log *slog.Logger) {
	if u, err := url.Parse(address); key == "url" && err == nil && u.Scheme == "http" && notify.Encrypted(key, address) != nil {
		log.Warn("a secret address is reached without encryption: everybody on the way can read it; write one with https:// into the file",
			"receiver", receiver, "key", "url_file")
	}
}

// NewSlack makes what delivers to Slack: by bot token, by webhook, or nil.
func NewSlack(cfg config.Slack, getenv func(string) string, log *slog.Logger) (outbox.Receiver, error) {
	token, err := secret(cfg.BotTokenFile, getenv("SLACK_BOT_TOKEN"), log)
	if err != nil {
		return nil, err
	}
	if token != "" {
		return slack.New(slack.Config{Token: slack.Secret(token), APIURL: cfg.APIURL, Fallback: cfg.Channel})
	}
	hook, err := secret(cfg.WebhookFile, "", log)
	if err != nil {
		return nil, err
	}
	if hook != "" {
		log.Warn("Slack by webhook: no edits, no threads, and an unclear outcome may be repeated; a bot token gives all of it")
		return slack.NewWebhook(slack.Secret(hook), nil)
	}
	return nil, nil
}

// secret returns what a file holds, or the value if no file is named. A file that holds nothing is
// an error: it was named by somebody who believes that it does.
func secret(file, value string, log *slog.Logger) (string, error) {
	if file == "" {
		return strings.TrimSpace(value), nil
	}
	text, err := folder.ReadSecret(file)
	if err != nil {
		return "", fmt.Errorf("reading a secret: %s: %w", file, err)
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o004 != 0 {
		log.Warn("a secret is readable by others: everybody on this machine can read the file", "file", file)
	}
	return text, nil
}

// run does what receivers need beside the outbox, until ctx ends: it repeats what is open to those
// who would forget it, asks them whether they work, and sends pages another way that do not get
// through.
func (p *arrival) run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	ticker := time.NewTicker(notify.KeepEvery / 2)
	defer ticker.Stop()
	var unseen, untold trouble.Spell
	for turn := 0; ; turn++ {
		if turn%2 == 0 {
			running.Go(func() { p.keepOpen(ctx) })
			running.Go(func() { p.introduce(ctx) })
			running.Go(func() { p.ask(ctx) })
		}
		if err := p.fallBack(ctx, p.now()); ctx.Err() == nil {
			unseen.Tried(p.log, "cannot look for pages that do not get through", err)
		}
		if err := p.tellDeaf(ctx, p.now()); ctx.Err() == nil {
			untold.Tried(p.log, "cannot write down that pages do not arrive, or arrive again; it is told all the same", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// introduce lets the client of Slack learn where its messages are shown. Without that they have no
// links, and nothing else.
func (p *arrival) introduce(ctx context.Context) {
	if client, ok := p.ways.Load().reached[config.SlackReceiver].(*slack.Client); ok {
		if err := client.Introduce(ctx); err != nil && ctx.Err() == nil {
			p.log.Debug("Slack does not say where its pages are; messages have no links for now", "err", err)
		}
	}
}

// keepTimeout bounds one repetition, so that none runs into the next.
const keepTimeout = 20 * time.Second

// keepOpen repeats every open incident to the receivers that are told about it and forget what
// nobody repeats, to all at the same time.
func (p *arrival) keepOpen(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	w := p.ways.Load()
	keepers := map[string]notify.Keeper{}
	for name, r := range w.composers {
		if keeper, ok := r.(notify.Keeper); ok {
			keepers[name] = keeper
		}
	}
	if len(keepers) == 0 {
		return
	}
	open := p.engine.Open(p.now())
	var all sync.WaitGroup
	for name, keeper := range keepers {
		all.Go(func() {
			if err := keeper.Keep(ctx, w.openFor(name, open)); err != nil {
				p.metrics.notKept.WithLabelValues(name, name).Inc()
				p.log.Warn("cannot repeat what is open", "receiver", name, "err", err)
			}
		})
	}
	all.Wait()
}

// openFor returns the open incidents that a receiver is told about.
func (c composer) openFor(name string, open []incidents.Notification) []notify.Facts {
	var mine []notify.Facts
	for _, t := range open {
		all, _ := c.routing.told(t.Spec, t.Event, t.Incident)
		if t.Silenced {
			continue // then it may end there
		}
		if slices.ContainsFunc(all, func(to target) bool { return to.receiver == name }) {
			mine = append(mine, notify.Facts{Notification: t, Origin: c.slack.Origin, Target: notify.Target{Receiver: name}})
		}
	}
	return mine
}

// fallBack owes pages another way that one receiver has not taken for too long: once per incident,
// through the first receiver in order that is not in trouble with it too. If that one has told it
// anyway, nothing is owed.
func (p *arrival) fallBack(ctx context.Context, now time.Time) error {
	w := p.ways.Load()
	stuck, err := p.stuck(ctx, now, w.fallback.After)
	if err != nil || len(stuck) == 0 {
		return err
	}
	ids := slices.Sorted(maps.Keys(stuck))
	return p.engine.OweBeside(ctx, now, ids, func(t incidents.Notification) []outbox.Entry {
		if down := p.stillDown(ctx, t.Incident.ID, stuck[t.Incident.ID]); len(down) > 0 {
			return p.another(ctx, w, t, down)
		}
		return nil
	})
}

// stillDown leaves out the receivers that have taken the page meanwhile.
func (p *arrival) stillDown(ctx context.Context, incident string, down []string) []string {
	return slices.DeleteFunc(down, func(name string) bool {
		known, err := p.db.Outbox(ctx, store.OutboxFilter{Receiver: name, Thread: incident})
		return err == nil && slices.ContainsFunc(known, func(o outbox.Owed) bool { return o.Op == outbox.Post && o.State == outbox.Sent })
	})
}

// stuck names the receivers that have not taken a page for so long, by incident.
func (p *arrival) stuck(ctx context.Context, now time.Time, after time.Duration) (map[string][]string, error) {
	due, err := p.pump.Pending(ctx, now)
	stuck := map[string][]string{}
	for _, o := range due {
		if o.Lane == outbox.LanePage && o.Op != outbox.Edit && now.Sub(o.Created) >= after {
			incident := strings.TrimSuffix(o.Thread, "@"+o.Channel)
			stuck[incident] = append(stuck[incident], o.Receiver)
		}
	}
	order := p.ways.Load().routing.receivers
	for _, down := range stuck {
		slices.SortStableFunc(down, func(x, y string) int {
			return cmp.Compare(slices.Index(order, x), slices.Index(order, y))
		})
	}
	return stuck, err
}

// another composes the page of an incident for the first receiver that is not down.
func (p *arrival) another(ctx context.Context, w *ways, t incidents.Notification, down []string) []outbox.Entry {
	for _, name := range w.routing.fallbacks(w.fallback) {
		if slices.Contains(down, name) {
			continue
		}
		known, err := p.db.Outbox(ctx, store.OutboxFilter{Receiver: name, Thread: t.Incident.ID})
		if err != nil || slices.ContainsFunc(known, begins) {
			return nil
		}
		p.log.Error("a page does not get through and goes out another way",
			"incident", t.Incident.ID, "down", strings.Join(down, ", "), "through", name)
		p.metrics.fallbacks.WithLabelValues(down[0], name).Inc()
		return w.instead(t, name, down[0])
	}
	return nil
}

// begins reports whether an entry has told of an incident, or is about to.
func begins(o outbox.Owed) bool {
	return o.Op == outbox.Post && (o.State == outbox.Sent || o.State == outbox.Pending)
}

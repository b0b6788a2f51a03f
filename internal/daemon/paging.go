package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// A daemon that evaluates well and cannot page is not well. So the ways by which pages go out are
// watched: by what the outbox delivers, and by asking receivers that can be asked. Who is told that
// one of them is down are those that another one reaches.

// way is one way by which people are told: a channel of a receiver.
type way struct {
	target
	services []string // sorted
	routes   int      // pairs of a service's severity and this way
	pages    bool     // pages go this way, not tickets alone
	tickets  bool
	mention  []string // whom a page calls there
}

func (w way) severities() (all []string) {
	if w.pages {
		all = append(all, string(alerting.Page))
	}
	if w.tickets {
		all = append(all, string(alerting.Ticket))
	}
	return all
}

// waysOf returns the ways of a set of SLOs and of their budgets, by receiver and channel.
func (r routing) waysOf(seen *engine.Snapshot) []way {
	type route struct {
		target
		service  string
		severity alerting.Severity
	}
	byTarget, known := map[target]*way{}, map[route]bool{}
	add := func(spec *slo.Spec, id slo.ID) {
		for _, severity := range []alerting.Severity{alerting.Page, alerting.Ticket} {
			for _, to := range r.To(spec, id, severity) {
				if at := (route{to, spec.Service, severity}); !known[at] {
					known[at] = true
					w := byTarget[to]
					if w == nil {
						w = &way{target: to}
						byTarget[to] = w
					}
					w.add(spec, severity)
				}
			}
		}
	}
	for n := range seen.Budgets {
		add(seen.Budgets[n].Spec, seen.Budgets[n].ID)
	}
	for _, spec := range seen.Set.Specs {
		if len(seen.BudgetsOf(spec.ID())) == 0 {
			add(spec, spec.ID())
		}
	}
	var all []way
	for _, w := range byTarget {
		slices.Sort(w.services)
		w.services = slices.Compact(w.services)
		all = append(all, *w)
	}
	slices.SortFunc(all, func(a, b way) int {
		return cmp.Or(cmp.Compare(a.receiver, b.receiver), cmp.Compare(a.channel, b.channel))
	})
	return all
}

// add takes a route in.
func (w *way) add(spec *slo.Spec, severity alerting.Severity) {
	w.routes++
	w.services = append(w.services, spec.Service)
	if severity != alerting.Page {
		w.tickets = true
		return
	}
	w.pages = true
	if w.receiver == config.SlackReceiver {
		for _, m := range spec.Slack.Mention {
			if !slices.Contains(w.mention, m.String()) {
				w.mention = append(w.mention, m.String())
			}
		}
	}
}

// waysInForce holds the ways of the newest configuration, and knows which of them the SLOs use.
type waysInForce struct {
	atomic.Pointer[ways]
	seen func() *engine.Snapshot

	mu  sync.Mutex
	of  *slo.Set // of which, with so many budgets and by this configuration, all are
	by  *ways
	n   int
	all []way
}

// arrival sees to it that pages arrive: it watches the ways by which they go out, says which of
// them are down, and sends pages another way that do not get through.
type arrival struct {
	db      *store.DB
	engine  *engine.Engine
	pump    *outbox.Pump
	log     *slog.Logger
	now     func() time.Time // by the source's clock
	ways    *waysInForce
	drills  *drillBook
	metrics receiverMetrics

	mu   sync.Mutex
	told map[string]notify.Told // by way: that it is down
	turn int                    // counts channels that were asked
}

// factDeaf begins the facts by which it is known after a restart that a way is down, and told.
const factDeaf = "paging/down/"

// recall takes over what the process before knew, or whoever leads, instead of what was seen here.
func (p *arrival) recall(facts map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = map[string]notify.Told{}
	p.pump.Reach.Forget()
	for name, value := range facts {
		way, ok := strings.CutPrefix(name, factDeaf)
		var d notify.Told
		if !ok || json.Unmarshal([]byte(value), &d) != nil {
			continue
		}
		p.told[way] = d
		receiver, channel, _ := strings.Cut(way, " ")
		p.pump.Reach.Recall(receiver, channel, d.Reason, d.Since, p.now())
	}
}

// current returns the ways that are in force. There are none while nobody can be reached at all:
// then slowburn is meant to be looked at.
func (f *waysInForce) current() []way {
	w := f.Load()
	if len(w.reached) == 0 {
		return nil
	}
	seen := f.seen()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of != seen.Set || f.by != w || f.n != len(seen.Budgets) {
		f.of, f.by, f.n = seen.Set, w, len(seen.Budgets)
		f.all = w.routing.waysOf(seen)
	}
	return f.all
}

// standing returns how the ways stand.
func (p *arrival) standing() api.Paging {
	paging, all := api.Paging{OK: true, Destinations: []api.Destination{}}, p.ways.current()
	if len(all) == 0 {
		return paging
	}
	now := p.now()
	for _, w := range all {
		c := p.pump.Reach.Of(w.receiver, w.channel, now)
		one := api.Destination{
			Receiver: w.receiver, Channel: w.channel, Severities: w.severities(), Services: w.services,
			State: api.DestinationUp, Since: api.TimeOrNull(c.Since), Reason: c.Reason, LastTaken: api.TimeOrNull(c.Taken),
		}
		switch {
		case c.Down:
			one.State = api.DestinationDown
			paging.OK = paging.OK && !w.pages
		case c.Since.IsZero():
			one.State = api.DestinationUnknown
		}
		one.Drill = p.drills.shown(w)
		paging.Routes += w.routes
		if p.drills.newest(w).Fresh(now) {
			paging.Proven += w.routes
		}
		paging.Destinations = append(paging.Destinations, one)
	}
	return paging
}

// askTimeout bounds one round of questions, and channelsAtATime how many channels it is about: a
// workspace lets an app ask so and so often.
const (
	askTimeout      = 30 * time.Second
	channelsAtATime = 5
)

// ask asks receivers whether they work, or at least whether they can be reached, each about
// itself, and in turn about some channels.
func (p *arrival) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	w, all := p.ways.Load(), p.ways.current()
	var running sync.WaitGroup
	for name, r := range w.reached {
		if !slices.ContainsFunc(all, func(w way) bool { return w.receiver == name }) {
			continue
		}
		running.Go(func() {
			switch r := r.(type) {
			case notify.Checker:
				if err := r.Check(ctx); ctx.Err() == nil {
					p.asked(name, "", err)
				}
			case notify.Prober:
				if err := r.Probe(ctx); ctx.Err() == nil {
					p.pump.Reach.Probed(name, err, p.now())
				}
			}
		})
	}
	running.Wait()
	for range min(channelsAtATime, len(all)) {
		p.turn++
		to := all[p.turn%len(all)]
		if checker, ok := w.reached[to.receiver].(notify.ChannelChecker); ok && to.channel != "" {
			if known, err := checker.CheckChannel(ctx, to.channel); known && ctx.Err() == nil {
				p.asked(to.receiver, to.channel, err)
			}
		}
	}
}

// asked takes note of an answer. What waits for a person to put something right is sent at once
// where that is done.
func (p *arrival) asked(receiver, channel string, err error) {
	if p.pump.Reach.Asked(receiver, channel, err, p.now()) {
		p.pump.Again(receiver, channel)
	}
}

// tellDeaf owes a notice about each way of pages that has been down for as long as a page waits
// before it goes another way, and one when it works again, both by a way that works. What was told
// is a fact, so a restart tells nothing twice. A store that cannot be written keeps nobody from
// being told.
func (p *arrival) tellDeaf(ctx context.Context, now time.Time) error {
	w, all := p.ways.Load(), p.ways.current()
	tick := store.Tick{Facts: map[string]string{}}
	after := map[string]notify.Told{}
	for _, to := range all {
		told, known := p.told[to.String()]
		c := p.pump.Reach.Of(to.receiver, to.channel, now)
		switch {
		case c.Down && !known && to.pages && now.Sub(c.Since) >= w.fallback.After:
			d := notify.Told{Since: c.Since, Reason: c.Reason}
			others, alone := p.others(w, all, to, now)
			for _, through := range others[:min(1, len(others))] {
				d.Through = append(d.Through, notify.Place{Receiver: through.receiver, Channel: through.channel})
			}
			p.log.Error("pages do not arrive", "receiver", to.receiver, "channel", to.channel, "since", c.Since, "reason", c.Reason, "told", len(d.Through))
			tick.Owed = append(tick.Owed, w.deafNotice(d, to, alone, now, false)...)
			after[to.String()] = d
		case !c.Down && known && !c.Since.IsZero():
			p.log.Info("pages arrive again", "receiver", to.receiver, "channel", to.channel)
			tick.Owed = append(tick.Owed, w.deafNotice(told, to, nil, now, true)...)
			after[to.String()] = notify.Told{}
		}
	}
	if len(after) == 0 {
		return nil
	}
	for name, d := range after {
		tick.Facts[factDeaf+name] = ""
		if !d.Since.IsZero() {
			tick.Facts[factDeaf+name] = string(notify.JSON(d))
		}
	}
	for name, d := range after {
		if p.told[name] = d; d.Since.IsZero() {
			delete(p.told, name)
		}
	}
	return p.engine.Keep(ctx, tick)
}

// others returns the ways that work beside one, in the order in which they should hear of it, and
// the names of those by which its pages go out meanwhile. A chat is enough while somebody else is
// paged; where nobody is, what wakes people comes first.
func (p *arrival) others(w *ways, all []way, dead way, now time.Time) (others []target, meanwhile []string) {
	works := func(t target) bool {
		return t != dead.target && w.reached[t.receiver] != nil && !p.pump.Reach.Of(t.receiver, t.channel, now).Down
	}
	for _, other := range all {
		shares := slices.ContainsFunc(other.services, func(s string) bool { return slices.Contains(dead.services, s) })
		if other.pages && shares && works(other.target) {
			meanwhile = append(meanwhile, other.String())
		}
	}
	var order []target
	for _, name := range w.routing.fallbacks(w.fallback) {
		t := target{receiver: name}
		if name == config.SlackReceiver {
			t.channel = w.routing.channel
		}
		order = append(order, t)
	}
	if len(meanwhile) > 0 {
		slices.SortStableFunc(order, func(a, b target) int { return cmp.Compare(chatFirst(a), chatFirst(b)) })
	}
	for _, t := range order {
		if works(t) {
			others = append(others, t)
		}
	}
	if len(meanwhile) == 0 && len(others) > 0 {
		meanwhile = []string{others[0].String()} // where pages go instead
	}
	return others, meanwhile
}

func chatFirst(t target) int {
	if t.receiver == config.SlackReceiver {
		return 0
	}
	return 1
}

// deafNotice composes the notice about a way for those who are told of it.
func (c composer) deafNotice(d notify.Told, to way, meanwhile []string, now time.Time, over bool) (entries []outbox.Entry) {
	for _, through := range d.Through {
		who, ok := c.composers[through.Receiver]
		if !ok {
			continue
		}
		entries = append(entries, who.Notice(notify.Notice{
			Deaf: sentences.Deaf{
				Destination: to.String(), Services: to.services, Since: d.Since, At: now, Reason: d.Reason, Over: over, Else: meanwhile,
			},
			Origin: c.slack.Origin, Target: notify.Target{Receiver: through.Receiver, Channel: through.Channel},
		})...)
	}
	return entries
}

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/drills"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/trouble"
)

// A drill is kept as facts, one per way, and moved on by what the outbox says of its messages. So a
// restart in its midst goes on with it.

const (
	factDrill     = "drill/way/"      // begins the fact of a way: its newest drill
	factScheduled = "drill/scheduled" // when the newest scheduled drill was due
)

const (
	// takenIn is how long a receiver has to take a drill, which is as long as it may fail before it
	// is called down.
	takenIn = 2 * time.Minute
	// drillEvery is how often running drills are looked at.
	drillEvery = time.Second
	// lateDrill is how long after its time a scheduled drill is still made: slowburn may have been
	// restarted just then.
	lateDrill = time.Hour
)

// drillBook begins drills, moves them on, and knows the newest one of each way.
type drillBook struct {
	db   *store.DB
	pump *outbox.Pump
	log  *slog.Logger
	now  func() time.Time // by the source's clock
	ways *waysInForce

	mu        sync.Mutex
	results   map[string]drills.Result // the newest of each way, by the way's name
	scheduled time.Time                // when the newest scheduled one was due
}

// recall takes over what the process before knew. The first scheduled drill is one after now.
func (b *drillBook) recall(facts map[string]string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.results, b.scheduled = map[string]drills.Result{}, now
	for name, value := range facts {
		var r drills.Result
		if way, ok := strings.CutPrefix(name, factDrill); ok && json.Unmarshal([]byte(value), &r) == nil {
			b.results[way] = r
		}
	}
	if at, err := time.Parse(time.RFC3339, facts[factScheduled]); err == nil {
		b.scheduled = at
	}
}

// newest returns the newest drill of a way; its time is zero before the first.
func (b *drillBook) newest(w way) drills.Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.results[w.String()]
}

// errDrilling is why no drill begins while another one is not over.
var errDrilling = &incidents.ActError{Problem: incidents.ActConflict, Text: "A drill is under way."}

// errNobody is why no drill begins without anybody to tell.
var errNobody = &incidents.ActError{Problem: incidents.ActConflict, Text: "There is nobody to tell: no receiver is configured, or no SLO is."}

// begin begins a drill by every way, once for each key. A loud one calls people.
func (b *drillBook) begin(ctx context.Context, n api.NewDrill, answers ...store.Verdict) error {
	now := b.now().UTC().Truncate(time.Second)
	w, all := b.ways.Load(), b.ways.current()
	if len(all) == 0 {
		return errNobody
	}
	burn, err := drills.Decide(now)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := map[string]drills.Result{}
	tick := store.Tick{Verdicts: answers}
	for _, to := range all {
		before := b.results[to.String()]
		if n.Key != "" && before.Key == n.Key {
			return b.save(ctx, tick, nil) // it has begun already
		}
		if before.Running() {
			return errDrilling
		}
		r := drills.Result{ID: drills.Prefix + now.Format(time.RFC3339) + "/" + to.String(), At: now, Key: n.Key, Burn: burn, Loud: n.Loud, LastProven: before.LastProven}
		if n.Loud {
			r.Until = now.Add(w.drill.Wait)
		}
		changed[to.String()] = r
		tick.Owed = append(tick.Owed, w.drillEntries(r, to)...)
	}
	return b.save(ctx, tick, changed)
}

// save writes down how drills stand and what is owed for them. The memory's lock is held.
func (b *drillBook) save(ctx context.Context, tick store.Tick, changed map[string]drills.Result) error {
	if tick.Facts == nil {
		tick.Facts = map[string]string{}
	}
	for way, r := range changed {
		tick.Facts[factDrill+way] = string(notify.JSON(r))
	}
	if err := b.db.Commit(context.WithoutCancel(ctx), tick); err != nil {
		return err
	}
	maps.Copy(b.results, changed)
	for way, r := range changed {
		if r.Running() {
			continue
		}
		b.log.Info("drill", "way", way, "proven", r.Proven(), "reason", r.Reason, "loud", r.Loud, "by", r.By)
	}
	b.pump.Kick()
	return nil
}

// drillEntries composes the messages of a drill as it stands.
func (c composer) drillEntries(r drills.Result, to way) []outbox.Entry {
	who, ok := c.composers[to.receiver]
	if !ok {
		return nil
	}
	d := notify.Drill{
		Drill: sentences.Drill{Destination: to.String(), Services: to.services, Loud: r.Loud, Until: r.Until, Burn: r.Burn, By: r.By, Over: !r.Running()},
		ID:    r.ID, At: r.At, Mention: to.mention,
		Origin: c.slack.Origin, Target: notify.Target{Receiver: to.receiver, Channel: to.channel},
	}
	d.After, _ = r.Answer()
	return who.Drill(d)
}

// run makes the drills that are scheduled, and goes on with those that are under way, until
// ctx ends.
func (b *drillBook) run(ctx context.Context) error {
	ticker := time.NewTicker(drillEvery)
	defer ticker.Stop()
	var stuck trouble.Spell
	for {
		if err := errors.Join(b.schedule(ctx, b.now()), b.tendAll(ctx, b.now())); ctx.Err() == nil {
			stuck.Tried(b.log, "a drill cannot go on", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// schedule begins a drill whose time has come. One that cannot be made, because another one is
// under way, is left out.
func (b *drillBook) schedule(ctx context.Context, now time.Time) error {
	plan := b.ways.Load().drill
	if plan.Schedule == nil {
		return nil
	}
	b.mu.Lock()
	from := b.scheduled
	b.mu.Unlock()
	if late := now.Add(-lateDrill); from.Before(late) {
		from = late
	}
	due := plan.Schedule.Between(from.Add(time.Second), now, 1)
	if len(due) == 0 {
		return nil
	}
	b.mu.Lock()
	err := b.save(ctx, store.Tick{Facts: map[string]string{factScheduled: due[0].UTC().Format(time.RFC3339)}}, nil)
	if err == nil {
		b.scheduled = due[0]
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	return b.begin(ctx, api.NewDrill{Loud: plan.Loud})
}

// tendAll moves drills on.
func (b *drillBook) tendAll(ctx context.Context, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, w := b.ways.current(), b.ways.Load()
	heard := b.answering()
	changed := map[string]drills.Result{}
	tick := store.Tick{}
	for name, r := range b.results {
		if !r.Running() {
			continue
		}
		n := slices.IndexFunc(all, func(w way) bool { return w.String() == name })
		if n < 0 {
			changed[name] = r.End(now, "nobody is told this way any more")
			continue
		}
		next, err := b.tend(ctx, r, all[n], heard, now)
		if err != nil {
			return err
		}
		if next == r {
			continue
		}
		changed[name] = next
		if !next.Running() {
			tick.Owed = append(tick.Owed, w.drillEntries(next, all[n])...)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return b.save(ctx, tick, changed)
}

// answering reports whether a loud drill is under way by a way by which people can answer it. The
// others last as long as that.
func (b *drillBook) answering() bool {
	for name, r := range b.results {
		if r.Running() && r.Loud && b.answers(name) {
			return true
		}
	}
	return false
}

// answers reports whether people can answer by a way: in Slack, by a button.
func (b *drillBook) answers(way string) bool {
	receiver, _, _ := strings.Cut(way, " ")
	return receiver == config.SlackReceiver && b.ways.Load().slack.Interactive
}

// tend returns how one drill stands now.
func (b *drillBook) tend(ctx context.Context, r drills.Result, to way, heard bool, now time.Time) (drills.Result, error) {
	if r.Taken.IsZero() {
		return b.take(ctx, r, now)
	}
	switch {
	case !r.Loud, r.By != "":
		return r.End(now, ""), nil
	case b.answers(to.String()):
		if now.After(r.Until) {
			return r.End(now, "nobody acknowledged it"), nil
		}
	case !heard, now.After(r.Until):
		return r.End(now, ""), nil // that it was taken is all that can be known
	}
	return r, nil
}

// take looks whether the receiver has taken the message of a drill.
func (b *drillBook) take(ctx context.Context, r drills.Result, now time.Time) (drills.Result, error) {
	known, err := b.db.Outbox(ctx, store.OutboxFilter{Thread: r.ID})
	if err != nil {
		return r, err
	}
	n := slices.IndexFunc(known, func(o outbox.Owed) bool { return o.Op == outbox.Post })
	late := now.Sub(r.At) > takenIn
	switch {
	case n < 0 && !late:
		return r, nil
	case n < 0:
		return r.End(now, "its message is lost"), nil
	}
	switch o := known[n]; {
	case o.State == outbox.Sent && o.Receipt.Refused != "":
		r.Taken = o.Settled
		return r.End(now, o.Receipt.Refused+"; another channel took it"), nil
	case o.State == outbox.Sent:
		r.Taken = o.Settled
		if !r.Loud {
			return r.End(now, ""), nil
		}
	case o.State != outbox.Pending, outbox.ClassOf(o.LastErr) == outbox.Misconfigured, late && o.LastErr != "":
		return r.End(now, o.LastErr), nil
	case late:
		return r.End(now, "not taken within 2 minutes"), nil
	}
	return r, nil
}

// answer takes the acknowledgement of a drill.
func (b *drillBook) answer(ctx context.Context, act alerting.Act, answers ...store.Verdict) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for way, r := range b.results {
		switch {
		case r.ID != act.Incident:
		case act.Kind != alerting.Acknowledge:
			return &incidents.ActError{Problem: incidents.ActInvalid, Text: "A drill can be acknowledged, and nothing else."}
		case act.Key != "" && r.AnsweredBy == act.Key:
			return b.save(ctx, store.Tick{Verdicts: answers}, nil)
		case !r.Running(), r.By != "":
			return &incidents.ActError{Problem: incidents.ActConflict, Text: "This drill is over."}
		default:
			r.By, r.Answered, r.AnsweredBy = act.By, b.now(), act.Key
			if r.Taken.IsZero() { // who answers has it, whatever was heard of that yet
				r.Taken = r.Answered
			}
			return b.save(ctx, store.Tick{Verdicts: answers}, map[string]drills.Result{way: r})
		}
	}
	return &incidents.ActError{Problem: incidents.ActUnknown, Text: "There is no such drill."}
}

// answered returns the acknowledgement of a drill as it was written down.
func (b *drillBook) answered(act alerting.Act) alerting.Act {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.results {
		if r.ID == act.Incident && r.AnsweredBy == act.Key {
			act.By, act.At = r.By, r.Answered.UTC()
		}
	}
	return act
}

// incident returns a drill in the form of an incident, which is what buttons are about.
func (b *drillBook) incident(id string) (alerting.Incident, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.results {
		if r.ID == id {
			return alerting.Incident{ID: id, Open: r.Running() && r.By == "", Detected: r.At, Resolved: r.Ended}, true
		}
	}
	return alerting.Incident{}, false
}

// shown returns the newest drill of a way as the API shows it, nil before the first.
func (b *drillBook) shown(w way) *api.Drill {
	r := b.newest(w)
	if r.At.IsZero() {
		return nil
	}
	d := &api.Drill{
		At: r.At, Running: r.Running(), Proven: r.Proven(), Reason: r.Reason, Loud: r.Loud, AcknowledgedBy: r.By, LastProven: api.TimeOrNull(r.LastProven),
	}
	if !r.Taken.IsZero() {
		d.Took = r.Taken.Sub(r.At).Seconds()
	}
	if after, ok := r.Answer(); ok {
		d.Answer = new(after.Seconds())
	}
	return d
}

// reported returns what the drills of the last seven days have proven, for a report; nil before the
// first.
func (b *drillBook) reported(at time.Time) *report.Drills {
	d := &report.Drills{}
	ever := false
	for _, w := range b.ways.current() {
		r := b.newest(w)
		ever = ever || !r.At.IsZero()
		d.Routes += w.routes
		d.Destinations++
		if !r.Fresh(at) {
			d.Unproven = append(d.Unproven, report.Unproven{Destination: w.String(), Services: w.services, Reason: r.Reason, Last: r.LastProven})
			continue
		}
		d.Proven += w.routes
		if after, ok := r.Answer(); ok && r.Proven() {
			d.Answers = append(d.Answers, report.Answer{Destination: w.String(), By: r.By, After: after})
		}
	}
	if !ever {
		return nil
	}
	return d
}

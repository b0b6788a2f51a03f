package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/shop"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// The people of the shop, as Slack knows them.
var people = []slacktest.User{
	{ID: "U0ANA", Name: "ana", Real: "Ana Sousa"}, // who looks at the page
	{ID: "U0BEN", Name: "ben", Real: "Ben Okafor"},
	{ID: "U0TOM", Name: "tomasz", Real: "Tomasz Nowak"},
}

// nightDuty has the nights of the week before the story.
const nightDuty = "U0TOM"

// week is how the daemon lives through the week that the report is about, before anybody looks: in
// big steps while nothing happens, in small ones around an outage. That is no other evaluation than
// that of a daemon which ran all the time, because it does not matter how time is cut; what people
// see in Slack was sent at its time.
type week struct {
	*stage
	Daemon *daemon.Daemon
	begin  time.Time
	end    time.Time
}

// live lives through the week, up to the moment the story begins.
func (w week) live(ctx context.Context) error {
	if err := w.writeEarlierReview(); err != nil {
		return err
	}
	filled := false
	for at := w.begin; at.Before(w.end); at = at.Add(w.step(at)) {
		if err := w.minute(ctx, w.Daemon, at); err != nil {
			return err
		}
		if !filled && at.Sub(w.begin) >= 3*time.Minute { // an SLO is known once it has a minute
			if err := w.Daemon.Engine.FillAll(ctx, at); err != nil {
				return err
			}
			filled = true
		}
		if err := w.answer(w.Daemon, at); err != nil {
			return err
		}
	}
	w.set(w.end, 0)
	return nil
}

// openDoor lets presses of the stand-in's buttons reach the daemon before it listens, and in a run
// that never does.
func (s *stage) openDoor(a *daemon.Daemon) (err error) {
	if s.door, err = promfake.Start(a.Desk.Handler()); err != nil {
		return err
	}
	s.slack.SetCallbacks(s.door.URL+"/slack/interactions", s.door.URL+"/slack/commands")
	return nil
}

// step returns how far the clock is moved: minute by minute where something is about to begin.
func (w week) step(at time.Time) time.Duration {
	next := at.Truncate(time.Hour).Add(time.Hour)
	if at.Sub(w.begin) < 3*time.Minute {
		return time.Minute
	}
	for _, o := range w.shop.Outages() {
		switch from := o.Start.Add(-o.Lead - time.Minute); {
		case at.Before(from):
			if from.Before(next) {
				next = from
			}
		case at.Before(o.Start.Add(15 * time.Minute)):
			return time.Minute
		case at.Before(o.End().Add(time.Hour)):
			return 3 * time.Minute
		}
	}
	return next.Sub(at)
}

// record tells slowburn of the releases up to a time, as a pipeline would.
func (s *stage) record(ctx context.Context, a *daemon.Daemon, to time.Time) error {
	for ; len(s.releases) > 0 && !s.releases[0].At.After(to); s.releases = s.releases[1:] {
		r := s.releases[0]
		kind, title := "deploy", r.Service+" "+r.Version
		if r.Back {
			kind, title = "rollback", r.Service+" back to "+r.Version
		}
		if err := a.Engine.Do(ctx, alerting.Act{
			Key: fmt.Sprintf("change/%s/%d", r.Service, r.At.Unix()), Kind: alerting.Changed, By: "release pipeline", Via: "api", Service: r.Service,
			Change: &alerting.Change{Kind: kind, Title: title, Version: r.Version, Start: r.At},
		}, to); err != nil {
			return err
		}
	}
	return nil
}

// answer presses Acknowledge under pages that have been open for some minutes. At night it takes
// longer.
func (s *stage) answer(a *daemon.Daemon, at time.Time) error {
	who, after := people[1].ID, 4*time.Minute
	if at.Hour() < 8 {
		who, after = nightDuty, 9*time.Minute
	}
	for _, i := range a.Engine.Snapshot().Open.All() {
		if _, has := i.Acknowledged(); has || i.Loud() != alerting.Page || at.Sub(i.Alerted()) < after {
			continue
		}
		if err := s.press(i, slack.ActionAck, who); err != nil {
			return err
		}
	}
	return nil
}

// press presses a button under an incident's message in Slack.
func (s *stage) press(i alerting.Incident, action, who string) error {
	for _, m := range s.slack.ByMetadata("incident", i.ID) {
		if !slices.ContainsFunc(m.Buttons(), func(b slacktest.Button) bool { return b.ActionID == action }) {
			continue
		}
		if ack, err := s.slack.Press(m.TS, action, who); err != nil || ack.Status >= 300 {
			return fmt.Errorf("pressing %s under %s: %d %w", action, i.ID, ack.Status, err)
		}
		return nil
	}
	return nil
}

// minute moves the clock and lets everybody do what is due.
func (s *stage) minute(ctx context.Context, a *daemon.Daemon, at time.Time) error {
	s.set(at, 0)
	s.shop.Fill(at)
	if err := s.record(ctx, a, at); err != nil {
		return err
	}
	sum := a.Engine.Tick(ctx, at)
	if !sum.Good() {
		return fmt.Errorf("the tick of %s failed: %s %w", at.Format("15:04"), strings.Join(sum.Failures, "; "), sum.StoreErr)
	}
	if sum.Events > 0 || at.Minute() == 0 { // a daemon does it after every tick
		if err := a.Keeper.Pass(ctx, at); err != nil {
			return err
		}
	}
	a.Engine.Gather(ctx, s.now)
	// Slack takes about one message a second: give it the minute, second by second.
	for second := range 60 {
		s.set(at.Add(time.Duration(second)*time.Second), 0)
		sum, err := a.Pump.Pass(ctx, s.now())
		if err != nil {
			return err
		}
		if waiting(sum) == 0 {
			break
		}
	}
	return nil
}

// waiting returns how many messages are still owed.
func waiting(sum outbox.Summary) int {
	n := 0
	for _, waits := range sum.Waiting {
		n += waits
	}
	return n
}

// writeEarlierReview puts the postmortem of the outage two weeks before into the folder: people
// wrote it, and closed it, and what they promised is late.
func (w week) writeEarlierReview() error {
	dir := filepath.Join(w.dir, "postmortems")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	o := shop.Past(w.shop.Live())[0]
	opened := o.Start.Add(3 * time.Minute).Truncate(time.Minute)
	id := fmt.Sprintf("checkout/availability{route=\"/pay\"}/page/%d", opened.Unix())
	text := strings.NewReplacer(
		"ID", id, "ONSET", o.Start.Format(time.RFC3339), "RESOLVED", o.End().Add(30*time.Minute).Format(time.RFC3339),
		"DAY", o.Start.Format(time.DateOnly), "DUE", w.shop.Live().AddDate(0, 0, -6).Format(time.DateOnly),
		"LATER", w.shop.Live().AddDate(0, 0, 18).Format(time.DateOnly),
	).Replace(earlierReview)
	return os.WriteFile(filepath.Join(dir, o.Start.Format(time.DateOnly)+"-checkout-availability.md"), []byte(text), 0o644)
}

const earlierReview = `---
id: 'ID'
slo: 'checkout/availability{route="/pay"}'
service: checkout
owner: payments-team
status: closed
class: deploy
onset: ONSET
resolved: RESOLVED
postmortem_required: true
---

# Postmortem: checkout, DAY

Checkout v2.3.9 reached all three pods at once and failed three of ten requests until it was rolled back.

## Causes

Trigger: the release of v2.3.9. Root cause: a release reaches every pod before anybody, or anything, has looked at the first.

## Action items

| What | Kind | Priority | Owner | Due | Ticket | Done |
| --- | --- | --- | --- | --- | --- | --- |
| Release to one pod first, and stop by itself on errors | prevent | P0 | payments-team | DUE | | no |
| Link the runbook to the roll-back | process | P2 | payments-team | LATER | | no |
`

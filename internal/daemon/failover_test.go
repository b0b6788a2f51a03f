package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/logtest"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// stall is an SLO that pages within minutes.
const stall slo.ID = "stall/orders"

const stallFile = `
version: slowburn/v1
service: stall
slos:
  - name: orders
    objective: 99.9
    sli: {events: {total: orders_total, bad: 'orders_total{code="500"}'}}
    alerts: {page: [{budget: 2%, long: 3m, short: 1m}], ticket: off, spent: off, no_data: off}
`

// ordersPerMinute is how many orders a stall has.
const ordersPerMinute = 600

// stalled is a seat in which the SLO is evaluated: orders come all the time, and all of them fail
// from a time on.
func (b *band) stalled(failing time.Time) seat {
	b.t.Helper()
	set := ok(file.Load([]file.File{{Name: "stall.yaml", Data: []byte(stallFile)}}))(b.t)
	db := promfake.New(promfake.Options{Now: b.now})
	const every = 15 * time.Second
	good, bad := db.Series(labels.FromStrings("__name__", "orders_total", "code", "200")), db.Series(labels.FromStrings("__name__", "orders_total", "code", "500"))
	counts := map[bool]float64{}
	for at := b.now().Add(-time.Hour).Truncate(every); at.Before(b.now().Add(3 * time.Hour)); at = at.Add(every) {
		counts[at.After(failing)] += ordersPerMinute * every.Minutes()
		check(b.t, good.Append(at.UnixMilli(), counts[false]))
		check(b.t, bad.Append(at.UnixMilli(), counts[true]))
	}
	return seat{address: b.schema, source: promtest.Serve(b.t, db.Handler()), spec: set.Specs[0], every: time.Second}
}

// decided is up to when a member has decided about the stall, as it shows.
func (m *member) decided() time.Time {
	seen, is := m.Engine.Snapshot().Budget(stall)
	if !is {
		return time.Time{}
	}
	return seen.AsOf
}

// decides waits until a member leads, and has decided about the first minutes.
func (m *member) decides() {
	m.t.Helper()
	m.until("it leads", m.leads)
	m.until("it has begun to read", func() bool {
		return m.Engine.Snapshot().Last.At.After(notifytest.Story("", false)[0].Event.Time()) // when the store was made
	})
	m.jump(4 * time.Minute)
	m.until("it has decided", func() bool { return !m.decided().IsZero() })
}

// holdLead lets nobody lead from the moment on at which whoever leads now does not any more, until
// the test is over.
func (b *band) holdLead() {
	b.t.Helper()
	ctx := context.Background()
	c := ok(pgx.Connect(ctx, b.schema))(b.t)
	b.t.Cleanup(func() { _ = c.PgConn().Conn().Close() })
	const held = `from pg_locks where locktype = 'advisory' and objid::bigint = hashtext(current_schema())::bigint & 4294967295 `
	var class int64
	check(b.t, c.QueryRow(ctx, `select classid::bigint `+held+`and granted`).Scan(&class))
	go func() { _, _ = c.Exec(ctx, `select pg_advisory_lock($1, hashtext(current_schema()))`, class) }()
	look := ok(pgx.Connect(ctx, b.schema))(b.t)
	defer look.Close(ctx)
	b.until("somebody waits for the lead", func() (waits bool) {
		check(b.t, look.QueryRow(ctx, `select exists (select 1 `+held+`and not granted)`).Scan(&waits))
		return waits
	})
}

// TestWhoStepsDownShowsWhatIsWrittenDown: what it has decided as the leader, and could not write,
// it shows no longer, and does not go on from.
func TestWhoStepsDownShowsWhatIsWrittenDown(t *testing.T) {
	t.Parallel()
	b := newBandOn(t, pgtest.Start(t)) // which takes no writes for a while
	m := b.seat(b.stalled(b.now().Add(-time.Hour)))
	m.decides()
	for range 3 { // writes what a standby would follow
		before := m.decided()
		b.jump(2 * time.Minute)
		b.until("it goes on", func() bool { return m.decided().After(before) })
	}
	b.holdLead()
	b.server.Exec(t, "postgres", "alter system set default_transaction_read_only = on")
	b.server.Exec(t, "postgres", "select pg_reload_conf()")
	written := m.decided()
	b.jump(10 * time.Minute)
	b.until("it has decided more", func() bool { return m.decided().After(written.Add(5 * time.Minute)) })
	db := b.open()
	kept := ok(db.Load(t.Context()))(t).Accounts[stall]
	all := kept.Ledger.Sum(kept.Ledger.Begin(), kept.Ledger.End())
	m.term.Load().Resign()
	b.until("it shows what is written down", func() bool {
		seen, _ := m.Engine.Snapshot().Budget(stall)
		return !m.leads() && seen.AsOf.Equal(kept.State.Through.Time()) && seen.Counted == all
	})
}

// TestWhoTakesOverReadsOnFromWhereTheLastOneStopped: the minutes in which nobody led are counted
// like all others.
func TestWhoTakesOverReadsOnFromWhereTheLastOneStopped(t *testing.T) {
	t.Parallel()
	b := newBand(t)
	s := b.stalled(b.now().Add(100 * time.Hour))
	first := b.seat(s)
	first.decides()
	second := b.seat(s)
	b.until("the second follows", func() bool { return second.waitsFor() == "another slowburn leads" && !second.decided().IsZero() })
	first.stop()
	stopped := budget.MinuteOf(second.decided())
	b.jump(12 * time.Minute)
	b.until("the second goes on", func() bool { return budget.MinuteOf(second.decided()) > stopped+10 })
	ledger := ok(b.open().Load(t.Context()))(t).Accounts[stall].Ledger
	for m := stopped; m < stopped+10; m++ {
		if s := ledger.At(m); s.State != budget.OK || s.Total != ordersPerMinute*1000 {
			t.Errorf("%s: %+v", m.Time(), s)
		}
	}
}

// TestAFailoverToAServerThatLagged: the server that is promoted does not have the page, nor that it
// was sent. Members load anew what is there, say so, decide the same again, and look whether the
// page is in the channel before they send it. The one that led knows at once that it does not any
// more.
func TestAFailoverToAServerThatLagged(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t, pgtest.Primary...)
	b := newBandOn(t, primary)
	wal := primary.NewProxy(t)
	replica := primary.Replica(t, wal)
	slack := slacktest.Start(slacktest.Options{Now: b.now, Unpaced: true, Channels: []slacktest.Channel{{Name: "payments-oncall", Joined: true}}})
	t.Cleanup(slack.Close)
	s := b.stalled(b.now().Add(6 * time.Minute))
	s.address = fmt.Sprintf("postgres://slowburn@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&search_path=%s", primary.Port, replica.Port, b.name())
	s.config = "slack: {channel: \"" + oncall + "\", api_url: '" + slack.APIURL() + "'}\n"
	s.env = map[string]string{"SLACK_BOT_TOKEN": slack.Token}
	var logs [2]logtest.Log
	join := func(n int) *member {
		s.log = slog.NewTextHandler(&logs[n], nil)
		return b.seat(s)
	}
	first := join(0)
	first.decides()
	second := join(1)
	b.until("the second follows", func() bool { return second.waitsFor() == "another slowburn leads" })

	wal.Hold(true)
	b.jump(10 * time.Minute)
	sent := func() bool {
		pages := ok(first.db.Outbox(t.Context(), store.OutboxFilter{Receiver: "slack"}))(t)
		return len(pages) > 0 && first.Pump.Summary().Unwritten == 0 && len(slack.State().Roots("payments-oncall")) == 1 && pages[len(pages)-1].State == "sent"
	}
	b.until("the page is sent, and that is written down", sent)
	b.until("the second shows it", func() bool { return second.Engine.Snapshot().Open.Len() == 2 }) // beside the story's
	term := first.term.Load()
	primary.Kill()
	b.until("the first knows that it does not lead", func() bool { return !first.leads() && !term.Until().After(time.Now()) })
	replica.Promote(t)
	b.schema = replica.Address("postgres") + " search_path=" + b.name()
	kept := ok(b.open().Outbox(t.Context(), store.OutboxFilter{Receiver: "slack"}))(t)
	if len(kept) != 0 {
		t.Fatalf("the replica did not lag: it has %d messages", len(kept))
	}
	members := [2]*member{first, second}
	leader := -1
	b.until("one of them leads", func() bool {
		for n, m := range members {
			if m.leads() {
				leader = n
			}
		}
		return leader >= 0
	})
	m := members[leader]
	b.until("the page is decided again, and found", func() bool {
		pages, err := m.db.Outbox(t.Context(), store.OutboxFilter{Receiver: "slack", State: "sent"})
		return err == nil && len(pages) > 0 && m.Engine.Snapshot().Open.Len() == 2
	})
	if roots := slack.State().Roots("payments-oncall"); len(roots) != 1 || strings.Contains(roots[0].Text, "may be a repeat") {
		t.Errorf("people see\n%s", slack.State())
	}
	for n := range logs {
		if logs[n].Count("the store ends before what was written to it: a server has taken over that lagged") != 1 {
			t.Errorf("member %d does not say what has happened:\n%s", n, logs[n].String())
		}
	}
}

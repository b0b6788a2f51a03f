package daemon

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// office is a band whose people press buttons in Slack, on the messages that it sends there.
type office struct {
	*band
	slack *slacktest.Server
	seat  seat
	again func() // presses once more if the person was asked to; nil if nobody waits for anything
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{band: newBand(t)}
	o.slack = slacktest.Start(slacktest.Options{
		Now: o.now, SignedAt: time.Now, AckWithin: 20 * time.Second, Unpaced: true, SigningSecret: "8f742231b10e8888abcd99yyyzzz85a5",
		Channels: []slacktest.Channel{{Name: "payments-oncall", Joined: true}},
	})
	t.Cleanup(o.slack.Close)
	o.seat = seat{
		address: o.schema, config: "slack: {channel: \"" + oncall + "\", api_url: '" + o.slack.APIURL() + "'}\n",
		env: map[string]string{"SLACK_BOT_TOKEN": o.slack.Token, "SLACK_SIGNING_SECRET": "8f742231b10e8888abcd99yyyzzz85a5"},
	}
	return o
}

// listens makes Slack tell a member of every press.
func (o *office) listens(m *member) {
	o.slack.SetCallbacks(m.url+"/slack/interactions", m.url+"/slack/commands")
}

// page has a leader tell of the open incident, and returns its message.
func (o *office) page(m *member) (ts string) {
	o.t.Helper()
	owed := m.ways.Load().Event(m.Engine.Open(o.now())[0], nil)
	check(o.t, m.db.Commit(o.t.Context(), store.Tick{Owed: owed}))
	m.Pump.Kick()
	return o.sees("the page", func(s slacktest.Message) bool { return s.HasBlock("actions") })
}

// sees waits for a message in the channel, or a reply there, and returns which it is.
func (o *office) sees(what string, is func(slacktest.Message) bool) (ts string) {
	o.t.Helper()
	defer func() {
		if o.t.Failed() {
			o.t.Log(o.slack.State())
		}
	}()
	o.until("people see "+what, func() bool {
		all := o.slack.State().All(oncall)
		n := slices.IndexFunc(all, is)
		if n >= 0 {
			ts = all[n].TS
		}
		return n >= 0
	})
	return ts
}

// isAcknowledged waits until a message cannot be acknowledged any more, and its thread says by whom
// it was: by the name, or by the handle where the name takes too long to look up.
func (o *office) isAcknowledged(ts, by string) {
	o.t.Helper()
	o.sees("who has it", func(m slacktest.Message) bool {
		return m.ThreadTS == ts && strings.Contains(strings.ToLower(m.Text), "acknowledged by "+by)
	})
	o.sees("no button", func(m slacktest.Message) bool {
		return m.TS == ts && !slices.ContainsFunc(m.Buttons(), func(b slacktest.Button) bool { return b.ActionID == slack.ActionAck })
	})
}

// press presses a button of a message, which has to be taken; and again when the person is asked
// to, because Slack or the database took too long, as on a busy machine.
func (o *office) press(ts, action, user string) {
	o.t.Helper()
	heard := len(o.heard(user))
	if ack, err := o.slack.Press(ts, action, user); err != nil || ack.Status != http.StatusOK {
		o.t.Fatalf("%s: %v, %+v", action, err, ack)
	}
	o.again = func() {
		if all := o.heard(user); len(all) > heard && strings.Contains(all[len(all)-1], "lease try again") {
			o.press(ts, action, user)
		}
	}
}

// until waits as a band does, and does meanwhile as people are asked to.
func (o *office) until(what string, is func() bool) {
	o.t.Helper()
	o.band.until(what, func() bool {
		if is() {
			return true
		}
		if o.again != nil {
			o.again()
		}
		return false
	})
	o.again = nil
}

// heard is what a person alone was told.
func (o *office) heard(user string) (texts []string) {
	for _, e := range o.slack.State().Ephemerals() {
		if e.User == user {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// whispers waits until a person alone was told some words.
func (o *office) whispers(user, words string) {
	o.t.Helper()
	defer func() {
		if o.t.Failed() {
			o.t.Log(o.heard(user))
		}
	}()
	o.until(user+" hears "+words, func() bool {
		return slices.ContainsFunc(o.heard(user), func(text string) bool { return strings.Contains(text, words) })
	})
}

// TestAPressOnAStandbyIsTheLeaders: a button goes through the inbox to the leader, whose act is
// seen in the message, once however often Slack delivers it and to whom. What is taken already is
// told the person alone, and a draft comes into the thread. So it is with a drill that is begun and
// pressed on a standby.
func TestAPressOnAStandbyIsTheLeaders(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := o.band.seat(o.seat)
	o.until("the first leads", first.leads)
	second := o.band.seat(o.seat)
	o.listens(second)
	page := o.page(first)

	o.press(page, slack.ActionAck, "U0ANA")
	o.isAcknowledged(page, "ana")
	acts := ok(o.open().Acts(t.Context(), store.ActFilter{Incident: o.incident.ID}))(t)
	if len(acts) != 1 || acts[0].Who != "U0ANA" || acts[0].Via != "slack" {
		t.Errorf("acts: %+v", acts)
	}
	o.listens(first)
	if ack, err := o.slack.Replay(); err != nil || ack.Status != http.StatusOK {
		t.Errorf("the same press at the leader: %v, %+v", err, ack)
	}
	if again := o.acts(o.open()); len(again) != 1 {
		t.Errorf("acts: %v", again)
	}
	o.listens(second)
	o.press(page, slack.ActionPostmortem, "U0BEN")
	o.sees("the draft", func(m slacktest.Message) bool {
		return m.ThreadTS == page && strings.Contains(m.Text, "Postmortem draft")
	})

	if code, body := second.answer("/api/v1/drills", api.NewDrill{Key: "d", Loud: true}); code != http.StatusOK {
		t.Fatalf("a drill: %d %s", code, body)
	}
	drill := o.sees("the drill", func(m slacktest.Message) bool {
		return m.ThreadTS == "" && strings.Contains(m.Text, "Drill") && m.HasBlock("actions")
	})
	o.press(drill, slack.ActionAck, "U0ANA")
	o.until("the drill is proven everywhere", func() bool {
		for _, m := range []*member{first, second} {
			if ways := m.arrival.standing().Destinations; len(ways) != 1 || ways[0].Drill == nil || !ways[0].Drill.Proven || ways[0].Drill.AcknowledgedBy == "" {
				return false
			}
		}
		return true
	})
}

// TestAPressWithoutALeaderWaits: the person is told so, and the next leader does it, or says why
// not: the incident may be over by then. Where it cannot even be written down, that is told.
func TestAPressWithoutALeaderWaits(t *testing.T) {
	t.Parallel()
	for name, over := range map[string]bool{"and is done": false, "and is refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			first := o.band.seat(o.seat)
			o.until("the first leads", first.leads)
			page := o.page(first)
			first.stop()
			db := o.open()
			term := ok(db.Lead(t.Context(), nil))(t) // leads, and answers nobody
			proxy := o.server.NewProxy(t)
			o.seat.address = o.through(proxy)
			second := o.band.seat(o.seat)
			t.Cleanup(func() { proxy.Hold(false) })
			o.listens(second)
			proxy.Hold(true)
			o.press(page, slack.ActionAck, "U0BEN")
			o.whispers("U0BEN", "The database has not answered since")
			proxy.Hold(false)
			o.until("the database answers again", func() bool { return second.db.Silent().IsZero() })
			o.press(page, slack.ActionAck, "U0ANA")
			o.whispers("U0ANA", "waits for the slowburn that leads")
			if over {
				i := o.incident
				i.Open, i.Resolved = false, o.now()
				turn := store.Turn{SLO: notifytest.ID, State: alerting.State{Through: notifytest.Story("", false)[0].Event.At + 2}, Incidents: []alerting.Incident{i}}
				check(t, db.Commit(t.Context(), store.Tick{At: o.now(), Turns: []store.Turn{turn}}))
			}
			term.Resign()
			if over {
				o.whispers("U0ANA", "is over")
				return
			}
			o.isAcknowledged(page, "ana")
			for _, act := range ok(o.open().Acts(t.Context(), store.ActFilter{Incident: o.incident.ID}))(t) {
				if act.Who != "U0ANA" {
					t.Errorf("an act of whom it was not taken: %+v", act)
				}
			}
		})
	}
}

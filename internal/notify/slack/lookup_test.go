package slack

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// Our clock may be ahead of Slack's or behind it, or be set while an answer is lost. What arrived
// is found nevertheless, and posted once.
func TestALookUpDoesNotTrustOurClock(t *testing.T) {
	for name, c := range map[string]struct {
		ahead time.Duration // our clock, before Slack's
		step  time.Duration // by which it is set right after the first answer was lost
		blind time.Duration // for which look-ups fail
	}{
		"both are right":          {},
		"20 min ahead":            {ahead: 20 * time.Minute},
		"two days ahead":          {ahead: 48 * time.Hour},
		"20 min behind":           {ahead: -20 * time.Minute},
		"set back by 20 min":      {ahead: 20 * time.Minute, step: -20 * time.Minute},
		"set back by 35 h":        {ahead: 35 * time.Hour, step: -35 * time.Hour},
		"the same, and blind":     {ahead: 35 * time.Hour, step: -35 * time.Hour, blind: 2 * time.Hour},
		"set forward by 20 min":   {ahead: -20 * time.Minute, step: 20 * time.Minute},
		"set back past the right": {ahead: time.Hour, step: -2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			w.run(time.Second, time.Second)
			w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Count: 3, Do: slacktest.ResetAfter()})
			ours := c.ahead
			e := w.post("a")
			e.Created = w.now().Add(ours)
			w.store.Add(e)
			if c.blind > 0 {
				w.srv.Inject(slacktest.Fault{Method: "conversations.history", Count: -1, Do: slacktest.ServerError(503)})
			}
			for i := 0; w.store.Open() > 0 && i < 9000; i++ {
				if c.blind > 0 && i == int(c.blind.Seconds()) {
					w.srv.ClearFaults()
				}
				if _, err := w.pump.Pass(t.Context(), w.now().Add(ours)); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					ours += c.step
				}
				w.clock.Add(int64(time.Second))
			}
			w.wantRoots(1)
			if o := w.store.Get("a"); o.State != outbox.Sent {
				t.Errorf("it is %s: %s", o.State, o.LastErr)
			}
		})
	}
}

// While look-ups fail, what may have arrived is sent again after a while, marked. When they work
// again the first copy is found and leads to the second; until then that one says what it is, also
// in its newer states.
func TestAFirstCopyIsFoundLaterAndLeadsToTheSecond(t *testing.T) {
	for name, arrived := range map[string]bool{"it had arrived": true, "it had not": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			w.run(time.Second, time.Second) // nothing was owed when it began
			effect := slacktest.ResetBefore()
			if arrived {
				effect = slacktest.ResetAfter()
			}
			w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: effect})
			blind := slacktest.Fault{Method: "conversations.history", Count: -1, Do: slacktest.ServerError(503)}
			w.srv.Inject(blind)
			w.store.Add(w.post("a"))
			w.run(12*time.Minute, time.Second)
			copies := map[bool]int{true: 2, false: 1}[arrived]
			roots := w.wantRoots(copies)
			second := roots[copies-1]
			if !strings.HasPrefix(second.Text, "(may be a repeat)") {
				t.Fatalf("the second says %q", second.Text)
			}
			w.store.Add(w.message("edit", "a", outbox.Edit, outbox.LaneTicket), w.message("reply", "a", outbox.Reply, outbox.LanePage))
			w.run(time.Minute, time.Second)
			second, _ = w.srv.Message(general, second.TS)
			if !strings.HasPrefix(second.Text, "(may be a repeat)") || !strings.Contains(second.Text, "edit") {
				t.Errorf("nobody has found out yet, and it says %q", second.Text)
			}
			w.srv.ClearFaults()
			w.settle(20 * time.Minute)
			second, _ = w.srv.Message(general, second.TS)
			if second.Text != "🔥 Page: edit" {
				t.Errorf("it is found out, and the second says %q", second.Text)
			}
			if len(w.srv.Thread(general, second.TS)) != 1 {
				t.Errorf("the reply is not in its thread\n%s", w.srv.State())
			}
			if first := w.wantRoots(copies)[0]; arrived && (!strings.Contains(first.Text, "Continued in") && !strings.Contains(first.Text, "Sent again below") || len(first.Blocks) > 0) {
				t.Errorf("the first says %q %v", first.Text, first.Blocks)
			}
			w.store.Add(w.message("end", "a", outbox.Edit, outbox.LaneResolve))
			w.settle(time.Minute)
			if second, _ = w.srv.Message(general, second.TS); second.Text != "🔥 Page: end" {
				t.Errorf("in the end the second says %q", second.Text)
			}
		})
	}
}

// A first copy that cannot be looked for is no reason to try for ever, and no lost message.
func TestAFirstCopyThatIsNeverFoundIsNoLoss(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.run(time.Second, time.Second)
	w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: slacktest.ResetAfter()})
	w.srv.Inject(slacktest.Fault{Method: "conversations.history", Count: -1, Do: slacktest.ServerError(503)})
	w.store.Add(w.post("a"))
	w.run(12*time.Minute, time.Second)
	w.run(8*24*time.Hour, time.Hour)
	if o := w.store.Get("a/first"); o.State != outbox.Superseded || w.pump.Summary().Dead != 0 {
		t.Errorf("it is %s, %d are given up", o.State, w.pump.Summary().Dead)
	}
}

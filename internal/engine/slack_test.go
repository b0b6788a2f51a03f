package engine_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// TestSlackOut (faults 19 to 23): Slack is out in one of its ways while an incident opens, or while
// it resolves. When it is back everything is said, once, in order, and the root shows the newest
// state.
func TestSlackOut(t *testing.T) {
	n := 0
	for name, do := range map[string]slacktest.Effect{
		"500":                             slacktest.ServerError(500),
		"503 after taking the message":    slacktest.Commit(slacktest.ServerError(503)),
		"a hang":                          slacktest.Hang(),
		"a hang after taking the message": slacktest.HangAfter(),
		"a reset":                         slacktest.ResetBefore(),
		"a reset after taking it":         slacktest.ResetAfter(),
		"half an answer":                  slacktest.Truncated(),
		"{}":                              slacktest.EmptyObject(),
		"an empty error":                  slacktest.EmptyError(),
		"429 without Retry-After":         slacktest.RetryAfter(""),
		"429 with a negative Retry-After": slacktest.RetryAfter("-1"),
		"429 with a word":                 slacktest.RetryAfter("abc"),
		"429 with a date":                 slacktest.RetryAfter("Mon, 02 Nov 2026 09:00:00 GMT"),
		"429 with a huge Retry-After":     slacktest.RetryAfter("1000000000"),
		"429 for half a minute":           slacktest.RateLimited(30),
		"internal_error":                  slacktest.APIError("internal_error"),
		"fatal_error after taking it":     slacktest.FatalErrorPosted(),
		"an error nobody has documented":  slacktest.APIError("it_is_monday"),
		"a token without the scope":       slacktest.MissingScope("chat:write"),
	} {
		for _, when := range []struct {
			name     string
			from, to int
		}{{"as it opens", 6, 10}, {"until it is over", 11, 24}} {
			if n++; sampled(n, 16) {
				continue
			}
			t.Run(name+" "+when.name, func(t *testing.T) {
				t.Parallel()
				w := oneService(t, outage(50, [2]int{6, 14}))
				w.hangs(strings.Contains(name, "hang"))
				w.steps(when.from)
				w.slack.Inject(slacktest.Fault{Count: 5, When: notLookUp, Do: do})
				w.steps(when.to - when.from)
				w.slack.ClearFaults()
				w.steps(38 - when.to)
				w.checkTold()
			})
		}
	}
}

// notLookUp spares the calls that only ask: a stand-in that is out and still lists what it took.
func notLookUp(c slacktest.Call) bool { return strings.HasPrefix(c.Method, "chat.") }

// checkTold: the one incident of the world was told completely, once and in order.
func (w *world) checkTold() {
	w.t.Helper()
	for _, o := range w.pending() {
		w.t.Errorf("still owed: %s: %s", o.Key, o.LastErr)
	}
	roots := w.slack.State().Roots(channel)
	if len(roots) != 1 {
		w.t.Fatalf("the channel reads %q", w.roots())
	}
	if !strings.Contains(roots[0].Text, "Resolved") {
		w.t.Errorf("the root is left at %q", roots[0].Text)
	}
	thread := w.slack.Thread(channel, roots[0].TS)
	if len(thread) != 1 || !strings.Contains(thread[0].Text, "Resolved") {
		w.t.Errorf("the thread is %+v", thread)
	}
	w.checkOncePerKey()
	for _, v := range w.slack.Violations() {
		w.t.Error(v)
	}
}

// TestSlackRefusesUs: the token is revoked or the channel archived while an incident begins. It
// stays visible as owed, and is told when somebody has put it right.
func TestSlackRefusesUs(t *testing.T) {
	for name, act := range map[string]struct{ breaks, mends func(w *world) }{
		"the token is revoked": {
			func(w *world) { w.slack.RevokeToken(w.slack.Token) },
			func(w *world) { w.slack.SetToken(w.slack.Token, slacktest.AllScopes()...) },
		},
		"the channel is archived": {
			func(w *world) { w.slack.SetArchived(channel, true) },
			func(w *world) { w.slack.SetArchived(channel, false) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneService(t, outage(50, [2]int{20, 30}))
			w.steps(15)
			act.breaks(w)
			w.steps(10)
			if p := w.pending(); len(p) == 0 || outbox.ClassOf(p[0].LastErr) != outbox.Misconfigured {
				t.Errorf("owed: %+v", p)
			}
			if w.pump.Summary().Healthy() {
				t.Error("the pump takes itself for healthy")
			}
			w.restart()
			w.steps(20)
			act.mends(w)
			w.steps(10)
			w.checkTold()
		})
	}
}

// TestAnEditThatIsRefusedIsToldAnew: Slack takes a page and then refuses to change it, or refuses
// posts for a while. In the end the newest message in the channel says that it is over, and nothing
// is owed.
func TestAnEditThatIsRefusedIsToldAnew(t *testing.T) {
	faults := map[string]slacktest.Fault{
		"the message is gone":               {Method: "chat.update", Count: -1, Do: slacktest.APIError("message_not_found")},
		"the time for edits is over":        {Method: "chat.update", Count: -1, Do: slacktest.APIError("edit_window_closed")},
		"the message is somebody else's":    {Method: "chat.update", Count: -1, Do: slacktest.APIError("cant_update_message")},
		"too many posts, twenty times":      {Method: "chat.postMessage", Count: 20, Do: slacktest.RateLimited(30)},
		"the token is refused, ten times":   {Method: "chat.postMessage", Count: 10, Do: slacktest.APIError("invalid_auth")},
		"the server is down, a dozen times": {Method: "chat.postMessage", Count: 12, Do: slacktest.ServerError(503)},
	}
	for n, name := range slices.Sorted(maps.Keys(faults)) {
		if sampled(n, 3) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneService(t, outage(50, [2]int{20, 28}))
			w.slack.Inject(faults[name])
			w.steps(120)
			roots := w.roots()
			if len(roots) == 0 || !strings.Contains(roots[len(roots)-1], "Resolved") {
				t.Errorf("the channel reads %q", roots)
			}
			if p := w.pending(); len(p) > 0 {
				t.Errorf("owed: %+v", p)
			}
		})
	}
}

// TestSlackOutForDays: a page that is too old to be sent dies visibly. Nobody is woken by it days
// late; the end of the story is told.
func TestSlackOutForDays(t *testing.T) {
	w := oneService(t, outage(50, [2]int{5, 10}))
	w.slack.Inject(slacktest.Fault{Count: -1, Do: slacktest.ServerError(503)})
	w.steps(20)
	w.pass(30 * time.Hour)
	w.step()
	w.slack.ClearFaults()
	w.steps(10)
	if roots := w.roots(); len(roots) > 1 || len(w.rootsWith("Resolved")) != len(roots) {
		t.Errorf("the channel reads %q", roots)
	}
	depth, err := w.store.Depth(t.Context())
	if err != nil || depth.Count[outbox.Dead] == 0 || depth.Count[outbox.Pending] != 0 {
		t.Errorf("the outbox holds %+v, %v", depth, err)
	}
}

// TestClockStepWhileSlackIsOut: a try that was put off by a clock that was wrong is not put off for
// as long as the clock was.
func TestClockStepWhileSlackIsOut(t *testing.T) {
	w := oneService(t, outage(50, [2]int{10, 30}))
	w.steps(10)
	w.slack.Inject(slacktest.Fault{Count: -1, Do: slacktest.ServerError(503)})
	w.wrong = 24 * time.Hour
	w.steps(6)
	w.slack.ClearFaults()
	w.wrong = 0
	w.steps(10)
	if len(w.rootsWith("Page")) != 1 {
		t.Errorf("the channel reads %q, owed: %+v", w.roots(), w.pending())
	}
}

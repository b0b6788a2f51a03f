package slack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
)

const (
	token   = "xoxb-very-secret-token"
	general = "#general"
)

// world is a workspace, a store, a pump between them, and a clock that only the test moves.
type world struct {
	t        testing.TB
	clock    atomic.Int64 // nanoseconds since the epoch
	srv      *slacktest.Server
	store    *outboxtest.Store
	receiver outbox.Receiver
	pump     *outbox.Pump
	opts     outbox.Options
}

func newWorld(t testing.TB, opts slacktest.Options) *world {
	w := &world{t: t, store: &outboxtest.Store{}, opts: outbox.Options{Attempt: 20 * time.Second}}
	w.clock.Store(monday.UnixNano())
	opts.Now, opts.Token = w.now, token
	w.srv = slacktest.Start(opts)
	t.Cleanup(w.srv.Close)
	w.receiver = w.client(Config{})
	w.restart()
	return w
}

func (w *world) now() time.Time { return time.Unix(0, w.clock.Load()).UTC() }

func (w *world) client(c Config) *Client {
	c.Token, c.APIURL = token, w.srv.APIURL()
	client, err := New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

// restart forgets everything but the store.
func (w *world) restart() {
	w.pump = outbox.NewPump(w.store, map[string]outbox.Receiver{"slack": w.receiver}, w.opts)
}

// hangs makes attempts end soon where Slack will not answer.
func (w *world) hangs(yes bool) {
	if yes {
		w.opts.Attempt = 300 * time.Millisecond
		w.restart()
	}
}

// run makes a pass every step of the clock.
func (w *world) run(d, step time.Duration) {
	w.t.Helper()
	for end := w.now().Add(d); w.now().Before(end); {
		if _, err := w.pump.Pass(w.t.Context(), w.now()); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Add(int64(step))
	}
}

// settle runs until nothing is owed, at most so long.
func (w *world) settle(limit time.Duration) {
	w.t.Helper()
	for end := w.now().Add(limit); w.store.Open() > 0; {
		if w.now().After(end) {
			w.t.Fatalf("after %s there is still something owed: %+v\n%s", limit, w.store.All(), w.srv.State())
		}
		w.run(time.Second, time.Second)
	}
}

// message makes an entry with a sentence.
func (w *world) message(key, thread string, op outbox.Op, lane outbox.Lane) outbox.Entry {
	icon := "🔥 Page"
	b := Body{Text: icon + ": " + key, Blocks: []Block{header(icon), section(key + " " + thread)}, Name: icon + " · " + thread, Incident: thread, SLO: "s/" + thread}
	return outbox.Entry{Key: key, Receiver: "slack", Lane: lane, Channel: general, Thread: thread, Op: op, Body: b.marshal(), Created: w.now()}
}

func (w *world) post(key string) outbox.Entry {
	return w.message(key, key, outbox.Post, outbox.LanePage)
}

func (w *world) roots() []slacktest.Message { return w.srv.State().Roots(general) }

func (w *world) wantRoots(n int) []slacktest.Message {
	w.t.Helper()
	roots := w.roots()
	if len(roots) != n {
		w.t.Fatalf("there are %d root messages, want %d\n%s", len(roots), n, w.srv.State())
	}
	return roots
}

func (w *world) noViolations() {
	w.t.Helper()
	for _, v := range w.srv.Violations() {
		w.t.Errorf("no well-behaved app does that: %s", v)
	}
}

func TestAnIncidentIsOneMessageWithAThread(t *testing.T) {
	w := newWorld(t, slacktest.Options{Channels: []slacktest.Channel{{Name: "payments-oncall", Joined: true}}})
	w.store.Add(newStory(t, checkout(t), 1000).play(14*60, goodBad(5, 1000)).play(9, goodBad(200, 1000)).play(8*60, goodBad(0, 1000)).entries...)
	w.settle(10 * time.Minute)
	roots := w.srv.State().Roots("payments-oncall")
	if len(roots) != 1 || !strings.HasPrefix(roots[0].Text, "✅ Resolved") {
		t.Fatalf("want one root in its final state\n%s", w.srv.State())
	}
	thread := w.srv.State().Thread("payments-oncall", roots[0].TS)
	if len(thread) != 2 || !strings.HasPrefix(thread[0].Text, "🔥 Now a page") || !strings.HasPrefix(thread[1].Text, "✅ Resolved") {
		t.Fatalf("want the escalation, then the end, in the thread\n%s", w.srv.State())
	}
	if !thread[0].Broadcast || !thread[1].Broadcast {
		t.Error("the escalation and the end of a page are seen in the channel")
	}
	if len(thread[0].Mentions()) == 0 || len(thread[1].Mentions()) != 0 || len(roots[0].Mentions()) != 0 {
		t.Errorf("mentions: escalation %v, end %v, root %v", thread[0].Mentions(), thread[1].Mentions(), roots[0].Mentions())
	}
	w.noViolations()
}

func TestAmbiguousSendsAreLookedUp(t *testing.T) {
	for name, effect := range map[string]slacktest.Effect{
		"the connection is reset after the post":  slacktest.ResetAfter(),
		"Slack posts and never answers":           slacktest.HangAfter(),
		"the answer is cut in half":               slacktest.Truncated(),
		"fatal_error, and yet posted":             slacktest.FatalErrorPosted(),
		"a gateway loses the answer":              slacktest.Commit(slacktest.ServerError(502)),
		"429, and yet posted after a lost answer": slacktest.Commit(slacktest.ResetBefore()),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			w.hangs(name == "Slack posts and never answers")
			w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: effect})
			w.store.Add(w.post("a"), w.message("a/reply", "a", outbox.Reply, outbox.LanePage))
			w.settle(5 * time.Minute)
			roots := w.wantRoots(1)
			if n := len(w.srv.Thread(general, roots[0].TS)); n != 1 {
				t.Errorf("%d replies, want 1", n)
			}
		})
	}
}

func TestAKillBetweenBeginAndSettleLeavesOneMessage(t *testing.T) {
	for name, posted := range map[string]bool{"after the post": true, "before the post": false} {
		for _, op := range []outbox.Op{outbox.Post, outbox.Reply} {
			t.Run(fmt.Sprint(name, ", of a ", op), func(t *testing.T) {
				w := newWorld(t, slacktest.Options{})
				entries := []outbox.Entry{w.post("a"), w.message("b", "a", outbox.Reply, outbox.LanePage)}
				key := map[outbox.Op]string{outbox.Post: "a", outbox.Reply: "b"}[op]
				w.store.Add(entries...)
				effect := slacktest.ResetBefore()
				if posted {
					effect = slacktest.ResetAfter()
				}
				w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Nth: len(key) + map[string]int{"a": 0, "b": 1}[key], Do: effect})
				// The process dies where it would write the result down.
				w.store.FailWith(func(o, k string) error {
					if o == "settle" && k == key {
						return outboxtest.ErrDown
					}
					return nil
				})
				w.run(3*time.Second, time.Second)
				if w.store.Get(key).Begun.IsZero() {
					t.Fatalf("the test is wrong: %s was not begun", key)
				}
				w.store.FailWith(nil)
				w.restart()
				w.settle(5 * time.Minute)
				roots := w.wantRoots(1)
				if n := len(w.srv.Thread(general, roots[0].TS)); n != 1 {
					t.Errorf("%d replies, want 1\n%s", n, w.srv.State())
				}
			})
		}
	}
}

func TestWithoutPermissionToReadARepeatSaysSo(t *testing.T) {
	w := newWorld(t, slacktest.Options{Scopes: []string{"chat:write", "chat:write.public"}})
	w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: slacktest.ResetAfter()})
	w.store.Add(w.post("a"))
	w.settle(5 * time.Minute)
	roots := w.wantRoots(2)
	if strings.Contains(roots[0].Text, "repeat") || !strings.HasPrefix(roots[1].Text, "(may be a repeat)") {
		t.Errorf("the second message must say that it may be a repeat\n%s", w.srv.State())
	}
	if n := w.pump.Summary().Repeats; n != 1 {
		t.Errorf("%d repeats are counted, want 1", n)
	}
}

func TestOddAnswersNeitherLoopNorWaitForEver(t *testing.T) {
	for _, value := range []string{"", "0", "-5", "1.5", "abc", "1000000000000", "99999999999999999999", "Wed, 25 Nov 2026 07:28:00 GMT", "NaN", "Inf", "-0.0"} {
		t.Run("Retry-After "+value, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Count: 2, Do: slacktest.RetryAfter(value)})
			w.store.Add(w.post("a"))
			w.settle(11 * time.Minute)
			w.wantRoots(1)
			calls := w.srv.Calls("chat.postMessage")
			for i := 1; i < len(calls); i++ {
				if gap := calls[i].At.Sub(calls[i-1].At); gap < time.Second || gap > 5*time.Minute+2*time.Second {
					t.Errorf("the next call came after %s", gap)
				}
			}
		})
	}
}

func TestRetryAfterIsHonouredAndConcernsTheWholeChannel(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: slacktest.RateLimited(30)})
	w.store.Add(w.post("a"), w.post("b"), w.post("c"))
	w.run(5*time.Second, 500*time.Millisecond)
	w.restart() // and a restart does not forget it
	w.run(24*time.Second, 500*time.Millisecond)
	if n := len(w.srv.Calls("chat.postMessage")); n != 1 {
		t.Errorf("%d calls within the 30 seconds, want the one that was limited", n)
	}
	w.settle(10 * time.Second)
	w.wantRoots(3)
	w.noViolations()
}

func TestTroubleOfSlackIsSatOut(t *testing.T) {
	for name, effect := range map[string]slacktest.Effect{
		"500":                       slacktest.ServerError(500),
		"503":                       slacktest.ServerError(503),
		"{} with status 200":        slacktest.EmptyObject(),
		"ok:false without an error": slacktest.EmptyError(),
		"a reset":                   slacktest.ResetBefore(),
		"a hang":                    slacktest.Hang(),
		"internal_error":            slacktest.APIError("internal_error"),
		"ratelimited with 200":      slacktest.APIError("ratelimited"),
		"an error nobody knows":     slacktest.APIError("sky_has_fallen"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			w.hangs(name == "a hang")
			w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Count: 3, Do: effect})
			w.store.Add(w.post("a"))
			w.settle(6 * time.Minute)
			w.wantRoots(1)
			if s := w.pump.Summary(); len(s.Failures) == 0 || s.Sent != 1 || s.LastSuccess.IsZero() {
				t.Errorf("the summary does not tell: %+v", s)
			}
		})
	}
}

func TestAfterALongOutageAMessageArrivesWithinAMinute(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.srv.Inject(slacktest.Fault{Count: -1, Do: slacktest.ServerError(503)})
	w.store.Add(w.post("a"), w.post("b"))
	w.run(20*time.Minute, time.Second)
	if n := len(w.srv.Calls()); n > 120 {
		t.Errorf("%d calls in twenty minutes of an outage", n)
	}
	w.srv.ClearFaults()
	w.run(61*time.Second, time.Second)
	w.wantRoots(2)
}

func TestMisconfigurationWaitsVisiblyForAPerson(t *testing.T) {
	for name, c := range map[string]struct{ breaks, mends func(w *world) }{
		"a revoked token": {
			func(w *world) { w.srv.RevokeToken(token) },
			func(w *world) { w.srv.SetToken(token, slacktest.AllScopes()...) },
		},
		"an archived channel": {
			func(w *world) { w.srv.SetArchived(general, true) }, func(w *world) { w.srv.SetArchived(general, false) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			c.breaks(w)
			w.store.Add(w.post("a"), w.post("b"))
			w.run(20*time.Minute, time.Second)
			if n := len(w.srv.Calls("chat.postMessage")); n > 5 {
				t.Errorf("%d calls in 20 minutes; it must be tried slowly", n)
			}
			if s := w.pump.Summary(); s.Healthy() || len(s.Channels) == 0 {
				t.Errorf("nothing shows that a person is needed: %+v", s)
			}
			c.mends(w)
			w.settle(6 * time.Minute)
			w.wantRoots(2)
		})
	}
}

func TestWhatIsNeverMendedDiesVisibly(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.srv.SetArchived(general, true)
	w.store.Add(w.post("a"), w.message("b", "a", outbox.Reply, outbox.LanePage))
	w.run(26*time.Hour, time.Minute)
	for _, o := range w.store.All() {
		if o.State != outbox.Dead || o.LastErr != "misconfigured: is_archived" {
			t.Errorf("%s is %s, %q", o.Key, o.State, o.LastErr)
		}
	}
	if n := w.pump.Summary().Dead; n != 2 {
		t.Errorf("%d dead letters are counted, want 2", n)
	}
}

func TestARefusedChannelFallsBack(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.receiver = w.client(Config{Fallback: "#reliability"})
	w.restart()
	w.srv.SetArchived(general, true)
	w.store.Add(w.post("a"), w.message("b", "a", outbox.Reply, outbox.LanePage))
	w.settle(time.Minute)
	roots := w.srv.State().Roots("reliability")
	if len(roots) != 1 || !strings.Contains(roots[0].Text, "meant for #general") {
		t.Fatalf("the page must arrive in the fallback channel and say what it is\n%s", w.srv.State())
	}
	if n := len(w.srv.Thread("reliability", roots[0].TS)); n != 1 {
		t.Errorf("%d replies follow it, want 1", n)
	}
}

func TestADeletedRootIsPostedAfresh(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.store.Add(w.post("a"))
	w.settle(time.Minute)
	w.srv.DeleteMessage(general, w.roots()[0].TS)
	w.store.Add(w.message("edit", "a", outbox.Edit, outbox.LaneResolve), w.message("reply", "a", outbox.Reply, outbox.LaneResolve))
	w.settle(time.Minute)
	edited := w.srv.ByMetadata("key", "edit")
	if len(edited) != 1 {
		t.Fatalf("the newest state must be posted afresh, once\n%s", w.srv.State())
	}
	w.store.Add(w.message("edit2", "a", outbox.Edit, outbox.LaneResolve), w.message("reply2", "a", outbox.Reply, outbox.LaneResolve))
	w.settle(time.Minute)
	root, _ := w.srv.Message(general, edited[0].TS)
	if !strings.Contains(root.Text, "edit2") || len(w.srv.Thread(general, root.TS)) == 0 {
		t.Errorf("what follows belongs to the new root\n%s", w.srv.State())
	}
}

func TestADeletedRootIsPostedAfreshOnceEvenIfTheAnswerIsLost(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.store.Add(w.post("a"))
	w.settle(time.Minute)
	w.srv.DeleteMessage(general, w.roots()[0].TS)
	w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: slacktest.ResetAfter()})
	w.store.Add(w.message("edit", "a", outbox.Edit, outbox.LaneResolve))
	w.run(2*time.Second, time.Second)
	w.store.Add(w.message("edit2", "a", outbox.Edit, outbox.LaneResolve))
	w.settle(2 * time.Minute)
	roots := w.wantRoots(1)
	if !strings.Contains(roots[0].Text, "edit2") {
		t.Errorf("the root shows %q, want the newest state", roots[0].Text)
	}
}

func TestRefusedFormsDegradeToASentence(t *testing.T) {
	rich := func(w *world) outbox.Entry {
		e := w.post("a")
		b := bodyOf(t, e)
		c, _ := chart(Chart{Title: "Burn", Name: "burn", Points: []Point{{"1", 1}, {"2", 2}}})
		b.Blocks = append(b.Blocks, c, actions("a", newButton(ActionAck, "Acknowledge", "a", "primary")))
		b.Mention = []string{"<!here>"}
		e.Body = b.marshal()
		return e
	}
	for name, c := range map[string]struct {
		fault slacktest.Fault
		has   []string
		lacks []string
	}{
		"charts have not arrived in this workspace": {slacktest.RefuseCharts(), []string{"header", "actions"}, []string{"data_visualization"}},
		"actions are refused, too": {slacktest.Fault{
			When: func(c slacktest.Call) bool { return c.HasBlock("actions") }, Count: -1, Do: slacktest.InvalidBlocks("actions"),
		}, []string{"header", "section"}, []string{"actions"}},
		"no block passes": {slacktest.Fault{
			When: func(c slacktest.Call) bool { return c.HasBlock("section") }, Count: -1, Do: slacktest.APIError("msg_blocks_too_long"),
		}, nil, []string{"section"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{Unpaced: true})
			w.srv.Inject(c.fault)
			w.store.Add(rich(w))
			w.run(time.Second, time.Second)
			m := w.wantRoots(1)[0]
			if !strings.Contains(m.Text, "🔥 Page: a") {
				t.Errorf("the sentence is missing: %q", m.Text)
			}
			for _, kind := range c.has {
				if !m.HasBlock(kind) {
					t.Errorf("it has no %s", kind)
				}
			}
			for _, kind := range c.lacks {
				if m.HasBlock(kind) {
					t.Errorf("it has a %s", kind)
				}
			}
			if c.has == nil && !strings.Contains(m.Text, "<!here>") {
				t.Errorf("the plain form notifies nobody: %q", m.Text)
			}
		})
	}
}

func TestAWorkspaceWithoutChartsIsSentOneOnly(t *testing.T) {
	w := newWorld(t, slacktest.Options{Unpaced: true})
	w.srv.Inject(slacktest.RefuseCharts())
	for _, name := range []string{"a", "b", "c"} {
		e := w.post(name)
		b := bodyOf(t, e)
		c, _ := chart(Chart{Points: []Point{{"1", 1}, {"2", 2}}})
		b.Blocks = append(b.Blocks, c)
		e.Body = b.marshal()
		w.store.Add(e)
		w.run(2*time.Second, time.Second)
	}
	w.wantRoots(3)
	tried := 0
	for _, call := range w.srv.Calls() {
		if call.HasBlock("data_visualization") {
			tried++
		}
	}
	if tried != 1 {
		t.Errorf("a chart was sent %d times", tried)
	}
}

func TestAPictureStandsInForAChart(t *testing.T) {
	points := []Point{{"08:00", 0.2}, {"08:02", 614.3}, {"Nov 2 08:04", 31}}
	charted := func(w *world, name string) outbox.Entry {
		e := w.post(name)
		b := bodyOf(t, e)
		c, _ := chart(Chart{Title: "Burn rate", Points: points})
		b.Blocks = append(b.Blocks, c)
		e.Body = b.marshal()
		return e
	}
	t.Run("uploaded before the message, once per message", func(t *testing.T) {
		w := newWorld(t, slacktest.Options{Unpaced: true})
		w.srv.Inject(slacktest.RefuseCharts())
		w.store.Add(charted(w, "a"))
		w.run(2*time.Second, time.Second)
		m := w.wantRoots(1)[0]
		if !m.HasBlock("image") || !strings.Contains(fmt.Sprint(m.Blocks), "highest 614 at 08:02") {
			t.Errorf("the message has no picture: %v", m.Blocks)
		}
		if n := len(w.srv.Calls("files.completeUploadExternal")); n != 1 {
			t.Errorf("%d files", n)
		}
	})
	t.Run("without the scope the message comes without, and the scope is not asked for again", func(t *testing.T) {
		w := newWorld(t, slacktest.Options{Unpaced: true})
		w.srv.Inject(slacktest.RefuseCharts())
		w.srv.Inject(slacktest.Fault{
			When: func(c slacktest.Call) bool { return c.Method == "files.getUploadURLExternal" }, Count: -1, Do: slacktest.APIError("missing_scope"),
		})
		for _, name := range []string{"a", "b"} {
			w.store.Add(charted(w, name))
			w.run(2*time.Second, time.Second)
		}
		for _, m := range w.wantRoots(2) {
			if m.HasBlock("image") {
				t.Errorf("a picture from nowhere: %v", m.Blocks)
			}
		}
		if n := len(w.srv.Calls("files.getUploadURLExternal")); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
	t.Run("the same points give the same picture, and it shows something", func(t *testing.T) {
		a, b := picture(points), picture(points)
		img, err := png.Decode(bytes.NewReader(a))
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("the picture: %v", err)
		}
		colours := map[color.Color]int{}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				colours[img.At(x, y)]++
			}
		}
		if colours[flame] < 1000 || colours[ink] < 300 || colours[grid] < 500 {
			t.Errorf("it shows %v", colours)
		}
	})
}

func TestAWebhookPostsAndNothingElse(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	hook, err := NewWebhook(Secret(w.srv.WebhookURL(general)), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.receiver = hook
	w.restart()
	w.srv.Inject(slacktest.Fault{Method: "webhook", Do: slacktest.ResetAfter()})
	w.store.Add(w.post("a"), w.message("reply", "a", outbox.Reply, outbox.LanePage))
	w.settle(time.Minute)
	w.store.Add(w.message("edit", "a", outbox.Edit, outbox.LaneResolve), w.message("end", "a", outbox.Reply, outbox.LaneResolve))
	w.settle(time.Minute)
	var texts []string
	for _, m := range w.roots() {
		texts = append(texts, m.Text)
	}
	want := "🔥 Page: a|(may be a repeat) 🔥 Page: a|🔥 Page: reply|🔥 Page: end"
	if got := strings.Join(texts, "|"); got != want {
		t.Errorf("the channel shows %s\nwant %s", got, want)
	}
	if s := w.store.Get("edit").State; s != outbox.Superseded {
		t.Errorf("the edit is %s, want superseded", s)
	}
}

func TestAHangingChannelDelaysNoOther(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.srv.Inject(slacktest.Fault{Channel: general, Count: -1, Do: slacktest.Hang()})
	stuck := w.post("a")
	other := w.post("b")
	other.Channel = "#reliability"
	w.store.Add(stuck)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.pump.Run(ctx) }()
	wait := func(ok func(slacktest.State) bool) {
		t.Helper()
		limit, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := w.srv.Wait(limit, ok); err != nil {
			t.Fatal(err)
		}
	}
	w.store.Add(other)
	w.pump.Kick()
	wait(func(st slacktest.State) bool { return len(st.Roots("reliability")) == 1 })
	stop()
	w.srv.Close() // ends the hang
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// While nothing can be written, what is owed goes out at the usual pace, all but reports; what is
// owed in memory alone goes out too. When the disk is back each of them is settled, and none is
// sent again.
func TestAFullDiskSilencesNothing(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	full := func(op, _ string) error {
		if op == "begin" || op == "settle" {
			return outboxtest.ErrDown
		}
		return nil
	}
	report := w.message("report", "report", outbox.Post, outbox.LaneReport)
	w.store.Add(w.post("a"), w.message("ticket", "ticket", outbox.Post, outbox.LaneTicket), report)
	w.store.FailWith(full)
	var owed []outbox.Entry
	for i := range 5 {
		owed = append(owed, w.post(fmt.Sprint("page", i)))
	}
	w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Nth: 3, Do: slacktest.RateLimited(7)})
	w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Nth: 5, Do: slacktest.ResetBefore()})
	w.pump.Owe(owed)
	w.run(time.Minute, time.Second)
	w.pump.Owe(owed) // and again with the next tick
	edit, end := w.message("edit", "page1", outbox.Edit, outbox.LaneResolve), w.message("end", "page1", outbox.Reply, outbox.LaneResolve)
	w.pump.Owe([]outbox.Entry{edit, end})
	w.run(time.Minute, time.Second)
	roots := w.wantRoots(7)
	if w.pump.Summary().StoreError == "" || w.pump.Summary().Unwritten == 0 {
		t.Errorf("the trouble must be shown: %+v", w.pump.Summary())
	}
	root := w.srv.ByMetadata("key", "page1")[0]
	if !strings.Contains(root.Text, "edit") || len(w.srv.Thread(general, root.TS)) != 1 {
		t.Errorf("the end is not told where the page stands\n%s", w.srv.State())
	}
	for i := range owed {
		owed[i].Tried = true // as the engine marks what it commits at last
	}
	end.Tried = true
	w.store.Add(append(owed, edit, end)...)
	w.store.FailWith(nil)
	w.settle(time.Minute)
	w.wantRoots(8) // the report as well
	for _, r := range roots {
		key := fmt.Sprint(r.Metadata.Payload["key"])
		if o := w.store.Get(key); o.State != outbox.Sent || o.Receipt.TS != r.TS {
			t.Errorf("what was sent meanwhile must be known afterwards: %+v", o)
		}
	}
	if s := w.pump.Summary(); s.Unwritten != 0 || s.StoreError != "" || len(w.srv.ByMetadata("key", "end")) != 1 {
		t.Errorf("something is left: %+v", s)
	}
}

func TestTheTokenIsNowhere(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.srv.RevokeToken(token)
	hook := Secret("https://hooks.slack.invalid/services/T0/B0/very-secret-path")
	webhook, err := NewWebhook(hook, &http.Client{Transport: refusing{}})
	if err != nil {
		t.Fatal(err)
	}
	client := w.receiver.(*Client)
	var said []any
	for _, receiver := range []outbox.Receiver{client, webhook} {
		_, err := receiver.Deliver(t.Context(), outbox.Owed{Entry: w.post("a")}, outbox.Receipt{})
		said = append(said, err, fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err))
	}
	_, err = client.Find(t.Context(), []outbox.Owed{{Entry: w.post("a")}}, outbox.Receipt{}, time.Hour)
	_, httpErr := New(Config{Token: token, APIURL: "http://evil.example/" + token})
	_, hookErr := NewWebhook("http://evil.example/very-secret-path", nil)
	secret := Secret(token)
	text, _ := secret.MarshalText()
	said = append(said, err, httpErr, hookErr, secret, fmt.Sprintf("%v %s %q %#v %+v", secret, secret, secret, secret, Config{Token: secret}), string(text))
	for _, v := range said {
		if s := fmt.Sprint(v); strings.Contains(s, "very-secret") || s == "" || s == "<nil>" {
			t.Errorf("a secret, or nothing at all, in %q", s)
		}
	}
}

type refusing struct{}

func (refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("cannot reach %s", r.URL)
}

func TestSecretsGoToNobodyElse(t *testing.T) {
	thief := slacktest.Start(slacktest.Options{})
	t.Cleanup(thief.Close)
	srv := redirecting(t, thief.APIURL())
	c, err := New(Config{Token: token, APIURL: srv})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Deliver(t.Context(), outbox.Owed{Entry: outbox.Entry{Channel: general, Op: outbox.Post, Body: Body{Text: "x"}.marshal()}}, outbox.Receipt{})
	var f *outbox.Failure
	if !errors.As(err, &f) || f.Class != outbox.Misconfigured || len(thief.Calls()) > 0 {
		t.Errorf("a redirect must not be followed: %v, calls %v", err, thief.Calls())
	}
}

func TestAMessageHasTheLinkThatSlackGivesIt(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	if err := w.receiver.(*Client).Introduce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.store.Add(w.post("a"))
	w.settle(time.Minute)
	got := w.store.Get("a").Receipt
	want, err := w.receiver.(*Client).api.GetPermalinkContext(t.Context(), &goslack.PermalinkParameters{Channel: got.Channel, Ts: got.TS})
	if err != nil || got.Link != want {
		t.Errorf("the link is %q, Slack's %q (%v)", got.Link, want, err)
	}
}

// A webhook cannot be asked what arrived. Whoever is killed between the answer and its writing down
// says it again, once and marked, and nothing is lost.
func TestAWebhookRepeatsOnceAndSaysSoForEachKill(t *testing.T) {
	for seed := range *lives {
		w := newWorld(t, slacktest.Options{})
		hook, err := NewWebhook(Secret(w.srv.WebhookURL(general)), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.receiver = hook
		w.restart()
		rng := rand.New(rand.NewPCG(uint64(seed), 3))
		kills := 0
		for i := range 6 {
			w.store.Add(w.message(fmt.Sprintf("k%d", i), fmt.Sprint("thread", i), outbox.Post, outbox.LaneTicket))
			if rng.IntN(2) == 0 {
				kills++
				w.store.FailWith(func(op, _ string) error {
					if op == "settle" {
						return outboxtest.ErrDown
					}
					return nil
				})
				w.run(time.Second, time.Second)
				w.store.FailWith(nil)
				w.restart()
			}
			w.run(time.Duration(rng.IntN(9))*time.Second, time.Second)
		}
		w.settle(5 * time.Minute)
		marked := 0
		for i := range 6 {
			said := 0
			for _, m := range w.roots() {
				if strings.Contains(m.Text, fmt.Sprintf("k%d", i)) {
					said++
					if strings.Contains(m.Text, "may be a repeat") {
						marked++
						said--
					}
				}
			}
			if said != 1 {
				t.Errorf("seed %d: k%d was said %d times unmarked", seed, i, said)
			}
		}
		if marked > kills {
			t.Errorf("seed %d: %d kills and %d marked repeats", seed, kills, marked)
		}
	}
}

package slack

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/logtest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
)

// lives is how many random lives are lived; `make lives` and CI ask for more.
var lives = flag.Int("lives", 8, "random lives of the deliveries to Slack")

// effects are what may happen to a call, and still nothing may be lost or doubled.
var effects = []slacktest.Effect{
	slacktest.RateLimited(1), slacktest.RateLimited(7), slacktest.RateLimited(40), slacktest.RetryAfter("abc"), slacktest.RetryAfter(""),
	slacktest.APIError("ratelimited"), slacktest.APIError("internal_error"), slacktest.APIError("token_revoked"),
	slacktest.APIError("service_unavailable"), slacktest.APIError("what_is_this"), slacktest.InvalidBlocks(""), slacktest.APIError("msg_too_long"),
	slacktest.ServerError(500), slacktest.ServerError(502), slacktest.EmptyObject(), slacktest.EmptyError(),
	slacktest.ResetBefore(), slacktest.ResetAfter(), slacktest.Truncated(), slacktest.FatalErrorPosted(),
	slacktest.Commit(slacktest.ServerError(504)), slacktest.Commit(slacktest.APIError("internal_error")),
}

// life is one random schedule of incidents, faults, kills and of people who delete messages.
type life struct {
	*world
	rng     *rand.Rand
	threads map[string][]outbox.Entry
	order   []string
	log     *logtest.Log
	killed  bool // now and then
	kills   int
	deleted map[string]bool // threads whose root somebody deleted
}

func TestRandomFaultsLoseNothingAndDoubleNothing(t *testing.T) {
	for seed := range *lives {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, uint64(seed))
			l.trouble()
			l.end()
			l.settle(20 * time.Minute)
			l.check()
		})
	}
}

func newLife(t *testing.T, seed uint64) *life {
	l := &life{
		world: newWorld(t, slacktest.Options{}), rng: rand.New(rand.NewPCG(seed, 1)),
		threads: map[string][]outbox.Entry{}, log: &logtest.Log{}, killed: seed%2 == 1, deleted: map[string]bool{},
	}
	l.opts.Logger = slog.New(slog.NewTextHandler(l.log, nil))
	l.restart()
	return l
}

// trouble is a few minutes in which everything goes wrong.
func (l *life) trouble() {
	for range 3 + l.rng.IntN(8) {
		methods := []string{"", "chat.postMessage", "chat.postMessage", "chat.update", "conversations.history", "conversations.replies"}
		l.srv.Inject(slacktest.Fault{
			Method: methods[l.rng.IntN(len(methods))], Nth: l.rng.IntN(12), Count: 1 + l.rng.IntN(2), Do: effects[l.rng.IntN(len(effects))],
		})
	}
	for range 40 {
		switch l.rng.IntN(12) {
		case 0, 1, 2:
			l.open()
		case 3, 4, 5:
			l.follow(false)
		case 6:
			if l.killed {
				l.kill()
			}
		case 7:
			l.deleteRoot()
		}
		l.run(time.Second, time.Second)
	}
	l.srv.ClearFaults()
}

func (l *life) open() {
	if len(l.order) == 5 {
		return
	}
	id := fmt.Sprint("incident", len(l.order))
	l.order = append(l.order, id)
	l.add(l.message(id+"/post", id, outbox.Post, outbox.LanePage))
}

func (l *life) add(e outbox.Entry) {
	if len(l.order)%2 == 0 {
		e.Channel = "#reliability"
	}
	if old := l.threads[e.Thread]; len(old) > 0 {
		e.Channel = old[0].Channel
	}
	l.threads[e.Thread] = append(l.threads[e.Thread], e)
	l.store.Add(e)
}

// follow adds an edit and perhaps a reply to an incident; the last ones end it.
func (l *life) follow(last bool) {
	if len(l.order) == 0 {
		return
	}
	id := l.order[l.rng.IntN(len(l.order))]
	l.followThread(id, last || l.rng.IntN(2) == 0)
}

func (l *life) followThread(id string, reply bool) {
	n := len(l.threads[id])
	l.add(l.message(fmt.Sprint(id, "/edit", n), id, outbox.Edit, outbox.LaneTicket))
	if reply {
		l.add(l.message(fmt.Sprint(id, "/reply", n), id, outbox.Reply, outbox.LaneResolve))
	}
}

// kill lets the process die at the next write of a random kind, and starts it again.
func (l *life) kill() {
	l.kills++
	op := []string{"begin", "settle", "settle", "root"}[l.rng.IntN(4)]
	after := l.rng.IntN(2)
	l.store.FailWith(func(o, _ string) error {
		if o == op {
			if after--; after < 0 {
				return outboxtest.ErrDown
			}
		}
		return nil
	})
	l.run(time.Second, time.Second)
	l.store.FailWith(nil)
	l.restart()
}

func (l *life) deleteRoot() {
	for _, channel := range []string{general, "#reliability"} {
		for _, m := range l.srv.State().Roots(channel) {
			if l.rng.IntN(4) == 0 && m.Metadata != nil {
				l.srv.DeleteMessage(channel, m.TS)
				l.deleted[fmt.Sprint(m.Metadata.Payload["incident"])] = true
			}
		}
	}
}

// end brings every incident to its final state.
func (l *life) end() {
	for _, id := range l.order {
		l.followThread(id, true)
	}
}

func (l *life) check() {
	t := l.t
	t.Helper()
	st := l.srv.State()
	// Whoever is killed between an answer and its writing down forgets that it was told to wait.
	if early := early(st); len(early) > 2*l.kills {
		t.Errorf("I4, rate, with %d kills: %v", l.kills, early)
	}
	if strings.Contains(l.log.String(), "very-secret") {
		t.Error("I8, secrets: the token is in the log")
	}
	for _, o := range l.store.All() {
		if o.State != outbox.Sent && o.State != outbox.Superseded {
			t.Errorf("I1, no loss: %s is %s (%s)", o.Key, o.State, o.LastErr)
		}
	}
	for _, id := range l.order {
		l.checkThread(st, id)
	}
	if t.Failed() {
		t.Log(st.String())
	}
}

// early are the calls that came before a Retry-After had passed, without those that were on their
// way when it was said to another channel.
func early(st slacktest.State) []slacktest.Violation {
	return slices.DeleteFunc(st.Violations(), func(v slacktest.Violation) bool {
		return slices.ContainsFunc(st.Calls(v.Method), func(c slacktest.Call) bool {
			return c.At.Equal(v.At) && c.Fault != "" && c.Status == 429
		})
	})
}

func (l *life) checkThread(st slacktest.State, id string) {
	entries := l.threads[id]
	var roots, replies []slacktest.Message
	for _, m := range st.ByMetadata("incident", id) {
		if strings.Contains(fmt.Sprint(m.Metadata.Payload["key"]), "/reply") {
			replies = append(replies, m)
		} else {
			roots = append(roots, m)
		}
	}
	if len(roots) != 1 {
		l.t.Fatalf("I2, once: %s has %d roots", id, len(roots))
	}
	final := ""
	var want, got []string
	for _, e := range entries {
		switch e.Op {
		case outbox.Edit:
			final = e.Key
		case outbox.Reply:
			want = append(want, e.Key)
		case outbox.Post:
		}
	}
	if !strings.Contains(roots[0].Text, final) {
		l.t.Errorf("I3, final state: the root of %s shows %q, want %s", id, roots[0].Text, final)
	}
	slices.SortFunc(replies, func(a, b slacktest.Message) int { return strings.Compare(a.TS, b.TS) })
	for _, m := range replies {
		got = append(got, fmt.Sprint(m.Metadata.Payload["key"]))
		if !l.deleted[id] && m.ThreadTS != roots[0].TS {
			l.t.Errorf("I3, order: a reply of %s is not in its thread", id)
		}
	}
	if !l.deletedReplies(got, want) {
		l.t.Errorf("I2, I3, once and in order: %s has the replies %v, want %v", id, got, want)
	}
}

// deletedReplies compares the replies. A reply whose root was gone stands in the channel by itself,
// where somebody may have deleted it as well.
func (l *life) deletedReplies(got, want []string) bool {
	if len(l.deleted) == 0 {
		return slices.Equal(got, want)
	}
	i := 0
	for _, k := range want {
		if i < len(got) && got[i] == k {
			i++
		}
	}
	return i == len(got)
}

func TestAStormIsNamedWithinSeconds(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	const n = 500
	w.store.Add(w.message("report", "report", outbox.Post, outbox.LaneReport))
	for i := range n {
		lane := outbox.LaneTicket
		if i%10 == 9 {
			lane = outbox.LanePage
		}
		w.store.Add(w.message(fmt.Sprintf("k%03d", i), fmt.Sprintf("shop-%03d/availability", i), outbox.Post, lane))
	}
	w.settle(30 * time.Second)
	roots := w.roots()
	if len(roots) > 15 {
		t.Errorf("%d messages in the channel", len(roots))
	}
	var all string
	for _, m := range roots {
		all += m.Visible()
	}
	for i := range n {
		if name := fmt.Sprintf("shop-%03d/availability", i); !strings.Contains(all, name) {
			t.Fatalf("%s is not named", name)
		}
	}
	if first := roots[0].Visible(); !strings.Contains(first, "shop-499") || !strings.Contains(first, "50 pages") && !strings.Contains(first, "45 pages") {
		t.Errorf("the first message must name the pages:\n%s", first)
	}
	if last := roots[len(roots)-1]; !strings.Contains(last.Text, "report") {
		t.Errorf("the report comes last, not %q", last.Text)
	}
	w.noViolations()

	w.store.Add(w.message("edit", "shop-300/availability", outbox.Edit, outbox.LaneResolve), w.message("end", "shop-300/availability", outbox.Reply, outbox.LaneResolve))
	w.settle(10 * time.Second)
	end := w.srv.ByMetadata("key", "end")
	if len(end) != 1 || end[0].ThreadTS == "" || w.store.Get("edit").State != outbox.Superseded {
		t.Errorf("what follows about a folded incident is said in the digest's thread, and no digest is edited")
	}
}

func TestAStormThatIsCutOffIsNotSaidTwice(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	for i := range 300 {
		w.store.Add(w.message(fmt.Sprintf("k%03d", i), fmt.Sprintf("shop-%03d/availability", i), outbox.Post, outbox.LaneTicket))
	}
	w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: slacktest.ResetAfter()})
	w.run(time.Second, time.Second)
	w.restart()
	w.settle(2 * time.Minute)
	var all string
	for _, m := range w.roots() {
		all += m.Visible()
	}
	for i := range 300 {
		if n := strings.Count(all, fmt.Sprintf("• 🔥 Page · shop-%03d/availability", i)); n > 1 {
			t.Fatalf("incident %d is named in %d digests", i, n)
		}
	}
	if n := len(w.roots()); n > 8 {
		t.Errorf("%d messages", n)
	}
}

// 500 incidents that opened one after the other end within the same minute.
func TestTheEndOfAStormIsToldWithinSeconds(t *testing.T) {
	for name, alone := range map[string]bool{"each has a root message": true, "they share digests": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			const n = 500
			thread := func(i int) string { return fmt.Sprintf("shop-%03d/availability", i) }
			for i := range n {
				w.store.Add(w.message(fmt.Sprint("open", i), thread(i), outbox.Post, outbox.LaneTicket))
				if alone {
					w.run(1100*time.Millisecond, 1100*time.Millisecond)
				}
			}
			w.settle(20 * time.Second)
			before := len(w.srv.State().All(general))
			for i := range n {
				w.store.Add(w.message(fmt.Sprint("edit-a", i), thread(i), outbox.Edit, outbox.LaneResolve),
					w.message(fmt.Sprint("edit-b", i), thread(i), outbox.Edit, outbox.LaneResolve),
					w.message(fmt.Sprintf("end%03d", i), thread(i), outbox.Reply, outbox.LaneResolve))
			}
			w.store.Add(w.post("page"))
			w.run(3*time.Second, time.Second)
			if len(w.srv.ByMetadata("key", "page")) != 1 {
				t.Error("the page waits")
			}
			w.run(27*time.Second, time.Second)
			all, visible := w.srv.State().All(general), ""
			for _, m := range all[before:] {
				visible += m.Visible()
			}
			for i := range n {
				if !strings.Contains(visible, fmt.Sprintf("end%03d", i)) {
					t.Fatalf("the end of %d is not told within half a minute", i)
				}
			}
			if len(all)-before > 25 {
				t.Errorf("%d messages tell it", len(all)-before)
			}
			w.settle(15 * time.Minute)
			edits := len(w.srv.Calls("chat.update"))
			if few := n / 100; alone && (edits < n || edits > n+few) || !alone && edits > 20 { // a busy machine may repeat one
				t.Errorf("%d edits", edits)
			}
			w.noViolations()
		})
	}
}

// TestAStormInOneThreadIsNamedWithinSeconds: 500 SLOs of one service, or combinations of one SLO,
// burn at once. They are named in their thread, in digests, each once and in order. A digest of
// which nobody knows whether it arrived is looked for, name by name, before what it named is said
// again.
func TestAStormInOneThreadIsNamedWithinSeconds(t *testing.T) {
	for name, c := range map[string]struct {
		fault []slacktest.Effect
		n     int
		limit time.Duration
		most  int // messages
	}{
		"all goes well":      {nil, 500, 20 * time.Second, 10},
		"it is refused":      {[]slacktest.Effect{slacktest.RateLimited(3)}, 500, 2 * time.Minute, 10},
		"its answer is lost": {[]slacktest.Effect{slacktest.ResetAfter()}, 30, 5 * time.Minute, 10},
		"it is cut off":      {[]slacktest.Effect{slacktest.ResetBefore()}, 30, 5 * time.Minute, 31},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			w.store.Add(w.message("root", "shop", outbox.Post, outbox.LanePage))
			w.settle(20 * time.Second) // what is owed when a process begins may have been sent by the one before
			for i := range c.n {
				w.store.Add(w.message(fmt.Sprintf("joins%03d", i), "shop", outbox.Reply, outbox.LanePage))
			}
			for _, f := range c.fault {
				w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: f})
			}
			w.settle(c.limit)
			said := w.srv.State().Thread(general, w.wantRoots(1)[0].TS)
			if len(said) > c.most {
				t.Errorf("%d messages name them", len(said))
			}
			var got, want []string
			for _, m := range said {
				got = append(got, regexp.MustCompile(`joins\d+`).FindAllString(m.Visible(), -1)...)
			}
			for i := range c.n {
				want = append(want, fmt.Sprintf("joins%03d", i))
			}
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("named are %v", got)
			}
			w.noViolations()
		})
	}
}

func TestAPageOvertakesEverything(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	for i := range 15 {
		w.store.Add(w.message(fmt.Sprint("report", i), fmt.Sprint("r", i), outbox.Post, outbox.LaneReport), w.message(fmt.Sprint("ticket", i), fmt.Sprint("t", i), outbox.Post, outbox.LaneTicket))
	}
	w.run(3*time.Second, time.Second)
	w.store.Add(w.post("page"))
	w.run(2*time.Second, time.Second)
	if len(w.srv.ByMetadata("key", "page")) != 1 {
		t.Errorf("the page waits\n%s", w.srv.State())
	}
	w.settle(time.Minute)
	w.noViolations()
}

func TestOnlyTheNewestOfManyEditsIsSent(t *testing.T) {
	w := newWorld(t, slacktest.Options{})
	w.srv.Inject(slacktest.Fault{Method: "chat.postMessage", Count: 3, Do: slacktest.ServerError(503)})
	w.store.Add(w.post("a"))
	w.run(2*time.Second, time.Second)
	for i := range 10 {
		w.store.Add(w.message(fmt.Sprint("edit", i), "a", outbox.Edit, outbox.LaneTicket))
	}
	w.settle(5 * time.Minute)
	if n := len(w.srv.Calls("chat.update")); n > 1 {
		t.Errorf("%d edits were sent", n)
	}
	if m := w.wantRoots(1)[0]; !strings.Contains(m.Text, "edit9") {
		t.Errorf("the root shows %q", m.Text)
	}
}

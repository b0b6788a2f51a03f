package slacktest

import (
	"cmp"
	"net"
	"net/http"
	"strconv"
	"time"
)

// A Fault is one entry of the fault plan: which calls it strikes, how many, and what happens to
// them.
//
// Entries are tried in the order of injection; the first that strikes wins, and only the winner
// uses up one of its Count.
type Fault struct {
	Method  string          // "" for every method; "webhook" and "upload" too
	Channel string          // channel ID or name, "" for every channel
	When    func(Call) bool // a further condition, or nil
	Nth     int             // strike from the n-th matching call on; 0 and 1: the first
	Count   int             // how many calls to strike; 0 means 1, negative for ever
	Do      Effect
}

// planted is a fault and how far it got.
type planted struct {
	Fault
	seen, struck int
}

// Inject adds a fault to the plan.
func (s *Room) Inject(f Fault) {
	s.locked(func(w *workspace) { w.faults = append(w.faults, &planted{Fault: f}) })
}

// ClearFaults forgets the plan. Waits that callers were already told to keep still hold.
func (s *Room) ClearFaults() { s.locked(func(w *workspace) { w.faults = nil }) }

// fault returns the effect that strikes this call, or nil.
func (w *workspace) fault(c Call) *Effect {
	for _, f := range w.faults {
		if f.Method != "" && f.Method != c.Method ||
			f.Channel != "" && w.resolve(f.Channel) != c.Channel ||
			f.When != nil && !f.When(c) {
			continue
		}
		f.seen++
		if count := max(f.Count, 1); f.seen < f.Nth || f.Count >= 0 && f.struck >= count {
			continue
		}
		f.struck++
		return &f.Do
	}
	return nil
}

// An Effect is what a fault does to a call. Make one with the functions below.
type Effect struct {
	Name string // for the call log and for failure messages
	// Commits says that the workspace takes the call to heart although the caller is told
	// otherwise, or nothing.
	Commits bool
	play    func(*exchange)
}

// Commit returns the effect with the call carried out first, whatever is then answered:
// Commit(ServerError(502)) is a gateway that lost the answer.
func Commit(e Effect) Effect {
	return Effect{Name: "commit, " + e.Name, Commits: true, play: func(x *exchange) {
		x.run()
		e.play(x)
	}}
}

// RateLimited answers 429 with that Retry-After. A call before it has passed is a [Violation].
func RateLimited(seconds int) Effect {
	return Effect{Name: "429 Retry-After " + strconv.Itoa(seconds), play: func(x *exchange) {
		x.server.locked(func(w *workspace) { w.holdOff(x.req.call, time.Duration(seconds)*time.Second) })
		x.answer(tooMany(seconds))
	}}
}

// RetryAfter answers 429 with exactly that header value, or without the header if it is "". Nothing
// is expected of the caller: it is for values such as "0", "-5", "1.5", an HTTP date or
// "1000000000000" that mean nothing sensible.
func RetryAfter(value string) Effect {
	return Effect{Name: "429 Retry-After " + strconv.Quote(value), play: func(x *exchange) {
		rep := tooMany(0)
		if value != "" {
			rep.header = http.Header{"Retry-After": {value}}
		}
		x.answer(rep)
	}}
}

// APIError answers {"ok":false,"error":code} with status 200, without carrying out the call.
// "ratelimited" is a code too.
func APIError(code string) Effect {
	return Effect{Name: code, play: func(x *exchange) { x.answer(refuse(code)) }}
}

// MissingScope answers missing_scope, naming the scope.
func MissingScope(needed string) Effect {
	return Effect{Name: "missing_scope", play: func(x *exchange) { x.answer(missingScope(needed, []string{"chat:write"})) }}
}

// InvalidBlocks answers invalid_blocks, blaming the first block of that type, or the first block at
// all if it is "".
func InvalidBlocks(kind string) Effect {
	return Effect{Name: "invalid_blocks", play: func(x *exchange) {
		at := 0
		for i, b := range x.req.call.blocks {
			if hasBlock([]any{b}, kind) {
				at = i
				break
			}
		}
		sentence := "failed to match all allowed schemas"
		if kind != "" {
			sentence = "unsupported type: " + kind
		}
		x.answer(refused(&refusal{"invalid_blocks", []string{problem("/blocks/"+strconv.Itoa(at), sentence)}}))
	}}
}

// RefuseCharts returns the standing fault of a workspace that data_visualization has not reached.
func RefuseCharts() Fault {
	chart := "data_visualization"
	return Fault{When: func(c Call) bool { return c.HasBlock(chart) }, Count: -1, Do: InvalidBlocks(chart)}
}

// ServerError answers a 5xx with an HTML page, as Slack's edge does.
func ServerError(status int) Effect {
	return Effect{Name: strconv.Itoa(status), play: func(x *exchange) {
		x.log(status, http.StatusText(status))
		x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		x.w.WriteHeader(status)
		_, _ = x.w.Write([]byte("<!DOCTYPE html><html><head><title>Server Error | Slack</title></head><body><h1>Server Error</h1></body></html>"))
	}}
}

// SlowBody carries out the call, answers the first half of the body, and the rest only after that
// time or not at all if the caller leaves first.
func SlowBody(d time.Duration) Effect {
	return Effect{Name: "slow body", Commits: true, play: func(x *exchange) {
		half, rest := x.half()
		_, _ = x.w.Write(half)
		_ = http.NewResponseController(x.w).Flush()
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			_, _ = x.w.Write(rest)
		case <-x.r.Context().Done():
		case <-x.server.closing:
		}
	}}
}

// Hang never answers and never carries out the call; it ends when the caller leaves or the server
// is closed.
func Hang() Effect {
	return Effect{Name: "hang", play: func(x *exchange) {
		x.log(0, "hang")
		select {
		case <-x.r.Context().Done():
		case <-x.server.closing:
		}
		panic(http.ErrAbortHandler)
	}}
}

// HangAfter carries out the call, then never answers: the timeout after which nobody knows.
func HangAfter() Effect { return Commit(Hang()) }

// ResetBefore resets the connection before the call was carried out.
func ResetBefore() Effect {
	return Effect{Name: "reset", play: func(x *exchange) {
		x.log(0, "reset")
		x.reset()
	}}
}

// ResetAfter carries out the call, then resets the connection.
func ResetAfter() Effect { return Commit(ResetBefore()) }

// Truncated carries out the call, then answers half of the JSON, complete as far as HTTP is
// concerned.
func Truncated() Effect {
	return Effect{Name: "truncated JSON", Commits: true, play: func(x *exchange) {
		half, _ := x.half()
		_, _ = x.w.Write(half)
	}}
}

// EmptyObject answers {} with status 200 and carries out nothing.
func EmptyObject() Effect {
	return Effect{Name: "{}", play: func(x *exchange) { x.answer(reply{outcome: "{}", body: map[string]any{}}) }}
}

// EmptyError answers {"ok":false,"error":""} and carries out nothing.
func EmptyError() Effect {
	return Effect{Name: "empty error", play: func(x *exchange) { x.answer(refuse("")) }}
}

// FatalErrorPosted carries out the call and answers fatal_error, of which the documents say that
// some part of it may have succeeded.
func FatalErrorPosted() Effect { return Commit(APIError("fatal_error")) }

// Effects returns one of every kind, in a fixed order, for random fault schedules. Those named
// "hang" or "slow body" last until the caller gives up.
func Effects() []Effect {
	return []Effect{
		RateLimited(1), RetryAfter(""), RetryAfter("0"), RetryAfter("-5"), RetryAfter("1.5"),
		RetryAfter("Wed, 18 Nov 2026 14:00:00 GMT"), RetryAfter("1000000000000"), Commit(RetryAfter("1")), APIError("ratelimited"),
		ServerError(500), ServerError(502), ServerError(503), Commit(ServerError(502)),
		ResetBefore(), ResetAfter(), Hang(), HangAfter(), SlowBody(time.Hour),
		Truncated(), EmptyObject(), Commit(EmptyObject()), EmptyError(), FatalErrorPosted(),
		APIError("invalid_auth"), APIError("token_revoked"), MissingScope("chat:write"),
		APIError("channel_not_found"), APIError("is_archived"), APIError("not_in_channel"),
		APIError("message_not_found"), APIError("edit_window_closed"), APIError("msg_too_long"), InvalidBlocks(""),
	}
}

// exchange is one HTTP exchange while an effect plays with it.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	server *Server
	req    *request
	handle func(*workspace) reply
	ran    bool
	result reply
}

// run carries out the call, once, and returns what Slack would answer.
func (x *exchange) run() reply {
	if !x.ran {
		x.ran = true
		x.server.locked(func(w *workspace) { x.result = x.handle(w) })
	}
	return x.result
}

// answer logs and sends a reply.
func (x *exchange) answer(rep reply) {
	if x.req.call.Method == "webhook" {
		rep = rep.plainly()
	}
	x.log(rep.code(), rep.outcome)
	x.server.send(x.w, rep)
}

// plainly says an API error the way a webhook does: as text, with a status.
func (rep reply) plainly() reply {
	if rep.body == nil {
		return rep
	}
	rep.text, rep.body = rep.outcome, nil
	if rep.outcome == "ratelimited" {
		rep.text = "rate_limited"
	}
	rep.status = cmp.Or(rep.status, http.StatusBadRequest)
	return rep
}

// half carries out the call, logs it, and returns the answer in two pieces.
func (x *exchange) half() (first, rest []byte) {
	rep := x.run()
	x.log(rep.code(), rep.outcome)
	x.w.Header().Set("Content-Type", rep.contentType())
	x.w.WriteHeader(rep.code())
	b := rep.bytes()
	return b[:len(b)/2], b[len(b)/2:]
}

// log writes the line of the call log. It is written before the answer, so that a caller who has
// read the answer finds the line.
func (x *exchange) log(status int, outcome string) {
	x.server.locked(func(w *workspace) {
		c := x.req.call
		c.N = len(w.calls) + 1
		c.Status, c.Outcome, c.Committed = status, outcome, x.req.committed
		w.calls = append(w.calls, c)
	})
}

// reset closes the connection so that the caller's kernel reports a reset rather than an orderly
// end.
func (x *exchange) reset() {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

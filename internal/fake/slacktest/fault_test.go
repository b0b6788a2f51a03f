package slacktest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// What slack-go makes of each way to fail, and whether the message is there afterwards. The last
// column is what the delivery code has to find out.
func TestEveryFault(t *testing.T) {
	statusCode := func(n int) func(error) bool {
		return func(err error) bool {
			var e slack.StatusCodeError
			return errors.As(err, &e) && e.Code == n
		}
	}
	retryAfter := func(d time.Duration) func(error) bool {
		return func(err error) bool {
			var e *slack.RateLimitedError
			return errors.As(err, &e) && e.RetryAfter == d
		}
	}
	coded := func(want string) func(error) bool { return func(err error) bool { return code(err) == want } }
	silent := func(err error) bool { return err == nil } // the trap: no error, no ts
	reset := func(err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) }
	gaveUp := func(err error) bool { return errors.Is(err, context.Canceled) }
	date := "Wed, 18 Nov 2026 14:00:00 GMT"

	for _, c := range []struct {
		sentence string
		effect   slacktest.Effect
		is       func(error) bool
		stored   bool
		outcome  string
	}{
		{"429 with Retry-After", slacktest.RateLimited(30), retryAfter(30 * time.Second), false, "ratelimited"},
		{"429 without Retry-After", slacktest.RetryAfter(""), statusCode(429), false, "ratelimited"},
		{"429 with Retry-After 0", slacktest.RetryAfter("0"), retryAfter(0), false, "ratelimited"},
		{"429 with Retry-After -5", slacktest.RetryAfter("-5"), retryAfter(-5 * time.Second), false, "ratelimited"},
		{"429 with Retry-After 1.5", slacktest.RetryAfter("1.5"), func(err error) bool { return err != nil }, false, "ratelimited"},
		{"429 with a date", slacktest.RetryAfter(date), func(err error) bool { return err != nil }, false, "ratelimited"},
		{"429 with 10^12", slacktest.RetryAfter("1000000000000"), func(err error) bool { return err != nil }, false, "ratelimited"},
		{"429 though posted", slacktest.Commit(slacktest.RetryAfter("1")), retryAfter(time.Second), true, "ratelimited"},
		{"200 with ratelimited", slacktest.APIError("ratelimited"), coded("ratelimited"), false, "ratelimited"},
		{"500", slacktest.ServerError(500), statusCode(500), false, "Internal Server Error"},
		{"502", slacktest.ServerError(502), statusCode(502), false, "Bad Gateway"},
		{"503 though posted", slacktest.Commit(slacktest.ServerError(503)), statusCode(503), true, "Service Unavailable"},
		{"slow body", slacktest.SlowBody(time.Hour), gaveUp, true, "ok"},
		{"hang", slacktest.Hang(), gaveUp, false, "hang"},
		{"posted, then hang", slacktest.HangAfter(), gaveUp, true, "hang"},
		{"reset before", slacktest.ResetBefore(), reset, false, "reset"},
		{"reset after", slacktest.ResetAfter(), reset, true, "reset"},
		{"truncated JSON", slacktest.Truncated(), func(err error) bool { return err != nil }, true, "ok"},
		{"{}", slacktest.EmptyObject(), silent, false, "{}"},
		{"{} though posted", slacktest.Commit(slacktest.EmptyObject()), silent, true, "{}"},
		{"an empty error", slacktest.EmptyError(), silent, false, ""},
		{"fatal_error though posted", slacktest.FatalErrorPosted(), coded("fatal_error"), true, "fatal_error"},
		{"missing_scope", slacktest.MissingScope("chat:write"), coded("missing_scope"), false, "missing_scope"},
		{"invalid_blocks", slacktest.InvalidBlocks(""), coded("invalid_blocks"), false, "invalid_blocks"},
		{"token_revoked", slacktest.APIError("token_revoked"), coded("token_revoked"), false, "token_revoked"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			srv, api := start(t, slacktest.Options{})
			srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: c.effect})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.is(context.Canceled) && !c.is(errors.New("")) { // the caller gives up once the call is there
				go func() {
					_ = srv.Wait(ctx, func(st slacktest.State) bool { return len(st.Calls()) == 1 })
					cancel()
				}()
			}
			_, ts, err := api.PostMessageContext(ctx, "general", slack.MsgOptionText("hello", false))
			if !c.is(err) || ts != "" {
				t.Errorf("slack-go says ts %q, %v (%T)", ts, err, err)
			}
			want(t, "stored", len(srv.Messages("general")) == 1, c.stored)
			calls := srv.Calls()
			if len(calls) != 1 || calls[0].Outcome != c.outcome || calls[0].Committed != c.stored || calls[0].Fault != c.effect.Name {
				t.Errorf("log: %+v", calls)
			}
			if c.effect.Commits != c.stored {
				t.Errorf("the effect says Commits: %v", c.effect.Commits)
			}
		})
	}
}

func TestFaultPlan(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	fatal := slacktest.APIError("fatal_error")
	try := func(channel string, n int) (out []string) {
		for range n {
			_, _, err := api.PostMessage(channel, slack.MsgOptionText("x", false))
			out = append(out, code(err))
		}
		return out
	}
	srv.Inject(slacktest.Fault{Method: "chat.postMessage", Nth: 2, Count: 2, Do: fatal})
	want(t, "the second and third call", try("general", 5), []string{"ok", "fatal_error", "fatal_error", "ok", "ok"})

	srv.Inject(slacktest.Fault{Channel: "#reliability", Count: -1, Do: fatal})
	want(t, "one channel, by its name", try("reliability", 3), []string{"fatal_error", "fatal_error", "fatal_error"})
	want(t, "not another", try("general", 1), []string{"ok"})
	srv.ClearFaults()
	want(t, "after the plan was cleared", try("reliability", 1), []string{"ok"})

	srv.Inject(slacktest.Fault{When: func(c slacktest.Call) bool { return strings.Contains(c.Text, "x") }, Do: fatal})
	srv.Inject(slacktest.Fault{Do: slacktest.APIError("internal_error")})
	want(t, "in the order of injection", try("general", 3), []string{"fatal_error", "internal_error", "ok"})
}

func TestWorkspaceWithoutCharts(t *testing.T) {
	srv, _ := start(t, slacktest.Options{NoCharts: true, Unpaced: true})
	got := postRaw(t, srv, append([]any{obj{"type": "divider"}}, chart(1, 2, 5, 5, 5)...))
	want(t, "a chart", got.Errors, []string{"unsupported type: data_visualization [json-pointer:/blocks/1]"})
	want(t, "everything else", postRaw(t, srv, []any{obj{"type": "divider"}}).Error, "")
}

func TestPace(t *testing.T) {
	c := newClock()
	srv, api := start(t, slacktest.Options{Now: c.Now})
	try := func(channel string) string {
		_, _, err := api.PostMessage(channel, slack.MsgOptionText("x", false))
		var limited *slack.RateLimitedError
		if errors.As(err, &limited) {
			return limited.RetryAfter.String()
		}
		return code(err)
	}
	want(t, "a burst of three, then a wait", []string{try("general"), try("general"), try("general"), try("general")}, []string{"ok", "ok", "ok", "1s"})
	want(t, "another channel does not wait", try("reliability"), "ok")
	c.advance(400 * time.Millisecond)
	want(t, "too early", try("general"), "1s")
	if v := srv.Violations(); len(v) != 1 || v[0].Kind != "early" || v[0].Channel != "C0SLOW0001" {
		t.Errorf("violations: %v", v)
	}
	c.advance(600 * time.Millisecond)
	want(t, "in time", try("general"), "ok")
	want(t, "and no second violation", len(srv.Violations()), 1)
}

func TestUpdatesAreLimitedForTheWholeWorkspace(t *testing.T) {
	c := newClock()
	srv, api := start(t, slacktest.Options{Now: c.Now})
	channel, ts := post(t, api, "general", "x")
	for i := range 50 {
		if _, _, _, err := api.UpdateMessage(channel, ts, slack.MsgOptionText(fmt.Sprint(i), false)); err != nil {
			t.Fatalf("update %d: %v", i, err)
		}
	}
	_, _, _, err := api.UpdateMessage(channel, ts, slack.MsgOptionText("one too many", false))
	var limited *slack.RateLimitedError
	if !errors.As(err, &limited) || limited.RetryAfter != 2*time.Second {
		t.Errorf("the 51st update in a minute: %v", err)
	}
	want(t, "violations", len(srv.Violations()), 0)
}

func TestEarlyCallsDoNotUseUpFaults(t *testing.T) {
	c := newClock()
	srv, api := start(t, slacktest.Options{Now: c.Now})
	srv.Inject(slacktest.Fault{Do: slacktest.RateLimited(10)})
	srv.Inject(slacktest.Fault{Do: slacktest.APIError("fatal_error")})
	var got []string
	for range 3 {
		_, _, err := api.PostMessage("general", slack.MsgOptionText("x", false))
		got = append(got, code(err))
		c.advance(6 * time.Second)
	}
	want(t, "answers", got, []string{"slack rate limit exceeded, retry after 10s", "slack rate limit exceeded, retry after 4s", "fatal_error"})
	want(t, "violations", len(srv.Violations()), 1)
}

func TestCloseEndsHangingCalls(t *testing.T) {
	srv := slacktest.Start(slacktest.Options{})
	srv.Inject(slacktest.Fault{Do: slacktest.Hang()})
	done := make(chan error, 1)
	go func() {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).PostForm(srv.APIURL()+"auth.test", nil)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	if err := srv.Wait(t.Context(), func(st slacktest.State) bool { return len(st.Calls()) == 1 }); err != nil {
		t.Fatal(err)
	}
	srv.Close()
	srv.Close() // twice does no harm
	if err := <-done; err == nil {
		t.Error("the hanging call was answered")
	}
	if err := srv.Wait(t.Context(), func(slacktest.State) bool { return false }); err == nil {
		t.Error("waiting on a closed server did not end")
	}
}

func TestListenReportsATakenAddress(t *testing.T) {
	srv, _ := start(t, slacktest.Options{})
	if _, err := slacktest.Listen(slacktest.Options{Addr: strings.TrimPrefix(srv.URL(), "http://")}); err == nil {
		t.Error("two servers on one address")
	}
}

// Whatever is injected, the log says the truth about what was stored.
func TestLogTellsTheTruth(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	effects := slices.DeleteFunc(slacktest.Effects(), func(e slacktest.Effect) bool {
		return strings.Contains(e.Name, "hang") || e.Name == "slow body" || e.Name == "429 Retry-After 1"
	})
	for i := range 70 {
		srv.Inject(slacktest.Fault{Do: effects[i%len(effects)]})
		_, _, _ = api.PostMessage("general", slack.MsgOptionText(fmt.Sprint(i), false))
	}
	var committed []string
	for _, c := range srv.Calls("chat.postMessage") {
		if c.Committed {
			committed = append(committed, c.Text)
		}
	}
	if got := texts(srv.Messages("general")); len(got) == 0 || !slices.Equal(got, committed) {
		t.Errorf("stored %q, log says %q", got, committed)
	}
}

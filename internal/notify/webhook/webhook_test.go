package webhook

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/goldentest"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
)

func now() time.Time { return time.Unix(1674087231, 0) }

func newClient(t *testing.T, address string) *Client {
	c, err := New(Config{URL: notify.Secret(address), Secret: "whsec_c2VjcmV0LW9mLXR3ZW50eS1mb3VyLWJ5dGVz", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// compose is what a webhook is told of a story.
func compose(story []notify.Facts) (entries []outbox.Entry) {
	for _, f := range story {
		entries = append(entries, (*Client)(nil).Event(f)...)
	}
	return entries
}

func pass(t *testing.T, store *outboxtest.Store, c outbox.Receiver, passes int) {
	pump := outbox.NewPump(store, map[string]outbox.Receiver{"webhook": c}, outbox.Options{})
	at := notifytest.Noon.Add(time.Hour)
	for range passes {
		_, _ = pump.Pass(t.Context(), at)
		at = at.Add(7 * time.Second)
	}
}

// TestGolden: the form of the documents, as docs/webhook.md shows it.
func TestGolden(t *testing.T) {
	var out strings.Builder
	for _, e := range compose(notifytest.Story("webhook", true)) {
		var m api.Message
		if err := json.Unmarshal(e.Body, &m); err != nil {
			t.Fatal(err)
		}
		text, _ := json.MarshalIndent(m, "", "  ")
		out.Write(append(text, '\n'))
	}
	goldentest.Check(t, "testdata/story.json", []byte(out.String()))
}

// TestSignature holds a request against the example of the specification of Standard Webhooks.
func TestSignature(t *testing.T) {
	key, err := keyOf("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestEveryRequestIsSignedAndKeepsItsID(t *testing.T) {
	r := notifytest.NewReceiver(t, func(n int, _ notifytest.Request) (int, http.Header, string) {
		if n%2 == 0 {
			return 503, nil, ""
		}
		return 204, nil, ""
	})
	store, c := &outboxtest.Store{}, newClient(t, r.URL+"/hook")
	store.Add(compose(notifytest.Story("webhook", false))...)
	entries := store.All()
	pass(t, store, c, 80)
	if store.Open() != 0 {
		t.Fatalf("%d left", store.Open())
	}
	got := r.Got()
	if len(got) != 2*len(entries) {
		t.Fatalf("%d requests for %d entries", len(got), len(entries))
	}
	for i, req := range got {
		id, stamp := req.Header.Get(HeaderID), req.Header.Get(HeaderTimestamp)
		if want := Sign(c.key, id, stamp, req.Body); req.Header.Get(HeaderSignature) != want {
			t.Errorf("request %d is signed %q, not %q", i, req.Header.Get(HeaderSignature), want)
		}
		if want := messageID(entries[i/2].Key); id != want {
			t.Errorf("request %d has ID %s, not %s: out of order, or another ID for a repetition", i, id, want)
		}
		if repeat := req.Header.Get(HeaderRepeat) != ""; repeat != (i%2 == 1) {
			t.Errorf("request %d says that it repeats: %t", i, repeat)
		}
	}
}

func TestAnswers(t *testing.T) {
	for status, want := range map[int]outbox.Class{
		200: "", 204: "", 409: "", 400: outbox.Permanent, 401: outbox.Misconfigured, 404: outbox.Misconfigured,
		408: outbox.Retry, 410: outbox.Misconfigured, 413: outbox.Permanent, 429: outbox.RateLimited,
		500: outbox.Ambiguous, 502: outbox.Ambiguous, 302: outbox.Misconfigured, -1: outbox.Ambiguous,
	} {
		elsewhere := notifytest.NewReceiver(t, nil)
		r := notifytest.NewReceiver(t, func(int, notifytest.Request) (int, http.Header, string) {
			return status, http.Header{"Location": {elsewhere.URL}, "Retry-After": {"7"}}, ""
		})
		_, err := newClient(t, r.URL+"/token-in-the-path").Deliver(t.Context(), outbox.Owed{Entry: compose(notifytest.Story("webhook", false))[0]}, outbox.Receipt{})
		switch {
		case want == "" && err == nil:
		case err == nil || outbox.FailureOf(err).Class != want:
			t.Errorf("%d: %v is not %s", status, err, want)
		case strings.Contains(err.Error(), "token-in-the-path"):
			t.Errorf("%d: the error shows the address: %v", status, err)
		}
		if len(elsewhere.Got()) != 0 {
			t.Errorf("%d: a redirect was followed", status)
		}
	}
}

func TestNoServerMeansThatNothingArrived(t *testing.T) {
	_, err := newClient(t, "http://127.0.0.1:1/x").Deliver(t.Context(), outbox.Owed{Entry: compose(notifytest.Story("webhook", false))[0]}, outbox.Receipt{})
	if outbox.FailureOf(err).Class != outbox.Retry {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]Config{
		"a secret that is too short":        {URL: "https://a.example.com/", Secret: "short"},
		"a secret that is no base64":        {URL: "https://a.example.com/", Secret: "whsec_***"},
		"an address of another kind":        {URL: "file:///etc/passwd"},
		"an address without a host":         {URL: "https:///x"},
		"something that is no address":      {URL: "::"},
		"an address that is simply missing": {},
	} {
		if _, err := New(c); err == nil || strings.Contains(err.Error(), "passwd") || strings.Contains(err.Error(), "short\"") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package pagerduty

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
)

const key = "0123456789abcdef0123456789ABCDEF"

func newClient(t *testing.T, r *notifytest.Receiver) *Client {
	c, err := New(key, r.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// deliver sends all of a story at once through the pump, and passes until nothing is owed.
func deliver(t *testing.T, store *outboxtest.Store, c outbox.Receiver, passes int) {
	pump := outbox.NewPump(store, map[string]outbox.Receiver{"pagerduty": c}, outbox.Options{})
	at := notifytest.Noon.Add(time.Hour)
	for range passes {
		if _, err := pump.Pass(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		at = at.Add(7 * time.Second)
	}
}

func events(t *testing.T, r *notifytest.Receiver) (all []map[string]any) {
	for _, got := range r.Got() {
		var e map[string]any
		if err := json.Unmarshal(got.Body, &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestStory(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	store, c := &outboxtest.Store{}, newClient(t, r)
	for n, f := range notifytest.Story("pagerduty", false) {
		store.Add((*Client)(nil).Event(f)...)
		if n == 0 {
			store.Add(c.Acknowledged(f, alerting.Act{Key: "1"})...)
		}
		deliver(t, store, c, 3)
	}
	got := events(t, r)
	var actions []string
	for _, e := range got {
		actions = append(actions, e["event_action"].(string))
		if e["dedup_key"] != got[0]["dedup_key"] || e["routing_key"] != key {
			t.Errorf("keys: %v", e)
		}
	}
	if want := "trigger acknowledge resolve"; strings.Join(actions, " ") != want {
		t.Fatalf("sent %v, not %s", actions, want)
	}
	payload := got[0]["payload"].(map[string]any)
	for name, want := range map[string]string{
		"severity": "critical", "component": "checkout", "group": "payments", "class": "page", "source": string(notifytest.ID),
	} {
		if payload[name] != want {
			t.Errorf("%s is %v, not %s", name, payload[name], want)
		}
	}
	if s := payload["summary"].(string); !strings.Contains(s, "requests on checkout") || !strings.Contains(s, "budget gone in") {
		t.Errorf("summary: %s", s)
	}
	if n := len(got[0]["links"].([]any)); n != 4 {
		t.Errorf("%d links", n)
	}
}

// TestAnswers: what each documented answer, and some that are not, mean for the next attempt.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   outbox.Class // "" is sent
	}{
		"202 is accepted":                           {202, `{"status":"success"}`, ""},
		"400 will never be taken":                   {400, `{"status":"invalid event"}`, outbox.Permanent},
		"400 about the routing key is for a person": {400, `{"errors":["Invalid routing key"]}`, outbox.Misconfigured},
		"429 is told to wait":                       {429, "", outbox.RateLimited},
		"500 may be taken or not":                   {500, "", outbox.Ambiguous},
		"a redirect is not followed":                {307, "", outbox.Misconfigured},
		"403 is for a person":                       {403, "", outbox.Misconfigured},
		"a cut connection may be taken or not":      {-1, "", outbox.Ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			r := notifytest.NewReceiver(t, func(int, notifytest.Request) (int, http.Header, string) {
				return c.status, http.Header{"Retry-After": {"30"}, "Location": {"http://127.0.0.1:1/"}}, c.body
			})
			o := outbox.Owed{Entry: (*Client)(nil).Event(notifytest.Story("pagerduty", false)[0])[0]}
			receipt, err := newClient(t, r).Deliver(t.Context(), o, outbox.Receipt{})
			if c.want == "" {
				if err != nil || receipt.None() {
					t.Errorf("%v, %v", receipt, err)
				}
				return
			}
			f := outbox.FailureOf(err)
			if f.Class != c.want || strings.Contains(err.Error(), key) {
				t.Errorf("%v is not %s", err, c.want)
			}
			if c.status == 429 && f.After != 30*time.Second {
				t.Errorf("wait %s", f.After)
			}
		})
	}
}

func TestTheSentenceArrivesWhateverIsWrongWithTheRest(t *testing.T) {
	r := notifytest.NewReceiver(t, func(_ int, r notifytest.Request) (int, http.Header, string) {
		if strings.Contains(string(r.Body), "custom_details") {
			return 400, nil, "invalid event"
		}
		return 202, nil, ""
	})
	o := outbox.Owed{Entry: (*Client)(nil).Event(notifytest.Story("pagerduty", false)[0])[0]}
	if _, err := newClient(t, r).Deliver(t.Context(), o, outbox.Receipt{}); err != nil || len(r.Got()) != 2 {
		t.Errorf("%v after %d requests", err, len(r.Got()))
	}
}

func TestAnOutageOfPagerDutyWakesNobodyForWhatIsOver(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Always(503))
	store, c := &outboxtest.Store{}, newClient(t, r)
	story := notifytest.Story("pagerduty", false)
	store.Add((*Client)(nil).Event(story[0])...)
	deliver(t, store, c, 2)
	r.Answer(nil)
	for _, f := range story[1:] {
		store.Add((*Client)(nil).Event(f)...)
	}
	before := len(r.Got())
	deliver(t, store, c, 40)
	got := events(t, r)[before:]
	if len(got) != 1 || got[0]["event_action"] != "resolve" || store.Open() != 0 {
		t.Errorf("sent %v, %d left", got, store.Open())
	}
}

func TestWhatFollowsOnAnIncidentPagerDutyNeverHeardOfIsNeedless(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	store := &outboxtest.Store{}
	story := notifytest.Story("pagerduty", false)
	store.Add((*Client)(nil).Event(story[len(story)-1])...)
	deliver(t, store, newClient(t, r), 2)
	if len(r.Got()) != 0 || store.Open() != 0 {
		t.Errorf("%d requests, %d left", len(r.Got()), store.Open())
	}
}

func TestLimits(t *testing.T) {
	f := notifytest.Story("pagerduty", false)[0]
	f.Incident.ID = strings.Repeat("é", 4000)
	f.Event.Incident = f.Incident.ID
	f.Spec.Description = strings.Repeat("<", 100_000)
	f.Spec.Owner = strings.Repeat("x", 100_000)
	e := trigger(f)
	if n := len([]rune(e.DedupKey)); n != maxKey {
		t.Errorf("the key has %d characters", n)
	}
	if n := len(notify.JSON(e)); n > maxSize {
		t.Errorf("%d bytes", n)
	}
	if n := len([]rune(e.Payload.Summary)); n > maxSummary {
		t.Errorf("the summary has %d characters", n)
	}
}

func TestKeysThatCannotBeRight(t *testing.T) {
	for _, bad := range []notify.Secret{"", "short", key + "0", "0123456789abcdef 123456789ABCDEF"} {
		if _, err := New(bad, ""); err == nil || strings.Contains(err.Error(), "bcdef") {
			t.Errorf("%q: %v", bad.Reveal(), err)
		}
	}
	if _, err := New(key, "http://events.example.com/"); err == nil {
		t.Error("the key would go out without encryption")
	}
}

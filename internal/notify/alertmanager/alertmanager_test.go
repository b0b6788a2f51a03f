package alertmanager

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/outbox/outboxtest"
)

// world is an Alertmanager, the receiver to it and a clock that stands still unless it is moved.
type world struct {
	t     *testing.T
	r     *notifytest.Receiver
	c     *Client
	now   time.Time
	store outboxtest.Store
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, r: notifytest.NewReceiver(t, notifytest.Always(http.StatusOK)), now: notifytest.Noon.Add(time.Hour)}
	c, err := New(w.r.URL, notify.NewClient(), func() time.Time { return w.now })
	if err != nil {
		t.Fatal(err)
	}
	w.c = c
	return w
}

func (w *world) deliver(entries ...outbox.Entry) {
	w.t.Helper()
	w.store.Add(entries...)
	pump := outbox.NewPump(&w.store, map[string]outbox.Receiver{"alertmanager": w.c}, outbox.Options{})
	for range 3 {
		if _, err := pump.Pass(w.t.Context(), w.now); err != nil {
			w.t.Fatal(err)
		}
		w.now = w.now.Add(6 * time.Second)
	}
}

// last are the alerts of the newest request.
func (w *world) last() []Alert {
	w.t.Helper()
	got := w.r.Got()
	var all []Alert
	if len(got) == 0 || got[len(got)-1].Path != "/api/v2/alerts" || json.Unmarshal(got[len(got)-1].Body, &all) != nil {
		w.t.Fatalf("requests: %v", got)
	}
	return all
}

func TestStory(t *testing.T) {
	w := newWorld(t)
	story := notifytest.Story("alertmanager", true)
	for _, f := range story {
		sent := len(w.r.Got())
		at := w.now
		w.deliver((*Client)(nil).Event(f)...)
		if f.Event.Kind == alerting.Updated {
			if len(w.r.Got()) != sent {
				t.Error("newer figures were sent by themselves")
			}
			continue
		}
		all := w.last()
		a := all[0]
		if !a.StartsAt.Before(a.EndsAt) {
			t.Errorf("%s: from %s to %s", f.Event.Kind, a.StartsAt, a.EndsAt)
		}
		if open := a.EndsAt.After(at); open != f.Incident.Open {
			t.Errorf("%s: ends at %s, and now it is %s", f.Event.Kind, a.EndsAt, at)
		}
		if f.Event.Kind == alerting.Escalated && (len(all) != 2 || all[1].Labels["severity"] != "ticket" || all[1].EndsAt.After(at)) {
			t.Errorf("the ticket goes on beside the page: %+v", all)
		}
	}
	want := map[string]string{
		"alertname": "ErrorBudgetBurn", "severity": "page", "service": "checkout", "slo": "availability",
		"owner": "payments", "tier": "high_fast", "route": `/pay?<b>&"x"`, "incident": story[0].Incident.ID,
	}
	a := w.last()[0]
	for name, value := range want {
		if a.Labels[name] != value {
			t.Errorf("label %s is %q, not %q", name, a.Labels[name], value)
		}
	}
	if len(a.Labels) != len(want) {
		t.Errorf("labels: %v", a.Labels)
	}
	for _, name := range []string{"summary", "description", "runbook_url", "dashboard_url", "incident_url"} {
		if a.Annotations[name] == "" {
			t.Errorf("no annotation %s", name)
		}
	}
}

// open is the story up to a moment in which it goes on.
func open() notify.Facts { return notifytest.Story("alertmanager", false)[0] }

func TestWhatIsOpenIsRepeatedAndEndsLater(t *testing.T) {
	w := newWorld(t)
	w.deliver((*Client)(nil).Event(open())...)
	first := w.last()[0]
	w.now = w.now.Add(5 * time.Minute)
	if err := w.c.Keep(t.Context(), []notify.Facts{open()}); err != nil {
		t.Fatal(err)
	}
	again := w.last()[0]
	if !again.StartsAt.Equal(first.StartsAt) || again.EndsAt.Sub(w.now) != Hold {
		t.Errorf("first %+v, then %+v", first, again)
	}
}

// TestNoRepetitionAfterTheEnd: a repetition that was prepared before the end must not bring the
// alert back.
func TestNoRepetitionAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	story := notifytest.Story("alertmanager", false)
	w.deliver((*Client)(nil).Event(story[0])...)
	end := story[len(story)-1]
	w.deliver((*Client)(nil).Event(end)...)
	if err := w.c.Keep(t.Context(), []notify.Facts{story[0]}); err != nil {
		t.Fatal(err)
	}
	if a := w.last(); len(a) != 1 || !a[0].EndsAt.Equal(end.Incident.Resolved) {
		t.Errorf("repeated %+v", a)
	}
	w.now = w.now.Add(time.Hour)
	_ = w.c.Keep(t.Context(), nil)
	sent := len(w.r.Got())
	_ = w.c.Keep(t.Context(), nil)
	if len(w.r.Got()) != sent {
		t.Error("what has ended is repeated for ever")
	}
}

func TestAnswers(t *testing.T) {
	for status, want := range map[int]outbox.Class{200: "", 400: outbox.Permanent, 500: outbox.Ambiguous, 503: outbox.Ambiguous, 404: outbox.Misconfigured, -1: outbox.Ambiguous} {
		w := newWorld(t)
		w.r.Answer(notifytest.Always(status))
		_, err := w.c.Deliver(t.Context(), outbox.Owed{Entry: (*Client)(nil).Event(open())[0]}, outbox.Receipt{})
		if want == "" && err == nil {
			continue
		}
		if err == nil || outbox.FailureOf(err).Class != want {
			t.Errorf("%d: %v is not %s", status, err, want)
		}
	}
}

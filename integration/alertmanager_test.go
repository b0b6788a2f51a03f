package integration_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/alertmanager"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// known are the alerts that an Alertmanager takes for firing.
func known(t *testing.T, server *servers.Server) (all []alertmanager.Alert) {
	t.Helper()
	resp, err := http.Get(server.URL + "/api/v2/alerts?active=true")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return all
}

// TestAlertmanager fires, keeps alive over a restart of Alertmanager, and resolves.
func TestAlertmanager(t *testing.T) {
	server := servers.Alertmanager(t, "")
	now := time.Now()
	c, err := alertmanager.New(server.URL, notify.NewClient(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	story := notifytest.Story("alertmanager", true)
	begin := moved(story[1], now) // a page that was a ticket
	deliver := func(f notify.Facts, only outbox.Op) {
		t.Helper()
		for _, e := range c.Event(f) {
			if e.Op != only {
				continue
			}
			if _, err := c.Deliver(t.Context(), outbox.Owed{Entry: e}, outbox.Receipt{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	deliver(begin, outbox.Post)
	check := func(when string) alertmanager.Alert {
		t.Helper()
		all := known(t, server)
		if len(all) != 1 || all[0].Labels["severity"] != "page" || all[0].Labels["alertname"] != "ErrorBudgetBurn" || all[0].Labels["route"] == "" {
			t.Fatalf("%s it knows %+v", when, all)
		}
		return all[0]
	}
	first := check("when it fires")

	now = now.Add(time.Minute)
	if err := c.Keep(t.Context(), []notify.Facts{begin}); err != nil {
		t.Fatal(err)
	}
	if again := check("when it is repeated"); !again.EndsAt.After(first.EndsAt) || !again.StartsAt.Equal(first.StartsAt) {
		t.Errorf("first %s to %s, then %s to %s", first.StartsAt, first.EndsAt, again.StartsAt, again.EndsAt)
	}

	server.Stop(t)
	if err := c.Keep(t.Context(), []notify.Facts{begin}); err == nil {
		t.Error("nobody noticed that it is down")
	}
	server.Start(t)
	if err := c.Keep(t.Context(), []notify.Facts{begin}); err != nil {
		t.Fatal(err)
	}
	check("after its restart")

	now = time.Now()
	end := moved(story[len(story)-1], now)
	deliver(end, outbox.Edit)
	if all := known(t, server); len(all) != 0 {
		t.Errorf("at the end it knows %+v", all)
	}
}

// moved are the facts of a story, told as if the incident had begun a few minutes ago.
func moved(f notify.Facts, now time.Time) notify.Facts {
	begin := now.Add(-10 * time.Minute)
	f.Incident.Detected, f.Incident.Escalated = begin, begin.Add(time.Minute)
	if !f.Incident.Open {
		f.Incident.Resolved = now.Add(-time.Second)
	}
	return f
}

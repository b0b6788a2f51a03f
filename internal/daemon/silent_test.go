package daemon

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/logtest"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// saysSilent fails unless a member says to everybody that its database does not answer. An act by
// the API, one by a form, and what only the database knows are refused in words; metrics come
// without the outbox.
func (m *member) saysSilent(b *band) {
	m.t.Helper()
	act := api.Act{Key: "silent", Kind: alerting.Remark, By: "Ada", Incident: b.incident.ID, Text: "x"}
	form := url.Values{"act": {"acknowledge"}, "by": {"Ben"}}
	const silent, unwritten = "The database has not answered since 2", "nothing was written. Do it again when it answers"
	for name, c := range map[string]struct {
		path  string
		act   any
		form  url.Values
		words string
	}{
		"an act":         {"/api/v1/acts", act, nil, unwritten},
		"a drill":        {"/api/v1/drills", api.NewDrill{}, nil, unwritten},
		"a form":         {b.page(), nil, form, unwritten},
		"past incidents": {"/api/v1/incidents", nil, nil, "only what is in memory is shown"},
		"what waits":     {"/api/v1/requests/x", nil, nil, "only what is in memory is shown"},
	} {
		code, body := m.ask(c.path, c.act, c.form)
		if code != http.StatusServiceUnavailable || !strings.Contains(body, silent) || !strings.Contains(body, c.words) {
			m.t.Errorf("%s: %d %s", name, code, body)
		}
	}
	for range 3 {
		if code, body := m.ask("/metrics", nil, nil); code != http.StatusOK || strings.Contains(body, "\nslowburn_outbox_entries") || !strings.Contains(body, "\nslowburn_leader 0") {
			m.t.Errorf("metrics: %d, with the outbox: %v", code, strings.Contains(body, "\nslowburn_outbox_entries"))
		}
		if code, body := m.ask("/api/v1/status", nil, nil); code != http.StatusOK || !strings.Contains(body, `"outbox":null`) {
			m.t.Errorf("status: %d %s", code, body)
		}
	}
	for path, words := range map[string]string{"/": "Standing by", "/status": "only what is in memory is shown"} {
		if code, body := m.ask(path, nil, nil); code != http.StatusOK || !strings.Contains(body, words) || !strings.Contains(body, " old.") {
			m.t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// TestAMemberWhoseDatabaseDoesNotAnswerSaysSo: because the network to it is gone, which nobody is
// told, or because it has crashed. The log says what does not work once in the beginning, and when
// it is over.
func TestAMemberWhoseDatabaseDoesNotAnswerSaysSo(t *testing.T) {
	t.Parallel()
	b := newBandOn(t, pgtest.Start(t)) // which is killed
	proxy := b.server.NewProxy(t)
	first := b.join(b.schema)
	b.until("the first leads", first.leads)
	var log logtest.Log
	second := b.seat(seat{address: b.through(proxy), log: slog.NewTextHandler(&log, nil)})
	t.Cleanup(func() { proxy.Hold(false) })
	b.until("the second follows", func() bool { return second.waitsFor() == "another slowburn leads" })
	complaints := []string{"cannot ask to lead", "cannot follow the leader"}
	well := func() bool {
		_, body := second.ask("/metrics", nil, nil)
		return strings.Contains(body, "\nslowburn_outbox_entries") && log.Count("msg=\"over: "+complaints[0]) == 1 && log.Count("msg=\"over: "+complaints[1]) == 1
	}
	proxy.Hold(true)
	b.until("the second notices", func() bool { return !second.db.Silent().IsZero() && log.Count("cannot") >= len(complaints) })
	second.saysSilent(b)
	for _, words := range complaints {
		if n := log.Count("msg=\"" + words); n != 1 {
			t.Errorf("%q is logged %d times:\n%s", words, n, log.String())
		}
	}
	if n := log.Count("cannot read the outbox"); n > 1 {
		t.Errorf("that it cannot read the outbox is logged %d times", n)
	}
	proxy.Hold(false)
	b.until("all is well again", well)
	if code, body := second.answer("/api/v1/acts", api.Act{Key: "n", Kind: alerting.Remark, By: "Ada", Incident: b.incident.ID, Text: "x"}); code != http.StatusOK {
		t.Errorf("afterwards an act gets %d %s", code, body)
	}
	b.server.Kill()
	for _, m := range []*member{first, second} {
		b.until("it notices", func() bool { return !m.leads() && !m.db.Silent().IsZero() })
		m.saysSilent(b)
	}
	check(t, b.server.Start())
	b.until("one leads again", func() bool { return first.leads() || second.leads() })
}

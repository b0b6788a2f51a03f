package daemon

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/web"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/logtest"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// post sends JSON to the daemon's own server, with a token.
func (w *wired) post(t *testing.T, path string, body any) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(string(notify.JSON(body))))
	r.Host, r.RemoteAddr = "127.0.0.1", "127.0.0.1:1"
	r.Header.Set(web.TokenHeader, memberToken)
	rec := httptest.NewRecorder()
	w.handler(prometheus.NewRegistry()).ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// act tells the daemon of an act, and returns what it answers.
func (w *wired) act(t *testing.T, a api.Act) (int, api.Act, string) {
	t.Helper()
	code, body := w.post(t, "/api/v1/acts", a)
	var told struct{ Data api.Act }
	_ = json.Unmarshal([]byte(body), &told)
	return code, told.Data, body
}

// log returns all acts, oldest first, as KIND KEY.
func (w *wired) logged(t *testing.T) (all []string) {
	t.Helper()
	acts := ok(w.db.Acts(t.Context(), store.ActFilter{}))(t)
	for n := range acts {
		a := acts[len(acts)-1-n]
		all = append(all, string(a.Kind)+" "+a.Key)
	}
	return all
}

// TestAKeyIsThatOfOneAct: whatever comes under a key that is taken takes no effect and is not
// answered as done, be it an act of another kind, on another door, or the same with other words;
// what was done is answered as it was stored.
func TestAKeyIsThatOfOneAct(t *testing.T) {
	w := wire(t, "")
	service := notifyService(w)
	work := api.Act{Key: "INV9", Kind: alerting.Worked, By: "mallory", Facts: map[string]string{"kind": "toil", "minutes": "5"}}
	code, first, body := w.act(t, work)
	if code != http.StatusOK || first.At.IsZero() || !first.Received.Equal(first.At) {
		t.Fatalf("%d %s", code, body)
	}
	w.at = w.at.Add(3 * time.Minute)
	if code, again, body := w.act(t, work); code != http.StatusOK || !again.At.Equal(first.At) || !again.Received.Equal(first.Received) {
		t.Errorf("the same again: %d %s", code, body)
	}
	hour := w.at.Add(time.Hour)
	for what, a := range map[string]api.Act{
		"kind, text, until, facts, service": {Key: "INV9", Kind: alerting.Override, By: "mallory", Service: service, Text: "x", Until: hour},
		"kind, until, facts, service":       {Key: "INV9", Kind: alerting.Silence, By: "mallory", Service: service, Until: hour},
		"kind, text, facts, service":        {Key: "INV9", Kind: alerting.Exempt, By: "mallory", Service: service, Text: "x"},
		"kind, text, facts, service, level": {Key: "INV9", Kind: alerting.Declare, By: "mallory", Service: service, Text: "x", Level: alerting.Page},
		"facts":                             {Key: "INV9", Kind: alerting.Worked, By: "mallory", Facts: map[string]string{"kind": "toil", "minutes": "6"}},
		"by":                                {Key: "INV9", Kind: alerting.Worked, By: "Ada", Facts: work.Facts},
		"at":                                {Key: "INV9", Kind: alerting.Worked, By: "mallory", Facts: work.Facts, At: first.At.Add(-time.Minute)},
	} {
		code, _, body := w.act(t, a)
		_, differs, _ := strings.Cut(body, "What differs: ")
		for _, word := range strings.Split(what, ", ") {
			if code != http.StatusConflict || !strings.Contains(differs, word) {
				t.Errorf("%s by the same key: %d %s", a.Kind, code, body)
			}
		}
	}
	deploy := api.NewChange{Key: "D1", Service: service, Version: "2", By: "ci"}
	for range 2 { // the start is left open, and is that of the first telling
		if code, body := w.post(t, "/api/v1/changes", deploy); code != http.StatusOK || !strings.Contains(body, first.Received.Add(3*time.Minute).Format(time.RFC3339)) {
			t.Errorf("a deploy: %d %s", code, body)
		}
	}
	w.at = w.at.Add(time.Minute)
	deploy.Failed = true
	if code, body := w.post(t, "/api/v1/changes", deploy); code != http.StatusConflict || !strings.Contains(body, "What differs: failed.") {
		t.Errorf("the deploy has failed: %d %s", code, body)
	}
	if got := fmt.Sprint(w.logged(t)); got != "[work INV9 change D1]" {
		t.Errorf("the log is %s", got)
	}
	seen := w.Engine.Snapshot()
	if n := len(seen.Open.Acts()); n != 1 || seen.Open.Len() != 1 {
		t.Errorf("%d acts are in force, %d incidents are open", n, seen.Open.Len())
	}
}

// notifyService is the service of the open incident.
func notifyService(w *wired) string { return w.Engine.Snapshot().Open.All()[0].SLO.Service() }

// TestHowFarAnActIsDatedBack: what binds others an hour at most, everything else as far as it says,
// and then everybody is shown both times.
func TestHowFarAnActIsDatedBack(t *testing.T) {
	w := wire(t, "")
	service, until := notifyService(w), w.at.Add(2*time.Hour)
	n := 0
	for _, kind := range []alerting.ActKind{alerting.Override, alerting.Exempt, alerting.Silence} {
		for ago, want := range map[time.Duration]int{59 * time.Minute: 200, time.Hour: 200, 61 * time.Minute: 400, 6 * 365 * 24 * time.Hour: 400} {
			n++
			a := api.Act{Key: fmt.Sprint(n), Kind: kind, By: "Ada", Service: service, Text: "x", Until: until, At: w.at.Add(-ago)}
			code, done, body := w.act(t, a)
			if code != want || code == 200 && (!done.At.Equal(a.At) || !done.Received.Equal(w.at)) {
				t.Errorf("%s %s ago: %d %s", kind, ago, code, body)
			}
		}
	}
	code, work, body := w.act(t, api.Act{
		Key: "w", Kind: alerting.Worked, By: "Ada", Facts: map[string]string{"kind": "toil", "minutes": "5"}, At: time.Unix(0, 0), Received: time.Unix(0, 0),
	})
	if code != http.StatusOK || work.At.Unix() != 0 || !work.Received.Equal(w.at) {
		t.Errorf("work of long ago: %d %s", code, body)
	}
	i := w.Engine.Snapshot().Open.All()[0]
	code, note, body := w.act(t, api.Act{Key: "n", Kind: alerting.Remark, By: "Ada", Incident: i.ID, Text: "x", At: i.Detected.Add(-time.Hour)})
	if code != http.StatusOK || note.At.Before(i.Detected) || !note.Said.Equal(i.Detected.Add(-time.Hour)) {
		t.Errorf("a note of before the incident: %d %s", code, body)
	}
	if _, body := w.get(t, "/audit"); !strings.Contains(body, "told later, ") {
		t.Errorf("the page shows one time only: %s", body)
	}
}

// TestExemptionsEnd: within 30 days.
func TestExemptionsEnd(t *testing.T) {
	w := wire(t, "")
	for until, want := range map[time.Duration]int{0: 400, -time.Minute: 400, time.Hour: 200, 30 * 24 * time.Hour: 200, 30*24*time.Hour + time.Minute: 400, 8000 * 24 * time.Hour: 400} {
		a := api.Act{Key: until.String(), Kind: alerting.Exempt, By: "Ada", Service: notifyService(w), Text: "x"}
		if until != 0 {
			a.Until = w.at.Add(until)
		}
		if code, _, body := w.act(t, a); code != want || until > 1000*time.Hour && want == 400 && !strings.Contains(body, "an end within 30 d") {
			t.Errorf("for %s: %d %s", until, code, body)
		}
	}
}

// TestWhoChangesTheLogIsFoundOut: log, metrics, status, report and health say so within a look, and
// everything goes on.
func TestWhoChangesTheLogIsFoundOut(t *testing.T) {
	w := wire(t, "")
	var log logtest.Log
	w.auditor.log = slog.New(slog.NewTextHandler(&log, nil))
	metrics := func() string {
		registry := prometheus.NewRegistry()
		w.handler(registry)
		var all []string
		for _, f := range ok(registry.Gather())(t) {
			if strings.HasPrefix(f.GetName(), "slowburn_audit") {
				all = append(all, fmt.Sprintf("%s %.0f", f.GetName(), f.GetMetric()[0].GetGauge().GetValue()))
			}
		}
		return strings.Join(all, "\n")
	}
	note := func(n int) {
		t.Helper()
		if code, _, body := w.act(t, api.Act{Key: fmt.Sprint(n), Kind: alerting.Remark, By: "Ada", Incident: w.Engine.Snapshot().Open.All()[0].ID, Text: "x"}); code != http.StatusOK {
			t.Fatalf("%d %s", code, body)
		}
	}
	look := func() *api.Audit { t.Helper(); check(t, w.auditor.look(t.Context())); return w.auditor.standing.Load() }
	for n := range 5 {
		note(n)
	}
	if s := look(); !s.Whole || s.Acts != 5 || log.Count("the log of acts is whole") != 1 || log.Count("head="+s.Head) != 1 {
		t.Fatalf("%+v", s)
	}
	note(5)
	s := look()
	if !s.Whole || s.Acts != 6 || log.Count("whole") != 1 {
		t.Errorf("what is new: %+v", s)
	}
	if want := fmt.Sprintf("slowburn_audit_acts 6\nslowburn_audit_faults 0\nslowburn_audit_head %d", ok(store.ParsePlace(s.Head))(t).Number()); metrics() != want {
		t.Errorf("metrics: %s, want %s", metrics(), want)
	}
	if r := w.auditor.reported(); r.Head != s.Head {
		t.Errorf("reported: %+v", r)
	}
	shell := ok(sql.Open("sqlite", w.db.Path()))(t)
	defer shell.Close()
	ok(shell.ExecContext(context.Background(), `delete from acts where seq = 6`))(t)
	for range 3 {
		s = look()
	}
	if s.Whole || s.Found == 0 || log.Count("level=ERROR") != len(s.Faults) || !strings.Contains(metrics(), "faults "+fmt.Sprint(s.Found)) {
		t.Errorf("a deleted row: %+v, %s", s, log.String())
	}
	for path, want := range map[string]string{"/-/healthy": "Act 6 was deleted.", "/api/v1/status": `"whole":false`, "/status": "Act 6 was deleted."} {
		if code, body := w.get(t, path); code != http.StatusOK && path != "/-/healthy" || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	note(7)
	w.auditor.whole = time.Time{} // as hours later
	if s = look(); s.Whole || s.Acts != 7 {
		t.Errorf("it goes on: %+v", s)
	}
}

// TestAReportTellsTheHead: and a log that was made anew does not have it.
func TestAReportTellsTheHead(t *testing.T) {
	w := wire(t, "")
	head := "3:" + strings.Repeat("ab", 8)
	check(t, w.db.Commit(t.Context(), store.Tick{Reports: []store.Report{{Name: "weekly", Period: "2026-W47", At: w.at, Data: []byte(`{"audit":{"acts":3,"head":"` + head + `","faults":[]}}`)}}}))
	if found, err := VerifyLog(t.Context(), w.db); err != nil || found.Whole || found.Faults[0].Kind != "told" || found.Faults[0].From != 3 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestAKeyThatWaitsIsThatOfOneRequest: while nobody leads, only the same request waits again under
// a key; what the leader has stored under it is the answer to no other.
func TestAKeyThatWaitsIsThatOfOneRequest(t *testing.T) {
	t.Parallel()
	b := newBand(t)
	db := b.open()
	term := ok(db.Lead(t.Context(), nil))(t) // leads, and answers nobody
	m := b.join(b.schema)
	note := api.Act{Key: "k", Kind: alerting.Remark, By: "Ada", Incident: b.incident.ID, Text: "x"}
	other := note
	other.Text = "y"
	for range 2 {
		if code, body := m.ask("/api/v1/acts", note, nil); code != http.StatusAccepted {
			t.Errorf("the same: %d %s", code, body)
		}
	}
	if code, body := m.ask("/api/v1/acts", other, nil); code != http.StatusConflict {
		t.Errorf("another act: %d %s", code, body)
	}
	if code, body := m.ask("/api/v1/drills", api.NewDrill{Key: "k"}, nil); code != http.StatusConflict {
		t.Errorf("a drill: %d %s", code, body)
	}
	term.Resign()
	b.until("it is done", func() bool { code, _ := m.ask("/api/v1/requests/k", nil, nil); return code == http.StatusOK })
	b.until("it leads", m.leads)
	if code, body := m.ask("/api/v1/acts", other, nil); code != http.StatusConflict || !strings.Contains(body, "What differs: text.") {
		t.Errorf("another act: %d %s", code, body)
	}
	second := b.join(b.schema)
	b.until("the second answers", func() bool { code, _ := second.ask("/api/v1/acts", note, nil); return code == http.StatusOK })
	if code, body := second.answer("/api/v1/acts", other); code != http.StatusConflict || !strings.Contains(body, "What differs: text.") {
		t.Errorf("another act on the standby: %d %s", code, body)
	}
	db = b.open()
	found := ok(VerifyLog(t.Context(), db))(t)
	stored, _, err := db.Act(t.Context(), "k")
	check(t, err)
	if !found.Whole || stored.Text != "x" || stored.Received.IsZero() {
		t.Errorf("%+v, and the act is %+v", found, stored)
	}
}

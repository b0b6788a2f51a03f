package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// A real report has bars, sparks and links on its page, and the same in a file that asks nobody for
// anything.
func TestAReportAsAPageAndAsAFile(t *testing.T) {
	s := newShop(t)
	s.options.Report = func(_ context.Context, name, period string) (store.Report, bool, error) {
		p, err := report.ParsePeriod(period)
		must(t, err)
		return s.source.MakeReport(t.Context(), name, p, now)
	}
	s.options.ExternalURL = "https://reliability.example.org/sb"
	h := s.handler()
	body := get(h, "/reports/weekly/2026-W47").Body.String()
	for what, want := range map[string]string{
		"a bar of what is left": `<svg class="bar bar-good"`, "a spark of when it went": `<svg class="spark"`,
		"a link to an SLO": `<a href="/sb/slo/checkout/availability"><code>checkout/availability</code></a>`, "its own heading": "<h1>Reliability report",
		"a link to an incident": `href="/sb/incidents/checkout/availability/page/`, "its sections": "<h2>Budgets</h2>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has not %s: %s", what, want)
		}
	}
	w := get(h, "/reports/weekly/2026-W47?file=1")
	file := w.Body.String()
	if found := loads.FindAllString(file, -1); w.Code != http.StatusOK || len(found) > 0 || !strings.Contains(file, "</html>") {
		t.Errorf("the file: %d, and it loads %q", w.Code, found)
	}
	if !strings.Contains(file, `href="https://reliability.example.org/sb/slo/checkout/availability"`) || strings.Contains(file, `href="/`) {
		t.Error("the file's links do not lead to the daemon from wherever it lies")
	}
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="weekly-2026-W47.html"` {
		t.Errorf("the file is called %s", got)
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(file)
	sum := sha256.Sum256([]byte(style[1]))
	if !strings.Contains(file, "style-src &#39;sha256-"+strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;")) {
		t.Error("the file's own policy forbids its style")
	}
	if again := get(h, "/reports/weekly/2026-W47?file=1").Body.String(); again != file {
		t.Error("the same report makes two files")
	}
	s.options.ExternalURL, s.options.Registry = "", nil
	if file := get(s.handler(), "/reports/weekly/2026-W47?file=1").Body.String(); strings.Contains(file, "<a href") {
		t.Error("a file that knows no address of the daemon has links")
	}
}

// Incidents and unattributed burn add up to all, on every day; overlapping incidents are not
// counted twice.
func TestTheCalendarAddsUp(t *testing.T) {
	s := newShop(t)
	b, _ := s.source.Snapshot().Budget("checkout/availability")
	srv := &site{server: &server{Options: s.options}}
	found, err := srv.incidentsOf(t.Context(), store.IncidentFilter{SLO: b.ID, Limit: shownIncidents})
	must(t, err)
	twice := append(append([]alerting.Incident{}, found...), found...)
	c, again := srv.calendar(b, found), srv.calendar(b, twice)
	var all, in int64
	for n, d := range c.Days {
		if d.InIncidents > d.Sum.Bad || d.InIncidents != again.Days[n].InIncidents {
			t.Errorf("%s: %d in incidents of %d, or %d", d.At, d.InIncidents, d.Sum.Bad, again.Days[n].InIncidents)
		}
		all, in = all+d.Sum.Bad, in+d.InIncidents
	}
	var held int64
	s.source.Snapshot().WithLedger(b.ID, func(_ *slo.Spec, l *budget.Ledger) {
		held = l.Sum(budget.MinuteOf(c.Days[0].At), l.End()).Bad
	})
	if all != held || in == 0 || in == all {
		t.Errorf("the days hold %d bad events, %d of them in incidents; the ledger holds %d", all, in, held)
	}
	if svg := string(c.SVG()); strings.Count(svg, `class="day"`) != len(c.Days) || strings.Contains(svg, "NaN") {
		t.Errorf("the drawing has not all %d days", len(c.Days))
	}
	if rows := c.Table().Rows; len(rows) != len(c.Days) {
		t.Errorf("the table has %d of %d days", len(rows), len(c.Days))
	}
}

// What is to be done comes by its day, and what is overdue is said to be.
func TestActionItems(t *testing.T) {
	s := newShop(t)
	day := func(n int) time.Time { return now.Truncate(slo.Day).Add(time.Duration(n) * slo.Day) }
	s.options.Reviews = func() []postmortem.Review {
		return []postmortem.Review{{Incident: "a/b/page/1", Status: postmortem.StatusInReview, Resolved: now, File: "a.md", Actions: []postmortem.Action{
			{What: "without a day", Priority: "P2"},
			{What: "next week", Due: day(7), Link: "javascript:alert(1)"},
			{What: "yesterday", Due: day(-1), Owner: hostile, Link: "https://tracker.example/1"},
			{What: "done", Due: day(-9), Done: true},
		}}}
	}
	body := get(s.handler(), "/actions").Body.String()
	at := func(text string) int { return strings.Index(body, text) }
	if !(at("overdue</span>") > 0 && at("yesterday") < at("next week") && at("next week") < at("without a day")) || at(">done<") > 0 || strings.Count(body, "overdue</span>") != 1 {
		t.Errorf("the items are not in order:\n%s", body)
	}
	if strings.Contains(body, "javascript:") || strings.Contains(body, "<img") || !strings.Contains(body, `href="https://tracker.example/1"`) {
		t.Error("a link or a name of an item is not what it should be")
	}
	s.options.Reviews, s.options.Registry = nil, nil
	if !strings.Contains(get(s.handler(), "/actions").Body.String(), "postmortems:") {
		t.Error("without a folder nobody says how to get one")
	}
}

// What was given up is named with its reason and leads to what it was about.
func TestDeadLettersLeadToTheirIncident(t *testing.T) {
	s := newShop(t)
	owed, err := s.archive.Outbox(t.Context(), store.OutboxFilter{State: outbox.Pending, Limit: 1})
	must(t, err)
	must(t, s.archive.Settle(t.Context(), owed[0].Key, outbox.Result{State: outbox.Dead, At: now, Err: "permanent: is_archived"}))
	body := get(s.handler(), "/status").Body.String()
	if !strings.Contains(body, "permanent: is_archived") || !strings.Contains(body, `href="`+strings.ReplaceAll(string(text(incidentPath(owed[0].Thread))), "&#39;", "'")) || !strings.Contains(body, "dead letters</span>") {
		t.Errorf("the page does not tell of the dead letter:\n%s", body)
	}
}

// A change is listed with what it cost, and its link goes nowhere but to the web.
func TestChangesAreListed(t *testing.T) {
	change := alerting.Act{
		Key: "k", Kind: alerting.Changed, By: "ci", At: now.Add(-time.Hour), Service: "checkout", Via: "api",
		Change: &alerting.Change{Kind: "deploy", Title: "v1 " + hostile, Version: "v1", Link: "javascript:alert(1)", Start: now.Add(-time.Hour)},
	}
	body := string(links{}.changeTable([]engine.MeasuredChange{{Act: change, Costs: []alerting.Cost{{Change: change, SLO: "checkout/availability", Excess: 5, Budget: alerting.Account{Allowed: 100}, Known: true}}}}).HTML())
	if !strings.Contains(body, "5.0 %") || !strings.Contains(body, "Correlated in time, not proven") || strings.Contains(body, "javascript:") || strings.Contains(body, "<img") {
		t.Errorf("the change is listed as:\n%s", body)
	}
}

// Where messages and lists of postmortems lead there is a page: of an incident's postmortem by
// itself, and of a postmortem whose incident slowburn has not seen.
func TestPostmortemsHavePages(t *testing.T) {
	s := newShop(t)
	const foreign = `checkout/availability{route="/pay"}/page/1`
	s.options.Reviews = func() []postmortem.Review {
		return []postmortem.Review{{Incident: foreign, Status: postmortem.StatusClosed, File: "a.md"}}
	}
	s.options.Postmortem = func(_ context.Context, i alerting.Incident) (string, error) {
		return "---\nid: x\n---\n# Postmortem\n\nWritten of " + i.ID, nil
	}
	seen, err := s.archive.Incidents(t.Context(), store.IncidentFilter{Limit: 1})
	must(t, err)
	handler := s.handler()
	for path, want := range map[string]string{
		incidentPath(foreign):                             "Written of checkout/availability",
		incidentPath(foreign) + "/postmortem":             "Written of checkout/availability",
		incidentPath(seen[0].ID) + "/postmortem":          "The incident</a>",
		"/api/v1" + incidentPath(foreign) + "/postmortem": `"status":"closed"`,
	} {
		w := get(handler, path)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is %d, without %q:\n%s", path, w.Code, want, w.Body)
		}
	}
	for _, path := range []string{incidentPath("a/b/page/1"), incidentPath("a/b/page/1") + "/postmortem"} {
		if w := get(handler, path); w.Code != http.StatusNotFound {
			t.Errorf("%s is %d", path, w.Code)
		}
	}
}

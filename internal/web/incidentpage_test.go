package web

import (
	"context"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
)

// heading1 is the main heading of a page, with its state.
var heading1 = regexp.MustCompile(`(?s)<h1>([^<]*)(.*?)</h1>`)

// What stands above an incident is what users feel, in the words of the overview and of its
// message, and what they felt once it is over; then comes what is to be done, the chart, and what
// happened.
func TestAnIncidentIsTitledByItsSymptom(t *testing.T) {
	s := newShop(t)
	s.options.Do = nothing
	s.options.Tokens = tokens("secret")
	h, paths := s.handler(), s.pagePaths(t)
	for page, want := range map[string]struct{ title, state string }{
		"incident-open":    {"5.0 % of requests on checkout fail", "Firing"},
		"incident":         {"Requests on checkout failed for 1 h, 3,000 of them (6.5 % of the budget)", "Resolved"},
		"incident-no-data": {"search/availability has had no data for 10 min; nothing can be said about it", "No data"},
	} {
		body := get(h, paths[page]).Body.String()
		m := heading1.FindStringSubmatch(body)
		if got := strings.TrimSpace(html.UnescapeString(m[1])); got != want.title || !strings.Contains(m[2], ">"+want.state+"<") && !strings.Contains(m[2], want.state+"</span>") {
			t.Errorf("%s: %q, %s; want %q, %s", page, got, m[2], want.title, want.state)
		}
	}
	body := get(h, paths["incident-open"]).Body.String()
	banner := get(h, "/").Body.String()
	if title := strings.TrimSpace(heading1.FindStringSubmatch(body)[1]); !strings.Contains(banner, ">"+title+" since ") {
		t.Errorf("the overview does not begin with %q", title)
	}
	last := 0
	for _, part := range []string{"<h1>", "Since <time", `class="acts bar"`, "Nobody has it yet.", `class="primary" name="act" value="acknowledge"`, "Try first: the runbook", "Failing now", `id="failing-t"`, "onset 08:05", `id="timeline"`, "/postmortem\">"} {
		at := strings.Index(body, part)
		if at < last {
			t.Errorf("%s stands at %d, not after %d", part, at, last)
		}
		last = at
	}
	if n := strings.Count(body, `class="plot"`); n != 1 {
		t.Errorf("%d charts", n)
	}
}

// The draft is a page of its own, which is linked, and no part of the incident's.
func TestTheDraftIsAPageOfItsOwn(t *testing.T) {
	s := newShop(t)
	path := s.pagePaths(t)["incident"]
	drafted := 0
	s.options.Postmortem = func(_ context.Context, i alerting.Incident) (string, error) { drafted++; return s.draft(i), nil }
	s.options.Registry = nil
	h := s.handler()
	body := get(h, path).Body.String()
	if drafted != 0 || strings.Contains(body, `class="document"`) || !strings.Contains(body, `<a href="`+path+postmortemPath+`">`) {
		t.Errorf("the draft was made %d times for the incident's page, or is in it, or is not linked", drafted)
	}
	if draft := get(h, path+postmortemPath).Body.String(); drafted != 1 || !strings.Contains(draft, `class="document"`) || !strings.Contains(draft, `<a href="`+path+`">`) {
		t.Error("the draft has no page that leads back")
	}
}

// One button is to be pressed next: first to take it, then to say that users no longer feel it.
func TestTheActThatIsNext(t *testing.T) {
	did := func(kinds ...alerting.ActKind) (i alerting.Incident) {
		i = alerting.Incident{Open: true, Onset: now}
		for n, k := range kinds {
			i.Acts = append(i.Acts, alerting.Act{Kind: k, By: "Ada", At: now.Add(time.Duration(n+1) * time.Minute), Key: string(k)})
		}
		return i
	}
	for _, c := range []struct {
		what string
		done []alerting.ActKind
		next alerting.ActKind
	}{
		{"nobody has it", nil, alerting.Acknowledge},
		{"somebody has written a note", []alerting.ActKind{alerting.Remark}, alerting.Acknowledge},
		{"somebody has it", []alerting.ActKind{alerting.Acknowledge}, alerting.Mitigated},
		{"users no longer feel it", []alerting.ActKind{alerting.Acknowledge, alerting.Mitigated}, ""},
	} {
		if got := nextAct(did(c.done...)); got != c.next {
			t.Errorf("%s: %q is next, want %q", c.what, got, c.next)
		}
	}
}

// The chart of an incident has its moments, and an axis that a little is seen on.
func TestTheChartOfAnIncident(t *testing.T) {
	s := newShop(t)
	h, paths := s.handler(), s.pagePaths(t)
	for page, want := range map[string][]string{
		"incident-open":    {"onset 08:05", "page 08:", ">10\u00a0%<", "minute by minute", "Highest: 5.0 %"},
		"incident":         {"onset 02:30", "end 03:30", ">10\u00a0%<", "Highest: 4.2 %"},
		"incident-no-data": nil,
	} {
		body := get(h, paths[page]).Body.String()
		if (want == nil) != !strings.Contains(body, `id="failing-t"`) {
			t.Errorf("%s has a chart, or has none", page)
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s: the chart is without %q", page, w)
			}
		}
	}
	for high, want := range map[float64]float64{0: 0.001, 0.0004: 0.001, 0.004: 0.01, 0.05: 0.1, 0.1: 0.1, 0.11: 1, 1: 1} {
		if got := shareAxis([]line{{Points: []point{{now, high, true}, {now, 9, false}}}}).High; got < want*0.999 || got > want*1.001 {
			t.Errorf("%v: the axis ends at %v, want %v", high, got, want)
		}
	}
}

// What is to be done goes where it belongs when an incident ends, also on a page that is open: both
// places are there, one of them without a form.
func TestTheBarGoesWhenTheIncidentIsOver(t *testing.T) {
	s := newShop(t)
	s.options.Do = nothing
	s.options.Tokens = tokens("secret")
	h, paths := s.handler(), s.pagePaths(t)
	for page, want := range map[string][2]bool{"incident-open": {true, false}, "incident": {false, true}} {
		body := get(h, paths[page]).Body.String()
		bar, _, _ := strings.Cut(body[strings.Index(body, `<div id="do" data-live>`):], "</div>\n<div id=\"found\"")
		note := body[strings.Index(body, `<div id="note" data-live>`):]
		if got := [2]bool{strings.Contains(bar, "<form"), strings.Contains(note, "<form")}; got != want {
			t.Errorf("%s has a bar and a form for notes: %v, want %v", page, got, want)
		}
	}
}

// A service, a team and a label narrow every list, as they do the overview.
func TestEveryListIsNarrowedByTeamAndLabel(t *testing.T) {
	s := newShop(t)
	s.options.Reviews = func() []postmortem.Review {
		return []postmortem.Review{
			{Incident: "checkout/availability/page/1", SLO: "checkout/availability", Service: "checkout", Resolved: now},
			{Incident: "search/availability/page/1", SLO: "search/availability", Service: "search", Resolved: now},
		}
	}
	all, err := s.archive.Incidents(t.Context(), store.IncidentFilter{})
	if err != nil {
		t.Fatal(err)
	}
	routes := ""
	for _, i := range all {
		if i.SLO.Group() != "" {
			routes = i.ID
		}
	}
	for n, about := range []alerting.Act{
		{Service: "checkout"}, {Service: "search"}, {Incident: routes},
	} {
		about.Kind, about.Key, about.By, about.Via, about.At, about.Text = alerting.Remark, fmt.Sprint(n), "Ada", "api", now, "x"
		if about.Incident == "" {
			about.Kind, about.Change = alerting.Changed, &alerting.Change{Kind: "deploy", Version: "1", Start: now.Add(-time.Hour)}
		}
		if err := s.source.Do(t.Context(), about, now); err != nil {
			t.Fatal(err)
		}
	}
	h := s.handler()
	const hidden = "There is nothing that matches the filter."
	for _, c := range []struct {
		page   string
		labels bool // some of what it lists is about a label, and some is not
	}{{"/incidents", true}, {"/changes", false}, {"/actions", false}, {"/audit", false}, {"/", true}} {
		count := func(query string) int {
			body := get(h, c.page+"?"+query).Body.String()
			return strings.Count(body, `class="c-name whole"`) + strings.Count(body, `<th class="nm"`)
		}
		all, payments, discovery, some := count(""), count("team=payments"), count("team=discovery"), count("label=route")
		if payments == 0 || payments+discovery != all || count("service=checkout") != payments || some > payments || c.labels && (some == 0 || some == payments) || count("team=nobody")+count("label=zone") != 0 {
			t.Errorf("%s: %d rows, %d of one team, %d of the other, %d with a label", c.page, all, payments, discovery, some)
		}
	}
	for query, want := range map[string]string{"": `"deploys":2`, "team=payments": `"deploys":1`, "label=route": `"deploys":1`, "team=nobody": `"deploys":0`} {
		if got := get(h, "/api/v1/delivery?"+query).Body.String(); !strings.Contains(got, want) {
			t.Errorf("deliveries of %q are %s, want %s", query, got, want)
		}
	}
	for page, empty := range map[string]string{
		"/incidents": hidden, "/changes": hidden, "/actions": hidden, "/audit": hidden, "/approvals": hidden, "/": "0 of 7 budgets",
	} {
		body := get(h, page+"?team=nobody").Body.String()
		for _, want := range []string{`<select name="service">`, `<select name="team">`, `<select name="label">`, empty} {
			if !strings.Contains(body, want) {
				t.Errorf("%s has no %q", page, want)
			}
		}
	}
}

package web

import (
	"context"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
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

// A team and a label narrow the list of incidents, as they do the overview.
func TestIncidentsAreNarrowedByTeamAndLabel(t *testing.T) {
	h := newShop(t).handler()
	count := func(query string) int {
		return strings.Count(get(h, "/incidents?"+query).Body.String(), `class="c-name whole"`)
	}
	all, payments, discovery, routes := count(""), count("team=payments"), count("team=discovery"), count("label=route")
	if payments == 0 || discovery == 0 || payments+discovery != all || routes == 0 || routes >= payments || count("team=nobody") != 0 {
		t.Errorf("%d incidents, %d of one team, %d of the other, %d with a label", all, payments, discovery, routes)
	}
}

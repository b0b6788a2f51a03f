package web

import (
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// pagePaths are all kinds of page, by a name for humans.
func (s *shop) pagePaths(t testing.TB) map[string]string {
	t.Helper()
	all, err := s.archive.Incidents(t.Context(), store.IncidentFilter{})
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{
		"overview": "/", "overview-filtered": "/?service=search&state=no-data", "overview-group": "/slo/checkout/routes",
		"slo": "/slo/checkout/availability", "slo-hostile": budgetPath(slo.ID(`checkout/routes{route="` + hostile + `"}`)),
		"slo-new": "/slo/search/new", "slo-no-data": "/slo/search/availability", "slo-slices": "/slo/search/freshness",
		"incidents": "/incidents", "reports": "/reports", "report": "/reports/weekly/2026-W46", "slo-range": "/slo/checkout/availability?range=7d",
		"service": "/services/checkout", "service-no-data": "/services/search", "changes": "/changes", "actions": "/actions", "status": "/status", "audit": "/audit", "approvals": "/approvals",
		"incidents-none": "/incidents?service=nothing",
	}
	for _, i := range all {
		switch {
		case i.SLO == "checkout/availability" && i.Open:
			paths["incident-open"], paths["draft"] = incidentPath(i.ID), incidentPath(i.ID)+"/postmortem"
		case i.SLO == "checkout/availability":
			paths["incident"] = incidentPath(i.ID)
		case i.Rule == "no_data":
			paths["incident-no-data"] = incidentPath(i.ID)
		case i.SLO.Group() != "":
			paths["incident-hostile"] = incidentPath(i.ID)
		}
	}
	return paths
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// Names of labels and metrics are other people's text. None of it may become markup, on any page.
func TestNothingForeignBecomesMarkup(t *testing.T) {
	s := newShop(t)
	h := s.handler()
	paths := s.pagePaths(t)
	paths["echoed filter"] = "/?service=" + url.QueryEscape(hostile) + "&state=%22%3E" + url.QueryEscape(hostile)
	paths["echoed name"] = "/slo/a/" + url.PathEscape(hostile)
	paths["echoed incident"] = "/incidents/" + url.PathEscape(`"><script>alert(1)</script>`)
	paths["echoed time"] = "/incidents?from=" + url.QueryEscape(hostile)
	seen := false
	for name, path := range paths {
		w := get(h, path)
		body := ours.ReplaceAllString(w.Body.String(), "")
		for _, bad := range []string{"<img", "<script", "onerror=alert(1)>\"", "javascript:", " style=", "<iframe"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s (%s) contains %s", name, path, bad)
			}
		}
		seen = seen || strings.Contains(body, "&lt;img src=x onerror=alert(1)&gt;")
	}
	if !seen {
		t.Error("no page shows the hostile label at all; this test looks at nothing")
	}
}

// TestThePageSaysWhatIsEstimated: half of what an SLO's page shows rests on estimates.
func TestThePageSaysWhatIsEstimated(t *testing.T) {
	exact := steady(100, 0)
	guessed := func(age time.Duration) budget.Slot {
		s := exact(age)
		s.Estimated = true
		return s
	}
	id := slo.ID("checkout/availability")
	page := func(l life) string {
		s := newShopOf(t, nil)
		set := shopSet(t, shopYAML)
		account, _ := liveOn(id, set.Lookup(id), l)
		s.source.Engine = engine.New(engine.Options{Source: prom.New(nil, prom.Options{}), Store: s.archive, Log: slog.New(slog.DiscardHandler)}, set,
			store.Snapshot{Accounts: map[slo.ID]store.Account{id: account}})
		return get(s.handler(), "/slo/checkout/availability").Body.String()
	}
	const sentence = " of the known minutes are estimates: Prometheus has extrapolated their counts, which misses events where series begin or end."
	if body := page(between(30*slo.Day, 14*slo.Day, guessed, exact)); !strings.Contains(body, "50.0 %"+sentence) {
		t.Error("the page does not say that half is estimated")
	}
	if body := page(exact); strings.Contains(body, "are estimates") {
		t.Error("a page speaks of estimates where there are none")
	}
}

// ours is the script that a page may hold.
var ours = regexp.MustCompile(`<script src="/live\.js" data-events="/live" defer></script>`)

// loads is everything in HTML that makes a browser ask for something.
var loads = regexp.MustCompile(`(?i)<(?:[a-z][a-z0-9]*(?:\s+[a-z:-]+(?:="[^"]*")?)*\s+(?:src|srcset|data|action|poster|background)|link[^<>]*\shref)\s*=\s*["']?([^"'\s>]*)`)

func TestEveryPageIsSafeAndWhole(t *testing.T) {
	s := newShop(t)
	h := s.handler()
	for name, path := range s.pagePaths(t) {
		w := get(h, path)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", name, w.Code)
		}
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
		} {
			if !strings.HasPrefix(w.Header().Get(header), want) {
				t.Errorf("%s: %s is %q", name, header, w.Header().Get(header))
			}
		}
		body := w.Body.String()
		for _, m := range loads.FindAllStringSubmatch(body, -1) {
			if m[1] != "/style.css" && m[1] != "/live.js" {
				t.Errorf("%s loads %q", name, m[1])
			}
		}
		if n := strings.Count(body, "<h1"); n != 1 {
			t.Errorf("%s has %d main headings", name, n)
		}
		if !strings.Contains(body, `<html lang="en" data-snapshot="`) || !strings.Contains(body, "</html>") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "%!") {
			t.Errorf("%s is not whole:\n%s", name, body)
		}
	}
	for _, path := range []string{"/api/v1/slos", "/metrics", "/-/healthy", "/style.css", "/live.js", "/nothing"} {
		if get(h, path).Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s has no content security policy", path)
		}
	}
}

// Every link on a page leads somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	s := newShop(t)
	s.options.ExternalURL = "https://reliability.example.org/slowburn/"
	h := s.handler()
	href, seen := regexp.MustCompile(`href="([^"]*)`), map[string]bool{}
	for name, path := range s.pagePaths(t) {
		for _, m := range href.FindAllStringSubmatch(get(h, path).Body.String(), -1) {
			to, _, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			if strings.HasPrefix(to, "?") { // the same page, with another query
				to = "/slowburn" + strings.Split(path, "?")[0] + to
			}
			if to == "" || seen[to] || strings.HasPrefix(to, "https://wiki.example.org/") || strings.HasSuffix(to, "power=1") && name != "slo" {
				continue
			}
			seen[to] = true
			if !strings.HasPrefix(to, "/slowburn/") {
				t.Errorf("%s: %s leaves the prefix", name, to)
			} else if code := get(h, to).Code; code != http.StatusOK {
				t.Errorf("%s: %s answers %d", name, to, code)
			}
		}
	}
}

func TestOverviewFilters(t *testing.T) {
	h := newShop(t).handler()
	row := regexp.MustCompile(`class="nm" [^>]*><a href="([^"?]*)`)
	for _, c := range []struct {
		what, path string
		want       []string
	}{
		{"all of a service, the worst first", "/?service=search", []string{"/slo/search/availability", "/slo/search/freshness", "/slo/search/new"}},
		{"one state", "/?state=ticket", []string{"/slo/checkout/latency"}},
		{"both", "/?state=page&service=search", nil},
		{"a state that does not exist", "/?state=lost", nil},
	} {
		var got []string
		for _, m := range row.FindAllStringSubmatch(get(h, c.path).Body.String(), -1) {
			got = append(got, m[1])
		}
		if d := gocmp.Diff(c.want, got); d != "" {
			t.Errorf("%s:\n%s", c.what, d)
		}
	}
}

func TestPathsAndMarkup(t *testing.T) {
	for _, c := range []struct{ what, got, want string }{
		{"a path with labels", budgetPath(`a/b{c="/d"}`), "/slo/a/b?labels=%7Bc%3D%22%2Fd%22%7D"},
		{"an incident's path", incidentPath(`a/b{c="/d"}/page/1`), "/incidents/a/b%7Bc=%22/d%22%7D/page/1"},
		{"a path that a server would fold", incidentPath(`a/b{c="//d"}/page/1`), "/incidents/a%2Fb%7Bc=%22%2F%2Fd%22%7D%2Fpage%2F1"},
		{"front matter is not shown", string(newPages("").render("---\nid: 1\n---\n\n# A\n", decoration{})), "<h2>A</h2>\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}

// The first page with a thousand budgets: the goal is 200 ms, all of it counted.
func BenchmarkOverview(b *testing.B) {
	s := newShop(b)
	many := thousand{s.source, nil}
	for n := range 1000 {
		bud, _ := s.source.Snapshot().Budget([]slo.ID{"checkout/availability", "checkout/latency", "search/availability", "search/freshness"}[n%4])
		figures := *bud.Figures
		figures.ID = slo.ID(fmt.Sprintf("service%02d/slo%03d", n/25, n))
		bud.Figures = &figures
		many.all = append(many.all, bud)
	}
	s.options.Source = many
	for name, path := range map[string]string{"the worst": "/", "all": "/?all=1"} {
		for _, first := range []bool{true, false} { // of the hour: its small charts are not kept yet
			s.options.Registry = nil
			h := s.handler()
			b.Run(fmt.Sprintf("%s, first=%v", name, first), func(b *testing.B) {
				for b.Loop() {
					if first {
						s.options.Registry = nil
						h = s.handler()
					}
					w := get(h, path)
					if w.Code != http.StatusOK {
						b.Fatal(w.Code)
					}
					b.ReportMetric(float64(w.Body.Len()), "bytes")
				}
			})
		}
	}
}

// thousand is a source of many budgets.
type thousand struct {
	*source
	all []engine.Budget
}

// Snapshot is one with all of them.
func (m thousand) Snapshot() *engine.Snapshot {
	seen := *m.source.Snapshot()
	seen.Budgets = m.all
	return &seen
}

// A budget is low by exact integers, where floats no longer tell 75 % from a thousandth of an event
// more.
func TestLowIsExact(t *testing.T) {
	for _, c := range []struct {
		bad  int64
		want string
	}{{3e16 - 1, "good"}, {3e16, "good"}, {3e16 + 1, "low"}, {4e16 - 1, "low"}, {4e16, "spent"}} {
		st := budget.Status{Sum: budget.Sum{Total: 4e17, Bad: c.bad, Known: 1}, Allowed: 4e16, Spent: float64(c.bad) / 4e16, Sized: true}
		if got := gradeOf(&engine.Budget{Figures: &engine.Figures{Windows: []budget.Status{st}}}); got.Key != c.want {
			t.Errorf("%d bad of %d allowed: %s; want %s", c.bad, st.Allowed, got.Key, c.want)
		}
	}
}

// TestTheStatusSaysOfHowManyAnEvaluationWas: a look may be about two of many budgets.
func TestTheStatusSaysOfHowManyAnEvaluationWas(t *testing.T) {
	s := newShop(t)
	all := len(s.source.Snapshot().Budgets)
	h := s.handler()
	for n, want := range map[int]string{2: fmt.Sprintf("new minutes of 2 of %d budgets", all), all: fmt.Sprintf("new minutes of %d budgets", all)} {
		s.source.last.SLOs = n
		if body := get(h, "/status").Body.String(); !strings.Contains(body, want) {
			t.Errorf("%d: without %q", n, want)
		}
	}
}

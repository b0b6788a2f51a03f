package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/goldentest"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// The whole API as it answers about the shop. UPDATE=1 writes what is answered now.
func TestAPIGolden(t *testing.T) {
	s := newShop(t)
	h := s.handler()
	paths := []string{
		"/api/v1/slos/checkout/availability", "/api/v1/slos/search/new", `/api/v1/slos/checkout/routes?labels=%7Broute%3D%22%2Fpay%22%7D`,
		"/api/v1/slos/checkout/availability/history?from=2026-11-22T08:00:00Z&to=2026-11-22T08:30:00Z&step=10m",
		"/api/v1/slos/search/availability/history?from=2026-11-22T07:50:00Z&to=2026-11-22T08:20:00Z&step=10m",
		"/api/v1/slos/search/availability/spend",
		"/api/v1/incidents", "/api/v1/incidents?open=true&service=search", "/api/v1" + s.pagePaths(t)["incident"],
		"/api/v1/reports", "/api/v1/reports/weekly/2026-W46", "/api/v1/status", "/api/v1/slos/no/such", "/api/v1/incidents?open=perhaps",
	}
	var got txtar.Archive
	for _, path := range paths {
		w := get(h, path)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, w.Body.Bytes(), "", "  "); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		pretty.WriteString("\n")
		got.Files = append(got.Files, txtar.File{Name: fmt.Sprintf("%d %s", w.Code, path), Data: bytes.TrimLeft(pretty.Bytes(), "\n")})
	}
	goldentest.Check(t, "testdata/api.txtar", txtar.Format(&got))
}

// TestAnSLOOfWhichNothingIsDecided: it is no SLO that does not exist.
func TestAnSLOOfWhichNothingIsDecided(t *testing.T) {
	h := newShopOf(t, map[slo.ID]life{"checkout/availability": lives["checkout/availability"]}).handler()
	for _, path := range []string{"search/availability", "search/availability/spend", "search/availability/history"} {
		w := get(h, "/api/v1/slos/"+path)
		if want := `"errorType":"undecided","error":"No minute of search/availability has been decided yet."`; w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, want)
		}
	}
}

// What the API writes is what its types read: the command line decodes into them.
func TestAnswersFitTheirTypes(t *testing.T) {
	s := newShop(t)
	h := s.handler()
	for path, into := range map[string]any{
		"/api/v1/slos": &[]api.SLO{}, "/api/v1/slos/search/new": &api.SLO{}, "/api/v1/slos/search/freshness/history": &api.History{}, "/api/v1/slos/checkout/availability/spend": &api.Spend{},
		"/api/v1/incidents": &[]api.Incident{}, "/api/v1" + s.pagePaths(t)["incident"]: &api.IncidentDetail{},
		"/api/v1" + s.pagePaths(t)["incident"] + "/postmortem": &api.Postmortem{},
		"/api/v1/postmortems": &[]api.Review{}, "/api/v1/reports": &[]api.Report{}, "/api/v1/reports/weekly/2026-W46": &api.Report{}, "/api/v1/status": &api.Status{},
	} {
		var e struct{ Data json.RawMessage }
		must(t, json.Unmarshal(get(h, path).Body.Bytes(), &e))
		d := json.NewDecoder(bytes.NewReader(e.Data))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		again, err := json.Marshal(into)
		must(t, err)
		if d := cmp.Diff(string(e.Data), string(again)); d != "" {
			t.Errorf("%s does not survive its type:\n%s", path, d)
		}
	}
}

func TestStatusCodes(t *testing.T) {
	s := newShop(t)
	h := s.handler()
	incident := strings.TrimPrefix(s.pagePaths(t)["incident"], "/incidents/")
	group := url.QueryEscape(`{route="/pay"}`)
	for _, c := range []struct {
		what, method, path string
		code               int
		says               string
	}{
		{"an ID may be percent-encoded as a whole", "GET", "/api/v1/slos/" + url.PathEscape("checkout/availability"), 200, "availability"},
		{"the labels may be part of the path", "GET", "/api/v1/slos/checkout/" + url.PathEscape(`routes{route="/pay"}`), 200, "/pay"},
		{"and even with their slash as it is", "GET", "/api/v1/slos/checkout/routes%7Broute=%22/pay%22%7D", 200, "/pay"},
		{"a group has a history", "GET", "/api/v1/slos/checkout/routes/history?labels=" + group, 200, "points"},
		{"an SLO with by: has no budget of its own and says which there are", "GET", "/api/v1/slos/checkout/routes", 404, "one budget per route"},
		{"its page lists the budgets", "GET", "/slo/checkout/routes", 200, "routes, by route"},
		{"an incident's ID may be encoded", "GET", "/api/v1/incidents/" + url.PathEscape(incident), 200, "timeline"},
		{"an incident that is none", "GET", "/api/v1/incidents/a/b/c/1", 404, "There is no incident"},
		{"an API address that is none", "GET", "/api/v1/secrets", 404, "nothing at this address"},
		{"a page that is none", "GET", "/secrets", 404, "There is no page"},
		{"steps that are no minutes", "GET", "/api/v1/slos/search/freshness/history?step=90s", 400, "whole minutes"},
		{"a step that is no duration", "GET", "/api/v1/slos/search/freshness/history?step=x", 400, "duration"},
		{"more steps than anybody needs", "GET", "/api/v1/slos/search/freshness/history?from=0&step=1m", 400, "steps"},
		{"a time beyond the calendar", "GET", "/api/v1/slos/search/freshness/history?from=1e300", 400, "a time"},
		{"not a number as time", "GET", "/api/v1/slos/search/freshness/history?from=NaN", 400, "a time"},
		{"from after to", "GET", "/api/v1/slos/search/freshness/history?from=2026-11-22T00:00:00Z&to=2026-11-21T00:00:00Z", 400, "before"},
		{"a limit of nothing", "GET", "/api/v1/incidents?limit=0", 400, "from 1"},
		{"a negative limit of reports", "GET", "/api/v1/reports?limit=-1", 400, "from 1"},
		{"HEAD is like GET", "HEAD", "/api/v1/slos", 200, ""},
		{"HEAD of a page", "HEAD", "/", 200, ""},
		{"nothing can be written", "POST", "/api/v1/slos", 405, "only be read"},
		{"nor deleted", "DELETE", "/incidents", 405, "only be read"},
		{"nor asked for by another method in a header", "POST", "/?X-HTTP-Method-Override=GET", 405, "only be read"},
		{"OPTIONS allows nothing to other sites", "OPTIONS", "/api/v1/slos", 405, ""},
		{"GET does not reload", "GET", "/-/reload", 404, ""},
		{"no profiles", "GET", "/debug/pprof/", 404, ""},
		{"no configuration", "GET", "/config", 404, ""},
		{"a climb", "GET", "/slo/..%2f..%2fetc/passwd", 404, "no SLO"},
		{"a climb with dots encoded", "GET", "/api/v1/slos/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404, "no SLO"},
		{"a climb backwards", "GET", `/slo/..%5c..%5cx`, 404, "no SLO"},
		{"a zero byte", "GET", "/slo/a/%00", 404, "no SLO"},
		{"bytes that are no text", "GET", "/incidents/%ff%fe", 404, "no incident"},
		{"a very long name", "GET", "/api/v1/slos/" + strings.Repeat("a", 10_000), 400, "too long"},
		{"a very long incident", "GET", "/incidents/" + strings.Repeat("a", 10_000), 400, "too long"},
		{"the metrics", "GET", "/metrics", 200, "slowburn_build_info"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d, want %d and %q:\n%.300s", c.what, w.Code, c.code, c.says, w.Body.String())
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: another site may read this", c.what)
		}
	}
}

// A clean path that climbs is answered by a redirect to where it leads, on this host and nowhere
// else.
func TestPathsAreCleanedHere(t *testing.T) {
	h := newShop(t).handler()
	for _, path := range []string{"/slo/../../etc/passwd", "//evil.example/x", "/slo//evil.example", "/\\evil.example"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		h.ServeHTTP(w, r)
		if to := w.Header().Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, ":") || strings.HasPrefix(to, "/\\") {
			t.Errorf("%s leads to %s", path, to)
		}
	}
}

// brokenArchive is a store on a full or broken disk.
type brokenArchive struct{ Archive }

var errDisk = errors.New("the disk is gone")

func (brokenArchive) Incidents(context.Context, store.IncidentFilter) ([]alerting.Incident, error) {
	return nil, errDisk
}

func (brokenArchive) Incident(context.Context, string) (alerting.Incident, bool, error) {
	return alerting.Incident{}, false, errDisk
}

func (brokenArchive) Reports(context.Context, string, int) ([]store.Report, error) {
	return nil, errDisk
}
func (brokenArchive) Depth(context.Context) (store.Depth, error) { return store.Depth{}, errDisk }
func (brokenArchive) Deliveries(context.Context) ([]store.Delivery, error) {
	return nil, errDisk
}

func TestWithoutAStore(t *testing.T) {
	s := newShop(t)
	paths := s.pagePaths(t)
	s.options.Archive = brokenArchive{s.archive}
	h := s.handler()
	for _, c := range []struct {
		what, path string
		code       int
		says       string
	}{
		{"the list of SLOs comes from memory", "/", 200, "checkout/availability"},
		{"so does an SLO, which says what is missing", paths["slo"], 200, "The incidents cannot be read"},
		{"an open incident is in memory", paths["incident-open"], 200, "Timeline"},
		{"an old one is not", paths["incident"], 503, "the disk is gone"},
		{"the list of incidents", "/api/v1/incidents", 503, `"errorType":"unavailable"`},
		{"reports", "/reports", 503, "the disk is gone"},
		{"the status page says what it does not know", "/status", 200, "the disk is gone"},
		{"the status leaves the outbox out", "/api/v1/status", 200, `"outbox":null`},
		{"the metrics leave the outbox out", "/metrics", 200, "slowburn_slo_objective_ratio"},
	} {
		if w := get(h, c.path); w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d, want %d and %q:\n%.300s", c.what, w.Code, c.code, c.says, w.Body.String())
		}
	}
	if strings.Contains(get(h, "/metrics").Body.String(), "slowburn_outbox") {
		t.Error("the metrics tell of an outbox that cannot be read")
	}
}

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		what           string
		last           engine.Summary
		age            time.Duration // since the start
		healthy, ready int
	}{
		{"just started", engine.Summary{}, time.Second, 200, 503},
		{"started long ago and never evaluated", engine.Summary{}, 6 * time.Minute, 503, 503},
		{"evaluated a moment ago", engine.Summary{At: now.Add(time.Hour - time.Second)}, time.Hour, 200, 200},
		{"five intervals ago", engine.Summary{At: now.Add(55 * time.Minute)}, time.Hour, 200, 200},
		{"longer ago", engine.Summary{At: now.Add(55*time.Minute - time.Second)}, time.Hour, 503, 200},
		{"Prometheus fails: that is no reason to restart slowburn", engine.Summary{At: now.Add(time.Hour), Failures: []string{"refused"}}, time.Hour, 200, 200},
		{"the disk is full", engine.Summary{At: now.Add(time.Hour), StoreErr: errDisk}, time.Hour, 503, 200},
	} {
		s := newShopOf(t, nil)
		clock := now
		s.options.Now = func() time.Time { return clock }
		h := s.handler()
		s.source.last, clock = c.last, now.Add(c.age)
		if got := [2]int{get(h, "/-/healthy").Code, get(h, "/-/ready").Code}; got != [2]int{c.healthy, c.ready} {
			t.Errorf("%s: healthy and ready are %v, want %d and %d (%s)", c.what, got, c.healthy, c.ready, get(h, "/-/healthy").Body)
		}
	}
}

// TestHealthLooksAtTheAgeOfDecidedMinutes: ticks are made, nothing fails, and the newest minute of
// any SLO is far behind the newest tick, or ahead of it.
func TestHealthLooksAtTheAgeOfDecidedMinutes(t *testing.T) {
	for _, c := range []struct {
		far  time.Duration // from the newest decided minute to the tick
		fail bool          // reading fails, and is told so
		code int
		most time.Duration // samples are waited for; 0 is the default, a quarter of an hour
	}{
		{far: 30 * time.Minute, code: 200},
		{far: 31 * time.Minute, code: 503},
		{far: -30 * time.Minute, code: 200},
		{far: -31 * time.Minute, code: 503},
		{far: 3 * time.Hour, fail: true, code: 200},
		{far: 60 * time.Minute, code: 200, most: 45 * time.Minute},
		{far: 61 * time.Minute, code: 503, most: 45 * time.Minute},
	} {
		s := newShopOf(t, nil)
		s.options.MaxLateness = c.most
		s.options.Now = func() time.Time { return now }
		h := s.handler()
		newest := time.Time{}
		for _, b := range s.source.Snapshot().Budgets {
			if b.AsOf.After(newest) {
				newest = b.AsOf
			}
		}
		s.source.last = engine.Summary{At: now, Through: newest.Add(c.far)}
		if c.fail {
			s.source.last.Failures = []string{"refused"}
		}
		if got := get(h, "/-/healthy"); got.Code != c.code || (c.code == 503) != strings.Contains(got.Body.String(), "Is the clock of the source right?") {
			t.Errorf("%s: %d, %s", c.far, got.Code, got.Body)
		}
		within := fmt.Sprintf("\nslowburn_evaluation_decided_within_seconds %.0f\n", (max(c.most, 15*time.Minute) + 15*time.Minute).Seconds())
		if body := get(h, "/metrics").Body.String(); !strings.Contains(body, within) {
			t.Errorf("the alert does not go by %q", within)
		}
	}
}

func TestReload(t *testing.T) {
	for _, c := range []struct {
		what   string
		from   string
		header http.Header
		err    error
		code   int
		ran    bool
	}{
		{"from this machine", "127.0.0.1:5000", nil, nil, 403, false},
		{"from this machine over IPv6", "[::1]:5000", nil, nil, 403, false},
		{"from this machine with the token", "127.0.0.1:5000", http.Header{"X-Slowburn-Token": {"s3cret"}}, nil, 200, true},
		{"a bad configuration, with the token", "127.0.0.1:5000", http.Header{"X-Slowburn-Token": {"s3cret"}}, errors.New("slos.yaml:3: no"), 500, true},
		{"from elsewhere", "192.0.2.1:5000", nil, nil, 403, false},
		{"from elsewhere with the token", "192.0.2.1:5000", http.Header{"Authorization": {"Bearer s3cret"}}, nil, 200, true},
		{"from this machine without the token", "127.0.0.1:5000", nil, nil, 403, false},
		{"from this machine with a wrong token", "127.0.0.1:5000", http.Header{"Authorization": {"Bearer s3cre"}}, nil, 403, false},
		{"with a wrong token", "192.0.2.1:5000", http.Header{"Authorization": {"Bearer s3cre"}}, nil, 403, false},
		{"through a proxy on this machine", "127.0.0.1:5000", http.Header{"X-Forwarded-For": {"192.0.2.1"}}, nil, 403, false},
		{"another site, with the token", "127.0.0.1:5000", http.Header{"X-Slowburn-Token": {"s3cret"}, "Sec-Fetch-Site": {"cross-site"}}, nil, 403, false},
		{"an older browser, of which only the origin is known, with the token", "127.0.0.1:5000", http.Header{"X-Slowburn-Token": {"s3cret"}, "Origin": {"https://evil.example"}}, nil, 403, false},
	} {
		s := newShopOf(t, nil)
		ran := false
		if strings.Contains(c.what, "token") {
			s.options.Tokens = tokens("s3cret")
		}
		s.options.Reload = func(context.Context, string) error { ran = true; return c.err }
		r := httptest.NewRequest(http.MethodPost, "/-/reload", nil)
		r.RemoteAddr = c.from
		for k, v := range c.header {
			r.Header[k] = v
		}
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		if w.Code != c.code || ran != c.ran {
			t.Errorf("%s: %d and ran: %v; want %d and %v (%s)", c.what, w.Code, ran, c.code, c.ran, w.Body)
		}
	}
}

func TestGoldenSignalsAreOfKnownServices(t *testing.T) {
	s := newShop(t)
	s.options.Signals = func(_ context.Context, service string) (ranking.Snapshot, bool) {
		return ranking.Snapshot{}, service == "checkout"
	}
	h := s.handler()
	for service, want := range map[string]int{"checkout": http.StatusOK, "nobody": http.StatusNotFound} {
		if w := get(h, "/api/v1/signals/"+service); w.Code != want {
			t.Errorf("%s: %d, want %d: %s", service, w.Code, want, w.Body)
		}
	}
}

// Missing data can be left out of the incidents, and do not take the place of others.
func TestIncidentsCanBeListedWithoutMissingData(t *testing.T) {
	h := newShop(t).handler()
	listed := func(query string) (failed, blind int) {
		w := get(h, "/api/v1/incidents"+query)
		var answer struct{ Data []api.Incident }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
			t.Fatal(w.Code, err)
		}
		for _, i := range answer.Data {
			if i.Rule == "no_data" {
				blind++
			} else {
				failed++
			}
		}
		return failed, blind
	}
	failed, blind := listed("")
	if failed < 2 || blind == 0 {
		t.Fatalf("%d incidents and %d gaps", failed, blind)
	}
	for query, want := range map[string][2]int{"?no_data=true": {failed, blind}, "?no_data=false": {failed, 0}, fmt.Sprintf("?no_data=false&limit=%d", failed): {failed, 0}, "?no_data=false&limit=1": {1, 0}} {
		if f, b := listed(query); f != want[0] || b != want[1] {
			t.Errorf("%s: %d incidents and %d gaps; want %v", query, f, b, want)
		}
	}
	if w := get(h, "/api/v1/incidents?no_data=perhaps"); w.Code != http.StatusBadRequest {
		t.Errorf("perhaps: %d", w.Code)
	}
}

// An incident of the API has the headline that stands on its page.
func TestTheHeadlineIsThatOfThePage(t *testing.T) {
	s := newShop(t)
	h := s.handler()
	for _, i := range s.source.Snapshot().Open.All() {
		var answer struct{ Data api.IncidentDetail }
		if err := json.Unmarshal(get(h, "/api/v1/incidents/"+i.ID).Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		line := answer.Data.Headline
		if line == "" {
			t.Errorf("%s has no headline", i.ID)
		}
		if page := html.UnescapeString(get(h, "/").Body.String()); i.Rule != alerting.RuleNoData && !strings.Contains(page, line) {
			t.Errorf("%s: the page does not say %q", i.ID, line)
		}
	}
}

// TestAnSLOMayBeCalledAsWhatIsAskedOfIt: an address is that of an SLO by its first two parts,
// whatever the SLO is called.
func TestAnSLOMayBeCalledAsWhatIsAskedOfIt(t *testing.T) {
	for path, want := range map[string][2]string{
		"shop/availability":                  {"shop/availability", ""},
		"shop/availability/history":          {"shop/availability", "history"},
		"shop/history":                       {"shop/history", ""},
		"shop/history/history":               {"shop/history", "history"},
		"shop/history/spend":                 {"shop/history", "spend"},
		"shop/spend":                         {"shop/spend", ""},
		"shop/spend/history":                 {"shop/spend", "history"},
		"history/spend":                      {"history/spend", ""},
		`shop/routes{route="/history"}`:      {`shop/routes{route="/history"}`, ""},
		`shop/routes{route="/"}/history`:     {`shop/routes{route="/"}`, "history"},
		`shop/spend{route="/spend"}/history`: {`shop/spend{route="/spend"}`, "history"},
	} {
		if id, view := viewOf(path); id != want[0] || view != want[1] {
			t.Errorf("%s is %s of %s", path, view, id)
		}
	}
}

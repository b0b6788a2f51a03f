package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
)

// The form on an incident's page: what a browser may do from where.
func TestTheFormOfAnIncident(t *testing.T) {
	s := newShop(t)
	s.options.Tokens = tokens("secret")
	var did []alerting.Act
	s.options.Do = func(_ context.Context, a alerting.Act) (alerting.Act, error) { did = append(did, a); return a, nil }
	h := s.handler()
	path := s.pagePaths(t)["incident-open"]
	id := strings.TrimPrefix(path, "/incidents/")
	const here, elsewhere = "127.0.0.1:1", "192.0.2.1:1"
	for _, c := range []struct {
		what, from, site string
		path, form       string
		code             int
		want             alerting.Act
	}{
		{"somebody acknowledges", here, "same-origin", path, "act=acknowledge&by=Ada&token=secret", 303, alerting.Act{Kind: alerting.Acknowledge, By: "Ada"}},
		{"an old browser says nothing about where it comes from", here, "", path, "act=acknowledge&by=Ada&token=secret", 303, alerting.Act{Kind: alerting.Acknowledge, By: "Ada"}},
		{"somebody writes a note", here, "same-origin", path, "act=remark&by=+Ada+&text=A+%3Cb%3E&token=secret", 303, alerting.Act{Kind: alerting.Remark, By: "Ada", Text: "A <b>"}},
		{"somebody silences for an hour", here, "same-origin", path, "act=silence&by=Ada&for=1h&token=secret", 303, alerting.Act{Kind: alerting.Silence, By: "Ada", Until: now.Add(time.Hour)}},
		{"somebody silences until it recovers", here, "same-origin", path, "act=silence&by=Ada&for=&token=secret", 303, alerting.Act{Kind: alerting.Silence, By: "Ada"}},
		{"another site sends the browser here", here, "cross-site", path, "act=acknowledge&by=Ada&token=secret", 403, alerting.Act{}},
		{"from elsewhere without the token", elsewhere, "same-origin", path, "act=acknowledge&by=Ada", 403, alerting.Act{}},
		{"from elsewhere with a wrong token", elsewhere, "same-origin", path, "act=acknowledge&by=Ada&token=Secret", 403, alerting.Act{}},
		{"from elsewhere with the token", elsewhere, "same-origin", path, "act=acknowledge&by=Ada&token=secret", 303, alerting.Act{Kind: alerting.Acknowledge, By: "Ada"}},
		{"on this machine without the token", here, "same-origin", path, "act=acknowledge&by=Ada", 403, alerting.Act{}},
		{"on this machine with the token", here, "same-origin", path, "act=acknowledge&by=Ada&token=secret", 303, alerting.Act{Kind: alerting.Acknowledge, By: "Ada"}},
		{"the token in the address does not count", elsewhere, "same-origin", path + "?token=secret", "act=acknowledge&by=Ada", 403, alerting.Act{}},
		{"another site with the token", elsewhere, "cross-site", path, "act=acknowledge&by=Ada&token=secret", 403, alerting.Act{}},
		{"nobody says who", here, "same-origin", path, "act=acknowledge&by=+&token=secret", 400, alerting.Act{}},
		{"what the form does not offer", here, "same-origin", path, "act=override&by=Ada&token=secret", 400, alerting.Act{}},
		{"a silence of no length", here, "same-origin", path, "act=silence&by=Ada&for=-1h&token=secret", 400, alerting.Act{}},
		{"an incident that there is not", here, "same-origin", "/incidents/a/b/page/1", "act=acknowledge&by=Ada&token=secret", 404, alerting.Act{}},
		{"more than a form holds", here, "same-origin", path, "act=remark&by=Ada&token=secret&text=" + strings.Repeat("x", maxForm), 400, alerting.Act{}},
	} {
		did = nil
		r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = c.from
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var got alerting.Act
		if len(did) > 0 {
			got = did[0]
		}
		if w.Code != c.code || got.Kind != c.want.Kind || got.By != c.want.By || got.Text != c.want.Text || !got.Until.Equal(c.want.Until) {
			t.Errorf("%s: %d and %+v; want %d and %+v", c.what, w.Code, got, c.code, c.want)
		}
		if got.Kind != "" && (got.Incident != id || got.Via != viaWeb || got.Key == "" || got.Who != "token all" || w.Header().Get("Location") != path+"#timeline") {
			t.Errorf("%s: %+v, then to %s", c.what, got, w.Header().Get("Location"))
		}
	}
}

// A button that is pressed twice is one act; the next minute's is another.
func TestAPressedTwiceButtonIsOneAct(t *testing.T) {
	s := &site{server: &server{Options: Options{Now: func() time.Time { return now }}}}
	a := api.Act{Incident: "i", Kind: alerting.Remark, By: "Ada", Text: "x"}
	first := s.formKey(a, "")
	if s.formKey(a, "") != first {
		t.Error("the same press has another key")
	}
	other := a
	other.Text = "y"
	if s.formKey(other, "") == first {
		t.Error("another note has the same key")
	}
	other = a
	other.Who = "token ben"
	if s.formKey(other, "") == first {
		t.Error("somebody else under the same name has the same key")
	}
	s.Now = func() time.Time { return now.Add(time.Minute) }
	if s.formKey(a, "") == first {
		t.Error("a minute later it is still the same act")
	}
}

// There is a form only where something can be done with it, and it asks for the token only where it
// is needed.
func TestWhoSeesTheForm(t *testing.T) {
	for _, c := range []struct {
		what, from, token string
		do                func(context.Context, alerting.Act) (alerting.Act, error)
		form, asks        bool
	}{
		{"where nobody has a token", "127.0.0.1:1", "", nothing, false, false},
		{"elsewhere, with a token", "192.0.2.1:1", "secret", nothing, true, true},
		{"on this machine, with a token", "127.0.0.1:1", "secret", nothing, true, true},
		{"where nothing can be done", "127.0.0.1:1", "", nil, false, false},
	} {
		s := newShop(t)
		if s.options.Do = c.do; c.token != "" {
			s.options.Tokens = tokens(c.token)
		}
		r := httptest.NewRequest(http.MethodGet, s.pagePaths(t)["incident-open"], nil)
		r.RemoteAddr = c.from
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		body := w.Body.String()
		if strings.Contains(body, `method="post"`) != c.form || strings.Contains(body, `name="token"`) != c.asks || strings.Contains(body, "secret") {
			t.Errorf("%s: form %v, asks %v", c.what, strings.Contains(body, `method="post"`), strings.Contains(body, `name="token"`))
		}
	}
}

func nothing(_ context.Context, a alerting.Act) (alerting.Act, error) { return a, nil }

func TestTheOverviewFindsWhatIsAsked(t *testing.T) {
	s, _, _ := ruled(t)
	h := s.handler()
	for query, want := range map[string]int{
		"state=gate-frozen": 1, "state=frozen": 1, "state=burning": 0, "team=payments": 2, "q=ORDERS": 1, "q=nothing+like+it": 0,
		"team=discovery&q=fresh": 1, "tier=critical": 0, "label=route": 1, "": 3,
	} {
		q, err := url.ParseQuery(query)
		must(t, err)
		srv := budgetList{&site{server: &server{Options: s.options}}}
		if o := srv.overview(t.Context(), s.source.Snapshot().Budgets, q); o.Found != want || o.Total != 3 {
			t.Errorf("%q finds %d of %d budgets, want %d", query, o.Found, o.Total, want)
		}
	}
	if body := get(h, "/").Body.String(); !strings.Contains(body, "1 service frozen, ") || !strings.Contains(body, "gate: frozen</span>") {
		t.Error("the overview does not count what is frozen")
	}
}

package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/login"
	"github.com/slowburn-sre/slowburn/internal/login/issuertest"
)

// Where people sign in, nothing but the way in is shown to others; whoever has signed in may what
// is granted to them or to their group, and no other site may by their browser.
func TestSignedInPeople(t *testing.T) {
	s := newShop(t)
	var done []string
	s.options.Do = func(_ context.Context, a alerting.Act) (alerting.Act, error) {
		done = append(done, a.Who)
		return a, nil
	}
	s.options.Tokens = tokens("secret")
	s.options.Trust = func() Trust {
		return Trust{Grants: []Grant{{Who: []string{"oidc *@example.com"}, May: []Right{MayAct}, Services: []string{"checkout"}}, {Who: []string{"group bosses"}, May: []Right{MayOverride}}}}
	}
	issuer := issuertest.New(t, time.Now)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	site := "http://" + l.Addr().String()
	s.options.ExternalURL = site + "/slo"
	s.options.Login = login.New(login.Options{
		Issuer: issuer.URL, ClientID: issuertest.ClientID, Secrets: []string{issuertest.Secret}, ExternalURL: s.options.ExternalURL,
		Domains: []string{"example.com"}, Life: time.Hour, Keeps: func(group string) bool { return group == "bosses" },
	})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, s.handler(), "", quiet) }()
	t.Cleanup(func() { stop(); <-served })
	open := s.pagePaths(t)["incident-open"]
	act := func(kind, service string) string {
		return `{"kind":"` + kind + `","by":"x","text":"x","service":"` + service + `"}`
	}

	browser := func(user string, groups ...string) *http.Client {
		jar, err := cookiejar.New(nil)
		must(t, err)
		b := &http.Client{Jar: jar, Timeout: 20 * time.Second}
		if user == "" {
			return b
		}
		issuer.Says(map[string]any{"email": user, "email_verified": true, "groups": groups})
		resp, err := b.Get(site + "/slo/login?back=%2Fstatus")
		must(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		if in := strings.Contains(string(text), "Signed in as "+user); in == strings.Contains(user, "evil") || in && resp.Request.URL.Path != "/slo/status" {
			t.Errorf("%s: signed in %v at %s", user, in, resp.Request.URL)
		}
		return b
	}
	people := map[string]*http.Client{"nobody": browser(""), "ada": browser("ada@example.com"), "boss": browser("boss@example.com", "bosses", "sre"), "evil": browser("eve@evil.example", "bosses")}
	for _, b := range people {
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	const own, html = "Sec-Fetch-Site: same-origin", "Accept: text/html"
	for _, c := range []struct {
		what, by, method, path, body string
		headers                      []string
		code                         int
		who                          string
	}{
		{"a page", "nobody", "GET", "/slo/incidents?state=open", "", []string{html}, 303, "/slo/login?back=%2Fincidents%3Fstate%3Dopen"},
		{"a page, asked for by a program", "nobody", "GET", "/slo/incidents", "", nil, 401, ""},
		{"the API", "nobody", "GET", "/slo/api/v1/slos", "", nil, 401, ""},
		{"the API without the prefix", "nobody", "GET", "/api/v1/slos", "", nil, 401, ""},
		{"metrics", "nobody", "GET", "/slo/metrics", "", nil, 401, ""},
		{"metrics with a token", "nobody", "GET", "/slo/metrics", "", []string{"Authorization: Bearer secret"}, 200, ""},
		{"health", "nobody", "GET", "/-/healthy", "", nil, 200, ""},
		{"the style", "nobody", "GET", "/slo/style.css", "", nil, 200, ""},
		{"a path like the way in", "nobody", "GET", "/slo/login/../status", "", nil, 401, ""},
		{"the callback, of nothing", "nobody", "GET", "/slo/login/callback?code=x&state=x", "", nil, 400, ""},
		{"an act", "nobody", "POST", "/slo/api/v1/acts", act("silence", "checkout"), []string{own}, 401, ""},
		{"a name that is not asked for", "nobody", "GET", "/slo/api/v1/slos", "", []string{"Authorization: " + basicAda}, 401, ""},
		{"the API", "evil", "GET", "/slo/api/v1/slos", "", nil, 401, ""},
		{"the API", "ada", "GET", "/slo/api/v1/slos", "", nil, 200, ""},
		{"an act", "ada", "POST", "/slo/api/v1/acts", act("silence", "checkout"), []string{own}, 200, "oidc ada@example.com"},
		{"an act, by an older browser", "ada", "POST", "/slo/api/v1/acts", act("silence", "checkout"), []string{"Origin: " + site}, 200, "oidc ada@example.com"},
		{"an act, from another site", "ada", "POST", "/slo/api/v1/acts", act("silence", "checkout"), []string{"Sec-Fetch-Site: cross-site"}, 403, ""},
		{"an act, from a neighbour", "ada", "POST", "/slo/api/v1/acts", act("silence", "checkout"), []string{"Sec-Fetch-Site: same-site"}, 403, ""},
		{"an act, from another origin", "ada", "POST", "/slo/api/v1/acts", act("silence", "checkout"), []string{"Origin: https://evil.example"}, 403, ""},
		{"an act, from no origin", "ada", "POST", "/slo/api/v1/acts", act("silence", "checkout"), []string{"Origin: null"}, 403, ""},
		{"an act, from nobody knows", "ada", "POST", "/slo/api/v1/acts", act("silence", "checkout"), nil, 401, ""},
		{"an act on another service", "ada", "POST", "/slo/api/v1/acts", act("silence", "search"), []string{own}, 403, ""},
		{"an override", "ada", "POST", "/slo/api/v1/acts", act("override", "checkout"), []string{own}, 403, ""},
		{"an override", "boss", "POST", "/slo/api/v1/acts", act("override", "checkout"), []string{own}, 200, "oidc boss@example.com"},
		{"the form", "ada", "POST", "/slo" + open, "act=acknowledge&by=Ada", []string{own, "Content-Type: application/x-www-form-urlencoded"}, 303, "oidc ada@example.com"},
		{"the form, from another site", "ada", "POST", "/slo" + open, "act=acknowledge&by=Ada", []string{"Sec-Fetch-Site: cross-site", "Content-Type: application/x-www-form-urlencoded"}, 403, ""},
		{"a reload", "ada", "POST", "/slo/-/reload", "", []string{own}, 403, ""},
		{"signing out, from another site", "ada", "POST", "/slo/logout", "", []string{"Sec-Fetch-Site: cross-site"}, 403, ""},
		{"still there", "ada", "GET", "/slo/api/v1/slos", "", nil, 200, ""},
		{"signing out by a link", "ada", "GET", "/slo/logout", "", nil, 404, ""},
		{"signing out", "ada", "POST", "/slo/logout", "", []string{own}, 200, ""},
		{"after it", "ada", "GET", "/slo/api/v1/slos", "", nil, 401, ""},
	} {
		done = nil
		r, err := http.NewRequest(c.method, site+c.path, strings.NewReader(c.body))
		must(t, err)
		for _, line := range c.headers {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		resp, err := people[c.by].Do(r)
		must(t, err)
		resp.Body.Close()
		who := strings.Join(done, "; ")
		if c.code == 303 && c.method == "GET" {
			who = resp.Header.Get("Location")
		}
		if resp.StatusCode != c.code || who != c.who {
			t.Errorf("%s by %s: %d as %q, want %d as %q", c.what, c.by, resp.StatusCode, who, c.code, c.who)
		}
		if resp.StatusCode != 401 && resp.StatusCode != 303 && (resp.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")) {
			t.Errorf("%s by %s can be framed: %v", c.what, c.by, resp.Header)
		}
	}
	u, _ := url.Parse(site)
	for _, c := range people["boss"].Jar.Cookies(u) {
		if strings.Contains(c.Value, "boss") {
			t.Error("the cookie can be read")
		}
	}
}

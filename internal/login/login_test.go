package login_test

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/login"
	"github.com/slowburn-sre/slowburn/internal/login/issuertest"
)

// site is a site with a door, on a clock of its own.
type site struct {
	*testing.T
	issuer *issuertest.Issuer
	door   *login.Door
	url    string
	at     time.Time
}

func newSite(t *testing.T, o login.Options) *site {
	t.Helper()
	s := &site{T: t, at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return s.at }
	s.issuer = issuertest.New(t, now)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r) }))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	o.Issuer, o.ClientID, o.Now, o.Life = s.issuer.URL, issuertest.ClientID, now, 8*time.Hour
	if o.Secrets == nil {
		o.Secrets = []string{issuertest.Secret}
	}
	if o.ExternalURL == "" {
		o.ExternalURL = srv.URL
	}
	s.door = login.New(o)
	s.issuer.Says(map[string]any{"email": "ada@example.com", "email_verified": true, "groups": []string{"sre", "all"}})
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	var err error
	switch r.URL.Path {
	case login.LoginPath:
		err = s.door.Begin(w, r)
	case login.CallbackPath:
		err = s.door.Finish(w, r)
	case login.LogoutPath:
		s.door.End(w, r)
	default:
		in, ok := s.door.Who(r)
		if ok {
			_, _ = io.WriteString(w, r.URL.Path+" "+in.User+" "+strings.Join(in.Groups, "+"))
		} else {
			_, _ = io.WriteString(w, "nobody")
		}
	}
	if no := new(login.Refusal); errors.As(err, &no) {
		http.Error(w, no.Text, no.Code)
	}
}

// browser keeps cookies, and follows wherever it is sent.
func (s *site) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 20 * time.Second}
}

// get returns what a browser is shown at last.
func (s *site) get(b *http.Client, path string) (int, string) {
	s.Helper()
	resp, err := b.Get(s.url + path)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

// stop returns where a browser would be sent from a path, and the cookies that it is given.
func (s *site) stop(b *http.Client, address string) *http.Response {
	s.Helper()
	only := *b
	only.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := only.Get(address)
	if err != nil {
		s.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// Somebody comes in, stays for as long as the session lasts, and goes.
func TestSigningInAndOut(t *testing.T) {
	s := newSite(t, login.Options{Domains: []string{"Example.com"}, Groups: []string{"sre"}})
	b := s.browser()
	if _, text := s.get(b, "/"); text != "nobody" {
		t.Errorf("before: %s", text)
	}
	if code, text := s.get(b, "/login?back=/incidents%3Fstate%3Dopen"); code != 200 || text != "/incidents ada@example.com sre" {
		t.Errorf("signed in: %d %s", code, text)
	}
	if _, text := s.get(s.browser(), "/"); text != "nobody" {
		t.Errorf("another browser is %s", text)
	}
	s.at = s.at.Add(8*time.Hour - time.Second)
	if _, text := s.get(b, "/"); text != "/ ada@example.com sre" {
		t.Errorf("before its end: %s", text)
	}
	s.at = s.at.Add(time.Second)
	if _, text := s.get(b, "/"); text != "nobody" {
		t.Errorf("after its end: %s", text)
	}
	_, _ = s.get(b, "/login")
	u, _ := url.Parse(s.url)
	kept := b.Jar.Cookies(u)
	_, _ = s.get(b, "/logout")
	if _, text := s.get(b, "/"); text != "nobody" {
		t.Errorf("signed out: %s", text)
	}
	b.Jar.SetCookies(u, kept) // whoever has kept the cookie
	if _, text := s.get(b, "/"); text != "nobody" {
		t.Errorf("signed out, with the old cookie: %s", text)
	}
}

// What the provider may say, and what it may not: nobody comes in by a token that is not of this
// sign-in, of this provider, for us, and now.
func TestWhoIsLetIn(t *testing.T) {
	other := issuertest.Key(t)
	for what, c := range map[string]struct {
		options login.Options
		claims  map[string]any
		forge   func(header, claims map[string]any) *rsa.PrivateKey
		want    string // who, or a word of why not
	}{
		"as it should be":                     {want: "ada@example.com"},
		"another nonce":                       {forge: func(_, c map[string]any) *rsa.PrivateKey { c["nonce"] = "x"; return nil }, want: "could not be verified"},
		"no nonce":                            {forge: func(_, c map[string]any) *rsa.PrivateKey { delete(c, "nonce"); return nil }, want: "could not be verified"},
		"for another client":                  {forge: func(_, c map[string]any) *rsa.PrivateKey { c["aud"] = "x"; return nil }, want: "could not be verified"},
		"of another issuer":                   {forge: func(_, c map[string]any) *rsa.PrivateKey { c["iss"] = "https://evil.example"; return nil }, want: "could not be verified"},
		"of yesterday":                        {forge: func(_, c map[string]any) *rsa.PrivateKey { c["exp"] = c["iat"].(int64) - 1; return nil }, want: "could not be verified"},
		"without a signature":                 {forge: func(h, _ map[string]any) *rsa.PrivateKey { h["alg"] = "none"; return nil }, want: "could not be verified"},
		"signed by the client secret":         {forge: func(h, _ map[string]any) *rsa.PrivateKey { h["alg"] = "HS256"; return nil }, want: "could not be verified"},
		"signed by another key":               {forge: func(_, _ map[string]any) *rsa.PrivateKey { return other }, want: "could not be verified"},
		"a mail address that is not verified": {claims: map[string]any{"email": "ada@example.com", "email_verified": false}, want: "has not verified"},
		"nothing about verifying":             {claims: map[string]any{"email": "ada@example.com"}, want: "has not verified"},
		"verified, as text":                   {claims: map[string]any{"email": "ada@example.com", "email_verified": "true"}, want: "ada@example.com"},
		"no name":                             {claims: map[string]any{"email_verified": true}, want: "does not say who you are"},
		"a name that cannot be shown":         {claims: map[string]any{"email": "a\u202e@example.com", "email_verified": true}, want: "does not say who you are"},
		"a name that is a list":               {claims: map[string]any{"email": []string{"ada@example.com"}, "email_verified": true}, want: "does not say who you are"},
		"another domain":                      {claims: map[string]any{"email": "ada@evil.example", "email_verified": true}, want: "no domain"},
		"a domain that ends alike":            {claims: map[string]any{"email": "ada@notexample.com", "email_verified": true}, want: "no domain"},
		"a domain within the name":            {claims: map[string]any{"email": "ada@example.com@evil.example", "email_verified": true}, want: "no domain"},
		"no domain at all":                    {claims: map[string]any{"email": "example.com", "email_verified": true}, want: "no domain"},
		"any domain":                          {options: login.Options{Domains: []string{"*"}}, claims: map[string]any{"email": "ada@evil.example", "email_verified": true}, want: "ada@evil.example"},
		"another claim":                       {options: login.Options{UserClaim: "upn", Domains: []string{"*"}}, claims: map[string]any{"upn": "ada"}, want: "ada"},
		"in the group":                        {options: login.Options{Groups: []string{"sre"}}, claims: map[string]any{"email": "a@x", "email_verified": true, "groups": []string{"sre"}}, want: "a@x"},
		"one group, as text":                  {options: login.Options{Groups: []string{"sre"}}, claims: map[string]any{"email": "a@x", "email_verified": true, "groups": "sre"}, want: "a@x"},
		"in another group":                    {options: login.Options{Groups: []string{"sre"}}, claims: map[string]any{"email": "a@x", "email_verified": true, "groups": []string{"sre2"}}, want: "no group"},
		"in no group":                         {options: login.Options{Groups: []string{"sre"}}, claims: map[string]any{"email": "a@x", "email_verified": true}, want: "no group"},
		"the wrong secret":                    {options: login.Options{Secrets: []string{"x"}}, want: "could not be verified"},
	} {
		if c.options.Domains == nil && c.options.Groups == nil {
			c.options.Domains = []string{"example.com"}
		}
		s := newSite(t, c.options)
		if c.claims != nil {
			s.issuer.Says(c.claims)
		}
		s.issuer.Forge(c.forge)
		b := s.browser()
		_, text := s.get(b, "/login")
		_, after := s.get(b, "/")
		if in := after != "nobody"; !strings.Contains(text, c.want) || in != !strings.Contains(c.want, " ") {
			t.Errorf("%s: %q, then %q", what, text, after)
		}
	}
}

// Whoever comes back must be whoever was sent, in time, and once.
func TestNobodyComesBackForAnother(t *testing.T) {
	s := newSite(t, login.Options{Domains: []string{"*"}})
	ada, eve := s.browser(), s.browser()
	sent := s.stop(ada, s.url+"/login")
	back := s.stop(&http.Client{}, sent.Header.Get("Location")).Header.Get("Location")
	path := strings.TrimPrefix(back, s.url)
	if code, text := s.get(eve, path); code != 400 || !strings.Contains(text, "not the end of a sign-in") {
		t.Errorf("in a browser that did not begin: %d %s", code, text)
	}
	_ = s.stop(eve, s.url+"/login") // which has begun one of its own
	if code, _ := s.get(eve, path); code != 400 {
		t.Errorf("with the state of another: %d", code)
	}
	for what, change := range map[string]func(url.Values){
		"no state": func(q url.Values) { q.Del("state") }, "another state": func(q url.Values) { q.Set("state", "x") },
	} {
		b := s.browser()
		_ = s.stop(b, s.url+"/login")
		u, _ := url.Parse(path)
		q := u.Query()
		change(q)
		if code, _ := s.get(b, u.Path+"?"+q.Encode()); code != 400 {
			t.Errorf("%s: %d", what, code)
		}
	}
	if code, text := s.get(ada, path); code != 200 || text != "/ ada@example.com " && text != "/ ada@example.com" {
		t.Errorf("whoever was sent: %d %s", code, text)
	}
	if code, _ := s.get(ada, path); code != 400 {
		t.Errorf("once more: %d", code)
	}
	late := s.browser()
	sent = s.stop(late, s.url+"/login")
	back = s.stop(&http.Client{}, sent.Header.Get("Location")).Header.Get("Location")
	s.at = s.at.Add(11 * time.Minute)
	if code, _ := s.get(late, strings.TrimPrefix(back, s.url)); code != 400 {
		t.Errorf("too late: %d", code)
	}
	no := s.browser()
	sent = s.stop(no, s.url+"/login")
	u, _ := url.Parse(sent.Header.Get("Location"))
	if code, text := s.get(no, login.CallbackPath+"?error=access_denied&state="+u.Query().Get("state")); code != 403 || strings.Contains(text, "access_denied") {
		t.Errorf("the provider says no: %d %s", code, text)
	}
}

// What is sent to the provider, and how the cookies are kept.
func TestTheFlowAndItsCookies(t *testing.T) {
	for external, secure := range map[string]bool{"https://slo.example.com/reliability": true, "": false} {
		s := newSite(t, login.Options{ExternalURL: external, Domains: []string{"*"}, Scopes: []string{"email"}})
		b := s.browser()
		sent := s.stop(b, s.url+"/login")
		u, err := url.Parse(sent.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) < 43 || len(q.Get("state")) < 26 || len(q.Get("nonce")) < 26 ||
			q.Get("scope") != "openid email" || q.Get("response_type") != "code" || !strings.HasSuffix(q.Get("redirect_uri"), "/login/callback") || strings.Contains(u.String(), "secret") {
			t.Errorf("sent to %s", u)
		}
		for _, c := range sent.Cookies() {
			if !c.HttpOnly || c.Secure != secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || strings.HasPrefix(c.Name, "__Host-") != secure {
				t.Errorf("%+v", c)
			}
			if strings.Contains(c.Value, q.Get("state")) {
				t.Error("the cookie can be read")
			}
		}
	}
}

// A cookie that was changed, or made for something else, or by whoever does not know the secret, is
// none; and what changes something takes more than one.
func TestForgedSessions(t *testing.T) {
	s := newSite(t, login.Options{Domains: []string{"*"}})
	b := s.browser()
	journey := s.stop(b, s.url+"/login").Cookies()[0].Value
	_, _ = s.get(b, "/login")
	u, _ := url.Parse(s.url)
	var good string
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "slowburn_session" {
			good = c.Value
		}
	}
	elsewhere := newSite(t, login.Options{Domains: []string{"*"}}) // the same secret, another issuer
	who := func(door *login.Door, method, value string, headers ...string) bool {
		r := httptest.NewRequest(method, "/", nil)
		r.AddCookie(&http.Cookie{Name: "slowburn_session", Value: value})
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		_, ok := door.Who(r)
		return ok
	}
	changed := []byte(good)
	changed[len(changed)/2] ^= 1
	for what, c := range map[string]struct {
		got, want bool
	}{
		"the session":                   {who(s.door, "GET", good), true},
		"changed":                       {who(s.door, "GET", string(changed)), false},
		"empty":                         {who(s.door, "GET", ""), false},
		"short":                         {who(s.door, "GET", "AAAA"), false},
		"the cookie of the way":         {who(s.door, "GET", journey), false},
		"of another issuer":             {who(elsewhere.door, "GET", good), false},
		"a change, from nobody knows":   {who(s.door, "POST", good), false},
		"a change, by a browser":        {who(s.door, "POST", good, "Sec-Fetch-Site: same-origin"), true},
		"a change, by an older browser": {who(s.door, "POST", good, "Origin: http://example.com"), true},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", what, c.got)
		}
	}
	rotated := login.New(login.Options{Issuer: s.issuer.URL, ClientID: issuertest.ClientID, Secrets: []string{"a newer secret", issuertest.Secret}, Now: func() time.Time { return s.at }, Life: time.Hour})
	if !who(rotated, "GET", good) {
		t.Error("while the secret is changed, sessions of the older one are over")
	}
}

// Nobody is sent to another site when they come back.
func TestWhereTheyComeBackTo(t *testing.T) {
	s := newSite(t, login.Options{Domains: []string{"*"}})
	for back, want := range map[string]string{
		"/incidents/a%2Fb": "/incidents/a/b", "//evil.example": "/", "///evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", `\\evil.example`: "/", "evil": "/",
		"javascript:alert(1)": "/", "/\tx": "/", "": "/", "/%0d%0aSet-Cookie:x": "/\r\nSet-Cookie:x", "/" + strings.Repeat("x", 2000): "/",
	} {
		b := s.browser()
		code, text := s.get(b, "/login?back="+url.QueryEscape(back))
		if got, _, _ := strings.Cut(text, " ada@"); code != 200 || got != want {
			t.Errorf("%q leads to %d %q, want %q", back, code, text, want)
		}
	}
}

// A provider that leads elsewhere is not followed, neither to its description nor to the place of
// its tokens, where the code and the secret of the client would go.
func TestNobodyIsLedElsewhereByAProvider(t *testing.T) {
	s := newSite(t, login.Options{Domains: []string{"*"}})
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(other.Close)
	for _, leads := range []string{"/.well-known/openid-configuration", "/keys", "/token"} {
		var front *httptest.Server
		front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == leads {
				http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
				return
			}
			to, _ := url.Parse(s.issuer.URL)
			proxy := httputil.NewSingleHostReverseProxy(to)
			proxy.ModifyResponse = func(resp *http.Response) error {
				text, err := io.ReadAll(resp.Body)
				text = bytes.ReplaceAll(text, []byte(s.issuer.URL), []byte(front.URL))
				resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
				resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
				return err
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(front.Close)
		s.door = login.New(login.Options{Issuer: front.URL, ClientID: issuertest.ClientID, Secrets: []string{issuertest.Secret}, ExternalURL: s.url, Domains: []string{"*"}, Now: func() time.Time { return s.at }})
		if code, text := s.get(s.browser(), "/login"); code < 400 || asked > 0 {
			t.Errorf("%s leads elsewhere: %d %s; it was asked %d times", leads, code, text, asked)
		}
	}
}

// A provider that does not answer, or is another one, is told; it is asked again the next time.
func TestAProviderThatIsDown(t *testing.T) {
	s := newSite(t, login.Options{Domains: []string{"*"}})
	down := true
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, s.issuer.URL+r.URL.Path, http.StatusTemporaryRedirect) // which says that it is another one
	}))
	t.Cleanup(front.Close)
	s.door = login.New(login.Options{Issuer: front.URL, ClientID: "x", Secrets: []string{"x"}, ExternalURL: s.url, Now: func() time.Time { return s.at }})
	for range 2 {
		if code, text := s.get(s.browser(), "/login"); code != http.StatusBadGateway || !strings.Contains(text, "does not answer as it should") {
			t.Errorf("down %v: %d %s", down, code, text)
		}
		down = false
	}
}

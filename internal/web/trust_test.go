package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
)

// trusting has a proxy at 127.0.0.1, and grants for one identity of each kind.
func trusting() Trust {
	return Trust{
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, UserHeader: "X-Forwarded-User",
		Grants: []Grant{
			{Who: []string{"proxy ada@*"}, May: []Right{MayAct}, Services: []string{"checkout"}},
			{Who: []string{"proxy boss@example.org"}, May: []Right{MayAct, MayOverride}},
			{Who: []string{"proxy eve@*"}, May: []Right{MayAct}},
			{Who: []string{"certificate deploy-*"}, May: []Right{MayChange}},
			{Who: []string{"user ada"}, May: []Right{MayAct}},
		},
	}
}

// sender is somebody who sends requests.
type sender struct {
	from    string // address; "" is that of the proxy
	headers []string
	cert    *tls.Certificate
}

func (s sender) client(roots *x509.CertPool) *http.Client {
	dial := &net.Dialer{}
	if s.from != "" {
		dial.LocalAddr = &net.TCPAddr{IP: net.ParseIP(s.from)}
	}
	config := &tls.Config{RootCAs: roots}
	if s.cert != nil {
		config.Certificates = []tls.Certificate{*s.cert}
	}
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: dial.DialContext, TLSClientConfig: config, DisableKeepAlives: true}}
}

// Who sends a request, by which door, for what: nothing but a proof counts. What a password proves
// is another where there are passwords and where there are none.
func TestWhoMayDoWhat(t *testing.T) {
	ca := newAuthority(t)
	deploy, guest, forged := ca.client("deploy-7"), ca.client("guest"), ca.client("x, token all")
	people := map[string]struct {
		sender
		who, bare string // the identity that is recorded, with passwords and without; "" is none
	}{
		"nobody":                           {sender{from: "127.0.0.9"}, "", ""},
		"nobody, by the proxy":             {sender{}, "", ""},
		"a name from elsewhere":            {sender{from: "127.0.0.9", headers: []string{"X-Forwarded-User: boss@example.org"}}, "", ""},
		"a name and where it is from":      {sender{from: "127.0.0.9", headers: []string{"X-Forwarded-User: boss@example.org", "X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1", "Forwarded: for=127.0.0.1"}}, "", ""},
		"two names":                        {sender{headers: []string{"X-Forwarded-User: ada@example.org", "X-Forwarded-User: boss@example.org"}}, "", ""},
		"a name that cannot be shown":      {sender{headers: []string{"X-Forwarded-User: ada@example.org\u202e"}}, "", ""},
		"an empty name":                    {sender{headers: []string{"X-Forwarded-User: "}}, "", ""},
		"a long name":                      {sender{headers: []string{"X-Forwarded-User: ada@" + strings.Repeat("x", maxUser)}}, "", ""},
		"Ada, by the proxy":                {sender{headers: []string{"X-Forwarded-User: ada@example.org"}}, "proxy ada@example.org", "proxy ada@example.org"},
		"Ada, passed on by another before": {sender{headers: []string{"X-Forwarded-User: ada@example.org", "X-Forwarded-For: 192.0.2.1"}}, "proxy ada@example.org", "proxy ada@example.org"},
		"the boss, by the proxy":           {sender{headers: []string{"X-Forwarded-User: boss@example.org"}}, "proxy boss@example.org", "proxy boss@example.org"},
		"Mallory, by the proxy":            {sender{headers: []string{"X-Forwarded-User: mallory@example.org"}}, "proxy mallory@example.org", "proxy mallory@example.org"},
		"a name with another in it":        {sender{headers: []string{"X-Forwarded-User: eve@x, token all"}}, `proxy "eve@x, token all"`, `proxy "eve@x, token all"`},
		"Ada, by her password":             {sender{from: "127.0.0.9", headers: []string{"Authorization: " + basicAda}}, "user ada", ""},
		"Ada, by a wrong password":         {sender{from: "127.0.0.9", headers: []string{"Authorization: Basic YWRhOng="}}, "", ""},
		"the proxy, and a wrong password":  {sender{headers: []string{"Authorization: Basic YWRhOng=", "X-Forwarded-User: mallory@example.org"}}, "", "proxy mallory@example.org"},
		"a certificate":                    {sender{from: "127.0.0.9", cert: deploy}, "", "certificate deploy-7"},
		"a certificate with no grant":      {sender{from: "127.0.0.9", cert: guest}, "", "certificate guest"},
		"a certificate with another in it": {sender{from: "127.0.0.9", cert: forged}, "", `certificate "x, token all"`},
		"a certificate and a name":         {sender{from: "127.0.0.9", cert: guest, headers: []string{"X-Forwarded-User: boss@example.org"}}, "", "certificate guest"},
		"a token":                          {sender{from: "127.0.0.9", headers: []string{"X-Slowburn-Token: secret"}}, "token all", "token all"},
		"a token, by the proxy for Ada":    {sender{headers: []string{"X-Slowburn-Token: secret", "X-Forwarded-User: ada@example.org"}}, "token all, proxy ada@example.org", "token all, proxy ada@example.org"},
		"a wrong token, for the boss":      {sender{headers: []string{"X-Slowburn-Token: wrong", "X-Forwarded-User: boss@example.org"}}, "who reads", "who reads"},
		"a certificate and a password":     {sender{from: "127.0.0.9", cert: guest, headers: []string{"Authorization: " + basicAda}}, "user ada, certificate guest", "certificate guest"},
	}
	doors := map[string]struct {
		method, path, body string
		may                string // who may, each in bars
	}{
		"a page":                      {"GET", "/status", "", "|any|"},
		"the API":                     {"GET", "/api/v1/slos", "", "|any|"},
		"metrics":                     {"GET", "/metrics", "", "|any|"},
		"an act":                      {"POST", "/api/v1/acts", `{"kind":"acknowledge","by":"x","incident":"checkout/a/page/1"}`, "|proxy ada@example.org|proxy boss@example.org|user ada|token all|proxy \"eve@x, token all\"|"},
		"an act on another service":   {"POST", "/api/v1/acts", `{"kind":"acknowledge","by":"x","incident":"search/a/page/1"}`, "|proxy boss@example.org|user ada|token all|proxy \"eve@x, token all\"|"},
		"the form":                    {"POST", "/incidents/ID", "act=acknowledge&by=x", "|proxy ada@example.org|proxy boss@example.org|user ada|token all|proxy \"eve@x, token all\"|"},
		"an override":                 {"POST", "/api/v1/acts", `{"kind":"override","by":"x","service":"checkout","text":"x"}`, "|proxy boss@example.org|token all|"},
		"a change":                    {"POST", "/api/v1/changes", `{"service":"checkout","version":"1","by":"x"}`, "|certificate deploy-7|token all|"},
		"a reload":                    {"POST", "/-/reload", "", "|certificate deploy-7|token all|"},
		"the form, from another site": {"POST", "/incidents/ID", "act=acknowledge&by=x&site=cross", ""},
	}
	for _, passwords := range []bool{true, false} {
		s := newShop(t)
		s.options.Tokens, s.options.Trust = tokens("secret"), trusting
		var done []string
		s.options.Do = func(_ context.Context, a alerting.Act) (alerting.Act, error) {
			done = append(done, a.Who)
			return a, nil
		}
		s.options.Reload = func(_ context.Context, who string) error { done = append(done, who); return nil }
		tries := 0
		s.options.Now = func() time.Time { tries++; return now.Add(time.Duration(tries) * time.Minute) } // nobody is slowed down
		open := s.pagePaths(t)["incident-open"]
		users := ""
		if passwords {
			text, err := os.ReadFile(withUser(t))
			must(t, err)
			users = string(text)
		}
		address := serve(t, s.handler(), ca.webConfig("VerifyClientCertIfGiven", users))
		for name, p := range people {
			who := p.bare
			if passwords {
				who = p.who
			}
			for door, d := range doors {
				done = nil
				body := d.body
				r, err := http.NewRequest(d.method, "https://"+address+strings.Replace(d.path, "/incidents/ID", open, 1), strings.NewReader(body))
				must(t, err)
				for _, line := range p.headers {
					header, value, _ := strings.Cut(line, ": ")
					r.Header.Add(header, value)
				}
				if strings.Contains(d.path, "/incidents/") {
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				if strings.Contains(body, "site=cross") {
					r.Header.Set("Sec-Fetch-Site", "cross-site")
				}
				client := p.client(ca.roots)
				client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				resp, err := client.Do(r)
				must(t, err)
				resp.Body.Close()
				may := strings.Contains(d.may, "|"+who+"|") || d.may == "|any|" && who != ""
				if first, _, more := strings.Cut(who, ", "); more && !strings.Contains(who, `"`) {
					may = may || strings.Contains(d.may, "|"+first+"|")
				}
				want := ""
				if d.method == "POST" && may {
					want = who
				}
				if ok := resp.StatusCode < 400; ok != may || strings.Join(done, "; ") != want {
					t.Errorf("passwords %v, %s, %s: %d, done as %q; want %v as %q", passwords, name, door, resp.StatusCode, done, may, want)
				}
			}
		}
		if got := get(s.lastHandler, "/metrics").Body.String(); !strings.Contains(got, `slowburn_http_refused_total{reason="user_header"} `+fmt.Sprint(7*len(doors))) {
			t.Errorf("the names that were ignored are not counted: %s", grep(got, "slowburn_http_refused_total"))
		}
	}
}

func grep(text, word string) (lines []string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			lines = append(lines, line)
		}
	}
	return lines
}

// The subject of a certificate is whom the log names; without a common name, another name.
func TestACertificateHasASubject(t *testing.T) {
	spiffe, _ := url.Parse("spiffe://example.org/deploy")
	for want, c := range map[string]*x509.Certificate{
		"spiffe://example.org/deploy": {URIs: []*url.URL{spiffe}, DNSNames: []string{"x"}},
		"ada@example.org":             {EmailAddresses: []string{"ada@example.org"}, DNSNames: []string{"x"}},
	} {
		if got := subjectOf(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

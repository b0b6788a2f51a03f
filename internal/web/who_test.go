package web

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// logged is an archive with acts that may be taken back.
type logged struct{ Archive }

func (logged) Act(_ context.Context, key string) (alerting.Act, bool, error) {
	a, known := map[string]alerting.Act{
		"o": {Kind: alerting.Override, Service: "search"}, "c": {Kind: alerting.Changed, Service: "checkout"}, "house": {Kind: alerting.Changed},
		"s": {Kind: alerting.Silence, Incident: "checkout/a/page/1"}, "other": {Kind: alerting.Silence, Service: "search"}, "d": {Kind: alerting.Changed, SLO: "search/a"},
	}[key]
	a.Key, a.By = key, "Ada"
	return a, known, nil
}

func (logged) Acts(context.Context, store.ActFilter) ([]alerting.Act, error) { return nil, nil }

// Each token does what it may, about the services that it is for, and the log has its name,
// whatever name is given.
func TestATokenDoesWhatItMay(t *testing.T) {
	s := newShopOf(t, nil)
	s.options.Archive = logged{s.options.Archive}
	names := map[string]Token{
		"reader":   NewToken("reader", []Right{MayRead}, nil, "the reader's secret"),
		"pipeline": NewToken("pipeline", []Right{MayRead, MayChange}, []string{"check*"}, "the old secret", "the new secret"),
		"oncall":   NewToken("oncall", []Right{MayAct}, []string{"checkout"}, "the oncall secret"),
		"boss":     NewToken("boss", []Right{MayOverride}, nil, "the boss's secret"),
	}
	s.options.Tokens = func() (all []Token) {
		for _, t := range names {
			all = append(all, t)
		}
		return all
	}
	var who []string
	s.options.Do = func(_ context.Context, a alerting.Act) (alerting.Act, error) { who = append(who, a.Who); return a, nil }
	s.options.Reload = func(_ context.Context, by string) error { who = append(who, by); return nil }
	s.options.Drill = func(context.Context, api.NewDrill) error { who = append(who, "drill"); return nil }
	tries := 0
	s.options.Now = func() time.Time { tries++; return now.Add(time.Duration(tries) * time.Minute) }
	h := s.handler()
	change := func(service string) (string, string) {
		return "/api/v1/changes", fmt.Sprintf(`{"service":%q,"version":"1","by":"Ada"}`, service)
	}
	act := func(kind, rest string) (string, string) {
		return "/api/v1/acts", fmt.Sprintf(`{"kind":%q,"by":"Anna Vorstand (CISO)",%s}`, kind, rest)
	}
	of := func(path, body string) [2]string { return [2]string{path, body} }
	for what, c := range map[string]struct {
		ask [2]string
		may string // names of those who may
	}{
		"a change":                          {of(change("checkout")), "pipeline"},
		"a change of another service":       {of(change("search")), ""},
		"an acknowledgement":                {of(act("acknowledge", `"incident":"checkout/availability/page/1"`)), "oncall"},
		"of another service":                {of(act("acknowledge", `"incident":"search/availability/page/1"`)), ""},
		"a service that begins alike":       {of(act("silence", `"service":"checkout2"`)), ""},
		"a merge into another's":            {of(act("merge", `"incident":"checkout/a/page/1","other":"search/a/page/1"`)), ""},
		"two services at once":              {of(act("silence", `"slo":"checkout/a","service":"search"`)), ""},
		"work, which is about no service":   {of(act("work", `"facts":{"kind":"toil","minutes":"1"}`)), ""},
		"an override":                       {of(act("override", `"service":"search","text":"x"`)), "boss"},
		"an exemption":                      {of(act("exempt", `"service":"search","text":"x"`)), "boss"},
		"a class":                           {of(act("classify", `"incident":"checkout/a/page/1","text":"not major"`)), "boss"},
		"taking back an override":           {of(act("undo", `"other":"o"`)), "boss"},
		"taking back a change of the house": {of(act("undo", `"other":"house"`)), ""},
		"taking back a change":              {of(act("undo", `"other":"c"`)), "pipeline"},
		"taking back a change, by name":     {of(act("undo", `"other":"c","service":"checkout"`)), "pipeline"},
		"taking back a silence":             {of(act("undo", `"other":"s","incident":"checkout/a/page/1"`)), "oncall"},

		"taking back a change of another service under the name of one's own":  {of(act("undo", `"other":"d","service":"checkout"`)), ""},
		"taking back a silence of another service under the name of one's own": {of(act("undo", `"other":"other","service":"checkout"`)), ""},
		"a reload": {of("/-/reload", ""), "pipeline"},
		"a drill":  {of("/api/v1/drills", "{}"), ""},
	} {
		for name, secret := range map[string]string{"": "", "reader": "the reader's secret", "pipeline": "the new secret", "oncall": "the oncall secret", "boss": "the boss's secret", "nobody": "reader"} {
			who = nil
			r := httptest.NewRequest(http.MethodPost, c.ask[0], strings.NewReader(c.ask[1]))
			r.RemoteAddr = "127.0.0.1:1"
			if name != "" {
				r.Header.Set(TokenHeader, secret)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			may := name != "" && name == c.may
			if may != (w.Code == http.StatusOK) || !may && w.Code != http.StatusForbidden || may != (len(who) == 1 && who[0] == "token "+name) {
				t.Errorf("%s by %q: %d %s, done as %q", what, name, w.Code, w.Body, who)
			}
		}
	}
}

// withUser asks for the password of a user, ada, who has basicAda.
func withUser(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "web.yml")
	must(t, os.WriteFile(file, []byte("basic_auth_users: {ada: $2y$04$abcdefghijklmnopqrstuuixDYXMqh7K8om9LBImBUW2GGY1bih2C}\n"), 0o600))
	return file
}

var basicAda = "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:right password"))

// With a password before everything, a token that may read passes it, others pass it to do what
// they may, and the identities that a request has proven are written down together.
func TestATokenPassesThePassword(t *testing.T) {
	s := newShopOf(t, nil)
	s.options.Tokens = func() []Token {
		return []Token{NewToken("reader", []Right{MayRead}, nil, "the reader's secret"), NewToken("ci", []Right{MayAct}, nil, "the secret of ci")}
	}
	var who string
	s.options.Do = func(_ context.Context, a alerting.Act) (alerting.Act, error) { who = a.Who; return a, nil }
	address := serve(t, s.handler(), withUser(t))
	for _, c := range []struct {
		line    string
		headers []string
		code    int
		who     string
	}{
		{"GET /api/v1/slos", nil, 401, ""},
		{"GET /api/v1/slos", []string{"X-Slowburn-Token: the reader's secret"}, 200, ""},
		{"GET /metrics", []string{"Authorization: bearer the reader's secret"}, 200, ""},
		{"GET /api/v1/slos", []string{"X-Slowburn-Token: the secret of ci"}, 401, ""},
		{"GET /api/v1/slos", []string{"X-Slowburn-Token: wrong"}, 401, ""},
		{"POST /api/v1/incidents/a/b/page/1/ack", []string{"X-Slowburn-Token: the secret of ci"}, 404, "token ci"},
		{"POST /api/v1/incidents/a/b/page/1/ack", []string{"X-Slowburn-Token: the reader's secret"}, 403, ""},
		{"POST /api/v1/incidents/a/b/page/1/ack", []string{"X-Slowburn-Token: the secret of ci", "Authorization: " + basicAda}, 404, "token ci, user ada"},
		{"POST /api/v1/incidents/a/b/page/1/ack", []string{"Authorization: " + basicAda}, 403, ""},
	} {
		who = ""
		if code := raw(t, address, c.line, c.headers...); code != c.code || who != c.who {
			t.Errorf("%s with %q: %d as %q, want %d as %q", c.line, c.headers, code, who, c.code, c.who)
		}
	}
	// A name in a request that nobody asks the password of proves nothing.
	s.options.Registry = prometheus.NewRegistry()
	open := serve(t, s.handler(), "")
	if code := raw(t, open, "POST /api/v1/incidents/a/b/page/1/ack", "X-Slowburn-Token: the secret of ci", "Authorization: "+basicAda); code != 404 || who != "token ci" {
		t.Errorf("without a password: %d as %q", code, who)
	}
}

// An act has the name that its sender gives, else that of a person who has proven who it is, else
// of the program that the token is for. Nobody is "somebody".
func TestAnActHasAName(t *testing.T) {
	s := newShopOf(t, nil)
	s.options.Tokens = func() []Token {
		return []Token{NewToken("ci", AllRights, nil, "the secret of ci"), NewToken(config.LocalToken, AllRights, nil, "the local secret")}
	}
	by := ""
	s.options.Do = func(_ context.Context, a alerting.Act) (alerting.Act, error) { by = a.By; return a, nil }
	address := serve(t, s.handler(), withUser(t))
	for _, c := range []struct {
		who     string
		path    string
		headers []string
		code    int
		by      string
	}{
		{"a token of a program", "incidents/a/b/page/1/ack", []string{"X-Slowburn-Token: the secret of ci"}, 404, "ci"},
		{"a user with a token of a program", "incidents/a/b/page/1/ack", []string{"X-Slowburn-Token: the secret of ci", "Authorization: " + basicAda}, 404, "ada"},
		{"whoever has the token of this machine", "incidents/a/b/page/1/ack", []string{"X-Slowburn-Token: the local secret"}, 400, ""},
		{"a user on this machine", "incidents/a/b/page/1/ack", []string{"X-Slowburn-Token: the local secret", "Authorization: " + basicAda}, 404, "ada"},
	} {
		by = ""
		if code := raw(t, address, "POST /api/v1/"+c.path, c.headers...); code != c.code || by != c.by {
			t.Errorf("%s: %d by %q; want %d by %q", c.who, code, by, c.code, c.by)
		}
	}
}

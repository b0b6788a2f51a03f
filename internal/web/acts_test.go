package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/store"
)

func TestActsAreTakenFromThoseWhoMayWrite(t *testing.T) {
	for _, c := range []struct {
		what, from, path, body string
		err                    error
		code                   int
		want                   alerting.Act // that reached the engine; its kind is "" if none did
	}{
		{"an act", "127.0.0.1:1", "acts", `{"key":"k","kind":"silence","by":"Ada","incident":"i"}`, nil, 200, alerting.Act{Key: "k", Kind: alerting.Silence, By: "Ada", Incident: "i", Via: "api"}},
		{"an identity that nobody has proven", "127.0.0.1:1", "acts", `{"key":"k","kind":"remark","by":"Ada","incident":"i","who":"U1","via":"slack"}`, nil, 200, alerting.Act{Key: "k", Kind: alerting.Remark, By: "Ada", Incident: "i", Via: "api"}},
		{"without a token", "127.0.0.1:1", "acts", `{"key":"k","kind":"silence","by":"Ada"}`, nil, 403, alerting.Act{}},
		{"by whom the token is for", "127.0.0.1:1", "acts", `{"key":"k","kind":"acknowledge","incident":"i"}`, nil, 200, alerting.Act{Key: "k", Kind: alerting.Acknowledge, By: "all", Incident: "i", Via: "api"}},
		{"an act with a door of its own", "127.0.0.1:1", "acts", `{"kind":"config","by":"Ada"}`, nil, 400, alerting.Act{}},
		{"no JSON", "127.0.0.1:1", "acts", `{`, nil, 400, alerting.Act{}},
		{"something after it", "127.0.0.1:1", "acts", `{"kind":"remark","by":"Ada","incident":"i","text":"x"}{}`, nil, 400, alerting.Act{}},
		{"an escape in a name", "127.0.0.1:1", "acts", `{"kind":"remark","by":"A\u001b[2J","incident":"i","text":"x"}`, nil, 400, alerting.Act{}},
		{"a line break in a name", "127.0.0.1:1", "acts", `{"kind":"remark","by":"A\nB","incident":"i","text":"x"}`, nil, 400, alerting.Act{}},
		{"a C1 character in a text", "127.0.0.1:1", "acts", `{"kind":"remark","by":"Ada","incident":"i","text":"x\u009b2J"}`, nil, 400, alerting.Act{}},
		{"a turned text", "127.0.0.1:1", "acts", `{"kind":"remark","by":"Ada","incident":"i","text":"x\u202e"}`, nil, 400, alerting.Act{}},
		{"NUL in a fact", "127.0.0.1:1", "acts", `{"kind":"work","by":"Ada","facts":{"kind":"a\u0000"}}`, nil, 400, alerting.Act{}},
		{"a title with an escape", "127.0.0.1:1", "changes", `{"service":"shop","by":"Ada","title":"\u001b]0;x\u0007"}`, nil, 400, alerting.Act{}},
		{"a link that is a script", "127.0.0.1:1", "changes", `{"service":"shop","by":"Ada","title":"x","link":"javascript:alert(1)"}`, nil, 400, alerting.Act{}},
		{"a note of two lines", "127.0.0.1:1", "acts", `{"key":"k","kind":"remark","by":"Ada 👩‍💻","incident":"i","text":"x\ny"}`, nil, 200, alerting.Act{Key: "k", Kind: alerting.Remark, By: "Ada 👩‍💻", Incident: "i", Via: "api"}},
		{"a field that nobody knows", "127.0.0.1:1", "acts", `{"kind":"remark","by":"Ada","incidnet":"i"}`, nil, 400, alerting.Act{}},
		{"what the engine does not know", "127.0.0.1:1", "acts", `{"key":"k","kind":"remark","by":"Ada","incident":"i"}`, &incidents.ActError{Problem: incidents.ActUnknown, Text: "no"}, 404, alerting.Act{Key: "k", Kind: alerting.Remark, By: "Ada", Incident: "i", Via: "api"}},
		{"what is over", "127.0.0.1:1", "acts", `{"key":"k","kind":"remark","by":"Ada","incident":"i"}`, &incidents.ActError{Problem: incidents.ActConflict, Text: "over"}, 409, alerting.Act{Key: "k", Kind: alerting.Remark, By: "Ada", Incident: "i", Via: "api"}},
		{"an acknowledgement of nothing", "127.0.0.1:1", "incidents/x/y/page/1/ack", `{"key":"k","by":"Ada"}`, nil, 404, alerting.Act{Key: "k", Kind: alerting.Acknowledge, By: "Ada", Incident: "x/y/page/1", Via: "api"}},
		{"something else with an incident", "127.0.0.1:1", "incidents/x/y/page/1/eat", `{}`, nil, 404, alerting.Act{}},
	} {
		s := newShopOf(t, nil)
		var got alerting.Act
		s.options.Do = func(_ context.Context, a alerting.Act) (alerting.Act, error) { got = a; return a, c.err }
		s.options.Tokens = tokens("secret")
		r := httptest.NewRequest(http.MethodPost, "/api/v1/"+c.path, strings.NewReader(c.body))
		if r.RemoteAddr = c.from; c.code != 403 {
			r.Header.Set(TokenHeader, "secret")
		}
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		if w.Code != c.code || got.Key != c.want.Key || got.Kind != c.want.Kind || got.By != c.want.By || got.Via != c.want.Via || (got.Kind != "") != (got.Who == "token all") || got.Incident != c.want.Incident {
			t.Errorf("%s: %d and %+v; want %d and %+v (%s)", c.what, w.Code, got, c.code, c.want, w.Body)
		}
	}
}

// TestAKeyTwiceIsRefused: a body in which an object has a key twice is refused by its key at every
// door that takes one, and nothing is done.
func TestAKeyTwiceIsRefused(t *testing.T) {
	for _, c := range []struct{ what, path, body, key string }{
		{"another name", "acts", `{"kind":"remark","incident":"i","text":"x","by":"Ada","by":"Mallory"}`, "by"},
		{"in another letter case", "acts", `{"kind":"remark","incident":"i","text":"x","by":"Ada","BY":"Mallory"}`, "BY"},
		{"written as an escape", "acts", `{"kind":"remark","incident":"i","text":"x","by":"Ada","\u0062y":"Mallory"}`, "by"},
		{"by a letter that is taken for another", "acts", `{"kind":"remark","incident":"i","text":"x","by":"Ada","ſlo":"a/b","slo":"a/c"}`, "slo"},
		{"a fact", "acts", `{"kind":"work","by":"Ada","facts":{"kind":"a","kind":"b"}}`, "kind"},
		{"within a part", "acts", `{"kind":"remark","by":"Ada","change":{"kind":"a","Kind":"b"}}`, "Kind"},
		{"facts twice", "acts", `{"kind":"work","by":"Ada","facts":{"kind":"a"},"facts":{"minutes":"5"}}`, "facts"},
		{"of an acknowledgement", "incidents/x/y/page/1/ack", `{"by":"Ada","by":"Mallory"}`, "by"},
		{"of a change", "changes", `{"service":"shop","service":"search","by":"Ada","title":"x"}`, "service"},
		{"of a drill", "drills", `{"loud":false,"loud":true}`, "loud"},
	} {
		s := newShopOf(t, nil)
		s.options.Do = func(_ context.Context, a alerting.Act) (alerting.Act, error) {
			t.Errorf("%s: %+v is done", c.what, a)
			return a, nil
		}
		s.options.Tokens = tokens("secret")
		r := httptest.NewRequest(http.MethodPost, "/api/v1/"+c.path, strings.NewReader(c.body))
		r.Header.Set(TokenHeader, "secret")
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		if w.Code != 400 || !strings.Contains(w.Body.String(), `\"`+c.key+`\" is given twice`) {
			t.Errorf("%s: %d %s", c.what, w.Code, w.Body)
		}
	}
	names := strings.NewReader(`{"facts":{"a":"1","A":"2"},"change":{"kind":"x"},"kind":"work"}`)
	if key, twice := keyTwice(json.NewDecoder(names), false); twice {
		t.Errorf("facts of their own, and keys of other objects: %q", key)
	}
}

// oldActs is an archive in which a link was written down before anybody looked at it.
type oldActs struct{ Archive }

func (oldActs) Acts(context.Context, store.ActFilter) ([]alerting.Act, error) {
	return []alerting.Act{{Key: "k", Kind: alerting.Changed, By: "Ada", Change: &alerting.Change{Title: "x", Link: "javascript:alert(1)"}}}, nil
}

func TestTheAuditLogGivesOutNoScript(t *testing.T) {
	s := newShopOf(t, nil)
	s.options.Archive = oldActs{s.options.Archive}
	if got := get(s.handler(), "/api/v1/acts").Body.String(); strings.Contains(got, "javascript") || !strings.Contains(got, `"title":"x"`) {
		t.Errorf("got %s", got)
	}
}

// oldEvidence is an archive in which evidence names such a link.
type oldEvidence struct{ Archive }

func (oldEvidence) Evidence(context.Context, string) ([]store.Evidence, error) {
	return []store.Evidence{{Data: []byte(`{"at":"2026-11-22T08:06:00Z","changes":[{"what":"v7","link":"javascript:alert(1)"},{"what":"v8","link":"https://ci.example/8"}],"traces":[{"id":"t","url":"data:text/html,x"}]}`)}}, nil
}

func TestEvidenceGivesOutNoScript(t *testing.T) {
	s := newShop(t)
	s.options.Archive = oldEvidence{s.options.Archive}
	open := s.source.Snapshot().Open.IDs()[0]
	got := get(s.handler(), "/api/v1/incidents/"+open).Body.String()
	if strings.Contains(got, "javascript:") || strings.Contains(got, "data:text") || !strings.Contains(got, `"https://ci.example/8"`) || !strings.Contains(got, `"v7"`) {
		t.Errorf("got %s", got)
	}
}

func TestTheAuditLogIsRead(t *testing.T) {
	h := newShop(t).handler()
	if w := get(h, "/api/v1/acts?limit=5"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"data":[]`) {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	if w := get(h, "/api/v1/acts?limit=x"); w.Code != http.StatusBadRequest {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

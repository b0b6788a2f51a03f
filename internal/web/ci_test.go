package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// ruled is the shop under a policy, with a service that may be released, and one that may not.
func ruled(t testing.TB) (s *shop, free, frozen string) {
	t.Helper()
	s = newShop(t)
	set := shopSet(t, shopYAML)
	snap := store.Snapshot{Accounts: map[slo.ID]store.Account{}}
	for id, l := range map[slo.ID]life{"checkout/availability": steady(100, 10), `checkout/routes{route="/pay"}`: steady(100, 0), "search/freshness": steady(100, 0)} {
		snap.Accounts[id], _ = liveOn(id, set.Lookup(id), l)
	}
	p := alerting.DefaultPolicy()
	s.source.Engine = engine.New(engine.Options{Source: prom.New(nil, prom.Options{}), Log: slog.New(slog.DiscardHandler), Policy: &p}, set, snap)
	return s, "search/freshness", "checkout"
}

func ask(t testing.TB, h http.Handler, method, address, body string) *httptest.ResponseRecorder {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, u.RequestURI(), strings.NewReader(body)))
	return w
}

// What the examples of deploy/ci ask is asked here, and the answer is read as their tools read it.
func TestExamplesForCI(t *testing.T) {
	s, free, frozen := ruled(t)
	h := s.handler()
	var argo struct {
		Spec struct {
			Metrics []struct {
				SuccessCondition string `yaml:"successCondition"`
				Provider         struct {
					Web struct{ URL, JSONPath string }
				}
			}
		}
	}
	read(t, "argo-rollouts.yaml", &argo)
	m := argo.Spec.Metrics[0]
	if m.SuccessCondition != "result == true" || m.Provider.Web.JSONPath != "{$.data.go}" {
		t.Errorf("the example for Argo reads %s by %s", m.Provider.Web.JSONPath, m.SuccessCondition)
	}
	for which, want := range map[string]bool{free: true, frozen: false} {
		var answer struct{ Data struct{ Go *bool } }
		w := ask(t, h, http.MethodGet, strings.ReplaceAll(m.Provider.Web.URL, "{{args.service}}", which), "")
		must(t, json.Unmarshal(w.Body.Bytes(), &answer))
		if w.Code != http.StatusOK || answer.Data.Go == nil || *answer.Data.Go != want {
			t.Errorf("Argo asks for %s: %d %s", which, w.Code, w.Body)
		}
	}
	var flagger struct {
		Spec struct {
			Analysis struct{ Webhooks []struct{ Type, URL string } }
		}
	}
	read(t, "flagger.yaml", &flagger)
	for _, hook := range flagger.Spec.Analysis.Webhooks {
		for which, want := range map[string]int{free: http.StatusOK, frozen: http.StatusConflict} {
			w := ask(t, h, http.MethodPost, strings.Replace(hook.URL, "/checkout", "/"+which, 1), `{"name":"checkout","namespace":"shop","phase":"Progressing","metadata":{}}`)
			if w.Code != want {
				t.Errorf("Flagger's %s for %s: %d %s", hook.Type, which, w.Code, w.Body)
			}
		}
	}
}

func read(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("../../deploy/ci/" + name)
	must(t, err)
	if err := yaml.Unmarshal(bytes.ReplaceAll(data, []byte("jsonPath"), []byte("jsonpath")), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// The other examples call the program; its commands and flags are held to its own model in
// cmd/slowburn.
func TestExamplesForCIAreYAML(t *testing.T) {
	for name, job := range map[string]string{"github-actions.yml": "jobs", "gitlab-ci.yml": "gate"} {
		var tree map[string]any
		read(t, name, &tree)
		if tree[job] == nil {
			t.Errorf("%s has no %s", name, job)
		}
	}
	data, err := os.ReadFile("../../deploy/ci/Jenkinsfile")
	must(t, err)
	if !regexp.MustCompile(`(?s)pipeline \{.*slowburn gate.*slowburn change add.*\}`).Match(data) || bytes.Count(data, []byte("{")) != bytes.Count(data, []byte("}")) {
		t.Error("the Jenkinsfile is no pipeline that asks and records")
	}
}

func TestTheGateOverHTTP(t *testing.T) {
	s, free, frozen := ruled(t)
	h := s.handler()
	for _, c := range []struct {
		method, path string
		code         int
		says         string
	}{
		{"GET", "gate/" + free, 200, `"state":"open","go":true`},
		{"GET", "gate/" + frozen, 200, `"state":"frozen","go":false`},
		{"GET", "gate/" + frozen + "?fail=1", 409, `"status":"success"`},
		{"POST", "gate/" + frozen, 409, `"budgets":[`},
		{"POST", "gate/" + free, 200, `"go":true`},
		{"GET", "gate/checkout/routes", 200, `checkout/routes{route=\"/pay\"}`},
		{"GET", "gate/" + free + "?spend=5%25", 200, `"go":true`},
		{"GET", "gate/" + free + "?spend=90%25&fail=1", 409, "the line of caution"},
		{"GET", "gate/" + free + "?spend=much", 400, "a share of the budget such as 5%"},
		{"GET", "gate/" + free + "?allow=all", 400, "allow"},
		{"GET", "gate/nobody", 404, "There is no service or SLO"},
		{"GET", "slos/checkout/availability", 200, `"gate":"frozen"`},
		{"GET", "changes?service=checkout", 200, `"data":[]`},
		{"GET", "experiments/none", 404, "There is no experiment"},
		{"GET", "delivery?service=checkout", 200, `"deploys":0,"failed":0,"perWeek":null,"failureRate":null,"recoveryTimeSeconds":null,"leadTimeSeconds":null`},
	} {
		w := ask(t, h, c.method, "/api/v1/"+c.path, "")
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
	if w := ask(t, h, "GET", "/slo/checkout/availability", ""); !strings.Contains(w.Body.String(), `<strong>Releases</strong> <span class="state state-spent"><svg class="i" aria-hidden="true"><use href="#i-lock"/></svg>frozen</span>`) {
		t.Error("the page does not show the gate")
	}
	must(t, s.source.Reload(t.Context(), engine.Terms{Set: s.source.Snapshot().Set}, now))
	if w := ask(t, h, "GET", "/api/v1/gate/"+free, ""); !strings.Contains(w.Body.String(), "There is no error-budget policy") {
		t.Errorf("without a policy: %s", w.Body)
	}
	late := s.options
	late.Now = func() time.Time { return now.Add(time.Hour) }
	late.Registry = nil
	p := alerting.DefaultPolicy()
	must(t, s.source.Reload(t.Context(), engine.Terms{Set: s.source.Snapshot().Set, Policy: &p}, now))
	if w := ask(t, New(late), "GET", "/api/v1/gate/"+free+"?fail=1", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("an hour later: %d %s", w.Code, w.Body)
	}
}

// A thousand SLOs that have spent their budgets, as they are when Prometheus is down: there is none
// here. The gate of one of them, and of all of them in one answer.
func BenchmarkGate(b *testing.B) {
	text := "version: slowburn/v1\nservice: big\nslos:\n"
	for n := range 1000 {
		text += fmt.Sprintf("  - {name: slo%d, objective: 99.9, sli: {uptime: 'probe_success{job=\"j%d\"}'}}\n", n, n)
	}
	set, err := file.Load([]file.File{{Name: "big.yaml", Data: []byte(text)}})
	must(b, err)
	account, _ := live("big/slo0", set.Lookup("big/slo0"), steady(100, 1))
	snap := store.Snapshot{Accounts: map[slo.ID]store.Account{}}
	for _, spec := range set.Specs {
		snap.Accounts[spec.ID()] = account
	}
	p := alerting.DefaultPolicy()
	src := &source{Engine: engine.New(engine.Options{Source: prom.New(nil, prom.Options{}), Log: slog.New(slog.DiscardHandler), Policy: &p}, set, snap)}
	h := New(Options{Source: src, Now: func() time.Time { return now }})
	for _, path := range []string{"big/slo7", "big"} {
		b.Run(strings.ReplaceAll(path, "/", " "), func(b *testing.B) {
			for b.Loop() {
				if w := ask(b, h, "GET", "/api/v1/gate/"+path, ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "frozen") {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}

package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
)

// FuzzRequest sends anything to the pages and the API. Nothing panics, and nothing that runs comes
// back.
func FuzzRequest(f *testing.F) {
	for _, r := range [][3]string{
		{"GET", "/slo/../../etc/passwd", ""},
		{"GET", "/api/v1/slos/checkout/routes?power=1&from=9999-01-01", ""},
		{"GET", "/incidents?state=<script>", ""},
		{"GET", "/reports/x/2026-W48", ""},
		{"GET", "/api/v1/register?from=0001-01-01T00:00:00Z&format=csv", ""},
		{"GET", "/api/v1/slos/checkout/availability/history?from=1&to=2&step=1ns", ""},
		{"POST", "/api/v1/acts", `{"key":"k","kind":"override","by":"a","slo":"checkout/availability","until":"9999-12-31T00:00:00Z"}`},
		{"POST", "/api/v1/changes", `{"service":"checkout","by":"a","start":"0001-01-01T00:00:00Z","link":"javascript:x","trial":{"abort_at":-1}}`},
		{"POST", "/api/v1/drills", `{"minutes":-1}`},
		{"POST", "/incidents/x", "kind=remark&by=<img src=x>&text=%00"},
		{"POST", "/-/reload", ""},
		{"HEAD", "/api/v1/gate/checkout/availability", ""},
	} {
		f.Add(r[0], r[1], r[2])
	}
	s := newShop(f)
	s.options.Do = func(_ context.Context, a alerting.Act) (alerting.Act, error) {
		return a, &incidents.ActError{Problem: incidents.ActUnknown, Text: "there is no " + a.Incident}
	}
	handler := s.handler()
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://127.0.0.1"+target, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") || r.URL.Host != "127.0.0.1" {
			t.Skip()
		}
		r.RemoteAddr = "127.0.0.1:1"
		if strings.HasPrefix(target, "/incidents/") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "the log says what") {
			t.Fatalf("%s %q %q panics", method, target, body)
		}
		if found := runs.FindString(ours.ReplaceAllString(w.Body.String(), "")); found != "" && strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Fatalf("%s %q %q: %q", method, target, body, found)
		}
	})
}

// runs is what would run in a page, or be loaded from elsewhere.
var runs = regexp.MustCompile(`(?i)<(script|iframe|object|embed|base|svg[^>]* on|img[^>]*src="?http)|<[a-z][^>"]*("[^"]*"[^>"]*)*\son[a-z]+=|(href|src|action)="?\s*(javascript|data|vbscript):text`)

// FuzzMarkdown renders any review or report: no tag of its own comes through, no handler, and no
// link that is a script.
func FuzzMarkdown(f *testing.F) {
	for _, text := range []string{"<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](http://evil.example/x.png)", "<img src=x onerror=alert(1)>", "[x]( \x01javascript:alert(1))", "`a/b`\n\n| a |\n|--|\n| <b onclick=x> |", "---\nid: x\n---\n<!-- -->", "[a]: data:text/html,x\n[a]"} {
		f.Add(text)
	}
	p := newPages("")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 16<<10 {
			t.Skip()
		}
		html := string(p.render(text, decoration{Whole: true, Link: func(string) string { return "/x" }}))
		if found := tags.FindString(html); found != "" {
			t.Fatalf("%q becomes %q in %q", text, found, html)
		}
	})
}

// tags are those that no document of ours has.
var tags = regexp.MustCompile(`(?i)<(script|iframe|object|embed|base|form|input|svg|style|link|meta)\b|<[a-z][a-z0-9]*(\s+[a-z-]+="[^"]*")*\s+on[a-z]+=|href="\s*(javascript|vbscript|data):`)

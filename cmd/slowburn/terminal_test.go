package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/slowburn-sre/slowburn/internal/printable"
)

// forged is a note that would look like an entry of the audit log.
const forged = "2026-11-29 09:00:00 Ada Lovelace slack override"

// hostile is a text that takes over a terminal, or tries to.
const hostile = "ok\x1b]0;title\x07\x1b[2J\u009b31m\u202egnp\u2066\t.\r\n" + forged + "\n" + forged

// daemonOf answers every question with that data.
func daemonOf(t *testing.T, data string) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status":"success","data":%s}`, data)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func runAgainst(t *testing.T, url string, args ...string) (out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	run(append(args, "--url="+url), surroundings{out: &stdout, err: &stderr, getenv: os.Getenv, now: time.Now})
	return stdout.String(), stderr.String()
}

// No text by somebody else gets a control character through to a terminal, nor a line of its own,
// by any command and in any form.
func TestNoTextTakesOverATerminal(t *testing.T) {
	text, _ := json.Marshal(hostile)
	evil := string(text)
	act := `{"key":` + evil + `,"kind":"override","at":"2026-11-22T10:00:00Z","by":` + evil + `,"via":` + evil + `,"service":` + evil + `,"text":` + evil + `,"facts":{"a":` + evil + `}}`
	change := `{"key":` + evil + `,"service":` + evil + `,"kind":` + evil + `,"title":` + evil + `,"version":` + evil + `,"start":"2026-11-22T10:00:00Z","by":` + evil + `,"text":` + evil + `}`
	incident := `{"id":` + evil + `,"slo":` + evil + `,"severity":"page","state":` + evil + `,"title":` + evil + `,"acknowledgedBy":` + evil + `,"timeToAcknowledgeSeconds":3,"onset":"2026-11-22T10:00:00Z","timeline":[{"at":"2026-11-22T10:00:00Z","kind":` + evil + `,"text":` + evil + `}]}`
	gate := `{"service":` + evil + `,"state":"open","go":true,"reason":` + evil + `,"meaning":` + evil + `,"clears":` + evil + `,"permit":{"kind":"override","by":` + evil + `,"key":` + evil + `,"reason":` + evil + `},"budgets":[{"slo":` + evil + `}]}`
	review := `{"incident":` + evil + `,"status":` + evil + `,"owner":` + evil + `,"class":` + evil + `,"file":` + evil + `}`
	for _, c := range []struct {
		data string
		args []string
	}{
		{"[" + act + "]", []string{"audit"}},
		{act, []string{"incidents", "ack", "x"}},
		{"[" + change + "]", []string{"change", "list"}},
		{change, []string{"change", "add", "shop", "--version=1"}},
		{"[" + incident + "]", []string{"incidents"}},
		{incident, []string{"incidents", "show", "x"}},
		{gate, []string{"gate", "shop"}},
		{"[" + review + "]", []string{"postmortem", "list"}},
	} {
		url := daemonOf(t, c.data)
		for _, form := range []string{"table", "json", "yaml"} {
			out, errs := runAgainst(t, url, append(c.args, "--output="+form)...)
			shown := strings.NewReplacer("\n", "", "\t", "").Replace(out + errs)
			if at := strings.IndexFunc(shown, printable.Hidden); at >= 0 {
				t.Errorf("%v as %s shows %q in\n%q", c.args, form, shown[at:min(at+10, len(shown))], out)
			}
			if form == "table" {
				for line := range strings.Lines(out + errs) {
					if strings.HasPrefix(strings.Join(strings.Fields(line), " "), forged) {
						t.Errorf("%v prints the line of a note: %q", c.args, line)
					}
				}
				if !strings.Contains(out, "ok·]0;title") {
					t.Errorf("%v does not show what was written: %q", c.args, out+errs)
				}
				continue
			}
			var tree any
			decode := func() error { return json.Unmarshal([]byte(out), &tree) }
			if form == "yaml" {
				decode = func() error { return yaml.Unmarshal([]byte(out), &tree) }
			}
			if err := decode(); err != nil || !strings.Contains(fmt.Sprintf("%q", fmt.Sprint(tree)), fmt.Sprintf("%q", hostile)[1:20]) {
				t.Errorf("%v as %s has lost what was written: %v\n%s", c.args, form, err, out)
			}
		}
	}
	for _, args := range [][]string{{"postmortem", "x"}, {"report", "--period=2026-W48"}} {
		out, errs := runAgainst(t, daemonOf(t, `{"markdown":`+evil+`}`), args...)
		if strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(out+errs), printable.Hidden) || !strings.Contains(out, "ok·]0;title") {
			t.Errorf("%v prints %q", args, out+errs)
		}
	}
}

func TestErrorsShowNoControlsAndNoPassword(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		text, _ := json.Marshal(hostile)
		fmt.Fprintf(w, `{"status":"error","error":%s}`, text)
	}))
	defer srv.Close()
	if _, errs := runAgainst(t, srv.URL, "audit"); strings.Count(errs, "\n") != 1 || strings.ContainsAny(errs, "\x1b\u202e") {
		t.Errorf("got %q", errs)
	}
	for _, url := range []string{"http://reader:s3cr%zz@127.0.0.1:1", "http://reader:s3cret@127.0.0.1:1"} {
		if out, errs := runAgainst(t, url, "status"); strings.Contains(out+errs, "s3cr") || errs == "" {
			t.Errorf("%s: %q", url, out+errs)
		}
	}
}

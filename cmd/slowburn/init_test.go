package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// On a terminal it asks, and an answer is taken: another channel, and no files.
func TestInitIsAConversation(t *testing.T) {
	s := newSuggestStage(t, suggestHistory)
	t.Chdir(t.TempDir())
	var out, errs bytes.Buffer
	code := run([]string{"init"}, surroundings{
		in: strings.NewReader(s.url + "\nno\n#payments\n"), out: &out, err: &errs, getenv: unset, now: s.env.now,
	})
	if code != exitNo {
		t.Errorf("without SLOs it ends with %d", code)
	}
	at := 0
	for _, want := range []string{"Which Prometheus", "[http://127.0.0.1:9090]", "1. What http://", "Write ", "[yes]", "Which Slack channel", "[#reliability]", "slowburn.yaml written", "There is no SLO yet"} {
		n := strings.Index(out.String()[at:], want)
		if n < 0 {
			t.Fatalf("there is no %q, or not here:\n%s%s", want, &out, &errs)
		}
		at += n
	}
	text, err := os.ReadFile("slowburn.yaml")
	if err != nil || !strings.Contains(string(text), `"#payments"`) || !strings.Contains(string(text), s.url) {
		t.Errorf("%v:\n%s", err, text)
	}
	if _, err := os.Stat("slos"); err == nil {
		t.Error("SLO files were written against the answer")
	}
}

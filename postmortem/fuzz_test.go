package postmortem

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzReadReview feeds ReadReview files as people, or somebody who wants to do harm, may write
// them: it never panics, answers in time, and what it reads it says in one line each.
func FuzzReadReview(f *testing.F) {
	f.Add([]byte("---\nid: a/b/page/1\nstatus: closed\nclass: deploy\n---\n\n# Postmortem\n\n## Action items\n\n| Action | Kind | Priority | Owner | Due | Link | Done |\n|---|---|---|---|---|---|---|\n| x | prevent | P1 | ada | 2026-12-01 | [T-1](https://t.example/1) | yes |\n"))
	f.Add([]byte("---\nid: &a [*a]\nstatus: !!binary x\n---\n| Action |\n|---|\n| [x](javascript:alert(1)) |\n"))
	f.Add([]byte("---\nid: a\n" + strings.Repeat("> ", 90) + "\n---\n" + strings.Repeat("*a_ ", 400) + strings.Repeat("[a](", 300)))
	f.Add([]byte("---\r\nid: a\r\n---\r\n\x00\xff\u202e"))
	f.Fuzz(func(t *testing.T, file []byte) {
		began := time.Now()
		r, wrong := ReadReview(file)
		if took := time.Since(began); took > 10*time.Second {
			t.Fatalf("%d bytes took %v", len(file), took)
		}
		for _, err := range wrong {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
		}
		for _, a := range r.Actions {
			if !utf8.ValidString(a.What) && utf8.Valid(file) || strings.Contains(a.What, "\n") {
				t.Fatalf("an action item is %q", a.What)
			}
		}
	})
}

// FuzzTemplate feeds CheckTemplate any layout: it is refused or it renders, and it reaches nothing
// but the document.
func FuzzTemplate(f *testing.F) {
	for _, layout := range []string{
		`{{.Front}}# {{.Title}}` + "\n" + `{{section "Impact"}}`, `{{range $x := .}}{{end}}`, `{{template "postmortem" .}}`,
		`{{define "x"}}{{template "x" .}}{{end}}{{template "x" .}}`, `{{call .Title}}`, `{{printf "%1000000000s" .Title}}`, `{{html .Title | js | urlquery}}`, `{{ .Secret }}`, `{{slice .Title 1 1000}}`,
	} {
		f.Add(layout)
	}
	f.Fuzz(func(_ *testing.T, layout string) {
		if len(layout) < 4<<10 {
			_ = CheckTemplate(layout)
		}
	})
}

package slo

import "testing"

// The name is put in the place of the metric's own, wherever else its letters stand.
func TestRename(t *testing.T) {
	for text, want := range map[string]string{
		`h_bucket{kind="h_bucket"}`:              `h{kind="h_bucket"}`,
		`h_bucket`:                               `h`,
		`{kind="h_bucket", __name__="h_bucket"}`: `h{kind="h_bucket"}`,
		`{"http.h_bucket", "http.kind"="a"}`:     `h{"http.kind"="a"}`,
	} {
		q, err := ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		got := q.Rename("h")
		again, err := ParseQuery(got.Text)
		if err != nil || got.Text != want || again.Metric != "h" || len(again.Matchers) != len(q.Matchers) {
			t.Errorf("%s became %s, want %s: %v", text, got.Text, want, err)
		}
	}
	q, _ := ParseQuery(`h{a="b"}`)
	if got := q.Rename("http.h"); got.Text != `{__name__="http.h",a="b"}` {
		t.Errorf("a name in UTF-8: %s", got.Text)
	}
}

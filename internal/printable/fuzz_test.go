package printable

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzPrintable feeds any text through everything that makes it fit to be shown: nothing hidden
// comes out, in whatever pieces it was written, and JSON stays the same JSON.
func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"ok", "\x1b]0;title\x07", "\u009b2J\u202e\u2066", "a\r\n2026-11-29 Ada", "\xff\xfe\xe2\x80", "\U000e0041\u200b", `{"a":"\u001b[2J"}`} {
		f.Add([]byte(text), 1)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		var out bytes.Buffer
		w := NewWriter(&out)
		cut = max(0, min(cut, len(text)))
		for _, piece := range [][]byte{text[:cut], text[cut:]} {
			if n, err := w.Write(piece); err != nil || n != len(piece) {
				t.Fatal(n, err)
			}
		}
		if shown := strings.NewReplacer("\n", "", "\t", "").Replace(out.String()); strings.ContainsFunc(shown, Hidden) {
			t.Fatalf("%q is shown as %q", text, shown)
		}
		if line := Line(string(text)); strings.ContainsFunc(line, Hidden) || strings.ContainsAny(line, "\n\t") {
			t.Fatalf("%q is the line %q", text, line)
		}
		var before, after any
		if json.Unmarshal(text, &before) != nil {
			return
		}
		escaped := EscapeJSON(text)
		if err := json.Unmarshal(escaped, &after); err != nil {
			t.Fatalf("%q becomes %q: %v", text, escaped, err)
		}
		if lines := LinesOfJSON(text); !json.Valid(lines) {
			t.Fatalf("%q becomes %q", text, lines)
		}
	})
}

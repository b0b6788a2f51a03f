package printable

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// evil are the ways in which text has taken over terminals.
const evil = "a\x1b[31mb\x1b]0;title\x07c\u009b2Jd\u202ee\u2066f\u200eg\x00h\x7fi\u0085j\u2028k\r\n2026-11-29 09:00:00  Ada  override\tl\xff\u00ad"

func TestOneLineWithoutControls(t *testing.T) {
	want := "a·[31mb·]0;title·c·2Jd·e·f·g·h·i⏎j⏎k⏎2026-11-29 09:00:00  Ada  override l··"
	if got := Line(evil); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Line("Größe “5 %” − 3 → ok 😀"); got != "Größe “5 %” − 3 → ok 😀" {
		t.Errorf("a text for people became %q", got)
	}
}

// However a text is cut into writes, no control comes through.
func TestAWriterShowsNoControls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		w := NewWriter(&out)
		text := []byte(evil + rapid.String().Draw(t, "more") + "end\n")
		for rest := text; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			if m, err := w.Write(rest[:n]); m != n || err != nil {
				t.Fatal(m, err)
			}
			rest = rest[n:]
		}
		got := out.String()
		if strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(got), Hidden) || !utf8.ValidString(got) || !strings.HasSuffix(got, "end\n") {
			t.Fatalf("%q", got)
		}
	})
}

func TestJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := map[string]string{"text": strings.ToValidUTF8(evil, "?") + `\ \n \u009b "` + rapid.String().Draw(t, "more"), "\u202ek": "v"}
		text, err := json.MarshalIndent(given, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		var same, lines map[string]string
		escaped := EscapeJSON(text)
		if err := json.Unmarshal(escaped, &same); err != nil || same["text"] != given["text"] || strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(string(escaped)), Hidden) {
			t.Fatalf("%s: %v", escaped, err)
		}
		if err := json.Unmarshal(LinesOfJSON(text), &lines); err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(Line(given["text"]), "⏎⏎", "⏎"); strings.ReplaceAll(lines["text"], "⏎⏎", "⏎") != want || lines["·k"] != "v" {
			t.Fatalf("got %q, want %q", lines, want)
		}
	})
}

package yamlout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// Whatever text is written is read back, wherever it stands; and comments change nothing.
func TestTextsAreReadBack(t *testing.T) {
	nasty := rapid.OneOf(
		rapid.StringOf(rapid.RuneFrom([]rune("ab \n\t'\"#:-,[]{}&*!|>%@`\\~?=<\r\x00\x07\u0085\u2028\ufeffé😀"))),
		rapid.StringOfN(rapid.RuneFrom([]rune("ab \n#:-")), 1, 12, -1),
		rapid.SampledFrom([]string{"no", "On", "1e3", "0x1f", "null", "~", "2026-01-01", "1_000", ".inf", "a: b", "a #b", "- a", "|", "---", "a\n---\nb", "...", "<<"}),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		text, note := nasty.Draw(t, "text"), nasty.Draw(t, "note")
		if text == "" {
			return
		}
		m := Map{
			{[]string{note}, "a", Text(text)},
			{nil, "b", Raw("{c: " + FlowText(text) + "}")},
			{nil, "d", List{{[]string{note}, Map{{[]string{note}, "e", Text(text)}, {nil, "f", Text(text)}}}, {nil, Text(text)}, {nil, List{}}}},
			{nil, "g", Map{}},
		}
		out := Document(m)
		f := strictyaml.Parse("f.yaml", out, strictyaml.Options{})
		if len(f.Documents) != 1 || len(f.Problems()) > 0 {
			t.Fatalf("%s\n%s", f.Problems().Error(), out)
		}
		doc := f.Documents[0]
		list, _ := doc.Child("d").List(9)
		for name, v := range map[string]strictyaml.Value{"a": doc.Child("a"), "c": doc.Child("b").Child("c"), "e": list[0].Child("e"), "f": list[0].Child("f"), "item": list[1]} {
			if got, _ := v.Literal(""); got != text || v.Node().ShortTag() != "!!str" {
				t.Fatalf("%s: %q was read as %q (%s)\n%s", name, text, got, v.Node().ShortTag(), out)
			}
		}
	})
}

func TestTheLook(t *testing.T) {
	var m Map
	m.Add("service", Text("checkout"), "A service.")
	m.AddText("owner", "")
	m.AddText("description", "Takes orders, and money: all of it")
	m.Add("query", Text(`x{job="a"}`))
	m.Add("long", Text("a\n  b\n\nc"))
	m.Add("slos", List{
		{nil, Map{{[]string{"first", "second line"}, "name", Text("a")}, {[]string{"why"}, "window", Raw("28d")}}},
		{[]string{"note"}, Map{{nil, "name", Text("off")}, {nil, "page", List{{nil, Flow([2]string{"budget", "2%"}, [2]string{"long", "1h"})}}}}},
	})
	want := `# A service.
service: checkout
description: 'Takes orders, and money: all of it'
query: 'x{job="a"}'
long: |-
  a
    b

  c
slos:
  # first
  # second line
  - name: a
    # why
    window: 28d

  # note
  - name: 'off'
    page:
      - {budget: 2%, long: 1h}
`
	if diff := cmp.Diff(want, string(Document(m))); diff != "" {
		t.Error(diff)
	}
}

package file

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// Readers of other formats get all their documents at once, and what they say joins the rest.
func TestOtherFormatsAreReadByTheirReaders(t *testing.T) {
	reader := Reader{
		Recognises: func(version, kind string) bool {
			return version == "pyrra.dev/v1alpha1" && kind == "ServiceLevelObjective"
		},
		Read: func(documents []strictyaml.Value) (specs []*slo.Spec) {
			for _, d := range documents {
				target := d.Child("spec").Child("target")
				text, _ := target.Literal("a percentage")
				objective, err := slo.ParseObjective(text)
				if err != nil {
					target.Problem(messageAndHint(err))
					continue
				}
				total, _ := slo.ParseQuery("x_total")
				bad, _ := slo.ParseQuery(`x_total{code="500"}`)
				w := slo.Window{Rolling: 28 * slo.Day}
				alerts, _ := slo.DefaultAlerts(w, objective)
				specs = append(specs, &slo.Spec{
					Service: "shop", Name: d.Child("metadata").Peek("name"), Objective: objective, Windows: []slo.Window{w},
					SLI: slo.Indicator{Kind: slo.Events, Total: total, Bad: bad}, Alerts: alerts, File: d.File(), Line: d.Place().Line,
				})
			}
			return specs
		},
	}
	doc := func(name, target string) string {
		return "apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\nmetadata: {name: " + name + "}\nspec: {target: " + target + "}\n"
	}
	files := []File{{"a.yaml", []byte(doc("one", "99") + "---\n" + doc("two", "'99.5'"))}, {"b.yaml", []byte(good)}}
	set, err := Load(files, reader)
	if err != nil || set.Lookup("shop/one") == nil || set.Lookup("shop/two") == nil || set.Lookup("checkout/up") == nil {
		t.Fatalf("%v", err)
	}
	files[0].Data = []byte(doc("one", "100") + "---\n" + doc("two", "0.99"))
	files[1].Data = []byte(strings.Replace(good, "objective: 99\n", "objective: high\n", 1))
	_, err = Load(files, reader)
	for _, want := range []string{"a.yaml:4:16: objective 100 leaves", "a.yaml:9:16: objective 0.99 is", `b.yaml:16:16: objective "high"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
	files[0].Data = []byte(doc("up", "99"))
	files[1].Data = []byte(strings.Replace(good, "service: checkout", "service: shop", 1))
	if _, err = Load(files, reader); err == nil || !strings.Contains(err.Error(), "the SLO shop/up exists twice") {
		t.Errorf("twins of two formats: %v", err)
	}
}

// What the reference shows to users is accepted without a warning.
func TestExamplesOfTheReference(t *testing.T) {
	text, err := os.ReadFile("../../docs/slo-file.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 3 {
		t.Fatalf("%d examples", len(blocks))
	}
	const indent = "\n    "
	for _, b := range blocks {
		doc := b[1]
		switch {
		case strings.HasPrefix(doc, "events:"):
			doc = "version: slowburn/v1\nservice: a\nslos:\n  - name: a\n    objective: 99\n    sli:\n      " + strings.ReplaceAll(doc, "\n", "\n      ")
		case strings.HasPrefix(doc, "alerts:"):
			doc = "version: slowburn/v1\nservice: a\nslos:\n  - name: a\n    objective: 99\n    sli: {uptime: up}" + indent + strings.ReplaceAll(doc, "\n", indent)
		}
		if said := told([]File{{"example.yaml", []byte(doc)}}); said != "good\n" {
			t.Errorf("%s\n%s", doc, said)
		}
	}
	for _, row := range regexp.MustCompile("`(sli|events|latency|uptime|slices|ratio)` \\| `(.*?)` \\|").FindAllStringSubmatch(string(text), -1) {
		doc := "version: slowburn/v1\nservice: a\nslos:\n  - name: a\n    objective: 99\n    sli:\n      " + row[1] + ": " + row[2] + "\n"
		if said := told([]File{{"row.yaml", []byte(doc)}}); said != "good\n" {
			t.Errorf("%s\n%s", doc, said)
		}
	}
}

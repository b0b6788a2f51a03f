package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/goldentest"
	"github.com/slowburn-sre/slowburn/internal/schema"
	"github.com/slowburn-sre/slowburn/internal/schematest"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// beyond is what a schema cannot say, by the words of the parser. Each class must occur in the test
// below.
var beyond = map[string]*regexp.Regexp{
	"PromQL":                   regexp.MustCompile(`^PromQL|^a PromQL comment|^the query|^the expression|^the selector|^the histogram must be|^unknown variable|^match cannot be|^le cannot be|@ fixes|offset counts|^a range of`),
	"lengths inside of texts":  regexp.MustCompile(`^a window (of|must)|^(short|long) \(|must be a whole number of minutes|^no_data must be at least`),
	"digits of a number":       regexp.MustCompile(`more than 7 digits`),
	"other SLOs":               regexp.MustCompile(`^there is no SLO|is a step of itself|so it is not one step|cannot depend on itself|^a journey cannot have by|^a weight has at most`),
	"the outer world":          regexp.MustCompile(`^timezone ".*" is not known`),
	"uniqueness by meaning":    regexp.MustCompile(`exists twice|is listed twice`),
	"the lint":                 regexp.MustCompile(`can never fire|is the same query as total|sums the label`),
	"spelling of a literal":    regexp.MustCompile(`"(0x\d+|\d+_\d+|\d+e\d+|\d+\.|False)" is not|must be a number, not|must be a list, not a truth value`),
	"finer rules of addresses": regexp.MustCompile(`is not a web address`),
}

// judge returns the answer of the parser. Its refusal is beyond a schema if every problem is; told
// are the classes.
func judge(text string) (accepted, expressible bool, told []string, words error) {
	_, err := file.Load([]file.File{{Name: "f.yaml", Data: []byte(text)}})
	problems, ok := errors.AsType[slo.Problems](err)
	if !ok {
		return true, false, nil, nil
	}
	for _, p := range problems {
		if p.Severity != strictyaml.Error {
			continue
		}
		i := slices.IndexFunc(classes(), func(c string) bool { return beyond[c].MatchString(p.Message) })
		if i < 0 {
			expressible = true
		} else {
			told = append(told, classes()[i])
		}
	}
	return false, expressible, told, problems
}

func classes() (out []string) {
	for c := range beyond {
		out = append(out, c)
	}
	slices.Sort(out)
	return out
}

// lives is how many random files are judged; `make lives` and CI ask for 10,000, which takes some
// seconds.
var lives = flag.Int("lives", 500, "random files that the schemas and the parsers judge")

// The schema accepts a file exactly if the parser does, for everything that a schema can say: on
// 10,000 files, of which most have one or two things changed.
func TestSchemaAndParserAgree(t *testing.T) {
	v := schematest.Compile(t, file.Schema().JSON())
	r := schematest.New(42)
	verdicts, seen, disagreements := map[string]int{}, map[string]int{}, 0
	for i := range *lives {
		tree := r.File()
		for range i % 4 {
			tree = tree.Clone()
			r.Mutate(tree)
		}
		text := tree.Text()
		complaint := v.Check(text)
		accepted, expressible, told, words := judge(text)
		switch {
		case complaint == nil && accepted:
			verdicts["both accept"]++
		case complaint != nil && !accepted:
			verdicts["both refuse"]++
		case complaint == nil && !expressible:
			verdicts["beyond a schema"]++
			for _, c := range told {
				seen[c]++
			}
		default:
			if disagreements++; disagreements > 20 {
				t.Fatal("and so on")
			}
			t.Errorf("file %d:\n%s\nthe schema says: %v\nthe parser says: %v", i, text, complaint, words)
		}
	}
	t.Log(verdicts, seen)
	if verdicts["both accept"] < *lives/5 || verdicts["both refuse"] < *lives/5 {
		t.Errorf("the files are too one-sided: %v", verdicts)
	}
	for c := range beyond {
		if seen[c] == 0 && *lives >= 10_000 {
			t.Errorf("no file was refused for %s alone; the exception may be taken out", c)
		}
	}
}

// What is published is what the program prints. UPDATE=1 go test writes it.
func TestPublishedSchemas(t *testing.T) {
	for name, s := range map[string]*schema.Schema{"slo.json": file.Schema(), "config.json": config.Schema(), "corrections.json": file.CorrectionsSchema()} {
		path := filepath.Join("../../docs/schema", name)
		goldentest.Check(t, path, s.JSON())
		schematest.Compile(t, s.JSON())
	}
	if !strings.HasPrefix(file.SchemaURL, schema.BaseURL) || file.Schema().ID != file.SchemaURL {
		t.Error("the modeline names another schema")
	}
}

// The examples inside of the schema are valid, and so are the defaults.
func TestExamplesAndDefaults(t *testing.T) {
	for name, root := range map[string]*schema.Schema{"slo": file.Schema(), "config": config.Schema(), "corrections": file.CorrectionsSchema()} {
		v := schematest.Compile(t, root.JSON())
		n := 0
		v.Each(func(path string, s map[string]any) {
			examples, _ := s["examples"].([]any)
			if d, ok := s["default"]; ok {
				examples = append(examples, d)
			}
			for _, e := range examples {
				n++
				if err := v.CheckAt(path, e); err != nil {
					t.Errorf("%s %s: %v: %v", name, path, e, err)
				}
			}
		})
		if n < 5 {
			t.Errorf("%s has %d examples", name, n)
		}
	}
}

// Everything a person can write has words.
func TestEveryKeyIsDescribed(t *testing.T) {
	v := schematest.Compile(t, file.Schema().JSON())
	v.Each(func(path string, s map[string]any) {
		properties, _ := s["properties"].(map[string]any)
		for key, p := range properties {
			p := p.(map[string]any)
			if name, isRef := p["$ref"].(string); isRef && p["description"] == nil {
				p = v.Ref(name)
			}
			if p["description"] == nil && !strings.Contains(path, "anyOf") {
				t.Errorf("%s/%s has no description", path, key)
			}
		}
	})
}

func TestShownExamplesAreValid(t *testing.T) {
	v := schematest.Compile(t, file.Schema().JSON())
	names, _ := filepath.Glob("../fake/shop/slos/*.yaml")
	more, _ := filepath.Glob("../../deploy/*/slos/*.yaml")
	shown, _ := filepath.Glob("../../examples/*/slos/*.yaml")
	more = append(more, shown...)
	if len(names) < 3 || len(more) < 1 {
		t.Fatal("there are no examples")
	}
	for _, name := range append(names, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Check(string(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	v = schematest.Compile(t, config.Schema().JSON())
	deployed, err := os.ReadFile("../../deploy/compose/slowburn.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documented, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(string(documented))[1]
	for _, text := range []string{string(deployed), example} {
		if err := v.Check(text); err != nil {
			t.Error(err)
		}
		if _, err := config.Parse("slowburn.yaml", []byte(text)); err != nil {
			t.Error(err)
		}
	}
}

func TestJSONIsStable(t *testing.T) {
	if a, b := file.Schema().JSON(), file.Schema().JSON(); !bytes.Equal(a, b) || !json.Valid(a) {
		t.Error("the schema changes from one time to the next")
	}
}

// The schema of corrections accepts and refuses what the parser does, for what a schema can say.
func TestCorrectionsAndParserAgree(t *testing.T) {
	v := schematest.Compile(t, file.CorrectionsSchema().JSON())
	const who = "name: a, kind: maintenance, slos: ['*'], author: x, reason: y, "
	for _, c := range []struct {
		entry string
		good  bool
	}{
		{who + "from: '2026-11-20 22:00', to: '2026-11-21'", true},
		{who + "from: '2026-11-20T22:00+01:00', to: '2026-11-20T23:00:00Z', cap: 2.5%, timezone: Europe/Berlin", true},
		{who + "from: '2026-11-20', schedule: 0 2 * * SUN, duration: 2h, expires: '2027-01-01'", true},
		{who + "from: '2026-11-20'", false},
		{who + "from: '2026-11-20', to: '2026-11-21', expires: '2027-01-01'", false},
		{who + "from: '2026-11-20', to: '2026-11-21', schedule: 0 2 * * SUN, duration: 2h, expires: '2027-01-01'", false},
		{who + "from: '2026-11-20', schedule: 0 2 * * SUN, expires: '2027-01-01'", false},
		{who + "from: '2026-11-20 22:00:30', to: '2026-11-21'", false},
		{who + "from: today, to: '2026-11-21'", false},
		{who + "from: '2026-11-20', to: '2026-11-21', cap: 101%", false},
		{who + "from: '2026-11-20', to: '2026-11-21', cap: 5", false},

		{"name: a b, kind: maintenance, slos: ['*'], author: x, reason: y, from: '2026-11-20', to: '2026-11-21'", false},
		{"name: a, kind: outage, slos: ['*'], author: x, reason: y, from: '2026-11-20', to: '2026-11-21'", false},
		{"name: a, kind: maintenance, slos: [], author: x, reason: y, from: '2026-11-20', to: '2026-11-21'", false},
		{"name: a, kind: maintenance, slos: [checkout], author: x, reason: y, from: '2026-11-20', to: '2026-11-21'", false},
		{"name: a, kind: maintenance, slos: [a/*], reason: y, from: '2026-11-20', to: '2026-11-21'", false},
	} {
		text := "version: slowburn/v1\ncorrections: [{" + c.entry + "}]\n"
		_, err := file.Load([]file.File{{Name: "c.yaml", Data: []byte(text)}})
		complaint := v.Check(text)
		if (err == nil) != c.good || (complaint == nil) != c.good {
			t.Errorf("%s\nthe schema says: %v\nthe parser says: %v", c.entry, complaint, err)
		}
	}
}

// keysOf finds the tables of keys in a document: <!-- keys: NAME -->, the table, <!-- end of keys
// -->.
var keysOf = regexp.MustCompile(`(?s)(<!-- keys: ([a-z_]+) -->\n).*?(<!-- end of keys -->)`)

// The tables of keys in the documentation are those that the readers have. UPDATE=1 go test writes
// them.
func TestDocumentedKeys(t *testing.T) {
	s, c := file.Schema(), config.Schema()
	tables := map[string]string{
		"service": s.Markdown(s, "links", "slack"),
		"slo":     s.Defs["slo"].Markdown(s),
		"sli":     s.Defs["sli"].Markdown(s),
		"alerts":  s.Defs["alerts"].Markdown(s, "pair"),
		"config":  sections(c),
	}
	for _, name := range []string{"slo-file.md", "configuration.md"} {
		path := filepath.Join("../../docs", name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		want := keysOf.ReplaceAllStringFunc(string(data), func(old string) string {
			m := keysOf.FindStringSubmatch(old)
			found = append(found, m[2])
			return m[1] + tables[m[2]] + m[3]
		})
		goldentest.Check(t, path, []byte(want))
		for _, name := range found {
			if tables[name] == "" {
				t.Errorf("%s: there are no keys called %q", path, name)
			}
			delete(tables, name)
		}
	}
	if len(tables) > 0 {
		t.Errorf("keys that are not documented: %v", tables)
	}
}

// sections returns the keys of the configuration, a table for each of the first level.
func sections(c *schema.Schema) string {
	var b strings.Builder
	for _, name := range c.Keys() {
		fmt.Fprintf(&b, "\n### `%s`\n\n%s", name, schema.Object("", schema.May(name, c.Properties[name])).Markdown(c))
	}
	return b.String() + "\n"
}

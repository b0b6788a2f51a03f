package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// someProblems are of every kind: with and without lint, place, column and hint, with what formats
// could stumble over.
var someProblems = slo.Problems{
	{File: "slos/a b,c:d%.yaml", Line: 7, Column: 21, Severity: strictyaml.Error, ID: "dead-alert", Message: "100% dead\n::error::no", Hint: "write <less>, or more"},
	{File: "/etc/slos/ä.yaml", Line: 3, Severity: strictyaml.Warning, ID: "no-data", Message: `"quoted" & <angled>`},
	{File: "gone.yaml", Severity: strictyaml.Error, Message: "no such file"},
	{Severity: strictyaml.Warning, Message: "of no file"},
	{File: "c:x.yaml", Line: 1, Column: 1, Severity: strictyaml.Warning, ID: "no-data", Message: "again"},
}

func written(t *testing.T, format string, o outcome) string {
	var b bytes.Buffer
	if err := (&checkCmd{Format: format}).write(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGitHubCommandsCannotBeBrokenOutOf(t *testing.T) {
	got := written(t, "github", outcome{problems: someProblems})
	want := `::error file=slos/a b%2Cc%3Ad%25.yaml,line=7,col=21,title=slowburn dead-alert::100%25 dead%0A::error::no%0Ahint: write <less>, or more
::warning file=/etc/slos/ä.yaml,line=3,title=slowburn no-data::"quoted" & <angled>
::error file=gone.yaml,title=slowburn invalid::no such file
::warning title=slowburn invalid::of no file
::warning file=c%3Ax.yaml,line=1,col=1,title=slowburn no-data::again
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := written(t, "github", outcome{slos: 2, services: 1}); got != "2 SLOs of 1 service: good\n" {
		t.Errorf("without problems: %q", got)
	}
}

func TestJSONOutcome(t *testing.T) {
	var out map[string]any
	if err := json.Unmarshal([]byte(written(t, "json", outcome{problems: someProblems})), &out); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(out["valid"], out["errors"], out["warnings"], len(out["problems"].([]any))) != "false 2 3 5" {
		t.Errorf("%v", out)
	}
	if got := written(t, "json", outcome{slos: 2, services: 1}); !strings.Contains(got, `"problems": []`) || !strings.Contains(got, `"valid": true`) {
		t.Errorf("without problems: %s", got)
	}
}

// The essentials of the SARIF 2.1.0 schema, checked by hand: what is required, of which type, and
// that indices lead somewhere.
func TestSARIFHasTheFormOfItsStandard(t *testing.T) {
	for name, problems := range map[string]slo.Problems{"many problems": someProblems, "none": nil} {
		t.Run(name, func(t *testing.T) {
			var doc any
			d := json.NewDecoder(strings.NewReader(written(t, "sarif", outcome{problems: problems})))
			if err := d.Decode(&doc); err != nil {
				t.Fatal(err)
			}
			s := sarifReader{t}
			log := s.object(doc, "version", "$schema", "runs")
			if s.text(log["version"]) != "2.1.0" {
				t.Errorf("version %v", log["version"])
			}
			s.uri(log["$schema"])
			runs := s.list(log["runs"])
			if len(runs) != 1 {
				t.Fatalf("%d runs", len(runs))
			}
			run := s.object(runs[0], "tool", "results", "columnKind")
			driver := s.object(s.object(run["tool"], "driver")["driver"], "name", "version", "informationUri", "rules")
			s.text(driver["name"])
			s.uri(driver["informationUri"])
			rules := s.list(driver["rules"])
			if kind := s.text(run["columnKind"]); kind != "unicodeCodePoints" && kind != "utf16CodeUnits" {
				t.Errorf("columnKind %q", kind)
			}
			results := s.list(run["results"])
			if len(results) != len(problems) {
				t.Errorf("%d results of %d problems", len(results), len(problems))
			}
			s.rules(rules)
			for _, r := range results {
				s.result(r, rules)
			}
		})
	}
}

// sarifReader takes a document apart and complains about what should not be as it is.
type sarifReader struct{ t *testing.T }

// object is a map with no other keys than these.
func (s sarifReader) object(v any, keys ...string) map[string]any {
	m, ok := v.(map[string]any)
	if !ok {
		s.t.Fatalf("%v is no object", v)
	}
	for key := range m {
		if !strings.Contains(" "+strings.Join(keys, " ")+" ", " "+key+" ") {
			s.t.Errorf("unknown key %q", key)
		}
	}
	return m
}

func (s sarifReader) list(v any) []any {
	l, ok := v.([]any)
	if !ok {
		s.t.Fatalf("%v is no list", v)
	}
	return l
}

func (s sarifReader) text(v any) string {
	text, ok := v.(string)
	if !ok {
		s.t.Fatalf("%v is no text", v)
	}
	return text
}

func (s sarifReader) uri(v any) {
	if u, err := url.Parse(s.text(v)); err != nil || u.Scheme != "https" {
		s.t.Errorf("%v is no address: %v", v, err)
	}
}

func (s sarifReader) rules(rules []any) {
	seen := map[string]bool{}
	for _, r := range rules {
		rule := s.object(r, "id", "shortDescription", "help", "helpUri")
		id := s.text(rule["id"])
		if seen[id] || id == "" {
			s.t.Errorf("the rule %q is there twice, or has no name", id)
		}
		seen[id] = true
		s.text(s.object(rule["shortDescription"], "text")["text"])
		s.text(s.object(rule["help"], "text")["text"])
		s.uri(rule["helpUri"])
	}
}

func (s sarifReader) result(v any, rules []any) {
	r := s.object(v, "ruleId", "ruleIndex", "level", "message", "locations")
	index := int(r["ruleIndex"].(float64))
	if index < 0 || index >= len(rules) || rules[index].(map[string]any)["id"] != r["ruleId"] {
		s.t.Errorf("the rule %v is not number %d", r["ruleId"], index)
	}
	if level := s.text(r["level"]); level != "error" && level != "warning" {
		s.t.Errorf("level %q", level)
	}
	s.text(s.object(r["message"], "text")["text"])
	for _, l := range s.list(r["locations"]) {
		place := s.object(s.object(l, "physicalLocation")["physicalLocation"], "artifactLocation", "region")
		uri := s.text(s.object(place["artifactLocation"], "uri")["uri"])
		if u, err := url.Parse(uri); err != nil || u.Scheme != "" && u.Scheme != "file" || strings.ContainsAny(uri, " <>\"%") && u.Path == uri {
			s.t.Errorf("%q is no reference to a file: %v", uri, err)
		}
		if place["region"] == nil {
			continue
		}
		region := s.object(place["region"], "startLine", "startColumn")
		for _, key := range []string{"startLine", "startColumn"} {
			if n, given := region[key]; given && n.(float64) < 1 || key == "startLine" && !given {
				s.t.Errorf("%s is %v", key, n)
			}
		}
	}
}

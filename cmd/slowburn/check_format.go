package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/common/version"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// outcome is what check found. With an error among the problems nothing was loaded, and the counts
// are 0.
type outcome struct {
	slos, services int
	problems       slo.Problems
}

// write tells the outcome in the format that was asked for.
func (c *checkCmd) write(w io.Writer, o outcome) error {
	switch c.Format {
	case "github":
		return o.github(w)
	case "json":
		return o.json(w)
	case "sarif":
		return o.sarif(w)
	}
	for _, p := range o.problems {
		fmt.Fprintln(w, p.Error())
	}
	return o.summary(w)
}

// summary returns the last line for people; there is none if nothing could be loaded.
func (o outcome) summary(w io.Writer) (err error) {
	verdict := fmt.Sprintf("%d warnings", len(o.problems))
	switch len(o.problems) {
	case 0:
		verdict = "good"
	case 1:
		verdict = "one warning"
	}
	if !o.problems.Fatal() {
		_, err = fmt.Fprintf(w, "%s of %s: %s\n", figures.Plural(o.slos, "SLO"), figures.Plural(o.services, "service"), verdict)
	}
	return err
}

// count returns how many problems have that severity.
func (o outcome) count(s strictyaml.Severity) (n int) {
	for _, p := range o.problems {
		if p.Severity == s {
			n++
		}
	}
	return n
}

// In a workflow command, what would end a value is written as its code.
var (
	commandText     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	commandProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// github writes workflow commands, which GitHub shows at the lines of a pull request. Source:
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
func (o outcome) github(w io.Writer) error {
	for _, p := range o.problems {
		var at []string
		if p.File != "" {
			at = append(at, "file="+commandProperty.Replace(filepath.ToSlash(p.File)))
		}
		if p.Line > 0 {
			at = append(at, fmt.Sprintf("line=%d", p.Line))
		}
		if p.Column > 0 {
			at = append(at, fmt.Sprintf("col=%d", p.Column))
		}
		at = append(at, "title="+commandProperty.Replace("slowburn "+lintID(p)))
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", p.Severity, strings.Join(at, ","), commandText.Replace(sentence(p))); err != nil {
			return err
		}
	}
	return o.summary(w)
}

// sentence returns the message with its hint.
func sentence(p slo.Problem) string {
	if p.Hint == "" {
		return p.Message
	}
	return p.Message + "\nhint: " + p.Hint
}

// lintID names a problem's lint; a file that cannot be read as it is is no lint's.
func lintID(p slo.Problem) string { return cmp.Or(p.ID, "invalid") }

// json writes one object.
func (o outcome) json(w io.Writer) error {
	out := api.Check{
		Valid: !o.problems.Fatal(), SLOs: o.slos, Services: o.services,
		Errors: o.count(strictyaml.Error), Warnings: o.count(strictyaml.Warning), Problems: []api.Problem{},
	}
	for _, p := range o.problems {
		out.Problems = append(out.Problems, api.Problem(p))
	}
	return writeIndented(w, out)
}

// writeIndented writes JSON whose texts stay readable: nothing of it is put into a web page.
func writeIndented(w io.Writer, v any) error {
	e := indented(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// object is one object of a SARIF file.
type object = map[string]any

// The addresses that a SARIF file names.
const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	projectURL  = "https://github.com/slowburn-sre/slowburn"
	checkDocs   = projectURL + "/blob/main/docs/check.md#"
)

// sarif writes the Static Analysis Results Interchange Format 2.1.0, which code scanning of GitHub,
// GitLab and editors read. Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/
func (o outcome) sarif(w io.Writer) error {
	rules, index := o.sarifRules()
	results := []object{}
	for _, p := range o.problems {
		results = append(results, object{
			"ruleId": lintID(p), "ruleIndex": index[lintID(p)], "level": string(p.Severity),
			"message": object{"text": sentence(p)}, "locations": sarifPlace(p),
		})
	}
	return writeIndented(w, object{
		"version": "2.1.0", "$schema": sarifSchema,
		"runs": []object{{
			"tool":       object{"driver": object{"name": "slowburn", "version": version.Version, "informationUri": projectURL, "rules": rules}},
			"columnKind": "unicodeCodePoints",
			"results":    results,
		}},
	})
}

// sarifRules describes the lints that found something, and where each is in the list.
func (o outcome) sarifRules() (rules []object, index map[string]int) {
	rules, index = []object{}, map[string]int{}
	for _, p := range o.problems {
		id := lintID(p)
		if _, ok := index[id]; ok {
			continue
		}
		index[id] = len(rules)
		short := "A file cannot be read as it is."
		if l := lint.Named(id); l != nil {
			short = l.Short
		}
		rules = append(rules, object{
			"id": id, "shortDescription": object{"text": short}, "helpUri": checkDocs + id,
			"help": object{"text": short + " See " + checkDocs + id},
		})
	}
	return rules, index
}

// sarifPlace returns where a problem is; what belongs to no file has no place.
func sarifPlace(p slo.Problem) []object {
	if p.File == "" {
		return []object{}
	}
	where := object{"artifactLocation": object{"uri": fileURI(p.File)}}
	if p.Line > 0 {
		region := object{"startLine": p.Line}
		if p.Column > 0 {
			region["startColumn"] = p.Column
		}
		where["region"] = region
	}
	return []object{{"physicalLocation": where}}
}

// fileURI returns a path as a URI reference: relative to where the program runs, or with file: if
// it is absolute.
func fileURI(name string) string {
	parts := strings.Split(filepath.ToSlash(name), "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	uri := strings.Join(parts, "/")
	switch {
	case filepath.IsAbs(name):
		return "file://" + uri
	case slices.Contains(parts[:1], "") || strings.Contains(parts[0], ":"): // would be taken for a scheme
		return "./" + uri
	}
	return uri
}

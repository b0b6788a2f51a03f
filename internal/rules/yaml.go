package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The file as Prometheus reads it.
type (
	fileYAML struct {
		Groups []groupYAML `yaml:"groups" json:"groups"`
	}
	groupYAML struct {
		Name     string     `yaml:"name" json:"name"`
		Interval string     `yaml:"interval,omitempty" json:"interval,omitempty"`
		Rules    []ruleYAML `yaml:"rules" json:"rules"`
		Notes    []string   `yaml:"-" json:"notes,omitempty"`
	}
	ruleYAML struct {
		Record      string            `yaml:"record,omitempty" json:"record,omitempty"`
		Alert       string            `yaml:"alert,omitempty" json:"alert,omitempty"`
		Expr        string            `yaml:"expr" json:"expr"`
		For         string            `yaml:"for,omitempty" json:"for,omitempty"`
		Labels      map[string]string `yaml:"labels,omitempty" json:"labels,omitempty"`
		Annotations map[string]string `yaml:"annotations,omitempty" json:"annotations,omitempty"`
	}
)

// YAML writes groups as a rule file for Prometheus. The same groups give the same bytes. Notes
// become comments at the top.
func YAML(groups []Group) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("# Written by `slowburn rules`. Do not edit: change the SLO and write it again.\n")
	for _, line := range remarks(groups) {
		fmt.Fprintf(&out, "# %s\n", line)
	}
	file := fileYAML{Groups: []groupYAML{}}
	for _, g := range groups {
		file.Groups = append(file.Groups, g.yaml())
	}
	text, err := yaml.Dump(file, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("writing rules: %w", err)
	}
	out.Write(text)
	return out.Bytes(), nil
}

// remarks returns the notes of all groups, each said once, with the groups that it is about.
func remarks(groups []Group) []string {
	var notes []string
	about := map[string][]string{}
	for _, g := range groups {
		for _, n := range g.Notes {
			if about[n] == nil {
				notes = append(notes, n)
			}
			about[n] = append(about[n], g.Name)
		}
	}
	for i, n := range notes {
		line := strings.ReplaceAll(n, "\n", " ")
		if len(about[n]) < len(groups) {
			line = strings.Join(about[n], ", ") + ": " + line
		}
		notes[i] = line
	}
	return notes
}

func (g Group) yaml() groupYAML {
	y := groupYAML{Name: g.Name}
	if g.Interval > 0 {
		y.Interval = short(g.Interval)
	}
	for _, r := range g.Rules {
		line := ruleYAML{Record: r.Record, Alert: r.Alert, Expr: r.Expr, Labels: r.Labels, Annotations: r.Annotations}
		if r.For > 0 {
			line.For = short(r.For)
		}
		y.Rules = append(y.Rules, line)
	}
	return y
}

// MarshalJSON writes the group under the keys of a rule file, and its notes.
func (g Group) MarshalJSON() ([]byte, error) {
	y := g.yaml()
	y.Notes = g.Notes
	return json.Marshal(y)
}

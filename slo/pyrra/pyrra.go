// Package pyrra reads the ServiceLevelObjective objects of Pyrra (pyrra.dev/v1alpha1) as they are,
// whether they lie in a folder or were copied out of a cluster.
//
// Pyrra's indicators are bare selectors, which is what the ledger likes best. Its four alerts burn
// at 14, 7, 2 and 1 times the budget over windows that are fractions of the SLO's; here they are
// pairs with the share of the budget that they stand for. What Pyrra accepts although it cannot
// mean what it says (a target of 100, two indicators, windows of zero seconds) is refused or mended
// with a word. See docs/formats.md for the whole account.
//
// Reading order: [Reader], object.read, indicator.go, alerting.go.
package pyrra

import (
	"regexp"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

const (
	version = "pyrra.dev/v1alpha1"
	kind    = "ServiceLevelObjective"
	prefix  = "pyrra.dev/" // of the labels and annotations that are Pyrra's own
)

// Reader reads Pyrra's documents for [file.Load].
func Reader() file.Reader {
	return file.Reader{
		Recognises: func(version, _ string) bool { return strings.HasPrefix(version, prefix) },
		Read: func(documents []strictyaml.Value) (out []*slo.Spec) {
			for _, d := range documents {
				if s, ok := read(d); ok {
					out = append(out, s)
				}
			}
			return out
		},
	}
}

func read(d strictyaml.Value) (*slo.Spec, bool) {
	if d.Peek("apiVersion") != version || d.Peek("kind") != kind {
		d.Problem("this kind of Pyrra document is not known", "apiVersion: "+version+" with kind: "+kind)
		return nil, false
	}
	doc, _ := d.Object("apiVersion", "kind", "metadata", "spec", "status")
	s := &slo.Spec{File: d.File(), Line: d.Place().Line}
	named := names(foreign.Metadata(doc), s)
	spec, ok := doc.Need("spec", "write spec: with target, window and indicator").Object("description", "target", "window",
		"indicator", "alerting", "partial_response_strategy", "performanceOverAccuracy", "ruleOutput")
	if !ok {
		return nil, false
	}
	s.Description, _ = spec.Get("description").Literal("text")
	var promised, lasting bool
	s.Objective, promised = target(spec.Need("target", `write target: "99.9"`))
	s.Windows, lasting = window(spec.Need("window", "write window: 4w"))
	m, measured := indicator(spec.Need("indicator", "write ratio, latency, latencyNative or bool_gauge"))
	s.SLI, s.By = m.Indicator, m.By
	s.Place("name", doc.Get("metadata").Child("name"))
	s.Place("objective", spec.Get("target"))
	s.Place("window.0", spec.Get("window"))
	s.Place("alerts", spec.Get("alerting"))
	alerting := readAlerting(spec.Get("alerting"))
	good := operation(spec)
	if !named || !promised || !lasting || !measured || !good {
		return nil, false
	}
	s.Alerts = alerting.alerts(s, spec.Get("window"))
	return s, true
}

var goodName = regexp.MustCompile(slo.NameForm)

// names takes the name from the object, and the service from the label pyrra.dev/service or else
// from the namespace: Pyrra itself knows no services.
func names(meta strictyaml.Object, s *slo.Spec) bool {
	var good bool
	s.Name, good = foreign.Name(meta.Need("name", "write metadata: {name: …}"), goodName, slo.NameRule)
	at := meta.Get("labels").Child(prefix + "service")
	if !at.Given() {
		at = meta.Get("namespace")
	}
	s.Service = "default"
	if at.Given() {
		var ok bool
		s.Service, ok = foreign.Name(at, goodName, slo.NameRule)
		good = good && ok
	} else {
		meta.Lint("not-carried-over", "there is no namespace, so the service is called default", "name the service by the label "+prefix+"service, or give a namespace")
	}
	foreign.Describe(s, meta.Get("labels"), prefix, "service")
	foreign.Describe(s, meta.Get("annotations"), prefix)
	return good
}

// target reads a percentage, which in Pyrra is text.
func target(v strictyaml.Value) (slo.Objective, bool) {
	text, ok := v.Text()
	if !ok {
		return slo.Objective{}, false
	}
	return foreign.Objective(v, text)
}

func window(v strictyaml.Value) ([]slo.Window, bool) {
	d, ok := v.Duration()
	if !ok {
		return nil, false
	}
	w, ok := file.Rolling(v, d, "write for example 4w")
	return []slo.Window{w}, ok
}

// operation reads what tells Pyrra how to ask Prometheus and where to put its rules.
func operation(spec strictyaml.Object) (good bool) {
	strategy, good := "", true
	if v := spec.Get("partial_response_strategy"); v.Given() {
		if strategy, good = v.OneOf("abort", "warn"); strategy == "warn" {
			foreign.Lost(v, "an answer that lacks a part of the data is never counted here")
		}
	}
	foreign.Lost(spec.Get("performanceOverAccuracy"), "the ledger is exact and reads only what is new")
	foreign.Lost(spec.Get("ruleOutput"), "there are no rules to put anywhere")
	return good
}

// Package sloth reads the SLOs of Sloth as they are: the files of `prometheus/v1`, the Kubernetes
// objects PrometheusServiceLevel, and its catalogues of alert windows.
//
// Sloth promises over one period per process, 30 days unless told otherwise ([Options]), and alerts
// by the same table of the workbook as slowburn does, so an SLO means here what it means there,
// with one improvement that needs nothing of the file: events are counted, where Sloth averages the
// ratios of five minutes. What Sloth accepts although it cannot mean what it says (unknown keys, an
// objective of 100) is refused. See docs/formats.md for the whole account.
//
// Reading order: [Reader], then document.read (both spellings of the format are one tree with other
// keys), indicator, alerting; catalogue.go for the windows.
package sloth

import (
	"cmp"
	"regexp"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

// DefaultPeriod is the window of every SLO of a Sloth that was started without options.
const DefaultPeriod = 30 * slo.Day

// Options are what Sloth takes from its command line rather than from its files.
type Options struct {
	Period time.Duration // its --default-slo-period; 0 is [DefaultPeriod]
}

const (
	fileVersion   = "prometheus/v1"
	objectVersion = "sloth.slok.dev/v1"
	objectKind    = "PrometheusServiceLevel"
	catalogueKind = "AlertWindows"
)

// Reader reads Sloth's documents for [file.Load].
func Reader(o Options) file.Reader {
	if o.Period == 0 {
		o.Period = DefaultPeriod
	}
	return file.Reader{
		Recognises: func(version, _ string) bool {
			return version == fileVersion || strings.HasPrefix(version, "sloth.slok.dev/")
		},
		Read: func(documents []strictyaml.Value) []*slo.Spec { return read(documents, o) },
	}
}

// read reads the catalogues first, since they are about all SLOs.
func read(documents []strictyaml.Value, o Options) (out []*slo.Spec) {
	r := reader{window: slo.Window{Rolling: o.Period}}
	for _, d := range documents {
		if d.Peek("kind") == catalogueKind {
			r.catalogue(d)
		}
	}
	for _, d := range documents {
		switch {
		case d.Peek("kind") == catalogueKind:
		case d.Peek("version") == fileVersion && !d.Has("apiVersion"):
			root, _ := d.Object("version", "service", "labels", "slo_plugins", "interval", "slos")
			out = append(out, document{&r, false, root}.read()...)
		case d.Peek("apiVersion") == objectVersion && d.Peek("kind") == objectKind:
			root, _ := d.Object("apiVersion", "kind", "metadata", "spec", "status")
			foreign.Metadata(root)
			spec, _ := root.Need("spec", "write spec: with service and slos").Object("service", "labels", "sloPlugins", "slos")
			out = append(out, document{&r, true, spec}.read()...)
		default:
			d.Problem("this kind of Sloth document is not known", "version: "+fileVersion+", or apiVersion: "+objectVersion+" with kind: "+objectKind+" or "+catalogueKind)
		}
	}
	return out
}

// reader is what all documents share.
type reader struct {
	window slo.Window
	tiers  *tiers // of the catalogue for this window, if one was given
}

// document is one document in one of the two spellings.
type document struct {
	*reader
	camel bool // keys as in the Kubernetes object: pageAlert for page_alert
	spec  strictyaml.Object
}

// key returns how this document spells a key of several words.
func (d document) key(snake string) string {
	if !d.camel {
		return snake
	}
	words := strings.Split(snake, "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// maxSLOs bounds the SLOs of a document.
const maxSLOs = 5000

func (d document) read() (out []*slo.Spec) {
	service, ok := name(d.spec.Need("service", "write service: name"))
	common := &slo.Spec{}
	foreign.Describe(common, d.spec.Get("labels"), "")
	d.plugins(d.spec.Get(d.key("slo_plugins")))
	foreign.Lost(d.spec.Get("interval"), noRules)
	list, listed := d.spec.Need("slos", "write SLOs").List(maxSLOs)
	if listed && len(list) == 0 {
		d.spec.Get("slos").Problem("slos is empty", "write SLOs")
	}
	for _, v := range list {
		s, good := d.slo(v)
		if !good || !ok {
			continue
		}
		s.Service = service
		s.Owner = cmp.Or(s.Owner, common.Owner)
		s.Links.Runbook = cmp.Or(s.Links.Runbook, common.Links.Runbook)
		s.Links.Dashboard = cmp.Or(s.Links.Dashboard, common.Links.Dashboard)
		out = append(out, s)
	}
	return out
}

// goodName is Sloth's own rule, which is stricter than ours.
var goodName = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]$`)

func name(v strictyaml.Value) (string, bool) {
	return foreign.Name(v, goodName, "Sloth's names have at least two characters, both ends of which are letters or digits, and between them hyphens, points and underscores, too")
}

const noRules = "it is about the rules that Sloth generates, and there are none here"

// plugins warns about code that only Sloth can run. A chain that is emptied makes Sloth generate
// nothing.
func (d document) plugins(v strictyaml.Value) {
	o, ok := v.Object("overridePrevious", "chain")
	if !ok {
		return
	}
	chain, _ := o.Get("chain").List(maxSLOs)
	override, _ := o.Get("overridePrevious").Bool()
	if override && len(chain) == 0 {
		v.Problem("overridePrevious without a chain leaves Sloth nothing to do", "remove it, or list the plugins")
		return
	}
	foreign.Lost(v, noRules)
}

// slo reads one entry of slos; not good if something it needs is missing or wrong.
func (d document) slo(v strictyaml.Value) (s *slo.Spec, good bool) {
	o, ok := v.Object("name", "description", "objective", "labels", "sli", "alerting", "plugins", "interval")
	if !ok {
		return nil, false
	}
	s = &slo.Spec{Windows: []slo.Window{d.window}, File: v.File(), Line: v.Place().Line}
	var named, promised bool
	s.Name, named = name(o.Need("name", "write name: requests-availability"))
	s.Description, _ = o.Get("description").Literal("text")
	s.Objective, promised = objective(o.Need("objective", "write objective: 99.9"))
	for _, part := range []string{"name", "objective"} {
		s.Place(part, o.Get(part))
	}
	s.Place("alerts", o.Get("alerting"))
	m, measured := d.indicator(o.Need("sli", "write events or raw"))
	s.SLI, s.By = m.Indicator, m.By
	d.plugins(o.Get("plugins"))
	foreign.Lost(o.Get("interval"), noRules)
	foreign.Describe(s, o.Get("labels"), "")
	alerting := d.alerting(o.Need("alerting", "write alerting: {name: …}, or disable both alerts"), s)
	return s, named && promised && measured && alerting
}

// objective reads a percentage, which in Sloth is a number and not a text.
func objective(v strictyaml.Value) (slo.Objective, bool) {
	percent, ok := v.Literal("a percentage such as 99.9")
	if !ok {
		return slo.Objective{}, false
	}
	if v.Node().ShortTag() == "!!str" {
		v.Problem("objective must be a number, but in quotes it is text", "remove the quotes")
		return slo.Objective{}, false
	}
	return foreign.Objective(v, percent)
}

// indicator reads sli: exactly one of events, raw and plugin.
func (d document) indicator(v strictyaml.Value) (foreign.Measured, bool) {
	o, ok := v.Object("events", "raw", "plugin")
	if !ok {
		return foreign.Measured{}, false
	}
	events, raw, plugin := o.Get("events"), o.Get("raw"), o.Get("plugin")
	given := 0
	for _, part := range []strictyaml.Value{events, raw, plugin} {
		if part.Given() {
			given++
		}
	}
	switch {
	case given == 0:
		v.Problem("sli is empty", "write events or raw")
	case given > 1:
		v.Problem("sli has more than one of events, raw and plugin", "keep one of them")
	case plugin.Given():
		plugin.Problem("plugin cannot be carried over: it is Go code that Sloth runs to make a query", "write the query that it makes under raw")
	case raw.Given():
		e, _ := raw.Object(d.key("error_ratio_query"))
		if q, ok := foreign.Parse(e.Need(d.key("error_ratio_query"), "write the ratio of bad events to all"), foreign.Template); ok {
			return foreign.Ratio(q, foreign.Bad)
		}
	default:
		return d.events(events)
	}
	return foreign.Measured{}, false
}

func (d document) events(v strictyaml.Value) (foreign.Measured, bool) {
	o, _ := v.Object(d.key("error_query"), d.key("total_query"))
	bad, ok1 := foreign.Parse(o.Need(d.key("error_query"), "write the rate of bad events"), foreign.Template)
	total, ok2 := foreign.Parse(o.Need(d.key("total_query"), "write the rate of all events"), foreign.Template)
	if !ok1 || !ok2 {
		return foreign.Measured{}, false
	}
	return foreign.Events(total, bad, foreign.Bad)
}

// alerting reads the one alerting block.
func (d document) alerting(v strictyaml.Value, s *slo.Spec) bool {
	o, ok := v.Object("name", "labels", "annotations", d.key("page_alert"), d.key("ticket_alert"))
	if !ok {
		return false
	}
	foreign.Describe(s, o.Get("labels"), "")
	foreign.Describe(s, o.Get("annotations"), "")
	page := enabled(o.Get(d.key("page_alert")), s)
	ticket := enabled(o.Get(d.key("ticket_alert")), s)
	if name, _ := o.Get("name").Literal("text"); name == "" && (page || ticket) {
		v.Problem("alerting has no name", "write name: as Sloth needs it, or disable both alerts")
		return false
	}
	if s.Objective.Allowed() > 0 {
		s.Alerts = d.alerts(v, s, page, ticket)
	}
	return true
}

// enabled reads page_alert or ticket_alert, which are on unless disabled.
func enabled(v strictyaml.Value, s *slo.Spec) bool {
	o, _ := v.Object("disable", "labels", "annotations")
	foreign.Describe(s, o.Get("labels"), "")
	foreign.Describe(s, o.Get("annotations"), "")
	disabled, _ := o.Get("disable").Bool()
	return !disabled
}

// alerts returns the pairs of the catalogue, or the workbook's. Whoever disabled both wants to hear
// nothing.
func (d document) alerts(at strictyaml.Value, s *slo.Spec, page, ticket bool) slo.Alerts {
	if !page && !ticket {
		return slo.Alerts{Significance: true}
	}
	pages, tickets := foreign.Workbook(s.Window())
	if d.tiers != nil {
		pages, tickets = d.tiers.page, d.tiers.ticket
	}
	if !page {
		pages = nil
	}
	if !ticket {
		tickets = nil
	}
	return foreign.Alerts(at, s, pages, tickets)
}

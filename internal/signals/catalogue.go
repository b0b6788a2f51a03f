package signals

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

//go:embed catalogue.yaml
var builtIn []byte

// Role says what a source can be asked.
type Role string

// The roles.
const (
	ServiceRole  Role = "service"  // counts the events of users, so SLOs can be made of it
	ExporterRole Role = "exporter" // stands beside a system and knows how it is
	RuntimeRole  Role = "runtime"  // knows how full a process is, whatever the process does
)

// Entry is one source of metrics. What its fields mean is written above catalogue.yaml.
type Entry struct {
	Name   string
	Title  string
	Source string // address of its documentation
	Role   Role
	Traps  []string // what to know before believing the numbers; sentences

	Counts    string     // http, rpc or jobs; "" of what is no service
	Attach    string     // a label whose value is the name of the service elsewhere
	Traffic   [][]string // alternatives, each a sum of counters
	Uptime    string     // a gauge that is 1 or 0
	Freshness []string   // ages, in seconds
	Routes    []string   // labels that tell request types apart
	Quiet     bool       // its errors make tickets only
	Silent    bool       // no SLO is made of it

	group      [][]string // alternatives per label
	only       [][]*labels.Matcher
	exclude    []*labels.Matcher
	errors     [][]*labels.Matcher // conditions, each with its alternatives
	failures   []string
	latency    latencySource
	saturation []saturationSource
}

// latencySource is where an entry has its latency: a histogram or a query.
type latencySource struct {
	histograms []string
	exclude    []*labels.Matcher
	unit       float64 // of the buckets, in seconds; 0 if the name tells
	name       string
	query      *template
}

type saturationSource struct {
	name  string
	query template
	limit float64 // 0 if there is none
}

// Catalogue is an ordered list of sources. Earlier ones are preferred.
type Catalogue []*Entry

// Lookup returns the entry of that name, or nil.
func (c Catalogue) Lookup(name string) *Entry {
	if i := slices.IndexFunc(c, func(e *Entry) bool { return e.Name == name }); i >= 0 {
		return c[i]
	}
	return nil
}

// Names returns the names of all entries, in order.
func (c Catalogue) Names() []string {
	names := make([]string, len(c))
	for i, e := range c {
		names[i] = e.Name
	}
	return names
}

// With returns the catalogue with a house's additions. An addition of the name of an entry replaces
// it.
func (c Catalogue) With(house Catalogue) Catalogue {
	out := slices.Clone(c)
	for _, e := range house {
		if i := slices.IndexFunc(out, func(o *Entry) bool { return o.Name == e.Name }); i >= 0 {
			out[i] = e
		} else {
			out = append(out, e)
		}
	}
	return out
}

// Default returns the built-in catalogue.
func Default() Catalogue { return slices.Clone(defaultCatalogue()) }

var defaultCatalogue = sync.OnceValue(func() Catalogue {
	c, err := Parse("catalogue.yaml", builtIn)
	if err != nil {
		panic(err) // the file is part of the binary, and a test reads it
	}
	return c
})

// maxEntries is how many entries, and how many items of any list in them, are read.
const maxEntries = 200

// Parse reads a catalogue in the form of the built-in one. Its error is of the type
// [strictyaml.Problems] and holds everything that is wrong.
func Parse(name string, data []byte) (Catalogue, error) {
	file := strictyaml.Parse(name, data, strictyaml.Options{})
	var c Catalogue
	for _, doc := range file.Documents {
		c = append(c, Read(doc)...)
	}
	if err := file.Problems().Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Read reads a catalogue out of a list in a larger file, such as the configuration. What is wrong
// is recorded on the values.
func Read(v strictyaml.Value) (c Catalogue) {
	list, _ := v.List(maxEntries)
	for _, item := range list {
		e := readEntry(item)
		if c.Lookup(e.Name) != nil {
			item.Child("name").Problem("the source "+e.Name+" is written twice", "remove one of them")
		}
		c = append(c, e)
	}
	return c
}

func readEntry(v strictyaml.Value) *Entry {
	o, _ := v.Object(entryKeys.Keys()...)
	e := &Entry{Role: ServiceRole}
	e.Name, _ = o.Need("name", "write what signals.from calls it").Text()
	e.Title, _ = o.Get("title").Text()
	e.Source, _ = o.Get("source").Text()
	if role, ok := o.Get("role").OneOf(entryKeys.Choices("role")...); ok {
		e.Role = Role(role)
	}
	e.Counts, _ = o.Get("counts").OneOf(entryKeys.Choices("counts")...)
	for _, g := range o.Need("group", "write the labels that tell services apart: group: [job]").Texts(maxEntries) {
		e.group = append(e.group, strings.Split(g, "|"))
	}
	for _, t := range o.Get("traffic").Texts(maxEntries) {
		e.Traffic = append(e.Traffic, strings.Split(t, " + "))
	}
	e.Attach, _ = o.Get("attach").Text()
	e.only, e.errors = readAlternatives(o.Get("only")), readAlternatives(o.Get("errors"))
	e.exclude = readMatchers(o.Get("exclude"))
	e.failures = o.Get("failures").Texts(maxEntries)
	e.Freshness = o.Get("freshness").Texts(maxEntries)
	e.Routes = o.Get("routes").Texts(maxEntries)
	e.Traps = o.Get("traps").Texts(maxEntries)
	e.Uptime, _ = o.Get("uptime").Text()
	e.latency = readLatency(o.Get("latency"))
	e.saturation = readSaturation(o.Get("saturation"))
	e.Quiet, e.Silent = off(o.Get("pages")), off(o.Get("slos"))
	return e
}

func readLatency(v strictyaml.Value) (l latencySource) {
	if !v.Given() {
		return l
	}
	o, _ := v.Object(latencyKeys.Keys()...)
	l.histograms = o.Get("histograms").Texts(maxEntries)
	l.exclude = readMatchers(o.Get("exclude"))
	l.name, _ = o.Get("name").Text()
	if unit, ok := o.Get("unit").OneOf(latencyKeys.Choices("unit")...); ok {
		l.unit = map[string]float64{"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit]
	}
	if q := o.Get("query"); q.Given() {
		t := readTemplate(q)
		l.query = &t
	}
	return l
}

func readSaturation(v strictyaml.Value) (out []saturationSource) {
	list, _ := v.List(maxEntries)
	for _, item := range list {
		o, _ := item.Object(saturationKeys.Keys()...)
		var s saturationSource
		s.name, _ = o.Need("name", "write what gets full").Text()
		s.query = readTemplate(o.Need("query", "write the PromQL of the measure"))
		if limit := o.Get("limit"); limit.Given() {
			if f, ok := limit.Number(); ok && f <= 0 {
				limit.Problem("limit must be a number above zero", "write the value at which it is full, such as 0.9")
			} else {
				s.limit = f
			}
		}
		out = append(out, s)
	}
	return out
}

func readTemplate(v strictyaml.Value) template {
	text, ok := v.Text()
	if !ok {
		return template{}
	}
	t, err := parseTemplate(text)
	if err != nil {
		v.Problem(err.Error(), "")
	}
	return t
}

// readAlternatives reads lists of matchers.
func readAlternatives(v strictyaml.Value) (out [][]*labels.Matcher) {
	list, _ := v.List(maxEntries)
	for _, item := range list {
		out = append(out, readMatchers(item))
	}
	return out
}

// readMatchers reads matchers, each written like code=~"5..", or in braces.
func readMatchers(v strictyaml.Value) (out []*labels.Matcher) {
	list, _ := v.List(maxEntries)
	for _, item := range list {
		text, ok := item.Text()
		if !ok {
			continue
		}
		// The parser wants one matcher that matches something, which `uri!~"x"` alone is not.
		inner := strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
		set, err := promQL.ParseMetricSelector(`{__name__="x",` + inner + `}`)
		if err == nil {
			set = slices.DeleteFunc(set, func(m *labels.Matcher) bool { return m.Name == model.MetricNameLabel })
		}
		if err != nil || len(set) != 1 {
			item.Problem("this is not one matcher", `write for example code=~"5.."`)
			continue
		}
		out = append(out, set[0])
	}
	return out
}

// off reports whether a switch was written as off.
func off(v strictyaml.Value) bool {
	on, written := v.Bool()
	return written && !on
}

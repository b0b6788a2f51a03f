package file

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/internal/yamlout"
)

// SchemaURL is where editors find the JSON Schema of the SLO file; [Print] names it in the first
// line.
const SchemaURL = "https://raw.githubusercontent.com/slowburn-sre/slowburn/main/docs/schema/slo.json"

// modeline returns the comment by which editors find a schema.
func modeline(url string) string { return "# yaml-language-server: $schema=" + url + "\n" }

// Notes are comments for what [Print] writes: by what they are about (an SLO's ID, or the name of a
// service), then by the key they stand above. Keys are those of the file, `sli` or `alerts.page`;
// the key "" is the SLO or service as a whole. A key with a note is written even if it has its
// default, so that the note has something to stand above; a note for a key that has nothing to
// write stands above the whole.
type Notes map[slo.ID]map[string][]string

// Add adds a note.
func (n Notes) Add(about slo.ID, key, text string) {
	if n[about] == nil {
		n[about] = map[string][]string{}
	}
	n[about][key] = append(n[about][key], text)
}

// Layout is what Print writes beside the SLOs themselves.
type Layout struct {
	Head  []string // comments at the top, a paragraph each
	Notes Notes
}

// Print writes SLOs in slowburn's own format, as [Load] reads them: one document per service, SLOs
// by name, what is the same as its default left out. The same input gives the same bytes, and
// reading them gives the same SLOs and services again, but for the places where they stood.
//
// A service without a description of its own gets what all its SLOs share. An SLO that cannot stand
// below its service's description, because it lacks something that the service has, is written into
// a document of its own for the same service.
func Print(specs []*slo.Spec, services []*slo.Service, o Layout) []byte {
	out := []byte(modeline(SchemaURL))
	out = append(out, yamlout.Comments(o.Head...)...)
	for i, d := range documents(specs, services) {
		if i > 0 {
			out = append(out, "---\n"...)
		}
		p := printer{notes: o.Notes[slo.ID(d.service.Name)]}
		out = append(out, p.document(d, o.Notes)...)
	}
	return out
}

// Comments writes paragraphs as comments of their own, such as to follow what [Print] wrote.
func Comments(paragraphs ...string) []byte { return yamlout.Comments(paragraphs...) }

// sheet is one document to be written.
type sheet struct {
	service *slo.Service
	specs   []*slo.Spec
	first   bool // of its service
}

// documents divides the SLOs among documents, by service and name.
func documents(specs []*slo.Spec, services []*slo.Service) (out []sheet) {
	sorted := slices.SortedStableFunc(slices.Values(specs), func(a, b *slo.Spec) int { return cmp.Compare(a.ID(), b.ID()) })
	slices.SortStableFunc(sorted, func(a, b *slo.Spec) int { return cmp.Compare(a.Service, b.Service) })
	for len(sorted) > 0 {
		name := sorted[0].Service
		n := slices.IndexFunc(sorted, func(s *slo.Spec) bool { return s.Service != name })
		if n < 0 {
			n = len(sorted)
		}
		out = append(out, sheets(describe(name, sorted[:n], services), sorted[:n])...)
		sorted = sorted[n:]
	}
	return out
}

// sheets divides the SLOs of one service: those that fit below its description come first.
func sheets(service *slo.Service, specs []*slo.Spec) (out []sheet) {
	first := true
	for len(specs) > 0 {
		fitting, rest := partition(specs, service)
		if len(fitting) == 0 { // a service that says what none of its SLOs does: made for tests, or put together by hand
			service = &slo.Service{Name: service.Name, Tier: specs[0].Tier, Description: service.Description, Signals: service.Signals, DependsOn: service.DependsOn}
			continue
		}
		for chunk := range slices.Chunk(fitting, maxSLOs) {
			out = append(out, sheet{service, chunk, first})
			if first {
				first, service = false, withoutSignals(service)
			}
		}
		specs = rest
		if len(rest) > 0 {
			service = bare(service.Name, rest[0].Tier)
		}
	}
	return out
}

func bare(name, tier string) *slo.Service { return &slo.Service{Name: name, Tier: tier} }

// withoutSignals returns the description for further documents, of which only one may have signals.
func withoutSignals(s *slo.Service) *slo.Service {
	c := *s
	c.Signals, c.DependsOn = nil, nil
	return &c
}

func partition(specs []*slo.Spec, service *slo.Service) (fitting, rest []*slo.Spec) {
	for _, s := range specs {
		if fits(s, service) {
			fitting = append(fitting, s)
		} else {
			rest = append(rest, s)
		}
	}
	return fitting, rest
}

// fits reports whether the SLO can stand below that description: it inherits what it does not say,
// so it must say whatever the service does. Mentions alone can be taken back, by an empty list.
func fits(s *slo.Spec, service *slo.Service) bool {
	says := func(mine, theirs string) bool { return theirs == "" || mine != "" }
	return s.Tier == service.Tier && says(s.Owner, service.Owner) && says(s.Slack.Channel, service.Slack.Channel) &&
		says(s.Links.Runbook, service.Links.Runbook) && says(s.Links.Dashboard, service.Links.Dashboard) && says(s.Links.Repository, service.Links.Repository)
}

// describe returns the description of a service, or one of what all its SLOs share.
func describe(name string, specs []*slo.Spec, services []*slo.Service) *slo.Service {
	if i := slices.IndexFunc(services, func(s *slo.Service) bool { return s.Name == name }); i >= 0 {
		return services[i]
	}
	return slo.ServiceOf(specs)
}

// printer writes one service or SLO. Notes that found their key are taken off the list.
type printer struct {
	notes map[string][]string
	used  map[string]bool
}

// note returns the notes above a key.
func (p *printer) note(key string) []string {
	if p.used == nil {
		p.used = map[string]bool{}
	}
	p.used[key] = true
	return p.notes[key]
}

// has reports whether there is a note for the key.
func (p *printer) has(key string) bool { return len(p.notes[key]) > 0 }

// add writes a key with its notes.
func (p *printer) add(m *yamlout.Map, path string, v yamlout.Value) {
	key := path[strings.LastIndexByte(path, '.')+1:]
	m.Add(key, v, p.note(path)...)
}

func (p *printer) addText(m *yamlout.Map, path, text string) {
	if text != "" {
		p.add(m, path, yamlout.Text(text))
	}
}

// whole returns the notes of the whole, and those whose key has not been written.
func (p *printer) whole() (out []string) {
	out = append(out, p.notes[""]...)
	for _, key := range sortedKeys(p.notes) {
		if key == "" || p.used[key] {
			continue
		}
		for _, n := range p.notes[key] {
			out = append(out, key+": "+n)
		}
	}
	return out
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (p *printer) document(d sheet, notes Notes) []byte {
	if !d.first {
		p.notes = nil
	}
	s := d.service
	var m yamlout.Map
	m.Add("version", yamlout.Text(Version))
	m.Add("service", yamlout.Text(s.Name))
	p.addText(&m, "owner", s.Owner)
	p.addText(&m, "description", s.Description)
	p.addText(&m, "tier", s.Tier)
	p.links(&m, s.Links, slo.Links{})
	p.slack(&m, s.Slack, slo.SlackRoute{})
	p.signals(&m, s.Signals)
	p.dependencies(&m, s.DependsOn)
	var list yamlout.List
	for _, spec := range d.specs {
		own := printer{notes: notes[spec.ID()]}
		value := own.spec(spec, s)
		list = append(list, yamlout.Item{Notes: own.whole(), Value: value})
	}
	m.Add("slos", list)
	m[0].Notes = p.whole()
	return yamlout.Document(m)
}

// spec writes an SLO, without what it has from its service.
func (p *printer) spec(s *slo.Spec, service *slo.Service) yamlout.Map {
	var m yamlout.Map
	p.add(&m, "name", yamlout.Text(s.Name))
	p.addText(&m, "description", s.Description)
	if s.Owner != service.Owner || p.has("owner") {
		p.addText(&m, "owner", s.Owner)
	}
	if o, ok := slo.TierObjective(s.Tier); !ok || o != s.Objective || p.has("objective") {
		p.add(&m, "objective", yamlout.Raw(s.Objective.Percent()))
	}
	if len(s.Windows) != 1 || s.Windows[0] != (slo.Window{Rolling: defaultWindow}) || p.has("window") {
		p.add(&m, "window", windows(s.Windows))
	}
	p.add(&m, "sli", p.indicator(&s.SLI))
	if len(s.By) > 0 {
		p.add(&m, "by", yamlout.FlowList(flowTexts(s.By)))
	}
	if s.MaxLateness > 0 {
		p.add(&m, "max_lateness", yamlout.Raw(slo.ShortDuration(s.MaxLateness)))
	}
	p.alerts(&m, s)
	p.links(&m, s.Links, service.Links)
	p.slack(&m, s.Slack, service.Slack)
	return m
}

func flowTexts(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = yamlout.FlowText(t)
	}
	return out
}

func flowMentions(mentions []slo.Mention) []string {
	texts := make([]string, len(mentions))
	for i, m := range mentions {
		texts[i] = m.String()
	}
	return flowTexts(texts)
}

// windows writes one window, or a list of them.
func windows(ws []slo.Window) yamlout.Raw {
	parts := make([]string, len(ws))
	for i, w := range ws {
		parts[i] = string(window(w))
	}
	if len(parts) == 1 {
		return yamlout.Raw(parts[0])
	}
	return yamlout.FlowList(parts)
}

func window(w slo.Window) yamlout.Raw {
	if w.Calendar == "" {
		return yamlout.Raw(slo.ShortDuration(w.Rolling))
	}
	pairs := [][2]string{{"calendar", string(w.Calendar)}}
	if zone := w.Location().String(); zone != time.UTC.String() {
		pairs = append(pairs, [2]string{"timezone", yamlout.FlowText(zone)})
	}
	return yamlout.Flow(pairs...)
}

// indicator writes sli.
func (p *printer) indicator(i *slo.Indicator) yamlout.Map {
	m := p.measured(i)
	if i.Called != "" {
		p.add(&m, "sli."+nounKey, yamlout.Text(i.Called))
	}
	return m
}

// measured writes the key of sli that says what is counted.
func (p *printer) measured(i *slo.Indicator) yamlout.Map {
	var part yamlout.Map
	query := func(key string, q *slo.Query) {
		if q != nil {
			p.add(&part, "sli."+string(i.Kind)+"."+key, yamlout.Text(q.Text))
		}
	}
	switch i.Kind {
	case slo.Uptime:
		return yamlout.Map{{Notes: p.note("sli." + string(i.Kind)), Key: string(i.Kind), Value: yamlout.Text(i.Up.Text)}}
	case slo.Latency:
		p.add(&part, "sli.latency.histogram", yamlout.Text(histogramText(i.Histogram)))
		p.add(&part, "sli.latency.below", limitText(i.LimitText))
	case slo.Slices:
		query("query", i.Slice)
		p.add(&part, "sli.slices.good", yamlout.Text(i.GoodWhen.Op+" "+number(i.GoodWhen.Value)))
		if i.Missing != slo.Exclude && i.Missing != "" || p.has("sli.slices.missing") {
			p.add(&part, "sli.slices.missing", yamlout.Raw(cmp.Or(i.Missing, slo.Exclude)))
		}
	case slo.Composed:
		p.journey(&part, i.Journey)
	case slo.Ratio:
		if good, ok := complement(i.Bad.Text); ok {
			query("good", good)
		} else {
			query("bad", i.Bad)
		}
	default:
		query("total", i.Total)
		query("bad", i.Bad)
		query("good", i.Good)
	}
	return yamlout.Map{{Notes: p.note("sli." + string(i.Kind)), Key: string(i.Kind), Value: part}}
}

// journey writes the steps; the service is always named.
func (p *printer) journey(m *yamlout.Map, j *slo.Journey) {
	steps := make([]string, len(j.Steps))
	for i, s := range j.Steps {
		steps[i] = yamlout.FlowText(string(s.SLO))
		if s.Weight != 1000 {
			steps[i] = string(yamlout.Flow([2]string{"slo", steps[i]}, [2]string{"weight", weightText(s.Weight)}))
		}
	}
	p.add(m, "sli.journey.steps", yamlout.FlowList(steps))
	if j.Combine != slo.Weakest || p.has("sli.journey.combine") {
		p.add(m, "sli.journey.combine", yamlout.Raw(j.Combine))
	}
}

// complement returns x of a query that reads 1 - (x), which is what a ratio of good events becomes
// when it is read: writing it back as it was keeps it short enough to be read again.
func complement(text string) (*slo.Query, bool) {
	inner, ok := strings.CutPrefix(text, "1 - (")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed {
		return nil, false
	}
	q, err := slo.ParseQuery(inner)
	return q, err == nil && q.Text == inner
}

// histogramText returns the histogram's selector. A name that ends like one of a histogram's series
// would lose that end when it is read, so it gets another one to lose.
func histogramText(q *slo.Query) string {
	for _, suffix := range histogramSuffixes {
		if name, found := strings.CutSuffix(q.Metric, suffix); found && name != "" {
			return q.Rename(q.Metric + suffix).Text
		}
	}
	return q.Text
}

// limitText returns a latency limit as it was written, without quotes where it needs none.
func limitText(text string) yamlout.Value {
	if trimmed := strings.TrimSpace(text); trimmed == text && strings.Trim(text, "0123456789.hmsdw") == "" {
		return yamlout.Raw(text)
	}
	return yamlout.Text(text)
}

// alerts writes what is not as by default.
func (p *printer) alerts(m *yamlout.Map, s *slo.Spec) {
	defaults, _ := slo.DefaultAlerts(s.Window(), s.Objective)
	var a yamlout.Map
	pairs := func(key string, mine, theirs []slo.Pair) {
		if path := "alerts." + key; !slices.Equal(mine, theirs) || p.has(path) {
			p.add(&a, path, pairList(mine))
		}
	}
	pairs("page", s.Alerts.Page, defaults.Page)
	pairs("ticket", s.Alerts.Ticket, defaults.Ticket)
	if !slices.Equal(s.Alerts.Spent, defaults.Spent) || p.has("alerts.spent") {
		p.add(&a, "alerts.spent", shares(s.Alerts.Spent))
	}
	if s.Alerts.NoData != defaults.NoData || p.has("alerts.no_data") {
		p.add(&a, "alerts.no_data", orOff(s.Alerts.NoData > 0, yamlout.Raw(slo.ShortDuration(s.Alerts.NoData))))
	}
	if s.Alerts.Traffic != defaults.Traffic || p.has("alerts.traffic") {
		p.add(&a, "alerts.traffic", orOff(s.Alerts.Traffic > 0, yamlout.Raw(slo.ShortDuration(s.Alerts.Traffic))))
	}
	if !s.Alerts.Significance || p.has("alerts.significance") {
		p.add(&a, "alerts.significance", orOff(s.Alerts.Significance, yamlout.Raw("on")))
	}
	if len(a) > 0 {
		p.add(m, "alerts", a)
	}
}

func orOff(given bool, v yamlout.Value) yamlout.Value {
	if !given {
		return yamlout.Raw("off")
	}
	return v
}

func pairList(pairs []slo.Pair) yamlout.Value {
	list := make(yamlout.List, len(pairs))
	for i, p := range pairs {
		list[i].Value = yamlout.Flow([2]string{"budget", slo.FormatPercent(p.Budget)},
			[2]string{"long", slo.ShortDuration(p.Long)}, [2]string{"short", slo.ShortDuration(p.Short)})
	}
	return orOff(len(pairs) > 0, list)
}

func shares(spent []int64) yamlout.Value {
	texts := make([]string, len(spent))
	for i, n := range spent {
		texts[i] = slo.FormatPercent(n)
	}
	return orOff(len(spent) > 0, yamlout.FlowList(texts))
}

// links writes the links that differ from those of the service.
func (p *printer) links(m *yamlout.Map, l, inherited slo.Links) {
	var out yamlout.Map
	for _, link := range []struct{ key, mine, theirs string }{
		{"runbook", l.Runbook, inherited.Runbook}, {"dashboard", l.Dashboard, inherited.Dashboard}, {"repository", l.Repository, inherited.Repository},
	} {
		if link.mine != link.theirs {
			p.addText(&out, "links."+link.key, link.mine)
		}
	}
	if len(out) > 0 {
		p.add(m, "links", out)
	}
}

// slack writes the route where it differs from that of the service.
func (p *printer) slack(m *yamlout.Map, r, inherited slo.SlackRoute) {
	var out yamlout.Map
	if r.Channel != inherited.Channel {
		p.addText(&out, "slack.channel", r.Channel)
	}
	if !slices.Equal(r.Mention, inherited.Mention) {
		p.add(&out, "slack.mention", yamlout.FlowList(flowMentions(r.Mention)))
	}
	switch e, old := r.Escalate, inherited.Escalate; {
	case e.After == old.After && slices.Equal(e.Mention, old.Mention):
	case e.After == 0:
		p.add(&out, "slack.escalate", yamlout.Raw("off"))
	default:
		var escalate yamlout.Map
		p.add(&escalate, "slack.escalate.after", yamlout.Raw(slo.ShortDuration(e.After)))
		if len(e.Mention) > 0 {
			p.add(&escalate, "slack.escalate.mention", yamlout.FlowList(flowMentions(e.Mention)))
		}
		p.add(&out, "slack.escalate", escalate)
	}
	if len(out) > 0 {
		p.add(m, "slack", out)
	}
}

func (p *printer) signals(m *yamlout.Map, s *slo.Signals) {
	if s == nil {
		return
	}
	var out yamlout.Map
	p.addText(&out, "signals.from", s.From)
	p.addText(&out, "signals.match", s.Match)
	var list yamlout.List
	for _, sat := range s.Saturation {
		list = append(list, yamlout.Item{Value: yamlout.Map{
			{Key: "name", Value: yamlout.Text(sat.Name)},
			{Key: "query", Value: yamlout.Text(sat.Query.Text)},
			{Key: "limit", Value: yamlout.Raw(number(sat.Limit))},
		}})
	}
	if len(list) > 0 {
		p.add(&out, "signals.saturation", list)
	}
	p.add(m, "signals", out)
}

func (p *printer) dependencies(m *yamlout.Map, all []slo.Dependency) {
	texts := make([]string, len(all))
	for i, d := range all {
		texts[i] = yamlout.FlowText(d.String())
		if d.Soft {
			pairs := [][2]string{{"service", yamlout.FlowText(d.Service)}}
			if d.SLO != "" {
				pairs = append(pairs, [2]string{"slo", yamlout.FlowText(d.SLO)})
			}
			texts[i] = string(yamlout.Flow(append(pairs, [2]string{"kind", "soft"})...))
		}
	}
	if len(texts) > 0 {
		p.add(m, "depends_on", yamlout.FlowList(texts))
	}
}

// number writes a number so that it reads back the same, without an exponent where people would not
// use one.
func number(f float64) string {
	if a := math.Abs(f); a == 0 || a >= 1e-6 && a < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

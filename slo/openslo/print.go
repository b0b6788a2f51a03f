package openslo

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/internal/yamlout"
)

// Print writes SLOs as OpenSLO v1: a Service for each service, an SLO with its indicator and alert
// policies written in place for each SLO, by name. What OpenSLO cannot say stands as a comment
// above the document it is missing from, and is answered as a list of warnings with the places of
// the SLOs. The same input gives the same bytes.
//
// The reader of this package makes the same SLOs of it again where OpenSLO has words for them:
// counted events, rolling and calendar windows, objectives, owners, links, burn-rate alerts whose
// short window is a twelfth of the long one. A histogram becomes a bucket and a count, an uptime a
// threshold, and `$window` becomes {{.window}}, as Sloth writes it, since OpenSLO has no word for
// it.
func Print(specs []*slo.Spec, services []*slo.Service) (text []byte, lost slo.Problems) {
	p := printer{names: map[string]slo.ID{}}
	sorted := slices.SortedFunc(slices.Values(specs), func(a, b *slo.Spec) int { return strings.Compare(string(a.ID()), string(b.ID())) })
	described := map[string]*slo.Service{}
	for _, name := range serviceNames(sorted) {
		described[name] = p.service(name, services)
	}
	for _, s := range sorted {
		p.slo(s, described[s.Service])
	}
	if p.policies {
		p.document("AlertNotificationTarget", yamlout.Map{{Key: "name", Value: yamlout.Text(targetName)}},
			yamlout.Map{{Key: "target", Value: yamlout.Text("slack")}}, nil)
	}
	return p.text, p.lost
}

func serviceNames(specs []*slo.Spec) (names []string) {
	for _, s := range specs {
		names = append(names, s.Service)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// printer collects the documents.
type printer struct {
	text     []byte
	lost     slo.Problems
	names    map[string]slo.ID // of SLOs that are written, in OpenSLO's own letters
	policies bool
}

// document appends a document with its comments above it.
func (p *printer) document(kind string, metadata, spec yamlout.Map, notes []string) {
	if len(p.text) > 0 {
		p.text = append(p.text, "---\n"...)
	}
	var m yamlout.Map
	m.Add("apiVersion", yamlout.Text(stable), notes...)
	m.Add("kind", yamlout.Text(kind))
	m.Add("metadata", metadata)
	m.Add("spec", spec)
	p.text = append(p.text, yamlout.Document(m)...)
}

// whoIsTold is the reason for leaving out Slack's channels.
const whoIsTold = "OpenSLO leaves to others who is told"

// service writes the document of a service, and answers what is known about it.
func (p *printer) service(name string, services []*slo.Service) *slo.Service {
	var spec yamlout.Map
	s := &slo.Service{Name: name}
	w := writer{at: slo.Problem{Severity: strictyaml.Warning}, about: name}
	if i := slices.IndexFunc(services, func(s *slo.Service) bool { return s.Name == name }); i >= 0 {
		s = services[i]
		w.at.File, w.at.Line = s.File, s.Line
		spec.AddText("description", s.Description)
		w.loseIf(s.Slack.Channel != "" || len(s.Slack.Mention) > 0, "slack", whoIsTold)
		w.loseIf(len(s.DependsOn) > 0, "depends_on", "OpenSLO has no dependencies between services")
		w.loseIf(s.Signals != nil, "signals", "OpenSLO has no golden signals")
		w.loseIf(len([]rune(s.Description)) > maxDescription, "description", fmt.Sprintf("OpenSLO allows %d characters; the reference validator will refuse this one", maxDescription))
	}
	metadata := yamlout.Map{{Key: "name", Value: yamlout.Text(w.dns(name))}}
	p.document("Service", metadata, spec, w.notes)
	p.lost = append(p.lost, w.lost...)
	return s
}

// slo writes one SLO, or a comment in its place.
func (p *printer) slo(s *slo.Spec, service *slo.Service) {
	w := writer{at: slo.Problem{File: s.File, Line: s.Line, Severity: strictyaml.Warning}, about: string(s.ID()), spec: s, service: service}
	name := p.name(&w)
	spec, ok := w.body()
	if ok {
		p.document("SLO", w.metadata(name), spec, w.notes)
	} else {
		p.text = append(p.text, yamlout.Comments(w.notes...)...)
	}
	p.policies = p.policies || w.policies
	p.lost = append(p.lost, w.lost...)
}

// name returns a name for the SLO that OpenSLO allows and no other SLO has: in OpenSLO a name is
// unique among all services.
func (p *printer) name(w *writer) string {
	name := w.dns(w.spec.Name)
	for _, candidate := range []string{name, dns(w.spec.Service + "-" + name)} {
		if p.names[candidate] == "" {
			name = candidate
			break
		}
	}
	stem := name
	for n := 2; p.names[name] != ""; n++ {
		name = fmt.Sprintf("%s-%d", strings.TrimRight(stem[:min(len(stem), maxDNSLabel-5)], "-"), n)
	}
	p.names[name] = w.spec.ID()
	w.loseIf(name != dns(w.spec.Name), "name", fmt.Sprintf("%s is taken by %s, and a name is unique in OpenSLO; it is now %s", dns(w.spec.Name), p.names[dns(w.spec.Name)], name))
	return name
}

// writer writes one object and remembers what it could not write.
type writer struct {
	at       slo.Problem
	about    string
	spec     *slo.Spec
	service  *slo.Service // of the SLO, with a name at least
	notes    []string
	lost     slo.Problems
	policies bool
}

// lose remembers that a part is not in the output, and why.
func (w *writer) lose(part, reason string) {
	note := part + " is not carried over: " + reason
	w.notes = append(w.notes, note)
	problem := w.at
	problem.Message = w.about + ": " + note
	w.lost = append(w.lost, problem)
}

func (w *writer) loseIf(given bool, part, reason string) {
	if given {
		w.lose(part, reason)
	}
}

var notDNS = regexp.MustCompile(`[^a-z0-9]+`)

// dns returns the name in the letters that OpenSLO allows.
func dns(name string) string {
	out := strings.Trim(notDNS.ReplaceAllString(strings.ToLower(name), "-"), "-")
	return strings.TrimRight(out[:min(len(out), maxDNSLabel)], "-")
}

// dns returns that, and says if it is another name.
func (w *writer) dns(name string) string {
	out := dns(name)
	if !dnsLabel.MatchString(name) || len(name) > maxDNSLabel {
		w.lose("name "+name, fmt.Sprintf("OpenSLO allows small letters, digits and hyphens, at most %d; it is now %s", maxDNSLabel, out))
	}
	return out
}

func (w *writer) metadata(name string) yamlout.Map {
	s := w.spec
	m := yamlout.Map{{Key: "name", Value: yamlout.Text(name)}}
	var labels, annotations yamlout.Map
	labels.AddText("owner", s.Owner)
	labels.AddText("tier", s.Tier)
	annotations.AddText("runbook", s.Links.Runbook)
	annotations.AddText("dashboard", s.Links.Dashboard)
	annotations.AddText("repository", s.Links.Repository)
	if len(labels) > 0 {
		m.Add("labels", labels)
	}
	if len(annotations) > 0 {
		m.Add("annotations", annotations)
	}
	return m
}

// body writes spec of an SLO. It answers false if the SLO cannot be written at all.
func (w *writer) body() (yamlout.Map, bool) {
	s := w.spec
	var m yamlout.Map
	m.AddText("description", s.Description)
	m.Add("service", yamlout.Text(dns(s.Service)))
	metric, method, objective, ok := w.indicator()
	if !ok {
		return nil, false
	}
	w.loseIf(s.SLI.Called != "", "sli.noun", "OpenSLO does not say what people call the events")
	m.Add("indicator", yamlout.Map{
		{Key: "metadata", Value: yamlout.Map{{Key: "name", Value: yamlout.Text(dns(s.Name))}}},
		{Key: "spec", Value: metric},
	})
	m.Add("timeWindow", yamlout.List{{Value: w.window()}})
	m.Add("budgetingMethod", yamlout.Text(method))
	target := yamlout.Map{{Key: "target", Value: yamlout.Raw(ratio(s.Objective))}}
	m.Add("objectives", yamlout.List{{Value: append(target, objective...)}})
	if policies := w.alerts(); len(policies) > 0 {
		m.Add("alertPolicies", policies)
	}
	own := s.Slack.Channel != w.service.Slack.Channel || !slices.Equal(s.Slack.Mention, w.service.Slack.Mention)
	w.loseIf(own, "slack", whoIsTold)
	return m, true
}

// ratio returns the objective as a ratio, exactly: 0.999.
func ratio(o slo.Objective) string {
	return strings.TrimRight(fmt.Sprintf("0.%09d", slo.Billion-o.Allowed()), "0")
}

// anchor is the first midnight of a week, a month, a quarter and a year at once.
const anchor = "2024-01-01 00:00:00"

func (w *writer) window() yamlout.Map {
	for _, other := range w.spec.Windows[1:] {
		w.lose("window "+other.String(), "OpenSLO allows one window for an SLO")
	}
	first := w.spec.Window()
	if first.Calendar == "" {
		return yamlout.Map{{Key: "duration", Value: yamlout.Raw(shortest(first.Rolling))}, {Key: "isRolling", Value: yamlout.Raw("true")}}
	}
	zone := time.UTC
	if first.Zone != nil {
		zone = first.Zone
	}
	var one span
	for _, p := range periods {
		if p.calendar == first.Calendar {
			one = p.spans[0]
		}
	}
	return yamlout.Map{
		{Key: "duration", Value: yamlout.Raw(fmt.Sprintf("%d%s", one.count, one.unit))},
		{Key: "isRolling", Value: yamlout.Raw("false")},
		{Key: "calendar", Value: yamlout.Map{{Key: "startTime", Value: yamlout.Text(anchor)}, {Key: "timeZone", Value: yamlout.Text(zone.String())}}},
	}
}

// shortest writes whole minutes with one unit, the largest one that fits.
func shortest(d time.Duration) string {
	switch {
	case d%slo.Day == 0:
		return fmt.Sprintf("%dd", d/slo.Day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// indicator writes the indicator, and what belongs to it in the SLO and in the objective.
func (w *writer) indicator() (metric yamlout.Map, method string, objective yamlout.Map, ok bool) {
	i, m := &w.spec.SLI, w.spec.SLI.Minutes()
	switch {
	case i.Counters() != nil:
		return w.counts(i.Total, i.Bad, i.Good), occurrences, nil, true
	case i.Histogram != nil:
		w.notes = append(w.notes, "The histogram is written as a bucket and a count, since OpenSLO has no histograms; a native one has no such series.")
		return w.histogram(), occurrences, nil, true
	case i.Up != nil:
		w.loseBy()
		w.notes = append(w.notes, "The uptime is written as a threshold: good while the gauge is 1.")
		objective := yamlout.Map{{Key: "op", Value: yamlout.Text("gte")}, {Key: "value", Value: yamlout.Raw("1")}}
		return threshold(i.Up), occurrences, objective, true
	case i.GoodWhen.Op != "":
		return w.slices()
	case m == nil:
		w.lose("the SLO", "it is a journey, and OpenSLO has nothing that is derived from other SLOs (its composites are objectives of one SLO)")
		return nil, "", nil, false
	}
	w.loseBy()
	raw := "failure"
	if m.Good {
		raw = "success"
	}
	ratio := yamlout.Map{{Key: "counter", Value: yamlout.Raw("false")}, {Key: "raw", Value: source(m.Series(m.Query.Text))}, {Key: "rawType", Value: yamlout.Text(raw)}}
	return yamlout.Map{{Key: "ratioMetric", Value: ratio}}, ratioTimeslices, yamlout.Map{{Key: "timeSliceWindow", Value: yamlout.Raw("1m")}}, true
}

func (w *writer) loseBy() {
	w.loseIf(len(w.spec.By) > 0, "by", "only counted events can be divided by labels")
}

// comparisons of ours that OpenSLO has.
var comparisons = map[string]string{"<=": "lte", ">=": "gte", "<": "lt", ">": "gt"}

func (w *writer) slices() (metric yamlout.Map, method string, objective yamlout.Map, ok bool) {
	i := w.spec.SLI
	op, ok := comparisons[i.GoodWhen.Op]
	value := number(i.GoodWhen.Value)
	switch {
	case !ok:
		w.lose("the SLO", fmt.Sprintf("OpenSLO does not know %s", i.GoodWhen.Op))
		return nil, "", nil, false
	case len(value) == 0:
		w.lose("the SLO", "its threshold is too far from zero")
		return nil, "", nil, false
	}
	w.loseBy()
	w.loseIf(i.Missing == slo.MissingGood || i.Missing == slo.MissingBad, "missing: "+string(i.Missing), "OpenSLO does not say what a time slice without data is")
	objective = yamlout.Map{
		{Key: "op", Value: yamlout.Text(op)},
		{Key: "value", Value: yamlout.Raw(value)},
		{Key: "timeSliceTarget", Value: yamlout.Raw("1")},
		{Key: "timeSliceWindow", Value: yamlout.Raw("1m")},
	}
	return threshold(i.Slice), timeslices, objective, true
}

// number writes a number in the digits that the reader accepts, or "" if that cannot be.
func number(f float64) string {
	switch a := math.Abs(f); {
	case a == 0 || a >= 1e-3 && a < 1e15:
		return strconv.FormatFloat(f, 'f', -1, 64)
	case a < 1e-99 || a >= 1e99:
		return ""
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

func threshold(q *slo.Query) yamlout.Map {
	return yamlout.Map{{Key: "thresholdMetric", Value: source(q.Text)}}
}

// source returns a metric source with that query. Our variable is written as Sloth writes it.
func source(query string) yamlout.Map {
	query = strings.ReplaceAll(query, slo.WindowVariable, "{{.window}}")
	return yamlout.Map{{Key: "metricSource", Value: yamlout.Map{
		{Key: "type", Value: yamlout.Text("Prometheus")},
		{Key: "spec", Value: yamlout.Map{{Key: "query", Value: yamlout.Text(query)}}},
	}}}
}

// counts writes two counts of events.
func (w *writer) counts(total, bad, good *slo.Query) yamlout.Map {
	key, some := "bad", bad
	if some == nil {
		key, some = "good", good
	}
	return ratioOf(key, w.divided(some.Text), w.divided(total.Text))
}

func ratioOf(key, some, total string) yamlout.Map {
	return yamlout.Map{{Key: "ratioMetric", Value: yamlout.Map{
		{Key: "counter", Value: yamlout.Raw("true")},
		{Key: key, Value: source(some)},
		{Key: "total", Value: source(total)},
	}}}
}

// divided returns a count divided by the labels of the SLO.
func (w *writer) divided(query string) string {
	if len(w.spec.By) == 0 {
		return query
	}
	q := parser.NewParser(parser.Options{})
	const standIn = "000005m" // as long as the variable
	if e, err := q.ParseExpr(strings.ReplaceAll(query, slo.WindowVariable, standIn)); err == nil {
		for paren, ok := e.(*parser.ParenExpr); ok; paren, ok = e.(*parser.ParenExpr) {
			e = paren.Expr
		}
		if a, ok := e.(*parser.AggregateExpr); ok && !a.Without && slices.Equal(a.Grouping, w.spec.By) {
			return query
		}
	}
	sum := &parser.AggregateExpr{Op: parser.SUM, Grouping: w.spec.By, Expr: &parser.NumberLiteral{}}
	head, _, _ := strings.Cut(sum.String(), "(0)") // the parser knows which label names need quotes
	return head + "(" + query + ")"
}

// histogram writes a latency as the events in the bucket of its limit.
func (w *writer) histogram() yamlout.Map {
	h := w.spec.SLI.Histogram
	count := selectors.Metric(h.Metric+"_count", h.Matchers...)
	bucket := selectors.Metric(h.Metric+"_bucket", append(slices.Clone(h.Matchers), slo.BucketAt(w.spec.SLI.Below))...)
	return ratioOf("good", w.divided(bucket), w.divided(count))
}

const targetName = "slowburn"

// alerts writes the pairs as policies of one condition each. Without any the reader takes the
// workbook's, so the defaults are left out.
func (w *writer) alerts() (out yamlout.List) {
	s := w.spec
	defaults, _ := slo.DefaultAlerts(s.Window(), s.Objective)
	asDefault := slices.Equal(s.Alerts.Page, defaults.Page) && slices.Equal(s.Alerts.Ticket, defaults.Ticket)
	w.loseIf(!slices.Equal(s.Alerts.Spent, defaults.Spent), "alerts.spent", "OpenSLO knows burn rates only")
	w.loseIf(s.Alerts.Traffic != defaults.Traffic, "alerts.traffic", "OpenSLO does not tell when nobody comes any more")
	w.loseIf(!s.Alerts.Significance, "alerts.significance", "OpenSLO has no guard against low traffic that could be off")
	silent := s.Alerts.NoData == 0
	w.loseIf(!silent && s.Alerts.NoData != defaults.NoData, "alerts.no_data", "OpenSLO says whether missing data are told, not when")
	if asDefault && !silent {
		w.notes = append(w.notes, "Alerts are slowburn's defaults, which nobody needs to write.")
		return nil
	}
	w.loseIf(len(s.Alerts.Page)+len(s.Alerts.Ticket) == 0, "alerts", "without policies OpenSLO leaves open whether anybody is told")
	for i, p := range s.Alerts.Page {
		out = append(out, w.policy(fmt.Sprintf("page-%d", i+1), "page", p, !silent)...)
	}
	for i, p := range s.Alerts.Ticket {
		out = append(out, w.policy(fmt.Sprintf("ticket-%d", i+1), "ticket", p, !silent)...)
	}
	w.policies = len(out) > 0
	return out
}

func (w *writer) policy(name, severity string, p slo.Pair, noData bool) yamlout.List {
	w.loseIf(p.Short != max((p.Long/12).Truncate(time.Minute), time.Minute), fmt.Sprintf("the short window %s of %s", slo.ShortDuration(p.Short), name),
		"an alert of OpenSLO has one window")
	long := shortest(p.Long)
	if !shorthand.MatchString(long) {
		w.lose("the alert "+name, "OpenSLO cannot write its long window")
		return nil
	}
	burn := strconv.FormatFloat(p.Burn(w.spec.Window().Length()), 'g', 8, 64)
	condition := yamlout.Map{
		{Key: "kind", Value: yamlout.Text("burnrate")},
		{Key: "op", Value: yamlout.Text("gt")},
		{Key: "threshold", Value: yamlout.Raw(burn)},
		{Key: "lookbackWindow", Value: yamlout.Raw(long)},
	}
	spec := yamlout.Map{
		{Key: "alertWhenNoData", Value: yamlout.Raw(strconv.FormatBool(noData))},
		{Key: "alertWhenResolved", Value: yamlout.Raw("true")},
		{Key: "alertWhenBreaching", Value: yamlout.Raw("true")},
		{Key: "conditions", Value: yamlout.List{{Value: inPlace("AlertCondition", name, yamlout.Map{{Key: "severity", Value: yamlout.Text(severity)}, {Key: "condition", Value: condition}})}}},
		{Key: "notificationTargets", Value: yamlout.List{{Value: yamlout.Map{{Key: "targetRef", Value: yamlout.Text(targetName)}}}}},
	}
	return yamlout.List{{Value: inPlace("AlertPolicy", name, spec)}}
}

// inPlace returns an object that is written inside of another.
func inPlace(kind, name string, spec yamlout.Map) yamlout.Map {
	return yamlout.Map{
		{Key: "kind", Value: yamlout.Text(kind)},
		{Key: "metadata", Value: yamlout.Map{{Key: "name", Value: yamlout.Text(name)}}},
		{Key: "spec", Value: spec},
	}
}

package file

import (
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// Version is the first line of an SLO file of our own format.
const Version = "slowburn/v1"

// foreignFormats are known by name, so that the message about them can be helpful.
var foreignFormats = []struct {
	name    string // with its article
	version *regexp.Regexp
}{
	{"a Sloth", regexp.MustCompile(`^(prometheus/v1|sloth\.slok\.dev/)`)},
	{"a Pyrra", regexp.MustCompile(`^pyrra\.dev/`)},
	{"an OpenSLO", regexp.MustCompile(`^openslo/`)},
}

// native reads one document of our own format.
func (l *loader) native(doc strictyaml.Value) {
	o, _ := doc.Object(serviceKeys.Keys()...)
	s := &slo.Service{File: doc.File(), Line: doc.Place().Line}
	s.Name, _ = readName(o.Need("service", "write service: name"))
	s.Owner, _ = o.Get("owner").Text()
	s.Description, _ = o.Get("description").Text()
	s.Tier, _ = o.Get("tier").OneOf(serviceKeys.Choices("tier")...)
	s.Links = readLinks(o.Get("links"), slo.Links{})
	s.Slack = readSlack(o.Get("slack"), slo.SlackRoute{})
	s.Signals = readSignals(o.Get("signals"))
	l.services = append(l.services, s)
	l.refuseSecondSignals(s, o.Get("signals"))
	l.dependencies(s, o.Get("depends_on"))

	entries, ok := o.Need("slos", "list at least one SLO").List(maxSLOs)
	if ok && len(entries) == 0 {
		o.Get("slos").Problem("slos is empty", "list at least one SLO")
	}
	for _, e := range entries {
		r := sloReader{service: s, places: map[string]strictyaml.Value{}}
		if spec := r.read(e); spec != nil {
			for part, v := range r.places {
				spec.Place(part, v)
			}
			l.specs = append(l.specs, spec)
		}
	}
}

// refuseSecondSignals records signals of a service that another file has described already.
func (l *loader) refuseSecondSignals(s *slo.Service, v strictyaml.Value) {
	if s.Signals == nil || s.Name == "" {
		return
	}
	if l.signals == nil {
		l.signals = map[string]strictyaml.Value{}
	}
	if first, ok := l.signals[s.Name]; ok {
		v.Problem(fmt.Sprintf("the signals of %s are described twice", s.Name),
			fmt.Sprintf("the other ones are in %s, line %d; keep one of them", first.File(), first.Place().Line))
		return
	}
	l.signals[s.Name] = v
}

// sloReader reads one entry of slos. Its places remember where the parts stand.
type sloReader struct {
	service *slo.Service
	places  map[string]strictyaml.Value
}

// read makes a spec of an entry; nil if something that the spec needs is missing or wrong, which
// has then been recorded.
func (r *sloReader) read(v strictyaml.Value) *slo.Spec {
	o, ok := v.Object(sloKeys.Keys()...)
	if !ok {
		return nil
	}
	s := &slo.Spec{
		Service: r.service.Name, Owner: r.service.Owner, Tier: r.service.Tier,
		Links: readLinks(o.Get("links"), r.service.Links),
		Slack: readSlack(o.Get("slack"), r.service.Slack),
		File:  v.File(), Line: v.Place().Line,
	}
	for _, key := range []string{"name", "objective", "alerts"} {
		r.places[key] = o.Get(key)
	}
	var named, promised, lasting, measured, alerting bool
	s.Name, named = readName(o.Need("name", "write name: availability"))
	s.Description, _ = o.Get("description").Text()
	if owner, ok := o.Get("owner").Text(); ok {
		s.Owner = owner
	}
	s.Objective, promised = r.objective(o)
	s.Windows, lasting = r.windows(o.Get("window"))
	s.SLI, measured = r.indicator(o.Need("sli", "write how good and bad events are told apart: events, latency, uptime, slices, ratio or journey"))
	s.By = r.by(o.Get("by"))
	if len(s.By) > 0 && s.SLI.Kind == slo.Composed {
		o.Get("by").Problem("a journey cannot have by: its steps are whole SLOs", "remove it, or write a measured journey: an sli of events with one event per journey")
		measured = false
	}
	if late := o.Get("max_lateness"); late.Given() {
		d, ok := late.Duration()
		s.MaxLateness, measured = d, measured && ok
	}
	if promised && lasting {
		s.Alerts, alerting = r.alerts(o.Get("alerts"), s)
	}
	if !named || !promised || !lasting || !measured || !alerting || s.Service == "" {
		return nil
	}
	return s
}

// objective returns the objective that was written, or the one of the tier.
func (r *sloReader) objective(o strictyaml.Object) (slo.Objective, bool) {
	v := o.Get("objective")
	if !v.Given() {
		if objective, ok := slo.TierObjective(r.service.Tier); ok {
			return objective, true
		}
		o.Need("objective", "write for example objective: 99.9, or give the service a tier")
		return slo.Objective{}, false
	}
	text, ok := v.Literal("a percentage such as 99.9")
	if !ok {
		return slo.Objective{}, false
	}
	objective, err := slo.ParseObjective(text)
	if err != nil {
		v.Problem(messageAndHint(err))
		return slo.Objective{}, false
	}
	return objective, true
}

// defaultWindow is four weeks: a whole number of weeks has always the same share of weekends.
const defaultWindow = 28 * slo.Day

// windows reads one window or a list of them.
func (r *sloReader) windows(v strictyaml.Value) ([]slo.Window, bool) {
	if !v.Given() {
		return []slo.Window{{Rolling: defaultWindow}}, true
	}
	list := []strictyaml.Value{v}
	if v.IsList() {
		list, _ = v.List(maxWindows)
	}
	if len(list) == 0 {
		if len(v.Node().Content) == 0 {
			v.Problem("window is an empty list", "write for example 28d")
		}
		return nil, false
	}
	out, good := make([]slo.Window, 0, len(list)), true
	for i, e := range list {
		w, ok := readWindow(e)
		out, good = append(out, w), good && ok
		r.places[fmt.Sprintf("window.%d", i)] = e
	}
	return out, good
}

// The shortest and the longest rolling window.
const (
	minWindow = slo.Day
	maxWindow = 400 * slo.Day
)

func readWindow(v strictyaml.Value) (slo.Window, bool) {
	if v.IsMap() {
		return readCalendar(v)
	}
	d, ok := v.Duration()
	if !ok {
		return slo.Window{}, false
	}
	return Rolling(v, d, "write for example 28d")
}

// Rolling checks a rolling window.
func Rolling(v strictyaml.Value, d time.Duration, hint string) (slo.Window, bool) {
	switch {
	case d < minWindow || d > maxWindow:
		v.Problem(fmt.Sprintf("a window of %s is not between %s and %s", slo.ShortDuration(d), slo.ShortDuration(minWindow), slo.ShortDuration(maxWindow)), hint)
	case d%time.Hour != 0:
		v.Problem("a window must be a whole number of hours", hint)
	default:
		return slo.Window{Rolling: d}, true
	}
	return slo.Window{}, false
}

// readCalendar reads {calendar: month, timezone: Europe/Berlin}.
func readCalendar(v strictyaml.Value) (slo.Window, bool) {
	o, _ := v.Object(calendarKeys.Keys()...)
	period, ok := o.Need("calendar", "write week, month, quarter or year").OneOf(calendarKeys.Choices("calendar")...)
	zone, known := Zone(o.Get("timezone"))
	return slo.Window{Calendar: slo.Calendar(period), Zone: zone}, ok && known
}

// readName reads the name of a service or an SLO. It becomes part of addresses, label values and
// file names, hence the plain letters.
func readName(v strictyaml.Value) (string, bool) {
	s, ok := v.Text()
	switch {
	case !ok:
		return "", false
	case utf8.RuneCountInString(s) > maxName:
		v.Problem(fmt.Sprintf("%s has %d characters; at most %d are allowed", v.Name(), utf8.RuneCountInString(s), maxName), "")
		return "", false
	case !goodName.MatchString(s):
		v.Problem(fmt.Sprintf("%s cannot be %q", v.Name(), s), slo.NameRule)
		return "", false
	}
	return s, true
}

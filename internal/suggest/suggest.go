package suggest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
)

// Options says what to suggest. At must be set; the zero value of the others stands for the
// default.
type Options struct {
	At        time.Time         // the end of the history that is looked at
	Service   *regexp.Regexp    // only services whose whole name matches; nil means all
	Existing  *slo.Set          // SLOs that exist already, which are left alone; nil means none
	Catalogue signals.Catalogue // the built-in one
}

// Proposal is what is suggested for one service. [Proposal.YAML] writes it as an SLO file.
type Proposal struct {
	Service *slo.Service // its name, its tier if that is known, and its golden signals unless they exist already
	SLOs    []SLO
	Notes   []string // about the service, as sentences: what was left out, and why
	Traps   []string // what to know before believing the golden signals
}

// SLO is one suggested SLO, or one that was refused.
type SLO struct {
	*slo.Spec
	Why     []Note // the choice explained
	Refused string // why there is none after all, as half a sentence; "" if there is one
}

// Note is a sentence about an SLO, and the key of its file that it is about, "" for the SLO as a
// whole.
type Note struct{ Key, Text string }

// explain adds a note.
func (one *SLO) explain(key, format string, args ...any) {
	one.Why = append(one.Why, Note{key, fmt.Sprintf(format, args...)})
}

// Propose looks at what a server has, and proposes SLOs for the services it finds, sorted by name.
// It finds nothing rather than guess: what is proposed has data, and its targets were met. With an
// error there may be proposals too: it then tells which sources the server did not answer about.
func Propose(ctx context.Context, c *prom.Client, o Options) ([]Proposal, error) {
	if o.Catalogue == nil {
		o.Catalogue = signals.Default()
	}
	if o.Existing == nil {
		o.Existing = slo.NewSet(nil, nil, nil)
	}
	if o.Service != nil {
		whole, err := regexp.Compile("^(?:" + o.Service.String() + ")$")
		if err != nil {
			return nil, fmt.Errorf("suggest: %w", err)
		}
		o.Service = whole
	}
	if o.At.IsZero() {
		return nil, errors.New("suggest: the time to look at is not set")
	}
	s := &suggester{scout: scout{ctx, c, o.At}, Options: o, services: map[string]*service{}}
	var err error
	if s.all, err = s.sources(o.Catalogue); err != nil {
		return nil, err
	}
	var failures []error
	for _, src := range s.all {
		switch err := s.visit(src); {
		case err != nil && hopeless(ctx, err):
			return nil, err
		case err != nil:
			failures = append(failures, fmt.Errorf("%s: %w", src.entry.Name, err))
		}
	}
	list, err := s.proposals()
	return list, errors.Join(append(failures, err)...)
}

// hopeless reports whether it makes no sense to ask on: nobody answers, or nobody waits for the
// answer.
func hopeless(ctx context.Context, err error) bool {
	var e *prom.Error
	return ctx.Err() != nil || !errors.As(err, &e) || e.Kind == prom.Unreachable || e.Kind == prom.BadAnswer
}

// suggester collects what the sources say about each service.
type suggester struct {
	scout
	Options
	all      []source
	services map[string]*service
}

// service is what is known about one service so far.
type service struct {
	Proposal
	group  group // the first source that knew it
	counts map[string]string
	class  []string
}

// visit asks one source about all its services.
func (s *suggester) visit(src source) error {
	if src.entry.Role == signals.RuntimeRole {
		return nil
	}
	groups, err := s.groups(src)
	if err != nil {
		return err
	}
	groups = slices.DeleteFunc(groups, func(g group) bool {
		return g.name() == "" || s.Service != nil && !s.Service.MatchString(g.name()) || !s.writable(g)
	})
	if len(groups) == 0 {
		return nil
	}
	for _, ask := range []func(source, []group) error{s.availability, s.latency, s.uptime, s.freshness} {
		if err := ask(src, groups); err != nil {
			return err
		}
	}
	return nil
}

// writable reports whether the group's labels can stand in an SLO file. A placeholder such as $x in
// a label value cannot; the service is named with that reason, and nothing is proposed for it.
func (s *suggester) writable(g group) bool {
	_, err := slo.ParseQuery(selectors.Metric("up", g.match()...))
	if err != nil {
		s.of(g).note("Its labels cannot be written in an SLO file: %v.", err)
	}
	return err == nil
}

// of returns the service of a group.
func (s *suggester) of(g group) *service {
	name := s.nameOf(g)
	v := s.services[name]
	if v == nil {
		described := &slo.Service{Name: name, Signals: &slo.Signals{From: g.entry.Name, Match: selectors.Metric("", g.match()...)}}
		v = &service{Proposal: Proposal{Service: described, Traps: g.entry.Traps}, group: g, counts: map[string]string{}}
		if known := s.Existing.Service(name); known != nil && known.Signals != nil {
			described.Signals = nil
			v.note("The golden signals of %s are described in %s already.", name, known.File)
		}
		s.services[name] = v
	}
	return v
}

// nameOf returns the name of a group's service. If the same source has another service of that
// name, say in another namespace, the other labels become part of it.
func (s *suggester) nameOf(g group) string {
	name := g.name()
	if v := s.services[name]; v != nil && v.group.entry == g.entry && !maps.Equal(v.group.values, g.values) {
		var parts []string
		for _, label := range g.labels {
			parts = append(parts, g.values[label])
		}
		slices.Reverse(parts)
		return cleanName(strings.Join(parts, "-"))
	}
	return name
}

func (v *service) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(v.Notes, text) {
		v.Notes = append(v.Notes, text)
	}
}

// taken says whether another source has counted the same kind of event for this service, and notes
// it.
func (v *service) taken(g group) bool {
	kind := g.entry.Counts
	if other, ok := v.counts[kind]; ok && other != g.entry.Name && kind != "" {
		v.note("%s counts requests of this service too; %s is used, so that one failure is not counted twice.", g.entry.Title, other)
		return true
	}
	v.counts[kind] = g.entry.Name
	return false
}

// add proposes an SLO, unless there is one already.
func (s *suggester) add(v *service, g group, metric string, one SLO) {
	taken := func(o SLO) bool { return o.Name == one.Name }
	if slices.ContainsFunc(v.SLOs, taken) {
		one.Name = cmp.Or(g.entry.Counts, g.entry.Name) + "-" + one.Name
	}
	if slices.ContainsFunc(v.SLOs, taken) {
		return
	}
	if other := s.covers(v.Service.Name, one.Name, metric, g); other != "" {
		v.note("%s exists already and covers %s; it is left alone.", other, metric)
		return
	}
	v.SLOs = append(v.SLOs, one)
}

// covers names an existing SLO that makes this promise already: it has the same name, or counts the
// same metric of the same service.
func (s *suggester) covers(service, name, metric string, g group) slo.ID {
	if spec := s.Existing.Lookup(slo.ID(service + "/" + name)); spec != nil {
		return spec.ID()
	}
	for _, spec := range s.Existing.Specs {
		for _, q := range spec.Queries() {
			if q.Bare() && baseName(q.Metric) == baseName(metric) && sameKind(spec, metric) && overlaps(q.Matchers, g.values) {
				return spec.ID()
			}
		}
	}
	return ""
}

func baseName(metric string) string {
	return strings.TrimSuffix(strings.TrimSuffix(metric, "_bucket"), "_count")
}

// sameKind tells an SLO of latency from one of errors on the same histogram.
func sameKind(spec *slo.Spec, metric string) bool {
	return (spec.SLI.Histogram != nil) == strings.HasSuffix(metric, "_bucket")
}

// overlaps reports whether matchers let the group's series through, as far as its labels tell.
func overlaps(matchers []*labels.Matcher, values map[string]string) bool {
	for _, m := range matchers {
		if v, ok := values[m.Name]; ok && !m.Matches(v) {
			return false
		}
	}
	return true
}

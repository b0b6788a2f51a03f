package suggest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
)

// The kinds of SLO that are proposed: good events, fast events, a gauge that is 1, an age that
// stays low.

// what describes good events in the words of their kind.
var what = map[string]struct{ name, good, fast string }{
	"http": {"availability", "Requests are answered without a server error.", "Requests are answered within %s."},
	"rpc":  {"availability", "Calls end without a failure of ours.", "Calls are answered within %s."},
	"jobs": {"success", "Jobs are done at the first attempt.", "Jobs are done within %s."},
	"":     {"errors", "Operations succeed.", "Operations are done within %s."},
}

// availability proposes SLOs of good events.
func (s *suggester) availability(src source, groups []group) error {
	if src.entry.Silent {
		for _, g := range groups {
			s.of(g).note("%s: no SLO is made of it; its saturation explains incidents of the services it carries.", src.entry.Title)
		}
		return nil
	}
	records, err := s.eventsHistory(src, groups)
	if err != nil {
		return err
	}
	for _, g := range groups {
		v := s.of(g)
		f := g.entry.Fill(g.match(), g.live)
		if f.Counts.Total == "" || v.taken(g) {
			continue
		}
		if f.Counts.Bad+f.Counts.Good == "" {
			v.note("No SLO of errors: %s.", f.Errors.Reason)
			continue
		}
		metric, _ := f.Counted(g.live)
		words := what[g.entry.Counts]
		one := newSLO(words.name, words.good, eventsOf(f.Counts))
		s.add(v, g, metric, s.decide(one, records[labelKey(g.values)], "", g))
	}
	return nil
}

// newSLO begins an SLO over the time that is looked back at.
func newSLO(name, description string, sli slo.Indicator) SLO {
	return SLO{Spec: &slo.Spec{Name: name, Description: description, Windows: []slo.Window{{Rolling: lookBack}}, SLI: sli}}
}

// eventsOf makes an indicator of good or bad events.
func eventsOf(c signals.Counts) slo.Indicator {
	total, part := c.Total, c.Good+c.Bad // one of them is empty
	if c.Raw && !namedLikeCounter(total) {
		total, part = increase(total), increase(part)
	}
	sli := slo.Indicator{Kind: slo.Events, Total: query(total)}
	if c.Good != "" {
		sli.Good = query(part)
	} else {
		sli.Bad = query(part)
	}
	return sli
}

// increase returns what a counter gained.
func increase(selector string) string {
	return "sum(increase(" + selector + "[" + slo.WindowVariable + "]))"
}

// query makes a query of text that was made of the catalogue and of the labels of a service, both
// of which were parsed before.
func query(text string) *slo.Query {
	q, err := slo.ParseQuery(text)
	if err != nil {
		return &slo.Query{Text: text} // [file.Load] says what is wrong with it
	}
	return q
}

// namedLikeCounter reports whether a metric's name tells that it is a counter. If not, it is
// written as an expression: a reader, and the lint, could take the bare selector for a gauge.
func namedLikeCounter(selector string) bool {
	name, _, _ := strings.Cut(selector, "{")
	return name == "" || strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_count")
}

// decide sets the objective of an SLO from history, or refuses it.
func (s *suggester) decide(one SLO, r record, most string, g group) SLO {
	t := r.aim(most)
	one.Objective, one.Refused = t.objective, t.refused
	for _, why := range t.why {
		one.explain("objective", "%s", why)
	}
	if t.refused == "" {
		one.setAlerts(g.entry.Quiet && one.Name == what[""].name, s.interval(g))
	}
	return one
}

// interval returns how often the metrics of a group are scraped, 0 if unknown.
func (s *suggester) interval(g group) time.Duration {
	f := g.entry.Fill(g.match(), g.live)
	if !f.Counts.Raw {
		return 0
	}
	every, err := s.client.ScrapeInterval(s.ctx, f.Counts.Total, s.at)
	if err != nil {
		return 0
	}
	return every
}

// latency proposes SLOs of fast events: one per class of request types.
func (s *suggester) latency(src source, groups []group) error {
	c := src.entry.Fill(nil, src.live).Counts
	if c.Histogram == "" || src.entry.Role != signals.ServiceRole {
		return nil
	}
	var found map[string][]types
	if !c.Native {
		var reason string
		var err error
		if found, reason, err = s.latencies(src); err != nil {
			return err
		}
		if reason != "" {
			for _, g := range groups {
				s.of(g).note("No SLO of latency: %s.", reason)
			}
			return nil
		}
	}
	results := make([][]SLO, len(groups))
	err := each(len(groups), func(i int) (err error) {
		results[i], err = s.latencyOf(groups[i], found[labelKey(groups[i].values)])
		return err
	})
	if err != nil {
		return err
	}
	for i, g := range groups {
		v := s.of(g)
		if v.taken(g) {
			continue
		}
		for _, one := range results[i] {
			s.add(v, g, c.Metric+"_bucket", one)
		}
		for _, t := range found[labelKey(g.values)] {
			v.class = append(v.class, t.class)
		}
	}
	return nil
}

// latencyOf returns the latency SLOs of one service.
func (s *suggester) latencyOf(g group, list []types) (out []SLO, err error) {
	c := g.entry.Fill(g.match(), g.live).Counts
	if c.Native {
		l, err := s.nativeLadder(g)
		if err != nil || len(l) == 0 {
			return nil, err
		}
		list = []types{{class: l.classOf(), ladder: l}}
	}
	for _, t := range list {
		one, err := s.bestBound(g, t, c)
		if err != nil {
			return nil, err
		}
		if t.values != nil {
			one.Name = "latency-" + strings.ReplaceAll(t.class, "_", "-")
			one.explain("", "These are the requests of class %s of the SRE workbook.", t.class)
		}
		out = append(out, one)
	}
	return out, nil
}

// bestBound takes the smallest bound that kept 99 % in the worst week, or the best of those that
// were tried.
func (s *suggester) bestBound(g group, t types, c signals.Counts) (best SLO, err error) {
	for i, b := range t.ladder.candidates() {
		var r record
		if c.Native {
			r, err = s.nativeHistory(g, b)
		} else {
			r, err = s.latencyHistory(g, t, b)
		}
		if err != nil {
			return best, err
		}
		one := newSLO("latency", fmt.Sprintf(what[g.entry.Counts].fast, spoken(b.bound)), latencyWithin(c, t, b))
		bound := ", a bound of its buckets"
		if c.Native {
			bound = ""
		}
		one.explain("sli.latency.below", "Yesterday %s of %s took at most %s%s.", figures.Known(b.share), t.describe(), spoken(b.bound), bound)
		if _, err := strconv.ParseFloat(one.SLI.LimitText, 64); err == nil {
			one.explain("sli.latency.below", "It is in the unit of the buckets.")
		}
		one = s.decide(one, r, "99.9", g)
		if i == 0 || best.Refused != "" && one.Refused == "" || one.Objective.Ratio() > best.Objective.Ratio() && one.Refused == "" {
			best = one
		}
		if best.Refused == "" && best.Objective.Ratio() >= 0.99 {
			break
		}
	}
	return best, nil
}

// latencyWithin makes an indicator of events that take no longer than a bound.
func latencyWithin(c signals.Counts, t types, b le) slo.Indicator {
	h := c.Histogram
	if t.values != nil {
		h = selectors.Metric(c.Metric, append(slices.Clip(c.Buckets), anyOf(t.label, t.values))...)
	}
	sli := slo.Indicator{Kind: slo.Latency, Histogram: query(h), Below: b.bound / c.Unit, LimitText: spoken(b.bound)}
	if _, named := signals.NamedUnit(c.Metric); c.Unit != 1 && !named || time.Duration(math.Round(b.bound*1e3))*time.Millisecond != seconds64(b.bound) {
		sli.LimitText = number(sli.Below)
	}
	return sli
}

func seconds64(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }

// spoken writes seconds the way people do: 300ms, 1s, 2500ms.
func spoken(s float64) string { return slo.ShortDuration(seconds64(s).Round(time.Microsecond)) }

// uptime proposes SLOs of gauges that are 1 or 0.
func (s *suggester) uptime(src source, groups []group) error {
	e := src.entry
	if e.Uptime == "" || !src.live.Has(e.Uptime) || e.Silent {
		return nil
	}
	results := make([]SLO, len(groups))
	err := each(len(groups), func(i int) error {
		g := groups[i]
		r, err := s.uptimeHistory(g)
		one := newSLO("uptime", "It can be reached.", slo.Indicator{Kind: slo.Uptime, Up: query(selectors.Metric(e.Uptime, g.match()...))})
		if len(e.Traffic) == 0 && g.day > 1 {
			one.explain("sli.uptime", "All %s series count alike; by: [instance] gives each a budget of its own.", figures.Value(g.day))
		}
		results[i] = s.decide(one, r, "", g)
		return err
	})
	if err != nil {
		return err
	}
	for i, g := range groups {
		s.add(s.of(g), g, e.Uptime, results[i])
	}
	return nil
}

// freshness proposes SLOs of ages.
func (s *suggester) freshness(src source, groups []group) error {
	for _, metric := range src.entry.Freshness {
		if !src.live.Has(metric) {
			continue
		}
		results := make([]SLO, len(groups))
		err := each(len(groups), func(i int) (err error) {
			g := groups[i]
			age := "max(" + selectors.Metric(metric, g.match()...) + ")"
			limit, r, err := s.late(age)
			if err != nil || len(r.buckets) == 0 {
				return err
			}
			sli := slo.Indicator{Kind: slo.Slices, Slice: query(age), GoodWhen: slo.Condition{Op: "<", Value: limit}}
			results[i] = s.decide(newSLO("freshness", "No work waits longer than "+spoken(limit)+".", sli), r, "", g)
			return nil
		})
		if err != nil {
			return err
		}
		for i, g := range groups {
			if results[i].Spec != nil {
				s.add(s.of(g), g, metric, results[i])
			}
		}
		return nil
	}
	return nil
}

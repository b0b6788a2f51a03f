package suggest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
)

// proposals finishes every service: its class, its saturation, the order of its SLOs.
func (s *suggester) proposals() ([]Proposal, error) {
	names := slices.Sorted(maps.Keys(s.services))
	out := make([]Proposal, len(names))
	err := each(len(names), func(i int) (err error) {
		v := s.services[names[i]]
		slices.Sort(v.class)
		if c := slices.Compact(v.class); len(c) == 1 { // all its requests are of one class
			v.Service.Tier = c[0]
		}
		if v.Service.Signals != nil {
			v.Service.Signals.Saturation, err = s.saturation(v)
		}
		out[i] = v.Proposal
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// saturation returns the measures with a limit that the runtimes know about the service and that
// have data now. Those of its own entry come with signals.from.
func (s *suggester) saturation(v *service) (out []slo.Saturation, err error) {
	for _, src := range s.all {
		if src.entry.Role != signals.RuntimeRole {
			continue
		}
		for _, match := range src.matches(v.group) {
			found, err := s.measures(src, match)
			if err != nil {
				return nil, err
			}
			if len(found) > 0 {
				out = append(out, found...)
				break
			}
		}
	}
	return out, nil
}

// matches returns the ways to find the service's series in a runtime source: its own labels, or a
// container of its name.
func (src source) matches(g group) [][]*labels.Matcher {
	out := [][]*labels.Matcher{g.match()}
	if src.entry.Attach != "" {
		out = append(out, equal(src.entry.Attach, g.values[first(g.labels)]))
	}
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// measured is the time over which a measure is looked at, as long as that of a snapshot.
const measured = 5 * time.Minute

// measures returns those of a source that have a limit and a value.
func (s *suggester) measures(src source, match []*labels.Matcher) (out []slo.Saturation, err error) {
	for _, p := range src.entry.Fill(match, src.live).Saturation {
		if p.Limit <= 0 {
			continue
		}
		q, err := slo.ParseQuery(p.Query)
		if err != nil {
			continue
		}
		list, err := s.vector(strings.ReplaceAll(p.Query, slo.WindowVariable, slo.ShortDuration(measured)))
		if err != nil {
			return nil, err
		}
		if len(list) == 1 && !math.IsNaN(list[0].Value) && !math.IsInf(list[0].Value, 0) {
			out = append(out, slo.Saturation{Name: p.Name, Query: q, Limit: p.Limit})
		}
	}
	return out, nil
}

// minScrapes is how many samples a short window needs to survive a missed scrape.
const minScrapes = 4

// setAlerts gives the SLO its alerts, and says why where the defaults do not fit: pairs that could
// never fire are left out, and short windows hold at least four scrapes.
func (one *SLO) setAlerts(quiet bool, scrape time.Duration) {
	defaults, never := slo.DefaultAlerts(one.Window(), one.Objective)
	dead := len(never.Page)+len(never.Ticket) > 0
	page, moved := widen(defaults.Page, scrape)
	ticket, movedToo := widen(defaults.Ticket, scrape)
	one.Alerts = defaults
	switch {
	case quiet:
		one.Alerts.Page = nil
		one.explain("alerts.page", "Failures are often the caller's: a ticket is enough.")
	case len(page) == 0:
		one.Alerts.Page = nil
		one.explain("alerts.page", "No outage burns fast enough to page.")
	case dead || moved:
		one.Alerts.Page = page
		one.explain("alerts.page", "%s", reason(dead, moved, scrape))
	}
	if dead || movedToo {
		one.Alerts.Ticket = ticket
		one.explain("alerts.ticket", "%s", reason(dead, movedToo, scrape))
	}
}

// reason says why the default alerts do not fit.
func reason(dead, widened bool, scrape time.Duration) string {
	never, short := "Without pairs that could never fire.", fmt.Sprintf("Scraped every %s, so short windows hold %s.", figures.Duration(scrape), figures.Plural(minScrapes, "scrape"))
	switch {
	case dead && widened:
		return never + " " + short
	case dead:
		return never
	}
	return short
}

func widen(list []slo.Pair, scrape time.Duration) (out []slo.Pair, changed bool) {
	for _, p := range list {
		if least := minScrapes * scrape; p.Short < least {
			p.Short, changed = (least+time.Minute-1)/time.Minute*time.Minute, true
		}
		if p.Short < p.Long {
			out = append(out, p)
		}
	}
	return out, changed
}

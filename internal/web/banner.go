package web

import (
	"cmp"
	"net/url"
	"slices"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// banner tells of an open incident, in the words of the page that was sent.
type banner struct {
	alerting.Incident
	Key, Kind string // its colour, and what kind it is
	Symptom   string
	Has       sentences.Text // who has it, and whether it is silenced
	Left      string         // of the budget, "" if that is not known
	For       string         // how long it has lasted
}

// shownBanners is how many open incidents a page begins with.
const shownBanners = 5

// openIncidents tells of incidents that are open.
type openIncidents struct{ *server }

// banners returns the open incidents that a filter lets through, the loudest and oldest first, and
// how many more there are. Those told in the thread of another, and those without data, are in the
// lists.
func (s openIncidents) banners(q url.Values) (all []banner, more string) {
	seen, wanted := s.Source.Snapshot(), s.narrow(q)
	var open []alerting.Incident
	for _, i := range seen.Open.All() {
		if i.Rule == alerting.RuleNoData || i.Group != "" || !wanted.shows("", i.SLO) {
			continue
		}
		open = append(open, i)
	}
	slices.SortStableFunc(open, func(a, b alerting.Incident) int {
		return cmp.Or(-cmp.Compare(loudness(a), loudness(b)), a.Onset.Compare(b.Onset))
	})
	if n := len(open) - shownBanners; n > 0 {
		open, more = open[:shownBanners], figures.Plural(n, "more open incident")
	}
	for _, i := range open {
		all = append(all, s.bannerOf(seen, i))
	}
	return all, more
}

func loudness(i alerting.Incident) int {
	return map[alerting.Severity]int{alerting.Page: 2, alerting.Ticket: 1}[i.Loud()]
}

// bannerOf tells of one incident.
func (s openIncidents) bannerOf(seen *engine.Snapshot, i alerting.Incident) banner {
	f := factsOf(seen, i, s.Now())
	b := banner{Incident: i, Key: stateKey(i), Kind: nameOf(i), Symptom: symptom(f), Has: f.Headline().Has(), For: figures.Duration(s.Now().Sub(i.Onset))}
	if of, ok := seen.Budget(i.SLO); ok && of.Windows[0].Sized && of.Windows[0].Sum.Total > 0 {
		b.Left = of.Windows[0].LeftText()
	}
	return b
}

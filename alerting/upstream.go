package alerting

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Upstream is a burn of something that an SLO depends on.
type Upstream struct {
	SLO      slo.ID
	Incident string
	Severity Severity
	Onset    time.Time
	Ended    time.Time // the end of its last bad minute; of an open one, so far
	Open     bool
}

// Upstreams picks, out of many incidents, the burns of what an SLO depends on (see
// slo.Set.Upstream) that overlap the time from its own onset to its end. They are in the order of
// on, then by onset.
func Upstreams(on []slo.ID, incidents []Incident, onset, end time.Time) []Upstream {
	var all []Upstream
	for _, i := range incidents {
		burns := i.Rule == RulePage || i.Rule == RuleTicket
		if !burns || !slices.Contains(on, i.SLO.Base()) || i.Onset.After(end) || !i.Open && i.Ended.Before(onset) {
			continue
		}
		all = append(all, Upstream{SLO: i.SLO, Incident: i.ID, Severity: i.Severity, Onset: i.Onset, Ended: i.Ended, Open: i.Open})
	}
	slices.SortFunc(all, func(a, b Upstream) int {
		return cmp.Or(cmp.Compare(slices.Index(on, a.SLO.Base()), slices.Index(on, b.SLO.Base())), a.Onset.Compare(b.Onset), cmp.Compare(a.Incident, b.Incident))
	})
	return all
}

// Step is what happened at one step of a journey over some time.
type Step struct {
	SLO  slo.ID
	Over time.Duration // up to the time it was asked for
	Sum  budget.Sum
}

package ranking

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
)

// Count is bad and all events, in thousandths.
type Count struct {
	Bad   int64 `json:"bad"`
	Total int64 `json:"total"`
}

// Breakdown is the events of an SLO by the values of one label: since the onset, and in a time
// before it.
type Breakdown struct {
	Label       string
	Now, Before map[string]Count
	Query       string // of Now
}

// Verdict is what can be said about where a burn is.
type Verdict string

// The verdicts.
const (
	StandsOut Verdict = "stands_out" // some label values got worse and others did not
	Spread    Verdict = "spread"     // it got worse, and nowhere more than elsewhere
	Moved     Verdict = "moved"      // nothing got worse: traffic moved to what was worse all along
	TooFew    Verdict = "too_few"    // there are not enough bad events to tell
	NoLabels  Verdict = "no_labels"  // its events carry nothing to compare by, or cannot be counted by it
	NotKnown  Verdict = "not_known"  // it could not be found out; Ranking.Reason says why
)

// Contributor is a label value with more bad events than its own past would have given it.
type Contributor struct {
	Label  string   `json:"label"`
	Value  string   `json:"value"`
	Also   []string `json:"also,omitempty"` // label="value" of others that are the very same events
	Now    Count    `json:"now"`            // since the onset
	Before Count    `json:"before"`         // in a time before it; zero if the value is new
	Excess int64    `json:"excess"`         // bad events beyond what its past gives, in thousandths
	Share  float64  `json:"share"`          // of the excess of all values, 0…1
	Sigmas float64  `json:"sigmas"`         // how many standard deviations the excess is from nothing
	Query  string   `json:"query"`
	// Fails are the events of the newest full minutes since the onset. With SoFar there was none,
	// and they are those of the minute in which it began. Zero where that is not known.
	Fails Count `json:"fails,omitzero"`
	SoFar bool  `json:"so_far,omitempty"`
}

// Ranking says which label values a burn is in.
type Ranking struct {
	Verdict      Verdict       `json:"verdict"`
	Reason       string        `json:"reason,omitempty"` // of NoLabels and NotKnown
	Now          Count         `json:"now"`              // of all events
	Before       Count         `json:"before"`
	Contributors []Contributor `json:"contributors,omitempty"` // of StandsOut: the surest first. Of Moved: where traffic went
	Looked       []string      `json:"looked,omitempty"`       // labels that were compared
	Skipped      []string      `json:"skipped,omitempty"`      // labels that were not, with the reason
}

const (
	// young is how many events a value must have had to have a past of its own; of one that was
	// hardly ever seen the average of all is expected.
	young = 20 * budget.Unit
	// sure is by how many standard deviations an excess is discounted before values are compared.
	// It makes a large and sure excess win over a larger one that may be noise, as that of a value
	// that always fails a lot.
	sure = 3
	// enough is how many bad events there must be for anything to be said, half of it for a single
	// value.
	enough = 10 * budget.Unit
	// leastShare of the excess is what a value must explain to be named.
	leastShare = 0.1
	// apart is how many times more than the others a value must have worsened to stand out from
	// them.
	apart = 2
	// maxContributors is how many are kept.
	maxContributors = 5
)

// Replicas are the labels that name one copy of a program. They are named only if most of it is in
// one copy.
var Replicas = []string{"instance", "pod", "pod_name", "host", "hostname", "node", "container_id", "server"}

// Rank compares every value with its own past. A value that always fails a lot is no news, so
// neither the most bad events nor the highest share of them counts, but the excess over what the
// value's own past would have given. allowed is the share of bad events that the objective allows,
// which stands in where there is no past.
func Rank(all []Breakdown, allowed float64) Ranking {
	r := Ranking{Verdict: Spread}
	var moved *Contributor
	for _, b := range all {
		r.Looked = append(r.Looked, b.Label)
		t := newTally(b, allowed)
		r.Now, r.Before = widest(r.Now, t.now), widest(r.Before, t.before)
		r.Contributors = append(r.Contributors, t.standOut()...)
		if m := t.moved(); m != nil && (moved == nil || m.Share > moved.Share) {
			moved = m
		}
	}
	switch {
	case len(all) == 0:
		r.Verdict, r.Reason = NoLabels, "no label tells its events apart"
		return r
	case r.Now.Bad < enough:
		r.Verdict, r.Contributors = TooFew, nil
		return r
	}
	r.Contributors = together(r.Contributors)
	switch {
	case len(r.Contributors) > 0:
		r.Verdict = StandsOut
	case moved != nil:
		r.Verdict, r.Contributors = Moved, []Contributor{*moved}
	}
	return r
}

// widest returns the count of the label that most series carry.
func widest(a, b Count) Count {
	if b.Total > a.Total {
		return b
	}
	return a
}

// tally is one label's values, compared.
type tally struct {
	Breakdown
	now, before Count
	usual       float64 // share of bad events before, of all values
	values      []Contributor
	excess      float64 // of all values together
	worse       float64 // of those that have any
}

func newTally(b Breakdown, allowed float64) *tally {
	t := &tally{Breakdown: b, usual: allowed}
	for _, c := range b.Now {
		t.now.Bad, t.now.Total = t.now.Bad+c.Bad, t.now.Total+c.Total
	}
	for _, c := range b.Before {
		t.before.Bad, t.before.Total = t.before.Bad+c.Bad, t.before.Total+c.Total
	}
	if t.before.Total > 0 {
		t.usual = ratio(t.before)
	}
	for _, v := range slices.Sorted(maps.Keys(b.Now)) {
		if b.Now[v].Total > 0 {
			c := t.compare(v)
			t.values = append(t.values, c)
			t.excess += float64(c.Excess)
			t.worse += max(float64(c.Excess), 0)
		}
	}
	return t
}

func ratio(c Count) float64 { return float64(c.Bad) / float64(max(c.Total, 1)) }

// past returns the share of bad events that is expected of a value, and of how many events that is
// known.
func (t *tally) past(before Count) (share, known float64) {
	switch {
	case t.before.Total == 0:
		return t.usual, 1e9 // not seen but promised
	case before.Total < young:
		return t.usual, float64(t.before.Total) / budget.Unit
	}
	known = float64(before.Total)/budget.Unit + 1 // one event of the average: never to have failed is not to be infallible
	return (float64(before.Bad)/budget.Unit + t.usual) / known, known
}

// compare measures a value against its past, by the difference of two proportions: the past is a
// sample as well, and the shorter it is against the present, the less it says.
func (t *tally) compare(value string) Contributor {
	c := Contributor{Label: t.Label, Value: value, Now: t.Now[value], Before: t.Before[value], Query: t.Query}
	p, known := t.past(c.Before)
	n, bad := float64(c.Now.Total)/budget.Unit, float64(c.Now.Bad)/budget.Unit
	c.Excess = int64(math.Round((bad - n*p) * budget.Unit))
	both := (bad + known*p) / (n + known) // as if nothing had changed
	variance := n * both * (1 - both) * (1 + n/known)
	c.Sigmas = (bad - n*p) / math.Sqrt(max(variance, 0)+1) // one more event is never a surprise
	return c
}

// score returns the part of the excess that is sure.
func (c Contributor) score() float64 {
	if c.Sigmas <= 0 {
		return math.Inf(-1)
	}
	return float64(c.Excess) * (1 - sure/c.Sigmas)
}

// standOut returns the values that got surely worse, and clearly more so than the others.
func (t *tally) standOut() (out []Contributor) {
	if len(t.values) < 2 {
		return nil // where there is one value, it explains everything and says nothing
	}
	least := leastShare
	if slices.Contains(Replicas, t.Label) {
		least = 0.5
	}
	for _, c := range t.values {
		c.Share = max(float64(c.Excess), 0) / max(t.worse, 1)
		if c.score() > 0 && c.Excess >= enough/2 && c.Share >= least {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Contributor) int { return cmp.Compare(b.rate(), a.rate()) })
	excess, total := t.excess, t.now.Total
	for i, c := range out {
		excess, total = excess-float64(c.Excess), total-c.Now.Total
		if total <= 0 || c.rate() < apart*excess/float64(total) {
			return out[:i] // the rest got worse like the others that remain
		}
	}
	return out
}

// rate returns how much worse the value got: excess bad events per event.
func (c Contributor) rate() float64 { return float64(c.Excess) / float64(c.Now.Total) }

// moved returns the value that traffic went to, if that explains most of the additional bad events:
// the sum over all values of (share of the traffic now − before) × share of bad events before.
func (t *tally) moved() *Contributor {
	all := float64(t.now.Bad) - float64(t.now.Total)*t.usual
	byMix := all - t.excess
	if t.before.Total == 0 || all <= float64(enough)/2 || byMix < all/2 {
		return nil
	}
	var most *Contributor
	gained := 0.0
	for i := range t.values {
		c := &t.values[i]
		expected, _ := t.past(c.Before)
		gain := (float64(c.Now.Total) - float64(c.Before.Total)*float64(t.now.Total)/float64(t.before.Total)) * (expected - t.usual)
		if gain > gained {
			most, gained = c, gain
		}
	}
	if most != nil {
		most.Share = min(byMix/all, 1)
	}
	return most
}

// together orders the values of all labels, the surest first, and joins those that are the very
// same events: a route and its handler.
func together(all []Contributor) (out []Contributor) {
	slices.SortStableFunc(all, func(a, b Contributor) int {
		return cmp.Or(cmp.Compare(b.score(), a.score()), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Value, b.Value))
	})
next:
	for _, c := range all {
		for i := range out {
			if out[i].Now == c.Now && out[i].Before == c.Before {
				out[i].Also = append(out[i].Also, c.Name())
				continue next
			}
		}
		if len(out) < maxContributors {
			out = append(out, c)
		}
	}
	return out
}

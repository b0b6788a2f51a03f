package alerting

import (
	"math"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Power is what the alerts of an SLO can and cannot catch at a given traffic. None of its figures
// is computed from a formula: each is what [Advance] did on a ledger made for the question, so it
// holds for the code that decides live, in slots of a minute and with the low-traffic test.
type Power struct {
	EventsPerMinute float64
	Page, Ticket    Reach // of all pairs of the tier together, as if there were no other tier
	Pairs           []PairReach
	// FalsePages is how many pages there were in FalseDays simulated days of a service that spends
	// half of its budget, with failures that have nothing to do with each other.
	FalsePages int
}

// PairReach is what one pair of windows would catch alone.
type PairReach struct {
	Severity Severity
	Pair     slo.Pair
	Burn     float64 // burn rate above which it fires
	Reach
}

// Reach is what a pair or a tier catches. Its zero value catches nothing.
//
// An outage here is total: every event is bad, after a time without errors. A decision looks only
// at the past, so the shortest outage that fires is as long as a lasting one takes to fire.
type Reach struct {
	Outage    time.Duration // the shortest outage that fires, in whole minutes; 0 if none does
	Gone      float64       // the share of the whole budget that is gone by then
	Reset     time.Duration // from the end of the shortest outage until it is resolved
	ResetLong time.Duration // the same after an outage of an hour, or of Outage if that is longer
	Ratio     float64       // the smallest constant error ratio that ever fires, to 0.3 % of itself; 0 if none does
}

// FalseDays is how long the simulation behind [Power.FalsePages] is: long enough for some failures
// at a few events an hour.
const FalseDays = 60

// The bounds of the traffic that is simulated. Above the upper one nothing changes any more.
const (
	leastTraffic = 1e-4
	mostTraffic  = 1e7
)

// stageStart is when every simulated burn begins: a whole hour, far from the begin of a month or
// quarter.
const stageStart = budget.Minute(1440 * 20_012)

// PowerOf says what the alerts of spec catch at so many events a minute. At less than one event a
// week it catches nothing, which the zero Reach says. It is a pure function; the simulation's seed
// is fixed.
func PowerOf(spec *slo.Spec, eventsPerMinute float64) Power {
	p := Power{EventsPerMinute: eventsPerMinute}
	if !(eventsPerMinute >= leastTraffic) {
		eventsPerMinute = 0
	}
	s := stage{spec: spec, rate: min(eventsPerMinute, mostTraffic)}
	p.Page = s.tier(Page, spec.Alerts.Page, &p.Pairs)
	p.Ticket = s.tier(Ticket, spec.Alerts.Ticket, &p.Pairs)
	if p.Page.Outage > 0 {
		p.FalsePages = s.falsePages()
	}
	return p
}

// stage plays burns to the alerts of an SLO.
type stage struct {
	spec *slo.Spec
	rate float64 // events a minute
}

// tier returns the reach of all pairs of a tier, and appends that of each pair alone to pairs.
func (s stage) tier(sev Severity, all []slo.Pair, pairs *[]PairReach) Reach {
	if len(all) == 0 {
		return Reach{}
	}
	smallest := 0.0
	for _, p := range all {
		only := s.only(sev, p)
		r := only.outages()
		r.Ratio = only.smallestRatio(p)
		*pairs = append(*pairs, PairReach{Severity: sev, Pair: p, Burn: p.Burn(s.spec.Window().Length()), Reach: r})
		if r.Ratio > 0 && (smallest == 0 || r.Ratio < smallest) {
			smallest = r.Ratio
		}
	}
	r := s.only(sev, all...).outages()
	r.Ratio = smallest // a tier fires when any of its pairs does
	return r
}

// only returns the stage for some pairs of one tier, without everything that is not about burning.
func (s stage) only(sev Severity, pairs ...slo.Pair) stage {
	spec := *s.spec
	spec.Alerts = slo.Alerts{Significance: s.spec.Alerts.Significance}
	if sev == Page {
		spec.Alerts.Page = pairs
	} else {
		spec.Alerts.Ticket = pairs
	}
	return stage{spec: &spec, rate: s.rate}
}

// outages returns the reach but for its ratio.
func (s stage) outages() (r Reach) {
	longest := Horizon(s.spec)
	opened := s.first(Opened, longest, longest)
	if opened == nil {
		return r
	}
	lasted := opened.At + 1 - stageStart
	r.Outage, r.Gone = asTime(lasted), opened.Budget.Spent()
	r.Reset = s.reset(lasted)
	r.ResetLong = s.reset(max(lasted, 60))
	return r
}

// reset returns how long after an outage of such a length the incident resolves.
func (s stage) reset(length budget.Minute) time.Duration {
	// When the last bad event has left the longest window, everything resolves.
	resolved := s.first(Resolved, length, length+Horizon(s.spec))
	if resolved == nil {
		return 0
	}
	return asTime(resolved.At + 1 - stageStart - length)
}

// ratioSteps halve the space of ratios often enough to know the smallest one to 0.3 % of itself.
const ratioSteps = 12

// smallestRatio searches the smallest error ratio at which the pair ever fires.
func (s stage) smallestRatio(p slo.Pair) float64 {
	if !s.everFires(1, p) {
		return 0
	}
	silent, fires := math.Log(s.spec.Objective.AllowedRatio()/100), 0.0
	for range ratioSteps {
		if middle := (silent + fires) / 2; s.everFires(math.Exp(middle), p) {
			fires = middle
		} else {
			silent = middle
		}
	}
	return math.Exp(fires)
}

// everFires reports whether a constant ratio fires. The long window takes in more of it all the
// time until it is full, so it is enough to look from then on, for as long as the short window is.
func (s stage) everFires(ratio float64, p slo.Pair) bool {
	long, short := budget.Minutes(p.Long), budget.Minutes(p.Short)
	l := &budget.Ledger{}
	s.put(l, stageStart, stageStart, stageStart+long+short, ratio)
	return slices.ContainsFunc(s.walk(l, stageStart+long), func(e Event) bool { return e.Kind == Opened })
}

// first returns the first event of a kind in a total outage of such a length, with a clean past as
// long as any alert looks back, and nothing wrong after it; nil if there is none within so many
// minutes. What comes after the event is not played.
func (s stage) first(kind Kind, length, within budget.Minute) *Event {
	l, past := &budget.Ledger{}, Horizon(s.spec)/60*60+60
	s.put(l, stageStart-past, stageStart-past, stageStart, 0)
	in, st, over := Input{ID: s.spec.ID(), Spec: s.spec, Ledger: l}, State{Through: stageStart}, stageStart+length
	for st.Through < stageStart+within {
		from, to := st.Through, min(st.Through+10, stageStart+within)
		s.put(l, stageStart, from, min(to, over), 1)
		s.put(l, over, max(from, over), to, 0)
		var events []Event
		st, events = Advance(in, st, to)
		if n := slices.IndexFunc(events, func(e Event) bool { return e.Kind == kind }); n >= 0 {
			return &events[n]
		}
	}
	return nil
}

// put writes [from, to) with whole events that are spread, from a minute on, as evenly as whole
// events can be.
func (s stage) put(l *budget.Ledger, begin, from, to budget.Minute, ratio float64) {
	by := func(m budget.Minute) (events, bads float64) {
		events = math.Floor(s.rate * float64(m-begin))
		return events, math.Floor(events*ratio + 1e-9)
	}
	events, bads := by(from)
	for m := from; m < to; m++ {
		e, b := by(m + 1)
		l.Put(m, budget.Count(int64(b-bads)*budget.Unit, int64(e-events)*budget.Unit))
		events, bads = e, b
	}
}

func (s stage) walk(l *budget.Ledger, from budget.Minute) []Event {
	_, events := Advance(Input{ID: s.spec.ID(), Spec: s.spec, Ledger: l}, State{Through: from}, l.End())
	return events
}

// falsePages counts the pages in FalseDays of unrelated failures at half of the budget's error
// ratio.
func (s stage) falsePages() (pages int) {
	rng := chance(2016)
	half := s.spec.Objective.AllowedRatio() / 2
	l := &budget.Ledger{}
	for m := stageStart; m < stageStart+FalseDays*1440; m++ {
		bad, good := rng.draw(s.rate*half), rng.draw(s.rate*(1-half))
		l.Put(m, budget.Count(bad*budget.Unit, (bad+good)*budget.Unit))
	}
	for _, e := range s.only(Page, s.spec.Alerts.Page...).walk(l, stageStart) {
		if e.Kind == Opened {
			pages++
		}
	}
	return pages
}

// chance is a sequence of numbers that look random and are the same each time: SplitMix64, by
// Steele, Lea and Flood.
type chance uint64

// next draws a number between 0 and 1.
func (c *chance) next() float64 {
	*c += 0x9e3779b97f4a7c15
	z := uint64(*c)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// normal draws a number of about the standard normal distribution: twelve of next less six.
func (c *chance) normal() float64 {
	sum := -6.0
	for range 12 {
		sum += c.next()
	}
	return sum
}

// draw draws a number of the Poisson distribution; of a large mean, by the normal distribution.
func (c *chance) draw(mean float64) int64 {
	if mean > 100 {
		return int64(math.Max(0, math.Round(mean+math.Sqrt(mean)*c.normal())))
	}
	n, limit := int64(0), math.Exp(-mean)
	for f := c.next(); f > limit; f *= c.next() {
		n++
	}
	return n
}

func asTime(m budget.Minute) time.Duration { return time.Duration(m) * time.Minute }

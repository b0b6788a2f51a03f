package shop

import (
	"slices"
	"strings"
	"time"
)

// Outage is a span of time in which part of a service's work fails.
type Outage struct {
	Service string   // "checkout", "payments", "partners", "orders-worker" or "web"
	Routes  []string // routes or gRPC methods hit, or a payment by which: "/pay card"; empty means all
	Start   time.Time
	Ramp    time.Duration // from no failures to Fraction, in a straight line
	Length  time.Duration // from Start to the end, the ramp included
	// Fraction is the share of work that fails once the ramp is over, 0…1: requests answered with
	// an error, probes that fail, jobs not taken up.
	Fraction float64
	// Version, if set, is what was deployed Lead before Start: pods are replaced then, and again at
	// the end, when the version before is rolled back.
	Version string
	Lead    time.Duration
}

// End returns when the outage is over.
func (o Outage) End() time.Time { return o.Start.Add(o.Length) }

// fraction returns the share of work on a route that fails at t.
func (o Outage) fraction(route string, t time.Time) float64 {
	if t.Before(o.Start) || !t.Before(o.End()) {
		return 0
	}
	path, _, _ := strings.Cut(route, " ")
	if len(o.Routes) > 0 && !slices.Contains(o.Routes, route) && !slices.Contains(o.Routes, path) {
		return 0
	}
	if since := t.Sub(o.Start); since < o.Ramp {
		return o.Fraction * float64(since) / float64(o.Ramp)
	}
	return o.Fraction
}

// Story returns the outage of the demo: checkout v2.4.1 is deployed, three minutes later, at start,
// payments by card begin to fail on every pod, six of ten requests to /pay, and it is rolled back
// after the given length.
func Story(start time.Time, length time.Duration) Outage {
	return Outage{
		Service: "checkout", Routes: []string{"/pay card"}, Version: "v2.4.1", Lead: 3 * time.Minute,
		Start: start, Ramp: time.Minute, Length: length, Fraction: 0.98,
	}
}

// Past returns the incidents in the history of a shop that goes live at the given time. The large
// one spends about 35 % of checkout's budget of 28 days at 99.9 %, whatever the weekday.
func Past(live time.Time) []Outage {
	day := func(ago, hour, minute int) time.Time {
		y, m, d := live.UTC().Date()
		return time.Date(y, m, d-ago, hour, minute, 0, 0, time.UTC)
	}
	large := Outage{Service: "checkout", Start: day(14, 10, 20), Ramp: 2 * time.Minute, Fraction: 0.3, Version: "v2.3.9"}
	large.Length = large.lengthFor(0.35, 0.001, live)
	return []Outage{
		large,
		{Service: "web", Start: day(20, 3, 40), Length: 12 * time.Minute, Fraction: 1},
		{Service: "orders-worker", Start: day(9, 14, 5), Length: 50 * time.Minute, Fraction: 0.9},
		{Service: "payments", Start: day(5, 16, 30), Ramp: time.Minute, Length: 9 * time.Minute, Fraction: 0.08},
	}
}

// lengthFor returns how long the outage must last to spend this share of the budget that `allowed`
// (1 − objective) leaves in the 28 days before live.
func (o Outage) lengthFor(share, allowed float64, live time.Time) time.Duration {
	var total float64
	for t := live.AddDate(0, 0, -28); t.Before(live); t = t.Add(time.Minute) {
		total += load(t)
	}
	o.Length = 24 * time.Hour
	var bad float64
	t := o.Start
	for ; bad < share*allowed*total && t.Before(o.End()); t = t.Add(time.Minute) {
		bad += load(t) * o.fraction("", t)
	}
	return t.Sub(o.Start)
}

// rollout is the moment a version reaches a service.
type rollout struct {
	at      time.Time
	version string
}

// failing returns the share of work on a route of a service that fails at t.
func (s *Shop) failing(service, route string, t time.Time) float64 {
	worst := 0.0
	for _, o := range s.outages {
		if o.Service == service {
			worst = max(worst, o.fraction(route, t))
		}
	}
	return worst
}

// deployed returns how many rollouts have reached a pod of the service by t, and the version the
// last of them brought.
func (s *Shop) deployed(service string, t time.Time) (generation int, version string) {
	for _, r := range s.rollouts[service] {
		if !r.at.After(t) {
			generation, version = generation+1, r.version
		}
	}
	return generation, version
}

// addRollouts puts the deployment and the roll-back of an outage into the service's list.
func (s *Shop) addRollouts(o Outage) {
	if o.Version == "" {
		return
	}
	_, before := s.deployed(o.Service, o.Start.Add(-o.Lead))
	s.rollout(o.Service, o.Start.Add(-o.Lead), o.Version)
	s.rollout(o.Service, o.End(), before)
}

func (s *Shop) rollout(service string, at time.Time, version string) {
	list := append(s.rollouts[service], rollout{at, version})
	slices.SortStableFunc(list, func(a, b rollout) int { return a.at.Compare(b.at) })
	s.rollouts[service] = list
}

package shop

import (
	"slices"
	"time"
)

// StockCount is how long the nightly stock count of [Week] keeps the orders worker from its queue.
const StockCount = 34 * time.Minute

// Week returns what goes wrong in the seven days before a Monday, for the demo to stage before the
// shop's history is written. It is made for three decisions, beside the small incident of [Past] on
// the Wednesday:
//
//   - On Thursday afternoon payments v1.9.0 fails a quarter of its calls until it is rolled back:
//     the large outage.
//   - In the nights of the working days a new stock count holds the queue of the orders worker. No
//     night is much by itself; together they take what is left of its budget.
//   - Nothing at all happens to the latency of payments: it promises so little that nothing could.
func Week(monday time.Time) []Outage {
	at := func(days, hour, minute int) time.Time {
		return monday.UTC().AddDate(0, 0, days).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	all := []Outage{{
		Service: "payments", Version: "v1.9.0", Lead: 3 * time.Minute,
		Start: at(-4, 14, 12), Ramp: time.Minute, Length: 26 * time.Minute, Fraction: 0.22,
	}}
	for night := -6; night <= -2; night++ {
		all = append(all, Outage{Service: "orders-worker", Start: at(night, 2, 0), Length: StockCount, Fraction: 1})
	}
	return all
}

// Release is a version that reached a service.
type Release struct {
	Service string
	At      time.Time
	Version string
	Back    bool // it had run before: a roll-back
}

// Releases lists the releases of all services that are planned from a time on, in order.
func (s *Shop) Releases(from time.Time) []Release {
	var all []Release
	for _, svc := range services {
		seen := map[string]bool{}
		for _, r := range s.rollouts[svc.name] {
			if !r.at.Before(from) {
				all = append(all, Release{Service: svc.name, At: r.at, Version: r.version, Back: seen[r.version]})
			}
			seen[r.version] = true
		}
	}
	slices.SortStableFunc(all, func(a, b Release) int { return a.At.Compare(b.At) })
	return all
}

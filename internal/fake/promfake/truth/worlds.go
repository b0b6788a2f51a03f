package truth

import (
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// Kinds are the worlds that [Of] makes, each with trouble of one kind.
var Kinds = []string{
	"plain", "deploys", "churn", "restarts", "often restarted", "missed scrapes",
	"server down", "server down, restarts", "crash loop", "label added", "port changed", "found late",
}

// Ordinary is a world as there are many: a pod crashes every five days and is replaced every three.
const Ordinary = "ordinary"

// Tiers are the amounts of traffic that [Of] makes.
var Tiers = []Tier{{"high", 300, 0.0005}, {"medium", 8, 0.001}, {"low", 100. / 3600, 0.01}, {"verylow", 8. / 3600, 0.02}}

// Tier is an amount of traffic.
type Tier struct {
	Name      string
	PerSecond float64
	BadShare  float64
}

var name = strings.NewReplacer(", ", "-", " ", "-")

// Of returns a world of one service of four pods whose error series are born late, with trouble of
// one kind, one of [Kinds] or [Ordinary], beside two incidents. The length should be two days or
// more.
func Of(kind string, tier Tier, seed uint64, start time.Time, length, interval time.Duration) Options {
	at := func(share float64) time.Time {
		return start.Add(time.Duration(share * float64(length))).Truncate(time.Minute).Add(23 * time.Second)
	}
	span := func(share float64, d time.Duration) Span { return Span{at(share), at(share).Add(d)} }
	s := Service{
		Name: name.Replace(kind) + "-" + tier.Name, Pods: 4, PerSecond: tier.PerSecond, BadShare: tier.BadShare, Lazy: true, Missed: 0.0005,
		Incidents: []Incident{{span(0.1, 40*time.Minute), 0.3}, {span(0.61, 20*time.Minute), 0.5}},
	}
	o := Options{Seed: seed, Start: start, Length: length, Interval: interval}
	down := Span{at(0.61).Add(-3 * time.Minute), at(0.61).Add(22 * time.Minute)}
	switch kind {
	case Ordinary:
		s.Restarts, s.Churn, s.Missed = 5*24*time.Hour, 3*24*time.Hour, 0.002
	case "deploys":
		for day := 7 * time.Hour; day < length; day += 11 * time.Hour {
			s.Deploys = append(s.Deploys, start.Add(day))
		}
	case "churn":
		s.Churn = 9 * time.Hour
	case "restarts":
		s.Restarts = 8 * time.Hour
	case "often restarted":
		s.Restarts = 90 * time.Minute
	case "missed scrapes":
		s.Missed = 0.03
	case "server down":
		o.Down = []Span{down}
	case "server down, restarts":
		o.Down = []Span{down, span(0.33, 3*time.Hour)}
		s.Restarts = 5 * time.Hour
	case "crash loop":
		s.Loop = span(0.45, 3*time.Hour)
	case "label added":
		s.Relabel = at(0.4)
	case "port changed":
		s.Port = at(0.4)
	case "found late":
		s.Found = at(0.05)
	}
	o.Services = []Service{s}
	return o
}

// All plays a world of every kind at every tier, and returns their services, kind by kind.
func All(db *promfake.DB, start time.Time, length, interval time.Duration) (all []*Truth, err error) {
	for i, kind := range Kinds {
		for k, tier := range Tiers {
			w, err := Generate(db, Of(kind, tier, uint64(100*i+k), start, length, interval))
			if err != nil {
				return nil, err
			}
			all = append(all, w.Services...)
		}
	}
	return all, nil
}

// Package truth generates counters whose true event counts are known.
//
// To say how exactly a ledger counts, one must know what really happened. This package plays a
// world of services minute by minute: requests arrive, some fail, pods crash and are replaced,
// scrapes are missed, Prometheus itself is down for a while. It writes what Prometheus would have
// scraped into a promfake.DB and keeps beside it, per service and minute, what happened and what no
// reader of the samples can ever know.
//
//	world, err := truth.Generate(db, truth.Standard(1, start, 24*time.Hour, 30*time.Second))
//	world.Service("high").Sum(from, to) // the events of these minutes
//
// # What is unseen
//
// A counter reports at its next scrape whatever happened before. Two things never come out: events
// between the last scrape of a process and its death, and events behind a reset that does not show,
// because the counter, and that of the pod's good events, had grown past its old value again by the
// next scrape. Both are counted as unseen, in the minute in which they happened; so is what a pod
// had counted before it was found. Missed scrapes and a Prometheus that was down hide nothing for
// good.
//
// # The series
//
// Every service has http_requests_total{job, instance, code} with code 200 and 500, and up{job,
// instance}. A target is scraped at its own offset. A failed scrape writes up 0 and ends the series
// with stale markers, as Prometheus does; a pod that is gone gets the markers at the next scrape
// that would have been; while Prometheus is down nothing is written at all.
package truth

import (
	"fmt"
	"math"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// Options describes a world. Start must be a whole minute.
type Options struct {
	Seed     uint64
	Start    time.Time
	Length   time.Duration
	Interval time.Duration // between two scrapes of a target; usually 15, 30 or 60 s
	Services []Service
	Down     []Span // Prometheus does not run
}

// Service is a group of identical pods.
type Service struct {
	Name      string        // the job label
	Pods      int           // replicas; 0 means 1
	PerSecond float64       // requests per second of the whole service, on average over a day
	BadShare  float64       // of requests that fail on a good day, 0…1
	Restarts  time.Duration // mean time between crashes of a pod; 0 = never
	Churn     time.Duration // mean time until a pod is replaced by one of another name; 0 = never
	Missed    float64       // share of scrapes that fail, 0…1
	Lazy      bool          // the first failure creates the 500 series
	Incidents []Incident

	Deploys []time.Time // when all pods are replaced, one after another
	Loop    Span        // in which every pod crashes after four minutes, on average
	Found   time.Time   // since when the first pods are scraped; they run from the start
	Relabel time.Time   // when every series gets one more label
	Port    time.Time   // when every target gets another port
}

// Incident raises the share of failures for a while.
type Incident struct {
	Span
	Share float64 // of requests that fail, on top of BadShare, 0…1
}

// Span is a stretch of time, the end excluded.
type Span struct{ From, To time.Time }

// contains reports whether ms (milliseconds since 1970) lies in the span.
func (s Span) contains(ms int64) bool { return ms >= s.From.UnixMilli() && ms < s.To.UnixMilli() }

// Count is a number of events, and how many of them no sample can show.
type Count struct {
	Good, Bad             int64
	UnseenGood, UnseenBad int64 // part of Good and Bad
}

// Total returns all events, good and bad.
func (c Count) Total() int64 { return c.Good + c.Bad }

// Seen returns what an ideal reader of the samples would count.
func (c Count) Seen() Count {
	return Count{Good: c.Good - c.UnseenGood, Bad: c.Bad - c.UnseenBad}
}

func (c Count) plus(d Count) Count {
	return Count{c.Good + d.Good, c.Bad + d.Bad, c.UnseenGood + d.UnseenGood, c.UnseenBad + d.UnseenBad}
}

// Truth is what really happened to one service.
type Truth struct {
	Service Service
	Start   time.Time
	Minutes []Count // Minutes[i] begins i minutes after Start
	ShownBy []Count // by the minute of the sample that shows them first
}

// Shown adds up what the samples of the minutes that begin in [from, to) show for the first time,
// wherever it happened: what an ideal reader books in them. A sample on the boundary of two minutes
// belongs to the earlier.
func (t *Truth) Shown(from, to time.Time) Count { return t.sum(t.ShownBy, from, to) }

// Sum adds up the minutes that begin in [from, to).
func (t *Truth) Sum(from, to time.Time) Count { return t.sum(t.Minutes, from, to) }

func (t *Truth) sum(minutes []Count, from, to time.Time) Count {
	var sum Count
	for i, m := range minutes {
		if at := t.Start.Add(time.Duration(i) * time.Minute); !at.Before(from) && at.Before(to) {
			sum = sum.plus(m)
		}
	}
	return sum
}

// World is the outcome of [Generate], in the order of Options.Services.
type World struct {
	Options  Options
	Services []*Truth
}

// Service returns the truth about a service by name, or nil.
func (w *World) Service(name string) *Truth {
	for _, t := range w.Services {
		if t.Service.Name == name {
			return t
		}
	}
	return nil
}

// Generate plays the world and writes what was scraped into db. The same options yield the same
// samples and the same truth.
func Generate(db *promfake.DB, o Options) (*World, error) {
	if !o.Start.Equal(o.Start.Truncate(time.Minute)) {
		return nil, fmt.Errorf("truth: start %s is not a whole minute", o.Start)
	}
	if o.Interval < time.Second || o.Length < time.Minute {
		return nil, fmt.Errorf("truth: interval %s and length %s are too short", o.Interval, o.Length)
	}
	w := &World{Options: o}
	for _, svc := range o.Services {
		t := &Truth{Service: svc, Start: o.Start, Minutes: make([]Count, (o.Length+time.Minute-1)/time.Minute)}
		t.ShownBy = make([]Count, len(t.Minutes))
		w.Services = append(w.Services, t)
		for slot := range max(svc.Pods, 1) {
			newPlayer(db, o, t, slot).play()
		}
	}
	return w, nil
}

// Standard returns a world with everything that makes counting hard: four tiers of traffic named
// high (2,000 requests a second), medium (20), low (180 an hour) and verylow (6 an hour), restarts,
// churn, missed scrapes, late-born error series, one incident in the open and one while Prometheus
// was down for twenty minutes. The length should be six hours or more.
func Standard(seed uint64, start time.Time, length, interval time.Duration) Options {
	at := func(share float64, d time.Duration) Span {
		from := start.Add(time.Duration(share * float64(length))).Truncate(time.Minute)
		return Span{from, from.Add(d)}
	}
	down := at(0.6, 20*time.Minute)
	o := Options{Seed: seed, Start: start, Length: length, Interval: interval, Down: []Span{down}}
	for _, tier := range []struct {
		name      string
		perSecond float64
		bad       float64
	}{{"high", 2000, 0.0003}, {"medium", 20, 0.0005}, {"low", 0.05, 0.003}, {"verylow", 6.0 / 3600, 0.01}} {
		o.Services = append(o.Services, Service{
			Name: tier.name, Pods: 4, PerSecond: tier.perSecond, BadShare: tier.bad,
			Restarts: 5 * 24 * time.Hour, Churn: 3 * 24 * time.Hour, Missed: 0.002, Lazy: true,
			Incidents: []Incident{
				{Span: at(0.3, 25*time.Minute), Share: 0.2},
				{Span: Span{down.From.Add(4 * time.Minute), down.To.Add(-4 * time.Minute)}, Share: 0.5},
			},
		})
	}
	return o
}

// rate returns the requests per second of the service at ms: a calm day's curve.
func (s Service) rate(ms int64) float64 {
	hour := float64(ms%(24*3600*1000)) / (3600 * 1000)
	return s.PerSecond * (1 + 0.5*math.Sin(2*math.Pi*(hour-9)/24))
}

// badShare returns the share of requests that fail at ms.
func (s Service) badShare(ms int64) float64 {
	share := s.BadShare
	for _, i := range s.Incidents {
		if i.contains(ms) {
			share += i.Share
		}
	}
	return math.Min(share, 1)
}

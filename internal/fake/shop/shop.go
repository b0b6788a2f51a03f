package shop

import (
	"fmt"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

const (
	// Interval is the time between two scrapes of a target.
	Interval = 30 * time.Second

	// History is how far the data reach back from the moment the shop goes live.
	History = 31 * 24 * time.Hour
)

// Shop generates the metrics of the shop. It is not safe for concurrent use; the DB it writes to
// is.
type Shop struct {
	db       *promfake.DB
	seed     uint64
	live     time.Time
	filled   time.Time // everything due until here is in the DB
	outages  []Outage
	rollouts map[string][]rollout // by service, in order
	targets  []*target
}

// New returns a shop that goes live at the given time and has existed for [History] before. It
// writes nothing yet: Fill(live) writes the history. The same seed and time yield the same samples.
func New(seed uint64, db *promfake.DB, live time.Time) *Shop {
	return NewWithHistory(seed, db, live, History)
}

// NewWithHistory returns New with a history of another length, for tests that need the shop but not
// its past.
func NewWithHistory(seed uint64, db *promfake.DB, live time.Time, history time.Duration) *Shop {
	s := &Shop{db: db, seed: seed, live: live.UTC(), rollouts: map[string][]rollout{}}
	begin := s.live.Add(-history).Truncate(Interval)
	s.filled = begin.Add(-1)
	for _, svc := range services {
		s.scheduleReleases(svc, begin)
		for replica := range svc.replicas {
			s.targets = append(s.targets, newTarget(s, svc, replica, begin))
		}
	}
	for _, o := range Past(s.live) {
		if o.Start.After(begin) {
			s.outages = append(s.outages, o)
			s.addRollouts(o)
		}
	}
	describe(db)
	return s
}

// scheduleReleases plans a regular deployment of a service every week of its history, so that pods
// are replaced now and then without any trouble.
func (s *Shop) scheduleReleases(svc service, begin time.Time) {
	s.rollout(svc.name, begin.Add(-time.Hour), svc.version+".0")
	patch := 1
	for t := begin.Add(3*24*time.Hour + 9*time.Hour); t.Before(s.live.Add(-24 * time.Hour)); t = t.AddDate(0, 0, 7) {
		s.rollout(svc.name, t, fmt.Sprintf("%s.%d", svc.version, patch))
		patch++
	}
}

// Live returns the moment the shop goes live, as given to [New].
func (s *Shop) Live() time.Time { return s.live }

// Outages returns everything that goes wrong in this shop, past and staged.
func (s *Shop) Outages() []Outage { return append([]Outage(nil), s.outages...) }

// Stage plans an outage. It must lie in time that has not been filled yet.
func (s *Shop) Stage(o Outage) error {
	if !o.Start.Add(-o.Lead).After(s.filled) {
		return fmt.Errorf("shop: an outage at %s cannot be staged, time is filled until %s", o.Start.UTC(), s.filled.UTC())
	}
	s.outages = append(s.outages, o)
	s.addRollouts(o)
	return nil
}

// Fill appends every sample that is due until to, inclusive. Going backwards does nothing. How the
// time is cut into calls makes no difference.
func (s *Shop) Fill(to time.Time) {
	var wg sync.WaitGroup
	for _, t := range s.targets {
		// Targets share nothing but the DB, so a long span is worth a goroutine each; the samples
		// are the same either way.
		if to.Sub(s.filled) > time.Hour {
			wg.Go(func() { t.scrapeUntil(to) })
		} else {
			t.scrapeUntil(to)
		}
	}
	wg.Wait()
	if to.After(s.filled) {
		s.filled = to
	}
}

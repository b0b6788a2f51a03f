package engine_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// standby is a second process on the store of a world.
type standby struct {
	*engine.Engine
	w        *world
	follower *store.Follower
	reader   *prom.Reader
}

func (w *world) standBy() *standby {
	w.t.Helper()
	s := &standby{w: w, reader: prom.New(w.client, prom.Options{})}
	var snap store.Snapshot
	var err error
	if s.follower, snap, err = w.store.Follow(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	options := w.engine.Options
	options.Source = s.reader
	s.Engine = engine.NewStandby(options, w.set, snap)
	return s
}

// follow looks what was decided since, and compares it with what the leader shows.
func (s *standby) follow() {
	s.w.t.Helper()
	news, err := s.follower.Next(s.w.t.Context())
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.Follow(news)
	got, want := s.Snapshot(), s.w.engine.Snapshot()
	if !got.Standby || want.Standby || !got.Last.At.Equal(want.Last.At) {
		s.w.t.Errorf("standing by %v as of %s, the leader %v as of %s", got.Standby, got.Last.At, want.Standby, want.Last.At)
	}
	if diff := cmp.Diff(want.Open.All(), got.Open.All()); diff != "" {
		s.w.t.Errorf("what is open (-leader +standby):\n%s", diff)
	}
	if len(got.Budgets) != len(want.Budgets) {
		s.w.t.Fatalf("%d budgets, of %d", len(got.Budgets), len(want.Budgets))
	}
	for n, b := range got.Budgets {
		if diff := cmp.Diff(want.Budgets[n].Windows, b.Windows); diff != "" || !b.AsOf.Equal(want.Budgets[n].AsOf) {
			s.w.t.Errorf("%s as of %s, the leader as of %s (-leader +standby):\n%s", b.ID, b.AsOf, want.Budgets[n].AsOf, diff)
		}
	}
}

// lead makes the second process the only one.
func (s *standby) lead() {
	s.w.t.Helper()
	marks, err := s.w.store.Marks(s.w.t.Context())
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.w.reader.Close()
	s.reader.Restore(marks)
	s.Lead(marks)
	s.w.engine, s.w.reader = s.Engine, s.reader
}

// lookedInto counts how often evidence is gathered.
func (w *world) lookedInto() *int {
	n := new(int)
	w.point = func(name string) error {
		if name == "evidence" {
			*n++
		}
		return nil
	}
	return n
}

// TestAStandbyShowsWhatTheLeaderDecidesAndGoesOnFromThere: whenever the lead changes within an
// outage, the same is decided and told, each once.
func TestAStandbyShowsWhatTheLeaderDecidesAndGoesOnFromThere(t *testing.T) {
	smooth := story(t)
	asked := smooth.lookedInto()
	smooth.steps(storyLength)
	want := smooth.told()
	for at := 1; at < storyLength; at += 2 {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			w := story(t)
			again := w.lookedInto()
			s := w.standBy()
			for range at {
				w.steps(1)
				s.follow()
			}
			s.lead()
			w.steps(storyLength - at)
			if diff := cmp.Diff(want, w.told()); diff != "" {
				t.Errorf("(-one leader +two)\n%s", diff)
			}
			if *again != *asked {
				t.Errorf("incidents were looked into %d times, by one leader %d times", *again, *asked)
			}
		})
	}
}

// TestAStandbyTakesNothingAndReloads: whoever leads takes acts; files are read by everybody.
func TestAStandbyTakesNothingAndReloads(t *testing.T) {
	w := story(t)
	w.steps(1)
	s := w.standBy()
	if err := s.Do(t.Context(), alerting.Act{Key: "x", Kind: alerting.Override, By: "jo", Service: "shop", Text: "now"}, w.now()); err == nil {
		t.Error("a standby took an act")
	}
	if err := s.Reload(t.Context(), engine.Terms{Set: w.set}, w.now()); err != nil {
		t.Error(err)
	}
	s.follow()
}

package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// lateAfter is after how many intervals without a tick slowburn is no longer healthy.
const lateAfter = 5

// health says in a sentence how the evaluation does, and whether that is good. It is judged by the
// progress of the evaluation itself: a process that answers and no longer evaluates is dead.
func (s *server) health() (bool, string) {
	last, now := s.Source.Snapshot().Last, s.Now()
	seen := last.At
	if seen.IsZero() {
		seen = s.began
	}
	age := now.Sub(seen)
	switch {
	case s.Source.Snapshot().Standby:
		words := "Standing by: " + s.WaitsFor() + ". What is shown is " + figures.Duration(max(age, 0)) + " old."
		if !s.canPage() { // as whoever leads has told
			words += " " + s.deafWords()
		}
		return age <= lateAfter*s.Interval && s.canPage(), words
	case age > lateAfter*s.Interval && last.At.IsZero():
		return false, fmt.Sprintf("Nothing has been evaluated since the start %s ago.", figures.Duration(age))
	case age > lateAfter*s.Interval:
		return false, fmt.Sprintf("The last evaluation was %s ago; there should be one every %s.", figures.Duration(age), figures.Duration(s.Interval))
	case !s.canPage():
		return false, s.deafWords()
	case last.StoreErr != nil:
		return false, "The store takes nothing: " + last.StoreErr.Error() + ". What is decided stands in memory."
	case s.decidedFar() > s.decidedWithin():
		return false, "Ticks are made and nothing is decided: the newest minute of any SLO is " + figures.Duration(s.decidedFar()) + " away from the newest tick. Is the clock of the source right?"
	case s.Audit() != nil && !s.Audit().Whole:
		return true, "Evaluating, but " + sentences.LogChanged + ": " + s.Audit().Faults[0].Text
	case last.At.IsZero():
		return true, "Slowburn has started and evaluates for the first time."
	case len(last.Failures) > 0:
		return true, "Evaluating, but not everything could be read: " + last.Failures[0]
	}
	return true, "Evaluating; the last time " + figures.Duration(max(age, 0)) + " ago."
}

// canPage reports whether no destination of pages is down.
func (s *server) canPage() bool { return s.Paging().OK }

// deafWords says which destination of pages is down, since when and why.
func (s *server) deafWords() string {
	var words string
	more := 0
	for _, w := range s.Paging().Destinations {
		if w.State != api.DestinationDown || !slices.Contains(w.Severities, "page") {
			continue
		}
		if words != "" {
			more++
			continue
		}
		words = sentences.Deaf{}.State() + " at " + w.Name() + " since " + figures.UTC(*w.Since) + ": " + w.Reason + ". It concerns " + figures.Plural(len(w.Services), "service") + "."
	}
	if more > 0 {
		words += " Nor do they at " + figures.Plural(more, "other place") + "."
	}
	return words
}

// decidedWithin returns how far the newest minute of any SLO may be from now while reading works:
// as long as samples are waited for, and a quarter of an hour. The alert SlowburnDecidesNothing
// goes by it, too.
func (s *server) decidedWithin() time.Duration {
	const margin = 15 * time.Minute
	most := time.Duration(0)
	for _, spec := range s.Source.Snapshot().Set.Specs {
		most = max(most, cmp.Or(spec.MaxLateness, s.MaxLateness, prom.DefaultMaxLateness))
	}
	return most + s.Lag + margin
}

// decidedFar returns how far from the newest tick, behind it or ahead of it, the newest minute is
// that was decided for any SLO. It is 0 while something else is known to be wrong, or nothing was
// read yet.
func (s *server) decidedFar() time.Duration {
	seen := s.Source.Snapshot()
	newest := time.Time{}
	for n := range seen.Budgets {
		if at := seen.Budgets[n].AsOf; at.After(newest) {
			newest = at
		}
	}
	if newest.IsZero() || seen.Last.Through.IsZero() || len(seen.Last.Failures) > 0 {
		return 0
	}
	return seen.Last.Through.Sub(newest).Abs()
}

func (s *server) healthy(w http.ResponseWriter, _ *http.Request) {
	ok, sentence := s.health()
	tell(w, ok, sentence)
}

// ready reports whether pages are served and acts are taken, which they are from the first tick on,
// whatever else is wrong. It is for probes: none of them makes anything better by restarting
// slowburn or by keeping people from it while Prometheus, Slack or the disk does not work.
func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.Source.Snapshot().Last.At.IsZero() {
		tell(w, false, "Not ready: nothing has been evaluated yet.")
		return
	}
	tell(w, true, "Ready.")
}

func tell(w http.ResponseWriter, ok bool, sentence string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintln(w, sentence)
}

// reload reads the configuration again. Requests that a browser sends for another site never get
// here.
func (s *server) reload(w http.ResponseWriter, r *http.Request) {
	c, known := s.callerOf(r, "")
	err := c.may(MayChange)
	if !known {
		err = errForbidden
	}
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, problemOf(err).text, http.StatusForbidden)
		return
	}
	if s.Reload == nil {
		http.Error(w, "There is no configuration to reload.", http.StatusNotImplemented)
		return
	}
	if err := s.Reload(r.Context(), c.who()); err != nil {
		http.Error(w, "Nothing was changed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	sentence := "Reloaded"
	if keys := s.Reloaded().Waiting; len(keys) > 0 {
		sentence += "; " + waitingFor(keys)
	}
	tell(w, true, sentence+".")
}

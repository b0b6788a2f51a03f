package engine

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// outage is the engine's memory of a stretch in which reading fails. It is kept as facts, so that a
// restart in the middle neither repeats the notice nor forgets the recovery.
type outage struct {
	since time.Time // zero while everything is read
	told  bool      // the notice about it is owed already
}

// tellSourceAfter is how long reading may fail before people hear of it. Meanwhile nothing fires
// and nothing is resolved.
const tellSourceAfter = 5 * time.Minute

// subject is what may be out: the source as a whole, or single SLOs that it answers uselessly.
type subject struct {
	name       string
	down, back NoticeKind
	about      func(prom.Failure) bool
}

var subjects = []subject{
	{"source", SourceDown, SourceBack, func(f prom.Failure) bool { return !unusable(f) }},
	{"slos", SLOsBlind, SLOsSee, unusable},
}

// unusable tells an SLO that cannot be computed from what Prometheus has from a Prometheus that
// does not answer.
func unusable(f prom.Failure) bool {
	var err *prom.Error
	return errors.As(f.Err, &err) && err.Kind == prom.Unusable
}

func (s subject) factSince() string { return "outage/" + s.name + "/since" }
func (s subject) factTold() string  { return "outage/" + s.name + "/told" }

func outagesFrom(facts map[string]string) map[string]outage {
	all := map[string]outage{}
	for _, s := range subjects {
		if since, err := time.Parse(time.RFC3339, facts[s.factSince()]); err == nil {
			all[s.name] = outage{since: since, told: facts[s.factTold()] != ""}
		}
	}
	return all
}

// watchSource owes one notice when reading has failed for a while, and one when it works again.
func (e *Engine) watchSource(batch *prom.Batch, now time.Time, tick *store.Tick, sum *Summary) {
	for _, f := range batch.Failures {
		sum.Failures = append(sum.Failures, f.Err.Error())
		if f.Err.Stack != nil {
			e.stops.total++
			e.Log.Error("panic while reading; the other bundles go on", "bundle", f.Bundle, "err", f.Err, "stack", string(f.Err.Stack))
		}
		for _, id := range f.SLOs {
			for _, a := range e.budgets.bySLO[id] {
				a.failed = f.Err
			}
		}
	}
	e.budgets.failJourneys()
	for _, s := range subjects {
		o, notice := s.watch(e.outages[s.name], batch.Failures, now)
		e.outages[s.name] = o
		if notice.Kind != "" {
			entries := e.Composer.Notice(notice)
			sum.Owed += len(entries)
			tick.Owed = append(tick.Owed, entries...)
		}
		for name, value := range s.facts(o) {
			if e.facts[name] != value {
				tick.Facts[name] = value
			}
		}
	}
}

// tellCapped owes one notice for each SLO that has more combinations of its labels than are
// followed, and no second one after a restart.
func (e *Engine) tellCapped(batch *prom.Batch, now time.Time, tick *store.Tick, sum *Summary) {
	for _, id := range slices.Sorted(maps.Keys(batch.Capped)) {
		fact, text := "capped/"+string(id), batch.Capped[id]
		if e.facts[fact] == text {
			continue
		}
		tick.Facts[fact] = text
		entries := e.Composer.Notice(Notice{Kind: CombinationsCapped, Since: now, At: now, Text: text, SLO: id})
		sum.Owed += len(entries)
		tick.Owed = append(tick.Owed, entries...)
	}
}

// watch goes on with an outage of a subject by the newest failures. The notice has no kind if none
// is owed.
func (s subject) watch(o outage, failures []prom.Failure, now time.Time) (outage, Notice) {
	n, text := Notice{At: now}, ""
	for _, f := range failures {
		if s.about(f) {
			n.SLOs += len(f.SLOs)
			text = f.Err.Error()
		}
	}
	switch {
	case n.SLOs == 0 && o.told:
		n.Kind, n.Since = s.back, o.since
		o = outage{}
	case n.SLOs == 0:
		o = outage{}
	case o.since.IsZero():
		o.since = now
	case !o.told && now.Sub(o.since) >= tellSourceAfter:
		n.Kind, n.Since, n.Text = s.down, o.since, text
		o.told = true
	}
	return o, n
}

// facts returns what is kept of an outage.
func (s subject) facts(o outage) map[string]string {
	since, told := "", ""
	if !o.since.IsZero() {
		since = o.since.UTC().Format(time.RFC3339)
	}
	if o.told {
		told = "yes"
	}
	return map[string]string{s.factSince(): since, s.factTold(): told}
}

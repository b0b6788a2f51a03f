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

// outages are the stretches that go on, by the name of their subject.
type outages map[string]outage

// outagesFrom reads those of which a restart finds the facts.
func outagesFrom(facts map[string]string) outages {
	all := outages{}
	for _, s := range subjects {
		if since, err := time.Parse(time.RFC3339, facts[s.factSince()]); err == nil {
			all[s.name] = outage{since: since, told: facts[s.factTold()] != ""}
		}
	}
	return all
}

// watch goes on with all of them by the newest failures. It returns the notices that are owed: one
// when reading has failed for a while, and one when it works again. What is to be kept goes into
// facts.
func (all outages) watch(failures []prom.Failure, now time.Time, facts map[string]string) (owed []Notice) {
	for _, s := range subjects {
		o, notice := s.watch(all[s.name], failures, now)
		all[s.name] = o
		if notice.Kind != "" {
			owed = append(owed, notice)
		}
		maps.Copy(facts, s.facts(o))
	}
	return owed
}

// capped returns one notice for each SLO that has more combinations of its labels than are
// followed, and no second one after a restart: the facts are those that are known, and those to be
// kept.
func capped(batch *prom.Batch, now time.Time, known, facts map[string]string) (owed []Notice) {
	for _, id := range slices.Sorted(maps.Keys(batch.Capped)) {
		fact, text := "capped/"+string(id), batch.Capped[id]
		if known[fact] == text {
			continue
		}
		facts[fact] = text
		owed = append(owed, Notice{Kind: CombinationsCapped, Since: now, At: now, Text: text, SLO: id})
	}
	return owed
}

// watch notes of every budget that it could not be read, and owes the notices about it.
func (e *Engine) watch(batch *prom.Batch, now time.Time, tick *store.Tick, sum *Summary) {
	for _, f := range batch.Failures {
		sum.Failures = append(sum.Failures, f.Err.Error())
		if f.Err.Stack != nil {
			e.budgets.stops.total++
			e.Log.Error("panic while reading; the other bundles go on", "bundle", f.Bundle, "err", f.Err, "stack", string(f.Err.Stack))
		}
	}
	e.budgets.fail(batch.Failures)
	facts := map[string]string{}
	for _, notice := range slices.Concat(e.outages.watch(batch.Failures, now, facts), capped(batch, now, e.facts, facts)) {
		entries := e.Composer.Notice(notice)
		sum.Owed += len(entries)
		tick.Owed = append(tick.Owed, entries...)
	}
	for name, value := range facts {
		if e.facts[name] != value {
			tick.Facts[name] = value
		}
	}
}

// fail notes of every budget that it could not be read.
func (b *budgets) fail(failures []prom.Failure) {
	for _, f := range failures {
		for _, id := range f.SLOs {
			for _, a := range b.bySLO[id] {
				a.failed = f.Err
			}
		}
	}
	b.failJourneys()
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

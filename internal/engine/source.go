package engine

import (
	"time"

	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// sourceHealth is the engine's memory of whether Prometheus answers. It is kept as facts, so that
// a restart in the middle of an outage neither repeats the notice nor forgets the recovery.
type sourceHealth struct {
	failingSince time.Time // zero while everything is read
	told         bool      // the notice about it is owed already
}

// tellSourceAfter is how long reading may fail before people hear of it. Pages are not sent while
// it fails, and not resolved either.
const tellSourceAfter = 5 * time.Minute

// The names of the facts.
const (
	factFailingSince = "source/failing_since"
	factFailingTold  = "source/told"
)

func sourceFrom(facts map[string]string) sourceHealth {
	var h sourceHealth
	if since, err := time.Parse(time.RFC3339, facts[factFailingSince]); err == nil {
		h.failingSince = since
	}
	h.told = facts[factFailingTold] != ""
	return h
}

// watchSource owes one notice when reading has failed for a while, and one when it works again.
func (e *Engine) watchSource(batch prom.Batch, now time.Time, tick *store.Tick, sum *Summary) {
	blind := 0
	for _, f := range batch.Failures {
		sum.Failures = append(sum.Failures, f.Error())
		for _, spec := range f.Specs {
			blind++
			for _, a := range e.budgetsOf(spec.ID()) {
				a.failed = f.Err
			}
		}
	}
	h := &e.source
	switch {
	case blind == 0 && h.told:
		e.owe1(tick, Notice{Kind: SourceBack, Since: h.failingSince, At: now}, sum)
		*h = sourceHealth{}
	case blind == 0:
		*h = sourceHealth{}
	case h.failingSince.IsZero():
		h.failingSince = now
	case !h.told && now.Sub(h.failingSince) >= tellSourceAfter:
		h.told = true
		e.owe1(tick, Notice{Kind: SourceDown, Since: h.failingSince, At: now, Text: batch.Failures[0].Error(), SLOs: blind}, sum)
	}
	h.remember(e.facts, tick)
}

// remember writes the facts that changed.
func (h sourceHealth) remember(known map[string]string, tick *store.Tick) {
	since, told := "", ""
	if !h.failingSince.IsZero() {
		since = h.failingSince.UTC().Format(time.RFC3339)
	}
	if h.told {
		told = "yes"
	}
	for name, value := range map[string]string{factFailingSince: since, factFailingTold: told} {
		if known[name] != value {
			tick.Facts[name] = value
		}
	}
}

func (e *Engine) owe1(tick *store.Tick, n Notice, sum *Summary) {
	entries := e.Composer.Notice(n)
	sum.Owed += len(entries)
	tick.Owed = append(tick.Owed, entries...)
}

package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// ActError is why an act is not done. Its text is a sentence for the person who tried.
type ActError struct {
	Problem ActProblem
	Text    string
}

// Error is the sentence.
func (e *ActError) Error() string { return e.Text }

// ActProblem is the kind of an [ActError].
type ActProblem string

// The problems.
const (
	ActUnknown  ActProblem = "unknown"  // there is no such incident, SLO, service or act
	ActConflict ActProblem = "conflict" // not in the state that things are in: the incident is closed
	ActInvalid  ActProblem = "invalid"  // the act itself makes no sense
)

func unknownAct(format string, args ...any) error {
	return &ActError{ActUnknown, fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &ActError{ActConflict, fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &ActError{ActInvalid, fmt.Sprintf(format, args...)}
}

// Done is what the engine hands to its composer about an act.
type Done = incidents.Done

// Do takes what a person did: it is written down, together with the messages that tell of it, before anything
// comes of it. An act whose key is known changes nothing. The act is dated now, unless it has a time of its own
// that has passed; the minutes that are decided already are not decided again, so there it counts from the next
// one on. An act that makes no sense is an [ActError].
func (e *Engine) Do(ctx context.Context, a alerting.Act, now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx, now = context.WithoutCancel(ctx), e.Corrected(now)
	if a.At.IsZero() || a.At.After(now) {
		a.At = now
	}
	a.At = a.At.UTC()
	if err := checkAct(a, now); err != nil {
		return err
	}
	d := deed{Engine: e, act: a, now: now}
	if known, err := d.prepare(ctx); known || err != nil {
		return err
	}
	d.tick.Acts = append([]alerting.Act{d.act}, d.tick.Acts...)
	if err := e.writeAct(ctx, d.tick); err != nil {
		return fmt.Errorf("write down the %s of %s: %w", a.Kind, a.By, err)
	}
	d.keep()
	e.Log.Info("act", "kind", a.Kind, "by", a.By, "via", a.Via, "incident", a.Incident, "slo", a.SLO, "service", a.Service)
	if len(d.tick.Owed) > 0 {
		e.kick()
	}
	return nil
}

// writeAct commits what is still unsaved, then the act. The second try is for an error that came although the
// first took effect; committing twice changes nothing.
func (e *Engine) writeAct(ctx context.Context, tick store.Tick) error {
	if err := e.save(ctx); err != nil {
		return err
	}
	err := e.Store.Commit(ctx, tick)
	if err != nil {
		err = e.Store.Commit(ctx, tick)
	}
	return err
}

// Bounds of what people may say.
const (
	maxActKey  = 300
	maxActText = 2000
	maxActName = 200
)

// actKinds says of every kind of act whether it needs an incident.
var actKinds = map[alerting.ActKind]bool{
	alerting.Acknowledge: true, alerting.Escalate: true, alerting.Remark: true, alerting.Mitigated: true, alerting.Classify: true,
	alerting.Close: true, alerting.Merge: true, alerting.Split: true, alerting.Declare: false,
	alerting.Silence: false, alerting.Undo: false, alerting.Worked: false,
	alerting.Override: false, alerting.Exempt: false, alerting.Changed: false, alerting.Experiment: false, alerting.Configured: false,
}

// checkAct is what can be said about an act by itself.
func checkAct(a alerting.Act, now time.Time) error {
	needsIncident, known := actKinds[a.Kind]
	switch {
	case a.Key == "" || a.Kind == "" || a.By == "":
		return invalid("An act needs a key, a kind and somebody who does it.")
	case !known:
		return invalid("%q is no act that can be done here.", string(a.Kind))
	case len(a.Key) > maxActKey || len(a.Text) > maxActText || len(a.By) > maxActName || len(a.Who) > maxActName:
		return invalid("A key, a name or a text is too long.")
	case needsIncident && a.Incident == "":
		return invalid("Say which incident.")
	case a.Kind == alerting.Remark && a.Text == "":
		return invalid("A note needs some words.")
	case a.Kind == alerting.Silence && !a.Until.IsZero() && !a.Until.After(now):
		return invalid("The silence would have ended already, at %s.", a.Until.UTC().Format(time.RFC3339))
	case a.Kind == alerting.Silence && a.Until.IsZero() && a.Incident == "":
		return invalid("A silence of more than one incident needs an end.")
	case (a.Kind == alerting.Escalate || a.Kind == alerting.Declare) && a.Level != alerting.Page && a.Level != alerting.Ticket:
		return invalid("An incident is a page or a ticket; say which.")
	case a.Kind == alerting.Declare && (a.Text == "" || a.SLO == "" && a.Service == "" || a.Incident != ""):
		return invalid("Say which SLO or service has an incident, and in a few words what is wrong.")
	case a.Kind == alerting.Declare && a.Since.After(now):
		return invalid("The incident would begin in the future, at %s.", a.Since.UTC().Format(time.RFC3339))
	case a.Kind == alerting.Merge && (a.Other == "" || a.Other == a.Incident):
		return invalid("Say which other incident goes on.")
	case a.Kind == alerting.Undo && a.Other == "":
		return invalid("Say by its key which act to take back.")
	case a.Kind == alerting.Classify && a.Text != alerting.Major && a.Text != alerting.NotMajor:
		return invalid("The class is %q or %q.", alerting.Major, alerting.NotMajor)
	case a.Kind == alerting.Worked && !a.Work().Known():
		return invalid("Work is toil or project, in whole minutes of at most a week.")
	}
	return nil
}

// deed is one act on its way into the store.
type deed struct {
	*Engine
	act      alerting.Act
	now      time.Time
	tick     store.Tick
	incident alerting.Incident   // after the act; without an ID if it is about none
	others   []alerting.Incident // that change with it
}

// prepare validates the act against what is known and composes what it owes. It is true if the act was done before.
func (d *deed) prepare(ctx context.Context) (known bool, err error) {
	a := d.act
	if a.Kind == alerting.Declare {
		return d.declare(ctx)
	}
	if a.Incident == "" {
		if slices.ContainsFunc(d.wide, func(w alerting.Act) bool { return w.Key == a.Key }) {
			return true, nil
		}
		if err := d.checkScope(); err != nil {
			return false, err
		}
		d.tick.Owed = d.permitted()
		return false, nil
	}
	i, ok, err := d.findIncident(ctx, d.book, a.Incident)
	switch {
	case err != nil:
		return false, err
	case !ok:
		return false, unknownAct("There is no incident %q.", a.Incident)
	case i.Knows(a.Key):
		return true, nil
	}
	if has, taken := i.Acknowledged(); taken && a.Kind == alerting.Acknowledge && has.By == a.By {
		return true, nil // who has it says so once
	}
	if err := checkOn(i, a); err != nil {
		return false, err
	}
	d.act.SLO, d.act.At = i.SLO, d.inTime(a, i)
	if a.Kind == alerting.Merge || a.Kind == alerting.Split {
		return false, d.move(ctx, i)
	}
	if !d.onDeclared(i) {
		d.incident = i.Take(d.act)
		d.tick.Incidents = []alerting.Incident{d.incident}
	}
	if a.Kind != alerting.Close { // what ends it tells of it
		d.tick.Owed = append(d.tick.Owed, d.compose(d.book, Done{Act: d.act}, d.incident)...)
	}
	d.spread()
	return false, nil
}

// checkScope is for acts that are about no single incident.
func (d *deed) checkScope() error {
	a := d.act
	switch {
	case a.SLO != "" && d.budgets.set.Lookup(a.SLO) == nil:
		return unknownAct("There is no SLO %q.", string(a.SLO))
	case a.Service != "" && d.budgets.set.Service(a.Service) == nil && d.budgets.wholeService(slo.ID(a.Service)) == nil:
		return unknownAct("There is no service %q.", a.Service)
	case a.Kind == alerting.Silence && a.SLO == "" && a.Service == "":
		return invalid("Say which incident, SLO or service is to be silent.")
	case a.Kind == alerting.Undo && !slices.ContainsFunc(d.wide, func(w alerting.Act) bool { return w.Key == a.Other }):
		return unknownAct("There is no act %q in force.", a.Other)
	}
	return d.checkPolicy()
}

// checkOn is whether an act can be done to an incident in the state in which it is.
func checkOn(i alerting.Incident, a alerting.Act) error {
	after := a.Kind == alerting.Remark || a.Kind == alerting.Mitigated || a.Kind == alerting.Undo || a.Kind == alerting.Classify ||
		a.Kind == alerting.Merge || a.Kind == alerting.Split
	switch {
	case !i.Open && !after:
		return conflict("The incident is over since %s.", i.Resolved.UTC().Format("2006-01-02 15:04 UTC"))
	case a.Kind == alerting.Close && i.Rule != alerting.RuleDeclared:
		return conflict("It ends when the data say so; only what a person has declared is closed by a person.")
	case a.Kind == alerting.Split && i.Group == "":
		return conflict("It is told in a thread of its own.")
	case a.Kind == alerting.Escalate && i.Rule == alerting.RuleNoData:
		return conflict("Missing data are looked at as a ticket; declare an incident if users are hurt.")
	case a.Kind == alerting.Escalate && i.Loud() == a.Level:
		return conflict("The incident is a %s already.", a.Level)
	case a.Kind == alerting.Undo && !slices.ContainsFunc(alerting.InForce(i.Acts, a.At), func(b alerting.Act) bool { return b.Key == a.Other }):
		return unknownAct("There is no act %q in force on this incident.", a.Other)
	case a.Kind == alerting.Undo:
		return checkUndo(i, a)
	}
	return nil
}

// checkUndo is for acts that another act takes back than an undo.
func checkUndo(i alerting.Incident, a alerting.Act) error {
	n := slices.IndexFunc(i.Acts, func(b alerting.Act) bool { return b.Key == a.Other })
	switch kind := i.Acts[n].Kind; {
	case kind == alerting.Declare, kind == alerting.Close:
		return conflict("What was declared is closed, and what was closed is declared anew.")
	case kind == alerting.Merge, kind == alerting.Split:
		return conflict("What was merged is split, and what was split is merged.")
	case kind == alerting.Escalate && i.Rule == alerting.RuleDeclared:
		return conflict("There is no rule to say how loud it is; say it yourself, by escalate.")
	}
	return nil
}

// inTime is when the act counts: not before the incident, and not in a minute that is decided.
func (d *deed) inTime(act alerting.Act, i alerting.Incident) time.Time {
	at := act.At
	if a := d.budgets.byID[i.SLO]; a != nil && i.Open && at.Before(a.state.Through.Time()) {
		at = a.state.Through.Time()
	}
	if at.Before(i.Detected) {
		at = i.Detected
	}
	return at
}

// compose is what an act on an incident owes to those who watch, told with the book as the act leaves it.
func (d *deed) compose(b incidents.Book, done Done, i alerting.Incident) []outbox.Entry {
	in, st, ok := d.place(b, i.SLO)
	if !ok {
		return nil
	}
	done.Told = d.told(b, in, st, i.Last, i, false, d.now)
	return d.Composer.Act(done)
}

// keep takes over in memory what was committed.
func (d *deed) keep() {
	draft := d.book.Edit()
	for _, i := range d.others {
		draft.Put(i)
	}
	if d.incident.Open {
		draft.Put(d.incident)
	}
	if d.act.Kind == alerting.Close {
		draft.Remove(d.incident.ID)
	}
	d.book = draft.Book
	switch {
	case d.act.Kind == alerting.Close:
		if d.closing != nil {
			d.closing[d.incident.ID] = true
		}
	case d.act.Incident == "" && isWide(d.act):
		d.wide = append(d.wide, d.act)
	}
}

// isWide reports whether an act has to be remembered although it is about no incident: silences hold for incidents to
// come, the gate looks at permits and experiments, and changes explain what burns.
func isWide(a alerting.Act) bool {
	switch a.Kind {
	case alerting.Silence, alerting.Undo, alerting.Override, alerting.Exempt, alerting.Changed, alerting.Experiment:
		return a.Incident == ""
	}
	return false
}

// wideOn are the acts in memory that concern the decisions about a budget. There may be many changes; no decision
// looks at them.
func (e *Engine) wideOn(id slo.ID) []alerting.Act {
	var all []alerting.Act
	for _, a := range e.wide {
		if a.Kind != alerting.Changed && (a.Concerns(id) || a.Kind == alerting.Undo) {
			all = append(all, a)
		}
	}
	return all
}

// actsOn are the acts that a budget's decisions depend on, in the order in which they were told.
func (e *Engine) actsOn(b incidents.Book, id slo.ID) []alerting.Act {
	all := e.wideOn(id)
	for _, i := range b.OnBudget(id) {
		all = append(all, i.Acts...)
	}
	slices.SortStableFunc(all, func(a, b alerting.Act) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return slices.CompactFunc(all, func(a, b alerting.Act) bool { return a.Key == b.Key })
}

// forget lets go of silences and overrides that are over, and of changes that are long past.
func (e *Engine) forget(now time.Time) {
	ended := func(a alerting.Act) bool {
		switch a.Kind {
		case alerting.Silence, alerting.Override:
			return !a.Until.After(now.Add(-slo.Day))
		case alerting.Changed, alerting.Experiment:
			return a.At.Before(now.Add(-100 * slo.Day))
		}
		return false
	}
	if slices.ContainsFunc(e.wide, ended) {
		e.wide = slices.DeleteFunc(slices.Clone(e.wide), ended)
	}
}

// findIncident looks for an incident in memory, then in the store.
func (e *Engine) findIncident(ctx context.Context, b incidents.Book, id string) (alerting.Incident, bool, error) {
	if i, ok := b.Find(id); ok {
		return i, true, nil
	}
	return e.Store.Incident(ctx, id)
}

package incidents

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// ActError is why an act is not done. Its text is a sentence for the person who tried.
type ActError struct {
	Problem ActProblem
	Text    string
}

// Error returns the sentence.
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

// Mentions lists the incidents that [Book.Act] needs to know for an act: those that it names, or
// what it decides on does, of the book's acts, and the one that it would declare.
func Mentions(a alerting.Act, acts []alerting.Act) []string {
	all := []string{a.Incident}
	switch a.Kind {
	case alerting.Approve, alerting.Reject:
		asked, _ := askedFor(acts, a.Other)
		all = append(all, asked.Incident)
	case alerting.Merge:
		all = append(all, a.Other)
	case alerting.Declare:
		all = append(all, alerting.DeclaredID(a))
	}
	return slices.DeleteFunc(all, func(id string) bool { return id == "" })
}

// Act takes what a person did. It returns the book as the act leaves it, and what came of it:
// nothing at all if an act of this key was taken before. The act is dated now, unless it has a time
// of its own that has passed; minutes that are decided already are not decided again, so there it
// counts from the next one on. What cannot be done is an [ActError].
func (b Book) Act(w World, a alerting.Act, past Past, now time.Time) (Book, Outcome, error) {
	said := a.At
	a = dated(a, now)
	a.Asks, a.Expires, a.ApprovedBy = "", time.Time{}, "" // these are not for the person to say
	if err := checkAct(a, now); err != nil {
		return b, Outcome{}, err
	}
	r := request{Book: b, world: w, past: past, now: now, act: a, after: b.edit()}
	take := r.onIncident
	switch {
	case a.Kind == alerting.Approve, a.Kind == alerting.Reject:
		take = r.decide
	case a.Kind == alerting.Declare:
		take = r.declare
	case a.Incident == "":
		take = r.onScope
	}
	if known, err := take(); known || err != nil {
		return b, Outcome{}, err
	}
	if r.act.Said = said.UTC(); said.IsZero() || r.act.At.Equal(said) {
		r.act.Said = time.Time{}
	}
	r.out.Acts = append([]alerting.Act{r.act}, r.out.Acts...)
	return r.after.Book, r.out, nil
}

// dated fills in the times of an act that whoever told it left open.
func dated(a alerting.Act, now time.Time) alerting.Act {
	if a.Received.IsZero() || a.Received.After(now) {
		a.Received = now
	}
	a.Received = a.Received.UTC()
	if a.At.IsZero() || a.At.After(now) {
		a.At = a.Received
	}
	a.At = a.At.UTC()
	if c := a.Change; c != nil && c.Start.IsZero() {
		started := *c
		started.Start = a.Received.Truncate(time.Second)
		a.Change = &started
	}
	return a
}

// Repeated returns nil if an act is the one that is stored under its key, told again, and else what
// differs, as an [ActError].
func Repeated(a, stored alerting.Act, now time.Time) error {
	if a.Received.IsZero() {
		a.Received = now
	}
	if stored.Damaged {
		return conflict("The key %q is taken, and the record of what was told under it is damaged.", a.Key)
	}
	if all := a.Differs(stored); len(all) > 0 {
		return conflict("The key %q is that of another act, the %s of %s by %s, which stays as it is. What differs: %s.",
			a.Key, stored.Kind, figures.UTC(stored.At), stored.By, strings.Join(all, ", "))
	}
	return nil
}

// request is one act on its way into the book. What reads as the Book is the book before the act.
type request struct {
	Book
	world World
	past  Past
	now   time.Time
	act   alerting.Act
	asked alerting.Act // what an approval or a rejection decides on
	after *draft
	out   Outcome
}

// change puts an incident into the book as the act leaves it. What has ended is in it no more.
func (r *request) change(i alerting.Incident) {
	r.out.Incidents = append(r.out.Incidents, i)
	if i.Open {
		r.after.put(i)
	} else {
		r.after.remove(i.ID)
	}
}

// onScope takes an act that is about no single incident. It reports whether that is known already.
func (r *request) onScope() (known bool, err error) {
	if slices.ContainsFunc(r.acts, func(a alerting.Act) bool { return a.Key == r.act.Key }) {
		return true, nil
	}
	if err := r.checkScope(); err != nil {
		return false, err
	}
	if r.takesTwo(r.act.Kind) {
		if err := r.ask(); err != nil {
			return false, err
		}
	}
	if isScoped(r.act) {
		r.after.note(r.act)
	}
	r.out.Permit = r.permit()
	return false, nil
}

// onIncident takes an act on an incident.
func (r *request) onIncident() (known bool, err error) {
	a := r.act
	i, ok := r.find(a.Incident, r.past)
	switch {
	case !ok:
		return false, unknownAct("There is no incident %q.", a.Incident)
	case i.Knows(a.Key):
		return true, nil
	}
	if a.Kind == alerting.Acknowledge && i.AcknowledgedBy(a.By) {
		return true, nil // who has it says so once
	}
	if err := checkOn(i, a); err != nil {
		return false, err
	}
	r.act.SLO, r.act.At = i.SLO, r.inTime(a, i)
	if r.takesTwo(classifies(i, a)) {
		if err := r.ask(); err != nil {
			return false, err
		}
		r.after.note(r.act)
	}
	if a.Kind == alerting.Merge || a.Kind == alerting.Split {
		return false, r.move(i)
	}
	i = r.byPerson(i)
	r.change(i)
	if a.Kind != alerting.Close { // what ends it tells of it
		r.tell(r.Book, Done{Act: r.act}, i)
	}
	r.spread(i)
	return false, nil
}

// tell adds what those who watch are told of an act on an incident, with a book that may be the one
// before or after the act.
func (r *request) tell(b Book, done Done, i alerting.Incident) {
	on, ok := b.budget(r.world, i.SLO)
	if !ok {
		return
	}
	done.Notification = b.told(r.world, on, i.Last, i, r.now)
	r.out.Done = append(r.out.Done, done)
}

// declare opens an incident that no rule saw.
func (r *request) declare() (known bool, err error) {
	if _, known := r.find(alerting.DeclaredID(r.act), r.past); known {
		return true, nil
	}
	if err := r.checkScope(); err != nil {
		return false, err
	}
	id := r.act.SLO
	if id == "" {
		id = slo.ID(r.act.Service)
	}
	on, ok := r.budget(r.world, id)
	if !ok {
		return false, unknownAct("There is no service %q.", string(id))
	}
	r.act.Incident = alerting.DeclaredID(r.act)
	i := alerting.Declared(r.act, on.Input, on.State.Through)
	if a, silent := alerting.Silent(r.scopedActsOn(id), i.Detected); silent {
		i = i.Take(a)
	}
	r.change(i)
	r.out.Notifications = append(r.out.Notifications, r.with(i).told(r.world, on, i.Last, i, r.now)) // in place, so that its thread shows it
	return false, nil
}

// byPerson returns an incident with the act. No rule moves a declared one, so what the act makes of
// that is an event, of which people are told.
func (r *request) byPerson(i alerting.Incident) alerting.Incident {
	var kind alerting.Kind
	level := r.act.Level
	switch {
	case i.Rule != alerting.RuleDeclared:
		return i.Take(r.act)
	case r.act.Kind == alerting.Close:
		kind, level = alerting.Resolved, i.Loud()
	case r.act.Kind == alerting.Escalate && r.act.Level == alerting.Page:
		kind = alerting.Escalated
	case r.act.Kind == alerting.Escalate:
		kind = alerting.Updated
	default:
		return i.Take(r.act)
	}
	on, ok := r.budget(r.world, i.SLO)
	if !ok {
		on.Ledger = &budget.Ledger{}
	}
	i = i.Take(r.act).Apply(i.ByPerson(kind, level, r.act.At, on.Input, on.State.Through))
	if ok {
		r.out.Notifications = append(r.out.Notifications, r.with(i).told(r.world, on, i.Last, i, r.now))
	}
	return i
}

// spread lets an acknowledgement, and the undoing of one, hold for everything that is open in the
// thread. Each incident gets an act of its own, under a key that follows from the first; the thread
// is told once.
func (r *request) spread(first alerting.Incident) {
	if r.act.Kind != alerting.Acknowledge && r.act.Kind != alerting.Undo {
		return
	}
	all := r.inThread(first.Thread())
	r.out.Incidents, r.out.Acts = slices.Grow(r.out.Incidents, len(all)), slices.Grow(r.out.Acts, len(all))
	for _, i := range all {
		echo := r.act
		echo.Key, echo.Incident, echo.SLO = r.act.Key+"@"+i.ID, i.ID, i.SLO
		if i.ID == first.ID || r.act.Kind == alerting.Acknowledge && i.AcknowledgedBy(echo.By) {
			continue
		}
		if r.act.Kind == alerting.Undo {
			if echo.Other += "@" + i.ID; !i.Knows(echo.Other) {
				continue
			}
		}
		echo.At = r.inTime(echo, i)
		i = i.Take(echo)
		r.change(i)
		r.out.Acts = append(r.out.Acts, echo)
	}
}

// Spread returns how many incidents an act on one of them is going to change, at most.
func Spread(b Book, a alerting.Act) int {
	i, open := b.Find(a.Incident)
	if !open || a.Kind != alerting.Acknowledge && a.Kind != alerting.Undo {
		return 1
	}
	return max(len(b.byThread[i.Thread()]), 1)
}

// Echoes gathers what can be told of acts that follow from the one on an incident of their thread,
// which is the first of [Outcome.Acts] and has told it there: with the book of before the act, and
// the incidents as it leaves them. [Book.Act] leaves that to whoever wants to tell them, since it
// takes long where thousands are told in one thread. The roots that are known already, by the ID of
// their incidents, are not gathered again. What is about an SLO that the files do not name any more
// is left out.
func Echoes(w World, before, after Book, acts []alerting.Act, roots map[string]*Notification, now time.Time) (told []Done) {
	for _, a := range acts {
		i, _ := after.Find(a.Incident)
		if on, ok := before.budget(w, i.SLO); ok {
			done := Done{Notification: before.heard(w, on, i.Last, i, now), Act: a, Echo: true}
			before.show(w, &done.Notification, roots, now)
			told = append(told, done)
		}
	}
	return told
}

// Standing returns a book in which what came of an act, taken with the book of before, stands
// beside all that others have done until now. It is false if they may have touched what the act is
// about, or if minutes have been decided meanwhile for which it was to count: then it is to be
// taken anew.
func (o Outcome) Standing(w World, before, now Book) (Book, bool) {
	if slices.ContainsFunc(o.Acts, isAsking) { // which is remembered beside the incidents
		return Book{}, false
	}
	touched, ok := touchedSince(before, now)
	for grown := ok && len(touched) > 0; grown; {
		grown = widen(touched, before) || widen(touched, now)
	}
	for _, i := range o.Incidents {
		on, _ := w.Budget(i.SLO)
		decided := on.Measured && i.Acts[len(i.Acts)-1].At.Before(on.State.Through.Time())
		if !ok || !i.Open || decided || touched[i.SLO.Service()] {
			return Book{}, false
		}
	}
	return now.with(o.Incidents...), true
}

// move takes an incident into another thread: that of the one into which it is merged, or its own
// again. What was told in its thread goes along with a merge. Each stays an incident of its own,
// with its own cost. Both threads are told, as they are after the move.
func (r *request) move(i alerting.Incident) error {
	from, to := i.Thread(), ""
	if r.act.Kind == alerting.Merge {
		other, ok := r.find(r.act.Other, r.past)
		switch {
		case !ok:
			return unknownAct("There is no incident %q.", r.act.Other)
		case other.Thread() == i.ID:
			return conflict("%s is told in the thread of this one; merge it the other way round.", other.ID)
		}
		to = other.Thread()
	}
	i = i.Take(r.act)
	i.Group = to
	r.change(i)
	for _, o := range r.inThread(i.ID) {
		if o.ID != i.ID && to != "" {
			o.Group = to
			r.change(o)
		}
	}
	if from == i.Thread() {
		return nil
	}
	done := Done{Act: r.act, From: from}
	if left := r.after.inThread(from); len(left) > 0 {
		if told, ok := r.after.Describe(r.world, left[0], r.now); ok {
			done.Left = &told
		}
	}
	r.tell(r.after.Book, done, i)
	return nil
}

// inTime returns when an act on an incident counts: not before the incident, and not in a minute
// that is decided.
func (r *request) inTime(a alerting.Act, i alerting.Incident) time.Time {
	at := a.At
	if on, _ := r.world.Budget(i.SLO); on.Measured && i.Open && at.Before(on.State.Through.Time()) {
		at = on.State.Through.Time()
	}
	if at.Before(i.Detected) {
		at = i.Detected
	}
	return at
}

// isScoped reports whether an act has to be remembered although it is about no incident: silences
// hold for incidents to come, the gate looks at permits and experiments, and changes explain what
// burns. What waits for approval is remembered in any case.
func isScoped(a alerting.Act) bool {
	switch a.Kind {
	case alerting.Asked, alerting.Approve, alerting.Reject:
		return true
	case alerting.Silence, alerting.Undo, alerting.Override, alerting.Exempt, alerting.Changed, alerting.Experiment:
		return a.Incident == ""
	}
	return false
}

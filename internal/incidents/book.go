// Package incidents keeps the book of open incidents: what is open, on which budget, in which
// thread people read of it, what they did about it and what was found out. It decides what people
// are told.
//
//	Tell   events of budgets → the next book, and what people are told of them
//	Tend   the same for incidents that people have declared, which no rule moves
//	Act    what a person did → the same, or why it cannot be done
//	Open   what may be said of every open incident
//
// A [Book] is a value: what changes it gives another one. So whoever composes a message may look at
// the book as it is going to be, and whoever could not write that down goes on with the book as it
// was.
package incidents

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/slo"
)

// Book is every incident that is open, found by its ID, its thread, its budget and its service
// without looking at the others. The zero value is empty.
type Book struct {
	open      map[string]*alerting.Incident // what is pointed to never changes
	byThread  index[string]
	byBudget  index[slo.ID]
	byService index[string]
	acts      []alerting.Act               // on budgets and services, and not on an incident, oldest first
	scoped    []alerting.Act               // of these, what decisions look at; there may be many changes, which they do not
	evidence  map[string]*ranking.Evidence // about open incidents, the newest
}

// NewBook returns the book that a store has kept: the open incidents, what was done to budgets and
// services, oldest first, and what was found out about incidents.
func NewBook(open []alerting.Incident, acts []alerting.Act, found map[string]*ranking.Evidence) Book {
	d := (Book{}).edit()
	for _, i := range open {
		d.put(i)
		if e := found[i.ID]; e != nil {
			d.evidence[i.ID] = e
		}
	}
	d.setActs(slices.Clone(acts))
	return d.Book
}

// Len returns the number of incidents.
func (b Book) Len() int { return len(b.open) }

// Find looks an incident up by its ID. It returns the zero Incident and false if that is not open.
func (b Book) Find(id string) (alerting.Incident, bool) {
	if i := b.open[id]; i != nil {
		return *i, true
	}
	return alerting.Incident{}, false
}

// All lists the incidents by ID.
func (b Book) All() []alerting.Incident { return b.pick(slices.Sorted(maps.Keys(b.open))) }

// declared lists the incidents that people have declared, by ID.
func (b Book) declared() []alerting.Incident {
	var ids []string
	for id, i := range b.open {
		if i.Rule == alerting.RuleDeclared {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return b.pick(ids)
}

// OnBudget lists the incidents of a budget by ID.
func (b Book) OnBudget(id slo.ID) []alerting.Incident { return b.pick(b.byBudget[id]) }

// InService lists the incidents of a service by ID.
func (b Book) InService(name string) []alerting.Incident { return b.pick(b.byService[name]) }

// inThread lists the incidents that are told in one thread, the loudest first, then the oldest.
func (b Book) inThread(thread string) []alerting.Incident {
	var all []alerting.Incident
	for _, id := range b.byThread[thread] {
		if i := b.open[id]; i.Open {
			all = append(all, *i)
		}
	}
	slices.SortFunc(all, func(a, b alerting.Incident) int {
		return cmp.Or(cmp.Compare(a.Loud(), b.Loud()), a.Detected.Compare(b.Detected), cmp.Compare(a.ID, b.ID)) // page before ticket
	})
	return all
}

// acknowledged reports whether somebody has one of the incidents of a thread.
func (b Book) acknowledged(thread string) bool {
	return slices.ContainsFunc(b.inThread(thread), func(i alerting.Incident) bool {
		_, acked := i.Acknowledged()
		return acked
	})
}

func (b Book) pick(ids []string) []alerting.Incident {
	if len(ids) == 0 {
		return nil
	}
	all := make([]alerting.Incident, 0, len(ids))
	for _, id := range ids {
		all = append(all, *b.open[id])
	}
	return all
}

// Acts lists what was done to budgets and services, and not to an incident, oldest first. Nobody
// may change the list.
func (b Book) Acts() []alerting.Act { return b.acts }

// ActsOn lists the acts that a budget's decisions depend on, in the order in which they were done.
func (b Book) ActsOn(id slo.ID) []alerting.Act {
	all := b.scopedActsOn(id)
	for _, i := range b.OnBudget(id) {
		all = append(all, i.Acts...)
	}
	slices.SortStableFunc(all, func(a, b alerting.Act) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return slices.CompactFunc(all, func(a, b alerting.Act) bool { return a.Key == b.Key })
}

// scopedActsOn lists those of them that are not on an incident.
func (b Book) scopedActsOn(id slo.ID) []alerting.Act {
	var all []alerting.Act
	for _, a := range b.scoped {
		if a.Concerns(id) || a.Kind == alerting.Undo {
			all = append(all, a)
		}
	}
	return all
}

// Forget returns a book without the silences and overrides that are over, and without changes that
// are long past.
func (b Book) Forget(now time.Time) Book {
	ended := func(a alerting.Act) bool {
		switch a.Kind {
		case alerting.Silence, alerting.Override:
			return !a.Until.After(now.Add(-slo.Day))
		case alerting.Changed, alerting.Experiment:
			return a.At.Before(now.Add(-100 * slo.Day))
		}
		return false
	}
	if slices.ContainsFunc(b.acts, ended) {
		d := b.edit()
		d.setActs(slices.DeleteFunc(slices.Clone(b.acts), ended))
		return d.Book
	}
	return b
}

// Unexplained returns the most urgent incident, pages first, that was not looked into since it
// opened or became a page, and the kind of that event. What is over is left alone: nobody can act
// on it, and its draft asks for itself. It returns false if there is none.
func (b Book) Unexplained(w World) (alerting.Incident, alerting.Kind, bool) {
	var first *alerting.Incident
	for id, i := range b.open {
		if known := b.evidence[id]; i.Last.Burn == nil || known != nil && known.Kind == asks(i) {
			continue // nothing burns where data are missing
		}
		if on, _ := w.Budget(i.SLO); on.Measured && (first == nil || moreUrgent(i, first)) {
			first = i
		}
	}
	if first == nil {
		return alerting.Incident{}, "", false
	}
	return *first, asks(first), true
}

// asks returns the event for which an incident is looked into: a ticket that becomes a page is
// looked into again.
func asks(i *alerting.Incident) alerting.Kind {
	if !i.Escalated.IsZero() {
		return alerting.Escalated
	}
	return alerting.Opened
}

func moreUrgent(a, b *alerting.Incident) bool {
	if page := a.Severity == alerting.Page; page != (b.Severity == alerting.Page) {
		return page
	}
	return cmp.Or(a.Detected.Compare(b.Detected), cmp.Compare(a.ID, b.ID)) < 0
}

// with returns a book in which the incidents stand as given.
func (b Book) with(changed ...alerting.Incident) Book {
	d := b.edit()
	for _, i := range changed {
		d.put(i)
	}
	return d.Book
}

// WithEvidence returns a book that knows what was found out about an incident, in the place of what
// was known.
func (b Book) WithEvidence(found *ranking.Evidence) Book {
	d := b.edit()
	d.copy()
	d.evidence[found.Incident] = found
	return d.Book
}

// edit begins a draft. The book is copied with the first change, so one draft should take all
// changes of a tick.
func (b Book) edit() *draft { return &draft{Book: b} }

// draft is a book that is being changed. It reads as the book that it has become so far. An
// incident that has ended stays in it until it is removed, so that the messages about its end find
// it.
type draft struct {
	Book
	copied bool
}

// put writes an incident into the draft, in the place of what it was before.
func (d *draft) put(i alerting.Incident) {
	d.copy()
	was := d.open[i.ID]
	d.open[i.ID] = &i
	if was != nil && was.Thread() == i.Thread() {
		return
	}
	if was != nil {
		d.unlist(was)
	}
	d.byThread.add(i.Thread(), i.ID)
	d.byBudget.add(i.SLO, i.ID)
	d.byService.add(i.SLO.Service(), i.ID)
}

// remove takes an incident out of the draft, and what was found out about it.
func (d *draft) remove(id string) {
	i := d.open[id]
	if i == nil {
		return
	}
	d.copy()
	delete(d.open, id)
	delete(d.evidence, id)
	d.unlist(i)
}

func (d *draft) unlist(i *alerting.Incident) {
	d.byThread.remove(i.Thread(), i.ID)
	d.byBudget.remove(i.SLO, i.ID)
	d.byService.remove(i.SLO.Service(), i.ID)
}

func (d *draft) setActs(all []alerting.Act) {
	d.acts = all
	d.scoped = slices.DeleteFunc(slices.Clone(all), func(a alerting.Act) bool { return a.Kind == alerting.Changed })
}

func (d *draft) copy() {
	if d.copied {
		return
	}
	d.copied = true
	d.open, d.evidence = clone(d.open), clone(d.evidence)
	d.byThread, d.byBudget, d.byService = clone(d.byThread), clone(d.byBudget), clone(d.byService)
}

// clone copies a map, so that it may be written; nil becomes an empty one.
func clone[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return maps.Clone(m)
}

// index holds the sorted IDs of incidents by what they have in common. Its lists are shared between
// books, so they are replaced and never changed in place.
type index[K comparable] map[K][]string

func (x index[K]) add(key K, id string) {
	n, _ := slices.BinarySearch(x[key], id)
	x[key] = slices.Insert(slices.Clip(x[key]), n, id)
}

func (x index[K]) remove(key K, id string) {
	rest := slices.DeleteFunc(slices.Clone(x[key]), func(other string) bool { return other == id })
	if len(rest) == 0 {
		delete(x, key)
		return
	}
	x[key] = rest
}

// Package incidents keeps the book of open incidents: what is open, on which budget, in which
// thread people read of it, what they did about it and what was found out. It decides what people
// are told.
//
//	Tell   events of budgets → the next book, and what people are told of them
//	Tend   the same for incidents that people have declared, which no rule moves
//	Act    what a person did → the same, or why it cannot be done
//	Open   what may be said of open incidents
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
	byThread  index[string]                 // those that are open, the loudest first, then the oldest
	byBudget  index[slo.ID]                 // by ID
	bySLO     index[slo.ID]                 // of all its budgets, the oldest first
	byService index[string]                 // the oldest first
	byRule    index[alerting.Rule]          // those of missing data, the oldest first
	taken     map[string]int                // of threads: how many of the open ones somebody has acknowledged
	acts      []alerting.Act                // on budgets and services, and not on an incident, and what was asked for, oldest first
	scoped    []alerting.Act                // of these, what decisions look at; there may be many changes, which they do not
	evidence  map[string]*ranking.Evidence  // about open incidents, the newest
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

// Follow returns the book as another process keeps it: with what it has open now, what it has taken
// from people since, oldest first, and what it found out about incidents.
func (b Book) Follow(open []alerting.Incident, acts []alerting.Act, found map[string]*ranking.Evidence) Book {
	wide := slices.DeleteFunc(slices.Clone(acts), func(a alerting.Act) bool { return !isScoped(a) })
	return NewBook(open, slices.Concat(b.acts, wide), found)
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

// IDs lists the incidents' IDs in their order.
func (b Book) IDs() []string { return slices.Sorted(maps.Keys(b.open)) }

// All lists the incidents by ID.
func (b Book) All() []alerting.Incident { return b.pick(b.IDs()) }

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
func (b Book) InService(name string) []alerting.Incident {
	return b.pick(slices.Sorted(slices.Values(b.byService[name])))
}

// inThread lists the incidents that are told in one thread, the loudest first, then the oldest.
func (b Book) inThread(thread string) []alerting.Incident {
	return b.pick(b.byThread[thread])
}

// acknowledged reports whether somebody has one of the incidents of a thread.
func (b Book) acknowledged(thread string) bool { return b.taken[thread] > 0 }

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

// Acts lists what was done to budgets and services, and not to an incident, and what was asked for
// that takes approval, oldest first. Nobody may change the list.
func (b Book) Acts() []alerting.Act { return b.acts }

// Ahead lists the silences that are dated after a time, see [alerting.Ahead]: those of open
// incidents, and of budgets and services.
func (b Book) Ahead(of time.Time) []alerting.Act {
	all := alerting.Ahead(b.acts, of)
	for _, i := range b.open {
		all = append(all, alerting.Ahead(i.Acts, of)...)
	}
	slices.SortFunc(all, func(a, b alerting.Act) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

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
	asks := map[string]bool{}
	for _, a := range b.acts {
		asks[a.Key] = a.Kind == alerting.Asked && a.Expires.After(now.Add(-slo.Day))
	}
	ended := func(a alerting.Act) bool {
		switch a.Kind {
		case alerting.Silence, alerting.Override:
			return !a.Until.After(now.Add(-slo.Day))
		case alerting.Changed, alerting.Experiment:
			return a.At.Before(now.Add(-100 * slo.Day))
		case alerting.Asked:
			return !asks[a.Key]
		case alerting.Approve, alerting.Reject: // not before what they decide on
			return !asks[a.Other]
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

// Unexplained lists the incidents that were not looked into since they opened or became a page, the
// most urgent first, and at most so many of them. What is over is left alone: nobody can act on it,
// and its draft asks for itself.
func (b Book) Unexplained(w World, most int) []string {
	var all []*alerting.Incident
	for id := range b.open {
		if _, _, ok := b.Unexplain(w, id); ok {
			all = append(all, b.open[id])
		}
	}
	slices.SortFunc(all, moreUrgent)
	var ids []string
	for _, i := range all[:min(len(all), most)] {
		ids = append(ids, i.ID)
	}
	return ids
}

// Unexplain returns an incident that is to be looked into, and the kind of event that asks for it.
// It is false for one that was, or that is not open any more.
func (b Book) Unexplain(w World, id string) (alerting.Incident, alerting.Kind, bool) {
	i, known := b.open[id], b.evidence[id]
	if i == nil || i.Last.Burn == nil || known != nil && known.Kind == asks(i) {
		return alerting.Incident{}, "", false // nothing burns where data are missing
	}
	on, _ := w.Budget(i.SLO)
	return *i, asks(i), on.Measured
}

// asks returns the event for which an incident is looked into: a ticket that becomes a page is
// looked into again.
func asks(i *alerting.Incident) alerting.Kind {
	if !i.Escalated.IsZero() {
		return alerting.Escalated
	}
	return alerting.Opened
}

// moreUrgent orders incidents: pages first, then the oldest.
func moreUrgent(a, b *alerting.Incident) int {
	return cmp.Or(cmp.Compare(a.Severity, b.Severity), oldestFirst(a, b))
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
	b.evidence = clone(b.evidence)
	b.evidence[found.Incident] = found
	return b
}

// oldestFirst orders incidents.
func oldestFirst(a, b *alerting.Incident) int {
	return cmp.Or(a.Detected.Compare(b.Detected), cmp.Compare(a.ID, b.ID))
}

// loudestFirst orders incidents: pages before tickets, then the oldest.
func loudestFirst(a, b *alerting.Incident) int {
	return cmp.Or(cmp.Compare(a.Loud(), b.Loud()), oldestFirst(a, b))
}

// byID orders incidents.
func byID(a, b *alerting.Incident) int { return cmp.Compare(a.ID, b.ID) }

// edit begins a draft. The book is copied with the first change, so one draft should take all
// changes of a tick.
func (b Book) edit() *draft { return &draft{Book: b} }

// draft is a book that is being changed. It reads as the book that it has become so far. An
// incident that has ended stays in it until it is removed, so that the messages about its end find
// it.
type draft struct {
	Book
	copied bool
	// own are the lists of the indexes that were copied for the draft.
	own struct {
		threads, services map[string]bool
		budgets, slos     map[slo.ID]bool
		rules             map[alerting.Rule]bool
	}
}

// put writes an incident into the draft, in the place of what it was before.
func (d *draft) put(i alerting.Incident) {
	d.copy()
	was := d.open[i.ID]
	if was != nil && loudestFirst(was, &i) == 0 && was.Thread() == i.Thread() && was.Open == i.Open {
		d.open[i.ID] = &i // it stands where it stood
		d.count(i.Thread(), acked(&i)-acked(was))
		return
	}
	if was != nil {
		d.unlist(was)
	}
	d.open[i.ID] = &i
	d.list(&i)
}

// count adds to the incidents of a thread that somebody has acknowledged.
func (d *draft) count(thread string, acked int) {
	if acked == 0 {
		return
	}
	if d.taken[thread] += acked; d.taken[thread] == 0 {
		delete(d.taken, thread)
	}
}

func acked(i *alerting.Incident) int {
	if _, acked := i.Acknowledged(); acked && i.Open {
		return 1
	}
	return 0
}

// remove takes an incident out of the draft, and what was found out about it.
func (d *draft) remove(id string) {
	i := d.open[id]
	if i == nil {
		return
	}
	d.copy()
	d.unlist(i)
	delete(d.open, id)
	delete(d.evidence, id)
}

// list puts an incident into the indexes, unlist takes it out. It is among the open ones then.
func (d *draft) list(i *alerting.Incident) {
	if i.Open {
		d.byThread.add(d.open, d.own.threads, i.Thread(), i, loudestFirst)
		d.count(i.Thread(), acked(i))
	}
	d.byBudget.add(d.open, d.own.budgets, i.SLO, i, byID)
	d.bySLO.add(d.open, d.own.slos, i.SLO.Base(), i, oldestFirst)
	d.byService.add(d.open, d.own.services, i.SLO.Service(), i, oldestFirst)
	if i.Rule == alerting.RuleNoData {
		d.byRule.add(d.open, d.own.rules, i.Rule, i, oldestFirst)
	}
}

func (d *draft) unlist(i *alerting.Incident) {
	if i.Open {
		d.byThread.remove(d.open, d.own.threads, i.Thread(), i, loudestFirst)
		d.count(i.Thread(), -acked(i))
	}
	d.byBudget.remove(d.open, d.own.budgets, i.SLO, i, byID)
	d.bySLO.remove(d.open, d.own.slos, i.SLO.Base(), i, oldestFirst)
	d.byService.remove(d.open, d.own.services, i.SLO.Service(), i, oldestFirst)
	if i.Rule == alerting.RuleNoData {
		d.byRule.remove(d.open, d.own.rules, i.Rule, i, oldestFirst)
	}
}

func (d *draft) setActs(all []alerting.Act) {
	d.acts = all
	d.scoped = slices.DeleteFunc(slices.Clone(all), func(a alerting.Act) bool {
		return slices.Contains([]alerting.ActKind{alerting.Changed, alerting.Asked, alerting.Approve, alerting.Reject}, a.Kind)
	})
}

// note adds an act to those that are remembered.
func (d *draft) note(a alerting.Act) { d.setActs(append(slices.Clone(d.acts), a)) }

func (d *draft) copy() {
	if d.copied {
		return
	}
	d.copied = true
	d.open, d.evidence, d.taken = clone(d.open), clone(d.evidence), clone(d.taken)
	d.byThread, d.byBudget, d.bySLO, d.byService = clone(d.byThread), clone(d.byBudget), clone(d.bySLO), clone(d.byService)
	d.own.threads, d.own.services = map[string]bool{}, map[string]bool{}
	d.own.budgets, d.own.slos = map[slo.ID]bool{}, map[slo.ID]bool{}
	d.byRule, d.own.rules = clone(d.byRule), map[alerting.Rule]bool{}
}

// clone copies a map, so that it may be written; nil becomes an empty one.
func clone[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return maps.Clone(m)
}

// index holds the IDs of incidents by what they have in common, in an order. Its lists are shared
// between books: a draft copies each that it changes, once. Incidents come in about the order in
// which they stand, so one more costs next to nothing, however many there are.
type index[K comparable] map[K][]string

func (x index[K]) add(open map[string]*alerting.Incident, own map[K]bool, key K, i *alerting.Incident, order func(a, b *alerting.Incident) int) {
	list := x.owned(own, key)
	n, _ := x.find(open, list, i, order)
	x[key] = slices.Insert(list, n, i.ID)
}

func (x index[K]) remove(open map[string]*alerting.Incident, own map[K]bool, key K, i *alerting.Incident, order func(a, b *alerting.Incident) int) {
	list := x.owned(own, key)
	if n, ok := x.find(open, list, i, order); ok {
		list = slices.Delete(list, n, n+1)
	}
	if x[key] = list; len(list) == 0 {
		delete(x, key)
		delete(own, key)
	}
}

// owned returns a list that the draft may change.
func (x index[K]) owned(own map[K]bool, key K) []string {
	if own[key] {
		return x[key]
	}
	own[key] = true
	return slices.Clone(x[key])
}

func (index[K]) find(open map[string]*alerting.Incident, list []string, i *alerting.Incident, order func(a, b *alerting.Incident) int) (int, bool) {
	return slices.BinarySearchFunc(list, i, func(id string, i *alerting.Incident) int { return order(open[id], i) })
}

// Known returns what was found out about an incident that is open, nil as long as that is nothing,
// and the newest changes that concern its budget and began after its onset, oldest first.
func Known(b Book, i alerting.Incident) (found *ranking.Evidence, since []alerting.Act) {
	return b.evidence[i.ID], changesSince(b.acts, i)
}

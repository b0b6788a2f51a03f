// Package incidents keeps the book of open incidents: what is open, on which budget, and in which thread people read of it.
//
// A [Book] is a value. Nothing changes one; [Book.Edit] gives a [Draft], and what the draft has become is another
// book. So whoever composes a message may look at the book as it is going to be, and whoever could not write that down goes on
// with the book as it was.
package incidents

import (
	"cmp"
	"maps"
	"slices"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// Book is every incident that is open, found by its ID, its thread, its budget and its service without looking at the others.
// The zero value is empty.
type Book struct {
	open      map[string]*alerting.Incident // what is pointed to never changes
	byThread  index[string]
	byBudget  index[slo.ID]
	byService index[string]
}

// Len is the number of incidents.
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

// Declared lists the incidents that people have declared, by ID.
func (b Book) Declared() []alerting.Incident {
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

// InThread lists the incidents that are told in one thread, the loudest first, then the oldest.
func (b Book) InThread(thread string) []alerting.Incident {
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

// Acknowledged reports whether somebody has one of the incidents of a thread.
func (b Book) Acknowledged(thread string) bool {
	return slices.ContainsFunc(b.InThread(thread), func(i alerting.Incident) bool {
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

// With returns a book in which the incidents stand as given.
func (b Book) With(changed ...alerting.Incident) Book {
	d := b.Edit()
	for _, i := range changed {
		d.Put(i)
	}
	return d.Book
}

// Edit begins a draft. The book is copied with the first change, so one draft should take all changes of a tick.
func (b Book) Edit() *Draft { return &Draft{Book: b} }

// Draft is a book that is being changed. It reads as the book that it has become so far. An incident that has ended stays in
// it until it is removed, so that the messages about its end find it.
type Draft struct {
	Book
	copied bool
}

// Put writes an incident into the draft, in the place of what it was before.
func (d *Draft) Put(i alerting.Incident) {
	was := d.open[i.ID]
	if was != nil && was.Thread() != i.Thread() {
		d.Remove(i.ID)
		was = nil
	}
	d.copy()
	d.open[i.ID] = &i
	if was != nil {
		return
	}
	d.byThread.add(i.Thread(), i.ID)
	d.byBudget.add(i.SLO, i.ID)
	d.byService.add(i.SLO.Service(), i.ID)
}

// Remove takes an incident out of the draft.
func (d *Draft) Remove(id string) {
	i := d.open[id]
	if i == nil {
		return
	}
	d.copy()
	delete(d.open, id)
	d.byThread.remove(i.Thread(), id)
	d.byBudget.remove(i.SLO, id)
	d.byService.remove(i.SLO.Service(), id)
}

func (d *Draft) copy() {
	if d.copied {
		return
	}
	d.copied = true
	d.byThread, d.byBudget, d.byService = d.byThread.clone(), d.byBudget.clone(), d.byService.clone()
	if d.open = maps.Clone(d.open); d.open == nil {
		d.open = map[string]*alerting.Incident{}
	}
}

// index holds the sorted IDs of incidents by what they have in common. Its lists are shared between books, so they are replaced and
// never changed in place.
type index[K comparable] map[K][]string

func (x index[K]) clone() index[K] {
	if x == nil {
		return index[K]{}
	}
	return maps.Clone(x)
}

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

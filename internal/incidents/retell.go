package incidents

import (
	"maps"

	"github.com/slowburn-sre/slowburn/alerting"
)

// Retelling is what is to be told anew of what was told with an earlier book.
type Retelling struct {
	Book Book            // to tell it with
	Tell map[string]bool // the services of which something may have to be told otherwise
	Fold map[string]bool // these, and those whose events must be told again with theirs, to be in their order
}

// Retell finds out what may have to be told otherwise with the book of now than it was told with
// the one of before: what is about a service on which people have done something since, or
// something was found out, or about a thread in which something of such a service is told. Told is
// the book that came of what was told then. It is false if that may be anything.
//
// An act moves a burn to another thread, or stands beside it. What burns upstream of an SLO is told
// without both, so what depends on a service that is touched is not.
func Retell(w World, before, told, now Book) (Retelling, bool) {
	touched, ok := touchedSince(before, now)
	if !ok {
		return Retelling{}, false
	}
	whole := func(services map[string]bool) {
		for grown := len(services) > 0; grown; {
			grown = widen(services, before) || widen(services, now) || widen(services, told)
		}
	}
	whole(touched)
	fold := maps.Clone(touched)
	for _, spec := range w.Set().Specs {
		if touched[spec.Service] {
			for _, on := range w.Set().Upstream(spec.ID()) {
				fold[on.Service()] = true
			}
		}
	}
	whole(fold)
	return Retelling{Book: standing(now, told, fold), Tell: touched, Fold: fold}, true
}

// touchedSince returns the services on which something was done since an earlier book, or found
// out. It is false if that may be any.
func touchedSince(before, now Book) (services map[string]bool, ok bool) {
	if len(now.acts) < len(before.acts) {
		return nil, false
	}
	services = map[string]bool{}
	for id, i := range now.open {
		if before.open[id] != i || before.evidence[id] != now.evidence[id] {
			services[i.SLO.Service()] = true
		}
	}
	for id, i := range before.open {
		if now.open[id] == nil {
			services[i.SLO.Service()] = true
		}
	}
	for _, a := range now.acts[len(before.acts):] {
		service := scopeOf(a, now.acts)
		if service == "" {
			return nil, false
		}
		services[service] = true
	}
	return services, true
}

// scopeOf returns the service that an act on budgets, one of all, is about; "" if it is about all.
func scopeOf(a alerting.Act, all []alerting.Act) string {
	if a.Kind == alerting.Undo && a.About() == "" {
		for _, other := range all {
			if other.Key == a.Other {
				return other.About()
			}
		}
	}
	return a.About()
}

// widen adds to services those of which a book tells something in a thread with them, or whose data
// are missing as theirs are, which joins threads of other services. It is false if there are no
// more.
func widen(services map[string]bool, b Book) (grown bool) {
	for _, ids := range b.byThread {
		grown = widenBy(services, b, ids) || grown
	}
	return widenBy(services, b, b.byRule[alerting.RuleNoData]) || grown
}

func widenBy(services map[string]bool, b Book, ids []string) bool {
	touched, alone := false, true
	for _, id := range ids {
		service := b.open[id].SLO.Service()
		touched, alone = touched || services[service], alone && services[service]
	}
	if !touched || alone {
		return false
	}
	for _, id := range ids {
		services[b.open[id].SLO.Service()] = true
	}
	return true
}

// standing returns a book in which some services stand as they do now, and all else as it was told.
func standing(now, told Book, services map[string]bool) Book {
	d := told.edit()
	d.copy()
	for service := range services {
		for _, i := range told.InService(service) {
			d.remove(i.ID)
		}
		for _, i := range now.InService(service) {
			d.put(i)
			if found := now.evidence[i.ID]; found != nil {
				d.evidence[i.ID] = found
			}
		}
	}
	d.setActs(now.acts)
	return d.Book
}

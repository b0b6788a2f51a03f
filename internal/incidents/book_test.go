package incidents

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestEveryBookStays changes a book at random, and asks every book on the way, after the last
// change, for what a walk over all its incidents finds.
func TestEveryBookStays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type page struct {
		book Book
		want map[string]alerting.Incident
	}
	pages := []page{{want: map[string]alerting.Incident{}}}
	for range 300 {
		before := pages[r.IntN(len(pages))]
		draft, want := before.book.edit(), maps.Clone(before.want)
		for range r.IntN(4) {
			id := slo.ID(fmt.Sprintf("service%d/slo%d", r.IntN(3), r.IntN(3)))
			i := alerting.Incident{SLO: id, Open: r.IntN(5) > 0, Rule: alerting.RulePage, Severity: alerting.Page}
			i.ID = fmt.Sprintf("%s/%d", id, r.IntN(2))
			if r.IntN(3) == 0 {
				i.Group = fmt.Sprintf("thread%d", r.IntN(2))
			}
			if r.IntN(3) == 0 {
				i.Rule, i.Severity = alerting.RuleDeclared, alerting.Ticket
			}
			if r.IntN(3) == 0 {
				draft.remove(i.ID)
				delete(want, i.ID)
				continue
			}
			draft.put(i)
			want[i.ID] = i
		}
		pages = append(pages, page{draft.Book, want})
	}
	for n, p := range pages {
		where := func(keep func(alerting.Incident) bool) []alerting.Incident {
			var all []alerting.Incident
			for _, id := range slices.Sorted(maps.Keys(p.want)) {
				if i := p.want[id]; keep(i) {
					all = append(all, i)
				}
			}
			return all
		}
		check := func(what string, got, want []alerting.Incident) {
			t.Helper()
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("book %d, %s (-want +got):\n%s", n, what, d)
			}
		}
		check("all", p.book.All(), where(func(alerting.Incident) bool { return true }))
		check("declared", p.book.declared(), where(func(i alerting.Incident) bool { return i.Rule == alerting.RuleDeclared }))
		check("of a service", p.book.InService("service1"), where(func(i alerting.Incident) bool { return i.SLO.Service() == "service1" }))
		check("of a budget", p.book.OnBudget("service1/slo2"), where(func(i alerting.Incident) bool { return i.SLO == "service1/slo2" }))
		for _, thread := range []string{"thread1", "service0/slo0/1"} {
			told := where(func(i alerting.Incident) bool { return i.Open && i.Thread() == thread })
			slices.SortStableFunc(told, func(a, b alerting.Incident) int { // pages first
				return falseFirst(a.Severity == alerting.Ticket, b.Severity == alerting.Ticket)
			})
			check("in a thread", p.book.inThread(thread), told)
		}
		for id, want := range p.want {
			if got, ok := p.book.Find(id); !ok || cmp.Diff(want, got) != "" {
				t.Fatalf("book %d: %s is %v, want %v", n, id, got, want)
			}
		}
	}
}

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

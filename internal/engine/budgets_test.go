package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/slowburn-sre/slowburn/slo"
)

// TestBudgetsOfAnSLO opens budgets and puts them away at random. Those of an SLO are always what a
// walk over all of them finds.
func TestBudgetsOfAnSLO(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	b := newBudgets(slo.NewSet(nil, nil, nil), nil)
	for range 500 {
		id := slo.ID(fmt.Sprintf("shop/slo%d", r.IntN(3)))
		if r.IntN(3) > 0 {
			id += slo.ID(fmt.Sprintf("{route=%d}", r.IntN(4)))
		}
		if a := b.byID[id]; a != nil && r.IntN(2) == 0 {
			b.remove(a)
		} else {
			b.put(&account{id: id})
		}
		for n := range 3 {
			base := slo.ID(fmt.Sprintf("shop/slo%d", n))
			want := slices.DeleteFunc(b.all(), func(a *account) bool { return a.id.Base() != base })
			if got := b.bySLO[base]; !slices.Equal(got, want) {
				t.Fatalf("%d budgets of %s, want %d", len(got), base, len(want))
			}
		}
	}
}

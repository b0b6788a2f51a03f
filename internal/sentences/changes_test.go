package sentences

import (
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
)

func TestTheCostOfADeployInWords(t *testing.T) {
	c := alerting.Cost{
		Change: alerting.Act{Kind: alerting.Changed, Change: &alerting.Change{Kind: "deploy"}},
		Excess: 48_000, Budget: alerting.Account{Allowed: 1_000_000}, Known: true, Shared: []string{"b"},
	}
	want := "After this deploy 4.8 % of the budget went, beyond what went before it; 1 other change came so near that nobody can tell them apart. " + Correlated
	if got := Cost(c); got != want {
		t.Error(got)
	}
}

package sloth

import (
	"fmt"
	"math"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

// tiers are the pairs of one catalogue of alert windows.
type tiers struct{ page, ticket []slo.Pair }

// catalogue reads a document of alert windows. It counts if it is for the period of this Sloth;
// with several of them the last one does.
func (r *reader) catalogue(doc strictyaml.Value) {
	o, _ := doc.Object("apiVersion", "kind", "spec")
	spec, ok := o.Need("spec", "write spec: with sloPeriod, page and ticket").Object("sloPeriod", "page", "ticket")
	if !ok {
		return
	}
	at := spec.Need("sloPeriod", "write sloPeriod: 30d")
	period, ok := at.Duration()
	page, ok1 := pairs(spec.Need("page", "write quick and slow"))
	ticket, ok2 := pairs(spec.Need("ticket", "write quick and slow"))
	if !ok || !ok1 || !ok2 {
		return
	}
	if period != r.window.Rolling {
		at.Lint("not-carried-over", fmt.Sprintf("these windows are for a period of %s and not used, since the SLOs of Sloth are read with one of %s", figures.Duration(period), figures.Window(r.window)), "Sloth's period is an option of the process, not of its files")
		return
	}
	r.tiers = &tiers{page, ticket}
}

// pairs reads the quick and the slow tier of one severity.
func pairs(v strictyaml.Value) (out []slo.Pair, good bool) {
	o, good := v.Object("quick", "slow")
	for _, key := range []string{"quick", "slow"} {
		t, ok := o.Need(key, "write errorBudgetPercent, shortWindow and longWindow").Object("errorBudgetPercent", "shortWindow", "longWindow")
		short, ok1 := file.Minutes(t.Need("shortWindow", "write for example 5m"))
		long, ok2 := file.Minutes(t.Need("longWindow", "write for example 1h"))
		share, ok3 := percent(t.Need("errorBudgetPercent", "write for example 2"))
		good = good && ok && ok1 && ok2 && ok3
		out = append(out, slo.Pair{Budget: share, Long: long, Short: short})
	}
	return out, good
}

// percent reads a share of the budget into basis points.
func percent(v strictyaml.Value) (int64, bool) {
	f, ok := foreign.Number(v)
	if ok && (f <= 0 || f > 100) {
		v.Problem(fmt.Sprintf("errorBudgetPercent cannot be %s", figures.Decimal(f)), "write a number above 0 and up to 100")
		return 0, false
	}
	return int64(math.Round(f * 100)), ok
}

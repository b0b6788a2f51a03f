package alerting

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// A pair fires above its threshold and not on it, however many events there are: floats may decide
// only what they can tell apart.
func TestThresholdsAreExact(t *testing.T) {
	spec := workbookSpec(t, "99.9", nil, nil)
	rapid.Check(t, func(t *rapid.T) {
		p := slo.Pair{Budget: rapid.Int64Range(1, 10000).Draw(t, "budget"), Long: time.Duration(rapid.Int64Range(5, 5000).Draw(t, "long")) * time.Minute}
		total := rapid.Int64Range(1<<61, 1<<62).Draw(t, "total") // more than a float counts
		// share × length ÷ long × allowed, as one would write it down.
		exact := big.NewRat(p.Budget, 10000)
		exact.Mul(exact, big.NewRat(int64(spec.Window().Length()), int64(p.Long)))
		exact.Mul(exact, big.NewRat(spec.Objective.Allowed(), slo.Billion))
		there := new(big.Rat).Mul(exact, new(big.Rat).SetInt64(total))
		bad := new(big.Int).Quo(there.Num(), there.Denom())
		bad.Add(bad, big.NewInt(rapid.Int64Range(-1, 1).Draw(t, "beside")))
		if !bad.IsInt64() || bad.Int64() < 0 || bad.Int64() > total {
			return // more bad events than events
		}
		want := big.NewRat(bad.Int64(), total).Cmp(exact) > 0
		if got := thresholdOf(p, spec).exceeded(budget.Sum{Bad: bad.Int64(), Total: total}, 1, 1); got != want {
			t.Fatalf("%d of %d bad is above %s: %v, want %v", bad, total, exact, got, want)
		}
	})
}

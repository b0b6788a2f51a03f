package rules

import (
	"math/big"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

// threshold returns the ratio of bad events above which a pair fires, in PromQL: share of the
// budget × length of its window ÷ long window × allowed ratio. It is written without an error: as a
// decimal ("0.0144") where it ends, else as a fraction ("7 / 750").
//
// Prometheus calculates in floating point, and the comparison is exact all the same. Both sides are
// one division of whole numbers, or one reading of a decimal, and each gives the float nearest to
// the true value: what is equal stays equal. 144 bad of 10,000 are not above 0.0144.
func threshold(p slo.Pair, spec *slo.Spec) string {
	r := new(big.Rat).Mul(burn(p, spec), allowedRatio(spec))
	if text, ends := decimal(r); ends {
		return text
	}
	return "(" + r.Num().String() + " / " + r.Denom().String() + ")"
}

// burn returns the burn rate above which a pair fires.
func burn(p slo.Pair, spec *slo.Spec) *big.Rat {
	r := big.NewRat(p.Budget, 10000)
	return r.Mul(r, big.NewRat(int64(spec.Window().Length()/time.Minute), int64(p.Long/time.Minute)))
}

func allowedRatio(spec *slo.Spec) *big.Rat { return big.NewRat(spec.Objective.Allowed(), slo.Billion) }

// allowed returns the budget as a share of all events: "0.001".
func allowed(spec *slo.Spec) string {
	text, _ := decimal(allowedRatio(spec))
	return text
}

// objective returns the promised share of good events: "0.999".
func objective(spec *slo.Spec) string {
	text, _ := decimal(new(big.Rat).Sub(big.NewRat(1, 1), allowedRatio(spec)))
	return text
}

// maxDecimals is how many digits after the point a reader bears.
const maxDecimals = 18

// decimal writes a rational number as a decimal, and reports whether it ends.
func decimal(r *big.Rat) (string, bool) {
	digits, exact := r.FloatPrec()
	if !exact || digits > maxDecimals {
		return "", false
	}
	return r.FloatString(digits), true
}

// rough writes a burn rate for people: "14.4", and "9.33" where it does not end.
func rough(r *big.Rat) string {
	text := r.FloatString(2)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

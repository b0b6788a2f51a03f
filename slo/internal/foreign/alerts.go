package foreign

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// Objective reads an objective in percent and records why it cannot be one.
func Objective(v strictyaml.Value, percent string) (slo.Objective, bool) {
	o, err := slo.ParseObjective(percent)
	if err != nil {
		message, hint, _ := strings.Cut(err.Error(), "; ")
		v.Problem(message, hint)
	}
	return o, err == nil
}

// decimals are finite decimal numbers of a sensible length: no infinities, no hexadecimal.
var decimals = regexp.MustCompile(`^[-+]?(\d{1,15}\.?\d{0,20}|\.\d{1,20})([eE][-+]?\d{1,2})?$`)

// Percent turns a ratio such as 0.999 into a percentage such as 99.9, exactly.
func Percent(ratio string) (string, error) {
	r, ok := new(big.Rat), decimals.MatchString(ratio)
	if ok {
		_, ok = r.SetString(ratio)
	}
	if !ok {
		return "", fmt.Errorf("%q is not a ratio such as 0.999", ratio)
	}
	return strings.TrimSuffix(strings.TrimRight(r.Mul(r, big.NewRat(100, 1)).FloatString(12), "0"), "."), nil
}

// Share returns the share of the budget, in basis points, that a burn rate over the long window
// spends in a window of that length: rate × long ÷ length, to the nearest hundredth of a percent.
func Share(rate float64, long, length time.Duration) int64 {
	return int64(rate*float64(long)/float64(length)*10000 + 0.5)
}

// Living leaves out the pairs that slowburn could never fire or not keep, and says so at v.
func Living(v strictyaml.Value, s *slo.Spec, pairs []slo.Pair) (out []slo.Pair) {
	length := s.Window().Length()
	for _, p := range pairs {
		name := fmt.Sprintf("the alert over %s and %s is not carried over: ", figures.Duration(p.Long), figures.Duration(p.Short))
		switch {
		case p.Long > length:
			v.Lint("not-carried-over", name+"it looks further back than the SLO's window of "+figures.Window(s.Window()), "")
		case p.Budget < 1 || p.Budget > 10000:
			v.Lint("not-carried-over", fmt.Sprintf("%sit would fire at %s of the budget", name, figures.Basis(p.Budget)), "a share between 0.01 % and 100 % can be told")
		case p.Short < time.Minute || p.Short >= p.Long:
			v.Lint("not-carried-over", name+"the short window must be a minute at least, and shorter than the long one", "")
		case p.Dead(s.Window(), s.Objective):
			v.Lint("not-carried-over", name+"it could never fire, since "+lint.Slow(s, p), "raise the objective, or alert at a smaller burn rate")
		default:
			out = append(out, p)
		}
	}
	return out
}

// Alerts returns when slowburn tells about an SLO whose format gives these pairs: what no other
// format knows (shares spent, missing data, the low-traffic guard) has slowburn's default.
func Alerts(v strictyaml.Value, s *slo.Spec, page, ticket []slo.Pair) slo.Alerts {
	a, _ := slo.DefaultAlerts(s.Window(), s.Objective)
	a.Page, a.Ticket = Living(v, s, page), Living(v, s, ticket)
	return a
}

// Workbook returns the pairs of the workbook for a window, whatever the objective.
func Workbook(w slo.Window) (page, ticket []slo.Pair) {
	strict, _ := slo.ParseObjective("99.9999999") // nothing is dead at this one
	a, _ := slo.DefaultAlerts(w, strict)
	return a.Page, a.Ticket
}

// Number reads a finite number.
func Number(v strictyaml.Value) (float64, bool) {
	text, ok := v.Literal("a number")
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !decimals.MatchString(text) {
		v.Problem(fmt.Sprintf("%s must be a number, not %q", v.Name(), text), "")
		return 0, false
	}
	return f, true
}

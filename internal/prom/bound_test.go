package prom

import (
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestACounterThatWrapsRoundIsAnError: a counter that runs below zero as an unsigned number shows
// more events than can be; its minute is unknown, says why, and the minutes around it count.
func TestACounterThatWrapsRoundIsAnError(t *testing.T) {
	for _, value := range []float64{1 << 63, 18446744073709551615, 1e300} {
		for _, code := range []string{"200", "500"} {
			db := promfake.New(promfake.Options{})
			for n := range 80 {
				v := map[string]float64{"200": float64(100 * n), "500": float64(n)}
				if n == 60 { // in the minute that ends half an hour in
					v[code] = value
				}
				for c, v := range v {
					if err := db.Append(lset("http_requests_total", "job", "a", "instance", "i", "code", c), at(30*float64(n)), v); err != nil {
						t.Fatal(err)
					}
				}
			}
			spec := tier(t, "a")
			r, got := New(serve(t, db), Options{}), book{}
			problems := ""
			for m := m0; m < m0+36; m++ {
				b := tick(t, r, []*slo.Spec{spec}, m, got)
				problems += strings.Join(b.Readings[spec.ID()].Problems, "; ")
			}
			for m := m0 + 5; m < m0+35; m++ {
				s, want := got[spec.ID()][m], budget.OK
				if m == m0+29 {
					want = budget.Failed
				}
				if s.State != want || s.Total > 404*budget.Unit {
					t.Errorf("%s of %g: minute %d is %+v", code, value, m-m0, s)
				}
			}
			if !strings.Contains(problems, "more events than a minute can hold") {
				t.Errorf("%s of %g: it is not said: %q", code, value, problems)
			}
		}
	}
}

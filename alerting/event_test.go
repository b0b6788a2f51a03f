package alerting

import (
	"testing"

	"github.com/slowburn-sre/slowburn/slo"
)

// TestAnIncidentNamesItsSLO: also one that opened in a minute that has happened twice, and one that
// a person has declared of a service as a whole.
func TestAnIncidentNamesItsSLO(t *testing.T) {
	for id, want := range map[string]slo.ID{
		"checkout/availability/page/1764500000":        "checkout/availability",
		"checkout/availability/no_data/1764500000-2":   "checkout/availability",
		`checkout/routes{route="/pay/now"}/ticket/1`:   `checkout/routes{route="/pay/now"}`,
		"checkout/declared/3w5e11264sgsf":              "checkout",
		"checkout/availability/declared/3w5e11264sgsf": "checkout/availability",
		`checkout/routes{route="/pay/now"}`:            "", "checkout/availability": "", "checkout": "", "": "",
	} {
		if got := SLOOf(id); got != want {
			t.Errorf("%s is of %q, want %q", id, got, want)
		}
	}
}

package alerting

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/slo"
)

func TestUpstreams(t *testing.T) {
	at := func(minutes int) time.Time { return time.Date(2026, 11, 23, 3, minutes, 0, 0, time.UTC) }
	burn := func(id string, budget slo.ID, from, to int, open bool) Incident {
		return Incident{ID: id, SLO: budget, Rule: RulePage, Severity: Page, Onset: at(from), Ended: at(to), Open: open}
	}
	silent := burn("silent", "pay/availability", 0, 30, true)
	silent.Rule = RuleNoData
	on := []slo.ID{"pay/availability", "bank/availability"}
	var got []string
	for _, u := range Upstreams(on, []Incident{
		burn("far", "bank/availability", 9, 20, true),
		burn("other", "web/availability", 9, 20, true),
		burn("before", "pay/availability", 0, 9, false),
		burn("after", "pay/availability", 31, 40, true),
		burn("grouped", `pay/availability{route="/a"}`, 12, 13, false),
		burn("near", "pay/availability", 5, 10, false),
		burn("still", "pay/availability", 1, 2, true),
		silent,
	}, at(10), at(30)) {
		got = append(got, u.Incident)
	}
	if diff := cmp.Diff([]string{"still", "near", "grouped", "far"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

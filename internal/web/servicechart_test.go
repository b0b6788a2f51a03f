package web

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// The page of a service draws at most four signals, those that its SLOs count: of each sort the one
// with the most events, now against the same hours a week before.
func TestTheSignalsOfAService(t *testing.T) {
	s := newShop(t)
	draw := budgetCharts{&site{server: &server{Options: s.options}}}
	for service, want := range map[string][]string{
		"checkout": {
			"Traffic: 1,200 a minute, last week 1,200 a minute, of availability", "Errors: 2.1 % bad, last week 0 % bad, of availability",
			"Latency, above 300ms: 3.4 % bad, last week 0.50 % bad, of latency",
		},
		"search": {"Availability: 0 % bad, last week 0 % bad, of availability"},
	} {
		var got []string
		for _, c := range draw.ofService(s.source.Snapshot().InService(service)) {
			got = append(got, c.Title+": "+c.Aside+", of "+c.Words)
			if len(c.Lines) != 2 || len(c.Lines[0].Points) == 0 || len(c.Lines[1].Points) == 0 {
				t.Errorf("%s: %s has not two lines", service, c.Title)
			}
		}
		if d := gocmp.Diff(want, got); d != "" {
			t.Errorf("%s:\n%s", service, d)
		}
	}
	if n := strings.Count(get(s.handler(), "/services/checkout").Body.String(), `class="plot"`); n != 3 {
		t.Errorf("the page of the service has %d charts", n)
	}
}

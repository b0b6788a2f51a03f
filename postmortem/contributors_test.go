package postmortem

import (
	"strings"
	"testing"
)

// What was counted in the first minutes is a share of the bad events of those minutes, not of the whole incident.
func TestContributorsAreAShareOfTheTimeInWhichTheyWereCounted(t *testing.T) {
	for name, c := range map[string]struct {
		allBad int64
		want   string
	}{
		"over the whole incident": {0, "| 90 | 9.0 % |"},
		"in its first minutes":    {100_000, "| 90 | 90.0 % |"},
	} {
		var b strings.Builder
		d := Document{Impact: Impact{Bad: 1_000_000}}
		d.Facts.Contributors = []Contributor{{Labels: `route="/pay"`, Bad: 90_000, Total: 180_000, AllBad: c.allBad, Query: "x"}}
		d.contributors(&b)
		if !strings.Contains(b.String(), c.want) || strings.Contains(b.String(), "Counted when") != (c.allBad > 0) {
			t.Errorf("%s: want %s in\n%s", name, c.want, b.String())
		}
	}
}

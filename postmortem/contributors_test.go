package postmortem

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/slo"
)

// What was counted in the first minutes is a share of the bad events of those minutes, not of the
// whole incident.
func TestContributorsAreAShareOfTheTimeInWhichTheyWereCounted(t *testing.T) {
	var b strings.Builder
	d := Document{Impact: Impact{Bad: 1_000_000}}
	d.Facts.Spec = new(slo.Spec)
	d.Facts.FoundAt = time.Unix(1795036320, 0)
	d.Facts.Where = &ranking.Ranking{
		Now:          ranking.Count{Bad: 100_000, Total: 400_000},
		Contributors: []ranking.Contributor{{Label: "route", Value: "/pay", Now: ranking.Count{Bad: 90_000, Total: 180_000}, Query: "x"}},
	}
	d.contributors(&b)
	if !strings.Contains(b.String(), "| 90 | 90 % |") || !strings.Contains(b.String(), "evaluate at 1795036320") {
		t.Error(b.String())
	}
}

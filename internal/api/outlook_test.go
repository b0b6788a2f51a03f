package api

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
)

// Where the middle of a forecast is not known, nothing but its band is told.
func TestTheOutlookOfABudget(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name                 string
		outlook              budget.Outlook
		want                 string
		at, earliest, latest time.Duration // after noon, 0 is absent
	}{
		{"a time", budget.Outlook{Known: true, In: 78 * time.Minute, Early: time.Hour, Late: 2 * time.Hour}, "exhausts", 78 * time.Minute, time.Hour, 2 * time.Hour},
		{"a band", budget.Outlook{Known: true, Early: time.Hour, Late: 9 * time.Hour}, "exhausts", 0, time.Hour, 9 * time.Hour},
		{"a band without an end", budget.Outlook{Known: true, Early: time.Hour}, "exhausts", 0, time.Hour, 0},
		{"gone", budget.Outlook{Known: true, Gone: true}, "spent", 0, 0, 0},
		{"it lasts", budget.Outlook{Lasts: true}, "lasts", 0, 0, 0},
		{"nobody knows", budget.Outlook{}, "unknown", 0, 0, 0},
	} {
		b := WindowBudget{}.WithOutlook(c.outlook, noon).Budget
		after := func(at *time.Time) time.Duration {
			if at == nil {
				return 0
			}
			return at.Sub(noon)
		}
		if b.Outlook != c.want || after(b.ExhaustsAt) != c.at || after(b.ExhaustsEarliest) != c.earliest || after(b.ExhaustsLatest) != c.latest {
			t.Errorf("%s: %s at %v, %v to %v", c.name, b.Outlook, b.ExhaustsAt, b.ExhaustsEarliest, b.ExhaustsLatest)
		}
	}
}

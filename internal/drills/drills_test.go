package drills_test

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/drills"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestTheRulesPageForTheMadeUpBurn(t *testing.T) {
	if burn, err := drills.Decide(noon); err != nil || burn == "" {
		t.Errorf("%q, %v", burn, err)
	}
}

func TestAProofCountsForSevenDays(t *testing.T) {
	taken := drills.Result{At: noon, Taken: noon.Add(time.Second)}
	if !taken.Running() || taken.Proven() {
		t.Error("one that is not over proves something")
	}
	done := taken.End(noon.Add(time.Minute), "")
	failed := drills.Result{At: noon.Add(24 * time.Hour), LastProven: done.LastProven}.End(noon.Add(25*time.Hour), "is_archived")
	for name, c := range map[string]struct {
		r             drills.Result
		after         time.Duration
		proven, fresh bool
	}{
		"proven":                      {done, time.Hour, true, true},
		"proven for a week":           {done, 7 * 24 * time.Hour, true, true},
		"and no longer":               {done, 7*24*time.Hour + time.Minute, true, false},
		"a failure after it":          {failed, 26 * time.Hour, false, true},
		"a failure a week after it":   {failed, 8 * 24 * time.Hour, false, false},
		"nothing":                     {drills.Result{}, 0, false, false},
		"nobody took it, all is well": {drills.Result{At: noon}.End(noon, ""), 0, false, false},
	} {
		if got := c.r.Proven(); got != c.proven {
			t.Errorf("%s: proven %t", name, got)
		}
		if got := c.r.Fresh(noon.Add(c.after)); got != c.fresh {
			t.Errorf("%s: fresh %t", name, got)
		}
	}
}

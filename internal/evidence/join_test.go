package evidence

import (
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/ranking"
)

// TestChangesAreJoinedOnlyIfTheyAreOne: nearness alone makes no two changes one.
func TestChangesAreJoinedOnlyIfTheyAreOne(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 23, 0, 0, time.UTC)
	recorded := func(kind, version string, min int) ranking.Suspect {
		return ranking.Suspect{At: at.Add(time.Duration(min) * time.Minute), What: kind + " " + version, Kind: kind, Version: version, Seen: ranking.Recorded}
	}
	seen := func(from, to string, min int) ranking.Suspect {
		return ranking.Suspect{At: at.Add(time.Duration(min) * time.Minute), What: from + " → " + to, Kind: ranking.Rollout, Version: to, From: from, Seen: "seen in build_info", Query: "q"}
	}
	restart := ranking.Suspect{At: at, What: "3 of 3 processes started anew", Kind: ranking.Restart, Seen: "seen in process_start_time_seconds"}
	for name, c := range map[string]struct {
		a, b ranking.Suspect
		one  bool
	}{
		"a deploy and the version that it brings":            {recorded("deploy", "v2.4.1", 0), seen("v2.4.0", "v2.4.1", 1), true},
		"written with and without a v":                       {recorded("deploy", "2.4.1", 0), seen("v2.4.0", "v2.4.1", 1), true},
		"a deploy of which nobody said the version":          {recorded("deploy", "", 0), seen("v2.4.0", "v2.4.1", 1), true},
		"a version and the processes that run it":            {seen("v2.4.0", "v2.4.1", 1), restart, true},
		"an experiment beside a roll-back":                   {recorded("experiment", "chaos", 3), seen("v1.1.0", "v1.0.0", 0), false},
		"a change of the configuration beside a new version": {recorded("config", "", 0), seen("v2.4.0", "v2.4.1", 1), false},
		"a deploy and another version":                       {recorded("deploy", "v2.4.2", 0), seen("v2.4.0", "v2.4.1", 1), false},
		"the same version, a quarter of an hour later":       {recorded("deploy", "v2.4.1", 0), seen("v2.4.0", "v2.4.1", 15), false},
	} {
		t.Run(name, func(t *testing.T) {
			all := join([]ranking.Suspect{c.a}, []ranking.Suspect{c.b})
			if one := len(all) == 1; one != c.one {
				t.Fatalf("they are %d changes", len(all))
			}
			if c.one && c.b.Kind == ranking.Rollout && (all[0].From != "v2.4.0" || all[0].Seen != "recorded and seen in build_info") {
				t.Errorf("joined: %+v", all[0])
			}
		})
	}
}

package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/register"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestWhatIsAskedForHasNoEffect: until somebody else approves it, the gate, the register and the
// ledger say what they said, and Slack that somebody asks. What waits survives a restart, and what
// is approved then counts from then on.
func TestWhatIsAskedForHasNoEffect(t *testing.T) {
	w := oneService(t, outage(50, [2]int{5, 60}))
	policy := alerting.DefaultPolicy()
	policy.FourEyes, policy.Notify = alerting.FourEyesKinds, slo.SlackRoute{Channel: channel}
	reload := func() {
		if err := w.engine.Reload(t.Context(), engine.Terms{Set: w.set, Policy: &policy}, w.now()); err != nil {
			t.Fatal(err)
		}
	}
	reload()
	w.steps(10)
	id := w.burns()[0].ID
	type told struct {
		Permits []string
		Class   string
		Open    int
	}
	says := func() (all told) {
		for _, v := range w.engine.Snapshot().Verdicts("", "", w.now()) {
			if v.Permit != nil {
				all.Permits = append(all.Permits, string(v.Permit.Kind)+" by "+v.Permit.By+" and "+v.Permit.ApprovedBy)
			}
		}
		i := w.incident(id)
		all.Class, all.Open = register.New([]register.Subject{{Incident: i, Acts: i.Acts}})[0].Class, w.engine.Snapshot().Open.Len()
		return all
	}
	before := says()
	ask := func(key string, kind alerting.ActKind, with alerting.Act) {
		with.Key, with.Kind, with.By, with.Who, with.Via = key, kind, "Ada", "token ada", "api"
		w.mustDo(with)
	}
	until := w.now().Add(3 * time.Hour)
	ask("o", alerting.Override, alerting.Act{Service: "shop", Text: "a fix", Until: until})
	ask("e", alerting.Exempt, alerting.Act{SLO: "shop/availability", Text: "the sale", Until: until})
	ask("c", alerting.Classify, alerting.Act{Incident: id, Text: alerting.NotMajor})
	w.steps(2)
	w.restart()
	reload()
	w.steps(2)
	if d := cmp.Diff(before, says()); d != "" {
		t.Errorf("what is asked for has an effect: %s", d)
	}
	if n := len(w.engine.Snapshot().Waiting(w.now())); n != 3 {
		t.Fatalf("%d acts wait", n)
	}
	if got := w.rootsWith("Ada asks to"); len(got) != 2 {
		t.Errorf("the channel reads %q", w.roots())
	}

	for _, key := range []string{"o", "e", "c"} {
		w.mustDo(alerting.Act{Key: "yes/" + key, Kind: alerting.Approve, By: "Ben", Who: "token ben", Via: "api", Other: key})
	}
	w.restart()
	reload()
	w.steps(2)
	now := says()
	if now.Class != alerting.NotMajor || len(now.Permits) != 1 || now.Permits[0] != "exempt by Ada and Ben" || len(w.engine.Snapshot().Waiting(w.now())) != 0 {
		t.Errorf("what is approved is not in force: %+v", now)
	}
	if got := w.rootsWith("approved by Ben"); len(got) != 2 || !strings.Contains(got[0].Text, "says Ada") {
		t.Errorf("the channel reads %q", w.roots())
	}
	if got := w.rootsWith("Ben has approved what Ada asked for"); len(got) != 2 {
		t.Errorf("the channel reads %q", w.roots())
	}
}

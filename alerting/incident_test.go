package alerting

import (
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
)

// TestTheNewestRecountStandsForAll: what comes late bit by bit is counted again and again. The
// record has the newest account and says so once; one that comes again changes nothing.
func TestTheNewestRecountStandsForAll(t *testing.T) {
	at := func(m budget.Minute, kind Kind, reason Reason, bad int64) Event {
		return Event{At: m, Incident: "i", Kind: kind, Severity: Page, Rule: RulePage, Reason: reason, Burn: &Burning{Onset: 90, Last: 120, Bad: bad}}
	}
	all := []Event{at(100, Opened, BurnHigh, 5), at(130, Resolved, BurnLow, 10)}
	for m := budget.Minute(140); m < 200; m += 5 {
		all = append(all, at(m, Recounted, DataLate, int64(m)))
	}
	var i Incident
	for _, e := range append(all, all[4], all[len(all)-1]) {
		i = i.Apply(e)
	}
	if i.Bad() != 195 || i.Told() != 10 || len(i.Log) != 3 || i.Log[2].At != 195 {
		t.Errorf("%d bad, told %d, and the log is %+v", i.Bad(), i.Told(), i.Log)
	}
}

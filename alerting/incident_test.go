package alerting

import (
	"testing"
	"time"

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

// How loud an incident is does not wait for the minute that takes up what a person said.
func TestAnIncidentIsAsLoudAsAPersonJustSaid(t *testing.T) {
	at := func(minutes int) time.Time { return budget.Minute(100).End().Add(time.Duration(minutes) * time.Minute) }
	quieter := Act{Key: "a", Kind: Escalate, At: at(3), Level: Ticket}
	for _, c := range []struct {
		when string
		acts []Act
		last Event
		want Severity
	}{
		{"nobody said anything", nil, Event{At: 100, Severity: Page}, Page},
		{"a person made it a ticket a moment ago", []Act{quieter}, Event{At: 100, Severity: Page}, Ticket},
		{"that was taken back", []Act{quieter, {Key: "b", Kind: Undo, At: at(4), Other: "a"}}, Event{At: 100, Severity: Page}, Page},
		{"it burned faster after that", []Act{quieter}, Event{At: 110, Severity: Page}, Page},
		{"the minute has come", []Act{quieter}, Event{At: 103, Severity: Ticket}, Ticket},
		{"two people said something", []Act{quieter, {Key: "c", Kind: Escalate, At: at(5), Level: Page}}, Event{At: 100, Severity: Ticket}, Page},
	} {
		i := Incident{Open: true, Severity: Page, Last: c.last, Acts: c.acts}
		if got := i.Loud(); got != c.want {
			t.Errorf("%s: %s; want %s", c.when, got, c.want)
		}
		i.Open = false
		if got := i.Loud(); got != Page {
			t.Errorf("%s, and it is over: %s; it was a page", c.when, got)
		}
	}
}

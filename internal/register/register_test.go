package register

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
)

// noon is the onset of the incident in these tests.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// outage is an incident of three hours with 12,000 failed events of 30,000.
func outage() alerting.Incident {
	return alerting.Incident{
		ID: "pay/transfers/page/1", SLO: "pay/transfers", Rule: alerting.RulePage, Severity: alerting.Page,
		Onset: noon, Detected: noon.Add(4 * time.Minute), Ended: noon.Add(150 * time.Minute), Resolved: noon.Add(3 * time.Hour),
		Last: alerting.Event{Burn: &alerting.Burning{
			Onset: budget.MinuteOf(noon), Last: budget.MinuteOf(noon) + 149, Bad: 12_000_000, Total: 30_000_000, Minute: 150,
		}},
	}
}

func act(kind alerting.ActKind, after time.Duration, text string) alerting.Act {
	return alerting.Act{Key: string(kind) + text, Kind: kind, At: noon.Add(after), By: "Ada", Text: text}
}

func TestDeadlinesFollowFromKnowingAndClassifying(t *testing.T) {
	known := noon.Add(4 * time.Minute)
	for _, c := range []struct {
		name    string
		acts    []alerting.Act
		initial time.Time
	}{
		{"undecided: 24 hours after it was known", nil, known.Add(24 * time.Hour)},
		{"major, soon: four hours after the decision", []alerting.Act{act(alerting.Classify, time.Hour, "major")}, noon.Add(5 * time.Hour)},
		{"major, late: still 24 hours after it was known", []alerting.Act{act(alerting.Classify, 23*time.Hour, "major")}, known.Add(24 * time.Hour)},
		{"not major: nothing is due", []alerting.Act{act(alerting.Classify, time.Hour, "not major")}, time.Time{}},
		{
			"the newest decision counts, in whatever order they are told",
			[]alerting.Act{act(alerting.Classify, 2*time.Hour, "major"), act(alerting.Classify, time.Hour, "not major")},
			noon.Add(6 * time.Hour),
		},
		{
			"a decision that was taken back: as if there had been none",
			[]alerting.Act{act(alerting.Classify, time.Hour, "not major"), {Key: "u", Kind: alerting.Undo, At: noon.Add(2 * time.Hour), By: "Ada", Other: "classifynot major"}},
			known.Add(24 * time.Hour),
		},
	} {
		e := New([]Subject{{Incident: outage(), Acts: c.acts}})[0]
		if !e.Due.Initial.Equal(c.initial) {
			t.Errorf("%s: got %v, want %v", c.name, e.Due.Initial, c.initial)
		}
		if c.initial.IsZero() != e.Due.Final.IsZero() {
			t.Errorf("%s: the final report is due %v", c.name, e.Due.Final)
		}
		if !c.initial.IsZero() && !e.Due.Final.Equal(c.initial.Add(72*time.Hour).AddDate(0, 1, 0)) {
			t.Errorf("%s: the final report is due %v", c.name, e.Due.Final)
		}
	}
}

func TestEntriesHoldWhatIsKnownAndNothingElse(t *testing.T) {
	var l budget.Ledger
	for m := budget.MinuteOf(noon) - 2*1440; m < budget.MinuteOf(noon)+180; m++ {
		l.Put(m, budget.Count(0, 50_000)) // 72,000 events a day
	}
	before := outage()
	before.ID, before.Detected = "pay/transfers/page/0", noon.AddDate(0, -5, 0)
	long := before
	long.ID, long.Detected = "pay/transfers/page/-1", noon.AddDate(0, -7, 0)
	other := before
	other.ID, other.SLO = "pay/cards/page/0", "pay/cards"
	e := New([]Subject{{
		Incident: outage(), Ledger: &l, Others: []alerting.Incident{before, long, other, outage()},
		Acts: []alerting.Act{act(alerting.Mitigated, time.Hour, ""), act(alerting.Acknowledge, 6*time.Minute, ""), act(alerting.Acknowledge, 9*time.Minute, "again")},
	}})[0]
	if !e.Acknowledged.Equal(noon.Add(6*time.Minute)) || !e.Mitigated.Equal(noon.Add(time.Hour)) {
		t.Errorf("acknowledged %v, mitigated %v", e.Acknowledged, e.Mitigated)
	}
	if !slices.Equal(e.Recurrence, []string{"pay/transfers/page/0"}) {
		t.Errorf("recurrence: %v", e.Recurrence)
	}
	if e.PerDay != 72_000_000 {
		t.Errorf("an average day has %d", e.PerDay)
	}
	want := map[string]string{
		"failed transactions of a daily average": "16.67 % true",
		"duration":                               "3 h false",
		"downtime of a service that supports a critical function": "2 h 30 min true",
		"clients affected": " unknown",
	}
	for _, i := range e.Indications() {
		got := i.Value + " unknown"
		if i.Reached != nil {
			got = i.Value + map[bool]string{true: " true", false: " false"}[*i.Reached]
		}
		if want, ok := want[i.Criterion]; ok && got != want {
			t.Errorf("%s: got %q, want %q", i.Criterion, got, want)
		}
	}
}

// A figure never reads as its threshold, or beyond it, unless it is.
func TestAValueReadsOnItsSideOfTheThreshold(t *testing.T) {
	for _, c := range []struct {
		what, want string
		n          int
		e          Entry
	}{
		{"just below a tenth", "9.99 % false", 0, Entry{Bad: 9_996, PerDay: 100_000}},
		{"a tenth", "10.00 % false", 0, Entry{Bad: 10_000, PerDay: 100_000}},
		{"just above a tenth", "10.01 % true", 0, Entry{Bad: 10_004, PerDay: 100_000}},
		{"a hair above a tenth of what is no multiple of ten", "10.01 % true", 0, Entry{Bad: 10_001, PerDay: 100_009}},
		{"more than can be multiplied", "100 % true", 0, Entry{Bad: 1 << 62, PerDay: 1 << 62}},
		{"a second below a day", "23 h 59 min false", 1, lasted(24*time.Hour - time.Second)},
		{"a day", "24 h false", 1, lasted(24 * time.Hour)},
		{"a second above a day", "24 h 1 min true", 1, lasted(24*time.Hour + time.Second)},
		{"just below two hours", "1 h 59 min false", 2, down(2*time.Hour - time.Minute)},
		{"two hours", "2 h false", 2, down(2 * time.Hour)},
		{"just above two hours", "2 h 1 min true", 2, down(2*time.Hour + time.Minute)},
	} {
		i := c.e.Indications()[c.n]
		if got := fmt.Sprintf("%s %t", i.Value, i.Reached != nil && *i.Reached); got != c.want {
			t.Errorf("%s: got %q beside %q, want %q", c.what, got, i.Threshold, c.want)
		}
	}
}

func lasted(d time.Duration) Entry {
	return Entry{Incident: alerting.Incident{Onset: noon, Resolved: noon.Add(d)}}
}

func down(d time.Duration) Entry {
	return Entry{Down: d, Incident: alerting.Incident{Last: alerting.Event{Burn: &alerting.Burning{}}}}
}

func TestTheOrderInWhichIncidentsAreHandedInDoesNotShow(t *testing.T) {
	a, b := outage(), outage()
	b.ID, b.Detected = "pay/transfers/page/2", noon
	one, other := New([]Subject{{Incident: a}, {Incident: b}}), New([]Subject{{Incident: b}, {Incident: a}})
	if d := cmp.Diff(one, other); d != "" {
		t.Error(d)
	}
}

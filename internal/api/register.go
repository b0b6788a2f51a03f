package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/register"
)

// Register is the incident register for regulators. Its names are those of the regulations where
// they have one.
type Register struct {
	Note    string          `json:"note"`    // what the register is and is not
	Entries []RegisterEntry `json:"entries"` // oldest first
}

// RegisterEntry is one incident as regulators ask for it.
type RegisterEntry struct {
	ID              string       `json:"id"`
	Service         string       `json:"service"`
	SLO             string       `json:"slo"` // the ID of its budget
	Owner           string       `json:"owner,omitempty"`
	Tier            string       `json:"tier,omitempty"`
	Rule            string       `json:"rule"`
	Onset           *time.Time   `json:"onset"`
	Detected        *time.Time   `json:"detected"`
	Acknowledged    *time.Time   `json:"acknowledged"`
	Mitigated       *time.Time   `json:"mitigated"`
	Resolved        *time.Time   `json:"resolved"`
	TimeToResolve   *float64     `json:"timeToResolveSeconds"`
	Downtime        *float64     `json:"downtimeSeconds"` // minutes with at least one failed event
	Failed          float64      `json:"failedTransactions"`
	Total           float64      `json:"transactionsInItsTime"`
	PerDay          *float64     `json:"transactionsOnAnAverageDay"` // of the four weeks before
	Recurrence      []string     `json:"earlierIncidentsOfTheSameSLO"`
	Class           *string      `json:"classification"` // null is undecided
	Classified      *time.Time   `json:"classifiedAt"`
	ClassifiedBy    string       `json:"classifiedBy,omitempty"`
	DueInitial      *time.Time   `json:"initialNotificationDue"`
	DueIntermediate *time.Time   `json:"intermediateReportDue"`
	DueFinal        *time.Time   `json:"finalReportDue"`
	Indications     []Indication `json:"indications"`

	// The same as timeToResolveSeconds, for one more release: elsewhere it lasts to the last bad
	// minute.
	OldDuration *float64 `json:"durationSeconds"`
}

// Indication holds one figure against the threshold that the regulation gives for it.
type Indication struct {
	Criterion string  `json:"criterion"`
	Value     *string `json:"value"` // null is not known to slowburn
	Threshold string  `json:"threshold"`
	Reached   *bool   `json:"reached"`
}

// RegisterOf converts entries, in their order.
func RegisterOf(entries []register.Entry) Register {
	r := Register{Note: register.Note, Entries: []RegisterEntry{}}
	for _, e := range entries {
		r.Entries = append(r.Entries, registerEntry(e))
	}
	return r
}

func registerEntry(e register.Entry) RegisterEntry {
	i := e.Incident
	duration, ended := e.Duration()
	out := RegisterEntry{
		ID: i.ID, Service: i.SLO.Service(), SLO: string(i.SLO), Owner: e.Owner, Tier: e.Tier, Rule: string(i.Rule),
		Onset: TimeOrNull(i.Onset), Detected: TimeOrNull(i.Alerted()), Acknowledged: TimeOrNull(e.Acknowledged),
		Mitigated: TimeOrNull(e.Mitigated), Resolved: TimeOrNull(i.Resolved),
		TimeToResolve: seconds(duration.Truncate(time.Second), ended), Downtime: seconds(e.Down, i.Last.Burn != nil),
		Failed: Events(e.Bad), Total: Events(e.Total), PerDay: IfKnown(Events(e.PerDay), e.PerDay > 0),
		Recurrence: append([]string{}, e.Recurrence...),
		Classified: TimeOrNull(e.Classified), ClassifiedBy: e.ClassifiedBy,
		DueInitial: TimeOrNull(e.Due.Initial), DueIntermediate: TimeOrNull(e.Due.Intermediate), DueFinal: TimeOrNull(e.Due.Final),
	}
	out.OldDuration = out.TimeToResolve
	if e.Class != "" {
		out.Class = &e.Class
	}
	for _, x := range e.Indications() {
		y := Indication{Criterion: x.Criterion, Threshold: x.Threshold, Reached: x.Reached}
		if x.Value != "" {
			y.Value = &x.Value
		}
		out.Indications = append(out.Indications, y)
	}
	return out
}

// CSV writes the entries as comma-separated values (RFC 4180) with a header; an empty cell is not
// known. What a spreadsheet would take for a formula, whatever parts its cells, has an apostrophe
// before it.
func (r Register) CSV() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{
		"id", "service", "slo", "owner", "tier", "rule", "onset", "detected", "acknowledged", "mitigated", "resolved",
		"duration_seconds", "downtime_seconds", "failed_transactions", "transactions_in_its_time", "transactions_on_an_average_day",
		"earlier_incidents_of_the_same_slo", "classification", "classified_at", "classified_by",
		"initial_notification_due", "intermediate_report_due", "final_report_due",
	})
	for _, e := range r.Entries {
		cells := []string{
			e.ID, e.Service, e.SLO, e.Owner, e.Tier, e.Rule, cell(e.Onset), cell(e.Detected),
			cell(e.Acknowledged), cell(e.Mitigated), cell(e.Resolved), cell(e.TimeToResolve), cell(e.Downtime),
			cell(&e.Failed), cell(&e.Total), cell(e.PerDay), strings.Join(e.Recurrence, " "),
			cell(e.Class), cell(e.Classified), e.ClassifiedBy, cell(e.DueInitial), cell(e.DueIntermediate), cell(e.DueFinal),
		}
		for n := range cells {
			cells[n] = inert(cells[n])
		}
		_ = w.Write(cells) // a buffer takes everything
	}
	w.Flush()
	return b.Bytes()
}

// formula finds where a spreadsheet would begin a formula: at the beginning of a cell, which is
// behind a semicolon, a tab or a bar, too, where it takes those to part cells.
var formula = regexp.MustCompile("(^|[;,|\t\r\n])([\\s\"']*)([=+\\-@\t\r＝＋－＠])")

// inert keeps a spreadsheet from taking a cell, or a part of one, for a formula.
func inert(cell string) string { return formula.ReplaceAllString(cell, "$1$2'$3") }

// cell writes what may be unknown.
func cell[T any](v *T) string {
	if v == nil {
		return ""
	}
	if t, ok := any(*v).(time.Time); ok {
		return t.Format(time.RFC3339)
	}
	return fmt.Sprint(*v)
}

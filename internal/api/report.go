package api

import (
	"encoding/json"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// Report is a report as it was sent. A list of them is ordered newest first and has neither
// Markdown nor data.
type Report struct {
	Name     string    `json:"name"`
	Period   string    `json:"period"` // 2026-W47, 2026-11, 2026-Q4
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	At       time.Time `json:"at"` // when it was made
	Markdown string    `json:"markdown,omitempty"`
	// Data are the facts: ReportData, as it was when the report was made.
	Data any `json:"data,omitempty"`
}

// ReportData are the facts of a report. They are kept as they were made, so what an older version
// wrote has older names.
type ReportData struct {
	Key         string           `json:"key"`
	Title       string           `json:"title"`
	Verdict     string           `json:"verdict"`
	Name        string           `json:"name"`
	Period      string           `json:"period"`
	Timezone    string           `json:"timezone"`
	From        time.Time        `json:"from"`
	To          time.Time        `json:"to"`
	Late        bool             `json:"late"`
	Missed      []string         `json:"missed"` // older periods that were never reported
	Tally       Tally            `json:"tally"`
	Trend       []ReportPast     `json:"trend"`     // the last eight periods, oldest first; the newest is this one
	SLOs        []ReportSLO      `json:"slos"`      // one per budget, worst SLO first
	Burners     []Burner         `json:"burners"`   // budgets that burned in the period, most first
	Incidents   []ReportIncident `json:"incidents"` // that overlap the period, oldest first
	Load        Load             `json:"load"`
	Actions     []ActionItem     `json:"actionItems"` // that are not done
	Changes     []ReportChange   `json:"changes"`     // one per change and budget, the dearest first
	Delivery    ReportDelivery   `json:"delivery"`
	Services    []ReportService  `json:"services"`
	Undelivered int              `json:"messagesGivenUp"`
	Drills      *ReportDrills    `json:"drills,omitempty"` // apart: drills count nowhere else; absent from the report of a team
	Audit       *ReportAudit     `json:"audit,omitempty"`  // how the log of acts stood; absent from the report of a team
	Repetitions []Repetition     `json:"repetitions"`
	Decisions   []Decision       `json:"decisions"`
	Previous    string           `json:"previous,omitempty"` // the address of the report before
}

// Tally counts SLOs; an SLO with several budgets is within if each that can be judged is.
type Tally struct {
	Within   int      `json:"within"`
	Over     []string `json:"over"` // worst first
	Unjudged int      `json:"unjudged"`
	Before   *int     `json:"withinBefore"` // at the period's beginning
}

// ReportSLO is one error budget at the end of the period.
type ReportSLO struct {
	Promise
	WindowBudget
	Standing string    `json:"standing"` // over, within, low_traffic, no_traffic, no_data
	From     time.Time `json:"from"`     // where the window begins
	To       time.Time `json:"to"`       // the end of the period
	Before   *float64  `json:"remainingBefore"`
	// Coverage is the same as budget.coverage.
	Coverage *float64       `json:"coverage"`
	Outlook  ReportOutlook  `json:"outlook"`
	Period   Span           `json:"period"`
	Others   []ReportWindow `json:"otherWindows,omitempty"`
	Worst    []WorstWindow  `json:"worstWindows"`
	Query    string         `json:"query"` // PromQL of the share of bad events over the window, evaluated at its end

	// The same as budget.gross, and the words of budget.corrections, for one more release.
	OldGross       *Account `json:"gross,omitempty"`
	OldCorrections []string `json:"corrections,omitempty"`
}

// ReportOutlook says when the budget will be gone, if it goes on burning as in its last days.
type ReportOutlook struct {
	State    string   `json:"state"`                     // spent, exhausts, lasts or unknown, as of a budget
	Exhausts *float64 `json:"exhaustsInSeconds"`         // from the end of the report; null where only the band is known
	Earliest *float64 `json:"exhaustsEarliestInSeconds"` // the 80 % band
	Latest   *float64 `json:"exhaustsLatestInSeconds"`   // null: perhaps never

	// The same in hours, for one more release.
	OldHours    int `json:"hours,omitempty"`
	OldEarliest int `json:"earliest,omitempty"`
	OldLatest   int `json:"latest,omitempty"`
}

func reportOutlook(o budget.Outlook) ReportOutlook {
	hours := func(d time.Duration) int { return int(d / time.Hour) }
	return ReportOutlook{
		State: outlookOf(o), Exhausts: seconds(o.In, o.In > 0), Earliest: seconds(o.Early, o.Early > 0), Latest: seconds(o.Late, o.Late > 0),
		OldHours: hours(o.In), OldEarliest: hours(o.Early), OldLatest: hours(o.Late),
	}
}

// Span is how much of a stretch of time is known, in minutes, and what happened in it, in events.
type Span struct {
	Minutes int `json:"minutes"` // without those that corrections leave out
	Known   int `json:"known"`
	Partial int `json:"partial"` // the events are known, not their minute
	Unknown int `json:"unknown"` // asked for in vain
	Unread  int `json:"unread"`  // never read
	// Estimated are those of the known and partial ones whose events Prometheus has extrapolated.
	Estimated int     `json:"estimated,omitempty"`
	Bad       float64 `json:"bad"`
	Total     float64 `json:"total"`
}

// ReportWindow is the budget of a further window of the same SLO.
type ReportWindow struct {
	WindowBudget
	Standing string `json:"standing"`
}

// WorstWindow is the worst stretch of one length.
type WorstWindow struct {
	Length string     `json:"length"`
	From   *time.Time `json:"from"`
	SLI    *float64   `json:"sli"`         // percent; null where no event went bad, or bad events are known by the hour only
	Whole  bool       `json:"wholePeriod"` // all of the period could be searched
}

// Burner says where the budget went that one SLO burned in the period: attributed + unattributed =
// bad.
type Burner struct {
	ID           string   `json:"id"`
	Bad          float64  `json:"bad"`
	Attributed   float64  `json:"attributed"`          // in incidents
	Unattributed float64  `json:"unattributed"`        // errors that no alert spoke of
	Spent        *float64 `json:"spent"`               // of the whole window's budget
	Projected    bool     `json:"projected,omitempty"` // the budget is what it would be at the traffic that was seen, as less than a tenth of the window is known
	Estimated    bool     `json:"estimated,omitempty"` // some of the counts are estimates
	Incidents    int      `json:"incidents"`
	Query        string   `json:"query"`
}

// ReportIncident is an incident of the period. Open is at its end. What it took of four weeks is
// what the ledger knows by then, with samples that came after the incident was over.
type ReportIncident struct {
	Incident
	InPeriod  float64  `json:"badInPeriod"` // in this period and counted to no other incident
	FourWeeks *float64 `json:"fourWeekBudgetSpent"`
	// FourWeeksProjected is present where less than a tenth of the four weeks is known: their
	// budget is then what they would allow at the traffic that was seen.
	FourWeeksProjected bool `json:"fourWeekProjected,omitempty"`
	FourWeeksEstimated bool `json:"fourWeekEstimated,omitempty"` // some of their counts are estimates

	Required bool   `json:"postmortemRequired"`
	Reason   string `json:"postmortemReason"`
	Review   string `json:"postmortem"`                // "", draft, in review, closed
	Blank    bool   `json:"postmortemBlank,omitempty"` // a draft that nobody has written in
	Class    string `json:"class,omitempty"`

	Taken       string   `json:"acknowledgedBy,omitempty"` // who acknowledged it first
	Contributor string   `json:"mostOfExcessIn,omitempty"` // the label value that most of its bad events were in
	OldCost     *float64 `json:"budgetSpent"`              // the same as cost, for one more release
}

// Load is how often people were called in the period.
type Load struct {
	Pages      int       `json:"pages"`
	OutOfHours int       `json:"pagesOutOfHours"`
	Tickets    int       `json:"tickets"`
	NoData     int       `json:"noData"`
	Unresolved int       `json:"unresolved"`
	Shifts     int       `json:"shifts"` // of twelve hours
	Heavy      int       `json:"shiftsAboveTwoPages"`
	MostPages  int       `json:"mostPagesInAShift"`
	MostAt     time.Time `json:"mostPagesAt,omitzero"`
	Acked      int       `json:"pagesAcknowledged"`
	Judged     int       `json:"pagesThatEnded"`
	Precise    int       `json:"pagesWithEffect"`
	People     []Person  `json:"people"`    // who acknowledged most first
	Toil       *float64  `json:"toilShare"` // null if no work was recorded
}

// Person is what one person took on in the period.
type Person struct {
	Name         string `json:"name"`
	Acknowledged int    `json:"acknowledged"` // incidents that this person was the first to acknowledge
	OutOfHours   int    `json:"outOfHours"`   // of them, out of working hours
}

// ReportChange is what one change cost one budget.
type ReportChange struct {
	Key   string    `json:"key"`
	Kind  string    `json:"kind"`
	Title string    `json:"title"`
	By    string    `json:"by"`
	Start time.Time `json:"start"`
	ChangeCost

	// The same as whether excess is not null, as spent and as shared, for one more release.
	OldKnown  bool     `json:"known"`
	OldSpent  *float64 `json:"budgetSpent"`
	OldShared []string `json:"sharedWith,omitempty"`
}

// ReportDelivery is how changes were delivered in the period.
type ReportDelivery struct {
	Delivery

	// The same under older names, for one more release.
	OldFailureRate *float64 `json:"changeFailureRate"`
	OldRecovery    *float64 `json:"medianRecoverySeconds"`
	OldLead        *float64 `json:"medianLeadSeconds"`
}

// ReportService is a service with its golden signals at the end of the period.
type ReportService struct {
	Name    string         `json:"service"`
	Signals []ReportSignal `json:"signals"`
}

// ReportSignal is one golden signal, over the last hour of the period and over the same hour a week
// before. Values are written with their unit.
type ReportSignal struct {
	Kind     string `json:"kind"` // latency, traffic, errors or saturation
	What     string `json:"what,omitempty"`
	Now      string `json:"now,omitempty"`
	Before   string `json:"before,omitempty"`
	Used     string `json:"used,omitempty"`     // of saturation: the share of the limit that is in use
	Forecast string `json:"forecast,omitempty"` // and when it will be full, if it goes on like this
	Soon     bool   `json:"soon,omitempty"`     // within four weeks
	Query    string `json:"query,omitempty"`
}

// ReportDrills is what the drills of the last seven days have proven.
type ReportDrills struct {
	Routes       int                   `json:"routes"`       // pairs of a service's severity and a destination
	Proven       int                   `json:"proven"`       // of them, to one that took a drill
	Destinations int                   `json:"destinations"` // channels of receivers
	Unproven     []UnprovenDestination `json:"unproven"`
	Answers      []DrillAnswer         `json:"answers"` // of people, to loud drills
}

// ReportAudit is how the log of acts stood when the report was made.
type ReportAudit struct {
	Acts   int64    `json:"acts"`
	Head   string   `json:"head"` // NUMBER:HASH of the newest act, "" before the first
	Faults []string `json:"faults"`
}

// UnprovenDestination is a destination that took no drill in the last seven days.
type UnprovenDestination struct {
	Destination string     `json:"destination"`
	Services    []string   `json:"services"`
	Reason      string     `json:"reason,omitempty"` // of the newest drill
	LastProven  *time.Time `json:"lastProven"`       // null if it never was
}

// DrillAnswer is how fast a loud drill was acknowledged.
type DrillAnswer struct {
	Destination string  `json:"destination"`
	By          string  `json:"by"`
	Seconds     float64 `json:"seconds"`
}

// ReportPast is how often and how fast in one period. Times are medians in seconds, null of none.
type ReportPast struct {
	Period        string   `json:"period"`
	Pages         *int     `json:"pages"`       // null if slowburn knows nothing of the period
	Detect        *float64 `json:"mttdSeconds"` // from the onset to when it was told
	DetectOf      int      `json:"detected"`    // incidents
	Acknowledge   *float64 `json:"mttaSeconds"` // from the page to the first acknowledgement
	AcknowledgeOf int      `json:"acknowledged"`
	Resolve       *float64 `json:"mttrSeconds"` // from the onset to the last bad minute
	ResolveOf     int      `json:"resolved"`
}

// Repetition is incidents of the period that are alike, for which one decision is proposed.
type Repetition struct {
	Kind        string   `json:"kind"` // hour (of the day), weekday (and hour), contributor
	Service     string   `json:"service"`
	SLO         string   `json:"slo,omitempty"` // absent if it is about several
	Incidents   []string `json:"incidents"`     // oldest first
	Days        int      `json:"days"`          // different ones on which they began
	Earlier     int      `json:"earlier"`       // incidents of the seven periods before that are alike
	Contributor string   `json:"contributor,omitempty"`
	Person      string   `json:"person,omitempty"` // who acknowledged all of them
	Text        string   `json:"text"`
}

// Decision is what a report asks people to decide.
type Decision struct {
	Topic string `json:"topic"`
	SLO   string `json:"slo,omitempty"`
	Text  string `json:"text"`
}

// ReportJSON writes the facts of a report, indented, with a line break at its end. The same report
// gives the same bytes.
func ReportJSON(r report.Report) []byte {
	b, err := json.MarshalIndent(reportDataOf(r), "", "  ")
	if err != nil {
		panic(err) // all of it are numbers, texts and times of this century
	}
	return append(b, '\n')
}

// reportDataOf converts a report.
func reportDataOf(r report.Report) ReportData {
	delivery := DeliveryOf(r.Delivery)
	out := ReportData{
		Key: r.Key, Title: r.Title(), Verdict: r.Verdict(), Name: r.Name, Period: r.Period.String(), Timezone: r.Zone,
		From: r.From, To: r.To, Late: r.Late, Missed: []string{},
		Tally: Tally{Within: r.Tally.Within, Over: []string{}, Unjudged: r.Tally.Unjudged},
		SLOs:  []ReportSLO{}, Burners: []Burner{}, Incidents: []ReportIncident{}, Decisions: []Decision{},
		Load: loadOf(r), Actions: []ActionItem{}, Changes: []ReportChange{},
		Delivery: ReportDelivery{delivery, delivery.FailureRate, delivery.Recovery, delivery.Lead},
		Services: []ReportService{}, Undelivered: r.Undelivered, Drills: reportDrills(r.Drills), Audit: reportAudit(r.Audit), Previous: r.Previous.URL,
	}
	for _, id := range r.Tally.Over {
		out.Tally.Over = append(out.Tally.Over, string(id))
	}
	for _, p := range r.Missed {
		out.Missed = append(out.Missed, p.String())
	}
	if r.Tally.BeforeKnown {
		out.Tally.Before = &r.Tally.Before
	}
	for _, row := range r.Rows {
		out.SLOs = append(out.SLOs, reportSLO(row))
	}
	for _, b := range r.Burners {
		out.Burners = append(out.Burners, Burner{
			ID: string(b.ID), Bad: Events(b.Bad), Attributed: Events(b.Attributed), Unattributed: Events(b.Unattributed),
			Spent: ratio(b.Bad, b.Budget.Allowed), Projected: b.Budget.Projected, Estimated: b.Budget.Estimated, Incidents: b.Incidents, Query: b.Query,
		})
	}
	for _, i := range r.Incidents {
		out.Incidents = append(out.Incidents, reportIncident(i, r.To))
	}
	for _, a := range r.Actions {
		item := actionItem(a.Action, r.To)
		item.Incident = a.Incident
		out.Actions = append(out.Actions, item)
	}
	for _, c := range r.Changes {
		out.Changes = append(out.Changes, reportChange(c))
	}
	for _, s := range r.Services {
		service := ReportService{Name: s.Name}
		for _, signal := range s.Signals {
			service.Signals = append(service.Signals, ReportSignal(signal))
		}
		out.Services = append(out.Services, service)
	}
	out.Trend, out.Repetitions = reportTrend(r.Trend), []Repetition{}
	for _, n := range r.Repetitions {
		out.Repetitions = append(out.Repetitions, Repetition{
			Kind: string(n.Kind), Service: n.Service, SLO: string(n.SLO), Incidents: n.Incidents, Days: n.Days, Earlier: n.Earlier,
			Contributor: n.Contributor, Person: n.Person, Text: n.Text(),
		})
	}
	for _, d := range r.Decisions {
		out.Decisions = append(out.Decisions, Decision{Topic: string(d.Topic), SLO: string(d.ID), Text: d.Text})
	}
	return out
}

func reportTrend(t report.Trend) []ReportPast {
	all := []ReportPast{}
	seconds := func(m report.Median) *float64 { return IfKnown(m.Value.Seconds(), m.N > 0) }
	for _, p := range t {
		one := ReportPast{
			Period: p.Period.String(), Detect: seconds(p.Detect), DetectOf: p.Detect.N, Acknowledge: seconds(p.Ack), AcknowledgeOf: p.Ack.N,
			Resolve: seconds(p.Resolve), ResolveOf: p.Resolve.N,
		}
		if p.Known {
			one.Pages = &p.Pages
		}
		all = append(all, one)
	}
	return all
}

func reportAudit(a *report.Audit) *ReportAudit {
	if a == nil {
		return nil
	}
	return &ReportAudit{Acts: a.Acts, Head: a.Head, Faults: append([]string{}, a.Faults...)}
}

func reportDrills(d *report.Drills) *ReportDrills {
	if d == nil {
		return nil
	}
	out := &ReportDrills{Routes: d.Routes, Proven: d.Proven, Destinations: d.Destinations, Unproven: []UnprovenDestination{}, Answers: []DrillAnswer{}}
	for _, u := range d.Unproven {
		out.Unproven = append(out.Unproven, UnprovenDestination{Destination: u.Destination, Services: append([]string{}, u.Services...), Reason: u.Reason, LastProven: TimeOrNull(u.Last)})
	}
	for _, a := range d.Answers {
		out.Answers = append(out.Answers, DrillAnswer{Destination: a.Destination, By: a.By, Seconds: a.After.Seconds()})
	}
	return out
}

func reportSLO(r report.Row) ReportSLO {
	out := ReportSLO{
		Promise: PromiseOf(r.ID, r.Spec), WindowBudget: WindowOf(r.Budget), Standing: string(r.Verdict),
		From: r.Budget.From, To: r.Budget.At, Coverage: new(r.Budget.Coverage),
		Outlook: reportOutlook(r.Outlook), Query: r.Query,
		Period: Span{
			Minutes: r.InPeriod.Minutes, Known: r.InPeriod.Known, Partial: r.InPeriod.Partial, Unknown: r.InPeriod.Unknown,
			Unread: r.InPeriod.Unread, Estimated: r.InPeriod.Estimated, Bad: Events(r.InPeriod.Bad), Total: Events(r.InPeriod.Total),
		},
	}
	out.OldGross = out.Budget.Gross
	for _, c := range out.Budget.Corrections {
		out.OldCorrections = append(out.OldCorrections, c.Text)
	}
	if r.BeforeKnown {
		out.Before = ratio(r.Before.Left(), r.Before.Allowed)
	}
	for _, w := range r.Worst {
		one := WorstWindow{Length: slo.ShortDuration(w.Length), Whole: w.Whole}
		if w.Known {
			one.From, one.SLI = &w.From, ratio(100*(w.Total-w.Bad), w.Total)
		}
		out.Worst = append(out.Worst, one)
	}
	for _, o := range r.Others {
		out.Others = append(out.Others, ReportWindow{WindowOf(o.Budget), string(o.Verdict)})
	}
	return out
}

func reportIncident(i report.Incident, at time.Time) ReportIncident {
	v := i.Verdict
	out := ReportIncident{
		Incident: IncidentOf(i.Incident, i.Spec, at), InPeriod: Events(i.InPeriod),
		FourWeeks:          IfKnown(alerting.Account{Bad: v.Bad, Allowed: v.Budget.Allowed}.Spent(), v.Reason != postmortem.NoBurn && v.Budget.Allowed > 0),
		FourWeeksProjected: v.Budget.Projected, FourWeeksEstimated: v.Budget.Estimated, Required: v.Required, Reason: string(v.Reason), Review: i.Review, Blank: i.Blank, Class: i.Class,
		Taken: i.Taken, Contributor: i.Contributor,
	}
	out.OldCost = out.Cost
	return out
}

func loadOf(r report.Report) Load {
	l := r.Load
	out := Load{
		Pages: l.Pages, OutOfHours: l.OutOfHours, Tickets: l.Tickets, NoData: l.NoData, Unresolved: l.Unresolved,
		Shifts: l.Shifts, Heavy: l.Heavy, MostPages: l.MostPages, MostAt: l.MostAt.UTC(),
		Acked: l.Acknowledged, Judged: l.Judged, Precise: l.Precise, People: []Person{}, Toil: IfKnown(r.Toil.Share()),
	}
	for _, p := range r.People {
		out.People = append(out.People, Person(p))
	}
	return out
}

func reportChange(c alerting.Cost) ReportChange {
	a := c.Change
	out := ReportChange{
		Key: a.Key, Kind: a.Change.Kind, Title: a.Change.Title, By: a.By, Start: a.Change.Start, ChangeCost: CostOf(c),
		OldKnown: c.Known, OldShared: c.Shared,
	}
	out.OldSpent = out.Spent
	return out
}

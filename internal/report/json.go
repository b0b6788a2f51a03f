package report

import (
	"encoding/json"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// The report for programs, with the names that the API uses for an SLO. Counts are events, shares are
// ratios, durations are seconds, times are UTC; null is not known.
type (
	reportJSON struct {
		Key         string         `json:"key"`
		Title       string         `json:"title"`
		Verdict     string         `json:"verdict"`
		Name        string         `json:"name"`
		Period      Period         `json:"period"`
		Timezone    string         `json:"timezone"`
		From        time.Time      `json:"from"`
		To          time.Time      `json:"to"`
		Late        bool           `json:"late"`
		Missed      []Period       `json:"missed"`
		Tally       tallyJSON      `json:"tally"`
		SLOs        []sloJSON      `json:"slos"`
		Burners     []burnerJSON   `json:"burners"`
		Incidents   []incidentJSON `json:"incidents"`
		Load        loadJSON       `json:"load"`
		Actions     []actionJSON   `json:"actionItems"`
		Changes     []costJSON     `json:"changes"`
		Delivery    deliveryJSON   `json:"delivery"`
		Services    []serviceJSON  `json:"services"`
		Undelivered int            `json:"messagesGivenUp"`
		Decisions   []decisionJSON `json:"decisions"`
		Previous    string         `json:"previous,omitempty"`
	}
	tallyJSON struct {
		Within   int      `json:"within"`
		Over     []slo.ID `json:"over"`
		Unjudged int      `json:"unjudged"`
		Before   *int     `json:"withinBefore"`
	}
	sloJSON struct {
		ID        slo.ID      `json:"id"`
		Service   string      `json:"service"`
		SLO       string      `json:"slo"`
		Owner     string      `json:"owner,omitempty"`
		Objective json.Number `json:"objective"` // percent
		Window    string      `json:"window"`
		Standing  Verdict     `json:"standing"`
		From      time.Time   `json:"from"`
		To        time.Time   `json:"to"`
		SLI       *float64    `json:"sli"` // percent
		Budget    budgetJSON  `json:"budget"`
		Gross     *budgetJSON `json:"gross,omitempty"`       // before corrections
		LeftOut   []string    `json:"corrections,omitempty"` // what they left out, in words
		Before    *float64    `json:"remainingBefore"`
		Coverage  *float64    `json:"coverage"`
		Outlook   Outlook     `json:"outlook"`
		Period    spanJSON    `json:"period"`
		Others    []otherJSON `json:"otherWindows,omitempty"`
		Worst     []worstJSON `json:"worstWindows"`
		Query     string      `json:"query"`
	}
	budgetJSON struct {
		Allowed   float64  `json:"allowed"`
		Bad       float64  `json:"bad"`
		Total     float64  `json:"total"`
		Spent     *float64 `json:"spent"`
		Remaining *float64 `json:"remaining"`
	}
	spanJSON struct {
		Minutes int     `json:"minutes"`
		Known   int     `json:"known"`
		Partial int     `json:"partial"`
		Unknown int     `json:"unknown"`
		Unread  int     `json:"unread"`
		Bad     float64 `json:"bad"`
		Total   float64 `json:"total"`
	}
	otherJSON struct {
		Window   string     `json:"window"`
		Standing Verdict    `json:"standing"`
		Budget   budgetJSON `json:"budget"`
	}
	burnerJSON struct {
		ID           slo.ID   `json:"id"`
		Bad          float64  `json:"bad"`
		Attributed   float64  `json:"attributed"`
		Unattributed float64  `json:"unattributed"`
		Spent        *float64 `json:"spent"` // of the whole window's budget
		Incidents    int      `json:"incidents"`
		Query        string   `json:"query"`
	}
	incidentJSON struct {
		ID        string    `json:"id"`
		SLO       slo.ID    `json:"slo"`
		Rule      string    `json:"rule"`
		Severity  string    `json:"severity"`
		Open      bool      `json:"open"`
		Onset     time.Time `json:"onset"`
		Detected  time.Time `json:"detected"`
		Ended     time.Time `json:"ended,omitzero"`
		Resolved  time.Time `json:"resolved,omitzero"`
		Detect    float64   `json:"timeToDetectSeconds"`
		Resolve   *float64  `json:"timeToResolveSeconds"`
		Bad       float64   `json:"bad"`
		InPeriod  float64   `json:"badInPeriod"`
		Cost      *float64  `json:"budgetSpent"`
		FourWeeks *float64  `json:"fourWeekBudgetSpent"`
		Required  bool      `json:"postmortemRequired"`
		Reason    string    `json:"postmortemReason"`
		Review    string    `json:"postmortem"`
		Class     string    `json:"class,omitempty"`
		Ack       *float64  `json:"timeToAcknowledgeSeconds"`
		Mitigate  *float64  `json:"timeToMitigateSeconds"`
	}
	loadJSON struct {
		Pages      int       `json:"pages"`
		OutOfHours int       `json:"pagesOutOfHours"`
		Tickets    int       `json:"tickets"`
		NoData     int       `json:"noData"`
		Unresolved int       `json:"unresolved"`
		Shifts     int       `json:"shifts"`
		Heavy      int       `json:"shiftsAboveTwoPages"`
		MostPages  int       `json:"mostPagesInAShift"`
		MostAt     time.Time `json:"mostPagesAt,omitzero"`
		Acked      int       `json:"pagesAcknowledged"`
		Judged     int       `json:"pagesThatEnded"`
		Precise    int       `json:"pagesWithEffect"`
		People     []Person  `json:"people"`
		Toil       *float64  `json:"toilShare"` // null if no work was recorded
	}
	actionJSON struct {
		What     string `json:"what"`
		Kind     string `json:"kind,omitempty"`
		Priority string `json:"priority,omitempty"`
		Owner    string `json:"owner,omitempty"`
		Due      string `json:"due,omitempty"` // a day
		Overdue  bool   `json:"overdue"`
		Link     string `json:"link,omitempty"`
		Incident string `json:"incident"`
	}
	costJSON struct {
		Key    string    `json:"key"`
		SLO    slo.ID    `json:"slo"`
		Kind   string    `json:"kind"`
		Title  string    `json:"title"`
		By     string    `json:"by"`
		Start  time.Time `json:"start"`
		Known  bool      `json:"known"`
		Excess float64   `json:"excess"` // bad events beyond the share before it
		Spent  *float64  `json:"budgetSpent"`
		Shared []string  `json:"sharedWith,omitempty"`
	}
	deliveryJSON struct {
		Deploys     int      `json:"deploys"`
		Failed      int      `json:"failed"`
		FailureRate *float64 `json:"changeFailureRate"`
		Recovery    *float64 `json:"medianRecoverySeconds"`
		Lead        *float64 `json:"medianLeadSeconds"`
	}
	serviceJSON struct {
		Name    string   `json:"service"`
		Signals []Signal `json:"signals"`
	}
	worstJSON struct {
		Length string     `json:"length"`
		From   *time.Time `json:"from"`
		SLI    *float64   `json:"sli"` // percent; null without traffic
		Whole  bool       `json:"wholePeriod"`
	}
	decisionJSON struct {
		Topic Topic  `json:"topic"`
		SLO   slo.ID `json:"slo,omitempty"`
		Text  string `json:"text"`
	}
)

// JSON is the report for programs, indented, with a line break at its end. The same report gives the same bytes.
func (r Report) JSON() []byte {
	out := reportJSON{
		Key: r.Key, Title: r.Title(), Verdict: r.Verdict(), Name: r.Name, Period: r.Period, Timezone: r.Zone,
		From: r.From, To: r.To, Late: r.Late, Missed: append([]Period{}, r.Missed...),
		Tally: tallyJSON{Within: r.Tally.Within, Over: r.Tally.Over, Unjudged: r.Tally.Unjudged},
		SLOs:  []sloJSON{}, Burners: []burnerJSON{}, Incidents: []incidentJSON{}, Decisions: []decisionJSON{},
		Load: r.loadJSON(), Actions: []actionJSON{}, Changes: []costJSON{}, Delivery: deliveryOf(r.Delivery),
		Services: []serviceJSON{}, Undelivered: r.Undelivered, Previous: r.Previous.URL,
	}
	if r.Tally.BeforeKnown {
		out.Tally.Before = &r.Tally.Before
	}
	for _, row := range r.Rows {
		out.SLOs = append(out.SLOs, row.json())
	}
	for _, b := range r.Burners {
		out.Burners = append(out.Burners, burnerJSON{
			b.ID, events(b.Bad), events(b.Attributed), events(b.Unattributed), ratio(b.Bad, b.Allowed), b.Incidents, b.Query,
		})
	}
	for _, i := range r.Incidents {
		out.Incidents = append(out.Incidents, i.json())
	}
	for _, a := range r.Actions {
		out.Actions = append(out.Actions, a.json())
	}
	for _, c := range r.Changes {
		ch := c.Change.Change
		out.Changes = append(out.Changes, costJSON{
			c.Change.Key, c.SLO, ch.Kind, ch.Title, c.Change.By, ch.Start, c.Known, events(c.Excess), ratio(c.Excess, c.Allowed), c.Shared,
		})
	}
	for _, s := range r.Services {
		out.Services = append(out.Services, serviceJSON{s.Name, s.Signals})
	}
	for _, d := range r.Decisions {
		out.Decisions = append(out.Decisions, decisionJSON{d.Topic, d.ID, d.Text})
	}
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic(err) // all of it are numbers, texts and times of this century
	}
	return append(b, '\n')
}

// events turns thousandths into events.
func events(thousandths int64) float64 { return float64(thousandths) / budget.Unit }

// ratio is a/b, nil if there is nothing to divide by.
func ratio(a, b int64) *float64 {
	if b <= 0 {
		return nil
	}
	f := float64(a) / float64(b)
	return &f
}

func (r Row) json() sloJSON {
	s := sloJSON{
		ID: r.ID, Service: r.ID.Service(), SLO: r.ID.Name() + r.ID.Group(), Owner: r.Owner, Objective: json.Number(r.Objective),
		Window: r.Window, Standing: r.Verdict, From: r.From, To: r.To, SLI: ratio(100*(r.Total-r.Bad), r.Total),
		Budget: budgetOf(r.Verdict, r.Bad, r.Total, r.Allowed), Coverage: ratio(int64(r.InWindow.Known), int64(r.InWindow.Minutes)),
		Outlook: r.Outlook, Period: r.InPeriod.json(), Query: r.Query,
	}
	if r.Gross != nil {
		gross := budgetOf(r.Verdict, r.Gross.Bad, r.Gross.Total, r.Gross.Allowed)
		s.Gross = &gross
	}
	for _, o := range r.LeftOut {
		s.LeftOut = append(s.LeftOut, o.Text())
	}
	if r.BeforeKnown {
		s.Before = ratio(r.AllowedBefore-r.BadBefore, r.AllowedBefore)
	}
	for _, w := range r.Worst {
		s.Worst = append(s.Worst, w.json())
	}
	for _, o := range r.Others {
		s.Others = append(s.Others, otherJSON{o.Window, o.Verdict, budgetOf(o.Verdict, o.Bad, o.Total, o.Allowed)})
	}
	return s
}

// budgetOf leaves the shares out where nothing can be said.
func budgetOf(v Verdict, bad, total, allowed int64) budgetJSON {
	b := budgetJSON{Allowed: events(allowed), Bad: events(bad), Total: events(total)}
	if v != NoData && v != NoTraffic {
		b.Spent, b.Remaining = ratio(bad, allowed), ratio(allowed-bad, allowed)
	}
	return b
}

func (s Span) json() spanJSON {
	return spanJSON{s.Minutes, s.Known, s.Partial, s.Unknown, s.Unread, events(s.Bad), events(s.Total)}
}

func (i Incident) json() incidentJSON {
	out := incidentJSON{
		ID: i.ID, SLO: i.SLO, Rule: string(i.Rule), Severity: string(i.Severity), Open: i.Open,
		Onset: i.Onset, Detected: i.Detected, Ended: i.Ended, Resolved: i.Resolved,
		Detect: i.Detect.Seconds(), Bad: events(i.Bad), InPeriod: events(i.InPeriod), Cost: ratio(i.Bad, i.Allowed),
		FourWeeks: ratio(i.Postmortem.Bad, i.Postmortem.Allowed),
		Required:  i.Postmortem.Required, Reason: string(i.Postmortem.Reason), Review: i.Review, Class: i.Class,
	}
	if !i.Open {
		seconds := i.Resolve.Seconds()
		out.Resolve = &seconds
	}
	if i.Acknowledged {
		seconds := i.Acknowledge.Seconds()
		out.Ack = &seconds
	}
	if i.Mitigated {
		seconds := i.Mitigate.Seconds()
		out.Mitigate = &seconds
	}
	if i.Postmortem.Reason == postmortem.NoBurn {
		out.Cost, out.FourWeeks = nil, nil
	}
	return out
}

func (r Report) loadJSON() loadJSON {
	l := r.Load
	return loadJSON{
		l.Pages, l.OutOfHours, l.Tickets, l.NoData, l.Unresolved, l.Shifts, l.Heavy, l.MostPages, l.MostAt.UTC(),
		l.Acknowledged, l.Judged, l.Precise, append([]Person{}, r.People...), ratio(r.Toil.Toil, r.Toil.Toil+r.Toil.Project),
	}
}

func deliveryOf(d alerting.Delivery) deliveryJSON {
	return deliveryJSON{
		d.Deploys, d.Failed, ratio(int64(d.Failed), int64(d.Deploys)), medianSeconds(d.Recovery), medianSeconds(d.Lead),
	}
}

func medianSeconds(sorted []time.Duration) *float64 {
	if len(sorted) == 0 {
		return nil
	}
	s := alerting.Median(sorted).Seconds()
	return &s
}

func (a Action) json() actionJSON {
	out := actionJSON{What: a.What, Kind: a.Kind, Priority: a.Priority, Owner: a.Owner, Overdue: a.Overdue, Link: a.Link, Incident: a.Incident}
	if !a.Due.IsZero() {
		out.Due = a.Due.Format(time.DateOnly)
	}
	return out
}

func (w Worst) json() worstJSON {
	out := worstJSON{Length: slo.ShortDuration(w.Length), Whole: w.Whole}
	if w.Known {
		out.From, out.SLI = &w.From, ratio(100*(w.Total-w.Bad), w.Total)
	}
	return out
}

package api

import (
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Spend is where the budget of an SLO's first window went. The buckets add up to the whole, and so
// do the incidents with the unattributed.
type Spend struct {
	ID        string    `json:"id"`
	Objective float64   `json:"objective"` // percent
	Window    string    `json:"window"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Allowed   *float64  `json:"allowed"` // bad events that the window allows; null before anything is known
	Bad       float64   `json:"bad"`
	Total     float64   `json:"total"`
	Spent     *float64  `json:"spent"` // share of the budget; null if projected
	// Projected is present where less than a tenth of the window is known: allowed is what the
	// window would allow at the traffic that was seen, and the shares are of that.
	Projected bool `json:"projected,omitempty"`
	// GrossBad and GrossTotal are the events with those that corrections leave out; absent without
	// corrections.
	GrossBad    *float64     `json:"grossBad,omitempty"`
	GrossTotal  *float64     `json:"grossTotal,omitempty"`
	Corrections []Correction `json:"corrections,omitempty"`

	Buckets      []SpentBucket   `json:"buckets"`      // days or hours, oldest first
	Incidents    []SpentIncident `json:"incidents"`    // that burned in the window, newest first
	Unattributed SpentShare      `json:"unattributed"` // bad events outside of every incident
	Data         SpentData       `json:"data"`
	Journey      *Journey        `json:"journey,omitempty"` // of a journey: its steps, and between what its figure lies
}

// SpentShare is a number of bad events, and what share of the window's budget they took.
type SpentShare struct {
	Bad   float64  `json:"bad"`
	Share *float64 `json:"share"` // null if the window allows none
}

// SpentBucket is a day or an hour. A day is one of the window's time zone.
type SpentBucket struct {
	At   time.Time `json:"at"`   // its begin, or the window's if that is later
	Name string    `json:"name"` // Sun 2026-11-01, in the window's time zone; an hour also has its time
	SpentShare
	Total   float64 `json:"total"`
	Minutes int     `json:"minutes"` // of the window that lie in it
	Known   int     `json:"knownMinutes"`
	Unknown int     `json:"unknownMinutes"`           // were read and told nothing; the rest is excused, partial or was never read
	Excused int     `json:"excusedMinutes,omitempty"` // were read and are left out by a correction
	LeftOut float64 `json:"leftOut,omitempty"`        // bad events in them
	// Estimated are minutes whose counts Prometheus has computed and extrapolated.
	Estimated int `json:"estimatedMinutes,omitempty"`
}

// SpentIncident is a burn: what it cost, as [Incident] says it, and as bad and share what of it is
// in today's budget, the part that lies in the window and that no incident before it has taken.
type SpentIncident struct {
	ID       string    `json:"id"`
	Severity string    `json:"severity"`
	Onset    time.Time `json:"onset"`
	Duration float64   `json:"durationSeconds"`
	Open     bool      `json:"open"`
	IncidentCost
	SpentShare
	OldDuration string `json:"duration"` // the same in words, for one more release
}

// SpentData is what is known about the window's minutes.
type SpentData struct {
	State   string `json:"state"` // of the newest minute, as in Data
	Minutes int    `json:"minutes"`
	Known   int    `json:"knownMinutes"`
	Unknown int    `json:"unknownMinutes"`
	Excused int    `json:"excusedMinutes,omitempty"`
	Unseen  int    `json:"otherMinutes"` // partial, or never read
	// Estimated are minutes whose counts Prometheus has computed and extrapolated.
	Estimated int      `json:"estimatedMinutes,omitempty"`
	Problems  []string `json:"problems,omitempty"`
}

// SpendOf divides what a window of a budget holds: once by time, into days or hours, and once by
// incidents. Whose budget it is and the state of its data are for the caller to add.
func SpendOf(st budget.Status, l *budget.Ledger, incidents []alerting.Incident, hourly bool) Spend {
	w := WindowOf(st)
	out := Spend{
		Window: w.Window, From: st.From, To: st.At, Allowed: w.Budget.Allowed, Bad: Events(st.Sum.Bad), Total: Events(st.Sum.Total),
		Projected: w.Budget.Projected, Corrections: w.Budget.Corrections, Buckets: []SpentBucket{}, Incidents: []SpentIncident{},
	}
	if !out.Projected {
		out.Spent = ratio(st.Sum.Bad, st.Allowed)
	}
	if g := w.Budget.Gross; g != nil {
		out.GrossBad, out.GrossTotal = g.Bad, g.Total
	}
	out.divide(st, l, hourly)
	ordered, attribution := alerting.Attribution(l, incidents)
	from, to := budget.MinuteOf(st.From), budget.MinuteOf(st.At)
	shares, rest := attribution.In(from, to)
	out.Unattributed = spentShare(rest, st)
	for n, i := range slices.Backward(ordered) {
		if c := i.Claim(); c.From < to && c.To > from {
			out.Incidents = append(out.Incidents, SpentIncident{
				ID: i.ID, Severity: string(i.Severity), Onset: i.Onset.UTC(), Duration: i.Duration().Seconds(), Open: i.Open,
				IncidentCost: incidentCostOf(i), SpentShare: spentShare(shares[n], st), OldDuration: slo.ShortDuration(i.Duration()),
			})
		}
	}
	return out
}

// divide fills the buckets. It adds up hours, which the ledger has at any age: days begin at
// midnight of the window's zone, and the window at any hour.
func (s *Spend) divide(st budget.Status, l *budget.Ledger, hourly bool) {
	zone, layout := st.Window.Zone, "Mon 2006-01-02"
	if zone == nil {
		zone = time.UTC
	}
	if hourly {
		layout += " 15:04 MST" // with the zone, as one hour of the year occurs twice
	}
	var sums []bucketSum
	to, gross := budget.MinuteOf(st.At), l.Gross()
	for m := budget.MinuteOf(st.From); m < to; m += 60 {
		end := min(m+60, to)
		name := m.Time().In(zone).Format(layout)
		if n := len(sums); n == 0 || sums[n-1].name != name {
			sums = append(sums, bucketSum{name: name, from: m})
		}
		b := &sums[len(sums)-1]
		b.net, b.to = b.net.Plus(l.Sum(m, end)), end
		b.gross = budget.Add(b.gross, gross.Sum(m, end).Bad)
	}
	for _, b := range sums {
		minutes := int(b.to - b.from)
		s.Buckets = append(s.Buckets, SpentBucket{
			At: b.from.Time(), Name: b.name, SpentShare: spentShare(b.net.Bad, st), Total: Events(b.net.Total), Minutes: minutes,
			Known: b.net.Known, Unknown: b.net.Unknown, Excused: b.net.Excused, LeftOut: Events(b.gross - b.net.Bad), Estimated: b.net.Estimated,
		})
		s.Data.Minutes += minutes
		s.Data.Estimated += b.net.Estimated
		s.Data.Known, s.Data.Unknown, s.Data.Excused = s.Data.Known+b.net.Known, s.Data.Unknown+b.net.Unknown, s.Data.Excused+b.net.Excused
	}
	s.Data.Unseen = s.Data.Minutes - s.Data.Known - s.Data.Unknown - s.Data.Excused
}

// bucketSum is what the ledger holds of a bucket; gross is bad events with those that corrections
// leave out.
type bucketSum struct {
	name     string
	from, to budget.Minute
	net      budget.Sum
	gross    int64
}

func spentShare(bad int64, st budget.Status) SpentShare {
	return SpentShare{Bad: Events(bad), Share: ratio(bad, st.Allowed)}
}

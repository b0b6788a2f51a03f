package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

type explainCmd struct {
	remote
	Which string `arg:"" help:"SERVICE/SLO, with its label values for one budget of an SLO with 'by:'."`
	By    string `help:"How finely to divide the time." enum:"day,hour" default:"day"`
}

// explanation is what explain found out. Where the budget went comes from the daemon; the queries and what the
// alerts can catch come from the SLO file, and are absent without it.
type explanation struct {
	ID        string    `json:"id"`
	Objective float64   `json:"objective"` // percent
	Window    string    `json:"window"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Allowed   *float64  `json:"allowed"` // bad events that the window allows; null before anything is known
	Bad       float64   `json:"bad"`     // the sum of the buckets, and of the incidents and the unattributed
	Total     float64   `json:"total"`
	Spent     *float64  `json:"spent"` // share of the budget
	// GrossBad and GrossTotal are the events with those that corrections leave out; absent without corrections.
	GrossBad    *float64         `json:"grossBad,omitempty"`
	GrossTotal  *float64         `json:"grossTotal,omitempty"`
	Corrections []api.Correction `json:"corrections,omitempty"`

	Buckets      []spentBucket   `json:"buckets"` // oldest first
	Incidents    []spentIncident `json:"incidents"`
	Unattributed spentShare      `json:"unattributed"` // bad events outside of every incident
	Data         explainedData   `json:"data"`

	Queries []postmortem.Query `json:"queries,omitempty"`
	Alerts  *power             `json:"alerts"`
	Journey *api.Journey       `json:"journey,omitempty"` // of a journey: its steps, and between what its figure lies
	Note    string             `json:"note,omitempty"`    // why there are no queries and no alerts
}

// spentShare is a number of bad events, and what share of the window's budget they took.
type spentShare struct {
	Bad   float64  `json:"bad"`
	Share *float64 `json:"share"`
}

// spentBucket is a day or an hour. A day is one of the window's time zone.
type spentBucket struct {
	At   time.Time `json:"at"`   // its begin, or the window's if that is later
	Name string    `json:"name"` // Sun 2026-11-01, in the window's time zone; an hour also has its time
	spentShare
	Total   float64 `json:"total"`
	Minutes int     `json:"minutes"` // of the window that lie in it
	Known   int     `json:"knownMinutes"`
	Unknown int     `json:"unknownMinutes"`           // were read and told nothing; the rest is excused, partial or was never read
	Excused int     `json:"excusedMinutes,omitempty"` // were read and are left out by a correction
	LeftOut float64 `json:"leftOut,omitempty"`        // bad events in them
}

// spentIncident is a burn, with the part of it that lies in the window.
type spentIncident struct {
	ID       string    `json:"id"`
	Severity string    `json:"severity"`
	Onset    time.Time `json:"onset"`
	Duration string    `json:"duration"`
	Open     bool      `json:"open"`
	spentShare
}

// explainedData is what is known about the window's minutes.
type explainedData struct {
	State    string   `json:"state"`
	Minutes  int      `json:"minutes"`
	Known    int      `json:"knownMinutes"`
	Unknown  int      `json:"unknownMinutes"`
	Excused  int      `json:"excusedMinutes,omitempty"`
	Unseen   int      `json:"otherMinutes"` // partial, or never read
	Problems []string `json:"problems,omitempty"`
}

// Run says where a budget went, and what its alerts can and cannot catch.
func (c *explainCmd) Run(e *env) error {
	if !strings.Contains(c.Which, "/") {
		return exitError{exitUsage, fmt.Errorf("%q names a service; name one of its SLOs, as SERVICE/SLO", c.Which)}
	}
	x, err := c.explain(e)
	if err != nil {
		return err
	}
	if done, err := c.print(e, x); done {
		return err
	}
	return x.tell(e.out, c.By)
}

func (c *explainCmd) explain(e *env) (*explanation, error) {
	var s api.SLO
	if err := c.get(e, c.path(""), c.labels(nil), &s); err != nil {
		return nil, err
	}
	if s.Data.AsOf.IsZero() || s.Budget.Total == nil {
		return nil, cannotFindOut(fmt.Errorf("nothing is known about %s yet", s.ID))
	}
	window, err := windowOf(s.Window)
	if err != nil {
		return nil, cannotFindOut(err)
	}
	x := &explanation{
		ID: s.ID, Objective: s.Objective, Window: s.Window, Allowed: s.Budget.Allowed,
		From: window.Start(s.Data.AsOf), To: s.Data.AsOf.UTC(), Journey: s.Journey,
	}
	if g := s.Budget.Gross; g != nil {
		x.GrossBad, x.GrossTotal, x.Corrections = &g.Bad, &g.Total, s.Budget.Corrections
	}
	if err := c.spend(e, x, window); err != nil {
		return nil, err
	}
	x.Data.State, x.Data.Problems = s.Data.State, s.Data.Problems
	return x, x.consult(e)
}

// path is the SLO's address below the API, and labels its label values for the query.
func (c *explainCmd) path(rest string) string {
	service, name, _ := strings.Cut(string(slo.ID(c.Which).Base()), "/")
	return "slos/" + url.PathEscape(service) + "/" + url.PathEscape(name) + rest
}

func (c *explainCmd) labels(q url.Values) url.Values {
	if q == nil {
		q = url.Values{}
	}
	if group := slo.ID(c.Which).Group(); group != "" {
		q.Set("labels", group)
	}
	return q
}

// windowOf reads a window as the API writes it: 28d, month, month (Europe/Berlin).
func windowOf(text string) (slo.Window, error) {
	name, zone, zoned := strings.Cut(strings.TrimSuffix(text, ")"), " (")
	switch c := slo.Calendar(name); c {
	case slo.Week, slo.Month, slo.Quarter, slo.Year:
		w := slo.Window{Calendar: c, Zone: time.UTC}
		if !zoned {
			return w, nil
		}
		var err error
		w.Zone, err = time.LoadLocation(zone)
		return w, err
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		return slo.Window{}, fmt.Errorf("the daemon has a window %q, which this version does not know", text)
	}
	return slo.Window{Rolling: time.Duration(d)}, nil
}

// spend reads where the budget went. It asks for hours, which exist at any age, and adds them up to days itself:
// days begin at midnight of the window's zone, and the window at any hour.
func (c *explainCmd) spend(e *env, x *explanation, window slo.Window) error {
	h, err := c.history(e, x.From, x.To, time.Hour)
	if err != nil {
		return err
	}
	x.fill(h.Points, c.bucketOf(zoneOf(window)))
	var all []api.Incident
	q := url.Values{"slo": {x.ID}, "from": {x.From.Format(time.RFC3339)}, "to": {x.To.Format(time.RFC3339)}, "limit": {"10000"}}
	if err := c.get(e, "incidents", q, &all); err != nil {
		return err
	}
	ordered := slices.Clone(all)
	slices.SortFunc(ordered, func(a, b api.Incident) int { return cmp.Or(a.Onset.Compare(b.Onset), cmp.Compare(a.ID, b.ID)) })
	for _, i := range all {
		if i.SLO == x.ID && alerting.Rule(i.Rule).Burns() {
			if err := c.addIncident(e, x, i); err != nil {
				return err
			}
		}
	}
	for _, i := range all {
		if i.SLO == x.ID && i.Rule == string(alerting.RuleDeclared) {
			if err := c.addDeclared(e, x, i, ordered); err != nil {
				return err
			}
		}
	}
	x.balance()
	return nil
}

func (c *explainCmd) history(e *env, from, to time.Time, step time.Duration) (h api.History, err error) {
	q := url.Values{"from": {from.UTC().Format(time.RFC3339)}, "to": {to.UTC().Format(time.RFC3339)}, "step": {slo.ShortDuration(step)}}
	return h, c.get(e, c.path("/history"), c.labels(q), &h)
}

// bucketOf names the bucket that an hour belongs to.
func (c *explainCmd) bucketOf(zone *time.Location) func(time.Time) string {
	layout := "Mon 2006-01-02"
	if c.By == "hour" {
		layout += " 15:04 MST" // with the zone, as one hour of the year occurs twice
	}
	return func(t time.Time) string { return t.In(zone).Format(layout) }
}

// zoneOf is where a window's days begin.
func zoneOf(w slo.Window) *time.Location {
	if w.Zone == nil {
		return time.UTC
	}
	return w.Zone
}

// fill adds the hours up to buckets.
func (x *explanation) fill(hours []api.HistoryPoint, bucketOf func(time.Time) string) {
	x.Buckets, x.Incidents = []spentBucket{}, []spentIncident{}
	for _, h := range hours {
		name := bucketOf(h.At)
		if n := len(x.Buckets); n == 0 || x.Buckets[n-1].Name != name {
			x.Buckets = append(x.Buckets, spentBucket{At: h.At.UTC(), Name: name})
		}
		b := &x.Buckets[len(x.Buckets)-1]
		b.Bad, b.Total = exactly(b.Bad+valueOf(h.Bad)), exactly(b.Total+valueOf(h.Total))
		b.Known, b.Unknown = b.Known+h.Known, b.Unknown+h.Unknown
		b.Excused += h.Excused
		if h.GrossBad != nil {
			b.LeftOut = exactly(b.LeftOut + *h.GrossBad - valueOf(h.Bad))
		}
		b.Minutes += int(min(time.Hour, x.To.Sub(h.At)) / time.Minute)
	}
	for i := range x.Buckets {
		b := &x.Buckets[i]
		b.Share = x.share(b.Bad)
		x.Bad, x.Total = exactly(x.Bad+b.Bad), exactly(x.Total+b.Total)
		x.Data.Minutes, x.Data.Known, x.Data.Unknown = x.Data.Minutes+b.Minutes, x.Data.Known+b.Known, x.Data.Unknown+b.Unknown
		x.Data.Excused += b.Excused
	}
	x.Data.Unseen = x.Data.Minutes - x.Data.Known - x.Data.Unknown - x.Data.Excused
	x.Spent = x.share(x.Bad)
}

// addIncident adds what a burn took of the budget. Of one that began before the window, and where corrections may have
// taken some of it back, the daemon is asked what its minutes in the window hold; where minutes are no longer kept, its
// first and last hour count whole, but never for more than the burn itself.
func (c *explainCmd) addIncident(e *env, x *explanation, i api.Incident) error {
	bad := i.Bad
	if i.Onset.Before(x.From) || x.GrossBad != nil {
		from, end := i.Onset, x.To
		if from.Before(x.From) {
			from = x.From
		}
		if i.Resolved != nil && i.Resolved.Before(end) {
			end = *i.Resolved
		}
		if !end.After(from) {
			return nil
		}
		h, err := c.history(e, from, end, end.Sub(from).Truncate(time.Minute))
		if err != nil {
			return err
		}
		held := 0.0
		for _, p := range h.Points {
			held += valueOf(p.Bad)
		}
		bad = min(bad, held)
	}
	x.Incidents = append(x.Incidents, spentIncident{
		ID: i.ID, Severity: i.Severity, Onset: i.Onset, Duration: i.Duration, Open: i.Open,
		spentShare: spentShare{Bad: exactly(bad), Share: x.share(bad)},
	})
	return nil
}

// addDeclared adds what a declared incident took beside the others of its time, which are ordered by onset, so that nothing is
// counted twice.
func (c *explainCmd) addDeclared(e *env, x *explanation, i api.Incident, ordered []api.Incident) error {
	held, from := 0.0, i.Onset
	take := func(to time.Time) error {
		if to = to.Truncate(time.Minute); !to.After(from) {
			return nil
		}
		h, err := c.history(e, from, to, to.Sub(from))
		for _, p := range h.Points {
			held += valueOf(p.Bad)
		}
		return err
	}
	end := x.To
	if i.Resolved != nil && i.Resolved.Before(end) {
		end = *i.Resolved
	}
	if from = from.Truncate(time.Minute); from.Before(x.From) {
		from = x.From
	}
	for _, o := range ordered {
		until := end
		if o.Resolved != nil && o.Resolved.Before(end) {
			until = *o.Resolved
		}
		before := alerting.Rule(o.Rule).Burns() || o.Rule == i.Rule && o.Detected.Before(i.Detected)
		if o.SLO != x.ID || !before || !until.After(from) || !o.Onset.Before(end) {
			continue
		}
		if err := take(o.Onset); err != nil {
			return err
		}
		from = until
	}
	if err := take(end); err != nil {
		return err
	}
	x.Incidents = append(x.Incidents, spentIncident{
		ID: i.ID, Severity: i.Severity, Onset: i.Onset, Duration: i.Duration, Open: i.Open,
		spentShare: spentShare{Bad: exactly(held), Share: x.share(held)},
	})
	return nil
}

// balance leaves what no incident took: incidents and the unattributed add up to the whole.
func (x *explanation) balance() {
	rest := x.Bad
	for _, i := range x.Incidents {
		rest -= i.Bad
	}
	x.Unattributed = spentShare{Bad: exactly(rest), Share: x.share(rest)}
}

// share is the share of the window's budget that so many bad events took; nil if the budget is not known or nothing.
func (x *explanation) share(bad float64) *float64 {
	if x.Allowed == nil || *x.Allowed <= 0 {
		return nil
	}
	share := bad / *x.Allowed
	return &share
}

// exactly rounds to thousandths of an event, in which the ledger counts, so that sums agree to the last digit.
func exactly(events float64) float64 { return math.Round(events*1000) / 1000 }

func valueOf(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// consult reads the SLO file for what the daemon does not tell: the queries, and the alerts as they are written.
func (x *explanation) consult(e *env) error {
	spec, note := localSpec(e, slo.ID(x.ID))
	if spec == nil {
		x.Note = note
		return nil
	}
	x.Queries = postmortem.Queries(spec, slo.ID(x.ID), x.From, x.To)
	if minutes := x.Data.Known; minutes > 0 {
		x.Alerts = powerFacts(alerting.PowerOf(spec, x.Total/float64(minutes)))
	}
	return nil
}

// localSpec is the SLO in the files of the configuration; nil, and why in a sentence, if it is not there.
func localSpec(e *env, id slo.ID) (*slo.Spec, string) {
	cfg, err := config.Load(e.cli.ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Sprintf("There is no configuration at %s, so the queries and what the alerts can catch are left out; name it with --config.file.", e.cli.ConfigFile)
	}
	if err != nil {
		return nil, "The configuration has problems, so the queries and what the alerts can catch are left out; see slowburn check."
	}
	set, err := cfg.LoadSet()
	if err != nil {
		return nil, "The SLO files have problems, so the queries and what the alerts can catch are left out; see slowburn check."
	}
	if spec := set.Lookup(id); spec != nil {
		return spec, ""
	}
	return nil, fmt.Sprintf("The SLO files of %s do not have %s, so the queries and what the alerts can catch are left out.", e.cli.ConfigFile, id.Base())
}

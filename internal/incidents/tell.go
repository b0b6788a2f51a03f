package incidents

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// Turn is what the evaluation of one budget over some minutes came to.
type Turn struct {
	Budget
	Events []alerting.Event
}

// Outcome is what came of events or of an act.
type Outcome struct {
	Incidents     []alerting.Incident // that changed, as they are now
	Notifications []Notification      // the events that people are told of, in their order
	Acts          []alerting.Act      // to be kept, the one that was told first; none if it was known before
	Done          []Done              // the acts that people are told of, in their order; not those that follow from another
	Permit        *Permit             // that people are told of; nil if there is none
}

// Past are incidents that are not in the book because they have ended, by ID: those that events or
// an act name.
type Past map[string]alerting.Incident

// Tell folds the events of budgets into incidents. It returns the book as they leave it, and for
// every turn what came of it. The events of different budgets are told in the order in which they
// happened, so that which incident joins which does not depend on how time was cut into ticks.
func (b Book) Tell(w World, turns []Turn, past Past, now time.Time) (Book, []Outcome) {
	type line struct {
		event alerting.Event
		turn  int
	}
	var lines []line
	for n, t := range turns {
		for _, event := range t.Events {
			lines = append(lines, line{event.DecidedBy(now), n})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.event.At, b.event.At) })
	d, all := b.edit(), make([]Outcome, len(turns))
	for _, l := range lines {
		i := d.apply(w, turns[l.turn], l.event, past)
		if t := turns[l.turn]; d.worthTelling(l.event, i, t.Events) {
			told := d.heard(w, t.Budget, l.event, i, now)
			told.Over = overAlready(t.Events, l.event.Incident)
			all[l.turn].Notifications = append(all[l.turn].Notifications, told)
		}
	}
	d.lead(w, all, now)
	for n, t := range turns {
		seen := map[string]bool{}
		for _, event := range t.Events {
			if i, ok := d.Find(event.Incident); ok && !seen[i.ID] {
				seen[i.ID] = true
				all[n].Incidents = append(all[n].Incidents, i)
			}
		}
	}
	for _, o := range all {
		for _, i := range o.Incidents {
			if !i.Open {
				d.remove(i.ID)
			}
		}
	}
	return d.Book, all
}

// apply folds an event into its incident. One that opens joins the thread of what burns already in
// its service, and knows of a silence that it falls into.
func (d *draft) apply(w World, t Turn, event alerting.Event, past Past) alerting.Incident {
	i, open := d.Find(event.Incident)
	if event.Kind == alerting.Recounted && !open {
		if i = past[event.Incident]; i.ID == "" || i.Open {
			return alerting.Incident{} // what is remembered of it is older than its end
		}
	}
	i = i.Apply(event)
	if event.Kind == alerting.Opened {
		i.Group = d.joins(w, t, event, past)
		if a, silent := alerting.Silent(d.scopedActsOn(event.SLO), event.Time()); silent {
			i = i.Take(a)
		}
	}
	if i.ID != "" { // a notice outside of an incident has none
		d.put(i)
	}
	return i
}

// joins returns the incident in whose thread a new one is told, "" for its own: that of the burn
// which it comes back from, or of the oldest burn of the same service that is open then and told in
// the same places. Missing data join others that are missing for the same cause.
func (b Book) joins(w World, t Turn, event alerting.Event, past Past) string {
	if event.Rule == alerting.RuleNoData {
		return b.missingWith(w, t, event)
	}
	if !event.Rule.Burns() {
		return ""
	}
	if event.Follows != "" {
		if before, ok := b.find(event.Follows, past); ok {
			return before.Thread()
		}
		return event.Follows
	}
	for _, id := range b.byService[event.SLO.Service()] { // the oldest first, so hardly ever far
		i := b.open[id]
		if !i.Open || !i.Rule.Burns() || i.Unheard() {
			continue
		}
		if on, _ := w.Budget(i.SLO); on.Measured && w.Together(on, t.Budget) {
			return i.Thread()
		}
	}
	return ""
}

// sameOutage is how many minutes apart the data of different sources may go missing for one cause,
// such as a network or a Prometheus that does not scrape.
const sameOutage = 2

// missingWith returns the oldest incident of missing data that a new one is told with: the data
// come from the same source, or have been missing since the same time; "" if there is none.
func (b Book) missingWith(w World, t Turn, event alerting.Event) string {
	for _, id := range b.byRule[alerting.RuleNoData] {
		i := b.open[id]
		apart := event.Since - budget.MinuteOf(i.Onset)
		on, _ := w.Budget(i.SLO)
		switch {
		case !i.Open || i.Unheard() || !on.Measured || !w.Together(on, t.Budget):
		case max(apart, -apart) <= sameOutage, t.Spec.SLI.Job() != "" && on.Spec.SLI.Job() == t.Spec.SLI.Job():
			return i.Thread()
		}
	}
	return ""
}

// find looks an incident up in the book, then in the past.
func (b Book) find(id string, past Past) (alerting.Incident, bool) {
	if i, ok := b.Find(id); ok {
		return i, true
	}
	i, ok := past[id]
	return i, ok
}

// worthTelling reports whether people are to be told of an event, after its incident has taken it.
// What happened while nobody could be told is told by the event that ends it, and nobody is
// reminded of what has been taken or of a page that is told only now.
func (b Book) worthTelling(event alerting.Event, i alerting.Incident, all []alerting.Event) bool {
	if event.Kind == alerting.Recounted && i.ID == "" {
		return false
	}
	reminder := event.Reason == alerting.Unacknowledged
	for _, other := range all {
		if other.Incident != event.Incident {
			continue
		}
		calls := other.Kind == alerting.Opened || other.Kind == alerting.Escalated || other.Reason == alerting.Unacknowledged && other.At > event.At
		ends := other.Kind == alerting.Resolved && other.At > event.At
		if reminder && calls || ends && (event.Kind == alerting.Escalated || event.Kind == alerting.Updated) {
			return false
		}
	}
	return !reminder || !b.acknowledged(i.Thread())
}

// overAlready reports whether an incident begins and ends within these events.
func overAlready(events []alerting.Event, incident string) bool {
	opened, over := false, false
	for _, e := range events {
		if e.Incident != incident {
			continue
		}
		switch e.Kind {
		case alerting.Opened:
			opened = true
		case alerting.Resolved:
			over = opened
		}
	}
	return over
}

// Tend says of declared incidents what is due, as no rule does. It returns the book as that leaves
// it.
func (b Book) Tend(w World, now time.Time) (Book, Outcome) {
	d, out := b.edit(), Outcome{}
	for _, i := range b.declared() {
		on, ok := d.budget(w, i.SLO)
		if !ok {
			continue
		}
		event, due := i.Tend(on.Input, on.State.Through, now)
		if !due {
			continue
		}
		i = i.Apply(event)
		d.put(i)
		out.Incidents = append(out.Incidents, i)
		if event.Reason == alerting.Unacknowledged && d.acknowledged(i.Thread()) {
			continue
		}
		out.Notifications = append(out.Notifications, d.told(w, on, event, i, now))
	}
	return d.Book, out
}

// Open tells of those incidents that are open what may be said about them now, in the order of the
// IDs.
func (b Book) Open(w World, ids []string, now time.Time) []Notification {
	var all []Notification
	for _, id := range ids {
		i, open := b.Find(id)
		if !open {
			continue
		}
		if on, ok := b.budget(w, i.SLO); ok {
			all = append(all, b.told(w, on, i.Last, i, now))
		}
	}
	return all
}

// Describe tells of one incident what may be said about it now; false if the files do not name its
// SLO any more.
func (b Book) Describe(w World, i alerting.Incident, now time.Time) (Notification, bool) {
	on, ok := b.budget(w, i.SLO)
	if !ok {
		return Notification{}, false
	}
	return b.told(w, on, i.Last, i, now), true
}

// told gathers what can be told of an event, with what else is told in its thread.
func (b Book) told(w World, on Budget, event alerting.Event, i alerting.Incident, now time.Time) Notification {
	t := b.heard(w, on, event, i, now)
	b.show(w, &t, nil, now)
	return t
}

// heard gathers what can be told of an event, but for what the root message of its thread shows.
func (b Book) heard(w World, on Budget, event alerting.Event, i alerting.Incident, now time.Time) Notification {
	t := b.alone(w, on, event, i, now)
	if i.ID == "" {
		return t
	}
	for _, id := range b.byThread[i.Thread()] {
		if id != i.ID { // the loudest beside it
			t.Paged, t.Led = b.open[id].Loud() == alerting.Page, id == b.byThread[i.Thread()][0]
			break
		}
	}
	return t
}

// lead adds to everything that is told what the root messages show after it.
func (b Book) lead(w World, all []Outcome, now time.Time) {
	roots := map[string]*Notification{}
	for _, o := range all {
		for n := range o.Notifications {
			b.show(w, &o.Notifications[n], roots, now)
		}
	}
}

// show adds what the root message of its thread shows, which is the loudest that is open there.
// What is known already of these, by ID, is not gathered again.
func (b Book) show(w World, t *Notification, known map[string]*Notification, now time.Time) {
	if t.Incident.ID == "" {
		return
	}
	all := b.byThread[t.Incident.Thread()]
	if len(all) == 0 || all[0] == t.Incident.ID {
		t.Others, t.More = b.some(all[min(1, len(all)):])
		return
	}
	loudest := b.open[all[0]]
	if t.Root = known[loudest.ID]; t.Root != nil {
		return
	}
	if on, ok := b.budget(w, loudest.SLO); ok {
		root := b.alone(w, on, loudest.Last, *loudest, now)
		root.Others, root.More = b.some(all[1:])
		if t.Root = &root; known != nil {
			known[loudest.ID] = t.Root
		}
	}
}

// maxOthers is how many incidents a notification lists beside its own. A message names fewer.
const maxOthers = 20

// some returns the first few of a list, and how many there are more.
func (b Book) some(ids []string) (some []alerting.Incident, more int) {
	n := min(len(ids), maxOthers)
	return b.pick(ids[:n]), len(ids) - n
}

// alone gathers what can be told of an event without those around it.
func (b Book) alone(w World, on Budget, event alerting.Event, i alerting.Incident, now time.Time) Notification {
	at := event.At + 1
	f := on.figuresAt(at)
	t := Notification{
		Facts: sentences.Facts{
			Event: event, Incident: i, Spec: on.Spec, Now: now, Wait: on.Wait,
			Status: f.Status, Outlook: f.Outlook,
			Upstream: b.burningUpstream(w, on, i),
			Worst:    worstStep(w, on.Spec, event),
			Found:    b.evidence[i.ID],
		},
		Silenced: b.silenced(event, i), Standings: f.Standings,
	}
	if i.Last.Burn != nil {
		t.Trail, t.Failing, t.Since = trail(on.Ledger, i, at), Failing(on.Ledger, i, at), changesSince(b.acts, i)
	}
	if event.Rule == alerting.RulePolicy {
		t.Gate, t.Notify = b.verdictAt(on.Input, event), on.Policy.Notify
	}
	return t
}

// silenced reports whether somebody wants to hear no more for now of what the event is about.
func (b Book) silenced(event alerting.Event, i alerting.Incident) bool {
	if i.ID != "" {
		if _, silent := i.Silenced(event.Time()); silent {
			return true
		}
	}
	_, silent := alerting.Silent(b.scopedActsOn(event.SLO), event.Time())
	return silent
}

// trailPoints is how many steps a trail has at most, and trailBefore how much of the time before
// the onset it shows.
const (
	trailPoints = 20
	trailBefore = 10 // minutes
)

// trail sums up what happened minute by minute, or in steps of a few, from just before the onset of
// an incident on.
func trail(l *budget.Ledger, i alerting.Incident, at budget.Minute) []Point {
	from := i.Last.Burn.Onset - trailBefore
	step := (at - from + trailPoints - 1) / trailPoints
	var all []Point
	for m := from; step > 0 && m < at; m += step {
		all = append(all, Point{At: m.Time(), Sum: l.Sum(m, min(m+step, at))})
	}
	return all
}

// maxSince is how many changes after the onset are told.
const maxSince = 3

// changesSince lists the newest changes that concern an incident's budget and began after its
// onset, oldest first. It looks only at what was recorded since.
func changesSince(acts []alerting.Act, i alerting.Incident) (all []alerting.Act) {
	first := len(acts)
	for first > 0 && !acts[first-1].Received.Before(i.Onset) {
		first--
	}
	for _, a := range alerting.InForce(acts[first:], i.Last.Time().Add(slo.Day)) {
		if c := a.Change; c != nil && a.Kind == alerting.Changed && a.Concerns(i.SLO) && c.Start.After(i.Onset) && (i.Open || !c.Start.After(i.Resolved)) {
			all = append(all, a)
		}
	}
	return all[max(len(all)-maxSince, 0):]
}

const (
	// usualFor is how long the time before the onset is that says what usually fails, and
	// usualMargin what lies between them: a burn may begin slowly.
	usualFor, usualMargin = 60, 2 // minutes
	// enoughNow and enoughUsual are how many events it takes to speak of a share of them.
	enoughNow, enoughUsual = 20 * budget.Unit, 100 * budget.Unit
)

// Failing measures how much fails at a minute since the onset of a burn, and how much usually does.
// It never looks at both sides of the onset at once.
func Failing(l *budget.Ledger, i alerting.Incident, at budget.Minute) (f sentences.Failing) {
	b := i.Last.Burn
	if b == nil {
		return f
	}
	from := at
	for from > b.Onset+1 && f.Now.Total < enoughNow {
		from--
		f.Now = l.Sum(from, at)
	}
	if f.Now.Total == 0 {
		f.Now, f.SoFar = l.Sum(b.Onset, at), true
	}
	usual := l.Sum(b.Onset-usualFor, b.Onset-usualMargin)
	if usual.Known >= usualFor/2 && usual.Total >= enoughUsual && (len(i.Log) == 0 || i.Log[0].Follows == "") {
		f.Usual = usual
	}
	return f
}

// burningUpstream lists what a budget depends on and burns now.
func (b Book) burningUpstream(w World, on Budget, i alerting.Incident) []alerting.Upstream {
	upstream := w.Set().Upstream(on.ID)
	if len(upstream) == 0 || i.ID == "" {
		return nil
	}
	var open []alerting.Incident
	for _, id := range upstream {
		open = append(open, b.pick(b.bySLO[id])...)
	}
	open = slices.DeleteFunc(open, func(i alerting.Incident) bool { return !i.Open })
	return alerting.Upstreams(upstream, open, i.Onset, i.Last.Time())
}

// verdictAt judges a budget right after its gate has turned.
func (b Book) verdictAt(in alerting.Input, event alerting.Event) alerting.Verdict {
	st := alerting.State{Through: event.At + 1, Gate: alerting.GateCaution}
	if event.Reason == alerting.PolicyFrozen {
		st.Gate = alerting.GateFrozen
	}
	return alerting.Judge(in, st, b.acts, event.Time())
}

// worstStep finds the step of a journey with the highest share of bad events over the short window
// that an event is about.
func worstStep(w World, spec *slo.Spec, event alerting.Event) *alerting.Step {
	if spec.SLI.Kind != slo.Composed || event.Rule == alerting.RuleNoData {
		return nil
	}
	over := spec.Alerts.Shortest()
	if event.Pair != nil {
		over = event.Pair.Short
	}
	at := event.At + 1
	ledgers := steps(w, spec)
	sums := make([]budget.Sum, len(ledgers))
	for i, l := range ledgers {
		sums[i] = l.Gross().Sum(at-budget.Minutes(over), at)
	}
	worst := budget.WorstOf(sums)
	if worst < 0 {
		return nil
	}
	return &alerting.Step{SLO: spec.SLI.Journey.Steps[worst].SLO, Over: over, Sum: sums[worst]}
}

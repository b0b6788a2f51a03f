package alerting

import (
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Input is what a decision may look at. Nothing else enters it: no clock, no configuration.
type Input struct {
	ID     slo.ID // of the budget; with label values for an SLO with `by:`
	Spec   *slo.Spec
	Ledger *budget.Ledger
	Policy *Policy // the error-budget policy, nil without one
	// Acts are what people did about the budget and its incidents, oldest first. An act counts from
	// the minute in which it was done.
	Acts []Act
}

// StatusAt sums up the budget of the first window over the minutes before one.
func (in Input) StatusAt(at budget.Minute) budget.Status {
	return budget.StatusAt(in.Ledger, in.Spec.Objective, in.Spec.Window(), at)
}

// State is the whole memory of one budget's state machine. The zero State has seen nothing; set
// Through to begin later than the ledger does.
type State struct {
	Through budget.Minute `json:"through"` // the first minute not yet walked
	// Decided is one past the newest minute that moved the machine. Those walked since were
	// unknown: if they are known later, it goes on with them. 0 is not known, and every minute may
	// have been one.
	Decided budget.Minute `json:"decided,omitempty"`
	Burn    *Open         `json:"burn,omitempty"`
	NoData  *Open         `json:"no_data,omitempty"`
	// PageEnd is one past the last minute of the newest page; tickets wait for it.
	PageEnd budget.Minute `json:"page_end,omitempty"`
	// BurnEnd is one past the minute in which the newest burn was resolved: the onset of the next
	// does not reach back into it.
	BurnEnd budget.Minute `json:"burn_end,omitempty"`
	// BurnLast is the incident of that burn.
	BurnLast string `json:"burn_last,omitempty"`
	// Missing counts the minutes without known data since the last known one.
	Missing int `json:"missing,omitempty"`
	// Spent is the highest share of the budget that was told, in basis points. It counts only if
	// SpentSeen: what was spent before the first look is no news.
	Spent     int64 `json:"spent,omitempty"`
	SpentSeen bool  `json:"spent_seen,omitempty"`
	// Gate is what the error-budget policy says, and GateSince the minute from which on it does; ""
	// before the first look.
	Gate      Gate          `json:"gate,omitempty"`
	GateSince budget.Minute `json:"gate_since,omitempty"`
	// Silent is the first minute of the silence that lasts, in which there was no event; 0 while
	// there are some. Hushed is when a silence was told last.
	Silent budget.Minute `json:"silent,omitempty"`
	Hushed budget.Minute `json:"hushed,omitempty"`
	// Aborted is the key of the newest experiment that had to end.
	Aborted string `json:"aborted,omitempty"`
	// Amended are minutes that have changed since they were walked and were not yet walked again.
	Amended *Amended `json:"amended,omitempty"`
	// Walks counts how often time went back, and Ahead is one past the newest minute that was
	// walked before it did: events of minutes before that have names of their own.
	Walks int           `json:"walks,omitempty"`
	Ahead budget.Minute `json:"ahead,omitempty"`
	// Burns are the newest burns that were over, oldest first: what is found in minutes that are
	// walked again was told already where it overlaps one.
	Burns [4]Stretch `json:"burns,omitzero"`
}

// Open is an incident that has not ended.
type Open struct {
	Incident string        `json:"incident"`
	Rule     Rule          `json:"rule"`
	Severity Severity      `json:"severity"`
	Opened   budget.Minute `json:"opened"`
	Told     budget.Minute `json:"told"` // when its newest event was
	Pair     slo.Pair      `json:"pair"` // the pair that fired, or none
	// Promise is what the SLO promised when the pair fired; nil if none did, and once the burn has
	// gone on under other terms.
	Promise *Promise `json:"promise,omitempty"`
	Burning Burning  `json:"burning"`

	Set    Severity      `json:"set,omitempty"`    // what a person made of Severity, which is the rules'; "" is nothing
	Raised budget.Minute `json:"raised,omitempty"` // when the rules made a page of a ticket
	Paged  budget.Minute `json:"paged,omitempty"`  // when the ticket became a page, by whomever
	Waits  budget.Minute `json:"waits,omitempty"`  // since when it waits for somebody to take it
	Flaps  bool          `json:"flaps,omitempty"`  // it came back soon after another burn had ended
	Quiet  budget.Minute `json:"quiet,omitempty"`  // of one that flaps: since when it could be over
	Late   bool          `json:"late,omitempty"`   // see Event
}

// loud returns how loud the incident is.
func (o *Open) loud() Severity {
	if o.Set != "" {
		return o.Set
	}
	return o.Severity
}

// Advance walks the minutes from st.Through up to, not including, to, and returns the new state and
// the events in the order in which they happened. It is a pure function: however a stretch of time
// is cut into calls, the same events come out.
func Advance(in Input, st State, to budget.Minute) (State, []Event) {
	w := walk{Input: in, State: st.clone()}
	for w.Through < to {
		w.step(w.Through)
		w.Through++
	}
	return w.State, w.events
}

func (st State) clone() State {
	if st.Burn != nil {
		open := *st.Burn
		st.Burn = &open
	}
	if st.NoData != nil {
		open := *st.NoData
		st.NoData = &open
	}
	if st.Amended != nil {
		amended := *st.Amended
		st.Amended = &amended
	}
	return st
}

// walk is one call of Advance.
type walk struct {
	Input
	State
	events []Event
	stands budget.Status // at the end of one of the minutes, see status
}

// status returns how the budget stands at the end of a minute. It sums up a whole window, so what
// several steps of one minute ask for is computed once.
func (w *walk) status(m budget.Minute) budget.Status {
	if !w.stands.At.Equal(m.End()) {
		w.stands = w.StatusAt(m + 1)
	}
	return w.stands
}

// step moves the machine over one minute.
func (w *walk) step(m budget.Minute) {
	w.stepActs(m)
	hindsight{w}.review(m)
	slot := w.Ledger.At(m)
	decides := w.decides(m, slot)
	switch {
	case slot.State == budget.Excused:
		w.Missing = 0 // it is evidence of nothing, not even of missing data
		return
	case !decides && slot.State.Known():
		return // its events were shown by a later sample: the minute of that sample decides
	}
	w.stepNoData(m, slot)
	if decides {
		w.decide(m, slot)
	}
}

// decide moves the machine by what happened in a minute.
func (w *walk) decide(m budget.Minute, slot budget.Slot) {
	w.Decided = m + 1
	from := w.undecided(m)
	w.stepBurn(m, from)
	news := w.news(m, from, slot)
	w.stepSpent(m, news)
	w.stepGate(m, news)
	w.stepExperiment(m)
	w.stepTraffic(m, slot)
}

// mostShared is the longest run of shared minutes, and so the longest scrape interval, of which no
// minute decides. A longer one is of a journey, with steps that are scraped at different times: it
// decides once in so many minutes.
const mostShared = budget.Minute(15)

// decides reports whether a minute moves the machine: what happened in it is known, and was known
// when it was over.
func (in Input) decides(m budget.Minute, slot budget.Slot) bool {
	if !slot.State.Known() || !slot.Shared {
		return slot.State.Known()
	}
	if m%mostShared != 0 {
		return false
	}
	for i := m - mostShared + 1; i < m; i++ {
		if !in.Ledger.At(i).Shared {
			return false
		}
	}
	return true
}

// undecided returns the first of the minutes up to m of which the newest decision before m knew
// nothing: m itself, if the minute before it decided.
func (in Input) undecided(m budget.Minute) budget.Minute {
	from := m
	for from > m-reviewed && !in.decides(from-1, in.Ledger.At(from-1)) {
		from--
	}
	return from
}

// news reports whether the minutes from one to m can change what is spent: that rises only with a
// bad event, or when the far edge of the window moves on, which it does by whole hours.
func (in Input) news(m, from budget.Minute, slot budget.Slot) bool {
	return slot.Bad > 0 || (m+1).Hour() > from.Hour() || from < m && in.Ledger.Sum(from, m).Bad > 0
}

func (w *walk) stepNoData(m budget.Minute, slot budget.Slot) {
	limit := budget.Minutes(w.Spec.Alerts.NoData)
	back := w.NoData != nil && w.Amended != nil && m-w.Amended.Known < limit // they come, only late
	if slot.State.Known() || back {
		w.Missing = 0
		if back {
			w.Missing = int(m - w.Amended.Known)
		}
		if w.NoData != nil {
			w.emitNoData(m, Resolved, DataBack)
			w.NoData = nil
		}
		return
	}
	w.Missing++
	if limit > 0 && w.Missing >= int(limit) && w.NoData == nil {
		w.NoData = &Open{
			Incident: w.incidentID(RuleNoData, m), Rule: RuleNoData, Severity: Ticket, Opened: m,
			Burning: Burning{Onset: m + 1 - budget.Minute(w.Missing)},
		}
		w.emitNoData(m, Opened, DataMissing)
	}
}

func (w *walk) emitNoData(m budget.Minute, kind Kind, reason Reason) {
	e := w.event(m, w.NoData, kind, reason)
	e.Since = w.NoData.Burning.Onset
	w.events = append(w.events, e)
}

// stepBurn opens, escalates, updates and closes the burn incident. Of the minutes before m, those
// from a given one on were not decided on.
func (w *walk) stepBurn(m, from budget.Minute) {
	if w.Burn != nil {
		w.account(from, m)
	}
	switch {
	case w.Burn == nil:
		w.tryOpen(m)
	case w.Burn.Severity == Ticket && w.tryPage(m):
	case w.tryResolve(m):
	case stops{w}.quiet(m) != (w.Burn.Burning.Stopped > 0):
		stops{w}.turn(m)
	case w.Burn.updateDue(from, m):
		w.emitBurn(m, Updated, StillBurning)
	}
}

// stops is a walk that looks whether what burns has stopped, and when it will be over.
type stops struct{ *walk }

// quiet reports whether the burn has stopped, as far as one can see at m: no minute of the shortest
// window belongs to it, all of them are known, and so much was answered that at the rate of the
// burn some would have failed.
func (w stops) quiet(m budget.Minute) bool {
	b, short := w.Burn.Burning, budget.Minutes(w.Spec.Alerts.Shortest())
	if m-b.Last < short || w.Ledger.Sum(m+1-short, m+1).Known < int(short) {
		return false
	}
	after := gap{total: w.Ledger.Sum(b.Last+1, m+1).Total}
	return after.tells(w.Ledger.Sum(b.Onset, b.Last+1))
}

// turn tells that the errors have stopped, or that they are back.
func (w stops) turn(m budget.Minute) {
	b := &w.Burn.Burning
	if b.Stopped > 0 {
		b.Stopped = 0
		w.emitBurn(m, Updated, ErrorsBack)
		return
	}
	b.Stopped = b.Last + 1
	w.emitBurn(m, Updated, ErrorsStopped)
}

// closes returns about when the burn is over if nothing more fails: when the last bad minute has
// left the short window of every pair whose long one still burns.
func (w stops) closes(m budget.Minute) budget.Minute {
	pairs, at := w.Spec.Alerts.Page, m+1
	if w.Burn.Severity == Ticket {
		pairs = w.Spec.Alerts.Ticket
	}
	for _, r := range readAll(w.Input, pairs, m) {
		if r.longOver {
			at = max(at, w.Burn.Burning.Last+1+budget.Minutes(r.pair.Short))
		}
	}
	if w.Burn.Flaps {
		at += keepFiringFor
	}
	return at
}

// account takes the minutes from one to m into what the open incident has cost so far. Bad events
// of which only the sum is known belong to it like others, so it sums up the ledger since the onset
// each time.
func (w *walk) account(from, m budget.Minute) {
	b := &w.Burn.Burning
	for i := max(from, b.Onset); i <= m; i++ {
		slot := w.Ledger.At(i)
		if belongs(slot, w.Spec, w.Burn.Pair) && w.goesOn(i) {
			b.Last = max(b.Last, i)
		}
		if slot.State.Known() || slot.Total > 0 {
			w.peak(i)
		}
	}
	sum := w.Ledger.Sum(b.Onset, m+1)
	b.Bad, b.Total, b.Minute = sum.Bad, sum.Total, sum.BadSlots
}

// goesOn reports whether a bad minute continues the burn: nothing keeps it apart from the last one,
// or the short window is above the threshold again. A single error a while later is neither.
func (w *walk) goesOn(m budget.Minute) bool {
	b, short := w.Burn.Burning, budget.Minutes(w.Burn.Pair.Short)
	if m-b.Last <= short || thresholdOf(w.Burn.Pair, w.Spec).exceeded(w.Ledger.Sum(m+1-short, m+1), 1, 1) {
		return true
	}
	var g gap
	w.Ledger.Each(b.Last+1, m, func(_ budget.Minute, s budget.Slot) bool {
		g.add(s)
		return true
	})
	return !g.parts(w.Burn.Pair, w.Ledger.Sum(b.Onset, b.Last+1))
}

func (w *walk) peak(m budget.Minute) {
	short := w.Ledger.Sum(m+1-budget.Minutes(w.Burn.Pair.Short), m+1)
	b := &w.Burn.Burning
	if short.Total > 0 && (b.Peak.Total == 0 || budget.CompareProducts(short.Bad, b.Peak.Total, b.Peak.Bad, short.Total) > 0) {
		b.PeakAt, b.Peak = m, short
	}
}

func (w *walk) tryOpen(m budget.Minute) {
	if !w.anyShortBad(m) {
		return
	}
	if r, sure := w.pageFires(m); r != nil {
		w.open(m, RulePage, Page, r, sure)
		return
	}
	if w.Amended != nil {
		return // a ticket waits until it is known what was missed: it may have been told then
	}
	if r, sure := w.ticketFires(m); r != nil {
		w.open(m, RuleTicket, Ticket, r, sure)
	}
}

// anyShortBad spares the common case: nothing can fire while no short window holds a bad event.
func (in Input) anyShortBad(m budget.Minute) bool {
	longest := budget.Minute(0)
	for _, pairs := range [][]slo.Pair{in.Spec.Alerts.Page, in.Spec.Alerts.Ticket} {
		for _, p := range pairs {
			longest = max(longest, budget.Minutes(p.Short))
		}
	}
	return in.Ledger.Sum(m+1-longest, m+1).Bad > 0
}

// pageFires returns the page pair that fires and is believed, with the test it passed.
func (w *walk) pageFires(m budget.Minute) (*reading, *Significance) {
	return w.fires(m, Page, w.Spec.Alerts.Page, func(reading) bool { return true })
}

// ticketFires returns the same of tickets. After a page, a short window must hold only minutes
// after it.
func (w *walk) ticketFires(m budget.Minute) (*reading, *Significance) {
	return w.fires(m, Ticket, w.Spec.Alerts.Ticket, func(r reading) bool { return m+1-budget.Minutes(r.pair.Short) >= w.PageEnd })
}

func (in Input) fires(m budget.Minute, sev Severity, pairs []slo.Pair, may func(reading) bool) (*reading, *Significance) {
	var sure *Significance
	r := firing(in, pairs, m, func(r reading) bool {
		if !may(r) {
			return false
		}
		s := significanceOf(in, sev, r, m)
		sure = &s
		return !in.Spec.Alerts.Significance || s.Believed()
	})
	if r == nil {
		return nil, nil
	}
	return r, sure
}

func (w *walk) open(m budget.Minute, rule Rule, sev Severity, r *reading, sure *Significance) {
	first := max(onset(w.Input, r, m), w.BurnEnd)
	if sure.Believed() && !sure.provedSince(w.Input, first, m, apartIn(w.Input, first, m+1)) {
		first = min(first, sure.proofBegins(w.Input, max(m+1-budget.Minutes(r.pair.Long), w.BurnEnd), m))
	}
	now := promiseOf(w.Spec)
	w.Burn = &Open{
		Incident: w.incidentID(rule, m), Rule: rule, Severity: sev, Opened: m, Pair: r.pair, Promise: &now,
		Waits: m, Flaps: w.BurnEnd > 0 && m-w.BurnEnd < keepFiringFor,
		Burning: Burning{Onset: first, Last: w.newestBad(first, m, r.pair)},
	}
	w.account(first, m)
	w.emitFired(m, Opened, r, sure)
	if w.Burn.Flaps {
		w.events[len(w.events)-1].Follows = w.BurnLast
	}
}

// newestBad returns the newest minute up to m that belongs to a burn which began with a first one.
func (in Input) newestBad(first, m budget.Minute, p slo.Pair) budget.Minute {
	for last := m; last >= first; last-- {
		if belongs(in.Ledger.At(last), in.Spec, p) {
			return last
		}
	}
	return m // no minute stands out: it burns all the time
}

// tryPage turns an open ticket into a page.
func (w *walk) tryPage(m budget.Minute) bool {
	r, sure := w.pageFires(m)
	if r == nil {
		return false
	}
	kind := Escalated
	if w.Burn.loud() == Page {
		kind = Updated // a person was faster
	} else {
		w.Burn.Paged, w.Burn.Waits = m, m
	}
	now := promiseOf(w.Spec)
	w.Burn.Severity, w.Burn.Pair, w.Burn.Promise, w.Burn.Raised, w.Burn.Set = Page, r.pair, &now, m, ""
	w.emitFired(m, kind, r, sure)
	return true
}

// tryResolve closes the burn when no pair of its tier is above its threshold on known data.
func (w *walk) tryResolve(m budget.Minute) bool {
	pairs := w.Spec.Alerts.Page
	if w.Burn.Severity == Ticket {
		pairs = w.Spec.Alerts.Ticket
	}
	reason := BurnLow
	rs := readAll(w.Input, pairs, m)
	switch {
	case len(pairs) == 0:
		reason = RuleRemoved
	case noTraffic(rs):
		if anyBad(rs) {
			return false // nobody has used the service since: no evidence that it works
		}
		reason = AgedOut
	case !allRecovered(rs):
		w.Burn.Quiet = 0
		w.goOnUnder(pairs, rs)
		return false
	}
	if reason == BurnLow && w.burnsByOldPromise(m) {
		reason = PromiseChanged
	}
	if w.Burn.keepsFiring(m) && reason.Recovered() {
		return false
	}
	w.emitBurn(m, Resolved, reason)
	w.over(m, w.Burn)
	w.Burn = nil
	return true
}

// goOnUnder forgets under which terms a burn began that goes on under others: those end it, too.
func (w *walk) goOnUnder(pairs []slo.Pair, rs []reading) {
	if was := w.Burn.Promise; was != nil && (*was != promiseOf(w.Spec) || !slices.Contains(pairs, w.Burn.Pair)) &&
		slices.ContainsFunc(rs, reading.over) {
		w.Burn.Promise = nil
	}
}

// burnsByOldPromise reports whether the pair that fired would still do so if the SLO promised what
// it promised then.
func (w *walk) burnsByOldPromise(m budget.Minute) bool {
	was, pair := w.Burn.Promise, w.Burn.Pair
	if was == nil {
		return false
	}
	t, to := was.threshold(pair), m+1
	return t.exceeded(w.Ledger.Sum(to-budget.Minutes(pair.Long), to), 1, 1) && t.exceeded(w.Ledger.Sum(to-budget.Minutes(pair.Short), to), 1, 1)
}

// over remembers a burn that was resolved at m.
func (w *walk) over(m budget.Minute, o *Open) {
	if m+1 > w.BurnEnd {
		w.BurnEnd, w.BurnLast = m+1, o.Incident
	}
	if o.Severity == Page {
		w.PageEnd = max(w.PageEnd, m+1)
	}
	copy(w.Burns[:], w.Burns[1:])
	w.Burns[len(w.Burns)-1] = Stretch{From: o.Burning.Onset, To: m + 1, Of: o}
}

// keepFiringFor is how long a burn that came back must have been quiet before it is called over
// again, and within which of the end of another it counts as coming back. So a service that flaps
// is one incident that ends and one that stays open until the flapping does, rather than one each
// few minutes; the first end is told at once.
const keepFiringFor = budget.Minute(30)

// keepsFiring reports whether a burn that could be over is held open, because it came back before.
func (o *Open) keepsFiring(m budget.Minute) bool {
	if !o.Flaps {
		return false
	}
	if o.Quiet == 0 {
		o.Quiet = m
	}
	return m-o.Quiet < keepFiringFor
}

// noTraffic reports whether there was no event at all in the short windows, and none was left out.
func noTraffic(rs []reading) bool {
	for _, r := range rs {
		if r.short.Total > 0 || r.short.Excused > 0 {
			return false
		}
	}
	return true
}

func anyBad(rs []reading) bool {
	for _, r := range rs {
		if r.long.Bad > 0 {
			return true
		}
	}
	return false
}

// updateDue spaces the updates of an open incident: after 5, 15 and 30 minutes, then every half
// hour.
//
// Where the minute in which one was due decided nothing, it comes with the next that does.
func (o *Open) updateDue(from, m budget.Minute) bool {
	for i := max(from, o.Opened+1); i <= m; i++ {
		if age := i - o.Opened; age == 5 || age == 15 || age%30 == 0 {
			return true
		}
	}
	return false
}

// spentHysteresis is how far, in tenths of a level, the spending must fall before the level can be
// told again.
const spentHysteresis = 9

// stepSpent tells once when a share of the budget is crossed. While too little is known to say what
// the budget is, nothing is crossed.
func (w *walk) stepSpent(m budget.Minute, news bool) {
	levels := w.Spec.Alerts.Spent
	if len(levels) == 0 || w.SpentSeen && !news {
		return
	}
	status := w.status(m)
	if !status.Sized {
		return
	}
	reached := highest(levels, func(l int64) bool { return status.SpentAtLeast(l) })
	switch {
	case !w.SpentSeen:
		w.Spent, w.SpentSeen = reached, true
	case reached > w.Spent:
		w.Spent = reached
		w.emitSpent(m, reached)
	case reached < w.Spent:
		w.Spent = max(reached, highest(levels, func(l int64) bool {
			return l <= w.Spent && status.SpentAtLeast(l*spentHysteresis/10)
		}))
	}
}

func highest(levels []int64, ok func(int64) bool) int64 {
	best := int64(0)
	for _, l := range levels {
		if l > best && ok(l) {
			best = l
		}
	}
	return best
}

func (w *walk) emitSpent(m budget.Minute, level int64) {
	o := &Open{Incident: w.incidentID(RuleSpent, m), Rule: RuleSpent, Severity: Notice}
	if w.Burn != nil {
		o.Incident = w.Burn.Incident
	}
	e := w.event(m, o, Noticed, BudgetSpent)
	e.Level = level
	w.events = append(w.events, e)
}

func (w *walk) emitFired(m budget.Minute, kind Kind, r *reading, sure *Significance) {
	e := w.event(m, w.Burn, kind, BurnHigh)
	e.Pair, e.Long, e.Short, e.Sure = &r.pair, &r.long, &r.short, sure
	w.tell(m, e)
}

func (w *walk) emitBurn(m budget.Minute, kind Kind, reason Reason) {
	e := w.event(m, w.Burn, kind, reason)
	r := read(w.Input, w.Burn.Pair, m)
	e.Pair, e.Long, e.Short = &r.pair, &r.long, &r.short
	w.tell(m, e)
}

// tell appends an event of the open burn with its account so far.
func (w *walk) tell(m budget.Minute, e Event) {
	burning := w.Burn.Burning
	if burning.Stopped > 0 && e.Kind != Resolved {
		burning.Closes = stops{w}.closes(m)
	}
	e.Burn = &burning
	w.Burn.Told = m
	w.events = append(w.events, e)
}

func (w *walk) event(m budget.Minute, o *Open, kind Kind, reason Reason) Event {
	if w.Amended != nil && o.Burning.Onset > 0 && w.Amended.Known >= o.Burning.Onset {
		o.Late = true
	}
	status := w.status(m)
	return Event{
		At: m, SLO: w.ID, Incident: o.Incident, Kind: kind,
		Severity: o.loud(), Rule: o.Rule, Reason: reason, Late: o.Late, Walk: w.again(m),
		Budget: AccountOf(status),
	}
}

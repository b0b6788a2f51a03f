package alerting

import "github.com/slowburn-sre/slowburn/budget"

// This file is about minutes that were walked and have not happened: the clock that was gone by was
// ahead. They are walked again, as what they turn out to be.

// Rewind takes the state back to a minute that was walked already. What opened from there on ends.
// What was open before goes on, with the account of what has happened; what ended from there on
// ended by then, as people were told. What else was told of those minutes, the events of
// [MinutesDropped] take back. The ledger must be as it was walked.
func Rewind(in Input, st State, to budget.Minute) (State, []Event) {
	if to >= st.Through {
		return st, nil
	}
	st.Walks, st.Ahead = st.Walks+1, max(st.Ahead, st.Through)
	w, back := walk{Input: in, State: st.clone()}, State{
		Walks: st.Walks, Ahead: st.Ahead, Through: to, Decided: min(st.Decided, to), Spent: st.Spent, SpentSeen: st.SpentSeen,
		Gate: st.Gate, GateSince: min(st.GateSince, to), Aborted: st.Aborted,
	}
	w.rewindBurns(to)
	back.Burns, back.BurnEnd, back.BurnLast, back.PageEnd = w.Burns, w.BurnEnd, w.BurnLast, w.PageEnd
	switch {
	case w.Burn == nil:
	case w.Burn.Opened < to:
		w.rewindBurn(to)
		back.Burn = w.Burn
	default:
		w.emitBurn(st.Through-1, Resolved, TimeWentBack)
	}
	back.Missing = w.missingBefore(to)
	switch {
	case w.NoData == nil:
	case w.NoData.Opened < to:
		back.NoData, back.Missing = w.NoData, int(to-w.NoData.Burning.Onset)
	default:
		w.emitNoData(st.Through-1, Resolved, TimeWentBack)
	}
	return back, w.events
}

// missingBefore counts the minutes without known data before one, as a walk up to it did: fewer
// than open an incident.
func (in Input) missingBefore(to budget.Minute) int {
	missing, most := budget.Minute(0), reviewed
	if limit := budget.Minutes(in.Spec.Alerts.NoData); limit > 0 {
		most = limit - 1
	}
	for m := to - 1; missing < most && m >= in.Ledger.First(); m-- {
		switch slot := in.Ledger.At(m); {
		case slot.State == budget.Excused || in.decides(m, slot):
			return int(missing)
		case !slot.State.Known():
			missing++
		}
	}
	return int(missing)
}

// rewindBurns takes the burns that are over back to a minute. Those that opened from there on are
// forgotten.
func (w *walk) rewindBurns(to budget.Minute) {
	end, last, pageEnd := w.BurnEnd, w.BurnLast, w.PageEnd
	w.BurnEnd, w.BurnLast, w.PageEnd = 0, "", 0
	for n, s := range w.Burns {
		switch {
		case s.To > to && (s.Of == nil || s.Of.Opened >= to):
			w.Burns[n] = Stretch{From: to} // none, and nobody remembers what was before it
			continue
		case s.To > to:
			again := w.aside(State{Burn: new(*s.Of), BurnEnd: w.BurnEnd, PageEnd: w.PageEnd})
			again.rewindBurn(to)
			w.events = append(w.events, again.events...)
			w.Burns[n] = Stretch{From: again.Burn.Burning.Onset, To: to, Of: again.Burn}
		}
		if of := w.Burns[n].Of; of != nil {
			w.BurnEnd, w.BurnLast = w.Burns[n].To, of.Incident
			if of.Severity == Page {
				w.PageEnd = w.Burns[n].To
			}
		}
	}
	if end <= to {
		w.BurnEnd, w.BurnLast = end, last
	}
	if pageEnd <= to {
		w.PageEnd = pageEnd
	}
}

// rewindBurn makes the open burn what it was at a minute, which is later than it opened, and tells
// so: it is walked again from where it opened.
func (w *walk) rewindBurn(to budget.Minute) {
	again := w.aside(State{Burn: w.opening(), BurnEnd: w.BurnEnd, PageEnd: w.PageEnd})
	for m := w.Burn.Opened + 1; m < to; m++ {
		was := *again.Burn
		again.stepActs(m)
		if again.decides(m, w.Ledger.At(m)) {
			again.stepBurn(m, again.undecided(m))
		}
		if again.Burn == nil { // by other terms, or by samples that came later: it was open
			again.Burn = &was
			again.account(m, m)
		}
	}
	w.Burn = again.Burn
	w.emitBurn(to-1, Recounted, MinutesDropped)
}

// opening returns the open burn as it was when it opened.
func (w *walk) opening() *Open {
	was := w.Burn
	o := Open{
		Incident: was.Incident, Rule: was.Rule, Severity: Page, Opened: was.Opened, Told: was.Opened,
		Pair: was.Pair, Promise: was.Promise, Waits: was.Opened, Flaps: was.Flaps, Late: was.Late,
		Burning: Burning{Onset: was.Burning.Onset, Last: was.Opened},
	}
	if was.Rule == RuleTicket {
		o.Severity = Ticket
		if r, _ := w.ticketFires(was.Opened); r != nil && was.Raised > 0 {
			o.Pair = r.pair
		}
	}
	o.Burning.Last = w.newestBad(o.Burning.Onset, o.Opened, o.Pair)
	again := w.aside(State{Burn: &o})
	again.account(o.Burning.Onset, o.Opened)
	return &o
}

package alerting

import (
	"cmp"
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
)

// This file is about minutes that turn out to be other than they were when they were walked:
// samples came later than they were waited for. What would have been said of them is found by
// walking them again, and told where nothing was.

// Stretch is the minutes [From, To), and the burn that was open in them.
type Stretch struct {
	From budget.Minute `json:"from"`
	To   budget.Minute `json:"to"`
	Of   *Open         `json:"of,omitempty"` // as it ended; nil if nobody remembers; it never changes
}

func (s Stretch) overlaps(o Stretch) bool { return s.From < o.To && o.From < s.To }

// Amended are minutes that have changed since they were walked.
type Amended struct {
	From  budget.Minute `json:"from"`            // the first of them
	Known budget.Minute `json:"known,omitempty"` // the newest that is known
	Since budget.Minute `json:"since"`           // where the walk was when they began to change
	Last  budget.Minute `json:"last"`            // and when the newest change came
}

const (
	// settled is after how many minutes without a change what has changed is walked again: half of
	// a backlog says little about the whole.
	settled = budget.Minute(2)
	// unsettled is how long changes that do not end are waited for.
	unsettled = budget.Minute(10)
	// reviewed is how many minutes back changes are walked again. What comes even later is counted,
	// and no more.
	reviewed = budget.Minute(6 * 60)
)

// Amend takes note of minutes that were walked and have changed since; slots are what they are now.
// Advance walks them again when the changes have settled.
func (st State) Amend(slots ...budget.SlotAt) State {
	st = st.clone()
	for _, s := range slots {
		if s.At >= st.Through {
			continue
		}
		a := st.Amended
		if a == nil {
			a = &Amended{From: s.At, Since: st.Through}
			st.Amended, st.Decided = a, cmp.Or(st.Decided, st.Through)
		}
		a.From, a.Last = min(a.From, s.At), st.Through
		if s.Slot.State.Known() {
			a.Known = max(a.Known, s.At)
			st.Missing = min(st.Missing, int(st.Through-1-s.At))
		}
	}
	return st
}

// hindsight is a walk that looks back at minutes that it has behind it, with what is known of them
// now: it brings accounts up to date and tells what was missed.
type hindsight struct{ *walk }

// review walks again, before minute m, what has changed and settled. What was unknown when it was
// walked last, up to m, is decided on as if it were walked for the first time.
func (w hindsight) review(m budget.Minute) {
	a := w.Amended
	if a == nil || m-a.Last < settled && m-a.Since < unsettled {
		return
	}
	w.Amended = nil
	decided := cmp.Or(w.Decided, m)
	if a.From < decided {
		from := max(a.From, m-reviewed, w.Burns[0].From) // nobody remembers what was told before that
		w.amendPast(a.From, decided, m)
		w.revise(a.Known, decided)
		w.tellMissed(from, decided)
	}
	if a.Known >= decided {
		w.resume(max(a.From, decided, m-reviewed), *a, m)
	}
}

// resume decides on the minutes since from, in which nothing was known when they were walked: the
// samples of a source come later than anybody waits for them. The newest that is known may have
// samples to come, as long as they do.
func (w hindsight) resume(from budget.Minute, a Amended, m budget.Minute) {
	end, told := m, len(w.events)
	if m-a.Last < unsettled {
		end = a.Known
	}
	for i := from; i < end; i++ {
		slot := w.Ledger.At(i)
		if !w.decides(i, slot) {
			continue
		}
		w.decide(i, slot)
		if w.Burn != nil {
			w.Burn.Late = true
		}
	}
	found := slices.Clone(w.events[told:])
	w.events = w.events[:told]
	if w.late(found); end < m {
		w.Amended = &Amended{From: end, Known: end, Since: m, Last: a.Last}
	}
}

// amendPast brings the accounts of burns that are over up to what is known now of the minutes
// [from, to), and tells of those that are other than they were. What was open longer ago than
// minutes are sure to be kept stays as it was.
func (w hindsight) amendPast(from, to, m budget.Minute) {
	for n, s := range w.Burns {
		if s.Of == nil || s.To <= from || s.From < m-Horizon(w.Spec) {
			continue
		}
		before := budget.Minute(0)
		for _, o := range w.Burns[:n] {
			if o.To <= s.Of.Opened {
				before = max(before, o.To)
			}
		}
		again := w.aside(State{Burn: new(*s.Of), BurnEnd: before})
		hindsight{again}.recount(s.To - 1)
		end := w.lasts(s, *again.Burn, w.free(n, to))
		if end > s.To {
			hindsight{again}.recount(end - 1)
		}
		if w.Burns[n].To = end; s.Of.Incident == w.BurnLast {
			w.BurnEnd = max(w.BurnEnd, end)
		}
		if s.Of.Severity == Page {
			w.PageEnd = max(w.PageEnd, end)
		}
		if again.Burn.Burning == s.Of.Burning {
			continue
		}
		again.Burn.Late = true
		again.emitBurn(end-1, Recounted, DataLate)
		e := again.events[0]
		e.At, e.Walk = m, w.again(m)
		w.events = append(w.events, e)
		w.Burns[n].From, w.Burns[n].Of = again.Burn.Burning.Onset, again.Burn
	}
}

// free returns up to where a burn that is over may last, up to to: where the next one begins, what
// burned is that one's.
func (w hindsight) free(n int, to budget.Minute) budget.Minute {
	end := w.Burns[n].To
	for _, o := range w.Burns {
		if o.From >= end && o.Of != nil {
			to = min(to, o.From)
		}
	}
	if w.Burn != nil {
		to = min(to, w.Burn.Burning.Onset)
	}
	return max(to, end)
}

// lasts returns up to where a burn that is over lasts by what is known now of the minutes before
// to: if it would have been over later than it was, what still burned after it is no other. If it
// would not be over yet, it ends where it did.
func (w hindsight) lasts(s Stretch, o Open, to budget.Minute) budget.Minute {
	again := w.aside(State{Burn: &o})
	for i := s.To - 1; i < to; i++ {
		if !again.decides(i, w.Ledger.At(i)) {
			continue
		}
		if again.stepBurn(i, again.undecided(i)); again.Burn == nil {
			return i + 1
		}
	}
	return s.To
}

// recount makes the account of the open burn anew, up to and including a minute.
func (w hindsight) recount(m budget.Minute) {
	o := w.Burn
	b := Burning{Stopped: o.Burning.Stopped}
	r := read(w.Input, o.Pair, o.Opened)
	b.Onset = min(o.Burning.Onset, max(onset(w.Input, &r, o.Opened), w.BurnEnd))
	b.Last = w.newestBad(b.Onset, o.Opened, o.Pair)
	o.Burning = b
	w.account(b.Onset, m)
}

// revise brings the account of the open burn, up to a minute, up to what is known now.
func (w hindsight) revise(known, to budget.Minute) {
	if w.Burn == nil {
		return
	}
	w.recount(to - 1)
	w.Burn.Late = w.Burn.Late || known >= w.Burn.Burning.Onset
}

// tellMissed walks the minutes [from, to) again as they are now, and tells of the burns that would
// have been told of and were not: none that was overlaps them. One that is not over by the rules is
// open from now on.
func (w hindsight) tellMissed(from, to budget.Minute) {
	again := w.aside(State{})
	if w.BurnEnd <= from {
		again.BurnEnd, again.BurnLast = w.BurnEnd, w.BurnLast
	}
	if w.PageEnd <= from {
		again.PageEnd = w.PageEnd
	}
	told := slices.Clone(w.Burns[:])
	if w.Burn != nil {
		told = append(told, Stretch{From: w.Burn.Burning.Onset, To: to})
	}
	for i := from; i < to; i++ {
		if !again.decides(i, w.Ledger.At(i)) {
			continue
		}
		was := again.Burn
		again.stepBurn(i, again.undecided(i))
		if was == nil || again.Burn != nil {
			continue
		}
		if was.missed(i+1, told) {
			w.over(i, was)
			w.late(again.events)
		}
		again.events = nil
	}
	if again.Burn != nil && again.Burn.missed(to, told) {
		w.Burn = again.Burn
		w.Burn.Late = true
		w.late(again.events)
	}
}

// late tells what was found too late to be told in its time.
func (w hindsight) late(events []Event) {
	for _, e := range events {
		e.Late = true
		w.events = append(w.events, e)
	}
}

// missed reports whether a burn overlaps none that was told.
func (o *Open) missed(end budget.Minute, told []Stretch) bool {
	return !slices.ContainsFunc(told, Stretch{From: o.Burning.Onset, To: end}.overlaps)
}

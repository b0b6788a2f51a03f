package budget

import "slices"

// Claim is what an incident knows of itself: the minutes [From, To) in which it burned, and the bad
// events that were counted in them at the time, in thousandths. The zero Claim is of an incident
// that burned nothing, as missing data do not.
type Claim struct {
	From, To Minute
	Bad      int64
	Open     bool // it goes on burning after To
}

// Spent returns how many bad events the claim's minutes hold: as many as were counted at the time,
// or more if the ledger has since learned of more. Where minutes have been thinned out, the count
// of the time stands.
func (c Claim) Spent(l *Ledger) int64 {
	known := int64(0)
	l.Each(c.From, c.To, func(_ Minute, s Slot) bool {
		known = Add(known, s.Bad)
		return true
	})
	return max(known, c.Bad)
}

// Attribution gives each bad event of a ledger to one incident or to none. It reads the ledger when
// it is asked, so it is good until the ledger is written.
type Attribution struct {
	ledger *Ledger
	own    []Claim // in the order of the incidents
}

// Attribute settles what each claim may call its own. Where claims overlap, the earlier in the list
// goes first and the later gets only what is left.
//
// A claim never gets more than the ledger holds in its hours, without what corrections leave out.
// How much two claims share is rounded up to whole hours, so that nothing is given twice, and no
// figure depends on whether minutes have been thinned out.
func Attribute(l *Ledger, claims []Claim) Attribution {
	a := Attribution{ledger: l, own: slices.Clone(claims)}
	for n := range a.own {
		c := &a.own[n]
		c.Bad = c.Spent(l)
		if c.Open && c.To < l.End() {
			c.Bad = Add(c.Bad, l.Sum(c.To, l.End()).Bad)
			c.To = l.End()
		}
		c.Bad = min(c.Bad, a.hours(c.From, c.To))
		from := c.From
		for _, o := range a.own[:n] {
			if first, last := max(from, o.From), min(c.To, o.To); first < last {
				c.Bad -= min(c.Bad, o.Bad, a.hours(first, last))
			}
			if o.From <= c.From && c.From < o.To {
				c.From = min(o.To, c.To)
			}
		}
	}
	return a
}

// In returns how many bad events of [from, to) belong to each claim, and how many to none. Together
// they are what the ledger holds of that time.
//
// A claim that lies within the time gets all that it may call its own. One that crosses a bound has
// behind it what the ledger holds there through the claim's last hour, and before it the rest: what
// a burn begins with is often not the first that went bad in its hour, and little goes bad after
// its end.
func (a Attribution) In(from, to Minute) (shares []int64, unattributed int64) {
	shares = make([]int64, len(a.own))
	unattributed = a.ledger.Sum(from, to).Bad
	for n, c := range a.own {
		shares[n] = min(max(a.before(c, to)-a.before(c, from), 0), unattributed)
		unattributed -= shares[n]
	}
	return shares, unattributed
}

// before returns how much of a claim lies before a minute.
func (a Attribution) before(c Claim, m Minute) int64 {
	switch {
	case m <= c.From:
		return 0
	case m >= c.To:
		return c.Bad
	}
	return c.Bad - min(c.Bad, a.ledger.Sum(m, Minute(((c.To-1).Hour()+1)*60)).Bad)
}

// hours returns the bad events of the hours that have a minute in [from, to).
func (a Attribution) hours(from, to Minute) int64 {
	return a.ledger.Sum(Minute(from.Hour()*60), Minute(((to-1).Hour()+1)*60)).Bad
}

package budget

// Memo remembers the sums of the windows that end with a ledger: in each minute the rules, the
// forecast and what is shown ask for the same. The zero Memo is ready, and may be used for one
// ledger after another.
type Memo struct {
	of    Ledger
	known [12]struct { // the default windows are eight
		from Minute
		sum  Sum
	}
	n int // how many were remembered, of which the newest are known
}

// Over returns the ledger for reading by one goroutine, until the ledger is written or the memo is
// used for another.
func (m *Memo) Over(l *Ledger) *Ledger {
	m.of, m.n = *l, 0
	m.of.memo = m
	return &m.of
}

// sum returns the sum of what begins at a minute and ends with the ledger.
func (m *Memo) sum(from Minute) Sum {
	for i := range min(m.n, len(m.known)) {
		if m.known[i].from == from {
			return m.known[i].sum
		}
	}
	k := &m.known[m.n%len(m.known)]
	k.from, k.sum = from, m.of.net(from, m.of.end)
	m.n++
	return k.sum
}

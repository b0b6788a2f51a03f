package counting

import (
	"math"
	"slices"

	"github.com/slowburn-sre/slowburn/budget"
)

// Sample is one raw sample: milliseconds since 1970 and its value.
type Sample struct {
	MS int64
	V  float64
}

// Run is samples of one series.
type Run struct {
	Series  int32
	Samples []Sample
}

// Cursor is the newest sample of a series that was counted. The zero value means none.
type Cursor struct {
	MS    int64
	Value float64 // the highest it stood at since its counter began, but for glitches
	Low   float64 // where it stands while it is below Value; of a gauge that is down, until when it tells so, ms
	Dips  uint8   // samples below Value, one after another
	Flags Flags
}

// Flags are what is known of a series beside its position.
type Flags uint8

// The flags of a series.
const (
	Ended Flags = 1 << iota // the server has said that it lives no longer
	Heir                    // another series has gone on where it stood
	Still                   // of good events: they stood still while the total grew, when last shown
	Blank                   // the newest sample is not a number, which may be how a server shows its end
)

// Target is a process that is scraped.
type Target struct {
	Last     int64 // newest scrape that was seen, ms
	Born     int64 // first scrape
	Pace     Pace
	StandIn  int32           // its neighbours' interval, until it shows its own
	Restarts [restarts]int64 // when its process began anew, the newest last
	Late     float64         // how late its samples have come, ms, when that was learned
	LateAt   int64           // when that was
	Usual    int64           // how late they come now, ms; not kept
	Behind   int64           // how late the newest came, ms, if no window had shown it; not kept
	BehindAt int64           // when that was
	Rate     float64         // events per second, halving in ten minutes
	Start    int64           // when its process began, by itself; 0 = it has not been asked
	From     int32           // 1 + the target that it has gone on from
	Old      bool            // its first values were positions: so are those that come apart from them
}

const restarts = 3

// Account is the reading state of one budget.
type Account struct {
	Last  int64 // newest sample of any series of its total that was settled, ms
	Pace  Pace
	Told  budget.Minute // newest minute reported as absent
	Done  budget.Minute // newest minute written for good
	Carry Tally         // bad or good events of a minute in which the total had no sample
	Hole  Hole
	open  int32 // 1 + its first open minute; 0 = none
}

// empty returns the first minute of which nothing is known yet.
func (a *Account) empty() budget.Minute { return max(SlotOf(a.Last), a.Done) + 1 }

// through returns the newest minute of which something was said.
func (a *Account) through() budget.Minute { return max(SlotOf(a.Last), a.Done, a.Told) }

// HasOpen reports whether any of its minutes is counted and not decided.
func (a *Account) HasOpen() bool { return a.open > 0 }

// Hole is a stretch without samples that has just ended. It is kept open for one scrape interval,
// until every target had the chance to come back with its difference across it.
type Hole struct {
	From, Until budget.Minute // minutes to spread over, both included
	Sum         Tally
	Open        bool
}

// Promise is the reading state of one SLO.
type Promise struct {
	Since   budget.Minute // no slot before this one is written
	Begun   int64         // end of the first minute in which its total was seen: up to it, values are positions; 0 = never seen
	Sight   int64         // newest sample of any of its totals
	MaxLate int64         // how long its samples are waited for at most, ms; 0 = the default; not kept
}

// Minute is what an open minute holds of an account.
type Minute struct {
	Account int32 // -1 = free
	next    int32 // 1 + the account's next open minute
	At      budget.Minute
	Sum     Tally
	First   int64   // first sample of its total
	Last    int64   // newest one, 0 if there was none
	Gap     int64   // shortest between two samples of a series of its total
	Since   int64   // oldest time since when its events may have happened, plus one; 0 = there are none
	Down    bool    // of an uptime gauge: some sample was not 1
	Guess   float64 // events of its total whose good ones were shown later, with others
}

// State is everything that counting remembers. Its slices are numbered by an [Index].
type State struct {
	Cursors  []Cursor
	Targets  []Target
	Accounts []Account
	Promises []Promise
	Groups   []Group // first values that wait for their verdict
	Orphans  []Orphan
	Last     int64 // newest sample of all, ms
	Read     int64 // everything up to here was asked for
	Asked    int64 // when that was
	Primed   bool  // asked at least once

	minutes  []Minute // open ones
	troubles map[int32]*Trouble
}

// Clone copies the state, so that a read can be thrown away.
func (s *State) Clone() *State {
	c := *s
	c.Cursors, c.Targets = slices.Clone(s.Cursors), slices.Clone(s.Targets)
	c.Accounts, c.Promises = slices.Clone(s.Accounts), slices.Clone(s.Promises)
	c.Groups, c.Orphans = slices.Clone(s.Groups), slices.Clone(s.Orphans)
	c.minutes = make([]Minute, 0, len(s.minutes))
	for i := range c.Accounts {
		at := &c.Accounts[i].open
		for n := *at; n > 0; n = s.minutes[n-1].next {
			c.minutes = append(c.minutes, s.minutes[n-1])
			*at = int32(len(c.minutes))
			at = &c.minutes[len(c.minutes)-1].next
		}
		*at = 0
	}
	if s.troubles != nil {
		c.troubles = make(map[int32]*Trouble, len(s.troubles))
		for a, t := range s.troubles {
			c.troubles[a] = t.clone()
		}
	}
	return &c
}

// Grow makes room for what the index has learned since.
func (s *State) Grow(series, targets, accounts int) {
	s.Cursors = append(s.Cursors, make([]Cursor, max(0, series-len(s.Cursors)))...)
	s.Targets = append(s.Targets, make([]Target, max(0, targets-len(s.Targets)))...)
	s.Accounts = append(s.Accounts, make([]Account, max(0, accounts-len(s.Accounts)))...)
}

// OpenMinutes calls f with every open minute of an account, oldest first.
func (s *State) OpenMinutes(account int32, f func(Minute)) {
	for n := s.Accounts[account].open; n > 0; n = s.minutes[n-1].next {
		f(s.minutes[n-1])
	}
}

// PutMinute opens a minute that was kept.
func (s *State) PutMinute(m Minute) {
	node := s.minute(m.Account, m.At)
	m.next = node.next
	*node = m
}

// minute returns the open minute of an account, which it opens.
func (s *State) minute(account int32, at budget.Minute) *Minute {
	link := s.Accounts[account].open
	before := int32(0)
	for link > 0 && s.minutes[link-1].At < at {
		before, link = link, s.minutes[link-1].next
	}
	if link > 0 && s.minutes[link-1].At == at {
		return &s.minutes[link-1]
	}
	s.minutes = append(s.minutes, Minute{Account: account, At: at, next: link})
	n := int32(len(s.minutes))
	if before > 0 {
		s.minutes[before-1].next = n
	} else {
		s.Accounts[account].open = n
	}
	return &s.minutes[n-1]
}

// Owed returns the first slot that any SLO waits for.
func (s *State) Owed() budget.Minute {
	first := s.Promises[0].Since
	for _, p := range s.Promises {
		first = min(first, p.Since)
	}
	return first
}

const (
	minuteMs = 60_000
	// Forget is after how long without a sample, while others had some, a series, target or budget
	// is forgotten, ms.
	Forget = 25 * 60 * minuteMs
	// unknownPace stands in until an interval is known.
	unknownPace = 60_000
)

// SlotOf returns the minute whose slot (m, m+1] holds the sample.
func SlotOf(ms int64) budget.Minute {
	ms--
	if ms < 0 {
		ms -= minuteMs - 1
	}
	return budget.Minute(ms / minuteMs)
}

// EndOf returns when a minute is over, ms.
func EndOf(m budget.Minute) int64 { return int64(m+1) * minuteMs }

// Pace learns a scrape interval. One odd gap does not change it, five alike do.
type Pace struct {
	Interval, Candidate int32 // ms
	Votes               uint8
}

const votesToChange = 5

func (p *Pace) learn(gap int64) {
	g := int32(min(gap, math.MaxInt32))
	switch {
	case g <= 0:
	case p.Interval == 0:
		p.Interval = g
	case near(g, p.Interval):
		p.Votes = 0
	case near(g, p.Candidate):
		if p.Votes++; p.Votes >= votesToChange {
			*p = Pace{Interval: p.Candidate}
		}
	default:
		p.Candidate, p.Votes = g, 1
	}
}

func near(a, b int32) bool { return math.Abs(float64(a)-float64(b)) <= 0.2*float64(b) }

// ms returns the learned interval, or a stand-in.
func (p *Pace) ms() int64 {
	if p.Interval == 0 {
		return unknownPace
	}
	return int64(p.Interval)
}

// isHole reports whether a gap is longer than scrapes are apart, with one missed scrape forgiven.
func (p *Pace) isHole(gap int64) bool { return 2*gap > 5*p.ms() }

// interval returns how far apart the scrapes of a target are, ms.
func (t *Target) interval() int64 {
	switch {
	case t.Pace.Interval > 0:
		return int64(t.Pace.Interval)
	case t.StandIn > 0:
		return int64(t.StandIn)
	}
	return unknownPace
}

// restarted reports whether the process began anew in (from, to].
func (t *Target) restarted(from, to int64) bool {
	for _, at := range t.Restarts {
		if at > from && at <= to {
			return true
		}
	}
	return false
}

func (t *Target) restart(at int64) {
	list := append(t.Restarts[:], at)
	slices.Sort(list)
	copy(t.Restarts[:], list[1:])
}

// Tally is a number of events. Sums of integers are exact up to 2^53.
type Tally struct{ Total, Bad, Good float64 }

// Add books events of a role.
func (t *Tally) Add(r Role, n float64) {
	switch r {
	case Total:
		t.Total += n
	case Bad:
		t.Bad += n
	case Good:
		t.Good += n
	case Up:
	}
}

// plus returns the sum of both.
func (t Tally) plus(o Tally) Tally { return Tally{t.Total + o.Total, t.Bad + o.Bad, t.Good + o.Good} }

// Verdict says whether the counts of a minute could be taken as they came.
type Verdict uint8

// The verdicts.
const (
	AsCounted Verdict = iota
	CutOff            // more bad or good events than events at all
	TooMany           // more than any minute can hold, as where a counter wrapped round
)

// Events turns a tally into thousandths of bad and total events, rounded once. Beyond what a minute
// can hold, the total is such that [budget.Count] makes a failed slot of it.
func (t Tally) Events(byGood bool) (bad, total int64, v Verdict) {
	total, ok := budget.Thousandths(t.Total)
	part := t.Bad
	if byGood {
		part = t.Good
	}
	bad, fits := budget.Thousandths(part)
	if !ok || !fits {
		return 0, budget.MaxCount + 1, TooMany
	}
	if byGood {
		bad = total - bad
	}
	if bad < 0 || bad > total {
		return min(max(bad, 0), total), total, CutOff
	}
	return bad, total, AsCounted
}

// Fault is a kind of judgement about data that people should know of.
type Fault uint8

// The faults.
const (
	Clamped  Fault = iota // a minute had more bad or good events than events
	Beyond                // a minute showed more events than can have happened
	Dropped               // a sample was negative or not finite
	Renamed               // a series went on under another name
	Glitch                // a counter fell a little and came back
	Position              // a first value was too large to have happened since
	Away                  // a series was away for long and is back above its old value
	Behind                // events came after their minute was decided
	Unpaired              // a minute's total went on without its good series
	faults
)

// Trouble counts what was wrong with the data of one account, by fault, and names some series.
type Trouble struct {
	N     [faults]int
	Names [faults][]string
}

const maxNames = 3

func (t *Trouble) clone() *Trouble {
	c := *t
	for i := range c.Names {
		c.Names[i] = slices.Clip(c.Names[i])
	}
	return &c
}

// Add adds what was wrong elsewhere.
func (t *Trouble) Add(o *Trouble) {
	for f, n := range o.N {
		t.N[f] += n
		names := slices.Clone(t.Names[f])
		for _, name := range o.Names[f] {
			if len(names) < maxNames && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		t.Names[f] = names
	}
}

// Troubles returns what was wrong with each account so far, since the state was made.
func (s *State) Troubles() map[int32]*Trouble { return s.troubles }

// AddTrouble adds what was wrong with an account before the state was made.
func (s *State) AddTrouble(account int32, t *Trouble) { s.troubleOf(account).Add(t) }

// troubleOf returns what was wrong with an account so far, to add to it.
func (s *State) troubleOf(account int32) *Trouble {
	if s.troubles == nil {
		s.troubles = map[int32]*Trouble{}
	}
	if s.troubles[account] == nil {
		s.troubles[account] = &Trouble{}
	}
	return s.troubles[account]
}

// ForgetTroubles begins to count faults anew.
func (s *State) ForgetTroubles() { s.troubles = nil }

package counting

// Value is the last value of a series in an hour.
type Value struct {
	Series int32
	V      float64
}

// Hour counts the series of a target by their last values in an hour in which none of them began in
// the place of another, ended or fell: differences telescope, so samples in between would say the
// same. What it finds belongs to the hour; it is booked in its last minute. The interval is that of
// the target's scrapes, ms.
func (c *Counter) Hour(target int32, values []Value, end, interval int64) {
	const hour = 60 * minuteMs
	t, sum := &c.Targets[target], 0.0
	if t.Last == 0 {
		*t = Target{Born: end - hour}
	}
	if t.Pace.Interval == 0 {
		t.Pace.Interval = int32(interval)
	}
	for _, x := range values {
		cur := &c.Cursors[x.Series]
		n, from := x.V, cur.MS
		switch {
		case !c.known(x.Series):
			c.book(x.Series, end, 0, nothing, 0, x.V)
			c.born(x.Series, end, x.V, end-hour)
		case c.index.Scraped[target] && t.restarted(cur.MS, end):
		case x.V >= cur.Value:
			n = x.V - cur.Value
		case cur.Dips > 0: // it stays below its old height all the hour: that is where it goes on
			n = max(0, x.V-cur.Low)
		}
		if from > 0 {
			c.book(x.Series, end, n, from, 0, x.V)
		}
		sum += n
		*cur = Cursor{MS: end, Value: x.V}
	}
	t.Rate = sum / (hour / 1000)
	t.Last = max(t.Last, end-interval)
}

// Stand sets the position of a series that is seen for the first time: its value at a time counts
// for nothing, and its target and accounts are taken to have been there for long.
func (c *Counter) Stand(series int32, v float64, ms, interval int64) {
	s := &c.index.Series[series]
	c.Cursors[series] = Cursor{MS: ms, Value: v}
	t := &c.Targets[s.Target]
	*t = Target{Born: 1, Last: max(t.Last, ms-interval), Pace: Pace{Interval: int32(interval)}}
	for _, r := range s.Routes {
		if p := &c.Promises[c.index.Accounts[r.Account].Promise]; r.Role == Total && p.Begun == 0 {
			p.Begun = ms
		}
	}
}

// Drain calls f with every open minute of an account, oldest first, and closes it.
func (s *State) Drain(account int32, f func(Minute)) {
	s.OpenMinutes(account, f)
	s.Accounts[account].open = 0
}

// Empty forgets all open minutes, once they are drained.
func (s *State) Empty() { s.minutes = s.minutes[:0] }

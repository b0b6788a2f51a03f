package counting

import (
	"math"
	"slices"
)

// This file says who is waited for, and how long.

const (
	// tolerance is how far a sample may be off its interval: a tenth.
	tolerance = 10
	// leastWait is how long an overdue sample is waited for at least, ms.
	leastWait = 30_000
	// tick is about how far apart questions are, ms.
	tick = 15_000
	// lateHalf is after how long a learned lateness has halved, ms.
	lateHalf = 60 * minuteMs
	// DefaultMaxLate is how long an overdue sample is waited for at most, ms.
	DefaultMaxLate = 15 * minuteMs
	// askFor is how long a target that shows nothing at all is asked for, ms.
	askFor = 6 * 60 * minuteMs
	// askSeldom is how often that is done once nobody waits for it, ms.
	askSeldom = 5 * minuteMs
)

func (p *Promise) maxLate() int64 {
	if p.MaxLate > 0 {
		return p.MaxLate
	}
	return DefaultMaxLate
}

// longest is the longest time that anything is waited for.
func (s *State) longest() int64 {
	most := int64(0)
	for i := range s.Promises {
		most = max(most, s.Promises[i].maxLate())
	}
	return most
}

// lateness returns how late the samples of a target are expected, ms.
func (t *Target) lateness(now int64) float64 {
	if t.Late == 0 {
		return 0
	}
	return t.Late * math.Exp2(-float64(max(now-t.LateAt, 0))/lateHalf)
}

func (t *Target) learnLate(now, seen, most int64) {
	if late := float64(min(seen, most)); late > t.lateness(now) {
		t.Late, t.LateAt = late, now
	}
}

// wait returns how long a sample of a target is waited for after it was due, ms.
func (t *Target) wait(now int64) int64 {
	return max(leastWait, int64(t.lateness(now)*1.25)+tick) + t.interval()/tolerance
}

func (t *Target) due(ms int64) int64 { return ms + t.interval() + t.interval()/tolerance }

// Ask is a target of which samples are overdue, and the time after which they may be.
type Ask struct {
	Target int32
	From   int64
}

// Overdue lists the targets that owe a sample up to a time: every time as long as somebody waits
// for it, then seldom, and only those of which nothing at all is seen.
func (c *Counter) Overdue(now, upto int64) []Ask {
	most := c.longest() + askSeldom
	at := map[int32]int{}
	var out []Ask
	for i := range c.Cursors {
		cur, target := &c.Cursors[i], c.targetOf(int32(i))
		if cur.MS == 0 || cur.Flags&Ended != 0 || target < 0 || len(c.index.Series[i].Routes) == 0 {
			continue
		}
		t := &c.Targets[target]
		if t.due(cur.MS) > upto {
			continue
		}
		if !c.askNow(t, cur.MS, now, most) {
			continue
		}
		if n, ok := at[target]; ok {
			out[n].From = min(out[n].From, cur.MS)
		} else {
			at[target] = len(out)
			out = append(out, Ask{target, cur.MS})
		}
	}
	return out
}

// Missed reports whether a target is later than it is used to be.
func (c *Counter) Missed(a Ask, now int64) bool {
	t := &c.Targets[a.Target]
	return now > t.due(a.From)+int64(t.lateness(now))
}

// askNow reports whether an overdue series is asked for by this question. One whose target goes on
// without it has probably ended, and asking reads its target's samples again.
func (c *Counter) askNow(t *Target, ms, now, most int64) bool {
	crossed := func(every int64) bool { return now/every != c.Asked/every }
	age := now - ms
	switch alone := ms < t.Last-t.interval()/2; {
	case alone && age > most:
		return false
	case age > most:
		return age <= askFor && crossed(askSeldom)
	case alone && age > askSeldom:
		return crossed(askSeldom)
	case alone && age > 2*minuteMs:
		return crossed(minuteMs)
	}
	return true
}

// End marks those series of the targets that are overdue and that an instant query, shortly before
// their look-back is over, no longer shows: they have ended.
func (c *Counter) End(asked []Ask, shows func(series int32) bool, upto int64) {
	for _, ask := range asked {
		t := &c.Targets[ask.Target]
		for _, i := range c.index.byTarget[ask.Target] {
			if cur := &c.Cursors[i]; cur.MS > 0 && t.due(cur.MS) <= upto && !shows(i) {
				cur.Flags |= Ended
			}
		}
	}
}

// MedianLate returns how late half of the targets that are waited for are at least, ms, by a
// question that went up to now; 0 if that is little.
func (c *Counter) MedianLate(now int64) int64 {
	const little = 20_000
	var late []int64
	for i := range c.Targets {
		if t := &c.Targets[i]; t.Last > 0 && now < t.due(t.Last)+t.wait(now) {
			late = append(late, max(0, now-t.Last-t.interval()))
		}
	}
	if len(late) == 0 {
		return 0
	}
	slices.Sort(late)
	if m := late[len(late)/2]; m > little {
		return m + tick
	}
	return 0
}

// Wait is what an account waits for.
type Wait struct {
	Through int64 // minutes that end up to here are decided, ms
	Late    int64 // how late the samples of those it waits for come, by experience, ms
}

// Waits returns what an account waits for, by the last Decide.
func (c *Counter) Waits(account int32) Wait { return c.waits[account] }

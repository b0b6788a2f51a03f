package counting

import (
	"math"
	"slices"
)

// Waiting says who is waited for, and how long: which targets are to be asked, and up to where
// every account is complete. It counts nothing: it only notes how late targets come and which
// series have ended.
type Waiting struct {
	view
	waits []Wait // per account, by Decide
}

const (
	// tolerance is how far a sample may be off its interval: a tenth.
	tolerance = 10
	// early is by how much a sample may come before its time and be asked for beside the window, a
	// hundredth: what is stamped before a window begins and was not there when the last one ended
	// would otherwise be seen with its successor only, in another minute.
	early = 100
	// leastWait is how long an overdue sample is waited for at least, ms.
	leastWait = 30_000
	// tick is about how far apart questions are, ms.
	tick = 15_000
	// lateHalf is after how long a learned lateness has halved, ms.
	lateHalf = 60 * minuteMs
	// DefaultMaxLate is how long an overdue sample is waited for at most, ms.
	DefaultMaxLate = 15 * minuteMs
	// arrival is how long a sample takes from its time stamp into an answer, ms.
	arrival = 1000
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

// longest returns the longest time that anything is waited for.
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

// learnLate takes note of a sample that no window has shown.
func (t *Target) learnLate(now, seen, most int64) {
	t.Behind, t.BehindAt = seen, now
	if late := float64(min(seen, most)); late > t.lateness(now) {
		t.Late, t.LateAt = late, now
	}
}

// wait returns how long a sample of a target is waited for after it was due, ms.
func (t *Target) wait(now int64) int64 {
	return max(leastWait, int64(t.lateness(now)*1.25)+tick) + t.interval()/tolerance
}

// expects returns from when on the sample after one may come; see due for when it should have.
func (t *Target) expects(ms int64) int64 { return ms + t.interval() - t.interval()/early }

func (t *Target) due(ms int64) int64 { return ms + t.interval() + t.interval()/tolerance }

// Ask is a target of which samples are overdue, and the time after which they may be.
type Ask struct {
	Target int32
	From   int64
}

// Overdue lists the targets that owe a sample up to a time: every time as long as somebody waits
// for it, then seldom, and only those of which nothing at all is seen.
func (w *Waiting) Overdue(now, upto int64) []Ask {
	return w.overdue(now, func(_ int32, t *Target, cur *Cursor) bool {
		return cur.Flags&Ended == 0 && t.expects(cur.MS) <= upto
	})
}

// Owing lists those and, seldom, targets that have ended though their samples come late: what comes
// of them again is in no window.
func (w *Waiting) Owing(now, upto int64) []Ask {
	return w.overdue(now, func(i int32, t *Target, cur *Cursor) bool {
		if t.expects(cur.MS) > upto {
			return false
		}
		return cur.Flags&Ended == 0 || now/minuteMs != w.Asked/minuteMs && cur.MS >= t.Last-t.interval()/2 &&
			now-cur.MS <= askFor && (t.lateness(now) >= leastWait || w.justMet(i, now))
	})
}

// justMet reports whether a series is of an SLO that has not been read for as long as samples are
// waited for: nobody knows yet how late its target is.
func (w *Waiting) justMet(series int32, now int64) bool {
	return slices.ContainsFunc(w.index.Series[series].Routes, func(r Route) bool {
		p := w.promise(r.Account)
		return now < EndOf(p.Since)+p.maxLate()
	})
}

// asks collects targets that are asked for, each from the first sample that any of its series owes.
type asks struct {
	all []Ask
	at  map[int32]int // of a target in all
}

func (a *asks) add(target int32, from int64) {
	if n, ok := a.at[target]; ok {
		a.all[n].From = min(a.all[n].From, from)
		return
	}
	if a.at == nil {
		a.at = map[int32]int{}
	}
	a.at[target] = len(a.all)
	a.all = append(a.all, Ask{target, from})
}

// overdue lists the targets of which some series is overdue, if this question is to ask for it.
func (w *Waiting) overdue(now int64, is func(int32, *Target, *Cursor) bool) []Ask {
	most := w.longest() + askSeldom
	var out asks
	for i := range w.Cursors {
		cur, target := &w.Cursors[i], w.index.targetOf(int32(i))
		if target < 0 || cur.MS == 0 || len(w.index.Series[i].Routes) == 0 {
			continue
		}
		t := &w.Targets[target]
		if !is(int32(i), t, cur) || !w.askNow(t, cur.MS, now, most) {
			continue
		}
		out.add(target, cur.MS)
	}
	return out.all
}

// Returned lists the targets of which runs show samples again after they had owed some from before
// since, and that [Waiting.Owing] has left out this time, because nobody waits for them any longer:
// what they owe may have come with the rest. A series whose target has gone on without it owes
// nothing.
func (w *Waiting) Returned(runs []Run, now, since int64) []Ask {
	most := w.longest() + askSeldom
	var out asks
	for _, run := range runs {
		if len(run.Samples) == 0 || int(run.Series) >= len(w.Cursors) {
			continue
		}
		cur, target := &w.Cursors[run.Series], w.index.targetOf(run.Series)
		if cur.MS == 0 || target < 0 || now-cur.MS > askFor {
			continue
		}
		t := &w.Targets[target]
		if t.expects(cur.MS) > since || cur.MS < t.Last-t.interval()/2 || w.askNow(t, cur.MS, now, most) {
			continue
		}
		out.add(target, cur.MS)
	}
	return out.all
}

// Missed reports whether a target is later than it is used to be.
func (w *Waiting) Missed(a Ask, now int64) bool {
	t := &w.Targets[a.Target]
	return now > t.due(a.From)+max(int64(t.lateness(now)), t.behind(now))
}

// askNow reports whether an overdue series is asked for by this question. One whose target goes on
// without it has probably ended, and asking reads its target's samples again.
func (w *Waiting) askNow(t *Target, ms, now, most int64) bool {
	crossed := func(every int64) bool { return now/every != w.Asked/every }
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

// lookBack is how far back an instant query sees, ms.
const lookBack = 5 * minuteMs

// End marks those series of the targets that are overdue and that an instant query at a time no
// longer shows: they have ended. It tells nothing of those whose newest sample is out of its sight.
//
// The same query may have shown series that the index did not know when the counter was made.
func (w *Waiting) End(asked []Ask, shows func(series int32) bool, at, upto int64) {
	w.Grow(len(w.index.Series), len(w.index.Scraped), len(w.index.Accounts))
	for _, ask := range asked {
		t := &w.Targets[ask.Target]
		for _, i := range w.index.byTarget[ask.Target] {
			cur := &w.Cursors[i]
			if cur.MS > max(0, at-lookBack) && cur.MS <= at && t.due(cur.MS) <= upto && !shows(i) {
				cur.Flags |= Ended
			}
		}
	}
}

// Holes lists the targets of which an answer to a question for what comes after a time shows series
// that owed a sample before it, and that were not asked for it: it may have come meanwhile, and is
// to be counted first. A series that is new owes what its target, or where that is new its
// neighbours, may have shown of it so late that no question saw it.
func (w *Waiting) Holes(runs []Run, after, now int64, asked []Ask) []Ask {
	w.Grow(len(w.index.Series), len(w.index.Scraped), len(w.index.Accounts))
	since, latest := map[int32]int64{}, int64(0)
	for _, a := range asked {
		since[a.Target] = a.From
		latest = max(latest, min(now-a.From, w.longest()))
	}
	for i := range w.Targets {
		latest = max(latest, int64(w.Targets[i].lateness(now)))
	}
	begin := func(target int32, from int64) int64 { // no series of it shows more than it is asked for
		for _, i := range w.index.byTarget[target] {
			if cur := &w.Cursors[i]; cur.MS < from && w.owes(cur, &w.Targets[target], after) {
				from = cur.MS
			}
		}
		return from
	}
	at := map[int32]bool{}
	var out []Ask
	for _, r := range runs {
		target := w.index.targetOf(r.Series)
		if target < 0 || len(r.Samples) == 0 || at[target] {
			continue
		}
		owed, owes := w.Cursors[r.Series].MS, w.owes(&w.Cursors[r.Series], &w.Targets[target], after)
		if t := &w.Targets[target]; owed == 0 && latest >= leastWait {
			owed, owes = after-latest-t.interval(), !t.isGap(r.Samples[0].MS-after)
		}
		if from, ok := since[target]; ok && from <= owed || !owes {
			continue
		}
		at[target] = true
		out = append(out, Ask{target, begin(target, owed)})
	}
	return out
}

// BackFromHole reports whether runs show a series again after its target has missed scrapes: what
// has gone on from it meanwhile, under another name, is to be counted with them.
func (w *Waiting) BackFromHole(runs []Run) bool {
	return slices.ContainsFunc(runs, func(r Run) bool {
		target := w.index.targetOf(r.Series)
		if target < 0 || int(r.Series) >= len(w.Cursors) || w.Cursors[r.Series].MS == 0 {
			return false
		}
		before := w.Cursors[r.Series].MS
		for _, s := range r.Samples {
			if s.MS > before && w.Targets[target].isGap(s.MS-before) {
				return true
			}
			before = max(before, s.MS)
		}
		return false
	})
}

// owes reports whether a series may owe a sample before a time.
func (w *Waiting) owes(cur *Cursor, t *Target, before int64) bool {
	return cur.MS > 0 && t.expects(cur.MS) <= before && w.Asked-cur.MS <= w.longest()+askSeldom &&
		(cur.Flags&Ended == 0 || t.Late > 0)
}

// Beyond lists the spans, from and to, in which samples are looked for beyond a window that ends at
// upto, up to now: each shows one scrape of every series that has come so far.
func (w *Waiting) Beyond(upto, now int64) (spans [][2]int64) {
	widest := int64(0)
	for i := range w.Targets {
		widest = max(widest, w.Targets[i].interval()+w.Targets[i].interval()/tolerance)
	}
	from := upto
	for _, part := range []int64{8, 4, 2, 1} {
		to := upto + (now-upto)/part
		if from = max(from, to-widest); from < to {
			spans = append(spans, [2]int64{from, to})
		}
		from = to
	}
	return spans
}

// Lag returns by how much a window can stay behind and delay nobody, ms, by one that ended at upto:
// as late as half of the targets that are waited for are with the last of their series, or if of
// half of them the series of a scrape come one by one, all of them; and no more than every account
// has to wait for one of its own. It is 0 if that is little. Ahead is what there is beyond the
// window, and apart whether they came one by one before it stayed behind, which it does not show.
func (w *Waiting) Lag(now, upto int64, ahead []Run, apart bool) (int64, bool) {
	const little = 20_000
	w.Grow(len(w.index.Series), len(w.index.Scraped), len(w.index.Accounts))
	newest := map[int32]int64{}
	for _, r := range ahead {
		newest[r.Series] = r.Samples[len(r.Samples)-1].MS
	}
	var late []int64
	lateOf := make([]int64, len(w.Targets))
	apartOf := 0
	for i := range w.Targets {
		t, first, last := &w.Targets[i], int64(math.MaxInt64), int64(0)
		for _, series := range w.index.byTarget[i] {
			ms := max(w.Cursors[series].MS, newest[series])
			if ms > 0 && w.Cursors[series].Flags&Ended == 0 && now < t.due(ms)+min(t.wait(now), w.longest()) {
				first, last = min(first, ms), max(last, ms)
			}
		}
		if last > 0 {
			lateOf[i] = max(0, now-first-t.interval())
			late = append(late, lateOf[i])
		}
		if last-first >= t.interval() {
			apartOf++
		}
	}
	if len(late) == 0 {
		return 0, false
	}
	apart = apart || 2*apartOf >= len(late)
	waits := make([]int64, len(w.Accounts))
	for i := range w.Cursors {
		if target := w.index.targetOf(int32(i)); target >= 0 && w.Cursors[i].MS > 0 {
			for _, r := range w.index.Series[i].Routes {
				waits[r.Account] = max(waits[r.Account], lateOf[target]+1)
			}
		}
	}
	slices.Sort(late)
	lag := late[len(late)/2]
	if apart {
		lag = late[len(late)-1]
	}
	for _, most := range waits {
		if most > 0 { // somebody lives
			lag = min(lag, most-1)
		}
	}
	switch {
	case lag <= little:
		return 0, false
	case lag < now-upto: // nobody is later than the window, which shows no more
		return min(lag+tick, (now-upto-arrival)/arrival*arrival), apart
	}
	return lag + tick, apart
}

// Wait is what an account waits for.
type Wait struct {
	Through int64 // minutes that end up to here are decided, ms
	// Late is how late the samples of those it waits for come, by experience, ms, and Targets how
	// many are used to be late. If it waits for nobody any more, they are those that it gave up.
	Late    int64
	Targets int
	Nobody  bool // lives, or is waited for any more
	// Most is how long samples are waited for, ms, if they come later. Late is how late then, and
	// Targets of how many.
	Most int64
}

// frontiers finds, for every account, up to where nothing is to come any more.
func (w *Waiting) frontiers(now int64) {
	const nobody = -1
	w.waits = slices.Grow(w.waits[:0], len(w.Accounts))[:len(w.Accounts)]
	for a := range w.waits {
		w.waits[a] = Wait{Through: nobody}
	}
	for i := range w.Cursors {
		cur, target := &w.Cursors[i], w.index.targetOf(int32(i))
		if cur.MS == 0 || cur.Flags&Ended != 0 || target < 0 {
			continue
		}
		t := &w.Targets[target]
		through := min(cur.MS+t.interval()-t.interval()/tolerance, w.Read)
		for _, r := range w.index.Series[i].Routes {
			of := &w.waits[r.Account]
			if through < w.Read && w.gaveUp(t, cur.MS, r.Account, now) {
				continue
			}
			if of.Through == nobody || through < of.Through {
				of.Through = through
			}
		}
	}
	for a := range w.waits {
		if w.waits[a].Through == nobody { // nobody lives: only time tells
			w.waits[a].Through, w.waits[a].Nobody = min(w.Read, now-leastWait), true
		}
	}
	w.late(now)
	for i := range w.Groups {
		g := &w.Groups[i]
		for _, s := range g.Series {
			for _, r := range w.index.Series[s].Routes {
				w.waits[r.Account].Through = min(w.waits[r.Account].Through, g.MS-1)
			}
		}
	}
}

// late notes how late those are by experience that owe a sample: of every account those that it
// waits for, or if it waits for nobody any more, those that it gave up.
func (w *Waiting) late(now int64) {
	counted := make([]struct { // by account
		late, beyond int // the number of the last target, from 1
		targets      int // of which samples come later than they are waited for
		most         int64
	}, len(w.Accounts))
	for target := range w.Targets {
		t := &w.Targets[target]
		late := int64(t.lateness(now))
		if late < minuteMs {
			continue
		}
		for _, i := range w.index.byTarget[target] {
			cur := &w.Cursors[i]
			if cur.MS == 0 || cur.Flags&Ended != 0 || cur.MS+t.interval()-t.interval()/tolerance >= max(w.Read, now-minuteMs) {
				continue
			}
			for _, r := range w.index.Series[i].Routes {
				of, seen := &w.waits[r.Account], &counted[r.Account]
				if seen.beyond <= target && t.behind(now) > w.promise(r.Account).maxLate() {
					seen.beyond, seen.most, seen.targets = target+1, max(seen.most, t.behind(now)), seen.targets+1
				}
				if seen.late <= target && w.gaveUp(t, cur.MS, r.Account, now) == of.Nobody {
					seen.late, of.Late, of.Targets = target+1, max(of.Late, late), of.Targets+1
				}
			}
		}
	}
	for a, seen := range counted {
		if seen.targets > 0 {
			of := &w.waits[a]
			of.Late, of.Targets, of.Most = seen.most, seen.targets, w.promise(int32(a)).maxLate()
		}
	}
}

// behind returns how late the samples of a target come that no window shows, ms; 0 if none come.
func (t *Target) behind(now int64) int64 {
	if now-t.BehindAt > 2*askSeldom {
		return 0
	}
	return t.Behind
}

// promise returns that of which an account is.
func (w *Waiting) promise(account int32) *Promise {
	return &w.Promises[w.index.Accounts[account].Promise]
}

// gaveUp reports whether a sample that is due after a cursor is not waited for any more. How late a
// target is used to be is only known once another sample of it could come since it was first seen:
// history ends where the first minute is decided, and has to have what comes late.
func (w *Waiting) gaveUp(t *Target, ms int64, account int32, now int64) bool {
	p, wait := w.promise(account), t.wait(now)
	if now < t.due(EndOf(p.Since-1))+leastWait {
		wait = p.maxLate()
	}
	return now >= t.due(ms)+min(wait, p.maxLate())
}

// Of returns what an account waits for, by the last Decide.
func (w *Waiting) Of(account int32) Wait { return w.waits[account] }

const (
	// again is how soon a sample that is expected is asked for again, ms; tick is the longest.
	again = 5_000
	// sooner is by how much sooner than last time a sample that comes late is asked for, ms.
	sooner = 2_000
	// together is how long after the first account another may be ready, ms, to be asked for with
	// it.
	together = 10_000
)

// usual learns how late the samples of each target come now. When asked at now, its newest one was
// there and the one after it was not: its lateness lies between. Within that it is taken to be a
// little less each time, for it may be over.
func (w *Waiting) usual(now int64) {
	for i := range w.Targets {
		t := &w.Targets[i]
		age := max(now-t.Last, 0)
		t.Usual = max(min(t.Usual-sooner, age), age-t.interval(), 0)
	}
}

// Next returns when the next minute of an account can be complete, ms, after a Decide at now; of
// several accounts that are ready shortly after one another, when the last is. A sample is seen so
// long after its time, or by as much later as its target's samples come now.
func (w *Waiting) Next(now, arrival int64) int64 {
	ready := make([]int64, len(w.Accounts))
	for i := range w.Cursors {
		cur, target := &w.Cursors[i], w.index.targetOf(int32(i))
		if cur.MS == 0 || cur.Flags&Ended != 0 || target < 0 {
			continue
		}
		t := &w.Targets[target]
		for _, r := range w.index.Series[i].Routes {
			end := EndOf(SlotOf(w.waits[r.Account].Through + 1))
			shown := cur.MS + t.interval() - t.interval()/tolerance
			if shown >= end || w.gaveUp(t, cur.MS, r.Account, now) {
				continue
			}
			steps := (end - shown + t.interval() - 1) / t.interval()
			seen := cur.MS + steps*t.interval() + max(arrival, t.Usual)
			if seen <= now {
				seen = now + min(max(now-seen, again), tick)
			}
			ready[r.Account] = max(ready[r.Account], seen)
		}
	}
	for i := range w.Groups {
		for _, s := range w.Groups[i].Series {
			for _, r := range w.index.Series[s].Routes {
				ready[r.Account] = max(ready[r.Account], w.Groups[i].Next+arrival, now+again)
			}
		}
	}
	first, silent := int64(math.MaxInt64), int64(math.MaxInt64)
	for a := range ready {
		end := EndOf(SlotOf(w.waits[a].Through + 1))
		if w.waits[a].Nobody { // only time tells, and it can wait for the others
			silent = min(silent, max(end+leastWait, now+again))
			continue
		}
		ready[a] = max(ready[a], end+arrival, now+again)
		first = min(first, ready[a])
	}
	if first == math.MaxInt64 {
		return silent
	}
	next := first
	for _, at := range ready {
		if at <= first+together {
			next = max(next, at)
		}
	}
	return next
}

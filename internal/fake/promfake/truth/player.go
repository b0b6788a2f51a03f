package truth

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/chance"
)

const minute = 60_000 // milliseconds

// player plays one replica of a service through the whole time, pod after pod. It moves from
// boundary to boundary (a minute ends, a scrape is due, the pod crashes or is replaced) and draws
// the events in between. Times are milliseconds since 1970.
type player struct {
	db       *promfake.DB
	o        Options
	truth    *Truth
	slot     int
	rng      *rand.Rand
	end      int64
	interval int64

	born       int // pods that have run in this slot
	up         *promfake.Series
	good, bad  counter
	scrape     int64 // next scrape
	crash, die int64 // the pod's next restart and its replacement
	rename     int64 // when its series go on under other names
	instance   string
}

// counter is one series of a pod beside the truth about it.
type counter struct {
	series  *promfake.Series
	value   int64   // in the process
	last    int64   // at the last successful scrape, 0 if the reader starts anew
	exposed bool    // the last word about the series was a value, not a marker
	lazy    bool    // not shown while zero
	reset   bool    // the process restarted since the last successful scrape
	old     bool    // was never scraped, and what it has counted so far is anybody's guess
	pending []event // since the last successful scrape and the last restart
	unseen  func(m *Count, n int64)
	show    func(ms, n int64)
}

// event is a number of events in a minute.
type event struct {
	minute int
	n      int64
}

func newPlayer(db *promfake.DB, o Options, t *Truth, slot int) *player {
	p := &player{
		db: db, o: o, truth: t, slot: slot, rng: chance.New(o.Seed, fmt.Sprintf("%s/%d", t.Service.Name, slot)),
		end: o.Start.Add(o.Length).UnixMilli(), interval: o.Interval.Milliseconds(),
	}
	p.good.unseen = func(m *Count, n int64) { m.UnseenGood += n }
	p.bad.unseen = func(m *Count, n int64) { m.UnseenBad += n }
	shown := func(ms int64) *Count { return &t.ShownBy[(ms-1-o.Start.UnixMilli())/minute] }
	p.good.show = func(ms, n int64) { shown(ms).Good += n }
	p.bad.show = func(ms, n int64) { shown(ms).Bad += n }
	p.bad.lazy = t.Service.Lazy
	return p
}

// play runs from the start to the end.
func (p *player) play() {
	now := p.o.Start.UnixMilli()
	p.launch(now)
	for now < p.end {
		next := min(now-now%minute+minute, p.scrape, p.crash, p.die, p.rename, p.end)
		p.live(now, next)
		now = next
		if now == p.scrape {
			p.scrapeAt(now)
			p.scrape += p.interval
		}
		switch now {
		case p.die:
			p.replace(now)
		case p.crash:
			p.restart(now)
		case p.rename:
			p.goOn(now)
		}
	}
	// What was not scraped by the end is beyond the data.
	p.lose()
}

// launch starts a pod under a new name.
func (p *player) launch(now int64) {
	p.born++
	svc := p.truth.Service
	p.instance = fmt.Sprintf("%s-%d-%d", svc.Name, p.slot, p.born)
	up, good, bad := p.series(now)
	p.up = up
	p.good.launch(good)
	p.bad.launch(bad)
	p.scrape = now + 1 + p.rng.Int64N(p.interval)
	if found := svc.Found.UnixMilli(); p.born == 1 && !svc.Found.IsZero() {
		p.scrape = found + p.rng.Int64N(p.interval)
		p.good.old, p.bad.old = true, true
	}
	p.crash = p.nextCrash(now)
	p.die = p.after(now, svc.Churn.Milliseconds())
	for _, at := range svc.Deploys {
		if at := at.Add(time.Duration(p.slot) * 20 * time.Second).UnixMilli(); at > now {
			p.die = min(p.die, at)
			break
		}
	}
	p.rename = math.MaxInt64
	for _, at := range []time.Time{svc.Relabel, svc.Port} {
		if ms := at.UnixMilli(); !at.IsZero() && ms > now {
			p.rename = min(p.rename, ms)
		}
	}
}

// series returns the series of the pod under the names that they have at a time.
func (p *player) series(now int64) (up, good, bad *promfake.Series) {
	svc, port := p.truth.Service, "8080"
	if !svc.Port.IsZero() && now >= svc.Port.UnixMilli() {
		port = "9090"
	}
	one := func(name string, pairs ...string) *promfake.Series {
		pairs = append(pairs, "__name__", name, "job", svc.Name, "instance", p.instance+":"+port)
		if !svc.Relabel.IsZero() && now >= svc.Relabel.UnixMilli() {
			pairs = append(pairs, "cluster", "eu")
		}
		return p.db.Series(labels.FromStrings(pairs...))
	}
	return one("up"), one("http_requests_total", "code", "200"), one("http_requests_total", "code", "500")
}

// goOn lets the series of the pod go on under other names.
func (p *player) goOn(now int64) {
	p.rename = math.MaxInt64
	if at := max(p.scrape, now+1); !p.down(at) {
		must(p.up.MarkStale(at))
		p.good.mark(at)
		p.bad.mark(at)
	}
	p.up, p.good.series, p.bad.series = p.series(now)
	p.scrape = now + 1 + p.rng.Int64N(p.interval)
}

// nextCrash draws when the pod restarts next.
func (p *player) nextCrash(now int64) int64 {
	svc := p.truth.Service
	at := p.after(now, svc.Restarts.Milliseconds())
	if loop := svc.Loop; !loop.To.IsZero() {
		if begin := max(now, loop.From.UnixMilli()); loop.contains(begin) {
			at = min(at, p.after(begin, 4*minute))
		}
	}
	return at
}

func (c *counter) launch(s *promfake.Series) {
	c.series, c.value, c.last, c.exposed, c.reset, c.old, c.pending = s, 0, 0, false, false, false, nil
}

// after draws when something with this mean distance happens next.
func (p *player) after(now, mean int64) int64 {
	if mean <= 0 {
		return math.MaxInt64
	}
	return now + 1 + int64(p.rng.ExpFloat64()*float64(mean))
}

// live draws the events in [from, to).
func (p *player) live(from, to int64) {
	svc := p.truth.Service
	mean := svc.rate(from) / float64(max(svc.Pods, 1)) * float64(to-from) / 1000
	share := svc.badShare(from)
	i := int((from - p.o.Start.UnixMilli()) / minute)
	m := &p.truth.Minutes[i]
	m.Good += p.good.add(i, int64(chance.Poisson(p.rng, mean*(1-share))))
	m.Bad += p.bad.add(i, int64(chance.Poisson(p.rng, mean*share)))
}

func (c *counter) add(minute int, n int64) int64 {
	if n > 0 {
		c.value += n
		c.pending = append(c.pending, event{minute, n})
	}
	return n
}

// scrapeAt makes a scrape that is due: it works, fails, or nobody is there to do it.
func (p *player) scrapeAt(now int64) {
	if p.down(now) {
		return
	}
	if p.rng.Float64() < p.truth.Service.Missed {
		must(p.up.Append(now, 0))
		p.good.mark(now)
		p.bad.mark(now)
		return
	}
	must(p.up.Append(now, 1))
	reset := p.good.reset && p.good.value < p.good.last && 8*(p.good.last-p.good.value) >= p.good.last
	p.good.expose(now, p.truth.Minutes, reset)
	p.bad.expose(now, p.truth.Minutes, reset)
}

func (p *player) down(ms int64) bool {
	for _, d := range p.o.Down {
		if d.contains(ms) {
			return true
		}
	}
	return false
}

// expose writes a sample. All that is pending is seen by it, unless a reset hides behind a value
// that is not below the last one, and the pod's good events do not show it either.
func (c *counter) expose(now int64, minutes []Count, reset bool) {
	if c.lazy && c.value == 0 {
		c.mark(now)
		c.last, c.reset, c.old = 0, false, false // seen to be gone: the reader starts anew
		return
	}
	must(c.series.Append(now, float64(c.value)))
	hidden := int64(0)
	switch {
	case c.old:
		hidden = math.MaxInt64
	case c.reset && c.value >= c.last && !reset:
		hidden = c.last
	}
	c.show(now, c.hide(hidden, minutes))
	c.old = false
	c.last, c.exposed, c.reset, c.pending = c.value, true, false, c.pending[:0]
}

// hide marks the oldest n pending events as unseen, and returns how many are left.
func (c *counter) hide(n int64, minutes []Count) (left int64) {
	for _, e := range c.pending {
		k := min(n, e.n)
		c.unseen(&minutes[e.minute], k)
		n -= k
		left += e.n - k
	}
	return left
}

// mark ends the series with a stale marker, if it is not ended already.
func (c *counter) mark(now int64) {
	if c.exposed {
		must(c.series.MarkStale(now))
		c.exposed = false
	}
}

// restart crashes the process: the counters go back to zero, what was not scraped is lost.
func (p *player) restart(now int64) {
	p.lose()
	for _, c := range []*counter{&p.good, &p.bad} {
		c.value, c.reset = 0, true
	}
	p.crash = p.nextCrash(now)
}

// replace ends the pod and starts another in its place. The old one's series end with the scrape
// that no longer finds it.
func (p *player) replace(now int64) {
	p.lose()
	if at := max(p.scrape, now+1); !p.down(at) {
		must(p.up.MarkStale(at))
		p.good.mark(at)
		p.bad.mark(at)
	}
	p.launch(now)
}

// lose counts everything pending as unseen.
func (p *player) lose() {
	p.good.hide(math.MaxInt64, p.truth.Minutes)
	p.bad.hide(math.MaxInt64, p.truth.Minutes)
	p.good.pending, p.bad.pending = nil, nil
}

// must reports what cannot happen: a player writes its own series in order.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

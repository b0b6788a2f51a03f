package web

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// powerPart returns what the alerts of an SLO can catch. To find out means to play outages to them,
// which takes a second or two, so it is done when somebody asks.
func (s *site) powerPart(b engine.Budget, asked bool) part {
	p := part{Heading: "What the alerts can catch", ID: "power"}
	st := b.Windows[0]
	if st.Sum.Known == 0 || st.Sum.Total == 0 {
		p.Words = "Without events nobody can say."
		return p
	}
	again := s.prefix + budgetPath(b.ID) + joint(budgetPath(b.ID)) + "power=1#power"
	if !asked {
		p.More = link(again, "Find out") + text(", by playing outages to the alerts at the present traffic. It takes a few seconds.")
		return p
	}
	rate := float64(st.Sum.Total) / 1000 / float64(st.Sum.Known)
	found, ok := s.powers.of(b.Spec, rate)
	if !ok {
		p.More = link(again, "Ask again") + text(" in a few seconds: the alerts of another SLO are being played to.")
		return p
	}
	p.Words = fmt.Sprintf("At %s events a minute, each alert alone, with every event bad from one minute to the next. %s",
		figures.Value(rate), sentences.FalsePages(found.FalsePages, alerting.FalseDays))
	p.Table = table{Label: p.Heading, Head: []column{
		{"Alert", asName},
		{"Shortest outage", asNumber},
		{"Budget gone by then", asNumber},
		{"Over again after", asNumber},
		{"After an hour's outage", asNumber},
		{"Smallest share of bad events", asNumber},
	}}
	for _, r := range found.Pairs {
		p.Table.add(reachCells(string(r.Severity)+" "+pairName(r.Pair), r.Reach)...)
	}
	p.Table.add(reachCells("any page", found.Page)...)
	p.Table.add(reachCells("any ticket", found.Ticket)...)
	return p
}

// joint returns what comes between a path and a further parameter.
func joint(path string) string {
	if strings.Contains(path, "?") {
		return "&"
	}
	return "?"
}

func reachCells(name string, r alerting.Reach) []markup {
	cells := []markup{text(name), "none", figures.Unknown, figures.Unknown, figures.Unknown, "none"}
	if r.Outage > 0 {
		cells[1], cells[2] = text(figures.Duration(r.Outage)), text(figures.Ratio(r.Gone))
		cells[3], cells[4] = text(figures.Duration(r.Reset)), text(figures.Duration(r.ResetLong))
	}
	if r.Ratio > 0 {
		cells[5] = text(figures.Ratio(r.Ratio))
	}
	return cells
}

// powerCache keeps what was found out for as long as the spec is the same one and its traffic about
// the same. One is found out at a time, and nobody waits for it: whoever waited would keep a place
// of the door.
type powerCache struct {
	busy  sync.Mutex // held while one is found out
	mu    sync.Mutex
	known map[powerKey]alerting.Power
}

// powerKey is a spec at about so much traffic: one step is a fifth more than the one before.
type powerKey struct {
	spec *slo.Spec
	step int
}

// manyPowers is how many are kept; a reload makes all of them useless.
const manyPowers = 1000

// of returns the power of a spec at so many events a minute, above 0; false while that of another
// is found out.
func (c *powerCache) of(spec *slo.Spec, rate float64) (alerting.Power, bool) {
	key := powerKey{spec, int(math.Floor(math.Log(rate) / math.Log(1.2)))}
	c.mu.Lock()
	p, ok := c.known[key]
	c.mu.Unlock()
	if ok {
		return p, true
	}
	if !c.busy.TryLock() {
		return alerting.Power{}, false
	}
	defer c.busy.Unlock()
	p = alerting.PowerOf(spec, rate)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= manyPowers {
		c.known = map[powerKey]alerting.Power{}
	}
	c.known[key] = p
	return p, true
}

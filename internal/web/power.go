package web

import (
	"fmt"
	"math"
	"net/http"
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
func (s *site) powerPart(r *http.Request, b engine.Budget) part {
	p := part{Heading: "What the alerts can catch", ID: "power"}
	st := b.Windows[0]
	if st.Sum.Known == 0 || st.Sum.Total == 0 {
		p.Words = "Without events nobody can say."
		return p
	}
	again := s.prefix + budgetPath(b.ID) + joint(budgetPath(b.ID)) + "power=1#power"
	if r.URL.Query().Get("power") == "" {
		p.More = link(again, "Find out") + text(", by playing outages to the alerts at the present traffic. It takes a few seconds.")
		return p
	}
	rate := float64(st.Sum.Total) / 1000 / float64(st.Sum.Known)
	found, err := s.powers.of(b.Spec, rate, func(play func() (alerting.Power, error)) (alerting.Power, error) {
		return inTurn(s.server, s.dear, r, play)
	})
	if err != nil {
		p.Words, p.More = err.Error(), link(again, "Ask again")
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
// the same.
type powerCache struct {
	play  func(*slo.Spec, float64) alerting.Power
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

// of returns the power of a spec at so many events a minute, above 0. What is not known is found
// out in turn, if there is one.
func (c *powerCache) of(spec *slo.Spec, rate float64, inTurn func(func() (alerting.Power, error)) (alerting.Power, error)) (alerting.Power, error) {
	key := powerKey{spec, int(math.Floor(math.Log(rate) / math.Log(1.2)))}
	if p, ok := c.lookUp(key); ok {
		return p, nil
	}
	return inTurn(func() (alerting.Power, error) {
		p, ok := c.lookUp(key) // somebody else may have asked for the same
		if !ok {
			p = c.play(spec, rate)
			c.keep(key, p)
		}
		return p, nil
	})
}

func (c *powerCache) lookUp(key powerKey) (p alerting.Power, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok = c.known[key]
	return p, ok
}

func (c *powerCache) keep(key powerKey, p alerting.Power) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= manyPowers {
		c.known = map[powerKey]alerting.Power{}
	}
	c.known[key] = p
}

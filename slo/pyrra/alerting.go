package pyrra

import (
	"fmt"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

// tier is one of Pyrra's four alerts. Its windows are fractions of the SLO's. Source: the rules
// that Pyrra 0.10 generates (slo/rules.go of the project).
type tier struct {
	severity           string // key of alerting.severities
	burn               int
	short, long, after time.Duration // of an SLO's window of four weeks
	page               bool
}

var tiers = []tier{
	{"fastBurn", 14, 5 * time.Minute, time.Hour, 2 * time.Minute, true},
	{"mediumBurn", 7, 30 * time.Minute, 6 * time.Hour, 15 * time.Minute, true},
	{"slowBurn", 2, 2 * time.Hour, slo.Day, time.Hour, false},
	{"longTermBurn", 1, 6 * time.Hour, 4 * slo.Day, 3 * time.Hour, false},
}

// alerting is the block of that name.
type alerting struct {
	burnrates  bool
	absent     bool
	severities strictyaml.Object
}

func readAlerting(v strictyaml.Value) alerting {
	o, _ := v.Object("burnrates", "absent", "disabled", "name", "absentName", "severities")
	a := alerting{burnrates: true, absent: true}
	if b, ok := o.Get("burnrates").Bool(); ok {
		a.burnrates = b
	}
	if b, ok := o.Get("disabled").Bool(); ok && b {
		a.burnrates = false
	}
	if b, ok := o.Get("absent").Bool(); ok {
		a.absent = b
	}
	foreign.Lost(o.Get("name"), "alerts are called after their SLO here")
	foreign.Lost(o.Get("absentName"), "alerts are called after their SLO here")
	a.severities, _ = o.Get("severities").Object("absent", "fastBurn", "mediumBurn", "slowBurn", "longTermBurn")
	foreign.Lost(a.severities.Get("absent"), "missing data have one severity here")
	return a
}

// alerts turns the tiers into pairs; what is left out is told at the window. Whoever switched burn
// alerts off hears of missing data at most.
func (a alerting) alerts(s *slo.Spec, window strictyaml.Value) slo.Alerts {
	out := slo.Alerts{Significance: true}
	if a.burnrates {
		if scale(tiers[0].short, s.Window().Length()) < time.Minute {
			window.Lint("not-carried-over", "for so short a window Pyrra's shortest alert would look at no time at all", "its windows are stretched to 1m and 5m here")
		}
		out = foreign.Alerts(window, s, a.pairs(s, true), a.pairs(s, false))
	}
	out.NoData = 0
	if a.absent {
		out.NoData = noData(s)
	}
	return out
}

// pairs returns the tiers that page, or those that do not, as shares of the budget.
func (a alerting) pairs(s *slo.Spec, page bool) (out []slo.Pair) {
	length := s.Window().Length()
	for _, t := range tiers {
		if a.pages(t) != page {
			continue
		}
		p := slo.Pair{Short: max(scale(t.short, length), time.Minute)}
		p.Long = max(scale(t.long, length), 5*time.Minute)
		p.Budget = foreign.Share(float64(t.burn), p.Long, length)
		out = append(out, p)
	}
	return out
}

// severities by what they mean for people.
var (
	pages   = []string{"critical", "page", "high", "emergency"}
	tickets = []string{"warning", "ticket", "info", "low", "none"}
)

// pages reports whether a tier wakes somebody up.
func (a alerting) pages(t tier) bool {
	v := a.severities.Get(t.severity)
	if !v.Given() {
		return t.page
	}
	severity, _ := v.Literal("a severity such as critical")
	switch {
	case slices.Contains(pages, severity):
		return true
	case slices.Contains(tickets, severity):
		return false
	}
	kind := map[bool]string{true: "page", false: "ticket"}[t.page]
	v.Lint("not-carried-over", fmt.Sprintf("the severity %q is not known here; the alert stays a %s", severity, kind), "write critical for a page, or warning for a ticket")
	return t.page
}

// scale returns a duration for four weeks in a window of another length, to the nearest minute as
// in Pyrra.
func scale(d, length time.Duration) time.Duration {
	four := 28 * slo.Day
	return time.Duration(float64(d) * float64(length) / float64(four)).Round(time.Minute)
}

// noData returns how long Pyrra waits before it tells about missing data: as long as a total outage
// takes to fire the fastest alert.
func noData(s *slo.Spec) time.Duration {
	length := s.Window().Length()
	t := tiers[0]
	wait := float64(t.burn)*s.Objective.AllowedRatio()*float64(scale(t.long, length)) + float64(scale(t.after, length))
	return max(time.Duration(wait).Round(time.Minute), 2*time.Minute)
}

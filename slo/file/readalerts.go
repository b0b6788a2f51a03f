package file

import (
	"fmt"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// alerts reads when to tell; what is not written has its default. Default pairs that could never
// fire are left out with a warning.
func (r *sloReader) alerts(v strictyaml.Value, s *slo.Spec) (slo.Alerts, bool) {
	o, ok := v.Object(alertsKeys.Keys()...)
	defaults, dead := slo.DefaultAlerts(s.Window(), s.Objective)
	if !o.Get("page").Given() {
		r.warnDead(s, dead.Page)
	}
	if !o.Get("ticket").Given() {
		r.warnDead(s, dead.Ticket)
	}
	if !v.Given() {
		return defaults, true
	}
	a, good := defaults, ok
	var pages, tickets bool
	a.Page, pages = r.pairs(o.Get("page"), "page", defaults.Page, s.Window())
	a.Ticket, tickets = r.pairs(o.Get("ticket"), "ticket", defaults.Ticket, s.Window())
	good = good && pages && tickets
	if e := o.Get("spent"); e.Given() {
		a.Spent, ok = readSpent(e)
		good = good && ok
	}
	if e := o.Get("no_data"); e.Given() {
		a.NoData, ok = readNoData(e)
		good = good && ok
	}
	if e := o.Get("traffic"); e.Given() {
		a.Traffic, ok = readTraffic(e)
		good = good && ok
	}
	if e := o.Get("significance"); e.Given() {
		a.Significance, ok = e.Bool()
		good = good && ok
	}
	return a, good
}

// off reports whether a list of alerts was switched off in a word.
func off(v strictyaml.Value) bool {
	if !v.IsText() {
		return false
	}
	text, _ := v.Literal("")
	return slices.Contains([]string{"off", "none", "false", "no"}, text)
}

// pairs reads a list of pairs.
func (r *sloReader) pairs(v strictyaml.Value, key string, defaults []slo.Pair, w slo.Window) ([]slo.Pair, bool) {
	if !v.Given() {
		return defaults, true
	}
	if off(v) {
		return nil, true
	}
	list, good := v.List(maxPairs)
	out := make([]slo.Pair, 0, len(list))
	for i, e := range list {
		p, ok := readPair(e, w)
		out, good = append(out, p), good && ok
		r.places[fmt.Sprintf("%s.%d", key, i)] = e
	}
	return out, good
}

func readPair(v strictyaml.Value, w slo.Window) (slo.Pair, bool) {
	o, ok := v.Object(pairKeys.Keys()...)
	if !ok {
		return slo.Pair{}, false
	}
	budget, ok1 := Percent(o.Need("budget", "write the share of the budget, such as budget: 2%"), 1, 10000)
	long, ok2 := Minutes(o.Need("long", "write the long window, such as long: 1h"))
	short, ok3 := Minutes(o.Need("short", "write the short window, about a twelfth of the long one: short: 5m"))
	p := slo.Pair{Budget: budget, Long: long, Short: short}
	switch {
	case !ok1 || !ok2 || !ok3:
		return p, false
	case short >= long:
		o.Get("short").Problem(fmt.Sprintf("short (%s) is not shorter than long (%s)", slo.ShortDuration(short), slo.ShortDuration(long)),
			"the short window only ends the alert soon after the trouble; a twelfth of the long one is usual")
		return p, false
	case long > w.Length():
		o.Get("long").Problem(fmt.Sprintf("long (%s) is longer than the SLO's window (%s)", slo.ShortDuration(long), w.String()), "")
		return p, false
	}
	return p, true
}

// maxSpent is 1000 %: whoever wants to know how far beyond the budget they are may.
const maxSpent = 100000

func readSpent(v strictyaml.Value) ([]int64, bool) {
	if off(v) {
		return nil, true
	}
	list, good := v.List(maxShares)
	out := make([]int64, 0, len(list))
	for _, e := range list {
		n, ok := Percent(e, 1, maxSpent)
		if ok && slices.Contains(out, n) {
			e.Problem("this share is listed twice", "remove one of them")
			ok = false
		}
		out, good = append(out, n), good && ok
	}
	slices.Sort(out)
	return out, good
}

// minNoData is two minutes: less is ordinary lateness of data.
const minNoData = 2 * time.Minute

func readNoData(v strictyaml.Value) (time.Duration, bool) {
	if off(v) {
		return 0, true
	}
	d, ok := Minutes(v)
	if ok && d < minNoData {
		v.Problem("no_data must be at least 2m", "data are ordinarily a minute late; write off to switch it off")
		return 0, false
	}
	return d, ok
}

// minTraffic is how long a silence must be to say anything.
const minTraffic = 10 * time.Minute

func readTraffic(v strictyaml.Value) (time.Duration, bool) {
	if off(v) {
		return 0, true
	}
	d, ok := Minutes(v)
	if ok && d < minTraffic {
		v.Problem("traffic must be at least 10m", "a shorter silence says little; write off to switch it off")
		return 0, false
	}
	return d, ok
}

// warnDead tells about default pairs that were left out.
func (r *sloReader) warnDead(s *slo.Spec, dead []slo.Pair) {
	for _, p := range dead {
		v := r.places["objective"]
		if !v.Given() {
			v = r.places["name"]
		}
		message, hint := lint.DeadDefault(s, p)
		v.Lint("dead-alert", message, hint)
	}
}

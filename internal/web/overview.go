package web

import (
	"cmp"
	"context"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// overview is the list of budgets.
type overview struct {
	Heading  string
	Lead     string
	Banners  []banner
	MoreOpen string // how many more incidents are open
	Filter   *filter
	Label    string // what the list is of
	Columns  []sortable
	Groups   []group // one without a name if all stand in one list
	Total    int     // budgets, before the filter
	Found    int     // and after it
	More     string  // where those are that this page leaves out
}

// group is the budgets of a service.
type group struct {
	Name, Owner string
	Gate        alerting.Verdict
	HasGate     bool
	Rows        []row
}

// sortable is a heading of the list of budgets, which orders it.
type sortable struct {
	Name, Class string
	To          string // the address of the list in this order; "" if it has none
	Sorted      string // ascending or descending, "" if the list has another order
}

// hasForm reports whether somebody may be filling in the filter.
func (o overview) hasForm() bool { return o.Filter != nil }

// filter is a form that narrows a list. It works by GET alone, so what it shows has an address.
type filter struct {
	Fields []field
	Sort   string // the order, which the form keeps
	Count  string // what was found, in words
}

// field is one field of a filter: a choice if it has options, else a text.
type field struct {
	Name, Label, Value string
	Options            []option
}

// option is one choice. Those of the same group stand together.
type option struct{ Value, Words, Group string }

// Groups returns the options by group, in their order.
func (f field) Groups() [][]option {
	var all [][]option
	for n, o := range f.Options {
		if n == 0 || o.Group != f.Options[n-1].Group {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], o)
	}
	return all
}

// choices returns options that are called as they are; an empty one is left out.
func choices(all []string) []option {
	var out []option
	slices.Sort(all)
	for _, a := range slices.Compact(all) {
		if a != "" {
			out = append(out, option{Value: a, Words: a})
		}
	}
	return out
}

// ranked is one budget before anybody has decided to show it: what filters and orders it.
type ranked struct {
	budget *engine.Budget
	grade  grade
	bar    float64 // the share of the budget that is left, from 0 to 100
	gate   alerting.Verdict
}

// rank judges a budget at a time.
func rank(seen *engine.Snapshot, b *engine.Budget, now time.Time) ranked {
	r := ranked{budget: b, grade: gradeOf(b), gate: seen.Verdict(b, now)}
	if st := b.Windows[0]; st.Sum.Total > 0 {
		r.bar = 100 * min(max(st.Remaining(), 0), 1)
	}
	return r
}

// row is one budget in the list.
type row struct {
	ID          slo.ID
	Name        string // in the list: without the service where that stands above
	Description string
	Grade       grade
	Objective   string
	Period      string // of the window if it is not the usual one
	SLI, Left   figure
	Bar         float64 // width of the budget's bar, 0 to 100
	Spark       template.HTML
	Fast, Slow  figure
	Forecast    figure
	Exhausted   figure
	Gate        alerting.Verdict
	Open        []alerting.Incident
	IsJourney   bool
	Tier, Owner string
}

// Hot reports whether the budget burns so fast that somebody is paged.
func (r row) Hot() bool { return r.Grade.Key == "page" }

// Alert says how the budget's alerts stand, in Prometheus' words.
func (r row) Alert() markup {
	if words := alertWords[r.Grade.Key]; words != "" {
		b := badge(r.Grade.Key, words)
		return b
	}
	return calm("ok", "inactive")
}

// alertWords say how the alerts of a budget of a grade stand where that is more than inactive.
var alertWords = map[string]string{"page": "page firing", "ticket": "ticket firing", "no-data": "no data", "unknown": "unknown"}

// shownBudgets is how many budgets the overview lists unless all are asked for. The worst come
// first.
const shownBudgets = 200

func (s *site) overviewPage(r *http.Request) (string, page, error) {
	list := func() (overview, error) {
		return budgetList{s}.overview(r.Context(), s.Source.Snapshot().Budgets, r.URL.Query()), nil
	}
	var o overview
	var err error
	if r.URL.Query().Get("all") == "" {
		o, err = list()
	} else {
		o, err = inTurn(s.server, s.dear, r, list)
	}
	if err != nil {
		return "", page{Here: "slos"}, err
	}
	o.Banners, o.MoreOpen = openIncidents{s.server}.banners(r.URL.Query())
	o.Label = "Service level objectives"
	return "overview", page{Title: o.Heading, Here: "slos", Body: o}, nil
}

// budgetList lists budgets.
type budgetList struct{ *site }

// overview lists the budgets that pass the filter, in the order that is asked for; by itself by
// service, the worst first.
func (s budgetList) overview(ctx context.Context, all []engine.Budget, q url.Values) overview {
	o := overview{Total: len(all)}
	seen, now := s.Source.Snapshot(), s.Now()
	only, tiers, states := s.narrow(q), []string{}, map[string]int{}
	gates := map[string][]alerting.Verdict{}
	var found []ranked
	for n := range all {
		b := &all[n]
		r := rank(seen, b, now)
		tiers = append(tiers, b.Spec.Tier)
		of := r.states()
		for _, state := range of {
			states[state]++
		}
		if hasGate(r.gate) {
			gates[b.ID.Service()] = append(gates[b.ID.Service()], r.gate)
		}
		if only.shows("", b.ID) && r.passes(q, of) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, worst)
	o.Heading = headline(found, gates)
	by := orderOf(q.Get("sort"))
	if by != nil {
		slices.SortStableFunc(found, by.compare)
	}
	o.Found, o.Columns = len(found), s.columns(q)
	order := "by service, worst first"
	if by != nil {
		order = "by " + strings.ToLower(by.name)
	}
	if len(found) > shownBudgets && q.Get("all") == "" {
		found = found[:shownBudgets]
		o.More = s.addressWith(q, "all", "1")
	}
	o.Groups = groupsOf(found, gates, by == nil, s.sparks(ctx, found))
	o.Filter = &filter{Fields: slices.Insert(only.fieldsOf(all,
		field{"tier", "Tier", q.Get("tier"), choices(tiers)},
		field{"state", "State", q.Get("state"), stateOptions(states)},
	), 0, field{"q", "Find", q.Get("q"), nil}), Sort: q.Get("sort"), Count: figures.Count(o.Found) + " of " + figures.Plural(o.Total, "budget") + ", " + order}
	return o
}

// budgetsOf lists some budgets, all of them, where nothing is filtered or ordered.
func (s budgetList) budgetsOf(ctx context.Context, some []engine.Budget) overview {
	o := s.overview(ctx, some, url.Values{"all": {"1"}})
	o.Filter = nil
	for n := range o.Columns {
		o.Columns[n].To = ""
	}
	if len(o.Groups) == 1 {
		o.Groups[0].Name = ""
	}
	return o
}

// worst orders budgets: those about which something must be done come first.
func worst(a, b ranked) int {
	return cmp.Or(cmp.Compare(a.grade.Order(), b.grade.Order()), cmp.Compare(a.bar, b.bar), cmp.Compare(a.budget.ID, b.budget.ID))
}

// addressWith returns the address of the overview with one more parameter, "" takes it away.
func (s budgetList) addressWith(q url.Values, name, value string) string {
	q = maps.Clone(q)
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	if len(q) == 0 {
		return s.prefix + "/"
	}
	return s.prefix + "/?" + q.Encode()
}

// groupsOf lays out budgets by service, in the order in which each has its first; or all in one
// list.
func groupsOf(found []ranked, gates map[string][]alerting.Verdict, byService bool, sparks map[slo.ID]template.HTML) []group {
	var all []group
	at := map[string]int{}
	for _, r := range found {
		rw, service := rowOf(r), ""
		rw.Spark = sparks[rw.ID]
		if byService {
			service = rw.ID.Service()
			rw.Name = shortName(rw.ID)
		}
		n, ok := at[service]
		if !ok {
			n = len(all)
			at[service] = n
			g := group{Name: service, Owner: rw.Owner}
			if g.HasGate = len(gates[service]) > 0; g.HasGate {
				g.Gate = alerting.Worst(gates[service])
			}
			all = append(all, g)
		}
		all[n].Rows = append(all[n].Rows, rw)
	}
	return all
}

// shortName returns what distinguishes a budget from others of its service: its name, and the
// values of its labels.
func shortName(id slo.ID) string {
	name := id.Name()
	for _, l := range id.Labels() {
		name += " " + l.Value
	}
	return name
}

// headline answers what somebody looks for who opens the overview: does anything burn, may we
// release, and what of the rest.
func headline(found []ranked, gates map[string][]alerting.Verdict) string {
	count, services := map[string]int{}, map[string]bool{}
	for _, r := range found {
		count[r.grade.Key]++
		services[r.budget.ID.Service()] = true
	}
	frozen := 0
	for service := range services {
		if alerting.Worst(gates[service]).Gate == alerting.GateFrozen {
			frozen++
		}
	}
	var parts []string
	for _, p := range []struct {
		n          int
		noun, more string
	}{
		{count["page"], "page", " firing"}, {count["ticket"], "ticket", " firing"}, {count["no-data"], "budget", " without data"}, {count["unknown"], "budget", " unknown"}, {count["spent"], "budget", " spent"}, {frozen, "service", " frozen"},
	} {
		if p.n > 0 {
			parts = append(parts, figures.Plural(p.n, p.noun)+p.more)
		}
	}
	fine := count["good"] + count["low"]
	switch {
	case len(found) == 0:
		return "No budgets"
	case fine == len(found) && len(parts) == 0 && fine > 1:
		return "All " + figures.Plural(fine, "budget") + " fine"
	}
	return strings.Join(append(parts, figures.Count(fine)+" of "+figures.Plural(len(found), "budget")+" fine"), ", ")
}

// burning is the state of every budget with an open page or ticket.
const burning = "burning"

// states returns the names under which a filter finds the budget: its grade, whether it burns, and
// its gate's state.
func (r *ranked) states() []string {
	all := []string{r.grade.Key}
	if slices.ContainsFunc(r.budget.Open, func(i alerting.Incident) bool { return i.Rule != alerting.RuleNoData && i.Severity != alerting.Notice }) {
		all = append(all, burning)
	}
	if hasGate(r.gate) {
		all = append(all, gatePrefix+string(r.gate.Gate))
	}
	return all
}

// gatePrefix distinguishes a state of the gate from one of the budget.
const gatePrefix = "gate-"

// hasGate reports whether there is a policy that says something of a budget.
func hasGate(v alerting.Verdict) bool { return v.Gate != "" && !v.NoPolicy() }

// passes reports whether the rest of the filter lets the budget, which is in these states, through.
func (r *ranked) passes(q url.Values, states []string) bool {
	b, state, words := r.budget, q.Get("state"), strings.ToLower(q.Get("q"))
	return is(q.Get("tier"), b.Spec.Tier) &&
		(state == "" || slices.Contains(states, state) || slices.Contains(states, gatePrefix+state)) &&
		(words == "" || strings.Contains(strings.ToLower(string(b.ID)+" "+b.Spec.Owner+" "+b.Spec.Description), words))
}

// hasLabel reports whether a budget has a label with a value, written name=value; a name alone is
// any value.
func hasLabel(id slo.ID, wanted string) bool {
	return slices.ContainsFunc(id.Labels(), func(l labels.Label) bool { return wanted == l.Name+"="+l.Value || wanted == l.Name })
}

// is reports whether a choice that may be left open is met.
func is(wanted, have string) bool { return wanted == "" || wanted == have }

// stateOptions returns the states that there are, with how often.
func stateOptions(states map[string]int) []option {
	all := []option{{burning, "Burning (" + figures.Count(states[burning]) + ")", "Budget"}}
	for _, each := range alerting.Grades {
		g := shownGrade(each)
		all = append(all, option{g.Key, g.Word + " (" + figures.Count(states[g.Key]) + ")", "Budget"})
	}
	for _, g := range sentences.Gates {
		if n := states[gatePrefix+string(g)]; n > 0 {
			all = append(all, option{gatePrefix + string(g), string(g) + " (" + figures.Count(n) + ")", "Gate"})
		}
	}
	return all
}

func rowOf(r ranked) row {
	b := r.budget
	rw := row{
		ID: b.ID, Name: string(b.ID), Description: b.Spec.Description, Grade: r.grade, Objective: figures.Objective(b.Spec.Objective),
		Forecast: forecast(b), Exhausted: exhausted(b), Open: b.Open, Bar: r.bar, Gate: r.gate,
		IsJourney: b.Spec.SLI.Kind == slo.Composed, Tier: b.Spec.Tier, Owner: b.Spec.Owner,
	}
	rw.SLI, rw.Left = windowFigures(b.Windows[0], b.Spec.Objective)
	rw.Fast, rw.Slow = pageBurns(b)
	if w := b.Spec.Window(); w != usualWindow {
		rw.Period = cmp.Or(string(w.Calendar), figures.Window(w))
	}
	return rw
}

// pageBurns returns the burns over the long windows of the two page pairs: an hour and six, unless
// the SLO says otherwise.
func pageBurns(b *engine.Budget) (fast, slow figure) {
	burns := []figure{unknown("no alert window"), unknown("no alert window")}
	for n, p := range pagePairs(b) {
		for _, w := range b.Burns {
			over := "over " + figures.Duration(w.Window)
			switch {
			case w.Window == p.Long && w.Known:
				burns[n] = figure{figures.Times(w.Rate), over}
			case w.Window == p.Long:
				burns[n] = unknown("no events " + over)
			}
		}
	}
	return burns[0], burns[1]
}

package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// overview is the list of budgets.
type overview struct {
	Heading string
	Filter  *filter
	Counts  []tally
	Table   table
	Total   int    // budgets, before the filter
	Found   int    // and after it
	More    string // where those are that this page leaves out
	Grades  []grade
}

// hasForm reports whether somebody may be filling in the filter.
func (o overview) hasForm() bool { return o.Filter != nil }

// filter is a form that narrows a list. It works by GET alone, so what it shows has an address.
type filter struct {
	Fields []field
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

// tally is how many budgets are in a state that matters, with the filter that shows them.
type tally struct {
	Words, Key, Query string
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
	Description string
	Grade       grade
	Objective   string
	SLI, Left   figure
	Bar         float64 // width of the budget's bar, 0 to 100
	Fast, Slow  figure
	Forecast    figure
	Gate        alerting.Verdict
	Open        []alerting.Incident
	IsJourney   bool
	Tier, Owner string
}

// shownBudgets is how many budgets the overview lists unless all are asked for. The worst come
// first.
const shownBudgets = 200

func (s *site) overviewPage(r *http.Request) (string, page, error) {
	q := r.URL.Query()
	o := s.overview("Service level objectives", s.Source.Snapshot().Budgets, q)
	o.Filter.Count = figures.Count(o.Found) + " of " + figures.Plural(o.Total, "budget") + ", worst first"
	return "overview", page{Title: "SLOs", Here: "slos", Body: o}, nil
}

// overview lists the budgets that pass the filter, worst first.
func (s *site) overview(heading string, all []engine.Budget, q url.Values) overview {
	o := overview{Heading: heading, Total: len(all), Grades: grades}
	seen, now := s.Source.Snapshot(), s.Now()
	services, teams, tiers, states := []string{}, []string{}, []string{}, map[string]int{}
	var found []ranked
	for n := range all {
		b := &all[n]
		r := rank(seen, b, now)
		services, teams, tiers = append(services, b.ID.Service()), append(teams, b.Spec.Owner), append(tiers, b.Spec.Tier)
		of := r.states()
		for _, state := range of {
			states[state]++
		}
		if r.passes(q, of) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b ranked) int { // worst first
		return cmp.Or(cmp.Compare(a.grade.Order, b.grade.Order), cmp.Compare(a.bar, b.bar), cmp.Compare(a.budget.ID, b.budget.ID))
	})
	o.Found, o.Counts = len(found), countsOf(states)
	if len(found) > shownBudgets && q.Get("all") == "" {
		found = found[:shownBudgets]
		q = maps.Clone(q)
		q.Set("all", "1")
		o.More = s.prefix + "/?" + q.Encode()
	}
	var rows []row
	for _, r := range found {
		rows = append(rows, rowOf(r))
	}
	o.Table = s.budgetTable(heading, rows)
	o.Filter = &filter{Fields: []field{
		{"q", "Find", q.Get("q"), nil},
		{"service", "Service", q.Get("service"), choices(services)},
		{"team", "Team", q.Get("team"), choices(teams)},
		{"tier", "Tier", q.Get("tier"), choices(tiers)},
		{"state", "State", q.Get("state"), stateOptions(states)},
	}}
	o.Filter.Fields = slices.DeleteFunc(o.Filter.Fields, func(f field) bool { return f.Name != "q" && len(f.Options) == 0 })
	return o
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
func hasGate(v alerting.Verdict) bool { return v.Gate != "" && !v.NoPolicy }

// passes reports whether the filter lets the budget, which is in these states, through.
func (r *ranked) passes(q url.Values, states []string) bool {
	b, state, words := r.budget, q.Get("state"), strings.ToLower(q.Get("q"))
	return is(q.Get("service"), b.ID.Service()) && is(q.Get("team"), b.Spec.Owner) && is(q.Get("tier"), b.Spec.Tier) &&
		(state == "" || slices.Contains(states, state) || slices.Contains(states, gatePrefix+state)) &&
		(words == "" || strings.Contains(strings.ToLower(string(b.ID)+" "+b.Spec.Owner+" "+b.Spec.Description), words))
}

// is reports whether a choice that may be left open is met.
func is(wanted, have string) bool { return wanted == "" || wanted == have }

// countsOf returns the counts at the top: what somebody may have to do something about.
func countsOf(states map[string]int) []tally {
	var all []tally
	for _, c := range []tally{
		{"burning", "page", burning},
		{"overspent", "spent", "spent"},
		{"frozen", "spent", gatePrefix + "frozen"},
		{"in caution", "low", gatePrefix + "caution"},
		{"exempt", "exempt", gatePrefix + "exempt"},
		{"without data", "no-data", "no-data"},
		{"unknown", "unknown", "unknown"},
		{"good", "good", "good"},
	} {
		if n := states[c.Query]; n > 0 {
			all = append(all, tally{figures.Count(n) + " " + c.Words, c.Key, "?state=" + c.Query})
		}
	}
	return all
}

// stateOptions returns the states that there are, with how often.
func stateOptions(states map[string]int) []option {
	all := []option{{burning, "Burning (" + figures.Count(states[burning]) + ")", "Budget"}}
	for _, g := range grades {
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
		ID: b.ID, Description: b.Spec.Description, Grade: r.grade, Objective: figures.Objective(b.Spec.Objective),
		Forecast: forecast(b), Open: b.Open, Bar: r.bar, Gate: r.gate,
		IsJourney: b.Spec.SLI.Kind == slo.Composed, Tier: b.Spec.Tier, Owner: b.Spec.Owner,
	}
	rw.SLI, rw.Left = windowFigures(b.Windows[0], b.Spec.Objective)
	rw.Fast, rw.Slow = pageBurns(b)
	return rw
}

// pageBurns returns the burns over the long windows of the two page pairs: an hour and six, unless
// the SLO says otherwise.
func pageBurns(b *engine.Budget) (fast, slow figure) {
	burns := []figure{unknown("no alert window"), unknown("no alert window")}
	pairs := append(slices.Clone(b.Spec.Alerts.Page), b.Spec.Alerts.Ticket...)
	for n, p := range pairs[:min(len(pairs), len(burns))] {
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

// budgetTable lists budgets. Where there is no policy there is no column for its gate.
func (l links) budgetTable(label string, rows []row) table {
	t := table{Label: label, Head: []column{
		{"State", asState},
		{"SLO", asName},
		{"SLI", asNumber},
		{"Budget left", asBar},
		{"Fast burn", asNumber},
		{"Slow burn", asNumber},
		{"Forecast", asText},
	}}
	gated := slices.ContainsFunc(rows, func(rw row) bool { return hasGate(rw.Gate) })
	if gated {
		t.Head = append(t.Head, column{"Gate", asText})
	}
	for _, rw := range rows {
		sli := rw.SLI
		sli.Note = cmp.Or(map[bool]string{true: sli.Note}[sli.Text == figures.Unknown], "of "+rw.Objective)
		cells := []markup{
			badge(rw.Grade.Key, rw.Grade.Word), l.budgetName(rw), figureOf(sli), barOf(rw.Grade.Key, rw.Bar) + figureOf(rw.Left),
			figureOf(rw.Fast), figureOf(rw.Slow), figureOf(rw.Forecast),
		}
		if gated {
			cells = append(cells, gateBadge(rw.Gate))
		}
		t.add(cells...)
	}
	return t
}

// budgetName returns a budget's link with what is open.
func (l links) budgetName(rw row) markup {
	cell := l.sloLink(rw.ID)
	if rw.IsJourney {
		cell += small("journey")
	}
	for _, i := range rw.Open {
		cell += `<br><a class="open" href="` + text(l.prefix+incidentPath(i.ID)) + `">` + text(strings.ToLower(nameOf(i))+" open for "+figures.Duration(i.Duration())) + "</a>"
	}
	return cell
}

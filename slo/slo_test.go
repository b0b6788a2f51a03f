package slo

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestIDs(t *testing.T) {
	for _, c := range []struct {
		id                         ID
		base                       ID
		service, name, group, what string
	}{
		{"checkout/availability", "checkout/availability", "checkout", "availability", "", "a plain one"},
		{`checkout/availability{route="/pay"}`, "checkout/availability", "checkout", "availability", `{route="/pay"}`, "one with a label whose value has a slash"},
		{`a/b{x="{}"}`, "a/b", "a", "b", `{x="{}"}`, "one with braces in a value"},
		{"a/b.c-d_e", "a/b.c-d_e", "a", "b.c-d_e", "", "one with points and hyphens"},
		{"a", "a", "a", "", "", "one without an SLO"},
	} {
		if c.id.Base() != c.base || c.id.Service() != c.service || c.id.Name() != c.name || c.id.Group() != c.group {
			t.Errorf("%s: %q has base %q, service %q, name %q, group %q", c.what, c.id, c.id.Base(), c.id.Service(), c.id.Name(), c.id.Group())
		}
	}
}

func TestObjectivesAreDecimals(t *testing.T) {
	for text, allowed := range map[string]int64{
		"99.9": 1_000_000, "99.9%": 1_000_000, " 99.90 % ": 1_000_000, "99": 10_000_000, "99.99": 100_000,
		"99.9999999": 1, "50": 500_000_000, "1.0000001": 989_999_999, "0099.5": 0,
	} {
		o, err := ParseObjective(text)
		if allowed == 0 {
			if err == nil {
				t.Errorf("%q was accepted", text)
			}
			continue
		}
		if err != nil || o.Allowed() != allowed {
			t.Errorf("%q allows %d bad events in a billion, want %d (%v)", text, o.Allowed(), allowed, err)
		}
	}
	for _, text := range []string{"", "%", "0", "0.0", "-1", "+99", "100", "100.0", "100.0000001", "101", "99,9", "NaN", ".inf", "1e2", "0x63", "0o17", "9_9", "99.", ".9", "99.99999999", "99.9 9", "٩٩", "0.999", "0.5", "1", "99%%"} {
		if o, err := ParseObjective(text); err == nil {
			t.Errorf("%q was accepted as %s", text, o.Percent())
		}
	}
}

// Whatever can be written with seven digits is read and written back, and nothing is lost on the
// way.
func TestObjectivesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Objective{allowed: rapid.Int64Range(1, Billion-Billion/100-1).Draw(t, "allowed")}
		for _, text := range []string{o.Percent(), o.Percent() + "%", o.Percent() + " %"} {
			got, err := ParseObjective(text)
			if err != nil || got != o {
				t.Fatalf("%s reads as %v (%v)", text, got, err)
			}
		}
	})
}

func TestConditionsKnowNoNaN(t *testing.T) {
	for _, op := range []string{"<", "<=", ">", ">=", "==", "!="} {
		if (Condition{op, 1}).holds(math.NaN()) {
			t.Errorf("NaN %s 1", op)
		}
	}
	if !(Condition{"<=", 1}).holds(1) || (Condition{"<", 1}).holds(1) || !(Condition{"!=", 1}).holds(2) || (Condition{"?", 1}).holds(1) {
		t.Error("the bounds are wrong")
	}
}

func TestDefaultAlertsScaleWithTheWindow(t *testing.T) {
	objective, _ := ParseObjective("99.9")
	for _, c := range []struct {
		window Window
		want   string
	}{
		{Window{Rolling: 28 * Day}, "1h/5m 6h/30m | 1d/2h 3d/6h"},
		{Window{Rolling: 30 * Day}, "1h/5m 6h/30m | 1d/2h 3d/6h"},
		{Window{Rolling: 31 * Day}, "1h/5m 6h/30m | 1d/2h 3d/6h"},
		{Window{Calendar: Month}, "1h/5m 6h/30m | 1d/2h 3d/6h"},
		{Window{Rolling: 7 * Day}, "15m/1m 1h30m/8m | 6h/30m 18h/1h30m"},
		{Window{Calendar: Week}, "15m/1m 1h30m/8m | 6h/30m 18h/1h30m"},
		{Window{Rolling: Day}, "5m/1m 13m/1m | 51m/4m 2h34m/13m"},
		{Window{Rolling: 56 * Day}, "2h/10m 12h/1h | 2d/4h 6d/12h"},
		{Window{Calendar: Quarter}, "3h15m/16m 19h30m/1h38m | 3d6h/6h30m 9d18h/19h30m"},
		{Window{Calendar: Year}, "13h2m/1h5m 3d6h13m/6h31m | 13d51m/1d2h4m 39d2h34m/3d6h13m"},
	} {
		a, dead := DefaultAlerts(c.window, objective)
		var b strings.Builder
		for i, p := range append(append([]Pair(nil), a.Page...), a.Ticket...) {
			if i == len(a.Page) {
				b.WriteString("| ")
			}
			fmt.Fprintf(&b, "%s/%s ", ShortDuration(p.Long), ShortDuration(p.Short))
		}
		if got := strings.TrimSpace(b.String()); got != c.want || len(dead.Page)+len(dead.Ticket) > 0 {
			t.Errorf("%s: %s, want %s (dead: %v)", c.window, got, c.want, dead)
		}
	}
}

// The book's burn rates come out of the shares for 30 days, and their kin for other lengths.
func TestBurnRatesOfTheBook(t *testing.T) {
	for _, c := range []struct {
		length time.Duration
		want   [4]float64
	}{
		{30 * Day, [4]float64{14.4, 6, 3, 1}},
		{28 * Day, [4]float64{13.44, 5.6, 2.8, 0.9333}},
	} {
		for i, p := range append(append([]Pair(nil), bookPages...), bookTickets...) {
			if got := p.Burn(c.length); math.Abs(got-c.want[i]) > 1e-4 {
				t.Errorf("%s over %s: burn %v, want %v", ShortDuration(p.Long), ShortDuration(c.length), got, c.want[i])
			}
		}
	}
}

func TestScaledPairsAreUsable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := time.Duration(rapid.Int64Range(24, 400*24).Draw(t, "hours")) * time.Hour
		for _, p := range scalePairs(append(append([]Pair(nil), bookPages...), bookTickets...), length) {
			switch {
			case p.Short < time.Minute || p.Short%time.Minute != 0 || p.Long%time.Minute != 0:
				t.Fatalf("%s: %+v is not made of whole minutes", length, p)
			case p.Long <= p.Short || p.Long < 5*time.Minute || p.Long > length:
				t.Fatalf("%s: %+v", length, p)
			}
		}
	})
}

// A pair is dead exactly if a total outage does not burn faster than it asks; told by fractions
// here.
func TestDeadPairsAgainstFractions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Objective{allowed: rapid.OneOf(rapid.Int64Range(1, Billion-1), rapid.Just(int64(Billion/2)), rapid.Just(int64(Billion/10))).Draw(t, "allowed")}
		w := Window{Rolling: time.Duration(rapid.Int64Range(24, 400*24).Draw(t, "hours")) * time.Hour}
		p := Pair{Budget: rapid.Int64Range(1, 10000).Draw(t, "budget"), Long: time.Duration(rapid.Int64Range(2, 9600*60).Draw(t, "long")) * time.Minute}
		total := big.NewRat(Billion, o.Allowed())
		asks := new(big.Rat).Mul(big.NewRat(p.Budget, 10000), big.NewRat(int64(w.Rolling), int64(p.Long)))
		if got, want := p.Dead(w, o), total.Cmp(asks) <= 0; got != want {
			t.Fatalf("dead is %v, but a total outage burns %s and the pair asks for more than %s", got, total, asks)
		}
		if most := p.LargestBudget(w, o); p.Dead(w, o) && most > 0 {
			if (Pair{Budget: most, Long: p.Long}).Dead(w, o) || !(Pair{Budget: most + 1, Long: p.Long}).Dead(w, o) {
				t.Fatalf("%d is not the largest share that can fire", most)
			}
		}
	})
}

func TestTheBooksExtremeGoals(t *testing.T) {
	w := Window{Rolling: 30 * Day}
	for _, c := range []struct {
		objective string
		pair      Pair
		dead      bool
	}{
		{"99", bookPages[0], false},
		{"95", bookPages[0], false},
		{"93.06", bookPages[0], false},
		{"93.05", bookPages[0], true},
		{"93", bookPages[0], true},
		{"83.4", bookPages[1], false},
		{"83.3", bookPages[1], true},
		{"50", bookTickets[1], false},
	} {
		o, _ := ParseObjective(c.objective)
		if got := c.pair.Dead(w, o); got != c.dead {
			t.Errorf("at %s the pair over %s is dead: %v", o.Percent(), ShortDuration(c.pair.Long), got)
		}
	}
}

func TestPercentages(t *testing.T) {
	for s, want := range map[string]int64{"2%": 200, "2.5%": 250, "0.01%": 1, "100 %": 10000, "33.30%": 3330} {
		if got, err := ParsePercent(s); err != nil || got != want {
			t.Errorf("%s is %d basis points, want %d (%v)", s, got, want, err)
		}
	}
	for _, s := range []string{"", "%", "2", "-2%", "2.%", "2.125%", "1e1%", "two%", "9999999%"} {
		if got, err := ParsePercent(s); err == nil {
			t.Errorf("%q was accepted as %d", s, got)
		}
	}
}

func TestQueriesAreBareOrExpressions(t *testing.T) {
	for _, c := range []struct{ name, text, metric, matchers, kept string }{
		{"a name alone", "up", "up", "", "up"},
		{"a name with matchers, which are sorted", `x_total{job="a", code=~"5.."}`, "x_total", `code=~"5.." job="a"`, `x_total{job="a", code=~"5.."}`},
		{"the name as a matcher", `{__name__="x_total", job="a"}`, "x_total", `job="a"`, `{__name__="x_total", job="a"}`},
		{"a name in UTF-8", `{"http.requests", job="a"}`, "http.requests", `job="a"`, `{"http.requests", job="a"}`},
		{"space and brackets around it", "  (( x_total ))\n", "x_total", "", "x_total"},
		{"two matchers on one label", `x{a!="1", a!="2"}`, "x", `a!="1" a!="2"`, `x{a!="1", a!="2"}`},
		{"an expression", "sum(increase(x_total[$window]))", "", "", "sum(increase(x_total[$window]))"},
		{"a selector by regular expression", `{__name__=~"a|b"}`, "", "", `{__name__=~"a|b"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := ParseQuery(c.text)
			if err != nil {
				t.Fatal(err)
			}
			var ms []string
			for _, m := range q.Matchers {
				ms = append(ms, m.String())
			}
			if q.Metric != c.metric || strings.Join(ms, " ") != c.matchers || q.Text != c.kept {
				t.Errorf("metric %q, matchers %v, text %q", q.Metric, ms, q.Text)
			}
		})
	}
	q, _ := ParseQuery("sum(rate(x[$window])) / sum(rate(y[$window]))")
	if got, want := q.Render(90*time.Minute), "sum(rate(x[1h30m])) / sum(rate(y[1h30m]))"; got != want {
		t.Errorf("rendered as %s, want %s", got, want)
	}
	for _, bad := range []string{"", "sum(", "1", "x[5m]", "x offset 5m", "x @ end()", "x # y", "x[$range]", "vector(1)", strings.Repeat("(", 20_000), strings.Repeat("-", 300) + "x", "x{a=\"\xff\"}"} {
		if q, err := ParseQuery(bad); err == nil {
			t.Errorf("%.30q was accepted: %+v", bad, q)
		}
	}
}

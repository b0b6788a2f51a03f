package web

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/slo"
)

// budgetsOn returns the addresses of the budgets that a page lists, in their order.
func budgetsOn(body string) (all []string) {
	for _, m := range regexp.MustCompile(`class="nm" [^>]*><a href="([^"]*)`).FindAllStringSubmatch(body, -1) {
		all = append(all, strings.TrimPrefix(m[1], "/slo/"))
	}
	return all
}

// By itself the list is by service, the worst first; a heading orders it, turns it round, and gives
// it back its order. The other filters stay.
func TestTheOverviewIsOrdered(t *testing.T) {
	h := newShop(t).handler()
	for _, c := range []struct{ what, query, sorted, next string }{
		{"by service, until a heading is followed", "service=search", "", "sort=name"},
		{"by name", "service=search&sort=name", `aria-sort="ascending"`, "sort=-name"},
		{"by name, backwards", "service=search&sort=-name", `aria-sort="descending"`, ""},
		{"by what nobody knows", "service=search&sort=colour", "", "sort=name"},
	} {
		body := get(h, "/?"+c.query).Body.String()
		groups := strings.Count(body, `class="grp"`)
		if (groups == 1) != (c.sorted == "") || c.sorted != "" && !strings.Contains(body, c.sorted) {
			t.Errorf("%s: %d groups, or not %s", c.what, groups, c.sorted)
		}
		want := `<a href="/?service=search`
		if c.next != "" {
			want += "&amp;" + c.next
		}
		if !strings.Contains(body, want+`">SLO</a>`) {
			t.Errorf("%s: the heading does not lead to %s", c.what, want)
		}
	}
	first := func(order string) string { return budgetsOn(get(h, "/?sort="+order).Body.String())[0] }
	for order, want := range map[string]string{"name": "checkout/availability", "-name": "search/new", "fast": "checkout/availability", "alert": "checkout/availability"} {
		if got := first(order); got != want {
			t.Errorf("by %s the first is %s, want %s", order, got, want)
		}
	}
}

// A label narrows the overview to budgets that have it.
func TestTheOverviewIsNarrowedByLabel(t *testing.T) {
	h := newShop(t).handler()
	for query, want := range map[string][]string{
		"label=" + url.QueryEscape("route=/pay"): {"checkout/routes?labels=%7Broute%3D%22%2Fpay%22%7D"},
		"label=" + url.QueryEscape("route=/"):    nil,
		"label=zone":                             nil,
	} {
		if d := gocmp.Diff(want, budgetsOn(get(h, "/?"+query).Body.String())); d != "" {
			t.Errorf("%s:\n%s", query, d)
		}
	}
	if body := get(h, "/?label=route").Body.String(); len(budgetsOn(body)) != 2 {
		t.Error("a name alone is not any value")
	}
}

// The heading answers whether anything burns; what does is told below in the words of its page,
// with who has it. A filter narrows both.
func TestTheOverviewSaysWhatBurns(t *testing.T) {
	h := newShop(t).handler()
	for query, want := range map[string]struct {
		heading string
		banners int
	}{
		"":                 {"1 page firing, 1 ticket firing, 1 budget without data, 1 budget unknown, 1 budget spent, 2 of 7 budgets fine", 2},
		"team=discovery":   {"1 budget without data, 1 budget unknown, 1 of 3 budgets fine", 0},
		"team=payments":    {"1 page firing, 1 ticket firing, 1 budget spent, 1 of 4 budgets fine", 2},
		"q=freshness":      {"1 of 1 budget fine", 2},
		"q=there+is+none":  {"No budgets", 2},
		"label=route":      {"1 budget spent, 1 of 2 budgets fine", 0},
		"service=checkout": {"1 page firing, 1 ticket firing, 1 budget spent, 1 of 4 budgets fine", 2},
	} {
		body := get(h, "/?"+query).Body.String()
		if got := regexp.MustCompile(`<h1>([^<]*)`).FindStringSubmatch(body)[1]; got != want.heading {
			t.Errorf("%q: %q, want %q", query, got, want.heading)
		}
		if got := strings.Count(body, `class="alertbar`); got != want.banners {
			t.Errorf("%q: %d banners, want %d", query, got, want.banners)
		}
	}
	if body := get(h, "/").Body.String(); !strings.Contains(body, "Nobody has it yet.") {
		t.Error("the overview does not say who has it")
	}
}

// A banner says who has an incident and who has silenced it until when, in the words of its page.
func TestABannerSaysWhoHasItAndThatItIsSilenced(t *testing.T) {
	s := newShop(t)
	i := s.source.Snapshot().Open.All()[0].Take(
		alerting.Act{Key: "a", Kind: alerting.Acknowledge, At: now.Add(-time.Minute), By: "Ana"}).Take(
		alerting.Act{Key: "s", Kind: alerting.Silence, At: now.Add(-time.Minute), By: "Ben", Until: now.Add(time.Hour)})
	b := openIncidents{&server{Options: s.options}}.bannerOf(s.source.Snapshot(), i)
	if has := string(links{}.linked(b.Has)); !strings.Contains(has, "Ana") || !strings.Contains(has, "Silenced by <strong>Ben</strong> until <time") || !strings.Contains(has, "09:30 UTC") {
		t.Error(has)
	}
}

// The small chart of a budget has a gap where nothing is known, a line where the budget was empty,
// and a tick for each incident; a stretch on which nothing happens takes two points.
func TestSparksAreDrawn(t *testing.T) {
	at := func(day int) time.Time { return now.Add(time.Duration(day-28) * slo.Day) }
	known := func(day int, left float64) point { return point{at(day), left, true} }
	for _, c := range []struct {
		what   string
		points []point
		path   string
		zero   bool
	}{
		{"nothing is known", []point{{At: at(1)}}, "", false},
		{"nothing happens", []point{known(0, 1), known(7, 1), known(14, 1), known(28, 1)}, `d="M0 2.0L1000 2.0"`, false},
		{"it is spent at once", []point{known(0, 1), known(7, 1), known(14, -0.5), known(28, -0.5)}, `d="M0 2.0L250 2.0L500 19.0L1000 19.0"`, true},
		{"nothing is known between", []point{known(0, 1), known(7, 1), {At: at(14)}, known(21, 1), known(28, 1)}, `d="M0 2.0L250 2.0M750 2.0L1000 2.0"`, false},
	} {
		svg := string(sparkOf(c.points, at(0), at(28), []time.Time{at(14)}))
		if c.path == "" {
			if svg != "" {
				t.Errorf("%s: %s", c.what, svg)
			}
			continue
		}
		if !strings.Contains(svg, `class="line line-a" `+c.path) || strings.Contains(svg, "zero") != c.zero || !strings.Contains(svg, `<rect class="tick" x="50.0%"`) {
			t.Errorf("%s: %s", c.what, svg)
		}
	}
}

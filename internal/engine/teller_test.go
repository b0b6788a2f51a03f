package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// twoSLOs is a service with two promises, each with its own load.
func twoSLOs(t testing.TB, first, second func(budget.Minute) (int, int)) *world {
	t.Helper()
	one, two := promise("shop"), promise("shop")
	two.Name, two.SLI = "search", promise("search").SLI
	return newWorld(t, []*slo.Spec{one, two}, &service{name: "shop", load: first}, &service{name: "search", load: second})
}

func TestWhatBurnsTogetherIsToldInOneThread(t *testing.T) {
	w := twoSLOs(t, outage(50, [2]int{10, 25}), outage(50, [2]int{5, 40}))
	w.steps(20)
	if roots := w.roots(); len(roots) != 1 || !strings.Contains(roots[0], "Page: 100 % of requests on shop fail since 08:05 UTC") {
		t.Fatalf("the channel reads %q", roots)
	}
	w.restart()
	w.steps(13)
	if roots := w.roots(); len(roots) != 1 || !strings.HasPrefix(roots[0], "🔥") {
		t.Errorf("one of two is over, and the channel reads %q", roots)
	}
	w.steps(20)
	roots := w.roots()
	if len(roots) != 1 || !strings.HasPrefix(roots[0], "✅") {
		t.Errorf("after the end the channel reads %q", roots)
	}
	is := w.incidents()
	if len(is) != 2 || is[0].SLO != "shop/search" || is[0].Group != "" || is[1].Group != is[0].ID || is[1].Bad() != 15*100*budget.Unit {
		t.Errorf("the incidents are %+v", is)
	}
	var heads []string
	for _, r := range w.replies() {
		head, _, _ := strings.Cut(r, ";")
		head, _, _ = strings.Cut(head, ",")
		heads = append(heads, head)
	}
	if d := cmp.Diff([]string{
		"🔥 Page: 100 % of requests on shop fail since 08:10 UTC",
		"✅ Resolved: requests on shop failed for 15 min", "✅ Resolved: requests on shop failed for 35 min",
	}, heads); d != "" {
		t.Errorf("the thread reads (-want +got):\n%s", d)
	}
	w.checkOncePerKey()
}

// TestWhoJoinsWhomDoesNotDependOnTheTicks: minute by minute, or all at once after a night.
func TestWhoJoinsWhomDoesNotDependOnTheTicks(t *testing.T) {
	groups := func(every time.Duration) map[string]string {
		w := twoSLOs(t, outage(50, [2]int{10, 25}, [2]int{90, 110}), outage(50, [2]int{5, 40}, [2]int{92, 100}))
		for end := t0.Add(3 * time.Hour); w.now().Before(end); {
			w.step()
			w.pass(every)
		}
		w.step()
		out := map[string]string{}
		for _, i := range w.incidents() {
			out[i.ID] = i.Group
		}
		return out
	}
	want := groups(time.Minute)
	if len(want) != 4 {
		t.Fatalf("the story is none: %v", want)
	}
	if d := cmp.Diff(want, groups(4*time.Hour)); d != "" {
		t.Errorf("(-minute by minute +all at once):\n%s", d)
	}
}

// TestFlappingStaysInItsThread: a service that breaks every quarter of an hour has one root
// message.
func TestFlappingStaysInItsThread(t *testing.T) {
	var spans [][2]int
	for at := 5; at < 120; at += 15 {
		spans = append(spans, [2]int{at, at + 6})
	}
	w := oneService(t, outage(50, spans...))
	w.steps(200)
	if roots := w.roots(); len(roots) != 1 || !strings.HasPrefix(roots[0], "✅") {
		t.Errorf("the channel reads %q", roots)
	}
	if is := w.incidents(); len(is) != 2 || is[1].Group != is[0].ID || is[1].Open {
		t.Errorf("the incidents are %+v", is)
	}
	if got := w.replies(); len(got) != 3 {
		t.Errorf("the thread reads %q", got)
	}
	w.checkOncePerKey()
}

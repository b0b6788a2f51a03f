package prom

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

func latency(t testing.TB, name, h string, below float64, by ...string) *slo.Spec {
	return &slo.Spec{Service: "svc", Name: name, By: by, SLI: slo.Indicator{
		Kind: slo.Latency, Histogram: query(t, h), Below: below, LimitText: fmt.Sprint(below),
	}}
}

// buckets writes a classic histogram: per scrape 10 events, 7 of them up to each of the bounds.
func buckets(t testing.TB, db *promfake.DB, instance string, les ...string) {
	t.Helper()
	add := func(name string, v float64, pairs ...string) {
		s := db.Series(lset(name, append([]string{"job", "a", "instance", instance}, pairs...)...))
		for i := range 60 {
			if err := s.Append(at(float64(30*i+7)), v*float64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, le := range les {
		add("d_bucket", 7, "le", le)
	}
	add("d_bucket", 10, "le", "+Inf")
	add("d_count", 10)
	add("d_sum", 3)
}

func TestLatencyFromClassicHistograms(t *testing.T) {
	for _, tc := range []struct {
		name  string
		below float64
		les   []string
	}{
		{"the bound as written", 0.3, []string{"0.1", "0.3"}},
		{"a whole number with a point, as Prometheus 3 writes it", 1, []string{"0.5", "1.0"}},
		{"a whole number without one, as Prometheus 2 wrote it", 1, []string{"0.5", "1"}},
		{"with an exponent", 0.3, []string{"1e-01", "3e-01"}},
		{"with zeros behind", 0.25, []string{"0.250", "0.5"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := promfake.New(promfake.Options{})
			buckets(t, db, "1", tc.les...)
			r, got := New(serve(t, db), Options{}), book{}
			specs := []*slo.Spec{latency(t, "fast", `d{job="a"}`, tc.below)}
			tick(t, r, specs, m0+10, got)
			tick(t, r, specs, m0+12, got)
			if g := slots(got["svc/fast"]); g != "11:6/20 12:6/20" {
				t.Errorf("got %s, want 6 of 20 events slow in each minute", g)
			}
		})
	}
}

func TestBothSpellingsOfABoundCount(t *testing.T) {
	db := promfake.New(promfake.Options{})
	buckets(t, db, "old", "1")
	buckets(t, db, "new", "1.0")
	r, got := New(serve(t, db), Options{}), book{}
	specs := []*slo.Spec{latency(t, "fast", `d{job="a"}`, 1)}
	tick(t, r, specs, m0+10, got)
	tick(t, r, specs, m0+11, got)
	if g := slots(got["svc/fast"]); g != "11:12/40" {
		t.Errorf("got %s, want both pods", g)
	}
}

// TestABoundIsWrittenAnew: Prometheus is upgraded from 2 to 3 in minute 12, so le="1" ends and
// le="1.0" goes on from its value. Nothing is slow; the same in history, and where the SLO names
// the bucket itself or both spellings are there for a while.
func TestABoundIsWrittenAnew(t *testing.T) {
	for _, tc := range []struct {
		name string
		sli  slo.Indicator
		both int // scrapes in which both are there
	}{
		{"a latency", latency(t, "x", `d{job="a"}`, 1).SLI, 0},
		{"a latency, both for a while", latency(t, "x", `d{job="a"}`, 1).SLI, 7},
		{"a bucket by its old name", slo.Indicator{Kind: slo.Events, Total: query(t, "d_count"), Good: query(t, `d_bucket{le="1"}`)}, 0},
		{"a bucket by its new name", slo.Indicator{Kind: slo.Events, Total: query(t, "d_count"), Good: query(t, `d_bucket{le="1.00"}`)}, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := promfake.New(promfake.Options{})
			for le, at := range map[string]func(i int) bool{"1": func(i int) bool { return i < 25+tc.both }, "1.0": func(i int) bool { return i >= 25 }} {
				gauge(t, db, "d_bucket", func(i int) (float64, bool) { return 5e6 + 10*float64(i), at(i) }, "job", "a", "instance", "1", "le", le)
			}
			must(t, db.MarkStale(lset("d_bucket", "job", "a", "instance", "1", "le", "1"), at(float64(30*(25+tc.both)+7))))
			gauge(t, db, "d_count", func(i int) (float64, bool) { return 6e6 + 10*float64(i), true }, "job", "a", "instance", "1")
			c := serve(t, db)
			specs := []*slo.Spec{{Service: "svc", Name: "x", SLI: tc.sli}}
			live, past := book{}, book{}
			r := New(c, Options{})
			for to := m0 + 10; to <= m0+18; to++ {
				tick(t, r, specs, to, live)
			}
			work := New(c, Options{}).Backfill(specs, Plan{From: m0, Fine: m0, To: m0 + 19})
			for !work.Done() {
				past.take(work.Next(t.Context()))
			}
			for what, got := range map[string]book{"live": live, "history": past} {
				for m := m0 + 11; m <= m0+18; m++ {
					if s := got["svc/x"][m]; s != budget.Count(0, 20_000) && s != (budget.Slot{Total: 20_000, State: budget.OK, Backfilled: true}) {
						t.Errorf("%s: minute %d is %+v, want none of 20 bad", what, m-m0, s)
					}
				}
			}
		})
	}
}

// TestABucketThatGoesIsNamedAtOnce: from minute 12 to the middle of 16 the bucket at the limit is
// missing, while the server still lists its bound. The tick after the first minute in question says
// so, and which bounds are near; it is silent when the bucket is back.
func TestABucketThatGoesIsNamedAtOnce(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for le, shown := range map[string]func(i int) bool{"1": func(i int) bool { return i < 24 || i >= 33 }, "0.5": func(int) bool { return true }, "2": func(int) bool { return true }} {
		gauge(t, db, "d_bucket", func(i int) (float64, bool) {
			if i == 24 && !shown(i) {
				must(t, db.MarkStale(lset("d_bucket", "instance", "1", "le", le), at(float64(30*i+7))))
			}
			return 10 * float64(i), shown(i)
		}, "instance", "1", "le", le)
	}
	gauge(t, db, "d_count", func(i int) (float64, bool) { return 10 * float64(i), true }, "instance", "1")
	r, specs := New(serve(t, db), Options{}), []*slo.Spec{latency(t, "x", "d", 1)}
	var said []string
	for to := m0 + 8; to <= m0+20; to++ {
		b := r.Read(t.Context(), specs, after(to))
		r.Commit(b)
		for _, f := range b.Failures {
			said = append(said, fmt.Sprint(to-m0))
			if !strings.Contains(f.Err.Error(), "0.5, 2") {
				t.Errorf("minute %d: %v, want the bounds near it", to-m0, f.Err)
			}
		}
	}
	if got := strings.Join(said, " "); got != "13 14 15" {
		t.Errorf("said in minutes %s, want 13 to 15", got)
	}
}

// TestHistoryOfABucketThatIsGone: what happened while it was there is known.
func TestHistoryOfABucketThatIsGone(t *testing.T) {
	db := promfake.New(promfake.Options{})
	gauge(t, db, "d_bucket", func(i int) (float64, bool) { return 9 * float64(i), i < 30 }, "instance", "1", "le", "1")
	gauge(t, db, "d_bucket", func(i int) (float64, bool) { return 10 * float64(i), true }, "instance", "1", "le", "2")
	gauge(t, db, "d_count", func(i int) (float64, bool) { return 10 * float64(i), true }, "instance", "1")
	work := New(serve(t, db), Options{}).Backfill([]*slo.Spec{latency(t, "x", "d", 1)}, Plan{From: m0, Fine: m0, To: m0 + 120})
	got := book{}
	for !work.Done() {
		got.take(work.Next(t.Context()))
	}
	if s := got["svc/x"][m0+10]; s.Bad != 2_000 || s.Total != 20_000 {
		t.Errorf("%+v, want 2 of 20", s)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoBucketAtTheLimit(t *testing.T) {
	db := promfake.New(promfake.Options{})
	buckets(t, db, "1", "0.1", "0.25", "0.5", "1.0")
	r := New(serve(t, db), Options{})
	b := r.Read(t.Context(), []*slo.Spec{latency(t, "fast", `d{job="a"}`, 0.3)}, after(m0+10))
	if len(b.Failures) != 1 || b.Failures[0].Err.Kind != Unusable || !strings.Contains(b.Failures[0].Err.Error(), "0.25, 0.5") {
		t.Fatalf("%+v, want a failure that names 0.25 and 0.5", b.Failures)
	}
	if len(b.Readings) != 0 {
		t.Errorf("readings %v, want none", b.Readings)
	}
}

func TestLatencyFromNativeHistograms(t *testing.T) {
	db := promfake.New(promfake.Options{})
	s := db.Series(lset("d", "job", "a", "instance", "1"))
	for i := range 60 {
		// Schema 0: bucket i ends at 2^i. 8 events in (0.5, 1] and 2 in (1, 2] per scrape.
		h := &histogram.FloatHistogram{
			Schema: 0, Count: float64(10 * i), Sum: float64(8 * i),
			PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}}, PositiveBuckets: []float64{float64(8 * i), float64(2 * i)},
		}
		if err := s.AppendFloatHistogram(at(float64(30*i+7)), h); err != nil {
			t.Fatal(err)
		}
	}
	r, got := New(serve(t, db), Options{}), book{}
	specs := []*slo.Spec{latency(t, "fast", `d{job="a"}`, 1)}
	tick(t, r, specs, m0+10, got)
	tick(t, r, specs, m0+12, got)
	if g := slots(got["svc/fast"]); g != "11:4/20 12:4/20" {
		t.Errorf("got %s, want 4 of 20 events slow in each minute", g)
	}
}

// gauge writes the values of a gauge every 30 s from 7 s on.
func gauge(t testing.TB, db *promfake.DB, name string, value func(i int) (float64, bool), pairs ...string) {
	t.Helper()
	s := db.Series(lset(name, pairs...))
	for i := range 60 {
		if v, ok := value(i); ok {
			if err := s.Append(at(float64(30*i+7)), v); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestUptime(t *testing.T) {
	db := promfake.New(promfake.Options{})
	gauge(t, db, "up", func(i int) (float64, bool) {
		if i == 23 { // in minute 11
			return 0, true
		}
		return 1, i < 26 || i > 35 // silent in minutes 13…17
	}, "instance", "1")
	r, got := New(serve(t, db), Options{}), book{}
	specs := []*slo.Spec{{Service: "svc", Name: "up", SLI: slo.Indicator{Kind: slo.Uptime, Up: query(t, `up`)}}}
	for to := m0 + 10; to <= m0+19; to++ {
		tick(t, r, specs, to, got)
	}
	if g := slots(got["svc/up"]); g != "11:1/1 12:0/1 13:- 14:- 15:- 16:- 17:- 18:0/1 19:0/1" {
		t.Error(g)
	}
}

func TestEvaluatedKinds(t *testing.T) {
	for _, tc := range []struct {
		name string
		sli  func(t *testing.T) slo.Indicator
		want string
	}{
		{"slices: a minute is good when the condition holds; missing is unknown", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Slices, Slice: query(t, `max(q)`), GoodWhen: slo.Condition{Op: "<", Value: 0.5}, Missing: slo.Exclude}
		}, "11:0/1 12:1/1 13:0/1 14:- 15:-"},
		{"slices: missing counts as bad where that is wanted", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Slices, Slice: query(t, `max(q)`), GoodWhen: slo.Condition{Op: "<", Value: 0.5}, Missing: slo.MissingBad}
		}, "11:0/1 12:1/1 13:0/1 14:1/1 15:1/1"},
		{"slices: missing counts as good where that is wanted", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Slices, Slice: query(t, `max(q)`), GoodWhen: slo.Condition{Op: "<", Value: 0.5}, Missing: slo.MissingGood}
		}, "11:0/1 12:1/1 13:0/1 14:0/1 15:0/1"},
		{"ratio: a share of one event per minute", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Ratio, Bad: query(t, `max(q)`)}
		}, "11:0.1/1 12:0.9/1 13:0.1/1 14:- 15:-"},
		{"ratio: above one is one", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Ratio, Bad: query(t, `max(q) * 2`)}
		}, "11:0.2/1 12:1/1 13:0.2/1 14:- 15:-"},
		{"uptime by an expression", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Uptime, Up: query(t, `max(q) < bool 0.5`)}
		}, "11:0/1 12:1/1 13:0/1 14:- 15:-"},
		{"events by increases", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Events, Total: query(t, `sum(increase(n[$window]))`), Bad: query(t, `sum(increase(n{code="500"}[$window]))`)}
		}, "11:1/20 12:1/20 13:1/20 14:1/20 15:1/20"},
		{"events by rates", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Events, Total: query(t, `sum(rate(n[$window]))`), Good: query(t, `sum(rate(n{code="200"}[$window]))`)}
		}, "11:1/20 12:1/20 13:1/20 14:1/20 15:1/20"},
		{"events half by a selector", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Events, Total: query(t, `n`), Bad: query(t, `sum(increase(n{code=~"5..",code!="501"}[$window]))`)}
		}, "11:1/20 12:1/20 13:1/20 14:1/20 15:1/20"},
		{"no bad series ever, but a total: nothing is bad", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Events, Total: query(t, `sum(increase(n[$window]))`), Bad: query(t, `sum(increase(n{code="504"}[$window]))`)}
		}, "11:0/20 12:0/20 13:0/20 14:0/20 15:0/20"},
		{"0/0 is no event", func(t *testing.T) slo.Indicator {
			return slo.Indicator{Kind: slo.Ratio, Bad: query(t, `0 * max(q) / 0`)}
		}, "11:- 12:- 13:- 14:- 15:-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := promfake.New(promfake.Options{Lookback: time.Minute})
			gauge(t, db, "q", func(i int) (float64, bool) {
				if i == 24 || i == 25 { // minute 12
					return 0.9, true
				}
				return 0.1, i < 27
			})
			gauge(t, db, "n", func(i int) (float64, bool) { return 9.5 * float64(i), true }, "code", "200", "instance", "1")
			gauge(t, db, "n", func(i int) (float64, bool) { return 0.5 * float64(i), true }, "code", "500", "instance", "1")
			r, got := New(serve(t, db), Options{}), book{}
			specs := []*slo.Spec{{Service: "svc", Name: "x", SLI: tc.sli(t)}}
			for to := m0 + 10; to <= m0+15; to++ {
				tick(t, r, specs, to, got)
			}
			if g := slots(got["svc/x"]); g != tc.want {
				t.Errorf("got %s\nwant %s", g, tc.want)
			}
		})
	}
}

func TestByLabelsMakeOneBudgetEach(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for _, route := range []string{"/", `/a"b`} {
		for code, n := range map[string]float64{"200": 3, "500": 1} {
			gauge(t, db, "n", func(i int) (float64, bool) { return n * float64(i), true }, "route", route, "code", code, "instance", "1")
		}
	}
	gauge(t, db, "n", func(i int) (float64, bool) { return float64(i), i >= 24 }, "route", "/new", "code", "500", "instance", "1")
	specs := []*slo.Spec{
		events(t, "raw", `n`, `n{code="500"}`, "route"),
		events(t, "expr", `sum by (route) (increase(n[$window]))`, `sum by (route) (increase(n{code="500"}[$window]))`, "route"),
	}
	r, got := New(serve(t, db), Options{}), book{}
	for to := m0 + 10; to <= m0+13; to++ {
		tick(t, r, specs, to, got)
	}
	for id, want := range map[slo.ID]string{
		`svc/raw{route="/"}`:     "11:2/8 12:2/8 13:2/8",
		`svc/raw{route="/a\"b"}`: "11:2/8 12:2/8 13:2/8",
		`svc/raw{route="/new"}`:  "12:25/25 13:2/2",
		`svc/expr{route="/"}`:    "11:2/8 12:2/8 13:2/8",
	} {
		if g := slots(got[id]); g != want {
			t.Errorf("%s: got %s, want %s", id, g, want)
		}
	}
	if got["svc/raw"] != nil {
		t.Error("an SLO with by: labels has no budget of its own name")
	}
}

// A raw URL as a label value would be a name that no key and no index of the store holds.
func TestAGroupWithAVeryLongNameIsNotFollowed(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for _, value := range []string{"short", strings.Repeat("long", 1000)} {
		gauge(t, db, "n", func(k int) (float64, bool) { return float64(k), k < 24 }, "url", value, "instance", "1")
	}
	r, got := New(serve(t, db), Options{}), book{}
	specs := []*slo.Spec{events(t, "x", `n`, `n{code="500"}`, "url"), events(t, "y", `sum by (url) (increase(n[$window]))`, `0 * sum by (url) (increase(n[$window]))`, "url")}
	tick(t, r, specs, m0+10, got)
	b := tick(t, r, specs, m0+11, got)
	for _, s := range []slo.ID{"svc/x", "svc/y"} {
		if p := b.Readings[s].Problems; len(p) == 0 || !strings.Contains(p[0], "very long values") {
			t.Errorf("problems of %s: %q", s, p)
		}
	}
	if len(got) != 4 || got[`svc/x{url="short"}`] == nil || got[`svc/y{url="short"}`] == nil {
		t.Errorf("%d readings", len(got))
	}
}

func TestGroupsAreCapped(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for i := range maxGroups + 5 {
		gauge(t, db, "n", func(k int) (float64, bool) { return float64(k), k < 24 }, "user", fmt.Sprint(i), "instance", "1")
	}
	r, got := New(serve(t, db), Options{}), book{}
	specs := []*slo.Spec{events(t, "x", `n`, `n{code="500"}`, "user")}
	first := tick(t, r, specs, m0+10, got)
	b := tick(t, r, specs, m0+11, got)
	if first.Stats.Capped != 1 || len(first.Problems) != 1 || b.Stats.Capped != 0 || len(b.Problems) != 0 {
		t.Errorf("it is told as %q, then as %q; want it once", first.Problems, b.Problems)
	}
	if len(first.Capped) != 1 || first.Capped["svc/x"] == "" || len(b.Capped) != 0 {
		t.Errorf("the SLO is named as %v, then as %v; want it once", first.Capped, b.Capped)
	}
	if n := len(r.plan[0].reg.seen); n != maxGroups {
		t.Errorf("the labels of %d series are kept, want those of %d", n, maxGroups)
	}
	if len(got) != maxGroups+1 { // the budgets, and the SLO itself with its problem
		t.Errorf("%d readings", len(got))
	}
	if p := b.Readings["svc/x"].Problems; len(p) == 0 || !strings.Contains(p[0], "more than 1,000") {
		t.Errorf("problems %q", p)
	}
}

// TestGroupsOfExpressionsAreCapped: the same for what Prometheus evaluates.
func TestGroupsOfExpressionsAreCapped(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for i := range maxGroups + 5 {
		gauge(t, db, "n", func(k int) (float64, bool) { return float64(k), k < 24 }, "user", fmt.Sprint(i), "instance", "1")
	}
	r, got := New(serve(t, db), Options{}), book{}
	specs := []*slo.Spec{events(t, "x", `sum by (user) (increase(n[$window]))`, `sum by (user) (increase(n{code="500"}[$window]))`, "user")}
	var told, logged []string
	for to := m0 + 8; to <= m0+11; to++ {
		b := tick(t, r, specs, to, got)
		told, logged = append(told, slices.Sorted(maps.Values(b.Capped))...), append(logged, b.Problems...)
		if p := b.Readings["svc/x"].Problems; to > m0+9 && (len(p) == 0 || !strings.Contains(p[0], "more than 1,000")) {
			t.Errorf("problems %q", p)
		}
	}
	if len(told) != 1 || len(logged) != 1 || len(got) != maxGroups+1 {
		t.Errorf("told %q, logged %q, of %d budgets; want one line and the first %d", told, logged, len(got)-1, maxGroups)
	}
}

// TestSeriesBeyondTheCapCostNothing: however many series of groups beyond the cap come and go, what
// is remembered of them is bounded.
func TestSeriesBeyondTheCapCostNothing(t *testing.T) {
	b := newBundle("x", []rawSpec{{events(t, "x", `n`, `n{user!="x"}`, "user"), termsOf(events(t, "x", `n`, `n{user!="x"}`, "user"), false)}})
	for i := range maxGroups + maxBeyond + 20_000 {
		if _, err := b.series([]byte(`{"__name__":"n","instance":"1","user":"` + fmt.Sprint(i) + `"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.reg.seen) + len(b.reg.labels); n > 2*maxGroups {
		t.Errorf("the labels of %d series are kept", n)
	}
	if n := b.reg.members[0]; n != maxGroups {
		t.Errorf("it follows %d series, want %d", n, maxGroups)
	}
	if n := len(b.reg.beyond); n > maxBeyond {
		t.Errorf("%d series beyond the cap are remembered, more than %d", n, maxBeyond)
	}
}

// TestReloadKeepsPositions: an SLO that stays keeps counting through any change of the set; one
// that is new or changed begins anew.
func TestReloadKeepsPositions(t *testing.T) {
	db, _ := world(t, 3, 3*time.Hour, 30*time.Second, true)
	c := serve(t, db)
	all := tierSpecs(t)
	want, got := book{}, book{}
	plain, r := New(c, Options{}), New(c, Options{})
	other := events(t, "other", `http_requests_total{job=~"h.*",code!="404"}`, `http_requests_total{job=~"h.*",code="500"}`)
	sets := [][]*slo.Spec{all, {all[0]}, {all[0], other, all[2]}, {other, all[0]}, all, {all[0], latency(t, "l", "d", 1)}}
	for i := range 60 {
		to := m0 + 20 + budget.Minute(2*i)
		tick(t, plain, all[:1], to, want)
		if i%10 == 5 {
			r = restart(r, c)
		}
		tick(t, r, sets[i/10], to, got)
	}
	if g, w := slots(got[all[0].ID()]), slots(want[all[0].ID()]); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

// TestFaultsAreCountedOnce over a run, though minutes without data are asked for again.
func TestFaultsAreCountedOnce(t *testing.T) {
	db := promfake.New(promfake.Options{})
	gauge(t, db, "q", func(int) (float64, bool) { return 0, true })
	specs := []*slo.Spec{{Service: "svc", Name: "x", SLI: slo.Indicator{Kind: slo.Ratio, Bad: query(t, `max(q) / max(q)`)}}}
	c := serve(t, db)
	r, got := New(c, Options{}), book{}
	var b *Batch
	for to := m0 + 5; to <= m0+20; to++ {
		b = tick(t, r, specs, to, got)
	}
	if p := b.Readings["svc/x"].Problems; len(p) != 1 || !strings.HasPrefix(p[0], "15 samples") {
		t.Errorf("live: %q", p)
	}
	work := New(c, Options{}).Backfill(specs, Plan{From: m0, Fine: m0, To: m0 + 20})
	for !work.Done() {
		work.Next(t.Context())
	}
	if p := work.Problems()["svc/x"]; len(p) != 1 || !strings.HasPrefix(p[0], "20 samples") {
		t.Errorf("history: %q", p)
	}
}

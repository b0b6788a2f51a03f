package prom

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/slo"
)

func planOf(specs ...*slo.Spec) []*bundle {
	var raw []rawSpec
	for _, s := range specs {
		raw = append(raw, rawSpec{s, termsOf(s, true)})
	}
	return bundles(raw, func(slo.ID) bool { return false })
}

func TestSelectorsAreMerged(t *testing.T) {
	for _, tc := range []struct {
		name  string
		specs []*slo.Spec
		want  []string
	}{
		{
			"total and bad share a query; what only one of them selects by is dropped",
			[]*slo.Spec{events(t, "a", `m{job="a"}`, `m{job="a",code="500"}`)},
			[]string{`m{job="a"}`},
		},
		{
			"services on one metric are alternatives, quoted",
			[]*slo.Spec{events(t, "a", `m{job="a.b"}`, `m{job="a.b",code="500"}`), events(t, "b", `m{job="c"}`, `m{job="c",code="500"}`)},
			[]string{`m{job=~"a\\.b|c"}`},
		},
		{
			"patterns are alternatives too",
			[]*slo.Spec{events(t, "a", `m{job=~"a.*"}`, `m{job=~"a.*",code="500"}`), events(t, "b", `m{job="c"}`, `m{job="c",code="500"}`)},
			[]string{`m{job=~"(?:a.*)|c"}`},
		},
		{
			"other labels are another query, so that neither grows to the whole metric",
			[]*slo.Spec{events(t, "a", `m{job="a"}`, `m{job="a",code="500"}`), events(t, "b", `m{pod="c"}`, `m{pod="c",code="500"}`)},
			[]string{`m{job="a"}`, `m{pod="c"}`},
		},
		{
			"two metrics of one SLO come in one query",
			[]*slo.Spec{events(t, "a", `m{job="a"}`, `e{job="a"}`)},
			[]string{`{__name__=~"e|m",job="a"}`},
		},
		{
			"a histogram asks for its count and one bucket",
			[]*slo.Spec{latency(t, "l", `h{job="a"}`, 0.3)},
			[]string{`{__name__=~"h_bucket|h_count",job="a",le=~` + strconv.Quote("|(?:"+spellings(0.3)+")") + `}`},
		},
		{
			"what is excluded is left to the client",
			[]*slo.Spec{events(t, "a", `m{job="a",path!="/x"}`, `m{job="a",path!="/x",code="500"}`)},
			[]string{`m{job="a"}`},
		},
		{
			"no label in common: the whole metric",
			[]*slo.Spec{events(t, "a", `m`, `m{code="500"}`)},
			[]string{`m`},
		},
		{
			"names of any alphabet are quoted",
			[]*slo.Spec{events(t, "a", `{"http.req",job="a"}`, `{"http.req",job="a","http.code"="500"}`)},
			[]string{`{__name__="http.req",job="a"}`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, b := range planOf(tc.specs...) {
				got = append(got, b.selector)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestManyServicesAreSplit(t *testing.T) {
	var specs []*slo.Spec
	for i := range 5_000 {
		specs = append(specs, events(t, fmt.Sprint("s", i), fmt.Sprintf(`m{job="s%d"}`, i), fmt.Sprintf(`m{job="s%d",code="500"}`, i)))
	}
	plan := planOf(specs...)
	n := 0
	for _, b := range plan {
		n += len(b.specs)
		if got := strings.Count(b.selector, "|") + 1; got > maxAlternatives {
			t.Errorf("%s: %d alternatives", b.key, got)
		}
	}
	if n != len(specs) || len(plan) != 16 {
		t.Errorf("%d SLOs in %d bundles", n, len(plan))
	}
}

// matcherGen draws selectors over a small world of labels.
var matcherGen = rapid.Custom(func(t *rapid.T) *labels.Matcher {
	return labels.MustNewMatcher(
		rapid.SampledFrom([]labels.MatchType{labels.MatchEqual, labels.MatchEqual, labels.MatchRegexp, labels.MatchNotEqual, labels.MatchNotRegexp}).Draw(t, "type"),
		rapid.SampledFrom([]string{"job", "code", "path"}).Draw(t, "label"),
		rapid.SampledFrom([]string{"", "a", "b", "5..", "a|b", ".*", ".+", "a.b"}).Draw(t, "value"))
})

func specGen(i int) *rapid.Generator[*slo.Spec] {
	return rapid.Custom(func(t *rapid.T) *slo.Spec {
		q := func(name string) *slo.Query {
			return &slo.Query{
				Metric:   rapid.SampledFrom([]string{"m", "n", "o"}).Draw(t, name),
				Matchers: slices.SortedFunc(slices.Values(rapid.SliceOfN(matcherGen, 0, 3).Draw(t, "matchers")), func(a, b *labels.Matcher) int { return cmp.Compare(a.String(), b.String()) }),
			}
		}
		return &slo.Spec{Service: "svc", Name: fmt.Sprint("s", i), SLI: slo.Indicator{Kind: slo.Events, Total: q("total"), Bad: q("bad")}}
	})
}

// TestMergingLosesNothing: the naive twin asks every SLO's own matchers; the merged selector must
// let the series through and the router must lead it to the same SLOs.
func TestMergingLosesNothing(t *testing.T) {
	p := parser.NewParser(parser.Options{})
	rapid.Check(t, func(t *rapid.T) {
		var specs []*slo.Spec
		for i := range rapid.IntRange(1, 6).Draw(t, "n") {
			specs = append(specs, specGen(i).Draw(t, "spec"))
		}
		plan := planOf(specs...)
		for range 20 {
			ls := []label{{nameLabel, rapid.SampledFrom([]string{"m", "n", "o"}).Draw(t, "name")}}
			for _, n := range []string{"code", "job", "path"} {
				if v := rapid.SampledFrom([]string{"", "a", "b", "500", "a.b", "axb"}).Draw(t, n); v != "" {
					ls = append(ls, label{n, v})
				}
			}
			want, got := map[string]bool{}, map[string]bool{}
			for _, s := range specs {
				for _, term := range termsOf(s, false) {
					if term.selects(ls) {
						want[fmt.Sprint(s.Name, term.role)] = true
					}
				}
			}
			for _, b := range plan {
				expr, err := p.ParseExpr(b.selector)
				if err != nil {
					t.Fatalf("%s: %v", b.selector, err)
				}
				if through(expr.(*parser.VectorSelector), ls) {
					b.router.find(ls, func(term *term) { got[fmt.Sprint(b.specs[term.spec].Name, term.role)] = true })
				}
			}
			if fmt.Sprint(want) != fmt.Sprint(got) {
				t.Fatalf("%v: routed to %v, want %v", ls, got, want)
			}
		}
	})
}

func through(sel *parser.VectorSelector, ls []label) bool {
	for _, m := range sel.LabelMatchers {
		if !m.Matches(valueOf(ls, m.Name)) {
			return false
		}
	}
	return true
}

func TestGroupIDs(t *testing.T) {
	for _, tc := range []struct {
		values map[string]string
		want   slo.ID
	}{
		{nil, "a/b"},
		{map[string]string{"route": "/pay"}, `a/b{route="/pay"}`},
		{map[string]string{"z": "1", "a": ""}, `a/b{a="",z="1"}`},
		{map[string]string{"route": "x\"}\n"}, `a/b{route="x\"}\n"}`},
	} {
		got := GroupID("a/b", tc.values)
		if got != tc.want || got.Base() != "a/b" {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
}

// TestMarks: what is saved is loaded, and no damage is taken for a position.
func TestMarks(t *testing.T) {
	b := planOf(events(t, "x", `m{job="a"}`, `m{job="a",code="500"}`))[0]
	s := b.adopt(nil, m0)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 30_000 {
		if _, err := b.series(fmt.Appendf(nil, `{"__name__":"m","job":"a","instance":"i%d","code":"%d"}`, i/6, 200+i%6)); err != nil {
			t.Fatal(err)
		}
	}
	s.Grow(len(b.reg.seriesHash), len(b.reg.targetHash), len(b.reg.ids))
	s.Last = at(3600)
	for i := range s.Cursors {
		s.Cursors[i] = counting.Cursor{MS: s.Last - r.Int64N(30_000), Value: float64(r.IntN(1_000_000))}
	}
	s.Cursors[7].Dips, s.Cursors[7].Low, s.Cursors[9].Flags = 3, 5, counting.Ended
	for i := range s.Targets {
		s.Targets[i] = counting.Target{Last: s.Last - r.Int64N(30_000), Born: at(0), Pace: counting.Pace{Interval: 30_000}, Rate: r.Float64(), Restarts: [3]int64{0, 0, at(600)}, Start: at(600) * int64(i%2)}
	}
	s.Accounts[0] = counting.Account{Last: s.Last, Carry: counting.Tally{Total: 1, Bad: 0.5}, Hole: counting.Hole{From: m0, Until: m0 + 3, Sum: counting.Tally{Total: 3, Bad: 2, Good: 1}, Open: true}}
	s.PutMinute(counting.Minute{At: m0 + 60, Sum: counting.Tally{Total: 7}, First: at(3601), Last: at(3610), Gap: 30_000, Since: at(3580)})
	s.PutMinute(counting.Minute{At: m0 + 59, Sum: counting.Tally{Bad: 7}, Down: true})
	s.Groups = []counting.Group{{Target: 3, MS: at(3590), From: at(3560), Since: at(3560), Next: at(3620), Bound: 12.5, Fresh: true, Series: []int32{18, 19}, Values: []float64{7, 9}, Start: at(3500), Created: []int64{at(3580), 0}}}
	s.Targets[5].From = 3
	s.Orphans = []counting.Orphan{{Target: 4, At: m0 + 58, MS: at(3500), Total: 9, Scrapes: 4, Asked: true, Failed: true}, {Target: 5, At: m0 + 59, MS: at(3560), Total: 9, Good: 4, Scrapes: 1, Counted: true, Early: true}}
	s.Primed, s.Read, s.Asked, s.lag = true, at(3612), at(3613), 5_000
	mark := b.save(s)
	if len(mark) > 800_000 {
		t.Errorf("30,000 series take %d bytes", len(mark))
	}
	m, err := loadMark(mark)
	if err != nil {
		t.Fatal(err)
	}
	adopted := b.adopt([]*saved{m}, m0)
	if again := b.save(adopted); string(again) != string(mark) {
		t.Error("saved again, the mark differs")
	}
	if !slices.Equal(adopted.Orphans, s.Orphans) || adopted.Targets[5].From != 3 {
		t.Errorf("what is in question is %+v, was %+v", adopted.Orphans, s.Orphans)
	}
	for range 60 {
		bad := slices.Clone(mark)
		bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		if _, err := loadMark(bad); err == nil {
			t.Error("a flipped bit was not noticed")
		}
		if _, err := loadMark(mark[:r.IntN(len(mark))]); err == nil {
			t.Error("a cut mark was not noticed")
		}
	}
}

// FuzzMark: a mark that is sealed rightly and means nothing must not crash or take memory.
func FuzzMark(f *testing.F) {
	b := planOf(events(f, "x", `m{job="a"}`, `m{job="a",code="500"}`))[0]
	f.Add(b.save(b.adopt(nil, m0))[5:])
	f.Fuzz(func(t *testing.T, body []byte) {
		e := &encoder{b: body}
		if m, err := loadMark(e.seal(bundleVersion)); err == nil {
			b.adopt([]*saved{m}, budget.Minute(1))
		}
	})
}

// TestUnusableMarksStartAnew: an older or damaged mark is told and not fatal.
func TestUnusableMarksStartAnew(t *testing.T) {
	c := serve(t, steady(t))
	specs := []*slo.Spec{events(t, "x", `r_total{job="a"}`, `r_total{job="a",code=~"5.."}`)}
	r, got := New(c, Options{}), book{}
	tick(t, r, specs, m0+10, got)
	marks := map[string][]byte{}
	for name, b := range r.marks {
		b = slices.Clone(b)
		b[0]++
		marks[name] = b
	}
	n := New(c, Options{})
	n.Restore(marks)
	if b := tick(t, n, specs, m0+12, got); len(b.Problems) != 1 || !strings.Contains(b.Problems[0], "unusable") {
		t.Errorf("problems %q", b.Problems)
	}
	tick(t, n, specs, m0+13, got)
	if g := slots(got["svc/x"]); g != "13:2/202" {
		t.Error(g)
	}
}

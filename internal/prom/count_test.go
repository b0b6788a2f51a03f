package prom

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// life is a few series written by hand. Each line is `labels: time=value …` with times in seconds.
func life(t testing.TB, text string) *promfake.DB {
	t.Helper()
	db := promfake.New(promfake.Options{})
	for line := range strings.Lines(text) {
		head, tail, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		pairs := []string{"job", "j"}
		for pair := range strings.SplitSeq(head, " ") {
			k, v, _ := strings.Cut(pair, "=")
			pairs = append(pairs, k, v)
		}
		s := db.Series(lset("c", pairs...))
		for f := range strings.FieldsSeq(tail) {
			var sec, v float64
			if _, err := fmt.Sscanf(f, "%g=%g", &sec, &v); err != nil {
				t.Fatalf("%q: %v", f, err)
			}
			if err := s.Append(at(sec), v); err != nil {
				t.Fatal(err)
			}
		}
	}
	return db
}

// slots writes slots as "minute:bad/total" in events; p marks partial, - absent.
func slots(m map[budget.Minute]budget.Slot) string {
	var keys []budget.Minute
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var out []string
	for _, k := range keys {
		s := m[k]
		text := fmt.Sprintf("%d:%g/%g", k-m0, float64(s.Bad)/1000, float64(s.Total)/1000)
		switch s.State {
		case budget.Partial:
			text += "p"
		case budget.Absent:
			text = fmt.Sprintf("%d:-", k-m0)
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// TestCounting has one life per rule. The reader takes its position at the end of minute 1; every
// sample after 120 s is counted. Each life is read minute by minute and at one go.
func TestCounting(t *testing.T) {
	for _, tc := range []struct {
		name string
		life string
		last budget.Minute
		want string
	}{
		{
			"the difference belongs to the minute of the later sample",
			"instance=a code=200: 30=0 90=10 150=14 210=20", 3, "2:0/4 3:0/6",
		},
		{
			"a sample on the boundary belongs to the minute that ends there",
			"instance=a code=200: 60=0 120=10 180=14 240=20", 3, "2:0/4 3:0/6",
		},
		{
			"after a reset the value itself counts",
			"instance=a code=200: 30=0 90=10 150=3 210=5", 3, "2:0/3 3:0/2",
		},
		{
			"bad events come out of the same samples",
			"instance=a code=200: 30=0 90=10 150=14 210=20\ninstance=a code=500: 30=5 90=5 150=6 210=6", 3, "2:1/5 3:0/6",
		},
		{
			"an error series that is born counts whole, for its target was scraped without it",
			"instance=a code=200: 30=0 90=10 150=14 210=20\ninstance=a code=500: 210=3", 3, "2:0/4 3:3/9",
		},
		{
			"a new pod counts whole",
			"instance=a code=200: 30=0 90=10 150=14 210=20\ninstance=b code=200: 210=7", 3, "2:0/4 3:0/13",
		},
		{
			"at the first sight of the SLO nothing is a birth, however late it comes",
			"instance=a code=200: 150=1000 210=1004\ninstance=a code=500: 150=500 210=501", 3, "2:0/0 3:1/5",
		},
		{
			"a series that was missing from scrapes of its target and is back above its old value goes on",
			"instance=a code=200: 30=0 90=10 150=14 210=20 270=21\ninstance=a code=500: 30=2 90=2 270=5", 4, "2:0/4 3:0/6 4:3/4",
		},
		{
			"after more than five minutes it is a new counter, if it can have come so far",
			"instance=a code=200: 30=0 90=10 150=14 210=20 270=21 330=22 390=23 450=24\ninstance=a code=500: 30=2 90=2 450=4", 7, "2:0/4 3:0/6 4:0/1 5:0/1 6:0/1 7:4/5",
		},
		{
			"a counter that stands a little lower for a moment shows nothing",
			"instance=a code=200: 30=0 90=100 150=140 210=139 270=145", 4, "2:0/40 3:0/0 4:0/5",
		},
		{
			"when one counter falls deep, its process began anew, and the others count whole",
			"instance=a code=200: 30=0 90=10 150=14 210=3\ninstance=a code=500: 30=0 90=0 150=1 210=2", 3, "2:1/5 3:2/5",
		},
		{
			"a fall of an eighth is deep: the other counters of the process count whole, too",
			"instance=a code=200: 30=0 90=800 150=700\ninstance=a code=500: 30=0 90=4 150=4", 2, "2:4/704",
		},
		{
			"when one falls and the others show that the process lives on, it alone is new",
			"instance=a code=200: 30=9000 90=9010 150=9014 210=9020\ninstance=a code=500: 30=0 90=100 150=100 210=20", 3, "2:0/4 3:20/26",
		},
		{
			"a label is added to all series: they are the same ones",
			"instance=a code=200: 30=9000 90=9010 150=9014\ninstance=a code=500: 30=100 90=100 150=100\ninstance=a code=200 cluster=eu: 210=9020\ninstance=a code=500 cluster=eu: 210=101", 3, "2:0/4 3:1/7",
		},
		{
			"an old target that is found late is a position",
			"instance=a code=200: 30=0 90=10 150=14 210=20 270=26\ninstance=b code=200: 210=9000 270=9003", 4, "2:0/4 3:0/6 4:0/9",
		},
		{
			"a target that missed a scrape goes on where it was",
			"instance=a code=200: 30=0 90=10 210=20\ninstance=b code=200: 30=0 90=0 150=0 210=0", 3, "2:0/0 3:0/10",
		},
		{
			"one missed scrape of the only target is spread and known",
			"instance=a code=200: 30=0 90=10 210=21 270=21", 4, "2:0/5.5 3:0/5.5 4:0/0",
		},
		{
			"a hole is spread and partial, in integers; what the returning minute brought is in it",
			"instance=a code=200: 30=0 90=10 390=22 450=23 510=24", 8, "2:0/2.167p 3:0/2.167p 4:0/2.167p 5:0/2.167p 6:0/2.166p 7:0/2.166p 8:0/1",
		},
		{
			"a hole tells what went wrong inside it",
			"instance=a code=200: 30=0 90=10 390=16 450=17 510=18\ninstance=a code=500: 30=1 90=1 390=7 450=7 510=7", 8,
			"2:1/2.167p 3:1/2.167p 4:1/2.167p 5:1/2.167p 6:1/2.166p 7:1/2.166p 8:0/1",
		},
		{
			"a counter that stands still is traffic of zero, not absence",
			"instance=a code=200: 30=9 90=9 150=9 210=9", 3, "2:0/0 3:0/0",
		},
		{
			"without samples a minute is absent, once it is certain",
			"instance=a code=200: 30=0 90=10 150=12", 6, "2:0/2 3:- 4:- 5:- 6:-",
		},
		{
			"scrapes two minutes apart are spread over both, and known",
			"instance=a code=200: -270=0 -150=2 -30=4 90=10 210=20 330=24", 5, "2:0/5 3:0/5 4:0/2 5:0/2",
		},
		{
			"NaN and infinities never count",
			"instance=a code=200: 30=0 90=10 150=NaN 160=+Inf 170=12 210=20", 3, "2:0/2 3:0/8",
		},
		{
			"a label is added where the end of a series is shown as a sample that is no number", // by VictoriaMetrics
			"instance=a code=200: 30=1000 90=1010 150=1020 210=1030 270=NaN\ninstance=a code=200 zone=z: 270=1042 330=1050 390=1060", 5, "2:0/10 3:0/10 4:0/12 5:0/8",
		},
		{
			"negative values never count",
			"instance=a code=200: 30=0 90=10 150=-5 170=12 210=20", 3, "2:0/2 3:0/8",
		},
		{
			"without an instance a series that pauses goes on where it was",
			"zone=x code=200: 30=0 90=10 150=11 270=13\nzone=y code=200: 30=0 90=0 150=0 210=0 270=0", 4, "2:0/1 3:0/0 4:0/2",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := serve(t, life(t, tc.life))
			specs := []*slo.Spec{events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)}
			for _, step := range []budget.Minute{1, 100} {
				r, got := New(c, Options{}), book{}
				tick(t, r, specs, m0+1, got)
				for to := m0 + 1; to < m0+tc.last; {
					to = min(to+step, m0+tc.last)
					tick(t, r, specs, to, got)
				}
				if g := slots(got["svc/x"]); g != tc.want {
					t.Errorf("in steps of %d\n got %s\nwant %s", step, g, tc.want)
				}
			}
		})
	}
}

// TestDataProblemsAreTold: what is bent is also said.
func TestDataProblemsAreTold(t *testing.T) {
	for _, tc := range []struct{ name, life, want string }{
		{"more bad events than events", "instance=a code=200: 30=9 90=9 150=9\ninstance=a code=500 extra=1: 30=0 90=0 150=4", "more bad or good events"},
		{"values that are not finite", "instance=a code=200: 30=0 90=10 150=NaN 170=12", "not finite"},
		{"a series that ends with what is no number", "instance=a code=200: 30=1000 90=1010 150=1020 210=NaN\ninstance=a code=200 zone=z: 210=1030 270=1040 330=1050 390=1060 450=1070", "went on under another name"},
		{"a series that ends so, and nothing begins", "instance=a code=200: 30=1000 90=1010 150=1020 210=NaN\ninstance=b code=200: 30=1000 90=1010 150=1020 210=1030 270=1040 330=1050 390=1060 450=1070", ""},
		{"a series that expired and came back higher", "instance=a code=200: 30=0 90=10 150=14 210=20 270=20 330=20 390=20 450=21\ninstance=a code=500: 30=2 90=2 450=5", ": c{code=\"500\",instance=\"a\",job=\"j\"}"},
		{"a counter that stands a little lower for a moment", "instance=a code=200: 30=0 90=100 150=140 210=139 270=145", "1 sample stood a little lower than the one before; nothing was counted until the counters were back: c{code=\"200\",instance=\"a\",job=\"j\"}"},
		{"a target of long standing that is found late", "instance=a code=200: 30=0 90=10 150=14 210=20 270=26\ninstance=b code=200: 210=9000 270=9003", "1 series was seen for the first time with more than can have happened since the last scrape of its target; its first value did not count: c{code=\"200\",instance=\"b\",job=\"j\"}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := serve(t, life(t, tc.life))
			r := New(c, Options{})
			specs := []*slo.Spec{events(t, "x", `c{extra=""}`, `c{code="500"}`)}
			tick(t, r, specs, m0+1, book{})
			b := tick(t, r, specs, m0+8, book{})
			if got := strings.Join(b.Readings["svc/x"].Problems, "; "); !strings.Contains(got, tc.want) {
				t.Errorf("problems %q, want something about %q", got, tc.want)
			} else if strings.Contains(got, "not finite") && tc.want != "not finite" {
				t.Errorf("problems %q: an end is no value", got)
			}
		})
	}
}

// TestProblemsOutliveANewSLO: another SLO is loaded, so that all are sorted into bundles anew. What
// was wrong with the data is still told, counted since the start.
func TestProblemsOutliveANewSLO(t *testing.T) {
	db := life(t, "instance=a code=200: 30=0 90=100 150=140 210=139 270=145 330=150 390=149 450=155 510=160 570=165")
	gauge(t, db, "q", func(int) (float64, bool) { return 0, true })
	specs := []*slo.Spec{
		events(t, "raw", `c{job="j"}`, `c{code="500"}`),
		{Service: "svc", Name: "ratio", SLI: slo.Indicator{Kind: slo.Ratio, Bad: query(t, `max(q) / max(q)`)}},
	}
	r, got := New(serve(t, db), Options{}), book{}
	for to := m0 + 1; to <= m0+6; to++ {
		tick(t, r, specs, to, got)
	}
	specs = append(specs, events(t, "new", `c{instance="a"}`, `c{code="501"}`))
	b := tick(t, r, specs, m0+9, got)
	for id, want := range map[slo.ID]string{"svc/raw": "2 samples stood a little lower", "svc/ratio": "8 samples"} {
		if p := strings.Join(b.Readings[id].Problems, "; "); !strings.HasPrefix(p, want) {
			t.Errorf("%s: problems %q, want %q", id, p, want)
		}
	}
	if p := b.Readings["svc/new"].Problems; len(p) > 0 {
		t.Errorf("of the new SLO: %q", p)
	}
	if specs[0] = events(t, "raw", `c{job="j",code="200"}`, `c{code="500"}`); len(tick(t, r, specs, m0+10, got).Readings["svc/raw"].Problems) > 0 {
		t.Error("an SLO that is written anew has the problems of the old one")
	}
}

// TestWhatIsWaitedForIsToldSteadily: a target that is always two minutes late, read every 20 s.
func TestWhatIsWaitedForIsToldSteadily(t *testing.T) {
	db := life(t, "instance=a code=200: 0=0")
	specs := []*slo.Spec{events(t, "x", `c{job="j"}`, `c{code="500"}`)}
	r, got, begun, shown := New(serve(t, db), Options{}), book{}, false, 0
	for s := 60; s < 2400; s += 20 {
		for ; shown+15+125 <= s; shown += 15 {
			if err := db.Series(lset("c", "job", "j", "instance", "a", "code", "200")).Append(at(float64(shown+15)), float64(shown)); err != nil {
				t.Fatal(err)
			}
		}
		b := got.must(t, r, specs, time.UnixMilli(at(float64(s))))
		reading, ok := b.Readings["svc/x"]
		told := strings.Contains(strings.Join(reading.Problems, "; "), "come about 2 min late")
		if begun = begun || told; begun && ok && !told {
			t.Fatalf("after %d s nothing is told any more: %q", s, reading.Problems)
		}
		r.Commit(b)
	}
	if !begun {
		t.Error("it is never told")
	}
}

// TestWhatCameTooLateIsTold: samples of one target of two come after their minute was decided
// without them. They are added to it, and it is said.
func TestWhatCameTooLateIsTold(t *testing.T) {
	db := life(t, "instance=a code=200: 0=0 30=1 60=2 90=3 120=4\ninstance=b code=200: 0=0 30=1 60=2 90=3 120=4")
	spec := events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)
	spec.MaxLateness = 2 * time.Minute
	r, got := New(serve(t, db), Options{}), book{}
	series := func(instance string) *promfake.Series {
		return db.Series(lset("c", "job", "j", "instance", instance, "code", "200"))
	}
	arrive := func(instance string, from, to int) {
		for i := from; i <= to; i++ {
			if err := series(instance).Append(at(float64(30*i)), float64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	tick(t, r, []*slo.Spec{spec}, m0+1, got)
	for n := 2; n <= 8; n++ {
		arrive("a", 2*n+1, 2*n+2)
		tick(t, r, []*slo.Spec{spec}, m0+budget.Minute(n), got)
	}
	arrive("b", 5, 20)
	arrive("a", 19, 20)
	b := tick(t, r, []*slo.Spec{spec}, m0+9, got)
	want := "samples came after their minutes were decided; they were added to them: c{code=\"200\",instance=\"b\",job=\"j\"}"
	if p := strings.Join(b.Readings["svc/x"].Problems, "; "); !strings.Contains(p, want) {
		t.Errorf("problems %q, want %q", p, want)
	}
	t.Log(slots(got["svc/x"]))
}

// TestLateDataHeal: minutes reported absent are written again when their samples turn up.
func TestLateDataHeal(t *testing.T) {
	db := life(t, "instance=a code=200: 30=0 60=2 90=10 120=11")
	c := serve(t, db)
	specs := []*slo.Spec{events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)}
	r, got := New(c, Options{}), book{}
	for to := m0 + 1; to <= m0+5; to++ {
		tick(t, r, specs, to, got)
	}
	if g := slots(got["svc/x"]); g != "2:- 3:- 4:- 5:-" {
		t.Fatalf("while nothing arrives: %s", g)
	}
	s := db.Series(lset("c", "job", "j", "instance", "a", "code", "200"))
	for i := 5; i <= 14; i++ {
		if err := s.Append(at(float64(30*i)), float64(20+i)); err != nil {
			t.Fatal(err)
		}
	}
	tick(t, r, specs, m0+6, got)
	if g := slots(got["svc/x"]); g != "2:0/15 3:0/2 4:0/2 5:0/2 6:0/2" {
		t.Fatalf("after they arrived: %s", g)
	}
}

package openslo_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/internal/goldentest"
	"github.com/slowburn-sre/slowburn/internal/schematest"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/openslo"
)

// meaning compares SLOs by what they mean: not by their places, nor by the spelling of bare
// selectors.
var meaning = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(slo.Spec{}, "File", "Line", "Places"),
	cmp.Comparer(func(a, b slo.Objective) bool { return a == b }),
	cmp.Comparer(func(a, b slo.Mention) bool { return a == b }),
	cmp.Comparer(func(a, b *time.Location) bool { return fmt.Sprint(zone(a)) == fmt.Sprint(zone(b)) }),
	cmp.Transformer("query", func(q *slo.Query) string {
		switch {
		case q == nil:
			return ""
		case q.Metric == "":
			return q.Text
		}
		var m []string
		for _, l := range q.Matchers {
			m = append(m, l.String())
		}
		return q.Metric + fmt.Sprint(m)
	}),
	cmp.Transformer("matcher", func(m *labels.Matcher) string { return m.String() }),
}

func zone(l *time.Location) *time.Location {
	if l == nil {
		return time.UTC
	}
	return l
}

func read(t interface{ Fatalf(string, ...any) }, text []byte) *slo.Set {
	set, err := file.Load([]file.File{{Name: "o.yaml", Data: text}}, openslo.Reader(openslo.Options{}))
	if err != nil {
		t.Fatalf("the strict reader refuses what was printed: %v\n%s", err, text)
	}
	return set
}

// carried returns what comes back of an SLO: itself, without what OpenSLO has no words for.
func carried(s slo.Spec) slo.Spec {
	defaults, _ := slo.DefaultAlerts(s.Window(), s.Objective)
	s.Windows = s.Windows[:1]
	s.Tier, s.Slack, s.Links.Repository, s.SLI.Called = "", slo.SlackRoute{}, "", ""
	s.By = slices.Sorted(slices.Values(s.By))
	s.Alerts.Spent, s.Alerts.Significance = defaults.Spent, true
	if s.Alerts.NoData > 0 {
		s.Alerts.NoData = defaults.NoData
	}
	return s
}

// expressible reports whether all of the rest comes back: counted events, and alerts with the short
// windows that the reader gives them.
func expressible(s *slo.Spec) bool {
	for _, p := range slices.Concat(s.Alerts.Page, s.Alerts.Ticket) {
		if p.Short != max((p.Long/12).Truncate(time.Minute), time.Minute) {
			return false
		}
	}
	some := s.SLI.Bad
	if some == nil {
		some = s.SLI.Good
	}
	return len(s.Alerts.Page)+len(s.Alerts.Ticket) > 0 && s.SLI.Kind == slo.Events && s.SLI.Total.Bare() && some.Bare()
}

// Native to OpenSLO and back: what OpenSLO has words for comes back the same; everything that is
// printed is accepted by the strict reader; and a second time round changes nothing any more.
func TestThereAndBack(t *testing.T) {
	same, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r := schematest.New(rapid.Uint64().Draw(t, "seed"))
		for range 5 {
			set, err := file.Load([]file.File{{Name: "a.yaml", Data: []byte(r.File().Text())}})
			if err == nil {
				all += len(set.Specs)
				same += thereAndBack(t, set)
			}
		}
	})
	if same < 15 {
		t.Errorf("only %d of %d SLOs were expressible", same, all)
	}
}

// thereAndBack tries the law on a set, and answers how many SLOs of it were expressible.
func thereAndBack(t *rapid.T, set *slo.Set) (same int) {
	text, _ := openslo.Print(set.Specs, set.Services)
	if again, _ := openslo.Print(reversed(set.Specs), set.Services); !bytes.Equal(text, again) {
		t.Fatalf("the order of the SLOs changes what is printed")
	}
	back := read(t, text)
	for _, s := range set.Specs {
		got := back.Lookup(s.ID())
		if got == nil || !expressible(s) {
			continue
		}
		same++
		if diff := cmp.Diff(carried(*s), *got, meaning); diff != "" {
			t.Fatalf("-native +there and back\n%s\n%s", diff, text)
		}
	}
	if len(back.Specs) == 0 {
		return same // everything was left out
	}
	second, _ := openslo.Print(back.Specs, nil)
	if diff := cmp.Diff(back.Specs, read(t, second).Specs, meaning); diff != "" {
		t.Fatalf("-once +twice there and back\n%s\n%s\n%s", diff, text, second)
	}
	return same
}

// TestPrinted compares with what the archive says. UPDATE=1 go test writes it.
func TestPrinted(t *testing.T) {
	const name = "testdata/printed.txtar"
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Files {
		folder, base := filepath.Split(a.Files[i].Name)
		if base != "native.yaml" {
			continue
		}
		t.Run(filepath.Clean(folder), func(t *testing.T) {
			set, err := file.Load([]file.File{{Name: base, Data: a.Files[i].Data}})
			if err != nil {
				t.Fatal(err)
			}
			text, lost := openslo.Print(set.Specs, set.Services)
			read(t, text)
			for j, got := range []string{string(text), lost.Error() + "\n"} {
				goldentest.Section(t, &a.Files[i+1+j], got)
			}
		})
	}
	goldentest.Check(t, name, txtar.Format(a))
}

// Names are unique in OpenSLO, and in small letters.
func TestNamesThatOpenSLORefuses(t *testing.T) {
	var specs []*slo.Spec
	for i, name := range []string{"a.b", "a_b", "A-b", "a-b", strings.Repeat("x", 99)} {
		for _, service := range []string{"shop", "Shop.2"} {
			text := fmt.Sprintf("version: slowburn/v1\nservice: %s\nslos: [{name: %s, objective: 99.9, sli: {uptime: up}}]\n", service, name)
			set, err := file.Load([]file.File{{Name: fmt.Sprint(i), Data: []byte(text)}})
			if err != nil {
				t.Fatal(err)
			}
			specs = append(specs, set.Specs...)
		}
	}
	text, lost := openslo.Print(specs, nil)
	if back := read(t, text); len(back.Specs) != len(specs) {
		t.Errorf("%d of %d came back\n%s", len(back.Specs), len(specs), text)
	}
	if len(lost) < len(specs)-1 {
		t.Errorf("only %d losses were named: %v", len(lost), lost)
	}
}

func reversed(specs []*slo.Spec) []*slo.Spec {
	out := slices.Clone(specs)
	slices.Reverse(out)
	return out
}

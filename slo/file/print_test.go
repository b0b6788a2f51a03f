package file

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/schematest"
	"github.com/slowburn-sre/slowburn/slo"
)

// same compares what was read with what was read of what was printed: everything but the places.
var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(slo.Spec{}, "File", "Line", "Places"),
	cmpopts.IgnoreFields(slo.Service{}, "File", "Line"),
	cmpopts.IgnoreFields(slo.Signals{}, "Line", "Column"),
	cmpopts.IgnoreFields(slo.Query{}, "File", "Line", "Column"),
	cmpopts.IgnoreFields(slo.Dependency{}, "File", "Line", "Column"),
	cmp.Comparer(func(a, b slo.Objective) bool { return a == b }),
	cmp.Comparer(func(a, b slo.Mention) bool { return a == b }),
	cmp.Transformer("zone", func(l *time.Location) string {
		if l == nil {
			return "UTC"
		}
		return l.String()
	}),
	cmp.Transformer("matcher", func(m *labels.Matcher) string { return m.String() }),
}

// printsBack holds the law: Load(Print(Load(x))) is Load(x), and printing once more changes no
// byte.
func printsBack(t interface{ Fatalf(string, ...any) }, set *slo.Set) {
	out := Print(set.Specs, set.Services, Layout{})
	again, err := Load([]File{{"printed.yaml", out}})
	if err != nil {
		t.Fatalf("what was printed is refused: %v\n%s", err, out)
	}
	if diff := cmp.Diff(set.Specs, again.Specs, same); diff != "" {
		t.Fatalf("SLOs, -loaded +printed and loaded again:\n%s\n%s", diff, out)
	}
	if diff := cmp.Diff(set.Services, again.Services, same); diff != "" {
		t.Fatalf("services, -loaded +printed and loaded again:\n%s\n%s", diff, out)
	}
	if twice := Print(again.Specs, again.Services, Layout{}); !bytes.Equal(out, twice) {
		t.Fatalf("printed once\n%s\nand then\n%s", out, twice)
	}
}

func TestWhatIsPrintedIsReadBack(t *testing.T) {
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		var files []File
		r := schematest.New(rapid.Uint64().Draw(t, "seed"))
		for i := range 1 + rapid.IntRange(0, 1).Draw(t, "more") {
			text := r.File().Text()
			text = strings.ReplaceAll(text, "slo-", fmt.Sprintf("file-%d-", i)) // services may share a name, their SLOs not
			files = append(files, File{fmt.Sprintf("%d.yaml", i), []byte(text)})
		}
		set, err := Load(files)
		if err != nil {
			return
		}
		n++
		printsBack(t, set)
	})
	if n < 30 {
		t.Errorf("only %d of the files were good", n)
	}
}

// Every file of the tests, the documentation, the demo and the deployment that is good is read
// back.
func TestEveryExampleIsReadBack(t *testing.T) {
	var all [][]File
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			all = append(all, []File{{f.Name, f.Data}})
		}
	}
	for _, pattern := range []string{"../../internal/fake/shop/slos/*.yaml", "../../deploy/*/slos/*.yaml", "../../examples/*/slos/*.yaml"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(data), modeline(SchemaURL)) {
				t.Errorf("%s does not name its schema in the first line", name)
			}
			all = append(all, []File{{name, data}})
		}
	}
	docs, _ := os.ReadFile("../../docs/slo-file.md")
	for _, b := range regexp.MustCompile("(?s)```yaml\n(version.*?)```").FindAllSubmatch(docs, -1) {
		all = append(all, []File{{"docs", b[1]}})
	}
	n := 0
	for _, files := range all {
		if set, err := Load(files); err == nil && len(set.Specs) > 0 {
			n++
			printsBack(t, set)
		}
	}
	if n < 40 {
		t.Errorf("only %d good examples were found", n)
	}
}

func FuzzPrint(f *testing.F) {
	for seed := range uint64(50) {
		f.Add([]byte(schematest.New(seed).File().Text()))
	}
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, data []byte) {
		if set, err := Load([]File{{"f.yaml", data}}); err == nil {
			printsBack(t, set)
		}
	})
}

// A new field of an SLO must be printed, too; this reminds whoever adds one.
func TestThePrinterKnowsEveryField(t *testing.T) {
	for _, c := range []struct {
		value  any
		fields int
	}{{slo.Spec{}, 16}, {slo.Service{}, 10}, {slo.Indicator{}, 13}, {slo.Alerts{}, 6}, {slo.Window{}, 3}, {slo.Signals{}, 5}, {slo.Links{}, 3}, {slo.SlackRoute{}, 3}, {slo.Escalation{}, 2}, {slo.Pair{}, 3}} {
		if n := reflect.TypeOf(c.value).NumField(); n != c.fields {
			t.Errorf("%T has %d fields, and the printer knows %d: teach it, then change this number", c.value, n, c.fields)
		}
	}
}

func TestHowItLooks(t *testing.T) {
	const text = `version: slowburn/v1
service: shop
owner: team
slos:
  - {name: b, objective: 99.90%, window: 28d, sli: {events: {total: 'x_total{job="a"}', bad: 'x_total{job="a",code="500"}'}}, owner: team, alerts: {spent: off, page: [{budget: 2%, long: 60m, short: 300s}]}}
  - {name: a, objective: 99, window: [30d, {calendar: month, timezone: Europe/Berlin}], sli: {ratio: {good: r}}, by: [route]}
`
	set, err := Load([]File{{"a.yaml", []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	notes := Notes{}
	notes.Add("shop", "", "About the shop.")
	notes.Add("shop/b", "", "From b.")
	notes.Add("shop/b", "window", "four weeks")
	notes.Add("shop/b", "links", "there were none")
	notes.Add("shop/b", "sli.events.bad", "server errors")
	const want = `# yaml-language-server: $schema=` + SchemaURL + `
# Converted.
# About the shop.
version: slowburn/v1
service: shop
owner: team
slos:
  - name: a
    objective: 99
    window: [30d, {calendar: month, timezone: 'Europe/Berlin'}]
    sli:
      ratio:
        good: r
    by: [route]

  # From b.
  # links: there were none
  - name: b
    objective: 99.9
    # four weeks
    window: 28d
    sli:
      events:
        total: 'x_total{job="a"}'
        # server errors
        bad: 'x_total{job="a",code="500"}'
    alerts:
      page:
        - {budget: 2%, long: 1h, short: 5m}
      spent: off
`
	if diff := cmp.Diff(strings.ReplaceAll(want, "'Europe/Berlin'", "Europe/Berlin"), string(Print(set.Specs, set.Services, Layout{Head: []string{"Converted."}, Notes: notes}))); diff != "" {
		t.Error(diff)
	}
}

// SLOs of one service that lack what its description has cannot stand below it.
func TestWhatCannotBeInheritedStandsAlone(t *testing.T) {
	files := []File{
		{"a.yaml", []byte("version: slowburn/v1\nservice: shop\nowner: team\ntier: low\nsignals: {from: go}\nslack: {mention: '<!here>'}\nslos: [{name: a, sli: {uptime: up}}, {name: c, sli: {uptime: up}, slack: {mention: []}}]\n")},
		{"b.yaml", []byte("version: slowburn/v1\nservice: shop\nslos: [{name: b, objective: 99, sli: {uptime: up}}]\n")},
	}
	set, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	printsBack(t, set)
	if out := string(Print(set.Specs, set.Services, Layout{})); strings.Count(out, "---\n") != 1 || strings.Count(out, "signals:") != 1 {
		t.Error(out)
	}
	set.Services[0].Owner = "nobody's" // SLOs that never were below such a description
	for _, s := range set.Specs {
		s.Owner = ""
	}
	out := Print(set.Specs, set.Services, Layout{})
	again, err := Load([]File{{"p.yaml", out}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(set.Specs, again.Specs, same); diff != "" || again.Service("shop").Signals == nil {
		t.Error(diff)
	}
}

// A ratio of good events is kept as 1 - (…), which may be longer than a query can be; it is written
// as it was.
func TestALongRatioOfGoodEventsIsReadBack(t *testing.T) {
	longest := "sum(" + strings.Repeat("x", slo.MaxQuery-len("sum()")) + ")"
	for _, q := range []string{longest, "x"} {
		set, err := Load([]File{{"a.yaml", []byte("version: slowburn/v1\nservice: a\nslos: [{name: a, objective: 99, sli: {ratio: {good: '" + q + "'}}}]\n")}})
		if err != nil {
			t.Fatal(err)
		}
		printsBack(t, set)
	}
}

package openslo_test

import (
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/foreigntest"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/openslo"
)

func TestFilesBecomeSpecs(t *testing.T) { foreigntest.Golden(t, openslo.Reader(openslo.Options{})) }

func FuzzRead(f *testing.F) {
	foreigntest.Fuzz(f, "../internal/foreign/testdata/conformance/openslo/*.yaml", openslo.Reader(openslo.Options{Lenient: true}))
}

// TestLenientReadingForgives changes one thing about a good SLO at a time. The strict reader
// refuses it as the reference validator does; the lenient one warns.
func TestLenientReadingForgives(t *testing.T) {
	const good = `apiVersion: openslo/v1
kind: SLO
metadata: {name: web}
spec:
  service: shop
  budgetingMethod: Timeslices
  timeWindow: [{duration: 28d, isRolling: true}]
  indicator:
    metadata: {name: web}
    spec:
      ratioMetric:
        good: {metricSource: {spec: {query: ok_total}}}
        total: {metricSource: {spec: {query: all_total}}}
  objectives: [{target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: 1m}]
`
	for name, change := range map[string][2]string{
		"capital letters in a name":  {"metadata: {name: web}\nspec:\n  service", "metadata: {name: WEB}\nspec:\n  service"},
		"op beside a ratio":          {"target: 0.99", "op: lte, target: 0.99"},
		"no time window":             {"  timeWindow: [{duration: 28d, isRolling: true}]\n", ""},
		"no budgeting method":        {"  budgetingMethod: Timeslices\n", ""},
		"a time slice without unit":  {"timeSliceWindow: 1m", "timeSliceWindow: 1"},
		"a display name of 64 marks": {"metadata: {name: web}\nspec:\n  service", "metadata: {name: web, displayName: " + strings.Repeat("x", 64) + "}\nspec:\n  service"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, change[0], change[1], 1)
			if text == good {
				t.Fatal("nothing was changed")
			}
			files := []file.File{{Name: "a.yaml", Data: []byte(text)}}
			if _, err := file.Load(files, openslo.Reader(openslo.Options{})); err == nil {
				t.Error("the strict reader takes it")
			}
			set, err := file.Load(files, openslo.Reader(openslo.Options{Lenient: true}))
			if err != nil || len(set.Specs) != 1 || len(set.Warnings) == 0 {
				t.Errorf("the lenient reader says %s", foreigntest.Print(set, err))
			}
		})
	}
	if set, err := file.Load([]file.File{{Name: "a.yaml", Data: []byte(good)}}, openslo.Reader(openslo.Options{})); err != nil || len(set.Warnings) > 0 {
		t.Error(foreigntest.Print(set, err))
	}
}

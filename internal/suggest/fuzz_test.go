package suggest

import (
	"testing"

	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// FuzzLabelValue takes any label value through queries and YAML: either PromQL of ours refuses the
// value, or the file can be loaded and means what it shows.
func FuzzLabelValue(f *testing.F) {
	for _, v := range []string{"checkout", `a"}`, "a\nb", "'", `\`, "#", "[7m]", "\xff", "é", "a: b"} {
		f.Add(v)
	}
	o, _ := slo.ParseObjective("99.9")
	f.Fuzz(func(t *testing.T, value string) {
		match := equal("job", value)
		if _, err := slo.ParseQuery(selectors.Metric("up", match...)); err != nil {
			return
		}
		live := signals.NewLive(map[string][]string{"http_requests_total": {"job", "code"}, "process_open_fds": {"job"}, "process_max_fds": {"job"}})
		filled := signals.Default().Lookup("go-http").Fill(match, live)
		part := signals.Default().Lookup("go-runtime").Fill(match, live).Saturation[0]
		one := newSLO("availability", value+"x", eventsOf(filled.Counts))
		one.Objective, one.Alerts.Significance = o, true
		one.explain("", "%s", value)
		p := Proposal{
			Service: &slo.Service{Name: "x" + cleanName(value), Signals: &slo.Signals{
				From: "go-http", Match: filled.Match, Saturation: []slo.Saturation{{Name: part.Name, Query: query(part.Query), Limit: part.Limit}},
			}},
			Notes: []string{value}, SLOs: []SLO{one},
		}
		set, err := file.Load([]file.File{{Name: "x.yaml", Data: p.YAML()}})
		if err != nil {
			t.Fatalf("%v\n%s", err, p.YAML())
		}
		q := set.Specs[0].SLI.Total
		if len(q.Matchers) != 1 || q.Matchers[0].Value != value {
			t.Fatalf("%q became %v", value, q.Matchers)
		}
	})
}

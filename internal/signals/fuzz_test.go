package signals

import (
	"testing"

	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// FuzzLabelValue takes any label value through queries and YAML: either PromQL of ours refuses the value, or
// the file can be loaded and means what it shows.
func FuzzLabelValue(f *testing.F) {
	for _, v := range []string{"checkout", `a"}`, "a\nb", "'", `\`, "#", "[7m]", "\xff", "é", "a: b"} {
		f.Add(v)
	}
	o, _ := slo.ParseObjective("99.9")
	f.Fuzz(func(t *testing.T, value string) {
		match := equal("job", value)
		if _, err := slo.ParseQuery(selector("up", match)); err != nil {
			return
		}
		live := NewLive(map[string][]string{"http_requests_total": {"job", "code"}, "process_open_fds": {"job"}, "process_max_fds": {"job"}})
		filled := Default().Lookup("go-http").Fill(match, live)
		p := Proposal{
			Service: "x" + cleanName(value), From: "go-http", Match: filled.Match, Notes: []string{value},
			Saturation: Default().Lookup("go-runtime").Fill(match, live).Saturation[:1],
			SLOs:       []SLO{{Name: "availability", Objective: o, SLI: filled.counts.events(), Why: []string{value}, Description: value + "x"}},
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

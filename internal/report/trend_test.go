package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/report"
)

// The medians of each week are those of its own incidents, and the arrows compare the last two.
func TestMediansHaveATrendOfEightWeeks(t *testing.T) {
	in := input(t, "2026-W47 UTC", outages("a/b", "2026-11-14T10:00Z", "2026-11-18T10:00Z", "2026-11-19T22:00Z"))
	for n, minutes := range []int{9, 4, 6} {
		i := in.Subjects[0].Incidents[n]
		in.Acts = append(in.Acts, done(alerting.Acknowledge, i.ID, "Ada", i.Detected.Add(time.Duration(minutes)*time.Minute), nil))
	}
	r := report.Build(in)
	if len(r.Trend) != report.Periods || r.Trend[7].Period != r.Period || r.Trend[6].Pages != 1 || r.Trend[7].Pages != 2 || r.Trend[0].Known || !r.Trend[3].Known {
		t.Fatalf("the trend is %+v", r.Trend)
	}
	if a, b := r.Trend[6].Ack, r.Trend[7].Ack; a.Value != 9*time.Minute || a.N != 1 || b.Value != 4*time.Minute || b.N != 2 {
		t.Errorf("medians to acknowledge: %+v, %+v", a, b)
	}
	if d := r.Trend[7].Detect; d.N != 2 || d.Value != 9*time.Minute {
		t.Errorf("detected in %+v", d)
	}
	for _, want := range []string{
		"| Pages | 2 (1 out of hours) | ▲ 1 | — · — · — · 0 · 0 · 0 · 1 · 2 |",
		"| MTTA | 4 min (n = 2) | ▼ 5 min | — · — · — · — · — · — · 9 min · 4 min |",
		"| MTTR | 20 min (n = 2) | ±0 |",
	} {
		if !strings.Contains(r.Markdown(), want) {
			t.Errorf("the report has no %q:\n%s", want, r.Markdown()[:1500])
		}
	}
	if got := r.Summary().Numbers; !strings.HasPrefix(got, "Pages 2 (1 out of hours) ▲ 1 · MTTD ") {
		t.Errorf("in one line: %s", got)
	}
}

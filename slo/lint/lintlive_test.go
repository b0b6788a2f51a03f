package lint_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// month returns four weeks of days with that many events, of which a share is bad; bad days replace
// some of them.
func month(events, share float64, others map[int]float64) (days []lint.Tally) {
	for i := range 28 {
		d := lint.Tally{End: time.Date(2026, 11, 1+i, 0, 0, 0, 0, time.UTC), Total: events, Bad: events * share}
		if other, ok := others[i]; ok {
			d.Bad = events * other
		}
		days = append(days, d)
	}
	return days
}

func TestLintOfWhatAServerSaw(t *testing.T) {
	all := map[int]float64{}
	for i := range 28 {
		all[i] = 0.01
	}
	oneGoodWeek := map[int]float64{7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 0, 13: 0}
	for i := range 28 {
		if _, ok := oneGoodWeek[i]; !ok {
			oneGoodWeek[i] = 0.01
		}
	}
	type types = map[string]lint.Type
	for _, c := range []struct {
		what, sli string
		seen      lint.Seen
		want      []string // lint: words
	}{
		{"nothing is known, so nothing is said", `{events: {total: x_total, bad: 'x_total{code="5"}'}}`, lint.Seen{}, nil},
		{"scrapes every 30 s are close enough", `{events: {total: x_total, bad: 'x_total{code="5"}'}}`, lint.Seen{Scrape: 30 * time.Second}, nil},
		{
			"a page's 5 m hold two scrapes of 2 m", `{events: {total: x_total, bad: 'x_total{code="5"}'}}`,
			lint.Seen{Scrape: 2 * time.Minute},
			[]string{"short-window: scraped every 2 min, so what happens is known up to 2 min later", "short-window: the short window 5 min holds fewer than 4 scrapes (every 2 min)|write short: 8m"},
		},
		{"a gauge that says so", `{events: {total: jobs, bad: 'jobs{x="1"}'}}`, lint.Seen{Types: types{"jobs": {Name: "gauge"}}}, []string{"gauge-counted: jobs is a gauge", "gauge-counted: jobs is a gauge"}},
		{"a gauge that is seen to fall", `{events: {total: x_total, bad: jobs}}`, lint.Seen{Types: types{"jobs": {Falls: 0.5}, "x_total": {}}}, []string{"gauge-counted: 50 % of the changes of jobs go down"}},
		{"a counter that was restarted", `{events: {total: x_total, bad: jobs}}`, lint.Seen{Types: types{"jobs": {Falls: 0.02}}}, nil},
		{"a counter is a counter, whatever it does", `{events: {total: x_total, bad: jobs}}`, lint.Seen{Types: types{"jobs": {Name: "counter", Falls: 0.5}}}, nil},
		{"a counter is no uptime", `{uptime: jobs}`, lint.Seen{Types: types{"jobs": {Name: "counter"}}}, []string{"counter-as-gauge: jobs is a counter"}},
		{"a busy service", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: month(10_000, 0, nil)}, nil},
		{"ten bad events are just enough", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: month(10_000.0/28, 0, nil)}, nil},
		{"nine are chance", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: month(9_000.0/28, 0, nil)}, []string{"too-little-traffic: about 9,000 events in 28 d allow only 9 bad ones at 99.9 %|write objective: 99.5"}},
		{"just not enough is not enough", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: month(9_996.0/28, 0, nil)}, []string{"too-little-traffic: allow only 9.9 bad ones at 99.9 %; fewer than 10 are chance"}},
		{"a hair below the objective", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: month(10_000_000, 0.0010004, nil)}, []string{"never-met: met 99.9 %: the best, up to 2026-11-07, had 99.899 % good"}},
		{"hardly anybody comes", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: month(1, 0, nil)}, []string{"too-little-traffic: allow only 0 bad ones|choose a longer window"}},
		{"three days are enough for an estimate", `{latency: {histogram: x, below: 1s}}`, lint.Seen{Days: month(100, 0, nil)[:3]}, []string{"too-little-traffic: about 2,800 events|99.5"}},
		{"minutes are no traffic", `{uptime: x}`, lint.Seen{Days: month(100, 0, nil)}, nil},
		{"met in the best week, and so not impossible", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: month(10_000, 0, oneGoodWeek)}, nil},
		{"never met", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: month(10_000, 0, all)}, []string{"never-met: no week of the last 28 days met 99.9 %: the best, up to 2026-11-07, had 99.000 % good|write objective: 99,"}},
		{"never met by minutes", `{uptime: x}`, lint.Seen{Days: month(1440, 0.2, nil)}, []string{"never-met: had 80.000 % good|promise less"}},
		{"six days are no week", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: month(10_000, 0.01, nil)[:6]}, nil},
		{"days are missing", `{events: {total: x_total, bad: y_total}}`, lint.Seen{Days: append(month(10_000, 0.01, nil)[:3], month(10_000, 0.01, nil)[20:]...)}, []string{"never-met: up to 2026-11-21"}},
		{"almost all is bad", `{events: {total: x_total, good: y_total}}`, lint.Seen{Days: month(10_000, 0.999, nil)}, []string{"good-bad-swapped: only 0.100 % of the events were good"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			set, err := file.Load([]file.File{{Name: "a.yaml", Data: []byte("version: slowburn/v1\nservice: a\nslos:\n  - name: b\n    objective: 99.9\n    sli: " + c.sli + "\n    alerts:\n      page: [{budget: 2%, long: 1h, short: 5m}]\n      ticket: off\n")}})
			if err != nil {
				t.Fatal(err)
			}
			got := lint.Live(set.Lookup("a/b"), c.seen)
			if len(got) != len(c.want) {
				t.Fatalf("got %v", got)
			}
			for i, p := range got {
				id, rest, _ := strings.Cut(c.want[i], ": ")
				message, hint, _ := strings.Cut(rest, "|")
				if p.ID != id || !strings.Contains(p.Message, message) || !strings.Contains(p.Hint, hint) || p.Line == 0 || p.Column == 0 || !strings.HasPrefix(p.Message, "a/b: ") {
					t.Errorf("got %+v, want %q", p, c.want[i])
				}
			}
		})
	}
}

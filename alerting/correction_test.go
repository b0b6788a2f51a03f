package alerting

import (
	"strconv"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

func TestWhatHappensInAMaintenance(t *testing.T) {
	good, down, gone := budget.Count(0, rate*budget.Unit), budget.Count(rate*budget.Unit, rate*budget.Unit), budget.Slot{State: budget.Absent}
	type stretch struct {
		minutes budget.Minute
		slot    budget.Slot
	}
	// Each life begins with a good day; the maintenance begins an hour after it and lasts for an
	// hour, or for seven.
	for _, c := range []struct {
		name string
		cap  int64 // in basis points of the window
		life []stretch
		want string // kind@minute of every event, counted from the good day's end
	}{
		{"an outage inside of it is nobody's business", 10000, []stretch{{60, good}, {60, down}, {60, good}}, ""},
		{"without a cap to spare, the same outage pages", 1, []stretch{{60, good}, {60, down}, {60, good}}, "opened@64 resolved@149"},
		{"an outage that outlasts it pages as any other", 10000, []stretch{{60, good}, {80, down}, {60, good}}, "opened@120 resolved@169"},
		{"what is open stays open, and closes on good minutes after it", 10000, []stretch{{50, good}, {20, down}, {100, good}}, "opened@50 resolved@149"},
		{"missing data are not missed in it", 10000, []stretch{{60, good}, {60, gone}, {60, good}}, ""},
		{"and are counted anew after it", 10000, []stretch{{60, good}, {90, gone}, {60, good}}, "opened@129 resolved@150"},
		{"one of seven hours hides what is open from every window; a silent minute after it proves nothing", 10000, []stretch{{50, good}, {10, down}, {420, good}, {3, budget.Count(0, 0)}, {60, good}}, "opened@50 resolved@509"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := fullSpec(t)
			spec.Alerts.Ticket, spec.Alerts.Spent = nil, nil
			l := &budget.Ledger{}
			at := start
			for _, s := range append([]stretch{{1440, good}}, c.life...) {
				for end := at + s.minutes; at < end; at++ {
					l.Put(at, s.slot)
				}
			}
			base := start + 1440
			end := base + 120
			if strings.HasPrefix(c.name, "one of seven hours") {
				end = base + 480
			}
			upgrade := &slo.Correction{
				Name: "upgrade", Kind: slo.Maintenance, Cap: c.cap,
				Spans: []slo.Span{{From: (base + 60).Time(), To: end.Time()}},
			}
			l.Excuse(budget.NewExcuses([]*slo.Correction{upgrade}, spec.Window()))
			in := Input{ID: spec.ID(), Spec: spec, Ledger: l}
			_, events := Advance(in, State{Through: start}, l.End())
			var got []string
			for _, e := range events {
				if e.Kind != Updated {
					got = append(got, string(e.Kind)+"@"+strconv.Itoa(int(e.At-base)))
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
}

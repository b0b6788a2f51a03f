package compare

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

func TestTheReasonIsNamed(t *testing.T) {
	for _, c := range []struct {
		says  string
		tool  Tool
		build func(w *world)
		want  Cause // "" for no reason at all
		says2 string
	}{
		{"even traffic and the same promise agree", Sloth, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0, always(5), "500")
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, "", ""},
		{"an outage of the night weighs too much in a mean of ratios", Sloth, func(w *world) {
			w.counter(t0, day, "200")
			w.counter(t0, func(m int) float64 { return between(1380, 1440, 1, 0)(m) * day(m) }, "500")
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, Averages, "weighs five minutes with"},
		{"an idle hour makes everything NaN", Sloth, func(w *world) {
			w.counter(t0, between(600, 660, 0, 100), "200")
			w.counter(t0, between(600, 660, 0, 1), "500")
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, Holes, "0/0"},
		{"without an error series there is no ratio, and the good hours are missing", Sloth, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0.Add(20*time.Hour), always(20), "500")
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, Holes, "without a recorded ratio"},
		{"a pod that fails once, with its first count, was never seen to fail", Sloth, func(w *world) {
			w.counter(t0, always(100), "200")
			w.counter(t0, always(0), "500", "pod", "old")
			for h := range 20 {
				w.counter(t0.Add(time.Duration(h+2)*time.Hour), between(60*(h+2), 60*(h+2)+1, 60, 0), "500", "pod", time.Duration(h).String())
			}
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, Births, "no increase"},
		{"rules that were loaded yesterday evening", Sloth, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0, between(120, 240, 200, 1), "500")
			w.sloth("0.99", "1", t0.Add(12*time.Hour))
		}, History, "have recorded since 2026-11-02 12:00"},
		{"their objective is another", Sloth, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0, always(5), "500")
			w.sloth("0.995", "1", t0.Add(10*time.Minute))
		}, ObjectiveDiffers, "they promise 99.5 %"},
		{"the first error of a code, as a count over the day", Pyrra, func(w *world) {
			w.counter(t0, always(100), "200")
			w.counter(t0.Add(10*time.Hour), between(600, 601, 900, 0), "500")
			w.pyrra("0.99", "1d")
		}, Births, "does not see the first sample"},
		{"the same promise by Pyrra", Pyrra, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0, always(5), "500")
			w.pyrra("0.99", "1d")
		}, "", ""},
		{"another objective by Pyrra", Pyrra, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0, always(5), "500")
			w.pyrra("0.999", "1d")
		}, ObjectiveDiffers, "they promise 99.9 %"},
	} {
		t.Run(c.says, func(t *testing.T) {
			w := newWorld(t)
			c.build(w)
			s := spec(t, 1)
			b := Budgets(w.ours(s), w.theirs(c.tool, s))
			checkSum(t, b)
			switch {
			case c.want == "":
				if b.Difference == nil || math.Abs(*b.Difference) > 0.01 {
					t.Errorf("%s", show(b))
				}
			case len(b.Reasons) == 0 || b.Reasons[0].Cause != c.want || !strings.Contains(b.Reasons[0].Text, c.says2):
				t.Errorf("want %s (%s) first:\n%s", c.want, c.says2, show(b))
			}
		})
	}
}

// checkSum wants the parts to add up to the difference.
func checkSum(t *testing.T, b Budget) {
	t.Helper()
	if b.Difference == nil {
		return
	}
	sum := 0.0
	for _, r := range b.Reasons {
		sum += r.Part
	}
	if math.Abs(sum-*b.Difference) > 8*leastPart {
		t.Errorf("the parts add up to %g, the difference is %g\n%s", sum, *b.Difference, show(b))
	}
}

func show(b Budget) string {
	var out strings.Builder
	figure := func(v *float64) string {
		if v == nil {
			return "unknown"
		}
		return formatFloat(*v)
	}
	out.WriteString("ours " + figure(b.Ours) + ", theirs " + figure(b.Theirs) + "\n")
	for _, r := range b.Reasons {
		out.WriteString(formatFloat(r.Part) + " " + string(r.Cause) + ": " + r.Text + "\n")
	}
	return out.String()
}

func TestAnotherWindowIsNamed(t *testing.T) {
	w := newWorld(t)
	w.counter(t0, always(1000), "200")
	w.counter(t0, between(0, 50, 500, 0), "500") // only in the first hour, which a day no longer holds
	w.sloth("0.99", "1", t0.Add(10*time.Minute))
	s := spec(t, 7)
	b := Budgets(w.ours(s), w.theirs(Sloth, s))
	checkSum(t, b)
	if len(b.Reasons) == 0 || b.Reasons[0].Cause != WindowDiffers || !strings.Contains(b.Reasons[0].Text, "their window is 1 d, here it is 7 d") {
		t.Error(show(b))
	}
}

func TestWhatTheDaemonShowsIsOurs(t *testing.T) {
	w := newWorld(t)
	w.counter(t0, always(1000), "200")
	w.counter(t0, always(5), "500")
	w.sloth("0.99", "1", t0.Add(10*time.Minute))
	s := spec(t, 1)
	o, shown := w.ours(s), 0.25
	o.Remaining = &shown
	b := Budgets(o, w.theirs(Sloth, s))
	checkSum(t, b)
	if *b.Ours != 0.25 || len(b.Reasons) == 0 || b.Reasons[0].Cause != Running {
		t.Error(show(b))
	}
}

func TestAGapInWhatTheyRecordedIsAHole(t *testing.T) {
	w := newWorld(t)
	w.counter(t0, always(1000), "200")
	w.counter(t0, between(720, 780, 300, 1), "500")
	w.sloth("0.99", "1", t0.Add(10*time.Minute))
	s := spec(t, 1)
	theirs := w.theirs(Sloth, s)
	var kept []Point
	sum := 0.0
	for _, p := range theirs.Ratios {
		if p.At.Before(t0.Add(12*time.Hour)) || p.At.After(t0.Add(13*time.Hour+10*time.Minute)) {
			kept, sum = append(kept, p), sum+p.Value
		}
	}
	remaining := 1 - sum/float64(len(kept))/0.01
	theirs.Ratios, theirs.Remaining = kept, &remaining
	b := Budgets(w.ours(s), theirs)
	checkSum(t, b)
	if len(b.Reasons) == 0 || b.Reasons[0].Cause != Holes {
		t.Error(show(b))
	}
}

func TestNothingRecordedIsSaid(t *testing.T) {
	w := newWorld(t)
	for _, tool := range []Tool{Sloth, Pyrra} {
		s := spec(t, 1)
		if _, err := Read(context.Background(), w.api, tool, s, s.ID(), end); !errors.Is(err, ErrNothing) {
			t.Errorf("%s: %v", tool, err)
		}
	}
}

func TestAGroupIsComparedWithItsOwnSeries(t *testing.T) {
	w := newWorld(t)
	for route, v := range map[string]float64{"/pay": 0.25, "/cart": 0.75} {
		_ = w.db.Append(labels.FromStrings("__name__", "slo:period_error_budget_remaining:ratio", "sloth_service", "checkout", "sloth_slo", "availability", "route", route), end.UnixMilli(), v)
	}
	s := spec(t, 1, "route")
	got, err := Read(context.Background(), w.api, Sloth, s, `checkout/availability{route="/pay"}`, end)
	if err != nil || *got.Remaining != 0.25 {
		t.Errorf("%v %v", got.Remaining, err)
	}
}

// fires makes an alert of theirs fire for some minutes of the world.
func (w *world) fires(from, to int, pairs ...string) {
	for m := from; m < to; m++ {
		_ = w.db.Append(labels.FromStrings(append([]string{"__name__", "ALERTS", "alertstate", "firing", "alertname", "Burn"}, pairs...)...), t0.Add(time.Duration(m)*time.Minute).UnixMilli(), 1)
	}
	_ = w.db.MarkStale(labels.FromStrings(append([]string{"__name__", "ALERTS", "alertstate", "firing", "alertname", "Burn"}, pairs...)...), t0.Add(time.Duration(to)*time.Minute).UnixMilli())
}

func (w *world) slothFires(from, to int, severity string) {
	w.fires(from, to, "sloth_service", "checkout", "sloth_slo", "availability", "sloth_severity", severity)
}

func TestWhyOnlyOneAlerted(t *testing.T) {
	for _, c := range []struct {
		says     string
		tool     Tool
		build    func(w *world)
		severity alerting.Severity
		want     Cause
	}{
		{"both page for an outage", Sloth, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0, between(720, 780, 500, 1), "500")
			w.slothFires(735, 783, "page")
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, alerting.Page, Agreed},
		{"two failures of a quiet night page them and not us", Sloth, func(w *world) {
			w.counter(t0, func(m int) float64 { return float64(1 - min(1, m%20)) }, "200")
			w.counter(t0, func(m int) float64 { return between(720, 721, 1, 0)(m) }, "500")
			w.slothFires(721, 726, "page")
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, alerting.Page, LowTraffic},
		{"an alert for which the events give no burn", Sloth, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0, always(1), "500")
			w.slothFires(721, 726, "page")
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, alerting.Page, Figures},
		{"their ticket beside our page", Sloth, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0, between(720, 900, 800, 1), "500")
			w.slothFires(760, 880, "ticket")
			w.slothFires(735, 905, "page")
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, alerting.Ticket, Tier},
		{"errors of series that were born with them", Sloth, func(w *world) {
			w.counter(t0, always(100), "200")
			w.counter(t0, always(0), "500", "pod", "old")
			for m := 720; m < 780; m++ {
				w.counter(t0.Add(time.Duration(m)*time.Minute), between(m, m+1, 60, 0), "500", "pod", time.Duration(m).String())
			}
			w.sloth("0.99", "1", t0.Add(10*time.Minute))
		}, alerting.Page, Births},
		{"their page waits for two minutes of a short outage", Pyrra, func(w *world) {
			w.counter(t0, always(1000), "200")
			w.counter(t0, between(720, 780, 500, 1), "500")
			w.fires(722, 782, "slo", "availability", "severity", "critical", "exhaustion", "2d")
			w.pyrra("0.99", "1d")
		}, alerting.Page, Agreed},
	} {
		t.Run(c.says, func(t *testing.T) {
			w := newWorld(t)
			c.build(w)
			s := spec(t, 1)
			s.Windows[0].Rolling = 30 * slo.Day // for the alerts' thresholds
			theirs := w.theirs(c.tool, s)
			got := Alerts(w.ours(s), theirs)
			for _, d := range got {
				if d.Severity == c.severity {
					if d.Cause != c.want || d.Text == "" {
						t.Errorf("got %s: %s, want %s", d.Cause, d.Text, c.want)
					}
					return
				}
			}
			t.Errorf("no difference about a %s: %+v", c.severity, got)
		})
	}
}

func TestAnOutageShorterThanTheirForIsNamed(t *testing.T) {
	s := spec(t, 1)
	s.Windows[0].Rolling = 28 * slo.Day
	cause, _ := onlyOurs(Ours{Spec: s, Ledger: nil}, Theirs{Tool: Pyrra}, Alert{Severity: alerting.Page, Span: Span{From: t0, To: t0.Add(time.Minute)}}, nil)
	if cause != Wait {
		t.Errorf("got %s", cause)
	}
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

func TestWithoutTheirRatiosNoMoreIsSaid(t *testing.T) {
	w := newWorld(t)
	w.counter(t0, always(1000), "200")
	w.counter(t0, always(5), "500")
	s, remaining := spec(t, 1), 0.9
	b := Budgets(w.ours(s), Theirs{Tool: Sloth, Remaining: &remaining})
	checkSum(t, b)
	if len(b.Reasons) != 1 || b.Reasons[0].Cause != Recorded {
		t.Error(show(b))
	}
}

func TestALedgerWithoutEventsHasNoFigure(t *testing.T) {
	s, remaining := spec(t, 1), 0.9
	b := Budgets(Ours{Spec: s, Ledger: &budget.Ledger{}, At: budget.MinuteOf(end)}, Theirs{Tool: Sloth, Remaining: &remaining})
	if b.Ours != nil || b.Difference != nil || *b.Theirs != 0.9 || b.Reasons != nil {
		t.Error(show(b))
	}
}

func TestATicketThatBecameAPageIsItsBeginning(t *testing.T) {
	at := func(m int) time.Time { return t0.Add(time.Duration(m) * time.Minute) }
	o := Ours{Spec: spec(t, 30), Ledger: &budget.Ledger{}, At: budget.MinuteOf(end), Incidents: []alerting.Incident{
		{Rule: alerting.RuleTicket, Severity: alerting.Page, Detected: at(10), Escalated: at(12), Resolved: at(60)},
	}}
	got := Alerts(o, Theirs{Tool: Sloth, Alerts: []Alert{{Severity: alerting.Page, Span: Span{From: at(15), To: at(58)}}}})
	if len(got) != 2 || got[0].Cause != Tier || got[1].Cause != Agreed || got[1].Later != -180 {
		t.Errorf("%+v", got)
	}
}

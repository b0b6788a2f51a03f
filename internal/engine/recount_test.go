package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// raw is what a person finds who reads the samples themselves: how many events each counter gained
// in each minute, in whole events.
type raw struct{ bad, total map[int64]int64 } // by minutes since 1970

// recount reads every sample of the counters and knows nothing of ledgers, windows and rules.
func recount(t *testing.T, w *world, job string) raw {
	t.Helper()
	out := raw{map[int64]int64{}, map[int64]int64{}}
	q, err := w.db.Querier(0, math.MaxInt64/2)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "requests_total"), labels.MustNewMatcher(labels.MatchEqual, "job", job))
	for set.Next() {
		code, last := set.At().Labels().Get("code"), -1.0
		for it := set.At().Iterator(nil); it.Next() == chunkenc.ValFloat; {
			ms, v := it.At()
			if gained := int64(v - last); last >= 0 {
				out.total[ms/60000] += gained
				if code == "500" {
					out.bad[ms/60000] += gained
				}
			}
			last = v
		}
	}
	for m := range out.total { // what was before slowburn looked for the first time
		if m <= t0.Unix()/60 {
			delete(out.total, m)
			delete(out.bad, m)
		}
	}
	return out
}

// sum counts the minutes of [from, to).
func (r raw) sum(from, to time.Time) (bad, total int64) {
	for m := from.Unix() / 60; m < to.Unix()/60; m++ {
		bad, total = bad+r.bad[m], total+r.total[m]
	}
	return bad, total
}

// burns reports whether a minute burned above what 99 % allow.
func (r raw) burns(m time.Time) bool {
	bad, total := r.sum(m, m.Add(time.Minute))
	return 100*bad > total
}

// above reports whether the burn over [to-d, to) is above the threshold of the promise: half a
// percent of four weeks in ten minutes.
func (r raw) above(to time.Time, d time.Duration) bool {
	bad, total := r.sum(to.Add(-d), to)
	return total > 0 && float64(bad)/float64(total)/0.01 >= 0.005*28*24*6
}

// allowed is what 99 % allow of the four weeks before a time, which begin at a whole hour, if all
// of them had had the traffic that there was since the ledger began.
func (r raw) allowed(began, at time.Time) int64 {
	_, total := r.sum(began, at)
	window := at.Sub(at.Add(-28 * slo.Day).Truncate(time.Hour))
	scaled := new(big.Int).Mul(big.NewInt(total*budget.Unit), big.NewInt(int64(window/time.Minute)))
	scaled.Div(scaled, big.NewInt(int64(at.Sub(began)/time.Minute)))
	return scaled.Div(scaled, big.NewInt(100)).Int64()
}

// aWeek is a world with two incidents of the shop's, one of which is short, and with background
// noise.
func aWeek(t *testing.T) *world {
	return oneService(t, func(m budget.Minute) (int, int) {
		at := int(m - budget.MinuteOf(t0))
		switch {
		case at >= 95 && at < 118:
			return 60, 30 + at%7
		case at >= 200 && at < 205:
			return 20, 80
		case at%40 == 0:
			return 97, 1
		}
		return 90 + at%11, 0
	})
}

// same compares figures by name.
func same(t *testing.T, all map[string][2]any) {
	t.Helper()
	for name, f := range all {
		if f[0] != f[1] {
			t.Errorf("%s: %v is told, the samples say %v", name, f[0], f[1])
		}
	}
}

// Every figure of a draft is what the samples say, counted again by simple means.
func TestFiguresOfADraftAreThoseOfTheSamples(t *testing.T) {
	w := aWeek(t)
	for n, minutes := range []int{120, 90} {
		w.steps(minutes)
		r := recount(t, w, "shop")
		if len(w.burns()) != n+1 || w.burns()[n].Open {
			t.Fatalf("incidents: %+v", w.burns())
		}
		i := w.burns()[n]
		var d postmortem.Document
		began := w.began()
		w.engine.Snapshot().WithLedger("shop/availability", func(spec *slo.Spec, l *budget.Ledger) {
			d = postmortem.Draft(postmortem.Facts{Incident: i, Spec: spec, Ledger: l})
		})
		// When it began and ended, and when it could be known.
		onset := i.Onset
		if !r.burns(onset) || r.burns(onset.Add(-time.Minute)) {
			t.Errorf("the onset %v is not the first bad minute", onset)
		}
		detected := onset
		for !r.above(detected, 10*time.Minute) || !r.above(detected, 2*time.Minute) {
			detected = detected.Add(time.Minute)
		}
		ended := detected
		for r.burns(ended) {
			ended = ended.Add(time.Minute)
		}
		to := i.Resolved
		bad, total := r.sum(onset, to)
		badMinutes, peak := 0, 0.0
		for m := onset; m.Before(to); m = m.Add(time.Minute) {
			if r.bad[m.Unix()/60] > 0 {
				badMinutes++
			}
			if b, n := r.sum(m.Add(-time.Minute), m.Add(time.Minute)); n > 0 && !m.Add(time.Minute).Before(detected) {
				peak = max(peak, float64(b)/float64(n)/0.01)
			}
		}
		spentBefore, _ := r.sum(began, onset)
		spentAfter, _ := r.sum(began, to)
		fourWeeks := r.allowed(began, to)
		told, _ := i.PeakBurn(d.Facts.Spec.Objective)
		same(t, map[string][2]any{
			"detected": {d.Times.Detected, detected}, "ended": {d.Times.Ended, ended},
			"time to detect": {d.Times.ToDetect, detected.Sub(onset)}, "time to resolve": {d.Times.ToResolve, ended.Sub(onset)},
			"bad": {d.Impact.Bad, bad * budget.Unit}, "total": {d.Impact.Total, total * budget.Unit}, "bad minutes": {d.Impact.BadMinutes, badMinutes},
			"before":          {*d.Impact.Before, accountOf(r, began, onset, spentBefore)},
			"after":           {*d.Impact.After, accountOf(r, began, to, spentAfter)},
			"four weeks":      {d.Verdict.Budget.Allowed, fourWeeks},
			"required":        {d.Verdict.Required, bad*budget.Unit*5 > fourWeeks},
			"peak":            {fmt.Sprintf("%.6f", told), fmt.Sprintf("%.6f", peak)},
			"of all, written": {strings.Contains(d.Summary, figures.Events(bad*budget.Unit)+" of "+figures.Events(total*budget.Unit)+" events went bad: "), true},
			"the share":       {strings.Contains(d.Summary, "That is "+figures.Share(bad, total)+" of the events"), true},
			"of the budget":   {strings.Contains(d.Summary, "about "+figures.Cost(bad*budget.Unit, r.allowed(began, to))+" of the whole budget"), true},
		})
		for _, k := range d.Profile {
			if b, n := r.sum(k.From, k.To); k.Known() && k.Sum.Known == k.Minutes && (k.Sum.Bad != b*budget.Unit || k.Sum.Total != n*budget.Unit) {
				t.Errorf("from %v: %+v, the samples say %d of %d", k.From, k.Sum, b, n)
			}
		}
		checkQueries(t, w, d.Queries, onset, to, bad, total)
	}
}

func accountOf(r raw, began, at time.Time, spent int64) alerting.Account {
	_, total := r.sum(began, at)
	return alerting.Account{Bad: spent * budget.Unit, Total: total * budget.Unit, Allowed: r.allowed(began, at), Projected: true}
}

// checkQueries asks Prometheus what the draft says one may ask it. It extrapolates, so it is near
// and not the same.
func checkQueries(t *testing.T, w *world, all []postmortem.Query, from, to time.Time, bad, total int64) {
	t.Helper()
	want := []float64{float64(bad), float64(total), float64(bad) / float64(total)}
	for n, q := range all {
		got, err := w.client.Vector(context.Background(), q.Text, q.At)
		if err != nil || len(got) != 1 || math.Abs(got[0].Value/want[n]-1) > 0.05 || !q.From.Equal(from) || !q.At.Equal(to) {
			t.Errorf("%s over [%v, %v): %v, %v; the samples say %v", q.What, q.From, q.At, got, err, want[n])
		}
	}
}

// reported is what this test reads of a report.
type reported struct {
	SLOs []struct {
		Query    string
		From, To time.Time
		SLI      float64
		Budget   struct{ Bad, Total, Allowed float64 }
		Period   struct {
			Known      int
			Bad, Total float64
		}
		WorstWindows []struct {
			Length string
			From   *time.Time
			SLI    *float64
		}
	}
	Burners   []struct{ Bad, Attributed, Unattributed, Spent float64 }
	Incidents []struct {
		Onset, Detected, Ended, Resolved                   time.Time
		TimeToDetectSeconds, TimeToResolveSeconds          float64
		Bad, BadInPeriod, BudgetSpent, FourWeekBudgetSpent float64
	}
}

// Every figure of a report is what the samples say, also of a week that is not over yet.
func TestFiguresOfAReportAreThoseOfTheSamples(t *testing.T) {
	w := aWeek(t)
	w.steps(260)
	r, began := recount(t, w, "shop"), w.began()
	kept, ok, err := w.engine.MakeReport(context.Background(), "weekly", report.PeriodOf(slo.Week, t0), w.now())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	var out reported
	if err := json.Unmarshal(kept.Data, &out); err != nil {
		t.Fatal(err)
	}
	row, burner := out.SLOs[0], out.Burners[0]
	bad, total := r.sum(began, row.To)
	allowed := r.allowed(began, row.To)
	spent := float64(bad*budget.Unit) / float64(allowed)
	attributed, minutes := 0.0, 0
	for m := began; m.Before(row.To); m = m.Add(time.Minute) {
		if r.total[m.Unix()/60] > 0 {
			minutes++
		}
	}
	for _, i := range out.Incidents {
		bad, _ := r.sum(i.Onset, i.Resolved)
		attributed += float64(bad)
		same(t, map[string][2]any{
			"bad of an incident": {i.Bad, float64(bad)}, "and of it in the period": {i.BadInPeriod, float64(bad)},
			"its time to detect":      {i.TimeToDetectSeconds, i.Detected.Sub(i.Onset).Seconds()},
			"its time to resolve":     {i.TimeToResolveSeconds, i.Ended.Sub(i.Onset).Seconds()},
			"its share of the budget": {round(i.BudgetSpent), round(float64(bad*budget.Unit) / float64(r.allowed(began, i.Resolved)))},
			"its share of four weeks": {round(i.FourWeekBudgetSpent), round(float64(bad*budget.Unit) / float64(r.allowed(began, i.Resolved)))},
		})
	}
	same(t, map[string][2]any{
		"where it ends": {row.To, w.now().Truncate(time.Minute)},
		"bad":           {row.Budget.Bad, float64(bad)}, "total": {row.Budget.Total, float64(total)}, "allowed": {row.Budget.Allowed, float64(allowed) / budget.Unit},
		"SLI":              {round(row.SLI), round(100 * float64(total-bad) / float64(total))},
		"bad in the week":  {row.Period.Bad, float64(bad)},
		"all in the week":  {row.Period.Total, float64(total)},
		"minutes":          {row.Period.Known, minutes},
		"bad of the week":  {burner.Bad, float64(bad)},
		"attributed":       {burner.Attributed, attributed},
		"unattributed":     {burner.Unattributed, float64(bad) - attributed},
		"spent in a week":  {round(burner.Spent), round(spent)},
		"incidents":        {len(out.Incidents), 2},
		"windows searched": {len(row.WorstWindows) > 1, true},
	})
	for _, x := range row.WorstWindows[:2] {
		length, _ := time.ParseDuration(x.Length)
		worst := 1.0
		for m := began.Truncate(time.Hour); !m.Add(length).After(row.To); m = m.Add(length.Truncate(time.Hour) + map[bool]time.Duration{true: 5 * time.Minute}[length < time.Hour]) {
			if b, n := r.sum(m, m.Add(length)); n > 0 { // of what was an hour or more, whole hours are known for long
				worst = min(worst, float64(n-b)/float64(n))
			}
		}
		b, n := r.sum(x.From.UTC(), x.From.Add(length))
		if told := *x.SLI / 100; round(told) != round(float64(n-b)/float64(n)) || told > worst+1e-9 {
			t.Errorf("the worst %s: %v is told, the samples say %v, and %v of it", x.Length, told, worst, float64(n-b)/float64(n))
		}
	}
	got, err2 := w.client.Vector(context.Background(), row.Query, row.To)
	if err2 != nil || len(got) != 1 || math.Abs(got[0].Value/(float64(bad)/float64(total))-1) > 0.05 {
		t.Errorf("%s: %v, %v; the samples say %v", row.Query, got, err2, float64(bad)/float64(total))
	}
}

func round(f float64) string { return fmt.Sprintf("%.9f", f) }

// began is the first minute that the ledger has data of.
func (w *world) began() (at time.Time) {
	w.engine.Snapshot().WithLedger("shop/availability", func(_ *slo.Spec, l *budget.Ledger) { at = l.Begin().Time() })
	return at
}

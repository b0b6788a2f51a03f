package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/goldentest"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/report/lives"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// input is a period with lives whose alerts are played.
func input(t testing.TB, periodText, text string) report.Input {
	t.Helper()
	all, err := lives.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return of(t, periodText, all)
}

// quiet is a period with lives whose alerts are not played.
func quiet(t testing.TB, periodText, text string) report.Input {
	t.Helper()
	all, err := lives.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return of(t, periodText, all)
}

func of(t testing.TB, periodText string, all []lives.Life) report.Input {
	t.Helper()
	fields := strings.Fields(periodText)
	p, err := report.ParsePeriod(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	in := report.Input{Name: "weekly", Period: p, Zone: zone}
	for _, l := range all {
		in.Subjects = append(in.Subjects, report.Subject{ID: l.ID, Spec: l.Spec, Ledger: l.Ledger, Incidents: l.Incidents})
	}
	return in
}

// The goldens: a period and lives become Markdown, JSON and the parts of a message, the same ones
// in any order.
func TestGoldens(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			given := map[string]string{}
			var kept []txtar.File
			for _, f := range archive.Files {
				given[f.Name] = string(f.Data)
				if f.Name == "period" || f.Name == "lives" {
					kept = append(kept, f)
				}
			}
			in := input(t, given["period"], given["lives"])
			in.Previous = report.Link{Text: in.Period.Prev().String(), URL: "https://slowburn.example/reports/weekly/" + in.Period.Prev().String()}
			r := report.Build(in)
			archive.Files = append(kept, txtar.File{Name: "markdown", Data: []byte(r.Markdown())},
				txtar.File{Name: "summary", Data: summaryText(r.Summary())})
			if _, ok := given["json"]; ok {
				archive.Files = append(archive.Files, txtar.File{Name: "json", Data: api.ReportJSON(r)})
			}
			checkOrder(t, in)
			goldentest.Check(t, file, txtar.Format(archive))
		})
	}
}

func summaryText(s report.Summary) []byte {
	var b strings.Builder
	b.WriteString(s.Key + "\n" + s.Title + "\n" + s.Verdict + "\n" + s.Span + "\n" + strings.Join(s.Columns, " | ") + "\n")
	for _, r := range s.Rows {
		b.WriteString(strings.Join(r, " | ") + "\n")
	}
	b.WriteString(s.More + "\n")
	for _, d := range s.Details {
		b.WriteString("* " + d.Title + "\n")
	}
	return []byte(b.String())
}

// random makes a budget with a random past, and plays its alerts. The same seed makes the same one.
func random(seed uint64) report.Subject {
	rng := rand.New(rand.NewPCG(seed, 0))
	spec, _ := lives.Spec("a/b", []string{"99", "99.9", "99.99"}[rng.IntN(3)], slo.Window{Rolling: 7 * slo.Day})
	l := new(budget.Ledger)
	traffic := rng.Int64N(400) + 1
	for m := randomFrom; m < randomTo; {
		length := budget.Minute(rng.IntN(600) + 1)
		failing := []float64{0, 0, 0.0005, 0.003, 0.2, 1}[rng.IntN(6)]
		absent := rng.IntN(12) == 0
		for end := min(m+length, randomTo); m < end; m++ {
			total := rng.Int64N(2*traffic) * budget.Unit
			s := budget.Count(int64(failing*rng.Float64()*2*float64(total)), total)
			if absent {
				s = budget.Slot{State: budget.Absent}
			}
			l.Put(m, s)
		}
	}
	_, events := alerting.Advance(alerting.Input{ID: "a/b", Spec: spec, Ledger: l}, alerting.State{Through: randomFrom}, randomTo)
	return report.Subject{ID: "a/b", Spec: spec, Ledger: l, Incidents: alerting.Fold(nil, events)}
}

// overRandomLives runs a test over a number of random lives, side by side.
func overRandomLives(t *testing.T, law func(*testing.T, report.Subject)) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			law(t, random(seed))
		})
	}
}

var (
	randomPeriod = report.Period{Kind: slo.Week, Year: 2026, Number: 47}
	randomFrom   = budget.MinuteOf(time.Date(2026, 11, 14, 0, 0, 0, 0, time.UTC))
	randomTo     = budget.MinuteOf(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
)

// Law: bad events of a period = those of its incidents + the unattributed rest; neither is
// negative; the incidents' parts add up to the attributed ones; what they get over all periods is
// no more than they had; an incident alone within the period gets all it had; and thinning the
// ledger changes nothing.
func TestIncidentsAndTheRestAreTheTotal(t *testing.T) {
	overRandomLives(t, func(rt *testing.T, s report.Subject) {
		r := buildOne(s, randomPeriod)
		total := int64(0)
		s.Ledger.Each(budget.MinuteOf(r.From), budget.MinuteOf(r.To), func(_ budget.Minute, slot budget.Slot) bool {
			total += slot.Bad
			return true
		})
		attributed := int64(0)
		for _, i := range r.Incidents {
			attributed += i.InPeriod
		}
		for _, b := range r.Burners {
			if b.Bad != total || b.Attributed+b.Unattributed != total || b.Unattributed < 0 || b.Attributed < 0 || b.Attributed != attributed {
				rt.Fatalf("of %d bad: %+v, incidents %d", total, b, attributed)
			}
		}
		if (len(r.Burners) == 0) != (total == 0) {
			rt.Fatalf("%d bad and %d burners", total, len(r.Burners))
		}
		inAll := map[string]int64{}
		for _, p := range []report.Period{randomPeriod.Prev(), randomPeriod, randomPeriod.Next()} {
			for _, i := range buildOne(s, p).Incidents {
				inAll[i.ID] += i.InPeriod
			}
		}
		checkShares(rt, s.Incidents, r, inAll)
		s.Ledger.Thin(randomTo)
		if diff := cmp.Diff(r.Burners, buildOne(s, randomPeriod).Burners); diff != "" {
			rt.Fatalf("thinning changed the account:\n%s", diff)
		}
	})
}

// The same law when people have declared incidents of the same time, reaching into those of the
// rules and into each other, and have merged some.
func TestWhatPeopleDeclareAndMergeIsCountedOnce(t *testing.T) {
	overRandomLives(t, func(rt *testing.T, s report.Subject) {
		in := alerting.Input{ID: s.ID, Spec: s.Spec, Ledger: s.Ledger}
		for n, hours := range []time.Duration{50, 53, 120} {
			at := randomFrom.Time().Add(hours*time.Hour + 17*time.Minute)
			act := alerting.Act{Key: fmt.Sprint(n), Kind: alerting.Declare, At: at, Since: at.Add(-7 * time.Hour), SLO: s.ID, Level: alerting.Page, Text: "x"}
			i := alerting.Declared(act, in, s.Ledger.End())
			i = i.Apply(i.ByPerson(alerting.Resolved, alerting.Page, at.Add(9*time.Hour), in, s.Ledger.End()))
			if len(s.Incidents) > 0 {
				i = i.Take(alerting.Act{Key: "m", Kind: alerting.Merge, Incident: i.ID, Other: s.Incidents[0].ID})
				i.Group = s.Incidents[0].ID
			}
			s.Incidents = append(s.Incidents, i)
		}
		r := buildOne(s, randomPeriod)
		attributed := int64(0)
		for _, i := range r.Incidents {
			if attributed += i.InPeriod; i.InPeriod < 0 || i.InPeriod > i.Verdict.Bad {
				rt.Fatalf("%s was given %d of %d", i.ID, i.InPeriod, i.Verdict.Bad)
			}
		}
		for _, b := range r.Burners {
			if b.Attributed != attributed || b.Attributed+b.Unattributed != b.Bad || b.Unattributed < 0 {
				rt.Fatalf("%+v, incidents %d", b, attributed)
			}
		}
	})
}

// A ledger that holds less than an incident once told, as after a correction, still adds up.
func TestAccountAddsUpWhenTheLedgerWasCorrected(t *testing.T) {
	in := input(t, "2026-W47 UTC", "slo a/b 99 7d\n2026-11-16T00:00Z 2026-11-23T00:00Z 0/1000\n2026-11-18T00:00Z 2026-11-18T01:00Z 500/1000")
	l := in.Subjects[0].Ledger
	for m := budget.MinuteOf(time.Date(2026, 11, 18, 0, 10, 0, 0, time.UTC)); l.At(m).Bad > 0; m++ {
		l.Put(m, budget.Count(0, 1000*budget.Unit))
	}
	b := report.Build(in).Burners[0]
	if b.Bad != 5000*budget.Unit || b.Attributed != b.Bad || b.Unattributed != 0 {
		t.Errorf("%+v", b)
	}
}

func checkShares(rt *testing.T, incidents []alerting.Incident, r report.Report, inAll map[string]int64) {
	burning := func(i alerting.Incident) bool { return i.Last.Burn != nil && !i.Open }
	for n, i := range incidents {
		if !burning(i) {
			continue
		}
		if inAll[i.ID] > i.Bad() {
			rt.Fatalf("%s had %d and was given %d", i.ID, i.Bad(), inAll[i.ID])
		}
		alone := !i.Onset.Before(r.From) && !i.Last.Time().After(r.To)
		for m, o := range incidents {
			if n != m && o.Last.Burn != nil && o.Onset.Before(i.Last.Time()) && i.Onset.Before(o.Last.Time()) {
				alone = false
			}
		}
		if alone && inAll[i.ID] != i.Bad() {
			rt.Fatalf("%s, alone in the period, had %d and was given %d", i.ID, i.Bad(), inAll[i.ID])
		}
	}
}

func buildOne(s report.Subject, p report.Period) report.Report {
	return report.Build(report.Input{Name: "weekly", Period: p, Subjects: []report.Subject{s}})
}

// The naive twin: figures of the report, computed from raw slots one by one and as fractions.
func TestFiguresEqualTheNaiveTwin(t *testing.T) {
	overRandomLives(t, func(rt *testing.T, s report.Subject) {
		r := buildOne(s, randomPeriod)
		row := r.Rows[0]
		from, to := budget.MinuteOf(r.To.Add(-7*slo.Day)), budget.MinuteOf(r.To)
		var bad, total int64
		known, unknown := 0, 0
		for m := from; m < to; m++ {
			slot := s.Ledger.At(m)
			bad, total = bad+slot.Bad, total+slot.Total
			switch slot.State {
			case budget.OK, budget.ZeroTraffic:
				known++
			case budget.Absent:
				unknown++
			}
		}
		if row.Budget.Sum.Bad != bad || row.Budget.Sum.Total != total || row.InWindow.Known != known || row.InWindow.Unknown != unknown {
			rt.Fatalf("row %+v, want %d of %d, %d known, %d unknown", row, bad, total, known, unknown)
		}
		// The window of a week is the period itself here, so both accounts must agree as well.
		if row.InPeriod != row.InWindow {
			rt.Fatalf("%+v is not %+v", row.InPeriod, row.InWindow)
		}
		allowed := new(big.Rat).Mul(big.NewRat(total, 1), big.NewRat(s.Spec.Objective.Allowed(), slo.Billion))
		if whole := new(big.Int).Quo(allowed.Num(), allowed.Denom()); whole.Int64() != row.Budget.Allowed {
			rt.Fatalf("allowed %d, want %v", row.Budget.Allowed, whole)
		}
		if row.Budget.Allowed == 0 || total == 0 {
			return
		}
		checkShown(rt, row.SLI(), new(big.Rat).SetFrac64(total-bad, total))
		checkShown(rt, row.Left(), new(big.Rat).SetFrac64(row.Budget.Allowed-bad, row.Budget.Allowed))
	})
}

// checkShown compares a shown percentage with the exact share: it is the nearest below.
func checkShown(t *testing.T, shown string, exact *big.Rat) {
	text := strings.NewReplacer("−", "-", ",", "", " %", "").Replace(shown)
	got, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no percentage", shown)
	}
	_, fraction, _ := strings.Cut(text, ".")
	step := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(fraction))), nil))
	below := new(big.Rat).Sub(new(big.Rat).Mul(exact, big.NewRat(100, 1)), got)
	if below.Sign() < 0 || below.Cmp(step) >= 0 {
		t.Fatalf("%s is shown for %s", shown, exact.FloatString(12))
	}
}

func shuffle[T any](all []T) {
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
}

// checkOrder: the same input gives the same bytes, in whatever order its parts come.
func checkOrder(t *testing.T, in report.Input) {
	t.Helper()
	first := report.Build(in)
	for range 5 {
		shuffle(in.Subjects)
		shuffle(in.Acts)
		shuffle(in.Reviews)
		shuffle(in.Services)
		for _, s := range in.Subjects {
			shuffle(s.Incidents)
		}
		r := report.Build(in)
		if r.Markdown() != first.Markdown() || !bytes.Equal(api.ReportJSON(r), api.ReportJSON(first)) {
			t.Errorf("the order of the input shows: %s", cmp.Diff(first.Markdown()+string(api.ReportJSON(first)), r.Markdown()+string(api.ReportJSON(r))))
		}
	}
	var decoded map[string]any
	if err := json.Unmarshal(api.ReportJSON(first), &decoded); err != nil || decoded["period"] != in.Period.String() {
		t.Errorf("JSON: %v, %v", err, decoded["period"])
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct{ what, lives, want string }{
		{"kept", "slo a/b 99 7d\n2026-11-16T00:00Z 2026-11-23T00:00Z 1/1000", "within budget"},
		{"broken", "slo a/b 99 7d\n2026-11-16T00:00Z 2026-11-23T00:00Z 11/1000", "over budget"},
		{"spent to the last event is not over", "slo a/b 99 7d\n2026-11-16T00:00Z 2026-11-23T00:00Z 10/1000", "within budget"},
		{"nobody came", "slo a/b 99 7d\n2026-11-16T00:00Z 2026-11-23T00:00Z 0/0", "no traffic"},
		{"nothing is known", "slo a/b 99 7d\n2026-11-16T00:00Z 2026-11-23T00:00Z absent", "not enough data to judge"},
		{"nothing was ever read", "slo a/b 99 7d", "not enough data to judge"},
		{"kept where it is known, which is too little", "slo a/b 99 7d\n2026-11-20T00:00Z 2026-11-23T00:00Z 0/1000", "not enough data to judge"},
		{"burning where it is known, and within budget if the rest was good", "slo a/b 99 7d\n2026-11-20T00:00Z 2026-11-23T00:00Z 11/1000", "not enough data to judge"},
		{"broken where it is known, however good the rest was", "slo a/b 99 7d\n2026-11-20T00:00Z 2026-11-23T00:00Z 30/1000", "over budget"},
		{"a handful of events", "slo a/b 99 7d\n2026-11-16T00:00Z 2026-11-23T00:00Z 0/0.01", "not enough traffic to judge"},
		{"a handful of events and one is bad", "slo a/b 99.9 7d\n2026-11-16T00:00Z 2026-11-23T00:00Z 0/0.1\n2026-11-18T00:00Z 2026-11-18T00:01Z 2/2", "not enough traffic to judge"},
		{"a handful of events and they failed for an hour", "slo a/b 99.9 7d\n2026-11-16T00:00Z 2026-11-23T00:00Z 0/0.1\n2026-11-18T00:00Z 2026-11-18T01:00Z 2/2", "over budget"},
	} {
		r := report.Build(quiet(t, "2026-W47 UTC", c.lives))
		if got := r.Rows[0].Verdict.Text(); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		row := r.Rows[0]
		if strings.Contains(c.want, "data") && row.Verdict.Judged() {
			t.Errorf("%s: it is judged", c.what)
		}
		if (row.Left() == "—") != (!row.Budget.Sized || row.Budget.Sum.Total == 0) {
			t.Errorf("%s: %s of the budget is said to be left", c.what, row.Left())
		}
	}
}

func TestVerdictLine(t *testing.T) {
	long := strings.Repeat("very-", 40) + "long/name"
	for _, c := range []struct {
		what  string
		tally report.Tally
		want  string
	}{
		{"all is well", report.Tally{SLOs: 3, Within: 3, Before: 3, BeforeKnown: true}, "3 of 3 SLOs within budget (unchanged vs 2026-W46)"},
		{"one is over and that is new", report.Tally{SLOs: 3, Within: 2, Over: []slo.ID{"a/b"}, Before: 3, BeforeKnown: true}, "2 of 3 SLOs within budget (−1 vs 2026-W46); over budget: a/b"},
		{"nothing is known of before", report.Tally{SLOs: 1, Within: 1}, "1 of 1 SLO within budget"},
		{"nothing can be judged", report.Tally{SLOs: 2, Unjudged: 2}, "no SLO can be judged; 2 not judged"},
		{"many are over", report.Tally{SLOs: 30, Over: slices(30)}, "0 of 30 SLOs within budget; over budget: service/slo-number-a, service/slo-number-a, service/slo-number-a, service/slo-number-a, + 26 more"},
		{"a name that does not fit", report.Tally{SLOs: 1, Over: []slo.ID{slo.ID(long)}}, "0 of 1 SLO within budget; over budget: 1"},
	} {
		got := report.Report{Period: randomPeriod, Tally: c.tally}.Verdict()
		if got != c.want || len([]rune(got)) > 150 {
			t.Errorf("%s: %q (%d runes), want %q", c.what, got, len([]rune(got)), c.want)
		}
	}
}

func slices(n int) []slo.ID {
	ids := make([]slo.ID, n)
	for i := range ids {
		ids[i] = "service/slo-number-a"
	}
	return ids
}

func TestPagesAreCountedAgainstShifts(t *testing.T) {
	berlin, _ := time.LoadLocation("Europe/Berlin")
	at := func(d, h, m int) alerting.Incident {
		minute := budget.MinuteOf(time.Date(2026, 11, d, h, m, 0, 0, berlin)) - 1
		e := alerting.Event{At: minute, Incident: time.Unix(int64(minute)*60, 0).UTC().String(), Kind: alerting.Opened, Severity: alerting.Page, Rule: alerting.RulePage, SLO: "a/b"}
		return alerting.Incident{}.Apply(e)
	}
	spec, _ := lives.Spec("a/b", "99", slo.Window{Rolling: 7 * slo.Day})
	s := report.Subject{ID: "a/b", Spec: spec, Ledger: new(budget.Ledger), Incidents: []alerting.Incident{
		at(16, 0, 0),                                // the old week's last minute decided it
		at(17, 9, 0), at(17, 17, 59), at(17, 18, 0), // Tuesday: the last is out of hours, all in the day shift
		at(18, 23, 0), at(19, 8, 59), // one night shift
		at(21, 12, 0), // a Saturday
	}}
	r := report.Build(report.Input{Name: "weekly", Period: randomPeriod, Zone: berlin, Subjects: []report.Subject{s}})
	l := r.Load
	got := []any{l.Pages, l.OutOfHours, l.Shifts, l.Heavy, l.MostPages, l.MostAt.Format(time.RFC3339), l.Unresolved}
	if diff := cmp.Diff([]any{6, 4, 14, 1, 3, "2026-11-17T09:00:00+01:00", 7}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A report of many SLOs: nothing in the message exceeds its bounds, and nothing is cut off
// silently.
func TestSummaryIsBoundedAndComplete(t *testing.T) {
	var text strings.Builder
	for i := range 60 {
		text.WriteString("slo service" + strings.Repeat("x", i) + "/<!channel>|`" + " 99 7d\n2026-11-22T20:00Z 2026-11-23T00:00Z 30/1000\n")
	}
	r := report.Build(quiet(t, "2026-W47 UTC", text.String()))
	s := r.Summary()
	if len(s.Rows) != 10 || s.More != "+ 50 more in the thread" || len([]rune(s.Verdict)) > 150 {
		t.Errorf("%d rows, %q, %q", len(s.Rows), s.More, s.Verdict)
	}
	for _, d := range s.Details {
		if len([]rune(d.Text)) > 8000 {
			t.Errorf("%s has %d runes", d.Title, len([]rune(d.Text)))
		}
	}
	if markdown := r.Markdown(); strings.Count(markdown, "service") < 60 || strings.Contains(strings.NewReplacer("<!channel>\\|", "", "<!channel>|``", "", "<!channel>|` ``", "").Replace(markdown), "<!channel>") {
		t.Error("an SLO is missing, or a name left its place")
	}
}

func BenchmarkBuild200(b *testing.B) {
	in := report.Input{Name: "weekly", Period: randomPeriod}
	for n := range 200 {
		id := slo.ID("service/slo-" + string(rune('a'+n%26)) + string(rune('a'+n/26)))
		spec, _ := lives.Spec(id, "99.9", slo.Window{Rolling: 28 * slo.Day})
		l := new(budget.Ledger)
		for h := randomTo.Hour() - 40*24; h < randomTo.Hour()-96; h++ {
			l.PutHour(h, budget.Sum{Bad: 20 * budget.Unit, Total: 60000 * budget.Unit, Known: 60, BadSlots: 10})
		}
		for m := randomTo - 96*60; m < randomTo; m++ {
			l.Put(m, budget.Count(budget.Unit/2, 1000*budget.Unit))
		}
		in.Subjects = append(in.Subjects, report.Subject{ID: id, Spec: spec, Ledger: l})
	}
	b.ResetTimer()
	for b.Loop() {
		r := report.Build(in)
		if r.Markdown() == "" || len(api.ReportJSON(r)) == 0 {
			b.Fatal("empty")
		}
	}
}

func TestTheOutlookOfARowIsSaidAsOfABudget(t *testing.T) {
	r := report.Build(quiet(t, "2026-W47 UTC", `
slo a/lasts 99.9 28d
2026-10-26T00:00Z 2026-11-23T00:00Z 0/1000
slo a/spent 99.9 28d
2026-10-26T00:00Z 2026-11-23T00:00Z 10/1000
slo a/unread 99.9 28d
2026-10-26T00:00Z 2026-11-23T00:00Z absent`))
	got := map[slo.ID]string{}
	for _, row := range r.Rows {
		got[row.ID] = sentences.TimeToExhaustion(row.Outlook)
	}
	want := map[slo.ID]string{"a/lasts": "not exhausted", "a/spent": "spent", "a/unread": "—"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

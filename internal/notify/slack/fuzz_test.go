package slack

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

// nasty is text that somebody may put into a name, by mistake or on purpose.
var nasty = []string{
	"checkout", "", "<!channel>", "<!here|x>", "<@U0ANA>", "<!subteam^S999>", "&lt;!here&gt;", "*bold* _it_ ~s~ `code` ```pre```",
	"a|b>c<d&e", "line\nbreak\r\n> quote", "\u202Eright to left\u202C", "\u2066iso\u2069\u200b\u200f", "\x00\x07\x1b[31m", "\xff\xfe broken", "<https://evil.example|click me>",
	"💥🧯🏳️‍🌈", strings.Repeat("long ", 900), strings.Repeat("界", 3000), strings.Repeat("&", 5000), "javascript:alert(1)", "<!date^1^{date}|x>", strings.Repeat("<", 400), "#channel @here",
}

func text(r *rand.Rand) string {
	s := nasty[r.IntN(len(nasty))]
	if r.IntN(3) == 0 {
		s += nasty[r.IntN(len(nasty))]
	}
	return s
}

func figure(r *rand.Rand) int64 {
	return []int64{0, 1, 999, 1000, 41_500, 1_234_567_000, math.MaxInt64 / 4}[r.IntN(7)]
}

// randomFacts are facts as no engine would give them, but as a mistake could.
func randomFacts(r *rand.Rand, o slo.Objective) message {
	sum := func() budget.Sum {
		total := figure(r)
		return budget.Sum{Bad: total / (1 + figure(r)), Total: total, Known: r.IntN(60), BadSlots: r.IntN(60)}
	}
	moment := func() time.Time { return monday.Add(time.Duration(r.Int64N(int64(90*slo.Day))) - 45*slo.Day) }
	pair := slo.Pair{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}
	long, short, sure := sum(), sum(), alerting.Significant(sum(), o)
	e := alerting.Event{
		At: budget.MinuteOf(moment()), SLO: slo.ID(text(r) + "/" + text(r)), Incident: text(r) + "/page/1",
		Kind:     []alerting.Kind{alerting.Opened, alerting.Escalated, alerting.Updated, alerting.Resolved, alerting.Noticed}[r.IntN(5)],
		Severity: []alerting.Severity{alerting.Page, alerting.Ticket, alerting.Notice}[r.IntN(3)],
		Rule:     []alerting.Rule{alerting.RulePage, alerting.RuleTicket, alerting.RuleNoData, alerting.RuleSpent}[r.IntN(4)],
		Reason:   []alerting.Reason{alerting.BurnHigh, alerting.AgedOut, alerting.SLORemoved, alerting.RuleRemoved}[r.IntN(4)],
		Level:    figure(r), Since: budget.MinuteOf(moment()),
	}
	if r.IntN(4) > 0 {
		e.Pair, e.Long, e.Short, e.Sure = &pair, &long, &short, &sure
		e.Burn = &alerting.Burning{Onset: budget.MinuteOf(moment()), Last: budget.MinuteOf(moment()), Bad: figure(r), Total: figure(r), Peak: sum()}
	}
	incident := alerting.Incident{}
	if r.IntN(5) > 0 {
		incident = alerting.Incident{
			ID: e.Incident, SLO: e.SLO, Rule: e.Rule, Severity: e.Severity, Open: r.IntN(2) == 0,
			Onset: moment(), Detected: moment(), Ended: moment(), Resolved: moment(), First: e, Last: e,
			Acts: []alerting.Act{randomAct(r, alerting.Acknowledge), randomAct(r, alerting.Silence)},
		}
	}
	sli := r.Float64()
	f := message{composer: Composer{Origin: notify.Origin{URL: "https://slowburn.example", Version: text(r), Prometheus: "https://prometheus.example"}, Channel: "#general", Interactive: r.IntN(2) == 0}}
	f.Facts = sentences.Facts{
		Spec: &slo.Spec{
			Service: text(r), Name: text(r), Owner: text(r), Description: text(r), Objective: o,
			Windows: []slo.Window{{Rolling: 28 * slo.Day}}, SLI: slo.Indicator{Kind: slo.Kind(nasty[r.IntN(3)])},
			Links: slo.Links{Runbook: "https://wiki.example/" + text(r), Dashboard: text(r)},
			Tier:  text(r), Slack: slo.SlackRoute{Mention: mentions("<!subteam^S0123>")},
		},
		Event: e, Incident: incident,
		Status:  budget.Status{Sum: sum(), Allowed: figure(r), SLI: &sli, Sized: r.IntN(2) == 0, Spent: []float64{0, 0.5, 1, 1e9, math.Inf(1), math.NaN()}[r.IntN(6)]},
		Outlook: budget.Outlook{Known: r.IntN(2) == 0, Gone: r.IntN(3) == 0, In: time.Duration(figure(r)), Early: time.Hour, Late: 2 * time.Hour},
		Over:    r.IntN(3) == 0,
	}
	for range r.IntN(6) {
		f.Upstream = append(f.Upstream, alerting.Upstream{SLO: slo.ID(text(r)), Incident: text(r), Severity: alerting.Severity(text(r)), Onset: moment()})
	}
	if r.IntN(2) == 0 {
		f.Worst = &alerting.Step{SLO: slo.ID(text(r)), Over: 5 * time.Minute, Sum: sum()}
	}
	if r.IntN(3) == 0 {
		for range 5 {
			f.Trail = append(f.Trail, incidents.Point{At: moment(), Sum: sum()})
		}
	}
	return f
}

func randomAct(r *rand.Rand, kind alerting.ActKind) alerting.Act {
	a := alerting.Act{Key: text(r), Kind: kind, By: text(r), At: monday, Text: text(r), Other: text(r), Level: alerting.Page}
	if r.IntN(2) == 0 {
		a.Until = monday.Add(time.Hour)
	}
	return a
}

// randomEvidence is evidence with foreign text wherever a name of somebody else can be.
func randomEvidence(r *rand.Rand) *ranking.Evidence {
	moment := func() time.Time { return monday.Add(time.Duration(r.Int64N(int64(3 * time.Hour)))) }
	count := func() ranking.Count { return ranking.Count{Bad: figure(r), Total: figure(r)} }
	reading := func() ranking.Reading {
		return ranking.Reading{Value: []float64{0, 0.5, 1e300, math.NaN(), math.Inf(1)}[r.IntN(5)], Known: r.IntN(3) > 0, Reason: text(r)}
	}
	signal := func() ranking.Signal {
		return ranking.Signal{Name: text(r), What: text(r), Unit: []string{"", "ratio", "seconds", "events/s"}[r.IntN(4)], Now: reading(), Baseline: reading()}
	}
	e := &ranking.Evidence{
		Kind: alerting.Opened, Onset: moment(), At: moment(), Took: r.Float64(), Problems: []string{text(r), text(r)},
		Burns:   ranking.Ranking{Reason: text(r), Now: count(), Before: count(), Looked: []string{text(r), text(r)}, Skipped: []string{text(r)}},
		Signals: ranking.Snapshot{From: text(r), Latency: signal(), Traffic: signal(), Errors: signal()},
	}
	e.Burns.Verdict = []ranking.Verdict{ranking.StandsOut, ranking.Moved, ranking.Spread, ranking.TooFew, ranking.NoLabels, ranking.NotKnown}[r.IntN(6)]
	for range 1 + r.IntN(5) {
		e.Burns.Contributors = append(e.Burns.Contributors, ranking.Contributor{
			Label: text(r), Value: text(r), Also: []string{text(r)}, Now: count(), Before: count(), Share: r.Float64(), Query: text(r),
		})
		e.Changes = append(e.Changes, ranking.Suspect{At: moment(), What: text(r), Seen: text(r), Who: text(r), Link: "https://ci.example/" + text(r)})
		e.Traces = append(e.Traces, ranking.Trace{ID: text(r), URL: "https://traces.example/" + text(r), Seconds: r.Float64(), Where: text(r)})
		e.Signals.Saturation = append(e.Signals.Saturation, ranking.Saturation{Signal: signal(), Limit: r.Float64()})
	}
	return e
}

func compositions(r *rand.Rand, o slo.Objective) []outbox.Entry {
	f := randomFacts(r, o)
	if r.IntN(2) == 0 {
		f.Found = randomEvidence(r)
	}
	f.Now = monday
	entries := f.event()
	if f.Found != nil {
		entries = append(entries, f.looked()...)
	}
	if r.IntN(10) > 0 {
		return entries
	}
	for _, kind := range []alerting.ActKind{alerting.Acknowledge, alerting.Silence, alerting.Escalate, alerting.Remark, alerting.Mitigated, alerting.Undo} {
		entries = append(entries, f.acted(incidents.Done{Notification: f.Notification, Act: randomAct(r, kind)})...)
	}
	weekly := Report{Composer: f.composer, Summary: report.Summary{
		Key: "report/weekly/2026-W48", Title: text(r), Verdict: text(r), Span: text(r), Columns: []string{text(r), text(r), text(r)},
		Details: []report.Detail{{Title: text(r), Text: text(r) + "\n" + text(r)}},
	}}
	for range r.IntN(40) {
		weekly.Rows = append(weekly.Rows, []string{text(r), text(r), text(r)})
	}
	notice := Notice{Composer: f.composer, Kind: "p", Title: text(r), Reason: text(r), Effect: text(r), Since: monday, At: monday, Over: r.IntN(2) == 0}
	entries = append(entries, ComposeReport(weekly, monday)...)
	entries = append(entries, ComposeNotice(notice, monday)...)
	body, _ := digest(entries, len(entries))
	e := entries[0]
	e.Body = body
	return append(entries, e)
}

var control = regexp.MustCompile(`<(@[^>]*|#[^>]*|![^>]*)>`)

// problems are what is wrong with a message for any input.
func problems(t testing.TB, b Body) []string {
	out := b.Validate()
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	each(all, func(s string) {
		for _, c := range control.FindAllString(s, -1) {
			if c != "<!subteam^S0123>" && !strings.HasPrefix(c, "<!date^") {
				out = append(out, "an unescaped control sequence: "+c)
			}
			if strings.HasPrefix(c, "<!date^1^") {
				out = append(out, "a foreign date: "+c)
			}
		}
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\x07\x1b\u202E\u2066\u200b") {
			out = append(out, fmt.Sprintf("hidden characters in %q", s))
		}
		if strings.Contains(s, "<https://evil") || strings.Contains(s, "<javascript") {
			out = append(out, "a foreign link: "+s)
		}
	})
	if n := utf8.RuneCountInString(b.Text); n > maxSentence {
		out = append(out, fmt.Sprintf("a sentence of %d characters: %s", n, b.Text))
	}
	return out
}

// each visits every mrkdwn text, and the sentence; plain_text cannot mention anybody.
func each(v any, f func(string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			each(e, f)
		}
	case map[string]any:
		if s, ok := v["text"].(string); ok && v["type"] != "plain_text" && v["type"] != "raw_text" {
			f(s)
		}
		for _, e := range v {
			each(e, f)
		}
	}
}

func TestNoInputBreaksAMessage(t *testing.T) {
	o := objective(t, "99.9")
	n := 20 * *lives // 10,000 with -lives 500
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		for _, e := range compositions(r, o) {
			b := bodyOf(t, e)
			if bad := problems(t, b); len(bad) > 0 {
				t.Fatalf("%s\nround %d, %.100s\n%s", bad, i, e.Key, b.Text)
			}
		}
	}
}

func TestSlackTakesWhatWeCompose(t *testing.T) {
	o := objective(t, "99.9")
	w := newWorld(t, slacktest.Options{Unpaced: true})
	r := rand.New(rand.NewPCG(8, 8))
	for range 150 {
		for _, e := range compositions(r, o) {
			if e.Op == outbox.Edit {
				e.Op = outbox.Post
			}
			if _, err := w.receiver.Deliver(t.Context(), outbox.Owed{Entry: e}, outbox.Receipt{Channel: general}); err != nil {
				t.Fatalf("%v\n%s", err, e.Body)
			}
		}
	}
	for _, c := range w.srv.Calls() {
		if c.Outcome != "ok" {
			t.Fatalf("call %d was answered %s: only the first form should be needed", c.N, c.Outcome)
		}
	}
	for _, m := range w.roots() {
		for _, who := range m.Mentions() {
			if !slices.Contains([]string{"<!subteam^S0123>"}, who) {
				t.Fatalf("somebody is mentioned whom nobody configured: %s", who)
			}
		}
	}
}

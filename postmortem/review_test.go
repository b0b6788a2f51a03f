package postmortem_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/postmortem"
)

const reviewFront = `---
id: shop/pay/page/1
slo: shop/pay
service: shop
owner: payments
status: in review
class: deploy
postmortem_required: true
resolved: 2026-11-18T13:00:00Z
---

# Postmortem

`

const actionHead = `## Action items

The policy demands at least one P0 item.

| What, so that its end can be verified | Kind | Priority | Owner | Due | Ticket | Done |
| --- | --- | --- | --- | --- | --- | --- |
`

func TestActionItemsAreReadBack(t *testing.T) {
	for _, c := range []struct {
		name, rows string
		want       []postmortem.Action
		problem    string
	}{
		{"a row that is still the draft's question is no item", "| *what finds it sooner* | detect | *P1* | *owner* | *date* | *link* | no |\n", nil, ""},
		{
			"a filled row is one", "| Retry with `jitter` \\| backoff | mitigate | p0 | Ada | 2026-12-01 | [T-1](https://tracker.example/1) | no |\n",
			[]postmortem.Action{{What: "Retry with jitter | backoff", Kind: "mitigate", Priority: "P0", Owner: "Ada", Due: date(2026, 12, 1), Link: "https://tracker.example/1"}},
			"",
		},
		{
			"a half filled row is one with gaps", "| Alert on it | detect | *P1* | *owner* | *date* | *link* | no |\n",
			[]postmortem.Action{{What: "Alert on it", Kind: "detect"}},
			"",
		},
		{
			"a bare address is a link, and a day in Done is done", "| X | process | P2 | Bob | 2026-11-20 | <https://tracker.example/2> | 2026-11-19 |\n",
			[]postmortem.Action{{What: "X", Kind: "process", Priority: "P2", Owner: "Bob", Due: date(2026, 11, 20), Link: "https://tracker.example/2", Done: true}},
			"",
		},
		{
			"a date that is none is told, and the item stays", "| X | process | P2 | Bob | soon | | no |\n",
			[]postmortem.Action{{What: "X", Kind: "process", Priority: "P2", Owner: "Bob"}},
			"write it as 2026-11-30",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, problems := postmortem.ReadReview([]byte(reviewFront + actionHead + c.rows + "\n## Other\n\n| What |\n| --- |\n| not an item |\n"))
			if diff := cmp.Diff(c.want, r.Actions); diff != "" {
				t.Error(diff)
			}
			if (len(problems) > 0) != (c.problem != "") || c.problem != "" && !strings.Contains(problems[0].Error(), c.problem) {
				t.Errorf("problems: %v", problems)
			}
			r.Actions = nil
			want := postmortem.Review{
				Incident: "shop/pay/page/1", SLO: "shop/pay", Service: "shop", Owner: "payments", Status: postmortem.StatusInReview,
				Class: "deploy", Required: true, Resolved: time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC),
			}
			if diff := cmp.Diff(want, r); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatCannotBeReadSaysWhy(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"no front matter", "# Notes\n", "three dashes"},
		{"a front matter without an end", "---\nid: x\n", "three dashes"},
		{"a front matter that is no YAML", "---\nid: [\n---\n", "front matter:2"},
		{"a second value of a key", "---\nid: x\nid: y\nstatus: draft\n---\n", "front matter:3:1"},
		{"a day that is none", "---\nid: x\nstatus: draft\nresolved: [soon]\n---\n", "resolved"},
		{"a list for a text", "---\nid: x\nstatus: draft\nowner: [a, b]\n---\n", "owner must be a text"},
		{"no incident", "---\nstatus: draft\n---\n", "name its incident"},
		{"an unknown status", "---\nid: x\nstatus: nearly\n---\n", "draft, in review or closed"},
	} {
		_, problems := postmortem.ReadReview([]byte(c.file))
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), c.want) {
			t.Errorf("%s: %v", c.name, problems)
		}
	}
}

func TestADraftReadsBackAsADraftWithoutItems(t *testing.T) {
	l := life(t, "slo shop/pay 99.9 28d\n2026-10-18T00:00Z 2026-11-18T23:00Z 0/1000\n2026-11-18T12:00Z 2026-11-18T14:00Z 500/1000\n")
	text := postmortem.Draft(facts(l)).Markdown()
	for _, text := range []string{text, strings.ReplaceAll(text, "\n", "\r\n")} {
		r, problems := postmortem.ReadReview([]byte(text))
		if len(problems) > 0 || r.Incident != l.Incidents[0].ID || r.Status != postmortem.StatusDraft || len(r.Actions) > 0 || !r.Required {
			t.Errorf("read back: %+v %v", r, problems)
		}
	}
}

func TestAnItemIsOverdueOnTheDayAfterItsDay(t *testing.T) {
	a := postmortem.Action{What: "x", Due: date(2026, 12, 1)}
	done := a
	done.Done = true
	for _, c := range []struct {
		name string
		a    postmortem.Action
		now  time.Time
		want bool
	}{
		{"on its day it is not", a, date(2026, 12, 1).Add(23 * time.Hour), false},
		{"on the next it is", a, date(2026, 12, 2), true},
		{"done is never", done, date(2027, 1, 1), false},
		{"without a day never", postmortem.Action{What: "x"}, date(2027, 1, 1), false},
	} {
		if c.a.Overdue(c.now) != c.want {
			t.Errorf("%s", c.name)
		}
	}
}

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// A draft is blank until somebody answers one of its questions, or promises something.
func TestADraftIsBlankUntilSomebodyWrites(t *testing.T) {
	const front = "---\nid: a/b/page/1\nstatus: draft\nclass:\n---\n# Postmortem\n\n"
	const causes = "## Causes\n\n*Trigger: what set it off?*\n\n*Class of outage?* In use: deploy.\n\n"
	const lessons = "## What went well, what went wrong, where we were lucky\n\n- *Well: what worked?*\n\n"
	const items = "## Action items\n\n| What | Due |\n| --- | --- |\n| *what finds it sooner* | *date* |\n"
	for _, c := range []struct {
		what, file string
		blank      bool
	}{
		{"as it was drafted", front + causes + lessons + items, true},
		{"figures elsewhere are slowburn's", front + "## Impact\n\nMany.\n\n" + causes + lessons, true},
		{"a cause is named below the question", front + strings.Replace(causes, "set it off?*", "set it off?*\n\nA deploy.", 1) + lessons + items, false},
		{"a question is replaced by its answer", front + causes + strings.Replace(lessons, "*Well: what worked?*", "Well: the roll-back", 1) + items, false},
		{"an action item", front + causes + lessons + strings.Replace(items, "*what finds it sooner*", "Alert on it", 1), false},
		{"a class of outage", strings.Replace(front, "class:", "class: deploy", 1) + causes + lessons, false},
		{"it is in review", strings.Replace(front, "draft", "in review", 1) + causes + lessons, false},
		{"a house's own template asks other questions", front + "## Why\n\n*Why?*\n", false},
	} {
		r, problems := postmortem.ReadReview([]byte(c.file))
		if r.Blank != c.blank || len(problems) > 0 {
			t.Errorf("%s: %v, %v", c.what, r.Blank, problems)
		}
	}
}

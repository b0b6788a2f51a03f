package daemon

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// undress takes a message of Slack's out of its markup: times are what they fall back to, and
// nothing is bold.
func undress(body []byte) string {
	var b struct {
		Text   string            `json:"text"`
		Blocks []json.RawMessage `json:"blocks"`
	}
	_ = json.Unmarshal(body, &b)
	all := b.Text
	for _, raw := range b.Blocks {
		var block struct {
			Text struct {
				Text string `json:"text"`
			} `json:"text"`
		}
		_ = json.Unmarshal(raw, &block)
		all += "\n" + block.Text.Text
	}
	all = regexp.MustCompile(`<[^>|]*\|([^>]*)>`).ReplaceAllString(all, "$1")
	return strings.NewReplacer("*", "", "&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(all)
}

// plainly is what a receiver beside Slack is sent, as text that was JSON.
func plainly(t *testing.T, body []byte) string {
	t.Helper()
	var texts []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	walk(v)
	return strings.Join(texts, "\n")
}

// TestAnEventReadsTheSameEverywhere: what happened is said in the same words by every receiver,
// each in full or in its summary.
func TestAnEventReadsTheSameEverywhere(t *testing.T) {
	cfg := parsed(t, everyReceiver)
	c := newComposer(cfg, made(t, cfg), "https://slowburn.example.com", true, false)
	told := map[string]int{}
	for _, ticket := range []bool{false, true} {
		story := notifytest.Story("", ticket)
		for _, reason := range []alerting.Reason{alerting.SLORemoved, alerting.RuleRemoved, alerting.PromiseChanged, alerting.TimeWentBack} {
			f := story[len(story)-1]
			f.Event.Reason, f.Incident.Last.Reason = reason, reason
			story = append(story, f)
		}
		for _, f := range story {
			for _, e := range c.Event(f.Notification, nil) {
				kind := notify.KindOf(e.Receiver)
				text := undress(e.Body)
				if kind != "slack" {
					text = plainly(t, e.Body)
				}
				short, full := f.Predicate(), f.Lead()
				if f.Headlined() {
					short = f.Summary()
				}
				if kind == "slack" && f.Headlined() && f.Incident.Open { // it puts first what comes first, and is cut
					short, full = f.Headline().Title(), append(f.Headline().Screen(), f.Account()...)
				}
				if strings.Contains(text, short) {
					told[kind+" in short"]++
				} else if e.Op != outbox.Edit && f.Event.Kind != alerting.Escalated || kind == "webhook" {
					t.Errorf("%s %s of %s does not say %q:\n%s", e.Receiver, e.Op, f.Event.Kind, short, text)
				}
				if kind == "webhook" || kind == "slack" && e.Op == outbox.Reply || kind == "pagerduty" && e.Op == outbox.Edit {
					continue // a summary, a part of the thread, or no words at all
				}
				for _, sentence := range full {
					if !strings.Contains(text, sentence.String()) {
						t.Errorf("%s %s of %s does not say %q:\n%s", e.Receiver, e.Op, f.Event.Kind, sentence, text)
					}
				}
				told[kind+" in full"]++
			}
		}
	}
	for _, who := range []string{"slack in short", "pagerduty in short", "alertmanager in short", "webhook in short", "slack in full", "pagerduty in full", "alertmanager in full"} {
		if told[who] == 0 {
			t.Errorf("nothing was told to %s: %v", who, told)
		}
	}
}

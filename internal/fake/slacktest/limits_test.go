package slacktest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

type obj = map[string]any

func mrkdwn(n int) obj    { return obj{"type": "mrkdwn", "text": strings.Repeat("é", n)} }
func plainText(n int) obj { return obj{"type": "plain_text", "text": strings.Repeat("é", n)} }

// times makes n things, each told its number.
func times(n int, f func(i int) any) []any {
	out := []any{}
	for i := range n {
		out = append(out, f(i))
	}
	return out
}

func button(change obj) obj {
	b := obj{"type": "button", "action_id": "a", "text": plainText(3)}
	for k, v := range change {
		b[k] = v
	}
	return b
}

func actions(elements ...any) []any { return []any{obj{"type": "actions", "elements": elements}} }

func cell() any { return obj{"type": "raw_text", "text": "x"} }

func chart(series, points, label, axis, title int) []any {
	categories := times(points, func(i int) any { return padded(i, label) })
	return []any{obj{"type": "data_visualization", "title": strings.Repeat("é", title), "chart": obj{
		"type":        "line",
		"axis_config": obj{"categories": categories, "x_label": strings.Repeat("x", axis)},
		"series": times(series, func(i int) any {
			return obj{"name": padded(i, 5), "data": times(points, func(j int) any { return obj{"label": padded(j, label), "value": j} })}
		}),
	}}}
}

// padded is a distinct string of n characters.
func padded(i, n int) string {
	s := fmt.Sprint(i)
	return s + strings.Repeat("é", n-len(s))
}

// Every case builds a payload at a limit; the test sends it at the limit, which must pass, and one
// beyond, which must not.
func TestEveryLimitAtItsEdge(t *testing.T) {
	section := func(f obj) []any { f["type"] = "section"; return []any{f} }
	cases := []struct {
		limit string
		build func(n int) []any
		at    string // pointer of the complaint
	}{
		{"message.blocks", func(n int) []any { return times(n, func(int) any { return obj{"type": "divider"} }) }, "/blocks"},
		{"block_id", func(n int) []any { return []any{obj{"type": "divider", "block_id": strings.Repeat("b", n)}} }, "/blocks/0/block_id"},
		{"section.text", func(n int) []any { return section(obj{"text": mrkdwn(n)}) }, "/blocks/0/text/text"},
		{"section.fields", func(n int) []any { return section(obj{"fields": times(n, func(int) any { return mrkdwn(1) })}) }, "/blocks/0/fields"},
		{"section.field", func(n int) []any { return section(obj{"fields": []any{mrkdwn(1), mrkdwn(n)}}) }, "/blocks/0/fields/1/text"},
		{"header.text", func(n int) []any { return []any{obj{"type": "header", "text": plainText(n)}} }, "/blocks/0/text/text"},
		{"context.elements", func(n int) []any {
			return []any{obj{"type": "context", "elements": times(n, func(int) any { return mrkdwn(1) })}}
		}, "/blocks/0/elements"},
		{"actions.elements", func(n int) []any {
			return actions(times(n, func(i int) any { return button(obj{"action_id": fmt.Sprint(i)}) })...)
		}, "/blocks/0/elements"},
		{"action_id", func(n int) []any { return actions(button(obj{"action_id": strings.Repeat("a", n)})) }, "/blocks/0/elements/0/action_id"},
		{"button.text", func(n int) []any { return actions(button(obj{"text": plainText(n)})) }, "/blocks/0/elements/0/text/text"},
		{"button.value", func(n int) []any { return actions(button(obj{"value": strings.Repeat("v", n)})) }, "/blocks/0/elements/0/value"},
		{"button.url", func(n int) []any { return actions(button(obj{"url": strings.Repeat("u", n)})) }, "/blocks/0/elements/0/url"},
		{"image.image_url", func(n int) []any {
			return []any{obj{"type": "image", "image_url": strings.Repeat("u", n), "alt_text": "a"}}
		}, "/blocks/0/image_url"},
		{"image.alt_text", func(n int) []any {
			return []any{obj{"type": "image", "image_url": "u", "alt_text": strings.Repeat("a", n)}}
		}, "/blocks/0/alt_text"},
		{"markdown.total", func(n int) []any {
			return []any{obj{"type": "markdown", "text": strings.Repeat("m", n-1)}, obj{"type": "markdown", "text": "m"}}
		}, "/blocks"},
		{"overflow.options", func(n int) []any {
			return actions(obj{"type": "overflow", "action_id": "o", "options": times(n, func(i int) any { return obj{"text": plainText(1), "value": fmt.Sprint(i)} })})
		}, "/blocks/0/elements/0/options"},
		{"confirm.title", func(n int) []any {
			return actions(button(obj{"confirm": obj{"title": plainText(n), "text": plainText(1), "confirm": plainText(1), "deny": plainText(1)}}))
		}, "/blocks/0/elements/0/confirm/title/text"},
		{"table.rows", func(n int) []any {
			return []any{obj{"type": "table", "rows": times(n, func(int) any { return []any{cell()} })}}
		}, "/blocks/0/rows"},
		{"table.columns", func(n int) []any {
			return []any{obj{"type": "table", "rows": []any{times(n, func(int) any { return cell() })}}}
		}, "/blocks/0/rows/0"},
		{"chart.title", func(n int) []any { return chart(1, 2, 5, 5, n) }, "/blocks/0/title"},
		{"chart.series", func(n int) []any { return chart(n, 2, 5, 5, 5) }, "/blocks/0/chart/series"},
		{"chart.points", func(n int) []any { return chart(1, n, 5, 5, 5) }, "/blocks/0/chart/series/0/data"},
		{"chart.label", func(n int) []any { return chart(1, 2, n, 5, 5) }, "/blocks/0/chart/axis_config/categories/0"},
		{"chart.axis_label", func(n int) []any { return chart(1, 2, 5, n, 5) }, "/blocks/0/chart/axis_config/x_label"},
		{"message.charts", func(n int) []any { return slices.Concat(times(n, func(int) any { return chart(1, 1, 5, 5, 5)[0] })) }, "/blocks"},
	}
	srv, _ := start(t, slacktest.Options{Unpaced: true})
	for _, c := range cases {
		t.Run(c.limit, func(t *testing.T) {
			most := slacktest.LimitOf(c.limit).Max
			if got := postRaw(t, srv, c.build(most)); got.Error != "" {
				t.Errorf("at the limit of %d: %+v", most, got)
			}
			got := postRaw(t, srv, c.build(most+1))
			if got.Error != "invalid_blocks" || !slices.ContainsFunc(got.Errors, func(s string) bool { return strings.HasSuffix(s, "[json-pointer:"+c.at+"]") }) {
				t.Errorf("one beyond %d: %+v", most, got)
			}
		})
	}
}

type answer struct {
	Error    string
	Errors   []string
	Metadata struct{ Messages []string } `json:"response_metadata"`
}

// postRaw posts blocks as they are; slack-go could not even build some of them.
func postRaw(t *testing.T, srv *slacktest.Server, blocks []any) (a answer) {
	t.Helper()
	raw, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).PostForm(srv.APIURL()+"chat.postMessage",
		url.Values{"token": {srv.Token}, "channel": {"general"}, "blocks": {string(raw)}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return a
}

func TestMalformedBlocks(t *testing.T) {
	srv, _ := start(t, slacktest.Options{Unpaced: true})
	tables := []any{obj{"type": "table", "rows": []any{[]any{cell()}}}, obj{"type": "table", "rows": []any{[]any{cell()}}}}
	section := func(text any) []any { return []any{obj{"type": "section", "text": text}} }
	long := times(5, func(int) any { return obj{"type": "section", "text": mrkdwn(2900)} })
	for _, c := range []struct {
		sentence string
		blocks   []any
		code     string
		problem  string
	}{
		{"an alert block is for modals only", []any{obj{"type": "alert"}}, "invalid_blocks", "unsupported type: alert [json-pointer:/blocks/0/type]"},
		{"a section needs text or fields", []any{obj{"type": "section"}}, "invalid_blocks", "must define either `text` or `fields` [json-pointer:/blocks/0/type]"},
		{"an empty text", section(mrkdwn(0)), "invalid_blocks", "must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		{"a header is plain text", []any{obj{"type": "header", "text": mrkdwn(3)}}, "invalid_blocks", "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"},
		{"mrkdwn takes no emoji flag", section(obj{"type": "mrkdwn", "text": "x", "emoji": true}), "invalid_blocks", "invalid additional property: emoji [json-pointer:/blocks/0/text]"},
		{"buttons cannot be disabled", actions(button(obj{"disabled": true})), "invalid_blocks", "invalid additional property: disabled [json-pointer:/blocks/0/elements/0]"},
		{"a style Slack does not have", actions(button(obj{"style": "default"})), "invalid_blocks", "must be a valid enum value [json-pointer:/blocks/0/elements/0/style]"},
		{"one action_id twice", actions(button(nil), button(nil)), "invalid_blocks", "action_id already exists in this block [json-pointer:/blocks/0/elements/1/action_id]"},
		{"one block_id twice", []any{obj{"type": "divider", "block_id": "b"}, obj{"type": "divider", "block_id": "b"}}, "invalid_blocks", "block_id already exists [json-pointer:/blocks/1/block_id]"},
		{"two tables", tables, "invalid_attachments", "only_one_table_allowed"},
		{"too much in total", long, "msg_blocks_too_long", ""},
		{"not a block at all", []any{"hello"}, "invalid_blocks", "should be an object [json-pointer:/blocks/0]"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			got := postRaw(t, srv, c.blocks)
			want(t, "code", got.Error, c.code)
			if c.problem == "" {
				return
			}
			if !slices.Contains(got.Errors, c.problem) || !slices.Contains(got.Metadata.Messages, "[ERROR] "+c.problem) {
				t.Errorf("problems %q, messages %q", got.Errors, got.Metadata.Messages)
			}
		})
	}
	want(t, "nothing of it was stored", len(srv.Messages("general")), 0)
}

func TestMessageLimits(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	channel, ts := post(t, api, "general", strings.Repeat("é", 40_001))
	if m, _ := srv.Message(channel, ts); len([]rune(m.Text)) != 40_000 {
		t.Errorf("the text was stored with %d characters", len([]rune(m.Text)))
	}
	update := func(n int) string {
		_, _, _, err := api.UpdateMessage(channel, ts, slack.MsgOptionText(strings.Repeat("é", n), false))
		return code(err)
	}
	want(t, "update at the limit", update(4000), "ok")
	want(t, "update beyond", update(4001), "msg_too_long")
	send := func(o slack.MsgOption) string {
		_, _, err := api.PostMessage(channel, slack.MsgOptionText("x", false), o)
		return code(err)
	}
	want(t, "100 attachments", send(slack.MsgOptionAttachments(make([]slack.Attachment, 100)...)), "ok")
	want(t, "101 attachments", send(slack.MsgOptionAttachments(make([]slack.Attachment, 101)...)), "too_many_attachments")
	meta := func(n int) slack.MsgOption {
		return slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "e", EventPayload: map[string]any{"k": strings.Repeat("k", n)}})
	}
	want(t, "metadata that fits", send(meta(7000)), "ok")
	want(t, "metadata that does not", send(meta(8000)), "metadata_too_large")
	want(t, "metadata without a type", send(slack.MsgOptionMetadata(slack.SlackMetadata{EventPayload: map[string]any{"k": 1}})), "invalid_metadata_schema")
}

func TestSlackGoReadsTheProblems(t *testing.T) {
	_, api := start(t, slacktest.Options{})
	_, _, err := api.PostMessage("general", slack.MsgOptionBlocks(slack.NewHeaderBlock(slack.NewTextBlockObject("plain_text", strings.Repeat("x", 151), false, false))))
	var e slack.SlackErrorResponse
	if !errors.As(err, &e) || e.Err != "invalid_blocks" || len(e.ResponseMetadata.Messages) != 2 || len(e.Errors) != 2 {
		t.Errorf("got %#v", err)
	}
}

// The edge test takes its numbers from the table, so it cannot notice a slip in it. These are the
// same limits from a second source, the registry of the slackblocks project; only the two chart
// counts stand stricter in the table.
func TestLimitsAgainstASecondSource(t *testing.T) {
	for name, want := range map[string]int{
		"message.blocks": 50, "message.attachments": 100, "block_id": 255, "action_id": 255, "text": 3000,
		"section.text": 3000, "section.fields": 10, "section.field": 2000, "header.text": 150,
		"context.elements": 10, "actions.elements": 25, "image.image_url": 3000, "image.alt_text": 2000, "image.title": 2000,
		"markdown.total": 12000, "button.text": 75, "button.value": 2000, "button.url": 3000, "button.accessibility_label": 75,
		"overflow.options": 5, "select.options": 100, "select.placeholder": 150,
		"option.text": 75, "option.value": 150, "option.description": 75,
		"confirm.title": 100, "confirm.text": 300, "confirm.confirm": 30, "confirm.deny": 30,
		"table.rows": 100, "table.columns": 20, "table.column_settings": 20,
		"chart.title": 50, "chart.segments": 6, "chart.series": 6, "chart.points": 20, "chart.categories": 20,
		"chart.label": 20, "chart.axis_label": 50, "update.text": 4000, "message.text": 40000,
	} {
		if got := slacktest.LimitOf(name).Max; got != want {
			t.Errorf("%s is %d, elsewhere %d", name, got, want)
		}
	}
}

// The limits that a payload test cannot reach one by one are at least named once and have a source.
func TestLimitsTable(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range slacktest.Limits {
		if seen[l.Name] || l.Max <= 0 || l.Min > l.Max || l.Source == "" || l.Unit == "" {
			t.Errorf("row %+v", l)
		}
		seen[l.Name] = true
	}
}

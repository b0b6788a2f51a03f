package slack

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// limits are what Slack takes, in characters (Unicode code points) or items. Source, if no other is
// named: docs.slack.dev/reference/block-kit.
var limits = map[string]int{
	"message.blocks": 50,
	"message.total":  12_000, // undocumented: refused from about 13,200 on (slackapi/bolt-js#2509)
	"message.text":   4_000,  // chat.update refuses more
	"message.table":  1,
	"message.chart":  2,
	"metadata":       8_000, // bytes

	"block_id":         255,
	"header.text":      150,
	"section.text":     3_000,
	"section.fields":   10,
	"section.field":    2_000,
	"context.elements": 10,
	"context.text":     2_000,
	"actions.elements": 25,
	"action_id":        255,
	"button.text":      75,
	"button.value":     2_000,
	"select.options":   100,
	"option.text":      75,
	"option.value":     150,
	"placeholder":      150,
	"markdown.total":   12_000,
	"table.rows":       100,
	"table.columns":    20,
	"image.alt_text":   2000,
	"chart.title":      50,
	"chart.points":     20,
	"chart.label":      20,
	"chart.series":     6, // slack-go's own check; newer pages say 12
}

func limitOf(name string) int {
	n, ok := limits[name]
	if !ok {
		panic("slack: no limit named " + name)
	}
	return n
}

// Validate returns what Slack would refuse in a message, nothing if it is fine. It knows the blocks
// that slowburn builds and refuses every other.
func (b Body) Validate() []string {
	v := validator{count: map[string]int{}}
	v.length("text", b.Text, 1, limitOf("message.text"))
	v.items("blocks", len(b.Blocks), 0, limitOf("message.blocks"))
	for i, raw := range b.Blocks {
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			v.fail(fmt.Sprintf("blocks/%d: no JSON object", i))
			continue
		}
		v.block(fmt.Sprintf("blocks/%d", i), m)
	}
	v.items("characters over all blocks", v.total, 0, limitOf("message.total"))
	v.items("tables", v.count["table"], 0, limitOf("message.table"))
	v.items("charts", v.count["data_visualization"], 0, limitOf("message.chart"))
	if meta, err := json.Marshal(b.metadata("")); err != nil || len(meta) > limitOf("metadata") {
		v.fail("metadata: too large")
	}
	return v.problems
}

type validator struct {
	problems []string
	total    int
	count    map[string]int // blocks by type
}

func (v *validator) fail(problem string) { v.problems = append(v.problems, problem) }

func (v *validator) length(at, s string, low, high int) {
	if n := utf8.RuneCountInString(s); n < low || n > high {
		v.fail(fmt.Sprintf("%s: %d characters, allowed are %d to %d", at, n, low, high))
	}
}

func (v *validator) items(at string, n, low, high int) {
	if n < low || n > high {
		v.fail(fmt.Sprintf("%s: %d, allowed are %d to %d", at, n, low, high))
	}
}

func (v *validator) block(at string, m map[string]any) {
	kind, _ := m["type"].(string)
	v.count[kind]++
	if id, ok := m["block_id"].(string); ok {
		v.length(at+"/block_id", id, 1, limitOf("block_id"))
	}
	switch kind {
	case "divider":
	case "image":
		alt, _ := m["alt_text"].(string)
		v.length(at+"/alt_text", alt, 1, limitOf("image.alt_text"))
	case "header":
		v.text(at, m["text"], "plain_text", limitOf("header.text"))
	case "section":
		v.section(at, m)
	case "context":
		v.each(at, m["elements"], limitOf("context.elements"), func(at string, e any) {
			v.text(at, e, "", limitOf("context.text"))
		})
	case "actions":
		v.each(at, m["elements"], limitOf("actions.elements"), v.element)
	case "markdown":
		s, _ := m["text"].(string)
		v.length(at, s, 1, limitOf("markdown.total"))
		v.total += utf8.RuneCountInString(s)
	case "table":
		v.each(at, m["rows"], limitOf("table.rows"), func(at string, row any) {
			v.each(at, row, limitOf("table.columns"), v.cell)
		})
	case "data_visualization":
		v.chart(at, m)
	default:
		v.fail(at + ": unknown type " + kind)
	}
}

func (v *validator) each(at string, list any, high int, f func(string, any)) {
	items, _ := list.([]any)
	v.items(at, len(items), 1, high)
	for i, item := range items {
		f(fmt.Sprintf("%s/%d", at, i), item)
	}
}

// text checks a text object; kind is the only one allowed, or "" for both.
func (v *validator) text(at string, obj any, kind string, high int) {
	m, _ := obj.(map[string]any)
	s, _ := m["text"].(string)
	t, _ := m["type"].(string)
	if t != "plain_text" && t != "mrkdwn" || kind != "" && t != kind {
		v.fail(at + ": no " + kind + " text")
	}
	v.length(at, s, 1, high)
	v.total += utf8.RuneCountInString(s)
}

func (v *validator) section(at string, m map[string]any) {
	if m["text"] == nil && m["fields"] == nil {
		v.fail(at + ": neither text nor fields")
	}
	if m["text"] != nil {
		v.text(at+"/text", m["text"], "", limitOf("section.text"))
	}
	if m["fields"] != nil {
		v.each(at+"/fields", m["fields"], limitOf("section.fields"), func(at string, f any) {
			v.text(at, f, "", limitOf("section.field"))
		})
	}
}

func (v *validator) element(at string, e any) {
	m, _ := e.(map[string]any)
	id, _ := m["action_id"].(string)
	v.length(at+"/action_id", id, 1, limitOf("action_id"))
	switch m["type"] {
	case "button":
		value, _ := m["value"].(string)
		v.length(at+"/value", value, 0, limitOf("button.value"))
		v.text(at, m["text"], "plain_text", limitOf("button.text"))
	case "static_select":
		v.text(at+"/placeholder", m["placeholder"], "plain_text", limitOf("placeholder"))
		v.each(at+"/options", m["options"], limitOf("select.options"), func(at string, o any) {
			om, _ := o.(map[string]any)
			value, _ := om["value"].(string)
			v.length(at+"/value", value, 1, limitOf("option.value"))
			v.text(at, om["text"], "plain_text", limitOf("option.text"))
		})
	default:
		v.fail(at + ": unknown element")
	}
}

func (v *validator) cell(at string, c any) {
	m, _ := c.(map[string]any)
	s, _ := m["text"].(string)
	v.length(at, s, 1, foreignLimit)
	v.total += utf8.RuneCountInString(s)
}

func (v *validator) chart(at string, m map[string]any) {
	title, _ := m["title"].(string)
	v.length(at+"/title", title, 1, limitOf("chart.title"))
	body, _ := m["chart"].(map[string]any)
	axis, _ := body["axis_config"].(map[string]any)
	label := func(at string, l any) {
		s, _ := l.(string)
		v.length(at, s, 1, limitOf("chart.label"))
	}
	v.each(at+"/categories", axis["categories"], limitOf("chart.points"), label)
	v.each(at+"/series", body["series"], limitOf("chart.series"), func(at string, s any) {
		sm, _ := s.(map[string]any)
		label(at+"/name", sm["name"])
		v.each(at+"/data", sm["data"], limitOf("chart.points"), func(string, any) {})
	})
}

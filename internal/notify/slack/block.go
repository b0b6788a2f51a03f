package slack

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/printable"
)

// Blocks are kept as the JSON that Slack takes, so that what is stored is what is sent and the
// limits can be checked on it whatever made it. The functions here build the few kinds that
// slowburn uses.

// Block is one Block Kit block, as JSON.
type Block = json.RawMessage

// Text is a text object: plain_text, or mrkdwn whose foreign parts went through escape.
type Text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"` // no automatic links to channels and users
}

func plainText(s string) *Text { return &Text{Type: "plain_text", Text: s} }
func mrkdwn(s string) *Text    { return &Text{Type: "mrkdwn", Text: s, Verbatim: true} }

func block(v any) Block {
	b, err := json.Marshal(v)
	if err != nil {
		panic("slack: a block that is no JSON: " + err.Error()) // maps of strings and structs always are
	}
	return b
}

func header(s string) Block {
	return block(struct {
		Type string `json:"type"`
		Text *Text  `json:"text"`
	}{"header", plainText(clip(s, limitOf("header.text")))})
}

func section(text string, fields ...*Text) Block {
	s := struct {
		Type   string  `json:"type"`
		Text   *Text   `json:"text,omitempty"`
		Fields []*Text `json:"fields,omitempty"`
	}{Type: "section", Fields: fields}
	if text != "" {
		s.Text = mrkdwn(text)
	}
	return block(s)
}

// sectionIf returns a section with the text, or nothing if there is none.
func sectionIf(text string) []Block {
	if text == "" {
		return nil
	}
	return []Block{section(text)}
}

// forWhom says whom a message calls. It is empty if it calls nobody.
func forWhom(mentions []string) string {
	if len(mentions) == 0 {
		return ""
	}
	return "For " + strings.Join(mentions, " ")
}

func contextBlock(texts ...*Text) Block {
	return block(struct {
		Type     string  `json:"type"`
		Elements []*Text `json:"elements"`
	}{"context", texts})
}

// button carries value back to slowburn when it is pressed.
type button struct {
	Type     string `json:"type"`
	ActionID string `json:"action_id"`
	Text     *Text  `json:"text"`
	Value    string `json:"value,omitempty"`
	Style    string `json:"style,omitempty"`
}

func newButton(action, words, value, style string) button {
	return button{"button", action, plainText(words), clip(value, limitOf("button.value")), style}
}

// menu is a select whose options carry value back.
type menu struct {
	Type        string   `json:"type"`
	ActionID    string   `json:"action_id"`
	Placeholder *Text    `json:"placeholder"`
	Options     []option `json:"options"`
}

type option struct {
	Text  *Text  `json:"text"`
	Value string `json:"value"`
}

// actions returns a row of controls. Its block_id carries the incident, since the value of a menu's
// option is too short for one.
func actions(id string, elements ...any) Block {
	return block(struct {
		Type     string `json:"type"`
		BlockID  string `json:"block_id,omitempty"`
		Elements []any  `json:"elements"`
	}{"actions", clip(id, limitOf("block_id")), elements})
}

// cell is one cell of a table.
type cell struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// table shows rows of plain text; the first row is the heading. What is too much is cut off by the
// caller.
func table(rows [][]string) Block {
	out := make([][]cell, len(rows))
	for i, row := range rows {
		for _, s := range row {
			if s = plain(s, foreignLimit); s == "" {
				s = figures.Unknown
			}
			out[i] = append(out[i], cell{"raw_text", s})
		}
	}
	return block(struct {
		Type string   `json:"type"`
		Rows [][]cell `json:"rows"`
	}{"table", out})
}

// Point is one point of a chart.
type Point struct {
	Label string  `json:"label"` // on the axis; at most 20 characters, different from all others
	Value float64 `json:"value"`
}

// Chart is a line over time, such as the burn rate of an incident. At most 20 points are shown.
type Chart struct {
	Title  string
	Name   string // of the line
	Points []Point
}

// chart draws with Slack's own charts. A workspace that has none refuses the block; it is dropped
// then.
func chart(c Chart) (Block, bool) {
	seen := map[string]bool{}
	var points []Point
	var labels []string
	for _, p := range c.Points {
		p.Label = plain(p.Label, limitOf("chart.label"))
		if p.Label == "" || seen[p.Label] || p.Value != p.Value || p.Value > 1e300 || p.Value < -1e300 {
			continue
		}
		seen[p.Label] = true
		points, labels = append(points, p), append(labels, p.Label)
	}
	if len(points) < 2 || len(points) > limitOf("chart.points") {
		return nil, false
	}
	name := cmp.Or(plain(c.Name, limitOf("chart.label")), "burn rate")
	title := cmp.Or(plain(c.Title, limitOf("chart.title")), "Burn rate")
	series := map[string]any{"name": name, "data": points}
	return block(map[string]any{
		"type": "data_visualization", "title": title,
		"chart": map[string]any{"type": "line", "series": []any{series}, "axis_config": map[string]any{"categories": labels}},
	}), true
}

// markdown returns a block of standard Markdown, for reports. What hides or could notify anybody is
// taken out of it.
func markdown(text string) Block {
	return block(struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}{"markdown", openers.ReplaceAllString(strings.Map(visible, text), "‹$1")})
}

// openers begin a mention, a link or a tag; a lone < as in "< 0.3" does not.
var openers = regexp.MustCompile(`<+([^\s=<])`)

func visible(r rune) rune {
	if r != '\n' && r != '\t' && printable.Hidden(r) {
		return -1
	}
	return r
}

// plainer returns a block as sections of text; what needs no change stays.
func plainer(raw Block) []Block {
	var m struct {
		Type string   `json:"type"`
		Text any      `json:"text"`
		Rows [][]cell `json:"rows"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	var text string
	switch m.Type {
	case "table":
		for _, row := range m.Rows {
			for i, c := range row {
				if i > 0 {
					text += " · "
				}
				text += escape(c.Text)
			}
			text += "\n"
		}
	case "markdown":
		s, _ := m.Text.(string)
		for line := range strings.Lines(s) {
			text += escapeLong(line) + "\n"
		}
	default:
		return []Block{raw}
	}
	var out []Block
	for _, piece := range pieces(text, limitOf("section.text")) {
		out = append(out, section(piece))
	}
	return out
}

// pieces cuts a text between lines into pieces of at most limit characters. A single line that is
// longer is clipped.
func pieces(text string, limit int) []string {
	var out []string
	size := 0
	for line := range strings.Lines(text) {
		line = clip(line, limit)
		n := utf8.RuneCountInString(line)
		if len(out) == 0 || size+n > limit {
			out, size = append(out, ""), 0
		}
		out[len(out)-1] += line
		size += n
	}
	return slices.DeleteFunc(out, func(s string) bool { return strings.TrimSpace(s) == "" })
}

package slacktest

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// drawing holds the functions with which page.html draws Block Kit. They take decoded JSON of any
// shape and return something sensible for all of it, because the page must show even what a later
// version of Slack sends.
type drawing struct {
	names names
	url   string
}

func (d drawing) funcs() template.FuncMap {
	return template.FuncMap{
		"text":     d.text,
		"mrkdwn":   func(v any) template.HTML { return d.names.mrkdwn(scalar(v)) },
		"plain":    func(v any) template.HTML { return d.names.plain(scalar(v)) },
		"summary":  d.summary,
		"markdown": renderMarkdown,
		"chart":    chartSVG,
		"legend":   legend,
		"picture":  d.picture,
		"color":    color,
		"cell":     d.cell,
		"align":    align,
		"rich":     d.rich,
		"initials": initials,
		"emoji":    d.emojiName,
		"clock":    func(t time.Time) string { return t.UTC().Format("15:04") },
		"stamp":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"moment":   func(t time.Time) string { return t.UTC().Format("2 January 2006 15:04:05") + " UTC" },
		"kind":     func(v any) string { m, _ := v.(map[string]any); return str(m["type"]) },
		"pairs":    pairs,
	}
}

// text draws a text object.
func (d drawing) text(v any) template.HTML {
	m, _ := v.(map[string]any)
	if str(m["type"]) == "mrkdwn" {
		return d.names.mrkdwn(str(m["text"]))
	}
	return d.names.plain(str(m["text"]))
}

// scalar returns a string or a number as text.
func scalar(v any) string {
	if n, ok := v.(json.Number); ok {
		return n.String()
	}
	return str(v)
}

// summary returns the beginning of a message in one line, for the mark above a broadcast reply.
func (d drawing) summary(m *Message) string {
	const most = 90
	if m.Deleted {
		return "a deleted message"
	}
	line, _, _ := strings.Cut(unescape(m.Text), "\n")
	if r := []rune(line); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return line
}

func renderMarkdown(s any) template.HTML {
	var b bytes.Buffer
	if err := markdown.Convert([]byte(str(s)), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(str(s)))
	}
	return template.HTML(b.String())
}

// local returns the address of an image if the stand-in itself serves it, since the page asks
// nobody else for anything.
func (d drawing) local(address any) string {
	if path, ok := strings.CutPrefix(str(address), d.url+"/files/"); ok && d.url != "" {
		return "/files/" + path
	}
	return ""
}

// picture returns the address of an image block that the stand-in itself serves: one of its own
// addresses, or an uploaded file.
func (d drawing) picture(b map[string]any) string {
	if f, ok := b["slack_file"].(map[string]any); ok && str(f["id"]) != "" {
		return "/files/" + url.PathEscape(str(f["id"]))
	}
	return d.local(b["image_url"])
}

var hexColor = regexp.MustCompile(`^#?[0-9a-fA-F]{6}$`)

// color returns the colour bar of an attachment.
func color(v any) string {
	switch s := str(v); {
	case s == "good":
		return "#2eb886"
	case s == "warning":
		return "#daa038"
	case s == "danger":
		return "#a30200"
	case hexColor.MatchString(s):
		return "#" + strings.TrimPrefix(s, "#")
	}
	return "#9a9aa0"
}

// cell draws a table cell.
func (d drawing) cell(v any) template.HTML {
	m, _ := v.(map[string]any)
	if str(m["type"]) == "rich_text" {
		return d.rich(m["elements"])
	}
	return d.names.plain(str(m["text"]))
}

// align returns the alignment of a table's column.
func align(settings any, column int) string {
	list, _ := settings.([]any)
	if column >= len(list) {
		return "left"
	}
	m, _ := list[column].(map[string]any)
	if a := str(m["align"]); a == "right" || a == "center" {
		return a
	}
	return "left"
}

// rich draws the text of rich_text elements with the styles that matter.
func (d drawing) rich(v any) template.HTML {
	w := &writer{}
	d.richInto(w, v)
	return w.html()
}

func (d drawing) richInto(w *writer, v any) {
	list, _ := v.([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		style, _ := m["style"].(map[string]any)
		switch str(m["type"]) {
		case "text":
			w.styled(style, str(m["text"]))
		case "link":
			r := &renderer{names: d.names}
			r.link(str(m["url"]), first(str(m["text"]), str(m["url"])))
			w.raw(string(r.html()))
		case "emoji":
			w.raw(string(d.names.plain(":" + str(m["name"]) + ":")))
		case "user":
			w.raw(`<span class="mention">`)
			w.text("@" + first(d.names.users[str(m["user_id"])], str(m["user_id"])))
			w.raw("</span>")
		case "rich_text_preformatted":
			w.raw("<pre>")
			d.richInto(w, m["elements"])
			w.raw("</pre>")
		case "rich_text_list":
			w.raw("<ul>")
			items, _ := m["elements"].([]any)
			for _, item := range items {
				w.raw("<li>")
				d.richInto(w, []any{item})
				w.raw("</li>")
			}
			w.raw("</ul>")
		default:
			d.richInto(w, m["elements"])
		}
	}
}

// styled writes text in bold, italics, strike-through or code.
func (w *writer) styled(style map[string]any, s string) {
	closers := ""
	for _, t := range [][2]string{{"bold", "strong"}, {"italic", "em"}, {"strike", "s"}, {"code", "code"}} {
		if on, _ := style[t[0]].(bool); on {
			w.raw("<" + t[1] + ">")
			closers = "</" + t[1] + ">" + closers
		}
	}
	w.text(s)
	w.raw(closers)
}

// initials stand in for a person's picture.
func initials(name string) string {
	out := ""
	for _, word := range strings.Fields(name) {
		out += string([]rune(word)[:1])
	}
	return strings.ToUpper(string([]rune(out)[:min(2, len([]rune(out)))]))
}

func (d drawing) emojiName(name string) template.HTML { return d.names.plain(":" + name + ":") }

// pairs makes a map of its arguments, so that a template can be given several things.
func pairs(kv ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1]
	}
	return m
}

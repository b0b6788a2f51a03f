package slacktest

import (
	"html"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A writer builds HTML. It keeps the one rule that makes the page safe: what came from a message
// goes through text, and raw only ever sees constants of this program.
type writer struct{ b strings.Builder }

func (w *writer) raw(s string)  { w.b.WriteString(s) }
func (w *writer) text(s string) { w.b.WriteString(html.EscapeString(s)) }
func (w *writer) attr(name, value string) {
	w.raw(" " + name + `="`)
	w.text(value)
	w.raw(`"`)
}

func (w *writer) html() template.HTML { return template.HTML(w.b.String()) }

// names knows who and what the control sequences of a text mean.
type names struct {
	users    map[string]string // ID to name
	channels map[string]string
	now      time.Time
}

func (w *workspace) names() names {
	n := names{users: map[string]string{w.opts.BotUser: w.opts.AppName}, channels: map[string]string{}, now: w.now()}
	for _, u := range w.opts.Users {
		n.users[u.ID] = u.Name
	}
	for _, c := range w.channels {
		n.channels[c.ID] = c.Name
	}
	return n
}

// plain renders text without markup: line breaks and emoji names only.
func (n names) plain(s string) template.HTML {
	w := &writer{}
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			w.raw("<br>")
		}
		for line != "" {
			if taken := w.emoji(line); taken > 0 {
				line = line[taken:]
				continue
			}
			_, size := utf8.DecodeRuneInString(line)
			w.text(line[:size])
			line = line[size:]
		}
	}
	return w.html()
}

// mrkdwn renders Slack's markup.
func (n names) mrkdwn(s string) template.HTML {
	r := &renderer{names: n}
	parts := strings.Split(s, "```")
	for i, part := range parts {
		if fenced := i%2 == 1 && i < len(parts)-1; fenced {
			r.raw("<pre>")
			r.text(unescape(strings.Trim(part, "\n")))
			r.raw("</pre>")
			continue
		}
		if i%2 == 1 {
			part = "```" + part // never closed: not a fence
		}
		if i > 0 {
			part = strings.TrimPrefix(part, "\n")
		}
		if i < len(parts)-1 {
			part = strings.TrimSuffix(part, "\n")
		}
		r.lines(part)
	}
	return r.html()
}

type renderer struct {
	writer
	names names
}

// lines renders paragraphs and quotes.
func (r *renderer) lines(s string) {
	if s == "" {
		return
	}
	quoting := false
	for i, line := range strings.Split(s, "\n") {
		rest, quoted := strings.CutPrefix(line, "&gt;")
		if !quoted {
			rest, quoted = strings.CutPrefix(line, ">")
		}
		switch {
		case quoted && !quoting:
			r.raw("<blockquote>")
		case !quoted && quoting:
			r.raw("</blockquote>")
		case i > 0:
			r.raw("<br>")
		}
		quoting = quoted
		r.inline(strings.TrimPrefix(rest, " "), 0)
	}
	if quoting {
		r.raw("</blockquote>")
	}
}

// deepest bounds how far emphasis nests, so that no text can exhaust the stack.
const deepest = 6

// inline renders one line.
func (r *renderer) inline(s string, depth int) {
	prev := ' '
	for s != "" {
		taken := r.special(s, prev, depth)
		if taken == 0 {
			_, taken = utf8.DecodeRuneInString(s)
			if s[0] == '&' {
				taken = entity(s)
			}
			r.text(unescape(s[:taken]))
		}
		prev, _ = utf8.DecodeLastRuneInString(s[:taken])
		s = s[taken:]
	}
}

// special renders what starts at the beginning of s, if it is markup, and returns its length.
func (r *renderer) special(s string, prev rune, depth int) int {
	switch s[0] {
	case '<':
		if end := strings.IndexByte(s, '>'); end > 0 {
			r.control(s[1:end])
			return end + 1
		}
	case '`':
		if end := strings.IndexByte(s[1:], '`'); end > 0 {
			r.raw("<code>")
			r.text(unescape(s[1 : 1+end]))
			r.raw("</code>")
			return end + 2
		}
	case ':':
		return r.emoji(s)
	case '*', '_', '~':
		if end := closing(s, prev); end > 0 && depth < deepest {
			tag := map[byte]string{'*': "strong", '_': "em", '~': "s"}[s[0]]
			r.raw("<" + tag + ">")
			r.inline(s[1:end], depth+1)
			r.raw("</" + tag + ">")
			return end + 1
		}
	}
	return 0
}

// closing finds the delimiter that closes the one at s[0]. Both must hug their text and stand at
// the edge of a word.
func closing(s string, prev rune) int {
	if wordy(prev) || len(s) < 3 || s[1] == ' ' || s[1] == s[0] {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '<' || s[i] == '`':
			closer := map[byte]byte{'<': '>', '`': '`'}[s[i]]
			if end := strings.IndexByte(s[i+1:], closer); end >= 0 {
				i += end + 1
			}
		case s[i] == s[0] && s[i-1] != ' ':
			if next, _ := utf8.DecodeRuneInString(s[i+1:]); i+1 == len(s) || !wordy(next) {
				return i
			}
		}
	}
	return 0
}

func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// control renders what stood between < and >.
func (r *renderer) control(s string) {
	target, label, _ := strings.Cut(s, "|")
	switch {
	case strings.HasPrefix(target, "@"):
		r.mention("@" + first(r.names.users[target[1:]], label, target[1:]))
	case strings.HasPrefix(target, "#"):
		r.raw(`<a class="mention"`)
		r.attr("href", "/?channel="+url.QueryEscape(target[1:]))
		r.raw(">")
		r.text("#" + first(r.names.channels[target[1:]], label, target[1:]))
		r.raw("</a>")
	case strings.HasPrefix(target, "!date^"):
		r.date(target, label)
	case strings.HasPrefix(target, "!subteam^"):
		r.mention("@" + strings.TrimPrefix(first(label, strings.TrimPrefix(target, "!subteam^")), "@"))
	case strings.HasPrefix(target, "!"):
		r.mention("@" + first(label, target[1:]))
	default:
		r.link(unescape(target), unescape(first(label, target)))
	}
}

func (r *renderer) mention(s string) {
	r.raw(`<span class="mention">`)
	r.text(unescape(s))
	r.raw("</span>")
}

// link renders a link, or only its text if the address is not one a page
// should lead to.
func (r *renderer) link(target, label string) {
	if !safeURL(target) {
		r.text(label)
		return
	}
	r.raw(`<a rel="noopener noreferrer nofollow"`)
	r.attr("href", target)
	r.raw(">")
	r.text(label)
	r.raw("</a>")
}

func safeURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "mailto")
}

// date renders !date^unix^format^link; what cannot be read shows its fallback.
func (r *renderer) date(target, fallback string) {
	parts := strings.Split(target, "^")
	sec, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || len(parts) < 3 {
		r.text(unescape(fallback))
		return
	}
	at := time.Unix(sec, 0).UTC()
	r.raw("<time")
	r.attr("datetime", at.Format(time.RFC3339))
	r.attr("title", at.Format("2 January 2006 15:04:05")+" UTC")
	r.raw(">")
	r.text(formatDate(unescape(parts[2]), at, r.names.now))
	r.raw("</time>")
}

// formatDate fills Slack's date tokens. Slack uses the reader's time zone; the
// page has no reader to ask and uses UTC.
func formatDate(format string, at, now time.Time) string {
	day := func(layout string) string {
		switch today := now.UTC().Truncate(24 * time.Hour); at.Truncate(24 * time.Hour) {
		case today:
			return "today"
		case today.AddDate(0, 0, -1):
			return "yesterday"
		case today.AddDate(0, 0, 1):
			return "tomorrow"
		}
		return at.Format(layout)
	}
	const short, long, full = "Jan 2, 2006", "Monday, January 2, 2006", "January 2, 2006"
	return strings.NewReplacer(
		"{date_num}", at.Format(time.DateOnly), "{date_slash}", at.Format("01/02/2006"),
		"{date_short_pretty}", day(short), "{date_long_pretty}", day(long), "{date_pretty}", day(full),
		"{date_short}", at.Format(short), "{date_long}", at.Format(long), "{date}", at.Format(full),
		"{day_divider_pretty}", day("Monday, January 2"),
		"{time_secs}", at.Format("15:04:05"), "{time}", at.Format("15:04"),
	).Replace(format)
}

// emoji renders a :name: at the beginning of s, and returns its length.
func (w *writer) emoji(s string) int {
	if s[0] != ':' {
		return 0
	}
	end := strings.IndexByte(s[1:], ':')
	if end < 1 {
		return 0
	}
	name := s[1 : 1+end]
	glyph, known := emojis[name]
	if !known {
		return 0
	}
	w.raw(`<span class="emoji"`)
	w.attr("title", ":"+name+":")
	w.raw(">")
	w.text(glyph)
	w.raw("</span>")
	return end + 2
}

// emojis are the names the page can draw; others stay as they were written.
var emojis = map[string]string{
	"fire": "🔥", "rotating_light": "🚨", "white_check_mark": "✅", "heavy_check_mark": "✔️", "warning": "⚠️",
	"large_green_circle": "🟢", "red_circle": "🔴", "large_yellow_circle": "🟡", "large_orange_circle": "🟠",
	"large_blue_circle": "🔵", "white_circle": "⚪", "hourglass": "⌛", "hourglass_flowing_sand": "⏳",
	"stopwatch": "⏱️", "bell": "🔔", "no_bell": "🔕", "mute": "🔇", "eyes": "👀", "tada": "🎉", "x": "❌",
	"memo": "📝", "mag": "🔍", "rocket": "🚀", "snowflake": "❄️", "hammer_and_wrench": "🛠️", "ticket": "🎫",
	"pager": "📟", "books": "📚", "link": "🔗", "bar_chart": "📊", "chart_with_upwards_trend": "📈",
	"chart_with_downwards_trend": "📉", "shield": "🛡️", "arrow_up": "⬆️", "arrow_down": "⬇️", "calendar": "📅",
	"speech_balloon": "💬", "bulb": "💡", "lock": "🔒", "question": "❓", "+1": "👍", "thumbsup": "👍", "-1": "👎",
	"candle": "🕯️", "heart": "❤️", "point_right": "👉", "information_source": "ℹ️", "no_entry": "⛔", "lightning": "🌩️",
}

// unescape undoes the three entities of Slack's texts.
func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// entity returns the length of the entity at the beginning of s, 1 if it is
// only an ampersand.
func entity(s string) int {
	for _, e := range []string{"&lt;", "&gt;", "&amp;"} {
		if strings.HasPrefix(s, e) {
			return len(e)
		}
	}
	return 1
}

func first(options ...string) string {
	for _, o := range options {
		if o != "" {
			return o
		}
	}
	return ""
}

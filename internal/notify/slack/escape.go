package slack

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/internal/printable"
)

// Everything that was not written by this package is foreign: names, label values, descriptions,
// queries. It reaches a message in one of two ways, through plain in a plain_text object or through
// escape in mrkdwn, and nowhere else.

// foreignLimit is how many characters of one foreign text are shown.
const foreignLimit = 200

// escape makes foreign text safe inside mrkdwn: it cannot mention anybody, open a link or change
// the formatting around it.
func escape(s string) string { return neutralize(plain(s, foreignLimit)) }

// escapeLong escapes a line of a longer text.
func escapeLong(s string) string { return neutralize(plain(s, 1000)) }

func neutralize(s string) string { return entities.Replace(neutral.Replace(underscores(s))) }

// underscores replaces those that could open or close italics. Inside a word, as in a metric's
// name, they mean nothing and stay, so that the name can be copied.
func underscores(s string) string {
	if !strings.Contains(s, "_") {
		return s
	}
	runes := []rune(s)
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	for i, r := range runes {
		if r == '_' && !(word(i-1) && word(i+1)) {
			runes[i] = '＿'
		}
	}
	return string(runes)
}

var (
	entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	// neutral puts look-alikes for the formatting characters, for which mrkdwn has no escape.
	neutral = strings.NewReplacer("*", "∗", "~", "∼", "`", "ʼ")
)

func code(s string) string {
	s = strings.ReplaceAll(plain(s, foreignLimit), "`", "ʼ")
	if s == "" {
		return ""
	}
	return "`" + entities.Replace(s) + "`"
}

// plain makes foreign text fit for showing: one line, no control characters, nothing that turns the
// direction of writing or hides, at most limit characters.
func plain(s string, limit int) string {
	var b strings.Builder
	b.Grow(min(len(s), 4*limit))
	n, space := 0, false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = n > 0
			continue
		case printable.Hidden(r):
			continue
		}
		if space {
			space = false
			b.WriteByte(' ')
			n++
		}
		b.WriteRune(r)
		if n++; n > limit {
			break
		}
	}
	return clip(controls.Replace(b.String()), limit)
}

// controls are how mentions begin. Plain text does not interpret them, but then nobody has to rely
// on that.
var controls = strings.NewReplacer("<!", "‹!", "<@", "‹@", "<#", "‹#")

// clip cuts a text to a number of characters, the last of which says that it was cut.
func clip(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// link returns a mrkdwn link. Its address must be http or https; anything else leaves only the
// words.
func link(address, words string) string {
	safe, ok := safeURL(address)
	if !ok {
		return escape(words)
	}
	return "<" + safe + "|" + strings.ReplaceAll(escape(words), "|", "¦") + ">"
}

// maxURL is how long an address may be in a link; Slack allows 3000 in a button.
const maxURL = 1500

// safeURL returns an absolute http or https address in which nothing can end the link.
func safeURL(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", false
	}
	s := linkEscapes.Replace(u.String())
	return s, len(s) <= maxURL
}

var linkEscapes = strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", " ", "%20", "&", "&amp;")

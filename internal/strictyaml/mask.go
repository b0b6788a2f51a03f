package strictyaml

import (
	"regexp"
	"slices"
	"strings"
)

// words are what keys are called whose values are secrets, beside those that end in "key".
const words = `password|passwd|passwort|secret|token|credential|dsn|postgres|webhook_url`

var (
	// telling are the keys whose values are secrets.
	telling = regexp.MustCompile(`(?i)` + words + `|key$`)
	// spoken is such a key with its value where no key stands: in a comment, or within a value.
	spoken = regexp.MustCompile(`(?i)(?:(?:` + words + `)[a-z_]*|[a-z_]*key)["']?\s*:\s+([^\s,}]+[^,}]*)`)
	// userinfo is the name and the password in an address.
	userinfo = regexp.MustCompile(`://([^/@\s]+)@`)
)

// mask finds which bytes of a text may hold secrets: the values of telling keys, and of keys that
// resemble no known one; or, where only some keys are plain, the values of all others; and whatever
// reads like a telling key and its value, or like a password in an address. It has to do so for
// what no YAML parser reads, since that is where most lines are shown, so it follows keys, quotes,
// brackets and indentation by itself, and what it does not understand belongs to the key before it.
type mask struct {
	text    string
	plain   []string        // keys whose values may be shown; nil is all but telling ones
	above   []string        // keys of maps that may hold plain ones
	unknown map[string]bool // keys that resemble no known one
	hidden  []bool          // by byte
	levels  []level         // from the outermost in
	dash    int             // column of the hyphen of the list entry that was begun last
	from    int             // where the line begins whose end was found last, and its end
	to      int
}

// maxKey is how long a key may be in bytes, maxOpen how many levels may be open, and maxFound how
// many bytes are looked through in all, so that hostile text takes no time.
const (
	maxKey   = 256
	maxOpen  = 200
	maxFound = 8 << 20
)

// level is one map or list that is open.
type level struct {
	flow   bool
	indent int // of a map in block style
	key    string
}

// keyAt reads a key and its colon, in quotes or not. Its length is 0 if there is none.
func (m *mask) keyAt(at int, flow bool) (key string, length int) {
	line := m.text[at:min(m.lineEnd(at), at+maxKey)]
	if line == "" {
		return "", 0
	}
	end := 0
	if c := line[0]; c == '"' || c == '\'' {
		end = strings.IndexByte(line[1:], c) + 1
		if end == 0 {
			return "", 0
		}
		key, end = line[1:end], end+1
		for end < len(line) && (line[end] == ' ' || line[end] == '\t') {
			end++
		}
	} else {
		if strings.IndexByte("{}[],&*#?|>@%", c) >= 0 {
			return "", 0
		}
		for end < len(line) && !colon(line, end) {
			if flow && strings.IndexByte(",[]{}", line[end]) >= 0 {
				return "", 0
			}
			end++
		}
		key = strings.TrimSpace(line[:end])
	}
	if end >= len(line) || !colon(line, end) {
		return "", 0
	}
	return key, end + 1
}

// colon reports whether a colon stands there that ends a key.
func colon(line string, at int) bool {
	return line[at] == ':' && (at+1 == len(line) || line[at+1] == ' ' || line[at+1] == '\t')
}

// find marks the whole text.
func (m *mask) find() {
	m.hidden, m.levels, m.dash, m.from, m.to = make([]bool, len(m.text)), nil, 0, 0, 0
	block := -1 // indentation of the key or hyphen above a block scalar
	for at := 0; at < len(m.text); {
		end := m.lineEnd(at)
		line := m.text[at:end]
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch rest := strings.TrimSpace(line); {
		case rest == "":
		case block >= 0 && indent > block:
			m.mark(at, end, m.secret())
		case strings.HasPrefix(line, "---") || strings.HasPrefix(line, "..."):
			m.levels, m.dash, block = nil, 0, -1
			m.mark(at+3, end, m.plain != nil)
		default:
			at, block = m.line(at, indent)
			continue
		}
		at = m.next(end)
	}
	for at := 0; at < len(m.text); {
		end := m.lineEnd(at)
		m.reading(at, end)
		at = m.next(end)
	}
}

// reading marks what reads like a secret in a line, beside what is hidden there already. A line
// that is too long to be shown needs no such look.
func (m *mask) reading(at, end int) {
	if end-at > longestShown || strings.IndexByte(m.text[at:end], ':') < 0 {
		return
	}
	line := []byte(m.text[at:end])
	for _, form := range []*regexp.Regexp{userinfo, spoken} {
		for i := range line {
			if m.hidden[at+i] && line[i] != ' ' && line[i] != '\t' {
				line[i] = '*'
			}
		}
		for _, found := range form.FindAllSubmatchIndex(line, -1) {
			m.mark(at+found[2], at+found[3], true)
		}
	}
}

// line marks a line in block style, and what goes on in the lines after it. It returns where the
// next line begins, and the indentation above a block scalar, -1 if there is none.
func (m *mask) line(at, column int) (next, block int) {
	at += column
	for strings.HasPrefix(m.text[at:], "- ") || strings.HasPrefix(m.text[at:], "? ") {
		m.close(column + 1)
		m.dash = column
		skip := 1 + len(m.text[at+1:]) - len(strings.TrimLeft(m.text[at+1:], " "))
		at, column = at+skip, column+skip
	}
	m.close(column)
	if key, length := m.keyAt(at, false); length > 0 {
		m.levels = append(m.levels, level{indent: column, key: key})
		m.dash = column
		at += length
	}
	for at < len(m.text) && (m.text[at] == ' ' || m.text[at] == '\t') {
		at++
	}
	if at >= len(m.text) {
		return at, -1
	}
	end := m.lineEnd(at)
	switch m.text[at] {
	case '|', '>':
		m.mark(at, end, m.secret())
		return m.next(end), m.dash
	case '{', '[':
		at = m.flow(at)
	case '"', '\'':
		at = m.quoted(at)
	default:
		at = m.scalar(at, end)
	}
	end = m.lineEnd(at)
	m.mark(at, end, m.plain != nil) // nothing but a comment belongs here
	return m.next(end), -1
}

// close leaves the maps in block style that do not reach a column.
func (m *mask) close(column int) {
	m.levels = slices.DeleteFunc(m.levels, func(l level) bool { return l.flow || l.indent >= column })
}

// flow marks what stands in brackets, and returns where it ends.
func (m *mask) flow(at int) int {
	for at < len(m.text) {
		switch c := m.text[at]; {
		case len(m.levels) > maxOpen: // no file that is read nests like this
			m.mark(at, len(m.text), true)
			return len(m.text)
		case c == '{' || c == '[':
			m.levels = append(m.levels, level{flow: true})
			at++
		case c == '}' || c == ']':
			m.levels = m.levels[:len(m.levels)-1]
			at++
			if len(m.levels) == 0 || !m.levels[len(m.levels)-1].flow {
				return at
			}
		case strings.IndexByte(" \t\r\n,:?", c) >= 0:
			at++
		case c == '#' && (at == 0 || strings.IndexByte(" \t\r\n", m.text[at-1]) >= 0):
			end := m.lineEnd(at)
			m.mark(at, end, m.plain != nil)
			at = end
		default:
			at = m.entry(at)
		}
	}
	return at
}

// entry marks a key or a value in brackets.
func (m *mask) entry(at int) int {
	top := &m.levels[len(m.levels)-1]
	if key, length := m.keyAt(at, true); length > 0 {
		top.key = key
		return at + length
	}
	if c := m.text[at]; c == '"' || c == '\'' {
		end := m.quoted(at)
		if rest := m.text[end:m.lineEnd(end)]; strings.HasPrefix(rest, ":") {
			top.key = m.text[at+1 : end-1]
		}
		return end
	}
	end := m.lineEnd(at)
	if n := strings.IndexAny(m.text[at:end], ",[]{}"); n > 0 {
		end = at + n
	}
	m.mark(at, end, m.secret())
	return max(end, at+1)
}

// quoted marks a text in quotes. What follows its first line may be anything where a quote was
// forgotten, so it is shown only where most keys are plain.
func (m *mask) quoted(at int) int {
	first := m.lineEnd(at)
	for end := at + 1; end < len(m.text); end++ {
		switch c := m.text[end]; {
		case c == '\\' && m.text[at] == '"':
			end++
		case c == '\'' && c == m.text[at] && strings.HasPrefix(m.text[end+1:], "'"):
			end++
		case c == m.text[at]:
			end++
			m.mark(at, min(first, end), m.secret())
			if end > first {
				m.mark(first, end, m.secret() || m.plain != nil)
			}
			return end
		}
	}
	m.mark(at, first, m.secret())
	return first
}

// scalar marks a text without quotes up to the end of its line, or to a comment.
func (m *mask) scalar(at, end int) int {
	if n := strings.Index(m.text[at:end], " #"); n >= 0 {
		end = at + n
	}
	if m.text[at] == '#' {
		return at
	}
	m.mark(at, end, m.secret())
	return end
}

// secret reports whether what stands under the open keys may be a secret.
func (m *mask) secret() bool {
	inner := ""
	for _, l := range m.levels {
		switch {
		case l.key == "":
			continue
		case m.plain == nil && (m.unknown[l.key] || telling.MatchString(l.key)):
			return true
		case m.plain != nil && !slices.Contains(m.plain, l.key) && !slices.Contains(m.above, l.key):
			return true
		}
		inner = l.key
	}
	return m.plain != nil && !slices.Contains(m.plain, inner)
}

func (m *mask) mark(from, to int, hidden bool) {
	for i := from; hidden && i < to; i++ {
		m.hidden[i] = true
	}
}

// lineEnd returns where the line ends, before its break.
func (m *mask) lineEnd(at int) int {
	if at >= m.from && at < m.to {
		return m.to
	}
	end := at
	for end < len(m.text) && lineBreak(m.text[end:]) == 0 {
		end++
	}
	m.from, m.to = at, end
	return end
}

// next returns where the next line begins.
func (m *mask) next(end int) int {
	if end >= len(m.text) {
		return end
	}
	return end + lineBreak(m.text[end:])
}

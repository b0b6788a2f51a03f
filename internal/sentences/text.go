package sentences

import (
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
)

// Text is a sentence or several, in parts. Whoever can show no more than letters takes
// [Text.String]; whoever can shows a part as what it is. Words that have a mark may hold anything
// and must be escaped where there is markup.
type Text []Part

// Part is some words of a text. The marks say what they are.
type Part struct {
	Words   string
	Strong  bool      // what the eye should find
	Foreign bool      // not written by slowburn: of any length
	Quote   bool      // a person's own words, which stand apart
	At      time.Time // the moment that Words name in UTC; zero for what is no moment
	// Incident is the ID of the incident that Words name, which has a page; "" for what names none.
	Incident string
}

// String returns the text as it is without any markup.
func (t Text) String() string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.Words)
	}
	return b.String()
}

// say makes a text of words, parts and texts.
func say(all ...any) Text {
	var t Text
	for _, a := range all {
		switch a := a.(type) {
		case string:
			t = append(t, Part{Words: a})
		case Part:
			t = append(t, a)
		case Text:
			t = append(t, a...)
		}
	}
	return t
}

// Sentence lets a clause begin a sentence.
func Sentence(clause string) string {
	if clause == "" || clause[0] < 'a' || clause[0] > 'z' {
		return clause
	}
	return strings.ToUpper(clause[:1]) + clause[1:]
}

func strong(words string) Part { return Part{Words: words, Strong: true} }

func foreign(words string) Part { return Part{Words: words, Foreign: true} }

func incident(id string) Part { return Part{Words: id, Incident: id} }

func moment(t time.Time) Part { return Part{Words: figures.UTC(t), At: t} }

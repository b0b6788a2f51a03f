package strictyaml

import (
	"fmt"
	"regexp"
	"strings"
)

// Object is a map whose keys are known.
type Object struct {
	Value
	fields map[string]Value
}

// Object reads the value as a map with some of the given keys. An unknown key is recorded; the rest
// can be used. Of a value that is not a map the result has no fields.
func (v Value) Object(known ...string) (Object, bool) {
	if !v.Given() {
		return Object{}, false
	}
	o := Object{Value: v, fields: map[string]Value{}}
	if !v.IsMap() {
		v.wrongKind(fmt.Sprintf("a map with %s", enumerate(known)))
		return o, false
	}
	isKnown := make(map[string]bool, len(known))
	for _, k := range known {
		isKnown[k] = true
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, value := v.node.Content[i], v.node.Content[i+1]
		field := Value{node: value, key: key, name: key.Value, src: v.src}
		if _, twice := o.fields[key.Value]; twice {
			continue // which was told when the file was parsed
		}
		if !isKnown[key.Value] {
			v.unknownKey(field, known)
			continue
		}
		o.fields[key.Value] = field
	}
	return o, true
}

func (v Value) unknownKey(field Value, known []string) {
	at, key := place(field.key), field.key.Value
	switch {
	case v.src.full():
		v.src.add(at, Error, "", "")
		return
	case key == "<<":
		v.src.add(at, Error, "merge keys (<<) are not accepted", "write the keys out")
		return
	}
	hint := "known here: " + enumerate(known)
	if near := Nearest(key, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	} else {
		v.src.hide(key)
	}
	v.src.add(at, Error, "unknown key "+v.src.keyName(key, at), hint)
}

// likeKey is how keys are called that somebody makes up, and passwords are not.
var likeKey = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]*[0-9]?$`)

// keyName returns the name of a key in quotes. Where values may be secrets, what does not look like
// a key, or has no colon, may be what comes after a comma in one, and is not shown.
func (s *source) keyName(key string, at Pos) string {
	if s.secrets.plain != nil {
		rest, found := "", s.offset(at)
		if found >= 0 {
			rest = strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(s.text[found:], `"'`), key), "\"' \t")
		}
		if !likeKey.MatchString(key) || !strings.HasPrefix(rest, ":") {
			return "(if this is a part of a value, put the whole value in quotes)"
		}
	}
	return quote(key)
}

// Get returns the value of a key, or the zero Value if it was not written.
func (o Object) Get(key string) Value { return o.fields[key] }

// Need returns the value of a key that must be there; if it is not, that is recorded with the hint.
func (o Object) Need(key, hint string) Value {
	v := o.fields[key]
	if !v.Given() && o.IsMap() {
		o.Problem(fmt.Sprintf("%s is missing", key), hint)
	}
	return v
}

// enumerate writes a list as people do: a, b and c.
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// Nearest returns the word of the choice that s was probably meant to be, or "" if none is near.
// Near is at most one slip (a letter wrong, missing, extra, or two swapped) per three letters.
func Nearest(s string, choice []string) string {
	best, distance := "", len(s)/3+1
	if len(s) < 3 {
		distance = 1
	}
	if len(s) > 64 {
		return ""
	}
	simple := simplify(s)
	for _, c := range choice {
		if simplify(c) == simple {
			return c
		}
		if d := slips(strings.ToLower(s), strings.ToLower(c)); d < distance || (d == distance && best == "" && d < len(s)) {
			best, distance = c, d
		}
	}
	return best
}

// simplify makes noData, no-data and no_data the same.
func simplify(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}

// slips returns the edit distance with swaps of neighbours (optimal string alignment).
func slips(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Markdown writes the keys of a map as a table for the documentation: what each means, and what
// holds where it is left out. Keys of maps below follow with their path. Definitions are looked up
// in the schema of the whole file; maps among them are entered only if they are named.
func (s *Schema) Markdown(whole *Schema, enter ...string) string {
	t := table{whole: whole, enter: enter}
	t.b.WriteString("| Key | Meaning | Default |\n|---|---|---|\n")
	t.rows("", s)
	return t.b.String()
}

// Resolve returns the definition that a schema refers to, or itself.
func (s *Schema) Resolve(whole *Schema) *Schema {
	if d := whole.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")]; d != nil {
		return d
	}
	return s
}

// table is a table of keys that is being written.
type table struct {
	b     strings.Builder
	whole *Schema
	enter []string // definitions whose keys are shown, too
}

// rows writes the keys of a map and of the maps below it.
func (t *table) rows(path string, s *Schema) {
	for _, name := range s.order {
		if slices.Contains(s.elsewhere, name) {
			continue
		}
		k := s.Properties[name]
		t.row(path+name, t.meaning(k), standing(k, slices.Contains(s.Required, name)))
		t.below(path+name, k)
	}
	if s.where != "" {
		t.row(path+"…", s.where, "")
	}
}

// row writes a key.
func (t *table) row(path, meaning, standing string) {
	escape := strings.NewReplacer("|", `\|`)
	fmt.Fprintf(&t.b, "| `%s` | %s | %s |\n", path, escape.Replace(meaning), escape.Replace(standing))
}

// below writes the keys of the map that a key holds, or of the maps in the list that it holds.
func (t *table) below(path string, k *Schema) {
	if name := strings.TrimPrefix(k.Ref, "#/$defs/"); slices.Contains(t.enter, name) {
		k = k.Resolve(t.whole)
	}
	switch {
	case len(k.order) > 0:
		t.rows(path+".", k)
	case k.Items != nil:
		t.below(path+"[]", k.Items)
	}
	for i, form := range k.AnyOf {
		if !sameBelow(k.AnyOf[:i], form) {
			t.below(path, form)
		}
	}
}

// sameBelow reports whether a form is a list of what one of the earlier forms is already.
func sameBelow(earlier []*Schema, form *Schema) bool {
	return form.Items != nil && slices.Contains(earlier, form.Items)
}

// meaning describes a key: by its own words, or by those of the definition that it refers to.
func (t *table) meaning(k *Schema) string {
	words := k.Description
	d := k.Resolve(t.whole)
	if words == "" {
		words = d.Description
	}
	var choice []string
	for _, value := range k.Enum {
		choice = append(choice, code(value))
	}
	switch {
	case len(choice) > 0:
		words += " One of " + strings.Join(choice, ", ") + "."
	case k.Default == nil && k.Const == nil && len(k.Examples) > 0:
		words += " Example: " + code(k.Examples[0]) + "."
	}
	return words
}

// standing says what holds where a key is left out.
func standing(k *Schema, required bool) string {
	switch {
	case required:
		return "required"
	case k.without != "":
		return k.without
	case k.Default != nil:
		return code(k.Default)
	case len(k.order) > 0:
		return "" // its keys say it
	}
	return "none"
}

// code writes a value as it stands in a file.
func code(value any) string {
	text, ok := value.(string)
	if !ok {
		data, err := json.Marshal(value)
		if err != nil {
			panic(fmt.Sprintf("schema: %v", err)) // the tables hold texts, numbers, lists and maps
		}
		text = strings.NewReplacer(`"`, "", ":", ": ", ",", ", ").Replace(string(data))
	}
	return "`" + text + "`"
}

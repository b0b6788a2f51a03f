// Package schema is the language in which the keys of slowburn's files are described, once each:
// their names, what they mean, the form of their values, their defaults and examples.
//
// The tables stand beside the readers: slo/file has those of the SLO file and of the file of
// corrections, internal/config those of slowburn.yaml, internal/signals those of a source of golden
// signals. A reader takes from its table which keys there are and what they may be ([Schema.Keys],
// [Schema.Choices]); `slowburn schema` prints it as JSON Schema (draft 2020-12), so that editors
// complete keys and underline mistakes; and the documentation has its tables from it ([Markdown]).
//
// A schema says what the reader says, as far as a schema can. Tests hold the two against each other
// on thousands of files. What a schema cannot say only `slowburn check` says:
//
//   - PromQL: whether a query parses, whether it suits its place
//   - numbers inside of texts: whether 500d is too long a window, whether short is shorter than
//     long, whether durations are whole minutes, more than seven digits of an objective
//   - names of the outer world: time zones, the finer rules of web addresses and schedules
//   - uniqueness by meaning: two SLOs of one name, 50% beside 50.0%, signals described twice
//   - the lint: alerts that can never fire, bad that equals total, by that names a lost label
//   - spelling: False for false, 1e2 for 100; anchors, tags, keys written twice, sizes
package schema

import (
	"encoding/json"
	"fmt"
)

// BaseURL is where the schemas are published; they are kept in docs/schema.
const BaseURL = "https://raw.githubusercontent.com/slowburn-sre/slowburn/main/docs/schema/"

// Schema is a JSON Schema, of the keywords that are used here.
type Schema struct {
	Dialect     string `json:"$schema,omitempty"`
	ID          string `json:"$id,omitempty"`
	Ref         string `json:"$ref,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Type        any    `json:"type,omitempty"` // a string, or several
	Const       any    `json:"const,omitempty"`
	Enum        []any  `json:"enum,omitempty"`
	Default     any    `json:"default,omitempty"`
	Examples    []any  `json:"examples,omitempty"`

	Pattern          string   `json:"pattern,omitempty"`
	MinLength        int      `json:"minLength,omitempty"`
	MaxLength        int      `json:"maxLength,omitempty"`
	Minimum          *float64 `json:"minimum,omitempty"`
	Maximum          *float64 `json:"maximum,omitempty"`
	ExclusiveMinimum *float64 `json:"exclusiveMinimum,omitempty"`
	ExclusiveMaximum *float64 `json:"exclusiveMaximum,omitempty"`

	Items       *Schema `json:"items,omitempty"`
	MinItems    int     `json:"minItems,omitempty"`
	MaxItems    int     `json:"maxItems,omitempty"`
	UniqueItems bool    `json:"uniqueItems,omitempty"`

	Properties    map[string]*Schema `json:"properties,omitempty"`
	Additional    any                `json:"additionalProperties,omitempty"` // false, or a schema
	Required      []string           `json:"required,omitempty"`
	MinProperties int                `json:"minProperties,omitempty"`
	MaxProperties int                `json:"maxProperties,omitempty"`

	OneOf []*Schema          `json:"oneOf,omitempty"`
	AnyOf []*Schema          `json:"anyOf,omitempty"`
	AllOf []*Schema          `json:"allOf,omitempty"`
	Not   *Schema            `json:"not,omitempty"`
	Defs  map[string]*Schema `json:"$defs,omitempty"`

	order     []string // of Properties, as they are documented
	without   string   // says what holds where the key is left out and Default does not tell
	elsewhere []string // keys that are documented elsewhere
	where     string   // says where, as a sentence
	atStart   bool     // the key is read at the start only
}

// JSON returns the schema as text, indented, keys in a fixed order.
func (s *Schema) JSON() []byte {
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("schema: %v", err)) // the types above can always be written
	}
	return append(out, '\n')
}

// MarshalJSON writes the schema with the words for what holds where the key is left out.
func (s *Schema) MarshalJSON() ([]byte, error) {
	type plain Schema
	c := plain(*s)
	if s.without != "" {
		c.Description += " Without it: " + s.without + "."
	}
	return json.Marshal(&c)
}

// Root makes the schema of a whole file.
func (s *Schema) Root(name, title string, definitions map[string]*Schema) *Schema {
	s.Dialect, s.ID, s.Title, s.Defs = "https://json-schema.org/draft/2020-12/schema", BaseURL+name, title, definitions
	return s
}

// Key is a key of a map.
type Key struct {
	name   string
	value  *Schema
	needed bool
}

// Need makes a key that must be there.
func Need(name string, value *Schema) Key { return Key{name, value, true} }

// May makes a key that may be left out.
func May(name string, value *Schema) Key { return Key{name, value, false} }

// Object describes a map with these keys and no others.
func Object(doc string, keys ...Key) *Schema {
	s := &Schema{Type: "object", Description: doc, Properties: map[string]*Schema{}, Additional: false}
	return s.Add(keys...)
}

// Add appends keys to a map.
func (s *Schema) Add(keys ...Key) *Schema {
	for _, k := range keys {
		s.order = append(s.order, k.name)
		s.Properties[k.name] = k.value
		if k.needed {
			s.Required = append(s.Required, k.name)
		}
	}
	return s
}

// AtMost lets a map have no more than n of its keys.
func (s *Schema) AtMost(n int) *Schema { s.MaxProperties = n; return s }

// AddElsewhere appends keys that are documented elsewhere; the sentence says where.
func (s *Schema) AddElsewhere(sentence string, keys ...Key) *Schema {
	for _, k := range keys {
		s.elsewhere = append(s.elsewhere, k.name)
	}
	s.where = sentence
	return s.Add(keys...)
}

// Keys returns the keys of a map, in the order in which they are documented.
func (s *Schema) Keys() []string { return s.order }

// Choices returns the texts of a key that has a choice of them.
func (s *Schema) Choices(key string) (texts []string) {
	for _, value := range s.Properties[key].Enum {
		texts = append(texts, value.(string))
	}
	return texts
}

// Or sets the words of the documentation for what holds where the key is left out.
func (s *Schema) Or(words string) *Schema { s.without = words; return s }

// AtStart says that a key is read at the start only.
func (s *Schema) AtStart() *Schema {
	s.Description += " Read at the start only: a change takes effect after a restart."
	s.atStart = true
	return s
}

// StartKeys returns the paths of the keys of a map, and of the maps below it, that are read at the
// start only.
func (s *Schema) StartKeys() []string {
	var all []string
	for _, name := range s.order {
		k := s.Properties[name]
		if k.atStart {
			all = append(all, name)
		}
		for _, below := range k.StartKeys() {
			all = append(all, name+"."+below)
		}
	}
	return all
}

// Standard sets the default.
func (s *Schema) Standard(value any) *Schema { s.Default = value; return s }

// Such sets examples.
func (s *Schema) Such(examples ...any) *Schema { s.Examples = examples; return s }

// List describes a list of at most that many.
func List(doc string, most int, items *Schema) *Schema {
	return &Schema{Type: "array", Description: doc, Items: items, MaxItems: most}
}

// NotBlank is the form of a free text.
const NotBlank = `\S`

// Text describes a text of that form, a regular expression.
func Text(doc, form string, examples ...any) *Schema {
	return &Schema{Type: "string", Description: doc, Pattern: form, Examples: examples}
}

// Texts describes a list of free texts.
func Texts(doc string, most int, examples ...any) *Schema {
	return List(doc, most, Text("", NotBlank, examples...))
}

// Choice describes one of some texts.
func Choice(doc string, texts ...string) *Schema {
	s := &Schema{Type: "string", Description: doc}
	for _, t := range texts {
		s.Enum = append(s.Enum, t)
	}
	return s
}

// Either describes a value that has one of several forms.
func Either(doc string, forms ...*Schema) *Schema { return &Schema{Description: doc, AnyOf: forms} }

// Form describes a text by patterns, all of which must match.
func Form(patterns ...string) *Schema {
	s := &Schema{Type: "string"}
	for _, p := range patterns {
		s.AllOf = append(s.AllOf, &Schema{Pattern: p})
	}
	return s
}

// Ref describes a value by a definition of the file, with words of its own unless they are "".
func Ref(name, doc string, examples ...any) *Schema {
	return &Schema{Ref: "#/$defs/" + name, Description: doc, Examples: examples}
}

// OnOff describes a truth value in all the spellings that are read.
func OnOff(doc string, standard any) *Schema {
	s := Either(doc, &Schema{Type: "boolean"},
		Form(`^([Oo][Nn]|[Oo][Ff][Ff]|[Yy][Ee][Ss]|[Nn][Oo]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$`))
	s.Default = standard
	return s
}

// Off is the word, or one of its relatives, that switches something off.
var Off = &Schema{Enum: []any{"off", "none", "no", "false", false}}

// Number makes a bound of numbers.
func Number(f float64) *float64 { return &f }

// Forms of texts. A duration is as Prometheus writes them, without years, and not zero. A share is
// in percent, up to 100 %, with two digits that count after the point.
const (
	durationForm = `^\s*(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?\s*$`
	NotZero      = `[1-9]`
	DecimalForm  = `^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?$`
	AddressForm  = `^[hH][tT][tT][pP][sS]?://[^@/?#\s]+([/?#].*)?$`
	ShareForm    = `^(0{0,4}\d{1,2}(\.\d{1,2}0*)?|0{0,3}100(\.0+)?)\s*%$`
)

// Duration describes a duration. It is a definition, to which [Ref] refers.
func Duration() *Schema {
	s := Form(durationForm, NotZero).Such("5m", "1h30m", "28d")
	s.Description = "A duration as Prometheus writes them, the large unit first: 300ms, 30s, 5m, 1h30m, 28d, 4w. Months and years are not durations, because they differ in length."
	return s
}

// Package schema describes the SLO file, the file of corrections and the configuration as JSON Schema (draft 2020-12), so
// that editors complete keys, show what they mean, and underline what is wrong while it is typed.
//
// The schemas say what the parsers say, as far as a schema can: which keys there are and where,
// which are needed, which exclude each other, and the form of every value. A test holds the two
// against each other on thousands of files. What a schema cannot say only `slowburn check` says:
//
//   - PromQL: whether a query parses, whether it suits its place
//   - numbers inside of texts: whether 500d is too long a window, whether short is shorter than long,
//     whether durations are whole minutes, more than seven digits of an objective
//   - names of the outer world: time zones, the finer rules of web addresses and schedules
//   - uniqueness by meaning: two SLOs of one name, 50% beside 50.0%, signals described twice
//   - the lint: alerts that can never fire, bad that equals total, by that names a lost label
//   - spelling: False for false, 1e2 for 100; anchors, tags, keys written twice, sizes
//
// Reading order: this file, slo.go, corrections.go, config.go.
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
}

// JSON is the schema as text, indented, keys in a fixed order.
func (s *Schema) JSON() []byte {
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("schema: %v", err)) // the types above can always be written
	}
	return append(out, '\n')
}

const dialect = "https://json-schema.org/draft/2020-12/schema"

// keys are the properties of a map.
type keys map[string]*Schema

// object is a map with these keys and no others.
func object(description string, properties keys, required ...string) *Schema {
	return &Schema{Type: "object", Description: description, Properties: properties, Additional: false, Required: required}
}

// list is a list of at most that many.
func list(description string, most int, items *Schema) *Schema {
	return &Schema{Type: "array", Description: description, Items: items, MaxItems: most}
}

// text is a text of that form.
func text(description, pattern string, examples ...any) *Schema {
	return &Schema{Type: "string", Description: description, Pattern: pattern, Examples: examples}
}

// notBlank is the form of a free text.
const notBlank = `\S`

// choice is one of some texts. The first one is the default if there is one.
func choice(description string, values ...any) *Schema {
	return &Schema{Type: "string", Description: description, Enum: values}
}

// either is a value that has one of several forms.
func either(description string, forms ...*Schema) *Schema {
	return &Schema{Description: description, AnyOf: forms}
}

// form is a text by patterns, all of which must match.
func form(patterns ...string) *Schema {
	s := &Schema{Type: "string"}
	for _, p := range patterns {
		s.AllOf = append(s.AllOf, &Schema{Pattern: p})
	}
	return s
}

// ref refers to a definition.
func ref(name string) *Schema { return &Schema{Ref: "#/$defs/" + name} }

// described is a reference with words of its own.
func described(name, description string, standard any, examples ...any) *Schema {
	return &Schema{Ref: "#/$defs/" + name, Description: description, Default: standard, Examples: examples}
}

// onOff is a truth value in all the spellings that are read.
func onOff(description string, standard any) *Schema {
	s := either(description, &Schema{Type: "boolean"},
		form(`^([Oo][Nn]|[Oo][Ff][Ff]|[Yy][Ee][Ss]|[Nn][Oo]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$`))
	s.Default = standard
	return s
}

// off is the word, or one of its relatives, that switches alerts off.
var off = &Schema{Enum: []any{"off", "none", "no", "false", false}}

func number(f float64) *float64 { return &f }

// Forms of texts. A duration is as Prometheus writes them, without years, and not zero.
const (
	durationForm = `^\s*(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?\s*$`
	notZero      = `[1-9]`
	decimalForm  = `^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?$`
	addressForm  = `^[hH][tT][tT][pP][sS]?://[^@/?#\s]+([/?#].*)?$`
)

// definitions are the forms that occur in many places.
func definitions() map[string]*Schema {
	duration := form(durationForm, notZero)
	duration.Description = "A duration as Prometheus writes them, the large unit first: 300ms, 30s, 5m, 1h30m, 28d, 4w. Months and years are not durations, because they differ in length."
	duration.Examples = []any{"5m", "1h30m", "28d"}
	amount := either("A decimal number.", &Schema{Type: "number"}, form(decimalForm))
	return map[string]*Schema{
		"duration": duration,
		"number":   amount,
		"address":  text("A full web address, http or https, without a password in it.", addressForm, "https://runbooks.example.com/checkout"),
	}
}

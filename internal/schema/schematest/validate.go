package schematest

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Validator checks YAML against a JSON Schema. It knows the keywords that package schema uses, and
// refuses a schema with others, so that none is believed to be checked that is not.
type Validator struct {
	root     map[string]any
	patterns map[string]*regexp.Regexp
	keywords map[string]keyword
}

// annotations are keywords that say something to people only.
var annotations = []string{"$schema", "$id", "$defs", "title", "description", "default", "examples"}

// Compile reads a schema.
func Compile(t testing.TB, data []byte) *Validator {
	v := &Validator{patterns: map[string]*regexp.Regexp{}, keywords: keywords()}
	if err := json.Unmarshal(data, &v.root); err != nil {
		t.Fatal(err)
	}
	v.Each(func(path string, s map[string]any) {
		for k, value := range s {
			switch {
			case k == "pattern":
				v.patterns[value.(string)] = regexp.MustCompile(value.(string))
			case k == "$ref" && v.Ref(value.(string)) == nil:
				t.Fatalf("%s: there is no %v", path, value)
			case v.keywords[k] == nil && !slices.Contains(annotations, k):
				t.Fatalf("%s: unknown keyword %q", path, k)
			}
		}
	})
	return v
}

// Ref is the definition that a reference names.
func (v *Validator) Ref(ref string) map[string]any {
	defs, _ := v.root["$defs"].(map[string]any)
	s, _ := defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	return s
}

// Each calls f with every schema inside of the schema, and where it is.
func (v *Validator) Each(f func(path string, s map[string]any)) { each("", v.root, f) }

func each(path string, s map[string]any, f func(string, map[string]any)) {
	f(path, s)
	for k, value := range s {
		path := path + "/" + k
		switch k {
		case "properties", "$defs":
			for name, p := range value.(map[string]any) {
				each(path+"/"+name, p.(map[string]any), f)
			}
		case "anyOf", "oneOf", "allOf":
			for i, p := range value.([]any) {
				each(fmt.Sprintf("%s/%d", path, i), p.(map[string]any), f)
			}
		case "items", "not", "additionalProperties":
			if p, ok := value.(map[string]any); ok {
				each(path, p, f)
			}
		}
	}
}

// Check reads YAML as an editor does, and says what the schema forbids in it.
func (v *Validator) Check(text string) error {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return err
	}
	if len(doc.Content) == 0 {
		return v.check(v.root, nil)
	}
	return v.check(v.root, value(doc.Content[0]))
}

// CheckValue checks a value against one of the schemas.
func (v *Validator) CheckValue(s map[string]any, value any) error { return v.check(s, value) }

// value is YAML in the types of JSON.
func value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = value(n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, c := range n.Content {
			out[i] = value(c)
		}
		return out
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		var f float64
		if n.Decode(&f) == nil {
			return f
		}
	case "!!timestamp":
		return struct{}{} // YAML of old: a date, which is neither text nor number
	}
	return n.Value
}

// keyword says what is wrong with a value, or nothing.
type keyword func(v *Validator, arg, value any, s map[string]any) error

// keywords are the checks by name.
func keywords() map[string]keyword {
	return map[string]keyword{
		"$ref": func(v *Validator, arg, value any, _ map[string]any) error { return v.check(v.Ref(arg.(string)), value) },
		"type": func(_ *Validator, arg, value any, _ map[string]any) error {
			return must(isType(arg.(string), value), "must be of type %v", arg)
		},
		"const": func(_ *Validator, arg, value any, _ map[string]any) error {
			return must(reflect.DeepEqual(arg, value), "must be %v", arg)
		},
		"enum": func(_ *Validator, arg, value any, _ map[string]any) error {
			return must(slices.ContainsFunc(arg.([]any), func(a any) bool { return reflect.DeepEqual(a, value) }), "must be one of %v", arg)
		},
		"pattern": func(v *Validator, arg, value any, _ map[string]any) error {
			s, ok := value.(string)
			return must(!ok || v.patterns[arg.(string)].MatchString(s), "must look like %v", arg)
		},
		"maxLength": func(_ *Validator, arg, value any, _ map[string]any) error {
			s, ok := value.(string)
			return must(!ok || utf8.RuneCountInString(s) <= int(arg.(float64)), "is too long")
		},
		"minimum":          compare(func(x, limit float64) bool { return x >= limit }),
		"maximum":          compare(func(x, limit float64) bool { return x <= limit }),
		"exclusiveMinimum": compare(func(x, limit float64) bool { return x > limit }),
		"exclusiveMaximum": compare(func(x, limit float64) bool { return x < limit }),
		"items":            items,
		"minItems":         count(func(n, limit int) bool { return n >= limit }),
		"maxItems":         count(func(n, limit int) bool { return n <= limit }),
		"uniqueItems":      unique,
		"minProperties":    count(func(n, limit int) bool { return n >= limit }),
		"maxProperties":    count(func(n, limit int) bool { return n <= limit }),
		"required":         required,
		"properties":       properties,
		"additionalProperties": func(v *Validator, arg, value any, s map[string]any) error {
			return additional(v, arg, value, s)
		},
		"anyOf": some(func(n, _ int) bool { return n > 0 }),
		"oneOf": some(func(n, _ int) bool { return n == 1 }),
		"allOf": some(func(n, of int) bool { return n == of }),
		"not": func(v *Validator, arg, value any, _ map[string]any) error {
			return must(v.check(arg.(map[string]any), value) != nil, "is forbidden")
		},
	}
}

func (v *Validator) check(s map[string]any, value any) error {
	for _, k := range sortedKeys(s) {
		if check := v.keywords[k]; check != nil {
			if err := check(v, s[k], value, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func sortedKeys(s map[string]any) []string {
	keys := make([]string, 0, len(s))
	for k := range s {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func must(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func isType(name string, value any) bool {
	switch value := value.(type) {
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case float64:
		return name == "number" || name == "integer" && value == math.Trunc(value)
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return name == "null" && value == nil
}

func compare(holds func(x, limit float64) bool) func(*Validator, any, any, map[string]any) error {
	return func(_ *Validator, arg, value any, _ map[string]any) error {
		x, ok := value.(float64)
		return must(!ok || holds(x, arg.(float64)), "%v is out of range", value)
	}
}

func count(holds func(n, limit int) bool) func(*Validator, any, any, map[string]any) error {
	return func(_ *Validator, arg, value any, _ map[string]any) error {
		n := -1
		switch value := value.(type) {
		case []any:
			n = len(value)
		case map[string]any:
			n = len(value)
		}
		return must(n < 0 || holds(n, int(arg.(float64))), "has %d entries", n)
	}
}

func items(v *Validator, arg, value any, _ map[string]any) error {
	list, _ := value.([]any)
	for i, e := range list {
		if err := v.check(arg.(map[string]any), e); err != nil {
			return fmt.Errorf("%d: %w", i, err)
		}
	}
	return nil
}

func unique(_ *Validator, _, value any, _ map[string]any) error {
	list, _ := value.([]any)
	for i, a := range list {
		for _, b := range list[:i] {
			if reflect.DeepEqual(a, b) {
				return fmt.Errorf("%v is there twice", a)
			}
		}
	}
	return nil
}

func required(_ *Validator, arg, value any, _ map[string]any) error {
	m, ok := value.(map[string]any)
	for _, key := range arg.([]any) {
		if _, given := m[key.(string)]; ok && !given {
			return fmt.Errorf("%v is missing", key)
		}
	}
	return nil
}

func properties(v *Validator, arg, value any, _ map[string]any) error {
	m, _ := value.(map[string]any)
	for _, key := range sortedKeys(arg.(map[string]any)) {
		if e, given := m[key]; given {
			if err := v.check(arg.(map[string]any)[key].(map[string]any), e); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return nil
}

func additional(v *Validator, arg, value any, s map[string]any) error {
	m, _ := value.(map[string]any)
	known, _ := s["properties"].(map[string]any)
	for _, key := range sortedKeys(m) {
		if _, ok := known[key]; ok {
			continue
		}
		rest, ok := arg.(map[string]any)
		if !ok {
			return fmt.Errorf("unknown key %q", key)
		}
		if err := v.check(rest, m[key]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func some(enough func(n, of int) bool) func(*Validator, any, any, map[string]any) error {
	return func(v *Validator, arg, value any, _ map[string]any) error {
		var errs []string
		n := 0
		list := arg.([]any)
		for _, s := range list {
			if err := v.check(s.(map[string]any), value); err == nil {
				n++
			} else {
				errs = append(errs, err.Error())
			}
		}
		return must(enough(n, len(list)), "%d of %d forms hold: %s", n, len(list), strings.Join(errs, "; "))
	}
}

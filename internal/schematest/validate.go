package schematest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// Validator checks YAML against a JSON Schema.
type Validator struct {
	root     map[string]any
	compiler *jsonschema.Compiler
	whole    *jsonschema.Schema
}

// address is where the schema stands for the compiler.
const address = "file:///schema.json"

// Compile reads a schema, which must be one by the rules of its dialect.
func Compile(t testing.TB, data []byte) *Validator {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	v := &Validator{root: doc.(map[string]any), compiler: jsonschema.NewCompiler()}
	delete(v.root, "$id") // the parts are asked for by the address above
	if err := v.compiler.AddResource(address, doc); err != nil {
		t.Fatal(err)
	}
	if v.whole, err = v.compiler.Compile(address); err != nil {
		t.Fatal(err)
	}
	return v
}

// Ref returns the definition that a reference names.
func (v *Validator) Ref(ref string) map[string]any {
	defs, _ := v.root["$defs"].(map[string]any)
	s, _ := defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	return s
}

// Each calls f with every schema inside of the schema, and where it is, as a JSON pointer.
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
		return v.whole.Validate(nil)
	}
	return v.whole.Validate(value(doc.Content[0]))
}

// CheckAt checks a value against the schema at that path.
func (v *Validator) CheckAt(path string, value any) error {
	s, err := v.compiler.Compile(address + "#" + path)
	if err != nil {
		return err
	}
	return s.Validate(value)
}

// value returns YAML in the types of JSON.
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
	case "!!null", "!!timestamp": // YAML of old: a date, which is neither text nor number
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		var f float64
		if n.Decode(&f) == nil {
			return f
		}
	}
	return n.Value
}

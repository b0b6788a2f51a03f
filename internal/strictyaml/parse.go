// Package strictyaml reads YAML that people wrote by hand, and tells them everything that is wrong
// with it at once, each thing with its place.
//
// Decoding into structs has two faults for this purpose: it stops too early, and the values it
// leaves behind no longer know where they came from, so that a PromQL error can only say "somewhere
// in this file". Here a file is parsed into a tree and walked. Each [Value] knows its place, and
// asking it for something it is not ([Value.Text], [Value.Object], [Value.Duration], …) records a
// [Problem] and goes on; a typing error in one place never hides a wrong number in another.
//
// A small YAML is accepted: no anchors, aliases, merge keys or tags, no duplicate keys, no more
// than [MaxSize] bytes and [MaxDepth] levels. What remains means to the program what it seems to
// mean to the reader.
//
// The package is pure: bytes come in, values and problems come out.
//
// Reading order: problem.go (what is told), parse.go (bytes to tree), value.go (asking the tree),
// position.go (places inside a string), source.go (lines, carets, blanked secrets).
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// MaxSize is how many bytes a file may have.
const MaxSize = 1 << 20

// MaxDepth is how many levels maps and lists may be nested.
const MaxDepth = 32

// maxDocuments bounds the documents of one file.
const maxDocuments = 1000

// Options widens what is accepted.
type Options struct {
	// Documents allows several documents in a file, divided by lines of three hyphens.
	Documents bool
	// Ours reports whether a text is of the kind that is to be read. Of another, which a link or a
	// slip of the hand has brought here, no word is shown. Nil takes every text for ours.
	Ours func(text string) bool
	// Plain are the keys whose values may be shown beside a problem, if they stand under no other
	// keys than plain ones and those of Maps; all other values may be secrets. Nil shows the values
	// of all keys that are known and not called like a secret.
	Plain, Maps []string
}

// File is a parsed file. Problems grow while its values are asked for what they are.
type File struct {
	Documents []Value // without empty ones
	src       *source
}

// Parse reads a file. It never fails and never panics: what cannot be read is among the
// [File.Problems], and there are then no Documents.
func Parse(name string, data []byte, o Options) (f *File) {
	f = &File{src: newSource(name, "")}
	defer func() {
		if r := recover(); r != nil { // a fault of the YAML library must not end the daemon
			f.Documents = nil
			f.src.add(Pos{}, Error, "cannot be read as YAML", "")
		}
	}()
	if len(data) > MaxSize {
		f.src.add(Pos{}, Error, fmt.Sprintf("the file has %d bytes; at most %d are read", len(data), MaxSize), "split it into several files")
		return f
	}
	f.src = newSource(name, string(bytes.TrimPrefix(data, []byte("\uFEFF"))))
	f.src.foreign = o.Ours != nil && !o.Ours(f.src.text)
	f.src.secrets.plain, f.src.secrets.above = o.Plain, o.Maps
	if !f.src.checkText() {
		return f
	}
	f.parse(o)
	return f
}

// Foreign reports whether the text is not of the kind that was to be read.
func (f *File) Foreign() bool { return f.src.foreign }

// Problems returns everything found so far, sorted, each once.
func (f *File) Problems() Problems { return f.src.all() }

// checkText refuses what is not text before a YAML parser gets to see it.
func (s *source) checkText() bool {
	const hint = "save the file as UTF-8 text"
	if strings.TrimSpace(s.text) == "" {
		s.add(Pos{}, Error, "the file is empty", "")
		return false
	}
	for i, r := range s.text {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			s.add(s.at(i), Error, fmt.Sprintf("there is a control character (0x%02x); this is not a text file", r), hint)
			return false
		}
		if r != utf8.RuneError {
			continue
		}
		if _, n := utf8.DecodeRuneInString(s.text[i:]); n == 1 {
			s.add(s.at(i), Error, "this is not UTF-8 text", hint)
			return false
		}
	}
	return true
}

func (f *File) parse(o Options) {
	loader, err := yaml.NewLoader(strings.NewReader(f.src.text))
	if err != nil {
		f.src.addYAML(err)
		return
	}
	for range maxDocuments {
		var doc yaml.Node
		if err := loader.Load(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			f.Documents = nil
			f.src.addYAML(err)
			return
		}
		f.document(&doc, o)
	}
	if len(f.Documents) == 0 && len(f.src.problems) == 0 {
		f.src.add(Pos{}, Error, "the file is empty: it has nothing but comments", "")
	}
}

// document takes one document in, unless it is empty or contains what is never accepted.
func (f *File) document(doc *yaml.Node, o Options) {
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return
	}
	root := Value{node: doc.Content[0], src: f.src}
	if len(f.Documents) == 1 && !o.Documents {
		root.Problem("there is a second document in this file; only one is allowed", "remove the line ---")
		return
	}
	if f.src.admit(root.node, 1) {
		f.Documents = append(f.Documents, root)
	}
}

// admit refuses the parts of YAML that make a file mean something else than it shows.
func (s *source) admit(n *yaml.Node, depth int) bool {
	at := place(n)
	switch {
	case n.Kind == yaml.AliasNode:
		s.add(at, Error, fmt.Sprintf("aliases such as *%s are not accepted", s.word(n.Value)), "write the value out")
		return false
	case n.Anchor != "":
		s.add(at, Error, fmt.Sprintf("anchors such as &%s are not accepted", s.word(n.Anchor)), "remove it, and write the value out where it is needed")
		return false
	case n.Style&yaml.TaggedStyle != 0:
		s.add(at, Error, fmt.Sprintf("tags such as %s are not accepted", s.word(n.Tag)), "remove it; put text in quotes to keep it text")
		return false
	case depth > MaxDepth:
		s.add(at, Error, fmt.Sprintf("nested more than %d levels deep", MaxDepth), "")
		return false
	}
	s.findTwins(n)
	ok := true
	for _, c := range n.Content {
		ok = s.admit(c, depth+1) && ok
	}
	return ok
}

// findTwins records the keys of a map that are written twice. The rest of the file can be used.
func (s *source) findTwins(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return
	}
	first := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if line := first[key.Value]; line > 0 && key.Kind == yaml.ScalarNode {
			name := s.keyName(key.Value, place(key))
			if s.foreign {
				name = "a key"
			}
			s.add(place(key), Error, name+" is written twice", fmt.Sprintf("the first one is in line %d; remove one of them", line))
			continue
		}
		first[key.Value] = key.Line
	}
}

// addYAML records the errors of the YAML library in words for people.
func (s *source) addYAML(err error) {
	list, ok := errors.AsType[*yaml.LoadErrors](err)
	if !ok || len(list.Errors) == 0 {
		if one, ok := errors.AsType[*yaml.LoadError](err); ok {
			s.addLoadError(one)
			return
		}
		s.add(Pos{}, Error, "cannot be read as YAML: "+short(err.Error()), "")
		return
	}
	for _, e := range list.Errors {
		s.addLoadError(e)
	}
}

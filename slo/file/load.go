// Package file reads SLO files and writes them.
//
// [Load] reads YAML strictly: an unknown key, a misspelt duration, a channel that cannot exist is a
// [slo.Problem] with file, line, column, the source line with a caret, and what to write instead.
// It returns either a whole [slo.Set], or every problem of every file at once, never half of each.
// [Print] writes SLOs as Load reads them. Other people's formats are read by a [Reader] of their
// own (slo/openslo, slo/sloth, slo/pyrra).
//
// The package is part of the pure core: files are handed to it as bytes.
//
// Reading order: keys.go (what may stand in a file), this file, native.go (our own format) with
// indicator.go, journey.go, depends.go, readalerts.go and fields.go, readcorrection.go, print.go.
package file

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// File is an SLO file, read by somebody else: this package does not touch the disk.
type File struct {
	Name string // for messages
	Data []byte
}

// Reader reads documents of somebody else's format. Load hands it every document that it
// Recognises, of all files together, since such documents refer to each other. What is wrong it
// records on the [strictyaml.Value] it is wrong in.
type Reader struct {
	Recognises func(apiVersion, kind string) bool
	Read       func(documents []strictyaml.Value) []*slo.Spec
}

// Load reads SLO files, and files of corrections among them. It returns either all their SLOs, or
// an error that is of the type [slo.Problems] and holds every problem of every file, warnings
// included.
func Load(files []File, foreign ...Reader) (*slo.Set, error) {
	l := loader{files: map[string]*strictyaml.File{}, holdCorrections: map[string]bool{}}
	for _, f := range files {
		l.parse(f, foreign)
	}
	for i, r := range foreign {
		if docs := l.foreign[i]; len(docs) > 0 {
			l.specs = append(l.specs, r.Read(docs)...)
		}
	}
	l.refuseTwins()
	for _, s := range l.specs {
		l.found(lint.Spec(s)...)
	}
	l.checkCorrections()
	for _, f := range l.files {
		checkIgnores(f)
		l.problems = append(l.problems, f.Problems()...)
	}
	slices.SortStableFunc(l.services, func(a, b *slo.Service) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	set := slo.NewSet(l.specs, l.services, nil)
	l.found(lint.Steps(set, !l.problems.Fatal())...)
	if !l.problems.Fatal() {
		l.found(lint.Journeys(set)...)
		l.found(lint.Dependencies(set)...)
	}
	problems := l.problems.Sorted()
	if problems.Fatal() {
		return nil, problems
	}
	set.Warnings = problems
	for _, r := range l.corrections {
		set.Corrections = append(set.Corrections, r.Correction)
	}
	return set, nil
}

// loader collects what the documents of all files contain.
type loader struct {
	files    map[string]*strictyaml.File // by name
	foreign  map[int][]strictyaml.Value  // documents by index of their reader
	specs    []*slo.Spec
	services []*slo.Service
	signals  map[string]strictyaml.Value // by service, where its signals were written
	depends  map[string]strictyaml.Value // by service, where its dependencies were written
	problems slo.Problems                // beside those of the files

	corrections     []correctionReader
	holdCorrections map[string]bool // files, by name
}

// parse reads one file and hands each of its documents to whoever knows its format.
func (l *loader) parse(f File, foreign []Reader) {
	parsed := strictyaml.Parse(f.Name, f.Data, strictyaml.Options{Documents: true, Ours: ours.MatchString})
	l.files[f.Name] = parsed
	for _, doc := range parsed.Documents {
		version, kind := doc.Peek("apiVersion"), doc.Peek("kind")
		if version == "" {
			version = doc.Peek("version")
		}
		i := slices.IndexFunc(foreign, func(r Reader) bool { return r.Recognises(version, kind) })
		switch {
		case i >= 0:
			if l.foreign == nil {
				l.foreign = map[int][]strictyaml.Value{}
			}
			l.foreign[i] = append(l.foreign[i], doc)
		case version == Version && doc.Has("corrections") && !doc.Has("service") && !doc.Has("slos"):
			l.readCorrections(doc)
		case version == Version && !doc.Has("apiVersion"):
			l.native(doc)
		default:
			unknownFormat(doc, version)
		}
	}
}

// ours finds a line by which a text is known for an SLO file, whether or not it can be read: the
// version of a format, or a key that only SLO files have at their beginning.
var ours = regexp.MustCompile(`(?mi)^[\s{-]*["']?(?:api_?version|version)["']?\s*:\s*["']?(?:slowburn\b|openslo|prometheus/|sloth\.|pyrra\.)|^["']?(?:slos|corrections)["']?\s*:`)

// knownForm is how versions of formats look, and nothing secret does.
var knownForm = regexp.MustCompile(`^(?:[a-z0-9.-]{1,60}/)?v?[0-9][a-z0-9.]{0,10}$`)

// unknownFormat says what was probably meant by a document that nobody can read.
func unknownFormat(doc strictyaml.Value, version string) {
	const hint = "start the file with version: " + Version
	at := doc.Child("apiVersion")
	if !at.Given() {
		at = doc.Child("version")
	}
	for _, f := range foreignFormats {
		if f.version.MatchString(version) {
			at.Problem(fmt.Sprintf("this is %s file, which is not read yet", f.name), hint+" and write the SLO in slowburn's own format")
			return
		}
	}
	switch {
	case !doc.IsMap():
		doc.Problem("an SLO file is a map with version, service and slos", hint)
	case !at.Given():
		doc.Problem("version is missing", hint)
	case !knownForm.MatchString(version):
		at.Problem("unknown version", hint)
	default:
		at.Problem(fmt.Sprintf("unknown version %q", version), hint)
	}
}

// refuseTwins records every SLO whose name was taken by an earlier one, naming both places.
func (l *loader) refuseTwins() {
	first := map[slo.ID]*slo.Spec{}
	slices.SortStableFunc(l.specs, func(a, b *slo.Spec) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	for _, s := range l.specs {
		other := first[s.ID()]
		if other == nil {
			first[s.ID()] = s
			continue
		}
		l.found(lint.Refuse(s, "name", fmt.Sprintf("the SLO %s exists twice", s.ID()),
			lint.OtherOne(other.File, other.Line)))
	}
}

// found takes problems in, with their source lines, and leaves out what a comment accepts.
func (l *loader) found(problems ...slo.Problem) {
	for _, p := range problems {
		if f := l.files[p.File]; f != nil {
			shown, told := f.Show(p)
			if !told {
				continue
			}
			p = shown
		}
		l.problems = append(l.problems, p)
	}
}

// checkIgnores warns about comments that accept a warning and cannot work.
func checkIgnores(f *strictyaml.File) {
	for _, i := range f.Ignores() {
		switch {
		case lint.Named(i.ID) == nil:
			var names []string
			for _, l := range lint.Rules {
				names = append(names, l.ID)
			}
			hint := "the name of a warning stands in brackets behind it"
			if near := strictyaml.Nearest(i.ID, names); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			f.Warn(i, "bad-ignore", fmt.Sprintf("there is no warning %q to ignore", i.ID), hint)
		case i.Reason == "":
			f.Warn(i, "bad-ignore", "a warning is ignored without a reason, so it is told nevertheless", "write the reason behind the name: # slowburn:ignore "+i.ID+" because …")
		}
	}
}

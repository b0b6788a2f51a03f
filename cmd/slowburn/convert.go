package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/lint"
	"github.com/slowburn-sre/slowburn/slo/openslo"
)

type convertCmd struct {
	Files   []string `arg:"" help:"SLO files, folders or globs, in any format that slowburn reads." placeholder:"FILE"`
	To      string   `help:"The format to write: ${enum}." enum:"slowburn, openslo" default:"slowburn"`
	OpenSLO string   `name:"openslo" help:"How OpenSLO is read: strict, as its reference validator does, or lenient, forgiving what its own examples get wrong." enum:"strict,lenient" default:"strict"`
	Strict  bool     `help:"Fail if anything could not be carried over."`
}

// Run reads files and prints their SLOs in another format. What could not be carried over stands in
// the output as a comment and is told on standard error with its place.
func (c *convertCmd) Run(e *env) error {
	var o origins
	set, err := config.LoadSLOs(c.Files, o.watch(config.Formats(c.OpenSLO == "lenient"))...)
	if err != nil {
		return cannotFindOut(err)
	}
	if len(set.Specs) == 0 {
		return cannotFindOut(errors.New("there is no SLO in these files"))
	}
	lost := o.lost(set)
	var out []byte
	if c.To == "openslo" {
		text, more := openslo.Print(set.Specs, set.Services)
		out, lost = text, append(lost, more...)
	} else if out, err = toSlowburn(set, &o, lost); err != nil {
		return cannotFindOut(err)
	}
	if _, err := e.out.Write(out); err != nil {
		return cannotFindOut(err)
	}
	return c.tell(e, len(set.Specs), lost)
}

// tell names what was lost, and answers "no" if nothing may be.
func (c *convertCmd) tell(e *env, specs int, lost slo.Problems) error {
	for _, p := range lost {
		fmt.Fprintln(e.err, p.Error())
	}
	if len(lost) == 0 {
		return nil
	}
	said := fmt.Errorf("read %s; %s could not be carried over", figures.Plural(specs, "SLO"), figures.Plural(len(lost), "thing"))
	if c.Strict {
		return answerNo(said)
	}
	fmt.Fprintln(e.err, "slowburn:", said)
	return nil
}

// toSlowburn prints the SLOs in our own format, reads them again, and insists that they are the
// same.
func toSlowburn(set *slo.Set, o *origins, lost slo.Problems) ([]byte, error) {
	out := file.Print(set.Specs, set.Services, o.layout(set, lost))
	again, err := file.Load([]file.File{{Name: "the converted file", Data: out}})
	if err != nil {
		return nil, fmt.Errorf("these SLOs cannot be written in slowburn's own format:\n%w", err)
	}
	plain := func(s *slo.Set) []byte { return file.Print(s.Specs, s.Services, file.Layout{}) }
	if !bytes.Equal(plain(set), plain(again)) {
		return nil, errors.New("the converted SLOs would not be the same; this is a fault of slowburn, please report it with the file")
	}
	return out, nil
}

// origins remembers which SLOs and documents came from which format.
type origins struct {
	format map[*slo.Spec]string
	starts []place // of foreign documents
}

// place is a line of a file.
type place struct {
	file string
	line int
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.file, q.file), cmp.Compare(p.line, q.line))
}

// formatNames are the names of the formats, in the order of formats.
var formatNames = []string{"Sloth", "Pyrra", "OpenSLO"}

// watch lets the readers read as before, and takes down what they read.
func (o *origins) watch(readers []file.Reader) []file.Reader {
	o.format = map[*slo.Spec]string{}
	out := slices.Clone(readers)
	for i, r := range readers {
		out[i].Read = func(documents []strictyaml.Value) []*slo.Spec {
			for _, d := range documents {
				o.starts = append(o.starts, place{d.File(), d.Place().Line})
			}
			slices.SortFunc(o.starts, place.compare)
			specs := r.Read(documents)
			for _, s := range specs {
				o.format[s] = formatNames[i]
			}
			return specs
		}
	}
	return out
}

// document returns the index of the foreign document that a line belongs to, or -1.
func (o *origins) document(file string, line int) int {
	i, found := slices.BinarySearchFunc(o.starts, place{file, line}, place.compare)
	if !found {
		i--
	}
	if i < 0 || o.starts[i].file != file {
		return -1
	}
	return i
}

// lost returns what the readers of other formats said while reading. What the lint says of the SLOs
// is left to check.
func (o *origins) lost(set *slo.Set) (out slo.Problems) {
	lint := lint.Set(set)
	for _, w := range set.Warnings {
		linted := slices.ContainsFunc(lint, func(p slo.Problem) bool { return p.File == w.File && p.Message == w.Message })
		if !linted && o.document(w.File, w.Line) >= 0 {
			out = append(out, w)
		}
	}
	return out
}

// layout returns the comments of a converted file: where each SLO is from, what was chosen, what
// was lost.
func (o *origins) layout(set *slo.Set, lost slo.Problems) file.Layout {
	if len(o.format) == 0 {
		return file.Layout{}
	}
	l := file.Layout{Notes: file.Notes{}, Head: []string{"Converted from " + strings.Join(sources(set), ", ") + "."}}
	for _, s := range set.Specs {
		if format := o.format[s]; format != "" {
			explain(l.Notes, s, format)
		}
	}
	for _, w := range lost {
		text := fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Message)
		if s := o.owner(set, w); s != nil {
			l.Notes.Add(s.ID(), "", text)
		} else {
			l.Head = append(l.Head, text)
		}
	}
	return l
}

// owner returns the SLO that a warning is about: the last one above it in the same document.
func (o *origins) owner(set *slo.Set, w slo.Problem) (owner *slo.Spec) {
	document := o.document(w.File, w.Line)
	for _, s := range set.Specs {
		if s.File == w.File && s.Line <= w.Line && o.document(s.File, s.Line) == document && (owner == nil || s.Line > owner.Line) {
			owner = s
		}
	}
	return owner
}

// sources returns the files the SLOs came from.
func sources(set *slo.Set) (files []string) {
	for _, s := range set.Specs {
		files = append(files, s.File)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	if n := len(files); n > 5 {
		return []string{figures.Plural(n, "file")}
	}
	return files
}

// explain says what was chosen for an SLO, and why, where a reader of the new file might ask.
func explain(notes file.Notes, s *slo.Spec, format string) {
	note := func(key, text string) { notes.Add(s.ID(), key, text) }
	note("", fmt.Sprintf("From %s, %s:%d.", format, s.File, s.Line))
	switch {
	case s.SLI.Kind == slo.Ratio:
		note("sli.ratio", "A ratio "+slo.NoTraffic+". If there are counters behind it, write events.")
	case s.SLI.Kind == slo.Events && s.SLI.Total.Bare():
		note("sli.events", "Bare counters, without rate or sum: every event is counted.")
	case s.SLI.Kind == slo.Events:
		note("sli.events", "Expressions, which Prometheus evaluates every minute: they have no single counter behind them.")
	}
	if w := s.Window(); format == "Sloth" && w.Rolling == 30*slo.Day {
		note("window", "Sloth's default period. Four weeks (28d) always hold four weekends; 30 days do not.")
	}
	defaults, _ := slo.DefaultAlerts(s.Window(), s.Objective)
	switch {
	case slices.Equal(s.Alerts.Page, defaults.Page) && slices.Equal(s.Alerts.Ticket, defaults.Ticket):
		note("", "Its alerts are slowburn's defaults: the pages and tickets of the SRE workbook.")
	case len(s.Alerts.Page)+len(s.Alerts.Ticket) > 0:
		note("alerts", fmt.Sprintf("The windows of %s. A burn rate is written as the share of the budget that it spends in the long window.", format))
	}
}

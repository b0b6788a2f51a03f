package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a problem forbids the use of a file.
type Severity string

// The severities. A file with an Error is not used at all; a Warning is told and the file is used.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one thing that is wrong at one place of one file, told to the person who wrote it.
type Problem struct {
	File     string
	Line     int // from 1; 0 if the problem belongs to no line
	Column   int // in characters, from 1
	Severity Severity
	ID       string // of a lint, such as dead-alert; "" of what is simply wrong
	Message  string // what is wrong
	Hint     string // what to write instead
	Snippet  string // the source line and a caret below it
}

// Error returns the problem as it is shown: place, message and the ID of the lint that says so, the
// source line with a caret, the hint.
//
//	checkout.yaml:5:16: warning: an objective of 5% allows most events to be bad [objective-inverted]
//	     5 |     objective: 5
//	       |                ^
//	  hint: the objective is the share of good events; did you mean 95?
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.place())
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.ID != "" {
		b.WriteString(" [" + p.ID + "]")
	}
	if p.Snippet != "" {
		b.WriteString("\n" + p.Snippet)
	}
	if p.Hint != "" {
		b.WriteString("\n  hint: " + p.Hint)
	}
	return b.String()
}

// place returns "file:line:column: ", as far as it is known.
func (p Problem) place() string {
	switch {
	case p.File == "" && p.Line == 0:
		return ""
	case p.Line == 0:
		return p.File + ": "
	case p.Column == 0:
		return fmt.Sprintf("%s:%d: ", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
}

// Problems is everything wrong with some files. As an error it shows all of them.
type Problems []Problem

// Error shows every problem, one below the other.
func (ps Problems) Error() string {
	parts := make([]string, len(ps))
	for i, p := range ps {
		parts[i] = p.Error()
	}
	return strings.Join(parts, "\n")
}

// Err returns the problems as an error if one of them has the severity Error, and nil otherwise.
func (ps Problems) Err() error {
	if ps.Fatal() {
		return ps
	}
	return nil
}

// Fatal reports whether one of the problems has the severity Error.
func (ps Problems) Fatal() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// Sorted returns the problems by file, line, column, severity and text, each once.
func (ps Problems) Sorted() Problems {
	out := slices.Clone(ps)
	slices.SortStableFunc(out, compareProblems)
	return slices.CompactFunc(out, func(a, b Problem) bool { return compareProblems(a, b) == 0 })
}

func compareProblems(a, b Problem) int {
	return cmp.Or(
		cmp.Compare(a.File, b.File),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Severity, b.Severity),
		cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Message, b.Message),
		cmp.Compare(a.Hint, b.Hint),
	)
}

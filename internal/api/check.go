package api

import "github.com/slowburn-sre/slowburn/internal/strictyaml"

// Check is what `slowburn check` found out about the files.
type Check struct {
	Valid    bool      `json:"valid"` // no error; there may be warnings
	SLOs     int       `json:"slos"`
	Services int       `json:"services"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Problems []Problem `json:"problems"`
}

// Problem is one thing that is wrong at one place of one file.
type Problem struct {
	File     string              `json:"file"`
	Line     int                 `json:"line"`   // from 1; 0 if the problem belongs to no line
	Column   int                 `json:"column"` // in characters, from 1
	Severity strictyaml.Severity `json:"severity"`
	ID       string              `json:"id,omitempty"`      // of a lint, such as dead-alert; "" of what is simply wrong
	Message  string              `json:"message"`           // what is wrong
	Hint     string              `json:"hint,omitempty"`    // what to write instead
	Snippet  string              `json:"snippet,omitempty"` // the source line and a caret below it
}

// Finding is one thing that `slowburn doctor` looked at.
type Finding struct {
	State   string `json:"state"` // ok, warn: works with a loss, fail: does not work, off: not configured
	Part    string `json:"part"`  // configuration, prometheus, slack, store, clock
	Finding string `json:"finding"`
	Todo    string `json:"todo,omitempty"` // what to do about it, or what turns it on
}

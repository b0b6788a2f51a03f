package ranking

import (
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// Evidence is what was found out about an incident at one time. It is kept as JSON.
type Evidence struct {
	Incident string        `json:"incident"`
	Kind     alerting.Kind `json:"kind"` // of the event that asked for it: opened or escalated
	Onset    time.Time     `json:"onset"`
	At       time.Time     `json:"at"`   // the questions are about the time up to here
	Took     float64       `json:"took"` // seconds
	Burns    Ranking       `json:"burns"`
	Changes  []Suspect     `json:"changes,omitempty"` // the likeliest first
	Traces   []Trace       `json:"traces,omitempty"`
	Signals  Snapshot      `json:"signals"`
	Problems []string      `json:"problems,omitempty"` // what could not be found out, and why
}

// Empty reports whether nothing at all was found out.
func (e Evidence) Empty() bool {
	known := e.Signals.Latency.Now.Known || e.Signals.Traffic.Now.Known || e.Signals.Errors.Now.Known || len(e.Signals.Saturation) > 0
	nowhere := e.Burns.Verdict == NotKnown || e.Burns.Verdict == NoLabels
	return nowhere && len(e.Changes) == 0 && len(e.Traces) == 0 && !known
}

// Failure returns why something could not be found out that should have been, "" if all went well.
func (e Evidence) Failure() string {
	if e.Burns.Verdict == NotKnown {
		return e.Burns.Reason
	}
	return strings.Join(e.Problems, "; ")
}

// signalLine returns one golden signal now against its baseline, such as "errors 8.4 %, before 0.02
// %".
func signalLine(s Signal) string {
	name := s.Name
	if s.What != "" {
		name += " " + s.What
	}
	return name + " " + Figure(s.Now, s.Unit) + ", before " + Figure(s.Baseline, s.Unit)
}

// Lines returns the golden signals, one line each; what is not known says so. There are none if the
// service's file names no
func (e Evidence) Lines() []string {
	s := e.Signals
	if s.From == "" && len(s.Saturation) == 0 {
		return nil
	}
	var lines []string
	for _, one := range []Signal{s.Latency, s.Traffic, s.Errors} {
		if s.From != "" {
			lines = append(lines, signalLine(one))
		}
	}
	for _, one := range s.Saturation {
		line := signalLine(one.Signal)
		if one.Limit > 0 {
			line += ", full at " + Figure(Reading{Value: one.Limit, Known: true}, one.Unit)
		}
		lines = append(lines, line)
	}
	return lines
}

// Figure writes a value with its unit.
func Figure(r Reading, unit string) string {
	switch {
	case !r.Known:
		return figures.Unknown
	case unit == "ratio":
		return figures.Ratio(r.Value)
	case unit == "seconds":
		return figures.Value(r.Value) + " s"
	case unit == "events/s":
		return figures.Value(r.Value) + " per second"
	}
	return figures.Value(r.Value)
}

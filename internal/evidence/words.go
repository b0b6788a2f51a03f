package evidence

import (
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/signals"
)

// signalLine returns one golden signal now against its baseline, such as "errors 8.4 %, before 0.02
// %".
func signalLine(s signals.Signal) string {
	name := s.Name
	if s.What != "" {
		name += " " + s.What
	}
	return name + " " + Figure(s.Now, s.Unit) + ", before " + Figure(s.Baseline, s.Unit)
}

// Lines returns the golden signals, one line each; what is not known says so. There are none if the
// service's file names no signals.
func (e Evidence) Lines() []string {
	s := e.Signals
	if s.From == "" && len(s.Saturation) == 0 {
		return nil
	}
	var lines []string
	for _, one := range []signals.Signal{s.Latency, s.Traffic, s.Errors} {
		if s.From != "" {
			lines = append(lines, signalLine(one))
		}
	}
	for _, one := range s.Saturation {
		line := signalLine(one.Signal)
		if one.Limit > 0 {
			line += ", full at " + Figure(signals.Reading{Value: one.Limit, Known: true}, one.Unit)
		}
		lines = append(lines, line)
	}
	return lines
}

// Figure writes a value with its unit.
func Figure(r signals.Reading, unit string) string {
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

package evidence

import (
	"fmt"
	"math"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/signals"
)

// SignalLine is one golden signal now against its baseline, such as "errors 8.4 %, before 0.02 %".
func SignalLine(s signals.Signal) string {
	name := s.Name
	if s.What != "" {
		name += " " + s.What
	}
	return name + " " + Figure(s.Now, s.Unit) + ", before " + Figure(s.Baseline, s.Unit)
}

// Lines are the golden signals, one line each; what is not known says so. There are none if the service's file names no
// signals.
func (e Evidence) Lines() []string {
	s := e.Signals
	if s.From == "" && len(s.Saturation) == 0 {
		return nil
	}
	var lines []string
	for _, one := range []signals.Signal{s.Latency, s.Traffic, s.Errors} {
		if s.From != "" {
			lines = append(lines, SignalLine(one))
		}
	}
	for _, one := range s.Saturation {
		line := SignalLine(one.Signal)
		if one.Limit > 0 {
			line += ", full at " + Figure(signals.Reading{Value: one.Limit, Known: true}, one.Unit)
		}
		lines = append(lines, line)
	}
	return lines
}

// Figure writes a value with its unit; what is not known says so.
func Figure(r signals.Reading, unit string) string {
	switch {
	case !r.Known:
		return "unknown"
	case unit == "ratio":
		return fmt.Sprintf("%.3g %%", 100*r.Value)
	case unit == "seconds":
		return fmt.Sprintf("%.3g s", r.Value)
	case unit == "events/s":
		return rounded(r.Value) + " per second"
	}
	return rounded(r.Value)
}

// rounded writes a value with three digits that count.
func rounded(v float64) string {
	if math.Abs(v) < 1000 {
		return fmt.Sprintf("%.3g", v)
	}
	step := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-2)
	return figures.Count(int(math.Round(v/step) * step))
}

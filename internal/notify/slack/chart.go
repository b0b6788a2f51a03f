package slack

import (
	"cmp"
	"math"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/incidents"
)

// shareChart draws which share failed since just before the onset, minute by minute, and names the
// moments that matter beside the time: what was deployed, the onset, the alert, the
// acknowledgement, the end. What is not known has no point.
func shareChart(t incidents.Notification) Chart {
	c := Chart{Title: "Failing share, % (UTC)", Name: "failing %"}
	layout := "15:04"
	if t.Now.Sub(t.Incident.Onset) > 20*time.Hour {
		layout = "Jan 2 15:04"
	}
	for n, p := range t.Trail {
		if p.Sum.Total == 0 {
			continue
		}
		end := p.At.Add(time.Minute)
		if n+1 < len(t.Trail) {
			end = t.Trail[n+1].At
		}
		share := math.Round(float64(p.Sum.Bad)/float64(p.Sum.Total)*1000) / 10
		label := clip(strings.TrimSpace(p.At.UTC().Format(layout)+" "+markBetween(t, p.At, end)), maxChartLabel)
		c.Points = append(c.Points, Point{Label: label, Value: share})
	}
	if len(c.Points) < 3 {
		return Chart{} // a line between two points tells nothing
	}
	return c
}

// maxChartLabel is how many characters a label has at most.
const maxChartLabel = 20

// markBetween names the moment that matters most in a step of the chart; "" if none does.
func markBetween(t incidents.Notification, from, to time.Time) string {
	i := t.Incident
	in := func(at time.Time) bool { return !at.IsZero() && !at.Before(from) && at.Before(to) }
	if t.Found != nil {
		if s, ok := t.Found.Suspected(); ok && in(s.At) {
			return plain(cmp.Or(s.Version, s.Kind), 12)
		}
	}
	for _, a := range t.Since {
		if in(a.Change.Start) {
			return plain(a.Change.Kind, 12)
		}
	}
	switch {
	case in(i.Onset):
		return "onset"
	case in(i.Alerted()):
		return string(i.Severity)
	case in(i.Resolved):
		return "resolved"
	}
	if a, ok := i.Acknowledged(); ok && in(a.At) {
		return "ack"
	}
	return ""
}

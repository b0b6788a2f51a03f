package slack

import (
	"math"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/incidents"
)

// burnChart draws how fast the budget burned since just before the onset. What is not known has no
// point.
func burnChart(t incidents.Notification) Chart {
	c := Chart{Title: "Burn rate, 1 is sustainable (UTC)", Name: "burn rate"}
	layout := "15:04"
	if t.Now.Sub(t.Incident.Onset) > 20*time.Hour {
		layout = "Jan 2 15:04"
	}
	for _, p := range t.Trail {
		if rate, ok := budget.Burn(p.Sum, t.Spec.Objective); ok {
			c.Points = append(c.Points, Point{Label: p.At.UTC().Format(layout), Value: math.Round(rate*10) / 10})
		}
	}
	if len(c.Points) < 3 {
		return Chart{} // a line between two points tells nothing
	}
	return c
}

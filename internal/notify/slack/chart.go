package slack

import (
	"math"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
)

// burnChart draws how fast the budget burned since just before the onset. What is not known has no point.
func (f message) burnChart() Chart {
	c := Chart{Title: "Burn rate, 1 is sustainable (UTC)", Name: "burn rate"}
	layout := "15:04"
	if f.Now.Sub(f.Incident.Onset) > 20*time.Hour {
		layout = "Jan 2 15:04"
	}
	for _, p := range f.Trail {
		if rate, ok := budget.Burn(p.Sum, f.Spec.Objective); ok {
			c.Points = append(c.Points, Point{Label: p.At.UTC().Format(layout), Value: math.Round(rate*10) / 10})
		}
	}
	if len(c.Points) < 3 {
		return Chart{} // a line between two points tells nothing
	}
	return c
}

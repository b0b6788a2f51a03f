package report

import (
	"cmp"
	"slices"

	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// Service is a service with its golden signals at the end of the period. Values are already written
// with their unit; "" is not known.
type Service struct {
	Name    string
	Owner   string
	Signals []Signal
}

// Signal is one golden signal, over the last hour of the period and over the same hour a week
// before.
type Signal struct {
	Kind   string // latency, traffic, errors or saturation
	What   string
	Now    string
	Before string
	// Of saturation: the share of the limit that is in use, and when it will be full, if it goes on
	// like this.
	Used     string
	Forecast string
	// Soon says that the forecast falls within four weeks.
	Soon  bool
	Query string
}

// services takes over the services of the report's team, by name.
func (b *builder) services() {
	for _, s := range b.in.Services {
		if b.concerns(s.Owner) && len(s.Signals) > 0 {
			b.Services = append(b.Services, s)
		}
	}
	slices.SortFunc(b.Services, func(x, y Service) int { return cmp.Compare(x.Name, y.Name) })
}

func (r Report) serviceText(limit int) string {
	var rows [][]string
	for _, s := range r.Services {
		for _, g := range s.Signals {
			forecast := markdown.Value(g.Forecast)
			if g.Soon {
				forecast = "**" + forecast + "**"
			}
			if g.Kind != "saturation" {
				forecast = ""
			}
			rows = append(rows, []string{markdown.Code(s.Name), markdown.Text(g.Kind), markdown.Text(g.What), markdown.Value(g.Now), markdown.Value(g.Before), markdown.Text(g.Used), forecast})
		}
	}
	if len(rows) == 0 {
		return "No service file names its signals (`signals:`).\n"
	}
	head := []string{"Service", "Signal", "", "At the end:", "A week before:", "Of its limit:", "Full"}
	return table(head, rows, limit) + "\nOver the last hour of the period. — is not known. A forecast is a band, and is given only where two look-backs agree.\n"
}

// aboutCapacity names what will be full soon.
func (b *builder) aboutCapacity() []Decision {
	var all []Decision
	for _, s := range b.Services {
		for _, g := range s.Signals {
			if g.Soon {
				all = append(all, Decision{Capacity, "", s.Name + ": " + g.What + " is at " + cmp.Or(g.Used, g.Now) + " and will be full " + g.Forecast + ", " + sentences.OnTrend + ": more of it, or less load?"})
			}
		}
	}
	return all
}

package suggest

import (
	"fmt"
	"slices"

	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// Empty reports whether nothing is proposed that could stand in a file.
func (p Proposal) Empty() bool {
	return !slices.ContainsFunc(p.SLOs, func(one SLO) bool { return one.Refused == "" })
}

// YAML writes the proposal as an SLO file, with comments that explain each choice. The same
// proposal makes the same bytes. Of a proposal without SLOs, only comments are left.
func (p Proposal) YAML() []byte {
	if p.Empty() {
		head := append([]string{p.Service.Name + ": there is no SLO to propose."}, p.Notes...)
		return file.Comments(append(head, p.refusals()...)...)
	}
	var specs []*slo.Spec
	o := file.Layout{Head: append([]string{"Suggested from what Prometheus has; read it, change it, keep it."}, p.Notes...), Notes: file.Notes{}}
	for _, one := range p.SLOs {
		if one.Refused != "" {
			continue
		}
		one.Service, one.Tier = p.Service.Name, p.Service.Tier
		specs = append(specs, one.Spec)
		for _, w := range one.Why {
			o.Notes.Add(one.ID(), w.Key, w.Text)
		}
	}
	if p.Service.Tier != "" {
		o.Notes.Add(slo.ID(p.Service.Name), "tier", "By how fast its requests are. Whether it is critical is for you to say.")
	}
	if p.Service.Signals != nil {
		for _, trap := range p.Traps {
			o.Notes.Add(slo.ID(p.Service.Name), "signals", trap)
		}
	}
	return append(file.Print(specs, []*slo.Service{p.Service}, o), file.Comments(p.refusals()...)...)
}

// refusals says which SLOs there are not, and why.
func (p Proposal) refusals() (all []string) {
	for _, one := range p.SLOs {
		if one.Refused != "" {
			all = append(all, fmt.Sprintf("No SLO %s: %s.", one.Name, one.Refused))
			for _, w := range one.Why {
				if w.Key == "objective" { // what else was chosen is of no use without one
					all = append(all, w.Text)
				}
			}
		}
	}
	return all
}

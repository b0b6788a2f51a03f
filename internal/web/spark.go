package web

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// sparks returns the budget that was left over four weeks, of every budget in a list, with its
// incidents. One question to the store finds them all; if it does not answer, none is marked.
func (s budgetList) sparks(ctx context.Context, found []ranked) map[slo.ID]template.HTML {
	all, marks := map[slo.ID]template.HTML{}, map[slo.ID][]time.Time{}
	if len(found) == 0 {
		return all
	}
	seen, now := s.Source.Snapshot(), s.Now()
	incidents, _ := s.Archive.Incidents(ctx, store.IncidentFilter{From: now.Add(-sparkSpan), Limit: maxIncidents})
	for _, i := range incidents {
		if i.Rule != alerting.RuleNoData && i.Severity != alerting.Notice {
			marks[i.SLO] = append(marks[i.SLO], i.Onset)
		}
	}
	for _, r := range found {
		all[r.budget.ID] = leftSpark(seen, r.budget, marks[r.budget.ID])
	}
	return all
}

// sparkSpan is what the small charts of the list of budgets show.
const sparkSpan = 28 * slo.Day

// leftSpark draws what was left of a budget at each midnight of four weeks, and is now. Whole days
// are what a ledger adds up fastest, so a page of many budgets keeps nothing for the next one.
func leftSpark(seen *engine.Snapshot, b *engine.Budget, incidents []time.Time) template.HTML {
	var points []point
	statuses, _ := seen.BurnDown(b.ID, later(b.AsOf.Add(-sparkSpan), b.Since).Truncate(slo.Day).Add(slo.Day), b.AsOf, slo.Day)
	for _, st := range append(statuses, b.Windows[0]) {
		points = append(points, point{st.At, st.Remaining(), st.Sum.Total > 0 && st.Sized})
	}
	return sparkOf(points, b.AsOf.Add(-sparkSpan), b.AsOf, incidents)
}

// sparkOf draws shares, 1 at the top, in a strip: as much of it as is known, a dashed line where
// nothing is left if it went below that, and a tick under each incident.
func sparkOf(points []point, from, to time.Time, incidents []time.Time) template.HTML {
	const top, bottom = 2.0, 19.0
	low := 0.0
	for _, p := range points {
		if p.Known {
			low = min(low, p.Value)
		}
	}
	low = max(low, -1)
	x := func(t time.Time) float64 { return 1000 * float64(t.Sub(from)) / float64(max(to.Sub(from), 1)) }
	y := func(v float64) float64 { return top + (1-min(max(v, low), 1))/(1-low)*(bottom-top) }
	var b, line strings.Builder
	pen, begun, at, height := false, 0.0, 0.0, 0.0
	for n, p := range points {
		if !p.Known {
			pen = false
			continue
		}
		// A stretch on which nothing happens needs its ends only.
		if next := n + 1; pen && next < len(points) && points[next].Known && math.Abs(y(p.Value)-height) < 0.25 && math.Abs(y(points[next].Value)-height) < 0.25 {
			continue
		}
		at, height = x(p.At), y(p.Value)
		if !pen {
			begun = at
			fmt.Fprintf(&line, "M%.0f %.1f", at, height)
		} else {
			fmt.Fprintf(&line, "L%.0f %.1f", at, height)
		}
		pen = true
	}
	if line.Len() == 0 {
		return ""
	}
	b.WriteString(`<svg class="spark" aria-hidden="true"><svg width="100%" height="24" viewBox="0 0 1000 24" preserveAspectRatio="none">`)
	if strings.Count(line.String(), "M") == 1 {
		fmt.Fprintf(&b, `<path class="area" d="%sL%.0f %.1fL%.0f %.1fZ"/>`, line.String(), at, bottom, begun, bottom)
	}
	if low < 0 {
		fmt.Fprintf(&b, `<path class="zero" d="M0 %.1fH1000"/>`, y(0))
	}
	fmt.Fprintf(&b, `<path class="line line-a" d="%s"/></svg>`, line.String())
	for _, t := range incidents {
		fmt.Fprintf(&b, `<rect class="tick" x="%.1f%%" y="20" width="2" height="4"/>`, max(x(t)/10, 0))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers
}

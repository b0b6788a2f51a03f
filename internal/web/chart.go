package web

import (
	"context"
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// chart is a small line chart over time, drawn as SVG by the server. It says what it shows in
// words, for those who do not see it, and draws nothing where nothing is known.
type chart struct {
	ID         string // unique on the page
	Title      string
	Words      string // what is to be seen, in a sentence or two
	From, To   time.Time
	Low, High  float64 // of the vertical axis at least; the data may widen it
	Unit       string  // after the numbers of the vertical axis
	Lines      []line
	Thresholds []threshold
	Shades     []shade
}

// line is one curve. Key is one of the style sheet's, a to c: they differ in colour and in dashes.
type line struct {
	Key, Name string
	Points    []point
}

// point is one value; one that is not Known breaks the line.
type point struct {
	At    time.Time
	Value float64
	Known bool
}

// threshold is a level that means something.
type threshold struct {
	Value float64
	Name  string
}

// shade is a stretch of time, such as an incident.
type shade struct {
	From, To time.Time
	Key      string // page, ticket, no_data
	Name     string
}

// percentAxis is the unit of an axis of shares.
const percentAxis = "%"

// The drawing's size and margins, in units of the view box.
const (
	chartWidth, chartHeight = 560.0, 240.0
	chartLeft, chartRight   = 54.0, 10.0
	chartTop, chartBottom   = 12.0, 28.0
)

// SVG draws the chart.
func (c chart) SVG() template.HTML {
	low, high, step := c.scale()
	d := drawing{chart: c, low: low, high: high}
	d.printf(`<svg class="chart" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="%s-t %s-d">`, chartWidth, chartHeight, c.ID, c.ID)
	d.printf(`<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, c.ID, html.EscapeString(c.Title), c.ID, html.EscapeString(c.Words))
	d.shades()
	d.vertical(step)
	d.horizontal()
	d.thresholds()
	for _, l := range c.Lines {
		d.printf(`<path class="line line-%s" d="%s"/>`, l.Key, d.path(l.Points))
	}
	d.printf(`</svg>`)
	return template.HTML(d.String()) //nolint:gosec // everything foreign was escaped above
}

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
		all[r.budget.ID] = s.left.of(seen, r.budget, marks[r.budget.ID])
	}
	return all
}

// sparkSpan is what the small charts of the list of budgets show.
const sparkSpan = 28 * slo.Day

// leftCache keeps what was left of each budget until its newest hour is over: the hours before
// change by late minutes and corrections alone.
type leftCache struct {
	mu   sync.Mutex
	kept map[slo.ID]leftOver
}

// leftOver is what was left of one budget, as of a time.
type leftOver struct {
	at     time.Time
	points []point
}

// of draws one.
func (c *leftCache) of(seen *engine.Snapshot, b *engine.Budget, incidents []time.Time) template.HTML {
	c.mu.Lock()
	kept, ok := c.kept[b.ID]
	c.mu.Unlock()
	if hour := b.AsOf.Truncate(time.Hour); !ok || !kept.at.Equal(hour) {
		from := later(hour.Add(-sparkSpan), b.Since)
		step := whole(sparkSpan/56, time.Hour)
		kept = leftOver{at: hour}
		statuses, _ := seen.BurnDown(b.ID, from.Add(step), hour, step)
		for _, st := range statuses {
			kept.points = append(kept.points, point{st.At, st.Remaining(), st.Sum.Total > 0 && st.Sized})
		}
		c.mu.Lock()
		if c.kept == nil || len(c.kept) >= maxSparks {
			c.kept = map[slo.ID]leftOver{}
		}
		c.kept[b.ID] = kept
		c.mu.Unlock()
	}
	points := kept.points
	if now := b.Windows[0]; now.Sum.Total > 0 && now.Sized {
		points = append(slices.Clone(points), point{now.At, now.Remaining(), true})
	}
	return sparkOf(points, b.AsOf.Add(-sparkSpan), b.AsOf, incidents)
}

// maxSparks bounds the cache: more budgets than slowburn is made for.
const maxSparks = 20_000

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

// scale widens the vertical axis from its least ends to all known values and rounds the ends to
// whole steps.
func (c chart) scale() (low, high, step float64) {
	low, high = c.Low, c.High
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if p.Known {
				low, high = min(low, p.Value), max(high, p.Value)
			}
		}
	}
	if high <= low {
		high = low + 1
	}
	step = niceStep((high - low) / 4)
	return math.Floor(low/step) * step, math.Ceil(high/step-1e-9) * step, step
}

// niceStep returns the next of 1, 2, 5, 10, … that is at least v.
func niceStep(v float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*base >= v*(1-1e-9) {
			return f * base
		}
	}
	return 10 * base
}

// drawing writes a chart.
type drawing struct {
	chart
	strings.Builder
	low, high float64
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d, format, args...) }

func (d *drawing) x(t time.Time) float64 {
	share := float64(t.Sub(d.From)) / float64(max(d.To.Sub(d.From), 1))
	return chartLeft + min(max(share, 0), 1)*(chartWidth-chartLeft-chartRight)
}

func (d *drawing) y(v float64) float64 {
	return chartTop + (d.high-v)/(d.high-d.low)*(chartHeight-chartTop-chartBottom)
}

// path returns a line with a gap wherever a value is not known. A value between two gaps is a dot.
func (d *drawing) path(points []point) string {
	var b strings.Builder
	pen := false
	for _, p := range points {
		switch {
		case !p.Known:
			pen = false
			continue
		case pen:
			fmt.Fprintf(&b, "L%.1f %.1f", d.x(p.At), d.y(p.Value))
		default:
			fmt.Fprintf(&b, "M%.1f %.1fh0", d.x(p.At), d.y(p.Value))
		}
		pen = true
	}
	return b.String()
}

func (d *drawing) shades() {
	for _, s := range d.Shades {
		if !s.To.After(d.From) || !s.From.Before(d.To) {
			continue
		}
		x := d.x(s.From)
		d.printf(`<rect class="shade shade-%s" x="%.1f" y="%.0f" width="%.1f" height="%.0f"><title>%s</title></rect>`,
			s.Key, x, chartTop, max(d.x(s.To)-x, 1.5), chartHeight-chartTop-chartBottom, html.EscapeString(s.Name))
	}
}

// vertical draws the labels on the left and their lines.
func (d *drawing) vertical(step float64) {
	digits := max(0, int(-math.Floor(math.Log10(step))))
	for n := 0.0; ; n++ {
		v := d.low + n*step
		if v > d.high+step/2 {
			return
		}
		class := "grid"
		if math.Abs(v) < step/1000 {
			class, v = "grid zero", 0
		}
		label := fmt.Sprintf("%.*f", digits, v)
		if math.Abs(v) >= 10_000 { // short enough for the margin
			label = fmt.Sprintf("%gk", v/1000)
		}
		d.printf(`<line class="%s" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`, class, chartLeft, chartWidth-chartRight, d.y(v), d.y(v))
		d.printf(`<text class="tick end" x="%.0f" y="%.1f">%s</text>`, chartLeft-6, d.y(v)+4, label+d.Unit)
	}
}

// xSteps are the distances that labels of the time axis may have.
var xSteps = []time.Duration{
	10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour,
	7 * 24 * time.Hour, 14 * 24 * time.Hour, 28 * 24 * time.Hour, 91 * 24 * time.Hour, 365 * 24 * time.Hour,
}

// horizontal draws the time axis, in UTC.
func (d *drawing) horizontal() {
	step := xSteps[len(xSteps)-1]
	for _, s := range xSteps {
		if d.To.Sub(d.From)/s <= 5 {
			step = s
			break
		}
	}
	for t := d.From.UTC().Truncate(step); t.Before(d.To); t = t.Add(step) {
		if t.Before(d.From) {
			continue
		}
		label := t.Format("2 Jan")
		if step < 24*time.Hour && (t.Hour() != 0 || t.Minute() != 0) {
			label = t.Format("15:04")
		}
		x := d.x(t)
		d.printf(`<line class="grid" x1="%.1f" x2="%.1f" y1="%.0f" y2="%.0f"/>`, x, x, chartHeight-chartBottom, chartHeight-chartBottom+4)
		d.printf(`<text class="tick middle" x="%.1f" y="%.0f">%s</text>`, min(max(x, chartLeft), chartWidth-chartRight-20), chartHeight-8, label)
	}
}

func (d *drawing) thresholds() {
	for n, t := range d.Thresholds {
		if t.Value < d.low || t.Value > d.high {
			continue
		}
		y := d.y(t.Value)
		d.printf(`<line class="threshold" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`, chartLeft, chartWidth-chartRight, y, y)
		x, side := chartLeft+6, "" // by turns left and right, so that names of near levels stay readable
		if n%2 == 1 {
			x, side = chartWidth-chartRight-6, " end"
		}
		d.printf(`<text class="tick threshold-name%s" x="%.0f" y="%.1f">%s</text>`, side, x, y-4, html.EscapeString(t.Name))
	}
}

package web

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
)

// chart is curves over time, drawn as SVG by the server. Only the curves are stretched to the width
// that there is: times stand at shares of it, so that words keep their size on every screen. It
// says what it shows in words, too, for those who do not see it.
type chart struct {
	ID         string // unique on the page
	Title      string
	Aside      string // what stands beside the title
	Words      string // what is to be seen, in a sentence or two
	From, To   time.Time
	Height     int // of the part with the curves, in pixels
	Axis       axis
	Lines      []line
	Thresholds []threshold
	Shades     []shade
	Marks      []mark
	Quiet      bool // the marks are not named: they are on the chart above
	Narrow     bool // there is no room on the right
	Rows       int  // of names of marks; a few if zero
}

// axis is the vertical one. What lies beyond it is drawn at its end.
type axis struct {
	Low, High float64
	Log       bool // by decades; Low, which is above 0, stands for all that is less
	Ticks     []tick
}

// tick is a level with its labels.
type tick struct {
	Value       float64
	Left, Right string
}

// line is one curve. Key is one of the style sheet's. Over marks what of it is above a value, Area
// what is below it.
type line struct {
	Key, Name string
	Points    []point
	Area      bool
	Over      *float64
}

// point is one value; one that is not Known breaks the line.
type point struct {
	At    time.Time
	Value float64
	Known bool
}

// threshold is a level that means something. Key is limit or objective.
type threshold struct {
	Value     float64
	Key, Name string
}

// shade is a stretch of time, such as an incident.
type shade struct {
	From, To time.Time
	Key      string // page, ticket, no_data
	Name     string
}

// mark is a moment that means something. Key is change, onset, end or other.
type mark struct {
	At        time.Time
	Key, Name string
}

// The room above and below the curves, in pixels.
const (
	chartTop    = 8
	chartBottom = 22
	markRow     = 15 // of names of marks
	markRows    = 3
)

// top returns the room above the curves.
func (c chart) top() int {
	if rows := min(len(c.marks()), c.rows()); rows > 0 && !c.Quiet {
		return chartTop + rows*markRow
	}
	return chartTop
}

// rows returns in how many rows names of marks stand by turns.
func (c chart) rows() int { return cmp.Or(c.Rows, markRows) }

// marks returns those within the chart.
func (c chart) marks() (all []mark) {
	for _, m := range c.Marks {
		if !m.At.Before(c.From) && !m.At.After(c.To) {
			all = append(all, m)
		}
	}
	return all
}

// Right reports whether there are labels on the right, or room for them: a chart below another one
// begins and ends where that does.
func (c chart) Right() bool {
	if c.Quiet {
		return !c.Narrow
	}
	for _, t := range c.Axis.Ticks {
		if t.Right != "" {
			return true
		}
	}
	return false
}

// SVG draws the chart: the labels on the left, the curves, and the labels on the right.
func (c chart) SVG() template.HTML {
	d := drawing{chart: c}
	height := c.top() + c.Height + chartBottom
	d.printf(`<svg class="axis" height="%d" aria-hidden="true">`, height)
	for _, t := range c.Axis.Ticks {
		d.printf(`<text class="end" x="100%%" dx="-6" y="%.1f">%s</text>`, d.y(t.Value)+4, html.EscapeString(t.Left))
	}
	d.printf(`</svg><svg class="plot" height="%d" role="img" aria-labelledby="%s-t %s-d">`, height, c.ID, c.ID)
	d.printf(`<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, c.ID, html.EscapeString(c.Title), c.ID, html.EscapeString(c.Words))
	d.shades()
	for _, t := range c.Axis.Ticks {
		d.printf(`<line class="grid" x2="100%%" y1="%.1f" y2="%.1f"/>`, d.y(t.Value), d.y(t.Value))
	}
	d.curves()
	d.thresholds()
	d.times()
	d.moments()
	d.printf(`</svg>`)
	if c.Right() {
		d.printf(`<svg class="axis right" height="%d" aria-hidden="true">`, height)
		for _, t := range c.Axis.Ticks {
			d.printf(`<text x="6" y="%.1f">%s</text>`, d.y(t.Value)+4, html.EscapeString(t.Right))
		}
		d.printf(`</svg>`)
	}
	return template.HTML(d.String()) //nolint:gosec // everything foreign was escaped above
}

// linear returns an axis from low to high at least, with both rounded to whole steps.
func linear(low, high float64, lines []line, label func(float64) string) axis {
	for _, l := range lines {
		for _, p := range l.Points {
			if p.Known {
				low, high = min(low, p.Value), max(high, p.Value)
			}
		}
	}
	if high <= low {
		high = low + 1
	}
	step := niceStep((high - low) / 3)
	a := axis{Low: math.Floor(low/step+1e-9) * step, High: math.Ceil(high/step-1e-9) * step}
	for n := 0.0; a.Low+n*step <= a.High+step/2; n++ {
		a.Ticks = append(a.Ticks, tick{Value: a.Low + n*step, Left: label(a.Low + n*step)})
	}
	return a
}

// decades returns an axis for the share of bad events, from a tenth of the share that is allowed to
// all of them: it is the same at every time, and as readable at a burn of 300 as at one of 1, whose
// rates stand on the right.
func decades(allowed float64) axis {
	a := axis{Low: allowed / 10, High: 1, Log: true, Ticks: []tick{{Value: allowed / 10, Left: "0"}}}
	for v := allowed; v < 0.75; v *= 10 {
		a.Ticks = append(a.Ticks, tick{v, shareLabel(v), figures.Times(math.Round(v / allowed))})
	}
	return axis{a.Low, a.High, a.Log, append(a.Ticks, tick{1, shareLabel(1), figures.Times(math.Round(1 / allowed))})}
}

// shareLabel writes a share for an axis.
func shareLabel(v float64) string { return figures.Value(math.Round(v*1e7)/1e5) + "\u00a0%" }

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
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d, format, args...) }

// x returns where a time is, as a share of the width from 0 to 1.
func (d *drawing) x(t time.Time) float64 {
	return min(max(float64(t.Sub(d.From))/float64(max(d.To.Sub(d.From), 1)), 0), 1)
}

// share returns where a value is, as a share of the height from 0 to 1, from below.
func (d *drawing) share(v float64) float64 {
	low, high := d.Axis.Low, d.Axis.High
	if d.Axis.Log {
		v, low, high = math.Log10(max(v, low)), math.Log10(low), math.Log10(high)
	}
	if high <= low {
		return 0
	}
	return min(max((v-low)/(high-low), 0), 1)
}

// y returns where a value is, in pixels from above.
func (d *drawing) y(v float64) float64 {
	return float64(d.top()) + (1-d.share(v))*float64(d.Height)
}

// curves draws the lines into a box that is stretched.
func (d *drawing) curves() {
	d.printf(`<svg y="%d" width="100%%" height="%d" viewBox="0 0 1000 %d" preserveAspectRatio="none">`, d.top(), d.Height, d.Height)
	for n, l := range d.Lines {
		path, pieces := d.path(l.Points)
		if path == "" {
			continue
		}
		if l.Area {
			for _, p := range pieces {
				d.printf(`<path class="area area-%s" d="%sV%dH%.1fZ"/>`, l.Key, p.path, d.Height, p.from)
			}
		}
		d.printf(`<path class="line line-%s" d="%s"/>`, l.Key, path)
		if l.Over != nil {
			d.printf(`<clipPath id="%s-o%d"><rect x="-9" y="-9" width="1018" height="%.1f"/></clipPath>`, d.ID, n, (1-d.share(*l.Over))*float64(d.Height)+9)
			d.printf(`<path class="line line-over" clip-path="url(#%s-o%d)" d="%s"/>`, d.ID, n, path)
		}
	}
	d.printf(`</svg>`)
}

// piece is a stretch of a line without a gap.
type piece struct {
	path string
	from float64
}

// path returns a line with a gap wherever a value is not known, and its pieces. A value between two
// gaps is a dot.
func (d *drawing) path(points []point) (string, []piece) {
	var pieces []piece
	var b strings.Builder
	end := func() {
		if b.Len() > 0 {
			pieces[len(pieces)-1].path = b.String()
			b.Reset()
		}
	}
	for _, p := range points {
		if !p.Known {
			end()
			continue
		}
		x, y := 1000*d.x(p.At), (1-d.share(p.Value))*float64(d.Height)
		if b.Len() == 0 {
			pieces = append(pieces, piece{from: x})
			fmt.Fprintf(&b, "M%.1f %.1fh0", x, y)
			continue
		}
		fmt.Fprintf(&b, "L%.1f %.1f", x, y)
	}
	end()
	var all strings.Builder
	for _, p := range pieces {
		all.WriteString(p.path)
	}
	return all.String(), pieces
}

func (d *drawing) shades() {
	for _, s := range d.Shades {
		if !s.To.After(d.From) || !s.From.Before(d.To) {
			continue
		}
		x := d.x(s.From)
		d.printf(`<rect class="shade shade-%s" x="%.2f%%" y="%d" width="%.2f%%" height="%d"><title>%s</title></rect>`,
			s.Key, 100*x, d.top(), max(100*(d.x(s.To)-x), 0.2), d.Height, html.EscapeString(s.Name))
	}
}

// thresholds draws the levels, each with its name on the left above it.
func (d *drawing) thresholds() {
	for _, t := range d.Thresholds {
		if t.Value < d.Axis.Low || t.Value > d.Axis.High {
			continue
		}
		y := d.y(t.Value)
		d.printf(`<line class="level level-%s" x2="100%%" y1="%.1f" y2="%.1f"/><text class="name-%s" x="4" y="%.1f">%s</text>`, t.Key, y, y, t.Key, y-4, html.EscapeString(t.Name))
	}
}

// xSteps are the distances that labels of the time axis may have.
var xSteps = []time.Duration{
	5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
	48 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 28 * 24 * time.Hour, 91 * 24 * time.Hour, 365 * 24 * time.Hour,
}

// times draws the labels of the time axis, in UTC: as many as a phone has room for.
func (d *drawing) times() {
	step := xSteps[len(xSteps)-1]
	for _, s := range xSteps {
		if d.To.Sub(d.From)/s <= 5 {
			step = s
			break
		}
	}
	y := d.top() + d.Height + 16
	for t := d.From.UTC().Truncate(step); t.Before(d.To); t = t.Add(step) {
		if t.Before(d.From) {
			continue
		}
		label := t.Format("2 Jan")
		if step < 24*time.Hour && (t.Hour() != 0 || t.Minute() != 0) {
			label = figures.Clock(t)
		}
		class, x := "middle", d.x(t)
		switch {
		case x < 0.04:
			class = "start"
		case x > 0.96:
			class = "end"
		}
		d.printf(`<text class="%s" x="%.2f%%" y="%d">%s</text>`, class, 100*x, y, label)
	}
}

// moments draws the marks: a line each, with its name above the curves, in rows by turns so that
// names of near moments stay readable.
func (d *drawing) moments() {
	for n, m := range d.marks() {
		x, name := 100*d.x(m.At), ""
		y := d.top()
		if !d.Quiet {
			row := n % d.rows()
			y = 4 + row*markRow
			side, shift := "start", 4
			if x > 55 {
				side, shift = "end", -4
			}
			name = fmt.Sprintf(`<text class="%s name-%s" x="%.2f%%" dx="%d" y="%d">%s</text>`, side, m.Key, x, shift, y+11, html.EscapeString(m.Name))
		}
		d.printf(`<line class="moment moment-%s" x1="%.2f%%" x2="%.2f%%" y1="%d" y2="%d"><title>%s</title></line>%s`, m.Key, x, x, y, d.top()+d.Height, html.EscapeString(m.Name), name)
	}
}

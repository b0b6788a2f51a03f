package slacktest

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
)

// The drawing area of a chart, in SVG units.
const (
	chartWidth, chartHeight = 480, 200
	plotLeft, plotRight     = 44, 472
	plotTop, plotBottom     = 10, 170
)

// chartSVG draws a data_visualization block. Colours come from the style sheet by class, so that
// they follow light and dark.
func chartSVG(block map[string]any) template.HTML {
	w := &writer{}
	chart, _ := block["chart"].(map[string]any)
	w.raw(`<svg class="chart" role="img"`)
	w.attr("aria-label", str(block["title"]))
	if str(chart["type"]) == "pie" {
		w.raw(` viewBox="0 0 240 240">`)
		w.pie(chart)
	} else {
		w.raw(fmt.Sprintf(` viewBox="0 0 %d %d">`, chartWidth, chartHeight))
		w.plot(chart)
	}
	w.raw("</svg>")
	return w.html()
}

// legend returns the names of a chart's series or segments, in order.
func legend(block map[string]any) (out []string) {
	chart, _ := block["chart"].(map[string]any)
	for _, key := range []string{"series", "segments"} {
		list, _ := chart[key].([]any)
		for _, v := range list {
			m, _ := v.(map[string]any)
			out = append(out, first(str(m["name"]), str(m["label"])))
		}
	}
	return out
}

// pie draws segments clockwise from twelve o'clock.
func (w *writer) pie(chart map[string]any) {
	segments, _ := chart["segments"].([]any)
	var total float64
	for _, v := range segments {
		m, _ := v.(map[string]any)
		total += number(m["value"])
	}
	from := 0.0
	for i, v := range segments {
		m, _ := v.(map[string]any)
		share := number(m["value"]) / total
		if share > 0.9999 {
			w.raw(fmt.Sprintf(`<circle class="fill s%d" cx="120" cy="120" r="100"/>`, i))
			continue
		}
		x1, y1 := onCircle(from)
		x2, y2 := onCircle(from + share)
		large := 0
		if share > 0.5 {
			large = 1
		}
		w.raw(fmt.Sprintf(`<path class="fill s%d" d="M120 120L%.1f %.1fA100 100 0 %d 1 %.1f %.1fZ"/>`, i, x1, y1, large, x2, y2))
		from += share
	}
}

func onCircle(share float64) (x, y float64) {
	sin, cos := math.Sincos(2 * math.Pi * share)
	return 120 + 100*sin, 120 - 100*cos
}

// plot draws lines, bars or areas over categories.
func (w *writer) plot(chart map[string]any) {
	axis, _ := chart["axis_config"].(map[string]any)
	categories, _ := axis["categories"].([]any)
	series := values(chart)
	sc := scaleFor(series, len(categories))
	w.grid(sc, categories)
	for i, points := range series {
		switch str(chart["type"]) {
		case "bar":
			w.bars(sc, i, len(series), points)
		case "area":
			w.curve(sc, i, points, true)
		default:
			w.curve(sc, i, points, false)
		}
	}
}

// values returns the numbers of each series.
func values(chart map[string]any) [][]float64 {
	list, _ := chart["series"].([]any)
	out := make([][]float64, len(list))
	for i, v := range list {
		s, _ := v.(map[string]any)
		data, _ := s["data"].([]any)
		for _, d := range data {
			m, _ := d.(map[string]any)
			out[i] = append(out[i], number(m["value"]))
		}
	}
	return out
}

// scale maps values and positions to the drawing area.
type scale struct {
	low, high, step float64
	n               int
}

// scaleFor chooses an axis that starts at zero, holds every value, and has about four round steps.
func scaleFor(series [][]float64, n int) scale {
	low, high := 0.0, 0.0
	for _, points := range series {
		for _, v := range points {
			low, high = min(low, v), max(high, v)
		}
	}
	if high == low {
		high = low + 1
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, f := range []float64{1, 2, 2.5, 5, 10} {
		if (high-low)/(step*f) <= 5 {
			step *= f
			break
		}
	}
	return scale{low: math.Floor(low/step) * step, high: math.Ceil(high/step) * step, step: step, n: n}
}

func (s scale) y(v float64) float64 {
	return plotBottom - (v-s.low)/(s.high-s.low)*(plotBottom-plotTop)
}

// slot returns the width of one category.
func (s scale) slot() float64 { return float64(plotRight-plotLeft) / float64(max(s.n, 1)) }

func (s scale) x(i int) float64 { return plotLeft + s.slot()*(float64(i)+0.5) }

// grid draws the horizontal lines with their values, and as many category names as fit.
func (w *writer) grid(s scale, categories []any) {
	for i := 0; s.low+float64(i)*s.step <= s.high+s.step/1e6; i++ {
		v := s.low + float64(i)*s.step
		w.raw(fmt.Sprintf(`<path class="grid" d="M%d %.1fH%d"/><text class="tick" text-anchor="end" x="%d" y="%.1f">`, plotLeft, s.y(v), plotRight, plotLeft-8, s.y(v)+4))
		w.text(strconv.FormatFloat(v, 'g', 4, 64))
		w.raw("</text>")
	}
	every := 1 + (len(categories)-1)/7
	for i, c := range categories {
		if i%every != 0 {
			continue
		}
		w.raw(fmt.Sprintf(`<text class="tick" text-anchor="middle" x="%.1f" y="%d">`, s.x(i), plotBottom+18))
		w.text(str(c))
		w.raw("</text>")
	}
}

func (w *writer) bars(s scale, i, of int, points []float64) {
	width := s.slot() * 0.7 / float64(of)
	for j, v := range points {
		x := s.x(j) - s.slot()*0.35 + width*float64(i)
		top, bottom := s.y(max(v, 0)), s.y(min(v, 0))
		w.raw(fmt.Sprintf(`<rect class="fill s%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"/>`, i, x, top, width*0.92, bottom-top))
	}
}

func (w *writer) curve(s scale, i int, points []float64, filled bool) {
	if len(points) == 0 {
		return
	}
	path := ""
	for j, v := range points {
		path += fmt.Sprintf("L%.1f %.1f", s.x(j), s.y(v))
	}
	path = path[1:]
	if filled {
		w.raw(fmt.Sprintf(`<path class="area s%d" d="M%sL%.1f %.1fL%.1f %.1fZ"/>`, i, path, s.x(len(points)-1), s.y(0), s.x(0), s.y(0)))
	}
	w.raw(fmt.Sprintf(`<path class="line s%d" d="M%s"/>`, i, path))
	last := len(points) - 1
	w.raw(fmt.Sprintf(`<circle class="fill s%d" cx="%.1f" cy="%.1f" r="3.5"/>`, i, s.x(last), s.y(points[last])))
}

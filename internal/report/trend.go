package report

import (
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// Trend is how often and how fast in the last eight periods of a kind, oldest first. The newest is
// the report's own.
type Trend []Past

// Periods is how many periods a trend has.
const Periods = 8

// Past is one period of a trend.
type Past struct {
	Period  Period
	Known   bool // some ledger was there when it began
	Pages   int
	Detect  Median // MTTD, of incidents that were detected in it: from the onset to when they were told
	Ack     Median // MTTA, of pages in it: from the page to the first acknowledgement
	Resolve Median // MTTR, of incidents that were detected in it and have ended: from the onset to the last bad minute
}

// Median is a median with how many values it rests on; of none nothing is known.
type Median struct {
	Value time.Duration
	N     int
}

func medianOf(all []time.Duration) Median {
	if len(all) == 0 {
		return Median{}
	}
	slices.Sort(all)
	return Median{alerting.Median(all), len(all)}
}

// Text writes the median, or a dash.
func (m Median) Text() string {
	if m.N == 0 {
		return figures.Unknown
	}
	return figures.Duration(m.Value)
}

// trend works out the figures of the last periods.
func (b *builder) trend() {
	p := b.Period
	for range Periods {
		b.Trend = append(b.Trend, b.past(p))
		p = p.Prev()
	}
	slices.Reverse(b.Trend)
}

// past counts what happened in one period. Missing data count nowhere: how soon they are noticed is
// a setting, no achievement.
func (b *builder) past(p Period) Past {
	from, to := p.Bounds(b.zone)
	if p == b.Period {
		to = b.To
	}
	l := Load{from: from.UTC().Truncate(time.Hour), to: to.UTC().Truncate(time.Minute), zone: b.zone, shifts: map[time.Time]int{}}
	out := Past{Period: p, Known: !b.known.IsZero() && !b.known.After(l.from)}
	var detect, resolve []time.Duration
	for _, s := range b.subjects {
		for _, i := range s.Incidents {
			if i.Rule == alerting.RuleNoData || i.Damaged {
				continue
			}
			b.load(&l, i)
			if !l.in(i.Detected) {
				continue
			}
			detect = append(detect, i.TimeToDetect())
			if !i.Resolved.IsZero() && !i.Resolved.After(b.To) {
				resolve = append(resolve, i.TimeToResolve())
			}
		}
	}
	out.Pages, out.Known = l.Pages, out.Known || l.Pages+l.Tickets > 0
	out.Detect, out.Ack, out.Resolve = medianOf(detect), medianOf(l.toAck), medianOf(resolve)
	return out
}

// now returns the report's own period and the one before it.
func (t Trend) now() (now, before Past) {
	if len(t) < 2 {
		return Past{}, Past{}
	}
	return t[len(t)-1], t[len(t)-2]
}

// numbers writes the figures that stand first, each with how it changed and how it was before.
func (r Report) numbers() [][]string {
	now, before := r.Trend.now()
	t := r.Tally
	within, change := figures.Of(t.Within, t.Within+len(t.Over)), figures.Unknown
	if t.BeforeKnown {
		change = figures.Arrow(t.Within - t.Before)
	}
	pages, more := figures.Count(now.Pages), figures.Unknown
	if r.Load.OutOfHours > 0 {
		pages += " (" + figures.Count(r.Load.OutOfHours) + " out of hours)"
	}
	if before.Known {
		more = figures.Arrow(now.Pages - before.Pages)
	}
	rows := [][]string{{"SLOs within budget", within, change, ""}, {"Pages", pages, more, r.Trend.over(func(p Past) string {
		if !p.Known {
			return figures.Unknown
		}
		return figures.Count(p.Pages)
	})}}
	for _, m := range []struct {
		name string
		of   func(Past) Median
	}{{"MTTD", func(p Past) Median { return p.Detect }}, {"MTTA", func(p Past) Median { return p.Ack }}, {"MTTR", func(p Past) Median { return p.Resolve }}} {
		is, was := m.of(now), m.of(before)
		text, change := is.Text(), figures.Unknown
		if is.N > 0 {
			text += " (n = " + figures.Count(is.N) + ")"
		}
		if is.N > 0 && was.N > 0 {
			change = figures.ArrowDuration(is.Value - was.Value)
		}
		rows = append(rows, []string{m.name, text, change, r.Trend.over(func(p Past) string { return m.of(p).Text() })})
	}
	return rows
}

// over writes a figure of every period, oldest first.
func (t Trend) over(write func(Past) string) string {
	all := make([]string, len(t))
	for n, p := range t {
		all[n] = write(p)
	}
	return strings.Join(all, " · ")
}

// numberText writes the table of the figures that stand first.
func (r Report) numberText() string {
	kind := string(r.Period.Kind)
	return table([]string{"Figure", "This " + kind + ":", "Against " + r.Period.Prev().String() + ":", "Last " + figures.Plural(Periods, kind) + ":"}, r.numbers(), 0) +
		"\nMTTD, MTTA and MTTR are medians: from the onset to the alert, from a page to its first acknowledgement, from the onset to the last bad minute. " +
		"An arrow says up or down, not better or worse; of few incidents the change of a median says little.\n"
}

// NumberLine writes the figures that stand first in one line.
func (r Report) NumberLine() string {
	var parts []string
	for _, row := range r.numbers()[1:] {
		part := row[0] + " " + row[1]
		if row[2] != figures.Unknown {
			part += " " + row[2]
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " · ")
}

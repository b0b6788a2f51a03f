package prom

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// This file writes the queries by which Prometheus evaluates what cannot be read raw. They depend
// on how far apart the scrapes are, which the samples themselves tell:
//
//   - `$window` under a rate is [slo.RateRange]; the result is scaled to a minute. A rate is per
//     second and is multiplied by 60.
//   - `$window` elsewhere is [slo.SampleRange].
//   - A selector without a range looks back five minutes. Where scrapes are as far apart as
//     that, it is given a range, too.
//   - The bound of a bucket is a number, see spelling.go.

// formula is one query and what its values mean.
type formula struct {
	role  counting.Role
	query string
	scale float64
}

// Roles that only formulas have.
const (
	roleMinute   counting.Role = iota + 16 // a value by which the minute is judged
	roleFraction                           // share of events that were good
)

// formulas returns the queries of an SLO whose scrapes are so far apart.
func formulas(s *slo.Spec, scrape time.Duration) []formula {
	counted := func(ro counting.Role, q *slo.Query) formula {
		text, scale := count(q, s.By, scrape)
		return formula{ro, text, scale}
	}
	switch i, counters := &s.SLI, s.SLI.Counters(); {
	case counters != nil && counters.Good:
		return []formula{counted(counting.Total, counters.Total), counted(counting.Good, counters.Part)}
	case counters != nil:
		return []formula{counted(counting.Total, counters.Total), counted(counting.Bad, counters.Part)}
	case i.Histogram != nil:
		window := slo.RateRange(scrape)
		h := fmt.Sprintf("sum%s(increase(%s[%s]))", byClause(s.By), i.Histogram.Text, slo.ShortDuration(window))
		limit := strconv.FormatFloat(i.Below, 'g', -1, 64)
		return []formula{
			{counting.Total, "histogram_count(" + h + ")", perMinute(window)},
			{roleFraction, "histogram_fraction(-Inf, " + limit + ", " + h + ")", 1},
		}
	}
	m := *s.SLI.Minutes()
	m.Query = adapted(m.Query, scrape)
	return []formula{{roleMinute, m.Render(scrape), 1}}
}

func perMinute(window time.Duration) float64 { return float64(time.Minute) / float64(window) }

func byClause(by []string) string {
	if len(by) == 0 {
		return ""
	}
	return " " + selectors.By(by...) + " "
}

// count writes a counting query with its window, and by what its values become events per minute.
func count(q *slo.Query, by []string, scrape time.Duration) (string, float64) {
	wide := slo.RateRange(scrape)
	if q.Bare() {
		return fmt.Sprintf("sum%s(increase(%s[%s]))", byClause(by), adapted(q, 0).Text, slo.ShortDuration(wide)), perMinute(wide)
	}
	q = adapted(q, scrape)
	if !q.Windowed() {
		return q.Text, 1
	}
	switch q.Gain() {
	case slo.PerSecond:
		return q.Render(wide), 60
	case slo.PerWindow:
		return q.Render(wide), perMinute(wide)
	}
	return q.Render(slo.SampleRange(scrape)), 1
}

// Asked returns the query as the ledger asks it of a server whose scrapes are so far apart.
func Asked(s *slo.Spec, q *slo.Query, scrape time.Duration) string {
	scrape = cmp.Or(scrape, usualScrape)
	if m := s.SLI.Minutes(); m != nil {
		m.Query = adapted(q, scrape)
		return m.Render(scrape)
	}
	text, _ := count(q, s.By, scrape)
	return text
}

// Newest returns the query with its selectors as the ledger asks for them, for the newest values of
// what is scraped so rarely.
func Newest(q *slo.Query, scrape time.Duration) string { return adapted(q, scrape).Text }

// lookBack is how far a selector without a range looks back on a server of usual settings; a sample
// is to be a little younger.
const lookBack = 5*time.Minute - 30*time.Second

// adapted returns a query whose selectors accept every spelling of a number and look back as far as
// scrapes are apart. A query that needs none of that is returned as it is.
func adapted(q *slo.Query, scrape time.Duration) *slo.Query {
	var out strings.Builder
	done := 0
	for _, v := range selectorsOf(q) {
		ms := numeric(v.LabelMatchers)
		wide := !v.ranged && scrape > lookBack
		if !wide && slices.Equal(ms, v.LabelMatchers) || v.OriginalOffset != 0 || v.Timestamp != nil || v.StartOrEnd != 0 {
			continue
		}
		text := selectors.Match(ms...)
		if wide {
			text = "last_over_time(" + text + "[" + slo.ShortDuration(slo.SampleRange(scrape)) + "])"
		}
		out.WriteString(q.Text[done:v.PosRange.Start] + text)
		done = int(v.PosRange.End)
	}
	if done == 0 {
		return q
	}
	changed := *q
	changed.Text = out.String() + q.Text[done:]
	return &changed
}

// placed is a selector in an expression.
type placed struct {
	*parser.VectorSelector
	ranged bool // it has a range
}

// selectorsOf returns the selectors of a query in the order in which they are written.
func selectorsOf(q *slo.Query) (out []placed) {
	expr := q.Expr()
	if expr == nil {
		return nil
	}
	parser.Inspect(expr, func(n parser.Node, path []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			ranged := false
			if len(path) > 0 {
				_, ranged = path[len(path)-1].(*parser.MatrixSelector)
			}
			out = append(out, placed{v, ranged})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b placed) int { return cmp.Compare(a.PosRange.Start, b.PosRange.Start) })
	return out
}

// exprPace is what is remembered of an evaluated SLO: how far apart its scrapes are, as its samples
// said, its newest good events and, in memory, what was wrong so far.
type exprPace struct {
	asked    budget.Minute
	looked   budget.Minute // when what is slower was looked for; not kept
	scrape   time.Duration // 0 while unknown
	lateness exprLate
	good     lastGoods
	judged   budget.Minute // newest minute whose faults are counted
	faults   map[slo.ID]counting.Trouble
	capped   bool // in memory, too: there were more budgets than are followed
}

// troubles returns what was wrong so far, as bundles tell it.
func (p *exprPace) troubles() map[slo.ID]*counting.Trouble {
	out := make(map[slo.ID]*counting.Trouble, len(p.faults))
	for id, t := range p.faults {
		out[id] = &t
	}
	return out
}

// blame adds the faults of a read.
func (p *exprPace) blame(found map[slo.ID]*evaluated, to budget.Minute) {
	p.judged, p.faults = max(p.judged, to), maps.Clone(p.faults) // of one that may be thrown away
	for id, ev := range found {
		t := p.faults[id]
		if t.Add(&ev.Trouble); t.N == (counting.Trouble{}).N {
			continue
		}
		if p.faults == nil {
			p.faults = map[slo.ID]counting.Trouble{}
		}
		p.faults[id] = t
	}
}

// interval returns how far apart the scrapes are, or a stand-in.
func (p *exprPace) interval(e evaluator) time.Duration { return cmp.Or(p.scrape, e.usual) }

const (
	// usualScrape stands in until an interval is known.
	usualScrape = 30 * time.Second
	// relearn and learnSoon are after how many minutes an interval is learned again, if it is known
	// and if it is not.
	relearn, learnSoon = 6 * 60, 5
	// lookEvery is how often it is looked for targets that are slower, and again the soonest that
	// an interval is learned anew because of them, in minutes.
	lookEvery, again = 5, 15
)

// learn asks how far apart the scrapes of an SLO are, if it is time to.
func (e evaluator) learn(ctx context.Context, s *slo.Spec, to budget.Minute, p *exprPace) *Error {
	wait := budget.Minute(learnSoon)
	if p.scrape > 0 {
		wait = relearn + budget.Minute(hashString(string(s.ID()))%relearn)
	}
	if p.asked > 0 && to >= p.asked && to-p.asked < wait {
		if slower, err := e.slower(ctx, s, to, p); err != nil || !slower {
			return err
		}
	}
	found, err := e.client.ScrapesOf(ctx, s, to.End())
	if err != nil {
		return err
	}
	p.asked, p.scrape = to, cmp.Or(found, p.scrape)
	return nil
}

// slower asks, if it is time to, whether anything that an SLO is made of is alive and has fewer
// than two samples in two of the intervals that are known: it is scraped more seldom, late, or it
// has just begun or ended.
func (e evaluator) slower(ctx context.Context, s *slo.Spec, to budget.Minute, p *exprPace) (bool, *Error) {
	near := 2*p.scrape + p.scrape/10
	if p.scrape == 0 || to-p.asked < again || to >= p.looked && to-p.looked < lookEvery {
		return false, nil
	}
	p.looked = to
	for _, text := range metricsOf(s) {
		found, err := e.client.Probe(ctx, fmt.Sprintf("count((%[1]s unless last_over_time(%[1]s[%[2]s])) or count_over_time(%[1]s[%[2]s]) < 2)", text, model.Duration(near.Round(time.Millisecond))), to.End())
		switch {
		case err != nil && err.Kind != Refused && err.Kind != TooLarge: // then nobody knows
			return false, err
		case err == nil && found.Value > 0:
			return true, nil
		}
	}
	return false, nil
}

// maxLearned is how many metrics of one SLO are looked at.
const maxLearned = 4

// ScrapesOf returns how far apart the samples of what an SLO is made of are, of several metrics the
// slowest; 0 if no two samples are there.
func (c *Client) ScrapesOf(ctx context.Context, s *slo.Spec, at time.Time) (slowest time.Duration, err *Error) {
	for _, text := range metricsOf(s) {
		found, err := c.ScrapeInterval(ctx, text, at)
		switch {
		case err != nil && err.Kind != Refused && err.Kind != TooLarge: // then it stays unknown
			return 0, err
		case err == nil:
			slowest = max(slowest, found)
		}
	}
	return slowest, nil
}

// lateQuery is, below a max, the age of the newest sample of the series whose samples are overdue,
// of the one that is the latest. A series that has ended is not overdue: it was not shown for
// longer than its interval, while one that is late stays visible until the look-back is over.
const lateQuery = "((time() - max_over_time(timestamp(%[1]s)[%[2]s:1m])) and max_over_time((time() - timestamp(%[1]s))[%[2]s:1m]) > %[3]g)"

// LatenessOf returns about how late the samples of an SLO come at a time that is scraped so often,
// of several metrics and targets the latest; 0 if they are in time, or if nobody knows. What is
// later than twice most, and than half an hour, is taken for gone.
func (c *Client) LatenessOf(ctx context.Context, s *slo.Spec, scrape, most time.Duration, at time.Time) (latest time.Duration, err *Error) {
	usual := usualAge(scrape)
	for _, text := range metricsOf(s) {
		p, err := c.Probe(ctx, "max"+fmt.Sprintf(lateQuery, text, model.Duration(lateWindow(most)), usual.Seconds()), at)
		switch {
		case err != nil && err.Kind != Refused && err.Kind != TooLarge: // then it stays unknown
			return 0, err
		case err == nil && p.Series > 0:
			if age := time.Duration(p.Value * float64(time.Second)); age > usual+lateStep {
				latest = max(latest, age)
			}
		}
	}
	return latest, nil
}

// lateStep is the step of lateQuery, by which it may be off.
const lateStep = time.Minute

// usualAge returns how old the newest sample of a series may be that is scraped so often and in
// time.
func usualAge(scrape time.Duration) time.Duration { return scrape + scrape/4 + lateStep }

// lateWindow returns how far back lateQuery looks where samples are waited for so long.
func lateWindow(most time.Duration) time.Duration {
	return max(2*most, 30*time.Minute).Round(lateStep)
}

// metricsOf returns one selector of each metric of an SLO, the first.
func metricsOf(s *slo.Spec) (out []string) {
	var seen []string
	for _, q := range s.Queries() {
		if h := s.SLI.Histogram; q == h && q.Bare() { // classic or native
			return []string{q.Rename(q.Metric + "_count").Text, q.Text}
		}
		for _, v := range selectorsOf(q) {
			name := v.Name
			for _, m := range v.LabelMatchers {
				if m.Name == nameLabel {
					name = m.Value
				}
			}
			if !slices.Contains(seen, name) && len(out) < maxLearned {
				seen, out = append(seen, name), append(out, selectors.Match(numeric(v.LabelMatchers)...))
			}
		}
	}
	return out
}

// ScrapeInterval returns how far apart the samples of a selector are, by the distances between
// neighbours in the series that has most of them and, if there is one that is slower, in that; 0 if
// there are no two samples in the 25 minutes before at. A distance counts by itself only if there
// are no others: a restart of Prometheus moves the scrapes, so that one of them comes sooner.
func (c *Client) ScrapeInterval(ctx context.Context, selector string, at time.Time) (time.Duration, *Error) {
	for _, back := range []time.Duration{2 * time.Minute, 5 * time.Minute, 25 * time.Minute} {
		ranged := fmt.Sprintf("count_over_time(%s[%s])", selector, model.Duration(back))
		found, err := c.distance(ctx, fmt.Sprintf("topk(1, %s >= %d)", ranged, samplesFor(back)), selector, back, at)
		if err != nil || found > 0 && back == 25*time.Minute {
			return found, err
		}
		if found == 0 {
			continue
		}
		// Two intervals hold a sample of every series that is as fast; what is alive beside is
		// slower.
		near := model.Duration((2*found + found/10).Round(time.Millisecond))
		slow, err := c.distance(ctx, fmt.Sprintf("topk(1, %s unless last_over_time(%s[%s]))", selector, selector, near), selector, 25*time.Minute, at)
		return max(found, slow), err
	}
	return 0, nil
}

// samplesFor returns how many samples of a time tell how far apart they are, if a longer one can
// tell, too.
func samplesFor(back time.Duration) int {
	if back < 25*time.Minute {
		return 4
	}
	return 2
}

// distance returns how far apart the samples of the series are that a query picks, over so long a
// time: the median of the distances of neighbours.
func (c *Client) distance(ctx context.Context, pick, selector string, back time.Duration, at time.Time) (time.Duration, *Error) {
	one := &firstLabels{}
	if _, err := c.query(ctx, pick, at, one); err != nil || one.labels == nil {
		return 0, err
	}
	matchers, bad := promQL.ParseMetricSelector(selector)
	if bad != nil {
		return 0, &Error{Kind: Refused, Op: "query", Err: bad}
	}
	for _, l := range one.labels {
		if l.name != nameLabel {
			matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, l.name, l.value))
		}
	}
	times := &sampleTimes{}
	text := selectors.Match(matchers...)
	if _, err := c.query(ctx, fmt.Sprintf("%s[%s]", text, model.Duration(back)), at, times); err != nil {
		return 0, err
	}
	if len(times.gaps) == 0 && one.value > 1 { // native histograms, which are no numbers to look at
		return (back / time.Duration(one.value-1)).Round(time.Second), nil
	}
	return times.median(), nil
}

// promQL reads the selectors that this package writes.
var promQL = parser.NewParser(parser.Options{})

// firstLabels is the sink that keeps the labels and the newest value of the first series.
type firstLabels struct {
	labels []label
	value  float64
}

// series implements sink.
func (f *firstLabels) series(metric []byte) bool {
	if f.labels == nil {
		f.labels = []label{}
		_ = eachLabel(metric, func(n, v string) { f.labels = append(f.labels, label{n, v}) })
		return true
	}
	return false
}

// sample implements sink.
func (f *firstLabels) sample(_ int64, v float64) { f.value = v }

// sampleTimes is the sink that keeps the distances between the samples of a series.
type sampleTimes struct {
	last int64
	gaps []int64 // ms
}

// series implements sink.
func (t *sampleTimes) series([]byte) bool {
	t.last = 0
	return true
}

// sample implements sink.
func (t *sampleTimes) sample(ms int64, _ float64) {
	if t.last > 0 {
		t.gaps = append(t.gaps, ms-t.last)
	}
	t.last = ms
}

// median returns the median distance, in whole seconds unless it is shorter than one.
func (t *sampleTimes) median() time.Duration {
	if len(t.gaps) == 0 {
		return 0
	}
	slices.Sort(t.gaps)
	d := time.Duration(t.gaps[len(t.gaps)/2]) * time.Millisecond
	if d < time.Second {
		return d
	}
	return d.Round(time.Second)
}

package suggest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// lookBack is the history that is looked at: four weeks, the default window of an SLO.
const lookBack = 28 * 24 * time.Hour

// A resolution says how closely history is read. Incidents and the death of processes go together:
// an outage often ends with a rollback, and the counters of its errors end with it. So it is not
// enough to look at counters where a step ends; within a step their last value counts, and it is
// looked for every so often.
type resolution struct {
	step  time.Duration // of history
	every time.Duration // between looks within a step; 0 means at every sample
}

// resolutions by the number of series, so that no query reads more than about 30 million samples,
// and on a large server each reads a fraction of a percent of what there is.
var resolutions = []struct {
	series float64
	resolution
}{
	{150, resolution{time.Hour, 0}},
	{1500, resolution{time.Hour, 5 * time.Minute}},
	{math.Inf(1), resolution{6 * time.Hour, 30 * time.Minute}},
}

func resolutionFor(series float64) resolution {
	for _, r := range resolutions {
		if series <= r.series {
			return r.resolution
		}
	}
	return resolutions[len(resolutions)-1].resolution
}

// gained returns what counters gained within a step, whether or not they still exist at its end:
// the last value in it less the last one before it, or all of it where they were reset or are new.
// What was out of sight for a while when the step began is not new: its value before is looked for
// a little further back.
func (r resolution) gained(selector string) string {
	last := r.last(selector, r.step, "")
	before := r.last(selector, max(20*time.Minute, 2*r.every), " offset "+slo.ShortDuration(r.step))
	return "((" + last + " - " + before + ") >= 0 or " + last + ")"
}

// last returns the last value within a time, which may lie back.
func (r resolution) last(selector string, within time.Duration, offset string) string {
	looks := "" // at every sample
	if r.every > 0 {
		looks = ":" + slo.ShortDuration(r.every)
	}
	return "last_over_time(" + selector + "[" + slo.ShortDuration(within) + looks + "]" + offset + ")"
}

// manyStep is the step of what is read one service at a time, with a look every half hour.
const manyStep = 6 * time.Hour

// curve is the values of a query by the end of their step, in milliseconds since 1970.
type curve map[int64]float64

// curves asks for a query at every step of the history and sorts the answer by its labels.
func (s *scout) curves(query string, step time.Duration) (map[string]curve, error) {
	end := s.at.Truncate(step)
	list, err := s.client.Range(s.ctx, query, end.Add(-lookBack), end, step)
	if err != nil {
		return nil, err
	}
	out := map[string]curve{}
	for _, one := range list {
		c := curve{}
		for _, p := range one.Points {
			c[p.At] = p.Value
		}
		out[labelKey(one.Labels)] = c
	}
	return out, nil
}

// labelKey names a set of labels.
func labelKey(m map[string]string) string { return labels.FromMap(m).String() }

// recordOf joins the curves of all and of bad events. A step counts only if the one before is known
// too: otherwise counters that merely came back into sight would look new. Where nothing is known
// about bad events, there were none, as long as something is known about all.
func recordOf(total, bad curve, step time.Duration) record {
	r := record{step: step, window: lookBack, unit: "events"}
	for at, n := range total {
		if _, ok := total[at-step.Milliseconds()]; !ok || math.IsNaN(n) || math.IsInf(n, 0) {
			continue
		}
		b := bad[at]
		if math.IsNaN(b) || math.IsInf(b, 0) {
			b = 0
		}
		r.buckets = append(r.buckets, bucket{at, n, min(b, n)})
	}
	slices.SortFunc(r.buckets, func(a, b bucket) int { return int(a.at/1000 - b.at/1000) })
	return r
}

// fromGood turns a curve of good events into one of bad ones.
func fromGood(total, good curve) curve {
	bad := curve{}
	for at, n := range total {
		bad[at] = max(0, n-good[at])
	}
	return bad
}

// eventsHistory returns the history of good and bad events of every service of a source, by their
// labels. Bare counters are read for all services at once.
func (s *scout) eventsHistory(src source, groups []group) (map[string]record, error) {
	all := src.entry.Fill(nil, src.live).Counts
	if all.Bad == "" && all.Good == "" {
		return nil, nil
	}
	if !all.Raw {
		return s.slowHistory(groups)
	}
	series := 0.0
	for _, g := range groups {
		series += g.series
	}
	r := resolutionFor(series)
	total, err := s.curves("sum "+selectors.By(groups[0].labels...)+" ("+r.gained(all.Total)+")", r.step)
	if err != nil {
		return nil, err
	}
	bad, err := s.badHistory(all.Bads, groups[0].labels, r)
	if err != nil {
		return nil, err
	}
	out := map[string]record{}
	for key, n := range total {
		out[key] = recordOf(n, bad[key], r.step)
	}
	return out, nil
}

// badHistory returns the bad events by service. There are fewer series of them, so they may be read
// more closely, but in the same steps. An event that is bad for two reasons is one event.
func (s *scout) badHistory(bads, labels []string, total resolution) (map[string]curve, error) {
	series := 0.0
	for _, one := range bads {
		n, err := s.vector("count(" + one + ")")
		if err != nil {
			return nil, err
		}
		series += valueOf(n, map[string]string{})
	}
	r := resolutionFor(series)
	if r.step != total.step {
		r = resolution{total.step, 5 * time.Minute}
	}
	parts := make([]string, len(bads))
	for i, one := range bads {
		parts[i] = r.gained(one)
	}
	return s.curves("sum "+selectors.By(labels...)+" ("+strings.Join(parts, " or ")+")", r.step)
}

// slowHistory reads what is no bare counter: every service is asked for by itself. Its samples are
// looked at every half hour.
func (s *scout) slowHistory(groups []group) (map[string]record, error) {
	records := make([]record, len(groups))
	err := each(len(groups), func(i int) error {
		g := groups[i]
		c := g.entry.Fill(g.match(), g.live).Counts
		total, err := s.one(sampled(c.Total), manyStep)
		if err != nil {
			return err
		}
		part, err := s.one(sampled(c.Bad+c.Good), manyStep)
		if c.Good != "" {
			part = fromGood(total, part)
		}
		records[i] = recordOf(total, part, manyStep)
		return err
	})
	out := map[string]record{}
	for i, g := range groups {
		out[labelKey(g.values)] = records[i]
	}
	return out, err
}

// sampled returns a query over $window as one over a long step that looks at a sample every half
// hour.
func sampled(query string) string {
	return strings.ReplaceAll(query, "["+slo.WindowVariable+"]", "["+slo.ShortDuration(manyStep)+":30m]")
}

// one returns the single curve of a query; nil if there is none.
func (s *scout) one(query string, step time.Duration) (curve, error) {
	all, err := s.curves(query, step)
	for _, c := range all {
		return c, err
	}
	return nil, err
}

// uptimeHistory returns the history of a gauge that is 1 or 0, in minutes.
func (s *scout) uptimeHistory(g group) (record, error) {
	every := "1m"
	if g.day > 100 {
		every = "10m"
	}
	query := fmt.Sprintf("avg(avg_over_time(%s[1h:%s]))", selectors.Metric(g.entry.Uptime, g.match()...), every)
	up, err := s.one(query, time.Hour)
	if err != nil {
		return record{}, err
	}
	total, bad := curve{}, curve{}
	for at, share := range up {
		total[at], bad[at] = 60, 60*(1-share)
	}
	return recordOf(total, bad, time.Hour).minutes(), nil
}

// minutes says that the record counts minutes.
func (r record) minutes() record {
	r.unit = "minutes"
	return r
}

// lateSteps are the ages, in seconds, that are tried as the limit of freshness.
var lateSteps = []float64{10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600}

// lateEvery is how often the age is looked at.
const lateEvery = 5 * time.Minute

// late returns the history of an age: the smallest limit that is well above the usual and was kept
// to 99 % in the worst week.
func (s *scout) late(query string) (limit float64, r record, err error) {
	age, err := s.one(query, lateEvery)
	if err != nil || len(age) == 0 {
		return 0, record{}, err
	}
	ages := slices.Sorted(maps.Values(age))
	usual := ages[len(ages)/2]
	for _, limit = range lateSteps {
		total, bad := curve{}, curve{}
		for at, seconds := range age {
			total[at], bad[at] = lateEvery.Minutes(), 0
			if !(seconds < limit) {
				bad[at] = lateEvery.Minutes()
			}
		}
		r = recordOf(total, bad, lateEvery).minutes()
		if share, _, ok := r.worst(); ok && share <= 0.01 && limit >= 10*usual {
			break
		}
	}
	return limit, r, nil
}

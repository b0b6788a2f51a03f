package promfake

import (
	"context"
	"slices"
	"sort"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// Querier implements storage.Queryable: it is how the engine reads the DB. The clock is read once,
// so that one query sees one horizon.
func (db *DB) Querier(mint, maxt int64) (storage.Querier, error) {
	return &querier{db: db, mint: mint, maxt: maxt, horizon: db.horizon()}, nil
}

// querier reads [mint, maxt] (milliseconds, inclusive) up to the horizon.
type querier struct {
	db         *DB
	mint, maxt int64
	horizon    int64
}

// Select implements storage.Querier. The result is always sorted.
func (q *querier) Select(_ context.Context, _ bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	mint, maxt, limit := q.mint, q.maxt, 0
	if hints != nil {
		mint, maxt, limit = hints.Start, hints.End, hints.Limit
	}
	maxt = min(maxt, q.horizon)
	found := q.db.find(mint, maxt, ms)
	sort.Slice(found, func(i, j int) bool { return labels.Compare(found[i].lset, found[j].lset) < 0 })
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return &seriesSet{series: found, mint: mint, maxt: maxt}
}

// find returns the series that match and have a sample near [mint, maxt].
func (db *DB) find(mint, maxt int64, ms []*labels.Matcher) []*Series {
	db.mu.RLock()
	defer db.mu.RUnlock()
	var found []*Series
	for _, s := range db.candidates(ms) {
		if matches(s.lset, ms) && s.overlaps(mint, maxt) {
			found = append(found, s)
		}
	}
	return found
}

// candidates returns the shortest list of series that certainly holds every match: the postings of
// one equality matcher, or everything.
func (db *DB) candidates(ms []*labels.Matcher) []*Series {
	best, narrowed := db.all, false
	for _, m := range ms {
		if m.Type != labels.MatchEqual || m.Value == "" {
			continue
		}
		list := db.postings[labels.Label{Name: m.Name, Value: m.Value}]
		if !narrowed || len(list) < len(best) {
			best, narrowed = list, true
		}
	}
	return best
}

func matches(lset labels.Labels, ms []*labels.Matcher) bool {
	for _, m := range ms {
		if !m.Matches(lset.Get(m.Name)) {
			return false
		}
	}
	return true
}

// LabelValues implements storage.LabelQuerier.
func (q *querier) LabelValues(_ context.Context, name string, hints *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	seen := map[string]bool{}
	for _, s := range q.db.find(q.mint, min(q.maxt, q.horizon), ms) {
		if v := s.lset.Get(name); v != "" {
			seen[v] = true
		}
	}
	return limited(seen, hints), nil, nil
}

// LabelNames implements storage.LabelQuerier.
func (q *querier) LabelNames(_ context.Context, hints *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	seen := map[string]bool{}
	for _, s := range q.db.find(q.mint, min(q.maxt, q.horizon), ms) {
		s.lset.Range(func(l labels.Label) { seen[l.Name] = true })
	}
	return limited(seen, hints), nil, nil
}

// limited sorts a set and cuts it to the limit of the hints.
func limited(set map[string]bool, hints *storage.LabelHints) []string {
	out := make([]string, 0, len(set))
	for v := range set {
		out = append(out, v)
	}
	slices.Sort(out)
	if hints != nil && hints.Limit > 0 && len(out) > hints.Limit {
		out = out[:hints.Limit]
	}
	return out
}

// Close implements storage.Querier.
func (*querier) Close() error { return nil }

// exemplars returns the exemplars within [mint, maxt] of every series that matches one of the sets,
// sorted by series.
func (db *DB) exemplars(mint, maxt int64, sets [][]*labels.Matcher) []exemplar.QueryResult {
	maxt = min(maxt, db.horizon())
	seen := map[*Series]bool{}
	out := []exemplar.QueryResult{}
	for _, ms := range sets {
		for _, s := range db.find(minTime, maxTime, ms) {
			if found := s.exemplarsIn(mint, maxt); len(found) > 0 && !seen[s] {
				seen[s] = true
				out = append(out, exemplar.QueryResult{SeriesLabels: s.lset, Exemplars: found})
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return labels.Compare(out[i].SeriesLabels, out[j].SeriesLabels) < 0 })
	return out
}

// exemplarsIn copies the exemplars of the series within [mint, maxt].
func (s *Series) exemplarsIn(mint, maxt int64) []exemplar.Exemplar {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []exemplar.Exemplar
	for _, e := range s.exemplars {
		if e.Ts >= mint && e.Ts <= maxt {
			out = append(out, e)
		}
	}
	return out
}

// seriesSet hands the found series to the engine one by one.
type seriesSet struct {
	series     []*Series
	next       int
	mint, maxt int64
}

// Next implements storage.SeriesSet.
func (s *seriesSet) Next() bool { s.next++; return s.next <= len(s.series) }

// At implements storage.SeriesSet.
func (s *seriesSet) At() storage.Series {
	return view{Series: s.series[s.next-1], mint: s.mint, maxt: s.maxt}
}

// Err implements storage.SeriesSet.
func (*seriesSet) Err() error { return nil }

// Warnings implements storage.SeriesSet.
func (*seriesSet) Warnings() annotations.Annotations { return nil }

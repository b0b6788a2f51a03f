package prom

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Exemplar is one event that stands for the many that a series counts, with what its program wrote
// to it: usually the ID of a trace. All of it is foreign text.
type Exemplar struct {
	Series map[string]string // labels of the series
	Labels map[string]string // of the exemplar, such as trace_id
	Value  float64           // of the event: seconds in a latency histogram, 1 in most counters
	At     time.Time
}

// Exemplars asks for the exemplars of every series that an expression selects, in [from, to], in
// the server's order. A server without them refuses, or knows none.
func (c *Client) Exemplars(ctx context.Context, expr string, from, to time.Time) ([]Exemplar, *Error) {
	var series []struct {
		SeriesLabels map[string]string
		Exemplars    []struct {
			Labels    map[string]string
			Value     float64 `json:",string"`
			Timestamp float64 // seconds
		}
	}
	form := url.Values{"query": {expr}, "start": {unix(from)}, "end": {unix(to)}}
	err := c.call(ctx, http.MethodPost, "/api/v1/query_exemplars", form, func(r io.Reader) error { return decodeList(r, &series) })
	if err != nil {
		return nil, err
	}
	var out []Exemplar
	for _, s := range series {
		for _, e := range s.Exemplars {
			out = append(out, Exemplar{s.SeriesLabels, e.Labels, e.Value, time.UnixMilli(int64(e.Timestamp * 1000)).UTC()})
		}
	}
	return out, nil
}

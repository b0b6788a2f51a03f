package prom

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Element is one element of an instant vector.
type Element struct {
	Labels map[string]string
	Value  float64
}

// Curve is one series of a range query.
type Curve struct {
	Labels map[string]string
	Points []Point
}

// Point is a value at a time, in milliseconds since 1970.
type Point struct {
	At    int64
	Value float64
}

// Vector evaluates a query at one time. The order of the elements is the server's. Histograms in
// the answer have no value and are left out.
func (c *Client) Vector(ctx context.Context, query string, at time.Time) ([]Element, *Error) {
	s := &curves{}
	_, err := c.query(ctx, query, at, s)
	if err != nil {
		return nil, err
	}
	out := make([]Element, 0, len(s.list))
	for _, one := range s.list {
		if n := len(one.Points); n > 0 {
			out = append(out, Element{one.Labels, one.Points[n-1].Value})
		}
	}
	return out, nil
}

// Range evaluates a query at every step of [from, to].
func (c *Client) Range(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]Curve, *Error) {
	s := &curves{}
	_, err := c.queryRange(ctx, query, from, to, step, s)
	if err != nil {
		return nil, err
	}
	return s.list, nil
}

// curves is a sink that keeps everything, for answers that are known to be small.
type curves struct{ list []Curve }

func (s *curves) series(metric []byte) bool {
	one := Curve{Labels: map[string]string{}}
	_ = json.Unmarshal(metric, &one.Labels) // the decoder has found it to be an object already
	s.list = append(s.list, one)
	return true
}

func (s *curves) sample(ms int64, v float64) {
	if len(s.list) == 0 { // a scalar has no labels
		s.list = append(s.list, Curve{Labels: map[string]string{}})
	}
	last := &s.list[len(s.list)-1]
	last.Points = append(last.Points, Point{ms, v})
}

// LabelValues lists at most limit values of a label among the series that any of the selectors
// matches in [from, to]. It reads the server's index, no samples. When there are more, which ones
// come is the server's choice.
func (c *Client) LabelValues(ctx context.Context, name string, selectors []string, from, to time.Time, limit int) ([]string, *Error) {
	var values []string
	err := c.list(ctx, "/api/v1/label/"+url.PathEscape(model.EscapeName(name, model.ValueEncodingEscaping))+"/values", selectors, from, to, limit, &values)
	return values, err
}

// SeriesLabels returns the labels of at most limit series that a selector matches in [from, to]. It
// reads the server's index, no samples.
func (c *Client) SeriesLabels(ctx context.Context, selector string, from, to time.Time, limit int) ([]map[string]string, *Error) {
	var series []map[string]string
	err := c.list(ctx, "/api/v1/series", []string{selector}, from, to, limit, &series)
	return series, err
}

// truncated is how Prometheus says that a list was cut at the limit that was asked for.
const truncated = "results truncated due to limit"

// list asks one of the endpoints that answer with a list and decodes it.
func (c *Client) list(ctx context.Context, path string, selectors []string, from, to time.Time, limit int, into any) *Error {
	form := url.Values{"match[]": selectors, "start": {unix(from)}, "end": {unix(to)}, "limit": {strconv.Itoa(limit)}}
	if err := c.call(ctx, http.MethodGet, path, form, func(r io.Reader) error { return decodeList(r, into) }); err != nil {
		return err
	}
	return nil
}

func decodeList(r io.Reader, into any) error {
	var envelope struct {
		Status, ErrorType, Error string
		Data                     json.RawMessage
		Warnings                 []string
	}
	if err := json.NewDecoder(r).Decode(&envelope); err != nil {
		return err
	}
	a := answer{status: envelope.Status, errorType: envelope.ErrorType, errorText: envelope.Error, hasData: envelope.Data != nil}
	for _, w := range envelope.Warnings {
		if !strings.Contains(w, truncated) {
			a.warnings = append(a.warnings, w)
		}
	}
	if err := a.problem(); err != nil {
		return err
	}
	if err := json.Unmarshal(envelope.Data, into); err != nil {
		return errors.New("the list has an unknown form")
	}
	return nil
}

package prom

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// hasData reports whether a selector matches anything in the five minutes before the end of minute
// to.
func (c *Client) hasData(ctx context.Context, selector string, to budget.Minute) (bool, *Error) {
	a, err := c.query(ctx, "count("+selector+")", to.End(), nil)
	return a.nSeries > 0, err
}

// Sampled reports whether the server has samples in the five minutes before a time: of any target,
// or, where targets are not scraped but push, of the first SLO that counts them.
func (c *Client) Sampled(ctx context.Context, specs []*slo.Spec, at time.Time) (bool, *Error) {
	a, err := c.query(ctx, "count(up)", at, nil)
	if err != nil || a.nSeries > 0 {
		return a.nSeries > 0, err
	}
	for _, s := range specs {
		if s.SLI.Total.Bare() {
			a, err := c.query(ctx, "count("+selectors.Write(s.SLI.Total.Metric)+")", at, nil)
			return a.nSeries > 0, err
		}
	}
	return false, nil
}

// Probe is what an instant query returned.
type Probe struct {
	Series int     // how many series
	Value  float64 // of the first one
	Type   string  // vector, scalar, matrix, string
}

// Probe evaluates a query at one time, to see whether it returns data.
func (c *Client) Probe(ctx context.Context, query string, at time.Time) (Probe, *Error) {
	s := &firstValue{}
	a, err := c.query(ctx, query, at, s)
	return Probe{a.nSeries, s.v, a.resultType}, err
}

type firstValue struct {
	v    float64
	done bool
}

func (f *firstValue) series([]byte) bool { return !f.done }

func (f *firstValue) sample(_ int64, v float64) {
	if !f.done {
		f.v, f.done = v, true
	}
}

// MetricType returns what the targets of the server say a metric is: counter, gauge, histogram,
// summary; "" if none says so. Of a metric with several types the first is told.
func (c *Client) MetricType(ctx context.Context, name string) (string, *Error) {
	var envelope struct {
		Data map[string][]struct{ Type string }
	}
	err := c.call(ctx, http.MethodGet, "/api/v1/metadata", url.Values{"metric": {name}, "limit": {"1"}}, func(r io.Reader) error {
		return json.NewDecoder(r).Decode(&envelope)
	})
	if list := envelope.Data[name]; err == nil && len(list) > 0 {
		return list[0].Type, nil
	}
	return "", err
}

// HasLabel reports whether any series of a bare selector has the label.
func (c *Client) HasLabel(ctx context.Context, selector, label string, at time.Time) (bool, *Error) {
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	if err != nil {
		return false, &Error{Kind: Refused, Op: "query", Err: err}
	}
	p, failure := c.Probe(ctx, "count("+selectors.And(selectors.Match(matchers...), selectors.NotEqual(label, ""))+")", at)
	return p.Series > 0, failure
}

// BuildInfo names the server.
type BuildInfo struct {
	Application string `json:"application"` // Mimir and others say who they are
	Version     string `json:"version"`
	Revision    string `json:"revision"`
}

// BuildInfo asks the server for its version. Not every compatible server answers.
func (c *Client) BuildInfo(ctx context.Context) (BuildInfo, *Error) {
	var envelope struct{ Data BuildInfo }
	err := c.call(ctx, http.MethodGet, "/api/v1/status/buildinfo", url.Values{}, func(r io.Reader) error {
		return json.NewDecoder(r).Decode(&envelope)
	})
	return envelope.Data, err
}

// ClockSkew returns how far the server's clock is ahead of ours, to about the time the request
// took. now is our time just before. A server whose Date header is of another time is refused: it
// contradicts itself.
func (c *Client) ClockSkew(ctx context.Context, now func() time.Time) (skew, within time.Duration, err *Error) {
	before := now()
	s := &firstValue{}
	if _, err := c.ask(ctx, "/api/v1/query", url.Values{"query": {"time()"}}, s); err != nil {
		return 0, 0, err
	}
	if !s.done {
		return 0, 0, &Error{Kind: BadAnswer, Op: "query", URL: c.base.Redacted(), Err: fmt.Errorf("time() returned nothing")}
	}
	took := now().Sub(before)
	server := time.UnixMilli(int64(s.v * 1000))
	sensible := server.Year() > 2000 && server.Year() < 2500 // what is not is the caller's to refuse
	if dated := c.dated.Load(); sensible && dated != 0 && server.Sub(time.Unix(dated, 0)).Abs() > contradiction {
		return 0, 0, &Error{
			Kind: Refused, Op: "query", URL: c.base.Redacted(),
			Err: fmt.Errorf("time() is %s, and the answer is dated %s", server.UTC().Format(time.RFC3339), time.Unix(dated, 0).UTC().Format(time.RFC3339)),
		}
	}
	return server.Sub(before.Add(took / 2)), took/2 + time.Millisecond, nil
}

// contradiction is how far time() and the Date header of a server may be apart: proxies have clocks
// of their own, and some answer a little in the past.
const contradiction = 10 * time.Minute

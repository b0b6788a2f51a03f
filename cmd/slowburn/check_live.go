package main

import (
	"context"
	"fmt"
	"time"

	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// probeWindow stands in for $window when a query is tried.
const probeWindow = 5 * time.Minute

// checkLive asks a server about every query of the set: does it return data, and are its scrapes close
// enough together for the alert windows. What it finds is a warning at the query; an unreachable
// server is an error.
func checkLive(ctx context.Context, client *prom.Client, set *slo.Set, now time.Time) (slo.Problems, error) {
	var found slo.Problems
	for _, spec := range set.Specs {
		problems, err := checkSpec(ctx, client, spec, now)
		if err != nil {
			return nil, err
		}
		found = append(found, problems...)
	}
	return found, nil
}

func checkSpec(ctx context.Context, client *prom.Client, spec *slo.Spec, now time.Time) (slo.Problems, error) {
	var found slo.Problems
	for _, q := range spec.Queries() {
		optional := q == spec.SLI.Bad // a perfect service has no bad series
		warning, err := tryQuery(ctx, client, spec, q, now, optional)
		if err != nil {
			return nil, err
		}
		if warning != "" {
			found = append(found, slo.Problem{
				File: q.File, Line: q.Line, Column: q.Column, Severity: strictyaml.Warning,
				Message: fmt.Sprintf("%s: %s", spec.ID(), warning), Hint: "try the query in Prometheus: " + q.Render(probeWindow),
			})
			continue
		}
		if q == spec.SLI.Total && q.Bare() {
			interval, failure := client.ScrapeInterval(ctx, q.Text, now)
			if failure != nil {
				return nil, failure
			}
			found = append(found, slo.LintScrape(spec, interval)...)
		}
	}
	return found, nil
}

// tryQuery says what is wrong with the answer to one query, "" if nothing is.
func tryQuery(ctx context.Context, client *prom.Client, spec *slo.Spec, q *slo.Query, now time.Time, optional bool) (string, error) {
	series := 1
	var failure *prom.Error
	if spec.SLI.Kind == slo.Latency && q.Bare() {
		failure = client.CheckHistogram(ctx, spec, now)
	} else {
		var probe prom.Probe
		probe, failure = client.Probe(ctx, q.Render(probeWindow), now)
		series = probe.Series
	}
	switch {
	case failure != nil && (failure.Kind == prom.Refused || failure.Kind == prom.Unusable):
		return failure.Err.Error() + hintOf(failure), nil
	case failure != nil:
		return "", failure
	case series == 0 && !optional:
		return "the query returns no data", nil
	}
	return "", nil
}

func hintOf(e *prom.Error) string {
	if e.Hint == "" {
		return ""
	}
	return "; " + e.Hint
}

// sourceTime is what time it is for the server, whose clock stamps the data; our own if it does not say.
func sourceTime(ctx context.Context, client *prom.Client, now func() time.Time) time.Time {
	skew, _, err := client.ClockSkew(ctx, now)
	if err != nil {
		return now()
	}
	return now().Add(skew)
}

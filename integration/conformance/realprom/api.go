package realprom

import (
	"context"
	"net/http"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"
)

// newHandler mounts the API of Prometheus v0.316.0 below /api/v1.
//
// NewAPI is the one call whose signature is not stable between releases, so it stands here alone.
// Everything a query does not touch is nil or zero: no scraper, no rules, no remote write, no admin
// calls.
func newHandler(db *tsdb.DB, engine *promql.Engine) http.Handler {
	registry := prometheus.NewRegistry()
	api := apiv1.NewAPI(
		engine, // query engine
		db,     // queryable
		nil,    // appendable
		db,     // exemplars
		func(context.Context) apiv1.ScrapePoolsRetriever { return nil },
		func(context.Context) apiv1.TargetRetriever { return nil },
		func(context.Context) apiv1.AlertmanagerRetriever { return nil },
		func() config.Config { return config.DefaultConfig },
		map[string]string{},      // flags
		apiv1.GlobalURLOptions{}, // external address
		always,                   // ready
		nil,                      // admin statistics
		"",                       // directory of the database
		false,                    // admin calls
		false,                    // search
		0,                        // search limit
		discard(),                // logger
		func(context.Context) apiv1.RulesRetriever { return nil },
		50_000_000,               // remote read: samples
		10,                       // remote read: concurrency
		1<<20,                    // remote read: bytes in a frame
		false,                    // agent mode
		regexp.MustCompile(`^$`), // CORS origin
		func() (apiv1.RuntimeInfo, error) { return apiv1.RuntimeInfo{}, nil },
		&apiv1.PrometheusVersion{Version: "3.16.0"},
		nil,                    // notifications
		nil,                    // notification subscriptions
		registry,               // gatherer
		registry,               // registerer
		nil,                    // statistics renderer
		false,                  // remote write
		nil,                    // remote write messages
		false,                  // OTLP
		false,                  // OTLP: delta to cumulative
		false,                  // OTLP: native delta
		lookback,               // lookback
		false,                  // type and unit labels
		false,                  // metadata on write
		nil,                    // error code override
		nil,                    // feature registry
		apiv1.OpenAPIOptions{}, // OpenAPI
		parser.NewParser(parser.Options{}),
		false, // cost of queries
		0,     // timeout of queries
	)
	mux := route.New().WithPrefix("/api/v1")
	api.Register(mux)
	return mux
}

// Package realprom runs the genuine Prometheus storage, PromQL engine and HTTP API inside a test,
// without a Prometheus binary.
//
// The daemon's own tests talk to a small embedded Prometheus (internal/fake/promfake): the real
// PromQL engine over an in-memory store, behind a handler written for slowburn. That is only worth
// something if the handler and the store answer like the original. This package is the original:
// tsdb.DB on disk, promql.Engine, and the web/api/v1 handlers, wired as the prometheus command
// wires them. A test feeds both the same samples, asks both the same questions and compares the
// JSON.
//
// It lives in the integration module because linking it costs several hundred packages that nobody
// who builds slowburn should have to download. Its constructor has more than forty positional
// parameters, which change from release to release; api.go is the only file that knows them.
package realprom

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// retention keeps every sample a test may write: samples older than the retention would be dropped
// at the next compaction, and the default of 15 days is shorter than a budget window.
const retention = 400 * 24 * time.Hour

// Server is a running Prometheus without a scraper: samples arrive through Append.
type Server struct {
	// URL is the base address, such as http://127.0.0.1:40001, without a trailing slash. The API is
	// below URL + "/api/v1/".
	URL string

	db *tsdb.DB
}

// Start runs a server over an empty database in a temporary directory and stops it when the test
// ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return Open(tb, tb.TempDir())
}

// Open runs a server over the database in a directory, as another version may have left it, and
// stops it when the test ends.
func Open(tb testing.TB, dir string) *Server {
	tb.Helper()
	db := openDB(tb, dir)
	engine := newEngine(tb)
	server := httptest.NewServer(newHandler(db, engine))
	tb.Cleanup(server.Close)
	return &Server{URL: server.URL, db: db}
}

// Append hands an appender to write and commits what it appended. Samples of one series must come
// in order of time.
func (s *Server) Append(tb testing.TB, write func(storage.Appender) error) {
	tb.Helper()
	app := s.db.Appender(context.Background())
	if err := write(app); err != nil {
		app.Rollback()
		tb.Fatalf("append samples: %v", err)
	}
	if err := app.Commit(); err != nil {
		tb.Fatalf("commit samples: %v", err)
	}
}

// Compact moves what is old enough from the head into blocks on disk, so that answers come from
// both.
func (s *Server) Compact(tb testing.TB) {
	tb.Helper()
	if err := s.db.Compact(context.Background()); err != nil {
		tb.Fatalf("compact the database: %v", err)
	}
}

// openDB opens a database with everything a query may touch switched on: exemplars are off by
// default.
func openDB(tb testing.TB, dir string) *tsdb.DB {
	tb.Helper()
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = retention.Milliseconds()
	opts.EnableExemplarStorage = true
	opts.MaxExemplars = 10_000
	db, err := tsdb.Open(dir, discard(), nil, opts, nil)
	if err != nil {
		tb.Fatalf("open the database: %v", err)
	}
	db.DisableCompactions() // only when a test asks for it
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close the database: %v", err)
		}
	})
	return db
}

// newEngine returns an engine with the defaults of the prometheus command.
func newEngine(tb testing.TB) *promql.Engine {
	tb.Helper()
	engine := promql.NewEngine(promql.EngineOpts{
		Logger:               discard(),
		MaxSamples:           50_000_000,
		Timeout:              2 * time.Minute,
		LookbackDelta:        lookback,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 {
			return time.Minute.Milliseconds()
		},
		Parser: parser.NewParser(parser.Options{}),
	})
	tb.Cleanup(func() { _ = engine.Close() })
	return engine
}

// lookback is how long a sample stays the answer of an instant query, when neither a newer sample
// nor a staleness mark follows.
const lookback = 5 * time.Minute

// always is the readiness check of a server that is ready as soon as it exists.
func always(next http.HandlerFunc) http.HandlerFunc { return next }

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// Package promtest serves an embedded Prometheus for the length of a test.
package promtest

import (
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// Serve listens with h (usually [promfake.DB.Handler]) on loopback until the test is over, and
// returns the address.
func Serve(t testing.TB, h http.Handler) (url string) {
	t.Helper()
	server, err := promfake.Start(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server.URL
}

// API serves a database like [Serve] and returns a client of Prometheus' own for it.
func API(t testing.TB, db *promfake.DB) promv1.API {
	t.Helper()
	return Client(t, Serve(t, db.Handler()))
}

// Client returns a client of Prometheus' own; its connections are closed when the test is over.
func Client(t testing.TB, url string) promv1.API {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := api.NewClient(api.Config{Address: url, RoundTripper: transport})
	if err != nil {
		t.Fatal(err)
	}
	return promv1.NewAPI(c)
}

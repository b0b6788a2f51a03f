package servers

import (
	"net/http"
	"strings"
	"testing"
)

// VictoriaMetrics starts a single-node VictoriaMetrics, or skips the test where there is none.
//
// It answers the query API of Prometheus with an engine of its own. By default it hides the newest
// 30 seconds; that is switched off here, so that a test finds the samples it has just imported.
func VictoriaMetrics(tb testing.TB) *Server {
	tb.Helper()
	path := find(tb, "victoria-metrics", "victoria-metrics-prod")
	address := freeAddress(tb)
	return start(tb, &Server{
		URL: "http://" + address, name: "victoria-metrics", path: path, ready: "/health",
		args: []string{
			"-storageDataPath=" + tb.TempDir(),
			"-httpListenAddr=" + address,
			"-retentionPeriod=24", // months
			"-search.latencyOffset=0s",
			"-memory.allowedPercent=10",
		},
	})
}

// Import sends samples in the Prometheus text format, with timestamps in milliseconds, and makes
// them visible to queries. Only VictoriaMetrics has this call.
func (s *Server) Import(tb testing.TB, text string) {
	tb.Helper()
	s.post(tb, "/api/v1/import/prometheus", "text/plain", text)
	s.post(tb, "/internal/force_flush", "text/plain", "")
}

// post sends a body and fails the test unless the answer is a success.
func (s *Server) post(tb testing.TB, path, contentType, body string) {
	tb.Helper()
	resp, err := http.Post(s.URL+path, contentType, strings.NewReader(body))
	if err != nil {
		tb.Fatalf("post to %s: %v", s.name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		tb.Fatalf("%s%s answered %s", s.name, path, resp.Status)
	}
}

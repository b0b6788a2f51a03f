package servers

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// PrometheusOptions says where a Prometheus gets its samples from. The zero value scrapes nothing.
type PrometheusOptions struct {
	// Scrape lists targets as "host:port" or as the URL of an httptest server; the metrics path is
	// /metrics.
	Scrape []string
	// Interval is the scrape interval; zero means one second.
	Interval time.Duration
	// OpenMetrics is history, in OpenMetrics text with timestamps and the closing "# EOF". It is
	// written into blocks before the server starts, as `promtool tsdb create-blocks-from
	// openmetrics` does it.
	OpenMetrics string
	// OutOfOrder is how much older than the newest one of its series a sample may be; zero takes
	// none.
	OutOfOrder time.Duration
	// Flags are added to the command line.
	Flags []string
}

// Prometheus starts a Prometheus server, or skips the test where there is none.
func Prometheus(tb testing.TB, opts PrometheusOptions) *Server {
	tb.Helper()
	path := find(tb, "prometheus")
	dir, address := tb.TempDir(), freeAddress(tb)
	data := filepath.Join(dir, "data")
	if opts.OpenMetrics != "" {
		createBlocks(tb, dir, data, opts.OpenMetrics)
	}
	args := []string{
		"--config.file=" + writeFile(tb, dir, "prometheus.yml", prometheusConfig(opts)),
		"--storage.tsdb.path=" + data,
		"--storage.tsdb.retention.time=400d", // history is older than the default of 15 days
		"--web.listen-address=" + address,
	}
	return start(tb, &Server{
		URL: "http://" + address, name: "prometheus", path: path,
		args: append(args, opts.Flags...), ready: "/-/ready",
	})
}

// prometheusConfig writes the configuration file: one job "test" with every target.
func prometheusConfig(opts PrometheusOptions) string {
	interval := opts.Interval
	if interval == 0 {
		interval = time.Second
	}
	var b strings.Builder
	fmt.Fprintf(&b, "global:\n  scrape_interval: %dms\n", interval.Milliseconds())
	if opts.OutOfOrder > 0 {
		fmt.Fprintf(&b, "storage: {tsdb: {out_of_order_time_window: %ds}}\n", int(opts.OutOfOrder.Seconds()))
	}
	if len(opts.Scrape) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "scrape_configs:\n  - job_name: test\n    scrape_timeout: %dms\n", interval.Milliseconds())
	b.WriteString("    static_configs:\n      - targets:\n")
	for _, target := range opts.Scrape {
		fmt.Fprintf(&b, "          - %q\n", strings.TrimPrefix(target, "http://"))
	}
	return b.String()
}

// createBlocks turns OpenMetrics text into blocks of the database.
func createBlocks(tb testing.TB, dir, data, text string) {
	tb.Helper()
	input := writeFile(tb, dir, "history.om", text)
	cmd := exec.Command(find(tb, "promtool"), "tsdb", "create-blocks-from", "openmetrics", input, data)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("create blocks: %v\n%s", err, out)
	}
}

package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// defaultTemplate is where Debian's Alertmanager reads its built-in template from, at every start.
const defaultTemplate = "/usr/share/prometheus/alertmanager/default.tmpl"

// Alertmanager starts an Alertmanager that forwards every alert to a webhook at once, or skips the
// test where there is none. An empty webhook means that nothing is forwarded; the API works all the
// same.
func Alertmanager(tb testing.TB, webhook string) *Server {
	tb.Helper()
	path := find(tb, "prometheus-alertmanager", "alertmanager")
	if filepath.Base(path) == "prometheus-alertmanager" {
		if _, err := os.Stat(defaultTemplate); err != nil {
			Missing(tb, "Debian's alertmanager without its template "+defaultTemplate)
		}
	}
	dir, address := tb.TempDir(), freeAddress(tb)
	return start(tb, &Server{
		URL: "http://" + address, name: "alertmanager", path: path, ready: "/-/ready",
		args: []string{
			"--config.file=" + writeFile(tb, dir, "alertmanager.yml", alertmanagerConfig(webhook)),
			"--storage.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=" + address,
			"--cluster.listen-address=", // no gossip: it would listen on every interface
		},
	})
}

func alertmanagerConfig(webhook string) string {
	config := `route:
  receiver: test
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: test
`
	if webhook != "" {
		config += fmt.Sprintf("    webhook_configs:\n      - {url: %q, send_resolved: true}\n", webhook)
	}
	return config
}

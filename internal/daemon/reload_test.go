package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// TestAReloadTakesUpTracesAndPostmortems: their changes are in force at once. What is read at the
// start only stays, and is named.
func TestAReloadTakesUpTracesAndPostmortems(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("slo.yaml", string(file.Print([]*slo.Spec{notifytest.Spec()}, nil, file.Layout{})))
	write("ours.tmpl", "{{.Front}}# Ours: {{.Title}}\n")
	const before = "postmortems: {path: one/}\n"
	w := wire(t, before)
	w.ConfigFile = filepath.Join(dir, "slowburn.yaml")
	incident := notifytest.Story("", false)[0].Incident
	draft := func() string { return ok(w.Archive.Draft(t.Context(), incident))(t) }
	if strings.Contains(draft(), "# Ours") {
		t.Fatal("the template is in use before it is configured")
	}

	write("slowburn.yaml", "slos: [slo.yaml]\nprometheus: {url: 'http://elsewhere.example.com'}\n"+
		"postmortems: {path: two/, template: ours.tmpl}\ntraces: {url: 'https://t.example.com/{trace_id}'}\n")
	check(t, w.Reload(t.Context()))
	if text := draft(); !strings.Contains(text, "# Ours") {
		t.Errorf("the template is not in use: %s", text)
	}
	if folder := w.Keeper.Folder(); folder != filepath.Join(dir, "two") {
		t.Errorf("postmortems are kept in %s", folder)
	}
	cfg := w.witness.cfg.Load()
	if cfg.TraceURL != "https://t.example.com/{trace_id}" || strings.Contains(cfg.Prometheus.URL, "elsewhere") {
		t.Errorf("in force are traces %q and Prometheus %q", cfg.TraceURL, cfg.Prometheus.URL)
	}
	if r := w.reload.Load(); !r.OK || len(r.Waiting) != 2 || r.Waiting[0] != "prometheus" {
		t.Errorf("a restart is needed by %v", r.Waiting) // and the store: the test's is a file of its own
	}

	write("slowburn.yaml", "slos: [\n")
	if w.Reload(t.Context()) == nil || w.reload.Load().OK || w.Keeper.Folder() != filepath.Join(dir, "two") {
		t.Error("a broken file was taken up")
	}
}

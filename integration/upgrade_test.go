package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// buildNext builds the program of a later version, whose schema has some migrations more. Programs
// of today go on with it, or they do not.
func buildNext(t *testing.T, more int, goOn bool) string {
	t.Helper()
	dir := t.TempDir()
	here, err := filepath.Abs(filepath.Join(root, "internal", "store"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(here, "migrate.go"))
	if err != nil {
		t.Fatal(err)
	}
	var version, least int
	for _, line := range strings.Split(string(text), "\n") {
		_, _ = fmt.Sscanf(line, "const schemaVersion = %d", &version)
		_, _ = fmt.Sscanf(line, "const leastVersion = %d", &least)
	}
	replaced := strings.Replace(string(text), fmt.Sprintf("schemaVersion = %d", version), fmt.Sprintf("schemaVersion = %d", version+more), 1)
	if !goOn {
		replaced = strings.Replace(replaced, fmt.Sprintf("leastVersion = %d", least), fmt.Sprintf("leastVersion = %d", version+more), 1)
	}
	overlay := map[string]map[string]string{"Replace": {}}
	files := map[string]string{"migrate.go": replaced}
	for n := range more {
		files[fmt.Sprintf("migrations/%04d.sql", version+1+n)] = fmt.Sprintf("alter table outbox add column news%d text not null default '';\n", n)
	}
	for path, text := range files {
		to := filepath.Join(dir, filepath.Base(path))
		overlay["Replace"][filepath.Join(here, path)] = to
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "slowburn")
	out, err := exec.Command("go", "build", "-C", root, "-overlay", filepath.Join(dir, "overlay.json"), "-o", path, "./cmd/slowburn").CombinedOutput()
	if err != nil {
		t.Fatalf("build the next version: %v\n%s", err, out)
	}
	return path
}

// TestVersionsSideBySide replaces one daemon after the other: first by a version with which the old
// ones go on, then by one with which they cannot. Nothing that was written gets lost.
func TestVersionsSideBySide(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "address")
	if err := os.WriteFile(file, []byte(pgtest.Start(t).Make(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	prometheus := servers.Prometheus(t, servers.PrometheusOptions{})
	slack := slacktest.Start(slacktest.Options{})
	defer slack.Close()
	store := "store: {postgres_file: " + file + "}\n"
	daemon := func(path string) *process {
		p := prepare(t, prometheus.URL, slack, store)
		p.path = path
		p.env = append(p.env, "SLOWBURN_WRITE_TOKEN=token")
		p.start()
		p.ready()
		return p
	}
	leading := func(p *process) bool { return strings.Contains(p.get("/metrics"), "\nslowburn_leader 1\n") }
	var written []string
	write := func(p *process) {
		t.Helper()
		key := fmt.Sprintf("v%d", len(written))
		body := fmt.Sprintf(`{"key": %q, "service": "shop", "kind": "deploy", "version": %[1]q, "by": "ci"}`, key)
		p.eventually(atOnce, "taking a change", func() bool { // whoever has just begun to lead takes over first
			r, err := http.NewRequest(http.MethodPost, p.url+"/api/v1/changes", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer token")
			r.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			return resp.StatusCode < 300
		})
		written = append(written, key)
	}
	shows := func(p *process) {
		t.Helper()
		p.eventually(atOnce, "showing all that was written", func() bool {
			all := p.get("/api/v1/changes")
			for _, key := range written {
				if !strings.Contains(all, `"`+key+`"`) {
					return false
				}
			}
			return true
		})
	}

	old := daemon(program(t))
	old.eventually(atOnce, "leading", func() bool { return leading(old) })
	write(old)
	next := daemon(buildNext(t, 1, true)) // it migrates while the old one leads
	write(old)
	shows(next)
	old.stop()
	next.eventually(atOnce, "leading", func() bool { return leading(next) })
	write(next)
	old = daemon(program(t)) // it was taken back
	shows(old)
	next.kill()
	old.eventually(atOnce, "leading", func() bool { return leading(old) })
	write(old)
	standby := daemon(program(t))

	next = daemon(buildNext(t, 2, false))
	next.eventually(atOnce, "leading", func() bool { return leading(next) })
	write(next)
	shows(next)
	for _, p := range []*process{old, standby} {
		p.eventually(atOnce, "saying why it does nothing more", func() bool { return strings.Contains(p.printed(), "run the newer slowburn") })
		if leading(p) {
			t.Error("an old one leads as well")
		}
	}
	next.stop()
}

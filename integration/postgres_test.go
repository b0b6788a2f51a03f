package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// TestTheNextDaemonLeadsWhenTheFirstIsKilled runs two daemons on one PostgreSQL, as people run them.
func TestTheNextDaemonLeadsWhenTheFirstIsKilled(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	file := filepath.Join(t.TempDir(), "address")
	if err := os.WriteFile(file, []byte(server.Make(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	prometheus := servers.Prometheus(t, servers.PrometheusOptions{})
	slack := slacktest.Start(slacktest.Options{})
	defer slack.Close()
	store := "store: {postgres_file: " + file + "}\n"
	first, second := prepare(t, prometheus.URL, slack, store), prepare(t, prometheus.URL, slack, store)

	first.says(t, "doctor", "the database is empty")
	first.start()
	first.ready()
	first.says(t, "doctor", "a daemon leads")
	second.start()
	second.eventually(atOnce, "asking to lead", func() bool { return strings.Contains(second.printed(), "asking to lead") })
	if leads(second) {
		t.Fatalf("two lead\n%s", second.printed())
	}
	first.kill()
	second.eventually(atOnce, "leading", func() bool { return leads(second) })
	second.ready()
	first.says(t, "doctor", "a daemon leads")

	server.Kill() // nobody leads, and nobody gives up
	second.eventually(atOnce, "without a server", func() bool { return strings.Contains(second.printed(), "cannot ask to lead") })
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	second.eventually(atOnce, "leading again", func() bool { return strings.Count(second.printed(), "this daemon leads") == 2 })
	second.stop()
	first.says(t, "doctor", "no daemon leads")
}

// leads reports whether a daemon has said that it leads.
func leads(p *process) bool { return strings.Contains(p.printed(), "this daemon leads") }

// says fails unless a command of the program prints the words.
func (p *process) says(t *testing.T, command, words string) {
	t.Helper()
	cmd := exec.Command(program(t), command, "--config.file="+p.config)
	cmd.Env = p.env
	if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), words) {
		t.Errorf("%s does not say %q:\n%s", command, words, out)
	}
}

package integration_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// TestTheNextDaemonLeadsWhenTheFirstIsKilled runs two daemons on one PostgreSQL, as people run
// them.
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

// TestAnotherDaemonPagesWhenTheLeaderIsKilledInAnOutage: two daemons on one PostgreSQL serve pages,
// one is killed before it has told of the outage, and the other tells of it, once.
func TestAnotherDaemonPagesWhenTheLeaderIsKilledInAnOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some minutes of wall time")
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "address")
	if err := os.WriteFile(file, []byte(pgtest.Start(t).Make(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shop := &shop{failing: true, last: time.Now()}
	target := httptest.NewServer(shop)
	defer target.Close()
	prometheus := servers.Prometheus(t, servers.PrometheusOptions{Scrape: []string{target.URL}})
	slack := slacktest.Start(slacktest.Options{})
	defer slack.Close()
	store := "store: {postgres_file: " + file + "}\n"
	first, second := newProcess(t, prometheus.URL, slack, store), newProcess(t, prometheus.URL, slack, store)

	second.eventually(atOnce, "showing that it stands by", func() bool { return strings.Contains(second.get("/"), "Standing by: another slowburn leads.") })
	if !strings.Contains(first.get("/metrics"), "\nslowburn_leader 1\n") || !strings.Contains(second.get("/metrics"), "\nslowburn_leader 0\n") {
		t.Error("the metrics do not say who leads")
	}
	if status := second.get("/api/v1/status"); !strings.Contains(status, `"standby":{"asOf":`) {
		t.Errorf("the API says nothing of standing by: %s", status)
	}
	first.kill()
	killed := time.Now()
	second.eventually(15*time.Second, "leading", func() bool { return strings.Contains(second.get("/metrics"), "\nslowburn_leader 1\n") })
	t.Logf("the next one leads after %s", time.Since(killed).Round(10*time.Millisecond))
	first.start() // and stands by, as the supervisor wants
	first.ready()

	ctx, cancel := context.WithTimeout(t.Context(), aFewTurns)
	defer cancel()
	if err := slack.Wait(ctx, func(st slacktest.State) bool { return len(st.Roots(channel)) > 0 }); err != nil {
		t.Fatalf("nobody was told: %v\n%s", err, second.printed())
	}
	first.eventually(atOnce, "showing the page of the other", func() bool { all := first.incidents(); return len(all) == 1 && all[0].Open })
	second.kill() // after it has told
	first.eventually(15*time.Second, "leading", func() bool { return strings.Contains(first.get("/metrics"), "\nslowburn_leader 1\n") })
	prometheus.Stop(t)
	shop.heal()
	prometheus.Start(t)
	first.eventually(aFewTurns, "over", func() bool { all := first.incidents(); return len(all) == 1 && !all[0].Open })
	if roots := slack.State().Roots(channel); len(roots) != 1 {
		t.Errorf("%d messages in the channel, want one\n%s", len(roots), slack.State())
	}
	first.stop()
}

// get returns what the daemon serves, or why it does not.
func (p *process) get(path string) string {
	resp, err := http.Get(p.url + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
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

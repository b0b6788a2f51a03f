package integration_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// owedInMemory is the metric that says that a full disk keeps messages in memory alone.
var owedInMemory = regexp.MustCompile(`(?m)^slowburn_outbox_unwritten_entries [1-9]`)

// TestAFullFileSystemSilencesNothing: the program's store lies on a file system on which nothing
// more fits. The page and its end are told nevertheless, nothing restarts it for that, and when
// there is room again the incident is written down, and told to nobody twice.
func TestAFullFileSystemSilencesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some minutes of wall time")
	}
	t.Parallel()
	disk := t.TempDir()
	mountSmall(t, disk)
	shop := &shop{last: time.Now()}
	target := httptest.NewServer(shop)
	t.Cleanup(target.Close)
	prometheus := servers.Prometheus(t, servers.PrometheusOptions{Scrape: []string{target.URL}})
	slack := slacktest.Start(slacktest.Options{})
	t.Cleanup(slack.Close)
	p := newProcess(t, prometheus.URL, slack, "store: {path: "+filepath.Join(disk, "slowburn.db")+"}")

	fill(t, disk)
	shop.fail()
	p.seen(slack, "requests on shop")
	if metrics := p.get("/metrics"); !owedInMemory.MatchString(metrics) {
		t.Errorf("no metric says that a message is not written down\n%s", p.printed())
	}
	if code := p.code("/-/ready"); code != http.StatusOK {
		t.Errorf("/-/ready answers %d: it would be taken out of service while it pages", code)
	}
	if code := p.code("/-/healthy"); code != http.StatusServiceUnavailable {
		t.Errorf("/-/healthy answers %d with a full disk", code)
	}
	shop.heal()
	p.seen(slack, "Resolved")
	if !strings.Contains(p.printed(), "full") {
		t.Errorf("the log does not say why\n%s", p.printed())
	}

	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	p.eventually(aFewTurns, "written down", func() bool {
		return !owedInMemory.MatchString(p.get("/metrics")) && p.code("/-/healthy") == http.StatusOK
	})
	p.kill()
	p.start()
	p.ready()
	p.eventually(aFewTurns, "knowing the incident", func() bool {
		all := p.incidents()
		return len(all) == 1 && !all[0].Open && all[0].Rule == "page"
	})
	if roots := slack.State().Roots(channel); len(roots) != 1 {
		t.Errorf("%d messages in the channel, want one\n%s", len(roots), slack.State())
	}
	p.stop()
}

package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/engine/enginetest"
	"github.com/slowburn-sre/slowburn/internal/rules"
)

// ruledSLOs has an SLO of every kind that rules can be made of.
const ruledSLOs = `
version: slowburn/v1
service: checkout
owner: team-pay
slos:
  - name: availability
    objective: 99.9
    window: 30d
    by: [route]
    sli: {events: {total: 'http_requests_total{job="checkout"}', bad: 'http_requests_total{job="checkout",code=~"5.."}'}}
  - name: success
    objective: 99.5
    window: 28d
    sli: {events: {total: 'sum(increase(jobs_total[$window]))', good: 'sum(increase(jobs_total{result="ok"}[$window]))'}}
  - name: latency
    objective: 99
    window: 4w
    sli: {latency: {histogram: 'http_request_duration_seconds{job="checkout"}', below: 1s}}
  - name: uptime
    objective: 99.9
    window: 30d
    sli: {uptime: 'up{job="checkout"}'}
  - name: freshness
    objective: 99
    window: 7d
    sli: {slices: {query: 'max(queue_age_seconds)', good: '< 0.3', missing: bad}}
  - name: ready-made
    objective: 99
    window: 90d
    sli: {ratio: {bad: 'job:errors:ratio'}}
`

// promtool returns the path of Prometheus' own checker, or skips the test.
func promtool(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("promtool"); err == nil {
		return path
	}
	for _, dir := range []string{"usr/bin", "bin", "."} {
		path := filepath.Join(os.Getenv("SLOWBURN_SERVERS"), dir, "promtool")
		if info, err := os.Stat(path); err == nil && filepath.IsAbs(path) && info.Mode().IsRegular() {
			return path
		}
	}
	servers.Missing(t, "no promtool in PATH or below SLOWBURN_SERVERS")
	return ""
}

func TestPromtoolAcceptsOurRules(t *testing.T) {
	tool := promtool(t)
	set := enginetest.Load(t, ruledSLOs)
	for _, names := range []rules.Names{rules.Own, rules.Sloth, rules.Pyrra} {
		t.Run(string(names), func(t *testing.T) {
			var groups []rules.Group
			for _, spec := range set.Specs {
				group, err := rules.Build(spec, rules.Options{Names: names})
				if err != nil {
					if names != rules.Pyrra {
						t.Fatal(err)
					}
					continue // Pyrra has no names for expressions
				}
				groups = append(groups, group)
			}
			if len(groups) < 3 {
				t.Fatalf("only %d SLOs were written as rules", len(groups))
			}
			text, err := rules.YAML(groups)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "rules.yaml")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(tool, "check", "rules", file).CombinedOutput(); err != nil {
				t.Errorf("promtool: %v\n%s\n%s", err, out, text)
			}
		})
	}
}

func TestPromtoolAcceptsTheAlertsAboutUs(t *testing.T) {
	out, err := exec.Command(promtool(t), "check", "rules", "../deploy/prometheus/slowburn.rules.yaml").CombinedOutput()
	if err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

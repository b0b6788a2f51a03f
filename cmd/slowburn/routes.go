package main

import (
	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/slo"
)

// showRoutes lists who is told about each SLO, by severity.
func showRoutes(e *env, cfg config.Config, set *slo.Set) error {
	r := daemon.NewRouting(cfg, cfg.Slack.Works(e.getenv))
	t := newTable(e.out, "SLO", "PAGE", "TICKET", "NOTICE")
	for _, spec := range set.Specs {
		row := []string{string(spec.ID())}
		for _, severity := range config.Severities {
			row = append(row, daemon.TargetNames(r.To(spec, spec.ID(), alerting.Severity(severity))))
		}
		t.row(row...)
	}
	return t.flush()
}

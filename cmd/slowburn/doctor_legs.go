package main

import (
	"context"
	"net/http"
	"strings"

	promconfig "github.com/prometheus/common/config"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/daemon"
)

// legs looks at the receivers beside Slack. Only an Alertmanager can be asked without sending anything.
func (d *doctor) legs(ctx context.Context) {
	a := &daemon.Daemon{Options: daemon.Options{Log: d.log, Clock: d.now}}
	for _, r := range d.cfg.Receivers {
		if _, err := a.NewLeg(r); err != nil {
			d.add(stateFail, r.Leg(), "put its settings right", "%v", err)
			continue
		}
		switch {
		case r.Kind != config.AlertmanagerKind:
			d.ok(r.Leg(), "is set up; that it takes messages only a message can show")
		case !answers(ctx, r):
			d.add(stateFail, r.Leg(), "see whether it runs, and whether url and credentials are right", "does not answer")
		default:
			d.ok(r.Leg(), "answers")
		}
	}
}

// answers reports whether an Alertmanager says how it is.
func answers(ctx context.Context, r config.Receiver) bool {
	client, err := promconfig.NewClientFromConfig(r.HTTP, r.Kind)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.URL, "/")+"/api/v2/status", nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

package main

import (
	"context"

	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/notify"
)

// receivers looks at those beside Slack. Most cannot be asked without sending something.
func (d *doctor) receivers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	for _, r := range d.cfg.Receivers {
		made, err := daemon.NewReceiver(r, d.now, d.log)
		if err != nil {
			d.add(stateFail, r.Name, "put its settings right", "%v", err)
			continue
		}
		checker, ok := made.(notify.Checker)
		switch {
		case !ok:
			d.ok(r.Name, "is set up; that it takes messages only a message can show")
		case checker.Check(ctx) != nil:
			d.add(stateFail, r.Name, "see whether it runs, and whether url and credentials are right", "does not answer")
		default:
			d.ok(r.Name, "answers")
		}
	}
}

package main

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/web"
)

type serveCmd struct {
	Listen      string        `name:"web.listen-address" help:"Where to listen." default:"127.0.0.1:7569" placeholder:"ADDRESS"`
	WebConfig   string        `name:"web.config.file" help:"TLS and authentication, in the format of the Prometheus family." placeholder:"FILE"`
	ExternalURL string        `name:"web.external-url" help:"The address under which people reach the pages; it goes into messages." placeholder:"URL"`
	Insecure    bool          `name:"web.insecure" help:"Listen beyond this machine without authentication."`
	Storage     string        `name:"storage.path" help:"The file in which the ledger is kept; overrides the configuration." placeholder:"FILE"`
	Lag         time.Duration `name:"evaluation.lag" help:"How far behind the clock everything is read, at least. Late samples are waited for without it." default:"0s"`
}

// Run runs the daemon until it is told to stop.
func (c *serveCmd) Run(e *env) error {
	auth, tls, err := web.Guards(c.WebConfig)
	if err != nil {
		return cannotFindOut(err)
	}
	cfg, set, err := config.LoadAll(e.cli.ConfigFile)
	if err != nil {
		return refused(err)
	}
	if err := web.CheckAddress(c.Listen, auth || cfg.Web.AsksForProof(), c.Insecure); err != nil {
		return exitError{exitUsage, err}
	}
	for _, w := range cfg.Warnings {
		e.log.Warn("configuration", "lint", w.ID, "file", w.File, "line", w.Line, "problem", w.Message, "hint", w.Hint)
	}
	for _, w := range append(slices.Clone(set.Warnings), set.Expired(e.now())...) {
		e.log.Warn("SLO file", "lint", w.ID, "file", w.File, "line", w.Line, "problem", w.Message, "hint", w.Hint)
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return cannotFindOut(fmt.Errorf("listening: %w", err))
	}
	address := web.Address(listener.Addr(), tls)
	a, err := daemon.New(e.ctx, cfg, set, daemon.Options{
		Log: e.log, Clock: e.now, Every: e.every, Lag: c.Lag, Listener: listener,
		ExternalURL: cmp.Or(c.ExternalURL, address), WebConfig: c.WebConfig, ConfigFile: e.cli.ConfigFile, Storage: c.Storage, Getenv: e.getenv,
	})
	if err != nil {
		return cannotFindOut(err)
	}
	e.log.Info("slowburn is running", "address", address, "slos", len(set.Specs), "store", a.Store())
	return a.Run(e.ctx)
}

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

type checkCmd struct {
	Paths      []string `arg:"" optional:"" help:"SLO files, folders or globs. Without any: the configuration and what it names."`
	Strict     bool     `help:"Let warnings fail, too."`
	OpenSLO    string   `name:"openslo" help:"How to read OpenSLO files: by the letter, or with what its own examples get wrong." enum:"strict,lenient" default:"strict"`
	Prometheus string   `name:"prometheus.url" placeholder:"URL" help:"Also ask this server about every query: is there data, a bucket at the limit, enough traffic, and would the target ever have been met."`
	Format     string   `aliases:"output" short:"o" help:"text for people; github, json or sarif for programs. -o and --output mean the same." enum:"text,github,json,sarif" default:"text"`
}

// Run validates files, tells every problem of every one of them, and answers by the exit code.
func (c *checkCmd) Run(e *env) error {
	set, cfg, err := c.load(e)
	if err != nil {
		return c.refuse(e, err)
	}
	warnings := set.Warnings
	if c.Prometheus != "" {
		found, err := c.probe(e, cfg, set)
		if err != nil {
			return cannotFindOut(err)
		}
		warnings = append(warnings, found...).Sorted()
	}
	if err := c.write(e.out, outcome{len(set.Specs), len(set.Services), warnings}); err != nil {
		return cannotFindOut(err)
	}
	if warnings.Fatal() || c.Strict && len(warnings) > 0 {
		return answerNo(nil)
	}
	return nil
}

// load reads the given paths, or the configuration and what it names. The configuration is optional when paths are given.
func (c *checkCmd) load(e *env) (*slo.Set, Config, error) {
	cfg, err := loadConfig(e.cli.ConfigFile)
	if len(c.Paths) > 0 {
		if c.Prometheus != "" && err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, cfg, err // the credentials for the server may be in it
		}
		set, err := loadSLOs(c.Paths, func(p string) string { return p }, formats(c.OpenSLO == "lenient")...)
		return set, cfg, err
	}
	var problems slo.Problems
	switch {
	case errors.As(err, &problems):
	case errors.Is(err, os.ErrNotExist):
		return nil, cfg, fmt.Errorf("%w; or name SLO files to check", err)
	case err != nil:
		return nil, cfg, err
	}
	set, err := loadSLOs(cfg.SLOs, cfg.Abs, formats(c.OpenSLO == "lenient")...)
	var more slo.Problems
	if errors.As(err, &more) || len(problems) > 0 {
		return nil, cfg, append(problems, more...).Sorted()
	}
	return set, cfg, err
}

func (c *checkCmd) refuse(e *env, err error) error {
	var problems slo.Problems
	if !errors.As(err, &problems) {
		return cannotFindOut(err)
	}
	if err := c.write(e.out, outcome{problems: problems}); err != nil {
		return cannotFindOut(err)
	}
	n := 0
	for _, p := range problems {
		if p.Severity == strictyaml.Error {
			n++
		}
	}
	return answerNo(fmt.Errorf("%d %s to put right", n, plural(n, "problem", "problems")))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// probe asks a live server about every query of the set.
func (c *checkCmd) probe(e *env, cfg Config, set *slo.Set) (slo.Problems, error) {
	cfg.Prometheus.URL = c.Prometheus
	client, err := newClient(cfg.Prometheus)
	if err != nil {
		return nil, err
	}
	return checkLive(e.ctx, client, set, sourceTime(e.ctx, client, e.now))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/folder"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

type checkCmd struct {
	Paths      []string `arg:"" optional:"" help:"SLO files and corrections: files, folders or globs. Without any: the configuration and what it names."`
	Strict     bool     `help:"Fail on warnings, too."`
	OpenSLO    string   `name:"openslo" help:"How OpenSLO is read: strict, as its reference validator does, or lenient, forgiving what its own examples get wrong." enum:"strict,lenient" default:"strict"`
	Routes     bool     `help:"Also show the receivers of each SLO."`
	Prometheus string   `name:"prometheus.url" placeholder:"URL" help:"Also check every query against this server: data, a bucket at the limit, enough traffic, a target that history met."`
	Format     string   `aliases:"output" short:"o" help:"text for people; github, json or sarif for programs. -o and --output mean the same." enum:"text,github,json,sarif" default:"text"`
}

// Run validates files, tells every problem of every one of them, and answers by the exit code.
func (c *checkCmd) Run(e *env) error {
	set, cfg, err := c.load(e)
	if err != nil {
		return c.refuse(e, err)
	}
	warnings := slices.Concat(cfg.Warnings, set.Warnings, shownIn(append(set.Expired(e.now()), lintSources(set, cfg.Signals)...)))
	if c.Prometheus != "" {
		found, err := c.probe(e, cfg, set)
		if err != nil {
			return cannotFindOut(err)
		}
		warnings = append(warnings, found...)
	}
	warnings = warnings.Sorted()
	if err := c.write(e.out, outcome{len(set.Specs), len(set.Services), warnings}); err != nil {
		return cannotFindOut(err)
	}
	if c.Routes {
		if err := showRoutes(e, cfg, set); err != nil {
			return err
		}
	}
	if warnings.Fatal() || c.Strict && len(warnings) > 0 {
		return answerNo(nil)
	}
	return nil
}

// load reads the given paths, or the configuration and what it names. The configuration is optional
// when paths are given.
func (c *checkCmd) load(e *env) (*slo.Set, config.Config, error) {
	cfg, err := config.Load(e.cli.ConfigFile)
	if len(c.Paths) > 0 {
		if c.Prometheus != "" && err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, cfg, err // the credentials for the server may be in it
		}
		set, err := config.LoadSLOs(c.Paths, config.Formats(c.OpenSLO == "lenient")...)
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
	set, err := cfg.LoadSet(config.Formats(c.OpenSLO == "lenient")...)
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
	o := outcome{problems: problems}
	if err := c.write(e.out, o); err != nil {
		return cannotFindOut(err)
	}
	return answerNo(errors.New(figures.Plural(o.count(strictyaml.Error), "problem") + " to put right"))
}

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

// probe asks a live server about every SLO of the set. Its findings are shown with their source
// lines, less those that a comment accepts.
func (c *checkCmd) probe(e *env, cfg config.Config, set *slo.Set) (slo.Problems, error) {
	client, err := e.prometheus(&cfg.Prometheus, c.Prometheus)
	if err != nil {
		return nil, err
	}
	i := &inspector{client: client, now: sourceTime(e.ctx, client, e.now), most: cfg.Prometheus.MaxLateness}
	found, unread, err := i.checkLive(e.ctx, set)
	for _, id := range slices.Sorted(maps.Keys(i.late)) {
		fmt.Fprintf(e.err, "slowburn: %s\n", i.late[id])
	}
	for _, id := range slices.Sorted(maps.Keys(unread)) {
		fmt.Fprintf(e.err, "slowburn: %s could not be compared with its history: %v\n", id, unread[id])
	}
	return shownIn(found), err
}

// lintSources finds services whose golden signals are to come from a source that nobody knows.
func lintSources(set *slo.Set, known signals.Catalogue) (out slo.Problems) {
	for _, s := range set.Services {
		if s.Signals == nil || s.Signals.From == "" || known.Lookup(s.Signals.From) != nil {
			continue
		}
		hint := "known are " + strings.Join(known.Names(), ", ") + "; a source of your own is described under signals in the configuration"
		if near := strictyaml.Nearest(s.Signals.From, known.Names()); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		out = append(out, slo.Problem{
			File: s.File, Line: s.Signals.Line, Column: s.Signals.Column, Severity: strictyaml.Warning, ID: "unknown-source",
			Message: fmt.Sprintf("there is no source of golden signals %q, so all signals of %s are unknown", s.Signals.From, s.Name), Hint: hint,
		})
	}
	return out
}

// shownIn adds their source lines to problems of files.
func shownIn(found slo.Problems) (out slo.Problems) {
	files := map[string]*strictyaml.File{}
	for _, p := range found {
		f := files[p.File]
		if f == nil {
			data, _ := folder.Read(p.File, strictyaml.MaxSize) // it was read a moment ago; without it there is no line to show
			f = strictyaml.Parse(p.File, data, strictyaml.Options{Documents: true})
			files[p.File] = f
		}
		if shown, told := f.Show(p); told {
			out = append(out, shown)
		}
	}
	return out
}

// sourceTime returns the time by the clock of the server, whose clock stamps the data; our own if
// it does not say.
func sourceTime(ctx context.Context, client *prom.Client, now func() time.Time) time.Time {
	skew, _, err := client.ClockSkew(ctx, now)
	if err != nil {
		return now()
	}
	return now().Add(skew)
}

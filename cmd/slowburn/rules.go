package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/folder"
	"github.com/slowburn-sre/slowburn/internal/rules"
	"github.com/slowburn-sre/slowburn/slo"
)

type rulesCmd struct {
	Paths    []string       `arg:"" optional:"" help:"SLO files, folders or globs. Without any: those of the configuration."`
	Names    string         `help:"Also record the series of sloth or pyrra, so that their dashboards keep working." enum:"slowburn,sloth,pyrra" default:"slowburn"`
	Interval model.Duration `help:"How often Prometheus evaluates the rules; without it, as often as the server does."`
	Scrape   model.Duration `name:"scrape-interval" help:"How often Prometheus scrapes the services." default:"30s"`
	File     string         `name:"file" short:"f" help:"Write to this file instead of standard output; it is replaced whole." placeholder:"FILE"`
	Output   string         `short:"o" help:"How to print: yaml is a rule file for Prometheus, json the same as facts, table lists the rules." enum:"table,json,yaml" default:"yaml"`
}

// Run writes every SLO as rules. What cannot be written is told, and makes the answer "no".
func (c *rulesCmd) Run(e *env) error {
	set, err := c.load(e)
	if err != nil {
		return refused(err)
	}
	options := rules.Options{Names: rules.Names(c.Names), Interval: time.Duration(c.Interval), Scrape: time.Duration(c.Scrape)}
	var groups []rules.Group
	var refusals []error
	for _, spec := range set.Specs {
		g, err := rules.Build(spec, options)
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		groups = append(groups, g)
	}
	if err := c.write(e, groups); err != nil {
		return cannotFindOut(err)
	}
	if len(refusals) > 0 {
		return answerNo(fmt.Errorf("not every SLO can be written as rules:\n%w", errors.Join(refusals...)))
	}
	return nil
}

// load reads the SLOs of the arguments or, without any, of the configuration.
func (c *rulesCmd) load(e *env) (*slo.Set, error) {
	if len(c.Paths) > 0 {
		return config.LoadSLOs(c.Paths)
	}
	_, set, err := config.LoadAll(e.cli.ConfigFile)
	return set, err
}

// write prints the groups, or puts them into the file.
func (c *rulesCmd) write(e *env, groups []rules.Group) error {
	if c.File == "" {
		return c.print(e.out, groups)
	}
	// A server may reload at any moment, and must not see half a file.
	var text bytes.Buffer
	if err := c.print(&text, groups); err != nil {
		return err
	}
	return folder.Replace(c.File, 0o644, text.Bytes())
}

func (c *rulesCmd) print(out io.Writer, groups []rules.Group) error {
	switch c.Output {
	case "yaml":
		text, err := rules.YAML(groups)
		if err == nil {
			_, err = out.Write(text)
		}
		return err
	case "json":
		return indented(out).Encode(groups)
	}
	t := newTable(out, "GROUP", "KIND", "NAME", "FOR", "SEVERITY", "WINDOWS")
	for _, g := range groups {
		for _, r := range g.Rules {
			kind, name, lasting, windows := "record", r.Record, "", ""
			if r.Alert != "" {
				kind, name = "alert", r.Alert
			}
			if r.For != 0 {
				lasting = slo.ShortDuration(r.For)
			}
			if r.Labels["long"] != "" {
				windows = r.Labels["long"] + " and " + r.Labels["short"]
			}
			t.row(g.Name, kind, name, lasting, r.Labels["severity"], windows)
		}
	}
	return t.flush()
}

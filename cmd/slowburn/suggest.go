package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/internal/suggest"
	"github.com/slowburn-sre/slowburn/slo"
)

type suggestCmd struct {
	Prometheus string `name:"prometheus.url" placeholder:"URL" help:"The server to look at; overrides the configuration."`
	Service    string `placeholder:"REGEXP" help:"Only services whose whole name matches."`
	OutputDir  string `name:"output-dir" placeholder:"DIR" help:"Write one file per service into this folder instead of printing. A file that exists is left alone."`
}

// Run looks at what the server has and writes SLO files for it. Without anything to propose the
// answer is no.
func (c *suggestCmd) Run(e *env) error {
	list, found := c.propose(e)
	var err error
	if c.OutputDir != "" && len(list) > 0 {
		err = c.write(e.out, list)
	} else {
		err = printProposals(e.out, list)
	}
	if err != nil {
		return cannotFindOut(errors.Join(found, err))
	}
	return found // what was found is written all the same
}

// propose looks at what the server has. Beside an error there may be proposals: those of the
// sources that it did answer about. Without any the answer is no, with the reason.
func (c *suggestCmd) propose(e *env) ([]suggest.Proposal, error) {
	var only *regexp.Regexp
	if c.Service != "" {
		var err error
		if only, err = regexp.Compile("^(?:" + c.Service + ")$"); err != nil {
			return nil, exitError{exitUsage, fmt.Errorf("--service %q: %w", c.Service, err)}
		}
	}
	existing, sources, client, err := c.prepare(e)
	if err != nil {
		return nil, err
	}
	o := suggest.Options{At: sourceTime(e.ctx, client, e.now).Add(-settled), Service: only, Existing: existing, Catalogue: sources}
	list, err := suggest.Propose(e.ctx, client, o)
	switch {
	case err != nil:
		return list, cannotFindOut(err)
	case slices.ContainsFunc(list, func(p suggest.Proposal) bool { return !p.Empty() }):
		return list, nil
	}
	return list, nothingFound(e, client, o, list)
}

// nothingFound answers that there is nothing to propose, and why. What was found and refused has
// said so already.
func nothingFound(e *env, client *prom.Client, o suggest.Options, list []suggest.Proposal) error {
	const nothing = "nothing was found that an SLO could be made of and that has none yet"
	switch {
	case len(list) > 0:
		return answerNo(errors.New(nothing + "; the reasons are above"))
	case o.Service != nil:
		return answerNo(fmt.Errorf("%s among the services that match %s", nothing, o.Service))
	}
	why, err := suggest.WhyNothing(e.ctx, client, o)
	if err != nil {
		return cannotFindOut(err)
	}
	return answerNo(errors.New(nothing + ". " + why))
}

// settled is how long ago samples have arrived for certain.
const settled = time.Minute

// prepare finds the server, the SLOs that exist already, and the sources that are known. Without a
// configuration there are no SLOs, and no sources but the built-in ones.
func (c *suggestCmd) prepare(e *env) (*slo.Set, signals.Catalogue, *prom.Client, error) {
	cfg, err := config.Load(e.cli.ConfigFile)
	missing := errors.Is(err, os.ErrNotExist)
	if err != nil && !(missing && c.Prometheus != "") {
		return nil, nil, nil, refused(err)
	}
	var existing *slo.Set
	if !missing {
		cfg.SLOs, cfg.Corrections = withFiles(cfg), nil
		if existing, err = cfg.LoadSet(); err != nil {
			return nil, nil, nil, refused(err)
		}
	}
	client, err := e.prometheus(&cfg.Prometheus, c.Prometheus)
	if err != nil {
		return nil, nil, nil, cannotFindOut(err)
	}
	return existing, cfg.Signals, client, nil
}

// withFiles returns the paths of the configuration under which there are SLO files. Whoever asks
// for suggestions may not have any yet.
func withFiles(cfg config.Config) (paths []string) {
	for _, p := range cfg.SLOs {
		if found, err := config.Holds(cfg.Abs(p)); err == nil && !found || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		paths = append(paths, p)
	}
	return paths
}

// printProposals writes all proposals as one stream of documents. Those that are only comments come
// last, where they belong to no document.
func printProposals(out io.Writer, list []suggest.Proposal) error {
	divider := ""
	for _, empty := range []bool{false, true} {
		for _, p := range list {
			if p.Empty() != empty {
				continue
			}
			if _, err := fmt.Fprintf(out, "%s%s", divider, p.YAML()); err != nil {
				return err
			}
			divider = "---\n"
		}
	}
	return nil
}

// write makes one file per service, and never touches one that is there.
func (c *suggestCmd) write(out io.Writer, list []suggest.Proposal) error {
	if err := os.MkdirAll(c.OutputDir, 0o777); err != nil {
		return err
	}
	for _, p := range list {
		if p.Empty() {
			fmt.Fprintf(out, "%s", p.YAML())
			continue
		}
		name := filepath.Join(c.OutputDir, p.Service.Name+".yaml")
		switch err := create(name, p.YAML(), 0o666); {
		case errors.Is(err, fs.ErrExist):
			fmt.Fprintf(out, "%s exists and is left alone\n", name)
		case err != nil:
			return err
		default:
			fmt.Fprintf(out, "%s written\n", name)
		}
	}
	return nil
}

// create writes a file that does not exist yet.
func create(name string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
)

type auditCmd struct {
	remote
	Kind    string `help:"Only acts of this kind, such as acknowledge, override or config." placeholder:"KIND"`
	Service string `help:"Only acts about this service." placeholder:"SERVICE" names:"service"`
	Limit   int    `help:"At most this many, the newest." default:"100"`

	Verify  bool     `help:"Instead of listing acts: look whether the log is what slowburn has written. It reads the store of --config.file, whether a daemon runs or not."`
	Storage string   `name:"storage.path" help:"With --verify: the file of a store, such as a copy, instead of that of the configuration." placeholder:"FILE"`
	Head    []string `help:"With --verify: a head that was told, in a report, the log or a metric; it must be in the log." placeholder:"NUMBER:HASH"`
}

// Run lists what people did, newest first, or verifies the log.
func (c *auditCmd) Run(e *env) error {
	if c.Verify {
		return c.verify(e)
	}
	var acts []api.Act
	q := url.Values{"kind": {c.Kind}, "service": {c.Service}, "limit": {strconv.Itoa(c.Limit)}}
	if err := c.get(e, "acts", q, &acts); err != nil {
		return err
	}
	if err := c.knows(e, c.Service, len(acts)); err != nil {
		return err
	}
	return c.print(e, acts, func() error {
		t := newTable(e.out, "WHEN", "IDENTITY", "WHO", "VIA", "WHAT", "ABOUT", "SAYING")
		for _, a := range acts {
			t.row(figures.UTC(a.At), cmp.Or(a.Who, "-"), a.By, a.Via, string(a.Kind), cmp.Or(a.Incident, string(a.SLO), a.Service), saying(a))
		}
		return t.flush()
	})
}

// verify says whether the log of acts is what slowburn has written.
func (c *auditCmd) verify(e *env) error {
	var told []store.Place
	for _, text := range c.Head {
		p, err := store.ParsePlace(text)
		if err != nil {
			return exitError{exitUsage, err}
		}
		told = append(told, p)
	}
	db, err := c.open(e)
	if err != nil {
		return cannotFindOut(err)
	}
	defer func() { _ = db.Close() }()
	found, err := daemon.VerifyLog(e.ctx, db, told...)
	if err != nil {
		return cannotFindOut(err)
	}
	if err := c.print(e, found, func() error { return printAudit(e, found) }); err != nil {
		return err
	}
	if !found.Whole {
		return answerNo(nil)
	}
	return nil
}

// open opens the store to be read only.
func (c *auditCmd) open(e *env) (*store.DB, error) {
	if c.Storage != "" {
		return store.Open(c.Storage, store.Options{ReadOnly: true})
	}
	cfg, err := config.Load(e.cli.ConfigFile)
	if err != nil {
		return nil, err
	}
	return daemon.OpenStore(e.ctx, cfg, store.Options{ReadOnly: true})
}

func printAudit(e *env, a *api.Audit) error {
	var all []string
	if a.Whole {
		all = append(all, sentences.Sentence(sentences.LogWhole)+": "+figures.Plural(int(a.Acts), "act")+".")
	} else {
		all = append(all, sentences.Sentence(sentences.LogChanged)+": "+figures.Plural(a.Found, "fault")+".")
	}
	for _, f := range a.Faults {
		all = append(all, "  "+f.Text)
	}
	if a.Began != nil {
		all = append(all, sentences.LogBegan(*a.Began, a.Before))
	}
	if a.Head != "" {
		all = append(all, "Head: "+strconv.FormatInt(a.Acts, 10)+":"+a.Hash)
	}
	_, err := fmt.Fprintln(e.out, strings.Join(all, "\n"))
	return err
}

// saying returns an act's words, or its facts without the digest.
func saying(a api.Act) string {
	var all []string
	if a.Damaged {
		all = append(all, sentences.DamagedAct)
	}
	if a.Kind == alerting.Asked {
		all = append(all, "asks to "+sentences.AsksTo(a))
	}
	if a.Text != "" {
		all = append(all, a.Text)
	}
	if a.ApprovedBy != "" {
		all = append(all, "approved by "+a.ApprovedBy)
	}
	if a.Kind != alerting.Asked && a.Asks != "" {
		all = append(all, "key "+a.Other)
	}
	if late := sentences.ToldLate(a); late != "" {
		all = append(all, late)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Facts)) {
		if name != "digest" {
			all = append(all, name+" "+a.Facts[name])
		}
	}
	return strings.Join(all, "; ")
}

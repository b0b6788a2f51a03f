package main

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

type drillCmd struct {
	remote
	Loud   bool          `help:"Call people as a page does, and wait until they acknowledge it."`
	NoWait bool          `help:"Begin the drill and leave."`
	Every  time.Duration `help:"How often the daemon is asked how it goes." default:"1s" hidden:""`
}

// Run makes a drill and answers "no" if a destination is not proven by it.
func (c *drillCmd) Run(e *env) error {
	var p api.Paging
	if err := c.post(e, "drills", api.NewDrill{Loud: c.Loud, Key: rand.Text()}, nil); err != nil {
		return err
	}
	if err := c.get(e, "drills", nil, &p); err != nil {
		return err
	}
	for !c.NoWait && slices.ContainsFunc(p.Destinations, func(w api.Destination) bool { return w.Drill != nil && w.Drill.Running }) {
		select {
		case <-e.ctx.Done():
			return cannotFindOut(e.ctx.Err())
		case <-time.After(c.Every):
		}
		if err := c.get(e, "drills", nil, &p); err != nil {
			return err
		}
	}
	if err := c.print(e, p, func() error { return drillTable(e, p) }); err != nil {
		return cannotFindOut(err)
	}
	if !c.NoWait && slices.ContainsFunc(p.Destinations, func(w api.Destination) bool { return w.Drill == nil || !w.Drill.Proven }) {
		return answerNo(nil)
	}
	return nil
}

// drillTable prints what came of a drill.
func drillTable(e *env, p api.Paging) error {
	t := newTable(e.out, "", "DESTINATION", "TAKES", "SERVICES", "TAKEN AFTER", "ANSWERED", "WHY NOT")
	for _, w := range p.Destinations {
		d := w.Drill
		if d == nil {
			d = &api.Drill{Reason: "no drill"}
		}
		state, took, answer := "not proven", figures.Unknown, figures.Unknown
		switch {
		case d.Running:
			state = "under way"
		case d.Proven:
			state = "proven"
		}
		if d.Took > 0 || d.Proven {
			took = lasting(d.Took)
		}
		if d.Answer != nil {
			answer = lasting(*d.Answer) + " by " + d.AcknowledgedBy
		}
		t.row(state, w.Name(), severitiesOf(w), fmt.Sprint(len(w.Services)), took, answer, cmp.Or(d.Reason, figures.Unknown))
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(e.out, sentences.Proven(p.Proven, p.Routes, len(p.Destinations)))
	return err
}

// severitiesOf returns what goes to a destination: "pages, tickets".
func severitiesOf(w api.Destination) string {
	words := ""
	for _, s := range w.Severities {
		if words != "" {
			words += ", "
		}
		words += s + "s"
	}
	return words
}

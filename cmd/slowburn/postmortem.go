package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

type postmortemCmd struct {
	Show postmortemShowCmd `cmd:"" default:"withargs" help:"Print the postmortem of an incident: its file, or a draft."`
	List postmortemListCmd `cmd:"" help:"List the postmortems that are kept as files."`
}

type postmortemShowCmd struct {
	client
	Incident string `arg:"" names:"incident" help:"The incident's ID, as in 'slowburn incidents'."`
	Out      string `short:"O" help:"Write to this file; it must not exist." placeholder:"FILE"`
}

// Run prints the postmortem as Markdown.
func (c *postmortemShowCmd) Run(e *env) error {
	var found api.Postmortem
	if err := c.get(e, "incidents/"+url.PathEscape(c.Incident)+"/postmortem", nil, &found); err != nil {
		return err
	}
	if c.Out == "" {
		_, err := fmt.Fprint(e.out, found.Markdown)
		return err
	}
	if err := create(c.Out, []byte(found.Markdown), 0o644); err != nil {
		return cannotFindOut(err)
	}
	return nil
}

type postmortemListCmd struct{ remote }

// Run lists the postmortems with how far they are.
func (c *postmortemListCmd) Run(e *env) error {
	var all []api.Review
	return c.show(e, "postmortems", nil, &all, func() error {
		t := newTable(e.out, "INCIDENT", "RESOLVED", "STATUS", "OWNER", "CLASS", "ITEMS DONE", "OVERDUE", "FILE")
		for _, r := range all {
			resolved, done := figures.Unknown, 0
			if r.Resolved != nil {
				resolved = figures.Day(r.Resolved.UTC())
			}
			for _, a := range r.Actions {
				if a.Done {
					done++
				}
			}
			t.row(r.Incident, resolved, r.Status, cmp.Or(r.Owner, figures.Unknown), cmp.Or(r.Class, figures.Unknown),
				figures.Of(done, len(r.Actions)), strconv.Itoa(r.Overdue), r.File)
		}
		return t.flush()
	})
}

package main

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

type postmortemCmd struct {
	Show postmortemShowCmd `cmd:"" default:"withargs" help:"Print the postmortem of an incident: its file, or a draft."`
	List postmortemListCmd `cmd:"" help:"List the postmortems that are kept as files."`
}

type postmortemShowCmd struct {
	URL      string `help:"The daemon's address." env:"SLOWBURN_URL" default:"http://127.0.0.1:7569"`
	Incident string `arg:"" help:"The incident's ID, as in 'slowburn incidents'."`
	Out      string `short:"O" help:"Write to this file; it must not exist." placeholder:"FILE"`
}

// Run prints the postmortem as Markdown.
func (c *postmortemShowCmd) Run(e *env) error {
	var found api.Postmortem
	d := remote{URL: c.URL}
	if err := d.get(e, "incidents/"+url.PathEscape(c.Incident)+"/postmortem", nil, &found); err != nil {
		return err
	}
	if c.Out == "" {
		_, err := fmt.Fprint(e.out, found.Markdown)
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return cannotFindOut(err)
	}
	if _, err := f.WriteString(found.Markdown); err != nil {
		_ = f.Close()
		return cannotFindOut(err)
	}
	return f.Close()
}

type postmortemListCmd struct {
	remote
}

// Run lists the postmortems with how far they are.
func (c *postmortemListCmd) Run(e *env) error {
	var all []api.Review
	if err := c.get(e, "postmortems", nil, &all); err != nil {
		return err
	}
	if done, err := c.print(e, all); done {
		return err
	}
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
			fmt.Sprintf("%d of %d", done, len(r.Actions)), strconv.Itoa(r.Overdue), r.File)
	}
	return t.flush()
}

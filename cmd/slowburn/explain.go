package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

type explainCmd struct {
	remote
	Which string `arg:"" name:"service/slo" names:"slo" help:"SERVICE/SLO, with its label values for one budget of an SLO with 'by:'."`
	By    string `help:"How finely to divide the time: ${enum}." enum:"day, hour" default:"day"`
}

// explanation is an answer that can tell itself.
type explanation struct{ api.Explanation }

// Run says where a budget went, and what its alerts can and cannot catch.
func (c *explainCmd) Run(e *env) error {
	id := slo.ID(c.Which)
	if !strings.Contains(c.Which, "/") {
		var err error
		if id, err = c.budget(e, c.Which); err != nil {
			return err
		}
	}
	x, err := c.explain(e, id)
	if err != nil {
		return err
	}
	return c.print(e, x.Explanation, func() error { return x.tell(e.out, c.By) })
}

func (c *explainCmd) explain(e *env, id slo.ID) (*explanation, error) {
	query := url.Values{"by": {c.By}}
	if group := id.Group(); group != "" {
		query.Set("labels", group)
	}
	x := &explanation{}
	path := "slos/" + url.PathEscape(id.Base().Service()) + "/" + url.PathEscape(id.Name()) + "/spend"
	if err := c.get(e, path, query, &x.Spend); err != nil {
		if _, which := c.budget(e, string(id)); which != nil {
			return nil, which // there is no such SLO, or it has a budget for each of several labels
		}
		return nil, err
	}
	if x.Allowed == nil {
		return nil, cannotFindOut(fmt.Errorf("nothing is known about %s yet%s", x.ID, sentences.Because(x.Data.Problems)))
	}
	return x, x.consult(e)
}

// consult reads the SLO file for what the daemon does not tell: the queries, and the alerts as they
// are written.
func (x *explanation) consult(e *env) error {
	spec, note := localSpec(e, slo.ID(x.ID))
	if spec == nil {
		x.Note = note
		return nil
	}
	for _, q := range postmortem.Queries(spec, slo.ID(x.ID), x.From, x.To) {
		x.Queries = append(x.Queries, api.Query(q))
	}
	if minutes := x.Data.Known; minutes > 0 {
		x.Alerts = new(api.PowerOf(alerting.PowerOf(spec, x.Total/float64(minutes))))
	}
	return nil
}

// localSpec returns the SLO in the files of the configuration; nil, and why in a sentence, if it is
// not there.
func localSpec(e *env, id slo.ID) (*slo.Spec, string) {
	cfg, err := config.Load(e.cli.ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Sprintf("There is no configuration at %s, so the queries and what the alerts can catch are left out; name it with --config.file.", e.cli.ConfigFile)
	}
	if err != nil {
		return nil, "The configuration has problems, so the queries and what the alerts can catch are left out; see slowburn check."
	}
	set, err := cfg.LoadSet()
	if err != nil {
		return nil, "The SLO files have problems, so the queries and what the alerts can catch are left out; see slowburn check."
	}
	if spec := set.Lookup(id); spec != nil {
		return spec, ""
	}
	return nil, fmt.Sprintf("The SLO files of %s do not have %s, so the queries and what the alerts can catch are left out.", e.cli.ConfigFile, id.Base())
}

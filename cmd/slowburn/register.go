package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
)

type registerCmd struct {
	client
	Output string    `short:"o" help:"How to print: ${enum}." enum:"json, csv" default:"json"`
	From   time.Time `help:"Only incidents that were open after this time." placeholder:"TIME"`
	To     time.Time `help:"Only incidents that were open before this time." placeholder:"TIME"`
	NoData bool      `name:"no-data" help:"Also missing data, in which nothing is known to have failed."`
}

// Run prints the incident register.
func (c *registerCmd) Run(e *env) error {
	q := url.Values{"from": {queried(c.From)}, "to": {queried(c.To)}}
	if c.NoData {
		q.Set("no_data", "true")
	}
	if c.Output == "csv" {
		q.Set("format", "csv")
		return c.copy(e, "register", q)
	}
	var entries json.RawMessage
	if err := c.get(e, "register", q, &entries); err != nil {
		return err
	}
	return writeIndented(e.out, entries)
}

// queried writes a time as the API reads it, "" for none.
func queried(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// copy prints an answer of the API that is a file.
func (d client) copy(e *env, path string, q url.Values) error {
	resp, err := d.send(e, http.MethodGet, "api/v1/"+path+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the daemon answers %s: %s", resp.Status, text)
	}
	if err != nil {
		return cannotFindOut(err)
	}
	_, err = e.out.Write(text)
	return err
}

type workCmd struct {
	actor
	Hours float64 `arg:"" help:"How many hours."`
	Kind  string  `help:"toil is operations by hand, project is engineering." enum:"toil,project" default:"toil"`
}

// Run records work, for the share of toil in the reports.
func (c *workCmd) Run(e *env) error {
	minutes := strconv.Itoa(int(c.Hours * 60))
	return c.do(e, alerting.Act{Kind: alerting.Worked, Facts: map[string]string{"kind": c.Kind, "minutes": minutes}})
}

type classifyCmd struct {
	actor
	ID    string `arg:"" names:"incident" help:"The incident's ID."`
	Class string `arg:"" help:"What the entity has decided: ${enum}." enum:"major, not-major"`
}

// Run records how the entity classes an incident.
func (c *classifyCmd) Run(e *env) error {
	return c.do(e, alerting.Act{Kind: alerting.Classify, Incident: c.ID, Text: strings.ReplaceAll(c.Class, "-", " ")})
}

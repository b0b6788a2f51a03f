package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// namesCmd prints the names that may stand in a place of the command line, one on each line. It is
// what the scripts of completion ask.
type namesCmd struct {
	client
	Of string `arg:"" help:"What is named." enum:"service,slo,incident,change,report"`
}

// Run prints the names. It is silent without a daemon: whoever presses Tab wants no error.
func (c *namesCmd) Run(e *env) error {
	names, err := c.names(e)
	if err != nil {
		return exitError{code: exitUnknown}
	}
	_, err = fmt.Fprint(e.out, strings.Join(names, ""))
	return err
}

// names asks the daemon. A name with a line break is none.
func (c *namesCmd) names(e *env) (names []string, err error) {
	add := func(name string) { names = append(names, oneLine(name)) }
	switch c.Of {
	case "service", "slo":
		var all []api.SLO
		err = c.get(e, "slos", nil, &all)
		for _, s := range all {
			if c.Of == "service" {
				add(s.Service)
				continue
			}
			for _, name := range namesFor(s) {
				add(name)
			}
		}
	case "incident":
		var all []api.Incident
		err = c.get(e, "incidents", url.Values{"limit": {"50"}}, &all)
		for _, i := range all {
			add(i.ID)
		}
	case "change":
		var all []api.Change
		err = c.get(e, "changes", url.Values{"limit": {"50"}}, &all)
		for _, ch := range all {
			add(ch.Key)
		}
	case "report":
		var all []api.Report
		err = c.get(e, "reports", url.Values{"limit": {"50"}}, &all)
		for _, r := range all {
			add(r.Name)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" }), err
}

// oneLine returns a name as a line, "" if it is none.
func oneLine(name string) string {
	if name == "" || strings.ContainsAny(name, "\r\n") {
		return ""
	}
	return name + "\n"
}

// namesFor returns what a budget can be asked for by: its service, its SLO, its ID.
func namesFor(s api.SLO) []string { return []string{s.Service, s.Service + "/" + s.Name, s.ID} }

// namesOf returns what a list of budgets can be asked for by.
func namesOf(all []api.SLO) (names []string) {
	for _, s := range all {
		names = append(names, namesFor(s)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// meant says which name may have been meant by one that does not exist.
func meant(name string, known []string) string {
	if near := strictyaml.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// knows returns why a list about a service is empty if that is because nobody knows the service.
func (d client) knows(e *env, service string, found int) error {
	if service == "" || found > 0 {
		return nil
	}
	var all []api.SLO
	if err := d.get(e, "slos", nil, &all); err != nil {
		return err
	}
	if len(all) == 0 || slices.ContainsFunc(all, func(s api.SLO) bool { return s.Service == service }) {
		return nil
	}
	return cannotFindOut(fmt.Errorf("there is no service %q%s", service, meant(service, namesOf(all))))
}

// budget returns the one budget that a name means: its ID, that of its SLO, or its service.
func (d client) budget(e *env, name string) (slo.ID, error) {
	var all []api.SLO
	if err := d.get(e, "slos", nil, &all); err != nil {
		return "", err
	}
	var found []string
	for _, s := range all {
		if slices.Contains(namesFor(s), name) {
			found = append(found, s.ID)
		}
	}
	switch {
	case len(found) == 1:
		return slo.ID(found[0]), nil
	case len(found) == 0:
		if err := d.undecided(e, name); err != nil {
			return "", err
		}
		return "", cannotFindOut(fmt.Errorf("there is no SLO %q%s", name, meant(name, namesOf(all))))
	}
	shown, more := found, ""
	if n := len(found) - maxNamed; n > 0 {
		shown, more = found[:maxNamed], fmt.Sprintf("\n  and %s more", figures.Count(n))
	}
	return "", exitError{exitUsage, errors.New(cmp.Or(name, "this") + " is " + figures.Plural(len(found), "budget") + "; name one of them:\n  " + strings.Join(shown, "\n  ") + more)}
}

// maxNamed is how many names are listed where one must be chosen.
const maxNamed = 20

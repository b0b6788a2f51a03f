package main

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

type auditCmd struct {
	remote
	Kind    string `help:"Only acts of this kind, such as acknowledge, override or config." placeholder:"KIND"`
	Service string `help:"Only acts about this service." placeholder:"SERVICE"`
	Limit   int    `help:"At most this many, the newest." default:"100"`
}

// Run lists what people did, newest first.
func (c *auditCmd) Run(e *env) error {
	var acts []api.Act
	q := url.Values{"kind": {c.Kind}, "service": {c.Service}, "limit": {strconv.Itoa(c.Limit)}}
	return c.show(e, "acts", q, &acts, func() error {
		t := newTable(e.out, "WHEN", "WHO", "VIA", "WHAT", "ABOUT", "SAYING")
		for _, a := range acts {
			t.row(figures.UTC(a.At), a.By, a.Via, string(a.Kind), cmp.Or(a.Incident, string(a.SLO), a.Service), saying(a))
		}
		return t.flush()
	})
}

// saying returns an act's words, or its facts without the digest.
func saying(a api.Act) string {
	var all []string
	if a.Text != "" {
		all = append(all, a.Text)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Facts)) {
		if name != "digest" {
			all = append(all, name+" "+a.Facts[name])
		}
	}
	return strings.Join(all, "; ")
}

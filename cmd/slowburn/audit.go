package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/web"
	"github.com/slowburn-sre/slowburn/slo"
)

type auditCmd struct {
	remote
	Kind    string `help:"Only acts of this kind, such as acknowledge, override or config." placeholder:"KIND"`
	Service string `help:"Only acts about this service." placeholder:"SERVICE"`
	Limit   int    `help:"At most so many, the newest." default:"100"`
}

// Run lists what people did, newest first.
func (c *auditCmd) Run(e *env) error {
	var acts []web.Act
	q := url.Values{"kind": {c.Kind}, "service": {c.Service}, "limit": {strconv.Itoa(c.Limit)}}
	if err := c.get(e, "acts", q, &acts); err != nil {
		return err
	}
	if printed, err := c.print(e, acts); printed {
		return err
	}
	t := newTable(e.out, "WHEN", "WHO", "VIA", "WHAT", "ABOUT", "SAYING")
	for _, a := range acts {
		t.row(a.At.UTC().Format("2006-01-02 15:04:05"), a.By, a.Via, string(a.Kind), cmp.Or(a.Incident, string(a.SLO), a.Service), saying(a))
	}
	return t.flush()
}

// saying is an act's words, or its facts without the digest.
func saying(a web.Act) string {
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

// recordConfig writes into the audit log that a configuration was taken into use, and what it changed.
func (a *app) recordConfig(ctx context.Context, before, after *slo.Set) {
	facts := difference(before, after)
	text := "the configuration was read anew"
	if before == nil {
		text = "slowburn was started"
		last, err := a.db.Acts(ctx, store.ActFilter{Kind: alerting.Configured, Limit: 1})
		if err != nil || len(last) > 0 && last[0].Facts["digest"] == facts["digest"] {
			return
		}
	}
	now := a.now()
	act := alerting.Act{
		Key: "config/" + strconv.FormatInt(now.UnixNano(), 10), Kind: alerting.Configured, By: "slowburn", Via: "config", Text: text, Facts: facts,
	}
	if err := a.engine.Do(ctx, act, a.clock()); err != nil {
		a.log.Error("the audit log does not hold this configuration", "err", err)
	}
}

// difference names what distinguishes two sets of SLOs. The digest stands for the whole of the newer one.
func difference(before, after *slo.Set) map[string]string {
	old, now := printed(before), printed(after)
	var added, removed, changed []string
	for id, text := range now {
		switch was, known := old[id]; {
		case !known:
			added = append(added, id)
		case was != text:
			changed = append(changed, id)
		}
	}
	for id := range old {
		if _, still := now[id]; !still {
			removed = append(removed, id)
		}
	}
	facts := map[string]string{"slos": strconv.Itoa(len(now))}
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(now)) {
		fmt.Fprintf(sum, "%s\n%s\n", id, now[id])
	}
	facts["digest"] = hex.EncodeToString(sum.Sum(nil))
	for name, ids := range map[string][]string{"added": added, "removed": removed, "changed": changed} {
		if len(ids) > 0 && before != nil {
			slices.Sort(ids)
			facts[name] = strings.Join(ids, ", ")
		}
	}
	return facts
}

// printed is every SLO of a set as it would be written, wherever it stands in the files.
func printed(set *slo.Set) map[string]string {
	all := map[string]string{}
	if set == nil {
		return all
	}
	for _, s := range set.Specs {
		all[string(s.ID())] = string(slo.Print([]*slo.Spec{s}, nil, slo.Layout{}))
	}
	return all
}

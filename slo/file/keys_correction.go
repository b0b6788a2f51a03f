package file

import (
	"regexp"

	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/schema"
	"github.com/slowburn-sre/slowburn/slo"
)

// What stands in slos of a correction, and how a time is written.
const (
	patternForm = `^(\*|[a-zA-Z0-9][-_.a-zA-Z0-9]*/(\*|[a-zA-Z0-9][-_.a-zA-Z0-9]*(\{.+\})?))$`
	timeForm    = `^\s*\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:00)?(Z|[-+]\d\d:\d\d)?)?\s*$`
)

var correctionPattern = regexp.MustCompile(patternForm)

// The keys of a file of corrections.
var (
	correctionsKeys = schema.Object("Minutes that do not count, and who says so.",
		schema.Need("version", &schema.Schema{Const: Version, Description: "The format of this file."}),
		schema.Need("corrections", schema.List("The corrections. Where two are about the same minute, the first one counts.", maxCorrections, correctionKeys)),
	)

	correctionKeys = onceOrRecurring(schema.Object("One correction: once, with from and to, or recurring, with schedule, duration, from and expires.",
		schema.Need("name", schema.Ref("name", "How it is called wherever it is shown. Each name may be used once.", "db-upgrade")),
		schema.Need("kind", schema.Choice("maintenance is planned, and holds alerts; measurement: the data are wrong; exclusion: it happened and does not count.",
			string(slo.Maintenance), string(slo.Measurement), string(slo.Exclusion))),
		schema.Need("slos", slosKey()),
		schema.Need("from", schema.Ref("time", "When it begins, or from when on it recurs.", "2026-11-20 22:00")),
		schema.May("to", schema.Ref("time", "When it ends.", "2026-11-21 00:30").Or("it recurs")),
		schema.May("schedule", schema.Text("When each run begins, "+crontime.Form+".", schema.NotBlank, "0 2 * * SUN").Or("it happens once")),
		schema.May("duration", schema.Ref("duration", "How long each run lasts, in whole minutes.", "2h")),
		schema.May("expires", schema.Ref("time", "When there are no more runs, at most 400 days after from.", "2027-06-01")),
		schema.May("timezone", ZoneKey("Whose clock the times are read on.")),
		schema.Need("author", schema.Text("Who answers for it.", schema.NotBlank, "anna")),
		schema.Need("reason", schema.Text("Why these minutes do not count.", schema.NotBlank, "PostgreSQL 19, announced to all shops")),
		schema.May("cap", PercentKey("The share of an SLO's first window that it excuses at most. What exceeds it counts.", schema.NotZero).Standard(slo.FormatPercent(DefaultCap)).Such("10%")),
	))
)

// CorrectionsSchema describes a file of corrections.
func CorrectionsSchema() *schema.Schema {
	s := *correctionsKeys
	moment := schema.Text("A time, to the minute: of the correction's time zone, or with an offset of its own.", timeForm, "2026-11-20 22:00", "2026-11-20T22:00:00+01:00", "2026-11-20")
	return s.Root("corrections.json", "slowburn corrections", map[string]*schema.Schema{
		"name": {Type: "string", Pattern: slo.NameForm, MaxLength: maxName}, "time": moment, "duration": schema.Duration(),
	})
}

func slosKey() *schema.Schema {
	s := schema.List("Which SLOs: checkout/availability, checkout/* for all of a service, * for all.", maxCorrectionSLOs, schema.Text("", patternForm, "checkout/*"))
	s.MinItems = 1
	return s
}

// onceOrRecurring says which keys of a correction exclude each other.
func onceOrRecurring(s *schema.Schema) *schema.Schema {
	without := func(keys ...string) (all []*schema.Schema) {
		for _, k := range keys {
			all = append(all, &schema.Schema{Required: []string{k}})
		}
		return all
	}
	once := &schema.Schema{Required: []string{"to"}, Not: &schema.Schema{AnyOf: without("schedule", "duration", "expires")}}
	recurring := &schema.Schema{Required: []string{"schedule", "duration", "expires"}, Not: &schema.Schema{Required: []string{"to"}}}
	s.AnyOf = []*schema.Schema{once, recurring}
	return s
}

package schema

// The limits of corrections, as the parser has them, and the forms of their values.
const (
	maxCorrections, maxCorrectionSLOs = 1000, 1000

	patternForm = `^(\*|[a-zA-Z0-9][-_.a-zA-Z0-9]*/(\*|[a-zA-Z0-9][-_.a-zA-Z0-9]*(\{.+\})?))$`
	timeForm    = `^\s*\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:00)?(Z|[-+]\d\d:\d\d)?)?\s*$`
)

// Corrections is the schema of a file of corrections.
func Corrections() *Schema {
	s := object("Minutes that do not count, and who says so.", keys{
		"version":     {Const: "slowburn/v1", Description: "The format of this file."},
		"corrections": list("The corrections. Where two are about the same minute, the first one counts.", maxCorrections, correction()),
	}, "version", "corrections")
	s.Dialect, s.ID, s.Title = dialect, BaseURL+"corrections.json", "slowburn corrections"
	s.Defs = map[string]*Schema{
		"name": {Type: "string", Pattern: nameForm, MaxLength: maxName},
		"time": {
			Type: "string", Description: "A time, to the minute: of the correction's time zone, or with an offset of its own.", Pattern: timeForm,
			Examples: []any{"2026-11-20 22:00", "2026-11-20T22:00:00+01:00", "2026-11-20"},
		},
		"duration": definitions()["duration"],
	}
	return s
}

func correction() *Schema {
	share := form(shareForm, notZero)
	share.Description, share.Default, share.Examples = "The share of an SLO's first window that it excuses at most. What exceeds it counts.", "5%", []any{"10%"}
	slos := list("Which SLOs: checkout/availability, checkout/* for all of a service, * for all.", maxCorrectionSLOs, text("", patternForm, "checkout/*"))
	slos.MinItems = 1
	s := object("One correction: once, with from and to, or recurring, with schedule, duration, from and expires.", keys{
		"name":     described("name", "How it is called wherever it is shown. Each name may be used once.", nil, "db-upgrade"),
		"kind":     choice("maintenance is planned, and holds alerts; measurement: the data are wrong; exclusion: it happened and does not count.", "maintenance", "measurement", "exclusion"),
		"slos":     slos,
		"author":   text("Who answers for it.", notBlank, "anna"),
		"reason":   text("Why these minutes do not count.", notBlank, "PostgreSQL 19, announced to all shops"),
		"from":     described("time", "When it begins, or from when on it recurs.", nil, "2026-11-20 22:00"),
		"to":       described("time", "When it ends.", nil, "2026-11-21 00:30"),
		"schedule": text("When each run begins, as cron writes it: minute, hour, day of month, month, day of week.", notBlank, "0 2 * * SUN"),
		"duration": described("duration", "How long each run lasts, in whole minutes.", nil, "2h"),
		"expires":  described("time", "When there are no more runs, at most 400 days after from.", nil, "2027-06-01"),
		"timezone": {Type: "string", Pattern: notBlank, Description: "Whose clock the times are read on.", Default: "UTC", Examples: []any{"Europe/Berlin"}, Not: &Schema{Const: "Local"}},
		"cap":      share,
	}, "name", "kind", "slos", "from", "author", "reason")
	once := &Schema{Required: []string{"to"}, Not: &Schema{AnyOf: []*Schema{{Required: []string{"schedule"}}, {Required: []string{"duration"}}, {Required: []string{"expires"}}}}}
	recurring := &Schema{Required: []string{"schedule", "duration", "expires"}, Not: &Schema{Required: []string{"to"}}}
	s.AnyOf = []*Schema{once, recurring}
	return s
}

package schema

import "github.com/slowburn-sre/slowburn/slo"

// Limits of the SLO file, as the parser has them.
const (
	maxSLOs, maxWindows, maxPairs, maxShares = 5000, 10, 10, 20
	maxMentions, maxSaturation, maxBy        = slo.MaxMentions, 20, 8
	maxSteps, maxDependencies, maxWeight     = 50, 100, 1000
	maxQuery, maxName                        = 8 << 10, 100
)

// SLO is the schema of the SLO file.
func SLO() *Schema {
	s := object("What one service promises, and when somebody wants to be told.", keys{
		"version":     {Const: "slowburn/v1", Description: "The format of this file."},
		"service":     described("name", "Name of the service.", nil, "checkout"),
		"owner":       text("Who answers for the service.", notBlank, "payments-team"),
		"description": text("What the service does, in one sentence.", notBlank),
		"tier":        choice("Request class of the SRE workbook. It gives the objective to SLOs that have none: critical 99.99, high_fast and high_slow 99.9, low 99.", "critical", "high_fast", "high_slow", "low"),
		"links":       ref("links"),
		"slack":       ref("slack"),
		"signals":     signals(),
		"depends_on":  dependencies(),
		"slos":        {Type: "array", Description: "The SLOs of this service.", Items: ref("slo"), MinItems: 1, MaxItems: maxSLOs},
	}, "version", "service", "slos")
	s.Dialect, s.ID, s.Title = dialect, BaseURL+"slo.json", "slowburn SLO file"
	withObjective := &Schema{Properties: keys{"slos": {Items: &Schema{Required: []string{"objective"}}}}}
	s.AnyOf = []*Schema{{Required: []string{"tier"}}, withObjective}
	s.Defs = definitions()
	for name, d := range map[string]*Schema{
		"name":  {Type: "string", Pattern: nameForm, MaxLength: maxName},
		"query": {Type: "string", Description: "PromQL, best in single quotes: a bare selector, or an expression with $window as its range.", Pattern: notBlank, MaxLength: maxQuery},
		"links": links(), "slack": slack(), "slo": promise(), "window": window(), "sli": sli(), "alerts": alerts(), "pair": pair(),
	} {
		s.Defs[name] = d
	}
	return s
}

func links() *Schema {
	return object("Addresses a person may want while the budget burns.", keys{
		"runbook":    described("address", "What to do.", nil),
		"dashboard":  described("address", "What to look at.", nil),
		"repository": described("address", "Where the code is.", nil),
	})
}

func slack() *Schema {
	return object("Where messages go. What is left out comes from the service, then from the configuration.", keys{
		"channel": text("\"#name\" in quotes, since # starts a comment otherwise; or the channel's ID.",
			slo.ChannelForm, "#payments-oncall", "C0123456789"),
		"mention": mentions("Who is mentioned on pages. Slack knows people by ID, not by name."),
		"escalate": either("Who is called, and when, if nobody acknowledges a page: three times at most, with that time between. Off switches off what the service says.",
			object("", keys{
				"after":   described("duration", "After how long. Whole minutes.", nil, "15m"),
				"mention": mentions("Who is called; those who were called first if this is left out."),
			}, "after"), off),
	})
}

// mentions is one mention, or a list of them.
func mentions(description string) *Schema {
	one := text("", slo.MentionForm)
	s := either(description, one, list("", maxMentions, one))
	s.Examples = []any{"<@U0123>", "<!subteam^S0123>", "<!here>"}
	return s
}

func signals() *Schema {
	saturation := object("One measure of how full the service is.", keys{
		"name":  text("What gets full.", notBlank, "memory"),
		"query": ref("query"),
		"limit": described("number", "The value at which it is full.", nil, 0.9),
	}, "name", "query", "limit")
	return object("The four golden signals, shown in alerts, postmortems and reports.", keys{
		"from":       text("An entry of the signal catalogue.", notBlank, "otel-http"),
		"match":      text("Matchers that pick the service, in braces and quotes.", `^\s*\{`, `{job="checkout"}`),
		"saturation": list("What gets full.", maxSaturation, saturation),
	})
}

func promise() *Schema {
	label := &Schema{Type: "string", Pattern: notBlank, Not: &Schema{Pattern: `^(le$|__)`}}
	by := list("Label names. Each combination of their values has its own budget.", maxBy, label)
	by.UniqueItems, by.Examples = true, []any{[]string{"route"}}
	objective := either("Share of good events in percent, above 1 and below 100. It is kept as a decimal.",
		&Schema{Type: "number", ExclusiveMinimum: number(1), ExclusiveMaximum: number(100)},
		form(`^\s*(0{0,2}[1-9]|0?[1-9]\d)(\.\d{1,7}0*)?\s*%?\s*$`, `^\s*0*([2-9]|[1-9]\d|1\.0*[1-9])`))
	objective.Examples = []any{99.9, 99.95}
	return object("One promise.", keys{
		"name":        described("name", "The SLO is then called service/name.", nil, "availability"),
		"description": text("What the promise means to a user.", notBlank),
		"owner":       text("Who answers for this SLO, if not the service's owner.", notBlank),
		"objective":   objective,
		"window": {
			Description: "Over which time. Several may be listed; the first one drives the alerts.", Default: "28d", Examples: []any{"28d", map[string]string{"calendar": "month", "timezone": "Europe/Berlin"}},
			AnyOf: []*Schema{ref("window"), {Type: "array", Items: ref("window"), MinItems: 1, MaxItems: maxWindows}},
		},
		"sli":    ref("sli"),
		"by":     by,
		"alerts": ref("alerts"),
		"links":  ref("links"),
		"slack":  ref("slack"),
	}, "name", "sli")
}

func window() *Schema {
	calendar := object("The current calendar period. The budget starts anew with each.", keys{
		"calendar": choice("The period; a week starts on Monday.", "week", "month", "quarter", "year"),
		"timezone": {Type: "string", Pattern: notBlank, Description: "Where the period begins at midnight.", Default: "UTC", Examples: []any{"Europe/Berlin"}, Not: &Schema{Const: "Local"}},
	}, "calendar")
	rolling := described("duration", "The last days, from 1d to 400d in whole hours. Four weeks always hold four weekends; a month does not.", nil, "28d")
	return &Schema{AnyOf: []*Schema{rolling, calendar}}
}

func sli() *Schema {
	one := []*Schema{{Required: []string{"bad"}}, {Required: []string{"good"}}}
	badOrGood := func(description string, properties keys, required ...string) *Schema {
		properties["bad"] = described("query", "The bad ones; or write good.", nil)
		properties["good"] = described("query", "The good ones; or write bad.", nil)
		o := object(description, properties, required...)
		o.OneOf = one
		return o
	}
	limit := either("The longest good time: a duration, or a number in the unit of the buckets. It should be a bucket's bound.",
		ref("duration"), &Schema{Type: "number", ExclusiveMinimum: number(0)},
		form(`^\+?(\d*[1-9]\d*\.?\d*|\d+\.\d*[1-9]\d*|\.\d*[1-9]\d*)([eE][-+]?\d{1,3})?$`))
	limit.Examples = []any{"300ms", 0.3}
	s := object("How good and bad are told apart: exactly one of these, the more exact ones first.", keys{
		"events": badOrGood("Counters of all events, and of the bad or the good ones. Bare counters are counted exactly, from the raw samples.",
			keys{"total": described("query", "All events.", nil, `http_requests_total{job="checkout"}`)}, "total"),
		"latency": object("A histogram, classic or native: an event is good if it took no longer than below.", keys{
			"histogram": described("query", "The histogram's name and matchers, without _bucket.", nil, `http_request_duration_seconds{job="checkout"}`),
			"below":     limit,
		}, "histogram", "below"),
		"uptime": described("query", "A gauge that is 1 while up and 0 while down.", nil, `probe_success{job="checkout"}`),
		"slices": object("Every minute is good or bad.", keys{
			"query":   described("query", "The PromQL whose value decides about a minute.", nil),
			"good":    text("When a minute is good.", `^\s*(<=|>=|==|!=|<|>)\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*$`, "< 0.3"),
			"missing": {Type: "string", Description: "What a minute without data is.", Enum: []any{"exclude", "good", "bad"}, Default: "exclude"},
		}, "query", "good"),
		"journey": journey(),
		"ratio":   badOrGood("A ready-made ratio from 0 to 1. The last resort: it does not say how much traffic there was.", keys{}),
	})
	s.MinProperties, s.MaxProperties = 1, 1
	return s
}

// nameForm is the form of a name, and of one that may be preceded by its service's.
const (
	nameForm  = `^[a-zA-Z0-9][-_.a-zA-Z0-9]*$`
	namesForm = `^[a-zA-Z0-9][-_.a-zA-Z0-9]*(/[a-zA-Z0-9][-_.a-zA-Z0-9]*)?$`
)

func journey() *Schema {
	name := text("An SLO as service/slo, or its name alone if it is of the same service.", namesForm, "pay/latency")
	weight := either("What the step counts for with combine: weighted, at most three digits after the point.",
		&Schema{Type: "number", ExclusiveMinimum: number(0), Maximum: number(maxWeight)}, form(decimalForm, `[1-9]`, `^[^-]`))
	weight.Default = 1
	steps := list("The SLOs of the steps; the journey begins with the first. None of them may have by.", maxSteps,
		&Schema{AnyOf: []*Schema{name, object("A step with a weight.", keys{"slo": name, "weight": weight}, "slo")}})
	steps.MinItems, steps.UniqueItems = 2, true
	steps.Examples = []any{[]string{"web/availability", "pay/availability"}}
	return object("Derived, minute by minute, from the SLOs of its steps. A journey that is measured, one event per journey, is better: write events.", keys{
		"steps":   steps,
		"combine": {Type: "string", Description: "weakest: as bad as the worst step. product: the steps fail independently. weighted: their mean by weight.", Enum: []any{"weakest", "product", "weighted"}, Default: "weakest"},
	}, "steps")
}

func dependencies() *Schema {
	short := text("", namesForm, "pay", "pay/availability")
	long := object("A dependency that needs more words.", keys{
		"service": described("name", "The service that is called.", nil, "cache"),
		"slo":     described("name", "The SLO of it that matters; all of them if it is left out.", nil),
		"kind":    {Type: "string", Description: "hard: without it nothing works. soft: the service gets along without.", Enum: []any{"hard", "soft"}, Default: "hard"},
	}, "service")
	l := list("Services that this one calls, or single SLOs of them: named when they burn, and compared with what this service promises.", maxDependencies, &Schema{AnyOf: []*Schema{short, long}})
	l.UniqueItems, l.Examples = true, []any{[]string{"pay", "postgres/availability"}}
	return l
}

// Shares in percent, up to 100 % and up to 1000 %, with at most six digits before the point and two that count after it.
const (
	shareForm  = `^(0{0,4}\d{1,2}(\.\d{1,2}0*)?|0{0,3}100(\.0+)?)\s*%$`
	excessForm = `^(0{0,3}\d{1,3}(\.\d{1,2}0*)?|0{0,2}1000(\.0+)?)\s*%$`
)

func alerts() *Schema {
	spent := list("", maxShares, form(excessForm, notZero))
	spent.UniqueItems = true
	pairs := func(description string, standard any) *Schema {
		return &Schema{Description: description, Default: standard, AnyOf: []*Schema{list("", maxPairs, ref("pair")), off}}
	}
	row := func(budget, long, short string) map[string]string {
		return map[string]string{"budget": budget, "long": long, "short": short}
	}
	return object("When to tell. What is not written keeps its default; the times shown hold for windows of 28 to 31 days and are scaled for others.", keys{
		"page":         pairs("Wakes somebody up. off switches pages off.", []any{row("2%", "1h", "5m"), row("5%", "6h", "30m")}),
		"ticket":       pairs("Can wait until morning. off switches tickets off.", []any{row("10%", "24h", "2h"), row("10%", "3d", "6h")}),
		"spent":        {Description: "Told once when that share of the budget is gone.", Default: []string{"50%", "75%", "90%", "100%"}, AnyOf: []*Schema{spent, off}},
		"no_data":      {Description: "Told when data have been missing for that long, at least 2m.", Default: "10m", AnyOf: []*Schema{ref("duration"), off}},
		"significance": onOff("With little traffic, page only if the errors are more than chance.", "on"),
	})
}

func pair() *Schema {
	budget := form(shareForm, notZero)
	budget.Description, budget.Examples = "The share of the budget that the long window alone would cost.", []any{"2%"}
	return object("Fires while the budget burns so fast, over both windows, that the long one alone would cost that share of it.", keys{
		"budget": budget,
		"long":   described("duration", "Keeps the alert calm. Whole minutes.", nil, "1h"),
		"short":  described("duration", "Ends the alert soon after the trouble; a twelfth of long is usual.", nil, "5m"),
	}, "budget", "long", "short")
}

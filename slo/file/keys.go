package file

import (
	"regexp"

	"github.com/slowburn-sre/slowburn/internal/schema"
	"github.com/slowburn-sre/slowburn/slo"
)

// How many there may be of what stands in an SLO file, and how long a name may be.
const (
	maxSLOs    = 5000
	maxWindows = 10
	maxPairs   = 10 // every one is asked about every minute
	maxShares  = 20
	maxBy      = 8 // every combination of their values is a budget of its own
	maxName    = 100
	maxWeight  = 1000

	maxSaturation   = 20
	maxSteps        = 50
	maxDependencies = 100
)

// namesForm is the form of a name that may be preceded by its service's.
const namesForm = `^[a-zA-Z0-9][-_.a-zA-Z0-9]*(/[a-zA-Z0-9][-_.a-zA-Z0-9]*)?$`

var goodName = regexp.MustCompile(slo.NameForm)

// The keys of an SLO file, map by map. The reader, the JSON Schema and docs/slo-file.md have them
// from here.
var (
	serviceKeys = schema.Object("What one service promises, and when somebody wants to be told.",
		schema.Need("version", &schema.Schema{Const: Version, Description: "The format of this file, always `" + Version + "`."}),
		schema.Need("service", schema.Ref("name", "Name of the service: letters, digits, `-`, `_`, `.`; at most 100.", "checkout")),
		schema.May("owner", schema.Text("Who answers for the service.", schema.NotBlank, "payments-team")),
		schema.May("description", schema.Text("What the service does, in one sentence.", schema.NotBlank)),
		schema.May("tier", schema.Choice("Request class of the SRE workbook. It gives the objective to SLOs that have none: critical 99.99, high_fast and high_slow 99.9, low 99.", slo.Tiers()...)),
		schema.May("links", schema.Ref("links", "")),
		schema.May("slack", schema.Ref("slack", "")),
		schema.May("signals", signalsKeys),
		schema.May("depends_on", dependsKey()),
		schema.Need("slos", &schema.Schema{Type: "array", Description: "The SLOs of this service.", Items: schema.Ref("slo", ""), MinItems: 1, MaxItems: maxSLOs}),
	)

	linksKeys = schema.Object("Addresses a person may want while the budget burns, http or https.",
		schema.May("runbook", schema.Ref("address", "What to do.")),
		schema.May("dashboard", schema.Ref("address", "What to look at.")),
		schema.May("repository", schema.Ref("address", "Where the code is.")),
	)

	slackKeys = schema.Object("Where messages go. What is left out comes from the service, then from the configuration.",
		schema.May("channel", schema.Text("`\"#name\"` in quotes, since # starts a comment otherwise; or the channel's ID.", slo.ChannelForm, "#payments-oncall", "C0123456789").Or("the channel of the configuration")),
		schema.May("mention", MentionKey("Who is mentioned on pages, ten at most. "+slo.PeopleByID+".").Or("nobody")),
		schema.May("escalate", schema.Either("Who is called, and when, if nobody acknowledges a page: three times at most, with that time between. `off` switches off what the service says.", escalateKeys, schema.Off)),
	)

	escalateKeys = schema.Object("",
		schema.Need("after", schema.Ref("duration", "After how long. Whole minutes.", "15m")),
		schema.May("mention", MentionKey("Who is called.").Or("those who were called first")),
	)

	signalsKeys = schema.Object("The four golden signals, shown in alerts, postmortems and reports.",
		schema.May("from", schema.Text("An entry of the signal catalogue.", schema.NotBlank, "otel-http")),
		schema.May("match", schema.Text("Matchers that pick the service, in braces and quotes.", `^\s*\{`, `{job="checkout"}`)),
		schema.May("saturation", schema.List("What gets full.", maxSaturation, saturationKeys)),
	)

	saturationKeys = schema.Object("One measure of how full the service is.",
		schema.Need("name", schema.Text("What gets full.", schema.NotBlank, "memory")),
		schema.Need("query", schema.Ref("query", "")),
		schema.Need("limit", schema.Ref("number", "The value at which it is full.", 0.9)),
	)

	dependencyKeys = schema.Object("A dependency that needs more words.",
		schema.Need("service", schema.Ref("name", "The service that is called.", "cache")),
		schema.May("slo", schema.Ref("name", "The SLO of it that matters.").Or("all of them")),
		schema.May("kind", schema.Choice("hard: without it nothing works. soft: the service gets along without.", "hard", "soft").Standard("hard")),
	)

	sloKeys = schema.Object("One promise.",
		schema.Need("name", schema.Ref("name", "As for the service. The SLO is then called service/name.", "availability")),
		schema.May("description", schema.Text("What the promise means to a user.", schema.NotBlank)),
		schema.May("owner", schema.Text("Who answers for this SLO.", schema.NotBlank).Or("the service's")),
		schema.May("objective", objectiveKey().Or("that of the tier")),
		schema.May("window", windowKey().Standard("28d")),
		schema.Need("sli", schema.Ref("sli", "")),
		schema.May("by", byKey().Or("one budget")),
		schema.May("max_lateness", schema.Ref("duration", MaxLateness, "25m").Or("prometheus.max_lateness")),
		schema.May("alerts", schema.Ref("alerts", "").Or("the workbook's")),
		schema.May("links", schema.Ref("links", "").Or("the service's")),
		schema.May("slack", schema.Ref("slack", "").Or("the service's")),
	)

	calendarKeys = schema.Object("The current calendar period. The budget starts anew with each.",
		schema.Need("calendar", schema.Choice("The period; a week starts on Monday.", string(slo.Week), string(slo.Month), string(slo.Quarter), string(slo.Year))),
		schema.May("timezone", ZoneKey("Where the period begins at midnight.")),
	)

	sliKeys = exactlyOne(schema.Object("How good and bad are told apart: exactly one of these, the more exact ones first; `noun` may stand beside it.",
		schema.May(string(slo.Events), eventsKeys),
		schema.May(string(slo.Latency), latencyKeys),
		schema.May(string(slo.Uptime), schema.Ref("query", "A gauge that is 1 while up and 0 while down, or an expression of that kind.", `probe_success{job="checkout"}`)),
		schema.May(string(slo.Slices), slicesKeys),
		schema.May(string(slo.Ratio), ratioKeys),
		schema.May(string(slo.Composed), journeyKeys),
	)).Add(schema.May(nounKey, schema.Text("What people call its events, many of them, in small letters: messages say that so many payments fail.", slo.NounForm, "payments").Or("requests; checks of an uptime, minutes of slices")))

	eventsKeys = badOrGood(schema.Object("Counters of all events, and of the bad or the good ones. Bare counters are counted exactly, from the raw samples.",
		schema.Need("total", schema.Ref("query", "All events.", `http_requests_total{job="checkout"}`)),
	))

	latencyKeys = schema.Object("A histogram, classic or native: an event is good if it took no longer than below.",
		schema.Need("histogram", schema.Ref("query", "The histogram's name and matchers, without _bucket.", `http_request_duration_seconds{job="checkout"}`)),
		schema.Need("below", belowKey()),
	)

	slicesKeys = schema.Object("Every minute is good or bad.",
		schema.Need("query", schema.Ref("query", "The PromQL whose value decides about a minute.")),
		schema.Need("good", schema.Text("When a minute is good.", `^\s*(<=|>=|==|!=|<|>)\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*$`, "< 0.3")),
		schema.May("missing", schema.Choice("What a minute without data is.", string(slo.Exclude), string(slo.MissingGood), string(slo.MissingBad)).Standard(string(slo.Exclude))),
	)

	ratioKeys = badOrGood(schema.Object("A ready-made ratio from 0 to 1. The last resort: it " + slo.NoTraffic + "."))

	journeyKeys = schema.Object(slo.OfSteps+". A journey that is measured, one event per journey, is better: write events.",
		schema.Need("steps", stepsKey()),
		schema.May("combine", schema.Choice("weakest: as bad as the worst step. product: the steps fail independently. weighted: their mean by weight.",
			string(slo.Weakest), string(slo.Product), string(slo.Weighted)).Standard(string(slo.Weakest))),
	)

	stepKeys = schema.Object("A step with a weight.",
		schema.Need("slo", stepKey()),
		schema.May("weight", weightKey().Standard(1)),
	)

	alertsKeys = schema.Object("When to tell. What is not written keeps its default; the times shown hold for windows of 28 to 31 days and are scaled for others.",
		schema.May("page", pairsKey("Wakes somebody up. `off` switches pages off.", row("2%", "1h", "5m"), row("5%", "6h", "30m"))),
		schema.May("ticket", pairsKey("Can wait until morning. `off` switches tickets off.", row("10%", "24h", "2h"), row("10%", "3d", "6h"))),
		schema.May("spent", spentKey().Standard([]string{"50%", "75%", "90%", "100%"})),
		schema.May("traffic", schema.Either("A notice, never a page, when there have been no events for that long, at least 10m, though there are many at such hours in other weeks.", schema.Ref("duration", ""), schema.Off).Standard("30m")),
		schema.May("no_data", schema.Either("A notification when data have been missing for that long, at least 2m.", schema.Ref("duration", ""), schema.Off).Standard("10m")),
		schema.May("significance", schema.OnOff("With little traffic, page and open tickets only if the errors are more than chance.", "on")),
	)

	pairKeys = schema.Object("Fires while the budget burns so fast, over both windows, that the long one alone would cost that share of it.",
		schema.Need("budget", PercentKey("The share of the budget that the long window alone would cost.", schema.NotZero).Such("2%")),
		schema.Need("long", schema.Ref("duration", "Keeps the alert calm. Whole minutes.", "1h")),
		schema.Need("short", schema.Ref("duration", "Ends the alert soon after the trouble; a twelfth of long is usual.", "5m")),
	)
)

// Schema describes an SLO file.
func Schema() *schema.Schema {
	s := *serviceKeys
	withObjective := &schema.Schema{Properties: map[string]*schema.Schema{"slos": {Items: &schema.Schema{Required: []string{"objective"}}}}}
	s.AnyOf = []*schema.Schema{{Required: []string{"tier"}}, withObjective}
	return s.Root("slo.json", "slowburn SLO file", map[string]*schema.Schema{
		"name":     {Type: "string", Pattern: slo.NameForm, MaxLength: maxName},
		"query":    {Type: "string", Description: "PromQL, best in single quotes: a bare selector, or an expression with $window as its range.", Pattern: schema.NotBlank, MaxLength: slo.MaxQuery},
		"duration": schema.Duration(),
		"number":   schema.Either("A decimal number.", &schema.Schema{Type: "number"}, schema.Form(schema.DecimalForm)),
		"address":  schema.Text("A "+WebAddress+".", schema.AddressForm, "https://runbooks.example.com/checkout"),
		"links":    linksKeys, "slack": slackKeys, "slo": sloKeys, "sli": sliKeys, "alerts": alertsKeys, "pair": pairKeys,
		"window": schema.Either("", schema.Ref("duration", "The last days, from 1d to 400d in whole hours. Four weeks always hold four weekends; a month does not.", "28d"), calendarKeys),
	})
}

// MentionKey describes what [Mentions] reads.
func MentionKey(doc string) *schema.Schema {
	one := schema.Text("", slo.MentionForm)
	return schema.Either(doc, one, schema.List("", slo.MaxMentions, one)).Such("<@U0123>", "<!subteam^S0123>", "<!here>")
}

// PercentKey describes what [Percent] reads; more are further forms of it.
func PercentKey(doc string, more ...string) *schema.Schema {
	s := schema.Form(append([]string{schema.ShareForm}, more...)...)
	s.Description = doc
	return s
}

// ZoneKey describes what [Zone] reads.
func ZoneKey(doc string) *schema.Schema {
	s := schema.Text(doc, schema.NotBlank, "Europe/Berlin").Standard("UTC")
	s.Not = &schema.Schema{Const: "Local"}
	return s
}

func dependsKey() *schema.Schema {
	s := schema.List("Services that it calls, or single SLOs of them, as service/slo: named when they burn, and compared with what this service promises.", maxDependencies,
		&schema.Schema{AnyOf: []*schema.Schema{schema.Text("", namesForm, "pay", "pay/availability"), dependencyKeys}})
	s.UniqueItems = true
	return s.Such([]string{"pay", "postgres/availability"})
}

func byKey() *schema.Schema {
	s := schema.List("Label names. Each combination of their values has its own budget.", maxBy,
		&schema.Schema{Type: "string", Pattern: schema.NotBlank, Not: &schema.Schema{Pattern: `^(le$|__)`}})
	s.UniqueItems = true
	return s.Such([]string{"route"})
}

func objectiveKey() *schema.Schema {
	return schema.Either("Share of good events in percent, above 1 and below 100, up to seven digits after the point. It is kept as a decimal.",
		&schema.Schema{Type: "number", ExclusiveMinimum: schema.Number(1), ExclusiveMaximum: schema.Number(100)},
		schema.Form(`^\s*(0{0,2}[1-9]|0?[1-9]\d)(\.\d{1,7}0*)?\s*%?\s*$`, `^\s*0*([2-9]|[1-9]\d|1\.0*[1-9])`)).Such(99.9, 99.95)
}

func windowKey() *schema.Schema {
	one := schema.Ref("window", "")
	return schema.Either("Over which time. Several may be listed; the first one drives the alerts.",
		one, &schema.Schema{Type: "array", Items: one, MinItems: 1, MaxItems: maxWindows}).
		Such("28d", map[string]string{"calendar": "month", "timezone": "Europe/Berlin"})
}

// nounKey is the key of sli that stands beside the one that says what is counted.
const nounKey = "noun"

// exactlyOne makes a map hold one of its keys; those that are added later stand beside it.
func exactlyOne(s *schema.Schema) *schema.Schema {
	for _, key := range s.Keys() {
		s.OneOf = append(s.OneOf, &schema.Schema{Required: []string{key}})
	}
	return s
}

// badOrGood adds the two keys of which a map has one.
func badOrGood(s *schema.Schema) *schema.Schema {
	s.OneOf = []*schema.Schema{{Required: []string{"bad"}}, {Required: []string{"good"}}}
	return s.Add(
		schema.May("bad", schema.Ref("query", "The bad ones; or write good.").Or("what is not good")),
		schema.May("good", schema.Ref("query", "The good ones; or write bad.").Or("what is not bad")),
	)
}

func belowKey() *schema.Schema {
	return schema.Either("The longest good time: a duration, or a number in the unit of the buckets, which is seconds unless the name ends with _milliseconds or the like. It should be a bucket's bound.",
		schema.Ref("duration", ""), &schema.Schema{Type: "number", ExclusiveMinimum: schema.Number(0)},
		schema.Form(`^\+?(\d*[1-9]\d*\.?\d*|\d+\.\d*[1-9]\d*|\.\d*[1-9]\d*)([eE][-+]?\d{1,3})?$`)).Such("300ms", 0.3)
}

func stepsKey() *schema.Schema {
	s := schema.List("The SLOs of the steps; the journey begins with the first. None of them may have by.", maxSteps,
		&schema.Schema{AnyOf: []*schema.Schema{stepKey(), stepKeys}})
	s.MinItems, s.UniqueItems = 2, true
	return s.Such([]string{"web/availability", "pay/availability"})
}

func stepKey() *schema.Schema {
	return schema.Text("An SLO as service/slo, or its name alone if it is of the same service.", namesForm, "pay/latency")
}

func weightKey() *schema.Schema {
	return schema.Either("What the step counts for with combine: weighted, at most three digits after the point.",
		&schema.Schema{Type: "number", ExclusiveMinimum: schema.Number(0), Maximum: schema.Number(maxWeight)}, schema.Form(schema.DecimalForm, schema.NotZero, `^[^-]`))
}

func pairsKey(doc string, standard ...map[string]string) *schema.Schema {
	return schema.Either(doc, schema.List("", maxPairs, schema.Ref("pair", "")), schema.Off).Standard(standard)
}

func row(budget, long, short string) map[string]string {
	return map[string]string{"budget": budget, "long": long, "short": short}
}

func spentKey() *schema.Schema {
	list := schema.List("", maxShares, schema.Form(`^(0{0,3}\d{1,3}(\.\d{1,2}0*)?|0{0,2}1000(\.0+)?)\s*%$`, schema.NotZero))
	list.UniqueItems = true
	return schema.Either("A notification once when that share of the budget is gone.", list, schema.Off)
}

package signals

import "github.com/slowburn-sre/slowburn/internal/schema"

// The keys of a source of golden signals, of the built-in catalogue and of slowburn.yaml.
var (
	entryKeys = schema.Object("One source of metrics. A name of the built-in catalogue replaces that entry.",
		schema.Need("name", text("What signals.from of an SLO file calls it.", "acme-http")),
		schema.May("title", text("What people call it.")),
		schema.May("source", text("Where its metrics are documented.")),
		schema.May("role", schema.Choice("service counts the events of users, exporter stands beside a system, runtime knows a process.", string(ServiceRole), string(ExporterRole), string(RuntimeRole)).Standard(string(ServiceRole))),
		schema.May("counts", schema.Choice("What kind of event; two sources that count the same are two views of one thing.", "http", "rpc", "jobs")),
		schema.Need("group", words("Labels that tell one service from the next; a|b is the first one that is there.", "job")),
		schema.May("attach", text("A label whose value is the name of the service elsewhere.")),
		schema.May("only", schema.List("For each list, the first matcher that matches anything is added everywhere.", maxEntries, words("", `reporter="source"`))),
		schema.May("traffic", words("Counters of events; the first one that exists counts. a + b is both together.", "acme_calls_total")),
		schema.May("exclude", words("Matchers on traffic, errors and latency, if their label exists.", `route!="/health"`)),
		schema.May("errors", schema.List("Conditions that make an event bad; in each, the first matcher whose label exists.", maxEntries, words("", `ok="false"`))),
		schema.May("failures", words("Counters of bad events, if they are not part of traffic.")),
		schema.May("latency", latencyKeys),
		schema.May("uptime", text("A gauge that is 1 or 0.")),
		schema.May("freshness", words("Gauges in seconds that say how late the work is.")),
		schema.May("routes", words("Labels that tell the types of request apart.", "route")),
		schema.May("saturation", schema.List("What gets full.", maxEntries, saturationKeys)),
		schema.May("pages", schema.OnOff("Whether SLOs from its errors may page.", true)),
		schema.May("slos", schema.OnOff("Whether SLOs are made of it.", true)),
		schema.May("traps", words("What to know before believing the numbers; sentences.")),
	)

	latencyKeys = schema.Object("Where latency is found: a histogram, or a query.",
		schema.May("histograms", words("Names without suffix; the first one that exists.")),
		schema.May("exclude", words("Matchers beside those above.")),
		schema.May("unit", schema.Choice("Of the buckets, if the name does not tell.", "s", "ms", "us", "ns")),
		schema.May("name", text("What the query measures.")),
		schema.May("query", templateKey()),
	)

	saturationKeys = schema.Object("",
		schema.Need("name", text("What gets full.")),
		schema.Need("query", templateKey()),
		schema.May("limit", schema.Either("The value at which it is full.", &schema.Schema{Type: "number", ExclusiveMinimum: schema.Number(0)},
			schema.Form(`^\+?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?$`, schema.NotZero))),
	)
)

// Keys describes a list of sources, as [Read] reads it.
func Keys() *schema.Schema {
	return schema.List("Sources in the form of the built-in catalogue.", maxEntries, entryKeys)
}

func text(doc string, examples ...any) *schema.Schema {
	return schema.Text(doc, schema.NotBlank, examples...)
}

func words(doc string, examples ...any) *schema.Schema {
	return schema.Texts(doc, maxEntries, examples...)
}

func templateKey() *schema.Schema {
	return text("PromQL in which $window stands for the range.")
}

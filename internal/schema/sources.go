package schema

// maxSources is how many sources, and how many items of any list in them, are read.
const maxSources = 200

// sources is the house's additions to the catalogue of golden signals.
func sources() *Schema {
	name := func(description string, examples ...any) *Schema { return text(description, notBlank, examples...) }
	names := func(description string, examples ...any) *Schema {
		return list(description, maxSources, text("", notBlank, examples...))
	}
	query := text("PromQL in which $window stands for the range.", notBlank)
	limit := either("The value at which it is full.", &Schema{Type: "number", ExclusiveMinimum: number(0)}, form(`^\+?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?$`, notZero))
	entry := object("One source of metrics. A name of the built-in catalogue replaces that entry.", keys{
		"name":       name("What signals.from of an SLO file calls it.", "acme-http"),
		"title":      name("What people call it."),
		"source":     name("Where its metrics are documented."),
		"role":       choice("service counts the events of users, exporter stands beside a system, runtime knows a process.", "service", "exporter", "runtime"),
		"counts":     choice("What kind of event; two sources that count the same are two views of one thing.", "http", "rpc", "jobs"),
		"group":      names("Labels that tell one service from the next; a|b is the first one that is there.", "job"),
		"only":       list("For each list, the first matcher that matches anything is added everywhere.", maxSources, names("", `reporter="source"`)),
		"traffic":    names("Counters of events; the first one that exists counts. a + b is both together.", "acme_calls_total"),
		"exclude":    names("Matchers on traffic, errors and latency, if their label exists.", `route!="/health"`),
		"errors":     list("Conditions that make an event bad; in each, the first matcher whose label exists.", maxSources, names("", `ok="false"`)),
		"failures":   names("Counters of bad events, if they are not part of traffic."),
		"latency":    latencySource(query),
		"uptime":     name("A gauge that is 1 or 0."),
		"freshness":  names("Gauges in seconds that say how late the work is."),
		"routes":     names("Labels that tell the types of request apart.", "route"),
		"attach":     name("A label whose value is the name of the service elsewhere."),
		"saturation": list("What gets full.", maxSources, object("", keys{"name": name("What gets full."), "query": query, "limit": limit}, "name", "query")),
		"pages":      onOff("Whether SLOs from its errors may page.", true),
		"slos":       onOff("Whether SLOs are made of it.", true),
		"traps":      names("What to know before believing the numbers; sentences."),
	}, "name", "group")
	return object("House additions to the catalogue of golden signals.", keys{
		"sources": list("Sources in the form of the built-in catalogue.", maxSources, entry),
	})
}

func latencySource(query *Schema) *Schema {
	return object("Where latency is found: a histogram, or a query.", keys{
		"histograms": list("Names without suffix; the first one that exists.", maxSources, text("", notBlank)),
		"exclude":    list("Matchers beside those above.", maxSources, text("", notBlank)),
		"unit":       choice("Of the buckets, if the name does not tell.", "s", "ms", "us", "ns"),
		"name":       text("What the query measures.", notBlank),
		"query":      query,
	})
}

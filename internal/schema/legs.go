package schema

// legs are the keys about the ways out, beside Slack.
func legs() keys {
	return keys{
		"pagerduty":     either("PagerDuty: one integration key of its Events API v2, or a list of them with names.", pagerDuty(), list("", 1000, pagerDuty())),
		"alertmanagers": list("Alertmanagers; each is told about everything.", 1000, alertmanager()),
		"webhooks":      list("Addresses that take a signed JSON document per event.", 1000, webhook()),
		"routes":        list("Who is told about what; the first route that matches decides.", 1000, route()),
		"fallback": object("Where a page goes that another receiver does not take.", keys{
			"to":    receivers("In this order; without it: PagerDuty, Slack, Alertmanager, webhooks."),
			"after": described("duration", "How long a page may wait before it goes another way.", "5m"),
		}),
		"heartbeat": addressed(object("An address that is asked as long as everything works.", keys{
			"url":      text("The address.", addressForm, "https://hc.example.com/ping/slowburn"),
			"url_file": text("A file with the address, where it is a secret.", notBlank),
			"interval": described("duration", "How often, at most.", "1m"),
		})),
	}
}

func pagerDuty() *Schema {
	return object("An integration of PagerDuty's Events API v2.", keys{
		"name":             receiverName(),
		"routing_key_file": text("A file with the integration key, 32 letters and digits.", notBlank, "secrets/pagerduty"),
		"url":              text("The address of the API; for the EU service region https://events.eu.pagerduty.com/v2/enqueue.", addressForm, "https://events.pagerduty.com/v2/enqueue"),
	}, "routing_key_file")
}

func alertmanager() *Schema {
	properties := httpClient()
	properties["name"] = receiverName()
	properties["url"] = text("The address, without /api/v2/alerts.", addressForm, "http://127.0.0.1:9093")
	return object("An Alertmanager.", properties, "url")
}

func webhook() *Schema {
	properties := httpClient()
	properties["name"] = receiverName()
	properties["url"] = text("The address.", addressForm, "https://incidents.example.com/slowburn")
	properties["url_file"] = text("A file with the address, where it is a secret.", notBlank)
	properties["secret_file"] = text("A file with what the requests are signed with.", notBlank, "secrets/webhook")
	return addressed(object("An address that takes events.", properties))
}

// addressed wants an address, or the file that holds it.
func addressed(s *Schema) *Schema {
	s.OneOf = []*Schema{{Required: []string{"url"}}, {Required: []string{"url_file"}}}
	return s
}

// receiverName tells receivers of one kind apart.
func receiverName() *Schema {
	return text("Tells it apart from others of its kind: routes name it kind/name.", `^[^/ ]*[^/\s][^/ ]*$`, "payments")
}

// receivers is a list of names of receivers.
func receivers(description string) *Schema {
	s := list(description, 100, text("", notBlank, "slack", "pagerduty/payments"))
	s.MinItems = 1
	return s
}

func route() *Schema {
	values := func(description string, examples ...any) *Schema {
		one := text("", notBlank, examples...)
		return either(description, one, list("", 1000, one))
	}
	severity := choice("", "page", "ticket", "notice")
	return object("A route.", keys{
		"match": object("What must hold; nothing matches everything. Each key takes one value, or a list of which one must fit.", keys{
			"severity": either("How loud it is.", severity, list("", 1000, severity)),
			"owner":    values("The owner of the SLO.", "payments"),
			"service":  values("The service.", "checkout"),
			"tier":     values("The tier of the SLO.", "high_fast"),
			"labels":   {Type: "object", Description: "Values of the budget's own labels, those of by.", Additional: values("")},
		}),
		"to":      receivers("Who is told: slack, a kind of receiver, or one of them by kind/name."),
		"channel": text("The channel of Slack, in place of the service's own.", notBlank, "#payments-oncall"),
	}, "to")
}

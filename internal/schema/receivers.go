package schema

import (
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/receivers"
	"github.com/slowburn-sre/slowburn/slo"
)

// told are the keys about who is told beside Slack.
func told() keys {
	all := keys{
		"routes": list("Who is told about what; the first route that matches decides.", 1000, route()),
		"fallback": object("Where a page goes that another receiver does not take.", keys{
			"to":    receiverNames("In this order; without it: PagerDuty, Slack, Alertmanager, webhooks."),
			"after": described("duration", "How long a page may wait before it goes another way.", "5m"),
		}),
		"heartbeat": addressed(object("An address that is asked as long as everything works.", keys{
			"url":      text("The address.", addressForm, "https://hc.example.com/ping/slowburn"),
			"url_file": text("A file with the address, where it is a secret.", notBlank),
			"interval": described("duration", "How often, at most.", "1m"),
		})),
	}
	for _, kind := range receivers.Kinds() {
		all[kind.Key] = list(kind.Doc, 1000, receiver(kind))
		if kind.Key == kind.Name {
			all[kind.Key] = either(kind.Doc, receiver(kind), list("", 1000, receiver(kind)))
		}
	}
	return all
}

// receiver is one receiver of a kind.
func receiver(kind notify.Kind) *Schema {
	properties := keys{}
	if kind.HTTP {
		properties = httpClient()
	}
	properties["name"] = text("Tells it apart from others of its kind: routes name it kind/name.", `^[^/ ]*[^/\s][^/ ]*$`, "payments")
	s := object(kind.One, properties)
	for _, k := range kind.Keys {
		switch k.Form {
		case notify.SecretFile:
			properties[k.Name+"_file"] = text(k.Doc, notBlank, k.Example)
		case notify.SecretOrAddress:
			properties[k.Name+"_file"] = text("A file with the address, where it is a secret.", notBlank)
			properties[k.Name] = text(k.Doc, addressForm, k.Example)
		case notify.Address:
			properties[k.Name] = text(k.Doc, addressForm, k.Example)
		}
		switch {
		case !k.Required:
		case k.Form == notify.SecretOrAddress:
			s = addressed(s)
		default:
			s.Required = append(s.Required, k.InFile()...)
		}
	}
	return s
}

// addressed wants an address, or the file that holds it.
func addressed(s *Schema) *Schema {
	s.OneOf = []*Schema{{Required: []string{"url"}}, {Required: []string{"url_file"}}}
	return s
}

// receiverNames is a list of names of receivers.
func receiverNames(description string) *Schema {
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
		"to":      receiverNames("Who is told: slack, a kind of receiver, or one of them by kind/name."),
		"channel": text("The channel of Slack, in place of the service's own.", slo.ChannelForm, "#payments-oncall"),
	}, "to")
}

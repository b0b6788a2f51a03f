package config

import (
	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/receivers"
	"github.com/slowburn-sre/slowburn/internal/schema"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// The keys about who is told beside Slack.
var (
	routeKeys = schema.Object("A route.",
		schema.May("match", matchKeys),
		schema.Need("to", receiverNames("Who is told: slack, a kind of receiver, or one of them by kind/name.")),
		schema.May("channel", schema.Text("The channel of Slack.", slo.ChannelForm, "#payments-oncall").Or("the service's own")),
	)

	matchKeys = schema.Object("What must hold; nothing matches everything. Each key takes one value, or a list of which one must fit.",
		schema.May("severity", oneOrMoreOf("How loud it is.", schema.Choice("", Severities...)).Or("any")),
		schema.May("owner", oneOrMoreOf("The owner of the SLO.", schema.Text("", schema.NotBlank, "payments")).Or("any")),
		schema.May("service", oneOrMoreOf("The service.", schema.Text("", schema.NotBlank, "checkout")).Or("any")),
		schema.May("tier", oneOrMoreOf("The tier of the SLO.", schema.Text("", schema.NotBlank, "high_fast")).Or("any")),
		schema.May("labels", &schema.Schema{Type: "object", Description: "Values of the budget's own labels, those of `by`.", Additional: oneOrMoreOf("", schema.Text("", schema.NotBlank))}),
	)

	fallbackKeys = schema.Object("Where a page goes that another receiver does not take.",
		schema.May("to", receiverNames("In this order.").Or("what wakes people, then Slack, then the others")),
		schema.May("after", schema.Ref("duration", "How long a page may wait before it goes another way.").Standard(slo.ShortDuration(defaultFallback))),
	)

	drillKeys = schema.Object("Drills on schedule: pages that are marked, to every destination of pages and tickets. `slowburn drill` makes one at once.",
		schema.Need("schedule", schema.Text("When, "+crontime.Form+".", schema.NotBlank, "0 10 * * TUE")),
		schema.May("timezone", file.ZoneKey("The time zone of the schedule.")),
		schema.May("loud", schema.OnOff("Calls people as a page does, and asks them to acknowledge it.", false)),
		schema.May("wait", schema.Ref("duration", "How long a loud one waits for an acknowledgement.").Standard(slo.ShortDuration(defaultDrillWait))),
	)

	heartbeatKeys = addressed(schema.Object("An address that is asked as long as everything works.",
		schema.May("url", schema.Text("The address.", schema.AddressForm, "https://hc.example.com/ping/slowburn").Or("`url_file`")),
		schema.May("url_file", schema.Text("A file with the address, where it is a secret.", schema.NotBlank).Or("`url`")),
		schema.May("interval", schema.Ref("duration", "How often, at most.").Standard(slo.ShortDuration(defaultHeartbeat))),
	))
)

// receiverLists returns the keys under which the receivers of each kind stand.
func receiverLists() (keys []schema.Key) {
	for _, kind := range receivers.Kinds() {
		one := receiverKeys(kind)
		list := schema.List(kind.Doc, maxEntries, one)
		if kind.Key == kind.Name {
			list.Description = ""
			list = schema.Either(kind.Doc, one, list)
		}
		keys = append(keys, schema.May(kind.Key, list))
	}
	return keys
}

// receiverKeys returns the keys of one receiver of a kind.
func receiverKeys(kind notify.Kind) *schema.Schema {
	s := schema.Object(kind.One, schema.May("name", schema.Text("Tells it apart from others of its kind: routes name it kind/name.", `^[^/ ]*[^/\s][^/ ]*$`, "payments")))
	for _, k := range kind.Keys {
		key := schema.May
		if k.Required && k.Form != notify.SecretOrAddress {
			key = schema.Need
		}
		switch k.Form {
		case notify.SecretFile:
			s.Add(key(k.Name+"_file", schema.Text(k.Doc, schema.NotBlank, k.Example)))
		case notify.SecretOrAddress:
			s.Add(key(k.Name, schema.Text(k.Doc, schema.AddressForm, k.Example).Or("`"+k.Name+"_file`")),
				key(k.Name+"_file", schema.Text("A file with the address, where it is a secret.", schema.NotBlank).Or("`"+k.Name+"`")))
			if k.Required {
				addressed(s)
			}
		case notify.Address:
			s.Add(key(k.Name, schema.Text(k.Doc, schema.AddressForm, k.Example)))
		}
	}
	if kind.HTTP {
		s.AddElsewhere("Every setting of the HTTP client, as under `prometheus`.", httpKeys()...)
	}
	return s
}

// addressed wants an address, or the file that holds it.
func addressed(s *schema.Schema) *schema.Schema {
	s.OneOf = []*schema.Schema{{Required: []string{"url"}}, {Required: []string{"url_file"}}}
	return s
}

// receiverNames returns a list of names of receivers.
func receiverNames(doc string) *schema.Schema {
	s := schema.Texts(doc, 100, "slack", "pagerduty/payments")
	s.MinItems = 1
	return s
}

// oneOrMoreOf returns a value, or a list of them.
func oneOrMoreOf(doc string, one *schema.Schema) *schema.Schema {
	return schema.Either(doc, one, schema.List("", maxEntries, one))
}

package schema

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/common/config"

	"github.com/slowburn-sre/slowburn/slo"
)

// Config is the schema of the configuration, slowburn.yaml.
func Config() *Schema {
	s := object("The configuration of slowburn. Everything has a default; an empty file would do for a Prometheus on this machine.", keys{
		"prometheus":  prometheus(),
		"slos":        texts("Files, folders and globs of SLO files, relative to this file.", []string{"slos/"}, "slos/"),
		"corrections": texts("Files, folders and globs of corrections, relative to this file: maintenance, measurement errors and exclusions, each with author and reason.", nil, "corrections.yaml"),
		"store": object("Where slowburn keeps what it knows.", keys{
			"path": text("The file of the embedded store.", notBlank, "data/slowburn.db"),
		}),
		"slack": object("How messages reach people. The token comes from SLACK_BOT_TOKEN if it is not given here; without any, nothing is posted.", keys{
			"channel":             text("The default channel, in quotes; a service or SLO may name its own.", slo.ChannelForm, "#reliability"),
			"api_url":             text("The address of Slack's API.", addressForm, "https://slack.com/api/"),
			"bot_token_file":      text("A file with the bot token.", notBlank),
			"app_token_file":      text("A file with the app token (xapp-…), by which buttons and /slowburn work without being reachable from outside: Socket Mode.", notBlank),
			"signing_secret_file": text("A file with the signing secret, by which buttons and /slowburn work over HTTPS. While it is changed, two secrets, one in a line.", notBlank),
			"webhook_url_file":    text("A file with the address of an incoming webhook: messages are posted and never updated.", notBlank),
		}),
		"traces": object("How traces are shown that stand for a burn.", keys{
			"url": traceURL(),
		}, "url"),
		"reports": list("Reports that are sent on schedule.", 1000, report()),
		"signals": sources(),
		"postmortems": object("Where postmortems are kept as Markdown files. Without it drafts are made on demand.", keys{
			"path":     text("The folder into which required drafts are written, and from which status and action items are read back.", notBlank, "postmortems/"),
			"template": text("A file with the house's own template.", notBlank),
		}, "path"),
		"policy": policy(),
	})
	maps.Copy(s.Properties, told())
	s.Dialect, s.ID, s.Title = dialect, BaseURL+"config.json", "slowburn configuration"
	s.Defs = definitions()
	delete(s.Defs, "number")
	return s
}

func traceURL() *Schema {
	s := form(addressForm, `\{trace_id\}`)
	s.Description, s.Examples = "The address of a trace, with {trace_id} where its ID goes.", []any{"https://jaeger.example.com/trace/{trace_id}"}
	return s
}

// texts is a list of texts.
func texts(description string, standard any, examples ...any) *Schema {
	s := list(description, 1000, text("", notBlank, examples...))
	s.Default = standard
	return s
}

func report() *Schema {
	return object("A report.", keys{
		"name":     text("Keeps a report from being sent twice, so each name may be used once.", notBlank, "weekly"),
		"schedule": text("When, as cron writes it: minute, hour, day of month, month, day of week.", notBlank, "0 9 * * MON"),
		"timezone": text("The time zone of the schedule.", notBlank, "Europe/Berlin"),
		"channel":  text("Where to; the default channel if it is left out.", slo.ChannelForm, "#reliability-leads"),
		"team":     text("Only the SLOs of this owner; all of them if it is left out.", notBlank, "payments"),
		"period":   choice("What the report is about; taken from the name or the schedule if it is left out.", "week", "month", "quarter"),
	}, "name", "schedule")
}

// share is a share of a budget, which may be none of it.
func share(description, standard string) *Schema {
	s := form(shareForm)
	s.Description, s.Default = description, standard
	return s
}

func policy() *Schema {
	limits := func() keys {
		return keys{
			"caution_below": share("Be careful while less of the budget is left.", "25%"),
			"freeze_below":  share("Release nothing but repairs while less of the budget is left.", "0%"),
			"thaw_margin":   share("How far above a line the budget must come back before the line is left behind.", "5%"),
		}
	}
	properties, own := limits(), limits()
	properties["postmortem_at"] = share("An incident that took more of a four-week budget needs a postmortem.", "20%")
	properties["stale_after"] = described("duration", "How old the newest data may be; after that the verdict is unknown.", "15m")
	properties["notify"] = object("Who is told when a gate freezes and thaws.", keys{
		"channel": text("Where to; the service's own channel if it is left out.", slo.ChannelForm, "#releases"),
		"mention": mentions("Who is notified."),
	})
	own["service"] = text("The service that these limits are for.", notBlank, "checkout")
	properties["services"] = list("Services with limits of their own; what is left out is as for the others.", 1000, object("Limits of a service.", own, "service"))
	return object("The error-budget policy, which slowburn gate and the API answer by. Without it there is none, and the gate is unknown. {} takes the defaults.", properties)
}

func prometheus() *Schema {
	properties := httpClient()
	properties["url"] = text("The server: Prometheus, Thanos, Mimir, Cortex or VictoriaMetrics.", addressForm, "http://127.0.0.1:9090")
	properties["timeout"] = described("duration", "How long a query may take.", "30s")
	properties["concurrency"] = &Schema{Description: "How many queries may run at once.", Default: 8, AnyOf: []*Schema{
		{Type: "integer", Minimum: number(1), Maximum: number(1000)}, form(`^\+?0*([1-9]\d{0,2}|1000)$`),
	}}
	return object("Where the metrics are, with every setting of the HTTP client of the Prometheus family.", properties)
}

// httpWords are descriptions of the settings of the HTTP client.
var httpWords = map[string]string{
	"basic_auth":             "User name and password.",
	"authorization":          "The header Authorization: a type, Bearer by default, and credentials.",
	"oauth2":                 "A token by OAuth 2.0, client credentials or JWT.",
	"bearer_token":           "Old spelling of authorization with credentials.",
	"bearer_token_file":      "Old spelling of authorization with credentials_file.",
	"tls_config":             "Certificates for TLS.",
	"proxy_url":              "The proxy to go through.",
	"no_proxy":               "Hosts that are reached without the proxy, with commas between.",
	"proxy_from_environment": "Take the proxy from HTTP_PROXY, HTTPS_PROXY and NO_PROXY.",
	"proxy_connect_header":   "Headers for the proxy.",
	"follow_redirects":       "Follow redirects; on by default.",
	"enable_http2":           "Use HTTP/2; on by default.",
	"http_headers":           "Headers of every request, such as the tenant: {X-Scope-OrgID: {values: [shop]}}.",
	"password_file":          "A file with the password.",
	"credentials_file":       "A file with the credentials.",
	"insecure_skip_verify":   "Do not check the server's certificate.",
}

// httpClient is the settings of the HTTP client, taken from the type that reads them, so that the
// two agree whatever its version.
func httpClient() keys {
	return ofType(reflect.TypeFor[config.HTTPClientConfig]()).Properties
}

// ofType is the schema of what the YAML library reads into a type.
func ofType(t reflect.Type) *Schema {
	switch t {
	case reflect.TypeFor[config.URL]():
		return &Schema{Type: "string"}
	case reflect.TypeFor[config.TLSVersion]():
		s := &Schema{}
		for _, name := range slices.Sorted(maps.Keys(config.TLSVersions)) {
			s.Enum = append(s.Enum, name)
		}
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return ofType(t.Elem())
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Slice:
		return &Schema{Type: "array", Items: ofType(t.Elem())}
	case reflect.Map:
		return &Schema{Type: "object", Additional: ofType(t.Elem())}
	case reflect.Struct:
		s := &Schema{Type: "object", Properties: keys{}, Additional: false}
		fieldsOf(t, s)
		return s
	}
	return &Schema{} // anything
}

// fieldsOf adds the fields of a struct, those of embedded ones too.
func fieldsOf(t reflect.Type, s *Schema) {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case options == "inline" && field.Type.Kind() == reflect.Struct:
			fieldsOf(field.Type, s)
		case options == "inline":
			s.Additional = ofType(field.Type.Elem())
		case field.IsExported():
			p := ofType(field.Type)
			p.Description = httpWords[name]
			s.Properties[name] = p
		}
	}
}

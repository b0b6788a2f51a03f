package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/schema"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// maxEntries bounds every list of the configuration.
const maxEntries = 1000

// What policy.open_page may be beside caution.
const (
	openPageFreeze = "freeze"
	openPageIgnore = "ignore"
)

// The keys of slowburn.yaml, map by map. The reader, the JSON Schema and docs/configuration.md have
// them from here.
var (
	configKeys = schema.Object("The configuration of slowburn. Everything has a default; an empty file would do for a Prometheus on this machine.",
		schema.May("prometheus", prometheusKeys),
		schema.May("slos", schema.Texts("Files, folders (with everything below them) and globs of SLO files.", maxEntries, "slos/").Standard([]string{"slos/"})),
		schema.May("corrections", schema.Texts("Files, folders and globs of corrections: maintenance, measurement errors and exclusions, each with author and reason.", maxEntries, "corrections.yaml")),
		schema.May("store", storeKeys),
		schema.May("web", webKeys),
		schema.May("slack", slackKeys),
		schema.May("traces", tracesKeys),
		schema.May("reports", schema.List("Reports that are sent on schedule.", maxEntries, reportKeys)),
		schema.May("postmortems", postmortemsKeys),
		schema.May("policy", policyKeys),
		schema.May("signals", signalsKeys),
	).Add(receiverLists()...).Add(
		schema.May("routes", schema.List("Who is told about what; the first route that matches decides.", maxEntries, routeKeys)),
		schema.May("fallback", fallbackKeys),
		schema.May("heartbeat", heartbeatKeys),
		schema.May("drill", drillKeys),
	)

	prometheusKeys = schema.Object("Where the metrics are, with every setting of the HTTP client of the Prometheus family.",
		schema.May("url", schema.Text("The server: Prometheus, Thanos, Mimir, Cortex or VictoriaMetrics.", schema.AddressForm).Standard(defaultPrometheusURL)),
		schema.May("timeout", schema.Ref("duration", "How long a query may take.").Standard(slo.ShortDuration(defaultTimeout))),
		schema.May("concurrency", concurrencyKey().Standard(defaultConcurrency)),
		schema.May("max_lateness", schema.Ref("duration", file.MaxLateness).Standard(slo.ShortDuration(defaultMaxLateness))),
	).Add(httpKeys()...).AtStart()

	storeKeys = schema.Object("Where slowburn keeps what it knows: in a file, or in a PostgreSQL. One of the three.",
		schema.May("path", schema.Text("The file of the embedded store: the ledger and everything else that must survive. One process at a time.", schema.NotBlank).Standard(defaultStorePath)),
		schema.May("postgres", schema.Text("The address of a PostgreSQL that several daemons share: one leads, the others stand by. Without a password, which belongs into postgres_file.", schema.NotBlank, "postgres://slowburn@db.example.com/slowburn?sslmode=verify-full")),
		schema.May("postgres_file", schema.Text("A file with that address.", schema.NotBlank)),
	).AtMost(1).AtStart()

	webKeys = schema.Object("Who may do what over HTTP, beside the file of --web.config.file.",
		schema.May("tokens", schema.List("Tokens by which people and programs prove who they are. Nobody changes anything without one, or a grant.", maxEntries, tokenKeys)),
		schema.May("grants", schema.List("What may be done by those who prove who they are by something else: a password or a certificate of --web.config.file, a trusted proxy, or by signing in.", maxEntries, grantKeys)),
		schema.May("trusted_proxies", proxiesKeys),
		schema.May("oidc", oidcKeys),
		schema.May("local_token_file", schema.Text("A file that the daemon writes at its start, for its own user only: by the token in it commands on this machine prove that they are that user's. It may do everything.", schema.NotBlank).Or("beside the store: its path with `.token`; none with a PostgreSQL").AtStart()),
	)

	tokenKeys = schema.Object("A token.",
		schema.Need("name", schema.Text("Who holds it, as the audit log names them.", NameForm, "ci")),
		schema.Need("file", schema.Text("A file with the token: at least 16 characters without a space. While it is changed, two tokens, one in a line. It is read again by a reload.", schema.NotBlank, "/run/secrets/slowburn-ci")),
		schema.Need("may", rightsKey("What may be done by it: `read` everything without the password, `change` to record changes and reload, `act` on incidents, `override` to override gates, exempt from the policy and classify incidents.")),
		schema.May("services", servicesKey("The services about which something may be done by it, as globs.")),
	)

	grantKeys = schema.Object("A grant.",
		schema.Need("who", schema.Texts("Whom it is for, as the audit log names them, as globs: `user ada`, `certificate deploy-*`, `proxy ada`, `oidc *@example.com`; or a group that the OpenID provider tells: `group sre`.", maxEntries, "user ada", "certificate deploy-*", "oidc *@example.com", "group sre")),
		schema.Need("may", rightsKey("What they may, as for tokens. Whoever is known may read.")),
		schema.May("services", servicesKey("The services about which they may, as globs.")),
	)

	proxiesKeys = schema.Object("Proxies that say who has sent a request. Nobody else is shown anything then who has not proven who they are by a password, a certificate or a token that may read. A request may come from elsewhere; what it says of its user is ignored then, and counted.",
		schema.Need("addresses", schema.Texts("Their addresses, or networks of them. X-Forwarded-For does not count.", maxEntries, "127.0.0.1", "10.0.3.0/28")),
		schema.Need("user_header", schema.Text("The header with the user. The proxy must take it away from what others send.", HeaderForm, "X-Forwarded-User")),
	).AtStart()

	oidcKeys = schema.Object("Signing in to the pages by an OpenID provider. Nobody is shown anything then who has not signed in, or proven who they are by a password, a certificate, a trusted proxy or a token that may read. The address to come back to, to be registered there, is --web.external-url with /login/callback.",
		schema.Need("issuer", schema.Text("The provider.", schema.AddressForm, "https://login.example.com/realms/sre")),
		schema.Need("client_id", schema.Text("What slowburn is called there.", schema.NotBlank, "slowburn")),
		schema.Need("client_secret_file", schema.Text("A file with the client secret; the cookies are sealed by it, too. While it is changed, two secrets, the newer one in the first line.", schema.NotBlank)),
		schema.May("scopes", schema.Texts("What is asked for beside `openid`.", maxEntries, "email", "groups").Standard([]string{"email", "profile"})),
		schema.May("user_claim", schema.Text("The claim with the name, which the audit log has as `oidc NAME`. A mail address must be verified.", schema.NotBlank).Standard(defaultUserClaim)),
		schema.May("groups_claim", schema.Text("The claim with the groups.", schema.NotBlank).Standard(defaultGroupsClaim)),
		schema.May("allowed_domains", schema.Texts("Who may sign in: people whose name ends in @ and one of these. `*` is everybody.", maxEntries, "example.com").Or("all, if there are allowed groups")),
		schema.May("allowed_groups", schema.Texts("Who may sign in: people in one of these groups. Of both lists, if there are both.", maxEntries, "sre").Or("all, if there are allowed domains")),
		schema.May("session", schema.Ref("duration", "How long a session lasts.").Standard(slo.ShortDuration(defaultSession))),
	).AtStart()

	slackKeys = schema.Object("How messages reach people. Without a token and a webhook nothing is posted.",
		schema.May("channel", schema.Text("The channel, in quotes, of services that name none of their own.", slo.ChannelForm).Standard(defaultChannel)),
		schema.May("api_url", schema.Text("The address of Slack's API.", schema.AddressForm).Standard(defaultSlackAPI)),
		schema.May("bot_token_file", schema.Text("A file with the bot token.", schema.NotBlank).Or("`SLACK_BOT_TOKEN`")),
		schema.May("app_token_file", schema.Text("A file with the app token (xapp-…), by which buttons and /slowburn work without being reachable from outside: Socket Mode.", schema.NotBlank).Or("`SLACK_APP_TOKEN`")),
		schema.May("signing_secret_file", schema.Text("A file with the signing secret, by which buttons and /slowburn work over HTTPS. While it is changed, two secrets, one in a line.", schema.NotBlank).Or("`SLACK_SIGNING_SECRET`")),
		schema.May("may_act", mayActKeys),
		schema.May("webhook_url_file", schema.Text("A file with the address of an incoming webhook, instead of a token: messages are posted and never updated.", schema.NotBlank)),
	)

	mayActKeys = schema.Object("Who may act by buttons. Others get an answer that only they see. Without it everybody of the workspace may, and of the organisation on Enterprise Grid.",
		schema.May("groups", schema.Texts("User groups, by their IDs. It takes the scope usergroups:read.", maxEntries, "S0123ABC")),
		schema.May("users", schema.Texts("People, by their IDs.", maxEntries, "U0123ABC")),
	)

	tracesKeys = schema.Object("How traces are shown that stand for a burn.",
		schema.Need("url", traceKey()),
	)

	reportKeys = schema.Object("A report.",
		schema.Need("name", schema.Text("Keeps a report from being sent twice, so no two have the same.", schema.NotBlank, "weekly")),
		schema.Need("schedule", schema.Text("When, "+crontime.Form+".", schema.NotBlank, "0 9 * * MON")),
		schema.May("timezone", file.ZoneKey("The time zone of the schedule and of the period.")),
		schema.May("channel", schema.Text("Where to.", slo.ChannelForm, "#reliability-leads").Or("the default channel")),
		schema.May("team", schema.Text("Only the SLOs of this owner.", schema.NotBlank, "payments").Or("all of them")),
		schema.May("period", schema.Choice("What the report is about.", string(slo.Week), string(slo.Month), string(slo.Quarter)).Or("taken from the name or the schedule")),
	)

	postmortemsKeys = schema.Object("Where postmortems are kept as Markdown files. Without it drafts are made on demand.",
		schema.Need("path", schema.Text("The folder into which required drafts are written, and from which status and action items are read back.", schema.NotBlank, "postmortems/")),
		schema.May("template", schema.Text("A file with the house's own template.", schema.NotBlank).Or("slowburn's own")),
	)

	policyKeys = schema.Object("The error-budget policy, which `slowburn gate` and the API answer by. Without it there is none, and the gate is unknown. `{}` takes the defaults.",
		schema.May("caution_below", cautionKey().Standard("25%")),
		schema.May("freeze_below", freezeKey().Standard("0%")),
		schema.May("thaw_margin", thawKey().Standard("5%")),
		schema.May("postmortem_at", file.PercentKey("An incident that took more of a four-week budget needs a postmortem.").Standard("20%")),
		schema.May("open_page", schema.Choice("What an open page makes of the gate, however much budget is left.", string(alerting.GateCaution), openPageFreeze, openPageIgnore).Standard(string(alerting.GateCaution))),
		schema.May("stale_after", schema.Ref("duration", "How old the newest data may be; after that the verdict is unknown.").Standard("15m")),
		schema.May("exempt_at_most", schema.Ref("duration", "How long an exemption may last.").Standard(slo.ShortDuration(alerting.LongestExemption))),
		schema.May("four_eyes", schema.List("Acts that take effect only when a second person has approved them, who proves another identity.", maxEntries, schema.Choice("", fourEyesKinds...)).Or("none")),
		schema.May("approve_within", schema.Ref("duration", "How long such an act waits for approval.").Standard(slo.ShortDuration(alerting.ApproveWithin))),
		schema.May("notify", notifyKeys),
		schema.May("services", schema.List("Services with limits of their own.", maxEntries, serviceLimitsKeys)),
	)

	notifyKeys = schema.Object("Who is told when a gate freezes and thaws.",
		schema.May("channel", schema.Text("Where to.", slo.ChannelForm, "#releases").Or("the service's own channel")),
		schema.May("mention", file.MentionKey("Who is notified.").Or("nobody")),
	)

	serviceLimitsKeys = schema.Object("Limits of a service.",
		schema.Need("service", schema.Text("The service that these limits are for.", schema.NotBlank, "checkout")),
		schema.May("caution_below", cautionKey().Or("as for the others")),
		schema.May("freeze_below", freezeKey().Or("as for the others")),
		schema.May("thaw_margin", thawKey().Or("as for the others")),
	)

	signalsKeys = schema.Object("Additions to the catalogue of golden signals.",
		schema.May("sources", signals.Keys()),
	)
)

// fourEyesKinds are the names of the acts for which two people may be asked for.
var fourEyesKinds = func() (all []string) {
	for _, kind := range alerting.FourEyesKinds {
		all = append(all, string(kind))
	}
	return all
}()

func rightsKey(doc string) *schema.Schema {
	return schema.List(doc, maxEntries, schema.Choice("", TokenRights...))
}

func servicesKey(doc string) *schema.Schema {
	return schema.Texts(doc, maxEntries, "checkout", "pay-*").Or("all of them")
}

// ours finds a line by which a text is known for a configuration, in block or in flow style.
var ours = regexp.MustCompile(`(?m)^[{\s]*["']?(?:` + strings.Join(configKeys.Keys(), "|") + `)["']?\s*:(?:\s|$)`)

// plainKeys are the keys whose values are shown beside what is wrong, and mapKeys those of the maps
// around them. Addresses are not shown, since many are secrets themselves, nor what the HTTP client
// takes, nor the names of files, where people write the secret itself by mistake.
var plainKeys, mapKeys = plainBelow(configKeys)

func plainBelow(s *schema.Schema) (plain, maps []string) {
	for name, value := range s.Properties {
		if name == "postgres" || strings.HasSuffix(name, "_file") || slices.Contains(httpNames, name) || takesAddress(value) {
			continue
		}
		below, around := plainBelow(value)
		if len(below) > 0 {
			maps = append(maps, name)
		} else {
			plain = append(plain, name)
		}
		plain, maps = append(plain, below...), append(maps, around...)
	}
	parts := slices.Concat(s.AnyOf, s.OneOf)
	if s.Items != nil {
		parts = append(parts, s.Items)
	}
	for _, part := range parts {
		below, around := plainBelow(part)
		plain, maps = append(plain, below...), append(maps, around...)
	}
	return plain, maps
}

// takesAddress reports whether the value is a web address.
func takesAddress(s *schema.Schema) bool {
	return s.Pattern == schema.AddressForm || slices.ContainsFunc(s.AllOf, takesAddress)
}

// Schema describes slowburn.yaml.
func Schema() *schema.Schema {
	s := *configKeys
	return s.Root("config.json", "slowburn configuration", map[string]*schema.Schema{"duration": schema.Duration()})
}

func cautionKey() *schema.Schema {
	return file.PercentKey("Be careful while less of the budget is left.")
}

func freezeKey() *schema.Schema {
	return file.PercentKey("Release nothing but repairs while less of the budget is left.")
}

func thawKey() *schema.Schema {
	return file.PercentKey("How far above a line the budget must come back before the line is left behind.")
}

func concurrencyKey() *schema.Schema {
	return schema.Either("How many queries may run at once.",
		&schema.Schema{Type: "integer", Minimum: schema.Number(1), Maximum: schema.Number(1000)}, schema.Form(`^\+?0*([1-9]\d{0,2}|1000)$`))
}

func traceKey() *schema.Schema {
	s := schema.Form(schema.AddressForm, `\{trace_id\}`).Such("https://jaeger.example.com/trace/{trace_id}")
	s.Description = "The address of a trace, with {trace_id} where its ID goes."
	return s
}

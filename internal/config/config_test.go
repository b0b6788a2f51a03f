package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// parsed returns a configuration of /etc/slowburn that must be good.
func parsed(t *testing.T, text string) Config {
	t.Helper()
	cfg, err := Parse("/etc/slowburn/slowburn.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestWhatIsNotWrittenIsTheDefault(t *testing.T) {
	for _, text := range []string{"{}\n", "slos: [slos/] # the default\n", "prometheus: {}\nslack: {}\nstore: {}\nreports: []\n"} {
		cfg := parsed(t, text)
		want := []any{"http://127.0.0.1:9090", 30 * time.Second, 8, "/etc/slowburn/data/slowburn.db", "#reliability", "https://slack.com/api/", 0}
		got := []any{cfg.Prometheus.URL, cfg.Prometheus.Timeout, cfg.Prometheus.Concurrency, cfg.StorePath, cfg.Slack.Channel, cfg.Slack.APIURL, len(cfg.Reports)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		if got := cfg.Abs(cfg.SLOs[0]); got != "/etc/slowburn/slos" {
			t.Errorf("%q: SLO files are read from %s", text, got)
		}
	}
}

func TestRelativePathsStartAtTheFile(t *testing.T) {
	cfg := parsed(t, `
prometheus:
  authorization: {credentials_file: secrets/token}
  tls_config: {ca_file: ca.pem, cert_file: /abs/cert.pem, key_file: key.pem}
store: {path: ../var/slowburn.db}
slack: {bot_token_file: secrets/bot, webhook_url_file: /run/secrets/webhook}
`)
	got := []string{
		cfg.Prometheus.HTTP.Authorization.CredentialsFile, cfg.Prometheus.HTTP.TLSConfig.CAFile, cfg.Prometheus.HTTP.TLSConfig.CertFile,
		cfg.StorePath, cfg.Slack.BotTokenFile, cfg.Slack.WebhookFile,
	}
	want := []string{
		"/etc/slowburn/secrets/token", "/etc/slowburn/ca.pem", "/abs/cert.pem",
		"/etc/var/slowburn.db", "/etc/slowburn/secrets/bot", "/run/secrets/webhook",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHTTPSettingsAreThoseOfThePrometheusFamily(t *testing.T) {
	cfg := parsed(t, `
prometheus:
  url: https://mimir.example.com/prometheus
  timeout: 1m30s
  concurrency: 2
  basic_auth: {username: ana, password_file: secrets/password}
  http_headers: {X-Scope-OrgID: {values: [shop]}}
  proxy_url: http://proxy.example.com:3128
  follow_redirects: false
`)
	p := cfg.Prometheus
	if p.URL != "https://mimir.example.com/prometheus" || p.Timeout != 90*time.Second || p.Concurrency != 2 {
		t.Errorf("got %+v", p)
	}
	if p.HTTP.BasicAuth == nil || p.HTTP.BasicAuth.PasswordFile != "/etc/slowburn/secrets/password" || string(p.HTTP.BasicAuth.Username) != "ana" {
		t.Errorf("basic_auth is %+v", p.HTTP.BasicAuth)
	}
	if h := p.HTTP.HTTPHeaders; h == nil || !slices.Equal(h.Headers["X-Scope-OrgID"].Values, []string{"shop"}) {
		t.Errorf("http_headers are %+v", h)
	}
	if p.HTTP.ProxyURL.Host != "proxy.example.com:3128" || p.HTTP.FollowRedirects || !p.HTTP.EnableHTTP2 {
		t.Errorf("got %+v", p.HTTP)
	}
}

func TestReports(t *testing.T) {
	cfg := parsed(t, `
reports:
  - {name: weekly, schedule: "0 9 * * MON", timezone: Europe/Berlin, channel: "#leads"}
  - {name: board, schedule: "0 8 1 * *", period: month}
`)
	schedules, channels := cfg.Schedules()
	if len(schedules) != 2 || schedules[0].Zone.String() != "Europe/Berlin" || schedules[1].Kind != "month" {
		t.Errorf("got %+v", schedules)
	}
	if diff := cmp.Diff(map[string]string{"weekly": "#leads", "board": ""}, channels); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsWrongWithAConfiguration(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", `the file is empty`},
		{"only comments", "# nothing\n", `the file is empty`},
		{"a key nobody knows", "promethius: {}", `1:1: unknown key "promethius"`},
		{"a key twice", "slos: [a]\nslos: [b]", `2:1: `},
		{"a second document", "slos: [a]\n---\nslos: [b]", `3:1: there is a second document`},
		{"a number where a list is", "slos: 3", `1:7: `},
		{"SLO files as text", "slos: slos/", `1:7: slos must be a list`},
		{"no duration", "prometheus: {timeout: 30}", `1:23: `},
		{"no time at all", "prometheus: {timeout: 0s}", `1:23: `},
		{"less than no time", "prometheus: {timeout: -5s}", `1:23: `},
		{"nobody at work", "prometheus: {concurrency: 0}", `1:27: `},
		{"too many at work", "prometheus: {concurrency: 1000000}", `1:27: `},
		{"a URL without a scheme", "prometheus: {url: 127.0.0.1:9090}", `1:19: `},
		{"a file as URL", "prometheus: {url: 'file:///etc/passwd'}", `1:19: url cannot be an address with file:`},
		{"a password in the URL", "prometheus: {url: 'http://a:b@c'}", `1:19: url holds a user name or password, which everybody would see`},
		{"traces without a place for the ID", "traces: {url: 'https://t.example/'}", `1:15: url does not say where the ID of the trace goes`},
		{"a password in Slack's URL", "slack: {api_url: 'http://a:b@c'}", `1:18: api_url holds a user name or password`},
		{"two ways to log in", "prometheus: {bearer_token: x, basic_auth: {username: ana}}", `at most one of`},
		{"a password and a file of it", "prometheus: {basic_auth: {username: ana, password: x, password_file: y}}", `at most one of`},
		{"an unknown TLS setting", "prometheus: {tls_config: {insecure: true}}", `1:27: unknown key "insecure"`},
		{"two stores", "store: {path: a, postgres_file: dsn}", `1:33: the address of PostgreSQL is given beside another place of the store`},
		{"a PostgreSQL beyond a network without TLS", "store: {postgres: 'postgres://slowburn@db/slowburn'}", `1:19: the address of PostgreSQL is of no use: the connection would not be protected`},
		{"no address at all", "store: {postgres: 'port=none'}", `1:19: the address of PostgreSQL is of no use`},
		{"a password in the address", "store: {postgres: 'postgres://a:hunter2@127.0.0.1/x'}", `1:19: the address of PostgreSQL holds a password`},
		{"a password among the keys", "store: {postgres: 'host=/run user=a password=hunter2'}", `1:19: the address of PostgreSQL holds a password`},
		{"a report without a name", `reports: [{schedule: "0 9 * * MON"}]`, `name is missing`},
		{"a report without a time", `reports: [{name: weekly}]`, `schedule is missing`},
		{"a day that never comes", `reports: [{name: x, schedule: "0 9 31 2 *"}]`, `never runs`},
		{"seconds in a schedule", `reports: [{name: x, schedule: "0 0 9 * * MON"}]`, `schedule`},
		{"an interval as schedule", `reports: [{name: x, schedule: "@every 1h"}]`, `@every has no fixed time of day`},
		{"an unknown zone", `reports: [{name: x, schedule: "0 9 * * MON", timezone: Mars/North}]`, `1:56: timezone "Mars/North" is not known`},
		{"an unknown period", `reports: [{name: x, schedule: "0 9 * * MON", period: decade}]`, `1:54: period cannot be "decade"`},
		{"a channel with a space", `slack: {channel: "reliability ops"}`, `1:18: "reliability ops" is not a channel`},
		{"a report's channel", `reports: [{name: x, schedule: "0 9 * * MON", channel: "not a channel"}]`, `1:55: "not a channel" is not a channel`},
		{"a route's channel", `routes: [{to: [slack], channel: "third wrong channel"}]`, `1:33: "third wrong channel" is not a channel`},
		{"a policy's channel", `policy: {notify: {channel: "also not one"}}`, `1:28: "also not one" is not a channel`},
		{"somebody whom Slack does not know", `policy: {notify: {mention: ["@oncall"]}}`, `1:29: "@oncall" mentions nobody`},
		{"a mention that is too long", `policy: {notify: {mention: <@U` + strings.Repeat("A", 31) + `>}}`, `mentions nobody`},
		{"everybody in Slack", `policy: {notify: {mention: "<!everyone>"}}`, `1:28: "<!everyone>" mentions nobody`},
		{"more mentions than a message takes", `policy: {notify: {mention: [` + strings.Repeat("<!here>,", 12) + `]}}`, `at most 10`},
		{"a share that is none", `policy: {freeze_below: 120%}`, `1:24: freeze_below cannot be above 100%`},
		{"two reports of a name", `reports: [{name: x, schedule: "0 9 * * MON"}, {name: x, schedule: "0 8 * * MON"}]`, `there are two reports named "x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("slowburn.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
			if !strings.HasPrefix(err.Error(), "slowburn.yaml:") {
				t.Errorf("the place is missing: %v", err)
			}
		})
	}
}

// TestCredentialsInClearAreTold: what proves who asks and goes to another machine by http:// is a
// warning at its key, without the secret; the configuration can be used.
func TestCredentialsInClearAreTold(t *testing.T) {
	const none = ""
	for _, c := range []struct{ name, text, want string }{
		{"a password", "prometheus: {url: 'http://metrics.example.com:9090', basic_auth: {username: ana, password: canary}}", `1:66: warning: basic_auth is sent to metrics.example.com:9090 without encryption`},
		{"a bearer token", "prometheus: {url: 'http://10.0.0.7', authorization: {credentials_file: canary}}", `1:53: warning: authorization is sent to 10.0.0.7 without`},
		{"a bearer token in the old spelling", "prometheus: {url: 'http://10.0.0.7', bearer_token: canary}", `warning: bearer_token is sent to 10.0.0.7 without`},
		{"a header that is secret", "prometheus: {url: 'http://10.0.0.7', http_headers: {X-Key: {secrets: [canary]}}}", `warning: http_headers is sent`},
		{"the secret of a client", "prometheus: {url: 'https://m.example.com', oauth2: {client_id: a, client_secret: canary, token_url: 'http://login.example.com/token'}}", `warning: oauth2 is sent to login.example.com without`},
		{"to an Alertmanager", "alertmanagers: [{url: 'http://alerts.example.com', basic_auth: {username: ana, password_file: canary}}]", `warning: basic_auth is sent to alerts.example.com without`},
		{"to a webhook", "webhooks: [{url: 'http://hooks.example.com/x', authorization: {credentials: canary}}]", `warning: authorization is sent to hooks.example.com without`},
		{"by https", "prometheus: {url: 'https://metrics.example.com', basic_auth: {username: ana, password: canary}}", none},
		{"on this machine", "prometheus: {url: 'http://127.0.0.1:9090', basic_auth: {username: ana, password: canary}}", none},
		{"on this machine, by name and IPv6", "prometheus: {url: 'http://localhost:9090', bearer_token: canary}\nwebhooks: [{url: 'http://[::1]/x', bearer_token: canary}]", none},
		{"a tenant is no secret", "prometheus: {url: 'http://10.0.0.7', http_headers: {X-Scope-OrgID: {values: [shop]}}}", none},
		{"no credentials", "prometheus: {url: 'http://10.0.0.7'}", none},
	} {
		cfg, err := Parse("slowburn.yaml", []byte(c.text))
		if got := cfg.Warnings.Error(); err != nil || !strings.Contains(got, c.want) || (got == none) != (c.want == none) || strings.Contains(got, "canary") {
			t.Errorf("%s: %v, %q, want %q", c.name, err, got, c.want)
		}
	}
}

func TestAReportIsToldWhatIsWrongWithItOnce(t *testing.T) {
	_, err := Parse("slowburn.yaml", []byte("reports: [{}]"))
	problems, ok := err.(strictyaml.Problems)
	if !ok || len(problems) != 2 {
		t.Errorf("want that name and schedule are missing, got %v", err)
	}
}

// What is sound of a bad configuration is used by check, to find the SLO files.
func TestWhatIsSoundOfABadConfigurationIsKept(t *testing.T) {
	cfg, err := Parse("/etc/slowburn.yaml", []byte("slos: [elsewhere/]\nslok: {}\n"))
	if err == nil || !slices.Equal(cfg.SLOs, []string{"elsewhere/"}) || cfg.Dir != "/etc" {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

func TestNoSecretOfAConfigurationIsShown(t *testing.T) {
	for _, text := range []string{
		"prometheus: {basic_auth: {username: ana, pasword: canary}}",
		"prometheus:\n  basic_auth:\n    pass_word: canary\n",
		"prometheus: {bearer_token: canary, bearer_token_file: x}",
		"prometheus: {url: 'http://ana:canary@127.0.0.1'}",
		"prometheus: {url: 'canary://ana:canary@127.0.0.1'}",
		"slack: {bot_token: xoxb-canary}",
		"slack: {token: xoxb-canary}",
		"slack: {webhook_url: 'https://hooks.slack.com/services/canary'}",
		"slack_bot_token: xoxb-canary",
		"prometheus: {http_headers: {Authorization: {secret: canary}}}",
		"prometheus: {oauth2: {client_secret: canary, client_secret_file: x}}",
		"store: {postgres: 'postgres://slowburn:canary@127.0.0.1/x'}",
		"store: {path: x, postgres: 'postgres://slowburn:canary@127.0.0.1/x'}",
		"store:\n  postgres: 'host=/run password=canary'\n",
		"store: {postgres: 'postgres://slowburn:canary:5432/x'}",
		"store: {postgres: 'postgres://slowburn:canary@127.0.0.1:x/x'}",
		"store: {postgres: 'host=/run passwort=canary port=x'}",
		"webhooks: [{url: 'https://hooks.slack.com/services/T0/B0/canary', nam: x}]",
		"webhooks: [{nam: x, url: https://hooks.slack.com/services/T0/B0/canary}]",
		"heartbeat: {url: 'https://hc-ping.com/canary', x: 1}",
		"heartbeat:\n  url: https://hc-ping.com/canary\n  interval: [1]\n  url_file: x\n",
		"prometheus:\n  basic_auth:\n    username: ana\n    password:\n      - canary\n",
		"prometheus:\n  basic_auth:\n    username: ana\n    password: [\n      canary]\n",
		"prometheus:\n  bearer_token: >\n    first\n    canary: x\n  timeout: x\n",
		"prometheus:\n  bearer_token: \"first\n    canary\n  timeout: 1s\n",
		"slack: {channel: \"#a, bot_token: \"xoxb-canary\"}",
		"slack: {bot_token_file: canary, bot_token_file: x}",
		"slack: {bot_token_file: [canary]}",
		"slack: {bot_token_file: {canary}}",
		"slack: {bot_token_file: 12345678, channel: 1} # canary",
		"pagerduty: {routing_key_file: x, key: first,canary2}",
		"prometheus: {http_headers: {channel: {values: [canary], x: 1}}}",
		"prometheus: {authorization: {credentials: canary}, oauth2: {endpoint_params: {path: canary}, y: 1}}",
		"prometheus: {tls_config: {cert: |\n  canary}}",
		"? canary\n: prometheus\nslack: 1\n",
		"slack: {channel: #canary\n",
		"slack: *canary\n",
		"canary",
		"first: canary\nsecond:\tcanary\n\tx",
	} {
		_, err := Parse("slowburn.yaml", []byte(text))
		if err == nil {
			t.Errorf("%s was taken", text)
		} else if shown := strings.ReplaceAll(err.Error(), "canary:", ""); strings.Contains(shown, "canary") {
			t.Errorf("%s\nis shown as: %v", text, err)
		}
	}
}

// hostFile makes a file that is nobody's business, and a folder beside it.
func hostFile(t *testing.T) (dir, secret string) {
	t.Helper()
	dir = t.TempDir()
	secret = filepath.Join(dir, "secret.yaml")
	write(t, secret, "password: canary\nversion: canary-99\n")
	return dir, secret
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

const goodSLO = "version: slowburn/v1\nservice: shop\nslos: [{name: pay, objective: 99, sli: {events: {total: 'a_total', bad: 'b_total'}}}]\n"

func TestAMountedConfigMapIsRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "slos/..2026_11_29/shop.yaml"), goodSLO)
	write(t, filepath.Join(dir, "slos/.github/workflows/ci.yml"), "on: push\n")
	link(t, "..2026_11_29", filepath.Join(dir, "slos/..data"))
	link(t, "..data/shop.yaml", filepath.Join(dir, "slos/shop.yaml"))
	for _, path := range []string{"slos/", "slos/*.yaml", "slos/shop.yaml", "."} {
		set, err := (&Config{SLOs: []string{path}, Dir: dir}).LoadSet()
		if err != nil || len(set.Specs) != 1 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestLinksReadNoFileOfTheHost(t *testing.T) {
	dir, secret := hostFile(t)
	for name, to := range map[string]string{"a": secret, "b": "../secret.yaml", "c": "/proc/self/environ", "d": "/dev/zero", "e": "/etc/passwd"} {
		folder := filepath.Join(dir, name)
		write(t, filepath.Join(folder, "good.yaml"), goodSLO)
		link(t, to, filepath.Join(folder, "x.yaml"))
		for _, c := range []Config{
			{SLOs: []string{folder}},
			{SLOs: []string{folder + "/*.yaml"}},
			{SLOs: []string{folder + "/x.yaml"}},
			{SLOs: []string{folder + "/good.yaml"}, Corrections: []string{folder + "/x.yaml"}},
		} {
			_, err := c.LoadSet()
			if err == nil || !strings.Contains(err.Error(), "x.yaml: is a link that leads out of its folder") || strings.Contains(err.Error(), "canary") {
				t.Errorf("a link to %s: %v", to, err)
			}
		}
		cfg := filepath.Join(folder, "slowburn.yaml")
		write(t, cfg, "postmortems: {path: "+folder+", template: x.yaml}")
		if _, err := Load(cfg); err == nil || !strings.Contains(err.Error(), "leads out of its folder") {
			t.Errorf("a template that is a link to %s: %v", to, err)
		}
	}
}

func TestNoWordOfWhatIsNoSLOFileIsShown(t *testing.T) {
	for name, text := range map[string]string{
		"a token": "canary-99\n", "a shadow file": "root:canary:20228:0:99999:7:::\ndaemon:*:1:\n", "a key": "-----BEGIN KEY-----\ncanary\n",
		"an environment": "MYSECRET=canary\x00SHELL=/bin/sh\n", "values of a chart": "version: canary\ndb: {password: canary}\n",
		"a secret of Kubernetes": "apiVersion: v1\nkind: Secret\ndata: {x: canary}\n", "a tag": "!canary x\n", "an alias": "*canary\n", "an anchor": "&canary x\n",
		"a broken one": "a: 'canary\n",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "slowburn.yaml"), text)
		write(t, filepath.Join(dir, "slos/x.yaml"), text)
		_, err := (&Config{SLOs: []string{"slos"}, Dir: dir}).LoadSet()
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), " | ") {
			t.Errorf("%s as an SLO file: %v", name, err)
		}
		if _, err := Load(filepath.Join(dir, "slowburn.yaml")); err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), " | ") {
			t.Errorf("%s as a configuration: %v", name, err)
		}
	}
}

func FuzzConfigurationNeverPanics(f *testing.F) {
	f.Add([]byte("prometheus: {url: http://a}\nslos: [x]\nreports: [{name: a, schedule: '0 9 * * *'}]"))
	f.Add([]byte("prometheus: {pasword: x}"))
	f.Add([]byte("- \xff\n? [a]\n: b"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = Parse(filepath.Join("a", "slowburn.yaml"), data) })
}

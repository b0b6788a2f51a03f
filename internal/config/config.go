package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/folder"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// Config is slowburn.yaml. The zero Config is filled by defaults; nothing in it is changed after
// loading.
type Config struct {
	Prometheus Prometheus
	SLOs       []string // files, folders and globs
	StorePath  string
	Postgres   Postgres // instead of StorePath, if it is given
	Web        Web
	Slack      Slack
	TraceURL   string // of a trace, with {trace_id} in it; "" makes no links
	Reports    []Report
	Receivers  []Receiver // beside Slack
	Routes     []Route
	Fallback   Fallback
	Drill      Drill
	Heartbeat  Heartbeat
	Reviews    Reviews
	Policy     *alerting.Policy // nil is none

	Corrections []string // files, folders and globs

	Signals signals.Catalogue // the built-in sources of golden signals with the house's own

	Warnings strictyaml.Problems // about the file: it can be used, and somebody should look at it

	Dir   string // of the file; relative paths start here
	file  string
	paths map[string]strictyaml.Value // where the entries of slos and corrections stand
}

// Postgres says which PostgreSQL is the store. It is read when it is opened: the file with the
// password need not be there when the configuration is checked.
type Postgres struct {
	Address string
	File    string
}

// Given reports whether the store is a PostgreSQL.
func (p Postgres) Given() bool { return p != Postgres{} }

// Read returns the address, with its password.
func (p Postgres) Read() (string, error) {
	if p.File == "" {
		return p.Address, nil
	}
	address, err := folder.ReadSecret(p.File)
	if err != nil {
		return "", fmt.Errorf("the address of PostgreSQL: %s %w", p.File, err)
	}
	return address, nil
}

// Report is a report that is sent on schedule.
type Report struct {
	report.Schedule
	Channel string // "" is Slack's default channel
}

// Reviews says where postmortems are kept as files.
type Reviews struct {
	Path     string // a folder; "" keeps none
	Template string // the text of the house's own template, "" for the usual one
}

// Prometheus says where the metrics are.
type Prometheus struct {
	URL         string
	Timeout     time.Duration
	MaxLateness time.Duration // how long an overdue sample is waited for at most
	Concurrency int
	HTTP        promconfig.HTTPClientConfig
}

// Beside returns the same server, asked with a part of the requests at a time and for small
// answers.
func (p Prometheus) Beside() Prometheus {
	p.Concurrency = max(p.Concurrency/2, 1)
	return p
}

// Slack says how messages reach people. Without a token and a webhook nothing is sent, and the log
// and the web pages say so.
type Slack struct {
	Channel      string
	APIURL       string
	BotTokenFile string
	AppTokenFile string // opens Socket Mode
	SigningFile  string // holds the secrets that signed requests are checked with
	WebhookFile  string
	MayAct       MayAct
}

// MayAct says who may act in Slack: people and members of user groups, by their IDs. Nobody at all
// is everybody of the workspace.
type MayAct struct{ Users, Groups []string }

// Works reports whether there is a way to Slack.
func (s Slack) Works(getenv func(string) string) bool {
	return s.BotTokenFile != "" || s.WebhookFile != "" || getenv("SLACK_BOT_TOKEN") != ""
}

// The defaults of the configuration.
const (
	defaultPrometheusURL = "http://127.0.0.1:9090"
	defaultTimeout       = 30 * time.Second
	defaultMaxLateness   = 15 * time.Minute
	defaultConcurrency   = 8
	defaultStorePath     = "data/slowburn.db"
	defaultSlackAPI      = "https://slack.com/api/"
	defaultChannel       = "#reliability"
)

func defaults(dir string) Config {
	return Config{
		Prometheus: Prometheus{
			URL: defaultPrometheusURL, Timeout: defaultTimeout, MaxLateness: defaultMaxLateness, Concurrency: defaultConcurrency,
			HTTP: promconfig.DefaultHTTPClientConfig,
		},
		SLOs:      []string{"slos/"},
		StorePath: filepath.Join(dir, defaultStorePath),
		Slack:     Slack{Channel: defaultChannel, APIURL: defaultSlackAPI},
		Fallback:  Fallback{After: defaultFallback},
		Drill:     Drill{Wait: defaultDrillWait},
		Signals:   signals.Default(),
		Dir:       dir,
	}
}

// Schedules returns the reports without where they go, and where each of them goes, by name.
func (c Config) Schedules() ([]report.Schedule, map[string]string) {
	var all []report.Schedule
	channels := map[string]string{}
	for _, r := range c.Reports {
		all = append(all, r.Schedule)
		channels[r.Name] = r.Channel
	}
	return all, channels
}

// Load reads the configuration. Its error holds every problem of the file at once; what is sound of
// the file is returned beside it, so that check can go on to the SLO files.
func Load(path string) (Config, error) {
	data, err := folder.ReadOwn(path, strictyaml.MaxSize)
	if err != nil {
		return defaults(filepath.Dir(path)), fmt.Errorf("reading the configuration: %s: %w (name another with --config.file)", path, err)
	}
	return Parse(path, data)
}

// Parse reads the text of a configuration; path names it in problems, and relative paths start at
// its folder.
func Parse(path string, data []byte) (Config, error) {
	cfg := defaults(filepath.Dir(path))
	cfg.file = path
	parsed := strictyaml.Parse(path, data, strictyaml.Options{Ours: ours.MatchString, Plain: plainKeys, Maps: mapKeys})
	switch {
	case len(parsed.Documents) == 0:
	case parsed.Foreign() && !resembles(parsed.Documents[0]):
		parsed.Documents[0].Problem("this is no configuration of slowburn: none of its keys begins a line", "it has keys such as prometheus, slos and slack; see docs/configuration.md")
	default:
		if o, ok := parsed.Documents[0].Object(configKeys.Keys()...); ok {
			cfg.read(o)
		}
	}
	cfg.Warnings = parsed.Problems()
	return cfg, cfg.Warnings.Err()
}

// postgresProblem begins every problem with the address of PostgreSQL.
const postgresProblem = "the address of PostgreSQL"

// resembles reports whether a document has a key that may be one of ours, misspelt, or no key at
// all.
func resembles(doc strictyaml.Value) bool {
	return doc.Empty() || slices.ContainsFunc(keysOf(doc), func(key string) bool {
		return strictyaml.Nearest(key, configKeys.Keys()) != ""
	})
}

func (c *Config) read(o strictyaml.Object) {
	c.readPrometheus(o.Get("prometheus"))
	if v := o.Get("slos"); v.Given() {
		c.SLOs = c.readPaths(v)
	}
	if v := o.Get("corrections"); v.Given() {
		c.Corrections = c.readPaths(v)
	}
	c.readStore(o.Get("store"))
	c.readWeb(o.Get("web"))
	c.readSlack(o.Get("slack"))
	c.readTraces(o.Get("traces"))
	c.readReports(o.Get("reports"))
	c.readReceivers(o)
	if s, ok := o.Get("signals").Object(signalsKeys.Keys()...); ok {
		c.Signals = c.Signals.With(signals.Read(s.Get("sources")))
	}
	c.readReviews(o.Get("postmortems"))
	c.readPolicy(o.Get("policy"))
}

func (c *Config) readStore(v strictyaml.Value) {
	o, ok := v.Object(storeKeys.Keys()...)
	if !ok {
		return
	}
	if text, ok := o.Get("path").Text(); ok {
		c.StorePath = c.Abs(text)
	}
	if text, ok := o.Get("postgres_file").Text(); ok {
		c.Postgres.File = c.Abs(text)
	}
	if text, ok := o.Get("postgres").Text(); ok {
		c.Postgres.Address = text
		var wrong *store.Error
		if store.HoldsPassword(text) {
			o.Get("postgres").Problem(postgresProblem+" holds a password, which everybody would see", "write the address into a file of its own, and name that with postgres_file")
		} else if errors.As(store.CheckAddress(text), &wrong) {
			o.Get("postgres").Problem(postgresProblem+" is of no use: "+wrong.Err.Error(), wrong.Hint)
		}
	}
	path, address, addressFile := o.Get("path").Given(), o.Get("postgres"), o.Get("postgres_file")
	const twice, keep = " is given beside another place of the store", "keep one of path, postgres and postgres_file"
	switch {
	case address.Given() && (path || addressFile.Given()):
		address.Problem(postgresProblem+twice, keep)
	case addressFile.Given() && path:
		addressFile.Problem(postgresProblem+twice, keep)
	}
}

func (c *Config) readReviews(v strictyaml.Value) {
	o, ok := v.Object(postmortemsKeys.Keys()...)
	if !ok {
		return
	}
	if text, ok := o.Need("path", "the folder to write drafts into, such as postmortems/").Text(); ok {
		c.Reviews.Path = c.Abs(text)
	}
	name, ok := o.Get("template").Text()
	if !ok {
		return
	}
	text, err := folder.Read(c.Abs(name), markdown.MaxSize)
	if err == nil {
		err = postmortem.CheckTemplate(string(text))
	}
	if err != nil {
		o.Get("template").Problem("the template cannot be used: "+err.Error(), "leave it out to use slowburn's own")
		return
	}
	c.Reviews.Template = string(text)
}

func (c *Config) readPrometheus(v strictyaml.Value) {
	o, ok := v.Object(prometheusKeys.Keys()...)
	if !ok {
		return
	}
	p := &c.Prometheus
	if address, ok := file.Address(o.Get("url"), login); ok {
		p.URL = address
	}
	if d, ok := o.Get("timeout").Duration(); ok {
		p.Timeout = d
	}
	if d, ok := o.Get("max_lateness").Duration(); ok {
		p.MaxLateness = d
	}
	if n, ok := o.Get("concurrency").Int(1, 1000); ok {
		p.Concurrency = int(n)
	}
	p.HTTP = c.readHTTP(o, v)
	seeEncrypted(o, p.HTTP, p.URL)
}

// LoadHTTP reads a file of settings of the HTTP client that the Prometheus family shares. Relative
// paths in it start at its folder.
func LoadHTTP(path string) (promconfig.HTTPClientConfig, error) {
	http := promconfig.DefaultHTTPClientConfig
	data, err := folder.ReadOwn(path, strictyaml.MaxSize)
	if err != nil {
		return http, fmt.Errorf("%s: %w", path, err)
	}
	parsed := strictyaml.Parse(Shown(path), data, strictyaml.Options{Plain: []string{}})
	if len(parsed.Documents) > 0 && parsed.Documents[0].Decode(&http) {
		http.SetDirectory(filepath.Dir(path))
	}
	return http, parsed.Problems().Err()
}

// readHTTP decodes the settings that the HTTP client of the Prometheus family shares.
func (c *Config) readHTTP(o strictyaml.Object, whole strictyaml.Value) promconfig.HTTPClientConfig {
	var given []string
	for _, key := range httpNames {
		if o.Get(key).Given() {
			given = append(given, key)
		}
	}
	http := promconfig.DefaultHTTPClientConfig
	if len(given) > 0 && whole.Only(given...).Decode(&http) {
		http.SetDirectory(c.Dir)
	}
	return http
}

// Exposed is a credential that goes to another machine without TLS.
type Exposed struct {
	What string // the key of the HTTP client, or what else it is
	Host string // where it goes
}

// String says it in a sentence.
func (x Exposed) String() string {
	return fmt.Sprintf("%s is sent to %s without encryption: everybody on the way can read it", x.What, x.Host)
}

// Hint says what to do about it.
func (x Exposed) Hint() string {
	return fmt.Sprintf("reach %s by https://, or by a proxy with TLS on this machine; else leave %s out", x.Host, x.What)
}

// InClear returns what of a client's settings proves who asks and goes to another machine without
// TLS, with a password in the address and further secrets that are sent there. An address that a
// file holds is looked at when that is read.
func InClear(http promconfig.HTTPClientConfig, address string, more ...string) (all []Exposed) {
	see := func(given bool, what, address string) {
		u, err := url.Parse(address)
		if !given || err != nil || u.Host == "" {
			return
		}
		u.User = nil
		if notify.Encrypted(what, u.String()) != nil {
			all = append(all, Exposed{what, u.Host})
		}
	}
	if u, err := url.Parse(address); err == nil && u.User != nil {
		see(true, "the password of the address", address)
	}
	see(http.Authorization != nil, "authorization", address)
	see(http.BasicAuth != nil, "basic_auth", address)
	see(holdsSecrets(http.HTTPHeaders), "http_headers", address)
	if http.OAuth2 != nil {
		see(true, "oauth2", address)
		see(true, "oauth2", http.OAuth2.TokenURL)
	}
	for _, what := range more {
		see(true, what, address)
	}
	return all
}

// bearers are the older names of authorization.
var bearers = []string{"authorization", "bearer_token", "bearer_token_file"}

// seeEncrypted warns of credentials of a configuration that go to another machine without TLS.
func seeEncrypted(o strictyaml.Object, http promconfig.HTTPClientConfig, address string) {
	for _, x := range InClear(http, address) {
		if x.What == bearers[0] {
			x.What = bearers[max(0, slices.IndexFunc(bearers, func(key string) bool { return o.Get(key).Given() }))]
		}
		if o.Get(x.What).Given() {
			o.Get(x.What).Lint("credentials-in-clear", x.String(), x.Hint())
		}
	}
}

// holdsSecrets reports whether one of some headers is kept secret.
func holdsSecrets(h *promconfig.Headers) bool {
	if h == nil {
		return false
	}
	for _, header := range h.Headers {
		if len(header.Secrets)+len(header.Files) > 0 {
			return true
		}
	}
	return false
}

func (c *Config) readSlack(v strictyaml.Value) {
	o, ok := v.Object(slackKeys.Keys()...)
	if !ok {
		return
	}
	if channel, ok := file.Channel(o.Get("channel")); ok {
		c.Slack.Channel = channel
	}
	if address, ok := file.Address(o.Get("api_url"), login); ok {
		c.Slack.APIURL = strings.TrimSuffix(address, "/") + "/"
	}
	for key, path := range map[string]*string{
		"bot_token_file": &c.Slack.BotTokenFile, "app_token_file": &c.Slack.AppTokenFile,
		"signing_secret_file": &c.Slack.SigningFile, "webhook_url_file": &c.Slack.WebhookFile,
	} {
		if text, ok := o.Get(key).Text(); ok {
			*path = c.Abs(text)
		}
	}
	if v := o.Get("may_act"); v.Given() {
		m, ok := v.Object(mayActKeys.Keys()...)
		if !ok {
			return
		}
		c.Slack.MayAct = MayAct{Users: idsIn(m.Get("users"), slackUser, "U0123ABC"), Groups: idsIn(m.Get("groups"), slackGroup, "S0123ABC")}
		if m.Get("users").Empty() || m.Get("groups").Empty() || len(c.Slack.MayAct.Users)+len(c.Slack.MayAct.Groups) == 0 {
			v.Problem("may_act names nobody", "leave it out to let everybody of the workspace act")
		}
	}
}

var (
	slackUser  = regexp.MustCompile(SlackUserForm)
	slackGroup = regexp.MustCompile(SlackGroupForm)
)

// The forms of IDs of Slack.
const (
	SlackUserForm  = `^[UW][A-Z0-9]{2,30}$`
	SlackGroupForm = `^S[A-Z0-9]{2,30}$`
)

func idsIn(v strictyaml.Value, form *regexp.Regexp, such string) []string {
	ids := v.Texts(maxEntries)
	for _, id := range ids {
		if !form.MatchString(id) {
			v.Problem(fmt.Sprintf("%q is no ID of Slack", id), "such as "+such+": the profile has it, under the three dots")
		}
	}
	return ids
}

func (c *Config) readTraces(v strictyaml.Value) {
	o, ok := v.Object(tracesKeys.Keys()...)
	if !ok {
		return
	}
	if address, ok := file.Address(o.Need("url", "such as https://tempo.example.com/trace/{trace_id}"), login); ok {
		if !strings.Contains(address, "{trace_id}") {
			o.Get("url").Problem("url does not say where the ID of the trace goes", "put {trace_id} in its place")
		}
		c.TraceURL = address
	}
}

func (c *Config) readReports(v strictyaml.Value) {
	list, ok := v.List(maxEntries)
	if !ok {
		return
	}
	seen := map[string]bool{}
	for _, item := range list {
		o, ok := item.Object(reportKeys.Keys()...)
		if !ok {
			continue
		}
		name, named := o.Need("name", "such as weekly").Text()
		zone, known := file.Zone(o.Get("timezone"))
		if !known {
			zone = time.UTC // so that the schedule is looked at as well
		}
		cron, scheduled := file.Schedule(o.Need("schedule", "such as 0 9 * * MON"), zone)
		channel, _ := file.Channel(o.Get("channel"))
		period, _ := o.Get("period").OneOf(reportKeys.Choices("period")...)
		team, _ := o.Get("team").Text()
		if !named || !scheduled {
			continue
		}
		if seen[name] {
			o.Get("name").Problem(fmt.Sprintf("there are two reports named %q", name), "call one of them another: it keeps a report from being sent twice")
		}
		seen[name] = true
		schedule := report.NewSchedule(name, cron)
		if period != "" {
			schedule.Kind = slo.Calendar(period)
		}
		schedule.Team = team
		c.Reports = append(c.Reports, Report{Schedule: schedule, Channel: channel})
	}
}

func (c *Config) readPolicy(v strictyaml.Value) {
	o, ok := v.Object(policyKeys.Keys()...)
	if !ok {
		return
	}
	policy := alerting.DefaultPolicy()
	p := &policy
	p.Services = map[string]alerting.Limits{}
	c.Policy = p
	readLimits(o, &p.Limits)
	readShare(o.Get("postmortem_at"), &p.PostmortemAt)
	switch choice, _ := o.Get("open_page").OneOf(policyKeys.Choices("open_page")...); choice {
	case openPageFreeze:
		p.OpenPage = alerting.GateFrozen
	case openPageIgnore:
		p.OpenPage = ""
	}
	if d, ok := o.Get("stale_after").Duration(); ok {
		p.StaleAfter = d
	}
	readPermits(o, p)
	if n, ok := o.Get("notify").Object(notifyKeys.Keys()...); ok {
		p.Notify.Channel, _ = file.Channel(n.Get("channel"))
		p.Notify.Mention = file.Mentions(n.Get("mention"))
	}
	list, _ := o.Get("services").List(maxEntries)
	for _, item := range list {
		s, ok := item.Object(serviceLimitsKeys.Keys()...)
		if !ok {
			continue
		}
		own := p.Limits
		readLimits(s, &own)
		if name, ok := s.Need("service", "name the service that these limits are for").Text(); ok {
			p.Services[name] = own
		}
	}
}

// readPermits reads how long what the policy would stop may be let pass, and who has to say so.
func readPermits(o strictyaml.Object, p *alerting.Policy) {
	if d, ok := o.Get("exempt_at_most").Duration(); ok {
		p.ExemptAtMost = d
	}
	if d, ok := o.Get("approve_within").Duration(); ok {
		p.ApproveWithin = d
	}
	kinds, _ := o.Get("four_eyes").List(maxEntries)
	for _, item := range kinds {
		if kind, ok := item.OneOf(fourEyesKinds...); ok {
			p.FourEyes = append(p.FourEyes, alerting.ActKind(kind))
		}
	}
}

// readLimits reads the lines of a policy over those that are there.
func readLimits(o strictyaml.Object, l *alerting.Limits) {
	readShare(o.Get("caution_below"), &l.CautionBelow)
	readShare(o.Get("freeze_below"), &l.FreezeBelow)
	readShare(o.Get("thaw_margin"), &l.Thaw)
	if l.CautionBelow < l.FreezeBelow {
		o.Problem("caution_below is below freeze_below, so there would be no caution", "caution comes first: give it the larger share")
	}
}

func readShare(v strictyaml.Value, into *int64) {
	if n, ok := file.Percent(v, 0, 10000); ok {
		*into = n
	}
}

// Abs makes a path of the configuration absolute: relative ones start at the file's own folder.
func (c *Config) Abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}

// readPaths reads a list of files, folders and globs, and remembers where each stands.
func (c *Config) readPaths(v strictyaml.Value) []string {
	if c.paths == nil {
		c.paths = map[string]strictyaml.Value{}
	}
	list, _ := v.List(maxEntries)
	for _, item := range list {
		if item.IsText() {
			c.paths[item.Node().Value] = item
		}
	}
	return v.Texts(maxEntries)
}

// login is where a password belongs that stands in an address.
const login = "use basic_auth with password_file"

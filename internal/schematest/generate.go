// Package schematest makes SLO files for tests: random valid ones, and ones in which something was
// changed that may or may not make them wrong.
//
// Two laws are tried on them: what is printed is read back the same (package slo), and the JSON
// Schema accepts what the parser accepts (package internal/schema). A file is a tree whose leaves
// are YAML as it is written, so that 99.9, '99.9' and 99.9% are three different things.
package schematest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Node is a map, a list, or a leaf.
type Node struct {
	Leaf string // YAML of one line, "" for maps and lists
	Keys []string
	Kids []*Node // values of Keys, or entries of a list
	Map  bool
}

// String returns the tree as YAML in flow style, on one line.
func (n *Node) String() string {
	if n.Leaf != "" {
		return n.Leaf
	}
	parts := make([]string, len(n.Kids))
	for i, k := range n.Kids {
		parts[i] = k.String()
		if n.Map {
			parts[i] = n.Keys[i] + ": " + parts[i]
		}
	}
	if n.Map {
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Text returns the tree as a file: its keys, and the entries of lists below them, on lines of their
// own.
func (n *Node) Text() string {
	if !n.Map || len(n.Kids) == 0 {
		return n.String()
	}
	var b strings.Builder
	for i, k := range n.Kids {
		b.WriteString(n.Keys[i] + ":")
		if k.Leaf != "" || k.Map || len(k.Kids) == 0 {
			b.WriteString(" " + k.String() + "\n")
			continue
		}
		b.WriteString("\n")
		for _, e := range k.Kids {
			b.WriteString("  - " + e.String() + "\n")
		}
	}
	return b.String()
}

// Leaf makes a leaf of YAML as it is written.
func Leaf(yaml string) *Node { return &Node{Leaf: yaml} }

// List returns a list of the entries.
func List(kids ...*Node) *Node { return &Node{Kids: kids} }

// Map returns an empty map.
func Map() *Node { return &Node{Map: true} }

// With appends a key, unless the value is nil.
func (n *Node) With(key string, v *Node) *Node {
	if v != nil {
		n.Keys, n.Kids = append(n.Keys, key), append(n.Kids, v)
	}
	return n
}

// Clone returns a copy that can be changed.
func (n *Node) Clone() *Node {
	c := *n
	c.Keys = slices.Clone(n.Keys)
	c.Kids = make([]*Node, len(n.Kids))
	for i, k := range n.Kids {
		c.Kids[i] = k.Clone()
	}
	return &c
}

// Rand makes random files. The same source gives the same files.
type Rand struct{ *rand.Rand }

// New returns a Rand with a seed.
func New(seed uint64) Rand { return Rand{rand.New(rand.NewPCG(seed, 1))} }

func (r Rand) chance(percent int) bool { return r.IntN(100) < percent }

// of returns one of the leaves.
func (r Rand) of(leaves ...string) *Node { return Leaf(leaves[r.IntN(len(leaves))]) }

// maybe returns the value, or nothing.
func (r Rand) maybe(percent int, v func() *Node) *Node {
	if r.chance(percent) {
		return v()
	}
	return nil
}

// Maybe is one of the leaves, or nothing.
func (r Rand) maybeOf(percent int, leaves ...string) *Node {
	return r.maybe(percent, func() *Node { return r.of(leaves...) })
}

// some returns a list of distinct leaves, at least low of them.
func (r Rand) some(low int, leaves ...string) *Node {
	out := List()
	for _, i := range r.Perm(len(leaves))[:low+r.IntN(len(leaves)-low+1)] {
		out.Kids = append(out.Kids, Leaf(leaves[i]))
	}
	return out
}

// File returns a valid SLO file of one document.
func (r Rand) File() *Node {
	tier := r.maybeOf(30, "critical", "high_fast", "'high_slow'", "low")
	slos := List()
	for i := range 1 + r.IntN(3) {
		slos.Kids = append(slos.Kids, r.slo(fmt.Sprintf("slo-%d", i), tier != nil))
	}
	return Map().With("version", r.of("slowburn/v1", "'slowburn/v1'")).
		With("service", r.of("checkout", "a", "'123'", "'on'", "web.shop_2", "x-"+strings.Repeat("y", 98))).
		With("owner", r.maybeOf(50, "team", "'no'", `"a: b"`, "'#1'", `"two\nlines"`)).
		With("description", r.maybeOf(50, "Takes orders", "'Money, and: orders # all'", `"a\n  b\n\nc\n"`, `" lead"`, `"tab\t"`, `"a\u0085\u2028b"`)).
		With("tier", tier).
		With("links", r.maybe(40, r.links)).
		With("slack", r.maybe(40, r.slack)).
		With("signals", r.maybe(30, r.signals)).
		With("depends_on", r.maybe(30, r.dependencies)).
		With("slos", slos)
}

func (r Rand) slo(name string, tiered bool) *Node {
	n := Map().With("name", Leaf(name)).
		With("description", r.maybeOf(30, "A promise.", `"- a"`)).
		With("owner", r.maybeOf(30, "other", "team"))
	if !tiered || r.chance(50) {
		n.With("objective", r.of("99.9", "99.9%", "'99.9'", "'99.90 %'", "99", "99.99", "99.5", "99.9000000", "95"))
	}
	window := r.window()
	n.With("window", window)
	if name == "slo-2" && r.chance(50) { // the third may be a journey of the first two
		return n.With("sli", Map().With("journey", r.journey()))
	}
	n.With("sli", r.sli())
	n.With("by", r.maybe(30, func() *Node { return r.some(0, "route", "code_2", "'my.label'", "'über'", "'on'") }))
	n.With("alerts", r.maybe(50, r.alerts))
	return n.With("links", r.maybe(30, r.links)).With("slack", r.maybe(30, r.slack))
}

func (r Rand) window() *Node {
	one := func() *Node {
		if r.chance(30) {
			return Map().With("calendar", r.of("week", "month", "quarter", "year")).
				With("timezone", r.maybeOf(50, "Europe/Berlin", "UTC", "'America/New_York'", "Etc/GMT+5"))
		}
		return r.of("28d", "4w", "7d", "30d", "90d", "'28d'", "1d12h", "672h", "' 400d '", "24h")
	}
	switch r.IntN(3) {
	case 0:
		return nil
	case 1:
		return one()
	}
	out := List()
	for range 1 + r.IntN(3) {
		out.Kids = append(out.Kids, one())
	}
	return out
}

// counters and expressions that count; gauges.
var (
	counters    = []string{`'x_total{job="a"}'`, "requests_total", `"y_count{a=~'b.*'}"`, `'{__name__="z_total",code!="500"}'`, `'sum(increase(x_total[$window]))'`, `"sum(increase(x_total[$window]))\n  + sum(increase(y_total[$window]))"`, `'(w_total)'`, `'{"my.counter_total",a="''"}'`}
	bads        = []string{`'x_total{job="a",code=~"5.."}'`, "errors_total", `'sum(increase(e_total[$window]))'`}
	gauges      = []string{"up", `'probe_success{job="a"}'`, "'min(up)'", `'max_over_time(queue[5m])'`, "' up '"}
	histograms  = []string{"http_seconds", `'http_seconds{job="a"}'`, "h_bucket", "lat_milliseconds", "a_bucket_count"}
	limits      = []string{"300ms", "0.3", "'0.3'", "1s", "2.50", "1m30s", "'+.5'", "1e2", "'5e-1'"}
	ratios      = []string{"'job:errors:ratio'", "'1 - (a)'", "'1 - (a) + (b)'", "'a / b'", "'(a)'"}
	conditions  = []string{"'< 0.3'", "'<=1'", "'> -1e9'", "'== 0'", "'!=  5'", "'>= .5'", "'< 1000000'", "'> 1e300'"}
	saturations = []string{"0.25", "1", "-1", "'9e99'", ".5"}
)

func (r Rand) journey() *Node {
	steps := List(Leaf("slo-0"), Leaf("slo-1"))
	for i, name := range []string{"slo-0", "slo-1"} {
		if r.chance(30) {
			steps.Kids[i] = Map().With("slo", Leaf(name)).With("weight", r.maybeOf(70, "2", "0.5", "'1.25'", "1000", "1"))
		}
	}
	return Map().With("steps", steps).With("combine", r.maybeOf(70, "weakest", "product", "weighted"))
}

func (r Rand) dependencies() *Node {
	out := r.some(0, "pay", "'pay/availability'", "postgres", "'9'")
	if r.chance(40) {
		out.Kids = append(out.Kids, Map().With("service", Leaf("cache")).With("slo", r.maybeOf(50, "hits")).With("kind", r.maybeOf(70, "soft", "hard")))
	}
	return out
}

func (r Rand) sli() *Node {
	return r.measured().With("noun", r.maybeOf(30, "payments", "card payments", "'yes'"))
}

func (r Rand) measured() *Node {
	switch r.IntN(5) {
	case 0:
		return Map().With("events", Map().With("total", r.of(counters...)).With(r.of("bad", "good").Leaf, r.of(bads...)))
	case 1:
		return Map().With("latency", Map().With("histogram", r.of(histograms...)).With("below", r.of(limits...)))
	case 2:
		return Map().With("uptime", r.of(gauges...))
	case 3:
		return Map().With("slices", Map().With("query", r.of(gauges...)).With("good", r.of(conditions...)).
			With("missing", r.maybeOf(50, "exclude", "good", "bad")))
	}
	return Map().With("ratio", Map().With(r.of("bad", "good").Leaf, r.of(ratios...)))
}

func (r Rand) pair(pairs ...string) *Node {
	budget, rest, _ := strings.Cut(pairs[r.IntN(len(pairs))], " ")
	long, short, _ := strings.Cut(rest, " ")
	return Map().With("budget", Leaf(budget)).With("long", Leaf(long)).With("short", Leaf(short))
}

func (r Rand) pairs(pairs ...string) *Node {
	if r.chance(30) {
		return r.of("off", "'off'", "none", "false", "no")
	}
	out := List()
	for range r.IntN(4) {
		out.Kids = append(out.Kids, r.pair(pairs...))
	}
	return out
}

func (r Rand) alerts() *Node {
	page := func() *Node {
		return r.pairs("2% 1h 5m", "0.05% 2h 10m", "1.5% 1h 2m", "'2.50 %' 2h 600s", "0002.00% 3h 1m")
	}
	ticket := func() *Node { return r.pairs("0.5% 1d 2h", "1% 24h 6h", "0.01% 1h 1m") }
	spent := func() *Node {
		if r.chance(30) {
			return r.of("off", "false")
		}
		return r.some(0, "50%", "100%", "'75.5%'", "1000%", "0.01%")
	}
	return Map().With("page", r.maybe(50, page)).With("ticket", r.maybe(50, ticket)).With("spent", r.maybe(50, spent)).
		With("no_data", r.maybeOf(50, "10m", "off", "2m", "1h", "false")).
		With("significance", r.maybeOf(50, "on", "off", "true", "false", "'yes'", "NO"))
}

func (r Rand) links() *Node {
	link := func() *Node {
		return r.maybeOf(60, "https://example.com/a", "'http://a:80/?q=b c#d'", "HTTPS://EXAMPLE.COM", "'https://[::1]/'", "https://example.com/@x")
	}
	return Map().With("runbook", link()).With("dashboard", link()).With("repository", link())
}

func (r Rand) slack() *Node {
	return Map().With("channel", r.maybeOf(70, `"#oncall"`, "'#größe-1'", "C0123456789", "'#9_a'")).
		With("mention", r.maybe(60, func() *Node {
			if r.chance(30) {
				return Leaf("'<!here>'")
			}
			return r.some(0, "'<@U0123>'", "'<!subteam^S0123>'", "'<!channel>'", "<@W1>")
		})).
		With("escalate", r.maybe(30, func() *Node {
			if r.chance(20) {
				return Leaf("off")
			}
			return Map().With("after", r.of("15m", "1h")).With("mention", r.maybe(50, func() *Node { return r.some(0, "'<@U0123>'", "'<!here>'") }))
		}))
}

func (r Rand) signals() *Node {
	saturation := func() *Node {
		out := List()
		for range r.IntN(3) {
			out.Kids = append(out.Kids, Map().With("name", r.of("cpu", "'on'", "disk space")).With("query", r.of(gauges...)).With("limit", r.of(saturations...)))
		}
		return out
	}
	return Map().With("from", r.maybeOf(70, "otel-http", "'go'")).With("match", r.maybeOf(70, `'{job="a"}'`, `' {a=~"b.+",c!=""}'`)).
		With("saturation", r.maybe(70, saturation))
}

// pool is what mutations put in place of something: all that can stand somewhere, and boundaries.
var pool = slices.Concat(counters, gauges, histograms, limits, conditions, []string{
	"null", "~", "''", "' '", "true", "false", "on", "off", "0", "1", "-1", "99.9", "100", "'100'", "100%", "0%", "1.0", "1.0000001", "99.9999999", "'0.999'", "101", "0.5",
	"5m", "0s", "1mo", "1y", "1M", "28D", "-5m", "'1h 5m'", "5", "1.5h", "'5m '", "0h1m", "2%", "2", "2.555%", "2.5500%", "100.01%", "1000.5%", "1001%", "0.00%", "'5 %'", "1234567%",
	"slowburn/v2", "month", "Month", "Europe/Berlin", "exclude", "page", "low", "LOW", "'#X Y'", "'#'", "D01234567", "c0123456", "'<@u1>'", "'@here'",
	"ftp://a.b", "https://", "http://u:p@a", "//a", "https:a", "'{a=\"b\"}'", "le", "__a", "'__a'", "'a b'", "-a", strings.Repeat("z", 101), "größe", "a/b",
	"'< 5 5'", "'<'", "< 5", "'=> 1'", "'< 0x1'", "2026-01-01", "[]", "{}", "[a]", "{a: 1}", "[[]]", "[28d]", "[{}]",
})

// near are values that are nearly right for a key, or nearly wrong.
var near = map[string][]string{
	"objective": {"99.99999999", "99.1234567", "'99.12345670'", "1e1", "1", "'1.0%'", "1.5", "'001.5'", "'0099.9'", "100.0", "'99,9'", "99.", "'99.9%%'", "0x63", "'+99'"},
	"runbook":   {"https://a:b/", "'https://%zz'", "'https://a b/'", "'https://a/b c'", "https://a?b", "'https://a#@'", "https://a@b", "http:/a", "'https://[::1'"},
	"page":      {"False", "[]", "no", "OFF", "'none'", "yes"},
	"spent":     {"['50%', '50.0%']", "['50%', '50%']", "[100.00%]", "[1000.01%]", "[000100%]", "[0000100%]", "[0.00%]", "[50]", "50%"},
	"no_data":   {"1m", "90s", "120s", "OFF", "False", "0", "2m30s"},
	"below":     {"0", "0.0", "-1", "'0e5'", "0x10", "1_000", "1e3", "'.'", "1ms", "0ms", "'+1'", "1.5s"},
	"limit":     {"0x10", "'1_0'", ".inf", "-0", "1e400", "'1e5'", "five"},
	"budget":    {"100%", "100.00%", "100.01%", "0%", "0.001%", "2", "0.02", "'2 %'", "000002%", "0000002%"},
	"long":      {"90s", "60s", "1y", "400d", "1h1h", "61m"},
	"window":    {"1d", "23h", "401d", "400d", "25h30m", "[28d, 28d]", "{calendar: day}", "{calendar: week, timezone: Local}", "{calendar: week, timezone: Mars}", "month", "[[28d]]", "28", "1d1w", "4w1d"},
	"timezone":  {"Local", "Mars", "UTC", "''", "utc", "../UTC"},
	"by":        {"[a, a]", "['le']", "[lee]", "['_a']", "['__a']", "a", "[1]", "[a, b, c, d, e, f, g, h, i]", "[a, b, c, d, e, f, g, h]"},
	"name":      {"a", "'a'", "1", "_a", "a_", "a b"},
	"mention":   {"'<@U1>'", "'<@u1>'", "['<!here>', '<!here>']", "<!everyone>"},
	"channel":   {"'#a'", "'# a'", "'#-a'", "'#" + strings.Repeat("a", 81) + "'", "C012345", "C01234567"},
	"match":     {"'a{b=\"c\"}'", "'{'", "'{a=\"\"}'", "{a: b}"},
	"tier":      {"null", "high", "low", "'low'"},
}

// keys that mutations write: those of the format, and others.
var keys = []string{
	"version", "service", "owner", "description", "tier", "links", "slack", "signals", "slos", "name", "objective", "window", "sli", "by", "alerts", "runbook", "channel", "mention",
	"events", "latency", "uptime", "slices", "ratio", "total", "bad", "good", "noun", "histogram", "below", "query", "missing", "page", "ticket", "spent", "no_data", "significance",
	"budget", "long", "short", "calendar", "timezone", "from", "match", "saturation", "limit", "Objective", "objectiv", "threshold", "x",
}

// Mutate changes one thing somewhere in the tree.
func (r Rand) Mutate(root *Node) {
	var inner []*Node
	var walk func(*Node)
	walk = func(n *Node) {
		if n.Leaf == "" {
			inner = append(inner, n)
		}
		for _, k := range n.Kids {
			walk(k)
		}
	}
	walk(root)
	n := inner[r.IntN(len(inner))]
	if len(n.Kids) == 0 {
		r.grow(n)
		return
	}
	i := r.IntN(len(n.Kids))
	switch r.IntN(8) {
	case 0:
		r.grow(n)
	case 1:
		n.Kids = slices.Delete(n.Kids, i, i+1)
		if n.Map {
			n.Keys = slices.Delete(n.Keys, i, i+1)
		}
	case 2:
		if key := keys[r.IntN(len(keys))]; n.Map && !slices.Contains(n.Keys, key) {
			n.Keys[i] = key
		}
	case 3:
		if !n.Map {
			n.Kids = append(n.Kids, n.Kids[i])
			return
		}
		fallthrough
	default:
		from := pool
		if n.Map && near[n.Keys[i]] != nil && r.chance(80) {
			from = near[n.Keys[i]]
		}
		n.Kids[i] = Leaf(from[r.IntN(len(from))])
	}
}

// grow adds an entry or a key.
func (r Rand) grow(n *Node) {
	key := keys[r.IntN(len(keys))]
	if n.Map && slices.Contains(n.Keys, key) {
		return
	}
	n.Kids = append(n.Kids, Leaf(pool[r.IntN(len(pool))]))
	if n.Map {
		n.Keys = append(n.Keys, key)
	}
}

// Config returns a valid configuration.
func (r Rand) Config() *Node {
	text := func() *Node { return r.of("a", "'b c'", "x/y.db", "'1'") }
	prometheus := func() *Node {
		n := Map().With("url", r.maybeOf(70, "http://127.0.0.1:9090", "https://prom.example.com/x")).
			With("timeout", r.maybeOf(50, "30s", "1m30s", "'5s'")).With("concurrency", r.maybeOf(50, "8", "'20'", "1000", "1"))
		n.With("follow_redirects", r.maybeOf(30, "true", "false"))
		n.With("basic_auth", r.maybe(20, func() *Node { return Map().With("username", Leaf("me")).With("password_file", Leaf("/p")) }))
		n.With("http_headers", r.maybe(20, func() *Node { return Map().With("X-Scope-OrgID", Map().With("values", List(Leaf("shop")))) }))
		return n.With("tls_config", r.maybe(20, func() *Node { return Map().With("min_version", r.of("TLS12", "TLS13")).With("ca_file", text()) }))
	}
	slack := func() *Node {
		return Map().With("channel", r.maybeOf(70, `"#a"`, "C0123456789")).With("api_url", r.maybeOf(50, "https://slack.com/api/", "http://127.0.0.1:1")).
			With("bot_token_file", r.maybe(50, text)).With("webhook_url_file", r.maybe(50, text))
	}
	reports := func() *Node {
		out := List()
		for _, name := range []string{"weekly", "monthly"}[:r.IntN(3)] {
			out.Kids = append(out.Kids, Map().With("name", Leaf(name)).With("schedule", r.of("'0 9 * * MON'", `"0 7 1 * *"`)).
				With("timezone", r.maybeOf(50, "Europe/Berlin")).With("channel", r.maybeOf(50, `"#b"`)).With("period", r.maybeOf(30, "week", "month")))
		}
		return out
	}
	limits := func(n *Node) *Node {
		return n.With("caution_below", r.maybeOf(50, "25%", "30.5 %")).With("freeze_below", r.maybeOf(50, "0%", "10%")).With("thaw_margin", r.maybeOf(50, "5%", "0%"))
	}
	policy := func() *Node {
		return limits(Map()).With("postmortem_at", r.maybeOf(50, "20%")).With("stale_after", r.maybeOf(50, "15m")).With("open_page", r.maybeOf(50, "caution", "freeze", "ignore")).
			With("four_eyes", r.some(0, "override", "exempt", "classify")).With("approve_within", r.maybeOf(50, "24h")).
			With("notify", r.maybe(50, func() *Node {
				return Map().With("channel", r.maybeOf(50, `"#b"`)).With("mention", r.some(0, "'<!here>'", "'<@U0123>'"))
			})).
			With("services", r.maybe(50, func() *Node { return List(limits(Map().With("service", Leaf("checkout")))) }))
	}
	source := func() *Node {
		matchers := func() *Node { return r.some(1, `'code=~"5.."'`, `'ok="false"'`) }
		return r.receivers(Map()).With("name", r.of("acme", "redis")).With("group", r.some(1, "job", "a|b")).With("traffic", r.some(0, "x_total", "'a + b'")).
			With("role", r.maybeOf(30, "service", "exporter")).With("counts", r.maybeOf(30, "http", "jobs")).
			With("errors", r.maybe(50, func() *Node { return List(matchers()) })).With("exclude", r.maybe(30, matchers)).
			With("latency", r.maybe(50, func() *Node { return Map().With("histograms", r.some(1, "h")).With("unit", r.maybeOf(50, "s", "ms")) })).
			With("saturation", r.maybe(50, func() *Node {
				return List(Map().With("name", text()).With("query", r.of("sum(x)", "rate(x[$window])")).With("limit", r.maybeOf(70, "0.9", "'100'")))
			})).With("pages", r.maybeOf(30, "off", "true")).With("traps", r.some(0, "one", "two"))
	}
	signals := func() *Node { return Map().With("sources", r.maybe(80, func() *Node { return List(source()) })) }
	return r.receivers(Map()).With("slos", r.some(0, "slos/", "'a*.yaml'", "x.yaml")).With("signals", r.maybe(40, signals)).With("prometheus", r.maybe(80, prometheus)).
		With("store", r.maybe(50, func() *Node { return Map().With("path", r.maybe(80, text)) })).
		With("slack", r.maybe(70, slack)).
		With("traces", r.maybe(30, func() *Node {
			return Map().With("url", r.of("'https://t.example/{trace_id}'", "'http://j/x?id={trace_id}'"))
		})).
		With("reports", r.maybe(50, reports)).With("policy", r.maybe(50, policy)).
		With("corrections", r.some(0, "c.yaml", "'c/*.yaml'"))
}

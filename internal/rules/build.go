package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/slo"
)

// Names says whose series are recorded beside our own, so that their dashboards keep working.
type Names string

// The names. Sloth is 0.16, Pyrra is 0.10.
const (
	Own   Names = "slowburn"
	Sloth Names = "sloth"
	Pyrra Names = "pyrra"
)

// Options say how the rules are written. The zero value is our own names.
type Options struct {
	Names Names
	// Interval is how often the group is evaluated; 0 leaves it to the server. At most five
	// minutes, or the tiles of the long windows have gaps.
	Interval time.Duration
	// Scrape is the scrape interval that is assumed where an expression has $window and is read
	// minute by minute. 0 means 30 s.
	Scrape time.Duration
}

// Group is the rules of one SLO. Prometheus evaluates them in order, so that each sees what the
// earlier ones have just recorded.
type Group struct {
	Name     string
	Interval time.Duration // 0 means the server's own
	Rules    []Rule
	Notes    []string // what the rules cannot say about this SLO, one sentence each
}

// Rule records a series (Record) or raises an alert (Alert); one of the two is set.
type Rule struct {
	Record, Alert string
	Expr          string
	For           time.Duration
	Labels        map[string]string
	Annotations   map[string]string
}

// Refusal says why an SLO cannot be written as rules.
type Refusal struct {
	SLO    slo.ID
	Reason string
}

// Error names the SLO and the reason.
func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.SLO, r.Reason) }

const (
	// tile is the window whose counts are added up to those of long windows.
	tile = 5 * time.Minute
	// rawLimit is the longest window that is read from the samples themselves. One of three days
	// would read them all again at every evaluation.
	rawLimit = 6 * time.Hour
	// defaultScrape is assumed of servers that we cannot ask; package prom assumes the same.
	defaultScrape = 30 * time.Second
)

// Build writes the rules of one SLO. Its error is a [*Refusal].
func Build(spec *slo.Spec, o Options) (Group, error) {
	if o.Scrape == 0 {
		o.Scrape = defaultScrape
	}
	b := &builder{spec: spec, options: o, group: Group{Name: "slowburn-" + string(spec.ID()), Interval: o.Interval}}
	if err := b.check(); err != nil {
		return Group{}, err
	}
	count, err := newCount(spec, o.Scrape)
	if err != nil {
		return Group{}, err
	}
	b.counts(count)
	b.budgets()
	if err := b.names(); err != nil {
		return Group{}, err
	}
	b.alerts()
	b.notes()
	return b.group, nil
}

// builder collects the rules of one SLO.
type builder struct {
	spec    *slo.Spec
	options Options
	group   Group
}

// check refuses labels that the rules themselves need, and an interval that tears the tiles apart.
func (b *builder) check() error {
	for _, taken := range []string{labelService, labelSLO, labelWindow, labelSeverity, labelLong, labelShort} {
		if slices.Contains(b.spec.By, taken) {
			return b.refuse("by has the label %s, which the rules set themselves", taken)
		}
	}
	if b.options.Interval > tile {
		return b.refuse("rules evaluated every %s leave gaps between counts of %s", slo.ShortDuration(b.options.Interval), slo.ShortDuration(tile))
	}
	return nil
}

func (b *builder) refuse(format string, args ...any) error {
	return &Refusal{b.spec.ID(), fmt.Sprintf(format, args...)}
}

// The labels that rules set.
const (
	labelService  = "service"
	labelSLO      = "slo"
	labelWindow   = "window"
	labelSeverity = "severity"
	labelLong     = "long"
	labelShort    = "short"
)

func (b *builder) labels(more ...string) map[string]string {
	return with(map[string]string{labelService: b.spec.Service, labelSLO: b.spec.Name}, more...)
}

// with adds names and values, in turn, to labels.
func with(labels map[string]string, more ...string) map[string]string {
	for i := 0; i+1 < len(more); i += 2 {
		labels[more[i]] = more[i+1]
	}
	return labels
}

// record adds a recording rule. An empty expression adds nothing.
func (b *builder) record(name, expr string, moreLabels ...string) {
	if expr != "" {
		b.group.Rules = append(b.group.Rules, Rule{Record: name, Expr: expr, Labels: b.labels(moreLabels...)})
	}
}

// recorded selects a series of ours of this SLO.
func (b *builder) recorded(name string) string { return selectorOf(b.spec, name) }

func selectorOf(spec *slo.Spec, name string) string {
	return selectors.Write(name, selectors.Equal(labelService, spec.Service), selectors.Equal(labelSLO, spec.Name))
}

// The names of our series over a window.
func totalName(w time.Duration) string { return "slowburn:total:increase" + short(w) }
func badName(w time.Duration) string   { return "slowburn:bad:increase" + short(w) }
func ratioName(w time.Duration) string { return "slowburn:bad:ratio" + short(w) }

// short returns a duration as it stands in the name of a series: 28 days are 28d, not 4w.
func short(w time.Duration) string { return slo.ShortDuration(w) }

// promDuration returns a duration as Prometheus itself, and so Sloth and Pyrra, write it: 4w.
func promDuration(w time.Duration) string { return model.Duration(w).String() }

// counts records what happened over each window: totals, bad events, and their ratio.
func (b *builder) counts(c *count) {
	if c.slice != "" {
		b.record(sliceName, c.slice)
	}
	for _, w := range b.windows() {
		total, bad := c.total(w), c.bad(w)
		if w > b.rawLimit() {
			total, bad = b.tiled(totalName(tile), w), b.tiled(badName(tile), w)
		}
		b.record(totalName(w), total)
		b.record(badName(w), bad)
		b.record(ratioName(w), fmt.Sprintf("%s / (%s > 0)", b.recorded(badName(w)), b.recorded(totalName(w))))
	}
}

// tiled adds up the five-minute counts of a longer window. The subquery picks them at whole
// multiples of the tile, so each event is counted once.
func (b *builder) tiled(name string, w time.Duration) string {
	return fmt.Sprintf("sum_over_time(%s[%s:%s])", b.recorded(name), short(w), short(tile))
}

// rawLimit returns longer for other people's names, whose series are promised to have their values.
func (b *builder) rawLimit() time.Duration {
	if b.options.Names == Sloth || b.options.Names == Pyrra {
		return 100 * slo.Day
	}
	return rawLimit
}

// windows returns the tile and all that the alerts and the names look at, shortest first.
func (b *builder) windows() []time.Duration {
	out := []time.Duration{tile}
	for _, p := range b.pairs() {
		out = append(out, p.Short, p.Long)
	}
	if b.options.Names == Sloth {
		out = append(out, slothWindows...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (b *builder) pairs() []slo.Pair {
	return slices.Concat(b.spec.Alerts.Page, b.spec.Alerts.Ticket)
}

// budgets records what is left of the budget of each rolling window.
func (b *builder) budgets() {
	b.record("slowburn:objective:ratio", "vector("+objective(b.spec)+")")
	for _, w := range b.spec.Windows {
		if w.Rolling == 0 {
			continue
		}
		if !slices.Contains(b.windows(), w.Rolling) {
			b.record(totalName(w.Rolling), b.tiled(totalName(tile), w.Rolling))
			b.record(badName(w.Rolling), b.tiled(badName(tile), w.Rolling))
		}
		b.record("slowburn:budget:remaining_ratio", fmt.Sprintf("1 - %s / (%s * (%s > 0))",
			b.recorded(badName(w.Rolling)), allowed(b.spec), b.recorded(totalName(w.Rolling))), labelWindow, short(w.Rolling))
	}
}

func (b *builder) names() error {
	switch b.options.Names {
	case Own, "":
		return nil
	case Sloth:
		return b.sloth()
	case Pyrra:
		return b.pyrra()
	}
	return b.refuse("there are no names %q; use %s, %s or %s", b.options.Names, Own, Sloth, Pyrra)
}

// note remembers what the rules cannot say.
func (b *builder) note(format string, args ...any) {
	b.group.Notes = append(b.group.Notes, fmt.Sprintf(format, args...))
}

// notes names what the SLO asks for and the rules leave out.
func (b *builder) notes() {
	for _, w := range b.spec.Windows {
		if w.Calendar != "" {
			b.note("The budget of the window %s is not recorded: a rule cannot begin anew on a date.", figures.Window(w))
		}
	}
	if b.spec.Alerts.Significance && len(b.spec.Alerts.Page)+len(b.spec.Alerts.Ticket) > 0 {
		b.note("Alerts have no low-traffic test: where few events happen, a single bad one may fire them.")
	}
	if len(b.spec.Alerts.Spent) > 0 {
		b.note("Shares of the budget that are spent are not alerted; slowburn:budget:remaining_ratio shows them.")
	}
	if b.spec.Alerts.NoData > 0 && len(b.spec.By) > 0 {
		b.note("Missing data are seen when all of %s are missing, not when one is.", strings.Join(b.spec.By, ", "))
	}
	if shortest := b.windows()[0]; shortest < 4*b.options.Scrape {
		b.note("The window %s is shorter than four scrapes of %s: its counts are rough.", short(shortest), short(b.options.Scrape))
	}
}

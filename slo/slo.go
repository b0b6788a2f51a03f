// Package slo says what was promised.
//
// A [Spec] is one service level objective: which events count ([Indicator]), how many of them must
// be good ([Objective]), over which time ([Window]), and when somebody wants to be told ([Alerts]).
// Specs are immutable values. Package slo/file reads them from YAML, package slo/lint finds those
// that are valid and yet cannot mean what they say.
//
// The package is part of the pure core: it knows no network, no disk, no clock and no logger.
//
// Reading order: this file, kind.go, service.go, objective.go and window.go, alerts.go (the
// workbook's table), query.go (PromQL, parsed by Prometheus' own parser), journey.go, depends.go,
// correction.go, set.go.
package slo

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// ID names one error budget. It is `service/slo`, and for an SLO with `by:` labels the label values
// follow in braces: `checkout/availability{route="/pay"}`.
type ID string

// Base returns the SLO's own name without the label values of a single budget.
func (id ID) Base() ID {
	if i := strings.IndexByte(string(id), '{'); i >= 0 {
		return id[:i]
	}
	return id
}

// Group returns the part of the ID in braces, braces included, or "" for an SLO without `by:`.
func (id ID) Group() string { return string(id[len(id.Base()):]) }

// Labels returns the labels of a single budget and their values; nil for an SLO without `by:`.
func (id ID) Labels() (out []labels.Label) {
	rest := strings.TrimSuffix(strings.TrimPrefix(id.Group(), "{"), "}")
	for rest != "" {
		name, after, _ := strings.Cut(rest, "=")
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil {
			break
		}
		value, _ := strconv.Unquote(quoted)
		out = append(out, labels.Label{Name: name, Value: value})
		rest = strings.TrimPrefix(after[len(quoted):], ",")
	}
	return out
}

// Service returns the part before the slash.
func (id ID) Service() string {
	service, _, _ := strings.Cut(string(id.Base()), "/")
	return service
}

// Name returns the part after the slash, without label values.
func (id ID) Name() string {
	_, name, _ := strings.Cut(string(id.Base()), "/")
	return name
}

// NameForm is the form of the name of a service or an SLO, as a regular expression. Names become
// part of addresses, label values and file names, hence the plain letters.
const NameForm = `^[a-zA-Z0-9][-_.a-zA-Z0-9]*$`

// NameRule says in words what NameForm is.
const NameRule = "a name has letters a to z, digits, hyphens, points and underscores, and starts with a letter or digit"

// Spec is one SLO as its owner wrote it, with defaults filled in. It is never changed after
// loading.
type Spec struct {
	Service     string
	Name        string
	Description string // what the promise means to a user; one sentence
	Owner       string
	Tier        string // request class of the SRE workbook, "" if none
	Objective   Objective
	Windows     []Window // at least one; the first one drives the alerts
	SLI         Indicator
	By          []string // label names; one budget per combination of their values
	// MaxLateness is how long an overdue sample is waited for at most; 0 is as for the source.
	MaxLateness time.Duration
	Alerts      Alerts
	Links       Links
	Slack       SlackRoute
	File        string // where it was read from
	Line        int    // line of the SLO's own entry in File, from 1
	// Places are where its parts stand in File, for messages: name, objective, window.0, page.0,
	// ticket.0, alerts, by.0, below. Queries know their own places, and whatever is not listed is
	// found at the name.
	Places map[string]strictyaml.Pos
}

// Place remembers where a part was written; nothing if it was not, or in another file.
func (s *Spec) Place(part string, v strictyaml.Value) {
	if !v.Given() || v.File() != s.File {
		return
	}
	if s.Places == nil {
		s.Places = map[string]strictyaml.Pos{}
	}
	s.Places[part] = v.Place()
}

// ID returns the SLO's name, `service/slo`.
func (s *Spec) ID() ID { return ID(s.Service + "/" + s.Name) }

// Window returns the window that drives the alerts and the budget that is shown first.
func (s *Spec) Window() Window { return s.Windows[0] }

// Links are the addresses a person may want while the budget burns. Only http and https addresses
// are accepted.
type Links struct {
	Runbook    string
	Dashboard  string
	Repository string
}

// SlackRoute says where messages about an SLO go. Empty means the default of the config.
type SlackRoute struct {
	Channel string
	Mention []Mention // called on pages only
	// Escalate says who is called when nobody acknowledges a page.
	Escalate Escalation
}

// Escalation is what happens when nobody acknowledges a page: after After, and again each After,
// three times at most, Mention is called.
type Escalation struct {
	After   time.Duration // whole minutes; zero is never
	Mention []Mention     // as in SlackRoute; empty is those who were called first
}

// Alerts says when somebody wants to be told about an SLO.
type Alerts struct {
	Page   []Pair
	Ticket []Pair
	// Spent lists shares of the budget, in basis points (7500 = 75 %), whose crossing is told once.
	Spent []int64
	// NoData is how long the data may be missing before that is told. Zero means never.
	NoData time.Duration
	// Traffic is how long there may be no events, at an hour that had some in the weeks before,
	// until that is told. Zero means never.
	Traffic time.Duration
	// Significance switches the low-traffic test of pages and tickets on.
	Significance bool
}

// Pair is one row of the workbook's multiwindow, multi-burn-rate table: alert when, both over the
// Long and over the Short window, the budget burns so fast that Long alone would cost the share
// Budget of it. Source: The Site Reliability Workbook, chapter 5, method 6.
type Pair struct {
	Budget      int64 // share of the error budget in basis points: 200 is 2 %
	Long, Short time.Duration
}

// Burn returns the burn rate above which the pair fires for a budget of the given length: share ×
// length ÷ long window. It is a rational number; the decision compares integers (see package
// alerting), this float is for showing.
func (p Pair) Burn(length time.Duration) float64 {
	return float64(p.Budget) / 10000 * float64(length) / float64(p.Long)
}

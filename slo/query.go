package slo

import (
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Query is a piece of PromQL out of an SLO file. It is either a bare selector such as
// `http_requests_total{job="checkout"}`, whose raw samples the ledger counts exactly, or an
// expression that Prometheus evaluates once per minute, in which `$window` stands for the range.
type Query struct {
	Text     string            // as written
	Metric   string            // name of a bare selector, "" for an expression
	Matchers []*labels.Matcher // of a bare selector, without the one on the name; sorted by name, then text
	File     string            // where it stands, for messages
	Line     int
	Column   int
}

// WindowVariable is what stands for the range in an expression.
const WindowVariable = "$window"

// Bare reports whether the query is a bare selector.
func (q *Query) Bare() bool { return q != nil && q.Metric != "" }

// Render is the query with `$window` replaced by the given range. Of a bare selector it is the text itself.
func (q *Query) Render(window time.Duration) string {
	return strings.ReplaceAll(q.Text, WindowVariable, ShortDuration(window))
}

package api

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/printable"
	"github.com/slowburn-sre/slowburn/slo"
)

// WebAddress returns an address that a program may open: http or https, with a host, and nothing
// hidden in it. Anything else that somebody has written as a link, such as a script, is "".
func WebAddress(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsFunc(link, printable.Hidden) {
		return ""
	}
	return link
}

// WithWebAddresses returns a JSON text without the links in it that are no [WebAddress]: what was
// written down before anybody looked at them. Such links become "".
func WithWebAddresses(text json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if decoder.Decode(&tree) != nil || !dropLinks(tree) {
		return text
	}
	kept, err := json.Marshal(tree)
	if err != nil {
		return nil
	}
	return kept
}

// dropLinks empties what is called a link and is no web address, and reports whether it did.
func dropLinks(tree any) (dropped bool) {
	switch t := tree.(type) {
	case []any:
		for _, item := range t {
			dropped = dropLinks(item) || dropped
		}
	case map[string]any:
		for key, value := range t {
			if link, ok := value.(string); ok && (key == "link" || key == "url") && link != WebAddress(link) {
				t[key] = ""
				dropped = true
				continue
			}
			dropped = dropLinks(value) || dropped
		}
	}
	return dropped
}

// Answer is what every answer of the HTTP API is in.
type Answer struct {
	Status string `json:"status"` // success, error, or pending with code 202
	// Key is by what to ask what became of a request that is pending: /api/v1/requests/KEY.
	Key       string `json:"key,omitempty"`
	Data      any    `json:"data,omitempty"`
	ErrorType string `json:"errorType,omitempty"` // not_found, undecided, bad_data, …
	Error     string `json:"error,omitempty"`     // a sentence
}

// Undecided is the error type of an answer about an SLO that is loaded, and of which no minute is
// decided yet.
const Undecided = "undecided"

// Events turns a count in thousandths into a number of events.
func Events(thousandths int64) float64 { return float64(thousandths) / budget.Unit }

// Percent computes the percentage of good events, nil without traffic.
func Percent(s budget.Sum) *float64 {
	if s.Total == 0 {
		return nil
	}
	return new(100 * float64(s.Total-s.Bad) / float64(s.Total))
}

// BurnRate computes how many times faster than sustainable a sum burned, nil without traffic.
func BurnRate(s budget.Sum, o slo.Objective) *float64 { return IfKnown(budget.Burn(s, o)) }

// IfKnown makes null of what is not known.
func IfKnown(v float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return &v
}

// TimeOrNull turns a time into UTC, and into null if it is not known.
func TimeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// ratio computes a/b, nil if there is nothing to divide by.
func ratio(a, b int64) *float64 { return IfKnown(float64(a)/float64(max(b, 1)), b > 0) }

// seconds makes null of a duration that is not known.
func seconds(d time.Duration, known bool) *float64 { return IfKnown(d.Seconds(), known) }

// inWords writes seconds as Prometheus writes a duration.
func inWords(seconds *float64) *string {
	if seconds == nil {
		return nil
	}
	return new(slo.ShortDuration(time.Duration(*seconds * float64(time.Second)).Round(time.Second)))
}

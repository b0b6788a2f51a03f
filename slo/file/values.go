package file

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
)

// The readers in this file are shared with the configuration, so that both files are read by the
// same rules and told about in the same words. Each records what is wrong at the value itself; of
// what was not written it returns false and records nothing.

// Channel reads a channel of Slack: "#name", or an ID.
func Channel(v strictyaml.Value) (string, bool) {
	s, ok := v.Text()
	if !ok {
		return "", false
	}
	if err := slo.CheckChannel(s); err != nil {
		v.Problem(messageAndHint(err))
		return "", false
	}
	return s, true
}

// Mentions reads one mention, or a list of them.
func Mentions(v strictyaml.Value) (all []slo.Mention) {
	list := []strictyaml.Value{v}
	if !v.IsText() {
		list, _ = v.List(slo.MaxMentions)
	}
	for _, e := range list {
		s, ok := e.Text()
		if !ok {
			continue
		}
		mention, err := slo.ParseMention(s)
		if err != nil {
			e.Problem(messageAndHint(err))
			continue
		}
		all = append(all, mention)
	}
	return all
}

// Address reads a web address. login is the hint where a password stands in it.
func Address(v strictyaml.Value, login string) (string, bool) {
	s, ok := v.Text()
	if !ok {
		return "", false
	}
	u, err := url.Parse(s)
	if err == nil && u.Port() != "" {
		_, err = strconv.ParseUint(u.Port(), 10, 16)
	}
	switch {
	case err != nil || u.Host == "" && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == ""):
		v.Problem(fmt.Sprintf("%s is not a web address", v.Name()), "write it in full, starting with https://")
	case u.Scheme != "http" && u.Scheme != "https":
		v.Problem(fmt.Sprintf("%s cannot be an address with %s:", v.Name(), u.Scheme), "only http and https are allowed")
	case u.User != nil:
		v.Problem(fmt.Sprintf("%s holds a user name or password, which everybody would see", v.Name()), login)
	default:
		return s, true
	}
	return "", false
}

// Minutes reads a duration of whole minutes, which are the steps of the ledger.
func Minutes(v strictyaml.Value) (time.Duration, bool) {
	d, ok := v.Duration()
	if ok && d%time.Minute != 0 {
		v.Problem(fmt.Sprintf("%s must be a whole number of minutes", v.Name()), "the ledger counts by minutes")
		return 0, false
	}
	return d, ok
}

// Percent reads a share such as 2% or 2.5% into basis points, exactly. It is from least to most of
// them.
func Percent(v strictyaml.Value, least, most int64) (int64, bool) {
	s, ok := v.Literal("a percentage such as 2%")
	if !ok {
		return 0, false
	}
	n, err := slo.ParsePercent(s)
	switch {
	case err != nil:
		v.Problem(messageAndHint(err))
	case n < least:
		v.Problem(fmt.Sprintf("%s cannot be %s", v.Name(), slo.FormatPercent(n)), "")
	case n > most:
		v.Problem(fmt.Sprintf("%s cannot be above %s", v.Name(), slo.FormatPercent(most)), "")
	default:
		return n, true
	}
	return 0, false
}

// Zone reads the name of a time zone. What was not written is UTC.
func Zone(v strictyaml.Value) (*time.Location, bool) {
	if !v.Given() {
		return time.UTC, true
	}
	s, ok := v.Text()
	if !ok {
		return nil, false
	}
	zone, err := crontime.Zone(s)
	if err != nil {
		v.Problem(messageAndHint(err))
		return nil, false
	}
	return zone, true
}

// Schedule reads five cron fields, or a word such as @weekly, on the clock of a time zone.
func Schedule(v strictyaml.Value, zone *time.Location) (crontime.Schedule, bool) {
	s, ok := v.Text()
	if !ok {
		return crontime.Schedule{}, false
	}
	schedule, err := crontime.Parse(s, zone.String())
	if err != nil {
		v.Problem(messageAndHint(err))
		return crontime.Schedule{}, false
	}
	return schedule, true
}

// messageAndHint divides an error written as "what is wrong; what to write".
func messageAndHint(err error) (message, hint string) {
	message, hint, _ = strings.Cut(err.Error(), "; ")
	return message, hint
}

// What several keys say.
const (
	MaxLateness = "How long a sample that is overdue is waited for at most before its minute is decided without it." // of an SLO and of prometheus
	WebAddress  = "full web address, http or https, without a password"
)

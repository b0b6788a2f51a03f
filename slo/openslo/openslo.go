// Package openslo reads OpenSLO documents (openslo/v1, all kinds, and SLOs of openslo/v1alpha).
//
// Documents refer to each other by kind and name, across files and in any order; so all of them are
// gathered first (library.go) and the SLOs read after that. OpenSLO leaves open what a query means:
// a counter, its sum, a rate over some range. Package foreign looks at its tree, so that events are
// counted wherever the query allows it.
//
// The reader is as strict as the reference validator, or lenient where the specification's own
// examples do not pass that validator ([Options]). What OpenSLO cannot say has slowburn's default,
// and what slowburn cannot do is named. See docs/formats.md for the whole account.
//
// Reading order: [Reader], library.go, spec.go (an SLO), indicator.go, window.go, policy.go
// (alerts), alpha.go.
package openslo

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

// Options says how much is forgiven.
type Options struct {
	// Lenient makes warnings of what the reference validator refuses and yet can be understood: op
	// beside a ratio, names and texts against the rules, a missing time window (28 days) or
	// budgeting method (Occurrences), time slices in bare minutes.
	Lenient bool
}

const (
	stable = "openslo/v1"
	alpha  = "openslo/v1alpha"
)

// Reader reads OpenSLO documents for [file.Load].
func Reader(o Options) file.Reader {
	return file.Reader{
		Recognises: func(version, _ string) bool {
			return strings.HasPrefix(version, "openslo/") || strings.HasPrefix(version, "openslo.com/")
		},
		Read: func(documents []strictyaml.Value) []*slo.Spec {
			r := &reader{Options: o, library: library{}}
			return r.read(documents)
		},
	}
}

// reader is what all documents share.
type reader struct {
	Options
	library library
}

func (r *reader) read(documents []strictyaml.Value) (out []*slo.Spec) {
	var objects []object
	for _, d := range documents {
		version := d.Peek("apiVersion")
		if version != stable && version != alpha {
			d.Child("apiVersion").Problem(fmt.Sprintf("OpenSLO %q is not read", version), "write "+stable)
			continue
		}
		o, ok := r.object(d)
		if !ok {
			continue
		}
		o.alpha = version == alpha
		r.library.add(o)
		objects = append(objects, o)
	}
	for _, o := range objects {
		switch {
		case o.kind != "SLO":
			r.check(o)
		case o.alpha:
			out = append(out, r.alpha(o)...)
		default:
			out = append(out, r.slo(o)...)
		}
	}
	return out
}

// forgive records a problem that a lenient reader only warns about. It reports whether to go on.
func (r *reader) forgive(v strictyaml.Value, message, hint string) bool {
	if r.Lenient {
		v.Lint("openslo-lenient", message, hint)
		return true
	}
	v.Problem(message, hint+"; or have OpenSLO read leniently")
	return false
}

// Rules of names and texts in the reference validator.
var (
	dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	goodName = regexp.MustCompile(slo.NameForm)
)

const (
	maxDNSLabel    = 63
	maxDescription = 1050
)

// name reads the name of an object.
func (r *reader) name(v strictyaml.Value) (string, bool) {
	const rule = "small letters, digits and hyphens, at most 63 of them, with a letter or digit at both ends"
	name, ok := foreign.Name(v, goodName, rule)
	if ok && (!dnsLabel.MatchString(name) || len(name) > maxDNSLabel) {
		ok = r.forgive(v, fmt.Sprintf("OpenSLO does not allow the name %q", name), rule)
	}
	return name, ok
}

// description reads spec.description.
func (r *reader) description(v strictyaml.Value) string {
	s, _ := v.Literal("text")
	if len([]rune(s)) > maxDescription {
		r.forgive(v, fmt.Sprintf("the description has more than %d characters", maxDescription), "shorten it")
	}
	return s
}

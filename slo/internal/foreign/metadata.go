package foreign

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// Entry is one key of a map whose keys are free.
type Entry struct {
	Key   string
	Value strictyaml.Value
}

// maxEntries bounds the labels of one object.
const maxEntries = 200

// Entries lists a map whose keys are free, in the order they were written.
func Entries(v strictyaml.Value) (out []Entry) {
	if v.Given() && !v.IsMap() {
		v.Problem(v.Name()+" must be a map of names and values", "write name: value in the lines below it")
	}
	if !v.IsMap() {
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.Node().Content) && i < 2*maxEntries; i += 2 {
		key := v.Node().Content[i].Value
		if seen[key] {
			v.Problem(fmt.Sprintf("%q is written twice", key), "remove one of them")
			continue
		}
		seen[key] = true
		out = append(out, Entry{key, v.Child(key)})
	}
	return out
}

// Lost warns that a part of a file is not carried over, and why.
func Lost(v strictyaml.Value, reason string) {
	if v.Given() {
		v.Lint("not-carried-over", v.Name()+" is not carried over: "+reason, "")
	}
}

// Names of labels and annotations that say what an SLO of ours has a place for.
var (
	owners     = []string{"owner", "team"}
	runbooks   = []string{"runbook", "runbook_url"}
	dashboards = []string{"dashboard", "dashboard_url", "grafana_url"}
)

// Describe takes owner, runbook and dashboard out of labels or annotations, and warns about all
// others: they were meant for the rules, alerts or objects of the other program. Keys are compared
// without the prefix, and those without it belong to other programs; what another object said
// before is kept. The caller takes care of the keys that it names.
func Describe(s *slo.Spec, v strictyaml.Value, prefix string, taken ...string) {
	var lost []string
	for _, e := range Entries(v) {
		key, mine := strings.CutPrefix(e.Key, prefix)
		target := place(s, key)
		switch {
		case !mine || slices.Contains(taken, key):
		case target == nil:
			lost = append(lost, e.Key)
		case *target == "":
			*target = text(e.Value, target != &s.Owner)
		}
	}
	if len(lost) > 0 {
		v.Lint("not-carried-over", fmt.Sprintf("not carried over: %s", strings.Join(lost, ", ")),
			"labels and annotations belong to the rules of the other program; owner, team, runbook and dashboard are taken over")
	}
}

// place returns the field that a label or annotation fills, or nil.
func place(s *slo.Spec, key string) *string {
	switch {
	case slices.Contains(owners, key):
		return &s.Owner
	case slices.Contains(runbooks, key):
		return &s.Links.Runbook
	case slices.Contains(dashboards, key):
		return &s.Links.Dashboard
	}
	return nil
}

// text returns a text, or a link that people can be offered to click on.
func text(v strictyaml.Value, link bool) string {
	if v.IsList() {
		Lost(v, "it is a list, and here is room for one")
		return ""
	}
	s, ok := v.Text()
	if !ok || !link {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		Lost(v, "it is no "+file.WebAddress)
		return ""
	}
	return s
}

// maxName is how many characters a name may have.
const maxName = 100

// Name reads the name of a service or an SLO, which the pattern of its format must allow.
func Name(v strictyaml.Value, pattern *regexp.Regexp, rule string) (string, bool) {
	s, ok := v.Text()
	switch {
	case !ok:
		return "", false
	case utf8.RuneCountInString(s) > maxName:
		v.Problem(fmt.Sprintf("%s has more than %d characters", v.Name(), maxName), "")
	case !pattern.MatchString(s):
		v.Problem(fmt.Sprintf("%s cannot be %q", v.Name(), s), rule)
	default:
		return s, true
	}
	return "", false
}

// Metadata reads the metadata of a Kubernetes object, with all that a cluster adds to it.
func Metadata(doc strictyaml.Object) strictyaml.Object {
	m, _ := doc.Need("metadata", "write metadata: {name: …}").Object("name", "namespace", "labels", "annotations",
		"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generateName", "generation",
		"managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid")
	return m
}

// LabelName matches the label names that an SLO may be divided by.
var LabelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

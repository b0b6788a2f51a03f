package openslo

import (
	"fmt"
	"slices"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// object is one OpenSLO object: a document, or one written inside of another.
type object struct {
	kind, name string
	alpha      bool
	at         strictyaml.Value  // the whole
	meta       strictyaml.Object // empty if it has none
	spec       strictyaml.Value
}

// kinds are the kinds of OpenSLO v1.
var kinds = []string{"SLO", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "DataSource", "Service"}

// object reads the frame that all documents have.
func (r *reader) object(d strictyaml.Value) (object, bool) {
	doc, _ := d.Object("apiVersion", "kind", "metadata", "spec")
	kind, ok := doc.Need("kind", "write kind: SLO").OneOf(kinds...)
	o := object{kind: kind, at: d}
	var named bool
	o.meta, o.name, named = r.metadata(doc.Need("metadata", "write metadata: {name: …}"))
	o.spec = doc.Need("spec", "write spec:")
	return o, ok && named && o.spec.Given()
}

// inline reads an object written inside of another, which has no version of its own.
func (r *reader) inline(kind string, v strictyaml.Value) (object, bool) {
	o, ok := v.Object("kind", "metadata", "spec")
	if !ok {
		return object{}, false
	}
	o.Get("kind").OneOf(kind)
	meta, name, named := r.metadata(o.Need("metadata", "write metadata: {name: …}"))
	out := object{kind: kind, name: name, at: v, meta: meta, spec: o.Need("spec", "write spec:")}
	return out, named && out.spec.Given()
}

func (r *reader) metadata(v strictyaml.Value) (strictyaml.Object, string, bool) {
	meta, ok := v.Object("name", "displayName", "labels", "annotations")
	if !ok {
		return meta, "", false
	}
	name, ok := r.name(meta.Need("name", "write name: my-name"))
	if d := meta.Get("displayName"); d.Given() {
		if s, _ := d.Literal("text"); len([]rune(s)) > maxDNSLabel {
			r.forgive(d, fmt.Sprintf("displayName has more than %d characters", maxDNSLabel), "shorten it")
		}
	}
	return meta, name, ok
}

// library holds the objects that others refer to, by kind and name.
type library map[[2]string]object

// add takes an object in. Of two with one name the first is kept and the second refused.
func (l library) add(o object) {
	key := [2]string{o.kind, o.name}
	if first, taken := l[key]; taken {
		o.meta.Get("name").Problem(fmt.Sprintf("there are two objects %s %s", o.kind, o.name),
			lint.OtherOne(first.at.File(), first.at.Place().Line))
		return
	}
	l[key] = o
}

// find returns the object that a reference names. What is missing is an error, or the warning of a
// lint.
func (l library) find(kind string, ref strictyaml.Value, lint string) (object, bool) {
	name, ok := ref.Text()
	if !ok {
		return object{}, false
	}
	o, ok := l[[2]string{kind, name}]
	if !ok {
		message, hint := fmt.Sprintf("there is no %s %s in these files", kind, name), l.similar(kind, name)
		if lint != "" {
			ref.Lint(lint, message, hint)
		} else {
			ref.Problem(message, hint)
		}
	}
	return o, ok
}

// similar returns a hint at what a reference was probably meant to be.
func (l library) similar(kind, name string) string {
	var names []string
	for key := range l {
		if key[0] == kind {
			names = append(names, key[1])
		}
	}
	slices.Sort(names)
	if near := strictyaml.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "add the document, or write it in place of the reference"
}

// check looks for mistakes in a document that is not an SLO, whether or not anybody refers to it.
func (r *reader) check(o object) {
	if o.alpha && o.kind != "Service" {
		o.at.Problem("of openslo/v1alpha only SLO and Service are read", "write apiVersion: "+stable)
		return
	}
	switch o.kind {
	case "SLI":
		r.sli(o)
	case "AlertPolicy":
		r.policy(o)
	case "AlertCondition":
		r.condition(o)
	case "AlertNotificationTarget":
		s, _ := o.spec.Object("description", "target")
		s.Need("target", "write target: slack")
		foreign.Lost(s.Get("target"), "messages go where slack: of the configuration sends them")
	case "DataSource":
		s, _ := o.spec.Object("description", "type", "connectionDetails")
		s.Need("type", "write type: Prometheus")
		foreign.Lost(s.Need("connectionDetails", "write connectionDetails:"), "the server is named by prometheus: of the configuration")
	case "Service":
		s, _ := o.spec.Object("description")
		foreign.Lost(s.Get("description"), "it is written with slowburn's own SLOs of the service")
	}
}

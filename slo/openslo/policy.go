package openslo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/internal/foreign"
)

// condition is one burn-rate condition.
type condition struct {
	at       strictyaml.Value
	page     bool
	burn     float64
	lookback time.Duration
}

// policies is what the alert policies of an SLO ask for together.
type policies struct {
	given      bool
	conditions []condition
	noData     *bool // whether missing data are told, nil if nothing was said
}

// maxPolicies bounds the policies of an SLO.
const maxPolicies = 50

// policies reads alertPolicies of an SLO.
func (r *reader) policies(v strictyaml.Value) (out policies, good bool) {
	if !v.IsList() && !v.IsMap() && !v.IsText() { // not written, or left empty
		return out, true
	}
	list, good := v.List(maxPolicies)
	out.given = len(list) > 0
	for _, e := range list {
		o, ok := r.referred(e, "AlertPolicy", "alertPolicyRef")
		if !ok {
			good = false
			continue
		}
		p, ok := r.policy(o)
		good = good && ok
		out.conditions = append(out.conditions, p.conditions...)
		if p.noData != nil && (out.noData == nil || *p.noData) {
			out.noData = p.noData
		}
	}
	return out, good
}

// referred returns an object that is written in place or named by a reference.
func (r *reader) referred(v strictyaml.Value, kind, key string) (object, bool) {
	if ref := v.Child(key); ref.Given() {
		v.Object(key)
		return r.library.find(kind, ref, "")
	}
	return r.inline(kind, v)
}

// policy reads an alert policy, which has exactly one condition.
func (r *reader) policy(o object) (out policies, good bool) {
	spec, ok := o.spec.Object("description", "alertWhenNoData", "alertWhenResolved", "alertWhenBreaching", "conditions", "notificationTargets")
	if !ok {
		return out, false
	}
	if v := spec.Get("alertWhenNoData"); v.Given() {
		on, _ := v.Bool()
		out.noData = &on
	}
	for _, key := range []string{"alertWhenResolved", "alertWhenBreaching"} {
		if on, given := spec.Get(key).Bool(); given && !on {
			foreign.Lost(spec.Get(key), "whoever is told that an incident began is told that it ended")
		}
	}
	good = r.targets(spec)
	list, ok := spec.Need("conditions", "write one condition").List(maxPolicies)
	if ok && len(list) != 1 {
		spec.Get("conditions").Problem(fmt.Sprintf("conditions has %d entries; OpenSLO wants exactly one", len(list)), "write one policy for each condition")
		return out, false
	}
	if !ok {
		return out, false
	}
	written, ok := r.referred(list[0], "AlertCondition", "conditionRef")
	if !ok {
		return out, false
	}
	c, ok := r.condition(written)
	if c != nil {
		out.conditions = append(out.conditions, *c)
	}
	return out, ok && good
}

// targets reads notificationTargets. Where messages go is slowburn's own configuration.
func (r *reader) targets(spec strictyaml.Object) bool {
	v := spec.Need("notificationTargets", "write at least one target")
	list, ok := v.List(maxPolicies)
	if ok && len(list) == 0 {
		v.Problem("notificationTargets is empty", "write at least one target")
		return false
	}
	for _, e := range list {
		if ref := e.Child("targetRef"); ref.Given() {
			r.library.find("AlertNotificationTarget", ref, "not-carried-over")
		} else if o, ok := r.inline("AlertNotificationTarget", e); ok {
			r.check(o)
		}
	}
	foreign.Lost(v, "messages go where slack: of the configuration sends them")
	return ok
}

// severities that wake somebody up, in small letters. All others are tickets.
var pageSeverities = []string{"page", "critical", "crit", "high", "emergency", "fatal", "sev1", "p1"}

// condition reads a burn-rate condition. It is nil where there is nothing to alert on.
func (r *reader) condition(o object) (*condition, bool) {
	spec, _ := o.spec.Object("description", "severity", "condition")
	severity, ok1 := spec.Need("severity", "write page or ticket").Literal("a severity such as page")
	v := spec.Need("condition", "write condition: {kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h}")
	c, ok := v.Object("kind", "op", "threshold", "lookbackWindow", "alertAfter")
	if !ok {
		return nil, false
	}
	_, ok2 := c.Need("kind", "write kind: burnrate").OneOf("burnrate")
	op, ok3 := c.Need("op", "write op: gte").OneOf("lte", "gte", "lt", "gt")
	threshold := c.Need("threshold", "write the burn rate, such as threshold: 14.4")
	burn, ok4 := foreign.Number(threshold)
	lookback, ok5 := readSpan(c.Need("lookbackWindow", "write lookbackWindow: 1h"))
	if after := c.Get("alertAfter"); after.Given() {
		if _, ok := readSpan(after); !ok {
			return nil, false
		}
		foreign.Lost(after, "the short window of the pair, a twelfth of lookbackWindow, keeps short spikes quiet")
	}
	switch {
	case !ok1 || !ok2 || !ok3 || !ok4 || !ok5:
		return nil, false
	case burn <= 0:
		threshold.Problem(fmt.Sprintf("with a burn rate of %s this would always alert", figures.Decimal(burn)), "write a rate above zero, such as 14.4")
		return nil, false
	case strings.HasPrefix(op, "l"):
		foreign.Lost(c.Get("op"), "an alert on a slow burn would tell that all is well")
		return nil, true
	}
	return &condition{v, slices.Contains(pageSeverities, strings.ToLower(severity)), burn, lookback.length()}, true
}

// alerts turns the conditions into the closest pairs for an SLO: the share of the budget that the
// burn rate spends in the lookback window, and a twelfth of that as short window.
func (p policies) alerts(at strictyaml.Value, s *slo.Spec) slo.Alerts {
	if !p.given {
		page, ticket := foreign.Workbook(s.Window())
		return foreign.Alerts(at, s, page, ticket)
	}
	a := foreign.Alerts(at, s, nil, nil)
	for _, c := range p.conditions {
		pair := slo.Pair{Long: c.lookback, Short: max((c.lookback / 12).Truncate(time.Minute), time.Minute)}
		pair.Budget = foreign.Share(c.burn, pair.Long, s.Window().Length())
		living := foreign.Living(c.at, s, []slo.Pair{pair})
		if c.page {
			a.Page = append(a.Page, living...)
		} else {
			a.Ticket = append(a.Ticket, living...)
		}
	}
	if p.noData != nil && !*p.noData {
		a.NoData = 0
	}
	return a
}

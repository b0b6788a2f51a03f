package incidents

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
)

// step is one act on its way: when it is told, and what comes of it.
type step struct {
	at   time.Duration
	act  alerting.Act
	want string // kinds of the acts that are written down, or the beginning of why not
}

// TestFourEyes: what takes a second person has no effect before that one approves it, and then from
// then on.
func TestFourEyes(t *testing.T) {
	const ada, ben, cy = "token ada", "oidc ben@example.com", "user cy"
	later := t0.Add(20 * time.Hour)
	override := func(who string) alerting.Act {
		return alerting.Act{Key: "ask", Kind: alerting.Override, By: "Ada", Who: who, Via: "api", Service: "shop", Text: "a fix", Until: later}
	}
	exempt := alerting.Act{Key: "ask", Kind: alerting.Exempt, By: "Ada", Who: ada, Via: "api", SLO: "shop/a", Text: "the sale", Until: t0.Add(72 * time.Hour)}
	class := func(key, who, text string) alerting.Act {
		return alerting.Act{Key: key, Kind: alerting.Classify, By: "Ada", Who: who, Via: "api", Incident: "shop/a/page", Text: text}
	}
	on := func(kind alerting.ActKind, key, who, other string) alerting.Act {
		return alerting.Act{Key: key, Kind: kind, By: "Ben", Who: who, Via: "web", Other: other}
	}
	approve := func(who string) alerting.Act { return on(alerting.Approve, "yes", who, "ask") }
	undo := alerting.Act{Key: "undo", Kind: alerting.Undo, By: "Ada", Who: ada, Via: "api", Incident: "shop/a/page", Other: "yes@ask"}
	for name, c := range map[string]struct {
		steps []step
		works bool // what was asked for is in force in the end
	}{
		"an override waits":                    {[]step{{0, override(ada), "ask"}}, false},
		"it is approved by somebody else":      {[]step{{0, override(ada), "ask"}, {time.Hour, approve(ben), "approve override"}}, true},
		"an exemption":                         {[]step{{0, exempt, "ask"}, {time.Hour, approve(ben), "approve exempt"}}, true},
		"a class":                              {[]step{{0, class("ask", ada, alerting.NotMajor), "ask"}, {time.Hour, approve(ben), "approve classify"}}, true},
		"by the same token":                    {[]step{{0, override(ada), "ask"}, {time.Hour, approve(ada), "It was asked for by token ada"}}, false},
		"by the same name, proven otherwise":   {[]step{{0, override(ada), "ask"}, {time.Hour, approve("user Ada"), "It was asked for by token ada"}}, false},
		"by the same person with more proofs":  {[]step{{0, override("oidc ben@example.com"), "ask"}, {time.Hour, approve("token other, oidc ben@example.com"), "It was asked for"}}, false},
		"by a name that hides another":         {[]step{{0, override(`user "x, token ben"`), "ask"}, {time.Hour, approve("token ben"), "approve override"}}, true},
		"by nobody who is known":               {[]step{{0, override(ada), "ask"}, {time.Hour, approve(""), "An approval takes a proof"}}, false},
		"by the token of the machine":          {[]step{{0, override(ada), "ask"}, {time.Hour, approve("token local"), "An approval takes a proof"}}, false},
		"by the token of the environment":      {[]step{{0, override(ada), "ask"}, {time.Hour, approve("token SLOWBURN_WRITE_TOKEN"), "An approval takes a proof"}}, false},
		"it is asked for by nobody":            {[]step{{0, override(""), "This takes the approval"}}, false},
		"it is asked for by the machine":       {[]step{{0, override("token local"), "This takes the approval"}}, false},
		"it has expired":                       {[]step{{0, exempt, "ask"}, {24 * time.Hour, approve(ben), "It waited for approval until"}}, false},
		"it would be over":                     {[]step{{0, override(ada), "ask"}, {21 * time.Hour, approve(ben), "It waited for approval until"}}, false},
		"it is approved twice":                 {[]step{{0, override(ada), "ask"}, {time.Minute, approve(ben), "approve override"}, {2 * time.Minute, on(alerting.Approve, "again", cy, "ask"), "Ben has approved it already"}}, true},
		"the approval is told again":           {[]step{{0, override(ada), "ask"}, {time.Minute, approve(ben), "approve override"}, {2 * time.Minute, approve(ben), ""}}, true},
		"it is rejected":                       {[]step{{0, override(ada), "ask"}, {time.Minute, on(alerting.Reject, "no", ben, "ask"), "reject"}, {2 * time.Minute, approve(ben), "Ben has rejected it already"}}, false},
		"whoever asked withdraws it":           {[]step{{0, override(ada), "ask"}, {time.Minute, on(alerting.Reject, "no", ada, "ask"), "reject"}}, false},
		"what is approved cannot be rejected":  {[]step{{0, override(ada), "ask"}, {time.Minute, approve(ben), "approve override"}, {2 * time.Minute, on(alerting.Reject, "no", cy, "ask"), "Ben has approved it already"}}, true},
		"nothing waits":                        {[]step{{0, approve(ben), "Nothing waits"}}, false},
		"an approval is approved":              {[]step{{0, override(ada), "ask"}, {time.Minute, approve(ben), "approve override"}, {2 * time.Minute, on(alerting.Approve, "again", cy, "yes"), "Nothing waits"}}, true},
		"an ask is taken back":                 {[]step{{0, override(ada), "ask"}, {time.Minute, alerting.Act{Key: "u", Kind: alerting.Undo, By: "Ada", Service: "shop", Other: "ask"}, "There is no act"}}, false},
		"a class that is asked for, as well":   {[]step{{0, class("ask", ada, alerting.Major), "ask"}, {time.Minute, alerting.Act{Key: "u", Kind: alerting.Undo, By: "Ada", Incident: "shop/a/page", Other: "ask"}, "What waits for approval is rejected"}}, false},
		"it was classed anew meanwhile":        {[]step{{0, class("other", ada, alerting.Major), "ask"}, {time.Minute, class("ask", ada, alerting.NotMajor), "ask"}, {2 * time.Minute, on(alerting.Approve, "no", ben, "other"), "approve classify"}, {3 * time.Minute, approve(ben), "Ada has classed"}}, false},
		"taking back a class takes two":        {[]step{{0, class("ask", ada, alerting.Major), "ask"}, {time.Minute, approve(ben), "approve classify"}, {2 * time.Minute, undo, "ask"}}, true},
		"which approve it":                     {[]step{{0, class("ask", ada, alerting.Major), "ask"}, {time.Minute, approve(ben), "approve classify"}, {2 * time.Minute, undo, "ask"}, {3 * time.Minute, on(alerting.Approve, "back", ben, "undo"), "approve undo"}}, false},
		"an ask is made up":                    {[]step{{0, alerting.Act{Key: "ask", Kind: alerting.Asked, Asks: alerting.Override, By: "x", Who: "token x", Service: "shop", Text: "y", Until: later, Expires: later}, `"ask" is no act`}, {time.Minute, approve(ben), "Nothing waits"}}, false},
		"an approved act is made up":           {[]step{{0, func() alerting.Act { a := override(ada); a.ApprovedBy = "Ben"; return a }(), "ask"}}, false},
		"an approval is dated back":            {[]step{{0, override(ada), "ask"}, {21 * time.Hour, func() alerting.Act { a := approve(ben); a.At = t0.Add(time.Hour); return a }(), "It waited for approval until"}}, false},
		"what is asked for is dated back":      {[]step{{0, func() alerting.Act { a := override(ada); a.At = t0.Add(61 * time.Minute); return a }(), "ask"}, {time.Hour, approve(ben), "approve override"}}, true},
		"an override about an incident":        {[]step{{0, func() alerting.Act { a := override(ada); a.Incident = "shop/a/page"; return a }(), "This is about a service"}}, false},
		"the same is asked for again":          {[]step{{0, override(ada), "ask"}, {time.Minute, override(ada), ""}}, false},
		"a kind that does not take two at all": {[]step{{0, alerting.Act{Key: "ask", Kind: alerting.Silence, By: "Ada", Who: ada, Service: "shop", Until: later}, "silence"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld("shop/a")
			on := w.budgets["shop/a"]
			on.Policy = &alerting.Policy{FourEyes: alerting.FourEyesKinds}
			w.budgets["shop/a"] = on
			b, now := burning(w, "shop/a"), t0
			for n, s := range c.steps {
				now = t0.Add(2*time.Hour + s.at)
				after, out, err := b.Act(w, s.act, nil, now)
				got := ""
				for _, a := range out.Acts {
					got = strings.TrimSpace(got + " " + string(a.Kind))
					if a.Kind != alerting.Asked && !a.At.Equal(now) {
						t.Errorf("step %d: the %s is dated %s, not %s", n+1, a.Kind, a.At, now)
					}
				}
				var refused *ActError
				if errors.As(err, &refused) {
					got = refused.Text
				} else if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(got, s.want) || s.want == "" && got != "" {
					t.Errorf("step %d: %q, not %q", n+1, got, s.want)
				}
				b = after
			}
			if works := inForce(b, now); works != c.works {
				t.Errorf("it is in force: %v", works)
			}
		})
	}
}

// inForce reports whether a permit lets the service pass, or its incident is classed as it was
// asked for.
func inForce(b Book, now time.Time) bool {
	v := alerting.Verdict{SLO: "shop/a"}.At(now, nil, b.Acts())
	i, _ := b.Find("shop/a/page")
	classed := false
	for _, a := range alerting.InForce(i.Acts, now) {
		classed = classed || a.Kind == alerting.Classify && strings.HasSuffix(a.Key, "@ask")
	}
	return v.Permit != nil || classed
}

package incidents

import (
	"cmp"
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
)

// takesTwo reports whether an act of a kind has to be approved by a second person first. What was
// approved has been.
func (r *request) takesTwo(kind alerting.ActKind) bool {
	return r.asked.Key == "" && r.policy().TakesTwo(kind)
}

// classifies returns the kind of an act on an incident; what takes a class back classifies, too.
func classifies(i alerting.Incident, a alerting.Act) alerting.ActKind {
	isClass := func(b alerting.Act) bool { return b.Key == a.Other && b.Kind == alerting.Classify }
	if a.Kind == alerting.Undo && slices.ContainsFunc(i.Acts, isClass) {
		return alerting.Classify
	}
	return a.Kind
}

// isAsking reports whether an act asks for another one, or decides on that. Nobody takes it back.
func isAsking(a alerting.Act) bool { return a.Asks != "" }

// ask turns the act into one that asks for it. It says all that the act would, and nothing is
// decided by it.
func (r *request) ask() error {
	if len(alerting.Names(r.act.Who)) == 0 {
		return invalid("This takes the approval of a second person, so prove who you are by something of your own: a token that is yours, a password, or by signing in.")
	}
	a := &r.act
	a.Asks, a.Kind, a.At = a.Kind, alerting.Asked, a.Received
	a.Expires = a.Received.Add(cmp.Or(r.policy().ApproveWithin, alerting.ApproveWithin))
	if !a.Until.IsZero() && a.Until.Before(a.Expires) {
		a.Expires = a.Until // then it would be over
	}
	return nil
}

// askedFor returns what was asked for by a key, of acts that are remembered.
func askedFor(acts []alerting.Act, key string) (alerting.Act, bool) {
	n := slices.IndexFunc(acts, func(a alerting.Act) bool { return a.Kind == alerting.Asked && a.Key == key })
	if n < 0 {
		return alerting.Act{}, false
	}
	return acts[n], true
}

// decide takes an approval or a rejection of what waits. An approval writes the act that was asked
// for, as of now, if it can still be done: it is checked as if it were told now.
func (r *request) decide() (known bool, err error) {
	if slices.ContainsFunc(r.acts, func(a alerting.Act) bool { return a.Key == r.act.Key }) {
		return true, nil
	}
	asked, ok := askedFor(r.acts, r.act.Other)
	if err := r.mayDecide(asked, ok); err != nil {
		return false, err
	}
	r.asked = asked
	a := r.act
	a.Asks, a.At = asked.Asks, a.Received
	a.Incident, a.SLO, a.Service = asked.Incident, asked.SLO, asked.Service
	if a.Kind == alerting.Reject {
		err = r.reject(a)
	} else {
		err = r.approve(a)
	}
	r.act = a
	r.after.note(a)
	return false, err
}

// mayDecide returns nil if what was asked for may be decided on by the act.
func (r *request) mayDecide(asked alerting.Act, known bool) error {
	if !known {
		return unknownAct("Nothing waits for approval by the key %q.", r.act.Other)
	}
	decision, decided := alerting.DecisionOn(r.acts, asked.Key)
	switch {
	case decided && decision.Kind == alerting.Approve:
		return conflict("%s has approved it already, %s.", decision.By, figures.UTC(decision.At))
	case decided:
		return conflict("%s has rejected it already, %s. Ask again.", decision.By, figures.UTC(decision.At))
	case !r.now.Before(asked.Expires):
		return conflict("It waited for approval until %s, and nobody gave it. Ask again.", figures.UTC(asked.Expires))
	case r.act.Kind == alerting.Reject:
		return nil
	case len(alerting.Names(r.act.Who)) == 0:
		return invalid("An approval takes a proof of who gives it that is their own: their token, a password, or by signing in.")
	case alerting.SamePerson(asked.Who, r.act.Who):
		return conflict("It was asked for by %s, and is approved by somebody else.", asked.Who)
	}
	return nil
}

// approve writes the act that was asked for, which takes effect when that is approved.
func (r *request) approve(a alerting.Act) error {
	r.act = r.asked
	r.act.Kind, r.act.Asks, r.act.Expires = r.asked.Asks, "", time.Time{}
	r.act.Key, r.act.At, r.act.Received, r.act.Said = a.Key+"@"+r.asked.Key, a.Received, a.Received, time.Time{}
	r.act.ApprovedBy = a.By
	take := r.onScope
	if r.act.Incident != "" {
		if err := r.asItWas(); err != nil {
			return err
		}
		take = r.onIncident
	}
	known, err := take()
	if known {
		return conflict("What was asked for is done already.")
	}
	r.out.Acts = append([]alerting.Act{r.act}, r.out.Acts...)
	return err
}

// asItWas refuses to class an incident that was classed anew after that was asked for.
func (r *request) asItWas() error {
	i, _ := r.find(r.asked.Incident, r.past)
	n := slices.IndexFunc(i.Acts, func(a alerting.Act) bool { return a.Key == r.asked.Key })
	for _, a := range i.Acts[n+1:] {
		if classifies(i, a) == alerting.Classify {
			return conflict("%s has classed the incident after this was asked for, %s. Ask again.", a.By, figures.UTC(a.At))
		}
	}
	return nil
}

// reject tells that what was asked for is not done.
func (r *request) reject(a alerting.Act) error {
	r.act = a
	if a.Incident == "" {
		r.out.Permit = r.permit()
		return nil
	}
	if i, ok := r.find(a.Incident, r.past); ok {
		a.At = r.inTime(a, i)
		i = i.Take(a)
		r.change(i)
		r.tell(r.Book, Done{Act: a}, i)
	}
	return nil
}

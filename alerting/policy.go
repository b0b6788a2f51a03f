package alerting

import (
	"slices"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Policy is the error-budget policy: what may be changed while how much of a budget is left. It
// looks at the first window of an SLO, the one that drives its alerts.
type Policy struct {
	Limits
	Services map[string]Limits // of services that have limits of their own
	Notify   slo.SlackRoute    // who is told when a gate freezes and thaws; without a channel it is the service's own
	// PostmortemAt is the share of a four-week budget, in basis points, above which one incident
	// needs a postmortem.
	PostmortemAt int64
	// StaleAfter is how old the newest known minute may be; after that the verdict is unknown.
	StaleAfter time.Duration
	// ExemptAtMost is how long an exemption may last; zero is as by default.
	ExemptAtMost time.Duration
	// FourEyes are the kinds of act, of FourEyesKinds, that take effect only when a second person
	// approves them, and ApproveWithin is how long they wait for that; zero is as by default.
	FourEyes      []ActKind
	ApproveWithin time.Duration
	// OpenPage is what an open page makes of the gate, however much budget is left: GateCaution,
	// GateFrozen, or "" for nothing.
	OpenPage Gate
}

// LongestExemption is how long an exemption lasts at most, unless the policy says something else.
const LongestExemption = 30 * slo.Day

// Limits are the lines of a policy: shares of the budget that is left, in basis points from 0 to
// 10000.
type Limits struct {
	CautionBelow int64
	FreezeBelow  int64
	// Thaw is how far above a line the budget must come back before the line is taken for left
	// behind, so that a budget that stands at a line does not stop and start releases by the hour.
	Thaw int64
}

// DefaultPolicy is: caution below a quarter of the budget, freeze when it is overspent, both until
// 5 % more are left, a postmortem for an incident above 20 % of four weeks' budget, and caution
// while a page is open.
func DefaultPolicy() Policy {
	return Policy{Limits: Limits{CautionBelow: 2500, FreezeBelow: 0, Thaw: 500}, PostmortemAt: 2000, StaleAfter: 15 * time.Minute, ExemptAtMost: LongestExemption, OpenPage: GateCaution}
}

// Of returns the limits that a service is under.
func (p *Policy) Of(service string) Limits {
	if l, ok := p.Services[service]; ok {
		return l
	}
	return p.Limits
}

// Gate is what the policy says of a budget, or of a service by the worst of its budgets.
type Gate string

// The states of a gate. Exempt and unknown are never remembered; they follow from what is known
// when somebody asks.
const (
	GateOpen    Gate = "open"
	GateCaution Gate = "caution"
	GateFrozen  Gate = "frozen"
	GateExempt  Gate = "exempt"
	GateUnknown Gate = "unknown"
)

// next returns the state that follows a state, for what is left of the budget now. The zero Gate
// has no past.
func (l Limits) next(now Gate, s budget.Status) Gate {
	back := func(line int64) bool { return !s.LeftBelow(min(line+l.Thaw, 10000)) }
	switch {
	case s.LeftBelow(l.FreezeBelow), now == GateFrozen && !back(l.FreezeBelow):
		return GateFrozen
	case s.LeftBelow(l.CautionBelow), (now == GateFrozen || now == GateCaution) && !back(l.CautionBelow):
		return GateCaution
	}
	return GateOpen
}

// stepGate remembers the policy's state of the budget and tells when it changes. What it was at the
// first look is no news. While too little of the window is known for a verdict, the state stays
// what it was.
func (w *walk) stepGate(m budget.Minute, news bool) {
	if w.Policy == nil {
		w.Gate, w.GateSince = "", 0
		return
	}
	if w.Gate != "" && !news {
		return
	}
	status := w.status(m)
	if !judgeable(status) {
		return
	}
	before, after := w.Gate, w.Policy.Of(w.ID.Service()).next(w.Gate, status)
	if before == after {
		return
	}
	w.Gate, w.GateSince = after, 0
	if before != "" {
		w.GateSince = m + 1
		w.events = append(w.events, w.event(m, &Open{Incident: w.incidentID(RulePolicy, m), Rule: RulePolicy, Severity: Notice}, Noticed, turned(before, after)))
	}
}

// turned names a change of state.
func turned(before, after Gate) Reason {
	switch {
	case after == GateFrozen:
		return PolicyFrozen
	case before == GateFrozen:
		return PolicyThawed
	case after == GateCaution:
		return PolicyCaution
	}
	return PolicyOpen
}

// Ground is what a verdict rests on. internal/sentences says it, and what would clear it.
type Ground string

// The grounds.
const (
	NoPolicy     Ground = "no_policy"     // nobody has said what to judge by
	NoBudget     Ground = "no_budget"     // there is nothing to judge
	NothingKnown Ground = "nothing_known" // nothing was read yet
	LittleKnown  Ground = "little_known"  // less than half of the window is known
	TooYoung     Ground = "too_young"     // the size of the budget is not known yet
	Stale        Ground = "stale"         // the newest data are Age old, more than StaleAfter
	Broken       Ground = "broken"        // its figures cannot be computed: Problem
	ByBudget     Ground = "budget"        // what is left of the budget, and an open page if Paged
	AlertOpen    Ground = "alert_open"    // no experiment: Incident is open
	OtherRuns    Ground = "other_runs"    // no experiment: Running runs
	TooDear      Ground = "too_dear"      // no experiment: Spend more would fall below Line
	MaySpend     Ground = "may_spend"     // an experiment may spend Spend
)

// Verdict is the policy's answer to "may we release?", with everything it rests on.
type Verdict struct {
	Service string
	SLO     slo.ID // the budget that decides; "" if the service has none
	Gate    Gate
	Go      bool      // it may be released: the gate is open, or somebody has taken the responsibility
	Ground  Ground    // why
	Since   time.Time // since when the gate is in this state; zero if that is not known
	AsOf    time.Time // the end of the newest minute that is known; zero if none is
	Budget  budget.Status
	Paged   bool // a page that is open since Since holds releases back, not the budget
	// Line is the share of the budget below which the policy is Low, and Back the share from which
	// it is open again, in basis points. Low is "" and both are zero where the budget holds nothing
	// back.
	Low        Gate
	Line, Back int64
	// ClearsAt is about when the gate opens if no event goes bad from now on; zero where time alone
	// does not help, or nobody knows.
	ClearsAt        time.Time
	Age, StaleAfter time.Duration
	Problem         string

	Spend    int64  // of an experiment, in basis points
	Incident string // that is open
	Running  *Act   // another experiment
	// Permit is the exemption or the override that is in force, nil if none is.
	Permit *Act
}

// NoPolicy reports whether nobody has said what to judge by.
func (v Verdict) NoPolicy() bool { return v.Ground == NoPolicy }

// leastCoverage is the share of the window that must be known for a verdict.
const leastCoverage = 0.5

// judgeable reports whether enough is known of a budget for a verdict on it.
func judgeable(s budget.Status) bool { return s.Sized && s.Coverage >= leastCoverage }

// Judge returns the policy's verdict on one budget at a time: from the ledger and from the acts
// that concern it alone, so it stands also while the source of the data is down. Without a policy
// it is unknown.
func Judge(in Input, st State, acts []Act, now time.Time) Verdict {
	return Assess(in, st, in.StatusAt(st.Through)).At(now, in.Policy, acts)
}

// Assess returns the part of a verdict that only a new minute can change: what the policy says of
// the budget as it stands at the end of the newest minute that was walked. [Verdict.At] makes it
// the verdict of a time.
func Assess(in Input, st State, status budget.Status) Verdict {
	v := Verdict{Service: in.ID.Service(), SLO: in.ID, Gate: GateUnknown, Budget: status}
	known := st.Through - budget.Minute(st.Missing)
	if v.Budget.Sum.Seen() > 0 {
		v.AsOf = known.Time()
	}
	switch {
	case in.Policy == nil:
		v.Ground = NoPolicy
	case v.AsOf.IsZero():
		v.Ground = NothingKnown
	case v.Budget.Coverage < leastCoverage:
		v.Ground = LittleKnown
	case !judgeable(v.Budget):
		v.Ground = TooYoung
	default:
		v.judgeBudget(in, st)
	}
	return v
}

// At returns an assessed verdict as it stands at a time: by then the data may be too old to judge
// by, and permits come and go.
func (v Verdict) At(now time.Time, p *Policy, acts []Act) Verdict {
	if age := now.Sub(v.AsOf); p != nil && !v.AsOf.IsZero() && age > p.StaleAfter {
		v = Verdict{
			Service: v.Service, SLO: v.SLO, Gate: GateUnknown, AsOf: v.AsOf, Budget: v.Budget,
			Ground: Stale, Age: age, StaleAfter: p.StaleAfter,
		}
	}
	v.permit(v.SLO, acts, now)
	return v
}

// judgeBudget returns the verdict on a budget that is known.
func (v *Verdict) judgeBudget(in Input, st State) {
	limits := in.Policy.Of(v.Service)
	v.Gate = limits.next(st.Gate, v.Budget)
	if v.Gate == st.Gate && st.GateSince > 0 {
		v.Since = st.GateSince.Time()
	}
	v.Go = v.Gate == GateOpen
	v.Ground = ByBudget
	if v.Gate != GateOpen {
		v.Low, v.Line = v.Gate, limits.CautionBelow
		if v.Gate == GateFrozen {
			v.Line = limits.FreezeBelow
		}
		v.Back = min(v.Line+limits.Thaw, 10000)
		v.ClearsAt = budget.Recovery(in.Ledger, v.Budget, v.Back)
	}
	v.burns(in.Policy.OpenPage, st.Burn)
}

// burns lets a page that is open hold releases back, if the budget does not do so more already. The
// state of the budget's own is not touched: when the page is over, it counts again.
func (v *Verdict) burns(as Gate, open *Open) {
	if as == "" || open == nil || open.loud() != Page || v.Gate == GateFrozen || v.Gate == as {
		return
	}
	v.Gate, v.Go, v.Paged = as, false, true
	v.Since, v.ClearsAt = max(open.Opened, open.Paged).End(), time.Time{}
}

// permit lets an exemption, or else an override, open the gate.
func (v *Verdict) permit(id slo.ID, acts []Act, now time.Time) {
	if a := permitOn(id, Exempt, acts, now); a != nil {
		v.Gate, v.Go, v.Permit = GateExempt, true, a
	} else if a := permitOn(id, Override, acts, now); a != nil && !v.Go {
		v.Go, v.Permit = true, a
	}
}

// permitOn returns the newest act of a kind that lets a budget pass at a time, nil if none does.
func permitOn(id slo.ID, kind ActKind, acts []Act, now time.Time) *Act {
	for _, a := range slices.Backward(InForce(acts, now)) {
		if a.Kind == kind && a.Concerns(id) && (a.Until.IsZero() || now.Before(a.Until)) {
			return &a
		}
	}
	return nil
}

// rank orders verdicts: what certainly says no comes before what nobody knows, and that before what
// says yes.
func (v Verdict) rank() int {
	switch {
	case v.Go && v.Gate == GateOpen:
		return 0
	case v.Go:
		return 1
	case v.Gate == GateCaution:
		return 2
	case v.Gate == GateUnknown:
		return 3
	}
	return 4
}

// Worst returns the verdict on all of them together: that of the worst, of equals of the one with
// the least budget left. Of none it is unknown.
func Worst(all []Verdict) Verdict {
	if len(all) == 0 {
		return Verdict{Gate: GateUnknown, Ground: NoBudget}
	}
	worst := all[0]
	for _, v := range all[1:] {
		if v.rank() > worst.rank() || v.rank() == worst.rank() && v.Budget.Spent > worst.Budget.Spent {
			worst = v
		}
	}
	return worst
}

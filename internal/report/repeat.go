package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// Repetition is incidents of a period that are alike: of one SLO at the same hour of the day or of
// the week, or of one service by the same contributor. One decision is proposed for all of them.
type Repetition struct {
	Kind      Likeness
	Service   string
	SLO       slo.ID   // "" of several SLOs
	Incidents []string // of the period, oldest first
	// From and To are the clock times between which they burned, as times of the first one's day,
	// in the report's zone.
	From, To time.Time
	Days     int  // different days on which they began
	Running  bool // one day after the other
	Earlier  int  // incidents of the periods before that are alike
	// Contributor is the label value that every one is in whose evidence names one, "" if they
	// differ or none is known. Person took all of them, "" if nobody did.
	Contributor string
	Person      string
	Cost        string // the share of the budget that they took together in the period; "" if they have several budgets or none is known
	Small       bool   // none of them requires a postmortem by itself
}

// Likeness is what incidents have in common.
type Likeness string

// The likenesses, the most telling first.
const (
	SameHour        Likeness = "hour"        // of the day
	SameWeekday     Likeness = "weekday"     // and hour, in different weeks
	SameContributor Likeness = "contributor" // at any time
)

const (
	// alikeDays is on how many days incidents must begin at the same hour, or come from the same
	// place, before that is no chance.
	alikeDays = 3
	// alikeWithin is how far apart on the clock incidents of the same hour begin.
	alikeWithin = time.Hour
	// slowOnset is how long before its alert the onset of a burn may lie to be when it began: that
	// of a slow one is an error hours before.
	slowOnset = time.Hour
	// nightEnds is the hour until which it is night; it begins at nightBegins.
	nightEnds = 6
)

// began returns when an incident began to be felt, for the clock.
func (i Incident) began(zone *time.Location) time.Time {
	if i.Alerted().Sub(i.Onset) <= slowOnset {
		return i.Onset.In(zone)
	}
	return i.Alerted().In(zone)
}

// repetitions finds what incidents of the period repeat, where those before it show it, too. Each
// incident is part of one at most.
func repetitions(now, before []Incident, zone *time.Location) []Repetition {
	var all []Repetition
	used := map[string]bool{}
	take := func(kind Likeness, group, earlier []Incident) {
		all = append(all, repetition(kind, group, earlier, zone))
		for _, i := range group {
			used[i.ID] = true
		}
	}
	for _, of := range groups(now, func(i Incident) string { return string(i.SLO.Base()) }) {
		alike := sameHour(of, zone)
		if days(alike, zone) >= alikeDays && 2*len(alike) >= len(of) {
			take(SameHour, alike, sameTime(before, alike, zone, false))
		}
	}
	for _, of := range groups(unused(now, used), func(i Incident) string { return string(i.SLO.Base()) + i.began(zone).Weekday().String() }) {
		alike := sameHour(of, zone)
		if earlier := sameTime(before, alike, zone, true); weeks(append(slices.Clone(alike), earlier...), zone) >= alikeDays {
			take(SameWeekday, alike, earlier)
		}
	}
	for _, of := range groups(unused(now, used), func(i Incident) string { return i.SLO.Service() + "\n" + i.Contributor }) {
		if of[0].Contributor != "" && len(of) >= alikeDays {
			take(SameContributor, of, nil)
		}
	}
	return all
}

// groups parts incidents that burned by a name, in the order of their first ones.
func groups(all []Incident, name func(Incident) string) [][]Incident {
	var out [][]Incident
	at := map[string]int{}
	for _, i := range all {
		if !i.Rule.Burns() {
			continue
		}
		n, seen := at[name(i)]
		if !seen {
			n = len(out)
			at[name(i)], out = n, append(out, nil)
		}
		out[n] = append(out[n], i)
	}
	return out
}

func unused(all []Incident, used map[string]bool) []Incident {
	return slices.DeleteFunc(slices.Clone(all), func(i Incident) bool { return used[i.ID] })
}

// sameHour returns the incidents that began within an hour of the clock which saw most days, the
// earliest of such hours.
func sameHour(all []Incident, zone *time.Location) []Incident {
	var best []Incident
	for _, first := range all {
		var alike []Incident
		for _, i := range all {
			if later := clock(i.began(zone)) - clock(first.began(zone)); (later+slo.Day)%slo.Day < alikeWithin {
				alike = append(alike, i)
			}
		}
		if days(alike, zone) > days(best, zone) || days(alike, zone) == days(best, zone) && len(alike) > len(best) {
			best = alike
		}
	}
	return best
}

// sameTime returns those of other incidents of the same SLO that began at the same time of the day,
// or of the week, as a group.
func sameTime(others, group []Incident, zone *time.Location, week bool) []Incident {
	return slices.DeleteFunc(slices.Clone(others), func(o Incident) bool {
		return !o.Rule.Burns() || !slices.ContainsFunc(group, func(i Incident) bool {
			a, b := o.began(zone), i.began(zone)
			apart := (clock(a) - clock(b) + slo.Day) % slo.Day
			return o.SLO.Base() == i.SLO.Base() && min(apart, slo.Day-apart) < alikeWithin && (!week || a.Weekday() == b.Weekday())
		})
	})
}

// clock returns how far the hands of a clock have gone since midnight.
func clock(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

func days(all []Incident, zone *time.Location) int {
	return different(all, func(i Incident) string { return figures.Day(i.began(zone)) })
}

func weeks(all []Incident, zone *time.Location) int {
	return different(all, func(i Incident) string { return PeriodOf(slo.Week, i.began(zone)).String() })
}

func different(all []Incident, name func(Incident) string) int {
	seen := map[string]bool{}
	for _, i := range all {
		seen[name(i)] = true
	}
	return len(seen)
}

func repetition(kind Likeness, group, earlier []Incident, zone *time.Location) Repetition {
	r := Repetition{Kind: kind, Service: group[0].SLO.Service(), SLO: group[0].SLO, Earlier: len(earlier), Days: days(group, zone), Small: true}
	r.Person, r.Contributor = group[0].Taken, common(group)
	bad, account, one := int64(0), group[0].Account, true
	for _, i := range group {
		r.Incidents = append(r.Incidents, i.ID)
		if i.SLO != r.SLO {
			one = false
			if r.SLO = r.SLO.Base(); i.SLO.Base() != r.SLO {
				r.SLO = ""
			}
		}
		if i.Taken != r.Person {
			r.Person = ""
		}
		r.Small = r.Small && !i.Verdict.Required
		bad += i.InPeriod
	}
	if one && account.Allowed > 0 {
		r.Cost = account.CostOf(bad)
	}
	r.span(group, zone)
	return r
}

// span sets between which clock times a group burned, and whether its days follow one another.
func (r *Repetition) span(group []Incident, zone *time.Location) {
	first := slices.MinFunc(group, func(a, b Incident) int { // the earliest of an hour, which midnight may be in
		later := (clock(a.began(zone)) - clock(b.began(zone)) + slo.Day) % slo.Day
		if later > slo.Day/2 {
			later -= slo.Day
		}
		return int(later)
	})
	r.From = first.began(zone)
	dates := map[string]bool{}
	var last time.Time
	for _, i := range group {
		began := i.began(zone)
		dates[figures.Day(began)] = true
		after := (clock(began) - clock(r.From) + slo.Day) % slo.Day
		if burned := i.Ended.Sub(began); burned > 0 {
			after += burned
		}
		if end := r.From.Add(after); end.After(r.To) {
			r.To = end
		}
		if began.After(last) {
			last = began
		}
	}
	r.Running = true
	for d := range r.Days {
		r.Running = r.Running && dates[figures.Day(last.AddDate(0, 0, -d))]
	}
}

// common returns the contributor that all have whose evidence names one.
func common(group []Incident) string {
	name := ""
	for _, i := range group {
		if i.Contributor != "" && name != "" && i.Contributor != name {
			return ""
		}
		name = cmp.Or(name, i.Contributor)
	}
	return name
}

// Text says what repeats, and asks for one decision about it.
func (r Repetition) Text() string {
	parts := []string{r.when()}
	if r.Contributor != "" && r.Kind != SameContributor {
		parts[0] += ", each time by " + r.Contributor
	}
	if r.Earlier > 0 {
		parts[0] += ", and " + figures.Count(r.Earlier) + " times in the weeks before"
		if r.Earlier == 1 {
			parts[0] = strings.TrimSuffix(parts[0], "1 times in the weeks before") + "once in the weeks before"
		}
	}
	if r.Person != "" {
		parts = append(parts, r.Person+" took all "+figures.Count(len(r.Incidents)))
	}
	if r.Cost != "" {
		parts = append(parts, "together they took "+r.Cost+" of the budget")
	}
	return strings.Join(parts, "; ") + r.ask()
}

// when says at which time it burned, and how often.
func (r Repetition) when() string {
	if r.Kind == SameContributor {
		return figures.Plural(len(r.Incidents), "incident") + ", each by " + r.Contributor
	}
	at := figures.Clock(r.From)
	if long := r.To.Sub(r.From); long > time.Minute && long < slo.Day/2 {
		at += "–" + figures.Clock(r.To)
	}
	if r.Kind == SameWeekday {
		return "burned on " + r.From.Weekday().String() + " at " + at + " again"
	}
	day := "day"
	if h := r.From.Hour(); h < nightEnds || h >= nightBegins {
		day = "night"
	}
	s := "burned at " + at + " on " + figures.Plural(r.Days, day)
	if r.Running {
		s += " running"
	}
	return s
}

// ask proposes the decision.
func (r Repetition) ask() string {
	what := "move or fix what runs at that hour"
	switch {
	case r.Kind == SameContributor:
		what = "one fix for all of them"
	case r.Contributor != "" && r.Kind == SameHour && strings.Contains(r.when(), "night"):
		what = "move or fix the night job"
	case r.Kind == SameWeekday:
		what = "move or fix what runs then"
	}
	if r.Small {
		what += ", and write one postmortem for all?"
		return ": " + what
	}
	return ": " + what + "?"
}

// aboutRepetitions returns one decision for everything that repeats, and one for whoever was called
// night after night by what does not.
func (b *builder) aboutRepetitions() []Decision {
	now, before := slices.Clone(b.Incidents), b.earlier
	now = slices.DeleteFunc(now, func(i Incident) bool { return !b.Load.in(i.Detected) })
	b.Repetitions = repetitions(now, before, b.zone)
	var all []Decision
	told := map[string]bool{}
	for _, r := range b.Repetitions {
		id := r.SLO
		text := r.Text()
		if id == "" {
			text = r.Service + ": " + text
		}
		all = append(all, Decision{Repeated, id, text})
		for _, i := range r.Incidents {
			told[i] = true
		}
	}
	return append(all, b.aboutNights(told)...)
}

// aboutNights names who acknowledged pages out of hours on many days, but for incidents of which a
// repetition has told it.
func (b *builder) aboutNights(told map[string]bool) []Decision {
	var all []Decision
	for _, p := range b.People {
		called, apart := map[string]bool{}, 0
		for id, a := range b.acked {
			t := a.At.In(b.zone)
			if a.By != p.Name || !b.Load.in(a.At) || workingHours(t) {
				continue
			}
			if called[figures.Day(shiftOf(t))] = true; !told[id] {
				apart++
			}
		}
		if len(called) >= alikeDays && apart > 0 {
			all = append(all, Decision{Nights, "", p.Name + " acknowledged out of hours in " + figures.Plural(len(called), "shift") + ": who takes some of them?"})
		}
	}
	return all
}

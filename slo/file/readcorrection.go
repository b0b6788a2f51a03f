package file

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/lint"
)

// DefaultCap is the share of its window, in basis points, that a correction excuses at most if it
// does not say otherwise: of four weeks 33 hours. It is more than maintenance should take, and less
// than hides what went wrong.
const DefaultCap = 500

// The limits of corrections. A recurring one must be looked at again within a good year.
const (
	maxCorrections    = 1000
	maxCorrectionSLOs = 1000
	maxRuns           = 10_000
	maxCorrected      = 400 * slo.Day
)

// correctionReader reads one entry of corrections and keeps it for the checks that need all files.
type correctionReader struct {
	*slo.Correction
	o    strictyaml.Object
	zone *time.Location
}

// readCorrections reads one document of corrections.
func (l *loader) readCorrections(doc strictyaml.Value) {
	l.holdCorrections[doc.File()] = true
	o, _ := doc.Object(correctionsKeys.Keys()...)
	entries, _ := o.Get("corrections").List(maxCorrections)
	for _, e := range entries {
		r := correctionReader{Correction: &slo.Correction{File: e.File(), Line: e.Place().Line, Cap: DefaultCap}}
		if r.read(e) {
			l.corrections = append(l.corrections, r)
		}
	}
}

// read fills the correction from its entry; false if something was missing or wrong, which has then
// been recorded.
func (r *correctionReader) read(v strictyaml.Value) bool {
	o, ok := v.Object(correctionKeys.Keys()...)
	if !ok {
		return false
	}
	r.o = o
	name, named := readName(o.Need("name", "write name: db-upgrade"))
	kind, sorts := o.Need("kind", "write maintenance (planned, alerts are held), measurement (the data are wrong) or exclusion").OneOf(correctionKeys.Choices("kind")...)
	slos, aimed := r.patterns(o.Need("slos", `list SLOs such as checkout/availability, or checkout/*, or "*"`))
	author, signed := o.Need("author", "write who answers for it").Text()
	reason, reasoned := o.Need("reason", "write why these minutes do not count; it is shown wherever they are left out").Text()
	r.Name, r.Kind, r.SLOs, r.Author, r.Reason = name, slo.CorrectionKind(kind), slos, author, reason
	capped := true
	if c := o.Get("cap"); c.Given() {
		r.Cap, capped = Percent(c, 1, 10000)
	}
	return r.when() && named && sorts && aimed && signed && reasoned && capped
}

// patterns reads which SLOs a correction is about.
func (r *correctionReader) patterns(v strictyaml.Value) (all []string, good bool) {
	list, good := v.List(maxCorrectionSLOs)
	if good && len(list) == 0 {
		v.Problem("slos is empty", `list SLOs such as checkout/availability, or checkout/*, or "*"`)
		return nil, false
	}
	for _, e := range list {
		s, ok := e.Text()
		if ok && !correctionPattern.MatchString(s) {
			e.Problem(fmt.Sprintf("%q names no SLO", s), `write checkout/availability, checkout/* for all SLOs of a service, or "*" for all`)
			ok = false
		}
		all, good = append(all, s), good && ok
	}
	return all, good
}

// when reads the time of a correction: from and to, or a schedule.
func (r *correctionReader) when() bool {
	var known bool
	if r.zone, known = Zone(r.o.Get("timezone")); !known {
		return false
	}
	if r.o.Get("schedule").Given() {
		return r.recurring()
	}
	for _, key := range []string{"duration", "expires"} {
		if v := r.o.Get(key); v.Given() {
			v.Problem(key+" belongs to a schedule", "one that happens once ends with to")
			return false
		}
	}
	from, begins := r.time("from", "write when it begins, such as 2026-11-20 22:00")
	to, ends := r.time("to", "write when it ends, or a schedule with duration and expires")
	if !begins || !ends || !r.ordered("to", from, to) {
		return false
	}
	r.Spans = []slo.Span{{From: from, To: to}}
	return true
}

// recurring reads a correction with a schedule. It must begin, so that it does not reach into a
// past for which nobody decided it, and it must expire, so that somebody looks at it again.
func (r *correctionReader) recurring() bool {
	if v := r.o.Get("to"); v.Given() {
		v.Problem("to does not go with a schedule", "write duration for how long each run lasts, and expires for when there are no more")
		return false
	}
	v := r.o.Get("schedule")
	schedule, scheduled := Schedule(v, r.zone)
	from, begins := r.time("from", "write from when on it recurs: it must not reach into a past for which nobody decided it")
	expires, ends := r.time("expires", "write when somebody must look at it again, within 400 days")
	duration, lasts := Minutes(r.o.Need("duration", "write how long each run lasts, such as 2h"))
	if !scheduled || !begins || !ends || !lasts || !r.ordered("expires", from, expires) {
		return false
	}
	runs := schedule.Between(from, expires, maxRuns+1)
	switch {
	case len(runs) == 0:
		v.Problem("it never runs between from and expires", "")
		return false
	case len(runs) > maxRuns:
		v.Problem(fmt.Sprintf("it runs more than %d times before it expires", maxRuns), "write one correction over the whole time, or let it expire earlier")
		return false
	}
	r.Expires = expires
	for _, at := range runs {
		end := at.Add(duration)
		if end.After(expires) {
			end = expires
		}
		r.Spans = append(r.Spans, slo.Span{From: at.UTC(), To: end.UTC()})
	}
	r.Spans = joinSpans(r.Spans)
	return true
}

// ordered records an end that is not after the beginning, or too far from it.
func (r *correctionReader) ordered(end string, from, to time.Time) bool {
	v := r.o.Get(end)
	switch {
	case !from.Before(to):
		v.Problem(fmt.Sprintf("%s is not after from", end), "")
	case to.Sub(from) > maxCorrected:
		v.Problem(fmt.Sprintf("%s is more than %s after from", end, slo.ShortDuration(maxCorrected)), "somebody should look at a correction once a year")
	default:
		return true
	}
	return false
}

// timeForms are how a time may be written: with its own offset, or as the clock of the time zone
// shows it.
var timeForms = []struct {
	layout string
	wall   bool
}{
	{time.RFC3339, false},
	{"2006-01-02T15:04Z07:00", false},
	{"2006-01-02 15:04:05Z07:00", false},
	{"2006-01-02 15:04Z07:00", false},
	{"2006-01-02T15:04:05", true},
	{"2006-01-02T15:04", true},
	{"2006-01-02 15:04:05", true},
	{"2006-01-02 15:04", true},
	{"2006-01-02", true},
}

// time reads a time of a key that must be there.
func (r *correctionReader) time(key, hint string) (time.Time, bool) {
	v := r.o.Need(key, hint)
	text, ok := v.Literal("a time such as 2026-11-20 22:00")
	if !ok {
		return time.Time{}, false
	}
	for _, f := range timeForms {
		t, err := time.Parse(f.layout, strings.TrimSpace(text))
		if err != nil {
			continue
		}
		if f.wall {
			t = crontime.Instant(t, r.zone)
		}
		if t.Truncate(time.Minute) != t || t.Year() < 2000 || t.Year() > 2200 {
			v.Problem(fmt.Sprintf("%s is not a whole minute of this age", key), "the ledger counts in minutes")
			return time.Time{}, false
		}
		return t.UTC(), true
	}
	v.Problem(fmt.Sprintf("%s cannot be %q", key, text), "write 2026-11-20 22:00, which is read in the timezone of the correction (UTC if there is none), or 2026-11-20T22:00:00+01:00")
	return time.Time{}, false
}

// checkCorrections looks at all corrections together, beside the SLOs that they name.
func (l *loader) checkCorrections() {
	slices.SortStableFunc(l.corrections, func(a, b correctionReader) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	first := map[string]correctionReader{}
	whole := true
	for name, f := range l.files {
		whole = whole && (l.holdCorrections[name] || !f.Problems().Fatal())
	}
	for i, r := range l.corrections {
		if other, taken := first[r.Name]; taken {
			r.o.Get("name").Problem(fmt.Sprintf("the correction %s exists twice", r.Name),
				lint.OtherOne(other.File, other.Line))
		}
		first[r.Name] = r
		if whole && len(l.specs) > 0 { // else an SLO may be missing because it is wrong, or because only corrections are checked
			l.checkNames(r)
		}
		l.checkCap(r)
		for _, other := range l.corrections[:i] {
			if at, ok := overlap(r.Spans, other.Spans); ok && l.share(r.Correction, other.Correction) {
				r.o.Get("name").Lint("corrections-overlap",
					fmt.Sprintf("%s overlaps with %s at %s", r.Name, other.Name, figures.In(at, at.Location())),
					"a minute is excused once, by the one that comes first by file and line")
			}
		}
	}
}

// checkNames records SLOs that do not exist.
func (l *loader) checkNames(r correctionReader) {
	list, _ := r.o.Get("slos").List(maxCorrectionSLOs)
	for i, pattern := range r.SLOs {
		one := &slo.Correction{SLOs: []string{pattern}}
		if slices.ContainsFunc(l.specs, func(s *slo.Spec) bool { return one.About(s.ID()) }) {
			continue
		}
		var known []string
		for _, s := range l.specs {
			known = append(known, string(s.ID()), s.Service+"/*")
		}
		hint := "see slowburn status for their names"
		if near := strictyaml.Nearest(pattern, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		list[i].Problem(fmt.Sprintf("there is no SLO %s", pattern), hint)
	}
}

// checkCap warns of a correction that names more of a window than it may excuse.
func (l *loader) checkCap(r correctionReader) {
	for _, s := range l.specs {
		length := s.Window().Length()
		if most := densest(r.Spans, length); r.About(s.ID()) && most > length*time.Duration(r.Cap)/10000 {
			r.o.Get("name").Lint("correction-over-cap",
				fmt.Sprintf("%s of %s in a window of %s are named, and at most %s excused", slo.ShortDuration(most.Truncate(time.Minute)), s.ID(),
					slo.ShortDuration(length), slo.ShortDuration((length*time.Duration(r.Cap)/10000).Truncate(time.Minute))),
				"what exceeds the cap counts, and alerts; write a higher cap if that is not meant")
			return
		}
	}
}

// densest returns the most time of the spans that one window can hold.
func densest(spans []slo.Span, window time.Duration) (most time.Duration) {
	sum := time.Duration(0)
	for from, to := 0, 0; to < len(spans); to++ {
		sum += spans[to].To.Sub(spans[to].From)
		for ; spans[to].To.Sub(spans[from].To) >= window; from++ {
			sum -= spans[from].To.Sub(spans[from].From)
		}
		cut := max(window-spans[to].To.Sub(spans[from].To), 0) // what the window still holds of its first span
		most = max(most, sum-max(spans[from].To.Sub(spans[from].From)-cut, 0))
	}
	return most
}

// overlap returns where two lists of spans first hold the same time.
func overlap(a, b []slo.Span) (time.Time, bool) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		from, to := a[i].From, a[i].To
		if b[j].From.After(from) {
			from = b[j].From
		}
		if b[j].To.Before(to) {
			to = b[j].To
		}
		if from.Before(to) {
			return from, true
		}
		if a[i].To.Before(b[j].To) {
			i++
		} else {
			j++
		}
	}
	return time.Time{}, false
}

// share reports whether two corrections are about a common SLO.
func (l *loader) share(a, b *slo.Correction) bool {
	return slices.ContainsFunc(l.specs, func(s *slo.Spec) bool { return a.About(s.ID()) && b.About(s.ID()) })
}

// joinSpans sorts spans and joins those that touch.
func joinSpans(spans []slo.Span) []slo.Span {
	slices.SortFunc(spans, func(a, b slo.Span) int { return cmp.Compare(a.From.Unix(), b.From.Unix()) })
	var all []slo.Span
	for _, s := range spans {
		if n := len(all); n > 0 && !s.From.After(all[n-1].To) {
			if s.To.After(all[n-1].To) {
				all[n-1].To = s.To
			}
			continue
		}
		all = append(all, s)
	}
	return all
}

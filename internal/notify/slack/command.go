package slack

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// How much one answer says: so many budgets or incidents, and so many bytes of them.
const (
	shownLines = 20
	shownRoom  = 8_000
)

func (d *Desk) commandJob(in *doors, form url.Values) (job, bool, error) {
	user, hook := form.Get("user_id"), form.Get("response_url")
	if !userPattern.MatchString(user) || form.Get("trigger_id") == "" || hook != "" && !in.answerable(hook) {
		return job{}, false, errMalformed
	}
	// The team of the person is not told; in a shared channel, strangers see only their own apps'
	// commands.
	from := origin{app: form.Get("api_app_id"), team: form.Get("team_id"), enterprise: form.Get("enterprise_id"), user: user}
	text := form.Get("text")
	return job{
		key: "slack/" + user + "/" + form.Get("trigger_id"), hook: hook, inline: true,
		do: d.known(in, from, func(context.Context) outcome { return says(Answer(d.Backend, text)) }),
	}, true, nil
}

// Answer returns what /slowburn says to a text, from memory.
func Answer(from Backend, text string) Body {
	words := strings.Fields(plain(text, foreignLimit))
	verb, rest := "", ""
	if len(words) > 0 {
		verb, rest = strings.ToLower(words[0]), strings.Join(words[1:], " ")
	}
	switch verb {
	case "status":
		return statusBody(from.Standings(), rest)
	case "incidents":
		return incidentsBody(from.Open())
	case "gate":
		return gateBody(from, rest)
	case "", "help":
		return helpBody("")
	}
	return helpBody("There is no “" + escape(verb) + "”. ")
}

func helpBody(before string) Body {
	return sections(before+"What slowburn answers here; only you see it.",
		"`/slowburn status` every budget, worst first; `status checkout` or `status checkout/availability` for some",
		"`/slowburn incidents` what is open",
		"`/slowburn gate checkout` may it be released?",
		"`/slowburn help` this")
}

// sections returns an answer of a sentence and lines, all escaped.
func sections(sentence string, lines ...string) Body {
	b := Body{Text: sentence}
	text := "*" + sentence + "*"
	for _, l := range lines {
		text += "\n" + l
	}
	for _, piece := range pieces(text, limitOf("section.text")) {
		b.Blocks = append(b.Blocks, section(piece))
	}
	return b
}

// limited names the first lines, as far as one answer goes, and how many more there are.
func limited(lines []string, whole string) []string {
	shown, size := 0, 0
	for shown < min(len(lines), shownLines) && size < shownRoom {
		size += len(lines[shown])
		shown++
	}
	if shown == len(lines) {
		return lines
	}
	return append(slices.Clip(lines[:shown]), "… and "+figures.Count(len(lines)-shown)+" more; "+whole)
}

// statusBody shows the budgets of a service or an SLO, or all of them, in the order of
// [alerting.Grades].
func statusBody(all []Standing, which string) Body {
	all = slices.DeleteFunc(slices.Clone(all), func(s Standing) bool {
		return which != "" && which != s.ID.Service() && which != string(s.ID) && which != string(s.ID.Base())
	})
	if len(all) == 0 && which != "" {
		return nothingCalled(which)
	}
	if len(all) == 0 {
		return sections(sentences.NoBudgets)
	}
	slices.SortStableFunc(all, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.grade().Order(), b.grade().Order()), cmp.Compare(a.Status.Remaining(), b.Status.Remaining()), cmp.Compare(a.ID, b.ID))
	})
	burning, unseen := 0, 0
	var lines []string
	for _, s := range all {
		if g := s.grade(); g == alerting.GradeNoData || g == alerting.GradeUnknown {
			unseen++
		}
		for _, i := range s.Open {
			if i.Rule != alerting.RuleNoData {
				burning++
			}
		}
		lines = append(lines, s.line())
	}
	sentence := figures.Plural(len(all), "budget") + ", " + figures.Plural(burning, "open incident")
	if unseen > 0 {
		sentence += ", " + figures.Count(unseen) + " unknown"
	}
	return sections(sentence+".", limited(lines, "`slowburn status` shows all")...)
}

func (s Standing) grade() alerting.Grade { return alerting.GradeOf(s.Status, s.Data, s.Open) }

// gradeIcons show the grades.
var gradeIcons = map[alerting.Grade]string{
	alerting.GradePage: "🔥", alerting.GradeNoData: "❔", alerting.GradeSpent: "🔴", alerting.GradeTicket: "🎫",
	alerting.GradeLow: "🟡", alerting.GradeUnknown: "❔", alerting.GradeGood: "🟢",
}

// line returns one budget: "🔥 checkout/availability · 43 % left · gone in 5 hours · page open".
func (s Standing) line() string {
	parts := []string{gradeIcons[s.grade()] + " *" + escape(string(s.ID)) + "*"}
	switch left := s.Status.Left(); {
	case s.Status.Sum.Total == 0:
		parts = append(parts, "no traffic in the window")
	case !s.Status.Sized:
		parts = append(parts, "only "+sentences.Known(s.Status))
	case left < 0:
		parts = append(parts, "overspent by "+sentences.Counted(-left, s.Spec.SLI.Kind))
	default:
		parts = append(parts, sentences.Left(s.Status))
	}
	if s.Status.Sized && s.Status.Estimated() > 0 {
		parts = append(parts, sentences.Known(s.Status))
	}
	if o := s.Outlook; o.Known && !o.Gone && !o.Lasts {
		text, _ := sentences.Exhaustion(o)
		parts = append(parts, text)
	}
	if s.grade() == alerting.GradeNoData || s.Data == budget.Unseen.String() {
		parts = append(parts, "data: "+escape(s.Data))
	}
	for _, i := range s.Open[:min(len(s.Open), 3)] {
		parts = append(parts, dress(sentences.Standing(i)))
	}
	return strings.Join(parts, " · ")
}

// incidentsBody shows what is open, pages first.
func incidentsBody(open []alerting.Incident) Body {
	if len(open) == 0 {
		return sections("Nothing is open.")
	}
	open = slices.Clone(open)
	slices.SortStableFunc(open, func(a, b alerting.Incident) int {
		page := func(i alerting.Incident) int {
			if i.Loud() == alerting.Page {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(page(a), page(b)), a.Detected.Compare(b.Detected))
	})
	var lines []string
	for _, i := range open {
		icon := "🎫"
		switch {
		case i.Rule == alerting.RuleNoData:
			icon = "❔"
		case i.Loud() == alerting.Page:
			icon = "🔥"
		}
		lines = append(lines, icon+" *"+escape(string(i.SLO))+"* · "+dress(sentences.Standing(i))+" · "+code(i.ID))
	}
	return sections(figures.Plural(len(open), "open incident")+".", limited(lines, "`slowburn incidents --open` shows all")...)
}

// nothingCalled answers whoever names what is no service and no SLO.
func nothingCalled(name string) Body {
	return sections("There is no service and no SLO “" + escape(name) + "”.")
}

// gateBody says whether something may be released.
func gateBody(from Backend, scope string) Body {
	if scope == "" {
		return sections("Which one? For example `/slowburn gate checkout` or `/slowburn gate checkout/availability`.")
	}
	v, ok := from.Gate(scope)
	switch {
	case !ok:
		return nothingCalled(scope)
	case v.NoPolicy():
		return sections(escapeLong(sentences.GateReason(v)))
	}
	lines := []string{escapeLong(sentences.Allows(v.Gate)), escapeLong(sentences.GateReason(v))}
	if v.SLO != "" && string(v.SLO) != scope {
		lines = append(lines, "The budget that decides is "+code(string(v.SLO))+".")
	}
	if clearing := sentences.Clearing(v); clearing != "" {
		lines = append(lines, sentences.Clears+" "+escapeLong(clearing))
	}
	if p := v.Permit; p != nil {
		lines = append(lines, dress(sentences.Permitted(*p)))
	}
	return sections(gateWord(v)+": "+escape(scope), lines...)
}

func gateWord(v alerting.Verdict) string {
	icon := map[alerting.Gate]string{alerting.GateCaution: "🟡", alerting.GateFrozen: "🔴"}[v.Gate]
	if v.Go {
		icon = "🟢"
	}
	return cmp.Or(icon, "❔") + " " + sentences.Answer(v.Go, v.Gate)
}

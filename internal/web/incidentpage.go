package web

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// incidentView is the page of one incident.
type incidentView struct {
	alerting.Incident
	Heading  string // what is the matter
	Named    string // what kind it is, and of when
	State    markup
	Screen   []markup // what is read first, below the heading
	Has      markup   // who has it; "" if that is not to be said any more
	Try      string   // what to try first, "" without a guess
	Spec     *slo.Spec
	Facts    []fact
	Charts   []chart // one, or none if there is nothing to draw
	Timeline []api.Happening
	MayAct   bool             // there is a form
	Primary  alerting.ActKind // what is to be done next; "" if it is up to people
	AskToken bool             // which must bring a token
	By       string           // who has signed in, "" if nobody
	Merged   markup           // what it is told together with, "" if with nothing
	Slack    string           // where its message is, "" if that is not known
	Parts    []part
	Review   *postmortem.Review // nil if there is none
	HasDraft bool               // the postmortem has a page
	Silences []option
}

func (v incidentView) hasForm() bool { return v.MayAct }

// earlierIncidents is how many incidents of the same budget a page lists.
const earlierIncidents = 5

func (s *site) incidentPage(r *http.Request) (string, page, error) {
	ctx, here := r.Context(), page{Here: "incidents"}
	id, ofReview := strings.CutSuffix(r.PathValue("id"), postmortemPath)
	if ofReview {
		return postmortemPage(ctx, s, id)
	}
	i, err := s.findIncident(ctx, id)
	if err != nil {
		if s.reviewOf(id) != nil {
			return postmortemPage(ctx, s, id)
		}
		return "", here, err
	}
	f := factsOf(s.Source.Snapshot(), i, s.Now())
	v := incidentView{Incident: i, Spec: f.Spec, Heading: heading(f), Named: nameOf(i) + " of " + figures.UTC(i.Onset), State: standingBadge(f), Silences: silences}
	for _, t := range screen(f) {
		v.Screen = append(v.Screen, s.linked(t))
	}
	if i.Open {
		v.Has, v.Try, v.Primary = s.linked(f.Headline().Has()), f.Headline().Try(), nextAct(i)
	}
	v.Facts = incidentFacts(f)
	v.Charts = budgetCharts{s}.ofIncident(i, f.Spec)
	v.Timeline = api.DetailOf(i, v.Spec, s.Now()).Timeline
	_, known := s.callerOf(r, "")
	v.MayAct = s.Do != nil && (known || len(s.Tokens()) > 0)
	v.AskToken = !known
	if in, ok := s.session(r); ok {
		v.By = in.User
	}
	v.Merged = s.linked(sentences.ToldIn(i))
	if v.Slack, err = s.slackLink(ctx, i); err != nil {
		s.Log.Error("cannot read where the message is", "incident", i.ID, "err", err)
	}
	v.Parts = s.incidentParts(ctx, i)
	v.Review, v.HasDraft = s.reviewOf(i.ID), s.Postmortem != nil
	return "incident", page{Title: v.Heading, Here: here.Here, Body: v}, nil
}

// screen returns what is read first below the heading of an incident's page.
func screen(f sentences.Facts) []sentences.Text {
	switch {
	case f.Incident.Title() != "":
		return []sentences.Text{{{Words: symptom(f) + "."}}}
	case tellable(f) && f.Headlined() && f.Incident.Open:
		return f.Headline().Screen()
	}
	return nil
}

// standingBadge returns how an incident stands.
func standingBadge(f sentences.Facts) markup {
	switch i := f.Incident; {
	case !i.Open:
		return endedBadge(i)
	case tellable(f) && f.Stopped():
		return badge("low", "Stopped")
	case i.Rule == alerting.RuleNoData:
		return badge(stateKey(i), nameOf(i))
	default:
		return badge(stateKey(i), "Firing")
	}
}

// nextAct returns what is to be done next about an open incident: somebody has to take it, then to
// say that users no longer feel it.
func nextAct(i alerting.Incident) alerting.ActKind {
	if _, ok := i.Acknowledged(); !ok {
		return alerting.Acknowledge
	}
	if _, ok := i.TimeToMitigate(); !ok {
		return alerting.Mitigated
	}
	return ""
}

// documentView is a page that is one document.
type documentView struct {
	Title    string
	Incident string // whose postmortem it is
	Known    bool   // the incident has a page
	HTML     template.HTML
}

// postmortemPage shows the postmortem of an incident by itself, which messages link to.
func postmortemPage(ctx context.Context, s *site, id string) (string, page, error) {
	here := page{Here: "incidents"}
	text, err := s.postmortemOf(ctx, id)
	if err != nil {
		return "", here, err
	}
	_, unknown := s.findIncident(ctx, id)
	v := documentView{Title: "Postmortem of " + cmp.Or(string(alerting.SLOOf(id)), id), Incident: id, Known: unknown == nil}
	v.HTML = s.pages.render(text, decoration{Link: s.named(s.prefix)})
	return "document", page{Title: v.Title, Here: here.Here, Body: v}, nil
}

// linked returns a text with its times and what is strong in it, and links to the pages of the
// incidents that it names; "" for no text.
func (l links) linked(t sentences.Text) (m markup) {
	for _, p := range t {
		switch {
		case p.Incident != "":
			m += l.incidentLink(p.Incident, p.Words)
		case !p.At.IsZero():
			m += moment(p.At, p.Words)
		case p.Strong:
			m += "<strong>" + text(p.Words) + "</strong>"
		default:
			m += text(p.Words)
		}
	}
	return m
}

// incidentFacts returns the times and the cost of an incident. What is said above it is left out.
func incidentFacts(f sentences.Facts) []fact {
	i, spec := f.Incident, f.Spec
	cost, peak := "", unknown("the SLO was removed")
	if spec != nil {
		cost, peak = "of the budget of "+figures.Window(spec.Window())+" as it was then", unknown("no events")
		if rate, ok := i.PeakBurn(spec.Objective); ok && i.First.Pair != nil {
			peak = figure{figures.Times(rate), "over " + figures.Duration(i.First.Pair.Short)}
		}
	}
	bad := unknown("not an incident of bad events")
	if i.Last.Burn != nil {
		bad = figure{figures.Events(i.Bad()), "of " + figures.Events(i.Last.Burn.Total) + " since the onset"}
	}
	var all []fact
	if now := f.Failing.Now; i.Open && tellable(f) && f.Headlined() && now.Total > 0 {
		when := "in the newest minutes"
		if f.Failing.SoFar {
			when = "so far"
		}
		all = append(all, fact{"Failing now", figure{figures.Share(now.Bad, now.Total), "of all " + spec.SLI.Noun() + " " + when}})
	}
	all = append(all, fact{"Bad events", bad}, fact{"Cost", figure{i.CostText(), cost}}, fact{"Highest burn rate", peak})
	all = append(all, fact{"Detected", figure{figures.Duration(i.TimeToDetect()), "after the onset, " + figures.UTC(i.Alerted())}})
	if !i.Escalated.IsZero() {
		all = append(all, fact{"Escalated", figure{figures.Duration(i.Escalated.Sub(i.Onset)), "after the onset, " + figures.UTC(i.Escalated) + ", from a ticket to a page"}})
	}
	if a, ok := i.Acknowledged(); ok {
		took, _ := i.TimeToAcknowledge()
		all = append(all, fact{"Acknowledged", figure{figures.Duration(took), "after the alert, " + figures.UTC(a.At) + ", by " + a.By}})
	} else if !i.Open {
		all = append(all, fact{"Acknowledged", figure{figures.Unknown, "by nobody"}})
	}
	if !i.Open {
		all = append(all,
			fact{"Ended", figure{figures.Duration(i.Duration()), "after the onset, " + figures.UTC(i.Ended) + ": " + sentences.End(i.Rule)}},
			fact{sentences.Ended(i), figure{figures.Duration(i.Resolved.Sub(i.Onset)), "after the onset, " + figures.UTC(i.Resolved) + ": the alert was over"}})
	}
	return all
}

// incidentParts returns what was found out about an incident, what burned upstream, and what was
// before.
func (s *site) incidentParts(ctx context.Context, i alerting.Incident) []part {
	found, err := s.evidenceOf(ctx, i)
	upstream, err2 := s.upstreamOf(ctx, i)
	earlier, err3 := s.incidentsOf(ctx, store.IncidentFilter{SLO: i.SLO, To: i.Onset, Limit: shownIncidents})
	earlier = slices.DeleteFunc(earlier, func(o alerting.Incident) bool { return !o.Onset.Before(i.Onset) })
	parts := found
	if len(upstream) > 0 {
		t := table{Label: "Upstream", Head: []column{{"Severity", asState}, {"SLO", asName}, {"From", asText}, {"To", asText}}}
		for _, u := range upstream {
			to := text("burning")
			if !u.Open {
				to = stamp(u.Ended)
			}
			t.add(badge(string(u.Severity), string(u.Severity)), s.incidentLink(u.Incident, string(u.SLO)), stamp(u.Onset), to)
		}
		parts = append(parts, part{Heading: "Upstream", Words: "It depends on what burned at the same time:", Table: t})
	}
	before := part{Heading: "Earlier incidents of this budget", Table: s.incidentTable(earlier[:min(len(earlier), earlierIncidents)]), Empty: "None that is known."}
	before.Table.Label = "Earlier incidents"
	if err := errors.Join(err, err2, err3); err != nil { // what is open is in memory; what was before is not
		before.Empty = text("They cannot be read: " + err.Error())
	}
	return append(parts, before)
}

// evidenceOf returns what was found out about an incident when it opened and when it got worse: the
// newest of it.
func (s *site) evidenceOf(ctx context.Context, i alerting.Incident) ([]part, error) {
	kept, err := s.Archive.Evidence(ctx, i.ID)
	if err != nil || len(kept) == 0 {
		return nil, err
	}
	var e ranking.Evidence
	if err := json.Unmarshal(kept[len(kept)-1].Data, &e); err != nil {
		return nil, fmt.Errorf("the evidence of %s cannot be read: %w", i.ID, err)
	}
	t := table{Label: "What was found out", Head: []column{{"About", asText}, {"What", asName}, {"Query", asWhole}}}
	for n, line := range e.Burns.Sentences() {
		query := ""
		if n < len(e.Burns.Contributors) {
			query = e.Burns.Contributors[n].Query
		}
		t.add(text("what burns"), text(line), queryCell(query))
	}
	for _, c := range e.Changes {
		t.add(text("what changed"), link(c.Link, c.Sentence(e.Onset)), queryCell(c.Query))
	}
	for _, trace := range e.Traces {
		t.add(text("a trace"), link(trace.URL, trace.ID)+small(trace.Where), "")
	}
	for _, line := range e.Lines() {
		t.add(text("golden signal"), text(line), "")
	}
	for _, line := range e.Problems {
		t.add(text("not known"), text(line), "")
	}
	return []part{{
		Heading: "What was found out", ID: "evidence", Table: t, Empty: "Nothing.",
		Words: "Looked for at " + figures.UTC(e.At) + ", after it was told. What changed at the same time: " + sentences.Correlated,
	}}, nil
}

// reviewOf returns the postmortem of an incident as people have it, nil if there is none.
func (s *server) reviewOf(incident string) *postmortem.Review {
	if s.Reviews != nil {
		for _, r := range s.Reviews() {
			if r.Incident == incident {
				return &r
			}
		}
	}
	return nil
}

// silences are for how long the form can silence an incident; "" is until the budget recovers.
var silences = []option{{Value: "30m", Words: "30 minutes"}, {Value: "1h", Words: "1 hour"}, {Value: "4h", Words: "4 hours"}, {Value: "24h", Words: "a day"}, {Value: "", Words: "until the budget recovers"}}

// formActs are the acts that the form on an incident's page can do.
var formActs = []alerting.ActKind{alerting.Acknowledge, alerting.Mitigated, alerting.Remark, alerting.Silence}

// maxForm bounds what a form may send.
const maxForm = 16 << 10

// postIncident takes the form on an incident's page, and shows the page again. Whoever may not
// write as they are brings a token in the form: a browser has no other way to send it.
func (s *site) postIncident(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	a, c, err := s.readForm(r)
	if err == nil {
		_, err = s.do(r.Context(), c, a)
	}
	if err != nil {
		s.show(w, "", page{Here: "incidents"}, err)
		return
	}
	http.Redirect(w, r, s.prefix+incidentPath(a.Incident)+"#timeline", http.StatusSeeOther)
}

// readForm returns the act that a form asks for, and who asks.
func (s *site) readForm(r *http.Request) (a api.Act, c caller, err error) {
	if c, err = formCaller(s.server, r); err != nil {
		return a, c, err
	}
	a = api.Act{
		Kind: alerting.ActKind(r.PostForm.Get("act")), By: strings.TrimSpace(r.PostForm.Get("by")), Via: viaWeb, Incident: r.PathValue("id"),
		Text: strings.TrimSpace(r.PostForm.Get("text")), Who: c.who(),
	}
	if !slices.Contains(formActs, a.Kind) {
		return a, c, badRequest(incidents.NotAnAct, clip(string(a.Kind)))
	}
	if _, err := s.findIncident(r.Context(), a.Incident); err != nil {
		return a, c, err
	}
	a.Key = s.formKey(a, r.PostForm.Get("for"))
	if text := r.PostForm.Get("for"); text != "" && a.Kind == alerting.Silence {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return a, c, badRequest("%q is no time to be silent for.", clip(text))
		}
		a.Until = s.Now().Add(d)
	}
	return a, c, nil
}

// formKey makes one act of a button that is pressed twice: the same, by the same person, in the
// same minute.
func (s *site) formKey(a api.Act, more string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{a.Incident, string(a.Kind), a.By, a.Who, a.Text, more, s.Now().Truncate(time.Minute).Format(time.RFC3339)}, "\x00")))
	return "web/" + hex.EncodeToString(sum[:16])
}

// errForbidden refuses a write.
var errForbidden = &problem{http.StatusForbidden, "forbidden", "This takes a token. On the daemon's own machine there is one in the file that web.local_token_file names."}

package web

import (
	"cmp"
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// The pages of this file are lists: a heading, perhaps a filter, and tables.

// list is such a page.
type list struct {
	Heading, Lead string
	Filter        *filter
	Facts         []fact
	Parts         []part
}

func (l list) hasForm() bool { return l.Filter != nil }

// part is a table with its heading and what it says in words; Empty is said instead of a table
// without rows, More comes last.
type part struct {
	Heading, ID, Words string
	Table              table
	Empty              markup
	More               markup
}

// fact is a figure with its name.
type fact struct {
	Name   string
	Figure figure
}

// shownIncidents is how many incidents a page lists.
const shownIncidents = 200

func (s *site) incidentsPage(r *http.Request) (string, page, error) {
	q := r.URL.Query()
	wanted, err := incidentFilter(q)
	if err != nil {
		return "", page{Here: "incidents"}, err
	}
	only := s.narrow(q)
	wanted.Limit = only.most(shownIncidents)
	found, err := s.Archive.Incidents(r.Context(), wanted)
	found = slices.DeleteFunc(found, func(i alerting.Incident) bool { return !only.shows("", i.SLO) })
	found = found[:min(len(found), shownIncidents)]
	v := list{Heading: "Incidents", Parts: []part{{Table: s.incidentTable(found), Empty: only.empty("No alert has fired yet. What fires stands here, with its cost and its postmortem.", q.Get("open"))}}, Filter: &filter{
		Fields: only.fields(field{"open", "Show", map[bool]string{true: "true"}[wanted.Open], []option{{Value: "true", Words: "open only"}}}),
		Count:  figures.Plural(len(found), "incident") + ", newest first",
	}}
	if len(found) == shownIncidents {
		v.Filter.Count += "; there are more"
	}
	return "list", page{Title: "Incidents", Here: "incidents", Body: v}, err
}

// shownReports is how many reports a page lists.
const shownReports = 100

func (s *site) reportsPage(r *http.Request) (string, page, error) {
	name := r.URL.Query().Get("name")
	found, err := s.Archive.Reports(r.Context(), name, shownReports)
	t := table{Label: "Reports", Head: []column{{"Report", asName}, {"From", asText}, {"To", asText}, {"Made", asText}}}
	var names []string
	for _, f := range found {
		names = append(names, f.Name)
		t.add(link(s.prefix+reportPath(f.Name, f.Period), f.Name+" "+f.Period), stamp(f.From), stamp(f.To), stamp(f.At))
	}
	v := list{Heading: "Reports", Parts: []part{{Table: t, Empty: "None has been made yet. They are scheduled under reports: in the configuration."}}}
	if len(found) > 0 { // a report of one team has a name of its own
		v.Filter = &filter{Fields: []field{{"name", "Report", name, choices(names)}}, Count: figures.Plural(len(found), "report") + ", newest first"}
	}
	return "list", page{Title: "Reports", Here: "reports", Body: v}, err
}

// changesPage returns what was done to the services, with what went wrong after it.
func (s *site) changesPage(r *http.Request) (string, page, error) {
	q, now := r.URL.Query(), s.Now()
	only, kind := s.narrow(q), q.Get("kind")
	from := now.Add(-defaultDelivery)
	found := only.changes(from, time.Time{})
	var kinds []string
	for _, c := range found {
		kinds = append(kinds, c.Change.Kind)
	}
	facts, err := delivery(r.Context(), only, found, from, now)
	shown := slices.DeleteFunc(slices.Clone(found), func(c engine.MeasuredChange) bool { return !is(kind, c.Change.Kind) })
	v := list{
		Heading: "Changes", Facts: facts,
		Lead: "What was done in the last four weeks. " + sentences.AfterChange,
		Filter: &filter{
			Fields: only.fields(field{"kind", "Kind", kind, choices(kinds)}),
			Count:  figures.Plural(len(shown), "change") + ", newest first",
		},
		Parts: []part{{Table: s.changeTable(shown), Empty: only.empty(sentences.NoChanges, kind)}},
	}
	return "list", page{Title: "Changes", Here: "changes", Body: v}, err
}

// delivery returns the figures about delivering changes, as far as the changes that were recorded
// tell them.
func delivery(ctx context.Context, only narrowing, changes []engine.MeasuredChange, from, to time.Time) ([]fact, error) {
	d, err := only.deliver(ctx, changes, from, to)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	perWeek, rate := unknown("nothing was recorded"), unknown("nothing was recorded")
	if v, ok := d.PerWeek(); ok {
		perWeek = figure{figures.Value(v), figures.Plural(d.Deploys, "deploy") + " in four weeks"}
	}
	if d.Deploys > 0 {
		rate = figure{figures.Share(int64(d.Failed), int64(d.Deploys)), figures.Count(d.Failed) + " failed"}
	}
	return []fact{
		{"Deploys a week", perWeek},
		{"Change failure rate", rate},
		{"Time to recover", median(d.Recovery, "of those that were made good")},
		{"Lead time", median(d.Lead, "of those whose commit is known")},
	}, nil
}

func median(all []time.Duration, of string) figure {
	if len(all) == 0 {
		return unknown("nobody recorded it")
	}
	return figure{figures.Duration(alerting.Median(all)), "median " + of}
}

// changesOn returns the newest changes of the last four weeks that a budget felt, with what they
// cost it alone.
func (s *server) changesOn(b engine.Budget) []engine.MeasuredChange {
	var all []engine.MeasuredChange
	for _, c := range s.Source.Snapshot().Changes(b.ID.Service(), s.Now().Add(-defaultDelivery), time.Time{}, s.Now()) {
		c.Costs = slices.DeleteFunc(slices.Clone(c.Costs), func(cost alerting.Cost) bool { return cost.SLO != b.ID })
		if len(c.Costs) > 0 && len(all) < maxChangeRows {
			all = append(all, c)
		}
	}
	return all
}

// maxChangeRows is how many changes the page of a budget lists.
const maxChangeRows = 20

// changeTable lists changes with what the dearest of their budgets says.
func (l links) changeTable(changes []engine.MeasuredChange) table {
	t := table{Label: "Changes", Head: []column{
		{"Begun", asText},
		{"Service", asText},
		{"What", asName},
		{"Who", asText},
		{"Budget that went", asNumber},
		{"What it cost", asWhole},
	}}
	for _, c := range changes {
		what := link(c.Change.Link, cmp.Or(c.Change.Title, c.Change.Version, c.Change.Kind)) + small(strings.TrimSpace(c.Change.Kind+" "+c.Change.Version))
		switch {
		case c.Trial != nil && c.Trial.Phase == alerting.Abort:
			what += " " + badge("page", "abort")
		case c.Change.Failed:
			what += " " + badge("spent", "failed")
		}
		spent, cost := costWords(c)
		t.add(stamp(c.Change.Start), l.serviceLink(c.About()), what, text(c.By), text(spent), cost)
	}
	return t
}

// costWords returns what a change cost the budget that it cost most.
func costWords(c engine.MeasuredChange) (spent string, sentence markup) {
	spent = figures.Unknown
	if len(c.Costs) == 0 {
		return spent, text("No budget of this service is known.")
	}
	worst := slices.MaxFunc(c.Costs, func(a, b alerting.Cost) int { return cmp.Compare(a.Spent(), b.Spent()) })
	if worst.Known {
		spent = worst.CostText()
	}
	return spent, text(string(worst.SLO) + ": " + sentences.Cost(worst))
}

// actionsPage returns what the reviews of incidents came to: what is still to be done, and how far
// the reviews are.
func (s *site) actionsPage(r *http.Request) (string, page, error) {
	v := list{Heading: "Action items"}
	if s.Reviews == nil {
		v.Lead = "No postmortems are kept here: name a folder under postmortems: in the configuration."
		return "list", page{Title: v.Heading, Here: "actions", Body: v}, nil
	}
	items := table{Label: "Open action items", Head: []column{
		{"Due", asText},
		{"What", asName},
		{"Priority", asNumber},
		{"Owner", asText},
		{"Of the incident", asWhole},
	}}
	reviews := table{Label: "Postmortems", Head: []column{
		{"State", asState},
		{"Incident", asName},
		{"Resolved", asText},
		{"Class", asText},
		{"Open items", asNumber},
		{"File", asText},
	}}
	only, now := s.narrow(r.URL.Query()), s.Now()
	all := slices.DeleteFunc(slices.Clone(s.Reviews()), func(r postmortem.Review) bool { return !only.shows(r.Service, r.SLO) })
	for _, o := range openItems(all, now) {
		due := text(figures.Day(o.Due))
		if o.Overdue(now) {
			due += " " + badge("spent", "overdue")
		}
		items.add(due, link(o.Link, o.What)+small(o.Kind), text(cmp.Or(o.Priority, figures.Unknown)), text(cmp.Or(o.Owner, "nobody")), s.incidentLink(o.of.Incident, o.of.Incident))
	}
	for _, r := range all {
		open := 0
		for _, a := range r.Actions {
			if !a.Done {
				open++
			}
		}
		key := map[postmortem.Status]string{postmortem.StatusDraft: "low", postmortem.StatusInReview: "low", postmortem.StatusClosed: "good"}[r.Status]
		reviews.add(badge(key, string(r.Status)), s.incidentLink(r.Incident, r.Incident), stamp(r.Resolved), text(cmp.Or(r.Class, figures.Unknown)), text(figures.Count(open)), text(filepath.Base(r.File)))
	}
	v.Filter = &filter{Fields: only.fields(), Count: figures.Plural(len(items.Rows), "item") + " to be done, overdue ones first"}
	v.Parts = []part{
		{Table: items, Empty: only.empty("Nothing is open. What the section “Action items” of a postmortem has unticked stands here.")},
		{Heading: "Postmortems", ID: "postmortems", Table: reviews, Empty: only.empty("None was written yet. The page of an incident has a draft; what is put into the folder of postmortems: stands here.")},
	}
	return "list", page{Title: v.Heading, Here: "actions", Body: v}, nil
}

// item is an action item with the review that it comes from.
type item struct {
	postmortem.Action
	of postmortem.Review
}

// openItems returns the action items that are not done: overdue ones first, then by day; those
// without a day are last.
func openItems(reviews []postmortem.Review, now time.Time) []item {
	var all []item
	for _, r := range reviews {
		for _, a := range r.Actions {
			if !a.Done {
				all = append(all, item{a, r})
			}
		}
	}
	day := func(i item) time.Time {
		if i.Due.IsZero() {
			return now.Add(100 * 366 * slo.Day)
		}
		return i.Due
	}
	slices.SortStableFunc(all, func(a, b item) int {
		return cmp.Or(day(a).Compare(day(b)), cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.of.Incident, b.of.Incident))
	})
	return all
}

// shownActs is how many acts a page lists.
const shownActs = 200

// auditPage returns what people did.
func (s *site) auditPage(r *http.Request) (string, page, error) {
	q := r.URL.Query()
	only := s.narrow(q)
	f := store.ActFilter{Kind: alerting.ActKind(q.Get("kind")), Incident: q.Get("incident"), Limit: only.most(shownActs), Damaged: true}
	found, err := s.Archive.Acts(r.Context(), f)
	found = slices.DeleteFunc(found, func(a api.Act) bool { return !only.showsAct(a) })
	found = found[:min(len(found), shownActs)]
	t := table{Label: "Acts", Head: []column{
		{"When", asText}, {"Who", asText}, {"What", asName}, {"About", asWhole}, {"Saying", asWhole},
	}}
	for _, a := range found {
		about := text(string(cmp.Or(string(a.SLO), a.Service)))
		if a.Incident != "" {
			about = s.incidentLink(a.Incident, a.Incident)
		}
		who, saying := "by "+a.Via, a.Text
		if a.Who != "" {
			who = a.Who + ", " + who
		}
		switch {
		case a.Kind == alerting.Asked:
			saying = "asks to " + sentences.AsksTo(a) + ": " + a.Text
		case a.ApprovedBy != "":
			saying += " (approved by " + a.ApprovedBy + ")"
		case a.Other != "" && a.Asks != "":
			saying = strings.TrimSpace("what was asked for by the key " + a.Other + " " + a.Text)
		}
		if a.Damaged {
			saying = sentences.Sentence(sentences.DamagedAct) + "."
		}
		when := stamp(a.At)
		if late := sentences.ToldLate(a); late != "" {
			when += small(late)
		}
		t.add(when, text(a.By)+small(who), text(string(a.Kind)), about, text(saying))
	}
	v := list{
		Heading: "Audit log", Lead: "What people did, and every new configuration. Nothing is ever taken out of it; what was taken back stands here, too.",
		Filter: &filter{Fields: only.fields(field{"kind", "Kind", q.Get("kind"), actKinds}), Count: figures.Plural(len(found), "act") + ", newest first"},
		Parts:  []part{{Table: t, Empty: only.empty("Nobody has done anything yet. What people do in Slack, on these pages, by the API or on the command line stands here.", q.Get("kind"))}},
	}
	return "list", page{Title: v.Heading, Here: "status", Body: v}, err
}

// actKinds are the kinds of act that a filter offers.
var actKinds = choices([]string{
	"acknowledge", "silence", "escalate", "remark", "mitigated", "merge", "split", "declare", "close", "override", "exempt", "change", "experiment", "undo", "work", "config", "classify", "ask", "approve", "reject",
})

// shownDead is how many dead letters a page lists.
const shownDead = 100

// configuration returns which configuration is in force.
func configuration(r api.Reloaded) figure {
	f := figure{"in force", "since the start"}
	if r.At != nil {
		f.Note = "since " + figures.UTC(*r.At)
	}
	if !r.OK {
		f = figure{"refused", "the newest one; that of " + f.Note[len("since "):] + " stays in force"}
	}
	if len(r.Waiting) > 0 {
		f.Note += "; " + waitingFor(r.Waiting)
	}
	return f
}

// waitingFor says which keys of the configuration wait for a restart.
func waitingFor(keys []string) string {
	return "needs a restart: " + strings.Join(keys, ", ")
}

// statusPage returns how slowburn itself does: the evaluation, and whether what it owes arrives.
func (s *site) statusPage(r *http.Request) (string, page, error) {
	_, health := s.health()
	last, now := s.Source.Snapshot().Last, s.Now()
	config := configuration(s.Reloaded())
	messages := s.messages(r.Context(), now)
	v := list{Heading: "Status", Lead: health, Facts: []fact{
		{"Newest evaluation", figure{figures.Duration(last.Took), evaluatedInWords(last.SLOs, len(s.Source.Snapshot().Budgets))}},
		{"Asked of Prometheus", figure{figures.Count(int(last.Stats.Queries)), figures.Count(int(last.Stats.Samples)) + " samples, in the newest evaluation"}},
		{"Configuration", config},
		{"Messages that wait", messages.waiting},
		{"Messages given up", messages.given},
	}}
	if n := len(s.Source.Snapshot().Waiting(now)); n > 0 {
		v.Facts = append(v.Facts, fact{"Wait for approval", figure{figures.Count(n), "by a second person"}})
		v.Parts = append(v.Parts, part{Heading: "What waits for approval", ID: "approvals", More: link(s.prefix+"/approvals", "See and decide")})
	}
	if a := s.Audit(); a != nil {
		v.Facts = append(v.Facts, fact{"Log of acts", auditInWords(a)})
		if len(a.Faults) > 0 {
			t := table{Label: "Faults of the log", Head: []column{{"What slowburn has not written", asWhole}}}
			for _, f := range a.Faults {
				t.add(text(f.Text))
			}
			v.Parts = append(v.Parts, part{Heading: "Faults of the log of acts", ID: "log", Table: t})
		}
	}
	if len(last.Failures) > 0 {
		t := table{Label: "Failures", Head: []column{{"What could not be read", asName}}}
		for _, f := range last.Failures {
			t.add(text(f))
		}
		v.Parts = append(v.Parts, part{Heading: "Failures of the newest evaluation", Table: t})
	}
	paging := s.Paging()
	v.Parts = append(v.Parts,
		part{Heading: "Destinations of pages", ID: "paging", Words: destinationsInWords(paging), Table: destinationTable(paging, now), Empty: text(sentences.Sentence(sentences.NobodyTold) + ".")},
	)
	v.Parts = append(v.Parts, messages.parts...)
	return "list", page{Title: v.Heading, Here: "status", Body: v}, nil
}

// delivered is what the status page tells of messages.
type delivered struct {
	waiting, given figure
	parts          []part
}

// messages reads what the store knows of messages. If it does not answer, the page says so there:
// the rest of it is in memory.
func (s *site) messages(ctx context.Context, now time.Time) delivered {
	depth, channels, err := s.readOutbox(ctx)
	var dead []outbox.Owed
	if err == nil {
		dead, err = s.Archive.Outbox(ctx, store.OutboxFilter{State: outbox.Dead, Limit: shownDead})
	}
	d := delivered{waiting: figure{figures.Unknown, "not known"}, given: figure{figures.Unknown, "not known"}, parts: []part{
		{Heading: "Delivery", ID: "delivery", Words: "Every channel that anything was ever owed to.", Empty: "Nothing was ever owed."},
		{Heading: "Dead letters", ID: "dead", Words: "Messages that no receiver took, and that are not tried again.", Empty: "There are none."},
	}}
	if err != nil {
		words := text(problemOf(err).text)
		d.parts[0].Empty, d.parts[1].Empty = words, words
		return d
	}
	d.waiting = figure{figures.Count(depth.Count[outbox.Pending]), "nothing waits"}
	if !depth.Oldest.IsZero() {
		d.waiting.Note = "the oldest for " + figures.Duration(now.Sub(depth.Oldest))
	}
	d.given = figure{figures.Count(depth.Count[outbox.Dead]), "dead letters"}
	d.parts[0].Table, d.parts[1].Table = channelTable(channels, now), s.deadTable(ctx, dead)
	return d
}

// auditInWords says how the log of acts stands, with its head.
func auditInWords(a *api.Audit) figure {
	words := "whole"
	if !a.Whole {
		words = "changed by somebody else"
	}
	if a.Head == "" {
		return figure{words, sentences.NoHead}
	}
	return figure{words, figures.Plural(int(a.Acts), "act") + ", head " + a.Head}
}

// evaluatedInWords says how many of all budgets had new minutes in a look. Looks come several times
// a minute, so most are about few.
func evaluatedInWords(n, of int) string {
	if n >= of {
		return "new minutes of " + figures.Plural(n, "budget")
	}
	return "new minutes of " + figures.Count(n) + " of " + figures.Plural(of, "budget")
}

// destinationsInWords says how many routes are proven.
func destinationsInWords(p api.Paging) string {
	return "Where pages and tickets go, and whether they arrive there. " + sentences.Proven(p.Proven, p.Routes, len(p.Destinations))
}

// drillCell says what came of the newest drill at a destination.
func drillCell(d *api.Drill) markup {
	if d == nil {
		return text("never")
	}
	words := "taken after " + figures.Duration(seconds(d.Took))
	if d.Answer != nil {
		words = d.AcknowledgedBy + " answered after " + figures.Duration(seconds(*d.Answer))
	}
	at := small(figures.UTC(d.At))
	switch {
	case d.Running:
		return badge("ticket", "under way") + at
	case d.Proven:
		return badge("good", "proven") + at + small(words)
	}
	return badge("spent", "failed") + at + small(d.Reason)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func destinationTable(p api.Paging, now time.Time) table {
	t := table{Label: "Destinations of pages", Head: []column{
		{"State", asState},
		{"Destination", asName},
		{"Since", asText},
		{"Takes", asText},
		{"Services", asNumber},
		{"Newest drill", asText},
		{"Reason", asWhole},
	}}
	states := map[string]markup{
		api.DestinationUp: badge("good", "works"), api.DestinationDown: badge("spent", "down"), api.DestinationUnknown: badge("unknown", "nothing sent yet"),
	}
	for _, w := range p.Destinations {
		since := text(figures.Unknown)
		if w.Since != nil {
			since = text(figures.UTC(*w.Since)) + small("for "+figures.Duration(now.Sub(*w.Since)))
		}
		t.add(states[w.State], text(w.Name()), since, text(strings.Join(w.Severities, ", ")), text(figures.Count(len(w.Services))), drillCell(w.Drill), text(w.Reason))
	}
	return t
}

// lateDelivery is after how long a message that waits is late: a storm is over by then, or
// something is wrong.
const lateDelivery = 5 * time.Minute

func channelTable(channels []store.Delivery, now time.Time) table {
	t := table{Label: "Delivery", Head: []column{
		{"State", asState},
		{"Channel", asName},
		{"Waits", asNumber},
		{"Tried before", asNumber},
		{"Given up", asNumber},
		{"Oldest", asText},
		{"Newest sent", asText},
		{"Newest error", asWhole},
	}}
	for _, c := range channels {
		state, oldest, sent := badge("good", "delivers"), text(figures.Unknown), text("never")
		switch {
		case c.Dead > 0:
			state = badge("spent", "dead letters")
		case c.Retrying > 0:
			state = badge("ticket", "retries")
		case c.Pending > 0 && now.Sub(c.Oldest) > lateDelivery:
			state = badge("ticket", "late")
		case c.LastSent.IsZero():
			state = badge("unknown", "nothing sent yet")
		}
		if c.Pending > 0 {
			oldest = text(figures.Duration(now.Sub(c.Oldest).Truncate(time.Minute)) + " ago")
		}
		if !c.LastSent.IsZero() {
			sent = stamp(c.LastSent)
		}
		t.add(state, text(strings.TrimSpace(c.Receiver+" "+c.Channel)), text(figures.Count(c.Pending)), text(figures.Count(c.Retrying)), text(figures.Count(c.Dead)), oldest, sent, text(cmp.Or(c.LastErr, figures.Unknown)))
	}
	return t
}

func (s *site) deadTable(ctx context.Context, dead []outbox.Owed) table {
	t := table{Label: "Dead letters", Head: []column{
		{"Message", asName}, {"To", asText}, {"Decided", asText}, {"Attempts", asNumber}, {"Why", asWhole},
	}}
	for _, o := range dead {
		t.add(s.threadLink(ctx, o.Thread), text(strings.TrimSpace(o.Receiver+" "+o.Channel))+small(string(o.Op)), stamp(o.Created), text(figures.Count(o.Attempts)), text(o.LastErr))
	}
	return t
}

// threadLink leads to what a message is about: a report, an incident, or nothing that has a page.
func (s *site) threadLink(ctx context.Context, thread string) markup {
	if rest, ok := strings.CutPrefix(thread, "report/"); ok {
		name, period, _ := strings.Cut(rest, "/")
		return link(s.prefix+reportPath(name, period), thread)
	}
	if _, err := s.findIncident(ctx, thread); err != nil {
		return text(thread)
	}
	return s.incidentLink(thread, thread)
}

package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// approvalsView is the page of what waits for the approval of a second person.
type approvalsView struct {
	Filter   *filter
	Waiting  []waitingAct
	MayAct   bool   // there is a form
	AskToken bool   // which must bring a token
	By       string // who has signed in, "" if nobody
	Empty    markup // what is said if nothing waits
}

// waitingAct is one act that somebody has asked for.
type waitingAct struct {
	alerting.Act
	About markup
	Says  string // what is asked for, as what follows "asks to"
}

// approvals serves that page.
type approvals struct{ *site }

func (s approvals) page(r *http.Request) (string, page, error) {
	_, known := s.callerOf(r, "")
	v := approvalsView{MayAct: s.Do != nil && (known || len(s.Tokens()) > 0), AskToken: !known}
	if in, ok := s.session(r); ok {
		v.By = in.User
	}
	only := s.narrow(r.URL.Query())
	for _, a := range s.Source.Snapshot().Waiting(s.Now()) {
		if !only.showsAct(a) {
			continue
		}
		about := text(sentences.About(a))
		if a.Incident != "" {
			about = s.incidentLink(a.Incident, a.Incident)
		}
		v.Waiting = append(v.Waiting, waitingAct{Act: a, About: about, Says: sentences.AsksTo(a)})
	}
	v.Filter = &filter{Fields: only.fields(), Count: figures.Plural(len(v.Waiting), "act") + " to be decided"}
	v.Empty = only.empty("Nothing waits. With policy.four_eyes, overrides, exemptions and classes wait here until a second person approves them.")
	return "approvals", page{Title: "Approvals", Here: "status", Body: v}, nil
}

// post takes the form of one act that waits, and shows the page again.
func (s approvals) post(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	a, c, err := s.read(r)
	if err == nil {
		_, err = s.do(r.Context(), c, a)
	}
	if err != nil {
		s.show(w, "", page{Here: "status"}, err)
		return
	}
	http.Redirect(w, r, s.prefix+"/approvals", http.StatusSeeOther)
}

// read returns the approval or rejection that a form asks for, and who asks.
func (s approvals) read(r *http.Request) (a api.Act, c caller, err error) {
	if c, err = formCaller(s.server, r); err != nil {
		return a, c, err
	}
	a = api.Act{
		Kind: alerting.ActKind(r.PostForm.Get("act")), By: strings.TrimSpace(r.PostForm.Get("by")), Via: viaWeb, Other: r.PostForm.Get("key"),
		Text: strings.TrimSpace(r.PostForm.Get("text")), Who: c.who(),
	}
	if !slices.Contains([]alerting.ActKind{alerting.Approve, alerting.Reject}, a.Kind) {
		return a, c, badRequest("%q is nothing that can be done here.", clip(string(a.Kind)))
	}
	a.Key = s.formKey(a, a.Other)
	return a, c, nil
}

// formCaller returns who sends a form: whoever may not write as they are brings a token in it.
func formCaller(s *server, r *http.Request) (c caller, err error) {
	if err := r.ParseForm(); err != nil {
		return c, badRequest("The form cannot be read.")
	}
	if r.PostForm.Get("token") != "" && s.refusals.mustWait(r) {
		return c, &problem{http.StatusTooManyRequests, "too_many", tooManyTries}
	}
	c, known := s.callerOf(r, r.PostForm.Get("token"))
	switch {
	case !known:
		return c, errForbidden
	case strings.TrimSpace(r.PostForm.Get("by")) == "":
		return c, badRequest("Say who you are: the name is empty. Go back and fill it in.")
	}
	return c, nil
}

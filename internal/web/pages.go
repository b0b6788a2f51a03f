package web

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"time"

	"github.com/yuin/goldmark"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/slo"
)

//go:embed templates
var files embed.FS

// site shows the pages to people.
type site struct {
	*server
	links
	pages   *pages
	signals signalCache
	powers  powerCache
}

// pages are the templates, and how Markdown becomes HTML.
type pages struct {
	byName   map[string]*template.Template
	markdown goldmark.Markdown
}

// newPages parses the templates. Every link begins with the prefix.
func newPages(prefix string) *pages {
	funcs := template.FuncMap{
		"navigation": func() any { return navigation }, "at": func(path string) string { return prefix + path }, "stamp": stamp, "duration": figures.Duration, "count": figures.Count,
		"slo": func(id slo.ID) string { return prefix + budgetPath(id) }, "incident": func(id string) string { return prefix + incidentPath(id) },
		"service": func(name string) string { return prefix + servicePath(name) }, "figure": figureOf, "badge": badge, "gateBadge": gateBadge, "gateLine": gateLine, "icon": icon, "dress": links{prefix}.linked,
		"allows": sentences.Allows, "reason": sentences.GateReason, "clearing": sentences.Clearing, "clears": func() string { return sentences.Clears }, "permitted": func(a *alerting.Act) sentences.Text { return sentences.Permitted(*a) },
		"standing": sentences.Standing, "ended": endedBadge, "gates": legendOfGates, "noQueries": func() string { return sentences.NoQueries }, "noBudgets": func() string { return sentences.NoBudgets },
	}
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(files, "templates/layout.html"))
	p := &pages{byName: map[string]*template.Template{}, markdown: newMarkdown()}
	for _, name := range []string{"overview", "service", "slo", "incident", "approvals", "list", "report", "document", "file", "error", "out"} {
		p.byName[name] = template.Must(template.Must(layout.Clone()).ParseFS(files, "templates/"+name+".html"))
	}
	return p
}

// page is what every page shows.
type page struct {
	Title   string
	Here    string // the part of the navigation: slos, incidents, changes, reports, actions, status
	Body    any
	Version string
	Last    time.Time
	Through time.Time
	Age     time.Duration // of the newest minute that was evaluated
	Healthy bool
	Health  string
	Standby bool // then Health says so
	// Snapshot names the one that the page was made of. The page is Still if that does not matter,
	// and has a Form if somebody may be filling it in.
	Snapshot    string
	Still, Form bool

	SignedIn string // who has, "" if nobody
}

func (s *site) routes(mux *http.ServeMux) {
	handle := func(pattern string, f func(*http.Request) (string, page, error)) {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
			name, p, err := f(r)
			if in, ok := s.session(r); ok {
				p.SignedIn = in.User
			}
			s.show(w, name, p, err)
		})
	}
	if s.Login != nil {
		s.routeLogin(mux)
	}
	handle("/{$}", s.overviewPage)
	handle("/slo/{id...}", s.sloPage)
	handle("/services/{service}", s.servicePage)
	handle("/incidents", s.incidentsPage)
	handle("/incidents/{id...}", s.incidentPage)
	mux.Handle("POST /incidents/{id...}", http.NewCrossOriginProtection().Handler(http.HandlerFunc(s.postIncident)))
	handle("/changes", s.changesPage)
	handle("/reports", s.reportsPage)
	mux.HandleFunc("GET /reports/{name}/{period}", s.serveReport)
	handle("/actions", s.actionsPage)
	handle("/status", s.statusPage)
	handle("/audit", s.auditPage)
	handle("/approvals", approvals{s}.page)
	mux.Handle("POST /approvals", http.NewCrossOriginProtection().Handler(http.HandlerFunc(approvals{s}.post)))
	static, _ := fs.Sub(files, "templates")
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, static, "style.css")
	})
	mux.HandleFunc("GET "+liveScript, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, static, "live.js")
	})
	mux.Handle("GET "+livePath, current{s.server})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.show(w, "", page{}, notServed(w, r, "There is no page at this address."))
	})
}

// navigation are the main parts of the pages.
var navigation = []struct{ Here, Path, Name string }{
	{"slos", "/", "SLOs"},
	{"incidents", "/incidents", "Incidents"},
	{"changes", "/changes", "Changes"},
	{"reports", "/reports", "Reports"},
	{"actions", "/actions", "Action items"},
	{"status", "/status", "Status"},
}

// show writes a page, whole or not at all.
func (s *site) show(w http.ResponseWriter, name string, p page, err error) {
	code := http.StatusOK
	if err != nil {
		problem := problemOf(err)
		code, name = problem.code, "error"
		p = page{Title: http.StatusText(code), Here: p.Here, Body: problem.text}
	}
	seen := s.Source.Snapshot()
	last := seen.Last
	p.Snapshot, p.Still = s.snapshotName(seen), slices.Contains(stillPages, name)
	if f, ok := p.Body.(interface{ hasForm() bool }); ok {
		p.Form = f.hasForm()
	}
	p.Version, p.Last, p.Through = s.Version, last.At, last.Through
	p.Age = max(s.Now().Sub(last.Through), 0)
	p.Healthy, p.Health = s.health()
	p.Standby = seen.Standby
	var b bytes.Buffer
	if err := s.pages.byName[name].Execute(&b, p); err != nil {
		s.Log.Error("cannot render a page", "page", name, "err", err)
		http.Error(w, "This page cannot be shown; the log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
}

package web

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/report/plain"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

//go:embed templates
var files embed.FS

// pages are the templates, and how Markdown becomes HTML.
type pages struct {
	byName   map[string]*template.Template
	markdown goldmark.Markdown
}

// newPages parses the templates. Every link begins with the prefix.
func newPages(prefix string) *pages {
	funcs := template.FuncMap{
		"at": func(path string) string { return prefix + path }, "stamp": stamp, "duration": plain.Duration,
		"slo": func(id slo.ID) string { return prefix + budgetPath(id) }, "incident": func(id string) string { return prefix + incidentPath(id) },
		"events": plain.Events, "plural": plain.Plural, "times": times,
	}
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(files, "templates/layout.html"))
	p := &pages{byName: map[string]*template.Template{}, markdown: goldmark.New(
		// Columns are aligned by an attribute: the policy forbids inline styles.
		goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(demote{}, 100))),
	)}
	for _, name := range []string{"overview", "slo", "incidents", "incident", "reports", "report", "error"} {
		p.byName[name] = template.Must(template.Must(layout.Clone()).ParseFS(files, "templates/"+name+".html"))
	}
	return p
}

// demote moves the headings of a document one level down, below the heading of its page.
type demote struct{}

// Transform walks the document.
func (demote) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Heading:
			if entering {
				n.Level = min(n.Level+1, 6)
			}
		case *extast.Table: // a wide one scrolls, by the keyboard too
			n.SetAttributeString("tabindex", "0")
		}
		return ast.WalkContinue, nil
	})
}

// render turns Markdown into HTML. Raw HTML in it is dropped, and so are links that are scripts.
func (p *pages) render(markdown string) template.HTML {
	if strings.HasPrefix(markdown, "---\n") { // front matter is for files
		if _, rest, ok := strings.Cut(markdown[4:], "\n---\n"); ok {
			markdown = rest
		}
	}
	var b bytes.Buffer
	if err := p.markdown.Convert([]byte(markdown), &b); err != nil {
		return template.HTML("<pre>" + template.HTMLEscapeString(markdown) + "</pre>") //nolint:gosec // escaped
	}
	return template.HTML(b.String()) //nolint:gosec // goldmark without raw HTML
}

// page is what every page shows.
type page struct {
	Title   string
	Here    string // the part of the navigation: slos, incidents, reports
	Body    any
	Version string
	Last    time.Time
	Through time.Time
	Age     time.Duration // of the newest minute that was evaluated
	Healthy bool
	Health  string
}

func (s *server) routePages(mux *http.ServeMux) {
	handle := func(pattern string, f func(*http.Request) (string, page, error)) {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
			name, p, err := f(r)
			s.show(w, name, p, err)
		})
	}
	handle("/{$}", s.overviewPage)
	handle("/slo/{id...}", s.sloPage)
	handle("/incidents", s.incidentsPage)
	handle("/incidents/{id...}", s.incidentPage)
	handle("/reports", s.reportsPage)
	handle("/reports/{name}/{period}", s.reportPage)
	static, _ := fs.Sub(files, "templates")
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, static, "style.css")
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			s.show(w, "", page{}, &problem{http.StatusMethodNotAllowed, "bad_data", "This can only be read."})
			return
		}
		s.show(w, "", page{}, notFound("There is no page at this address."))
	})
}

// show writes a page, whole or not at all.
func (s *server) show(w http.ResponseWriter, name string, p page, err error) {
	code := http.StatusOK
	if err != nil {
		problem := problemOf(err)
		code, name = problem.code, "error"
		p = page{Title: http.StatusText(code), Here: p.Here, Body: problem.text}
	}
	last := s.Source.Last()
	p.Version, p.Last, p.Through = s.Version, last.At, last.Through
	p.Age = max(s.Now().Sub(last.Through), 0)
	p.Healthy, p.Health = s.health()
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

// overview is the list of budgets.
type overview struct {
	Heading        string
	Rows           []row
	Total          int // before the filter
	Services       []string
	Service, State string // that are picked
	Grades         []grade
	Counts         map[string]int // of all, by the key of their grade
}

// row is one budget in the list.
type row struct {
	ID          slo.ID
	Description string
	Grade       grade
	Objective   string
	SLI, Left   figure
	Bar         float64 // width of the budget's bar, 0 to 100
	Fast, Slow  figure
	Forecast    figure
	Open        []alerting.Incident
	IsJourney   bool
}

func (s *server) overviewPage(r *http.Request) (string, page, error) {
	q := r.URL.Query()
	o := overview{Heading: "Service level objectives", Service: q.Get("service"), State: q.Get("state")}
	o.fill(s.allBudgets())
	return "overview", page{Title: "SLOs", Here: "slos", Body: o}, nil
}

// fill lists the budgets that pass the filter, worst first.
func (o *overview) fill(all []engine.Budget) {
	o.Grades, o.Counts, o.Total = grades, map[string]int{}, len(all)
	for _, b := range all {
		g := gradeOf(b)
		o.Counts[g.Key]++
		o.Services = append(o.Services, b.ID.Service())
		if (o.Service == "" || o.Service == b.ID.Service()) && (o.State == "" || o.State == g.Key) {
			o.Rows = append(o.Rows, rowOf(b, g))
		}
	}
	slices.Sort(o.Services)
	o.Services = slices.Compact(o.Services)
	slices.SortStableFunc(o.Rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Grade.Order, b.Grade.Order), cmp.Compare(a.Bar, b.Bar), cmp.Compare(a.ID, b.ID))
	})
}

func rowOf(b engine.Budget, g grade) row {
	st := b.Windows[0]
	rw := row{
		ID: b.ID, Description: b.Spec.Description, Grade: g, Objective: b.Spec.Objective.Percent() + " %",
		SLI: sliFigure(st), Left: leftFigure(st), Forecast: forecast(b), Open: b.Open,
		IsJourney: b.Spec.SLI.Kind == slo.Composed,
	}
	if st.Sum.Total > 0 {
		rw.Bar = 100 * min(max(st.Remaining(), 0), 1)
	}
	rw.Fast, rw.Slow = pageBurns(b)
	return rw
}

// pageBurns are the burns over the long windows of the two page pairs: an hour and six, unless the SLO
// says otherwise.
func pageBurns(b engine.Budget) (fast, slow figure) {
	fast, slow = unknown("no alert window"), unknown("no alert window")
	pairs := append(slices.Clone(b.Spec.Alerts.Page), b.Spec.Alerts.Ticket...)
	for n, p := range pairs[:min(len(pairs), 2)] {
		for _, w := range b.Burns {
			if w.Window != p.Long {
				continue
			}
			if n == 0 {
				fast = burnFigure(w.Rate, w.Known, w.Window)
			} else {
				slow = burnFigure(w.Rate, w.Known, w.Window)
			}
		}
	}
	return fast, slow
}

// incidentRow is one incident in a list.
type incidentRow struct {
	alerting.Incident
	Cost string
}

func incidentRows(found []alerting.Incident) []incidentRow {
	rows := make([]incidentRow, 0, len(found))
	for _, i := range found {
		rows = append(rows, incidentRow{i, costOf(i)})
	}
	return rows
}

// costOf is the share of the budget that an incident took.
func costOf(i alerting.Incident) string {
	if i.Last.Burn == nil {
		return plain.Unknown
	}
	return plain.PercentUp(i.Bad(), i.Last.Budget.Allowed, 1)
}

// incidentList is the page of incidents.
type incidentList struct {
	Rows     []incidentRow
	Services []string
	Service  string
	Open     bool
	Full     bool // there are more
}

// shownIncidents is how many incidents a page lists.
const shownIncidents = 200

func (s *server) incidentsPage(r *http.Request) (string, page, error) {
	filter, err := incidentFilter(r.URL.Query())
	if err != nil {
		return "", page{Here: "incidents"}, err
	}
	filter.Limit = shownIncidents
	found, err := s.Archive.Incidents(r.Context(), filter)
	list := incidentList{Rows: incidentRows(found), Service: filter.Service, Open: filter.Open, Full: len(found) == shownIncidents}
	for _, b := range s.allBudgets() {
		list.Services = append(list.Services, b.ID.Service())
	}
	list.Services = slices.Compact(list.Services) // budgets are ordered by ID, so equal services are neighbours
	return "incidents", page{Title: "Incidents", Here: "incidents", Body: list}, err
}

// incidentView is the page of one incident.
type incidentView struct {
	alerting.Incident
	Spec     *slo.Spec // nil if the SLO was removed
	Cost     string
	Peak     figure
	Timeline []Happening
	Upstream []alerting.Upstream
	Draft    template.HTML
	NoDraft  string // why there is no draft
}

func (s *server) incidentPage(r *http.Request) (string, page, error) {
	i, err := s.findIncident(r.Context(), r.PathValue("id"))
	if err != nil {
		return "", page{Here: "incidents"}, err
	}
	v := incidentView{Incident: i, Spec: s.spec(i.SLO), Cost: costOf(i), Peak: unknown("the SLO was removed")}
	v.Timeline = toDetail(i, v.Spec, s.Now()).Timeline
	if v.Upstream, err = s.upstreamOf(r.Context(), i); err != nil {
		return "", page{Here: "incidents"}, err
	}
	if v.Spec != nil {
		v.Peak = unknown("no events")
		if rate, ok := i.PeakBurn(v.Spec.Objective); ok && i.First.Pair != nil {
			v.Peak = figure{times(rate), "over " + slo.ShortDuration(i.First.Pair.Short)}
		}
	}
	if text, err := s.draft(r.Context(), i); err != nil {
		v.NoDraft = problemOf(err).text
	} else {
		v.Draft = s.pages.render(text)
	}
	return "incident", page{Title: "Incident of " + string(i.SLO), Here: "incidents", Body: v}, nil
}

func (s *server) reportsPage(r *http.Request) (string, page, error) {
	found, err := s.Archive.Reports(r.Context(), r.URL.Query().Get("name"), 100)
	return "reports", page{Title: "Reports", Here: "reports", Body: found}, err
}

// reportView is the page of one report.
type reportView struct {
	store.Report
	HTML template.HTML
}

func (s *server) reportPage(r *http.Request) (string, page, error) {
	found, err := s.findReport(r)
	v := reportView{found, s.pages.render(found.Markdown)}
	return "report", page{Title: "Report " + found.Name + " " + found.Period, Here: "reports", Body: v}, err
}

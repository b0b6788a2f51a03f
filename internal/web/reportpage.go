package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// reportView is the page of one report.
type reportView struct {
	store.Report
	Title  string
	HTML   template.HTML
	File   string       // where the report is as a single file
	Policy string       // content security policy of that file
	CSS    template.CSS // of that file
}

// reportPath returns the address of a report's page, without the prefix.
func reportPath(name, period string) string {
	return "/reports/" + url.PathEscape(name) + "/" + url.PathEscape(period)
}

// serveReport shows a report as a page or, with ?file=1, as a single file that needs nothing else.
func (s *site) serveReport(w http.ResponseWriter, r *http.Request) {
	found, err := s.findReport(r)
	here := page{Title: "Report " + found.Name + " " + found.Period, Here: "reports"}
	if err != nil {
		s.show(w, "", here, err)
		return
	}
	v := reportView{Report: found, Title: found.Name + " " + found.Period, File: s.prefix + reportPath(found.Name, found.Period) + "?file=1"}
	if rest, ok := strings.CutPrefix(found.Markdown, "# "); ok { // the document's heading is that of the page
		v.Title, found.Markdown, _ = strings.Cut(rest, "\n")
	}
	if r.URL.Query().Get("file") == "" {
		v.HTML = s.reportHTML(found, s.named(s.prefix))
		here.Body = v
		s.show(w, "report", here, nil)
		return
	}
	css, _ := files.ReadFile("templates/style.css")
	sum := sha256.Sum256(css)
	v.CSS = template.CSS(css) //nolint:gosec // our own sheet
	v.Policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'"
	v.HTML = s.reportHTML(found, nil)
	if s.ExternalURL != "" {
		v.HTML = s.reportHTML(found, s.named(strings.TrimSuffix(s.ExternalURL, "/")))
	}
	var b bytes.Buffer
	if err := s.pages.byName["file"].ExecuteTemplate(&b, "file", v); err != nil {
		s.show(w, "", here, err)
		return
	}
	w.Header().Set("Content-Security-Policy", v.Policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.html"`, fileName(found.Name+"-"+found.Period)))
	_, _ = w.Write(b.Bytes())
}

// fileName returns a name without what a file system or a header could stumble over.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name)
}

// reportHTML returns the report's document with links of names, and with small charts in its table
// of budgets.
func (s *site) reportHTML(r store.Report, links func(string) string) template.HTML {
	return s.pages.render(r.Markdown, decoration{
		Whole: true, Link: links, Spark: func(id slo.ID) template.HTML { return s.spark(id, r.From, r.To) },
	})
}

// named finds the page of an SLO or an incident that a document names; the pages are below an
// address.
func (s *site) named(address string) func(string) string {
	seen := s.Source.Snapshot()
	return func(name string) string {
		id := cmp.Or(alerting.SLOOf(name), slo.ID(name))
		switch {
		case len(seen.BudgetsOf(id.Base())) == 0:
			return ""
		case string(id) != name:
			return address + incidentPath(name)
		}
		return address + budgetPath(id)
	}
}

// sparkSteps is about how many bars a spark has.
const sparkSteps = 28

// spark draws in a few bars when an SLO's bad events of a period happened. Where nothing is known
// there is no bar.
func (s *site) spark(id slo.ID, from, to time.Time) template.HTML {
	step := whole(to.Sub(from)/sparkSteps, time.Hour)
	points, _ := s.Source.Snapshot().History(id, from, to, step)
	most := int64(0)
	for _, p := range points {
		most = max(most, p.Sum.Bad)
	}
	if most == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="spark" viewBox="0 0 %d 20" preserveAspectRatio="none" role="img" aria-label="bad events over the period">`, 3*len(points))
	for n, p := range points {
		if p.Sum.Seen() > 0 {
			height := max(20*float64(p.Sum.Bad)/float64(most), 0.5)
			fmt.Fprintf(&b, `<rect x="%d" y="%.1f" width="2" height="%.1f"/>`, 3*n, 20-height, height)
		}
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers
}

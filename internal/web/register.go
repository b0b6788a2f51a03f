package web

import (
	"net/http"
	"time"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/register"
)

// register serves the incident register for regulators, as JSON in the usual envelope, or with
// format=csv as a file. With no_data=true it has what could not be seen, too.
func (s *jsonAPI) register(w http.ResponseWriter, r *http.Request) {
	p := params{q: r.URL.Query()}
	from, to := p.time("from", time.Time{}), p.time("to", s.Now())
	format := p.q.Get("format")
	if format != "" && format != "json" && format != "csv" {
		p.fail("format", "json or csv")
	}
	blind := p.q.Get("no_data") == "true"
	if v := p.q.Get("no_data"); v != "" && v != "true" && v != "false" {
		p.fail("no_data", "true or false")
	}
	if p.err == nil && s.Register == nil {
		p.err = notFound("There is no register here.")
	}
	if p.err != nil {
		s.answer(w, nil, p.err)
		return
	}
	entries, err := inTurn(s.server, s.dear, r, func() ([]register.Entry, error) { return s.Register(r.Context(), from, to) })
	if !blind {
		entries = register.Failed(entries)
	}
	if err != nil || format != "csv" {
		s.answer(w, api.RegisterOf(entries), err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="incidents.csv"`)
	_, _ = w.Write(api.RegisterOf(entries).CSV())
}

package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/incidents"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/sentences"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// problem is an answer that is an error; kind is its errorType.
type problem struct {
	code int
	kind string
	text string
}

// Error returns the sentence.
func (p *problem) Error() string { return p.text }

func notFound(format string, args ...any) error {
	return &problem{http.StatusNotFound, "not_found", fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return &problem{http.StatusBadRequest, "bad_data", fmt.Sprintf(format, args...)}
}

// notServed returns what to answer where nothing is served, or nothing but reads.
func notServed(w http.ResponseWriter, r *http.Request, sentence string) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return &problem{http.StatusMethodNotAllowed, "bad_data", "This can only be read."}
	}
	return &problem{http.StatusNotFound, "not_found", sentence}
}

// problemOf returns what to answer for an error. What is no problem of ours is one of the store.
func problemOf(err error) *problem {
	var p *problem
	var act *incidents.ActError
	var waits *waiting
	var stored *store.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &act):
		return problemOfAct(act)
	case errors.Is(err, store.ErrStandby):
		return &problem{http.StatusServiceUnavailable, "unavailable", "This slowburn does not lead just now. Nothing was done; please try again."}
	case errors.As(err, &waits):
		return &problem{http.StatusAccepted, "pending", sentences.AwaitsLeader +
			" What became of it is told at /api/v1/requests/" + waits.key + "."}
	case errors.As(err, &stored) && !stored.Since.IsZero():
		return &problem{http.StatusServiceUnavailable, "unavailable", sentences.NotRead(stored.Since)}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &problem{http.StatusServiceUnavailable, "canceled", "The request took too long."}
	}
	return &problem{http.StatusServiceUnavailable, "unavailable", err.Error()}
}

// notWritten says of an error of the store what became of what somebody asked for.
func notWritten(err error) error {
	var stored *store.Error
	switch {
	case !errors.As(err, &stored), errors.Is(err, store.ErrStandby):
		return err
	case !stored.Since.IsZero():
		return &problem{http.StatusServiceUnavailable, "unavailable", sentences.NotWritten(stored.Since, errors.Is(err, store.ErrUnclear))}
	}
	return &problem{http.StatusServiceUnavailable, "unavailable", "Nothing was written. " + err.Error()}
}

// jsonAPI answers programs; the shapes are those of package api.
type jsonAPI struct{ *server }

func (s *jsonAPI) routes(mux *http.ServeMux) {
	handle := func(pattern string, f func(*http.Request) (any, error)) {
		mux.HandleFunc("GET /api/v1/"+pattern, func(w http.ResponseWriter, r *http.Request) {
			data, err := f(r)
			s.answer(w, data, err)
		})
	}
	handle("slos", s.apiSLOs)
	handle("slos/{id...}", s.apiSLO)
	handle("incidents", s.apiIncidents)
	handle("incidents/{id...}", s.apiIncident)
	handle("acts", s.apiActs)
	handle("approvals", func(*http.Request) (any, error) {
		return append([]api.Act{}, s.Source.Snapshot().Waiting(s.Now())...), nil
	})
	handle("postmortems", s.apiPostmortems)
	handle("reports", s.apiReports)
	handle("reports/{name}/{period}", s.apiReport)
	handle("signals/{service}", s.apiSignals)
	handle("status", s.apiStatus)
	handle("drills", func(*http.Request) (any, error) { return s.Paging(), nil })
	mux.HandleFunc("GET /api/v1/register", s.register)
	handle("changes", s.apiChanges)
	handle("experiments/{key...}", s.apiExperiment)
	handle("delivery", s.apiDelivery)
	mux.HandleFunc("GET /api/v1/requests/{key...}", s.apiRequest)
	s.routeWrites(mux)
	s.routeGate(mux)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, nil, notServed(w, r, "There is nothing at this address."))
	})
}

func (s *jsonAPI) answer(w http.ResponseWriter, data any, err error) {
	if err != nil {
		p := problemOf(err)
		s.write(w, p.code, api.Answer{Status: "error", ErrorType: p.kind, Error: p.text})
		return
	}
	s.write(w, http.StatusOK, api.Answer{Status: "success", Data: data})
}

func (s *jsonAPI) write(w http.ResponseWriter, code int, e api.Answer) {
	body, err := json.Marshal(e)
	if err != nil {
		s.Log.Error("cannot write an answer as JSON", "err", err)
		code, body = http.StatusInternalServerError, []byte(`{"status":"error","errorType":"internal","error":"The answer cannot be written as JSON."}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}

func (s *jsonAPI) apiSLOs(*http.Request) (any, error) {
	all, gates := []api.SLO{}, s.gates("", "")
	for _, b := range s.Source.Snapshot().Budgets {
		all = append(all, withGate(toSLO(b), gates))
	}
	return all, nil
}

func (s *jsonAPI) apiSLO(r *http.Request) (any, error) {
	path, view := viewOf(r.PathValue("id"))
	b, err := s.findBudget(path, r.URL.Query().Get("labels"))
	if err != nil {
		return nil, err
	}
	switch view {
	case "history":
		return s.apiHistory(b, r.URL.Query())
	case "spend":
		return s.apiSpend(r.Context(), b, r.URL.Query())
	}
	return withGate(toSLO(b), s.gates(b.ID.Service(), b.ID.Name())), nil
}

// viewOf parts the address of an SLO from what is asked about it. A service and a name come first,
// so an SLO may be called history.
func viewOf(path string) (id, view string) {
	for _, view := range []string{"history", "spend"} {
		if id, ok := strings.CutSuffix(path, "/"+view); ok && strings.Contains(id, "/") {
			return id, view
		}
	}
	return path, ""
}

// maxID is how long a name may be; nothing is longer.
const maxID = 4096

// findBudget returns the budget of an ID, whose label values may be given apart.
func (s *server) findBudget(path, labels string) (engine.Budget, error) {
	id := slo.ID(path + labels)
	if len(id) > maxID {
		return engine.Budget{}, badRequest("The name is too long.")
	}
	seen := s.Source.Snapshot()
	if b, ok := seen.Budget(id); ok {
		return b, nil
	}
	if groups := seen.BudgetsOf(id); len(groups) > 0 {
		return engine.Budget{}, notFound("%s has one budget per %s; say which: ?labels=%s", id, strings.Join(groups[0].Spec.By, ", "), groups[0].ID.Group())
	}
	if b, ok := seen.Unread(id.Base()); ok {
		return engine.Budget{}, &problem{http.StatusNotFound, api.Undecided, sentences.Undecided(b.ID, b.Problems)}
	}
	return engine.Budget{}, notFound("There is no SLO %q.", string(id))
}

// maxPoints is how many steps of a history are answered, as in Prometheus.
const maxPoints = 11_000

func (s *jsonAPI) apiHistory(b engine.Budget, q url.Values) (any, error) {
	p := params{q: q}
	to := p.time("to", b.AsOf).Truncate(time.Minute)
	from := p.time("from", to.Add(-slo.Day)).Truncate(time.Minute)
	step := p.duration("step", 5*time.Minute)
	switch {
	case p.err != nil:
		return nil, p.err
	case step < time.Minute || step%time.Minute != 0:
		return nil, badRequest("step is %s; it must be whole minutes.", figures.Duration(step))
	case !from.Before(to):
		return nil, badRequest("from must be before to.")
	case to.Sub(from)/step > maxPoints:
		return nil, badRequest("These are more than %s steps; ask for longer steps or less time.", figures.Count(maxPoints))
	}
	points, ok := s.Source.Snapshot().History(b.ID, from, to, step)
	left, _ := s.Source.Snapshot().BurnDown(b.ID, from.Add(step), to, step)
	if !ok {
		return nil, notFound("There is no SLO %q.", string(b.ID))
	}
	return toHistory(b, points, left, from, to, step), nil
}

func (s *jsonAPI) apiIncidents(r *http.Request) (any, error) {
	filter, err := incidentFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	found, err := s.Archive.Incidents(r.Context(), filter)
	if q := r.URL.Query(); q.Get("no_data") != "" && !(&params{q: q}).bool("no_data") {
		found, err = s.failed(r.Context(), filter, found, err)
	}
	if err != nil {
		return nil, err
	}
	all := []api.Incident{}
	for _, i := range found {
		all = append(all, s.incidentOf(i))
	}
	return all, nil
}

// failed leaves out missing data, in which nothing is known to have failed, and reads on in the
// place of what it has left out.
func (s *jsonAPI) failed(ctx context.Context, f store.IncidentFilter, found []alerting.Incident, err error) ([]alerting.Incident, error) {
	few, full := f.Limit, len(found) == f.Limit
	found = slices.DeleteFunc(found, func(i alerting.Incident) bool { return i.Rule == alerting.RuleNoData })
	if err != nil || len(found) == few || !full || few == maxIncidents {
		return found, err
	}
	f.Limit = maxIncidents
	found, err = s.Archive.Incidents(ctx, f)
	found = slices.DeleteFunc(found, func(i alerting.Incident) bool { return i.Rule == alerting.RuleNoData })
	return found[:min(few, len(found))], err
}

// maxIncidents is how many incidents are listed at most.
const maxIncidents = 10_000

func incidentFilter(q url.Values) (store.IncidentFilter, error) {
	p := params{q: q}
	f := store.IncidentFilter{
		Service: q.Get("service"), SLO: slo.ID(q.Get("slo")), Open: p.bool("open"),
		From: p.time("from", time.Time{}), To: p.time("to", time.Time{}), Limit: p.int("limit", 1000, maxIncidents),
	}
	p.bool("no_data")
	return f, p.err
}

func (s *jsonAPI) apiIncident(r *http.Request) (any, error) {
	id, wantDraft := strings.CutSuffix(r.PathValue("id"), postmortemPath)
	if wantDraft {
		text, err := s.postmortemOf(r.Context(), id)
		out := api.Postmortem{Incident: id, Markdown: text}
		if r := s.reviewOf(id); r != nil {
			out.Status, out.File = string(r.Status), r.File
		}
		return out, err
	}
	i, err := s.findIncident(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return s.detail(r.Context(), i)
}

// findIncident looks into the archive, and for what is open also into memory: when the disk is
// full, that is where incidents are.
func (s *server) findIncident(ctx context.Context, id string) (alerting.Incident, error) {
	if len(id) > maxID {
		return alerting.Incident{}, badRequest("The name is too long.")
	}
	i, ok, err := s.Archive.Incident(ctx, id)
	if ok && err == nil {
		return i, nil
	}
	if open, ok := s.Source.Snapshot().Open.Find(id); ok {
		return open, nil
	}
	if err != nil {
		return i, err
	}
	return i, notFound("There is no incident %q.", id)
}

// postmortemPath ends the address of an incident's postmortem.
const postmortemPath = "/postmortem"

// postmortemOf returns the postmortem of an incident, of one too that only its postmortem knows:
// people keep those of incidents that slowburn has not seen.
func (s *server) postmortemOf(ctx context.Context, id string) (string, error) {
	i, err := s.findIncident(ctx, id)
	if err != nil {
		if s.reviewOf(id) == nil {
			return "", err
		}
		i = alerting.Incident{ID: id}
	}
	return s.draft(ctx, i)
}

// draft returns the postmortem of an incident.
func (s *server) draft(ctx context.Context, i alerting.Incident) (string, error) {
	if s.Postmortem == nil {
		return "", notFound("Postmortem drafts are not available here.")
	}
	return s.Postmortem(ctx, i)
}

func (s *jsonAPI) apiPostmortems(*http.Request) (any, error) {
	all := []api.Review{}
	if s.Reviews != nil {
		for _, r := range s.Reviews() {
			all = append(all, api.ReviewOf(r, s.Now()))
		}
	}
	return all, nil
}

func (s *jsonAPI) apiReports(r *http.Request) (any, error) {
	p := params{q: r.URL.Query()}
	limit := p.int("limit", 100, 1000)
	if p.err != nil {
		return nil, p.err
	}
	found, err := s.Archive.Reports(r.Context(), p.q.Get("name"), limit)
	if err != nil {
		return nil, err
	}
	all := []api.Report{}
	for _, f := range found {
		f.Markdown, f.Data = "", nil
		all = append(all, toReport(f))
	}
	return all, nil
}

func (s *jsonAPI) apiReport(r *http.Request) (any, error) {
	found, err := s.findReport(r)
	if err != nil {
		return nil, err
	}
	return toReport(found), nil
}

func (s *server) findReport(r *http.Request) (store.Report, error) {
	name, period := r.PathValue("name"), r.PathValue("period")
	found, ok, err := s.Archive.Report(r.Context(), name, period)
	if err == nil && !ok && s.Report != nil {
		ok = true
		found, err = inTurn(s, s.dear, r, func() (found store.Report, err error) {
			found, ok, err = s.Report(r.Context(), name, period)
			return found, err
		})
	}
	if err == nil && !ok {
		err = notFound("There is no report %q for %q.", name, period)
	}
	return found, err
}

func (s *jsonAPI) apiSignals(r *http.Request) (any, error) {
	name := r.PathValue("service")
	if s.Signals != nil {
		ok := true
		found, err := inTurn(s.server, s.asks, r, func() (found ranking.Snapshot, err error) {
			found, ok = s.Signals(r.Context(), name)
			return found, nil
		})
		if ok {
			return found, err
		}
	}
	return nil, notFound("There is no service %q.", name)
}

func (s *jsonAPI) apiStatus(r *http.Request) (any, error) {
	seen := s.Source.Snapshot()
	healthy, sentence := s.health()
	st := api.Status{
		Version: s.Version, Healthy: healthy, Health: sentence, Tick: toTick(seen.Last),
		SLOs: len(seen.Budgets), Open: seen.Open.Len(), Waiting: len(seen.Waiting(s.Now())), Paging: s.Paging(), Reload: s.Reloaded(), Audit: s.Audit(),
	}
	if seen.Standby {
		st.Standby = &api.Standby{AsOf: api.TimeOrNull(seen.Last.At), Age: max(s.Now().Sub(seen.Last.At), 0).Seconds(), Why: s.WaitsFor()}
	}
	depth, channels, err := s.readOutbox(r.Context())
	if err != nil {
		return st, nil
	}
	st.Outbox = toOutbox(depth, channels)
	return st, nil
}

// params reads parameters of a query and remembers the first that makes no sense.
type params struct {
	q   url.Values
	err error
}

func (p *params) fail(name, want string) {
	if p.err == nil {
		p.err = badRequest("%s is %q; it must be %s.", name, clip(p.q.Get(name)), want)
	}
}

// clip keeps what is repeated in an answer short.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// maxUnix is the end of the year 9999, the last that RFC 3339 can write.
const maxUnix = 253402300799

func (p *params) time(name string, otherwise time.Time) time.Time {
	text := p.q.Get(name)
	if text == "" {
		return otherwise
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) <= maxUnix {
		return time.UnixMilli(int64(f * 1000)).UTC()
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		p.fail(name, "a time such as 2026-11-22T08:30:00Z, or Unix seconds")
	}
	return t.UTC()
}

func (p *params) duration(name string, otherwise time.Duration) time.Duration {
	text := p.q.Get(name)
	if text == "" {
		return otherwise
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f > 0 && f < 1e9 {
		return time.Duration(f * float64(time.Second))
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		p.fail(name, "a duration such as 5m, or seconds")
	}
	return time.Duration(d)
}

func (p *params) int(name string, otherwise, most int) int {
	text := p.q.Get(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		p.fail(name, fmt.Sprintf("a number from 1 to %d", most))
	}
	return n
}

func (p *params) bool(name string) bool {
	text := p.q.Get(name)
	if text == "" {
		return false
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		p.fail(name, "true or false")
	}
	return b
}

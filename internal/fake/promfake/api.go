package promfake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/prometheus/prometheus/util/stats"
)

// Version is what the server calls itself in /api/v1/status/buildinfo.
const Version = "3.16.0"

// maxPoints is the most steps a range query may have, as in Prometheus.
const maxPoints = 11000

// Error types of the API; each has one status code (see apiError.status).
const (
	errBadData  = "bad_data"
	errExec     = "execution"
	errTimeout  = "timeout"
	errCanceled = "canceled"
	errInternal = "internal"
	errNotFound = "not_found"
)

// apiError is a failure with its type in the vocabulary of the API.
type apiError struct {
	typ string
	err error
}

func (e *apiError) status() int {
	switch e.typ {
	case errBadData:
		return http.StatusBadRequest
	case errExec:
		return http.StatusUnprocessableEntity
	case errTimeout:
		return http.StatusServiceUnavailable
	case errCanceled:
		return 499 // what nginx writes when the client is gone; Prometheus follows it
	case errNotFound:
		return http.StatusNotFound
	default:
		return http.StatusInternalServerError
	}
}

func badData(err error) *apiError { return &apiError{errBadData, err} }

func badParam(name string, err error) *apiError {
	return badData(fmt.Errorf("invalid parameter %q: %w", name, err))
}

// answer is what an endpoint returns: data that can append itself as JSON, and remarks about it.
type answer struct {
	data  appender
	query string // for the positions in annotations
	notes annotations.Annotations
}

// endpoint answers one request; exactly one result is set.
type endpoint func(r *http.Request) (*answer, *apiError)

// Handler serves the HTTP API of the DB, with the faults of [DB.Faults] injected and gzip where the
// client asks for it. It may be called many times.
func (db *DB) Handler() http.Handler {
	mux := http.NewServeMux()
	both := func(path string, e endpoint) {
		mux.Handle("GET "+path, serve(e))
		mux.Handle("POST "+path, serve(e))
	}
	both("/api/v1/query", db.query)
	both("/api/v1/query_range", db.queryRange)
	both("/api/v1/query_exemplars", db.queryExemplars)
	both("/api/v1/series", db.serveSeries)
	both("/api/v1/labels", db.serveLabels)
	mux.Handle("GET /api/v1/label/{name}/values", serve(db.serveLabelValues))
	mux.Handle("GET /api/v1/metadata", serve(db.serveMetadata))
	mux.Handle("GET /api/v1/status/buildinfo", serve(db.serveBuildInfo))
	mux.Handle("GET /api/v1/status/runtimeinfo", serve(db.serveRuntimeInfo))
	mux.HandleFunc("GET /-/ready", plain("Prometheus Server is Ready.\n"))
	mux.HandleFunc("GET /-/healthy", plain("Prometheus Server is Healthy.\n"))
	return db.dated(db.counted(db.Faults.Wrap(compressed(mux))))
}

// dated dates answers by the clock of the DB.
func (db *DB) dated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", db.now().UTC().Format(http.TimeFormat))
		next.ServeHTTP(w, r)
	})
}

func plain(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

// serve turns an endpoint into a handler that writes the API's envelope.
func serve(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			writeError(w, badData(fmt.Errorf("error parsing form values: %w", err)))
			return
		}
		a, err := e(r)
		if err != nil {
			writeError(w, err)
			return
		}
		writeAnswer(w, a)
	})
}

// query answers /api/v1/query: one evaluation, now or at `time`.
func (db *DB) query(r *http.Request) (*answer, *apiError) {
	ts, err := timeParam(r, "time", db.now())
	if err != nil {
		return nil, badParam("time", err)
	}
	return db.execute(r, func(ctx context.Context, o promql.QueryOpts) (promql.Query, error) {
		return db.engine.NewInstantQuery(ctx, db, o, r.FormValue("query"), ts)
	})
}

// queryRange answers /api/v1/query_range: one evaluation per step.
func (db *DB) queryRange(r *http.Request) (*answer, *apiError) {
	start, err := parseTime(r.FormValue("start"))
	if err != nil {
		return nil, badParam("start", err)
	}
	end, err := parseTime(r.FormValue("end"))
	if err != nil {
		return nil, badParam("end", err)
	}
	if end.Before(start) {
		return nil, badParam("end", errors.New("end timestamp must not be before start time"))
	}
	step, err := parseDuration(r.FormValue("step"))
	if err != nil {
		return nil, badParam("step", err)
	}
	if step <= 0 {
		return nil, badParam("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	}
	if end.Sub(start)/step > maxPoints {
		return nil, badData(errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"))
	}
	return db.execute(r, func(ctx context.Context, o promql.QueryOpts) (promql.Query, error) {
		return db.engine.NewRangeQuery(ctx, db, o, r.FormValue("query"), start, end, step)
	})
}

// execute runs the query that prepare makes, under the request's timeout and lookback, and keeps
// the books about it.
func (db *DB) execute(r *http.Request, prepare func(context.Context, promql.QueryOpts) (promql.Query, error)) (*answer, *apiError) {
	limit, err := limitParam(r)
	if err != nil {
		return nil, badParam("limit", err)
	}
	ctx := r.Context()
	if s := r.FormValue("timeout"); s != "" {
		d, err := parseDuration(s)
		if err != nil {
			return nil, badParam("timeout", err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	var lookback time.Duration
	if s := r.FormValue("lookback_delta"); s != "" {
		if lookback, err = parseDuration(s); err != nil {
			return nil, badData(fmt.Errorf("error parsing lookback delta duration: %w", err))
		}
	}
	wantStats := r.FormValue("stats")
	q, err := prepare(ctx, promql.NewPrometheusQueryOpts(wantStats == "all", lookback, nil))
	if err != nil {
		return nil, badParam("query", err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, queryError(res.Err)
	}
	db.stats.queries.Add(1)
	db.stats.samples.Add(q.Stats().Samples.TotalSamples)
	db.stats.samplesRead.Add(q.Stats().Samples.SamplesRead)
	return queryAnswer(q, res, limit, wantStats), nil
}

// queryAnswer encodes the result before its memory goes back to the engine.
func queryAnswer(q promql.Query, res *promql.Result, limit int, wantStats string) *answer {
	notes := res.Warnings
	value, cut := truncate(res.Value, limit)
	if cut {
		notes = notes.Add(errTruncated)
	}
	var qs stats.QueryStats
	if wantStats != "" {
		qs = stats.NewQueryStats(q.Stats())
	}
	encoded := appendQueryData(nil, value, qs)
	return &answer{data: raw(encoded), query: q.String(), notes: notes}
}

var errTruncated = errors.New("results truncated due to limit")

// truncate cuts a vector or matrix to limit elements; zero means no limit.
func truncate(v parser.Value, limit int) (parser.Value, bool) {
	switch v := v.(type) {
	case promql.Matrix:
		if limit > 0 && len(v) > limit {
			return v[:limit], true
		}
	case promql.Vector:
		if limit > 0 && len(v) > limit {
			return v[:limit], true
		}
	}
	return v, false
}

// queryError sorts a failed execution into the API's error types.
func queryError(err error) *apiError {
	var canceled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	var store promql.ErrStorage
	switch {
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return &apiError{errCanceled, err}
	case errors.As(err, &timeout):
		return &apiError{errTimeout, err}
	case errors.As(err, &store):
		return &apiError{errInternal, err}
	}
	return &apiError{errExec, err}
}

// queryExemplars answers /api/v1/query_exemplars.
func (db *DB) queryExemplars(r *http.Request) (*answer, *apiError) {
	mint, maxt, aerr := rangeParams(r)
	if aerr != nil {
		return nil, aerr
	}
	expr, err := db.parser.ParseExpr(r.FormValue("query"))
	if err != nil {
		return nil, badData(err)
	}
	return &answer{data: exemplars(db.exemplars(mint, maxt, parser.ExtractSelectors(expr)))}, nil
}

// selection is what /series, /labels and /label/…/values have in common.
type selection struct {
	sets  [][]*labels.Matcher // at least one; an empty set matches everything
	limit int                 // 0 = none
	q     storage.Querier
}

func (db *DB) selection(r *http.Request) (*selection, *apiError) {
	limit, err := limitParam(r)
	if err != nil {
		return nil, badParam("limit", err)
	}
	mint, maxt, aerr := rangeParams(r)
	if aerr != nil {
		return nil, aerr
	}
	sets, err := db.parser.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		return nil, badParam("match[]", err)
	}
	for _, ms := range sets {
		if !slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches("") }) {
			return nil, badParam("match[]", errors.New("match[] must contain at least one non-empty matcher"))
		}
	}
	if len(sets) == 0 {
		sets = [][]*labels.Matcher{nil}
	}
	q, err := db.Querier(mint, maxt)
	if err != nil {
		return nil, queryError(err)
	}
	return &selection{sets: sets, limit: limit, q: q}, nil
}

// serveSeries answers /api/v1/series.
func (db *DB) serveSeries(r *http.Request) (*answer, *apiError) {
	if len(r.Form["match[]"]) == 0 {
		return nil, badData(errors.New("no match[] parameter provided"))
	}
	sel, aerr := db.selection(r)
	if aerr != nil {
		return nil, aerr
	}
	seen := map[string]bool{}
	found := []labels.Labels{}
	for _, ms := range sel.sets {
		for set := sel.q.Select(r.Context(), true, nil, ms...); set.Next(); {
			lset := set.At().Labels()
			if key := string(lset.Bytes(nil)); !seen[key] {
				seen[key] = true
				found = append(found, lset)
			}
		}
	}
	slices.SortFunc(found, labels.Compare)
	a := &answer{}
	if sel.limit > 0 && len(found) > sel.limit {
		found = found[:sel.limit]
		a.notes = a.notes.Add(errTruncated)
	}
	a.data = labelSets(found)
	return a, nil
}

// serveLabels answers /api/v1/labels.
func (db *DB) serveLabels(r *http.Request) (*answer, *apiError) {
	return db.names(r, func(q storage.Querier, ms []*labels.Matcher) []string {
		names, _, _ := q.LabelNames(r.Context(), nil, ms...)
		return names
	})
}

// serveLabelValues answers /api/v1/label/{name}/values.
func (db *DB) serveLabelValues(r *http.Request) (*answer, *apiError) {
	name := r.PathValue("name")
	if len(name) > 3 && name[:3] == "U__" {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return nil, badData(fmt.Errorf("invalid label name: %q", name))
	}
	return db.names(r, func(q storage.Querier, ms []*labels.Matcher) []string {
		values, _, _ := q.LabelValues(r.Context(), name, nil, ms...)
		return values
	})
}

// names collects the strings that read returns for each matcher set.
func (db *DB) names(r *http.Request, read func(storage.Querier, []*labels.Matcher) []string) (*answer, *apiError) {
	sel, aerr := db.selection(r)
	if aerr != nil {
		return nil, aerr
	}
	all := []string{}
	for _, ms := range sel.sets {
		all = append(all, read(sel.q, ms)...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	a := &answer{}
	if sel.limit > 0 && len(all) > sel.limit {
		all = all[:sel.limit]
		a.notes = a.notes.Add(errTruncated)
	}
	a.data = jsonValue{all}
	return a, nil
}

// serveMetadata answers /api/v1/metadata. With `metric` it answers for one family.
func (db *DB) serveMetadata(r *http.Request) (*answer, *apiError) {
	limit := -1
	if s := r.FormValue("limit"); s != "" {
		var err error
		if limit, err = strconv.Atoi(s); err != nil {
			return nil, badData(errors.New("limit must be a number"))
		}
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	names := make([]string, 0, len(db.metadata))
	for name := range db.metadata {
		if m := r.FormValue("metric"); m == "" || m == name {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if limit >= 0 && len(names) > limit {
		names = names[:limit]
	}
	out := map[string][]metadata.Metadata{}
	for _, name := range names {
		out[name] = []metadata.Metadata{db.metadata[name]}
	}
	return &answer{data: jsonValue{out}}, nil
}

// serveBuildInfo answers /api/v1/status/buildinfo.
func (*DB) serveBuildInfo(*http.Request) (*answer, *apiError) {
	return &answer{data: jsonValue{map[string]string{
		"version": Version, "revision": "", "branch": "", "buildUser": "promfake", "buildDate": "", "goVersion": runtime.Version(),
	}}}, nil
}

// serveRuntimeInfo answers /api/v1/status/runtimeinfo.
func (db *DB) serveRuntimeInfo(*http.Request) (*answer, *apiError) {
	return &answer{data: jsonValue{map[string]any{
		"startTime": db.start.UTC(), "serverTime": db.now().UTC(), "reloadConfigSuccess": true, "lastConfigTime": db.start.UTC(),
		"goroutineCount": runtime.NumGoroutine(), "GOMAXPROCS": runtime.GOMAXPROCS(0), "corruptionCount": 0, "storageRetention": "unlimited",
	}}}, nil
}

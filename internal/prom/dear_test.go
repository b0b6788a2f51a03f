package prom

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// TestADearExpressionFailsByItself: an expression that the server takes too long for, refuses as
// too dear, or answers with more than is read, fails its own SLO in each minute, and no other one.
func TestADearExpressionFailsByItself(t *testing.T) {
	refused := func(status int, text string) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"status":"error","errorType":"execution","error":%q}`, text)
		}
	}
	for name, do := range map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"takes for ever":   func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() },
		"too many samples": refused(http.StatusUnprocessableEntity, "query processing would load too many samples into memory in query execution"),
		"timed out":        refused(http.StatusServiceUnavailable, "query timed out in expression evaluation"),
		"a large answer": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"%s"},"value":[1,"1"]}]}}`, strings.Repeat("x", 40<<20))
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, specs := neighbours(t)
			specs = append(specs, events(t, "dear", `sum(increase(dear_total[$window]))`, `sum(increase(dear_total{code="500"}[$window]))`))
			db.Faults.Add(promfake.Fault{When: promfake.OnQuery("dear_total"), Do: do})
			patience := time.Minute // a busy machine may need some of it
			if name == "takes for ever" {
				patience = time.Second
			}
			r, got := New(serve(t, db), Options{Patience: patience}), book{}
			defer r.Close()
			failed, busy := false, func(f Failure) bool { return !slices.Contains(f.SLOs, "svc/dear") }
			for to := m0 + 10; to <= m0+16; to++ {
				b := r.Read(t.Context(), specs, after(to))
				for slices.ContainsFunc(b.Failures, busy) { // a machine may need longer than a second for the others
					got.take(b)
					r.Commit(b)
					b = r.Read(t.Context(), specs, after(to))
				}
				got.take(b)
				r.Commit(b)
				for _, f := range b.Failures {
					if len(f.SLOs) != 1 || f.SLOs[0] != "svc/dear" {
						t.Fatalf("minute %d: %v fail with %v", to-m0, f.SLOs, f.Err)
					}
					failed = true
				}
			}
			if !failed {
				t.Error("the dear one did not fail")
			}
			for _, id := range []string{"good", "slow"} {
				for m := m0 + 11; m <= m0+16; m++ {
					if s := got[slo.ID("svc/"+id)][m]; s.Total != 202*budget.Unit {
						t.Errorf("minute %d of %s is %+v", m-m0, id, s)
					}
				}
			}
		})
	}
}

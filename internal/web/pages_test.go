package web

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// pagePaths are all kinds of page, by a name for humans.
func (s *shop) pagePaths(t testing.TB) map[string]string {
	t.Helper()
	all, err := s.archive.Incidents(t.Context(), store.IncidentFilter{})
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{
		"overview": "/", "overview-filtered": "/?service=search&state=no-data", "overview-group": "/slo/checkout/routes",
		"slo": "/slo/checkout/availability", "slo-hostile": budgetPath(slo.ID(`checkout/routes{route="` + hostile + `"}`)),
		"slo-new": "/slo/search/new", "slo-no-data": "/slo/search/availability", "slo-slices": "/slo/search/freshness",
		"incidents": "/incidents", "reports": "/reports", "report": "/reports/weekly/2026-W46",
	}
	for _, i := range all {
		switch {
		case i.SLO == "checkout/availability" && i.Open:
			paths["incident-open"] = incidentPath(i.ID)
		case i.SLO == "checkout/availability":
			paths["incident"] = incidentPath(i.ID)
		case i.Rule == "no_data":
			paths["incident-no-data"] = incidentPath(i.ID)
		case i.SLO.Group() != "":
			paths["incident-hostile"] = incidentPath(i.ID)
		}
	}
	return paths
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

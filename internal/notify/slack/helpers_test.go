package slack

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
)

// goodBad is a minute in which so many of so many events were bad.
func goodBad(bad, total int64) budget.Slot { return budget.Count(bad*budget.Unit, total*budget.Unit) }

// redirecting is a server that sends everybody elsewhere.
func redirecting(t *testing.T, elsewhere string) string {
	srv := httptest.NewServer(http.RedirectHandler(elsewhere, http.StatusTemporaryRedirect))
	t.Cleanup(srv.Close)
	return srv.URL + "/"
}

package prom

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

func TestProbes(t *testing.T) {
	db := steady(t)
	c := serve(t, db)
	at := t0.Add(time.Hour)
	if p, err := c.Probe(t.Context(), `sum(r_total)`, at); err != nil || p.Series != 1 || p.Value != 119*101 {
		t.Errorf("probe %+v %v", p, err)
	}
	if p, err := c.Probe(t.Context(), `nothing`, at); err != nil || p.Series != 0 {
		t.Errorf("probe of nothing %+v %v", p, err)
	}
	if _, err := c.Probe(t.Context(), `sum(`, at); err == nil || err.Kind != Refused {
		t.Errorf("a bad query: %v", err)
	}
	if d, err := c.ScrapeInterval(t.Context(), `r_total`, at); err != nil || d != 30*time.Second {
		t.Errorf("interval %v %v", d, err)
	}
	if d, err := c.ScrapeInterval(t.Context(), `nothing`, at); err != nil || d != 0 {
		t.Errorf("interval of nothing %v %v", d, err)
	}
	if b, err := c.BuildInfo(t.Context()); err != nil || b.Version != promfake.Version {
		t.Errorf("build info %+v %v", b, err)
	}
}

func TestClockSkew(t *testing.T) {
	db := promfake.New(promfake.Options{Now: func() time.Time { return t0.Add(90 * time.Second) }})
	skew, within, err := serve(t, db).ClockSkew(t.Context(), func() time.Time { return t0 })
	if err != nil || skew != 90*time.Second || within > time.Second {
		t.Errorf("skew %v ± %v, %v; want 90 s", skew, within, err)
	}
}

// TestATimeThatContradictsItselfIsRefused: the clock of a server whose answers are dated of another
// time than it says is not believed; a few minutes between the two are a proxy's.
func TestATimeThatContradictsItselfIsRefused(t *testing.T) {
	for _, tc := range []struct {
		dated   time.Duration // from what time() says
		refused bool
	}{{0, false}, {9 * time.Minute, false}, {-9 * time.Minute, false}, {11 * time.Minute, true}, {-11 * time.Minute, true}, {-24 * time.Hour, true}} {
		db := promfake.New(promfake.Options{Now: func() time.Time { return t0.Add(time.Hour) }}).Handler()
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			db.ServeHTTP(answer, r)
			w.Header().Set("Date", t0.Add(time.Hour+tc.dated).Format(http.TimeFormat))
			_, _ = answer.Body.WriteTo(w)
		}))
		t.Cleanup(srv.Close)
		skew, _, err := clientFor(t, srv.URL).ClockSkew(t.Context(), func() time.Time { return t0 })
		switch {
		case tc.refused && (err == nil || err.Kind != Refused || !strings.Contains(err.Error(), "and the answer is dated")):
			t.Errorf("dated %v apart: skew %v, %v; want it refused", tc.dated, skew, err)
		case !tc.refused && (err != nil || skew != time.Hour):
			t.Errorf("dated %v apart: skew %v, %v; want an hour", tc.dated, skew, err)
		}
	}
}

func TestUsageCountsWhatTheServerRead(t *testing.T) {
	db := steady(t)
	c := serve(t, db, func(o *ClientOptions) { o.Stats = true })
	if _, err := c.Probe(t.Context(), `sum(increase(r_total[10m]))`, t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if u := c.Usage(); u.Queries != 1 || u.Samples != 40 || u.Bytes == 0 {
		t.Errorf("%+v, want 40 samples", u)
	}
}

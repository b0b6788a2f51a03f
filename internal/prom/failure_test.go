package prom

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/config"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// steady is two hours of a service with a good and a bad series.
func steady(t testing.TB) *promfake.DB {
	t.Helper()
	db := promfake.New(promfake.Options{})
	good := db.Series(lset("r_total", "job", "a", "instance", "1", "code", "200"))
	bad := db.Series(lset("r_total", "job", "a", "instance", "1", "code", "500"))
	for i := range 240 {
		ms := at(float64(30*i + 11))
		if err := good.Append(ms, float64(100*i)); err != nil {
			t.Fatal(err)
		}
		if err := bad.Append(ms, float64(i)); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// TestFailuresCountNothing: whatever goes wrong, the time is not consumed, the kind is right, and
// afterwards the ledger is the same as if nothing had happened.
func TestFailuresCountNothing(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host was asked, with authorization %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	for _, tc := range []struct {
		name string
		do   promfake.Failure
		want Kind
	}{
		{"the connection is reset", promfake.Reset(), Unreachable},
		{"the connection breaks in mid-answer", promfake.Cut(), Unreachable},
		{"nothing is answered in time", promfake.Hang(), Timeout},
		{"the answer drips", promfake.SlowBody(50, 100*time.Millisecond), Timeout},
		{"500", promfake.Status(500), Overloaded},
		{"503", promfake.Status(503), Overloaded},
		{"429", promfake.Status(429), Overloaded},
		{"400", promfake.Status(400), Refused},
		{"401", promfake.Status(401), Refused},
		{"404", promfake.Status(404), Refused},
		{"422", promfake.Status(422), Refused},
		{"a login page with 200", promfake.HTML(200), BadAnswer},
		{"a gateway's page with 502", promfake.HTML(502), Overloaded},
		{"an empty answer", promfake.Body(200, "application/json", ""), BadAnswer},
		{"JSON of something else", promfake.Body(200, "application/json", `{"ok":true}`), BadAnswer},
		{"a JSON list", promfake.Body(200, "application/json", `[]`), BadAnswer},
		{"success without data", promfake.Body(200, "application/json", `{"status":"success"}`), BadAnswer},
		{"a vector where a matrix was asked for", promfake.Body(200, "application/json", `{"status":"success","data":{"resultType":"vector","result":[]}}`), BadAnswer},
		{"a sample that is no number", promfake.Values("x"), BadAnswer},
		{"very deep JSON", promfake.Body(200, "application/json", strings.Repeat(`{"a":`, 100_000)), BadAnswer},
		{"half an answer", promfake.Truncated(), BadAnswer},
		{"status error with 200, a bad query", promfake.ErrorBody("bad_data", "no"), Refused},
		{"status error with 200, a timeout", promfake.ErrorBody("timeout", "no"), Overloaded},
		{"warnings", promfake.Warn("a store did not answer"), Partial},
		{"a part of the series with a warning", promfake.Partial(1, "a store did not answer"), Partial},
		{"more than the cap", promfake.Oversized(3 << 20), TooLarge},
		{"a redirect to another host", promfake.Redirect(http.StatusTemporaryRedirect, elsewhere.URL), Refused},
		{"a redirect that turns POST into GET", promfake.Redirect(http.StatusFound, elsewhere.URL), Refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			db := steady(t)
			c := serve(t, db, func(o *ClientOptions) {
				o.MaxBytes = 2 << 20
				o.HTTP = config.HTTPClientConfig{Authorization: &config.Authorization{Type: "Bearer", Credentials: "secret"}, FollowRedirects: true}
			})
			checkRecovery(t, db, c, tc.do, tc.want)
		})
	}
}

// checkRecovery ticks five minutes, fails three times, and recovers.
func checkRecovery(t *testing.T, db *promfake.DB, c *Client, do promfake.Failure, want Kind) {
	specs := []*slo.Spec{events(t, "x", `r_total{job="a"}`, `r_total{job="a",code=~"5.."}`)}
	r, got := New(c, Options{}), book{}
	for to := m0 + 10; to < m0+15; to++ {
		tick(t, r, specs, to, got)
	}
	db.Faults.Fail(do)
	patient := c.opts.Timeout
	if want == Timeout {
		c.opts.Timeout = 150 * time.Millisecond // only while nothing shall be answered
	}
	for to := m0 + 15; to < m0+17; to++ {
		b := r.Read(t.Context(), specs, after(to))
		if len(b.Readings) != 0 || len(b.Failures) != 1 || b.Failures[0].Err.Kind != want {
			t.Fatalf("readings %v, failures %v, want one %s", b.Readings, b.Failures, want)
		}
		if hint := b.Failures[0].Err.Hint; strings.Contains(hint, "within") && !strings.Contains(hint, "no answer within 150 ms") {
			t.Errorf("the hint is %q", hint)
		}
		if text := b.Failures[0].Err.Error(); strings.Contains(text, "secret") {
			t.Errorf("the message tells the secret: %s", text)
		}
		r.Commit(b)
	}
	db.Faults.Clear()
	c.opts.Timeout = patient
	tick(t, r, specs, m0+20, got)
	smooth, ref := New(c, Options{}), book{}
	for to := m0 + 10; to <= m0+20; to++ {
		tick(t, smooth, specs, to, ref)
	}
	if d := cmp.Diff(ref, got); d != "" {
		t.Error(d)
	}
	if bad, total := got.sum("svc/x"); bad != 20_000 || total != 2_020_000 {
		t.Errorf("%d of %d, want 20 of 2020 events", bad, total)
	}
}

// TestOddValues: an answer in good form with values that mean nothing changes no count.
func TestOddValues(t *testing.T) {
	for _, v := range []string{"NaN", "+Inf", "-Inf", "1e309", "-1"} {
		t.Run(v, func(t *testing.T) {
			db := steady(t)
			c := serve(t, db)
			specs := []*slo.Spec{events(t, "x", `r_total{job="a"}`, `r_total{job="a",code=~"5.."}`)}
			r, got := New(c, Options{}), book{}
			tick(t, r, specs, m0+10, got)
			db.Faults.Fail(promfake.Values(v))
			for to := m0 + 11; to <= m0+14; to++ {
				b := tick(t, r, specs, to, got)
				if len(b.Readings["svc/x"].Problems) == 0 {
					t.Error("nothing was said about it")
				}
			}
			db.Faults.Clear()
			tick(t, r, specs, m0+20, got)
			if bad, total := got.sum("svc/x"); bad != 20_000 || total != 2_020_000 {
				t.Errorf("%d of %d, want 20 of 2020 events", bad, total)
			}
		})
	}
}

// TestDuplicateSeriesCountOnce: a server that repeats itself is not believed twice.
func TestDuplicateSeriesCountOnce(t *testing.T) {
	db := steady(t)
	db.Faults.Fail(promfake.Duplicate())
	r, got := New(serve(t, db), Options{}), book{}
	specs := []*slo.Spec{events(t, "x", `r_total{job="a"}`, `r_total{job="a",code=~"5.."}`)}
	tick(t, r, specs, m0+10, got)
	tick(t, r, specs, m0+20, got)
	if bad, total := got.sum("svc/x"); bad != 20_000 || total != 2_020_000 {
		t.Errorf("%d of %d, want 20 of 2020 events", bad, total)
	}
}

// TestNothingListens: a server that is down, and a context that ends.
func TestNothingListens(t *testing.T) {
	c := clientFor(t, "http://user:hunter2@127.0.0.1:1")
	b := New(c, Options{}).Read(t.Context(), []*slo.Spec{events(t, "x", `a`, `b`)}, after(m0))
	if len(b.Failures) != 1 || b.Failures[0].Err.Kind != Unreachable || len(b.Readings) != 0 {
		t.Fatalf("%+v", b.Failures)
	}
	if s := b.Failures[0].Err.Error(); strings.Contains(s, "hunter2") {
		t.Errorf("the message tells the password: %s", s)
	}
}

// TestGzipOnlyFarAway: compressing costs more than it saves on one's own machine.
func TestGzipOnlyFarAway(t *testing.T) {
	for url, want := range map[string]bool{
		"http://127.0.0.1:9090": false, "http://localhost:9090": false, "http://[::1]:9090": false, "https://prometheus.example.org": true,
	} {
		if c := clientFor(t, url); c.gzip != want {
			t.Errorf("%s: gzip %v, want %v", url, c.gzip, want)
		}
	}
}

// TestGzipBomb: the cap holds after decompression, and an honest gzip answer is read.
func TestGzipAnswers(t *testing.T) {
	db := steady(t)
	c := serve(t, db, func(o *ClientOptions) { o.MaxBytes = 1 << 20 })
	c.gzip = true
	if p, err := c.Probe(t.Context(), `r_total`, t0.Add(time.Hour)); err != nil || p.Series != 2 {
		t.Fatalf("%v %v, want two series", p, err)
	}
}

// TestConcurrencyIsCapped: never more requests in flight than allowed.
func TestConcurrencyIsCapped(t *testing.T) {
	var now, most atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
	}))
	defer srv.Close()
	c := clientFor(t, srv.URL, func(o *ClientOptions) { o.Concurrency = 3 })
	var specs []*slo.Spec
	for i := range 40 {
		specs = append(specs, events(t, fmt.Sprint("s", i), fmt.Sprintf(`a%d`, i), fmt.Sprintf(`b%d`, i)))
	}
	b := New(c, Options{}).Read(t.Context(), specs, after(m0))
	if len(b.Failures) > 0 {
		t.Fatal(b.Failures[0].Err)
	}
	if b.Stats.Queries != 80 || most.Load() > 3 {
		t.Errorf("%d queries, %d at once; want 80 and at most 3", b.Stats.Queries, most.Load())
	}
}

// TestDownFromTheStart: an SLO is promised from its first read on, even if that one failed.
func TestDownFromTheStart(t *testing.T) {
	db := steady(t)
	c := serve(t, db)
	specs := []*slo.Spec{events(t, "x", `r_total{job="a"}`, `r_total{job="a",code=~"5.."}`)}
	db.Faults.Fail(promfake.Reset())
	r, got := New(c, Options{}), book{}
	for to := m0 + 10; to < m0+15; to++ {
		r.Commit(r.Read(t.Context(), specs, after(to)))
	}
	db.Faults.Clear()
	tick(t, r, specs, m0+15, got)
	if g := slots(got["svc/x"]); g != "11:2/202 12:2/202 13:2/202 14:2/202 15:2/202" {
		t.Error(g)
	}
}

// TestOutageOfTheServer is fault 5 of the list: Prometheus does not scrape for half an hour while
// the service goes on. The minutes are unknown in time and, once it is back, known in sum.
func TestOutageOfTheServer(t *testing.T) {
	db := promfake.New(promfake.Options{})
	for k, code := range []string{"200", "500"} {
		for pod := range 3 {
			s := db.Series(lset("r_total", "job", "a", "instance", fmt.Sprint(pod), "code", code))
			for i := range 200 {
				if sec := 30*i + 9*pod; sec < 1800 || sec >= 3600 {
					if err := s.Append(at(float64(sec)+0.5), float64(i*(10-9*k))); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	r, got := New(serve(t, db), Options{}), book{}
	specs := []*slo.Spec{events(t, "x", `r_total{job="a"}`, `r_total{job="a",code=~"5.."}`)}
	for to := m0 + 10; to <= m0+80; to++ {
		tick(t, r, specs, to, got)
	}
	partial := 0
	for m := m0 + 11; m <= m0+80; m++ {
		s := got["svc/x"][m]
		if s.State.Known() != (s.Total == 66_000 && s.Bad == 6_000) && s.State != budget.Partial {
			t.Errorf("minute %d: %+v", m-m0, s)
		}
		if s.State == budget.Partial {
			partial++
		}
	}
	if partial < 29 || partial > 31 {
		t.Errorf("%d minutes are partial, want 30 ± 1", partial)
	}
	if bad, total := got.sum("svc/x"); bad != 70*6_000 || total != 70*66_000 {
		t.Errorf("%d of %d, want %d of %d", bad, total, 70*6_000, 70*66_000)
	}
}

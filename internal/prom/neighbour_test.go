package prom

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// neighbours is two hours of two services with metrics of their own.
func neighbours(t testing.TB) (*promfake.DB, []*slo.Spec) {
	t.Helper()
	db := promfake.New(promfake.Options{})
	var specs []*slo.Spec
	for _, name := range []string{"good", "slow"} {
		for k, code := range []string{"200", "500"} {
			s := db.Series(lset(name+"_total", "job", "a", "instance", "1", "code", code))
			for i := range 240 {
				if err := s.Append(at(float64(30*i+11)), float64(100*i)/float64(1+99*k)); err != nil {
					t.Fatal(err)
				}
			}
		}
		specs = append(specs, events(t, name, name+`_total{job="a"}`, name+`_total{job="a",code="500"}`))
	}
	return db, specs
}

// TestASlowNeighbourDelaysNobody: a query that is not answered holds up its own SLO, which goes on
// in a lane of its own and loses nothing; all others are read in every turn.
func TestASlowNeighbourDelaysNobody(t *testing.T) {
	db, specs := neighbours(t)
	release := make(chan struct{})
	db.Faults.Add(promfake.Fault{When: promfake.OnQuery("slow_total"), Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-release:
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}})
	r, got := New(serve(t, db), Options{Patience: 100 * time.Millisecond}), book{}
	defer r.Close()
	read := func(to budget.Minute) *Batch {
		b := got.read(r, specs, after(to))
		return b
	}
	for to := m0 + 10; to <= m0+20; to++ {
		b := read(to)
		for len(b.Failures) > 1 { // a busy machine may need longer than the 100 ms for the good one
			b = read(to)
		}
		if to > m0+10 && got["svc/good"][to].Total != 202*budget.Unit {
			t.Fatalf("minute %d of the good neighbour is %+v", to-m0, got["svc/good"][to])
		}
		if len(b.Failures) != 1 || b.Failures[0].SLOs[0] != "svc/slow" || b.Failures[0].Err.Kind != Timeout {
			t.Fatalf("minute %d: the failures are %+v", to-m0, b.Failures)
		}
		if b.Stats.Waiting == 0 && to > m0+10 {
			t.Fatalf("minute %d: nobody is waited for", to-m0)
		}
	}
	close(release)
	for read(m0+20).Stats.Waiting > 0 {
	}
	got.all(t, "svc/slow", m0+11, m0+20, func(s budget.Slot) bool { return s.Total == 202*budget.Unit })
	if b := read(m0 + 21); len(b.Failures) > 0 || got["svc/slow"][m0+21].Total == 0 && b.Stats.Waiting == 0 {
		t.Errorf("afterwards %+v, %+v", b.Failures, b.Stats)
	}
}

// TestASlowServerIsNobodysNeighbour: if nobody is answered, everybody fails in every turn, and is
// read when the server is back.
func TestASlowServerIsNobodysNeighbour(t *testing.T) {
	db, specs := neighbours(t)
	db.Faults.Fail(promfake.Hang())
	c := serve(t, db, func(o *ClientOptions) { o.Timeout = 300 * time.Millisecond })
	r, got := New(c, Options{Patience: 50 * time.Millisecond}), book{}
	defer r.Close()
	for to := m0 + 10; to <= m0+16; to++ {
		b := r.Read(t.Context(), specs, after(to))
		r.Commit(b)
		if len(b.Failures) != 2 {
			t.Fatalf("minute %d: %d failures, want one of each SLO", to-m0, len(b.Failures))
		}
	}
	db.Faults.Clear()
	read := func() bool { return got["svc/good"][m0+20].Total > 0 && got["svc/slow"][m0+20].Total > 0 }
	for now := after(m0 + 20); !read(); now = now.Add(retryAfter) { // a busy machine may need longer than the 300 ms
		got.read(r, specs, now)
	}
	for _, s := range specs {
		got.all(t, s.ID(), m0+11, m0+20, func(s budget.Slot) bool { return s.Bad == 2*budget.Unit && s.Total == 202*budget.Unit })
	}
}

// TestALargeNeighbourIsReadApartAndInParts: an SLO whose minute no answer can hold leaves the
// bundle of its neighbours, and is read in parts, exactly; what was too large is not asked for
// again.
func TestALargeNeighbourIsReadApartAndInParts(t *testing.T) {
	db := promfake.New(promfake.Options{})
	specs := []*slo.Spec{}
	truth := map[slo.ID]int64{}
	for job, pods := range map[string]int{"a": 2, "b": 3, "huge": 400} {
		specs = append(specs, tier(t, job))
		for pod := range pods {
			for k, code := range []string{"200", "404", "500"} {
				s := db.Series(lset("http_requests_total", "job", job, "instance", fmt.Sprintf("10.0.%d.%d:8080", pod/250, pod%250), "code", code))
				for i := range 80 {
					if err := s.Append(at(float64(30*i+11)), float64(i*(k+1))); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		truth[slo.ID("svc/"+job)] = int64(pods) * 2 * (1 + 2 + 3) * budget.Unit
	}
	var large atomic.Int64
	db.Faults.Add(promfake.Fault{When: promfake.OnPath("/query"), Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		n := &tallied{ResponseWriter: w}
		next.ServeHTTP(n, r)
		if n.bytes > 40<<10 {
			large.Add(1)
		}
	}})
	c := serve(t, db, func(o *ClientOptions) { o.MaxBytes = 40 << 10 })
	r, got := New(c, Options{}), book{}
	first := int64(0)
	for to := m0 + 10; to <= m0+30; to++ {
		b := got.read(r, specs, after(to))
		if to == m0+15 {
			first = large.Load()
		}
		if n := len(b.Failures); n > 0 && to > m0+12 {
			t.Fatalf("minute %d: %v", to-m0, b.Failures[0].Err)
		}
	}
	if n := large.Load() - first; n > 0 {
		t.Errorf("%d times it was asked again for what is too large", n)
	}
	for id, total := range truth {
		for m := m0 + 13; m <= m0+30; m++ {
			if s := got[id][m]; s.Total != total || s.Bad != total/2 {
				t.Fatalf("%s: minute %d is %+v, want %d events", id, m-m0, s, total)
			}
		}
	}
	for _, b := range r.plan {
		if strings.Contains(b.selector, "huge") && (len(b.specs) != 1 || len(b.meal.shards) < 3) {
			t.Errorf("%s is read with %d others in %d parts", b.selector, len(b.specs)-1, len(b.meal.shards))
		}
	}
}

// TestWhatNoLabelDividesIsAddedUp: a counter with more values of its one telling label than a query
// can name is summed by Prometheus, as an estimate that says so. No minute is lost on the way, also
// in a restart and in history.
func TestWhatNoLabelDividesIsAddedUp(t *testing.T) {
	db := promfake.New(promfake.Options{})
	const users = 600 // and the server says that there are more than a query can name
	var names []string
	for user := range maxValues + 1 {
		names = append(names, `"`+strconv.Itoa(user)+`"`)
	}
	db.Faults.Add(promfake.Fault{
		When: promfake.OnPath("/label/user/values"),
		Do:   promfake.Body(http.StatusOK, "application/json", `{"status":"success","data":[`+strings.Join(names, ",")+`]}`),
	})
	for user := range users {
		for name, labels := range map[string][]string{"n": {"code", []string{"200", "500"}[user%2]}, "d_count": nil, "d_bucket": {"le", "0.5"}} {
			s := db.Series(lset(name, append([]string{"job", "a", "instance", "1", "user", fmt.Sprint(user)}, labels...)...))
			for i := range 34 {
				must(t, s.Append(at(float64(30*i+11)), float64(i)))
			}
		}
	}
	c := serve(t, db, func(o *ClientOptions) { o.MaxBytes = 36 << 10 })
	for _, spec := range []*slo.Spec{
		events(t, "x", `n{job="a"}`, `n{job="a",code="500"}`),
		events(t, "x", `n{job="a"}`, `n{job="a",code="500"}`, "instance"),
		latency(t, "x", `d{job="a"}`, 0.5),
	} {
		bad := int64(0)
		if spec.SLI.Bad != nil {
			bad = users * budget.Unit
		}
		r, live, past := New(c, Options{}), book{}, book{}
		said := 0
		for to := m0 + 8; to <= m0+14; to++ {
			b := r.Read(t.Context(), []*slo.Spec{spec}, after(to))
			live.take(b)
			r.Commit(b)
			if n := len(b.Failures); n > 0 && to > m0+9 {
				t.Fatalf("minute %d: %v", to-m0, b.Failures[0].Err)
			}
			if to == m0+11 {
				r = restart(r, c)
			}
			for _, p := range b.Problems {
				if strings.Contains(p, "Prometheus adds them up") {
					said++
				}
			}
			if p := strings.Join(b.Readings["svc/x"].Problems, "; "); to > m0+9 && !strings.Contains(p, "estimates") {
				t.Errorf("minute %d: the problems are %q", to-m0, p)
			}
		}
		if said != 2 { // once, and once after the restart
			t.Errorf("it was logged %d times", said)
		}
		work := New(c, Options{}).Backfill([]*slo.Spec{spec}, Plan{From: m0, Fine: m0, To: m0 + 15})
		for n := 0; !work.Done() && n < 10; n++ {
			past.take(work.Next(t.Context()))
		}
		id := slo.ID("svc/x")
		if len(spec.By) > 0 {
			id = `svc/x{instance="1"}`
		}
		for what, got := range map[string]book{"live": live, "history": past} {
			for m := m0 + 9; m <= m0+14; m++ {
				if s := got[id][m]; s.Total != 2*users*budget.Unit || s.Bad != bad || !s.Estimated {
					t.Errorf("%s %s: minute %d is %+v, want %d of %d, as an estimate", spec.SLI.Kind, what, m-m0, s, bad, 2*users*budget.Unit)
				}
			}
		}
	}
}

// manyOf is a metric of one target, users × clients series, of which each grows by one a scrape,
// and reads it minute by minute.
type manyOf struct {
	db             *promfake.DB
	users, clients int
}

// write writes the scrapes [from, to).
func (m manyOf) write(t testing.TB, from, to int) {
	t.Helper()
	for user := range m.users {
		for client := range m.clients {
			s := m.db.Series(lset("n", "job", "a", "instance", "1", "user", fmt.Sprint(user), "client", fmt.Sprint(client), "code", []string{"200", "500"}[client%2]))
			for i := from; i < to; i++ {
				must(t, s.Append(at(float64(30*i+11)), float64(i)))
			}
		}
	}
}

// TestWhatIsNotAnsweredInTimeIsDivided: a server gives up queries of a large metric. It is read in
// parts, exactly; where no part is answered, or reading does not keep up, Prometheus adds it up.
func TestWhatIsNotAnsweredInTimeIsDivided(t *testing.T) {
	for name, tc := range map[string]struct {
		slow func(query string) bool
		sums bool
	}{
		"the whole": {slow: func(q string) bool { return !strings.Contains(q, "user") && !strings.Contains(q, "client") }},
		"any part":  {slow: func(string) bool { return true }, sums: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := manyOf{promfake.New(promfake.Options{}), 100, 110}
			m.write(t, 0, 40)
			m.db.Faults.Add(promfake.Fault{When: promfake.OnPath("/query"), Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				at, _ := strconv.ParseFloat(r.FormValue("time"), 64) // where there is anything
				if q := r.FormValue("query"); strings.HasPrefix(q, "n{") && strings.HasSuffix(q, "s]") && at > float64(t0.Unix()+60) && tc.slow(q) {
					w.WriteHeader(http.StatusServiceUnavailable)
					fmt.Fprint(w, `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`)
					return
				}
				next.ServeHTTP(w, r)
			}})
			spec, got := events(t, "x", `n{job="a"}`, `n{job="a",code="500"}`), book{}
			r := New(serve(t, m.db), Options{Patience: time.Minute})
			defer r.Close()
			for to := m0 + 8; to <= m0+16; to++ {
				b := got.read(r, []*slo.Spec{spec}, after(to))
				if n := len(b.Failures); n > 0 && to > m0+14 {
					t.Fatalf("minute %d: %v", to-m0, b.Failures[0].Err)
				}
			}
			got.all(t, "svc/x", m0+9, m0+16, func(s budget.Slot) bool {
				return s.Total == 2*11_000*budget.Unit && s.Bad == 11_000*budget.Unit && s.Estimated == tc.sums
			})
		})
	}
}

// TestReadingThatDoesNotKeepUp: five answers in a row that took longer than what they are of.
func TestReadingThatDoesNotKeepUp(t *testing.T) {
	m := meal{}
	for n, took := range []time.Duration{2, 2, 2, 2, 1, 2, 2, 2, 2, 2} {
		if slow := m.tooSlow(took*time.Minute, time.Minute); slow != (n == 9) {
			t.Errorf("answer %d: %v", n, slow)
		}
	}
}

// TestALargeTargetThatIsLate: what no answer can hold is late for three minutes, and asked for in
// parts; so is who of it has ended.
func TestALargeTargetThatIsLate(t *testing.T) {
	m := manyOf{promfake.New(promfake.Options{}), 40, 40}
	c := serve(t, m.db, func(o *ClientOptions) { o.MaxBytes = 60 << 10 })
	r, got := New(c, Options{}), book{}
	defer r.Close()
	spec := events(t, "x", `n{job="a"}`, `n{job="a",code="500"}`)
	m.write(t, 0, 24)
	for to := m0 + 8; to <= m0+20; to++ {
		if to == m0+15 {
			m.write(t, 24, 50)
		}
		b := got.read(r, []*slo.Spec{spec}, after(to))
		if n := len(b.Failures); n > 0 && to > m0+9 {
			t.Fatalf("minute %d: %v", to-m0, b.Failures[0].Err)
		}
	}
	got.all(t, "svc/x", m0+9, m0+19, func(s budget.Slot) bool { return s.Total == 2*1_600*budget.Unit && s.Bad == 1_600*budget.Unit })
}

type tallied struct {
	http.ResponseWriter
	bytes int
}

func (c *tallied) Write(b []byte) (int, error) {
	c.bytes += len(b)
	return c.ResponseWriter.Write(b)
}

// TestTheWordsOfOtherServersForTooMuch: each says in its own words that a query is too large; it is
// then asked for less.
func TestTheWordsOfOtherServersForTooMuch(t *testing.T) {
	for said, want := range map[string]bool{
		"query processing would load too many samples into memory in query execution":                                                                   true,
		"the number of matching timeseries exceeds 300000; either narrow down the search or increase -search.max* command-line flag values at vmselect": true,
		"cannot select more than -search.maxSamplesPerQuery=1000000000 samples; possible solutions: increase the -search.maxSamplesPerQuery":            true,
		"the query exceeded the maximum number of chunks (limit: 2000000 chunks) (err-mimir-max-chunks-per-query)":                                      true,
		"the query hit the max number of series limit (limit: 100000 series)":                                                                           true,
		"expanded matching posting: exceeded series limit: limit 1000 violated (got 1001)":                                                              true,
		"invalid parameter \"query\": 1:5: parse error: unexpected right brace":                                                                         false,
		"too many concurrent queries: limit 20 reached while reading samples":                                                                           false,
		"the request has been rejected because the tenant exceeded the request rate limit":                                                              false,
		"execution: multiple matches for labels: many-to-one matching must be explicit":                                                                 false,
	} {
		if got := tellsOfSize(said); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
}

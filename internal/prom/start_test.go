package prom

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// asksStarts reports whether a request asks for the starts of processes.
func asksStarts(r *http.Request) bool { return strings.Contains(r.FormValue("query"), startMetric) }

// TestProcessesThatBeganAnew: the start of a process tells what its counters hide, however it is
// read: minute by minute, at one go, or out of marks.
func TestProcessesThatBeganAnew(t *testing.T) {
	for _, tc := range []struct{ name, life, starts, want string }{
		{
			"a counter is as high again after a restart",
			"instance=a code=200: 30=1 90=1 150=1 210=1 270=2", "instance=a: 30=-900 90=-900 150=140 210=200 270=200", "2:0/1 3:0/1 4:0/1",
		},
		{
			"so it is, and nothing says so",
			"instance=a code=200: 30=1 90=1 150=1 210=1 270=2", "", "2:0/0 3:0/0 4:0/1",
		},
		{
			"the start of another target on the same address is not its own",
			"instance=a code=200: 30=1 90=1 150=1 210=1 270=2", "instance=a job=other: 30=-900 90=-900 150=140 210=200 270=200", "2:0/0 3:0/0 4:0/1",
		},
		{
			"a new process has had more than its target ever had",
			"instance=a code=200: 30=0 90=10 150=14 210=20 270=21\ninstance=b code=200: 210=9000 270=9001",
			"instance=a: 30=-900 90=-900 150=-900 210=-900 270=-900\ninstance=b: 210=190 270=190", "2:0/4 3:0/9006 4:0/2",
		},
		{
			"its clock is ahead, so that it seems to begin anew once more",
			"instance=a code=200: 30=4 90=4 150=1 210=1 270=1", "instance=a: 30=-900 90=-900 150=160 210=160 270=160", "2:0/1 3:0/0 4:0/0",
		},
		{
			"an error series is born, and the process lives on",
			"instance=a code=200: 30=1000 90=1010 150=1014 210=1020 270=1021\ninstance=a code=500: 210=3 270=3",
			"instance=a: 30=-900 90=-900 150=-900 210=-900 270=-900", "2:0/4 3:3/9 4:0/1",
		},
		{
			"a label is added when the process begins anew: the series are the same",
			"instance=a code=200: 30=9000 90=9010 150=9014\ninstance=a code=200 cluster=eu: 210=9020 270=9021",
			"instance=a: 30=-900 90=-900 150=-900 210=190 270=190", "2:0/4 3:0/6 4:0/1",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := life(t, tc.life)
			addStarts(t, db, tc.starts)
			c := serve(t, db)
			specs := []*slo.Spec{events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)}
			sameHoweverCut(t, c, specs, tc.want)
		})
	}
}

// TestCountersThatWereCreated: what tells when a counter was created is the series that OpenMetrics
// has for it, and one of a histogram for all its buckets.
func TestCountersThatWereCreated(t *testing.T) {
	for _, tc := range []struct {
		name    string
		created float64 // of the second series, seconds after t0; 0 = it does not say
		want    string  // of a counter, and of a histogram
	}{
		{"since the scrape before", 190, "2:0/4 3:5000/5004 4:10/14"},
		{"before that", 100, "2:0/4 3:0/4 4:10/14"},
		{"nobody says when", 0, "2:0/4 3:0/4 4:10/14"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := promfake.New(promfake.Options{})
			write := func(name string, sec, v float64, pairs ...string) {
				must(t, db.Append(lset(name, append(pairs, "job", "j", "instance", "a")...), at(sec), v))
			}
			for i := range 5 {
				sec, v := float64(30+60*i), float64(9000+4*i)
				write("c_total", sec, v, "code", "200")
				write("c_created", sec, float64(t0.Unix()-900), "code", "200")
				write("h_count", sec, v, "code", "200")
				write("h_bucket", sec, v, "code", "200", "le", "1")
				write("h_created", sec, float64(t0.Unix()-900), "code", "200")
				if i < 3 {
					continue
				}
				v = float64(5000 + 10*(i-3))
				write("c_total", sec, v, "code", "500")
				write("h_count", sec, v, "code", "500")
				write("h_bucket", sec, 0, "code", "500", "le", "1")
				if tc.created > 0 {
					write("c_created", sec, float64(t0.Unix())+tc.created, "code", "500")
					write("h_created", sec, float64(t0.Unix())+tc.created, "code", "500")
				}
			}
			c := serve(t, db)
			specs := []*slo.Spec{
				events(t, "x", `c_total{job="j"}`, `c_total{job="j",code="500"}`),
				{Service: "svc", Name: "y", SLI: slo.Indicator{Kind: slo.Latency, Histogram: query(t, `h{job="j"}`), Below: 1, LimitText: "1"}},
			}
			sameHoweverCut(t, c, specs, tc.want)
		})
	}
}

// addStarts writes when processes began, in seconds after t0, as life writes counters.
func addStarts(t *testing.T, db *promfake.DB, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		head, tail, _ := strings.Cut(strings.TrimSpace(line), ":")
		pairs := []string{"job", "j"}
		for pair := range strings.FieldsSeq(head) {
			k, v, _ := strings.Cut(pair, "=")
			if k == "job" {
				pairs = []string{"job", v}
				continue
			}
			pairs = append(pairs, k, v)
		}
		for f := range strings.FieldsSeq(tail) {
			var sec, start float64
			if _, err := fmt.Sscanf(f, "%g=%g", &sec, &start); err != nil {
				t.Fatalf("%q: %v", f, err)
			}
			must(t, db.Append(lset(startMetric, pairs...), at(sec), float64(t0.Unix())+start))
		}
	}
}

// TestStartsAreAskedForRarely: a server that knows no starts is asked once an hour, and processes
// of which nothing is in doubt are never asked.
func TestStartsAreAskedForRarely(t *testing.T) {
	for _, tc := range []struct {
		name   string
		value  float64
		starts bool
		want   int
	}{
		{"low counters, no starts", 1, false, 2},
		{"low counters", 1, true, 71},
		{"high counters", 100, true, 0},
		{"counters at zero", 0, true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := promfake.New(promfake.Options{})
			for sec := 30.0; sec < 4800; sec += 60 {
				must(t, db.Append(lset("c", "job", "j", "instance", "a", "code", "200"), at(sec), tc.value))
				if tc.starts {
					must(t, db.Append(lset(startMetric, "job", "j", "instance", "a"), at(sec), float64(t0.Unix()-900)))
				}
			}
			asked := db.Faults.Add(promfake.Fault{
				When: asksStarts,
				Do:   func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) },
			})
			r, specs, got := New(serve(t, db), Options{}), []*slo.Spec{events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)}, book{}
			for to := m0 + 1; to <= m0+71; to++ {
				tick(t, r, specs, to, got)
			}
			if n := asked(); n != tc.want {
				t.Errorf("%d questions in 70 minutes, want %d", n, tc.want)
			}
		})
	}
}

// TestStartsThatCannotBeHad: an answer that is refused is as good as none, and another failure
// leaves everything to the next turn.
func TestStartsThatCannotBeHad(t *testing.T) {
	for _, tc := range []struct {
		name     string
		fault    promfake.Fault
		failures int
		want     string
	}{
		{"the server is overloaded", promfake.Fault{Do: promfake.Status(http.StatusServiceUnavailable), Times: 1}, 1, "2:0/1 3:0/1 4:0/1"},
		{"the query is refused", promfake.Fault{Do: promfake.ErrorBody("execution", "query processing would load too many samples into memory in query execution")}, 0, "2:0/1 3:0/0 4:0/1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := life(t, "instance=a code=200: 30=1 90=1 150=1 210=1 270=2")
			addStarts(t, db, "instance=a: 30=-900 90=-900 150=140 210=200 270=200")
			r, specs, got := New(serve(t, db), Options{}), []*slo.Spec{events(t, "x", `c{job="j"}`, `c{job="j",code="500"}`)}, book{}
			tick(t, r, specs, m0+1, got)
			tc.fault.When = asksStarts
			db.Faults.Add(tc.fault)
			b := r.Read(t.Context(), specs, after(m0+3))
			if len(b.Failures) != tc.failures {
				t.Fatalf("failures %v, want %d", b.Failures, tc.failures)
			}
			got.take(b)
			r.Commit(b)
			tick(t, r, specs, m0+4, got)
			if g := slots(got["svc/x"]); g != tc.want {
				t.Errorf("got %s, want %s", g, tc.want)
			}
		})
	}
}

// sameHoweverCut reads four minutes of SLOs in steps and at once, by one reader and by one out of
// marks each time, and expects the same slots of each of them.
func sameHoweverCut(t *testing.T, c *Client, specs []*slo.Spec, want string) {
	t.Helper()
	for _, step := range []budget.Minute{1, 100} {
		for _, reload := range []bool{false, true} {
			r, got := New(c, Options{}), book{}
			tick(t, r, specs, m0+1, got)
			for to := m0 + 1; to < m0+4; {
				if reload {
					r = restart(r, c)
				}
				to = min(to+step, m0+4)
				tick(t, r, specs, to, got)
			}
			for _, s := range specs {
				if g := slots(got[s.ID()]); g != want {
					t.Errorf("%s in steps of %d, out of marks: %v\n got %s\nwant %s", s.ID(), step, reload, g, want)
				}
			}
		}
	}
}

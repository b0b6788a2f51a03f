package evidence_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/fake/shop"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

var (
	live  = time.Date(2026, 11, 18, 14, 0, 0, 0, time.UTC)
	onset = live.Add(2 * time.Hour)
)

// stage is a shop with its outage, some minutes in, and its SLOs.
func stage(t testing.TB, o shop.Outage, now time.Time) (*promfake.DB, *slo.Set) {
	t.Helper()
	db := promfake.New(promfake.Options{Now: func() time.Time { return now }})
	s := shop.NewWithHistory(7, db, live, 3*time.Hour)
	if err := s.Stage(o); err != nil {
		t.Fatal(err)
	}
	s.Fill(now)
	var files []file.File
	for name, text := range shop.SLOFiles() {
		files = append(files, file.File{Name: name, Data: []byte(text)})
	}
	set, err := file.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return db, set
}

func client(t testing.TB, db *promfake.DB) *prom.Client {
	t.Helper()
	c, err := prom.NewClient(prom.ClientOptions{URL: promtest.Serve(t, db.Handler()), Concurrency: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

// gather asks about a budget six minutes into the story's outage.
func gather(t testing.TB, id slo.ID, acts ...alerting.Act) ranking.Evidence {
	t.Helper()
	now := onset.Add(6 * time.Minute)
	db, set := stage(t, shop.Story(onset, 20*time.Minute), now)
	return evidence.Gather(context.Background(), evidence.Request{
		Client: client(t, db), Incident: "x", Kind: alerting.Opened, SLO: id, Spec: set.Lookup(id.Base()), Service: set.Service(id.Service()),
		Onset: onset, At: now.Truncate(time.Minute), Acts: acts, TraceURL: "https://traces.example/trace/{trace_id}",
	})
}

func TestGatherFindsWhatBurnsAndWhatChanged(t *testing.T) {
	e := gather(t, `checkout/availability{route="/pay"}`)
	t.Logf("took %v s", e.Took)
	if len(e.Problems) > 0 {
		t.Errorf("problems: %v", e.Problems)
	}
	if got := strings.Join(e.Burns.Sentences(), " | "); !strings.HasPrefix(got, `Most of the excess is in payment="card": 99 % of it; 9`) || len(e.Burns.Contributors) != 1 {
		t.Errorf("what burns: %s", got)
	}
	if len(e.Changes) != 1 || e.Changes[0].Sentence(e.Onset) != "v2.3.0 → v2.4.1 rolled out 3 min before the onset (seen in build_info)." {
		t.Errorf("what changed: %+v", e.Changes)
	}
	if len(e.Traces) != 3 {
		t.Errorf("traces: %+v", e.Traces)
	}
	for _, trace := range e.Traces {
		if trace.URL != "https://traces.example/trace/"+trace.ID || trace.Where != `code="500", payment="card", route="/pay"` {
			t.Errorf("a trace: %+v", trace)
		}
	}
	lines := strings.Join(e.Lines(), " | ")
	for _, want := range []string{"latency p99 0.29", "traffic 9", "per second, before 9", "errors 19", " %, before 0.0", "cpu throttling 0.0", "full at 0.25"} {
		if !strings.Contains(lines, want) {
			t.Errorf("the signals lack %q: %s", want, lines)
		}
	}
}

func TestEvidenceIsKeptAsItIs(t *testing.T) {
	e := gather(t, `checkout/availability{route="/pay"}`)
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var again ranking.Evidence
	if err := json.Unmarshal(out, &again); err != nil {
		t.Fatal(err)
	}
	again.Signals.Window, again.Signals.Back = e.Signals.Window, e.Signals.Back
	if diff := cmp.Diff(e, again); diff != "" {
		t.Errorf("kept as JSON it is another:\n%s", diff)
	}
}

func TestSignalsOfAHousesOwnSourceAreRead(t *testing.T) {
	own, err := signals.Parse("house.yaml", []byte("- {name: house, title: our own, group: [job], traffic: [http_requests_total]}"))
	if err != nil {
		t.Fatal(err)
	}
	now := onset.Add(6 * time.Minute)
	db, set := stage(t, shop.Story(onset, 20*time.Minute), now)
	e := evidence.Gather(context.Background(), evidence.Request{
		Client: client(t, db), SLO: "checkout/latency", Spec: set.Lookup("checkout/latency"), Onset: onset, At: now,
		Service: &slo.Service{Name: "checkout", Signals: &slo.Signals{From: "house", Match: `{job="checkout"}`}}, Catalogue: own,
	})
	if !e.Signals.Traffic.Now.Known {
		t.Errorf("traffic is not known: %s", e.Signals.Traffic.Now.Reason)
	}
}

package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/evidence"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// culprit finds the same culprit every time, and counts how often it was asked.
func culprit(asked *int) func(context.Context, evidence.Request) ranking.Evidence {
	return func(_ context.Context, r evidence.Request) ranking.Evidence {
		*asked++
		return ranking.Evidence{Incident: r.Incident, Kind: r.Kind, Onset: r.Onset, At: r.At, Burns: ranking.Ranking{
			Verdict: ranking.StandsOut, Contributors: []ranking.Contributor{{Label: "route", Value: "/pay", Share: 0.9}},
		}}
	}
}

func (w *world) kept(incident string) []store.Evidence {
	w.t.Helper()
	all, err := w.store.Evidence(context.Background(), incident)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// TestEvidenceFollowsThePage: the headline goes out by itself, then the root is edited, and the
// thread tells once what burns.
func TestEvidenceFollowsThePage(t *testing.T) {
	w, asked := oneService(t, outage(50, [2]int{4, 8})), 0
	w.looks, w.finds = true, culprit(&asked)
	w.steps(25)
	incidents, roots := w.incidents(), w.rootsWith("Resolved")
	if len(incidents) != 1 || len(roots) != 1 || asked != 1 {
		t.Fatalf("%d incidents, %d roots, asked %d times", len(incidents), len(roots), asked)
	}
	const words = `route="/pay"`
	told := 0
	for _, reply := range w.slack.Thread(channel, roots[0].TS) {
		if strings.Contains(reply.Visible(), words) {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the thread tells it %d times", told)
	}
	if kept := w.kept(incidents[0].ID); len(kept) != 1 || kept[0].Kind != alerting.Opened || !strings.Contains(string(kept[0].Data), `"/pay"`) {
		t.Errorf("kept is %+v", kept)
	}
}

// TestEvidenceIsGatheredOnceOverRestarts: a restart asks about an open incident that has none, and
// not about one that has.
func TestEvidenceIsGatheredOnceOverRestarts(t *testing.T) {
	w, asked := oneService(t, outage(50, [2]int{4, 30})), 0
	w.finds = culprit(&asked)
	w.steps(10)
	if len(w.incidents()) != 1 || asked != 0 {
		t.Fatalf("%d incidents, asked %d times", len(w.incidents()), asked)
	}
	w.restart()
	w.looks = true
	w.steps(1)
	w.restart()
	w.steps(3)
	if asked != 1 {
		t.Errorf("asked %d times, want once", asked)
	}
	if r := w.rootsWith("Page"); len(r) != 1 || !strings.Contains(r[0].Visible(), `route="/pay"`) {
		t.Errorf("after the restart the root lacks the evidence: %v", w.roots())
	}
}

// TestATicketThatBecomesAPageIsLookedIntoAgain: what burns at noon need not be what burnt at dawn.
func TestATicketThatBecomesAPageIsLookedIntoAgain(t *testing.T) {
	spec := promise("shop")
	spec.Alerts.Ticket = []slo.Pair{{Budget: 20, Long: 10 * time.Minute, Short: 2 * time.Minute}}
	bad := []int{0: 0, 1: 5, 2: 50}
	phase := 0
	w := newWorld(t, []*slo.Spec{spec}, &service{name: "shop", load: func(budget.Minute) (int, int) { return 50 - bad[phase], bad[phase] }})
	asked := 0
	w.looks, w.finds = true, culprit(&asked)
	w.steps(3)
	phase = 1
	w.steps(15)
	phase = 2
	w.steps(10)
	incidents := w.burns()
	if len(incidents) != 1 || incidents[0].Escalated.IsZero() || asked != 2 {
		t.Fatalf("asked %d times about %+v", asked, incidents)
	}
	kept := w.kept(incidents[0].ID)
	if len(kept) != 2 || kept[0].Kind != alerting.Opened || kept[1].Kind != alerting.Escalated {
		t.Errorf("kept is %+v", kept)
	}
}

// TestNobodyIsToldOfEvidenceThatComesTooLate: the incident ends while it is asked about; its draft
// has the evidence, the thread does not.
func TestNobodyIsToldOfEvidenceThatComesTooLate(t *testing.T) {
	w, asked := oneService(t, outage(50, [2]int{4, 8})), 0
	find := culprit(&asked)
	w.finds = func(ctx context.Context, r evidence.Request) ranking.Evidence {
		w.looks = false
		w.steps(20)
		return find(ctx, r)
	}
	w.looks = true
	w.steps(10)
	incidents, roots := w.incidents(), w.rootsWith("Resolved")
	if len(incidents) != 1 || incidents[0].Open || asked != 1 || len(roots) != 1 {
		t.Fatalf("asked %d times about %+v", asked, incidents)
	}
	if strings.Contains(roots[0].Visible(), "/pay") || len(w.slack.Thread(channel, roots[0].TS)) != 1 {
		t.Errorf("people are told of evidence about what is over:\n%s", roots[0].Visible())
	}
	if kept := w.kept(incidents[0].ID); len(kept) != 1 {
		t.Errorf("kept is %+v", kept)
	}
}

// TestEvidenceThatIsNotToBeHad: the page stays as it is, and the thread says so in small print.
func TestEvidenceThatIsNotToBeHad(t *testing.T) {
	w := oneService(t, outage(50, [2]int{4, 20}))
	w.looks, w.finds = true, func(_ context.Context, r evidence.Request) ranking.Evidence {
		return ranking.Evidence{Incident: r.Incident, Kind: r.Kind, Burns: ranking.Ranking{Verdict: ranking.NotKnown, Reason: "no answer in time"}}
	}
	w.steps(10)
	roots := w.rootsWith("Page")
	if len(roots) != 1 || strings.Contains(roots[0].Visible(), "What burns") {
		t.Fatalf("the root reads %v", w.roots())
	}
	if thread := w.slack.Thread(channel, roots[0].TS); len(thread) != 1 || !strings.Contains(thread[0].Visible(), "Evidence: not available (no answer in time)") {
		t.Errorf("the thread is %v", thread)
	}
}

// TestWhatIsLongOverIsNotLookedInto: after a downtime nobody asks about incidents that came and
// went.
func TestWhatIsLongOverIsNotLookedInto(t *testing.T) {
	w, asked := oneService(t, outage(50, [2]int{10, 20})), 0
	w.looks, w.finds = true, culprit(&asked)
	w.steps(5)
	w.pass(2 * time.Hour)
	w.steps(3)
	if len(w.burns()) != 1 || asked != 0 {
		t.Errorf("asked %d times about %+v", asked, w.burns())
	}
}

// TestLookIntoWaitsForWhatOpensAndEnds: the loop asks when an incident opens, and ends with its
// context even in mid-question.
func TestLookIntoWaitsForWhatOpensAndEnds(t *testing.T) {
	w := oneService(t, outage(50, [2]int{4, 30}))
	ctx, stop := context.WithCancel(context.Background())
	asking, done := make(chan struct{}), make(chan error, 1)
	w.finds = func(ctx context.Context, _ evidence.Request) ranking.Evidence {
		close(asking)
		<-ctx.Done()
		return ranking.Evidence{}
	}
	go func() { done <- w.engine.LookInto(ctx, w.daemonNow) }()
	w.steps(10)
	<-asking
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if kept := w.kept(w.incidents()[0].ID); len(kept) != 0 {
		t.Errorf("what was broken off is kept as a finding: %+v", kept)
	}
}

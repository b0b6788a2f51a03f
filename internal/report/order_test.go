package report_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/postmortem"
	"github.com/slowburn-sre/slowburn/slo"
)

// The same input gives the same bytes: a big one full of ties. Three random lives stand under five
// names each, so that rows, incidents and costs are alike, and people do things in the same second.
func TestTheSameInputGivesTheSameBytes(t *testing.T) {
	in := report.Input{Name: "weekly", Period: randomPeriod}
	for seed := range uint64(3) {
		s := random(seed + 10)
		for n := range 5 {
			in = withTwin(in, s, slo.ID(fmt.Sprintf("service-%d/slo-%d", n%7, 100*seed+uint64(n))))
		}
	}
	if r := report.Build(in); len(r.Incidents) < 100 || len(r.People) == 0 || len(r.Changes) == 0 || len(r.Actions) == 0 {
		t.Fatalf("too little happened: %d incidents, %d people, %d costs, %d actions", len(r.Incidents), len(r.People), len(r.Changes), len(r.Actions))
	}
	checkOrder(t, in)
}

// withTwin adds a budget with the life of another, and what people did about its incidents.
func withTwin(in report.Input, s report.Subject, id slo.ID) report.Input {
	twin := report.Subject{ID: id, Spec: s.Spec, Ledger: s.Ledger}
	for _, i := range s.Incidents {
		i.ID, i.SLO = string(id)+i.ID, id
		twin.Incidents = append(twin.Incidents, i)
		for _, who := range []string{"Ada", "Bob", "Cem"} {
			in.Acts = append(in.Acts,
				done(alerting.Acknowledge, i.ID, who, i.Detected.Add(time.Minute), nil),
				done(alerting.Mitigated, i.ID, who, i.Detected.Add(2*time.Minute), nil),
				done(alerting.Worked, "", who, i.Detected, map[string]string{"kind": "toil", "minutes": "10"}))
		}
		in.Reviews = append(in.Reviews, postmortem.Review{
			Incident: i.ID, SLO: id, Service: id.Service(), Status: postmortem.StatusDraft, Class: []string{"deploy", "capacity"}[len(i.ID)%2], Required: true,
			Actions: []postmortem.Action{{What: "look again"}, {What: "and again"}},
		})
	}
	begin, _ := in.Period.Bounds(time.UTC)
	in.Acts = append(in.Acts, deploy(id.Service(), "release", begin.Add(60*time.Hour)))
	for n := range in.Acts {
		in.Acts[n].Key = fmt.Sprint(n)
	}
	in.Services = append(in.Services, report.Service{Name: string(id), Signals: []report.Signal{{Kind: "traffic", Now: "1/s"}}})
	in.Subjects = append(in.Subjects, twin)
	return in
}

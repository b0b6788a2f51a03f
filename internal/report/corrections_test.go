package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

func TestAReportShowsGrossBesideNet(t *testing.T) {
	objective, err := slo.ParseObjective("99")
	if err != nil {
		t.Fatal(err)
	}
	period, err := report.ParsePeriod("2026-W47")
	if err != nil {
		t.Fatal(err)
	}
	from, to := period.Bounds(time.UTC)
	spec := &slo.Spec{Service: "shop", Name: "pay", Objective: objective, Windows: []slo.Window{{Rolling: 7 * slo.Day}}, SLI: slo.Indicator{Kind: slo.Events, Total: query(t, "requests_total"), Bad: query(t, "errors_total")}}
	ledger := &budget.Ledger{}
	for m := budget.MinuteOf(from); m < budget.MinuteOf(to); m++ {
		bad := int64(0)
		if m.Hour() == budget.MinuteOf(from).Hour()+9 {
			bad = 50 * budget.Unit
		}
		ledger.Put(m, budget.Count(bad, 100*budget.Unit))
	}
	upgrade := &slo.Correction{
		Name: "upgrade", Kind: slo.Maintenance, Author: "anna", Reason: "a new | database", Cap: file.DefaultCap, Expires: to.Add(-time.Hour),
		Spans: []slo.Span{{From: from.Add(9 * time.Hour), To: from.Add(9*time.Hour + 30*time.Minute)}},
	}
	ledger.Excuse(budget.NewExcuses([]*slo.Correction{upgrade}, spec.Window()))
	r := report.Build(report.Input{Name: "weekly", Period: period, Subjects: []report.Subject{{ID: "shop/pay", Spec: spec, Ledger: ledger}}})
	row := r.Rows[0]
	if row.Budget.Sum.Bad != 1500*budget.Unit || row.Budget.Gross == nil || row.Budget.Gross.Sum.Bad != 3000*budget.Unit || row.InWindow.Known != row.InWindow.Minutes {
		t.Errorf("%+v, gross %+v", row, row.Budget.Gross)
	}
	text := r.Markdown()
	for _, want := range []string{"Spent without corrections", "upgrade: 30 minutes of planned maintenance", "; expired 2026-11-22 23:00"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if data := string(api.ReportJSON(r)); !strings.Contains(data, `"gross":`) || !strings.Contains(data, `"corrections":`) {
		t.Error("the figures do not have gross")
	}
}

func query(t *testing.T, text string) *slo.Query {
	t.Helper()
	q, err := slo.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

package web

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
)

// weekly has a budget of a calendar week, as a weekly report has, and an SLO of rolling days.
const weekly = `
version: slowburn/v1
service: shop
owner: shop-team
slos:
  - name: week
    objective: 99.9
    window: {calendar: week}
    sli: {uptime: 'probe_success{job="shop"}'}
  - name: zone
    objective: 99.9
    window: {calendar: month, timezone: Europe/Berlin}
    sli: {uptime: 'probe_success{job="shop"}'}
`

// weeklyLife burns over the begin of the week, twice within it, and still now.
var weeklyLife = between(10*time.Minute, 0, steady(1000, 200), between(20*time.Hour, 19*time.Hour, steady(1000, 300),
	between(32*time.Hour+30*time.Minute, 32*time.Hour, missing, between(50*time.Hour, 49*time.Hour+20*time.Minute, steady(1000, 90),
		between(152*time.Hour+45*time.Minute, 151*time.Hour, steady(1000, 150), func(age time.Duration) budget.Slot {
			return budget.Count(int64(age/time.Minute%300/299)*budget.Unit, 1000*budget.Unit)
		})))))

func spendOf(t *testing.T, s *shop, path string) (got api.Spend) {
	t.Helper()
	w := get(s.handler(), "/api/v1/slos/"+path)
	var e struct{ Data json.RawMessage }
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 200 {
		t.Fatalf("%d %v %s", w.Code, err, w.Body)
	}
	must(t, json.Unmarshal(e.Data, &got))
	s.options.Registry = nil
	return got
}

// What explain prints of a week is what the report says of it: the whole, every incident, and the
// rest.
func TestTheSpendOfAWeekIsThatOfItsReport(t *testing.T) {
	s := newShopOn(t, shopSet(t, weekly), map[slo.ID]life{"shop/week": weeklyLife})
	got := spendOf(t, s, "shop/week/spend")
	found, err := s.archive.Incidents(context.Background(), store.IncidentFilter{SLO: "shop/week", Limit: 100})
	must(t, err)
	subject := report.Subject{ID: "shop/week", Incidents: found}
	var r report.Report
	s.source.Snapshot().WithLedger("shop/week", func(spec *slo.Spec, l *budget.Ledger) {
		subject.Spec, subject.Ledger = spec, l
		r = report.Build(report.Input{Name: "weekly", Period: report.PeriodOf(slo.Week, now), Until: now, Subjects: []report.Subject{subject}})
	})
	b := r.Burners[0]
	if !got.From.Equal(r.From) || !got.To.Equal(r.To) || got.Bad != api.Events(b.Bad) || *got.Allowed != api.Events(b.Budget.Allowed) || got.Unattributed.Bad != api.Events(b.Unattributed) {
		t.Errorf("%+v\nis not %+v", got, b)
	}
	want, cost, moved := map[string]float64{}, map[string]float64{}, 0
	for _, i := range r.Incidents {
		if i.Rule != alerting.RuleNoData {
			want[i.ID], cost[i.ID] = api.Events(i.InPeriod), i.Cost()
		}
	}
	if len(want) < 4 || len(got.Incidents) != len(want) {
		t.Errorf("%d incidents, the report has %d; want four burns: over the begin, two within, one open", len(got.Incidents), len(want))
	}
	for _, i := range got.Incidents {
		if i.Bad != want[i.ID] || i.Bad == 0 {
			t.Errorf("%s took %v, the report says %v", i.ID, i.Bad, want[i.ID])
		}
		if *i.Cost != cost[i.ID] || *i.Cost == 0 {
			t.Errorf("%s cost %v, the incident says %v", i.ID, *i.Cost, cost[i.ID])
		}
		if *i.Cost != *i.Share {
			moved++
		}
	}
	if moved == 0 {
		t.Error("no incident cost another share of the budget than it is of today's")
	}
}

// Buckets add up to the whole, and so do the incidents with the rest.
func TestTheSpendAddsUp(t *testing.T) {
	s := newShop(t)
	for _, path := range []string{"checkout/availability/spend", "checkout/availability/spend?by=hour", "checkout/latency/spend", "search/freshness/spend?by=hour", "search/availability/spend"} {
		got := spendOf(t, s, path)
		var bad, total, minutes, parts int64
		for _, b := range got.Buckets {
			bad, total, minutes = bad+thousandths(b.Bad), total+thousandths(b.Total), minutes+int64(b.Minutes)
		}
		parts = thousandths(got.Unattributed.Bad)
		for _, i := range got.Incidents {
			parts += thousandths(i.Bad)
		}
		if bad != thousandths(got.Bad) || total != thousandths(got.Total) || parts != bad {
			t.Errorf("%s: %d bad of %d in the buckets, %d in incidents and the rest; the whole is %v of %v", path, bad, total, parts, got.Bad, got.Total)
		}
		d := got.Data
		if length := int64(got.To.Sub(got.From) / time.Minute); minutes != length || int(length) != d.Known+d.Unknown+d.Excused+d.Unseen {
			t.Errorf("%s: %d minutes in the buckets of %d, %+v", path, minutes, length, d)
		}
	}
}

func thousandths(events float64) int64 { return int64(events*budget.Unit + 0.5) }

func TestTheSpendIsOfTheDaysOfTheWindowsZone(t *testing.T) {
	s := newShopOn(t, shopSet(t, weekly), map[slo.ID]life{"shop/zone": weeklyLife})
	got := spendOf(t, s, "shop/zone/spend")
	first := got.Buckets[0]
	if first.Name != "Sun 2026-11-01" || !first.At.Equal(time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC)) || first.Minutes != 1440 || len(got.Buckets) != 22 {
		t.Errorf("the first of %d days: %+v", len(got.Buckets), first)
	}
	if hour := spendOf(t, s, "shop/zone/spend?by=hour").Buckets[0]; hour.Name != "Sun 2026-11-01 00:00 CET" || hour.Minutes != 60 {
		t.Errorf("the first hour: %+v", hour)
	}
}

func TestTheSpendOfNothing(t *testing.T) {
	s := newShop(t)
	if got := spendOf(t, s, "search/new/spend"); got.Allowed != nil || got.Bad != 0 || len(got.Incidents) != 0 {
		t.Errorf("%+v", got)
	}
	for path, want := range map[string]string{"search/freshness/spend?by=week": "must be day or hour", "no/such/spend": "no SLO"} {
		s.options.Registry = nil
		if w := get(s.handler(), "/api/v1/slos/"+path); w.Code < 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

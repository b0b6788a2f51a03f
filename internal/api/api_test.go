package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/report"
	"github.com/slowburn-sre/slowburn/slo"
)

// shapes are what programs read; every other type of the package is reached from one of them.
var shapes = []any{
	Answer{},
	SLO{},
	History{},
	Spend{},
	IncidentDetail{},
	Postmortem{},
	Review{},
	Report{},
	ReportData{},
	NewChange{},
	Change{},
	Delivery{},
	Gate{},
	Status{},
	Register{},
	Message{},
	Backtest{},
	Explanation{},
	Check{},
	Finding{},
	Comparison{},
}

// eachField calls f with every field of every shape that has a name in JSON.
func eachField(f func(where, name, rest string, field reflect.StructField)) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] || !strings.HasSuffix(typ.PkgPath(), "internal/api") {
			return
		}
		seen[typ] = true
		for field := range typ.Fields() {
			if name, rest, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
				f(typ.Name()+"."+field.Name, name, rest, field)
			}
			walk(field.Type)
		}
	}
	for _, shape := range shapes {
		walk(reflect.TypeOf(shape))
	}
}

func TestNamesTellTheUnit(t *testing.T) {
	fields := 0
	eachField(func(where, name, _ string, field reflect.StructField) {
		fields++
		typ := field.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		isOld := strings.HasPrefix(where, "Old") || strings.HasPrefix(field.Name, "Old")
		isNumber := typ.Kind() == reflect.Float64 || typ.Kind() == reflect.Int64
		lasts := strings.HasPrefix(name, "timeTo") || strings.HasPrefix(strings.ToLower(name), "duration") || strings.HasSuffix(name, "Time")
		switch {
		case strings.HasSuffix(name, "Seconds") && !isNumber:
			t.Errorf("%s: %s is %s, which is no number of seconds", where, name, typ)
		case lasts && !isOld && !strings.HasSuffix(name, "Seconds") && field.Name != "Total":
			t.Errorf("%s: %s is a duration without its unit", where, name)
		case typ == reflect.TypeFor[time.Duration]():
			t.Errorf("%s: %s is in nanoseconds", where, name)
		}
	})
	if fields < 300 {
		t.Errorf("only %d fields were found", fields)
	}
}

// Wherever these facts are told, they have one type, so that what is not known can be null.
func TestWhatMayBeUnknownIsNull(t *testing.T) {
	eachField(func(where, name, rest string, field reflect.StructField) {
		switch name {
		case "cost", "spent", "remaining", "sli", "allowed", "timeToAcknowledgeSeconds", "timeToResolveSeconds", "peakBurn":
			if field.Type != reflect.TypeFor[*float64]() && where != "Notice.Spent" || rest != "" {
				t.Errorf("%s: %s is %s %s, which cannot be null", where, name, field.Type, rest)
			}
		}
	})
}

func keys(t *testing.T, v any) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(marshalled(t, v), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAnIncidentWithoutEventsHasNullsAndNoNoughts(t *testing.T) {
	i := outage()
	i.Open, i.Rule, i.Resolved, i.Last.Burn = true, alerting.RuleNoData, time.Time{}, nil
	m := keys(t, IncidentOf(i, nil, noon))
	for _, name := range []string{
		"bad", "total", "allowed", "cost", "peakBurn", "burn", "escalated", "resolved",
		"timeToResolveSeconds", "timeToAcknowledgeSeconds", "timeToMitigateSeconds",
	} {
		if v, there := m[name]; !there || v != nil {
			t.Errorf("%s is %v", name, v)
		}
	}
	if _, there := m["known"]; there {
		t.Error("old names are where nobody knows them")
	}
	if old := keys(t, IncidentOf(i, nil, noon).WithOldNames()); old["known"] != false || old["timeToDetect"] != "4m" || old["timeToResolve"] != nil {
		t.Errorf("old names: %v", old)
	}
}

func TestAnIncidentSaysTheSameUnderOldAndNewNames(t *testing.T) {
	i := outage()
	i.Group = "pay/cards/page/1"
	i.Last.Budget = alerting.Account{Bad: 12_000_000, Total: 900_000_000, Allowed: 24_000_000}
	i.Last.Pair, i.Last.Long = &slo.Pair{Budget: 200, Long: time.Hour, Short: 5 * time.Minute}, &budget.Sum{Bad: 500_000, Total: 1_000_000, Known: 60}
	objective, err := slo.ParseObjective("99")
	if err != nil {
		t.Fatal(err)
	}
	i = i.Take(alerting.Act{Key: "a", Kind: alerting.Acknowledge, By: "Ada", At: noon.Add(10 * time.Minute)})
	m := keys(t, IncidentOf(i, &slo.Spec{Objective: objective, Windows: []slo.Window{{Rolling: 28 * slo.Day}}}, noon).WithOldNames())
	for name, want := range map[string]any{
		"durationSeconds": 9000.0, "duration": "2h30m", "timeToDetectSeconds": 240.0, "timeToDetect": "4m",
		"timeToAcknowledgeSeconds": 360.0, "timeToAcknowledge": "6m", "timeToResolveSeconds": 9000.0, "timeToResolve": "2h30m",
		"bad": 12_000.0, "total": 30_000.0, "allowed": 24_000.0, "cost": 0.5, "known": true, "thread": i.Group, "group": i.Group, "acknowledgedBy": "Ada",
	} {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
	burn, _ := m["burn"].(map[string]any)
	if burn["long"] != "1h" || burn["threshold"] != 13.44 || burn["longRate"] != 50.0 || burn["shortRate"] != nil {
		t.Errorf("the pair that fired: %v", burn)
	}
}

// TestDrillsStandApartInAReport: what drills have proven has a section of its own; a report without
// drills has none.
func TestDrillsStandApartInAReport(t *testing.T) {
	section := func(d *report.Drills) string {
		var all map[string]json.RawMessage
		if err := json.Unmarshal(ReportJSON(report.Report{Drills: d}), &all); err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if all["drills"] != nil {
			if err := json.Compact(&compact, all["drills"]); err != nil {
				t.Fatal(err)
			}
		}
		return compact.String()
	}
	if got := section(nil); got != "" {
		t.Errorf("without drills: %s", got)
	}
	proven := time.Date(2026, 11, 12, 9, 0, 0, 0, time.UTC)
	got := section(&report.Drills{
		Routes: 8, Proven: 6, Destinations: 3,
		Unproven: []report.Unproven{
			{Destination: "slack #a", Services: []string{"checkout"}, Reason: "misconfigured: is_archived", Last: proven},
			{Destination: "webhook"},
		},
		Answers: []report.Answer{{Destination: "pagerduty", By: "mira", After: 95 * time.Second}},
	})
	want := `{"routes":8,"proven":6,"destinations":3,"unproven":[` +
		`{"destination":"slack #a","services":["checkout"],"reason":"misconfigured: is_archived","lastProven":"2026-11-12T09:00:00Z"},` +
		`{"destination":"webhook","services":[],"lastProven":null}],"answers":[{"destination":"pagerduty","by":"mira","seconds":95}]}`
	if got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
}

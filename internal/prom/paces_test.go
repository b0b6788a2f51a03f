package prom

import (
	"fmt"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// pacesAt is when the servers of these tests are asked.
var pacesAt = t0.Add(2 * time.Hour)

// paced writes the counters of a service: scraped so often, the newest samples so late.
func paced(t testing.TB, db *promfake.DB, metric, service, instance string, every, late time.Duration) {
	t.Helper()
	for _, code := range []string{"200", "500"} {
		series := db.Series(lset(metric, "instance", instance, "job", "shop", "service", service, "code", code))
		for at := t0.Add(every / 3); !at.After(pacesAt.Add(-late)); at = at.Add(every) {
			if err := series.Append(at.UnixMilli(), at.Sub(t0).Seconds()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestPacesSayWhatIsSaidOfEachSLO: SLOs of one metric and of several, of bare counters, expressions
// and histograms, scraped from every second to every ten minutes, late, in two rhythms or without
// data: what is found out of all together is what is found out of each alone.
func TestPacesSayWhatIsSaidOfEachSLO(t *testing.T) {
	db := promfake.New(promfake.Options{Now: func() time.Time { return pacesAt }})
	var specs []*slo.Spec
	named := func(name, total, bad string) { specs = append(specs, events(t, name, total, bad)) }
	for _, every := range []time.Duration{time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute} {
		service := every.String()
		paced(t, db, "r_total", service, "1", every, 0)
		named(service, `r_total{service="`+service+`"}`, `r_total{service="`+service+`",code=~"5.."}`)
		named("expr "+service, `sum(increase(r_total{service="`+service+`"}[$window]))`, `sum(increase(r_total{service="`+service+`",code=~"5.."}[$window]))`)
		named("pattern "+service, `r_total{service=~"`+service+`|nothing",code!="201"}`, `r_total{service=~"`+service+`|nothing",code="500"}`)
	}
	for _, late := range []time.Duration{4 * time.Minute, 9 * time.Minute, 20 * time.Minute, 45 * time.Minute} {
		service := "late " + late.String()
		paced(t, db, "r_total", service, "1", 15*time.Second, 0)
		paced(t, db, "r_total", service, "2", 15*time.Second, late)
		named(service, `r_total{service="`+service+`"}`, `r_total{service="`+service+`",code="500"}`)
	}
	paced(t, db, "r_total", "two rhythms", "1", 15*time.Second, 0)
	paced(t, db, "r_total", "two rhythms", "2", 2*time.Minute, 0)
	paced(t, db, "other_total", "two rhythms", "1", 30*time.Second, 6*time.Minute)
	named("two rhythms", `r_total{service="two rhythms"}`, `r_total{service="two rhythms",code="500"}`)
	named("two metrics", `r_total{service="two rhythms"}`, `other_total{service="two rhythms",code="500"}`)
	named("three rhythms", `r_total{service=~"1s|15s|2m0s"}`, `r_total{service=~"1s|15s|2m0s",code="500"}`)
	named("nothing", `r_total{service="nothing"}`, `r_total{service="nothing",code="500"}`)
	named("no metric", `{__name__=~"r_tot.l",service="15s"}`, `{__name__=~"r_tot.l",service="15s",code="500"}`)
	for _, le := range []string{"0.5", "+Inf"} {
		series := db.Series(lset("d_seconds_bucket", "job", "shop", "le", le))
		for at := t0; !at.After(pacesAt); at = at.Add(20 * time.Second) {
			if err := series.Append(at.UnixMilli(), at.Sub(t0).Seconds()); err != nil {
				t.Fatal(err)
			}
		}
	}
	paced(t, db, "d_seconds_count", "x", "1", 20*time.Second, 0)
	specs = append(specs, &slo.Spec{Service: "svc", Name: "latency", SLI: slo.Indicator{Kind: slo.Latency, Histogram: query(t, `d_seconds{job="shop"}`), Below: 0.5}})
	specs[3].MaxLateness = 40 * time.Minute
	c := serve(t, db)
	late, slow := 0, 0
	for n, got := range c.Paces(t.Context(), specs, 15*time.Minute, pacesAt) {
		var want Pace
		if want.Every, want.Err = c.ScrapesOf(t.Context(), specs[n], pacesAt); want.Err == nil && want.Every > 0 {
			want.Late, want.Err = c.LatenessOf(t.Context(), specs[n], want.Every, map[bool]time.Duration{true: 40 * time.Minute, false: 15 * time.Minute}[n == 3], pacesAt)
		}
		if specs[n].Name == "three rhythms" { // alone any of those that are slower is told
			want = Pace{Every: 2 * time.Minute}
		}
		if got != want {
			t.Errorf("%s: %+v, alone %+v", specs[n].Name, got, want)
		}
		if got.Late > 0 {
			late++
		}
		if got.Every > time.Minute {
			slow++
		}
	}
	if late < 4 || slow < 10 {
		t.Errorf("%d late, %d slow: this test shows nothing", late, slow)
	}
}

// TestPacesOfManySLOsTakeAFewQueries: a thousand SLOs of one metric, and as many of another.
func TestPacesOfManySLOsTakeAFewQueries(t *testing.T) {
	db := promfake.New(promfake.Options{Now: func() time.Time { return pacesAt }})
	var specs []*slo.Spec
	for n := range 1000 {
		for _, metric := range []string{"a_total", "b_total"} {
			service := fmt.Sprintf("s%d", n)
			series := db.Series(lset(metric, "service", service, "code", "200"))
			for at := pacesAt.Add(-2 * time.Minute); !at.After(pacesAt); at = at.Add(15 * time.Second) {
				if err := series.Append(at.UnixMilli(), at.Sub(t0).Seconds()); err != nil {
					t.Fatal(err)
				}
			}
			specs = append(specs, events(t, metric+service, metric+`{service="`+service+`"}`, metric+`{service="`+service+`",code="500"}`))
		}
	}
	c := serve(t, db)
	for n, got := range c.Paces(t.Context(), specs, 15*time.Minute, pacesAt) {
		if got != (Pace{Every: 15 * time.Second}) {
			t.Fatalf("%s: %+v", specs[n].Name, got)
		}
	}
	if u := c.Usage(); u.Queries > 20 {
		t.Errorf("%d queries for %d SLOs", u.Queries, len(specs))
	}
}

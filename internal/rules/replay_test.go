package rules

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/slo"
)

// errors5xx fail for twenty minutes at noon of every other day, and one in five thousand always.
func errors5xx(perMinute func(int) float64) func(int) float64 {
	return func(m int) float64 {
		if minute := m % 2880; minute >= 720 && minute < 740 {
			return math.Round(perMinute(m) / 2)
		}
		return math.Round(perMinute(m) / 5000)
	}
}

// traffic scrapes a service with the code on its requests.
func traffic(w *world, length time.Duration, perMinute func(int) float64) {
	bad := errors5xx(perMinute)
	w.counter(length, func(m int) float64 { return perMinute(m) - bad(m) }, "http_requests_total", "job", "checkout", "code", "200")
	w.counter(length, bad, "http_requests_total", "job", "checkout", "code", "500")
}

const slothLabels = `{sloth_id="checkout-availability", sloth_service="checkout", sloth_slo="availability"}`

// The formulas of Sloth, written by hand: what it would have recorded from the same samples.
func TestUnderTheNamesOfSlothStandItsValues(t *testing.T) {
	w := newWorld(t)
	traffic(w, 4*slo.Day, day)
	from, to, step := t0.Add(time.Hour), t0.Add(4*slo.Day), 30*time.Minute
	w.play(build(t, shop(t, counters(t), 7), Options{Names: Sloth}), from, to, step)
	for _, window := range []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"} {
		ours := "slo:sli_error:ratio_rate" + window + strings.Replace(slothLabels, "}", `, sloth_window="`+window+`"}`, 1)
		theirs := `sum(rate(http_requests_total{job="checkout",code=~"5.."}[` + window + `])) / sum(rate(http_requests_total{job="checkout"}[` + window + `]))`
		w.same(ours, theirs, from, to, step, 1e-9)
	}
	w.same("slo:objective:ratio"+slothLabels, "vector(0.999)", from, to, step, 1e-9)
	w.same("slo:error_budget:ratio"+slothLabels, "vector(1-0.999)", from, to, step, 1e-9)
	w.same("slo:time_period:days"+slothLabels, "vector(7)", from, to, step, 0)
	w.same("slo:current_burn_rate:ratio"+slothLabels, `sum(rate(http_requests_total{job="checkout",code=~"5.."}[5m])) / sum(rate(http_requests_total{job="checkout"}[5m])) / (1-0.999)`, from, to, step, 1e-9)
	w.same("slo:period_error_budget_remaining:ratio"+slothLabels, "1 - slo:period_burn_rate:ratio"+slothLabels, from, to, step, 1e-9)
}

// only are the rules that record over the given windows; they do not need the others.
func only(g Group, windows ...string) Group {
	g.Rules = slices.DeleteFunc(g.Rules, func(r Rule) bool {
		return !slices.ContainsFunc(windows, func(w string) bool { return strings.HasSuffix(r.Record, w) })
	})
	return g
}

// slothPeriod is Sloth's mean of ratios over a week.
const slothPeriod = `sum_over_time(slo:sli_error:ratio_rate5m` + slothLabels + `[7d]) / ignoring (sloth_window) count_over_time(slo:sli_error:ratio_rate5m` + slothLabels + `[7d])`

func TestTheWholePeriodEqualsSlothsUnderEvenTraffic(t *testing.T) {
	w := newWorld(t)
	traffic(w, 8*slo.Day, func(int) float64 { return 10000 })
	from, to, step := t0.Add(time.Hour), t0.Add(8*slo.Day), 5*time.Minute
	w.play(only(build(t, shop(t, counters(t), 7), Options{Names: Sloth}), "5m", "7d", "1w"), from, to, step)
	w.same("slo:sli_error:ratio_rate1w"+slothLabels, slothPeriod, to.Add(-slo.Day), to, step, 1e-9)
}

func TestTheWholePeriodIsTrueUnderUnevenTraffic(t *testing.T) {
	w := newWorld(t)
	traffic(w, 9*slo.Day, day)
	from, to, step := t0.Add(10*time.Minute), t0.Add(8*slo.Day), 5*time.Minute
	w.play(only(build(t, shop(t, counters(t), 7), Options{Names: Sloth}), "5m", "7d", "1w"), from, to, step)
	var bad, total float64
	failing := errors5xx(day)
	for m := int(slo.Day / time.Minute); m < int(8*slo.Day/time.Minute); m++ {
		bad, total = bad+failing(m), total+day(m)
	}
	ours, theirs := w.value("slo:sli_error:ratio_rate1w"+slothLabels, to), w.value(slothPeriod, to)
	if off := math.Abs(ours-bad/total) / (bad / total); off > 0.001 {
		t.Errorf("ours is %g, the truth is %g", ours, bad/total)
	}
	if off := math.Abs(theirs-bad/total) / (bad / total); off < 0.1 {
		t.Errorf("the mean of ratios is %g beside a truth of %g; this world was to show them apart", theirs, bad/total)
	}
}

func TestUnderTheNamesOfPyrraStandItsValues(t *testing.T) {
	w := newWorld(t)
	traffic(w, 3*slo.Day, day)
	from, to, step := t0.Add(time.Hour), t0.Add(3*slo.Day), 10*time.Minute
	spec := shop(t, counters(t), 2)
	w.play(build(t, spec, Options{Names: Pyrra}), from, to, 5*time.Minute)
	for _, p := range spec.Alerts.Page {
		d := promDuration(p.Long)
		w.same(`http_requests:burnrate`+d+`{job="checkout", slo="availability"}`,
			`sum(rate(http_requests_total{job="checkout",code=~"5.."}[`+d+`])) / sum(rate(http_requests_total{job="checkout"}[`+d+`]))`, from, to, step, 1e-9)
	}
	w.same(`http_requests:increase2d{slo="availability", job="checkout", code="500"}`,
		`sum(increase(http_requests_total{job="checkout",code="500"}[2d]))`, from, to, step, 1e-9)
	w.same(`pyrra_objective{slo="availability"}`, "vector(0.999)", from, to, step, 1e-9)
	w.same(`pyrra_window{slo="availability"}`, "vector(172800)", from, to, step, 0)
	w.same(`pyrra_requests:rate5m{slo="availability"}`, `sum(rate(http_requests_total{job="checkout"}[5m]))`, from, to, step, 1e-9)
	w.same(`pyrra_errors:rate5m{slo="availability"}`, `sum(rate(http_requests_total{job="checkout",code=~"5.."}[5m]))`, from, to, step, 1e-9)
	whole := `sum(http_requests:increase2d{slo="availability"})`
	w.same(`pyrra_availability{slo="availability"}`, `1 - sum(http_requests:increase2d{slo="availability", code=~"5.."}) / `+whole, to, to, step, 1e-4)
}

const ownLabels = `{service="checkout", slo="availability"}`

func TestNoBadSeriesBesideATotalIsNoBadEvent(t *testing.T) {
	for _, by := range [][]string{nil, {"route"}} {
		w := newWorld(t)
		w.counter(2*time.Hour, day, "http_requests_total", "job", "checkout", "code", "200", "route", "/pay")
		w.play(build(t, shop(t, counters(t), 1, by...), Options{}), t0.Add(time.Hour), t0.Add(2*time.Hour), time.Minute)
		w.same("slowburn:bad:ratio5m"+ownLabels, "vector(0)", t0.Add(time.Hour), t0.Add(2*time.Hour), time.Minute, 0)
	}
}

func TestNoTrafficGivesNoRatioAndNoNaN(t *testing.T) {
	w := newWorld(t)
	idle := func(m int) float64 {
		if m > 60 && m < 120 {
			return 0
		}
		return 100
	}
	traffic(w, 4*time.Hour, idle)
	from, to := t0.Add(10*time.Minute), t0.Add(4*time.Hour)
	w.play(build(t, shop(t, counters(t), 1), Options{Names: Sloth}), from, to, time.Minute)
	for _, record := range []string{"slowburn:bad:ratio5m", "slowburn:bad:increase1d", "slo:sli_error:ratio_rate1d"} {
		for _, s := range w.queryRange(record, from, to, time.Minute) {
			for _, p := range s.Values {
				if math.IsNaN(float64(p.Value)) {
					t.Fatalf("%s is NaN at %s", record, p.Timestamp.Time())
				}
			}
		}
	}
	if v := w.value("slowburn:bad:ratio5m"+ownLabels, t0.Add(100*time.Minute)); !math.IsNaN(v) {
		t.Errorf("without traffic the ratio is %g, want none", v)
	}
	if v := w.value("slo:sli_error:ratio_rate1d"+slothLabels, to); math.IsNaN(v) {
		t.Error("an idle hour took the day's ratio away")
	}
}

func TestEachLabelIsABudgetOfItsOwn(t *testing.T) {
	w := newWorld(t)
	for _, route := range []string{"/pay", "/cart"} {
		w.counter(3*time.Hour, func(int) float64 { return 100 }, "http_requests_total", "job", "checkout", "code", "200", "route", route)
	}
	w.counter(3*time.Hour, func(int) float64 { return 100 }, "http_requests_total", "job", "checkout", "code", "500", "route", "/pay")
	g := build(t, shop(t, counters(t), 30, "route"), Options{})
	w.play(g, t0.Add(time.Hour), t0.Add(3*time.Hour), time.Minute)
	for route, want := range map[string]float64{"/pay": 0.5, "/cart": 0} {
		if v := w.value(`slowburn:bad:ratio1h{service="checkout", slo="availability", route="`+route+`"}`, t0.Add(3*time.Hour)); math.Abs(v-want) > 1e-9 {
			t.Errorf("%s: %g, want %g", route, v, want)
		}
	}
	fired := w.queryRange(g.Rules[len(g.Rules)-5].Expr, t0.Add(3*time.Hour), t0.Add(3*time.Hour), time.Minute)
	if len(fired) != 1 || fired[0].Metric["route"] != "/pay" {
		t.Errorf("the page fires for %v, want /pay alone", fired)
	}
}

// A burn exactly at the threshold does not page, one event more does.
func TestAlertsAreStrict(t *testing.T) {
	for extra, want := range map[float64]int{0: 0, 1: 1} {
		w := newWorld(t)
		spec := shop(t, counters(t), 30)
		for _, r := range []string{"1h", "5m"} {
			for name, v := range map[string]float64{"slowburn:bad:increase": 144 + extra, "slowburn:total:increase": 10000} {
				_ = w.db.Append(labels.FromStrings("__name__", name+r, "service", "checkout", "slo", "availability"), t0.UnixMilli(), v)
			}
		}
		g := build(t, spec, Options{})
		for _, r := range g.Rules {
			if r.Record == "slowburn:bad:ratio5m" || r.Record == "slowburn:bad:ratio1h" {
				w.play(Group{Rules: []Rule{r}}, t0, t0, time.Minute)
			}
			if r.Alert == "ErrorBudgetBurn" && r.Labels["long"] == "1h" {
				if got := len(w.queryRange(r.Expr, t0, t0, time.Minute)); got != want {
					t.Errorf("%g bad events of 10,000: %d alerts, want %d", 144+extra, got, want)
				}
			}
		}
	}
}

func latencySLO(t *testing.T) *slo.Spec {
	return shop(t, slo.Indicator{Kind: slo.Latency, Histogram: query(t, `request_duration_seconds{job="checkout"}`), Below: 1, LimitText: "1s"}, 1)
}

func TestAClassicHistogramIsCountedByItsBucketHoweverTheBoundIsSpelled(t *testing.T) {
	for _, le := range []string{"1", "1.0"} {
		w := newWorld(t)
		const name = "request_duration_seconds"
		w.counter(2*time.Hour, func(int) float64 { return 100 }, name+"_count", "job", "checkout")
		w.counter(2*time.Hour, func(int) float64 { return 100 }, name+"_bucket", "job", "checkout", "le", "+Inf")
		w.counter(2*time.Hour, func(int) float64 { return 97 }, name+"_bucket", "job", "checkout", "le", le)
		w.play(build(t, latencySLO(t), Options{}), t0.Add(time.Hour), t0.Add(2*time.Hour), time.Minute)
		w.same("slowburn:bad:ratio5m"+ownLabels, "vector(0.03)", t0.Add(time.Hour), t0.Add(2*time.Hour), time.Minute, 1e-9)
	}
}

func TestAMissingBucketIsUnknownAndNotBad(t *testing.T) {
	w := newWorld(t)
	w.counter(2*time.Hour, func(int) float64 { return 100 }, "request_duration_seconds_count", "job", "checkout")
	w.counter(2*time.Hour, func(int) float64 { return 97 }, "request_duration_seconds_bucket", "job", "checkout", "le", "5")
	w.play(build(t, latencySLO(t), Options{}), t0.Add(time.Hour), t0.Add(2*time.Hour), time.Minute)
	if v := w.value("slowburn:bad:increase5m"+ownLabels, t0.Add(2*time.Hour)); !math.IsNaN(v) {
		t.Errorf("%g bad events, want none known", v)
	}
}

func TestANativeHistogramIsCountedByItsFraction(t *testing.T) {
	w := newWorld(t)
	lset := labels.FromStrings("__name__", "request_duration_seconds", "job", "checkout")
	for m := range 240 {
		n := uint64(m)
		if m > 120 {
			n = 120 // an idle hour: 0/0 must not become NaN
		}
		h := &histogram.Histogram{
			Schema: 0, ZeroThreshold: 0.001, Count: 100 * n, Sum: float64(100 * n),
			PositiveSpans: []histogram.Span{{Offset: -1, Length: 1}, {Offset: 2, Length: 1}}, PositiveBuckets: []int64{int64(97 * n), int64(3*n) - int64(97*n)},
		}
		if err := w.db.AppendHistogram(lset, t0.Add(time.Duration(m)*time.Minute).UnixMilli(), h); err != nil {
			t.Fatal(err)
		}
	}
	w.play(build(t, latencySLO(t), Options{}), t0.Add(time.Hour), t0.Add(4*time.Hour), time.Minute)
	w.same("slowburn:bad:ratio5m"+ownLabels, "vector(0.03)", t0.Add(time.Hour), t0.Add(2*time.Hour), time.Minute, 1e-9)
	if v := w.value("slowburn:bad:increase5m"+ownLabels, t0.Add(3*time.Hour)); v != 0 {
		t.Errorf("an idle histogram has %g bad events, want 0", v)
	}
}

func TestMinutesAreCountedWhereMinutesAreJudged(t *testing.T) {
	w := newWorld(t)
	for _, instance := range []string{"a", "b"} {
		for m := range 180 {
			v := 1.0
			if instance == "b" && m >= 90 && m < 96 {
				v = 0 // one of two is down for six minutes
			}
			_ = w.db.Append(labels.FromStrings("__name__", "up", "job", "checkout", "instance", instance), t0.Add(time.Duration(m)*time.Minute).UnixMilli(), v)
		}
	}
	up := slo.Indicator{Kind: slo.Uptime, Up: query(t, `up{job="checkout"}`)}
	slice := slo.Indicator{Kind: slo.Slices, Slice: query(t, `min(up{job="checkout"})`), GoodWhen: slo.Condition{Op: ">=", Value: 1}}
	ratio := slo.Indicator{Kind: slo.Ratio, Bad: query(t, `1 - min(up{job="checkout"})`)}
	for _, sli := range []slo.Indicator{up, slice, ratio} {
		spec := shop(t, sli, 30)
		spec.Name = string(sli.Kind)
		w.play(build(t, spec, Options{}), t0.Add(5*time.Minute), t0.Add(3*time.Hour), time.Minute)
		own := `{service="checkout", slo="` + spec.Name + `"}`
		at := t0.Add(120 * time.Minute)
		if bad, total := w.value("slowburn:bad:increase1h"+own, at), w.value("slowburn:total:increase1h"+own, at); bad != 6 || total != 60 {
			t.Errorf("%s: %g of %g minutes were bad, want 6 of 60", spec.Name, bad, total)
		}
	}
}

func TestAMissingMinuteIsWhatTheSLOSays(t *testing.T) {
	for missing, want := range map[slo.Missing]float64{slo.Exclude: math.NaN(), slo.MissingGood: 0, slo.MissingBad: 1} {
		w := newWorld(t)
		sli := slo.Indicator{Kind: slo.Slices, Slice: query(t, `nothing`), GoodWhen: slo.Condition{Op: "<", Value: 1}, Missing: missing}
		w.play(build(t, shop(t, sli, 30), Options{}), t0, t0.Add(2*time.Hour), time.Minute)
		if got := w.value("slowburn:bad:ratio1h"+ownLabels, t0.Add(2*time.Hour)); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("missing: %s gives %g, want %g", missing, got, want)
		}
	}
}

func TestLongWindowsOfTilesCountEachEventOnce(t *testing.T) {
	w := newWorld(t)
	traffic(w, 3*slo.Day, day)
	w.play(only(build(t, shop(t, counters(t), 30), Options{}), "5m", "1d"), t0.Add(10*time.Minute), t0.Add(3*slo.Day), time.Minute)
	at := t0.Add(3*slo.Day - 20*time.Minute)
	truth := w.value(`sum(increase(http_requests_total{job="checkout"}[1d]))`, at)
	if got := w.value("slowburn:total:increase1d"+ownLabels, at); math.Abs(got-truth)/truth > 1e-3 {
		t.Errorf("%g events, want about %g", got, truth)
	}
}

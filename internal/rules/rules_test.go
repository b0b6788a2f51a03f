package rules

import (
	"errors"
	"log/slog"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/slo"
)

// every is one SLO of each kind, by a name that says what is special.
func every(t testing.TB) map[string]*slo.Spec {
	windowed := slo.Indicator{Kind: slo.Events, Total: query(t, `sum(rate(requests_total[$window]))`), Good: query(t, `sum(rate(requests_total{ok="1"}[$window]))`)}
	latency := slo.Indicator{Kind: slo.Latency, Histogram: query(t, `request_duration_seconds{job="checkout"}`), Below: 1, LimitText: "1s"}
	good := counters(t)
	good.Good, good.Bad = good.Bad, nil
	calendar := shop(t, counters(t), 30)
	calendar.Windows = []slo.Window{{Calendar: slo.Month}, {Rolling: 7 * slo.Day}}
	slice := slo.Indicator{Kind: slo.Slices, Slice: query(t, `queue_age_seconds`), GoodWhen: slo.Condition{Op: "<", Value: 0.3}, Missing: slo.MissingBad}
	return map[string]*slo.Spec{
		"bad counters":          shop(t, counters(t), 30),
		"good counters":         shop(t, good, 28),
		"counters by label":     shop(t, counters(t), 30, "route"),
		"expressions":           shop(t, windowed, 7),
		"expressions by label":  shop(t, windowed, 7, "route"),
		"a histogram":           shop(t, latency, 28),
		"a histogram by label":  shop(t, latency, 28, "route", "method"),
		"a label with a dot":    shop(t, counters(t), 30, "http.route"),
		"two labels, one so":    shop(t, latency, 28, "http.route", "method"),
		"an uptime":             shop(t, slo.Indicator{Kind: slo.Uptime, Up: query(t, `up{job="checkout"}`)}, 30),
		"slices":                shop(t, slice, 90),
		"a ratio":               shop(t, slo.Indicator{Kind: slo.Ratio, Bad: query(t, `job:errors:ratio`)}, 30),
		"calendar and seven":    calendar,
		"a window of two hours": shop(t, counters(t), 1),
	}
}

func TestPrometheusAcceptsTheRules(t *testing.T) {
	for what, spec := range every(t) {
		for _, names := range []Names{Own, Sloth, Pyrra} {
			t.Run(what+" with names of "+string(names), func(t *testing.T) {
				g, err := Build(spec, Options{Names: names})
				var refused *Refusal
				if errors.As(err, &refused) && names != Own {
					return // Sloth and Pyrra have no names for everything
				}
				if err != nil {
					t.Fatal(err)
				}
				text, err := YAML([]Group{g})
				if err != nil {
					t.Fatal(err)
				}
				for _, scheme := range []model.ValidationScheme{model.LegacyValidation, model.UTF8Validation} {
					if _, errs := rulefmt.Parse(text, false, scheme, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler)); len(errs) > 0 {
						t.Fatalf("%v\n%s", errs, text)
					}
				}
			})
		}
	}
}

func TestTheSameSLOGivesTheSameBytes(t *testing.T) {
	for what, spec := range every(t) {
		first, _ := YAML([]Group{build(t, spec, Options{})})
		for range 5 {
			if again, _ := YAML([]Group{build(t, spec, Options{})}); string(again) != string(first) {
				t.Fatalf("%s: the rules differ from one time to the next", what)
			}
		}
	}
}

func TestNoAlertJoinsTwoSidesWithDifferentLabels(t *testing.T) {
	for what, spec := range every(t) {
		for _, r := range build(t, spec, Options{}).Rules {
			left, right, isPair := strings.Cut(r.Expr, "\nand\n")
			if r.Alert == "" || !isPair {
				continue
			}
			cut := func(s string) string { return s[strings.Index(s, "{") : strings.Index(s, "}")+1] }
			if cut(left) != cut(right) {
				t.Errorf("%s: %s", what, r.Expr)
			}
		}
	}
}

func TestThresholds(t *testing.T) {
	for _, c := range []struct {
		says, objective string
		days            int
		pair            slo.Pair
		want            string
	}{
		{"the fast page of the workbook", "99.9", 30, slo.Pair{Budget: 200, Long: time.Hour}, "0.0144"},
		{"an objective that floats cannot write", "99.99", 30, slo.Pair{Budget: 200, Long: time.Hour}, "0.00144"},
		{"four weeks", "99.9", 28, slo.Pair{Budget: 500, Long: 6 * time.Hour}, "0.0056"},
		{"a burn that does not end: 28 days over 3", "99.9", 28, slo.Pair{Budget: 1000, Long: 3 * slo.Day}, "(7 / 7500)"},
		{"the smallest budget there is", "99.9999999", 30, slo.Pair{Budget: 200, Long: time.Hour}, "0.0000000144"},
	} {
		t.Run(c.says, func(t *testing.T) {
			s := &slo.Spec{Objective: objectiveOf(t, c.objective), Windows: []slo.Window{{Rolling: time.Duration(c.days) * slo.Day}}}
			if got := threshold(c.pair, s); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// The float comparison of Prometheus must agree with the exact one at the boundary, where a sloppy
// threshold would err.
func TestThresholdsDecideAsIntegersDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &slo.Spec{Windows: []slo.Window{{Rolling: time.Duration(rapid.IntRange(1, 90).Draw(t, "days")) * slo.Day}}}
		var err error
		s.Objective, err = slo.ParseObjective(rapid.SampledFrom([]string{"90", "95", "99", "99.5", "99.9", "99.95", "99.99", "99.999", "97.3"}).Draw(t, "objective"))
		if err != nil {
			t.Fatal(err)
		}
		p := slo.Pair{Budget: rapid.Int64Range(1, 10000).Draw(t, "budget"), Long: time.Duration(rapid.IntRange(5, 8000).Draw(t, "long")) * time.Minute}
		exact := new(big.Rat).Mul(burn(p, s), allowedRatio(s))
		total := new(big.Int).Mul(exact.Denom(), big.NewInt(rapid.Int64Range(1, 50).Draw(t, "times")))
		if total.BitLen() > 50 {
			t.Skip("more events than a float counts")
		}
		bad := new(big.Rat).Mul(exact, new(big.Rat).SetInt(total)).Num().Int64() + rapid.Int64Range(-1, 1).Draw(t, "beside")
		want := big.NewRat(bad, total.Int64()).Cmp(exact) > 0
		if got := float64(bad)/float64(total.Int64()) > evaluate(t, threshold(p, s)); got != want {
			t.Fatalf("%d of %d above %s: got %v, want %v", bad, total, threshold(p, s), got, want)
		}
	})
}

// evaluate reads a threshold as PromQL does: decimals and one division.
func evaluate(t *rapid.T, text string) float64 {
	num, den, isFraction := strings.Cut(strings.Trim(text, "()"), " / ")
	if !isFraction {
		den = "1"
	}
	n, err1 := strconv.ParseFloat(num, 64)
	d, err2 := strconv.ParseFloat(den, 64)
	if err1 != nil || err2 != nil {
		t.Fatalf("threshold %q", text)
	}
	return n / d
}

func TestRefusals(t *testing.T) {
	calendar := shop(t, counters(t), 30)
	calendar.Windows = []slo.Window{{Calendar: slo.Month}}
	missing := shop(t, slo.Indicator{Kind: slo.Slices, Slice: query(t, "x"), GoodWhen: slo.Condition{Op: "<", Value: 1}, Missing: slo.MissingBad}, 30, "route")
	endless := shop(t, slo.Indicator{Kind: slo.Events, Total: query(t, "sum(x)"), Bad: query(t, "sum(y)")}, 30)
	for says, c := range map[string]struct {
		spec *slo.Spec
		o    Options
		want string
	}{
		"a label that the rules set themselves": {shop(t, counters(t), 30, "service"), Options{}, "by has the label service"},
		"Sloth knows no calendar":               {calendar, Options{Names: Sloth}, "calendar"},
		"Pyrra knows no calendar":               {calendar, Options{Names: Pyrra}, "calendar"},
		"Pyrra has no name for an expression":   {every(t)["expressions"], Options{Names: Pyrra}, "made of expressions"},
		"a missing minute of an unknown label":  {missing, Options{}, "missing: bad"},
		"an expression without a range":         {endless, Options{}, "$window"},
		"counts of five minutes, every ten":     {shop(t, counters(t), 30), Options{Interval: 10 * time.Minute}, "gaps"},
		"a tool that nobody has":                {shop(t, counters(t), 30), Options{Names: "nobl9"}, "no names"},
		"a journey":                             {shop(t, slo.Indicator{Kind: slo.Composed}, 30), Options{}, "write rules of its steps"},
		"an indicator that does not exist":      {shop(t, slo.Indicator{Kind: "dream"}, 30), Options{}, "dream"},
	} {
		t.Run(says, func(t *testing.T) {
			_, err := Build(c.spec, c.o)
			var refused *Refusal
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a refusal with %q", err, c.want)
			}
		})
	}
}

func TestNotesSayWhatIsLeftOut(t *testing.T) {
	notes := strings.Join(build(t, every(t)["calendar and seven"], Options{}).Notes, "\n")
	for _, want := range []string{"window month", "low-traffic", "spent"} {
		if !strings.Contains(notes, want) {
			t.Errorf("nothing about %q in\n%s", want, notes)
		}
	}
}

func TestBucketBoundsAreMatchedAsNumbers(t *testing.T) {
	for limit, want := range map[float64]string{0.3: `le="0.3"`, 1: `le=~"1|1\\.0"`, 1e6: `le=~"1000000|1000000\\.0|1e\\+06"`} {
		if got := slo.BucketAt(limit).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestPeopleTextIsNoTemplate(t *testing.T) {
	for _, r := range build(t, every(t)["bad counters"], Options{}).Rules {
		if r.Alert != "" && r.Annotations["promise"] != `Paying works {{"{{"}} always }}.` {
			t.Fatalf("%q", r.Annotations["promise"])
		}
	}
}

func TestAlertsCarryTheLabelsThatOtherToolsRouteBy(t *testing.T) {
	for names, want := range map[Names]map[string]string{
		Own:   {"service": "checkout", "slo": "availability", "severity": "page", "owner": "team-pay", "long": "1h", "short": "5m"},
		Sloth: {"severity": "page", "sloth_severity": "page", "sloth_service": "checkout", "sloth_slo": "availability", "sloth_id": "checkout-availability"},
		Pyrra: {"severity": "page", "slo": "availability", "exhaustion": "2d2h"},
	} {
		for _, r := range build(t, every(t)["bad counters"], Options{Names: names}).Rules {
			if r.Alert != "ErrorBudgetBurn" || r.Labels["long"] != "1h" {
				continue
			}
			for label, value := range want {
				if r.Labels[label] != value {
					t.Errorf("%s: the label %s is %q, want %q", names, label, r.Labels[label], value)
				}
			}
		}
	}
}

func TestANoteIsSaidOnce(t *testing.T) {
	one, two := Group{Name: "a", Notes: []string{"Of both.", "Of one."}}, Group{Name: "b", Notes: []string{"Of both."}}
	text, err := YAML([]Group{one, two})
	if err != nil || strings.Count(string(text), "Of both.") != 1 || !strings.Contains(string(text), "# a: Of one.\n") {
		t.Errorf("%v\n%s", err, text)
	}
}

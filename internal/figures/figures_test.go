package figures

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/slo"
)

func objective(t *testing.T, percent string) slo.Objective {
	t.Helper()
	o, err := slo.ParseObjective(percent)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestFigures(t *testing.T) {
	three, five := objective(t, "99.9"), objective(t, "99.999")
	cet := time.FixedZone("CET", 3600)
	noon := time.Date(2026, 11, 16, 12, 0, 59, 0, time.UTC)
	for _, c := range []struct{ what, got, want string }{
		{"just below the objective is not the objective", SLI(10_004, 10_000_000, three), "99.899 %"},
		{"the objective itself", SLI(10_000, 10_000_000, three), "99.900 %"},
		{"a breached five nines is not perfect", SLI(4, 100_000, five), "99.99600 %"},
		{"a hair of bad events is not perfect", SLI(1, 1<<62, three), "99.999 %"},
		{"perfect", SLI(0, 5, three), "100 %"},
		{"no events", SLI(0, 0, three), "—"},
		{"all bad", SLI(7, 7, three), "0 %"},

		{"left is cut", Left(7504, 10_000), "24.9 %"},
		{"overspent by a hair is not zero", Left(10_004, 10_000), "−0.1 %"},
		{"overspent by one of very many", Left(1<<62+1, 1<<62), "−0.1 %"},
		{"overspent far", Left(4_000_000, 1000), "−399,900.0 %"},
		{"nothing spent", Left(0, 0), "100 %"},
		{"the first event of a budget of none", Left(1, 0), "0 %"},
		{"all spent", Left(5, 5), "0 %"},

		{"a cost goes up", Cost(35_649, 100_000), "35.7 %"},
		{"a hair of cost is not zero", Cost(1, 1_000_000), "0.1 %"},
		{"no cost", Cost(0, 5), "0 %"},
		{"a cost of a budget of none", Cost(1, 0), "100 %"},
		{"no cost of a budget of none", Cost(0, 0), "0 %"},
		{"left by a hair", Left(9_999, 10_000), "0.0 %"},

		{"a share shows two digits", Share(231, 1_000_000), "0.024 %"},
		{"above ten percent none after the point", Share(1, 3), "34 %"},
		{"a share below what is shown", Share(1, 1<<60), "<0.000001 %"},
		{"the smallest share that is shown", Share(1, 100_000_000), "0.000001 %"},
		{"all of it", Share(3, 3), "100 %"},
		{"nothing of it", Share(0, 3), "0 %"},
		{"a share of nothing", Share(0, 0), "—"},
		{"a ratio is a share", Ratio(0.43), "43 %"},
		{"a ratio goes up", Ratio(0.0312001), "3.2 %"},
		{"next to no probability", Ratio(1e-20), "<0.000001 %"},
		{"no ratio", Ratio(math.NaN()), "—"},

		{"what is known is cut", Known(0.99999), "99.9 %"},
		{"nearly all is not all", Known(1 - 1e-15), "99.9 %"},
		{"all is known", Known(1), "100 %"},
		{"0.57 in floating point", Known(0.57), "57.0 %"},
		{"not known how much", Known(math.NaN()), "—"},

		{"basis points", Basis(1667), "16.67 %"},
		{"whole basis points", Basis(200), "2 %"},

		{"an objective", Objective(three), "99.9 %"},
		{"what an objective allows", Allowed(five), "0.001 %"},
		{"a percentage that a float carries", Percent(100 * (1 - (1 - 0.999))), "99.9 %"},
		{"a percentage below nothing", Percent(-2.5), "−2.5 %"},
		{"no percentage", Percent(0), "0 %"},
		{"at most", AtMost(0.9940059), "99.4005 %"},
		{"at most what it is", AtMost(0.9995), "99.95 %"},
		{"at least", AtLeast(0.99400501), "99.4006 %"},
		{"at least what it is", AtLeast(0.9995), "99.95 %"},

		{"just not above a limit", Beside(9_996, 100_000, false), "9.99 %"},
		{"at a limit", Beside(10, 100, false), "10.00 %"},
		{"just above a limit", Beside(10_004, 100_000, true), "10.01 %"},
		{"a second below a day", Hours(slo.Day-time.Second, false), "23 h 59 min"},
		{"a day", Hours(slo.Day, false), "24 h"},
		{"a second above a day", Hours(slo.Day+time.Second, true), "24 h 1 min"},
		{"a minute above a day", Hours(slo.Day+time.Minute, true), "24 h 1 min"},
		{"less than an hour", Hours(59*time.Second, false), "0 min"},
		{"two hours and a half", Hours(150*time.Minute, true), "2 h 30 min"},

		{"just too few", Few(9.9999), "9.9"},
		{"one digit", Few(4.032), "4"},
		{"what a float loses is not cut", Few(0.3), "0.3"},
		{"too few to say", Few(math.NaN()), "—"},

		{"a threshold", Times(13.44), "13.44×"},
		{"just below a threshold", Times(13.4399), "13.43×"},
		{"0.02 × 720", Times(0.02 * 720), "14.4×"},
		{"a burn of 100 and more", Times(1234.56), "1,234×"},
		{"a little is not nothing", Times(0.004), "<0.01×"},
		{"no burn", Times(0), "0×"},
		{"a burn of a sum", Burn(1342, 100_000, three), "13.42×"},
		{"a burn without events", Burn(0, 0, three), "—"},
		{"no burn that could be known", Times(math.NaN()), "—"},
		{"a burn without end", Times(math.Inf(1)), "—"},

		{"points up", Points(0.0409), "+4.0"},
		{"points down go down", Points(-0.12301), "−12.4"},
		{"no points", Points(0), "0.0"},
		{"a hair of points down", Points(-1e-7), "−0.1"},
		{"a hair of points up", Points(1e-7), "0.0"},

		{"whole events have no decimals", Events(1234567000), "1,234,567"},
		{"from ten on the fraction is cut", Events(1234567), "1,234"},
		{"a half event is shown", Events(500), "0.5"},
		{"thousandths are shown", Events(-3001), "−3.001"},
		{"no events", Events(0), "0"},
		{"the smallest number of events", Events(math.MinInt64), "−9,223,372,036,854,775"},
		{"a thousand gets its comma", Count(1000), "1,000"},
		{"the smallest number", Count(math.MinInt64), "−9,223,372,036,854,775,808"},
		{"one is singular", Plural(1, "page"), "1 page"},
		{"none is plural", Plural(0, "page"), "0 pages"},
		{"series are series", Plural(2, "series"), "2 series"},
		{"one is not different", Different(1, "minute"), "1 minute"},
		{"more than one are different", Different(3, "minute"), "3 different minutes"},
		{"a hissing sound takes a syllable", Plural(2, "stretch"), "2 stretches"},

		{"three digits of a value", Value(0.0423456), "0.0423"},
		{"a value has no zeros at its end", Value(12.5), "12.5"},
		{"a large value", Value(4567), "4,570"},
		{"a value that becomes a thousand", Value(999.9), "1,000"},
		{"a tiny value", Value(1.234e-7), "0.000000123"},
		{"a value of zero", Value(0), "0"},
		{"a negative value", Value(-2.345), "−2.35"},
		{"no value", Value(math.Inf(-1)), "—"},

		{"two units of a duration", Duration(52*time.Hour + 30*time.Minute), "2 d 4 h"},
		{"no second unit if it is zero", Duration(48 * time.Hour), "2 d"},
		{"a duration is cut", Duration(59*time.Second + 600*time.Millisecond), "59 s"},
		{"months", Duration(75*slo.Day + 5*time.Hour + 59*time.Minute), "75 d 5 h"},
		{"a short duration", Duration(250 * time.Millisecond), "250 ms"},
		{"a negative duration", Duration(-90 * time.Second), "−1 min 30 s"},
		{"the smallest duration", Duration(math.MinInt64), "−106,751 d 23 h"},
		{"no duration", Duration(0), "0 s"},
		{"when something happens", Until(78*time.Minute, time.Hour, 2*time.Hour), "1 h 18 min"},
		{"only its band", Until(0, 40*time.Minute, 3*time.Hour), "40 min to 3 h"},
		{"a band without an end", Until(0, 40*time.Minute, 0), "40 min or later"},
		{"a band as narrow as its rounding", Until(0, time.Minute, time.Minute), "1 min"},

		{"a time is cut to the minute", UTC(noon), "2026-11-16 12:00 UTC"},
		{"a time in a zone", In(noon, cet), "2026-11-16 13:00 CET"},
		{"no time", UTC(time.Time{}), "—"},
		{"a day", Day(noon), "2026-11-16"},
		{"no day", Day(time.Time{}), "—"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}

// number reads a figure back.
func number(t *rapid.T, s string) *big.Rat {
	s = strings.NewReplacer(",", "", minus, "-", " %", "", "×", "").Replace(s)
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return r
}

// Shares are the floor and the ceiling of the true quotient, at most a digit apart.
func TestSharesBracketTheQuotient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		num := rapid.Int64Range(-1<<62, 1<<62).Draw(t, "num")
		den := rapid.Int64Range(1, 1<<62).Draw(t, "den")
		digits := rapid.IntRange(0, 9).Draw(t, "digits")
		exact := new(big.Rat).Mul(big.NewRat(num, den), big.NewRat(100, 1))
		step := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
		floor, ceiling := number(t, down(num, den, digits)), number(t, up(num, den, digits))
		if floor.Cmp(exact) > 0 || ceiling.Cmp(exact) < 0 {
			t.Fatalf("%v is not between %v and %v", exact, floor, ceiling)
		}
		if width := new(big.Rat).Sub(ceiling, floor); width.Cmp(step) > 0 {
			t.Fatalf("%v and %v are more than a digit apart", floor, ceiling)
		}
	})
}

// An SLI that misses its objective reads as less than the objective, and one that meets it does
// not.
func TestAnSLIReadsOnItsSideOfTheObjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, err := slo.ParseObjective(rapid.SampledFrom([]string{"90", "99", "99.5", "99.9", "99.95", "99.999", "99.9999999"}).Draw(t, "objective"))
		if err != nil {
			t.Fatal(err)
		}
		total := rapid.Int64Range(1, 1<<50).Draw(t, "total")
		allowed := new(big.Int).Div(new(big.Int).Mul(big.NewInt(total), big.NewInt(o.Allowed())), big.NewInt(slo.Billion)).Int64()
		bad := min(max(allowed+rapid.Int64Range(-2, 2).Draw(t, "off"), 0), total)
		missed := new(big.Int).Mul(big.NewInt(bad), big.NewInt(slo.Billion)).Cmp(new(big.Int).Mul(big.NewInt(total), big.NewInt(o.Allowed()))) > 0
		promised, _ := new(big.Rat).SetString(o.Percent())
		if reads := number(t, SLI(bad, total, o)).Cmp(promised) < 0; reads != missed {
			t.Fatalf("%s of %d bad of %d: below the objective of %s is %t", SLI(bad, total, o), bad, total, o.Percent(), missed)
		}
	})
}

// Of two burn rates the higher never reads as the lower.
func TestBurnRatesKeepTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Float64Range(0.01, 1e6).Draw(t, "a")
		b := a * rapid.Float64Range(1, 1.01).Draw(t, "more")
		if number(t, Times(a)).Cmp(number(t, Times(b))) > 0 {
			t.Fatalf("%v reads %s, and %v reads %s", a, Times(a), b, Times(b))
		}
	})
}

func TestPartsOfARatioLoseNothingThatIsSeen(t *testing.T) {
	for r, want := range map[float64]string{0.1: "90.0 %", 0.30000000000000004: "70.0 %", 0: "100 %", 1.5: "−50.0 %"} {
		if got := Left(Parts(r)); got != want {
			t.Errorf("%v spent leaves %s, want %s", r, got, want)
		}
	}
	for _, r := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300} {
		if part, whole := Parts(r); whole <= 0 || part > 1e18 || part < -1e18 {
			t.Errorf("%v is %d of %d", r, part, whole)
		}
	}
}

func TestCoverageSaysWhatIsEstimated(t *testing.T) {
	for _, tc := range []struct {
		known, estimated float64
		want             string
	}{{0.98, 0, "98.0 %"}, {0.98, 0.123, "98.0 % (12.3 % of it estimated)"}, {1, 1, "100 % (100 % of it estimated)"}, {0.5, 1e-6, "50.0 % (0.1 % of it estimated)"}} {
		if got := Coverage(tc.known, tc.estimated); got != tc.want {
			t.Errorf("%v, %v: %q, want %q", tc.known, tc.estimated, got, tc.want)
		}
	}
}

package prom

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
)

func TestEverySpellingOfABoundIsTheBound(t *testing.T) {
	for _, tc := range []struct {
		bound   float64
		yes, no string
	}{
		{1, "1 1.0 1.00 1. +1 01 1e0 1e+00 1.0E0 1.0e-00 1.0000000000000002 0.9999999999999999 .99999999999", "0 10 0.1 1.1 1.01 11 1e1 1e-1 -1 +Inf 0.99999 1.00001 NaN"},
		{0.3, "0.3 .3 0.30 3e-1 3E-01 3.0E-1 0.30000000000000004 0.29999999999999998 2.9999999999999999e-01", "0.03 3 0.31 0.29 0.299 0.3001 3e1 3e-10 30e-1"},
		{1000, "1000 1000.0 1e3 1e+03 1.0E3 1.000e+03 1000.0000000001 999.99999999999", "100 10000 1001 1000.1 999 999.9 1e30"},
		{2.5e6, "2500000 2.5e+06 2.5E6 2500000.0 2.50e6", "250000 2.5e5 2500001 25000000"},
		{1e-4, "0.0001 1e-4 1.0E-4 1e-04 0.00010 0.000099999999999", "0.001 0.00001 1e4 1e-40"},
		{0.025, "0.025 .0250 2.5e-2", "0.25 0.0025 0.0250001"},
		{0, "0 0.0 .0 0e0 00", "1 -0.1 0.01"},
	} {
		re := regexp.MustCompile("^(?:" + spellings(tc.bound) + ")$")
		for _, s := range strings.Fields(tc.yes) {
			if !re.MatchString(s) {
				t.Errorf("%q is %v, and is not taken by %s", s, tc.bound, re)
			}
		}
		for _, s := range append(strings.Fields(tc.no), "") {
			if re.MatchString(s) {
				t.Errorf("%q is not %v, and is taken by %s", s, tc.bound, re)
			}
		}
	}
}

// TestSpellingsOfRandomNumbers prints numbers as programs do and compares with the numbers.
func TestSpellingsOfRandomNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		v, _ := strconv.ParseFloat(strconv.FormatFloat(math.Pow(10, 18*random.Float64()-9), 'g', 1+random.IntN(6), 64), 64)
		re := regexp.MustCompile("^(?:" + spellings(v) + ")$")
		for _, w := range []float64{v, math.Nextafter(v, 0), math.Nextafter(v, 2*v), v * (1 + 1e-5), v * (1 - 1e-5), v * 10, v / 10, v * 1.5} {
			for _, text := range []string{
				strconv.FormatFloat(w, 'g', -1, 64), strconv.FormatFloat(w, 'f', -1, 64), strconv.FormatFloat(w, 'e', -1, 64),
				strconv.FormatFloat(w, 'E', 17, 64), fmt.Sprintf("%.25f", w), canonical(strconv.FormatFloat(w, 'f', -1, 64)),
			} {
				printed, _ := strconv.ParseFloat(text, 64)
				if got, want := re.MatchString(text), math.Abs(printed-v) <= 1e-7*v; got != want {
					t.Fatalf("%v: %q: %v, want %v: %s", v, text, got, want, re)
				}
			}
		}
	}
}

func TestNumericMatchers(t *testing.T) {
	equal := func(name, value string) *labels.Matcher {
		return labels.MustNewMatcher(labels.MatchEqual, name, value)
	}
	ms := []*labels.Matcher{equal("job", "1"), equal("le", "1"), equal("le", "+Inf"), equal("le", ""), equal("quantile", "0")}
	got := numeric(ms)
	if got[0] != ms[0] || got[2] != ms[2] || got[3] != ms[3] {
		t.Error("what is no finite number must stay as it is")
	}
	if !got[1].Matches("1.0") || got[1].Matches("10") || !got[4].Matches("0.0") || ms[1].Matches("1.0") {
		t.Errorf("%v", got)
	}
	if plain := ms[:1]; &numeric(plain)[0] != &plain[0] {
		t.Error("a list without numbers is copied")
	}
}

func TestCanonicalNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1.0", "1.0": "1.0", "1e0": "1.0", "0.30": "0.3", "1000000": "1e+06", "+Inf": "+Inf", "": "", "x": "x", "NaN": "NaN", "0": "0.0",
	} {
		if got := canonical(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

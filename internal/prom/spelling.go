package prom

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// The bounds of buckets are numbers, but labels are text: Prometheus 3 writes le="1.0" where 2
// wrote le="1", Java 1.0E-4, and a bound that a program has added up is 0.30000000000000004.
// Everywhere in this package a bound is a number: matchers accept every way to write it, and a
// series whose bound is written anew is the same series.

// isNumber reports whether the values of a label are numbers.
func isNumber(label string) bool { return label == model.BucketLabel || label == model.QuantileLabel }

// sameBound compares numbers that were written by people or printed by programs.
func sameBound(a, b float64) bool {
	return a == b || !math.IsInf(a, 0) && math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b))
}

// canonical returns a number as Prometheus 3 writes it in a label, and other text as it is.
func canonical(text string) string {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return text
	}
	text = strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// numeric turns matchers that want one number into such that accept every way to write it. Lists
// without one are returned as they are.
func numeric(ms []*labels.Matcher) []*labels.Matcher {
	out := ms
	for i, m := range ms {
		if m.Type != labels.MatchEqual || !isNumber(m.Name) {
			continue
		}
		v, err := strconv.ParseFloat(m.Value, 64)
		if err != nil || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			continue
		}
		if &out[0] == &ms[0] {
			out = slices.Clone(ms)
		}
		out[i] = atBound(m.Name, v)
	}
	return out
}

// atBound matches every way to write a number in a label.
func atBound(label string, v float64) *labels.Matcher {
	return labels.MustNewMatcher(labels.MatchRegexp, label, spellings(v))
}

// sure is to how many digits two spellings of a number agree.
const sure = 10

// spellings returns a regular expression for every way to write a number that is not negative, with
// and without an exponent, and for the numbers next to it that a computer's sums end up at.
func spellings(v float64) string {
	if v == 0 {
		return `[+]?(?:0+(?:\.0*)?|0*\.0+)(?:[eE][+-]?\d+)?`
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	digits := strings.ReplaceAll(mantissa, ".", "")
	if digits = strings.TrimRight(digits, "0"); digits == "" {
		digits = "0"
	}
	e, _ := strconv.Atoi(exponent)
	forms := append(written(digits, "0*", e), beside(digits, e)...)
	return "[+]?(?:" + strings.Join(forms, "|") + ")"
}

// beside returns the forms of the numbers a little above and a little below.
func beside(digits string, e int) []string {
	if len(digits) >= sure {
		return written(digits, `\d*`, e)
	}
	pad := sure - len(digits)
	above := written(digits+strings.Repeat("0", pad), `\d*`, e)
	n, _ := strconv.Atoi(digits)
	less := strconv.Itoa(n - 1)
	if n == 1 { // 1 is 0.999…
		less, pad, e = "", sure, e-1
	}
	return append(above, written(less+strings.Repeat("9", pad), `\d*`, e)...)
}

// written returns the forms, plain and with an exponent, of a number d.ddd…×10^e of which the first
// digits are given and what may follow them.
func written(digits, tail string, e int) []string {
	return []string{plainly(digits, tail, e), scientific(digits, tail, e)}
}

func plainly(digits, tail string, e int) string {
	switch whole := e + 1; {
	case whole <= 0:
		return `0*\.` + zeros(-whole) + digits + tail
	case whole < len(digits):
		return "0*" + digits[:whole] + `\.` + digits[whole:] + tail
	case tail == "0*":
		return "0*" + digits + zeros(whole-len(digits)) + `(?:\.0*)?`
	default:
		return "0*" + digits + `\d{` + strconv.Itoa(whole-len(digits)) + `}(?:\.\d*)?`
	}
}

func scientific(digits, tail string, e int) string {
	mantissa := digits[:1]
	if len(digits) == 1 {
		mantissa += `(?:\.` + tail + ")?"
	} else {
		mantissa += `\.` + digits[1:] + tail
	}
	sign := "[+]?"
	switch {
	case e == 0:
		sign = "[+-]?"
	case e < 0:
		sign, e = "-", -e
	}
	return mantissa + "[eE]" + sign + "0*" + strconv.Itoa(e)
}

// zeros returns a pattern for so many zeros.
func zeros(n int) string {
	if n > 3 {
		return "0{" + strconv.Itoa(n) + "}"
	}
	return strings.Repeat("0", n)
}

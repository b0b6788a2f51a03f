package slo

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// Objective is the promised share of good events. It is kept as a decimal, as the whole number of
// bad events allowed in a [Billion], because 1 − 0.999 in floating point is not 0.001.
type Objective struct{ allowed int64 }

// Billion is the denominator of an Objective.
const Billion = 1_000_000_000

// maxDigits is how many digits may follow the point: 99.9999999 % allows one bad event in a
// billion.
const maxDigits = 7

// Allowed returns how many events in a [Billion] may be bad: 1,000,000 for 99.9 %. It is at least 1
// and less than Billion.
func (o Objective) Allowed() int64 { return o.allowed }

// AllowedRatio returns the budget as a share of all events, 0.001 for 99.9 %, for showing.
func (o Objective) AllowedRatio() float64 { return float64(o.allowed) / Billion }

// Ratio returns the objective as a share of all events, 0.999 for 99.9 %, for showing.
func (o Objective) Ratio() float64 { return float64(Billion-o.allowed) / Billion }

// Percent returns the objective as written, without trailing zeros: "99.9".
func (o Objective) Percent() string {
	good := Billion - o.allowed
	s := fmt.Sprintf("%d.%07d", good/(Billion/100), good%(Billion/100))
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// ParseObjective reads a percentage such as "99.9" or "99.9%". It refuses what cannot be an
// objective, and its error says what was probably meant.
func ParseObjective(s string) (Objective, error) {
	text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%"))
	if strings.Contains(text, ",") {
		return Objective{}, fmt.Errorf("objective %q has a comma; write %s", s, strings.ReplaceAll(text, ",", "."))
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if !digits(whole) || (fraction != "" && !digits(fraction)) || strings.HasSuffix(text, ".") {
		return Objective{}, fmt.Errorf("objective %q is not a percentage; write for example 99.9", s)
	}
	if fraction = strings.TrimRight(fraction, "0"); len(fraction) > maxDigits {
		return Objective{}, fmt.Errorf("objective %q has more than %d digits after the point; nobody can measure that", s, maxDigits)
	}
	if len(whole) > 3 {
		return Objective{}, fmt.Errorf("objective %q is above 100 percent; write for example 99.9", s)
	}
	good, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", maxDigits-len(fraction)), 10, 64)
	if err != nil {
		return Objective{}, fmt.Errorf("objective %q is not a percentage; write for example 99.9", s)
	}
	return checkObjective(s, text, good)
}

func checkObjective(s, text string, good int64) (Objective, error) {
	switch {
	case good == Billion:
		return Objective{}, errors.New("objective 100 leaves no error budget, so nothing can ever burn; write for example 99.99")
	case good > Billion:
		return Objective{}, fmt.Errorf("objective %q is above 100 percent; write for example 99.9", s)
	case good == 0:
		return Objective{}, errors.New("objective 0 promises nothing; write for example 99.9")
	case good <= Billion/100:
		return Objective{}, fmt.Errorf("objective %s is a percentage, not a ratio; did you mean %s?", text, percentOfRatio(good))
	}
	return Objective{allowed: Billion - good}, nil
}

// percentOfRatio writes the ratio that was given as a percentage: 0.999 (9,990,000 parts) becomes
// 99.9.
func percentOfRatio(good int64) string {
	if good >= Billion/100 {
		return "99.9"
	}
	return Objective{allowed: Billion - good*100}.Percent()
}

func digits(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

var percent = regexp.MustCompile(`^(\d{1,6})(?:\.(\d+))?\s*%$`)

// ParsePercent reads "2.5%" into 250 basis points. Its error says what to write after a semicolon.
func ParsePercent(s string) (int64, error) {
	m := percent.FindStringSubmatch(s)
	if m == nil {
		if f, err := strictyaml.ParseNumber(s); err == nil && f > 0 && f < 1 {
			return 0, fmt.Errorf("%q has no percent sign; write %s%%", s, strconv.FormatFloat(f*100, 'f', -1, 64))
		} else if err == nil && f >= 1 {
			return 0, fmt.Errorf("%q has no percent sign; write %s%%", s, s)
		}
		return 0, fmt.Errorf("%q is not a percentage; write for example 2%%", s)
	}
	fraction := strings.TrimRight(m[2], "0")
	if len(fraction) > 2 {
		return 0, fmt.Errorf("%q is finer than a hundredth of a percent; write at most two digits after the point", s)
	}
	return strconv.ParseInt(m[1]+fraction+strings.Repeat("0", 2-len(fraction)), 10, 64)
}

// FormatPercent writes basis points as [ParsePercent] reads them: 250 is "2.5%".
func FormatPercent(basisPoints int64) string {
	return strconv.FormatFloat(float64(basisPoints)/100, 'f', -1, 64) + "%"
}

package slo

import (
	"fmt"
	"strconv"
)

func lint(s *Spec, at places) Problems { return nil }

// basisPoints writes 250 as 2.5.
func basisPoints(n int64) string { return strconv.FormatFloat(float64(n)/100, 'f', -1, 64) }

// decimals writes a number with at most two decimals.
func decimals(f float64) string {
	s := fmt.Sprintf("%.2f", f)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

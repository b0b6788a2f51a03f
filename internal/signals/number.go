package signals

import (
	"math"
	"strconv"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// readLimit reads a number above zero.
func readLimit(v strictyaml.Value) float64 {
	text, ok := v.Literal("a number such as 0.9")
	if !ok {
		return 0
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f > 0) || math.IsInf(f, 0) {
		v.Problem("limit must be a number above zero", "write the value at which it is full, such as 0.9")
		return 0
	}
	return f
}

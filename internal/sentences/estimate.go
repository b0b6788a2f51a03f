package sentences

import "github.com/slowburn-sre/slowburn/internal/figures"

// Estimated says which part of what is known of a window is an estimate, and what that means; "" if
// none is.
func Estimated(share float64) string {
	const least = 0.001
	if share <= 0 {
		return ""
	}
	return figures.Known(max(share, least)) + " of the known minutes are estimates: Prometheus has extrapolated their counts, which misses events where series begin or end."
}

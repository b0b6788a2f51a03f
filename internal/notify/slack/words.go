package slack

import (
	"fmt"
	"time"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/slo"
)

// remaining writes the share of a budget that is left.
func remaining(st budget.Status) string { return figures.Left(st.Sum.Bad, st.Allowed) }

// at shows a moment in the reader's own time zone, and in UTC where that is not possible.
func at(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), figures.UTC(t))
}

// unit is what an SLO counts, one and many.
func unit(k slo.Kind, many bool) string {
	one := "event"
	switch k {
	case slo.Slices:
		one = "minute"
	case slo.Uptime:
		one = "check"
	case slo.Events, slo.Latency, slo.Ratio:
	}
	if many {
		return one + "s"
	}
	return one
}

// counted writes thousandths with their unit: "1 event", "1,234 events".
func counted(thousandths int64, k slo.Kind) string {
	return figures.Events(thousandths) + " " + unit(k, thousandths != budget.Unit)
}

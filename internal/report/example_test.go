package report_test

import (
	"fmt"
	"time"

	"github.com/slowburn-sre/slowburn/internal/report"
)

// A report that missed two Mondays: the newer period is sent, the older one is listed.
func ExampleDue() {
	weekly, err := report.ParseSchedule("weekly", "0 9 * * MON", "Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	sent, _ := report.ParsePeriod("2026-W45")
	last := map[string]report.Period{"weekly": sent}
	now := time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)
	for _, run := range report.Due([]report.Schedule{weekly}, last, now) {
		fmt.Println(run.Key(), "late:", run.Late, "missed:", run.Missed)
	}
	// Output: report/weekly/2026-W47 late: true missed: [2026-W46]
}

// A schedule that can never run is refused where it is read.
func ExampleParseSchedule() {
	_, err := report.ParseSchedule("weekly", "0 9 * * 7", "Europe/Berlin")
	fmt.Println(err)
	// Output: report "weekly": schedule "0 9 * * 7": day of week 7 is not known here; Sunday is 0 or SUN
}

package report_test

import (
	"fmt"
	"time"

	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/report"
)

// A report that missed two Mondays: the newer period is sent, the older one is listed.
func ExampleDue() {
	mondays, err := crontime.Parse("0 9 * * MON", "Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	weekly := report.NewSchedule("weekly", mondays)
	sent, _ := report.ParsePeriod("2026-W45")
	last := map[string]report.Period{"weekly": sent}
	now := time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)
	for _, run := range report.Due([]report.Schedule{weekly}, last, now) {
		fmt.Println(run.Key(), "late:", run.Late, "missed:", run.Missed)
	}
	// Output: report/weekly/2026-W47 late: true missed: [2026-W46]
}

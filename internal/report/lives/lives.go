// Package lives makes short histories of SLOs for tests, from a few lines of text.
//
//	slo checkout/availability 99.9 28d payments
//	2026-10-26T00:00Z 2026-11-23T00:00Z 0.2/1000
//	2026-11-18T10:00Z 2026-11-18T10:40Z 300/1000
//	2026-11-19T03:00Z 2026-11-19T03:20Z absent
//
// A line `slo` begins a life: name, objective, one or more windows with commas between them, owner.
// The other lines write the minutes of [from, to): bad and total events per minute, then optionally
// `late` (read from history) or `partial`; or `absent`. A later line overwrites an earlier one. The
// alerts are the workbook's, and the incidents are those that alerting.Advance finds in the last
// ten days. Of what lies four days before these the ledger keeps whole hours only, as a real one
// would.
package lives

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// Life is one SLO with its past.
type Life struct {
	ID        slo.ID
	Spec      *slo.Spec
	Ledger    *budget.Ledger
	Incidents []alerting.Incident

	slots map[budget.Minute]budget.Slot // as they were written
}

// Parse reads lives and plays their alerts up to the end of each ledger.
func Parse(text string) ([]Life, error) {
	all, err := Read(text)
	for i := range all {
		all[i].play()
	}
	return all, err
}

// Read reads lives and plays no alerts, which takes most of the time.
func Read(text string) ([]Life, error) {
	var all []Life
	for n, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		var err error
		if fields[0] == "slo" {
			var l Life
			l, err = begin(fields[1:])
			all = append(all, l)
		} else if len(all) == 0 {
			err = fmt.Errorf("no slo yet")
		} else {
			err = write(all[len(all)-1].slots, fields)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", n+1, line, err)
		}
	}
	for i := range all {
		all[i].fill()
	}
	return all, nil
}

// Spec returns an SLO over two counters with the workbook's alerts.
func Spec(id slo.ID, objective string, windows ...slo.Window) (*slo.Spec, error) {
	o, err := slo.ParseObjective(objective)
	pair := func(b int64, long, short time.Duration) slo.Pair {
		return slo.Pair{Budget: b, Long: long, Short: short}
	}
	return &slo.Spec{
		Service: id.Service(), Name: id.Name(), Objective: o, Windows: windows,
		SLI: slo.Indicator{
			Kind:  slo.Events,
			Total: &slo.Query{Text: "http_requests_total", Metric: "http_requests_total"},
			Bad:   &slo.Query{Text: "http_errors_total", Metric: "http_errors_total"},
		},
		Alerts: slo.Alerts{
			Page:   []slo.Pair{pair(200, time.Hour, 5*time.Minute), pair(500, 6*time.Hour, 30*time.Minute)},
			Ticket: []slo.Pair{pair(1000, 24*time.Hour, 2*time.Hour), pair(1000, 72*time.Hour, 6*time.Hour)},
			NoData: 10 * time.Minute, Significance: true,
		},
	}, err
}

func begin(fields []string) (Life, error) {
	if len(fields) < 3 {
		return Life{}, fmt.Errorf("want: slo ID OBJECTIVE WINDOWS [OWNER]")
	}
	var windows []slo.Window
	for _, w := range strings.Split(fields[2], ",") {
		if days, ok := strings.CutSuffix(w, "d"); ok {
			n, err := strconv.Atoi(days)
			if err != nil {
				return Life{}, err
			}
			windows = append(windows, slo.Window{Rolling: time.Duration(n) * slo.Day})
		} else {
			windows = append(windows, slo.Window{Calendar: slo.Calendar(w)})
		}
	}
	spec, err := Spec(slo.ID(fields[0]), fields[1], windows...)
	if len(fields) > 3 {
		spec.Owner = strings.Join(fields[3:], " ")
	}
	return Life{ID: slo.ID(fields[0]), Spec: spec, Ledger: new(budget.Ledger), slots: map[budget.Minute]budget.Slot{}}, err
}

func write(slots map[budget.Minute]budget.Slot, fields []string) error {
	if len(fields) < 3 {
		return fmt.Errorf("want: FROM TO BAD/TOTAL")
	}
	from, err1 := time.Parse("2006-01-02T15:04Z07:00", fields[0])
	to, err2 := time.Parse("2006-01-02T15:04Z07:00", fields[1])
	if err1 != nil || err2 != nil {
		return fmt.Errorf("times are written as 2026-11-18T10:00Z")
	}
	s, err := slot(fields[2:])
	if err != nil {
		return err
	}
	for m := budget.MinuteOf(from); m < budget.MinuteOf(to); m++ {
		slots[m] = s
	}
	return nil
}

func slot(fields []string) (budget.Slot, error) {
	if fields[0] == "absent" {
		return budget.Slot{State: budget.Absent}, nil
	}
	bad, total, _ := strings.Cut(fields[0], "/")
	b, err1 := strconv.ParseFloat(bad, 64)
	t, err2 := strconv.ParseFloat(total, 64)
	if err1 != nil || err2 != nil {
		return budget.Slot{}, fmt.Errorf("events are written as BAD/TOTAL")
	}
	s := budget.Count(int64(math.Round(b*budget.Unit)), int64(math.Round(t*budget.Unit)))
	for _, f := range fields[1:] {
		switch f {
		case "late":
			s.Backfilled = true
		case "partial":
			s.State = budget.Partial
		default:
			return s, fmt.Errorf("unknown word %q", f)
		}
	}
	return s, nil
}

const played = 10 * 24 * 60 // minutes before the end in which alerts are played

func (l *Life) fill() {
	if len(l.slots) == 0 {
		return
	}
	minutes := slices.Sorted(maps.Keys(l.slots))
	end := minutes[len(minutes)-1] + 1
	fine := (end-played)/60*60 - 4*24*60
	for i := 0; i < len(minutes) && minutes[i] < fine; {
		h, old := minutes[i].Hour(), new(budget.Ledger)
		for ; i < len(minutes) && minutes[i].Hour() == h; i++ {
			old.Put(minutes[i], l.slots[minutes[i]])
		}
		l.Ledger.PutHour(h, old.Sum(budget.Minute(h*60), budget.Minute(h*60+60)))
	}
	for _, m := range minutes {
		if m >= fine {
			l.Ledger.Put(m, l.slots[m])
		}
	}
}

func (l *Life) play() {
	end := l.Ledger.End()
	in := alerting.Input{ID: l.ID, Spec: l.Spec, Ledger: l.Ledger}
	_, events := alerting.Advance(in, alerting.State{Through: max(l.Ledger.First(), end-played)}, end)
	l.Incidents = alerting.Fold(nil, events)
}

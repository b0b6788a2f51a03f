package budget

import (
	"math"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/slo"
)

func objective(t testing.TB, s string) slo.Objective {
	t.Helper()
	o, err := slo.ParseObjective(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// steady is a ledger of so many days, ending at minute to, with n events a minute; bad says how
// many thousandths are bad.
func steady(to Minute, days int, n int64, bad func(Minute) int64) *Ledger {
	l := &Ledger{}
	for m := to - Minute(days*1440); m < to; m++ {
		l.Put(m, Count(bad(m), n*Unit))
	}
	return l
}

const noon = Minute(1_440 * 20_000)

func TestStatusCountsEventsNotTime(t *testing.T) {
	// A night hour is out at a hundredth of the day's traffic: it costs its events, not its hour.
	l := &Ledger{}
	for m := noon - 28*1440; m < noon; m++ {
		night := m%1440 < 480
		total, bad := int64(1000*Unit), int64(0)
		if night {
			total = 10 * Unit
		}
		if m >= noon-1440 && m < noon-1440+60 {
			bad = total
		}
		l.Put(m, Count(bad, total))
	}
	s := StatusAt(l, objective(t, "99.9"), slo.Window{Rolling: 28 * slo.Day}, noon)
	events := 28 * (960*1000 + 480*10)
	want := 60 * 10 / (float64(events) * 0.001)
	if math.Abs(s.Spent-want) > 1e-6 || s.Coverage != 1 {
		t.Errorf("a night hour cost %.6f of the budget (coverage %v), want %.6f", s.Spent, s.Coverage, want)
	}
}

func TestSpentIsComparedExactly(t *testing.T) {
	o, w := objective(t, "99.9"), slo.Window{Rolling: 28 * slo.Day}
	for _, c := range []struct {
		name string
		bad  int64
		want bool
	}{
		{"one thousandth of an event short of half the budget is not half", 20_160*Unit - 1, false},
		{"half the budget is half", 20_160 * Unit, true},
	} {
		l := steady(noon, 28, 1000, func(Minute) int64 { return 0 })
		first := noon - 1440
		for left := c.bad; left > 0; first++ {
			bad := min(left, 1000*Unit)
			l.Put(first, Count(bad, 1000*Unit))
			left -= bad
		}
		if got := StatusAt(l, o, w, noon).SpentAtLeast(5000); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func TestACalendarWindowIsSizedByTheTrafficBeforeIt(t *testing.T) {
	// Ten minutes into the month one minute is out: that is one minute of a month, not a tenth of
	// everything.
	monthStart := MinuteOf(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	to := monthStart + 10
	l := steady(to, 31, 100, func(m Minute) int64 {
		if m == monthStart+3 {
			return 100 * Unit
		}
		return 0
	})
	s := StatusAt(l, objective(t, "99.9"), slo.Window{Calendar: slo.Month}, to)
	if want := 1 / (30 * 1440 * 0.001); math.Abs(s.Spent-want) > 0.002 {
		t.Errorf("one bad minute spent %.4f of the month's budget, want about %.4f", s.Spent, want)
	}
}

// A window that is not full yet is sized by the traffic since the first minute with data: neither
// the hour that it lies in nor absent minutes before it make the budget smaller.
func TestAYoungLedgerIsSizedFromItsFirstMinuteWithData(t *testing.T) {
	o, rolling := objective(t, "99.9"), slo.Window{Rolling: 28 * slo.Day}
	monday := MinuteOf(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		name     string
		w        slo.Window
		begun    Minute // when the data begin
		age      Minute // for how long they have gone on
		absent   Minute // minutes that were read in vain before them
		rate     int64  // events a minute
		bad      int64  // bad events, in the last minutes
		spent    float64
		coverage float64
		sized    bool
	}{
		{"ten minutes of outage in a day of data", rolling, noon, 26 * 60, 0, 1000, 10_000, 10_000. / 40_320, 1560. / 40_320, false},
		{"the same in a backtest that began to look long before", rolling, noon, 26 * 60, 14 * 1440, 1000, 10_000, 10_000. / 40_320, 1560. / 40_320, false},
		{"half an hour of half the events", rolling, noon, 26 * 60, 0, 1000, 15_000, 15_000. / 40_320, 1560. / 40_320, false},
		{"an outage 8 minutes after a beginning at the end of an hour", rolling, noon + 52, 8, 0, 746, 1683, 1683. / (746 * 40.320), 8. / 40_320, false},
		{"4 minutes after the first sample of a service that was waited for", rolling, noon + 56, 4, 5 * 1440, 1200, 600, 600. / (1200 * 40.320), 4. / 40_320, false},
		{"an hour", rolling, noon, 60, 0, 1000, 0, 0, 60. / 40_320, false},
		{"a tenth of the window", rolling, noon - 4032, 4032, 0, 1000, 100, 100. / 40_320, .1, true},
		{"a minute less than a tenth of it", rolling, noon - 4031, 4031, 0, 1000, 100, 100. / 40_320, 4031. / 40_320, false},
		{"a calendar week that the data began before", slo.Window{Calendar: "week"}, monday - 3*1440, 4 * 1440, 8 * 1440, 1000, 12_000, 12_000. / 10_080, 1, true},
		{"a calendar week and data that began with it", slo.Window{Calendar: "week"}, monday, 60, 0, 1000, 1000, 1000. / 10_080, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, at := &Ledger{}, c.begun+c.age
			for m := c.begun - c.absent; m < c.begun; m++ {
				l.Put(m, Slot{State: Absent})
			}
			for m, left := at-1, c.bad; m >= c.begun; m-- {
				l.Put(m, Count(min(left, c.rate)*Unit, c.rate*Unit))
				left -= min(left, c.rate)
			}
			for _, thin := range []Minute{0, at} {
				l.Thin(thin)
				s := StatusAt(l, o, c.w, at)
				if math.Abs(s.Spent-c.spent) > 1e-6 || math.Abs(s.Coverage-c.coverage) > 1e-9 || s.Sized != c.sized {
					t.Errorf("thinned to %d: spent %.4f, coverage %.6f, sized %v; want %.4f, %.6f, %v",
						thin, s.Spent, s.Coverage, s.Sized, c.spent, c.coverage, c.sized)
				}
			}
		})
	}
}

// What was left out is neither known nor unknown.
func TestCoverageLeavesOutWhatIsExcused(t *testing.T) {
	l := steady(noon, 1, 10, func(Minute) int64 { return 0 })
	for m := noon - 60; m < noon; m++ {
		l.Put(m, Slot{State: Absent})
	}
	l.Excuse(NewExcuses([]*slo.Correction{excusesOf(10000, noon-120, noon)}, oneDay))
	if s := StatusAt(l, objective(t, "99"), oneDay, noon); s.Coverage != 1 {
		t.Errorf("coverage %v", s.Coverage)
	}
	l.Excuse(nil)
	if s := StatusAt(l, objective(t, "99"), oneDay, noon); s.Coverage != 23./24 {
		t.Errorf("coverage %v", s.Coverage)
	}
}

func TestForecast(t *testing.T) {
	o, w := objective(t, "99.9"), slo.Window{Rolling: 30 * slo.Day}
	const rate = 1000 // events a minute
	budgetOf := func(share float64) int64 { return int64(share * 30 * 1440 * rate * 0.001 * Unit) }
	// 40 % of the budget was spent twenty days ago; since then nothing but the burn of the last six
	// hours.
	build := func(burn float64) *Ledger {
		past := noon - 20*1440
		left := budgetOf(0.4)
		return steady(noon, 31, rate, func(m Minute) int64 {
			if m >= past && left > 0 {
				bad := min(left, rate*Unit)
				left -= bad
				return bad
			}
			if m >= noon-360 {
				return int64(burn * rate)
			}
			return 0
		})
	}
	for _, c := range []struct {
		name  string
		burn  float64
		want  time.Duration
		lasts bool
	}{
		{"a burn of 2 takes nine days", 2, 9 * slo.Day, false},
		{"a burn of 1.2 takes 25 days, as old errors age out meanwhile (dividing says 15)", 1.2, 25 * slo.Day, false},
		{"a burn of 0.9 lasts for ever", 0.9, 0, true},
	} {
		l := build(c.burn)
		f := Forecast(l, o, StatusAt(l, o, w, noon), nil, 6*time.Hour)
		if d := f.In - c.want; !f.Known || f.Lasts != c.lasts || d < -8*time.Hour || d > 8*time.Hour {
			t.Errorf("%s: got %+v, want %v", c.name, f, c.want)
		}
	}
	few := steady(noon, 31, rate, func(m Minute) int64 {
		if m >= noon-4 {
			return Unit
		}
		return 0
	})
	if f := Forecast(few, o, StatusAt(few, o, w, noon), nil, 6*time.Hour); f.Known {
		t.Errorf("a forecast was made from four bad events: %+v", f)
	}
}

// The forecast is of the budget that is shown: if what burns goes on, it is spent when the forecast
// said, also in a window that is older than the ledger, or has just begun.
func TestTheForecastComesTrue(t *testing.T) {
	o, now := objective(t, "99.9"), MinuteOf(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		name string
		w    slo.Window
		days Minute // how old the ledger is
		burn int64  // of the last hour
	}{
		{"a ledger of four days", slo.Window{Rolling: 30 * slo.Day}, 4, 50},
		{"a ledger of four days that burns slowly", slo.Window{Rolling: 30 * slo.Day}, 4, 5},
		{"an old ledger", slo.Window{Rolling: 30 * slo.Day}, 40, 20},
		{"a month that has just begun", slo.Window{Calendar: "month"}, 40, 50},
		{"a month that has just begun, in a young ledger", slo.Window{Calendar: "month"}, 4, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l Ledger
			for m := now - c.days*1440; m < now; m++ {
				bad := int64(0)
				if m >= now-60 {
					bad = c.burn * Unit
				}
				l.Put(m, Count(bad, 1000*Unit))
			}
			f := Forecast(&l, o, StatusAt(&l, o, c.w, now), nil, time.Hour)
			at := now
			for ; StatusAt(&l, o, c.w, at).Left() >= 0; at++ {
				l.Put(at, Count(c.burn*Unit, 1000*Unit))
			}
			if came := (at - now).Time().Sub(Minute(0).Time()); f.In < came-time.Hour || f.In > came+time.Hour {
				t.Errorf("the forecast is %v, and the budget is spent after %v", f.In, came)
			}
		})
	}
}

// TestWhatIsNotKnownIsNotEmpty: a ledger that is an hour old knows nothing of a quarter of it, or a
// correction leaves that out. Its budget is that of the traffic in the other minutes; a hole in the
// window of a grown one makes it no other than that hole does.
func TestWhatIsNotKnownIsNotEmpty(t *testing.T) {
	const at, window = Minute(28_000_020), 28 * 24 * 60
	objective, _ := slo.ParseObjective("99.9")
	w := slo.Window{Rolling: window * time.Minute}
	correction := &slo.Correction{Name: "c", Kind: slo.Measurement, Cap: 10_000, Spans: []slo.Span{{From: (at - 40).Time(), To: (at - 25).Time()}}}
	for _, c := range []struct {
		about string
		age   Minute
		hole  Slot
		cut   bool
		want  Minute // of traffic that the window is taken to hold
	}{
		{"an hour", 60, Count(0, Unit*1000), false, window},
		{"an hour with a hole", 60, Slot{State: Absent}, false, window - 15},
		{"an hour in which reading failed", 60, Slot{State: Failed}, false, window - 15},
		{"an hour with a correction", 60, Count(0, Unit*1000), true, window - 15},
		{"a grown one with a hole", window + 60, Slot{State: Absent}, false, window - 15},
	} {
		l := &Ledger{}
		for m := at - c.age; m < at; m++ {
			if l.Put(m, Count(0, Unit*1000)); m >= at-40 && m < at-25 {
				l.Put(m, c.hole)
			}
		}
		if c.cut {
			l.Excuse(NewExcuses([]*slo.Correction{correction}, w))
		}
		got := StatusAt(l, objective, w, at)
		if off := got.Allowed - int64(c.want)*Unit; off < -Unit || off > Unit {
			t.Errorf("%s: %d bad events are allowed, want %d", c.about, got.Allowed/Unit, c.want)
		}
	}
}

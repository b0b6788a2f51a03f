package budget

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/slo"
)

var oneDay = slo.Window{Rolling: slo.Day}

// excusesOf makes a correction of spans given as pairs of minutes.
func excusesOf(share int64, minutes ...Minute) *slo.Correction {
	c := &slo.Correction{Name: fmt.Sprint(minutes), Kind: slo.Maintenance, Cap: share}
	for i := 0; i < len(minutes); i += 2 {
		c.Spans = append(c.Spans, slo.Span{From: minutes[i].Time(), To: minutes[i+1].Time()})
	}
	return c
}

// excusing is the twin of Excuses: minute by minute, by the words of the definition.
func excusing(cs []*slo.Correction, w slo.Window) map[Minute]int {
	by := map[Minute]int{}
	for i, c := range cs {
		var mine []Minute
		for _, s := range c.Spans {
			for m := MinuteOf(s.From); m < MinuteOf(s.To); m++ {
				used, start := Minute(0), MinuteOf(w.Start(m.End()))
				for _, n := range mine {
					if n >= start {
						used++
					}
				}
				if _, taken := by[m]; !taken && used < Minutes(w.Length())*Minute(c.Cap)/10000 {
					by[m] = i
					mine = append(mine, m)
				}
			}
		}
	}
	return by
}

// netTwin is the ledger under corrections as one would write it down.
type netTwin struct {
	twin
	by      map[Minute]int
	thinned map[int64]bool
}

func (t *netTwin) hour(h int64) (seen, excused int) {
	for m := Minute(h * 60); m < Minute(h*60+60); m++ {
		if _, ok := t.by[m]; ok {
			excused++
		}
		if _, ok := t.slots[m]; ok {
			seen++
		}
	}
	return seen, excused
}

func (t *netTwin) thin(m Minute) {
	for s := range t.slots {
		if _, n := t.hour(s.Hour()); s.Hour() < m.Hour() && (n == 0 || n == 60) {
			t.thinned[s.Hour()] = true
		}
	}
}

// left reports whether a minute that was read is left out.
func (t *netTwin) left(m Minute) bool {
	_, ok := t.by[m]
	if t.thinned[m.Hour()] {
		_, n := t.hour(m.Hour())
		return n == 60
	}
	return ok
}

func (t *netTwin) sum(from, to Minute) Sum {
	var sum Sum
	for m, s := range t.slots {
		touched := t.thinned[m.Hour()] && Minute(m.Hour()*60) < to && from < Minute(m.Hour()*60+60)
		switch {
		case from >= to || !touched && (m < from || m >= to):
		case t.left(m):
			sum.Excused++
		default:
			sum.add(s)
		}
	}
	return sum
}

func drawCorrections(t *rapid.T) []*slo.Correction {
	var all []*slo.Correction
	for range rapid.IntRange(0, 3).Draw(t, "corrections") {
		var minutes []Minute
		at := Minute(rapid.IntRange(0, 300).Draw(t, "from"))
		for range rapid.IntRange(1, 4).Draw(t, "spans") {
			to := at + Minute(rapid.SampledFrom([]int{1, 20, 60, 90, 180}).Draw(t, "length"))
			minutes = append(minutes, at, to)
			at = to + Minute(rapid.IntRange(1, 200).Draw(t, "pause"))
		}
		all = append(all, excusesOf(rapid.SampledFrom([]int64{100, 700, 10000}).Draw(t, "cap"), minutes...))
	}
	return all
}

func TestTheNetLedgerSumsLikeAMapOfMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := yesterday()
		naive := &netTwin{twin: twin{slots: map[Minute]Slot{}}, thinned: map[int64]bool{}}
		for at, n := Minute(rapid.IntRange(0, 200).Draw(t, "first")), 0; n < 4; n++ {
			for end := at + Minute(rapid.IntRange(1, 250).Draw(t, "run")); at < end; at++ {
				s := Count(int64(at%3), 1000+int64(at))
				s.State = []State{s.State, Absent, Partial, Failed}[max(0, int(at*7%13)-9)]
				if s.State == Absent || s.State == Failed {
					s.Bad, s.Total = 0, 0
				}
				l.Put(at, s)
				naive.put(at, s)
			}
			cs := drawCorrections(t)
			naive.by = excusing(cs, oneDay)
			l.Excuse(NewExcuses(cs, oneDay))
			if rapid.Bool().Draw(t, "thin") {
				m := Minute(rapid.IntRange(0, int(at)).Draw(t, "to"))
				l.Thin(m)
				naive.thin(m)
			}
			if rapid.Bool().Draw(t, "restart") {
				l = throughDisk(t, l)
			}
			at += Minute(rapid.IntRange(0, 100).Draw(t, "gap"))
			if at.Hour() == (l.End() - 1).Hour() {
				at = Minute(at.Hour()*60 + 60) // the present hour may be thinned
			}
		}
		from, to := Minute(rapid.IntRange(-10, 1200).Draw(t, "a")), Minute(rapid.IntRange(-10, 1500).Draw(t, "b"))
		if diff := cmp.Diff(naive.sum(from, to), l.Sum(from, to)); diff != "" {
			t.Fatalf("net sum of [%d, %d): %s", from, to, diff)
		}
		var parts Sum
		for _, o := range (corrected{l}).leftOut(from, to) {
			parts = parts.Plus(o.Sum)
			parts.Excused += o.Minutes()
		}
		if diff := cmp.Diff(l.Gross().Sum(from, to), l.Sum(from, to).Plus(parts).minus(Sum{Excused: 2 * parts.Excused})); diff != "" && from < to {
			t.Fatalf("net and what is left out are not gross over [%d, %d): %s", from, to, diff)
		}
		for m := range naive.slots {
			if got := l.At(m).State == Excused; got != naive.left(m) {
				t.Fatalf("minute %d excused: %v", m, got)
			}
		}
	})
}

func throughDisk(t *rapid.T, l *Ledger) *Ledger {
	back := &Ledger{}
	for day := l.First().Day(); day <= l.End().Day(); day++ {
		if b := l.EncodeDay(day); b != nil {
			if err := back.LoadDay(day, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	back.Excuse(l.Excuses())
	return back
}

func TestNoWindowHoldsMoreThanTheCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom([]slo.Window{oneDay, {Calendar: slo.Week}, {Rolling: 2 * slo.Day}}).Draw(t, "window")
		var minutes []Minute
		at := Minute(0)
		for range rapid.IntRange(1, 8).Draw(t, "spans") {
			at += Minute(rapid.IntRange(1, 2000).Draw(t, "pause"))
			minutes = append(minutes, at, at+Minute(rapid.IntRange(1, 600).Draw(t, "length")))
			at = minutes[len(minutes)-1]
		}
		cs := []*slo.Correction{excusesOf(1000, minutes...)}
		x, naive := NewExcuses(cs, window), excusing(cs, window)
		end := Minute(rapid.IntRange(0, int(at)+1000).Draw(t, "end"))
		used := 0
		for m := MinuteOf(window.Start(end.Time())); m < end; m++ {
			c, _ := x.At(m)
			if _, ok := naive[m]; ok != (c != nil) {
				t.Fatalf("minute %d excused: %v", m, c != nil)
			}
			if c != nil {
				used++
			}
		}
		if limit := int(Minutes(window.Length())) / 10; used > limit {
			t.Fatalf("%d minutes of the window that ends with %d are excused; the cap is %d", used, end, limit)
		}
	})
}

func TestAStatusTellsGrossBesideNet(t *testing.T) {
	o, err := slo.ParseObjective("99")
	if err != nil {
		t.Fatal(err)
	}
	l := &Ledger{}
	for m := Minute(0); m < 1440; m++ {
		bad := int64(0)
		if m >= 600 && m < 660 {
			bad = 50 * Unit
		}
		l.Put(m, Count(bad, 100*Unit))
	}
	upgrade, broken := excusesOf(10000, 600, 630), excusesOf(50, 640, 650)
	l.Excuse(NewExcuses([]*slo.Correction{upgrade, broken}, oneDay))
	s := StatusAt(l, o, oneDay, 1440)
	if s.Gross.Sum.Bad != 3000*Unit || s.Gross.Sum.Total != 144_000*Unit || s.Gross.Gross != nil {
		t.Errorf("gross: %+v", s.Gross)
	}
	if s.Sum.Bad != (3000-37*50)*Unit || s.Sum.Excused != 37 || s.Coverage != 1 {
		t.Errorf("net: %+v", s)
	}
	if s.Allowed != Share(s.Sum.Total, o.Allowed()) {
		t.Errorf("%d are allowed of %d", s.Allowed, s.Sum.Total)
	}
	if len(s.LeftOut) != 2 || s.LeftOut[0].Minutes() != 30 || s.LeftOut[1].Minutes() != 7 || s.LeftOut[1].Capped != 3 {
		t.Errorf("left out: %+v", s.LeftOut)
	}
	if c, until := l.Excuses().At(615); c != upgrade || until != 630 {
		t.Errorf("minute 615 is excused by %v until %d", c, until)
	}

	late := &Ledger{}
	late.PutHour(0, Sum{Bad: 600, Total: 6000, Known: 60, BadSlots: 6})
	late.PutHour(1, Sum{Bad: 600, Total: 6000, Known: 60, BadSlots: 6})
	late.Excuse(NewExcuses([]*slo.Correction{excusesOf(10000, 60, 130), excusesOf(10000, 30, 40)}, oneDay))
	s = StatusAt(late, o, oneDay, 120)
	if s.Sum.Bad != 600 || s.LeftOut[0].Minutes() != 60 || s.LeftOut[1].Minutes() != 0 || s.LeftOut[1].Coarse != 10 {
		t.Errorf("of an hour whose minutes are gone: %+v %+v", s.Sum, s.LeftOut)
	}
	late.Excuse(NewExcuses([]*slo.Correction{excusesOf(10000, 60, 90), excusesOf(10000, 90, 120)}, oneDay))
	if s = StatusAt(late, o, oneDay, 120); s.Sum.Bad != 600 || s.LeftOut[0].Minutes() != 60 || s.LeftOut[1].Minutes() != 0 || s.LeftOut[1].Coarse != 0 {
		t.Errorf("of an hour that two corrections share: %+v %+v", s.Sum, s.LeftOut)
	}
	late.Excuse(NewExcuses([]*slo.Correction{excusesOf(10000, 2000, 2010)}, oneDay))
	if s = StatusAt(late, o, oneDay, 120); s.Gross != nil || len(s.LeftOut) > 0 {
		t.Errorf("a correction of another time is told: %+v", s.LeftOut)
	}
}

func BenchmarkExcusesOfAYear(b *testing.B) {
	var minutes []Minute
	for day := range Minute(400) {
		minutes = append(minutes, day*1440, day*1440+120)
	}
	c := excusesOf(500, minutes...)
	for b.Loop() {
		NewExcuses([]*slo.Correction{c}, slo.Window{Rolling: 28 * slo.Day})
	}
}

func BenchmarkNetSumOfAMonth(b *testing.B) {
	l := &Ledger{}
	var minutes []Minute
	for m := Minute(0); m < 28*1440; m++ {
		l.Put(m, Count(int64(m%3), 600_000))
	}
	for day := range Minute(28) {
		minutes = append(minutes, day*1440+30, day*1440+120)
	}
	l.Excuse(NewExcuses([]*slo.Correction{excusesOf(10000, minutes...)}, slo.Window{Rolling: 28 * slo.Day}))
	l.Thin(24 * 1440)
	b.ResetTimer()
	for b.Loop() {
		l.Sum(0, l.End())
	}
}

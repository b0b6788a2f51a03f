package budget

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/slowburn-sre/slowburn/slo"
)

// drawLedger is three days of some traffic, with bad minutes in stretches.
func drawLedger(t *rapid.T) *Ledger {
	l := new(Ledger)
	for m := Minute(0); m < 3*1440; {
		length := Minute(rapid.IntRange(1, 500).Draw(t, "length"))
		bad := int64(rapid.SampledFrom([]int{0, 0, 1, 7, 50}).Draw(t, "bad"))
		known := rapid.IntRange(0, 9).Draw(t, "known") > 0
		for end := min(m+length, 3*1440); m < end; m++ {
			if s := Count(bad+int64(m)%2, 50); known {
				l.Put(m, s)
			} else {
				l.Put(m, Slot{State: Absent})
			}
		}
	}
	return l
}

// drawClaims are claims of any time, some of which lie about what they burned.
func drawClaims(t *rapid.T, l *Ledger) []Claim {
	var all []Claim
	for range rapid.IntRange(0, 6).Draw(t, "claims") {
		from := Minute(rapid.IntRange(0, 3*1440-1).Draw(t, "from"))
		c := Claim{From: from, To: from + Minute(rapid.IntRange(1, 900).Draw(t, "minutes"))}
		c.Bad = l.Sum(c.From, c.To).Bad
		if rapid.IntRange(0, 3).Draw(t, "honest") == 0 {
			c.Bad = int64(rapid.IntRange(0, 40000).Draw(t, "told"))
		}
		c.Open = rapid.IntRange(0, 5).Draw(t, "open") == 0
		all = append(all, c)
	}
	return all
}

// Law: what incidents took and what none took is all that was burned, in every stretch of time,
// whatever the incidents say, however they overlap, with corrections and without minutes. Nobody
// gets less than nothing.
func TestIncidentsAndTheRestAreAllThatBurned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLedger(t)
		claims := drawClaims(t, l)
		l.Excuse(NewExcuses(drawCorrections(t), slo.Window{Rolling: slo.Day}))
		if rapid.Bool().Draw(t, "thinned") {
			l.Thin(Minute(rapid.IntRange(0, 3*1440).Draw(t, "thin")))
		}
		a := Attribute(l, claims)
		ends := []Minute{0, 3 * 1440}
		for range 4 {
			ends = append(ends, Minute(rapid.IntRange(0, 72).Draw(t, "end"))*60)
		}
		slices.Sort(ends)
		all := make([]int64, len(claims))
		for n := range ends[1:] {
			shares, rest := a.In(ends[n], ends[n+1])
			sum := rest
			for i, s := range shares {
				all[i] += s
				if sum += s; s < 0 {
					t.Fatalf("claim %d gets %d", i, s)
				}
			}
			if want := l.Sum(ends[n], ends[n+1]).Bad; sum != want || rest < 0 {
				t.Fatalf("shares %v and the rest %d are %d of %d", shares, rest, sum, want)
			}
		}
		for i, c := range claims {
			if most := c.Spent(l) + l.Sum(c.To, max(c.To, l.End())).Bad; all[i] > most {
				t.Fatalf("claim %d of %d gets %d", i, most, all[i])
			}
		}
	})
}

// The naive twin: claims that begin and end with the hour, one after the other, get their minutes
// one by one.
func TestClaimsApartGetTheirMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLedger(t)
		var claims []Claim
		for h := Minute(rapid.IntRange(0, 3).Draw(t, "first")); h < 70; h += Minute(rapid.IntRange(5, 20).Draw(t, "apart")) {
			c := Claim{From: h * 60, To: (h + Minute(rapid.IntRange(1, 5).Draw(t, "hours"))) * 60}
			c.Bad = l.Sum(c.From, c.To).Bad
			claims = append(claims, c)
		}
		from, to := Minute(rapid.IntRange(0, 36).Draw(t, "from")), Minute(rapid.IntRange(36, 72).Draw(t, "to"))
		shares, rest := Attribute(l, claims).In(from*60, to*60)
		for n, c := range claims {
			var want int64
			for m := max(c.From, from*60); m < min(c.To, to*60); m++ {
				want += l.At(m).Bad
				rest += l.At(m).Bad
			}
			if shares[n] != want {
				t.Fatalf("claim %+v gets %d, its minutes hold %d", c, shares[n], want)
			}
		}
		if want := l.Sum(from*60, to*60).Bad; rest != want {
			t.Fatalf("%d are shared out of %d", rest, want)
		}
	})
}

// dripping is a day in which one event of each minute goes bad.
func dripping() *Ledger {
	l := new(Ledger)
	for m := range Minute(1440) {
		l.Put(m, Count(1, 10))
	}
	return l
}

func TestAttribution(t *testing.T) {
	for _, tc := range []struct {
		name   string
		claims []Claim
		want   []int64 // of the whole day
		rest   int64
	}{
		{"without incidents nothing is attributed", nil, nil, 1440},
		{"one alone gets what it told", []Claim{{From: 90, To: 120, Bad: 30}}, []int64{30}, 1410},
		{"one that burned nothing gets nothing", []Claim{{}, {From: 90, To: 120, Bad: 30}}, []int64{0, 30}, 1410},
		{"data that came in later count", []Claim{{From: 90, To: 120, Bad: 20}}, []int64{30}, 1410},
		{"nobody gets more than there was", []Claim{{From: 90, To: 120, Bad: 500}}, []int64{60}, 1380},
		{"what is open burns on", []Claim{{From: 1400, To: 1410, Bad: 10, Open: true}}, []int64{40}, 1400},
		{"a second of the same hours gets what is left", []Claim{{From: 0, To: 120, Bad: 120}, {From: 60, To: 180, Bad: 120}}, []int64{120, 60}, 1260},
		{"one around two others shares with both", []Claim{{From: 60, To: 120, Bad: 60}, {From: 300, To: 360, Bad: 60}, {From: 0, To: 600, Bad: 600}}, []int64{60, 60, 480}, 840},
	} {
		t.Run(tc.name, func(t *testing.T) {
			shares, rest := Attribute(dripping(), tc.claims).In(0, 1440)
			if !slices.Equal(shares, tc.want) || rest != tc.rest {
				t.Errorf("%v and %d, want %v and %d", shares, rest, tc.want, tc.rest)
			}
		})
	}
}

func TestWhatACorrectionLeavesOutIsNobodys(t *testing.T) {
	l := dripping()
	l.Excuse(NewExcuses([]*slo.Correction{excusesOf(10000, 60, 120)}, oneDay))
	shares, rest := Attribute(l, []Claim{{From: 60, To: 120, Bad: 60}, {From: 200, To: 210, Bad: 10}}).In(0, 1440)
	if !slices.Equal(shares, []int64{0, 10}) || rest != 1370 {
		t.Errorf("%v and %d; the first hour of burning is excused", shares, rest)
	}
}

// TestAClaimOverABoundHasWhatLiesBehindIt: what went bad in the hour of the onset, before it, takes
// nothing from a later period.
func TestAClaimOverABoundHasWhatLiesBehindIt(t *testing.T) {
	l := new(Ledger)
	for m := range Minute(3 * 1440) {
		bad := int64(0)
		switch {
		case m >= 14*60 && m < 15*60, m >= 1440+120 && m < 1440+156:
			bad = 1
		}
		l.Put(m, Count(bad, 10))
	}
	c := Claim{From: 14*60 + 48, To: 1440 + 187, Bad: 12 + 36}
	a := Attribute(l, []Claim{c})
	for _, day := range []struct {
		from, to Minute
		share    int64
		rest     int64
	}{{0, 1440, 12, 48}, {1440, 2880, 36, 0}} {
		if shares, rest := a.In(day.from, day.to); shares[0] != day.share || rest != day.rest {
			t.Errorf("from %d: %d and %d, want %d and %d", day.from, shares[0], rest, day.share, day.rest)
		}
	}
}

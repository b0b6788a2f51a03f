package alerting

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/slo"
)

// deploy is a change of the shop so many minutes after the start.
func deploy(key string, after int, more ...func(*Act)) Act {
	at := (start + budget.Minute(after)).Time()
	a := Act{Key: key, At: at, Kind: Changed, By: "ci", Service: "shop", Change: &Change{Kind: "deploy", Title: key, Start: at}}
	for _, f := range more {
		f(&a)
	}
	return a
}

func rollback(a *Act)                  { a.Change.Kind = "rollback" }
func until(d time.Duration) func(*Act) { return func(a *Act) { a.Change.End = a.Change.Start.Add(d) } }

// shopFloor is an SLO of 99 % over a week, a hundred events a minute with one bad one, and from
// start on so many more bad ones for an hour.
func shopFloor(t testing.TB, more int64) Input {
	in := weekly(t, 0)
	for m := start - 300; m < start+600; m++ {
		bad := int64(1)
		if m >= start && m < start+60 {
			bad += more
		}
		in.Ledger.Put(m, budget.Count(bad*budget.Unit, 100*budget.Unit))
	}
	return in
}

func TestWhatADeployCost(t *testing.T) {
	type cost struct {
		Key    string
		Excess int64 // events; -1 is unknown
		For    time.Duration
		Shared string
	}
	for _, c := range []struct {
		name string
		more int64
		acts []Act
		to   budget.Minute
		want []cost
	}{
		{"a deploy that does no harm costs nothing", 0, []Act{deploy("a", 0)}, start + 600, []cost{{"a", 0, 2 * time.Hour, ""}}},
		{"what went wrong before does not count", 8, []Act{deploy("a", 0)}, start + 600, []cost{{"a", 480, 2 * time.Hour, ""}}},
		{"only what has happened yet", 8, []Act{deploy("a", 0)}, start + 30, []cost{{"a", 240, 30 * time.Minute, ""}}},
		{"one that is about to begin is not there", 8, []Act{deploy("a", 0)}, start, nil},
		{"a long rollout is looked at until it is through", 8, []Act{deploy("a", -30, until(30*time.Minute))}, start + 600, []cost{{"a", 480, 150 * time.Minute, ""}}},
		{"the next change ends it, and both say so", 8, []Act{deploy("a", 0), deploy("b", 30)}, start + 600, []cost{{"a", 240, 30 * time.Minute, "b"}, {"b", 0, 2 * time.Hour, "a"}}},
		{"a roll-back ends what a deploy did, and leaves no doubt about it", 8, []Act{deploy("a", 0), deploy("b", 30, rollback)}, start + 600, []cost{{"a", 240, 30 * time.Minute, ""}, {"b", 0, 2 * time.Hour, ""}}},
		{"a deploy after a roll-back leaves doubt", 8, []Act{deploy("a", 0, rollback), deploy("b", 30)}, start + 600, []cost{{"a", 240, 30 * time.Minute, "b"}, {"b", 0, 2 * time.Hour, "a"}}},
		{"two at once cannot be told apart", 8, []Act{deploy("a", 0), deploy("b", 0)}, start + 600, []cost{{"a", 480, 2 * time.Hour, "b"}, {"b", 480, 2 * time.Hour, "a"}}},
		{"one long before is no company", 8, []Act{deploy("z", -130), deploy("a", 0)}, start + 600, []cost{{"z", 0, 2 * time.Hour, ""}, {"a", 480, 2 * time.Hour, ""}}},
		{"of another service is none", 8, []Act{deploy("a", 0, func(a *Act) { a.Service = "search" })}, start + 600, nil},
		{"one that was taken back is none", 8, []Act{deploy("a", 0), {Key: "u", Kind: Undo, Other: "a"}}, start + 600, nil},
		{"without traffic before it nobody knows", 8, []Act{deploy("a", -9*1440)}, start + 600, []cost{{"a", -1, 2 * time.Hour, ""}}},
		{"an experiment costs all that went wrong while it ran", 8, []Act{deploy("x", 0, until(20*time.Minute), func(a *Act) { a.Kind = Experiment })}, start + 600, []cost{{"x", 180, 20 * time.Minute, ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []cost
			for _, g := range Attribute(shopFloor(t, c.more), c.acts, c.to) {
				one := cost{g.Change.Key, g.Excess / budget.Unit, g.To.Sub(g.From), strings.Join(g.Shared, " ")}
				if !g.Known {
					one.Excess = -1
				}
				got = append(got, one)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A deploy at 08:23 and the outage from 08:26 to 08:46 that it caused cost the same, and the
// rollback nothing, whether or not minutes have been thinned out since.
func TestThinningChangesNoCost(t *testing.T) {
	const hours = 8 * 60
	outage := func() Input {
		in := weekly(t, 0)
		for m := start + hours + 26; m < start+hours+46; m++ {
			in.Ledger.Put(m, budget.Count(60*budget.Unit, 100*budget.Unit))
		}
		return in
	}
	acts := []Act{deploy("v2", hours+23), deploy("v1", hours+43, rollback)}
	costs := func(in Input) (all []string) {
		for _, c := range Attribute(in, acts, start+4*1440) {
			all = append(all, c.Change.Key+" "+c.CostText())
		}
		return all
	}
	want := []string{"v2 10.1 %", "v1 0 %"}
	in := outage()
	for range 3 {
		if got := costs(in); !slices.Equal(got, want) {
			t.Errorf("the costs are %v, want %v", got, want)
		}
		in.Ledger.Thin(start+4*1440, Cuts(acts, (start + 4*1440).Time())["shop"]...)
	}
	// A deploy that was recorded days later is charged with its whole hour.
	in = outage()
	in.Ledger.Thin(start + 4*1440)
	if got := costs(in)[0]; got != "v2 11.9 %" {
		t.Errorf("without minutes it is %s", got)
	}
}

// Law: costs do not depend on whether minutes have been thinned out, in rolling and in calendar
// windows.
func TestCostsOutliveMinutes(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 11))
		in := weekly(t, 0)
		if seed%3 > 0 {
			in.Spec.Windows = []slo.Window{{Calendar: []slo.Calendar{slo.Week, slo.Month}[seed%3-1]}}
		}
		for m := start; m < start+1440; m++ {
			total := rng.Int64N(200)
			in.Ledger.Put(m, budget.Count(rng.Int64N(total+1)*budget.Unit, total*budget.Unit))
		}
		var acts []Act
		for n := range 1 + rng.IntN(8) {
			a := deploy(string(rune('a'+n)), rng.IntN(1300), until(time.Duration(rng.IntN(90))*time.Minute))
			if rng.IntN(3) == 0 {
				a.Kind = Experiment
			}
			acts = append(acts, a)
		}
		end := start + 9*1440
		want := Attribute(in, acts, end)
		in.Ledger.Thin(end, Cuts(acts, end.Time())["shop"]...)
		if diff := cmp.Diff(want, Attribute(in, acts, end)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// However changes lie, none is charged for more than went wrong, and a minute is charged to one
// change, but for changes that begin together.
func TestChargesNeverExceedWhatWentWrong(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 9))
		in := weekly(t, 0)
		for m := start - 300; m < start+900; m++ {
			total := rng.Int64N(200)
			in.Ledger.Put(m, budget.Count(rng.Int64N(total+1)*budget.Unit/(1+rng.Int64N(50)), total*budget.Unit))
		}
		var acts []Act
		for n := range 1 + rng.IntN(6) {
			acts = append(acts, deploy(string(rune('a'+n)), 10*n+rng.IntN(9)+rng.IntN(2)*100, until(time.Duration(rng.IntN(60))*time.Minute)))
		}
		slices.SortFunc(acts, func(a, b Act) int { return a.Change.Start.Compare(b.Change.Start) })
		charged, last := int64(0), time.Time{}
		for _, c := range Attribute(in, acts, start+900) {
			if c.Excess < 0 || c.Excess > c.After.Bad {
				t.Fatalf("seed %d: %d of %d are charged", seed, c.Excess, c.After.Bad)
			}
			if c.From.Before(last) && !slices.ContainsFunc(acts, func(a Act) bool { return a.Key != c.Change.Key && a.Change.Start.Equal(c.Change.Change.Start) }) {
				t.Fatalf("seed %d: %s begins within the time of another", seed, c.Change.Key)
			}
			if c.From != last || charged == 0 {
				charged += c.Excess
			}
			last = c.To
		}
	}
}

func TestDelivery(t *testing.T) {
	from, to := start.Time(), start.Time().Add(14*slo.Day)
	incident := func(after int, lasted time.Duration, rule Rule) Incident {
		at := (start + budget.Minute(after)).Time()
		return Incident{SLO: "shop/availability", Rule: rule, Onset: at, Ended: at.Add(lasted)}
	}
	for _, c := range []struct {
		name      string
		acts      []Act
		incidents []Incident
		deploys   int
		failed    int
		recovery  []time.Duration
	}{
		{name: "no feed"},
		{"calm deploys", []Act{deploy("a", 0), deploy("b", 1000)}, nil, 2, 0, nil},
		{"an incident soon after", []Act{deploy("a", 0)}, []Incident{incident(10, 20*time.Minute, RulePage)}, 1, 1, []time.Duration{30 * time.Minute}},
		{"one that is still open", []Act{deploy("a", 0)}, []Incident{{SLO: "shop/availability", Rule: RulePage, Onset: from.Add(time.Minute)}}, 1, 1, nil},
		{"an incident long after", []Act{deploy("a", 0)}, []Incident{incident(121, time.Minute, RulePage)}, 1, 0, nil},
		{"an incident before", []Act{deploy("a", 0)}, []Incident{incident(-1, time.Hour, RulePage)}, 1, 0, nil},
		{"missing data fail no deploy", []Act{deploy("a", 0)}, []Incident{incident(1, time.Hour, RuleNoData)}, 1, 0, nil},
		{"the incident is the next deploy's", []Act{deploy("a", 0), deploy("b", 30)}, []Incident{incident(40, time.Minute, RulePage)}, 2, 1, []time.Duration{11 * time.Minute}},
		{"rolled back", []Act{deploy("a", 0), deploy("b", 45, rollback)}, nil, 1, 1, []time.Duration{45 * time.Minute}},
		{"rolled back much later, for other reasons", []Act{deploy("a", 0), deploy("b", 300, rollback)}, nil, 1, 0, nil},
		{"says so itself, and the next deploy fixes it", []Act{deploy("a", 0, func(a *Act) { a.Change.Failed = true }), deploy("b", 300)}, nil, 2, 1, []time.Duration{5 * time.Hour}},
		{"a change of configuration is no deploy", []Act{deploy("a", 0, func(a *Act) { a.Change.Kind = "config" })}, nil, 0, 0, nil},
		{"a deploy of another week", []Act{deploy("a", -10)}, nil, 0, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Deliver(c.acts, c.incidents, from, to)
			if d.Deploys != c.deploys || d.Failed != c.failed || !slices.Equal(d.Recovery, c.recovery) {
				t.Errorf("%d deploys, %d failed, made good after %v", d.Deploys, d.Failed, d.Recovery)
			}
			if _, ok := d.FailureRate(); ok != (c.deploys > 0) {
				t.Error("a failure rate is known exactly if there were deploys")
			}
		})
	}
}

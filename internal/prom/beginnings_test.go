package prom

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/slo"
)

// renaming is what happens to the names of a service's series, and to its processes with them.
type renaming struct {
	name      string
	from, to  int  // minutes in which the names are others
	instance  bool // it is the instance; otherwise a label more
	back      bool // they are the old ones again afterwards
	anew      bool // the processes begin anew as the names change
	noMarkers bool
}

var renamings = []renaming{
	{name: "label-added", from: 130, to: 999},
	{name: "label-added-unmarked", from: 130, to: 999, noMarkers: true},
	{name: "label-undone", from: 130, to: 200, back: true},
	{name: "label-undone-in-the-hour", from: 130, to: 145, back: true},
	{name: "label-undone-at-once", from: 130, to: 131, back: true},
	{name: "label-undone-unmarked", from: 130, to: 200, back: true, noMarkers: true},
	{name: "label-undone-at-the-edge", from: 120, to: 180, back: true},
	{name: "label-added-by-a-restart", from: 130, to: 999, anew: true},
	{name: "port-changed", from: 130, to: 999, instance: true},
	{name: "port-undone", from: 130, to: 200, instance: true, back: true},
	{name: "port-undone-at-once", from: 130, to: 131, instance: true, back: true},
	{name: "port-undone-unmarked", from: 130, to: 200, instance: true, back: true, noMarkers: true},
	{name: "port-changed-by-a-deploy", from: 130, to: 999, instance: true, anew: true},
}

// play writes the life of a service of three processes that are scraped every 30 s. They began half
// an hour before the world. It returns the bad and all events that samples show, by hour.
func (k renaming) play(t *testing.T, db *promfake.DB, job string, rate float64, minutes int, shows string) (hours [][2]float64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(7, 7))
	more := func(mean float64) float64 {
		n, p := 0.0, rnd.Float64()
		if mean > 100 {
			return math.Round(mean)
		}
		for limit := math.Exp(-mean); p > limit; n++ {
			p *= rnd.Float64()
		}
		return n
	}
	codes := []string{"200", "500"}
	hours = make([][2]float64, minutes/60)
	for i := range 3 {
		began, values, created := -1800.0, [2]float64{math.Round(rate * 1800), more(rate * 36)}, [2]float64{-1800, -1700}
		renamed := false
		var last []*promfake.Series
		for sec := float64(5 + 7*i); sec < float64(60*minutes); sec += 30 {
			now, happened := int(sec)/60, [2]float64{}
			for c, share := range []float64{0.98, 0.02} {
				n := more(rate * 30 * share)
				if values[c] == 0 && n > 0 {
					created[c] = sec - 15
				}
				values[c] += n
				happened[c] = n
			}
			is := now >= k.from && now < k.to
			if is != renamed {
				for _, s := range last {
					if !k.noMarkers {
						must(t, s.MarkStale(at(sec)))
					}
				}
				if k.anew {
					began, created = sec-10, [2]float64{sec - 9, sec - 8}
					values = [2]float64{math.Ceil(rate * 9), 0}
					happened = values // what the old ones had since the last scrape nobody has seen
				}
			}
			renamed, last = is, nil
			hours[now/60][0] += happened[1]
			hours[now/60][1] += happened[0] + happened[1]
			pairs := []string{"job", job, "instance", fmt.Sprintf("%s-%d:80", job, i)}
			switch {
			case renamed && k.instance:
				pairs[3] = fmt.Sprintf("%s-%d:90", job, i)
			case renamed:
				pairs = append(pairs, "cluster", "eu")
			}
			write := func(name string, v float64, more ...string) {
				s := db.Series(lset(name, append(more, pairs...)...))
				must(t, s.Append(at(sec), v))
				last = append(last, s)
			}
			if shows == "starts" {
				write(startMetric, float64(t0.Unix())+began)
			}
			for c, code := range codes {
				if values[c] == 0 {
					continue
				}
				write("c_total", values[c], "code", code)
				if shows == "created" {
					write("c_created", float64(t0.Unix())+created[c], "code", code)
				}
			}
		}
	}
	return hours
}

// TestHistoryJudgesNamesAsLive: whatever happens to the names of series, and undone again, the
// hours of history hold the same events as those that were read minute by minute: with the starts
// of processes, with the creation of counters, and without either.
func TestHistoryJudgesNamesAsLive(t *testing.T) {
	const minutes, step = 240, 4
	for _, shows := range []string{"nothing", "starts", "created"} {
		t.Run(shows, func(t *testing.T) {
			t.Parallel()
			db := promfake.New(promfake.Options{})
			var specs []*slo.Spec
			played := map[slo.ID][][2]float64{}
			for n, k := range renamings {
				for i, rate := range []float64{30, 1, 60. / 3600, 4. / 3600} {
					if sampled(n+i, 4) {
						continue
					}
					job := fmt.Sprintf("%s-%d", k.name, i)
					s := events(t, job, `c_total{job="`+job+`"}`, `c_total{job="`+job+`",code="500"}`)
					played[s.ID()] = k.play(t, db, job, rate, minutes, shows)
					specs = append(specs, s)
				}
			}
			c := serve(t, db)
			end := m0 + minutes
			live, got := New(c, Options{}), book{}
			for to := m0 + 59; to < end; to += step {
				tick(t, live, specs, to, got)
			}
			ledgers, _ := historyOf(t, New(c, Options{}), c, specs, Plan{From: m0 + 60, Fine: end, To: end}, false)
			for _, s := range specs {
				for hour := m0 + 60; hour < end; hour += 60 {
					var bad, total int64
					for m := hour; m < hour+60; m++ {
						bad, total = bad+got[s.ID()][m].Bad, total+got[s.ID()][m].Total
					}
					if sum := ledgers[s.ID()].Sum(hour, hour+60); sum.Bad != bad || sum.Total != total {
						t.Errorf("%s, hour %d: history has %d of %d thousandths, live %d of %d", s.Name, (hour-m0)/60, sum.Bad, sum.Total, bad, total)
					}
					if p := played[s.ID()][(hour-m0)/60]; shows != "nothing" && (int64(p[0])*budget.Unit != bad || int64(p[1])*budget.Unit != total) {
						t.Errorf("%s, hour %d: live has %d of %d thousandths, and there were %v", s.Name, (hour-m0)/60, bad, total, p)
					}
				}
			}
		})
	}
}

// TestHoursKnowStarts: a process of which each life has one event, and a counter that stands as
// high at every scrape, loses none of them in history, whichever way it shows when it began.
func TestHoursKnowStarts(t *testing.T) {
	for shows, want := range map[string]string{startMetric: "[1 2 1]", "c_created": "[1 2 1]", "other": "[0 0 0]"} {
		db := promfake.New(promfake.Options{})
		began := -900.0
		for i := range 240 * 2 {
			sec := float64(30*i + 5)
			switch i {
			case 90 * 2, 130 * 2, 170 * 2, 210 * 2:
				began = sec - 8
			}
			must(t, db.Append(lset("c_total", "job", "j", "instance", "a"), at(sec), 1))
			must(t, db.Append(lset(shows, "job", "j", "instance", "a"), at(sec), float64(t0.Unix())+began))
		}
		c := serve(t, db)
		s := events(t, "x", `c_total{job="j"}`, `c_total{job="j",code="500"}`)
		l := history(t, New(c, Options{}), c, []*slo.Spec{s}, Plan{From: m0 + 60, Fine: m0 + 240, To: m0 + 240}, false)[s.ID()]
		var got []int64
		for hour := m0 + 60; hour < m0+240; hour += 60 {
			got = append(got, l.Sum(hour, hour+60).Total/budget.Unit)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s is shown: %v events by hour, want %s", shows, got, want)
		}
	}
}

// TestHistoryAsksForStartsOnce: a piece of history is asked once when processes began; and if none
// of them shows it, the hours that are read raw are not asked again.
func TestHistoryAsksForStartsOnce(t *testing.T) {
	const hours, lives = 96, 19
	for _, tc := range []struct {
		name          string
		shown, refuse bool
		want          int
	}{
		{"nobody shows it", false, false, 1},
		{"it is shown", true, false, 1 + lives + 1},
		{"nobody shows it, and the long question is refused", false, true, 1 + lives + 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := promfake.New(promfake.Options{})
			for i := range hours * 60 { // each life of a process is five hours long, and has an event of either kind
				sec, life := float64(60*i+5), float64(i%300)
				for code, at1 := range map[string]float64{"200": 30, "500": 90} {
					must(t, db.Append(lset("c_total", "job", "j", "instance", "a", "code", code), at(sec), min(1, math.Floor(life/at1))))
				}
				if tc.shown {
					must(t, db.Append(lset(startMetric, "job", "j", "instance", "a"), at(sec), float64(t0.Unix())+sec-60*life-8))
				}
			}
			asked := db.Faults.Add(promfake.Fault{When: asksStarts, Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if tc.refuse && strings.HasSuffix(r.URL.Path, "/query_range") {
					promfake.ErrorBody("execution", "query processing would load too many samples into memory in query execution")(w, r, next)
					return
				}
				next.ServeHTTP(w, r)
			}})
			c, s := serve(t, db), events(t, "x", `c_total{job="j"}`, `c_total{job="j",code="500"}`)
			l := history(t, New(c, Options{}), c, []*slo.Spec{s}, Plan{From: m0 + 60, Fine: m0 + hours*60, To: m0 + hours*60}, false)[s.ID()]
			if sum := l.Sum(m0+60, m0+hours*60); sum.Bad != lives*budget.Unit || sum.Total != 2*lives*budget.Unit {
				t.Errorf("%d of %d thousandths, want an event of each kind in each of %d lives", sum.Bad, sum.Total, lives)
			}
			if n := asked(); n != tc.want {
				t.Errorf("%d questions, want %d", n, tc.want)
			}
		})
	}
}

package ranking

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/chance"
)

// events makes counts of "value bad/total" pairs.
func events(pairs map[string][2]int64) map[string]Count {
	out := map[string]Count{}
	for v, c := range pairs {
		out[v] = Count{c[0] * budget.Unit, c[1] * budget.Unit}
	}
	return out
}

func TestRank(t *testing.T) {
	type counts = map[string][2]int64
	route := func(before, now counts) Breakdown {
		return Breakdown{Label: "route", Before: events(before), Now: events(now)}
	}
	for name, c := range map[string]struct {
		all  []Breakdown
		want string
	}{
		"one route breaks": {
			[]Breakdown{route(counts{"/cart": {2, 10000}, "/pay": {1, 5000}}, counts{"/cart": {2, 10000}, "/pay": {3000, 5000}})},
			`Most of the excess is in route="/pay": 100 % of it; 60 % of its events are bad, before it was 0.020 %.`,
		},
		"the route that always fails a lot is no news": {
			[]Breakdown{route(counts{"/old": {2000, 10000}, "/pay": {1, 5000}}, counts{"/old": {2010, 10000}, "/pay": {300, 5000}})},
			`Most of the excess is in route="/pay": 97 % of it; 6.0 % of its events are bad, before it was 0.020 %.`,
		},
		"everything breaks alike": {
			[]Breakdown{route(counts{"/cart": {2, 10000}, "/pay": {1, 5000}}, counts{"/cart": {1000, 10000}, "/pay": {500, 5000}})},
			"No single value stands out; it got worse alike over route.",
		},
		"traffic moves to a route that always fails a lot": {
			[]Breakdown{route(counts{"/old": {100, 500}, "/pay": {5, 10000}}, counts{"/old": {1000, 5000}, "/pay": {3, 5500}})},
			`Traffic moved: route="/old" took 48 % of the events, before it was 4.8 %, and 20 % of its events were bad before already. No value got worse by itself.`,
		},
		"seven failures are too few": {
			[]Breakdown{route(counts{"/cart": {0, 100}, "/pay": {0, 50}}, counts{"/cart": {0, 100}, "/pay": {7, 50}})},
			"Too few events to say: 7 bad ones since the onset.",
		},
		"a new version fails": {
			[]Breakdown{{Label: "version", Before: events(counts{"v1": {2, 10000}}), Now: events(counts{"v1": {1, 5000}, "v2": {500, 5000}})}},
			`Most of the excess is in version="v2": 100 % of it; 10 % of its events are bad, and it is new.`,
		},
		"a label with one value explains everything and says nothing": {
			[]Breakdown{{Label: "version", Before: events(counts{"v1": {2, 10000}}), Now: events(counts{"v2": {500, 5000}})}},
			"No single value stands out; it got worse alike over version.",
		},
		"one of three replicas with a third of it is not named": {
			[]Breakdown{{
				Label: "instance", Before: events(counts{"a": {0, 1000}, "b": {0, 1000}, "c": {0, 1000}, "d": {0, 1000}}),
				Now: events(counts{"a": {300, 1000}, "b": {300, 1000}, "c": {300, 1000}, "d": {0, 1000}}),
			}},
			"No single value stands out; it got worse alike over instance.",
		},
		"two of five routes break": {
			[]Breakdown{route(counts{"/a": {1, 5000}, "/b": {1, 5000}, "/c": {1, 5000}, "/d": {1, 5000}}, counts{"/a": {400, 5000}, "/b": {1, 5000}, "/c": {600, 5000}, "/d": {2, 5000}})},
			`Most of the excess is in route="/c": 60 % of it; 12 % of its events are bad, before it was 0.020 %. | route="/a" accounts for 40 % of it; 8.0 % of its events are bad, before it was 0.020 %.`,
		},
		"a route and its handler are the same events": {
			[]Breakdown{
				route(counts{"/cart": {2, 10000}, "/pay": {1, 5000}}, counts{"/cart": {2, 10000}, "/pay": {3000, 5000}}),
				{Label: "handler", Before: events(counts{"cart": {2, 10000}, "pay": {1, 5000}}), Now: events(counts{"cart": {2, 10000}, "pay": {3000, 5000}})},
			},
			`Most of the excess is in handler="pay": 100 % of it; 60 % of its events are bad, before it was 0.020 % (the same events: route="/pay").`,
		},
		"nothing is known of the time before": {
			[]Breakdown{route(nil, counts{"/cart": {1, 10000}, "/pay": {500, 5000}})},
			`Most of the excess is in route="/pay": 100 % of it; 10 % of its events are bad, and it is new.`,
		},
		"no label": {nil, "Not known: no label tells its events apart."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(Rank(c.all, 0.001).Sentences(), " | "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// world is twenty routes, of which one breaks and another always fails a lot.
type world struct {
	requests      float64 // in each of the two windows
	incident, bad float64 // share of failures that the incident adds to one route, and that another one always has
	zipf          float64 // how unevenly the routes are used
}

// play draws the two windows. The culprit is route 0.
func (w world) play(seed uint64) Breakdown {
	const routes, noise = 20, 0.0005
	rng := chance.New(seed, "rank")
	weights, sum := make([]float64, routes), 0.0
	for i := range weights {
		weights[i] = 1 / math.Pow(float64(i+1), w.zipf)
		sum += weights[i]
	}
	rng.Shuffle(routes, func(i, j int) { weights[i], weights[j] = weights[j], weights[i] })
	b := Breakdown{Label: "route", Now: map[string]Count{}, Before: map[string]Count{}}
	for i, weight := range weights {
		failing := noise
		if i == 1 {
			failing = w.bad
		}
		draw := func(p float64) Count {
			n := chance.Poisson(rng, w.requests*weight/sum)
			return Count{int64(chance.Binomial(rng, n, p)) * budget.Unit, int64(n) * budget.Unit}
		}
		b.Before[fmt.Sprint(i)] = draw(failing)
		if i == 0 {
			failing += w.incident
		}
		b.Now[fmt.Sprint(i)] = draw(failing)
	}
	return b
}

// naive are rankings that suggest themselves; the first value is the one they would blame.
var naive = map[string]func(now, before Count) float64{
	"most errors":          func(now, _ Count) float64 { return float64(now.Bad) },
	"highest error ratio":  func(now, _ Count) float64 { return ratio(now) },
	"highest excess alone": func(now, before Count) float64 { return float64(now.Bad) - float64(now.Total)*ratio(before) },
}

func blamed(b Breakdown, score func(now, before Count) float64) (best string) {
	top := math.Inf(-1)
	for v := range 20 {
		if s := score(b.Now[fmt.Sprint(v)], b.Before[fmt.Sprint(v)]); s > top {
			best, top = fmt.Sprint(v), s
		}
	}
	return best
}

// TestRankFindsTheCulprit plays the cases in which naive rankings blame the route that always fails
// a lot. The least that is asked for is what "excess over its own baseline" and its z-score reached
// in a study of the same cases.
func TestRankFindsTheCulprit(t *testing.T) {
	const lives = 400
	for _, c := range []struct {
		world
		least float64
	}{
		{world{200_000, 0.03, 0.05, 1}, 1.00},
		{world{20_000, 0.10, 0.05, 1}, 1.00},
		{world{5_000, 0.30, 0.05, 1}, 0.99},
		{world{200_000, 0.02, 0.20, 1}, 1.00},
		{world{200_000, 0.02, 0.20, 0.5}, 1.00},
	} {
		hits, named := 0, 0
		rivals := map[string]int{}
		for seed := range uint64(lives) {
			b := c.play(seed)
			r := Rank([]Breakdown{b}, 0.001)
			if len(r.Contributors) > 0 {
				named++
				if r.Contributors[0].Value == "0" {
					hits++
				}
			}
			for name, score := range naive {
				if blamed(b, score) == "0" {
					rivals[name]++
				}
			}
		}
		share := float64(hits) / lives
		t.Logf("%+v: the culprit comes first in %.3f (somebody is named in %.3f); most errors %.2f, highest ratio %.2f, excess alone %.2f",
			c.world, share, float64(named)/lives, float64(rivals["most errors"])/lives, float64(rivals["highest error ratio"])/lives, float64(rivals["highest excess alone"])/lives)
		if share < c.least {
			t.Errorf("%+v: the culprit comes first in %.3f of the lives, want %.2f", c.world, share, c.least)
		}
	}
}

// TestRankAccusesNobodyByChance plays windows in which nothing is wrong with any single route.
func TestRankAccusesNobodyByChance(t *testing.T) {
	const lives = 1000
	for _, w := range []world{{200_000, 0, 0.05, 1}, {20_000, 0, 0.05, 1}, {5_000, 0, 0.05, 1}, {1_000, 0, 0.3, 0}} {
		accused := 0
		for seed := range uint64(lives) {
			if r := Rank([]Breakdown{w.play(seed)}, 0.001); r.Verdict == StandsOut {
				accused++
			}
		}
		t.Logf("%+v: somebody is named in %d of %d lives", w, accused, lives)
		if accused > lives/100 {
			t.Errorf("%+v: somebody is named in %d of %d lives without cause", w, accused, lives)
		}
	}
}

package slo

import (
	"cmp"
	"math/big"
	"slices"
	"time"
)

// bookPages and bookTickets are the workbook's recommended pairs, for a window of four weeks or a
// month. As shares of the budget they hold for any length; the burn rates follow (14.4, 6, 3 and 1
// for 30 days). Source: The Site Reliability Workbook, chapter 5, table 5-8, and the 24 h/2 h pair
// from the rules printed below it.
var (
	bookPages = []Pair{
		{Budget: 200, Long: time.Hour, Short: 5 * time.Minute},
		{Budget: 500, Long: 6 * time.Hour, Short: 30 * time.Minute},
	}
	bookTickets = []Pair{
		{Budget: 1000, Long: 24 * time.Hour, Short: 2 * time.Hour},
		{Budget: 1000, Long: 3 * Day, Short: 6 * time.Hour},
	}
)

// The other defaults: shares of the budget in basis points, and how long data may be missing.
var defaultSpent = []int64{5000, 7500, 9000, 10000}

const (
	defaultNoData  = 10 * time.Minute
	defaultTraffic = 30 * time.Minute
)

// Shortest returns the shortest window that a pair looks at, or five minutes if there is none.
func (a Alerts) Shortest() time.Duration {
	over := time.Duration(0)
	for _, p := range slices.Concat(a.Page, a.Ticket) {
		if over == 0 || p.Short < over {
			over = p.Short
		}
	}
	return cmp.Or(over, 5*time.Minute)
}

// DefaultAlerts returns what is told about an SLO that does not say: the workbook's pairs, scaled
// to the window. A pair that could never fire at this objective is left out, and stands in dead.
func DefaultAlerts(w Window, o Objective) (alerts, dead Alerts) {
	alerts = Alerts{Spent: append([]int64(nil), defaultSpent...), NoData: defaultNoData, Traffic: defaultTraffic, Significance: true}
	for _, p := range scalePairs(bookPages, w.Length()) {
		if p.Dead(w, o) {
			dead.Page = append(dead.Page, p)
		} else {
			alerts.Page = append(alerts.Page, p)
		}
	}
	for _, p := range scalePairs(bookTickets, w.Length()) {
		if p.Dead(w, o) {
			dead.Ticket = append(dead.Ticket, p)
		} else {
			alerts.Ticket = append(alerts.Ticket, p)
		}
	}
	return alerts, dead
}

// Dead reports whether the pair can never fire, even if every event is bad. The burn rate is then 1
// ÷ (1 − objective), and firing needs strictly more than share × length ÷ long window.
func (p Pair) Dead(w Window, o Objective) bool {
	product := func(factors ...int64) *big.Int {
		x := big.NewInt(1)
		for _, f := range factors {
			x.Mul(x, big.NewInt(f))
		}
		return x
	}
	threshold := product(p.Budget, int64(w.Length()), o.Allowed())
	return threshold.Cmp(product(10000, int64(p.Long), Billion)) >= 0
}

// LargestBudget returns the largest share of the budget with which the pair can still fire, in
// basis points.
func (p Pair) LargestBudget(w Window, o Objective) int64 {
	// The pair fires if budget × length × allowed < 10000 × long × billion.
	limit := new(big.Int).Mul(big.NewInt(10000*Billion), big.NewInt(int64(p.Long/time.Minute)))
	limit.Sub(limit, big.NewInt(1))
	limit.Div(limit, new(big.Int).Mul(big.NewInt(int64(w.Length()/time.Minute)), big.NewInt(o.Allowed())))
	return limit.Int64()
}

// scalePairs stretches the pairs from four weeks to another length, in whole minutes. From 28 to 31
// days they stay as the book has them, with their familiar 1 h and 5 m.
func scalePairs(pairs []Pair, length time.Duration) []Pair {
	out := append([]Pair(nil), pairs...)
	if length >= 28*Day && length <= 31*Day {
		return out
	}
	for i, p := range out {
		out[i].Short = max(scale(p.Short, length), time.Minute)
		out[i].Long = max(scale(p.Long, length), 5*time.Minute, out[i].Short+time.Minute)
	}
	return out
}

// scale returns d × length ÷ 28 days, rounded to the nearest minute.
func scale(d, length time.Duration) time.Duration {
	minutes := int64(d/time.Minute) * int64(length/time.Minute)
	four := int64(28 * Day / time.Minute)
	return time.Duration((minutes+four/2)/four) * time.Minute
}

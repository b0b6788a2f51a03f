package counting

// Role is what a series is to a budget.
type Role uint8

// The roles of series.
const (
	Total Role = iota
	Bad
	Good
	Up // a gauge, 1 while up
)

// Route leads from a series to an account: the budget it counts for.
type Route struct {
	Account int32
	Role    Role
}

// Info is what does not change about an account while counting.
type Info struct {
	Promise int32 // the SLO it belongs to
	ByGood  bool  // good events are counted, and the bad ones are the rest
	Twin    bool  // good and total are of one histogram, so that neither is there without the other
	Up      bool
	Grouped bool // one of several budgets of its SLO; it begins when it is first seen
}

// Series is what does not change about a series.
type Series struct {
	Target int32 // -1 until it is known
	Routes []Route
}

// Index numbers series, targets and accounts, and says which belong together. It only grows.
type Index struct {
	Series   []Series
	Accounts []Info
	Scraped  []bool // per target: a real one, whose series are scraped together

	// Differ tells by how many labels two series differ, and Name what a series is called. Both may
	// be nil; Differ is negative where that is not known.
	Differ func(a, b int32) int
	Name   func(series int32) string

	byTarget  [][]int32
	byAccount [][]int32
}

// AddAccount appends an account.
func (x *Index) AddAccount(i Info) {
	x.Accounts = append(x.Accounts, i)
	x.byAccount = append(x.byAccount, nil)
}

// Meet enters what is known of a series. Known only by its position, it has no routes yet.
func (x *Index) Meet(series, target int32, scraped bool, routes []Route) {
	for len(x.Series) <= int(series) {
		x.Series = append(x.Series, Series{Target: -1})
	}
	s := &x.Series[series]
	if target >= 0 {
		for len(x.byTarget) <= int(target) {
			x.byTarget, x.Scraped = append(x.byTarget, nil), append(x.Scraped, false)
		}
		x.Scraped[target] = x.Scraped[target] || scraped
		if s.Target < 0 {
			s.Target = target
			x.byTarget[target] = append(x.byTarget[target], series)
		}
	}
	if s.Routes == nil {
		s.Routes = routes
		for _, r := range routes {
			x.byAccount[r.Account] = append(x.byAccount[r.Account], series)
		}
	}
}

func (x *Index) name(series int32) string {
	if x.Name == nil {
		return ""
	}
	return x.Name(series)
}

// shares reports whether two series count for the same account in the same role. A series of which
// only the position is known may.
func (x *Index) shares(a, b int32) bool {
	if x.Series[b].Routes == nil {
		return true
	}
	for _, r := range x.Series[a].Routes {
		for _, o := range x.Series[b].Routes {
			if r == o {
				return true
			}
		}
	}
	return false
}

// differ returns by how many labels two series differ; 1 where that is not known.
func (x *Index) differ(a, b int32) int {
	if x.Differ != nil {
		if n := x.Differ(a, b); n >= 0 {
			return n
		}
	}
	return 1
}

// targetOf returns the target of a series, -1 if it has none.
func (x *Index) targetOf(series int32) int32 {
	if series < 0 || int(series) >= len(x.Series) {
		return -1
	}
	return x.Series[series].Target
}

// isUp reports whether a series is an uptime gauge.
func (x *Index) isUp(series int32) bool {
	routes := x.Series[series].Routes
	return len(routes) > 0 && routes[0].Role == Up
}

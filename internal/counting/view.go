package counting

import "slices"

// view is a state and the index that numbers it: what is known when samples come, and the faults
// that are found in them.
type view struct {
	*State
	index *Index
}

// known reports whether a series has a position that is not forgotten.
func (v view) known(series int32) bool {
	ms := v.Cursors[series].MS
	return ms > 0 && ms >= v.Last-Forget
}

// begun reports whether an account of the series had begun before a time: a first value is no
// position then.
func (v view) begun(series int32, ms int64) bool {
	for _, r := range v.index.Series[series].Routes {
		if p := &v.Promises[v.index.Accounts[r.Account].Promise]; r.Role != Up && p.Begun > 0 && ms > p.Begun {
			return true
		}
	}
	return false
}

// young reports whether an account of the series began so lately that a target which is late may
// have been there before.
func (v view) young(series int32, ms int64) bool {
	for _, r := range v.index.Series[series].Routes {
		p := &v.Promises[v.index.Accounts[r.Account].Promise]
		if ms <= p.Begun+p.maxLate()+5*minuteMs {
			return true
		}
	}
	return false
}

// bound returns how many events a series of the target can have had since the scrape before.
func (v view) bound(target int32, ms, before int64) float64 {
	return slack + times*v.rate(target)*float64(max(ms-before, 0))/1000
}

// rate returns how many events a target like this has had lately, per second: its own, or, while it
// is young, the mean of those that count for the same accounts.
func (v view) rate(target int32) float64 {
	t := &v.Targets[target]
	if t.Rate > 0 && t.Last-t.Born > rateHalf {
		return t.Rate
	}
	var sum, n, old, nOld, young float64
	seen := map[int32]bool{target: true}
	for _, s := range v.index.byTarget[target] {
		for _, r := range v.index.Series[s].Routes {
			for _, o := range v.index.byAccount[r.Account] {
				i := v.index.Series[o].Target
				if seen[i] || i < 0 || int(i) >= len(v.Targets) {
					continue
				}
				seen[i] = true
				switch t := &v.Targets[i]; {
				case t.Last-t.Born <= forgive:
					young = max(young, t.Rate)
				case t.Last > v.Last-2*rateHalf:
					sum, n = sum+t.Rate, n+1
				case t.Last > v.Last-Forget:
					old, nOld = old+t.Rate, nOld+1
				}
			}
		}
	}
	switch {
	case n > 0:
		return max(sum/n, t.Rate)
	case nOld > 0:
		return max(old/nOld, t.Rate)
	}
	return max(young, t.Rate)
}

// trouble notes a fault of an account.
func (v view) trouble(account int32, f Fault, series int32) { v.blameFor(account, f, series, 1) }

// blameFor notes so many faults of one kind.
func (v view) blameFor(account int32, f Fault, series int32, n int) {
	t := v.troubleOf(account)
	t.N[f] += n
	if series < 0 || len(t.Names[f]) == maxNames {
		return
	}
	if name := v.index.name(series); name != "" && !slices.Contains(t.Names[f], name) {
		t.Names[f] = append(t.Names[f], name)
	}
}

// blame notes a fault of a series for all its accounts.
func (v view) blame(series int32, f Fault) {
	for i, r := range v.index.Series[series].Routes {
		if !slices.ContainsFunc(v.index.Series[series].Routes[:i], func(o Route) bool { return o.Account == r.Account }) {
			v.trouble(r.Account, f, series)
		}
	}
}

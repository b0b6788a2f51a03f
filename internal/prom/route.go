package prom

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/slo"
)

// label is one label of a series. A list of them is sorted by name.
type label struct{ name, value string }

func valueOf(ls []label, name string) string {
	for _, l := range ls {
		if l.name == name {
			return l.value
		}
	}
	return ""
}

// router finds the terms that a series belongs to without trying them all: every term stands in one
// index, under the value of the most telling label it fixes.
type router struct {
	terms   []term
	indexes []index
}

type index struct {
	label string
	terms map[string][]int32
}

const nameLabel = model.MetricNameLabel

func newRouter(terms []term) router {
	distinct := map[string]map[string]bool{}
	for _, t := range terms {
		for name, value := range fixed(t) {
			if distinct[name] == nil {
				distinct[name] = map[string]bool{}
			}
			distinct[name][value] = true
		}
	}
	r := router{terms: terms}
	byLabel := map[string]int{}
	for i, t := range terms {
		best := nameLabel
		values := fixed(t)
		for name := range values {
			if n, b := len(distinct[name]), len(distinct[best]); n > b || n == b && name < best {
				best = name
			}
		}
		at, ok := byLabel[best]
		if !ok {
			at = len(r.indexes)
			byLabel[best] = at
			r.indexes = append(r.indexes, index{best, map[string][]int32{}})
		}
		r.indexes[at].terms[values[best]] = append(r.indexes[at].terms[values[best]], int32(i))
	}
	return r
}

// fixed maps the labels that a term fixes to one value to that value.
func fixed(t term) map[string]string {
	out := map[string]string{nameLabel: t.metric}
	for _, m := range t.matchers {
		if m.Type == labels.MatchEqual {
			out[m.Name] = m.Value
		}
	}
	return out
}

// find calls f for every term that selects the series.
func (r *router) find(ls []label, f func(*term)) {
	for _, ix := range r.indexes {
		for _, i := range ix.terms[valueOf(ls, ix.label)] {
			if t := &r.terms[i]; t.selects(ls) {
				f(t)
			}
		}
	}
}

func (t *term) selects(ls []label) bool {
	if valueOf(ls, nameLabel) != t.metric {
		return false
	}
	for _, m := range t.matchers {
		if !m.Matches(valueOf(ls, m.Name)) {
			return false
		}
	}
	return true
}

// entry is what is known about one series.
type entry struct {
	series  int32 // cursor, -1 if it leads nowhere
	target  int32
	scraped bool // the target is a real one, with an instance
	routes  []route
}

// nowhere is the entry of all series that belong to nothing but budgets beyond the cap. Their
// samples are passed over.
var nowhere = &entry{series: -1}

// registry numbers the series, targets and budgets of a bundle. It only grows while a bundle lives;
// a number that a thrown-away read has used up is harmless.
type registry struct {
	seen     map[string]*entry // by the bytes of the labels, as the server writes them
	series   map[uint64]int32
	targets  map[uint64]int32
	accounts map[slo.ID]int32

	seriesHash []uint64
	targetHash []uint64
	ids        []slo.ID
	info       []accountInfo
	groups     []int // per spec
	members    []int // series per spec
	capped     map[int]bool
	beyond     map[uint64]struct{} // series of nothing but combinations beyond the cap, by a hash of their labels: there may be very many
	told       map[int]bool        // of capped
	baseline   int                 // series known after the first read
}

// bloated reports whether so many series have come and gone that the registry should be made anew.
func (r *registry) bloated() bool {
	if r.baseline == 0 {
		r.baseline = len(r.seen)
	}
	return len(r.seen) > 2*r.baseline+10_000
}

func newRegistry(b *bundle) registry {
	r := registry{
		seen: map[string]*entry{}, series: map[uint64]int32{}, targets: map[uint64]int32{}, accounts: map[slo.ID]int32{},
		groups: make([]int, len(b.specs)), members: make([]int, len(b.specs)), capped: map[int]bool{},
		beyond: map[uint64]struct{}{}, told: map[int]bool{},
	}
	for i, s := range b.specs {
		if len(s.By) == 0 {
			r.account(b, i, s.ID())
		}
	}
	return r
}

// account numbers a budget; -1 if its SLO has too many.
func (r *registry) account(b *bundle, spec int, id slo.ID) int32 {
	if i, ok := r.accounts[id]; ok {
		return i
	}
	if r.groups[spec] >= maxGroups {
		r.capped[spec] = true
		return -1
	}
	r.groups[spec]++
	i := int32(len(r.ids))
	r.accounts[id] = i
	r.ids = append(r.ids, id)
	info := accountInfo{promise: int32(spec), grouped: len(b.specs[spec].By) > 0}
	for _, t := range b.terms {
		if t.spec == spec {
			info.byGood = info.byGood || t.role == roleGood
			info.up = info.up || t.role == roleUp
		}
	}
	r.info = append(r.info, info)
	return i
}

func number(index map[uint64]int32, list *[]uint64, hash uint64) int32 {
	if i, ok := index[hash]; ok {
		return i
	}
	i := int32(len(*list))
	index[hash] = i
	*list = append(*list, hash)
	return i
}

// entry looks a series up by its labels as JSON, and gets to know it if it is new.
func (b *bundle) entry(metric []byte) (*entry, error) {
	if e, ok := b.reg.seen[string(metric)]; ok {
		return e, nil
	}
	hash := hashBytes(metric)
	if _, ok := b.reg.beyond[hash]; ok {
		return nowhere, nil
	}
	var ls []label
	if err := eachLabel(metric, func(n, v string) { ls = append(ls, label{n, v}) }); err != nil {
		return nil, err
	}
	slices.SortFunc(ls, func(a, b label) int { return strings.Compare(a.name, b.name) })
	e := b.meet(ls)
	if e == nowhere {
		b.reg.beyond[hash] = struct{}{}
		return e, nil
	}
	b.reg.seen[string(metric)] = e
	return e, nil
}

func (b *bundle) meet(ls []label) *entry {
	r := &b.reg
	e, turnedAway := &entry{series: -1}, false
	b.router.find(ls, func(t *term) {
		spec := b.specs[t.spec]
		a := r.account(b, t.spec, groupID(spec, ls))
		if a < 0 {
			turnedAway = true
			return
		}
		e.routes = append(e.routes, route{a, t.role})
		r.members[t.spec]++
	})
	if turnedAway && len(e.routes) == 0 {
		return nowhere
	}
	if len(e.routes) > 0 {
		e.series = number(r.series, &r.seriesHash, hashLabels(ls))
	}
	var hash uint64
	hash, e.scraped = targetHash(ls)
	e.target = number(r.targets, &r.targetHash, hash)
	return e
}

// targetHash names the target of a series. Without an instance nothing says who was asked.
func targetHash(ls []label) (hash uint64, scraped bool) {
	instance := valueOf(ls, "instance")
	if instance == "" {
		return hashLabels(nil), false
	}
	return hashLabels([]label{{"instance", instance}, {"job", valueOf(ls, "job")}}), true
}

// targetOf returns the number of a target that is known.
func (b *bundle) targetOf(ls []label) (int32, bool) {
	hash, _ := targetHash(ls)
	i, ok := b.reg.targets[hash]
	return i, ok
}

func hashBytes(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return mix(h.Sum64())
}

func hashLabels(ls []label) uint64 {
	h := fnv.New64a()
	for _, l := range ls {
		_, _ = h.Write([]byte(l.name))
		_, _ = h.Write([]byte{0xff})
		value := l.value
		if isNumber(l.name) { // written anew, it is the same series
			value = canonical(value)
		}
		_, _ = h.Write([]byte(value))
		_, _ = h.Write([]byte{0xff})
	}
	return mix(h.Sum64())
}

func groupID(s *slo.Spec, ls []label) slo.ID {
	if len(s.By) == 0 {
		return s.ID()
	}
	values := make(map[string]string, len(s.By))
	for _, name := range s.By {
		values[name] = valueOf(ls, name)
	}
	return GroupID(s.ID(), values)
}

// GroupID names one budget of an SLO with `by:` labels: service/name{route="/pay"}, the labels
// sorted by name and the values quoted as Go and PromQL do. Without labels it is the SLO's own
// name.
func GroupID(base slo.ID, values map[string]string) slo.ID {
	if len(values) == 0 {
		return base
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString(string(base))
	for i, name := range names {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(name + "=" + strconv.Quote(values[name]))
	}
	b.WriteByte('}')
	return slo.ID(b.String())
}

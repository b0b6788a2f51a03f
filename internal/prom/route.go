package prom

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/counting"
	"github.com/slowburn-sre/slowburn/internal/selectors"
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

// registry numbers the series, targets and budgets of a bundle. It only grows while a bundle lives;
// a number that a thrown-away read has used up is harmless.
type registry struct {
	counting.Index

	seen     map[string]int32 // series by the bytes of the labels, as the server writes them; -1 leads nowhere
	numbers  map[uint64]int32
	targets  map[uint64]int32
	accounts map[slo.ID]int32

	seriesHash []uint64
	targetHash []uint64
	labels     []string          // per series, its labels as the server writes them; "" while only its position is known
	instances  map[int32]string  // per target that was met
	parsed     map[int32][]label // of labels, where they were looked at
	tried      map[int32]int64   // series that are listed and showed no sample, and when they were asked for
	startless  map[int32]int64   // targets that do not show when their process or counters began, and when they were asked
	ids        []slo.ID
	groups     []int // per spec
	members    []int // series per spec
	capped     map[int]bool
	beyond     map[uint64]struct{} // series of nothing but combinations beyond the cap, by a hash of their labels, up to maxBeyond: others are looked at anew each time
	told       map[int]bool        // of capped
	baseline   int                 // series known after the first read
}

// met reports whether the labels of a target are known.
func (r *registry) met(target int32) bool {
	_, ok := r.instances[target]
	return ok
}

// bloated reports whether so many series have come and gone that the registry should be made anew.
func (r *registry) bloated() bool {
	if r.baseline == 0 {
		r.baseline = len(r.seen)
	}
	return len(r.seen) > 2*r.baseline+10_000
}

func newRegistry(b *bundle) *registry {
	r := &registry{
		seen: map[string]int32{}, numbers: map[uint64]int32{}, targets: map[uint64]int32{}, accounts: map[slo.ID]int32{},
		instances: map[int32]string{}, groups: make([]int, len(b.specs)), members: make([]int, len(b.specs)), capped: map[int]bool{},
		beyond: map[uint64]struct{}{}, told: map[int]bool{},
	}
	r.Name, r.Differ = r.name, r.differ
	for i, s := range b.specs {
		if len(s.By) == 0 {
			r.account(b, i, s.ID())
		}
	}
	return r
}

// account numbers a budget; -1 if its SLO has too many, or if its label values are too long.
func (r *registry) account(b *bundle, spec int, id slo.ID) int32 {
	if i, ok := r.accounts[id]; ok {
		return i
	}
	if r.groups[spec] >= maxGroups || len(id) > maxGroupID {
		r.capped[spec] = true
		return -1
	}
	r.groups[spec]++
	i := int32(len(r.ids))
	r.accounts[id] = i
	r.ids = append(r.ids, id)
	info := counting.Info{Promise: int32(spec), Grouped: len(b.specs[spec].By) > 0}
	for _, t := range b.terms {
		if t.spec == spec {
			info.ByGood = info.ByGood || t.role == counting.Good
			info.Up = info.Up || t.role == counting.Up
		}
	}
	info.Twin = info.ByGood && b.specs[spec].SLI.Histogram != nil
	r.AddAccount(info)
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

// series looks a series up by its labels as JSON, and gets to know it if it is new. It is -1 for
// one that leads nowhere.
func (b *bundle) series(metric []byte) (int32, error) {
	if i, ok := b.reg.seen[string(metric)]; ok {
		return i, nil
	}
	hash := hashBytes(metric)
	if _, ok := b.reg.beyond[hash]; ok {
		return -1, nil
	}
	text := string(metric)
	ls, err := parseLabels(text)
	if err != nil {
		return -1, err
	}
	i, turnedAway := b.meet(ls, text)
	if turnedAway {
		if len(b.reg.beyond) >= maxBeyond { // those that are still there come again
			clear(b.reg.beyond)
		}
		b.reg.beyond[hash] = struct{}{}
	} else {
		b.reg.seen[text] = i
	}
	return i, nil
}

// parseLabels reads labels as JSON, sorted by name.
func parseLabels(metric string) ([]label, error) {
	var ls []label
	if err := eachLabel([]byte(metric), func(n, v string) { ls = append(ls, label{n, v}) }); err != nil {
		return nil, err
	}
	slices.SortFunc(ls, func(a, b label) int { return strings.Compare(a.name, b.name) })
	return ls, nil
}

// meet gets to know a series. What leads to nothing but budgets beyond the cap is turned away: its
// samples are passed over.
func (b *bundle) meet(ls []label, text string) (series int32, turnedAway bool) {
	r := b.reg
	var routes []counting.Route
	var followed []int
	b.router.find(ls, func(t *term) {
		spec := b.specs[t.spec]
		a := r.account(b, t.spec, groupID(spec, ls))
		if a < 0 {
			turnedAway = true
			return
		}
		routes = append(routes, counting.Route{Account: a, Role: t.role})
		if !slices.Contains(followed, t.spec) {
			followed = append(followed, t.spec)
			r.members[t.spec]++
		}
	})
	if len(routes) == 0 {
		return -1, turnedAway
	}
	hash, scraped := targetHash(ls)
	target := number(r.targets, &r.targetHash, hash)
	r.instances[target] = valueOf(ls, "instance")
	i := r.number(hashLabels(ls))
	r.Meet(i, target, scraped, routes)
	r.labels[i] = text
	return i, false
}

// number numbers a series.
func (r *registry) number(hash uint64) int32 {
	i := number(r.numbers, &r.seriesHash, hash)
	for len(r.labels) <= int(i) {
		r.labels = append(r.labels, "")
	}
	return i
}

// labelsOf returns the labels of a series; none while only its position is known.
func (r *registry) labelsOf(series int32) []label {
	ls, ok := r.parsed[series]
	if !ok && r.labels[series] != "" {
		if len(r.parsed) > 100_000 || r.parsed == nil {
			r.parsed = map[int32][]label{}
		}
		ls, _ = parseLabels(r.labels[series])
		r.parsed[series] = ls
	}
	return ls
}

// differ returns by how many labels two series differ, -1 if that is not known.
func (r *registry) differ(a, b int32) int {
	as, bs := r.labelsOf(a), r.labelsOf(b)
	if as == nil || bs == nil {
		return -1
	}
	n := 0
	for len(as) > 0 || len(bs) > 0 {
		switch {
		case len(bs) == 0 || len(as) > 0 && as[0].name < bs[0].name:
			n, as = n+1, as[1:]
		case len(as) == 0 || bs[0].name < as[0].name:
			n, bs = n+1, bs[1:]
		default:
			if as[0].value != bs[0].value {
				n++
			}
			as, bs = as[1:], bs[1:]
		}
	}
	return n
}

// name writes a series as a selector.
func (r *registry) name(series int32) string {
	ls := r.labelsOf(series)
	if ls == nil {
		return ""
	}
	parts := make([]selectors.Matcher, 0, len(ls))
	for _, l := range ls {
		if l.name != nameLabel {
			parts = append(parts, selectors.Equal(l.name, l.value))
		}
	}
	return selectors.Write(valueOf(ls, nameLabel), parts...)
}

// targetHash names the target of a series. Without an instance nothing says who was asked.
func targetHash(ls []label) (hash uint64, scraped bool) {
	instance := valueOf(ls, "instance")
	if instance == "" {
		return hashLabels(nil), false
	}
	return hashLabels([]label{{"instance", instance}, {"job", valueOf(ls, "job")}}), true
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

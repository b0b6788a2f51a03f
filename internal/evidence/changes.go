package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/selectors"
	"github.com/slowburn-sre/slowburn/internal/signals"
)

const (
	lookBack   = 2 * time.Hour // how long before the onset a change may lie
	changeStep = time.Minute   // how exactly its time is known from metrics; it is given as the beginning of the step
	sameChange = 6 * time.Minute
	maxChanges = 5
)

// ActsBack is how long before the onset acts are of interest: a maintenance or an experiment may
// still go on.
const ActsBack = 24 * time.Hour

// changes looks for what was recorded and for what the metrics show.
func (g *gatherer) changes(ctx context.Context) ([]ranking.Suspect, error) {
	all := g.recorded()
	scope, names := g.scope()
	if len(scope) == 0 { // nobody has said which targets are the service's
		return likeliest(all, g.Onset), nil
	}
	look := []func(context.Context, []*labels.Matcher, []string) ([]ranking.Suspect, error){g.versions, g.generations, g.restarts}
	found := make([][]ranking.Suspect, len(look))
	failed := make([]error, len(look))
	var wg sync.WaitGroup
	for i, f := range look {
		wg.Go(func() { found[i], failed[i] = f(ctx, scope, names) })
	}
	wg.Wait()
	for _, f := range found {
		all = join(all, f)
	}
	return likeliest(all, g.Onset), errors.Join(failed...)
}

// recorded returns the changes that people or their pipelines declared, less those that were taken
// back.
func (g *gatherer) recorded() (out []ranking.Suspect) {
	undone := map[string]bool{}
	for _, a := range g.Acts {
		if a.Kind == alerting.Undo {
			undone[a.Other] = true
		}
	}
	for _, a := range g.Acts {
		c := a.Change
		if c == nil || undone[a.Key] || !a.Concerns(g.SLO) || c.Start.After(g.at) || c.Start.Before(g.Onset.Add(-lookBack)) && (c.End.IsZero() || c.End.Before(g.Onset)) {
			continue
		}
		out = append(out, ranking.Of(a))
	}
	return out
}

// targetLabels say which targets belong to a service, and not what a request was about.
var targetLabels = []string{"job", "namespace", "app", "service", "service_name", "app_kubernetes_io_name", "cluster", "env", "environment"}

// scope returns matchers that pick the service's own targets, and names that its workload may have.
func (g *gatherer) scope() (scope []*labels.Matcher, names []string) {
	if g.Service != nil && g.Service.Signals != nil {
		scope, _ = signals.ParseMatch(g.Service.Signals.Match)
	}
	if len(scope) == 0 {
		for _, q := range g.Spec.Queries() {
			s, _ := counterOf(q)
			for _, m := range s.matchers {
				if slices.Contains(targetLabels, m.Name) && m.Type == labels.MatchEqual && m.Value != "" {
					scope = append(scope, m)
				}
			}
			if len(scope) > 0 {
				break
			}
		}
	}
	names = []string{g.Spec.Service}
	for _, m := range scope {
		if m.Type == labels.MatchEqual && m.Name != "namespace" && m.Name != "cluster" && !strings.HasPrefix(m.Name, "env") {
			names = append(names, path.Base(m.Value)) // a job is often namespace/name
		}
	}
	slices.Sort(names)
	return scope, slices.Compact(names)
}

// curves asks for a query over the time around the onset.
func (g *gatherer) curves(ctx context.Context, query string) ([]prom.Curve, error) {
	curves, err := g.Client.Range(ctx, query, g.Onset.Add(-lookBack), g.at, changeStep)
	if err != nil {
		return nil, err
	}
	return curves, nil
}

// versionLabels are where build_info-like metrics keep the version, the most readable first.
var versionLabels = []string{"version", "short_version", "tag", "image_tag", "revision", "git_commit", "commit"}

// versions finds versions that appeared in metrics like build_info.
func (g *gatherer) versions(ctx context.Context, scope []*labels.Matcher, _ []string) ([]ranking.Suspect, error) {
	info := selectors.Pattern(model.MetricNameLabel, ".*build_info")
	by := selectors.By(append([]string{model.MetricNameLabel}, versionLabels...)...)
	query := "count " + by + " (" + selectors.Write("", append([]selectors.Matcher{info}, selectors.Of(scope...)...)...) + ")"
	curves, err := g.curves(ctx, query)
	if err != nil {
		return nil, err
	}
	byMetric := map[string][]prom.Curve{}
	for _, c := range curves {
		name := c.Labels[model.MetricNameLabel]
		byMetric[name] = append(byMetric[name], c)
	}
	var all []ranking.Suspect
	for _, name := range slices.Sorted(maps.Keys(byMetric)) {
		found := appeared(byMetric[name], version)
		for i := range found {
			found[i].Seen, found[i].Query = "seen in "+name, query
		}
		all = join(all, found)
	}
	return all, nil
}

// version returns what a series of build_info calls what runs.
func version(l map[string]string) string {
	for _, name := range versionLabels {
		if v := l[name]; v != "" {
			return markdown.Cut(v, 40)
		}
	}
	return ""
}

// appeared finds the times at which a series begins that was not there before, and names it and
// those that were.
func appeared(curves []prom.Curve, name func(map[string]string) string) (out []ranking.Suspect) {
	present := map[int64][]string{} // names by time
	for _, c := range curves {
		for _, p := range c.Points {
			if v := name(c.Labels); v != "" && !slices.Contains(present[p.At], v) {
				present[p.At] = append(present[p.At], v)
			}
		}
	}
	var before []string // the last that were there, over holes
	for _, at := range slices.Sorted(maps.Keys(present)) {
		now := present[at]
		slices.Sort(now)
		for _, v := range now {
			if before != nil && !slices.Contains(before, v) {
				out = append(out, ranking.Suspect{At: time.UnixMilli(at).UTC().Add(-changeStep), What: strings.Join(before, ", ") + " → " + v, Kind: ranking.Rollout, Version: v, From: strings.Join(before, ", ")})
			}
		}
		before = now
	}
	return out
}

// generations finds changes of the specification of a Kubernetes workload of the service's name.
func (g *gatherer) generations(ctx context.Context, scope []*labels.Matcher, names []string) ([]ranking.Suspect, error) {
	var queries []string
	for _, kind := range []string{"deployment", "statefulset", "daemonset"} {
		match := []selectors.Matcher{
			selectors.Pattern(model.MetricNameLabel, "kube_"+kind+"_(metadata|status_observed)_generation"),
			selectors.Any(kind, names...),
		}
		for _, m := range scope {
			if m.Name == "namespace" {
				match = append(match, selectors.Of(m)...)
			}
		}
		queries = append(queries, fmt.Sprintf(`label_replace(max by (namespace,%[1]s) (%[2]s), "kind", "%[1]s", "", "")`, kind, selectors.Write("", match...)))
	}
	query := strings.Join(queries, " or ")
	curves, err := g.curves(ctx, query)
	if err != nil {
		return nil, err
	}
	var all []ranking.Suspect
	for _, c := range curves {
		kind := c.Labels["kind"]
		for i := 1; i < len(c.Points); i++ {
			if p, q := c.Points[i-1], c.Points[i]; q.Value > p.Value {
				all = append(all, ranking.Suspect{
					At: time.UnixMilli(q.At).UTC().Add(-changeStep), What: kind + " " + c.Labels[kind] + " was changed",
					Seen: "seen in the generation of the " + kind, Query: query, Kind: ranking.Respecified,
				})
			}
		}
	}
	return all, nil
}

// restarts finds processes that started near the onset.
func (g *gatherer) restarts(ctx context.Context, scope []*labels.Matcher, _ []string) ([]ranking.Suspect, error) {
	query := "topk(1000, " + selectors.Metric("process_start_time_seconds", scope...) + ")"
	list, err := g.Client.Vector(ctx, query, g.at)
	if err != nil {
		return nil, err
	}
	var times []float64
	for _, e := range list {
		times = append(times, e.Value)
	}
	out := started(times, g.Onset.Add(-lookBack), g.at)
	for i := range out {
		out[i].Query = query
	}
	return out, nil
}

// started groups the start times (Unix seconds) of processes that began in [from, to].
func started(times []float64, from, to time.Time) (out []ranking.Suspect) {
	slices.Sort(times)
	last, n := math.Inf(-1), 0
	for _, t := range times {
		at := time.UnixMilli(int64(t * 1000)).UTC()
		if at.Before(from) || at.After(to) {
			continue
		}
		if t-last > sameChange.Seconds() {
			out, n = append(out, ranking.Suspect{At: at, Seen: "seen in process_start_time_seconds", Kind: ranking.Restart}), 0
		}
		last, n = t, n+1
		out[len(out)-1].What = figures.Count(n) + " of " + figures.Plural(len(times), "process") + " started anew"
	}
	return out
}

// join adds changes, less those that one of the others stands for: a deployment shows as a version,
// as a generation and as new processes. What was recorded, and the version, say most. That two came
// at about the same time is not enough, see [same].
func join(all, more []ranking.Suspect) []ranking.Suspect {
	for _, c := range more {
		i := slices.IndexFunc(all, func(a ranking.Suspect) bool { return same(a, c) })
		if i < 0 {
			all = append(all, c)
			continue
		}
		if a := &all[i]; a.Query == "" && c.Kind == ranking.Rollout {
			a.Seen, a.Query = a.Seen+" and "+c.Seen, c.Query
			a.Version, a.From = cmp.Or(a.Version, c.Version), cmp.Or(a.From, c.From)
		}
	}
	return all
}

// same reports whether two signs are of one change of the service: both are of something that was
// rolled out, from different sources, at about the same time, and of the same version as far as
// both say of which. An experiment, or a change of the configuration, rolls nothing out: a version
// that appears beside it is another change.
func same(a, c ranking.Suspect) bool {
	if a.Seen == c.Seen || a.At.Sub(c.At).Abs() > sameChange || !rollsOut(a) || !rollsOut(c) {
		return false
	}
	return a.Version == "" || c.Version == "" || trimmed(a.Version) == trimmed(c.Version)
}

// rollsOut reports whether a change brings something to run, and shows as that.
func rollsOut(c ranking.Suspect) bool {
	switch c.Kind {
	case "deploy", "rollback", ranking.Rollout, ranking.Respecified, ranking.Restart:
		return true
	}
	return false
}

// trimmed returns a version as others may write it: v2.4.1 and 2.4.1 are the same.
func trimmed(version string) string { return strings.TrimPrefix(version, "v") }

// likeliest orders changes by how near they are to the onset, those before it first: what came
// after it did not begin it.
func likeliest(all []ranking.Suspect, onset time.Time) []ranking.Suspect {
	after := func(c ranking.Suspect) int {
		if c.At.After(onset.Add(sameChange / 2)) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b ranking.Suspect) int {
		return cmp.Or(cmp.Compare(after(a), after(b)), cmp.Compare(a.At.Sub(onset).Abs(), b.At.Sub(onset).Abs()), cmp.Compare(a.What, b.What))
	})
	return all[:min(len(all), maxChanges)]
}

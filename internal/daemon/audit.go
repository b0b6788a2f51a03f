package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// recordConfig writes into the audit log that a configuration was taken into use, and what it
// changed.
func (a *Daemon) recordConfig(ctx context.Context, before, after *slo.Set, who string) {
	facts := difference(before, after)
	text := "the configuration was read anew"
	if before == nil {
		text = "slowburn was started"
		last, err := a.db.Acts(ctx, store.ActFilter{Kind: alerting.Configured, Limit: 1})
		if err != nil || len(last) > 0 && last[0].Facts["digest"] == facts["digest"] {
			return
		}
	}
	now := a.Now()
	act := alerting.Act{
		Key: "config/" + strconv.FormatInt(now.UnixNano(), 10), Kind: alerting.Configured, By: "slowburn", Who: who, Via: "config", Text: text, Facts: facts,
	}
	if err := a.Engine.Do(ctx, act, a.Clock()); err != nil {
		a.Log.Error("the audit log does not hold this configuration", "err", err)
	}
}

// difference names what distinguishes two sets of SLOs. The digest stands for the whole of the
// newer one.
func difference(before, after *slo.Set) map[string]string {
	old, now := printed(before), printed(after)
	var added, removed, changed []string
	for id, text := range now {
		switch was, known := old[id]; {
		case !known:
			added = append(added, id)
		case was != text:
			changed = append(changed, id)
		}
	}
	for id := range old {
		if _, still := now[id]; !still {
			removed = append(removed, id)
		}
	}
	facts := map[string]string{"slos": strconv.Itoa(len(now))}
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(now)) {
		fmt.Fprintf(sum, "%s\n%s\n", id, now[id])
	}
	facts["digest"] = hex.EncodeToString(sum.Sum(nil))
	for name, ids := range map[string][]string{"added": added, "removed": removed, "changed": changed} {
		if len(ids) > 0 && before != nil {
			slices.Sort(ids)
			facts[name] = strings.Join(ids, ", ")
		}
	}
	return facts
}

// printed returns every SLO of a set as it would be written, wherever it stands in the files.
func printed(set *slo.Set) map[string]string {
	all := map[string]string{}
	if set == nil {
		return all
	}
	for _, s := range set.Specs {
		all[string(s.ID())] = string(file.Print([]*slo.Spec{s}, nil, file.Layout{}))
	}
	return all
}

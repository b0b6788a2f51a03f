// Package receivers lists the kinds of receiver beside Slack. The reader of slowburn.yaml, its JSON
// Schema, the documentation, routes, `slowburn doctor` and the daemon know them from here and from
// nowhere else.
package receivers

import (
	"slices"

	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/alertmanager"
	"github.com/slowburn-sre/slowburn/internal/notify/pagerduty"
	"github.com/slowburn-sre/slowburn/internal/notify/webhook"
)

// Kinds returns all kinds, in the order in which they are told and stand in for each other.
func Kinds() []notify.Kind {
	return []notify.Kind{
		pagerduty.Kind(),
		alertmanager.Kind(),
		webhook.Kind(),
	}
}

// Kind finds the kind of a name such as "pagerduty" or "pagerduty/payments". It returns false for
// Slack and for what does not exist.
func Kind(name string) (notify.Kind, bool) {
	all := Kinds()
	n := slices.IndexFunc(all, func(k notify.Kind) bool { return k.Name == notify.KindOf(name) })
	if n < 0 {
		return notify.Kind{}, false
	}
	return all[n], true
}

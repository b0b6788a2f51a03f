package slack

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// MayAct says whose presses are taken: people, and members of user groups, by their IDs. The zero
// value takes everybody's of the workspace.
type MayAct struct{ Users, Groups []string }

func (m MayAct) everybody() bool { return len(m.Users)+len(m.Groups) == 0 }

// groups remembers who belongs to which user group.
type groups struct {
	mu    sync.Mutex
	known map[string]membership
}

type membership struct {
	users []string
	asked time.Time
}

// A list of members is asked for again after membersFresh. If it cannot be had, the one before
// counts for membersStale: whoever was on call a moment ago still is.
const (
	membersFresh = 5 * time.Minute
	membersStale = time.Hour
)

// members returns who belongs to a group.
func (g *groups) members(ctx context.Context, c *Client, group string, now time.Time) ([]string, error) {
	g.mu.Lock()
	had, known := g.known[group]
	g.mu.Unlock()
	if known && now.Sub(had.asked) < membersFresh {
		return had.users, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	users, err := c.api.GetUserGroupMembersContext(ctx, group)
	if err != nil {
		if known && now.Sub(had.asked) < membersStale {
			return had.users, nil
		}
		return nil, failureOf(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil {
		g.known = map[string]membership{}
	}
	g.known[group] = membership{users, now}
	return users, nil
}

// allowed does the work only for people who may act. Others are told who may, and nothing else is.
func (d *Desk) allowed(in *doors, user string, do func(context.Context) outcome) func(context.Context) outcome {
	return func(ctx context.Context) outcome {
		if in.MayAct.everybody() || slices.Contains(in.MayAct.Users, user) {
			return do(ctx)
		}
		var unknown error
		for _, group := range in.MayAct.Groups {
			users, err := in.groups.members(ctx, in.Client, group, d.Now())
			if slices.Contains(users, user) {
				return do(ctx)
			}
			if err != nil {
				unknown = err
				d.Log.Warn("who belongs to a user group of slack.may_act is not known", "group", group, "err", outbox.FailureOf(err))
			}
		}
		d.Log.Warn("somebody who may not act has pressed a button in Slack", "user", user)
		if unknown != nil {
			return whisper("⚠️ Slack does not say who belongs to the groups that may act here. Nothing has changed; please try again, or ask one of them." + in.MayAct.sentence())
		}
		return whisper("🚫 You may not do this here." + in.MayAct.sentence())
	}
}

// sentence says who may act.
func (m MayAct) sentence() string {
	var all []string
	for _, group := range m.Groups {
		all = append(all, "<!subteam^"+group+">")
	}
	for _, user := range m.Users {
		all = append(all, "<@"+user+">")
	}
	const named = 5
	if len(all) > named {
		all = append(all[:named], "others")
	}
	return " Those who may: " + strings.Join(all, ", ") + "."
}

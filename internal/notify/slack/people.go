package slack

import (
	"cmp"
	"context"
	"sync"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// people remembers what those who press buttons are called.
type people struct {
	mu    sync.Mutex
	names map[string]nameFor
	off   time.Time // until then nobody is looked up: the scope is missing
}

type nameFor struct {
	name       string // as they wrote it, "" if they did not
	enterprise string // the organisation that they belong to, "" if to none
	until      time.Time
}

const (
	maxPeople  = 2000
	personLife = 24 * time.Hour
	nameLimit  = 80
)

// name returns a person's real name, or what the request calls them if Slack does not tell
// (users:read is missing, or it takes too long). It is plain text.
func (p *people) name(ctx context.Context, c *Client, id, called string, now time.Time) string {
	who, _ := p.find(ctx, c, id, now)
	return plain(cmp.Or(who.name, called), nameLimit)
}

// find returns what Slack says of a person, false if it does not.
func (p *people) find(ctx context.Context, c *Client, id string, now time.Time) (nameFor, bool) {
	p.mu.Lock()
	known, ok := p.names[id]
	off := now.Before(p.off)
	p.mu.Unlock()
	if ok && now.Before(known.until) {
		return known, true
	}
	if off {
		return nameFor{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	u, err := c.api.GetUserInfoContext(ctx, id)
	if err != nil {
		if outbox.FailureOf(failureOf(err)).Class == outbox.Misconfigured {
			p.mu.Lock()
			p.off = now.Add(time.Hour)
			p.mu.Unlock()
		}
		return nameFor{}, false
	}
	who := nameFor{cmp.Or(u.RealName, u.Profile.DisplayName, u.Name), u.Enterprise.EnterpriseID, now.Add(personLife)}
	p.learn(id, who)
	return who, true
}

func (p *people) learn(id string, who nameFor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.names == nil || len(p.names) >= maxPeople {
		p.names = map[string]nameFor{}
	}
	p.names[id] = who
}

// Identity is who a bot token makes us.
type Identity struct {
	Team, TeamID string
	App          string // the app's ID, "" without users:read
	Enterprise   string // of an organisation with several workspaces, else ""
	Scopes       []string
	Skew         time.Duration // how far Slack's clock is ahead of ours, to the second
}

// Identity asks Slack who we are. It changes nothing.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	sent := time.Now()
	r, err := c.api.AuthTestContext(ctx)
	if err != nil || r.TeamID == "" {
		return Identity{}, failureOf(err)
	}
	i := Identity{Team: r.Team, TeamID: r.TeamID, Enterprise: r.EnterpriseID, Scopes: scopesOf(r.Header), Skew: skewOf(r.Header, sent)}
	if bot, err := c.api.GetBotInfoContext(ctx, goslack.GetBotInfoParameters{Bot: r.BotID}); err == nil {
		i.App = bot.AppID
	}
	return i, nil
}

// identityCache asks once, and again after a failure.
type identityCache struct {
	mu sync.Mutex
	is *Identity
}

func (c *identityCache) get(ctx context.Context, client *Client) (Identity, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.is != nil {
		return *c.is, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	i, err := client.Identity(ctx)
	if err == nil {
		c.is = &i
	}
	return i, err
}

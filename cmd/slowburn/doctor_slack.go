package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/notify/slack"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

const partSlack = "slack"

// slack looks at the token, what it may do, the channels, and the ways by which people can act.
// Nothing is posted.
func (d *doctor) slack(ctx context.Context) {
	receiver, err := daemon.NewSlack(d.cfg.Slack, d.getenv, d.log)
	if err != nil {
		d.add(stateFail, partSlack, "", "%v", err)
		return
	}
	client, bot := receiver.(*slack.Client)
	switch {
	case receiver == nil:
		d.add(stateOff, partSlack, "make an app from deploy/slack and set its token", "there is no bot token (SLACK_BOT_TOKEN or slack.bot_token_file) and no webhook")
		return
	case !bot:
		d.add(stateWarn, partSlack, "", sentences.ByWebhook)
		return
	}
	self, err := client.Identity(ctx)
	if err != nil {
		d.add(stateFail, partSlack, "see docs/slack.md", "the bot token does not work: %s", outbox.FailureOf(err).Reason)
		return
	}
	d.ok(partSlack, "the bot token works, in the workspace %s", self.Team)
	d.scopes(self)
	d.channels(ctx, client, self)
	d.doors(ctx, client, self)
}

// scopes says for every scope that is missing what is off without it.
func (d *doctor) scopes(self slack.Identity) {
	missing := 0
	for _, n := range slack.Needs() {
		if slices.Contains(self.Scopes, n.Scope) || n.Scope == slack.ScopeOfGroups && len(d.cfg.Slack.MayAct.Groups) == 0 {
			continue
		}
		missing++
		state := stateWarn
		if n.Scope == slack.Required {
			state = stateFail
		}
		d.add(state, partSlack, "add the scope "+n.Scope+" to the app (deploy/slack) and install it anew", "%s is off: %s", n.For, n.Without)
	}
	if missing == 0 {
		d.ok(partSlack, "it has all %s", figures.Plural(len(slack.Needs()), "scope"))
	}
}

// channels looks at every channel that the configuration or an SLO names.
func (d *doctor) channels(ctx context.Context, client *slack.Client, self slack.Identity) {
	can := func(scope string) bool { return slices.Contains(self.Scopes, scope) }
	for _, name := range d.channelNames() {
		place, err := client.Place(ctx, name)
		reason := ""
		if err != nil {
			reason = outbox.FailureOf(err).Reason
		}
		switch {
		case reason == "missing_scope" || reason == "not_allowed_token_type":
			d.add(stateWarn, partSlack, "add the scopes channels:read and groups:read", "whether %s can be posted to is not known", name)
		case reason == "channel_not_found" && !can("groups:read"):
			d.add(stateWarn, partSlack, "add the scope groups:read if it is private; else look whether it exists, and is not archived", "%s is not among the public channels", name)
		case reason == "channel_not_found":
			d.add(stateFail, partSlack, "write its name right, take it out of the archive, or invite the bot if it is private: /invite @slowburn", "there is no channel %s that the bot can see", name)
		case err != nil:
			d.add(stateWarn, partSlack, "try again", "whether %s can be posted to is not known: %s", name, reason)
		case place.Archived:
			d.add(stateFail, partSlack, "take it out of the archive, or name another channel", "%s is archived", name)
		case !place.Writable(can):
			d.add(stateFail, partSlack, "invite the bot there: /invite @slowburn", "the bot is no member of %s and may not post there", name)
		default:
			d.ok(partSlack, "%s can be posted to", name)
		}
	}
}

// channelNames returns the channels that messages may go to, sorted.
func (d *doctor) channelNames() []string {
	names := []string{d.cfg.Slack.Channel}
	for _, s := range d.set.Specs {
		names = append(names, s.Slack.Channel)
	}
	for _, r := range d.cfg.Reports {
		names = append(names, r.Channel)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(s string) bool { return s == "" })
}

// maxSkew is how far our clock may be from Slack's before signed requests are refused.
const maxSkew = 5 * time.Minute

// doors looks at the ways by which presses and commands come in.
func (d *doctor) doors(ctx context.Context, client *slack.Client, self slack.Identity) {
	ways, err := daemon.OpenDoors(d.cfg.Slack, client, d.getenv, d.log)
	switch {
	case err != nil:
		d.add(stateFail, partSlack, "", "%v", err)
		return
	case !ways.Open():
		d.add(stateOff, partSlack, "set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTPS); see docs/slack.md", "no buttons and no /slowburn: there is no app token and no signing secret")
	}
	if ways.AppToken != "" {
		n, err := slack.TrySocket(ctx, client, ways.AppToken)
		switch {
		case err != nil:
			d.add(stateFail, partSlack, "turn Socket Mode on in the app, and give it an app token with connections:write", "Socket Mode does not connect: %s", outbox.FailureOf(err).Reason)
		case n > 8:
			d.add(stateWarn, partSlack, "an app may have ten; stop what else runs with this token", "Socket Mode connects; the app has %s", figures.Plural(n, "connection"))
		default:
			d.ok(partSlack, "Socket Mode connects")
		}
	}
	d.signing(ways, self)
	if skew := self.Skew.Abs(); skew > time.Minute {
		d.add(stateWarn, "clock", "let this machine keep its time by NTP", "Slack's clock is %s from ours", figures.Duration(skew))
	}
}

func (d *doctor) signing(ways slack.Doors, self slack.Identity) {
	switch n := len(ways.SigningSecrets); {
	case n == 0:
		return
	case self.Skew.Abs() > maxSkew:
		d.add(stateFail, partSlack, "let this machine keep its time by NTP", "signed requests are refused: Slack's clock is %s from ours", figures.Duration(self.Skew.Abs()))
	case n > 1:
		d.add(stateWarn, partSlack, "take the old one out when the change is done", "signed requests are taken, by any of %s", figures.Plural(n, "signing secret"))
	default:
		d.ok(partSlack, "signed requests are taken; that they reach this machine only a press can show")
	}
	if bad := slices.IndexFunc(ways.SigningSecrets, func(s slack.Secret) bool {
		return strings.HasPrefix(s.Reveal(), "xox") || strings.HasPrefix(s.Reveal(), "xapp")
	}); bad >= 0 {
		d.add(stateFail, partSlack, "copy the signing secret from Basic Information of the app", "signing secret no. %d: this is a token", bad+1)
	}
}

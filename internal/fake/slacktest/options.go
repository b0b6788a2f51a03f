package slacktest

import (
	"cmp"
	"time"
)

// Options describe the workspace. The zero value is a workspace with two public channels, "general"
// and "reliability", and a bot that may do everything slowburn can make use of.
type Options struct {
	Addr string           // listen address; default "127.0.0.1:0"
	Now  func() time.Time // the workspace's clock; default time.Now

	Team     string // workspace name
	TeamID   string
	AppName  string // the bot's display name
	AppID    string
	BotID    string
	BotUser  string // the bot's user ID
	Token    string // the bot token
	Scopes   []string
	AppToken string // the app-level token, which opens Socket Mode
	Channels []Channel
	Users    []User
	Groups   map[string][]string // user groups, by ID: the IDs of their members
	// Enterprise is the organisation that the workspace belongs to; "" is none.
	Enterprise string

	// Unpaced switches the rate limits off, for tests about something else. A 429 that was injected
	// must still be waited out.
	Unpaced bool
	// NoCharts makes a workspace that data_visualization has not reached yet: it answers
	// invalid_blocks to every message with a chart.
	NoCharts bool

	// Where signed button presses and slash commands are sent; see [Server.Press]. Empty: buttons
	// are shown but cannot be pressed. Can be set later with [Server.SetCallbacks].
	InteractionsURL string
	CommandsURL     string
	SigningSecret   string
	// SignedAt is the clock of the request signatures; default Now. A receiver that judges their
	// age by the real clock wants time.Now here.
	SignedAt func() time.Time
	// PingEvery is the time between two pings over Socket Mode, on the wall's clock; default a
	// second.
	PingEvery time.Duration
	// AckWithin is how long an interaction may go unanswered, on the wall's clock; default 3 s, as
	// in Slack. Tests of what an answer says give it longer.
	AckWithin time.Duration
}

// AllScopes returns every scope the stand-in knows, and the default of [Options].Scopes.
func AllScopes() []string {
	return []string{
		"chat:write", "chat:write.public", "chat:write.customize",
		"channels:history", "groups:history", "channels:read", "groups:read", "channels:join",
		"files:write", "users:read", "usergroups:read", "reactions:write", "commands", "incoming-webhook",
	}
}

// withDefaults fills what was left out.
func (o Options) withDefaults() Options {
	set := func(s *string, v string) { *s = cmp.Or(*s, v) }
	set(&o.Addr, "127.0.0.1:0")
	set(&o.Team, "Acme Shop")
	set(&o.TeamID, "T0SLOW0001")
	set(&o.AppName, "slowburn")
	set(&o.AppID, "A0SLOW0001")
	set(&o.BotID, "B0SLOW0001")
	set(&o.BotUser, "U0SLOWBOT")
	set(&o.Token, "xoxb-stand-in-token")
	set(&o.AppToken, "xapp-1-A0SLOW0001-stand-in")
	set(&o.SigningSecret, "stand-in-signing-secret")
	o.PingEvery = cmp.Or(o.PingEvery, time.Second)
	o.AckWithin = cmp.Or(o.AckWithin, ackTimeout)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SignedAt == nil {
		o.SignedAt = o.Now
	}
	if o.Scopes == nil {
		o.Scopes = AllScopes()
	}
	if o.Channels == nil {
		o.Channels = []Channel{
			{Name: "general", Purpose: "Company-wide announcements", Joined: true},
			{Name: "reliability", Purpose: "What our error budgets are doing", Joined: true},
		}
	}
	if len(o.Users) == 0 {
		o.Users = []User{{ID: "U0ANA", Name: "ana", Real: "Ana Sousa"}, {ID: "U0BEN", Name: "ben", Real: "Ben Okafor"}}
	}
	return o
}

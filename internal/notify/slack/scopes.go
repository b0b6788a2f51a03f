package slack

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Need is one method of Slack's API that slowburn calls, with the scope that it takes and what it
// is for. The manifests in deploy/slack ask for these scopes and for no other.
type Need struct {
	Scope   string
	Methods []string // that need it; none for what Slack itself does with the scope
	For     string   // what it gives
	Without string   // what is off if it is missing
}

// ScopeOfGroups is needed only where user groups say who may act.
const ScopeOfGroups = "usergroups:read"

// Required is the one scope without which nothing works.
const Required = "chat:write"

// Needs returns the bot's scopes, most important first.
func Needs() []Need {
	return []Need{
		{Required, []string{"chat.postMessage", "chat.update", "chat.delete"}, "messages about incidents and reports", "nothing is posted at all"},
		{"chat:write.public", nil, "posting into public channels without an invitation", "the bot must be invited into every channel"},
		{"commands", nil, "the command /slowburn", "there is no /slowburn"},
		{"channels:history", []string{"conversations.history", "conversations.replies"}, "looking a message up after a broken connection, in public channels", "a message whose sending was interrupted may come twice"},
		{"groups:history", []string{"conversations.history", "conversations.replies"}, "the same in private channels", "there a message whose sending was interrupted may come twice"},
		{"channels:read", []string{"conversations.list", "conversations.info"}, "finding a public channel by its name, for looking up", "looking up works only for channels configured by ID, or after the first message"},
		{"groups:read", []string{"conversations.list", "conversations.info"}, "the same for private channels", "the same for private channels"},
		{"users:read", []string{"users.info", "bots.info"}, "the real names of those who acknowledge", "people are called by their user names"},
		{ScopeOfGroups, []string{"usergroups.users.list"}, "letting only the members of user groups act (`slack.may_act`)", "members of these groups may not act"},
		{"files:write", []string{"files.getUploadURLExternal", "files.completeUploadExternal"}, "the burn rate as a picture, where Slack's own charts have not come", "there the message has no chart"},
	}
}

// freely are the methods that need no scope.
var freely = []string{"auth.test"}

// scopesOf returns the scopes that a token was granted, from the header of any answer.
func scopesOf(h http.Header) []string {
	scopes := strings.FieldsFunc(h.Get("X-OAuth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
	slices.Sort(scopes)
	return scopes
}

// skewOf returns how far the clock of an answer is ahead of ours, from its Date header, which has
// whole seconds; zero if there is none.
func skewOf(h http.Header, sent time.Time) time.Duration {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return date.Sub(sent).Round(time.Second)
}

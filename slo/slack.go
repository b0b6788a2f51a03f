package slo

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The forms of what a file says about Slack, as regular expressions.
const (
	ChannelForm = `^(#[\p{L}\p{N}][-_\p{L}\p{N}]{0,79}|[CGD][A-Z0-9]{7,30})$`
	MentionForm = `^<(@[UW][A-Z0-9]{1,30}|!subteam\^S[A-Z0-9]{1,30}|!here|!channel)>$`
)

var (
	// Without the bound, for which the compiler would copy the letters of all scripts 79 times: 3
	// MB and 10 ms of every start.
	channelForm = regexp.MustCompile(strings.Replace(ChannelForm, "{0,79}", "*", 1))
	mentionForm = regexp.MustCompile(MentionForm)
)

// CheckChannel refuses what cannot be a channel. Its error says what to write after a semicolon.
func CheckChannel(s string) error {
	if !channelForm.MatchString(s) || utf8.RuneCountInString(s) > len("#")+80 {
		return fmt.Errorf(`%q is not a channel; write "#name" in quotes, in small letters without spaces, or the channel's ID such as C0123456789`, s)
	}
	return nil
}

// MaxMentions is how many people and groups one message may notify.
const MaxMentions = 10

// Mention notifies a person or a group by a message in Slack. Whoever holds one may write it into a
// message: only [ParseMention] makes them.
type Mention struct{ text string }

// String returns the mention as Slack reads it, such as <!subteam^S0123> or <@U0123>.
func (m Mention) String() string { return m.text }

// PeopleByID says why a mention is no name.
const PeopleByID = "Slack knows people by ID, not by name"

// ParseMention reads a mention. Its error says what to write after a semicolon.
func ParseMention(s string) (Mention, error) {
	if !mentionForm.MatchString(s) {
		return Mention{}, fmt.Errorf("%q mentions nobody; write <@U0123> for a person, <!subteam^S0123> for a group, <!here> or <!channel>; %s", s, PeopleByID)
	}
	return Mention{s}, nil
}

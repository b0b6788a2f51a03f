package alerting

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Some kinds of act may take a second person, by [Policy.FourEyes]. Whoever asks for one then has
// an [Asked] in the log and nothing else: no decision looks at that kind, so it has no effect. The
// approval of somebody else writes the act itself, as of then, beside the [Approve].

// FourEyesKinds are the kinds of act for which a second person may be asked for.
var FourEyesKinds = []ActKind{Override, Exempt, Classify}

// ApproveWithin is how long an ask waits for approval, unless the policy says something else.
const ApproveWithin = 24 * time.Hour

// TakesTwo reports whether a kind of act takes effect only when a second person approves it.
func (p *Policy) TakesTwo(kind ActKind) bool { return p != nil && slices.Contains(p.FourEyes, kind) }

// Waiting lists the asks among acts that may be approved at a time, in their order: nobody has
// decided about them, and they have not expired.
func Waiting(acts []Act, at time.Time) (all []Act) {
	for _, a := range acts {
		if a.Kind != Asked || !at.Before(a.Expires) {
			continue
		}
		if _, decided := DecisionOn(acts, a.Key); !decided {
			all = append(all, a)
		}
	}
	return all
}

// DecisionOn returns the approval or rejection of an ask among acts, false if there is none.
func DecisionOn(acts []Act, ask string) (Act, bool) {
	n := slices.IndexFunc(acts, func(a Act) bool { return (a.Kind == Approve || a.Kind == Reject) && a.Other == ask })
	if n < 0 {
		return Act{}, false
	}
	return acts[n], true
}

// shared are identities that are nobody's: whoever may read a file, or an environment, has them.
var shared = []string{"token local", "token SLOWBURN_WRITE_TOKEN"}

// Names lists who has proven to be whom by an Act's Who, without what proves it, in small letters.
// Identities that several people share are left out.
func Names(who string) (all []string) {
	for _, identity := range identitiesIn(who) {
		if slices.Contains(shared, identity) {
			continue
		}
		_, name, ok := strings.Cut(identity, " ")
		if !ok {
			name = identity // a user of Slack
		}
		if plain, err := strconv.Unquote(name); err == nil {
			name = plain
		}
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// identitiesIn parts what is told of several identities. A name with a comma in it is quoted.
func identitiesIn(who string) (all []string) {
	for who != "" {
		end, quoted := len(who), false
		for n := 0; n < len(who); n++ {
			switch {
			case who[n] == '\\' && quoted:
				n++
			case who[n] == '"':
				quoted = !quoted
			case who[n] == ',' && !quoted:
				end = n
			}
			if end == n {
				break
			}
		}
		all = append(all, strings.TrimSpace(who[:end]))
		who = who[min(end+1, len(who)):]
	}
	return all
}

// SamePerson reports whether two identities may be those of one person: they have a name in common,
// by whatever it was proven, or one of them is nobody's.
func SamePerson(who, other string) bool {
	a, b := Names(who), Names(other)
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}

package sentences

import (
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
)

// Deaf is a destination of pages that does not take them, or takes them again.
type Deaf struct {
	Destination string // "slack #payments-oncall"
	Services    []string
	Since       time.Time
	At          time.Time // when this is said
	Reason      string    // of the newest failure, "class: reason"
	Over        bool      // it takes pages again
	Else        []string  // where pages still go; none is nobody
}

// State returns the words that say how the destination stands.
func (d Deaf) State() string {
	if d.Over {
		return "Pages arrive again"
	}
	return "Pages do not arrive"
}

// Summary returns one sentence without its full stop.
func (d Deaf) Summary() string {
	if d.Over {
		return d.Destination + " takes pages again, after " + figures.Duration(d.At.Sub(d.Since))
	}
	return d.Destination + " takes no pages since " + figures.UTC(d.Since)
}

// Lines returns what a person needs to know, a text a line.
func (d Deaf) Lines() []Text {
	if d.Over {
		return []Text{say(foreign(d.Destination), " takes pages again. It took none from ", moment(d.Since), " to ", moment(d.At), "; what was owed meanwhile is sent now.")}
	}
	all := []Text{
		say(foreign(d.Destination), " takes no pages since ", moment(d.Since), ", ", figures.Duration(d.At.Sub(d.Since)), " before this message."),
		say("The newest error: ", foreign(d.Reason), "."),
	}
	if len(d.Services) > 0 {
		all = append(all, say("It concerns ", foreign(names(d.Services, "service")), "."))
	}
	if len(d.Else) == 0 {
		return append(all, say("Nobody else is told of them. What is owed waits."))
	}
	return append(all, say("Pages still go out by ", foreign(strings.Join(d.Else, ", ")), ". What is owed to it waits."))
}

// names lists a few and says how many there are more.
func names(all []string, unit string) string {
	const shown = 5
	words := strings.Join(all[:min(len(all), shown)], ", ")
	if n := len(all) - shown; n > 0 {
		words += " and " + figures.Plural(n, "more "+unit)
	}
	return words
}

// Drill is a page by which nothing is told but that pages arrive.
type Drill struct {
	Destination string // where it goes
	Services    []string
	Loud        bool      // it calls people, who are to acknowledge it
	Until       time.Time // of a loud one: how long it waits for them
	Burn        string    // what was made up: "100 % of 1,000 events"
	By          string    // who has acknowledged it, "" nobody
	After       time.Duration
	Over        bool
}

// State returns the words that a drill begins with, by which nobody takes it for a page.
func (Drill) State() string { return "Drill" }

// Summary returns one sentence without its full stop.
func (d Drill) Summary() string {
	switch {
	case d.By != "":
		return "nothing is wrong; " + d.By + " acknowledged this drill after " + figures.Duration(d.After)
	case d.Over && d.Loud:
		return "nothing is wrong; nobody acknowledged this drill"
	case d.Loud:
		return "nothing is wrong; please acknowledge this to show that pages reach you"
	}
	return "nothing is wrong; this shows that pages arrive here"
}

// Lines returns what a person needs to know, a text a line.
func (d Drill) Lines() []Text {
	all := []Text{say(strong("Nothing is wrong."), " This is a drill: slowburn made up a burn of ", d.Burn, ", decided to page, and sends it as a page, to ", foreign(d.Destination), ".")}
	if len(d.Services) > 0 {
		all = append(all, say("Pages and tickets of ", foreign(names(d.Services, "service")), " go there."))
	}
	switch {
	case d.By != "":
		return append(all, say(strong(d.By), " acknowledged it after ", strong(figures.Duration(d.After)), "."))
	case d.Loud && d.Over:
		return append(all, say("Nobody acknowledged it in time."))
	case d.Loud:
		return append(all, say("Whoever would take a page, please acknowledge this one until ", moment(d.Until), ". It counts for no report of incidents."))
	}
	return append(all, say("There is nothing to do. It counts for no report of incidents."))
}

// Instead says why a message goes out by another receiver than the one it was meant for.
func Instead(down string) string { return "Sent here because " + down + " could not be told." }

// Proven says how many routes of pages a drill has proven.
func Proven(proven, routes, destinations int) string {
	return figures.Count(proven) + " of " + figures.Plural(routes, "route") + " (a service's pages or tickets to one of " +
		figures.Plural(destinations, "destination") + ") proven by a drill in the last seven days."
}

// NobodyTold says that there is nowhere that anything could be told.
const NobodyTold = "nobody is told: there is no Slack bot token (SLACK_BOT_TOKEN or slack.bot_token_file), no webhook and no other receiver"

// ByWebhook says what Slack cannot do for who has no bot token there.
const ByWebhook = "Slack by webhook: no edits, no threads, no buttons, and a message may come twice after a broken connection; a bot token gives all of it"

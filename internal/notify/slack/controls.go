package slack

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
)

// Actions of the controls under a message. The value of a button, and the block_id of a menu, names
// the incident; the value of a menu's option says for how long.
const (
	actionPrefix     = "slowburn_" // of all of them, and of no other app's
	ActionAck        = actionPrefix + "ack"
	ActionSilence    = actionPrefix + "silence"
	ActionPage       = actionPrefix + "page"   // make it a page
	ActionTicket     = actionPrefix + "ticket" // make it a ticket
	ActionClose      = actionPrefix + "close"  // of one that a person has declared
	ActionPostmortem = actionPrefix + "postmortem"
)

// silences are for how long an incident may be silenced from Slack; zero is until the budget
// recovers.
var silences = []struct {
	words, value string
	length       time.Duration
}{
	{"1 hour", "1h", time.Hour},
	{"4 hours", "4h", 4 * time.Hour},
	{"Until it recovers", "recovered", 0},
}

// controls returns what can be done from a message; none acknowledges what is over.
func (f message) controls() []Block {
	if !f.composer.Interactive {
		return nil
	}
	id := controlID(f.Event.Incident)
	review := newButton(ActionPostmortem, "Postmortem", id, "")
	switch {
	case f.Event.Rule == alerting.RuleNoData && !f.Incident.Open:
		return nil
	case !f.Incident.Open:
		return []Block{actions(id, review)}
	}
	var row []any
	if _, acked := f.Incident.Acknowledged(); !acked {
		row = append(row, newButton(ActionAck, "Acknowledge", id, "primary"))
	}
	row = append(row, silenceMenu())
	switch {
	case f.Event.Rule == alerting.RuleNoData:
	case f.Incident.Loud() == alerting.Page:
		row = append(row, newButton(ActionTicket, "Make it a ticket", id, ""), review)
	default:
		row = append(row, newButton(ActionPage, "Make it a page", id, "danger"), review)
	}
	if f.Incident.Rule == alerting.RuleDeclared {
		row = append(row, newButton(ActionClose, "Close", id, ""))
	}
	return []Block{actions(id, row...)}
}

func silenceMenu() menu {
	m := menu{Type: "static_select", ActionID: ActionSilence, Placeholder: plainText("Silence for…")}
	for _, s := range silences {
		m.Options = append(m.Options, option{plainText(s.words), s.value})
	}
	return m
}

// controlID names an incident within the length of a block_id: by its ID, or by a hash of one that
// is too long.
func controlID(incident string) string {
	if len(incident) <= limitOf("block_id") {
		return incident
	}
	return "#" + hashKey(incident)
}

// incidentOf returns an incident's ID from what a control carried; "" if it is a hash and no open
// one has it.
func incidentOf(control string, open []alerting.Incident) string {
	if !strings.HasPrefix(control, "#") {
		return control
	}
	n := slices.IndexFunc(open, func(i alerting.Incident) bool { return controlID(i.ID) == control })
	if n < 0 {
		return ""
	}
	return open[n].ID
}

// press is one use of a control, as Slack describes it.
type press struct {
	user    string // ID
	name    string // what the request calls the person
	at      string // Slack's own time stamp of the press, which no other of the same person has
	action  string
	value   string // of the chosen option; "" for a button
	control string // names the incident
	channel string // ID
	hook    string // response_url
}

// key returns the same for every delivery of the same press, and for no other.
func (p press) key() string {
	return strings.Join([]string{"slack", p.user, p.at, p.action, cmp.Or(p.value, "-"), hashKey(p.control)}, "/")
}

// act returns what the press stands for, but for who did it and about what; false if it is no act.
func (p press) act(now time.Time) (alerting.Act, bool) {
	a := alerting.Act{Key: p.key(), Via: "slack", Who: p.user}
	switch p.action {
	case ActionAck:
		a.Kind = alerting.Acknowledge
	case ActionClose:
		a.Kind = alerting.Close
	case ActionPage:
		a.Kind, a.Level = alerting.Escalate, alerting.Page
	case ActionTicket:
		a.Kind, a.Level = alerting.Escalate, alerting.Ticket
	case ActionSilence:
		a.Kind = alerting.Silence
		for _, s := range silences {
			if s.value != p.value {
				continue
			}
			if s.length > 0 {
				a.Until = now.Add(s.length)
			}
			return a, true
		}
		return a, false
	}
	return a, a.Kind != ""
}

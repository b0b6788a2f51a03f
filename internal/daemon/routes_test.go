package daemon

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/notify/receivers"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

const everyReceiver = `
slack: {channel: "#reliability"}
pagerduty: [{routing_key_file: k}, {name: payments, routing_key_file: k}]
alertmanagers: [{url: "http://127.0.0.1:9093"}, {url: "http://127.0.0.1:9094", name: second}]
webhooks: [{url: "https://hook.example.com/"}]
`

func TestWhoIsTold(t *testing.T) {
	const everybody = "slack #reliability, pagerduty, pagerduty/payments, alertmanager/127.0.0.1:9093, alertmanager/second, webhook"
	const withoutPagers = "slack #reliability, alertmanager/127.0.0.1:9093, alertmanager/second, webhook"
	for name, c := range map[string]struct {
		routes       string
		severity     alerting.Severity
		withoutSlack bool
		want         string
	}{
		"a page goes to everybody":            {"", alerting.Page, false, everybody},
		"a ticket wakes nobody":               {"", alerting.Ticket, false, withoutPagers},
		"a notice wakes nobody":               {"", alerting.Notice, false, withoutPagers},
		"Slack is left out if it is not used": {"", alerting.Ticket, true, strings.TrimPrefix(withoutPagers, "slack #reliability, ")},
		"the first route that matches decides": {
			`[{match: {severity: ticket}, to: [slack]}, {match: {owner: payments}, to: [pagerduty/payments]}, {to: [webhook]}]`,
			alerting.Page, false, "pagerduty/payments",
		},
		"a kind is all of its kind": {`[{to: [alertmanager]}]`, alerting.Page, false, "alertmanager/127.0.0.1:9093, alertmanager/second"},
		"a list matches any of its values": {
			`[{match: {severity: [page, ticket], owner: [search, payments]}, to: [slack], channel: "#both"}]`, alerting.Ticket, false, "slack #both",
		},
		"all keys must match":            {`[{match: {owner: payments, service: search}, to: [webhook]}]`, alerting.Ticket, false, withoutPagers},
		"a tier matches":                 {`[{match: {tier: high_fast}, to: [webhook]}]`, alerting.Ticket, false, "webhook"},
		"a label of the budget matches":  {`[{match: {labels: {route: '/pay?<b>&"x"'}}, to: [webhook]}]`, alerting.Ticket, false, "webhook"},
		"another value does not":         {`[{match: {labels: {route: /cart}}, to: [webhook]}]`, alerting.Ticket, false, withoutPagers},
		"a name twice is one message":    {`[{to: [slack, webhook, slack]}]`, alerting.Page, false, "slack #reliability, webhook"},
		"a label that is missing is not": {`[{match: {labels: {region: eu}}, to: [webhook]}]`, alerting.Ticket, false, withoutPagers},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := parsed(t, everyReceiver+"routes: "+cmp.Or(c.routes, "[]"))
			got := NewRouting(cfg, !c.withoutSlack).To(notifytest.Spec(), notifytest.ID, c.severity)
			if TargetNames(got) != c.want {
				t.Errorf("told: %s\nwanted: %s", TargetNames(got), c.want)
			}
		})
	}
}

func TestRoutesThatMakeNoSense(t *testing.T) {
	for text, want := range map[string]string{
		`routes: [{to: [pagerduty]}]`:                        `no receiver called "pagerduty"`,
		`routes: [{to: []}]`:                                 "nobody is told",
		`routes: [{match: {severity: loud}, to: [slack]}]`:   `no severity "loud"`,
		`routes: [{match: {}}]`:                              "to is missing",
		`webhooks: [{url: "http://a/"}, {url: "http://b/"}]`: "two receivers called webhook",
		`webhooks: [{name: a/b, url: "http://a/"}]`:          "no slash",
		`webhooks: [{url: "http://a/", url_file: x}]`:        "keep one of the two",
		`webhooks: [{}]`:                                     "url is missing",
		`pagerduty: {}`:                                      "routing_key_file is missing",
		`alertmanagers: [{url: "ftp://a/"}]`:                 "cannot be an address with ftp:",
		`heartbeat: {interval: 1m}`:                          "url is missing",
		`fallback: {to: [webhook]}`:                          `no receiver called "webhook"`,
	} {
		_, err := config.Parse("f.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nsays %v\nand not %s", text, err, want)
		}
	}
}

// told is what a composer owes for each event of a story, as "receiver op" and for Slack with its
// thread's channel.
func toldBy(c composer, ticket bool) (lines []string) {
	seen := map[string]bool{}
	for _, f := range notifytest.Story("", ticket) {
		told := f.Notification
		var words []string
		for _, e := range c.Event(told, nil) {
			if seen[e.Key] {
				continue // what is owed already changes nothing
			}
			seen[e.Key] = true
			words = append(words, inShort(e, f.Incident.ID))
		}
		lines = append(lines, string(f.Event.Kind)+": "+strings.Join(words, ", "))
	}
	return lines
}

// inShort says who is owed an entry, and what it does.
func inShort(e outbox.Entry, thread string) string {
	word := fmt.Sprintf("%s%s %s", e.Receiver, e.Channel, e.Op)
	if e.IfTold {
		word += "?"
	}
	if e.Thread != thread {
		word += " in " + strings.TrimPrefix(e.Thread, thread)
	}
	return word
}

// TestOfEditsThatAreOwedTogetherTheLastIsComposed: a story that is told in one go, as after a hole,
// brings each channel's message up to date once, where its last event is told. What follows on it,
// and what other receivers get, is told of every event.
func TestOfEditsThatAreOwedTogetherTheLastIsComposed(t *testing.T) {
	cfg := parsed(t, everyReceiver+`
routes:
  - {match: {severity: ticket}, to: [slack, webhook], channel: "#tickets"}
  - {match: {severity: page}, to: [slack], channel: "#oncall"}
`)
	c, shown := newComposer(cfg, made(t, cfg), "", true, false), outbox.Shown{}
	story := notifytest.Story("", true)
	for _, want := range []string{
		"slack#tickets edit, slack#tickets reply, webhook reply?, slack#oncall edit in @#oncall, slack#oncall reply in @#oncall, " +
			"pagerduty edit?, pagerduty/payments edit?, alertmanager/127.0.0.1:9093 edit?, alertmanager/second edit?",
		"webhook post, webhook reply?", "webhook post, webhook reply?", "webhook post, webhook reply?", "webhook post, webhook reply?",
		"slack#tickets reply, webhook post, webhook reply?, slack#oncall post in @#oncall",
		"slack#tickets post, webhook post",
	} {
		last := story[len(story)-1]
		story = story[:len(story)-1]
		entries := c.Event(last.Notification, shown)
		shown.Add(entries)
		var words []string
		for _, e := range entries {
			words = append(words, inShort(e, last.Incident.ID))
		}
		if got := strings.Join(words, ", "); got != want {
			t.Errorf("%s: got  %s\nwant %s", last.Event.Kind, got, want)
		}
	}
	if other := (outbox.Shown{}); other.Has("slack", "#oncall", "x") || len(story) > 0 {
		t.Errorf("%d events were not told", len(story))
	}
}

func TestEveryReceiverHearsTheWholeStory(t *testing.T) {
	cfg := parsed(t, everyReceiver+`
routes:
  - {match: {severity: ticket}, to: [slack, webhook], channel: "#tickets"}
  - {match: {severity: page}, to: [slack, pagerduty/payments, alertmanager/second, webhook], channel: "#oncall"}
`)
	got := toldBy(newComposer(cfg, made(t, cfg), "", true, false), true)
	want := []string{
		"opened: slack#tickets post, webhook post",
		"escalated: slack#tickets edit, slack#tickets reply, webhook reply?, slack#oncall post in @#oncall, pagerduty/payments post, alertmanager/second post, alertmanager/second edit?",
		"updated: slack#tickets edit, webhook reply?, slack#oncall edit in @#oncall",
		"updated: slack#tickets edit, webhook reply?, slack#oncall edit in @#oncall",
		"updated: slack#tickets edit, webhook reply?, slack#oncall edit in @#oncall",
		"updated: slack#tickets edit, webhook reply?, slack#oncall edit in @#oncall",
		"resolved: slack#tickets edit, slack#tickets reply, webhook reply?, slack#oncall edit in @#oncall, slack#oncall reply in @#oncall, " +
			"pagerduty/payments edit?, alertmanager/second edit?, pagerduty edit?, alertmanager/127.0.0.1:9093 edit?",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// made are the receivers of a configuration, whatever its files of secrets hold.
func made(t *testing.T, cfg config.Config) map[string]notify.Receiver {
	t.Helper()
	all := map[string]notify.Receiver{}
	for _, r := range cfg.Receivers {
		s := notify.Settings{Values: map[string]notify.Secret{}, Client: notify.NewClient(), Now: func() time.Time { return notifytest.Noon }}
		for key, value := range r.Values {
			s.Values[key] = notify.Secret(value)
		}
		for key := range r.Files {
			s.Values[key] = testKey
		}
		kind, _ := receivers.Kind(r.Name)
		var err error
		if all[r.Name], err = kind.New(s); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// parsed reads the text of a configuration in which only what a test is about needs to stand.
func parsed(t *testing.T, text string) config.Config {
	t.Helper()
	cfg, err := config.Parse("slowburn.yaml", []byte("prometheus: {url: \"http://127.0.0.1:9090\"}\nslos: [slos/]\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

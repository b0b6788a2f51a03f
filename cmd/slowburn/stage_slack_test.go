package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// stageSlack plays with Slack:
//
//	slack start [on-time] [#CHANNEL…] SLACK_API names it, and SLACK_BOT_TOKEN is the bot's
//	slack webhook #CHANNEL FILE      writes the address of an incoming webhook into a file
//	slack expect #CHANNEL WORD…      waits for a new message that shows all of the words
//	slack thread WORD…               goes back to the message expected earlier that shows all of the words
//	slack reply WORD…                waits for a reply to it
//	slack edited WORD…               waits until it was edited and shows the words
//	slack nothing-else               insists that all messages were expected, and no rule of Slack broken
//	slack holds #CHANNEL N           counts the messages of a channel, without replies
//	slack fails STATUS               fails every call
//	slack heals
//	slack calls                      sends presses and commands to the daemon, signed
//	slack listens                    waits until the daemon is connected by Socket Mode
//	slack press ACTION [VALUE]       presses a button under the message, or chooses from a menu
//	slack command TEXT WORD…         types /slowburn TEXT and waits for an answer that shows the words
//	slack scopes SCOPE…              gives the bot's token these scopes and no other
//	slack leaves #CHANNEL            takes the bot out of a channel
func stageSlack(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	switch args[0] {
	case "start":
		s.startSlack(ts, args[1:])
	case "webhook":
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(s.slack.WebhookURL(args[1])), 0o600))
	case "expect":
		s.roots = append(s.roots, s.seen.Message(args[1], args[2:]...))
	case "thread":
		s.thread(ts, args[1:])
	case "reply":
		s.root().Reply(args[1:]...)
	case "edited":
		s.root().Edited(args[1:]...)
	case "nothing-else":
		s.seen.NothingElse()
	case "holds":
		if got := len(s.slack.State().Roots(args[1])); strconv.Itoa(got) != args[2] {
			ts.Fatalf("%s holds %d messages, not %s", args[1], got, args[2])
		}
	case "fails":
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		s.slack.Inject(slacktest.Fault{Count: -1, Do: slacktest.ServerError(status)})
	case "heals":
		s.slack.ClearFaults()
	case "calls":
		url := ts.Getenv("SLOWBURN_URL")
		s.slack.SetCallbacks(url+"/slack/interactions", url+"/slack/commands")
	case "listens":
		ts.Check(s.slack.Wait(patient(), func(st slacktest.State) bool { open, _ := st.Connections(); return open > 0 }))
	case "press":
		ack, err := s.slack.Choose(s.root().TS, args[1], strings.Join(args[2:], ""), "U0ANA")
		if err != nil || ack.Status != 200 {
			ts.Fatalf("the press of %s: %+v, %v", args[1], ack, err)
		}
	case "command":
		s.typed(ts, args[1], args[2:])
	case "scopes":
		s.slack.SetToken(s.slack.Token, args[1:]...)
	case "leaves":
		s.slack.SetJoined(args[1], false)
	default:
		ts.Fatalf("slack %s?", args[0])
	}
}

// root is the message that is talked about.
func (s *theatre) root() slacktest.Seen { return s.roots[len(s.roots)-1] }

func (s *theatre) thread(ts *testscript.TestScript, words []string) {
	for _, m := range s.roots {
		text := m.Now().Visible()
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			s.roots = append(s.roots, m)
			return
		}
	}
	ts.Fatalf("no message with %q was expected before", words)
}

// patient is a context for one wait.
func patient() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func (s *theatre) typed(ts *testscript.TestScript, text string, words []string) {
	if ack, err := s.slack.Command("reliability", "/slowburn", text, "U0ANA"); err != nil || ack.Status != 200 {
		ts.Fatalf("/slowburn %s: %+v, %v", text, ack, err)
	}
	ts.Check(s.slack.Wait(patient(), func(st slacktest.State) bool {
		return slices.ContainsFunc(st.Ephemerals(), func(e slacktest.Ephemeral) bool {
			said := slacktest.Message{Text: e.Text, Blocks: e.Blocks}.Visible()
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(said, w) })
		})
	}))
}

func (s *theatre) startSlack(ts *testscript.TestScript, channels []string) {
	o := slacktest.Options{
		Now: s.now, SignedAt: time.Now, AckWithin: patience,
		Channels: []slacktest.Channel{{Name: "reliability", Joined: true}},
	}
	for _, name := range channels {
		if name == "on-time" { // by the machine's clock, not the story's
			o.Now = time.Now
			continue
		}
		o.Channels = append(o.Channels, slacktest.Channel{Name: name[1:], Joined: true})
	}
	s.slack = slacktest.Start(o)
	s.seen = s.slack.Expect(told{ts})
	ts.Setenv("SLACK_API", s.slack.APIURL())
	ts.Setenv("SLACK_BOT_TOKEN", s.slack.Token)
}

// told lets an expectation of Slack fail a script.
type told struct{ *testscript.TestScript }

func (told) Helper() {}

// Context has no end of its own: an expectation brings its patience.
func (told) Context() context.Context { return context.Background() }

// Errorf fails at once, as everything in a script does.
func (t told) Errorf(format string, args ...any) { t.Fatalf("%s", fmt.Sprintf(format, args...)) }

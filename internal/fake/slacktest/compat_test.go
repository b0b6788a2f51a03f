package slacktest_test

import (
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	theirs "github.com/slack-go/slack/slacktest"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// One small session against both stand-ins: ours, and the one that slack-go's own authors ship.
// Where both have an opinion, it is the same.
func TestSessionAgreesWithSlackGosOwnServer(t *testing.T) {
	ours, _ := start(t, slacktest.Options{Channels: []slacktest.Channel{{ID: "C024BE91L", Name: "fun", Joined: true}}})
	other := theirs.NewTestServer()
	other.Start()
	t.Cleanup(other.Stop)
	for name, server := range map[string]struct{ url, token string }{
		"ours": {ours.APIURL(), ours.Token}, "theirs": {other.GetAPIURL(), "ABCDEFG"},
	} {
		t.Run(name, func(t *testing.T) {
			api := slack.New(server.token, slack.OptionAPIURL(server.url))
			auth, err := api.AuthTest()
			if err != nil || auth.UserID == "" || auth.TeamID == "" || auth.Team == "" {
				t.Errorf("auth.test: %+v, %v", auth, err)
			}
			channel, ts, err := api.PostMessage("C024BE91L", slack.MsgOptionText("hello", false), slack.MsgOptionBlocks(slack.NewDividerBlock()))
			if err != nil || channel != "C024BE91L" || !strings.Contains(ts, ".") && name == "ours" || ts == "" {
				t.Errorf("chat.postMessage: %q %q, %v", channel, ts, err)
			}
			info, err := api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: "C024BE91L"})
			if err != nil || info.ID != "C024BE91L" {
				t.Errorf("conversations.info: %+v, %v", info, err)
			}
			when, err := api.PostEphemeral("C024BE91L", "U0ANA", slack.MsgOptionText("psst", false))
			if err != nil || when == "" {
				t.Errorf("chat.postEphemeral: %q, %v", when, err)
			}
			if err := api.AddReaction("eyes", slack.NewRefToMessage(channel, ts)); err != nil {
				t.Errorf("reactions.add: %v", err)
			}
		})
	}
}

// The demo links this package, so nothing but its tests may need "testing".
func TestNoTestingOutsideTests(t *testing.T) {
	pkgs, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range pkgs {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if strings.Trim(i.Path.Value, `"`) == "testing" || strings.Contains(i.Path.Value, "httptest") {
				t.Errorf("%s imports %s", f.Name(), i.Path.Value)
			}
		}
	}
}

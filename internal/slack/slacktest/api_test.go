package slacktest_test

import (
	"testing"

	"github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/slack/slacktest"
)

// start runs a stand-in and a client for it.
func start(t *testing.T, opts slacktest.Options) (*slacktest.Server, *slack.Client) {
	t.Helper()
	srv := slacktest.Start(opts)
	t.Cleanup(srv.Close)
	return srv, slack.New(srv.Token, slack.OptionAPIURL(srv.APIURL()))
}

func TestSmoke(t *testing.T) {
	srv, api := start(t, slacktest.Options{})
	ch, ts, err := api.PostMessage("#general", slack.MsgOptionText("hello", false))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := api.UpdateMessage(ch, ts, slack.MsgOptionText("hello again", false)); err != nil {
		t.Fatal(err)
	}
	t.Log(srv.State())
}

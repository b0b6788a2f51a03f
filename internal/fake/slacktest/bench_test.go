package slacktest_test

import (
	"testing"

	"github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// A post and a look at the state, in a workspace that grows with b.N; the model checker does this
// all the time.
func BenchmarkPost(b *testing.B) {
	srv := slacktest.Start(slacktest.Options{Unpaced: true})
	defer srv.Close()
	api := slack.New(srv.Token, slack.OptionAPIURL(srv.APIURL()))
	for b.Loop() {
		if _, _, err := api.PostMessage("general", slack.MsgOptionText("x", false)); err != nil {
			b.Fatal(err)
		}
		_ = srv.State().Version()
	}
}

package slacktest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// app is a minimal receiver of callbacks, written with slack-go: it checks the signature, edits the
// message, and says so in the thread.
func app(t *testing.T, srv *slacktest.Server, api *slack.Client) (url string) {
	t.Helper()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		verifier, err := slack.NewSecretsVerifier(r.Header, srv.SigningSecret())
		if err == nil {
			_, _ = verifier.Write(body)
			err = verifier.Ensure()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/commands" {
			cmd, _ := slack.SlashCommandParse(r)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"text": cmd.Command + " " + cmd.Text + " for " + cmd.UserName})
			return
		}
		ic, err := slack.InteractionCallbackParse(r)
		if err != nil || len(ic.ActionCallback.BlockActions) != 1 {
			http.Error(w, "bad payload", http.StatusBadRequest)
			return
		}
		text := "acknowledged by " + ic.User.Name + " (" + ic.ActionCallback.BlockActions[0].Value + ")"
		_, _, _, _ = api.UpdateMessage(ic.Channel.ID, ic.Message.Timestamp, slack.MsgOptionText(text, false), slack.MsgOptionBlocks())
		_, _, _ = api.PostMessage(ic.Channel.ID, slack.MsgOptionText(text, false), slack.MsgOptionTS(ic.Message.Timestamp))
		_, _, _ = api.PostMessage("", slack.MsgOptionText("thanks", false), slack.MsgOptionResponseURL(ic.ResponseURL, slack.ResponseTypeEphemeral))
	})
	receiver := httptest.NewServer(h)
	t.Cleanup(receiver.Close)
	srv.SetCallbacks(receiver.URL+"/interactions", receiver.URL+"/commands")
	return receiver.URL
}

func ackButton() slack.MsgOption {
	text := slack.NewTextBlockObject("plain_text", "Acknowledge", false, false)
	return slack.MsgOptionBlocks(
		slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "burning at 14.4×", false, false), nil, nil),
		slack.NewActionBlock("", slack.NewButtonBlockElement("ack", "incident-7", text)))
}

func TestPressAsAPersonWould(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	app(t, srv, api)
	post(t, api, "general", "burning", ackButton())

	x := srv.Expect(t)
	root := x.Message("#general", "burning", "14.4×")
	root.Buttons("Acknowledge")
	root.Press("ack", "U0ANA")
	root.Edited("acknowledged by ana (incident-7)")
	root.Reply("acknowledged by ana")
	x.NothingElse()
	if e := srv.State().Ephemerals(); len(e) != 1 || e[0].Text != "thanks" || e[0].User != "U0ANA" {
		t.Errorf("ephemerals: %+v", e)
	}
}

func TestCallbacksOfAForger(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	app(t, srv, api)
	_, ts := post(t, api, "general", "burning", ackButton())
	status := func(change func(*http.Request)) int {
		t.Helper()
		ack, err := srv.Press(ts, "ack", "U0BEN", change)
		if err != nil {
			t.Fatal(err)
		}
		return ack.Status
	}
	want(t, "wrong signature", status(func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64)) }), 401)
	want(t, "another time", status(func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", "1531420618") }), 401)
	want(t, "no headers", status(func(r *http.Request) { r.Header.Del("X-Slack-Signature") }), 401)
	m, _ := srv.Message("general", ts)
	want(t, "no effect", m.Text, "burning")
	want(t, "the real one", status(func(*http.Request) {}), 200)
	ack, err := srv.Replay()
	if err != nil || ack.Status != 200 {
		t.Errorf("a replay within five minutes verifies, and is the app's business: %+v, %v", ack, err)
	}
}

func TestPressNeedsAButtonAndAnApp(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	_, ts := post(t, api, "general", "burning", ackButton())
	if _, err := srv.Press(ts, "ack", "U0ANA"); !errors.Is(err, slacktest.ErrNoCallbackURL) {
		t.Errorf("without an app: %v", err)
	}
	app(t, srv, api)
	if _, err := srv.Press(ts, "silence", "U0ANA"); err == nil {
		t.Error("a button that is not there was pressed")
	}
	if _, err := srv.Press("1.000001", "ack", "U0ANA"); err == nil {
		t.Error("a button of no message was pressed")
	}
}

func TestCommand(t *testing.T) {
	srv, api := start(t, slacktest.Options{})
	app(t, srv, api)
	ack, err := srv.Command("general", "/slowburn", "status", "U0ANA")
	if err != nil || ack.Body != `{"text":"/slowburn status for ana"}`+"\n" {
		t.Errorf("%+v, %v", ack, err)
	}
}

// The example that Slack publishes with its description of signatures.
func TestSignatureVector(t *testing.T) {
	body := "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	got := slacktest.Sign("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body)
	want(t, "signature", got, "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503")
}

// failures collects what a test would have been told.
type failures struct {
	*testing.T
	said []string
}

func (f *failures) Errorf(format string, args ...any) { f.said = append(f.said, format) }

func TestNothingElseNoticesWhatNobodyExpected(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	channel, ts := post(t, api, "general", "expected")
	_, reply := post(t, api, channel, "a reply", slack.MsgOptionTS(ts))
	post(t, api, channel, "astray", slack.MsgOptionTS(reply))
	f := &failures{T: t}
	x := srv.Expect(f)
	x.Message("general", "expected").Reply("a reply")
	x.NothingElse()
	want(t, "complaints: the message astray, and the violation", len(f.said), 2)
}

func TestWhatATestCanAskOfAMessage(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	channel, ts := post(t, api, "general", "paging <@U0ANA> and <!subteam^S1|@oncall>, not &lt;!here&gt;",
		slack.MsgOptionAttachments(slack.Attachment{Color: "danger", Text: "<!channel>", Blocks: slack.Blocks{BlockSet: []slack.Block{
			slack.NewActionBlock("", slack.NewButtonBlockElement("ack", "", slack.NewTextBlockObject("plain_text", "Ack", false, false))),
		}}}))
	post(t, api, channel, "resolved", slack.MsgOptionTS(ts), slack.MsgOptionBroadcast())
	x := srv.Expect(t)
	root := x.Message("general", "paging")
	root.Color("danger")
	root.Buttons("Ack")
	root.Broadcast("resolved")
	x.NothingElse()
	want(t, "mentions", root.Now().Mentions(), []string{"<@U0ANA>", "<!subteam^S1|@oncall>", "<!channel>"})
	if s := srv.State().String(); !strings.Contains(s, "↳") || !strings.Contains(s, "(broadcast)") {
		t.Errorf("the workspace as text:\n%s", s)
	}
}

func TestResponseURLAnswersForAWhile(t *testing.T) {
	c := newClock()
	srv, api := start(t, slacktest.Options{Now: c.Now, Unpaced: true})
	var hook string
	srv.SetCallbacks(receiveURL(t, &hook), "")
	channel, ts := post(t, api, "general", "burning", ackButton())
	if _, err := srv.Press(ts, "ack", "U0ANA"); err != nil {
		t.Fatal(err)
	}
	answer := func(o ...slack.MsgOption) error {
		_, _, err := api.PostMessage("", append(o, slack.MsgOptionText("taken", false))...)
		return err
	}
	if err := answer(slack.MsgOptionReplaceOriginal(hook)); err != nil {
		t.Error(err)
	}
	if err := answer(slack.MsgOptionResponseURL(hook, slack.ResponseTypeInChannel)); err != nil {
		t.Error(err)
	}
	want(t, "the channel", texts(srv.Messages(channel)), []string{"taken", "taken"})
	if err := answer(slack.MsgOptionDeleteOriginal(hook)); err != nil || len(srv.Messages(channel)) != 1 {
		t.Error("delete_original", err)
	}
	_, _ = answer(slack.MsgOptionResponseURL(hook, "")), answer(slack.MsgOptionResponseURL(hook, ""))
	if answer(slack.MsgOptionResponseURL(hook, "")) == nil {
		t.Error("a sixth use was taken")
	}
}

// receiveURL runs an app that only notes the response_url.
func receiveURL(t *testing.T, hook *string) string {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ic, _ := slack.InteractionCallbackParse(r)
		*hook = ic.ResponseURL
	}))
	t.Cleanup(receiver.Close)
	return receiver.URL
}

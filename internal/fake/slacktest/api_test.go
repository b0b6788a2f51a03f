package slacktest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"go.uber.org/goleak"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// slack-go's own test server, which compat_test.go asks, leaves a goroutine per message behind.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/slack-go/slack/slacktest.(*Server).queueForWebsocket"))
}

// start runs a stand-in and slack-go's client for it.
func start(t *testing.T, opts slacktest.Options) (*slacktest.Server, *slack.Client) {
	t.Helper()
	srv := slacktest.Start(opts)
	transport := &http.Transport{}
	t.Cleanup(func() {
		srv.Close()
		transport.CloseIdleConnections()
	})
	client := slack.New(srv.Token, slack.OptionAPIURL(srv.APIURL()), slack.OptionHTTPClient(&http.Client{Transport: transport}))
	return srv, client
}

// clock is a workspace clock that only moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 18, 14, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func post(t *testing.T, api *slack.Client, channel, text string, opts ...slack.MsgOption) (id, ts string) {
	t.Helper()
	id, ts, err := api.PostMessage(channel, append(opts, slack.MsgOptionText(text, false))...)
	if err != nil {
		t.Fatalf("post %q: %v", text, err)
	}
	return id, ts
}

func texts(messages []slacktest.Message) []string {
	out := []string{}
	for _, m := range messages {
		out = append(out, m.Text)
	}
	return out
}

// code is Slack's error code in an error of slack-go.
func code(err error) string {
	var slackErr slack.SlackErrorResponse
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &slackErr):
		return slackErr.Err
	}
	return err.Error()
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestMessageLife(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	channel, ts := post(t, api, "#general", "burning",
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "slowburn_incident", EventPayload: map[string]any{"key": "k1"}}))
	_, reply := post(t, api, channel, "opened", slack.MsgOptionTS(ts))
	_, loud := post(t, api, channel, "resolved", slack.MsgOptionTS(ts), slack.MsgOptionBroadcast())
	if _, _, _, err := api.UpdateMessage(channel, ts, slack.MsgOptionText("resolved: burning", false)); err != nil {
		t.Fatal(err)
	}

	want(t, "the channel", texts(srv.Messages("general")), []string{"resolved: burning", "resolved"})
	want(t, "the thread", texts(srv.Thread("#general", ts)), []string{"opened", "resolved"})
	m, _ := srv.Message("general", ts)
	want(t, "the earlier versions", texts(m.Edits), []string{"burning"})
	want(t, "found by metadata, which the edit kept", texts(srv.ByMetadata("key", "k1")), []string{"resolved: burning"})
	if ts >= reply || reply >= loud {
		t.Errorf("time stamps do not rise: %s %s %s", ts, reply, loud)
	}

	link, err := api.GetPermalink(&slack.PermalinkParameters{Channel: channel, Ts: reply})
	if err != nil || !strings.Contains(link, "/archives/"+channel+"/p"+strings.ReplaceAll(reply, ".", "")+"?thread_ts="+ts) {
		t.Errorf("permalink %q, %v", link, err)
	}
	if _, _, err := api.DeleteMessage(channel, reply); err != nil {
		t.Error(err)
	}
	want(t, "the thread after a deletion", texts(srv.Thread("general", ts)), []string{"resolved"})
	want(t, "violations", srv.Violations(), []slacktest.Violation(nil))
}

func TestTimeStampsAreUniqueOnAStandingClock(t *testing.T) {
	c := newClock()
	srv, api := start(t, slacktest.Options{Now: c.Now, Unpaced: true})
	_, first := post(t, api, "general", "a")
	c.advance(-time.Hour)
	_, second := post(t, api, "reliability", "b")
	if first >= second || first != "1795010400.000000" {
		t.Errorf("got %s, then %s\n%s", first, second, srv.State())
	}
}

func TestUpdateKeepsWhatIsLeftOut(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	block := slack.NewDividerBlock()
	channel, ts := post(t, api, "general", "x", slack.MsgOptionBlocks(block), slack.MsgOptionAttachments(slack.Attachment{Color: "danger"}))
	update := func(opts ...slack.MsgOption) slacktest.Message {
		t.Helper()
		if _, _, _, err := api.UpdateMessage(channel, ts, opts...); err != nil {
			t.Fatal(err)
		}
		m, _ := srv.Message(channel, ts)
		return m
	}
	m := update(slack.MsgOptionText("y", false))
	if !m.HasBlock("divider") || m.Color() != "danger" || m.Text != "y" {
		t.Errorf("an edit of the text lost something: %+v", m)
	}
	if m = update(slack.MsgOptionText("z", false), slack.MsgOptionBlocks()); m.HasBlock("divider") {
		t.Error("an empty list of blocks did not clear them")
	}
}

func TestHistoryPagesNewestFirst(t *testing.T) {
	_, api := start(t, slacktest.Options{Unpaced: true})
	var stamps []string
	var channel, root string
	for i := range 7 {
		id, ts := post(t, api, "general", fmt.Sprint("m", i), slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "e", EventPayload: map[string]any{"key": fmt.Sprint(i)}}))
		channel, root, stamps = id, ts, append(stamps, ts)
	}
	post(t, api, channel, "quiet reply", slack.MsgOptionTS(root))

	var seen []string
	params := &slack.GetConversationHistoryParameters{ChannelID: channel, Limit: 3, IncludeAllMetadata: true}
	for page := 0; ; page++ {
		h, err := api.GetConversationHistory(params)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range h.Messages {
			seen = append(seen, m.Text+" "+fmt.Sprint(m.Metadata.EventPayload["key"]))
		}
		if params.Cursor = h.ResponseMetaData.NextCursor; !h.HasMore {
			break
		}
	}
	want(t, "all pages", seen, []string{"m6 6", "m5 5", "m4 4", "m3 3", "m2 2", "m1 1", "m0 0"})

	h, err := api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: channel, Oldest: stamps[2], Latest: stamps[5]})
	if err != nil || len(h.Messages) != 2 || h.Messages[0].Text != "m4" || h.Messages[0].Metadata.EventType != "" {
		t.Errorf("between m2 and m5, without metadata: %+v, %v", h, err)
	}
	h, err = api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: channel, Oldest: stamps[2], Latest: stamps[5], Inclusive: true})
	if err != nil || len(h.Messages) != 4 {
		t.Errorf("inclusive: %d messages, %v", len(h.Messages), err)
	}
	replies, _, _, err := api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: root})
	if err != nil || len(replies) != 2 || replies[0].ReplyCount != 1 || replies[1].Text != "quiet reply" {
		t.Errorf("replies: %+v, %v", replies, err)
	}
	_, err = api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: channel, Cursor: "nonsense"})
	want(t, "a bad cursor", code(err), "invalid_cursor")
}

func TestRefusals(t *testing.T) {
	channels := []slacktest.Channel{
		{ID: "C1", Name: "open", Joined: true},
		{ID: "C2", Name: "elsewhere"},
		{ID: "C3", Name: "old", Archived: true, Joined: true},
		{ID: "C4", Name: "secret", Private: true},
		{ID: "C5", Name: "mine", Private: true, Joined: true},
	}
	say := func(channel string) func(*slack.Client) error {
		return func(api *slack.Client) error {
			_, _, err := api.PostMessage(channel, slack.MsgOptionText("x", false))
			return err
		}
	}
	read := func(channel string) func(*slack.Client) error {
		return func(api *slack.Client) error {
			_, err := api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: channel})
			return err
		}
	}
	edit := func(channel, ts string) func(*slack.Client) error {
		return func(api *slack.Client) error {
			_, _, _, err := api.UpdateMessage(channel, ts, slack.MsgOptionText("x", false))
			return err
		}
	}
	for _, c := range []struct {
		sentence string
		scopes   []string
		do       func(*slack.Client) error
		want     string
	}{
		{"a member posts", []string{"chat:write"}, say("open"), "ok"},
		{"posting needs chat:write", []string{"channels:read"}, say("open"), "missing_scope"},
		{"a stranger cannot post", []string{"chat:write"}, say("elsewhere"), "not_in_channel"},
		{"chat:write.public lets a stranger post", []string{"chat:write", "chat:write.public"}, say("elsewhere"), "ok"},
		{"an archived channel takes nothing", []string{"chat:write"}, say("old"), "is_archived"},
		{"a private channel is invisible to a stranger", slacktest.AllScopes(), say("secret"), "channel_not_found"},
		{"a private channel takes its member's post", []string{"chat:write"}, say("mine"), "ok"},
		{"there is no such channel", slacktest.AllScopes(), say("C9"), "channel_not_found"},
		{"reading needs channels:history", []string{"chat:write"}, read("C1"), "missing_scope"},
		{"channels:history is not for private channels", []string{"channels:history"}, read("C5"), "missing_scope"},
		{"groups:history is", []string{"groups:history"}, read("C5"), "ok"},
		{"reading takes no names", slacktest.AllScopes(), read("open"), "channel_not_found"},
		{"a stranger cannot read", slacktest.AllScopes(), read("C2"), "not_in_channel"},
		{"an update of nothing", slacktest.AllScopes(), edit("C1", "1.000001"), "message_not_found"},
		{"an update in an archived channel", slacktest.AllScopes(), edit("C3", "1.000001"), "is_inactive"},
		{"an empty message", slacktest.AllScopes(), func(api *slack.Client) error {
			_, _, err := api.PostMessage("C1")
			return err
		}, "no_text"},
		{"a malformed thread", slacktest.AllScopes(), func(api *slack.Client) error {
			_, _, err := api.PostMessage("C1", slack.MsgOptionText("x", false), slack.MsgOptionTS("yesterday"))
			return err
		}, "invalid_thread_ts"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			_, api := start(t, slacktest.Options{Channels: channels, Scopes: c.scopes})
			want(t, "error", code(c.do(api)), c.want)
		})
	}
}

func TestMissingScopeNamesIt(t *testing.T) {
	_, api := start(t, slacktest.Options{Scopes: []string{"chat:write", "channels:read"}})
	_, err := api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "C0SLOW0001"})
	var e slack.SlackErrorResponse
	if !errors.As(err, &e) || e.Needed != "channels:history" || e.Provided != "chat:write,channels:read" {
		t.Errorf("got %#v", err)
	}
}

func TestTokens(t *testing.T) {
	srv, api := start(t, slacktest.Options{Scopes: []string{"chat:write"}})
	var scopes string
	doctor := slack.New(srv.Token, slack.OptionAPIURL(srv.APIURL()), slack.OptionHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}),
		slack.OptionOnResponseHeaders(func(_ string, h http.Header) { scopes = h.Get("X-OAuth-Scopes") }))
	auth, err := doctor.AuthTest()
	if err != nil || auth.Team != "Acme Shop" || scopes != "chat:write" {
		t.Errorf("auth.test: %+v, %v, scopes %q", auth, err, scopes)
	}
	_, err = slack.New("xoxb-wrong", slack.OptionAPIURL(srv.APIURL()), slack.OptionHTTPClient(http.DefaultClient)).AuthTest()
	want(t, "an unknown token", code(err), "invalid_auth")
	http.DefaultClient.CloseIdleConnections()
	srv.RevokeToken(srv.Token)
	_, err = api.AuthTest()
	want(t, "a revoked token", code(err), "token_revoked")
	srv.SetToken(srv.Token, "chat:write")
	_, err = api.AuthTest()
	want(t, "the token reinstated", code(err), "ok")
}

func TestPeopleDoThings(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	channel, lonely := post(t, api, "general", "lonely")
	_, parent := post(t, api, channel, "parent")
	_, reply := post(t, api, channel, "reply", slack.MsgOptionTS(parent))
	srv.DeleteMessage("general", lonely)
	srv.DeleteMessage("general", parent)

	_, _, _, err := api.UpdateMessage(channel, lonely, slack.MsgOptionText("x", false))
	want(t, "update of a deleted message", code(err), "message_not_found")
	_, _, full, err := api.PostMessageWithResponse(channel, slack.MsgOptionText("late", false), slack.MsgOptionTS(lonely))
	if err != nil || full.ThreadTimestamp != "" {
		t.Errorf("a reply to a deleted message without a thread is in thread %q, %v", full.ThreadTimestamp, err)
	}
	_, _, full, err = api.PostMessageWithResponse(channel, slack.MsgOptionText("second", false), slack.MsgOptionTS(parent))
	if err != nil || full.ThreadTimestamp != parent {
		t.Errorf("a thread outlives its parent, but the reply is in %q, %v", full.ThreadTimestamp, err)
	}
	post(t, api, channel, "astray", slack.MsgOptionTS(reply))
	if v := srv.Violations(); len(v) != 1 || v[0].Kind != "reply-to-reply" {
		t.Errorf("violations: %v", v)
	}
	srv.SetArchived("general", true)
	_, _, err = api.PostMessage(channel, slack.MsgOptionText("x", false))
	want(t, "post to an archived channel", code(err), "is_archived")
	srv.Say("reliability", "U0ANA", "by hand", "")
	want(t, "said by a person", texts(srv.Messages("reliability")), []string{"by hand"})
}

func TestChannels(t *testing.T) {
	_, api := start(t, slacktest.Options{Channels: []slacktest.Channel{{Name: "a"}, {Name: "b", Archived: true}, {Name: "c", Private: true, Joined: true}, {Name: "d", Private: true}}})
	list, next, err := api.GetConversations(&slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}, ExcludeArchived: true, Limit: 1})
	if err != nil || len(list) != 1 || list[0].Name != "a" || next == "" {
		t.Fatalf("first page: %+v %q %v", list, next, err)
	}
	more, next, err := api.GetConversations(&slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}, ExcludeArchived: true, Limit: 1, Cursor: next})
	if err != nil || len(more) != 1 || more[0].Name != "c" || next != "" {
		t.Errorf("second page: %+v %q %v", more, next, err)
	}
	if _, _, _, err := api.JoinConversation(list[0].ID); err != nil {
		t.Error(err)
	}
	info, err := api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: list[0].ID})
	if err != nil || !info.IsMember || info.Name != "a" {
		t.Errorf("info: %+v %v", info, err)
	}
	user, err := api.GetUserInfo("U0ANA")
	if err != nil || user.RealName != "Ana Sousa" {
		t.Errorf("user: %+v %v", user, err)
	}
}

func TestFiles(t *testing.T) {
	srv, api := start(t, slacktest.Options{})
	channel, ts := post(t, api, "general", "incident")
	file, err := api.UploadFile(slack.UploadFileParameters{Filename: "report.md", Title: "Report", Content: "# Week", FileSize: 6, Channel: channel, ThreadTimestamp: ts, InitialComment: "all of it"})
	if err != nil {
		t.Fatal(err)
	}
	files := srv.State().Files()
	if len(files) != 1 || files[0].ID != file.ID || string(files[0].Content) != "# Week" || files[0].Title != "Report" {
		t.Errorf("files: %+v", files)
	}
	want(t, "the share", texts(srv.Thread("general", ts)), []string{"all of it"})
	want(t, "the calls", len(srv.Calls("files.getUploadURLExternal", "upload", "files.completeUploadExternal")), 3)
	_, err = api.UploadFile(slack.UploadFileParameters{Filename: "short", Content: "abc", FileSize: 5, Channel: channel})
	if err == nil {
		t.Error("a file shorter than announced was taken")
	}
	_, err = api.UploadFile(slack.UploadFileParameters{Filename: "named", Content: "abc", FileSize: 3, Channel: "general"})
	if err == nil || !strings.Contains(err.Error(), "channel_not_found") {
		t.Errorf("sharing by channel name: %v", err)
	}
}

func TestWebhook(t *testing.T) {
	c := newClock()
	srv, _ := start(t, slacktest.Options{Now: c.Now})
	send := func(url, body string) string {
		t.Helper()
		resp, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		return fmt.Sprintf("%d %s %s", resp.StatusCode, answer, resp.Header.Get("Retry-After"))
	}
	hook := srv.WebhookURL("#general")
	want(t, "a message", send(hook, `{"text":"hi","blocks":[{"type":"divider"}]}`), "200 ok ")
	want(t, "not JSON", send(hook, `hello`), "400 invalid_payload ")
	want(t, "nothing in it", send(hook, `{}`), "400 no_text ")
	want(t, "malformed blocks", send(hook, `{"blocks":[{"type":"alert"}]}`), "400 invalid_blocks ")
	want(t, "the fourth in one second", send(hook, `{"text":"again"}`), "429 rate_limited 1")
	want(t, "no such hook", send(srv.URL()+"/services/T/B/other", `{"text":"x"}`), "404 no_service ")
	want(t, "too early", send(hook, `{"text":"again"}`), "429 rate_limited 1")
	want(t, "violations", len(srv.Violations()), 1)
	c.advance(time.Second)
	srv.SetArchived("general", true)
	want(t, "an archived channel", send(hook, `{"text":"x"}`), "410 channel_is_archived ")
	m := srv.Messages("general")
	if len(m) != 1 || !m[0].Webhook || !m[0].HasBlock("divider") {
		t.Errorf("messages: %+v", m)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestUnknownMethodAndJSONBodies(t *testing.T) {
	srv, _ := start(t, slacktest.Options{})
	call := func(method, body string) string {
		req, _ := http.NewRequest(http.MethodPost, srv.APIURL()+method, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+srv.Token)
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		return fmt.Sprint(resp.StatusCode, " ", string(answer))
	}
	want(t, "unknown method", call("chat.shout", "{}"), `404 {"error":"unknown_method","ok":false,"req_method":"chat.shout"}`)
	answer := call("chat.postMessage", `{"channel":"general","text":"hi","metadata":{"event_type":"e","event_payload":{"key":"j"}},"blocks":[{"type":"divider"}]}`)
	if !strings.HasPrefix(answer, `200 {"channel"`) || len(srv.ByMetadata("key", "j")) != 1 || !srv.Messages("general")[0].HasBlock("divider") {
		t.Error(answer)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestWaitSeesAChangeAndGivesUpWithTheState(t *testing.T) {
	srv, api := start(t, slacktest.Options{})
	done := make(chan error, 1)
	go func() {
		done <- srv.Wait(t.Context(), func(st slacktest.State) bool { return len(st.Messages("general")) == 1 })
	}()
	post(t, api, "general", "now")
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := srv.Wait(ctx, func(slacktest.State) bool { return false })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "chat.postMessage") {
		t.Errorf("got %v", err)
	}
}

func TestSnapshotsDoNotChange(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	channel, ts := post(t, api, "general", "one")
	before := srv.State()
	if _, _, _, err := api.UpdateMessage(channel, ts, slack.MsgOptionText("two", false)); err != nil {
		t.Fatal(err)
	}
	post(t, api, "general", "three")
	want(t, "the snapshot", texts(before.Messages("general")), []string{"one"})
	want(t, "now", texts(srv.Messages("general")), []string{"two", "three"})
}

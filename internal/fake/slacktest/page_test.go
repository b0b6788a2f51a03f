package slacktest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// get fetches a page without following redirects.
func get(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// contains asserts that each piece is on the page.
func contains(t *testing.T, page string, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		if !strings.Contains(page, p) {
			t.Errorf("the page lacks %s\n%s", p, page)
		}
	}
}

func TestPageShowsWhatAPersonWouldSee(t *testing.T) {
	c := newClock()
	srv, api := start(t, slacktest.Options{Now: c.Now, Unpaced: true})
	channel, ts := post(t, api, "reliability", "burning", ackButton())
	post(t, api, channel, "opened", slack.MsgOptionTS(ts))
	post(t, api, channel, "<@U0ANA> it is over", slack.MsgOptionTS(ts), slack.MsgOptionBroadcast())
	post(t, api, channel, "a table", slack.MsgOptionBlocks(slack.NewTableBlock("").AddRow(slack.NewTableRawTextCell("SLO")).AddRow(slack.NewTableRawTextCell("search"))),
		slack.MsgOptionAttachments(slack.Attachment{Color: "#d9552b", Title: "Frozen"}))
	if _, _, _, err := api.UpdateMessage(channel, ts, slack.MsgOptionText("burning less", false)); err != nil {
		t.Fatal(err)
	}

	resp, page := get(t, srv.URL()+"/?channel="+channel+"&thread="+ts)
	contains(t, page,
		"#</span>reliability", "Wednesday, 18 November 2026", ">14:00<", // where and when
		"burning at 14.4×", ">Acknowledge</button>", "disabled", // blocks, and a button nobody listens to
		"(edited)", ">2 replies</a>", "replied to a thread", "also sent to the channel",
		`<span class="mention">@ana</span>`, "<th", "Frozen", `fill="#d9552b"`, "Thread</h2>")
	policy := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy: %s", policy)
	}
	if found := regexp.MustCompile(`(?:src|href|action)="(https?:)?//[^"]*"`).FindAllString(page, -1); len(found) > 0 {
		t.Errorf("the page names other hosts: %q", found)
	}
	if strings.Contains(page, "style=") {
		t.Error("an inline style, which the policy forbids")
	}
}

func TestPageOpensWhereSomethingHappened(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	post(t, api, "general", "first")
	post(t, api, "reliability", "newest")
	_, page := get(t, srv.URL()+"/")
	contains(t, page, "<title>#reliability", "newest")
}

func TestPermalinkLeadsToTheMessage(t *testing.T) {
	_, api := start(t, slacktest.Options{Unpaced: true})
	channel, ts := post(t, api, "general", "root")
	_, reply := post(t, api, channel, "reply", slack.MsgOptionTS(ts))
	link, err := api.GetPermalink(&slack.PermalinkParameters{Channel: channel, Ts: reply})
	if err != nil {
		t.Fatal(err)
	}
	resp, _ := get(t, link)
	want(t, "location", resp.Header.Get("Location"), "/?channel="+channel+"&thread="+ts+"#m"+reply)
}

func TestVersionGrowsWithEveryVisibleChange(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	last := ""
	step := func(what string) {
		t.Helper()
		_, now := get(t, srv.URL()+"/-/version")
		if now == last {
			t.Errorf("%s did not change the version", what)
		}
		last = now
	}
	step("nothing")
	channel, ts := post(t, api, "general", "x")
	step("a post")
	_, _, _, _ = api.UpdateMessage(channel, ts, slack.MsgOptionText("y", false))
	step("an edit")
	srv.React("general", ts, "eyes", "U0ANA")
	step("a reaction")
	srv.DeleteMessage("general", ts)
	step("a deletion")
	_, _ = api.AuthTest()
	if _, now := get(t, srv.URL()+"/-/version"); now != last {
		t.Error("a call that shows nothing changed the version")
	}
}

func TestPressingOnThePage(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	app(t, srv, api)
	channel, ts := post(t, api, "general", "burning", ackButton())
	_, page := get(t, srv.URL()+"/")
	contains(t, page, `name="action" value="ack"`)
	press := func(origin string) int {
		form := url.Values{"channel": {channel}, "ts": {ts}, "action": {"ack"}}
		req, _ := http.NewRequest(http.MethodPost, srv.URL()+"/press", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	want(t, "from another site", press("http://evil.example"), http.StatusForbidden)
	want(t, "from the page", press(srv.URL()), http.StatusSeeOther)
	m, _ := srv.Message("general", ts)
	want(t, "the message", m.Text, "acknowledged by ana (incident-7)")
}

// rendered is how the page shows one text.
func rendered(t *testing.T, srv *slacktest.Server, text string) string {
	t.Helper()
	m := srv.Say("general", "U0ANA", text, "")
	_, page := get(t, srv.URL()+"/?channel=general")
	_, page, _ = strings.Cut(page, `id="m`+m.TS+`"`)
	_, page, _ = strings.Cut(page, `<div class="text">`)
	page, _, _ = strings.Cut(page, "</article>")
	out, _, _ := strings.Cut(page, "</div>")
	return out
}

func TestMrkdwn(t *testing.T) {
	c := newClock()
	srv, _ := start(t, slacktest.Options{Now: c.Now})
	day := c.Now().Unix()
	for _, c := range []struct{ sentence, in, want string }{
		{"bold, italics, struck", "*a* _b_ ~c~", "<strong>a</strong> <em>b</em> <s>c</s>"},
		{"nested", "*a _b_*", "<strong>a <em>b</em></strong>"},
		{"not inside words", "snake_case_name 2*3*4", "snake_case_name 2*3*4"},
		{"not around spaces", "a * b * c", "a * b * c"},
		{"code keeps its stars", "`*a* &lt;b&gt;`", "<code>*a* &lt;b&gt;</code>"},
		{"a fence", "x\n```\na < b\n*c*\n```\ny", "x<pre>a &lt; b\n*c*</pre>y"},
		{"an open fence is text", "```a", "```a"},
		{"a quote", "&gt; one\n&gt; two\nthree", "<blockquote>one<br>two</blockquote>three"},
		{"a link", "<https://a.example/?x=1&amp;y=2|here>", `<a rel="noopener noreferrer nofollow" href="https://a.example/?x=1&amp;y=2">here</a>`},
		{"a person, a channel, everyone", "<@U0BEN> <#C0SLOW0002> <!here>", `<span class="mention">@ben</span> <a class="mention" href="/?channel=C0SLOW0002">#reliability</a> <span class="mention">@here</span>`},
		{"a group", "<!subteam^S1|@payments>", `<span class="mention">@payments</span>`},
		{"entities", "1 &lt; 2 &amp; 3", "1 &lt; 2 &amp; 3"},
		{"an emoji", ":fire: :nosuch:", `<span class="emoji" title=":fire:">🔥</span> :nosuch:`},
		{"a date today", fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|then>", day), `<time datetime="2026-11-18T14:00:00Z" title="18 November 2026 14:00:00 UTC">today 14:00</time>`},
		{"a date that is none", "<!date^x^{time}|then>", "then"},
		{"a script", "<script>alert(1)</script>", "scriptalert(1)/script"},
		{"a script as entities", "&lt;script&gt;", "&lt;script&gt;"},
		{"a javascript link", "<javascript:alert(1)|x>", "x"},
		{"an attribute that breaks out", `<https://a.example/"onmouseover="x|y>`, `<a rel="noopener noreferrer nofollow" href="https://a.example/&#34;onmouseover=&#34;x">y</a>`},
		{"a mention that breaks out", `<@"><img src=x>`, `<span class="mention">@&#34;</span>img src=x`},
	} {
		t.Run(c.sentence, func(t *testing.T) { want(t, "HTML", rendered(t, srv, c.in), c.want) })
	}
}

// tags of the page that a text may cause.
var allowedTag = regexp.MustCompile(`^</?(br|strong|em|s|code|pre|blockquote|a|span|time)( (rel|href|class|title|datetime)="[^"<>]*")*>$`)

func FuzzMrkdwnIsSafe(f *testing.F) {
	for _, s := range []string{"*a*", "<a|b>", "```x", "<!date^1^{time}|<b>>", "`<`>", "&gt;<@U|\">", ":fire:", "<https://x/|<script>>", "\x00\xff<"} {
		f.Add(s)
	}
	srv := slacktest.Start(slacktest.Options{Unpaced: true})
	f.Cleanup(srv.Close)
	f.Fuzz(func(t *testing.T, s string) {
		if strings.TrimSpace(s) == "" {
			return
		}
		for _, tag := range regexp.MustCompile(`<[^>]*>?`).FindAllString(srv.RenderMrkdwn(s), -1) {
			if !allowedTag.MatchString(tag) || strings.Contains(strings.ToLower(tag), "javascript:") {
				t.Errorf("%q makes %q", s, tag)
			}
		}
	})
}

// Blocks that no check let through (files may carry them, so may later versions
// of Slack) must not break the page.
func TestPageSurvivesOddBlocks(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	for _, raw := range []string{
		`[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"<b>bold</b>","style":{"bold":true}},{"type":"link","url":"javascript:x","text":"l"},{"type":"emoji","name":"fire"},{"type":"user","user_id":"U0ANA"}]},{"type":"rich_text_list","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"one"}]}]}]}]`,
		`[{"type":"rich_text","elements":"nothing"}]`,
		`[{"type":"video"},{"type":"file"},{"type":"data_table"},{"type":"input","element":7}]`,
		`[{"type":"actions","elements":[{"type":"static_select","action_id":"s","options":[{"text":{"type":"plain_text","text":"x"},"value":"v"}]}]}]`,
	} {
		var blocks []any
		if err := json.Unmarshal([]byte(raw), &blocks); err != nil {
			t.Fatal(err)
		}
		if got := postRaw(t, srv, blocks); got.Error != "" {
			t.Fatalf("%s: %+v", raw, got)
		}
	}
	if _, _, err := api.PostMessage("general", slack.MsgOptionAttachments(slack.Attachment{Fields: []slack.AttachmentField{{Title: "n", Value: "1"}}, TitleLink: "javascript:x", Title: "t"})); err != nil {
		t.Fatal(err)
	}
	resp, page := get(t, srv.URL()+"/?channel=general")
	want(t, "status", resp.StatusCode, 200)
	contains(t, page, "<strong>&lt;b&gt;bold&lt;/b&gt;</strong>", "[video block]")
	if strings.Contains(page, "javascript:") {
		t.Error("a javascript link on the page")
	}
}

func TestChartsAreDrawn(t *testing.T) {
	srv, _ := start(t, slacktest.Options{Unpaced: true})
	kinds := map[string]string{"line": `class="line s1"`, "area": `class="area s1"`, "bar": `class="fill s1"`}
	for kind, mark := range kinds {
		blocks := chart(2, 20, 5, 5, 5)
		blocks[0].(obj)["chart"].(obj)["type"] = kind
		if got := postRaw(t, srv, blocks); got.Error != "" {
			t.Fatalf("%s: %+v", kind, got)
		}
		_, page := get(t, srv.URL()+"/?channel=general")
		contains(t, page, mark, `aria-label="ééééé"`)
		if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
			t.Errorf("%s: a coordinate that is not a number", kind)
		}
	}
}

func TestFilesAreServedHarmlessly(t *testing.T) {
	srv, api := start(t, slacktest.Options{})
	file, err := api.UploadFile(slack.UploadFileParameters{Filename: "x.html", Content: "<script>1</script>", FileSize: 18, Channel: "C0SLOW0001"})
	if err != nil {
		t.Fatal(err)
	}
	resp, _ := get(t, srv.URL()+"/files/"+file.ID)
	want(t, "type", resp.Header.Get("Content-Type"), "application/octet-stream")
	want(t, "disposition", resp.Header.Get("Content-Disposition"), `attachment; filename="x.html"`)
	resp, _ = get(t, srv.URL()+"/files/F404")
	want(t, "no such file", resp.StatusCode, 404)
}

func TestMarkdownPieAndOwnImages(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	png := "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 16)
	file, err := api.UploadFile(slack.UploadFileParameters{Filename: "burn.png", Content: png, FileSize: len(png), Channel: "C0SLOW0001", InitialComment: "graph"})
	if err != nil {
		t.Fatal(err)
	}
	image := func(address string) obj { return obj{"type": "image", "image_url": address, "alt_text": "a graph"} }
	pie := obj{"type": "data_visualization", "title": "Spent", "chart": obj{"type": "pie", "segments": []any{
		obj{"label": "incidents", "value": 61}, obj{"label": "rest", "value": 39},
	}}}
	whole := obj{"type": "data_visualization", "title": "All", "chart": obj{"type": "pie", "segments": []any{obj{"label": "one", "value": 1}}}}
	markdown := obj{"type": "markdown", "text": "**11 of 12**\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n<script>x</script> [bad](javascript:x)"}
	if got := postRaw(t, srv, []any{markdown, pie, whole, image(srv.URL() + "/files/" + file.ID), image("https://elsewhere.example/x.png")}); got.Error != "" {
		t.Fatalf("%+v", got)
	}
	_, page := get(t, srv.URL()+"/?channel=general")
	contains(t, page, "<strong>11 of 12</strong>", `<td align="right">2</td>`,
		`class="fill s1"`, `<circle class="fill s0" cx="120"`, "</svg>incidents</span>",
		`<img src="/files/`+file.ID+`" alt="a graph">`, `<a href="https://elsewhere.example/x.png"`)
	if strings.Contains(page, "<script>x") || strings.Contains(page, "javascript:") || strings.Contains(page, `<img src="http`) {
		t.Error("something of the Markdown or the image came through that should not")
	}
	resp, _ := get(t, srv.URL()+"/files/"+file.ID)
	want(t, "the picture's type", resp.Header.Get("Content-Type"), "image/png")
}

// Somebody at the page can do what a person in Slack can: choose from a menu, say something, type a
// command.
func TestActingOnThePage(t *testing.T) {
	srv, api := start(t, slacktest.Options{Unpaced: true})
	app(t, srv, api)
	silence := slack.NewOptionsSelectBlockElement("static_select", slack.NewTextBlockObject("plain_text", "Silence for…", false, false), "silence",
		slack.NewOptionBlockObject("1h", slack.NewTextBlockObject("plain_text", "1 hour", false, false), nil))
	channel, ts := post(t, api, "general", "burning", slack.MsgOptionBlocks(slack.NewActionBlock("", silence)))
	_, page := get(t, srv.URL()+"/?channel="+channel)
	contains(t, page, `<select class="button" name="value"`, `<option value="1h">1 hour</option>`, `or /slowburn status`)
	submit := func(path string, form url.Values) {
		t.Helper()
		form.Set("channel", channel)
		resp, err := http.PostForm(srv.URL()+path, form)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		_ = resp.Body.Close()
	}
	submit("/press", url.Values{"ts": {ts}, "action": {"silence"}, "value": {"1h"}})
	submit("/say", url.Values{"text": {"looking at it"}})
	submit("/say", url.Values{"text": {"/slowburn status checkout"}})
	_, page = get(t, srv.URL()+"/?channel="+channel)
	contains(t, page, "acknowledged by ana", "looking at it", "/slowburn status checkout for ana", "Only visible to you")
	if _, err := srv.Choose(ts, "silence", "1y", "U0ANA"); err == nil {
		t.Error("an option that is not there was chosen")
	}
}

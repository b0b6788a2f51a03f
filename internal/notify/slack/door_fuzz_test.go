package slack

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// fuzzDesk is a desk behind the signed door whose client reaches nobody.
func fuzzDesk(t testing.TB) *Desk {
	client, err := New(Config{Token: token, APIURL: "http://127.0.0.1:1/api/"})
	if err != nil {
		t.Fatal(err)
	}
	return NewDesk(DeskConfig{Backend: &office{known: []alerting.Incident{{ID: burning, SLO: "checkout/availability", Open: true}}}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return monday }}, Doors{SigningSecrets: []Secret{secretA}, Client: client})
}

// FuzzPress feeds what Slack sends when somebody presses or types: nothing panics, and what is
// understood answers nowhere but to Slack.
func FuzzPress(f *testing.F) {
	f.Add([]byte(`{"type":"block_actions","api_app_id":"A1","team":{"id":"T1"},"user":{"id":"U0ANA","team_id":"T1"},"container":{"channel_id":"C1"},"response_url":"https://hooks.slack.com/actions/T1/1/x","actions":[{"action_id":"slowburn_silence","block_id":"checkout/availability/page/1","action_ts":"1795403040.1","selected_option":{"value":"4h"}}]}`), "status <!channel>")
	f.Add([]byte(`{"type":"block_actions","user":{"id":"U0ANA"},"response_url":"http://169.254.169.254/","actions":[{"action_id":"slowburn_ack","value":"x","action_ts":"1.1"}]}`), "gate `x` <https://evil|y>")
	f.Add([]byte(`{"type":"block_actions","actions":null,"team":{"id":["x"]}}`), "\xff\x00\u202e incidents")
	desk := fuzzDesk(f)
	in := desk.doors.Load()
	f.Fuzz(func(t *testing.T, payload []byte, text string) {
		for hook, j := range map[string]func() (job, bool, error){
			"press": func() (job, bool, error) { return desk.interactionJob(in, payload) },
			"command": func() (job, bool, error) {
				return desk.commandJob(in, url.Values{"user_id": {"U0ANA"}, "trigger_id": {"1.2"}, "text": {text}, "response_url": {string(payload)}})
			},
		} {
			got, ours, err := j()
			if err != nil || !ours {
				continue
			}
			if u, err := url.Parse(got.hook); got.hook != "" && (err != nil || !slices.Contains([]string{"https://hooks.slack.com", "https://hooks.slack-gov.com", "http://127.0.0.1:1"}, u.Scheme+"://"+u.Host)) {
				t.Fatalf("a %s is answered at %q", hook, got.hook)
			}
		}
		b := Answer(desk.Backend, text)
		for _, shown := range append([]string{b.Text}, textsOf(t, b)...) {
			if calls.MatchString(shown) {
				t.Fatalf("%q is answered with %q", text, shown)
			}
		}
	})
}

// calls is what in a text would call people or lead somewhere.
var calls = regexp.MustCompile(`<(!(channel|here|everyone|subteam)|@|https?:|[a-z]+:)`)

// textsOf lists the texts of the sections of a body.
func textsOf(t *testing.T, b Body) (all []string) {
	for _, raw := range b.Blocks {
		var s struct{ Text Text }
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s.Text.Text)
	}
	return all
}

// FuzzSignedRequest feeds the door anything, with the right signature or another: it never panics,
// and says nothing but a status to whom it refuses.
func FuzzSignedRequest(f *testing.F) {
	stamp := "1795300000" // days ago
	f.Add("application/x-www-form-urlencoded", stamp, slacktest.Sign(secretA.Reveal(), stamp, "payload=%7B%7D"), "payload=%7B%7D", true)
	f.Add("application/json", "-1", "v0=", "payload=x&payload=y", true)
	f.Add("application/x-www-form-urlencoded; charset=x", "9223372036854775807", "V0=ABC", "ssl_check=1", false)
	handler := fuzzDesk(f).Handler()
	f.Fuzz(func(t *testing.T, kind, at, signature, body string, right bool) {
		for _, path := range []string{"/slack/interactions", "/slack/commands"} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			if right {
				at = strconv.FormatInt(monday.Unix(), 10)
				signature = slacktest.Sign(secretA.Reveal(), at, body)
			}
			r.Header["Content-Type"], r.Header[headerTimestamp], r.Header[headerSignature] = []string{kind}, []string{at}, []string{signature}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code >= 400 && w.Body.Len() > 0 {
				t.Fatalf("%d says %q", w.Code, w.Body)
			}
			if w.Code == http.StatusOK && signature != slacktest.Sign(secretA.Reveal(), at, body) {
				t.Fatalf("%q of %q is taken for Slack's signature", signature, body)
			}
		}
	})
}

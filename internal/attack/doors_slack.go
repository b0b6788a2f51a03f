package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// note is a request to the door for Slack, before it is signed.
type note struct {
	body, kind, stamp string
	off               time.Duration // from now, if there is no stamp
	sign              func(stamp, body string) string
	more              []string // headers
	path              string
}

// signed computes the right signature.
func signed(stamp, body string) string { return slacktest.Sign(signingSecret, stamp, body) }

func now() string { return strconv.FormatInt(time.Now().Unix(), 10) }

// press writes what Slack sends when somebody presses a button, in the stand-in's workspace.
func press(action, block, value string, change func(map[string]any)) string {
	p := map[string]any{
		"type": "block_actions", "api_app_id": appID, "team": map[string]any{"id": teamID}, "user": map[string]any{"id": "U0ANA", "username": "ana", "team_id": teamID},
		"container": map[string]any{"channel_id": "C1"}, "actions": []any{map[string]any{"action_id": action, "block_id": block, "action_ts": fmt.Sprintf("%d.%06d", time.Now().Unix(), time.Now().Nanosecond()/1000), "selected_option": map[string]any{"value": value}}},
	}
	if change != nil {
		change(p)
	}
	text, _ := json.Marshal(p)
	return "payload=" + url.QueryEscape(string(text))
}

// The stand-in's workspace.
const (
	teamID = "T0ATTACK"
	appID  = "A0ATTACK"
)

// slackProbes forge, replay, bend and overload the door for Slack.
func slackProbes() (all []probe) {
	add := func(name string, input int, n note, want ...int) {
		all = append(all, probe{door: "slack", name: name, inputs: []int{input}, try: knock(n, want...)})
	}
	wrong := func(form string) func(string, string) string {
		return func(stamp, body string) string {
			return fmt.Sprintf(form, strings.TrimPrefix(signed(stamp, body), "v0="))
		}
	}
	add("no signature", 1, note{sign: func(_, _ string) string { return "" }}, 401)
	add("no time", 2, note{stamp: "none"}, 401)
	add("the signature of another body", 3, note{sign: func(stamp, body string) string { return signed(stamp, body+" ") }}, 401)
	add("a time 301 seconds old", 4, note{off: -301 * time.Second}, 401)
	add("a time 306 seconds ahead", 5, note{off: 306 * time.Second}, 401) // it takes a while to arrive
	for stamp, input := range map[string]int{"99999999999": 6, "9223372036854775807": 7, "-1": 8, "1e9": 9, "+1": 9, "0x10": 9, "١": 9, "-9223372036854775808": 7} {
		add("the time "+stamp, input, note{stamp: stamp}, 401, 400)
	}
	add("a signature without v0=", 10, note{sign: wrong("%s")}, 401)
	add("V0=", 11, note{sign: wrong("V0=%s")}, 401)
	add("upper-case digits", 11, note{sign: func(stamp, body string) string {
		return "v0=" + strings.ToUpper(strings.TrimPrefix(signed(stamp, body), "v0="))
	}}, 401)
	add("a digit too few", 11, note{sign: func(stamp, body string) string { s := signed(stamp, body); return s[:len(s)-1] }}, 401)
	add("a digit too many", 11, note{sign: wrong("v0=%s0")}, 401)
	add("the same body written otherwise", 13, note{body: "payload=%7b%22a%22%3a1%7d+x", sign: func(stamp, _ string) string { return signed(stamp, "payload=%7B%22a%22%3A1%7D%20x") }}, 401)
	add("two signatures", 14, note{more: []string{"X-Slack-Signature: v0=" + strings.Repeat("0", 64)}}, 401)
	add("a packed body", 15, note{body: packed("payload=%7B%7D"), more: []string{"Content-Encoding: gzip"}}, 401)
	add("2 MB", 16, note{body: "payload=" + strings.Repeat("x", 2<<20)}, 401, 408, 413, 0)
	add("two payloads", 17, note{body: "payload=%7B%7D&payload=%7B%7D"}, 401)
	add("JSON in place of a form", 17, note{kind: "application/json"}, 401)
	add("ssl_check does nothing more", 22, note{body: "ssl_check=1&token=x"}, 200)
	add("no payload", 13, note{body: "x=1"}, 400)
	add("a payload that is no JSON", 13, note{body: "payload=%7B"}, 400)
	return append(all, pressProbes()...)
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

// knock sends a note to the bank, and wants one of the statuses and no word.
func knock(n note, want ...int) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		own, err := c.castle(ctx, "bank")
		if err != nil {
			return err
		}
		a, err := n.send(ctx, own)
		if err != nil {
			if n.body != "" && len(n.body) > 1<<20 {
				return nil // hung up on
			}
			return err
		}
		if a.status >= 400 && a.body != "" && a.status != http.StatusRequestTimeout {
			return errors.New("says why: " + a.body)
		}
		return oneOf(a, want...)
	}
}

// send signs a note as it says, or rightly, and sends it.
func (n note) send(ctx context.Context, own *castle) (answer, error) {
	if n.body == "" {
		n.body = press("slowburn_ack", "nothing", "", nil)
	}
	if n.stamp == "" {
		n.stamp = strconv.FormatInt(time.Now().Add(n.off).Unix(), 10)
	}
	if n.sign == nil {
		n.sign = signed
	}
	if n.kind == "" {
		n.kind = "application/x-www-form-urlencoded"
	}
	headers := append([]string{"Content-Type: " + n.kind}, n.more...)
	if n.stamp != "none" {
		headers = append(headers, "X-Slack-Request-Timestamp: "+n.stamp)
	}
	if s := n.sign(n.stamp, n.body); s != "" {
		headers = append(headers, "X-Slack-Signature: "+s)
	}
	path := "/slack/interactions"
	if n.path != "" {
		path = n.path
	}
	return own.send(ctx, http.MethodPost, path, n.body, headers...)
}

// pressProbes have the right signature, and are meant for somebody else or ask for too much.
func pressProbes() []probe {
	change := func(f func(map[string]any)) func(context.Context, *castle, string) error {
		return func(ctx context.Context, own *castle, incident string) error {
			a, err := note{body: press("slowburn_silence", incident, "4h", f)}.send(ctx, own)
			if err != nil {
				return err
			}
			return oneOf(a, 200, 400, 401)
		}
	}
	set := func(key string, value any) func(map[string]any) { return func(p map[string]any) { p[key] = value } }
	action := func(name, value string) func(context.Context, *castle, string) error {
		return func(ctx context.Context, own *castle, incident string) error {
			a, err := note{body: press(name, incident, value, nil)}.send(ctx, own)
			if err != nil {
				return err
			}
			return oneOf(a, 200, 400, 401)
		}
	}
	var all []probe
	for _, p := range []struct {
		name  string
		input int
		try   func(context.Context, *castle, string) error
	}{
		{"a press in another workspace", 18, change(set("team", map[string]any{"id": "T0OTHER"}))},
		{"a press of another app", 18, change(set("api_app_id", "A0OTHER"))},
		{"a press of a guest from another workspace", 19, change(set("user", map[string]any{"id": "U0GUEST", "team_id": "T0OTHER"}))},
		{"a press of a guest, within a grid", 19, change(func(p map[string]any) {
			p["enterprise"], p["user"] = map[string]any{"id": "E0X"}, map[string]any{"id": "U0GUEST", "team_id": "T0OTHER"}
		})},
		{"a press about an unknown incident", 20, func(ctx context.Context, own *castle, _ string) error {
			return action("slowburn_silence", "4h")(ctx, own, "shop/availability/page/1")
		}},
		{"an answer to an address of the cloud's own", 21, change(set("response_url", "http://169.254.169.254/latest/meta-data/"))},
		{"a choice that is not offered", 20, action("slowburn_silence", "9999h")},
		{"a user that is none", 19, change(set("user", map[string]any{"id": "<@U0EVIL>"}))},
		{"a press of another kind", 20, change(set("type", "view_submission"))},
	} {
		all = append(all, probe{door: "slack", name: p.name + " does nothing", inputs: []int{p.input}, try: doesNothing(p.try)})
	}
	return append(all, probe{door: "slack", name: "the same press twice is one act", inputs: []int{12}, try: pressedTwice})
}

// doesNothing wants the log of acts to be the same after as before.
func doesNothing(try func(context.Context, *castle, string) error) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		own, id, err := woundedIncident(ctx, c)
		if err != nil {
			return err
		}
		before, err := own.get(ctx, "/api/v1/acts?kind=silence")
		if err == nil {
			err = try(ctx, own, id)
		}
		if err != nil {
			return err
		}
		after, err := own.get(ctx, "/api/v1/acts?kind=silence")
		if err == nil && before.body != after.body {
			err = errors.New("an act was done")
		}
		return err
	}
}

func pressedTwice(ctx context.Context, c *camp) error {
	own, id, err := woundedIncident(ctx, c)
	if err != nil {
		return err
	}
	n := note{body: press("slowburn_ack", id, "", nil), stamp: now()}
	for range 2 {
		a, err := n.send(ctx, own)
		if err == nil {
			err = oneOf(a, 200)
		}
		if err != nil {
			return err
		}
	}
	return eventually(ctx, func() error {
		a, err := own.get(ctx, "/api/v1/acts?kind=acknowledge")
		if n := strings.Count(a.body, `"via":"slack"`); err == nil && n != 1 {
			err = fmt.Errorf("%d acts were done", n)
		}
		return err
	})
}

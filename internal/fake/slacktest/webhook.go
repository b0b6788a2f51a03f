package slacktest

import (
	"net/http"
	"net/url"
	"strings"
)

// WebhookURL returns an incoming webhook bound to a channel, given by ID or name. It keeps working
// as an address when the channel is archived, and then answers as Slack does.
func (s *Server) WebhookURL(channel string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.ws.opts
	return s.base + "/services/" + o.TeamID + "/" + o.BotID + "/hook-" + s.ws.resolve(channel)
}

// webhook takes a message without a token, and answers in plain text: "ok", but no time stamp, so
// what was posted can be neither edited nor answered.
func (s *Server) webhook(w http.ResponseWriter, r *http.Request) {
	channel := strings.TrimPrefix(r.PathValue("secret"), "hook-")
	req := &request{call: Call{Method: "webhook", Channel: channel}}
	args, err := webhookArgs(r)
	req.args = args
	req.call.Text = args.Get("text")
	req.call.blocks, _ = decodeList(args.Get("blocks"))
	s.serve(w, r, req, func(ws *workspace) reply {
		if err != nil {
			return plain(http.StatusBadRequest, "invalid_payload")
		}
		return ws.hook(req)
	})
}

func webhookArgs(r *http.Request) (url.Values, error) {
	args := url.Values{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return args, jsonArgs(strings.NewReader(r.PostFormValue("payload")), args)
	}
	return args, jsonArgs(r.Body, args)
}

func plain(status int, text string) reply { return reply{status: status, outcome: text, text: text} }

// hook posts into the webhook's channel.
func (w *workspace) hook(r *request) reply {
	c := w.channel(r.call.Channel, false)
	if c == nil {
		return plain(http.StatusNotFound, "no_service")
	}
	if c.Archived {
		return plain(http.StatusGone, "channel_is_archived")
	}
	if wait := w.pace(r.call, postPace); wait > 0 {
		return tooMany(wait)
	}
	said, bad := readContent(r)
	if bad != nil {
		return plain(http.StatusBadRequest, bad.code)
	}
	if said.empty() {
		return plain(http.StatusBadRequest, "no_text")
	}
	m := Message{
		Channel: c.ID, User: w.opts.BotUser, Username: w.opts.AppName, Webhook: true,
		Text: said.text, Blocks: said.blocks, Attachments: said.attachments,
	}
	truncate(&m)
	r.call.TS = w.add(m).TS
	r.committed = true
	return plain(http.StatusOK, "ok")
}

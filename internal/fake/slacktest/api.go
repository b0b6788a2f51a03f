package slacktest

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// A method of the Web API: what it needs, how often it may be called, and what it does.
type method struct {
	scope func(*Channel) string // "" when none is needed
	pace  pace
	do    func(*workspace, *request) reply
}

// methodTable returns the Web API.
func methodTable() map[string]method {
	none := func(*Channel) string { return "" }
	always := func(scope string) func(*Channel) string { return func(*Channel) string { return scope } }
	byKind := func(suffix string) func(*Channel) string {
		return func(c *Channel) string {
			if c != nil && c.Private {
				return "groups:" + suffix
			}
			return "channels:" + suffix
		}
	}
	write := always("chat:write")
	return map[string]method{
		"apps.connections.open":        {always("connections:write"), tier1, openConnection},
		"auth.test":                    {none, tier4, authTest},
		"bots.info":                    {always("users:read"), tier3, botInfo},
		"chat.postMessage":             {write, tier4, postMessage},
		"chat.postEphemeral":           {write, tier4, postEphemeral},
		"chat.update":                  {write, tier3, updateMessage},
		"chat.delete":                  {write, tier3, deleteMessage},
		"chat.getPermalink":            {none, permalinkPace, getPermalink},
		"conversations.history":        {byKind("history"), tier3, history},
		"conversations.replies":        {byKind("history"), tier3, replies},
		"conversations.info":           {byKind("read"), tier3, channelInfo},
		"conversations.list":           {byKind("read"), tier2, listChannels},
		"conversations.join":           {always("channels:join"), tier3, joinChannel},
		"files.getUploadURLExternal":   {always("files:write"), tier4, getUploadURL},
		"files.completeUploadExternal": {always("files:write"), tier4, completeUpload},
		"reactions.add":                {always("reactions:write"), tier3, addReaction},
		"users.info":                   {always("users:read"), tier4, userInfo},
		"usergroups.users.list":        {always("usergroups:read"), tier2, groupMembers},
	}
}

var webAPI = methodTable()

// api takes one Web API call through its gates.
func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	req, err := readRequest(r)
	if err != nil {
		s.send(w, refuse("invalid_form_data"))
		return
	}
	s.serve(w, r, req, func(ws *workspace) reply { return ws.invoke(req) })
}

// serve takes every call its way, whether API, webhook or upload: the log, the early-call check,
// the fault plan, then handle, which runs under the lock.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, req *request, handle func(*workspace) reply) {
	x := &exchange{w: w, r: r, server: s, req: req, handle: handle}
	var effect *Effect
	var early int
	s.locked(func(ws *workspace) {
		req.call.At = ws.now()
		w.Header().Set("Date", req.call.At.UTC().Format(http.TimeFormat))
		req.call.Channel = ws.resolve(req.call.Channel)
		early = ws.early(req)
		if early == 0 {
			effect = ws.fault(req.call)
		}
	})
	switch {
	case early > 0:
		x.answer(tooMany(early))
	case effect != nil:
		req.call.Fault = effect.Name
		effect.play(x)
	default:
		x.answer(x.run())
	}
}

// invoke checks token, scope and pace, and runs the method.
func (w *workspace) invoke(req *request) reply {
	m, known := webAPI[req.call.Method]
	if !known {
		out := refuse("unknown_method")
		out.status = http.StatusNotFound
		out.body["req_method"] = req.call.Method
		return out
	}
	code := ""
	if req.token, code = w.authenticate(req.arg("token")); code != "" {
		return refuse(code)
	}
	out := w.invokeAs(m, req)
	out.header = http.Header{}
	out.header.Set("X-OAuth-Scopes", strings.Join(req.token.scopes, ","))
	if need := m.scope(w.channel(req.call.Channel, false)); need != "" {
		out.header.Set("X-Accepted-OAuth-Scopes", need)
	}
	return out
}

func (w *workspace) invokeAs(m method, req *request) reply {
	need := m.scope(w.channel(req.call.Channel, false))
	if need != "" && !req.token.may(need) {
		return missingScope(need, req.token.scopes)
	}
	if wait := w.pace(req.call, m.pace); wait > 0 {
		return tooMany(wait)
	}
	return m.do(w, req)
}

func missingScope(needed string, provided []string) reply {
	out := refuse("missing_scope")
	out.body["needed"] = needed
	out.body["provided"] = strings.Join(provided, ",")
	return out
}

func (w *workspace) authenticate(value string) (*token, string) {
	t := w.tokens[value]
	switch {
	case value == "":
		return nil, "not_authed"
	case t == nil:
		return nil, "invalid_auth"
	case t.revoked:
		return nil, "token_revoked"
	}
	return t, ""
}

func (t *token) may(scope string) bool { return slices.Contains(t.scopes, scope) }

func authTest(w *workspace, _ *request) reply {
	o := w.opts
	answer := map[string]any{
		"url": w.url + "/", "team": o.Team, "team_id": o.TeamID, "user": o.AppName,
		"user_id": o.BotUser, "bot_id": o.BotID, "is_enterprise_install": false,
	}
	if o.Enterprise != "" {
		answer["enterprise_id"] = o.Enterprise
	}
	return okay(answer)
}

func botInfo(w *workspace, r *request) reply {
	o := w.opts
	if r.arg("bot") != o.BotID {
		return refuse("bot_not_found")
	}
	return okay(map[string]any{"bot": map[string]any{"id": o.BotID, "app_id": o.AppID, "user_id": o.BotUser, "name": o.AppName}})
}

func userInfo(w *workspace, r *request) reply {
	for _, u := range w.opts.Users {
		if u.ID == r.arg("user") {
			is := map[string]any{
				"id": u.ID, "name": u.Name, "real_name": u.Real, "team_id": cmp.Or(u.Team, w.opts.TeamID),
				"profile": map[string]any{"display_name": u.Name, "real_name": u.Real},
			}
			if u.Enterprise != "" {
				is["enterprise_user"] = map[string]any{"id": u.ID, "enterprise_id": u.Enterprise}
			}
			return okay(map[string]any{"user": is})
		}
	}
	return refuse("user_not_found")
}

func groupMembers(w *workspace, r *request) reply {
	members, known := w.opts.Groups[r.arg("usergroup")]
	if !known {
		return refuse("no_such_subteam")
	}
	return okay(map[string]any{"users": members})
}

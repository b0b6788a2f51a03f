package slacktest

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// Page sizes of conversations.* methods.
const (
	defaultPage = 100
	largestPage = 999
)

// readable finds a channel whose messages the token may read.
func (w *workspace) readable(r *request) (*Channel, string) {
	c := w.channel(r.arg("channel"), false)
	switch {
	case c == nil, c.Private && !c.Joined:
		return nil, "channel_not_found"
	case !c.Joined:
		return nil, "not_in_channel"
	}
	return c, ""
}

// history lists what a channel shows, newest first: messages and broadcast replies, but no other
// replies.
func history(w *workspace, r *request) reply {
	c, code := w.readable(r)
	if code != "" {
		return refuse(code)
	}
	var shown []*Message
	for _, m := range w.messages[c.ID] {
		visible := !m.Deleted || len(w.replies(c.ID, m.TS)) > 0
		if visible && (m.ThreadTS == "" || m.Broadcast) && r.within(m.TS) {
			shown = append(shown, m)
		}
	}
	slices.Reverse(shown)
	return w.messagePage(r, shown, nil)
}

// replies lists a thread, parent first. The range arguments apply to the replies only.
func replies(w *workspace, r *request) reply {
	c, code := w.readable(r)
	if code != "" {
		return refuse(code)
	}
	m := w.find(c.ID, r.arg("ts"))
	if m != nil && m.ThreadTS != "" {
		m = w.find(c.ID, m.ThreadTS)
	}
	if m == nil {
		return refuse("thread_not_found")
	}
	var shown []*Message
	for _, reply := range w.replies(c.ID, m.TS) {
		if r.within(reply.TS) {
			shown = append(shown, reply)
		}
	}
	if m.Deleted && len(shown) == 0 {
		return refuse("thread_not_found")
	}
	return w.messagePage(r, shown, m)
}

// within applies oldest, latest and inclusive. Time stamps have a fixed width, so they compare as
// strings; a bare "1700000000" is completed first.
func (r *request) within(ts string) bool {
	oldest, latest := fullTS(r.arg("oldest")), fullTS(r.arg("latest"))
	inclusive := r.flag("inclusive")
	return (oldest == "" || ts > oldest || inclusive && ts == oldest) &&
		(latest == "" || ts < latest || inclusive && ts == latest)
}

func fullTS(ts string) string {
	if ts == "" || ts == "0" {
		return ""
	}
	sec, micro, _ := strings.Cut(ts, ".")
	return sec + "." + (micro + "000000")[:max(6, len(micro))]
}

// messagePage cuts a list into pages; root, if any, leads the first one.
func (w *workspace) messagePage(r *request, list []*Message, root *Message) reply {
	from, to, next, code := r.page(len(list))
	if code != "" {
		return refuse(code)
	}
	meta := r.flag("include_all_metadata")
	out := []any{}
	if root != nil {
		out = append(out, w.wire(root, meta))
	}
	for _, m := range list[from:to] {
		out = append(out, w.wire(m, meta))
	}
	return okay(map[string]any{
		"messages": out, "has_more": next != "",
		"response_metadata": map[string]any{"next_cursor": next},
	})
}

// page turns limit and cursor into a range of a list of n items and the cursor after it.
func (r *request) page(n int) (from, to int, next, code string) {
	limit := defaultPage
	if s := r.arg("limit"); s != "" && s != "0" {
		v, err := strconv.Atoi(s)
		if err != nil || v < 0 {
			return 0, 0, "", "invalid_limit"
		}
		limit = min(v, largestPage)
	}
	if c := r.arg("cursor"); c != "" {
		raw, err := base64.StdEncoding.DecodeString(c)
		rest, ok := strings.CutPrefix(string(raw), "next:")
		v, convErr := strconv.Atoi(rest)
		if err != nil || !ok || convErr != nil || v < 0 || v > n {
			return 0, 0, "", "invalid_cursor"
		}
		from = v
	}
	to = min(n, from+limit)
	if to < n {
		next = base64.StdEncoding.EncodeToString([]byte("next:" + strconv.Itoa(to)))
	}
	return from, to, next, ""
}

func channelInfo(w *workspace, r *request) reply {
	c := w.channel(r.arg("channel"), false)
	if c == nil || c.Private && !c.Joined {
		return refuse("channel_not_found")
	}
	return okay(map[string]any{"channel": w.wireChannel(*c)})
}

func (w *workspace) wireChannel(c Channel) map[string]any {
	return map[string]any{
		"id": c.ID, "name": c.Name, "name_normalized": c.Name, "is_channel": !c.Private, "is_group": c.Private,
		"is_private": c.Private, "is_archived": c.Archived, "is_member": c.Joined,
		"purpose": map[string]any{"value": c.Purpose}, "num_members": len(w.opts.Users) + 1,
		"context_team_id": w.opts.TeamID,
	}
}

func listChannels(w *workspace, r *request) reply {
	types := strings.Split(r.arg("types"), ",")
	if r.arg("types") == "" {
		types = []string{"public_channel"}
	}
	if slices.Contains(types, "private_channel") && !r.token.may("groups:read") {
		return missingScope("groups:read", r.token.scopes)
	}
	var list []any
	for _, c := range w.channels {
		kind := "public_channel"
		if c.Private {
			kind = "private_channel"
		}
		hidden := c.Private && !c.Joined || c.Archived && r.flag("exclude_archived")
		if slices.Contains(types, kind) && !hidden {
			list = append(list, w.wireChannel(c))
		}
	}
	from, to, next, code := r.page(len(list))
	if code != "" {
		return refuse(code)
	}
	return okay(map[string]any{
		"channels":          slices.Concat([]any{}, list[from:to]),
		"response_metadata": map[string]any{"next_cursor": next},
	})
}

func joinChannel(w *workspace, r *request) reply {
	c := w.channel(r.arg("channel"), false)
	switch {
	case c == nil:
		return refuse("channel_not_found")
	case c.Archived:
		return refuse("is_archived")
	case c.Private:
		return refuse("method_not_supported_for_channel_type")
	}
	out := okay(nil)
	if c.Joined {
		out.body["warning"] = "already_in_channel"
		out.body["response_metadata"] = map[string]any{"warnings": []string{"already_in_channel"}}
	}
	c.Joined, r.committed = true, true
	w.version++
	out.body["channel"] = w.wireChannel(*c)
	return out
}

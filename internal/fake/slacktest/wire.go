package slacktest

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// request is a call on its way through a method.
type request struct {
	args  url.Values
	token *token
	call  Call
	// committed says that the workspace was changed.
	committed bool
}

func (r *request) arg(name string) string { return r.args.Get(name) }

func (r *request) flag(name string) bool {
	v := r.arg(name)
	return v == "1" || v == "true"
}

// reply is an answer before it is written.
type reply struct {
	status  int // default 200
	outcome string
	body    map[string]any // JSON, unless text is set
	text    string         // a plain text answer
	wait    int            // Retry-After in seconds; 0 for none
	header  http.Header
}

// okay returns the answer {"ok":true, …}.
func okay(fields map[string]any) reply {
	body := map[string]any{"ok": true}
	maps.Copy(body, fields)
	return reply{outcome: "ok", body: body}
}

// refuse returns the answer {"ok":false,"error":code}.
func refuse(code string) reply {
	return reply{outcome: code, body: map[string]any{"ok": false, "error": code}}
}

// refused returns the answer for a payload that [Limits] do not allow, with the places in errors
// and response_metadata.messages as Slack gives them.
func refused(r *refusal) reply {
	out := refuse(r.code)
	if len(r.problems) == 0 {
		return out
	}
	messages := make([]string, len(r.problems))
	for i, p := range r.problems {
		messages[i] = "[ERROR] " + p
	}
	out.body["errors"] = r.problems
	out.body["response_metadata"] = map[string]any{"messages": messages}
	return out
}

// tooMany returns a 429.
func tooMany(wait int) reply {
	r := refuse("ratelimited")
	r.status, r.wait = http.StatusTooManyRequests, wait
	return r
}

// readRequest collects the arguments from the query, a form or a JSON body.
func readRequest(r *http.Request) (*request, error) {
	args := r.URL.Query()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := jsonArgs(r.Body, args); err != nil && !errors.Is(err, io.EOF) { // nothing at all is no argument
			return nil, err
		}
	} else {
		if err := r.ParseMultipartForm(1 << 20); err != nil && err != http.ErrNotMultipart {
			return nil, err
		}
		maps.Copy(args, r.Form)
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		args.Set("token", bearer)
	}
	req := &request{args: args}
	blocks, _ := decodeList(args.Get("blocks"))
	req.call = Call{
		Method:   r.PathValue("method"),
		Channel:  cmp.Or(args.Get("channel"), args.Get("channel_id")),
		TS:       cmp.Or(args.Get("ts"), args.Get("message_ts")),
		ThreadTS: args.Get("thread_ts"),
		Text:     args.Get("text"),
		blocks:   blocks,
	}
	return req, nil
}

// jsonArgs spreads a JSON object over args; what is not a string stays JSON.
func jsonArgs(r io.Reader, args url.Values) error {
	var body map[string]json.RawMessage
	if err := json.NewDecoder(r).Decode(&body); err != nil {
		return err
	}
	for k, raw := range body {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			args.Set(k, text)
		} else {
			args.Set(k, string(raw))
		}
	}
	return nil
}

// send writes a reply.
func (s *Server) send(w http.ResponseWriter, rep reply) {
	maps.Copy(w.Header(), rep.header)
	if rep.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(rep.wait))
	}
	w.Header().Set("Content-Type", rep.contentType())
	w.WriteHeader(rep.code())
	_, _ = w.Write(rep.bytes())
}

func (rep reply) code() int { return cmp.Or(rep.status, http.StatusOK) }

func (rep reply) contentType() string {
	if rep.body == nil {
		return "text/plain; charset=utf-8"
	}
	return "application/json; charset=utf-8"
}

func (rep reply) bytes() []byte {
	if rep.body == nil {
		return []byte(rep.text)
	}
	b, err := json.Marshal(rep.body)
	if err != nil {
		panic(err) // all bodies are made of decoded JSON
	}
	return b
}

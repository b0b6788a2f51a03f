package slack

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// maxRequest bounds what one request may hold: a press carries the message it was made on.
const maxRequest = 1 << 20

// Handler takes Slack's signed requests: POST …/interactions for presses, POST …/commands for
// /slowburn. Whatever is wrong with a request, the answer says no more than that it was refused.
func (d *Desk) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /slack/interactions", d.signed(func(in *doors, form url.Values) (job, bool, error) {
		if !form.Has("payload") {
			return job{}, false, errMalformed
		}
		return d.interactionJob(in, []byte(form.Get("payload")))
	}))
	mux.HandleFunc("POST /slack/commands", d.signed(d.commandJob))
	return mux
}

// signed lets requests through that Slack has signed, and answers what comes of them.
func (d *Desk) signed(understand func(*doors, url.Values) (job, bool, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in := d.doors.Load()
		if len(in.SigningSecrets) == 0 {
			w.WriteHeader(http.StatusNotFound) // this door is not there
			return
		}
		form, ok := d.read(w, r, in.SigningSecrets)
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if form.Get("ssl_check") == "1" { // Slack looks at the certificate, no more
			return
		}
		j, ours, err := understand(in, form)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if !ours {
			return
		}
		o, err := d.take(j)
		switch {
		case err != nil:
			w.WriteHeader(http.StatusServiceUnavailable)
		case o.refused:
			w.WriteHeader(http.StatusUnauthorized)
		case o.say != nil && j.inline:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(o.say.ephemeral())
		}
	}
}

// read returns the form of a request that Slack has signed with one of the secrets. Nothing is
// parsed before the signature is known to be good.
func (d *Desk) read(w http.ResponseWriter, r *http.Request, secrets []Secret) (url.Values, bool) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" || r.ContentLength > maxRequest {
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil || !verify(secrets, r.Header, body, d.Now()) {
		return nil, false
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	for _, values := range form {
		if len(values) != 1 { // whoever reads the first and whoever reads the last would disagree
			return nil, false
		}
	}
	return form, true
}

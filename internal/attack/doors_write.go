package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"time"
)

// harmless asks for an act that does not exist, so that nothing is done where it is let in.
const harmless = `{"kind":"attack","by":"attack","text":"a probe that asks for nothing"}`

// letIn returns the fault if a write was refused for what it asks, and not for who asks.
func letIn(a answer) error { return oneOf(a, 401, 403, 429) }

// proofProbes try to write without a proof of who it is, or with somebody else's.
func proofProbes() (all []probe) {
	for name, headers := range map[string][]string{
		"without a token": nil, "with a wrong token": {"X-Slowburn-Token: canary-token-of-nobody"}, "with a wrong bearer": {"Authorization: Bearer canary-token-of-nobody"}, "with an empty bearer": {"Authorization: Bearer "},
		"with the token as a cookie": {"Cookie: token=" + headToken},
		"through X-Forwarded-For":    {"X-Forwarded-For: 127.0.0.1"}, "through an empty X-Forwarded-For": {"X-Forwarded-For: "}, "through X-Real-Ip": {"X-Real-Ip: 127.0.0.1"}, "through Forwarded": {"Forwarded: for=127.0.0.1"}, "through Via": {"Via: 1.1 x"},
		"through X-Forwarded-Host": {"X-Forwarded-Host: 127.0.0.1"}, "through X-Forwarded-Proto": {"X-Forwarded-Proto: https"}, "through True-Client-IP": {"True-Client-IP: 127.0.0.1"}, "through CF-Connecting-IP": {"CF-Connecting-IP: 127.0.0.1"},
		"through X-Client-IP": {"X-Client-IP: 127.0.0.1"}, "through X-Original-Forwarded-For": {"X-Original-Forwarded-For: 127.0.0.1"}, "through X-Envoy-External-Address": {"X-Envoy-External-Address: 127.0.0.1"},
		"through X-Forwarded-Client-Cert": {"X-Forwarded-Client-Cert: Subject=\"CN=root\""},
		"as X-Forwarded-User":             {"X-Forwarded-User: root"}, "as X-Remote-User": {"X-Remote-User: root"}, "as X-Auth-Request-User": {"X-Auth-Request-User: root"}, "as X-Webauth-User": {"X-Webauth-User: root"}, "as Remote-User": {"Remote-User: root"},
	} {
		all = append(all, probe{door: "proof", name: "no write " + name, try: func(ctx context.Context, c *camp) error {
			t, err := c.at(ctx)
			if err != nil {
				return err
			}
			a, err := t.send(ctx, http.MethodPost, "/api/v1/acts", harmless, headers...)
			if err != nil {
				return err
			}
			return letIn(a)
		}})
	}
	for _, path := range []string{"/api/v1/changes", "/api/v1/drills", "/api/v1/incidents/attack/ack", "/-/reload"} {
		all = append(all, probe{door: "proof", name: "no write to " + path + " without a token", try: proofless(path)})
	}
	return append(all,
		probe{door: "proof", name: "no write through a proxy that adds nothing", try: throughProxy},
		probe{door: "proof", name: "no token in the address", try: proofless("/api/v1/acts?token=" + headToken + "&access_token=" + headToken)},
		probe{door: "proof", name: "no write by the form of a page", try: form()},
		probe{door: "proof", name: "a token in Authorization counts in any letter case", try: anyCase},
		probe{door: "proof", name: "without anything configured, no write either", try: bareWrite},
		probe{door: "proof", name: "the password to read writes nothing", try: passwordWrites},
		probe{door: "proof", name: "the token of a command is readable by its user alone", try: localToken},
	)
}

// proofless writes at a path without any proof.
func proofless(path string) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		a, err := t.send(ctx, http.MethodPost, path, harmless)
		if err != nil {
			return err
		}
		return letIn(a)
	}
}

// throughProxy writes through a reverse proxy as it comes: on this machine, adding no header.
func throughProxy(ctx context.Context, c *camp) error {
	t, err := c.at(ctx)
	if err != nil {
		return err
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Transport: stranger.Transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(t.url)
		r.Out.Host = t.url.Host
	}})
	defer proxy.Close()
	through, err := newTarget(proxy.URL, false)
	if err != nil {
		return err
	}
	for _, path := range []string{"/api/v1/acts", "/-/reload"} {
		a, err := through.send(ctx, http.MethodPost, path, harmless)
		if err == nil {
			err = letIn(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// form posts the form of an incident's page as a program does.
func form() func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		a, err := t.send(ctx, http.MethodPost, "/incidents/attack", "kind=remark&by=attack&text=x", "Content-Type: application/x-www-form-urlencoded")
		if err != nil {
			return err
		}
		return oneOf(a, 401, 403, 404, 429)
	}
}

func anyCase(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
		a, err := own.send(ctx, http.MethodPost, "/api/v1/acts", harmless, "Authorization: "+scheme+" "+headToken)
		if err == nil {
			err = oneOf(a, 400)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func bareWrite(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "bare")
	if err != nil {
		return err
	}
	a, err := own.send(ctx, http.MethodPost, "/api/v1/acts", harmless)
	if err != nil {
		return err
	}
	if err := letIn(a); err != nil {
		return err
	}
	// Its own user's command needs nothing more.
	out, code, err := own.cli(ctx, nil, "work", "1", "--kind", "toil", "--by", "Ada")
	if err == nil && code != 0 {
		err = errors.New("its own user cannot write: " + out)
	}
	return err
}

func passwordWrites(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "vault")
	if err != nil {
		return err
	}
	a, err := own.send(ctx, http.MethodPost, "/api/v1/acts", harmless, "Authorization: Basic "+basic("reader", password))
	if err != nil {
		return err
	}
	if err := letIn(a); err != nil {
		return err
	}
	a, err = own.send(ctx, http.MethodPost, "/api/v1/acts", harmless, "Authorization: Basic "+basic("reader", password), "X-Slowburn-Token: "+headToken)
	if err != nil {
		return err
	}
	return oneOf(a, 400) // both together are let in
}

func localToken(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	return onlyOurs(own, "data/slowburn.db.token", "data/slowburn.db")
}

// originProbes write as the page of a stranger makes a browser do. The request has the right token:
// a browser would send what it keeps.
func originProbes() (all []probe) {
	for name, headers := range map[string][]string{
		"Sec-Fetch-Site: cross-site": {"Sec-Fetch-Site: cross-site"}, "Sec-Fetch-Site: same-site": {"Sec-Fetch-Site: same-site"}, "another origin": {"Origin: https://evil.example"}, "the origin null": {"Origin: null"},
		"text/plain of another origin": {"Origin: https://evil.example", "Content-Type: text/plain"}, "a form of another origin": {"Origin: https://evil.example", "Content-Type: application/x-www-form-urlencoded"},
	} {
		all = append(all, probe{door: "origins", name: "no write from " + name, inputs: []int{50, 51}, try: func(ctx context.Context, c *camp) error {
			t, err := c.at(ctx)
			if err != nil {
				return err
			}
			for _, path := range []string{"/api/v1/acts", "/-/reload", "/incidents/attack"} {
				if c.target == nil {
					headers = append(headers, "X-Slowburn-Token: "+headToken)
				}
				a, err := t.send(ctx, http.MethodPost, path, harmless, headers...)
				if err == nil {
					err = oneOf(a, 401, 403)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
			}
			return nil
		}})
	}
	return append(all,
		probe{door: "origins", name: "a program without an origin may write with a token", try: withToken(headToken, "/api/v1/acts", harmless, 400)},
		probe{door: "origins", name: "GET writes nothing", inputs: []int{52}, try: status("GET", "/-/reload", "", 401, 404, 405)},
		probe{door: "origins", name: "X-HTTP-Method-Override is not heard", inputs: []int{53}, try: func(ctx context.Context, c *camp) error {
			t, err := c.at(ctx)
			if err != nil {
				return err
			}
			a, err := t.get(ctx, "/-/reload", "X-HTTP-Method-Override: POST", "X-Method-Override: POST")
			if err != nil {
				return err
			}
			return oneOf(a, 401, 404, 405)
		}},
		probe{door: "origins", name: "DELETE deletes nothing", inputs: []int{52}, try: status("DELETE", "/api/v1/acts", "", 401, 404, 405)},
	)
}

// withToken posts to the bank with a token and wants one of the statuses.
func withToken(token, path, body string, want ...int) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		own, err := c.castle(ctx, "bank")
		if err != nil {
			return err
		}
		a, err := own.send(ctx, http.MethodPost, path, body, "X-Slowburn-Token: "+token)
		if err != nil {
			return err
		}
		return oneOf(a, want...)
	}
}

// bodyProbes send what is no act, with the right token.
func bodyProbes() (all []probe) {
	deep := strings.Repeat(`{"a":`, 30_000) + "1" + strings.Repeat("}", 30_000)
	for name, body := range map[string]string{
		"70 kB": `{"kind":"work","by":"a","text":"` + strings.Repeat("x", 70_000) + `"}`, "a text of 30,000 characters": `{"kind":"work","by":"a","text":"` + strings.Repeat("x", 30_000) + `"}`,
		"a field that nobody knows": `{"kind":"work","by":"a","role":"admin"}`, "30,000 levels": deep, "less than no minutes": `{"kind":"work","by":"a","facts":{"minutes":"-5","kind":"toil"}}`,
		"something after it": `{"kind":"remark","by":"a","incident":"i","text":"x"}{}`, "facts of 60 kB": `{"kind":"work","by":"a","facts":{"x":"` + strings.Repeat("y", 60_000) + `"}}`,
		"an escape in a name": `{"kind":"work","by":"a\u001b[2J"}`, "NUL in a name": `{"kind":"work","by":"a\u0000"}`, "a line break in a name": `{"kind":"work","by":"a\nb"}`, "a C1 character in a note": `{"kind":"work","by":"a","text":"\u009b2J"}`, "a text that turns": `{"kind":"work","by":"a","text":"\u202e"}`,
		"a kind of the daemon's own": `{"kind":"config","by":"a"}`, "an act of nobody": `{"kind":"work"}`, "an override of nothing": `{"kind":"override","by":"a","text":"x"}`, "a silence of nothing": `{"kind":"silence","by":"a"}`,
	} {
		all = append(all, probe{door: "bodies", name: "no act from " + name, try: withToken(headToken, "/api/v1/acts", body, 400, 404)})
	}
	for name, body := range map[string]string{
		"a link that is a script": `{"service":"shop","by":"a","title":"x","link":"javascript:alert(1)"}`, "a link that turns": `{"service":"shop","by":"a","title":"x","link":"https://a\u202e.example"}`, "a share above all": `{"service":"shop","by":"a","kind":"experiment","title":"x","spend":"101%","end":"2099-01-01T00:00:00Z"}`,
		"a title with an escape": `{"service":"shop","by":"a","title":"\u001b]0;x\u0007"}`, "the year 2": `{"service":"shop","by":"a","title":"x","start":"0002-01-01T00:00:00Z"}`, "the year 2290": `{"service":"shop","by":"a","title":"x","start":"2290-01-01T00:00:00Z"}`, "now to the year 9999": `{"service":"shop","by":"a","title":"x","end":"9999-12-31T00:00:00Z"}`,
	} {
		inputs := []int(nil)
		if strings.Contains(name, "script") {
			inputs = []int{34}
		}
		all = append(all, probe{door: "bodies", name: "no change from " + name, inputs: inputs, try: withToken(headToken, "/api/v1/changes", body, 400, 409)})
	}
	return append(all,
		probe{door: "bodies", name: "a name that is no UTF-8 is stored as what can be shown", try: func(ctx context.Context, c *camp) error {
			own, err := c.castle(ctx, "bank")
			if err != nil {
				return err
			}
			a, err := own.send(ctx, http.MethodPost, "/api/v1/acts", "{\"kind\":\"work\",\"by\":\"a\xff\",\"facts\":{\"minutes\":\"1\",\"kind\":\"toil\"}}", "X-Slowburn-Token: "+headToken)
			if err == nil && strings.Contains(a.body, "\xff") {
				err = errors.New("answers " + a.body)
			}
			return err
		}},
	)
}

// day writes a time for the API, so many hours from now.
func day(hours time.Duration) string {
	return time.Now().Add(hours * time.Hour).UTC().Format(time.RFC3339)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// pagesOf lists every kind of page, and what the API answers.
var pagesOf = []string{"/", "/incidents", "/changes", "/reports", "/policy", "/slo/bank/availability", "/service/bank"}

// runs is what would run in a page, or be loaded by it from elsewhere.
var runs = regexp.MustCompile(`(?i)<(script|iframe|object|embed|base|meta http-equiv)\b|<[a-z][a-z0-9]*(\s+[a-z-]+(="[^"]*")?)*\s+on[a-z]+=|(href|src|action)="\s*(javascript|vbscript|data:text)|<(img|link|source)[^>]*(src|href)="https?:`)

// liveTags are what slowburn's pages hold of this themselves: the script that keeps them current,
// and what does without one.
var liveTags = regexp.MustCompile(`<script src="[a-z/]*/live\.js" data-events="[a-z/]*/live" defer></script>|<noscript><meta http-equiv="refresh" content="60"></noscript>`)

// foundIn returns what of a page would run and is not slowburn's own, "" if nothing.
func foundIn(page string) string { return runs.FindString(liveTags.ReplaceAllString(page, "")) }

// readProbes try what everybody can ask for.
func readProbes() []probe {
	all := []probe{{door: "reading", name: "every answer forbids scripts, frames and sniffing", try: headers}}
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/-/quit", "/config", "/api/v1/config", "/api/v1/status/config", "/.git/config", "/data/slowburn.db", "/templates/"} {
		all = append(all, probe{door: "reading", name: "nothing is at " + path, inputs: []int{60}, try: status("GET", path, "", 404, 405, 401)})
	}
	for name, path := range map[string]string{
		"a text in q": "/?q=", "a text in state": "/incidents?state=", "a text in team": "/?team=", "a text in service": "/changes?service=", "a text as name of a report": "/reports/", "a text as SLO": "/slo/", "a text as incident": "/incidents/",
	} {
		all = append(all, probe{door: "reading", name: name + " stays text", inputs: []int{46, 47}, try: reflected(path)})
	}
	for name, path := range map[string]string{
		"history from the year 1 to 9999":     "/api/v1/slos/bank/availability/history?from=0001-01-01T00:00:00Z&to=9999-12-31T00:00:00Z",
		"history in steps of a nanosecond":    "/api/v1/slos/bank/availability/history?step=1ns",
		"a register since the year 1":         "/api/v1/register?from=0001-01-01T00:00:00Z",
		"a report of a week":                  "/reports/weekly/2026-W48",
		"the power of alerts, of all budgets": "/api/v1/slos?power=1",
		"more incidents than there are":       "/api/v1/incidents?limit=999999999999",
	} {
		all = append(all, probe{door: "reading", name: "dear to answer: " + name, try: inTime(path)})
	}
	return append(all,
		probe{door: "reading", name: "TRACE echoes nothing", try: status("TRACE", "/", "", 400, 401, 405, 501)},
		probe{door: "reading", name: "OPTIONS allows nobody", try: func(ctx context.Context, c *camp) error {
			t, err := c.at(ctx)
			if err != nil {
				return err
			}
			a, err := t.send(ctx, http.MethodOptions, "/api/v1/acts", "", "Origin: https://evil.example", "Access-Control-Request-Method: POST")
			if err == nil && a.header.Get("Access-Control-Allow-Origin") != "" {
				err = errors.New("allows " + a.header.Get("Access-Control-Allow-Origin"))
			}
			return err
		}},
	)
}

// status sends a request and wants one of the statuses.
func status(method, path, body string, want ...int) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		a, err := t.send(ctx, method, path, body, t.reading()...)
		if err != nil {
			return err
		}
		return oneOf(a, want...)
	}
}

func headers(ctx context.Context, c *camp) error {
	t, err := c.at(ctx)
	if err != nil {
		return err
	}
	for _, path := range append([]string{"/nothing", "/api/v1/status", "/-/healthy"}, pagesOf...) {
		a, err := t.get(ctx, path)
		if err != nil {
			return err
		}
		if a.status == http.StatusUnauthorized {
			return skip("a password is asked for: give -token-file")
		}
		for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"} {
			if !strings.Contains(a.header.Get(name), want) || strings.Contains(a.header.Get(name), "unsafe") {
				return fmt.Errorf("%s has %s: %q", path, name, a.header.Get(name))
			}
		}
		if found := foundIn(a.body); found != "" && strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			return fmt.Errorf("%s holds %s", path, found)
		}
	}
	return nil
}

// reflected asks for each hostile text behind a path.
func reflected(path string) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		for _, text := range hostile[:8] {
			a, err := t.get(ctx, path+escape(text))
			if err != nil {
				return err
			}
			if found := foundIn(a.body); found != "" && strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
				return fmt.Errorf("%q comes back as %s", text, found)
			}
		}
		return nil
	}
}

// escape writes each byte of a text as in an address.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

// inTime wants an answer within five seconds, while health answers.
func inTime(path string) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		a, err := t.get(ctx, path)
		if err != nil {
			return err
		}
		if took := time.Since(began); took > 5*time.Second {
			return fmt.Errorf("took %v", took)
		}
		return oneOf(a, 200, 400, 401, 404)
	}
}

// pathProbes try to leave what is served.
func pathProbes() (all []probe) {
	for name, path := range map[string]string{
		"../ in the address of an SLO": "/slo/../../etc/passwd", "%2e%2e%2f": "/slo/%2e%2e%2f%2e%2e%2fetc/passwd", `..\`: "/slo/..%5c..%5cetc%5cpasswd", "NUL": "/slo/%00", "con": "/slo/con/nul",
		"CR LF in an ID": "/incidents/%0d%0aSet-Cookie:%20a=b", "a style sheet that is a folder up": "/style.css/../../go.mod", "an incident that is a file": "/api/v1/incidents/..%2f..%2fetc%2fpasswd", "a report that is a file": "/reports/..%2f..%2fetc/passwd",
	} {
		all = append(all, probe{door: "paths", name: name + " leads to nothing", inputs: []int{48, 49}, try: nowhere(path)})
	}
	all = append(all, probe{door: "paths", name: "an ID of 9,000 characters is refused", inputs: []int{49}, try: nowhere("/slo/" + strings.Repeat("x", 9000))})
	for _, path := range []string{"//evil.example", "/%5cevil.example", "/%2f%2fevil.example", "/\\evil.example", "/https://evil.example"} {
		all = append(all, probe{door: "paths", name: "no redirect goes elsewhere: " + path, try: nowhere(path)})
	}
	return all
}

// nowhere wants nothing, or a redirect to a path of the daemon's own.
func nowhere(path string) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		got, err := t.raw(ctx, "GET "+path+" HTTP/1.1\r\nHost: "+t.url.Host+"\r\nConnection: close\r\n\r\n", 10*time.Second)
		if err != nil {
			return err
		}
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		if strings.Contains(body, "root:") || strings.Contains(body, "module github.com") || strings.Contains(head, "\r\nSet-Cookie:") {
			return errors.New("serves a file: " + got)
		}
		switch s := statusOf(got); {
		case s >= 400 && s < 500:
			return nil
		case s >= 300 && s < 400:
			for line := range strings.SplitSeq(head, "\r\n") {
				if to, ok := strings.CutPrefix(line, "Location: "); ok && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`)) {
					return errors.New("leads to " + to)
				}
			}
			return nil
		default:
			return errors.New("answered " + got)
		}
	}
}

// hostProbes ask under names that are not the daemon's: a page elsewhere can bind its own to it.
func hostProbes() (all []probe) {
	for name, host := range map[string]string{
		"of a stranger": "evil.example", "with ours at its begin": "127.0.0.1.evil.example", "of a service that answers any": "127.0.0.1.nip.io", "none": "", "0.0.0.0": "0.0.0.0", "of a stranger with a dot": "evil.example.",
	} {
		all = append(all, probe{door: "hosts", name: "a host " + name + " is not served", inputs: []int{54}, try: func(ctx context.Context, c *camp) error {
			t, err := c.at(ctx)
			if err != nil {
				return err
			}
			if host == "0.0.0.0" && !strings.HasPrefix(t.url.Hostname(), "127.") {
				return skip("an address, which no name can be bound to")
			}
			got, err := t.raw(ctx, "GET /api/v1/status HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n", 10*time.Second)
			if err == nil && statusOf(got) != http.StatusMisdirectedRequest && statusOf(got) != http.StatusUnauthorized {
				err = errors.New("answered " + got)
			}
			return err
		}})
	}
	return append(all,
		probe{door: "hosts", name: "an absolute address of a stranger is not served", inputs: []int{54}, try: rawStatus("GET http://evil.example/api/v1/status HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n", 421, 401, 400)},
		probe{door: "hosts", name: "two hosts are refused", try: rawStatus("GET / HTTP/1.1\r\nHost: $HOST\r\nHost: evil.example\r\n\r\n", 400)},
		probe{door: "hosts", name: "a host that a proxy passes on changes nothing", inputs: []int{54}, try: func(ctx context.Context, c *camp) error {
			t, err := c.at(ctx)
			if err != nil {
				return err
			}
			a, err := t.get(ctx, "/", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example")
			if err == nil && strings.Contains(a.body, "evil.example") {
				err = errors.New("the page names evil.example")
			}
			return err
		}},
	)
}

// rawStatus sends bytes and wants one of the statuses; 0 is to be hung up on. $HOST is the
// daemon's.
func rawStatus(text string, want ...int) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		got, err := t.raw(ctx, strings.ReplaceAll(text, "$HOST", t.url.Host), 10*time.Second)
		if err != nil {
			return err
		}
		return oneOf(answer{status: statusOf(got), body: got}, want...)
	}
}

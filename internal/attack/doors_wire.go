package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

func basic(user, word string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + word))
}

func oldTLS(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "vault")
	if err != nil {
		return err
	}
	for version, good := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}} //nolint:gosec // it is the attacker
		conn, err := d.DialContext(ctx, "tcp", own.url.Host)
		if err == nil {
			conn.Close()
		}
		if (err == nil) != good {
			return fmt.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	return nil
}

// wireProbes speak HTTP as no client should.
func wireProbes() (all []probe) {
	smuggled := "0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: $HOST\r\n\r\n"
	for _, p := range []struct {
		name, text string
		want       []int
		input      int
	}{
		{"Content-Length and Transfer-Encoding", "POST /api/v1/acts HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + smuggled, []int{400, 401, 403, 429}, 59},
		{"two lengths", "POST /api/v1/acts HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX", []int{400}, 59},
		{"chunked, identity", "POST / HTTP/1.1\r\nHost: $HOST\r\nTransfer-Encoding: chunked, identity\r\n\r\n" + smuggled, []int{400, 501}, 59},
		{"xchunked", "POST / HTTP/1.1\r\nHost: $HOST\r\nTransfer-Encoding: xchunked\r\n\r\n" + smuggled, []int{400, 501}, 59},
		{"a space before the colon", "GET / HTTP/1.1\r\nHost : $HOST\r\n\r\n", []int{400}, 59},
		{"NUL in a header", "GET / HTTP/1.1\r\nHost: $HOST\r\nX: a\x00b\r\n\r\n", []int{400}, 59},
		{"HTTP/0.9", "GET /\r\n\r\n", []int{400, 0}, 59},
		{"HTTP/9.9", "GET / HTTP/9.9\r\nHost: $HOST\r\n\r\n", []int{400, 505}, 59},
		{"a header of 1 MiB", "GET / HTTP/1.1\r\nHost: $HOST\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", []int{431, 0}, 57},
		{"100,000 headers", "GET / HTTP/1.1\r\nHost: $HOST\r\n" + strings.Repeat("X: y\r\n", 100_000) + "\r\n", []int{431, 0}, 57},
		{"a folded header", "GET / HTTP/1.1\r\nHost: $HOST\r\nX: a\r\n b\r\nConnection: close\r\n\r\n", []int{200, 400, 401}, 59},
	} {
		all = append(all, probe{door: "wire", name: p.name + " is refused or read as one request", inputs: []int{p.input}, try: oneAnswer(p.text, p.want...)})
	}
	return append(all, probe{door: "wire", name: "streams that are opened and reset at once hurt nobody", inputs: []int{58}, try: rapidReset})
}

// oneAnswer sends bytes, and wants one of the statuses and no second answer.
func oneAnswer(text string, want ...int) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		got, err := t.raw(ctx, strings.ReplaceAll(text, "$HOST", t.url.Host), 7*time.Second)
		if err != nil {
			return nil //nolint:nilerr // hung up on
		}
		if strings.Count(got, "HTTP/1.1 ") > 1 && strings.Contains(got, "slowburn_") {
			return errors.New("two requests were answered")
		}
		return oneOf(answer{status: statusOf(got), body: got}, want...)
	}
}

// rapidReset opens streams and gives them up, for three seconds.
func rapidReset(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "vault")
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}} //nolint:gosec // it is the attacker
	defer client.CloseIdleConnections()
	until, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var crowd sync.WaitGroup
	for range 8 {
		crowd.Go(func() {
			for until.Err() == nil {
				hasty, giveUp := context.WithTimeout(until, time.Millisecond)
				r, _ := http.NewRequestWithContext(hasty, http.MethodGet, own.url.String()+"/api/v1/status", http.NoBody)
				if resp, err := client.Do(r); err == nil {
					resp.Body.Close()
				}
				giveUp()
			}
		})
	}
	err = healthWhile(ctx, own.target, 2*time.Second)
	crowd.Wait()
	return err
}

// crowdProbes send much, slowly, at once. Health has to answer within a second all the while.
func crowdProbes() []probe {
	partly := func(path string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: $HOST\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\na"
	}
	return []probe{
		{door: "crowds", name: "64 slow bodies for Slack: health answers within a second", inputs: []int{56}, try: slow(64, partly("/slack/interactions"), 5*time.Second)},
		{door: "crowds", name: "64 slow bodies for the API: health answers within a second", inputs: []int{56}, try: slow(64, partly("/api/v1/acts"), 5*time.Second)},
		{door: "crowds", name: "2,000 slow bodies: health answers within a second", inputs: []int{56}, try: slow(2000, partly("/slack/interactions"), 5*time.Second)},
		{door: "crowds", name: "2,000 idle connections: health answers within a second", inputs: []int{56}, try: slow(2000, "", 3*time.Second)},
		{door: "crowds", name: "1,000 slow headers are cut off, and health answers within a second", inputs: []int{56}, try: slow(1000, "GET / HTTP/1.1\r\nHost: $HOST\r\nX-A: b", 4*time.Second)},
		{door: "crowds", name: "a slow header is cut off within ten seconds", inputs: []int{56}, try: cutOff("GET / HTTP/1.1\r\nHost: $HOST\r\nX-A: b", 10*time.Second)},
		{door: "crowds", name: "a slow body is cut off within ten seconds", inputs: []int{56}, try: cutOff(partly("/api/v1/acts"), 10*time.Second)},
	}
}

// slow opens connections, sends the same on each and no more, and asks for health all the while.
func slow(n int, text string, while time.Duration) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		var conns []net.Conn
		defer func() {
			for _, conn := range conns {
				conn.Close()
			}
		}()
		done := make(chan error, 1)
		asking, stop := context.WithCancel(ctx)
		go func() { done <- healthWhile(asking, t, while+20*time.Second) }()
		began := time.Now()
		for range n {
			conn, err := t.dial(ctx)
			if err != nil {
				break // it need not take them all
			}
			conns = append(conns, conn)
			_, _ = conn.Write([]byte(strings.ReplaceAll(text, "$HOST", t.url.Host)))
		}
		select {
		case <-time.After(while - min(time.Since(began), while/2)):
		case <-ctx.Done():
		}
		stop()
		if len(conns) < n/2 {
			return errors.Join(skip(fmt.Sprintf("only %d connections could be opened", len(conns))), <-done)
		}
		return <-done
	}
}

// healthWhile asks for health every 100 ms. The longest answer may take a second.
func healthWhile(ctx context.Context, t *target, while time.Duration) error {
	for end := time.Now().Add(while); time.Now().Before(end) && ctx.Err() == nil; {
		began := time.Now()
		a, err := t.send(context.WithoutCancel(ctx), http.MethodGet, "/-/healthy", "")
		switch took := time.Since(began); {
		case err != nil:
			return fmt.Errorf("health: %w", err)
		case strings.Contains(a.body, "Too many"):
			return errors.New("health: " + a.body)
		case took > time.Second:
			return fmt.Errorf("health took %v", took)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// cutOff wants the daemon to hang up in time.
func cutOff(text string, within time.Duration) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := t.raw(ctx, strings.ReplaceAll(text, "$HOST", t.url.Host), within+time.Second); err != nil {
			return err
		}
		if took := time.Since(began); took > within {
			return fmt.Errorf("it was still open after %v", took)
		}
		return nil
	}
}

// guessProbes guess, which makes the daemon wary of this address for a while: they come last.
func guessProbes() []probe {
	return []probe{
		{door: "guesses", name: "300 wrong tokens: most are turned away unread", inputs: []int{55}, try: guess(func(n int) []string { return []string{fmt.Sprintf("X-Slowburn-Token: canary-token-%08d", n)} })},
		{door: "guesses", name: "another address in X-Forwarded-For is no new guesser", inputs: []int{55}, try: guess(func(n int) []string {
			return []string{fmt.Sprintf("X-Slowburn-Token: canary-token-%08d", n), fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", n%250), fmt.Sprintf("X-Real-Ip: 192.0.2.%d", n%250)}
		})},
		{door: "guesses", name: "300 wrong passwords beside a signature: most are turned away unread", inputs: []int{55}, try: func(ctx context.Context, c *camp) error {
			own, err := c.castle(ctx, "vault")
			if err != nil {
				return err
			}
			return own.guess(ctx, "/api/v1/acts", harmless, func(n int) []string {
				return []string{"X-Slack-Signature: v0=1", "Authorization: Basic " + basic("reader", fmt.Sprint("guess ", n))}
			})
		}},
		{door: "guesses", name: "300 wrong tokens in the form of a page: most are turned away unread", inputs: []int{55}, try: func(ctx context.Context, c *camp) error {
			own, err := c.castle(ctx, "bank")
			if err != nil {
				return err
			}
			return own.guess(ctx, "/approvals", "act=approve&key=x&by=A&token=canary-token-of-nobody", func(int) []string { return []string{"Content-Type: application/x-www-form-urlencoded"} })
		}},
		{door: "guesses", name: "guesses are counted and told in the log, without the guess", try: guessesTold},
	}
}

// guess tries 300 times, and wants to be turned away.
func guess(headers func(n int) []string) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		t, err := c.at(ctx)
		if err != nil {
			return err
		}
		return t.guess(ctx, "/api/v1/acts", harmless, headers)
	}
}

func (t *target) guess(ctx context.Context, path, body string, headers func(n int) []string) error {
	ctx, turnedAway := context.WithValue(ctx, impatient{}, true), 0
	for n := range 300 {
		a, err := t.send(ctx, http.MethodPost, path, body, headers(n)...)
		if err != nil {
			return err
		}
		if a.status == http.StatusTooManyRequests {
			turnedAway++
		} else if err := oneOf(a, 401, 403); err != nil {
			return err
		}
	}
	if turnedAway < 200 {
		return fmt.Errorf("only %d of 300 were turned away", turnedAway)
	}
	return nil
}

func guessesTold(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	ctx = context.WithValue(ctx, impatient{}, true)
	for n := range 15 {
		if _, err := own.send(ctx, http.MethodPost, "/api/v1/acts", harmless, fmt.Sprintf("X-Slowburn-Token: canary-guess-of-token-%d", n)); err != nil {
			return err
		}
	}
	a, err := own.get(ctx, "/metrics")
	switch text := own.log.String(); {
	case err != nil:
		return err
	case !strings.Contains(a.body, `slowburn_http_refused_total{reason="token"}`):
		return errors.New("no metric counts them")
	case !strings.Contains(text, "could not prove"):
		return errors.New("the log does not tell of them")
	case strings.Contains(text+a.body, "canary-guess"):
		return errors.New("a guess is shown")
	}
	return nil
}

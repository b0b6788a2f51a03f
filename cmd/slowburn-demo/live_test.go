package main

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/api"
)

// watched is an output that is read while it is written.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// What people see first is the live demo: nothing is told before the outage of the story, the page
// comes within the first twenty seconds, and no link of any page leads nowhere.
func TestTheLiveDemoBeginsClean(t *testing.T) {
	if *lives == 0 {
		t.Skip("ten seconds of CPU: `make lives` and CI play it")
	}
	const speed = 40 // as by default; what is measured below is on the shop's clock
	ctx, stop := context.WithCancel(t.Context())
	var out, errs watched
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"--web.listen-address=127.0.0.1:0", "--slack.listen-address=127.0.0.1:0"}, &out, &errs, func() time.Time { return monday })
	}()
	defer func() {
		stop()
		if code := <-ended; code != 0 || errs.String() != "" {
			t.Errorf("the demo ends with %d and says: %s", code, errs.String())
		}
	}()
	pages, slack := address(t, &out, "slowburn"), address(t, &out, "Slack")
	live := monday.Truncate(24*time.Hour).AddDate(0, 0, -7).Add(storyBegins)
	outage := live.Add(outageAfter)
	var told []api.Incident
	ask(t, func() bool {
		var all []api.Incident
		if !fetch(pages+"/api/v1/incidents?limit=500", &api.Answer{Data: &all}) {
			return false
		}
		told = all
		return len(all) > 0 && !all[0].Onset.Before(outage)
	})
	for _, i := range told {
		if !i.Detected.Before(live.Truncate(24*time.Hour)) && i.Onset.Before(outage) || i.Rule == "no_data" {
			t.Errorf("before the outage at %s somebody is told of %s (%s, %s)", outage, i.ID, i.Rule, i.Detected)
		}
	}
	if at := told[0].Detected.Sub(live) / speed; at > 20*time.Second || told[0].Severity != "page" {
		t.Errorf("%s, a %s, is told %s after the addresses are printed", told[0].ID, told[0].Severity, at)
	}
	crawl(t, pages, slack)
}

// ask asks until the answer is yes, for a minute at most.
func ask(t *testing.T, f func() bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatal("it does not come about within two minutes")
		case <-tick.C:
		}
	}
}

// address returns where the demo says that something is, as soon as it says so.
func address(t *testing.T, out *watched, what string) (found string) {
	t.Helper()
	pattern := regexp.MustCompile(`(?m)^ +` + what + ` +(http://\S+)`)
	ask(t, func() bool {
		m := pattern.FindStringSubmatch(out.String())
		if m != nil {
			found = m[1]
		}
		return m != nil
	})
	return found
}

func fetch(address string, into any) bool {
	resp, err := http.Get(address) //nolint:gosec // of the demo
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into) == nil
}

// crawled is how many pages are looked at.
const crawled = 250

// crawl follows the links of the first pages, breadth first, and reports those that lead nowhere.
// Addresses that a page only posts to are no links.
func crawl(t *testing.T, starts ...string) {
	t.Helper()
	links := regexp.MustCompile(`(?:href|src)="([^"#]+)`)
	seen, hosts := map[string]bool{}, map[string]bool{}
	type step struct{ address, from string }
	var queue []step
	for _, s := range starts {
		u, _ := url.Parse(s)
		hosts[u.Host] = true
		queue = append(queue, step{s + "/", "the output"})
	}
	for ; len(queue) > 0 && len(seen) < crawled; queue = queue[1:] {
		at := queue[0]
		if seen[at.address] {
			continue
		}
		seen[at.address] = true
		resp, err := http.Get(at.address)
		if err != nil {
			t.Errorf("%s: %v", at.address, err)
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode >= 400 {
			t.Errorf("%s is %s; %s links to it", at.address, resp.Status, at.from)
		}
		base, _ := url.Parse(at.address)
		for _, m := range links.FindAllStringSubmatch(string(text), -1) {
			if to, err := base.Parse(html.UnescapeString(m[1])); err == nil && hosts[to.Host] && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
				queue = append(queue, step{to.String(), at.address})
			}
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d pages were found", len(seen))
	}
}

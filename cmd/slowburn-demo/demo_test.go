package main

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// monday is when the demo is started; the story plays on the Monday before, as in README.md.
var monday = time.Date(2026, time.November, 30, 8, 0, 35, 0, time.UTC)

// lives is how often the story is played: not by `make test`, twice by `make lives` and CI. Each
// takes ten seconds of CPU: a month of samples of nine services is made, read back by the daemon,
// and a week of it lived minute by minute.
var lives = flag.Int("lives", 0, "how often the demo is played, and has to tell the same")

// The demo tells the same story every time; only the ports of its stand-ins differ, and how long
// the evidence took.
func TestDemoTellsTheSameStoryEveryTime(t *testing.T) {
	if *lives == 0 {
		t.Skip("ten seconds of CPU: `make lives` and CI play it")
	}
	told := make([]string, *lives)
	var all sync.WaitGroup
	for n := range told {
		all.Go(func() {
			var out, errs bytes.Buffer
			code := run(t.Context(), []string{"--once"}, &out, &errs, func() time.Time { return monday })
			if code != 0 || errs.Len() > 0 {
				t.Errorf("exit code %d: %s", code, &errs)
			}
			told[n] = regexp.MustCompile(`127\.0\.0\.1:\d+|found within [0-9.]+ s`).ReplaceAllString(out.String(), "…")
		})
	}
	all.Wait()
	for _, again := range told[1:] {
		if told[0] != again {
			t.Fatalf("two runs tell two stories:\n%s\nand\n%s", told[0], again)
		}
	}
	for _, part := range []string{
		"| latency | p99 |", "| saturation | cpu throttling |", " UTC in steps of 1 min: `▁▁▁", // the golden signals, in the postmortem
		"Most of the excess is in payment=\"card\"", "deploy checkout v2.4.1 (recorded). After this deploy", // what burns, and what changed
		"#checkout-oncall", "99 % of card payments on checkout /pay fail", "Resolved: payments on checkout /pay failed for 20 min",
		"Resolved: requests on payments failed", "Frozen: orders-worker/freshness", "Thu 14:16", "A postmortem is required", "Ben Okafor* has acknowledged",
		// the decisions
		"1. orders-worker/freshness: burned at 02:01–02:37 on 5 nights running", "2. orders-worker/freshness: over budget",
		"3. payments/availability: lost 57.1 points", "5. 1 action item is overdue: P0 “Release to one pod first",
		"#reliability-leads", "Reliability report weekly", "Postmortem draft of checkout/availability{route=\"/pay\"}/page/", "# Postmortem",
	} {
		if !strings.Contains(told[0], part) {
			t.Errorf("the story has no %q:\n%s", part, told[0])
		}
	}
	rest := told[0]
	for _, line := range excerpt(t) {
		_, after, found := strings.Cut(rest, "\n"+line+"\n")
		if !found {
			t.Errorf("README.md shows this, and the demo does not print it, or not here: %s", line)
			continue
		}
		rest = "\n" + after
	}
}

// excerpt returns the lines of the demo that README.md shows, without those that leave something
// out.
func excerpt(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "--once` plays the same story on a simulated clock and prints it:\n\n```\n")
	block, _, found := strings.Cut(after, "```")
	for line := range strings.Lines(block) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && strings.TrimSpace(line) != "…" {
			lines = append(lines, line)
		}
	}
	if !found || len(lines) < 10 {
		t.Fatalf("README.md has no excerpt of the demo any more: %q", lines)
	}
	return lines
}

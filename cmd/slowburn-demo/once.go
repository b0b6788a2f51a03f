package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// once plays the story minute by minute on a clock that only moves when everything that was due is
// done, and prints what people would have seen.
func (d *demo) once(ctx context.Context, s *stage, a *daemon.Daemon) error {
	live := s.shop.Live()
	for at := live; !at.After(live.Add(storyLength)) && ctx.Err() == nil; at = at.Add(time.Minute) {
		if err := s.minute(ctx, a, at); err != nil {
			return err
		}
		if err := s.answer(a, at); err != nil {
			return err
		}
	}
	channels := []string{"checkout-oncall", "reliability", "reliability-leads"}
	printPast(d.out, s.slack, channels, live)
	for _, channel := range channels {
		printChannel(d.out, s.slack, channel, live)
	}
	return d.printDrafts(ctx, a, live)
}

// printPast prints what was posted before the story, in a line each.
func printPast(out io.Writer, srv *slacktest.Server, channels []string, live time.Time) {
	var past []slacktest.Message
	names := map[string]string{}
	for _, channel := range channels {
		for _, root := range srv.State().Roots(channel) {
			if root.Posted.Before(live) {
				past, names[root.TS] = append(past, root), channel
			}
		}
	}
	slices.SortStableFunc(past, func(a, b slacktest.Message) int { return a.Posted.Compare(b.Posted) })
	fmt.Fprint(out, "\nThe week before, in a line each:\n\n")
	for _, m := range past {
		fmt.Fprintf(out, "  %s  #%s  %s\n", m.Posted.UTC().Format("Mon 15:04"), names[m.TS], readable(m.Text))
	}
}

// printChannel prints what was said in a channel in the story, with the threads.
func printChannel(out io.Writer, srv *slacktest.Server, channel string, live time.Time) {
	state := srv.State()
	for _, root := range state.Roots(channel) {
		if root.Posted.Before(live) {
			continue
		}
		printRoot(out, channel, root)
		for _, reply := range state.Thread(channel, root.TS) {
			if reply.TS != root.TS {
				fmt.Fprintf(out, "    ↳ %s\n", clock(reply))
				printMessage(out, reply, "      ")
			}
		}
	}
}

// slackMarkup is Slack's markup for links and dates: what people read is behind the bar.
var slackMarkup = regexp.MustCompile(`<[^<>|]*\|([^<>]*)>`)

// readable returns a text as people read it.
func readable(text string) string {
	return html.UnescapeString(slackMarkup.ReplaceAllString(text, "$1"))
}

// printRoot prints a root message as it came, and as it stands at the end.
func printRoot(out io.Writer, channel string, root slacktest.Message) {
	fmt.Fprintf(out, "\n#%s  %s\n", channel, clock(root))
	n := len(root.Edits)
	if n > 0 {
		printMessage(out, root.Edits[0], "  ")
		fmt.Fprintf(out, "\n  The same message at the end, after %d edits:\n", n)
	}
	printMessage(out, root, "  ")
}

func clock(m slacktest.Message) string { return m.Posted.UTC().Format("15:04") }

func printMessage(out io.Writer, m slacktest.Message, indent string) {
	for line := range strings.Lines(strings.TrimSpace(readable(m.Visible()))) {
		fmt.Fprintln(out, indent+strings.TrimRight(line, "\n"))
	}
}

// printDrafts prints the draft of the postmortem of every page of the story.
func (d *demo) printDrafts(ctx context.Context, a *daemon.Daemon, live time.Time) error {
	incidents, err := a.Archive.Pages(ctx)
	if err != nil {
		return err
	}
	for _, i := range incidents {
		if i.Detected.Before(live) {
			continue
		}
		text, err := a.Archive.Draft(ctx, i)
		if err != nil {
			return err
		}
		fmt.Fprintf(d.out, "\nPostmortem draft of %s\n\n", i.ID)
		for line := range strings.Lines(text) {
			fmt.Fprint(d.out, "  "+line)
		}
	}
	return nil
}

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/slack/slacktest"
)

// once plays the story minute by minute on a clock that only moves when everything that was due is done,
// and prints what people would have seen.
func (c *demoCmd) once(e *env, s *stage, a *app) error {
	live := s.shop.Live()
	for at := live; !at.After(live.Add(storyLength)) && e.ctx.Err() == nil; at = at.Add(time.Minute) {
		if err := s.minute(e.ctx, a, at); err != nil {
			return err
		}
	}
	for _, channel := range []string{"checkout-oncall", "reliability", "reliability-leads"} {
		printChannel(e.out, s.slack, channel)
	}
	return c.printDrafts(e, a)
}

func printChannel(out io.Writer, srv *slacktest.Server, channel string) {
	state := srv.State()
	for _, root := range state.Roots(channel) {
		fmt.Fprintf(out, "\n#%s  %s%s\n", channel, clock(root), edited(root))
		printMessage(out, root, "  ")
		for _, reply := range state.Thread(channel, root.TS) {
			if reply.TS != root.TS {
				fmt.Fprintf(out, "    ↳ %s\n", clock(reply))
				printMessage(out, reply, "      ")
			}
		}
	}
}

func clock(m slacktest.Message) string { return m.Posted.UTC().Format("15:04") }

func edited(m slacktest.Message) string {
	if n := len(m.Edits); n > 0 {
		return fmt.Sprintf(" (edited %d times; this is its newest state)", n)
	}
	return ""
}

func printMessage(out io.Writer, m slacktest.Message, indent string) {
	for line := range strings.Lines(strings.TrimSpace(m.Visible())) {
		fmt.Fprintln(out, indent+strings.TrimRight(line, "\n"))
	}
}

// printDrafts prints the draft of every page's postmortem.
func (c *demoCmd) printDrafts(e *env, a *app) error {
	incidents, err := a.pages(e.ctx)
	if err != nil {
		return err
	}
	for _, i := range incidents {
		text, err := a.postmortem(e.ctx, i)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.out, "\nPostmortem draft of %s\n\n", i.ID)
		for line := range strings.Lines(text) {
			fmt.Fprint(e.out, "  "+line)
		}
	}
	return nil
}

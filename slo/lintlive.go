package slo

import (
	"fmt"
	"strings"
	"time"
)

// minScrapes is how many samples a window needs to survive a missed scrape.
const minScrapes = 4

// LintScrape says which windows of an SLO are too short for the interval at which its metrics are scraped.
func LintScrape(s *Spec, interval time.Duration) (out Problems) {
	eachPair(s, func(part string, p Pair) {
		if p.Short >= minScrapes*interval {
			return
		}
		out = append(out, s.Finding(part, "short-window",
			fmt.Sprintf("the short window %s holds fewer than %d scrapes (every %s), so one missed scrape can end or delay the alert",
				ShortDuration(p.Short), minScrapes, ShortDuration(interval)),
			fmt.Sprintf("scrape at least every %s, or write short: %s", ShortDuration(p.Short/minScrapes), ShortDuration(roundUp(minScrapes*interval)))))
	})
	return out.Sorted()
}

func roundUp(d time.Duration) time.Duration {
	return (d + time.Minute - 1) / time.Minute * time.Minute
}

// Finding is a lint's warning about a part of the SLO ([Spec.Places], or total, bad, good, histogram, up, query) that was
// found by asking a server.
func (s *Spec) Finding(part, id, message, hint string) Problem {
	p := s.problem(strange(id, part, message, hint))
	if name := string(s.ID()) + ": "; !strings.HasPrefix(p.Message, name) {
		p.Message = name + p.Message
	}
	return p
}

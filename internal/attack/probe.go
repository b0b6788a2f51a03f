package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// probe is one attack.
type probe struct {
	door   string // by which it comes
	name   string // unique among those of its door
	inputs []int  // which of the bad inputs it tries; see inputs.go
	// try returns nil if the door held, a skip if the probe does not apply, else the fault.
	try func(context.Context, *camp) error
}

// skip is why a probe was not tried.
type skip string

// Error returns the reason.
func (s skip) Error() string { return string(s) }

// allProbes lists the probes, door by door. Those that make the door wary of us, by wrong proofs,
// come last at theirs.
func allProbes() (all []probe) {
	for _, door := range [][]probe{
		readProbes(), pathProbes(), hostProbes(), proofProbes(), originProbes(), bodyProbes(), keyProbes(), rightProbes(), pairProbes(), textProbes(), slackProbes(), slackTextProbes(),
		yamlProbes(), promqlProbes(), fileProbes(), secretProbes(), startProbes(), serverProbes(), logProbes(), wireProbes(), crowdProbes(), guessProbes(),
	} {
		all = append(all, door...)
	}
	return all
}

// attack tries the probes one after the other, writes what became of each, and returns how many
// have a fault.
func (c *camp) attack(ctx context.Context, probes []probe, out io.Writer) (faults int) {
	began := time.Now()
	count := map[string]int{}
	tried, failed := map[int]bool{}, map[int]bool{}
	for n, p := range probes {
		bounded, cancel := context.WithTimeout(context.WithValue(ctx, origin{}, 2*n), probeLimit)
		err := p.try(bounded, c)
		cancel()
		outcome, why := "held", ""
		var skipped skip
		switch {
		case errors.As(err, &skipped):
			outcome, why = "skipped", skipped.Error()
		case err != nil:
			outcome, why = "FAULT", err.Error()
		}
		count[outcome]++
		for _, n := range p.inputs {
			tried[n] = tried[n] || outcome != "skipped"
			failed[n] = failed[n] || outcome == "FAULT"
		}
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%-7s  %-10s  %s  %s", outcome, p.door, p.name, oneLine(why)), " "))
		if ctx.Err() != nil {
			break
		}
	}
	good := 0
	for n := range tried {
		if tried[n] && !failed[n] {
			good++
		}
	}
	fmt.Fprintf(out, "\n%d probes: %d held, %d faults, %d skipped; %d of %d kinds of bad input held. %.0f s.\n",
		len(probes), count["held"], count["FAULT"], count["skipped"], good, len(inputs), time.Since(began).Seconds())
	return count["FAULT"]
}

// oneLine shows a reason in one line that no answer can steer.
func oneLine(text string) string {
	if text == "" {
		return ""
	}
	if short := []rune(text); len(short) > 300 {
		text = string(short[:300]) + "…"
	}
	return fmt.Sprintf("(%s)", strings.Trim(fmt.Sprintf("%q", text), `"`))
}

// oneOf returns nil if a status is one of those that hold.
func oneOf(a answer, statuses ...int) error {
	if slices.Contains(statuses, a.status) {
		return nil
	}
	return fmt.Errorf("answered %d: %s", a.status, a.body)
}

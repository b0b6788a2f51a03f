// Attack attacks a running daemon through every door and says what became of each probe:
//
//	make attack                                    against daemons of its own
//	make attack URL=https://slowburn.example:7569  and against one that runs
//
// A probe is one line: its door, its name, and whether the door held, had a fault, or was skipped
// and why. The exit code is 1 if any has a fault.
//
// What is sent to a daemon that runs changes nothing there: what should be refused asks for
// something that could not be done either way, and is judged by why it is refused. What has to
// write, to hold secrets or to read files is tried on daemons that the program starts itself, from
// the binary that is shipped, in folders of their own, between stand-ins for Prometheus and Slack,
// on the loopback interface. Another machine is only attacked if -elsewhere says that this is
// meant.
//
// The program is for whoever looks after the safety of slowburn, and for CI; nothing of it is in
// what is shipped. It begins at the door tables: each file but this one, probe.go, target.go and
// castle.go is a door.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	faults, err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(2)
	case faults > 0:
		os.Exit(1)
	}
}

// run attacks as the arguments say, and returns how many probes have a fault.
func run(ctx context.Context, args []string, out io.Writer) (faults int, err error) {
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	address := flags.String("url", "", "a daemon that runs; nothing is changed there")
	binary := flags.String("binary", "bin/slowburn", "the program, for daemons of our own; \"\" starts none")
	token := flags.String("token-file", "", "a file with a token that may read, for a daemon that asks for a password")
	elsewhere := flags.Bool("elsewhere", false, "attack a daemon of another machine, too")
	only := flags.String("only", "", "only probes whose door or name holds this")
	logs := flags.Bool("logs", false, "show the logs of the daemons of our own at the end")
	list := flags.Bool("list", false, "list the probes and try none")
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	c := &camp{binary: *binary}
	if *address != "" {
		if c.target, err = newTarget(*address, *elsewhere); err != nil {
			return 0, err
		}
		if c.target.token, err = readToken(*token); err != nil {
			return 0, err
		}
	}
	defer c.leave()
	if *logs {
		defer c.showLogs(os.Stderr)
	}
	probes := choose(allProbes(), *only)
	if *list {
		for _, p := range probes {
			fmt.Fprintf(out, "%-12s %s\n", p.door, p.name)
		}
		return 0, nil
	}
	if len(probes) > maxLazy && c.binary != "" {
		c.muster(ctx)
	}
	return c.attack(ctx, probes, out), nil
}

// newTarget returns the daemon at an address, on this machine unless elsewhere is meant.
func newTarget(address string, elsewhere bool) (*target, error) {
	u, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address such as http://127.0.0.1:7569", address)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if here := u.Hostname() == "localhost" || err == nil && ip.IsLoopback(); !here && !elsewhere {
		return nil, errors.New(u.Host + " is not on this machine: say -elsewhere if you may attack it")
	}
	return &target{url: u}, nil
}

func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

// choose returns the probes whose door or name holds a text.
func choose(all []probe, text string) (chosen []probe) {
	for _, p := range all {
		if strings.Contains(p.door+": "+p.name, text) {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// maxLazy is up to how many probes start only the daemons that they need.
const maxLazy = 40

// probeLimit bounds one probe, with the start of the daemon that it needs.
const probeLimit = 2 * time.Minute

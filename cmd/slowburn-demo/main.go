// Slowburn-demo shows slowburn on a machine that has nothing else: a small shop with a month of
// history in a Prometheus inside the process, a stand-in for Slack, and the real daemon between
// them.
//
// stage.go sets the stage and plays the story live; week.go lets the daemon live through the week
// before, with people who answer; once.go plays the story on a simulated clock and prints it. The
// daemon is wired by internal/daemon, as `slowburn serve` wires it: only its clock is the shop's.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // time zones of reports, also where the system has none

	"github.com/alecthomas/kong"

	"github.com/slowburn-sre/slowburn/cmd/slowburn-demo/flags"
	"github.com/slowburn-sre/slowburn/internal/daemon"
)

// demo is the command line, and what the program finds around it.
type demo struct {
	flags.Demo
	LogLevel  string `name:"log.level" help:"Only log messages of this level or above: ${enum}." enum:"debug, info, warn, error" default:"warn"`
	LogFormat string `name:"log.format" help:"How log lines look: ${enum}." enum:"logfmt, json" default:"logfmt"`

	out io.Writer
	log *slog.Logger
	now func() time.Time
}

func main() {
	daemon.Stamp()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal leaves at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, time.Now))
}

// run plays the story and returns the exit code: 0 when it is over, 2 if it cannot be played, 64
// for wrong usage.
func run(ctx context.Context, args []string, out, errs io.Writer, now func() time.Time) int {
	d := demo{out: out, now: now}
	parser := kong.Must(&d, kong.Name("slowburn-demo"), kong.Writers(out, errs),
		kong.Description("Shows slowburn with a small shop, its Prometheus and Slack in one process. Nothing to install."))
	if _, err := parser.Parse(args); err != nil {
		fmt.Fprintf(errs, "slowburn-demo: %v\nTry: slowburn-demo --help\n", err)
		return 64
	}
	d.log = daemon.NewLogger(errs, d.LogLevel, d.LogFormat)
	if err := d.play(ctx); err != nil {
		fmt.Fprintln(errs, "slowburn-demo:", err)
		return 2
	}
	return 0
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // time zones of calendar windows and reports, also where the system has none

	"github.com/alecthomas/kong"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/printable"
	"github.com/slowburn-sre/slowburn/slo"
)

// The exit codes.
const (
	exitGood    = 0  // done, and the answer is good
	exitNo      = 1  // the answer is "no": invalid, breached
	exitUnknown = 2  // could not find out
	exitGuarded = 3  // of gate: needs approval
	exitUsage   = 64 // wrong usage
)

func main() {
	daemon.Stamp()
	os.Exit(run(os.Args[1:], surroundings{
		in: somebodyAnswers(os.Stdin), out: os.Stdout, err: os.Stderr, getenv: os.Getenv, now: time.Now, every: daemon.TickEvery, terminal: isTerminal,
	}))
}

// surroundings are what a command finds around it; tests bring their own.
type surroundings struct {
	in       io.Reader // what somebody types; nil where nobody does
	out, err io.Writer // shown nothing that could take over a terminal; see screens
	screens  screens
	getenv   func(string) string
	now      func() time.Time // the time of day, for every decision
	every    time.Duration    // how long a minute of that clock is, in wall time
	terminal func(io.Writer) bool
}

// isTerminal reports whether somebody watches what is written.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// colours reports whether what is printed may have colours: on a terminal, unless NO_COLOR says
// that nobody wants them.
func (s surroundings) colours() bool {
	return s.terminal != nil && s.terminal(s.screens.out) && s.getenv("NO_COLOR") == "" && s.getenv("TERM") != "dumb"
}

// screens are where out and err end: for the demo, and for what moves the cursor on purpose.
type screens struct{ out, err io.Writer }

// guarded lets nothing through to out and err that could take over a terminal.
func (s surroundings) guarded() surroundings {
	s.screens = screens{s.out, s.err}
	s.out, s.err = printable.NewWriter(s.out), printable.NewWriter(s.err)
	return s
}

// cli is the command line. Its help texts are the reference of the flags.
type cli struct {
	ConfigFile string `name:"config.file" help:"The configuration." default:"slowburn.yaml" placeholder:"FILE"`
	LogLevel   string `name:"log.level" help:"Only log messages of this level or above: ${enum}." enum:"debug, info, warn, error" default:"info"`
	LogFormat  string `name:"log.format" help:"How log lines look: ${enum}." enum:"logfmt, json" default:"logfmt"`

	Init       initCmd       `cmd:"" help:"Begin: propose SLOs from what Prometheus has, write them with a configuration, and check all of it."`
	Serve      serveCmd      `cmd:"" help:"Run the daemon."`
	Demo       demoCmd       `cmd:"" help:"Run the demo in one process: a small shop, an outage, a Slack stand-in, the daemon. Nothing to install."`
	Check      checkCmd      `cmd:"" help:"Validate the configuration and SLO files."`
	Status     statusCmd     `cmd:"" help:"Show budgets, burn rates and open incidents of a running daemon."`
	Backtest   backtestCmd   `cmd:"" help:"Replay history through the live decision code: what would have paged, and when."`
	Explain    explainCmd    `cmd:"" help:"Show where a budget went, and what its alerts can and cannot catch."`
	Suggest    suggestCmd    `cmd:"" help:"Propose SLOs with realistic targets from what Prometheus has."`
	Convert    convertCmd    `cmd:"" help:"Turn SLO files of Sloth, Pyrra and OpenSLO into slowburn's own format, or any of them into OpenSLO."`
	Rules      rulesCmd      `cmd:"" help:"Write Prometheus recording and alerting rules for the same SLOs."`
	Compare    compareCmd    `cmd:"" help:"Compare with what Sloth or Pyrra has recorded, and explain the differences."`
	Schema     schemaCmd     `cmd:"" help:"Print the JSON Schema of the SLO file or of the configuration, for editors."`
	Gate       gateCmd       `cmd:"" help:"Ask the error-budget policy of a running daemon whether a release may go out."`
	Change     changeCmd     `cmd:"" help:"Record what was done to a service, and show what it cost."`
	Report     reportCmd     `cmd:"" help:"Print a reliability report."`
	Incidents  incidentsCmd  `cmd:"" help:"List incidents of a running daemon, or show one."`
	Drill      drillCmd      `cmd:"" help:"Show that pages arrive: send a marked one to every destination of pages and tickets."`
	Doctor     doctorCmd     `cmd:"" help:"Check that everything is reachable and permitted, and report which feature is off and why."`
	Postmortem postmortemCmd `cmd:"" help:"Print a postmortem, list those that are kept."`
	Register   registerCmd   `cmd:"" help:"Print the incident register: the facts that regulators ask for, as JSON or CSV."`
	Approvals  approvalsCmd  `cmd:"" help:"List what waits for the approval of a second person, approve or reject it."`
	Audit      auditCmd      `cmd:"" help:"List what people did: acknowledgements, overrides, changes, new configurations."`
	Work       workCmd       `cmd:"" help:"Record hours of toil or of engineering, for the share of toil in the reports."`
	Completion completionCmd `cmd:"" help:"Print a script that completes commands and flags in a shell."`
	VersionCmd versionCmd    `cmd:"" name:"version" help:"Print the version."`
	Names      namesCmd      `cmd:"" hidden:"" help:"Print the names that a daemon knows, for completion."`
}

// env is what every command gets.
type env struct {
	surroundings
	ctx context.Context
	cli *cli
	log *slog.Logger

	told []config.Exposed // what was warned of
}

// exitError ends the program with a code; its text is printed unless it is empty.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

func answerNo(err error) error      { return exitError{exitNo, err} }
func cannotFindOut(err error) error { return exitError{exitUnknown, err} }

// refused answers to files that cannot be used: "no" if they were read and are wrong, else nobody
// knows.
func refused(err error) error {
	var problems slo.Problems
	if errors.As(err, &problems) {
		return answerNo(err)
	}
	return cannotFindOut(err)
}

// run parses the command line and runs its command; it returns the exit code.
func run(args []string, around surroundings) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal leaves at once
	}()
	around = around.guarded()
	var c cli
	parser, err := kong.New(&c,
		kong.Name("slowburn"),
		kong.Description("Counts every good and bad event, and alerts when an error budget burns."),
		kong.Writers(around.out, around.err),
		kong.UsageOnError(),
		kong.Help(help),
		kong.ValueFormatter(valueHelp),
		readers(around.now),
		kong.Exit(func(code int) { panic(exited(code)) }),
	)
	if err != nil {
		fmt.Fprintln(around.err, "slowburn:", err)
		return exitUsage
	}
	return parseAndRun(parser, &c, args, &env{surroundings: around, ctx: ctx, cli: &c})
}

// exited is how --help and --version leave the parser.
type exited int

func parseAndRun(parser *kong.Kong, c *cli, args []string, e *env) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			code = int(r)
		default:
			panic(r)
		}
	}()
	k, err := parser.Parse(asked(args))
	if err != nil {
		fmt.Fprintf(e.err, "slowburn: %v\n%s\n", err, tryHelp(err))
		return exitUsage
	}
	e.log = daemon.NewLogger(e.err, c.LogLevel, c.LogFormat)
	return exitCode(k.Run(e), e.err)
}

// exitCodeOf returns the code that an error ends the program with.
func exitCodeOf(err error) int {
	var exit exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return exitUnknown
}

func exitCode(err error, w io.Writer) int {
	if err == nil {
		return exitGood
	}
	code := exitCodeOf(err)
	if text := err.Error(); text != "" {
		fmt.Fprintln(w, "slowburn:", strings.TrimRight(text, "\n"))
	}
	return code
}

package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/suggest"
)

type initCmd struct {
	Prometheus string `name:"prometheus.url" placeholder:"URL" help:"The server to begin with; asked for on a terminal, else http://127.0.0.1:9090."`
	Service    string `placeholder:"REGEXP" help:"Only services whose whole name matches."`
	Slack      string `name:"slack.channel" placeholder:"CHANNEL" help:"Where alerts go; asked for on a terminal, else #reliability."`
	SLOs       string `name:"output-dir" placeholder:"DIR" help:"The folder of the SLO files, beside the configuration." default:"slos"`
	Yes        bool   `short:"y" help:"Ask nothing, and take what is proposed. So it is, too, without a terminal."`
}

// The defaults of what is asked.
const (
	usualServer  = "http://127.0.0.1:9090"
	usualChannel = "#reliability"
)

// conversation asks questions on a terminal, and takes the defaults elsewhere.
type conversation struct {
	*env
	answers *bufio.Reader // nil where nobody answers
}

// ask returns what somebody answers, or the default.
func (c conversation) ask(question, usual string) string {
	if c.answers == nil {
		return usual
	}
	fmt.Fprintf(c.out, "%s [%s] ", question, usual)
	line, err := c.answers.ReadString('\n')
	if err != nil {
		fmt.Fprintln(c.out)
	}
	return cmp.Or(strings.TrimSpace(line), usual)
}

// agrees asks a question whose answer is yes unless somebody says no.
func (c conversation) agrees(question string) bool {
	return strings.HasPrefix(strings.ToLower(c.ask(question, "yes")), "y")
}

// step says what comes next.
func (c conversation) step(format string, args ...any) {
	fmt.Fprintf(c.out, "\n"+format+"\n", args...)
}

// Run proposes SLOs, writes them with a configuration, and looks whether they are good and all that
// slowburn needs is there. It touches no file that exists. The answer is "no" if there is no SLO,
// or something must be put right first.
func (c *initCmd) Run(e *env) error {
	talk := conversation{env: e}
	if !c.Yes && e.in != nil {
		talk.answers = bufio.NewReader(e.in)
	}
	if c.Prometheus == "" {
		usual := usualServer
		if cfg, err := config.Load(e.cli.ConfigFile); err == nil {
			usual = cmp.Or(cfg.Prometheus.URL, usual)
		}
		c.Prometheus = talk.ask("Which Prometheus, Thanos, Mimir or VictoriaMetrics?", usual)
	}
	talk.step("1. What %s has that SLOs can be made of:", shownURL(c.Prometheus))
	wrote, nothing := c.propose(talk)
	if nothing != nil && exitCodeOf(nothing) != exitNo {
		return nothing
	}
	c.Slack = cmp.Or(c.Slack, talk.ask("Which Slack channel gets the alerts?", usualChannel))
	talk.step("2. The configuration:")
	if err := c.configure(talk); err != nil {
		return err
	}
	if nothing != nil && !wrote {
		fmt.Fprintf(e.out, "\nThere is no SLO yet. Write one into %s (docs/slo-file.md), then go on with: slowburn check --prometheus.url %s\n", c.folder(e), shownURL(c.Prometheus))
		return nothing
	}
	talk.step("3. Are the files good, and do their queries return data? (slowburn check)")
	checked := (&checkCmd{Prometheus: c.Prometheus, Format: "text", OpenSLO: "strict"}).Run(e)
	if checked != nil && exitCodeOf(checked) == exitUnknown {
		return checked
	}
	talk.step("4. Is all there that slowburn needs? (slowburn doctor)")
	looked := (&doctorCmd{printer{Output: "table"}}).Run(e)
	fmt.Fprintf(e.out, "\nNext:\n  slowburn backtest --last 14d%s     what would have paged\n  slowburn serve%s                    http://127.0.0.1:7569\n", c.named(e), c.named(e))
	if checked != nil {
		return checked
	}
	return looked
}

// shownURL returns an address without the password that may be in it.
func shownURL(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "the server" // --prometheus.url is malformed, and may hold a password
}

// named returns the flag that names the configuration, if it is not where commands look for it.
func (c *initCmd) named(e *env) string {
	if e.cli.ConfigFile == "slowburn.yaml" {
		return ""
	}
	return " --config.file=" + e.cli.ConfigFile
}

// folder returns where the SLO files are.
func (c *initCmd) folder(e *env) string {
	if filepath.IsAbs(c.SLOs) {
		return c.SLOs
	}
	return filepath.Join(filepath.Dir(e.cli.ConfigFile), c.SLOs)
}

// propose lists what can be promised, and writes the files if that is wanted. It reports whether
// there are SLO files then.
func (c *initCmd) propose(talk conversation) (wrote bool, err error) {
	look := &suggestCmd{Prometheus: c.Prometheus, Service: c.Service, OutputDir: c.folder(talk.env)}
	list, err := look.propose(talk.env)
	if err != nil && len(list) == 0 {
		return holdsFiles(look.OutputDir), err
	}
	total := 0
	for _, p := range list {
		for _, one := range p.SLOs {
			if one.Refused == "" {
				total++
				fmt.Fprintf(talk.out, "  %s/%s: %s. %s\n", p.Service.Name, one.Name, figures.Objective(one.Objective), one.Description)
			}
		}
	}
	files := slices.DeleteFunc(slices.Clone(list), suggest.Proposal.Empty)
	if len(files) == 0 {
		if wErr := look.write(talk.out, list); wErr != nil { // the reasons, as comments
			return false, cannotFindOut(wErr)
		}
		return holdsFiles(look.OutputDir), err
	}
	if !talk.agrees(fmt.Sprintf("Write %s with %s into %s?", figures.Plural(len(files), "file"), figures.Plural(total, "SLO"), look.OutputDir)) {
		return holdsFiles(look.OutputDir), answerNo(errors.New("no SLO file was written"))
	}
	if err := look.write(talk.out, files); err != nil {
		return false, cannotFindOut(err)
	}
	return true, nil
}

// holdsFiles reports whether a folder has files of a former conversation.
func holdsFiles(dir string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, "*.y*ml"))
	return len(found) > 0
}

// configured is the configuration that a conversation ends with.
const configured = `# Written by slowburn init. Every key: docs/configuration.md, or slowburn schema config.
prometheus:
  url: %q
slos: [%q]
slack:
  channel: %q # the token of the app comes from the environment, SLACK_BOT_TOKEN: docs/slack.md
reports:
  - {name: weekly, schedule: "0 9 * * MON", channel: %q}
`

// configure writes the configuration, unless there is one.
func (c *initCmd) configure(talk conversation) error {
	name := talk.cli.ConfigFile
	channel := "#" + strings.TrimPrefix(c.Slack, "#")
	folder := filepath.ToSlash(c.SLOs) + "/"
	err := create(name, []byte(fmt.Sprintf(configured, c.Prometheus, folder, channel, channel)), 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		fmt.Fprintf(talk.out, "%s exists and is left alone\n", name)
	case err != nil:
		return cannotFindOut(err)
	default:
		fmt.Fprintf(talk.out, "%s written\n", name)
	}
	return nil
}

// somebodyAnswers returns what a person types, nil where there is no terminal.
func somebodyAnswers(in *os.File) io.Reader {
	info, err := in.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || !isTerminal(os.Stdout) {
		return nil
	}
	return in
}

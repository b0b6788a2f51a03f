package tools

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// composers are the files that put what happened to an incident, or its postmortem, into a message
// or an answer, by what begins their names.
var composers = []string{
	"internal/notify/facts.go", "internal/notify/alertmanager/", "internal/notify/pagerduty/", "internal/notify/webhook/",
	"internal/notify/slack/act.go", "internal/notify/slack/compose.go", "internal/notify/slack/message.go", "internal/notify/slack/policy.go",
	"internal/notify/slack/reviewed.go", "internal/notify/slack/interact.go", "internal/notify/slack/evidence.go", "internal/notify/slack/command.go",
}

// notOfIncidents are sentences of the composers that tell something else.
var notOfIncidents = []string{
	"Made a ticket by", "Made a page by", // beside an icon, before a name
	// What Slack's own doors answer, of no incident.
	" The message shows it when it is done; ", "the key to ask for it by is ",
	"⚠️ That could not be written down, and nothing has changed. Please try again; if it goes on, look at slowburn's log.",
	"⚠️ The draft could not be made; slowburn's log says why.", "📝 Postmortem draft, asked for by %s (%s)",
	"The draft is longer than fits into a thread; `slowburn postmortem` prints all of it.",
	"⚠️ slowburn cannot reach Slack to make sure that this is its own workspace. Nothing has changed; please try again.",
	"Only people of the workspace that slowburn belongs to can do this.",
	"⚠️ Slack does not say whether you belong to the organisation of slowburn, which takes the scope `users:read`. Nothing has changed.",
	// What the slash command says of budgets and of itself.
	"What slowburn answers here; only you see it.", "There is no service and no SLO “",
	"`/slowburn status` every budget, worst first; `status checkout` or `status checkout/availability` for some",
	"`/slowburn gate checkout` may it be released?",
	"no traffic in the window",
	"The budget that decides is ", "Since the onset, up to ",
}

// A receiver dresses sentences and makes none: whoever reads of an incident in two places reads the
// same words.
func TestSentencesAboutIncidentsAreMadeInOnePlace(t *testing.T) {
	for _, p := range product(t) {
		for _, f := range p.files {
			file, _, _ := strings.Cut(p.at(f), ":")
			if !slices.ContainsFunc(composers, func(c string) bool { return strings.HasPrefix(file, c) }) {
				continue
			}
			for _, lit := range worded(f) {
				t.Errorf("%s: a sentence about an incident is made in internal/sentences", p.at(lit))
			}
		}
	}
}

// clause matches words that follow each other as in a sentence.
var clause = regexp.MustCompile(`[A-Za-z]+,? [a-z]+,? [a-z]+,? [a-z]+`)

// worded returns the literals that hold a clause, but for those that nobody reads in a message:
// errors, what is logged, and what documents a key.
func worded(f *ast.File) (found []*ast.BasicLit) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			called := source(n.Fun)
			return !slices.Contains([]string{"errors.New", "fmt.Errorf", "notify.Fail", "Fail", "notify.Encrypted", "notify.ParseAddress"}, called) && !strings.Contains(called, "Log.")
		case *ast.KeyValueExpr:
			return !slices.Contains([]string{"Doc", "One", "Example"}, source(n.Key))
		case *ast.BasicLit:
			text, err := strconv.Unquote(n.Value)
			if n.Kind == token.STRING && err == nil && clause.MatchString(text) && !slices.Contains(notOfIncidents, text) {
				found = append(found, n)
			}
		}
		return true
	})
	return found
}

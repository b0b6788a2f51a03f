package slack

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	goslack "github.com/slack-go/slack"
	"go.yaml.in/yaml/v4"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// methodsOf are the Web API methods behind the calls of the library that this package makes.
var methodsOf = map[string]string{
	"PostMessageContext": "chat.postMessage", "UpdateMessageContext": "chat.update",
	"DeleteMessageContext": "chat.delete", "AuthTestContext": "auth.test",
	"GetConversationHistoryContext": "conversations.history", "GetConversationRepliesContext": "conversations.replies",
	"GetConversationsContext": "conversations.list", "GetConversationInfoContext": "conversations.info",
	"GetUserInfoContext": "users.info", "GetUserGroupMembersContext": "usergroups.users.list", "GetBotInfoContext": "bots.info",
	"GetUploadURLExternalContext": "files.getUploadURLExternal", "CompleteUploadExternalContext": "files.completeUploadExternal",
	"UploadToURL": "files.completeUploadExternal", // the step between, which is no method
}

// The table of scopes is what the code calls: no method without its scope, no scope without a
// reason.
func TestTheScopesAreThoseThatTheCallsNeed(t *testing.T) {
	var needed []string
	for _, n := range Needs() {
		needed = append(needed, n.Methods...)
		if n.Scope == "" || n.For == "" || n.Without == "" {
			t.Errorf("%+v explains nothing", n)
		}
	}
	called := callsIn(t)
	for _, call := range called {
		if method := methodsOf[call]; !slices.Contains(needed, method) && !slices.Contains(freely, method) {
			t.Errorf("%s (%q) is called and stands in no row of Needs", call, method)
		}
	}
	for _, method := range append(needed, freely...) {
		if !slices.ContainsFunc(called, func(call string) bool { return methodsOf[call] == method }) {
			t.Errorf("a scope is asked for because of %s, which nothing calls", method)
		}
	}
}

// callsIn are the methods of the library's client that the package calls.
func callsIn(t *testing.T) []string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok {
				if on, ok := call.X.(*ast.SelectorExpr); ok && on.Sel.Name == "api" {
					calls = append(calls, call.Sel.Name)
				}
			}
			return true
		})
	}
	slices.Sort(calls)
	return slices.Compact(calls)
}

// The manifests parse as Slack's library reads them, and ask for the scopes of the table and no
// other.
func TestTheManifestsAskForWhatIsNeeded(t *testing.T) {
	var want []string
	for _, n := range Needs() {
		want = append(want, n.Scope)
	}
	for name, socket := range map[string]bool{"manifest.yaml": true, "manifest-http.yaml": false} {
		text, err := os.ReadFile("../../../deploy/slack/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var m goslack.Manifest
		if err := yaml.Load(text, &m, yaml.WithKnownFields()); err != nil {
			t.Fatal(name, err)
		}
		if !slices.Equal(m.OAuthConfig.Scopes.Bot, want) {
			t.Errorf("%s asks for\n%v, needed are\n%v", name, m.OAuthConfig.Scopes.Bot, want)
		}
		if len(m.OAuthConfig.Scopes.User) > 0 || m.Settings.SocketModeEnabled != socket || !m.Settings.Interactivity.IsEnabled {
			t.Errorf("%s: %+v", name, m.Settings)
		}
		commands := m.Features.SlashCommands
		if len(commands) != 1 || commands[0].Command != "/slowburn" || (commands[0].Url == "") != socket || (m.Settings.Interactivity.RequestUrl == "") != socket {
			t.Errorf("%s: %+v", name, commands)
		}
		if !socket && (!strings.HasSuffix(commands[0].Url, "/slack/commands") || !strings.HasSuffix(m.Settings.Interactivity.RequestUrl, "/slack/interactions")) {
			t.Errorf("%s leads nowhere", name)
		}
	}
	docs, err := os.ReadFile("../../../docs/slack.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range Needs() {
		if !strings.Contains(string(docs), "| `"+n.Scope+"` | "+n.For+" | "+n.Without+" |") {
			t.Errorf("docs/slack.md does not explain %s as the table does", n.Scope)
		}
	}
}

// With the scopes of the manifest everything works, and with the required one alone everything but
// what the table says.
func TestTheScopesAreEnough(t *testing.T) {
	var all []string
	for _, n := range Needs() {
		all = append(all, n.Scope)
	}
	for _, c := range []struct {
		name   string
		scopes []string
		by     string
	}{{"all of the manifest", all, "Ana Sousa"}, {"only " + Required, []string{Required}, "ana"}} {
		t.Run(c.name, func(t *testing.T) {
			s := signedDoor(t, slacktest.Options{Scopes: c.scopes})
			s.press(s.message(burning), ActionAck, "")
			if acts := s.back.done(); len(acts) != 1 || acts[0].By != c.by {
				t.Errorf("%+v", acts)
			}
			if _, err := s.desk.doors.Load().Client.Place(t.Context(), general); err != nil && len(c.scopes) > 1 {
				t.Error(err)
			}
			for _, call := range s.srv.Calls() {
				if call.Outcome == "missing_scope" && len(c.scopes) > 1 {
					t.Errorf("%s is called without its scope", call.Method)
				}
			}
			if v := s.srv.Violations(); len(v) > 0 {
				t.Error(v)
			}
		})
	}
}

package daemon

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/slo"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// TestAReloadTakesUpTracesAndPostmortems: their changes are in force at once. What is read at the
// start only stays, and is named.
func TestAReloadTakesUpTracesAndPostmortems(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("slo.yaml", string(file.Print([]*slo.Spec{notifytest.Spec()}, nil, file.Layout{})))
	write("ours.tmpl", "{{.Front}}# Ours: {{.Title}}\n")
	const before = "postmortems: {path: one/}\n"
	w := wire(t, before)
	w.ConfigFile = filepath.Join(dir, "slowburn.yaml")
	incident := notifytest.Story("", false)[0].Incident
	draft := func() string { return ok(w.Archive.Draft(t.Context(), incident))(t) }
	if strings.Contains(draft(), "# Ours") {
		t.Fatal("the template is in use before it is configured")
	}

	write("slowburn.yaml", "slos: [slo.yaml]\nprometheus: {url: 'http://elsewhere.example.com'}\n"+
		"postmortems: {path: two/, template: ours.tmpl}\ntraces: {url: 'https://t.example.com/{trace_id}'}\n")
	check(t, w.Reload(t.Context()))
	if text := draft(); !strings.Contains(text, "# Ours") {
		t.Errorf("the template is not in use: %s", text)
	}
	if folder := w.Keeper.Folder(); folder != filepath.Join(dir, "two") {
		t.Errorf("postmortems are kept in %s", folder)
	}
	cfg := w.witness.cfg.Load()
	if cfg.TraceURL != "https://t.example.com/{trace_id}" || strings.Contains(cfg.Prometheus.URL, "elsewhere") {
		t.Errorf("in force are traces %q and Prometheus %q", cfg.TraceURL, cfg.Prometheus.URL)
	}
	if r := w.reload.Load(); !r.OK || len(r.Waiting) != 2 || r.Waiting[0] != "prometheus" {
		t.Errorf("a restart is needed by %v", r.Waiting) // and the store: the test's is a file of its own
	}

	write("slowburn.yaml", "slos: [\n")
	if w.Reload(t.Context()) == nil || w.reload.Load().OK || w.Keeper.Folder() != filepath.Join(dir, "two") {
		t.Error("a broken file was taken up")
	}
}

// TestAReloadOpensOtherDoorsToSlack: who asks from Slack is checked and answered by the workspace,
// the bot token and the signing secret of the newest configuration, and by no other.
func TestAReloadOpensOtherDoorsToSlack(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	configure := func(slack string) {
		t.Helper()
		write("slowburn.yaml", "prometheus: {url: 'http://127.0.0.1:9'}\nslos: [slo.yaml]\nstore: {path: s.db}\n"+slack)
	}
	write("slo.yaml", string(file.Print([]*slo.Spec{notifytest.Spec()}, nil, file.Layout{})))
	configure("")
	path := filepath.Join(dir, "slowburn.yaml")
	cfg, set, err := config.LoadAll(path)
	check(t, err)
	a := ok(New(t.Context(), cfg, set, Options{
		Log: slog.New(slog.DiscardHandler), Clock: time.Now, Every: time.Minute, ConfigFile: path, Getenv: func(string) string { return "" },
	}))(t)
	defer func() { check(t, a.Close()) }()
	door := httptest.NewServer(a.web)
	defer door.Close()
	workspace := func(name string) *slacktest.Server {
		s := slacktest.Start(slacktest.Options{
			TeamID: "T0" + name, Token: "xoxb-" + name, SigningSecret: strings.Repeat(name[:1], 32), AckWithin: 20 * time.Second, Unpaced: true,
		})
		t.Cleanup(s.Close)
		s.SetCallbacks(door.URL+"/slack/interactions", door.URL+"/slack/commands")
		write(name+"-token", "xoxb-"+name)
		write(name+"-signing", s.SigningSecret())
		return s
	}
	first, second := workspace("1ST"), workspace("2ND")
	asks := func(s *slacktest.Server, want int) {
		t.Helper()
		user := map[*slacktest.Server]string{first: "U0ANA", second: "U0BEN"}[s]
		ack, err := s.Command("general", "/slowburn", "status", user)
		if err != nil || ack.Status != want || (want == http.StatusOK) != strings.Contains(ack.Body, "There is no budget yet") {
			t.Errorf("the answer is %v, %+v; want %d", err, ack, want)
		}
	}
	asks(first, http.StatusNotFound) // no door is open

	reload := func(name string, s *slacktest.Server) {
		t.Helper()
		configure("slack: {channel: '#general', bot_token_file: " + name + "-token, signing_secret_file: " + name + "-signing, api_url: '" + s.APIURL() + "'}\n")
		check(t, a.Reload(t.Context()))
		if r := a.reload.Load(); len(r.Waiting) > 0 || !a.ways.Load().slack.Interactive {
			t.Errorf("a restart is needed by %v; buttons are shown: %v", r.Waiting, a.ways.Load().slack.Interactive)
		}
	}
	reload("1ST", first)
	asks(first, http.StatusOK)
	asks(second, http.StatusUnauthorized)
	reload("2ND", second)
	asks(second, http.StatusOK)
	asks(first, http.StatusUnauthorized)

	configure("")
	check(t, a.Reload(t.Context()))
	asks(second, http.StatusNotFound)
}

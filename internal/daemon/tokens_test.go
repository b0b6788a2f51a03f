package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/logtest"
)

// TestTokensAreRead: what nobody could be told apart by, or anybody could guess, is refused.
func TestTokensAreRead(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	long, two := put("long", "sixteen-letters-\n"), put("two", "the-older-secret-of-ci\nthe-newer-secret-of-ci\n")
	for name, c := range map[string]struct {
		tokens []config.Token
		env    string
		want   string // words of the error; "" is none
	}{
		"one, and one in the midst of a change": {[]config.Token{{Name: "a", File: long}, {Name: "b", File: two}}, "write", ""},
		"a file that is not there":              {[]config.Token{{Name: "a", File: filepath.Join(dir, "none")}}, "", "no such file"},
		"an empty file":                         {[]config.Token{{Name: "a", File: put("empty", " \n")}}, "", "is empty"},
		"a short one":                           {[]config.Token{{Name: "a", File: put("short", "fifteen-letters")}}, "", "fewer than 16 characters"},
		"one of two":                            {[]config.Token{{Name: "a", File: long}, {Name: "b", File: long}}, "", "that of a, too"},
		"that of the environment":               {[]config.Token{{Name: "a", File: long}}, "sixteen-letters-", "that of SLOWBURN_WRITE_TOKEN, too"},
	} {
		var log logtest.Log
		warned := 0
		if c.env == "write" {
			warned = 1
		}
		_, err := openTokens(config.Web{Tokens: c.tokens}, c.env, slog.New(slog.NewTextHandler(&log, nil)))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || log.Count("may be guessed") != warned {
			t.Errorf("%s: %v\n%s", name, err, log.String())
		}
		if err != nil && strings.Contains(err.Error(), "letters") {
			t.Errorf("%s: %v shows it", name, err)
		}
	}
}

// TestTheLocalTokenIsOfOurUserAlone: a new one with each start, readable by nobody else, whatever
// was there; where it cannot be written, there is none.
func TestTheLocalTokenIsOfOurUserAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slowburn.db.token")
	check(t, os.WriteFile(file, []byte("old"), 0o644))
	seen := map[string]bool{}
	for range 2 {
		if all := writeLocal(file, slog.New(slog.DiscardHandler)); len(all) != 1 || all[0].Name != config.LocalToken {
			t.Errorf("tokens %+v", all)
		}
		info := ok(os.Stat(file))(t)
		text := ReadLocal(file)
		if info.Mode() != 0o600 || len(text) < leastToken || seen[text] {
			t.Errorf("%s %q", info.Mode(), text)
		}
		seen[text] = true
	}
	var log logtest.Log
	if all := writeLocal(filepath.Join(file, "below"), slog.New(slog.NewTextHandler(&log, nil))); len(all) != 0 || log.Count("web.local_token_file") != 1 {
		t.Errorf("tokens %+v, %s", all, log.String())
	}
}

// A client secret may have spaces in it; each line is one.
func TestClientSecretsAreLines(t *testing.T) {
	if got := linesOf("a newer one\r\n\n  an older one \n"); !slices.Equal(got, []string{"a newer one", "an older one"}) {
		t.Errorf("%q", got)
	}
}

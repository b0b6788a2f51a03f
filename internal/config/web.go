package config

import (
	"fmt"
	"path"
	"regexp"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// Web says who may do what over HTTP.
type Web struct {
	Tokens []Token
	// LocalTokenFile is the file that the daemon writes for commands on its machine; "" is beside
	// the store. See [Config.LocalTokenFile].
	LocalTokenFile string
}

// LocalTokenFile returns where the daemon writes a token for commands on its machine; "" is
// nowhere.
func (c Config) LocalTokenFile() string {
	switch {
	case c.Web.LocalTokenFile != "":
		return c.Web.LocalTokenFile
	case c.Postgres.Given():
		return ""
	}
	return c.StorePath + ".token"
}

// Token is a secret by which somebody proves who they are. It is read when it is taken up: its file
// need not be there when the configuration is checked.
type Token struct {
	Name     string
	File     string
	May      []string // of TokenRights
	Services []string // globs; none is all
}

// TokenRights are what may be done by a token.
var TokenRights = []string{"read", "change", "act", "override"}

// NameForm is the form of a name that is written into the audit log.
const NameForm = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

// LocalToken is the name of the token in the file of web.local_token_file.
const LocalToken = "local"

var namePattern = regexp.MustCompile(NameForm)

func (c *Config) readWeb(v strictyaml.Value) {
	o, ok := v.Object(webKeys.Keys()...)
	if !ok {
		return
	}
	if text, ok := o.Get("local_token_file").Text(); ok {
		c.Web.LocalTokenFile = c.Abs(text)
	}
	list, _ := o.Get("tokens").List(maxEntries)
	seen := map[string]bool{}
	for _, item := range list {
		t, ok := item.Object(tokenKeys.Keys()...)
		if !ok {
			continue
		}
		token := Token{Services: t.Get("services").Texts(maxEntries)}
		if name, ok := t.Need("name", "who holds it, such as ci").Text(); ok {
			switch {
			case !namePattern.MatchString(name):
				t.Get("name").Problem(fmt.Sprintf("%q is no name of a token", name), "use letters, digits, dots, dashes and underscores, at most 64")
			case name == LocalToken:
				t.Get("name").Problem("the name local is taken", "it is that of the token in web.local_token_file")
			case seen[name]:
				t.Get("name").Problem(fmt.Sprintf("there are two tokens named %q", name), "a name may be used once: the audit log tells them apart by it")
			}
			seen[name], token.Name = true, name
		}
		if text, ok := t.Need("file", "the file that holds the token").Text(); ok {
			token.File = c.Abs(text)
		}
		rights, _ := t.Need("may", "what may be done by it, such as [change]").List(maxEntries)
		for _, right := range rights {
			if is, ok := right.OneOf(TokenRights...); ok {
				token.May = append(token.May, is)
			}
		}
		for _, glob := range token.Services {
			if _, err := path.Match(glob, ""); err != nil {
				t.Get("services").Problem(fmt.Sprintf("%q is no glob", glob), "such as checkout or pay-*")
			}
		}
		c.Web.Tokens = append(c.Web.Tokens, token)
	}
}

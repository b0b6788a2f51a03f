package daemon

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/folder"
	"github.com/slowburn-sre/slowburn/internal/login"
	"github.com/slowburn-sre/slowburn/internal/web"
)

// WriteTokenEnv names the variable that holds a token that may do everything, for the daemon and
// for those who ask it.
const WriteTokenEnv = "SLOWBURN_WRITE_TOKEN"

// leastToken is how long a token is at least: nobody guesses it at one try a second.
const leastToken = 16

// openTokens reads the tokens of a configuration, and that of the environment, which has the name
// of its variable.
func openTokens(cfg config.Web, env string, log *slog.Logger) ([]web.Token, error) {
	var all []web.Token
	holder := map[string]string{}
	if env = strings.TrimSpace(env); env != "" {
		all = append(all, web.NewToken(WriteTokenEnv, web.AllRights, nil, env))
		holder[env] = WriteTokenEnv
		if len(env) < leastToken {
			log.Warn("the token is short, and may be guessed", "variable", WriteTokenEnv, "characters", len(env), "at_least", leastToken)
		}
	}
	for _, t := range cfg.Tokens {
		text, err := secret(t.File, "", log)
		if err != nil {
			return nil, fmt.Errorf("the token %s: %w", t.Name, err)
		}
		secrets := strings.Fields(text)
		for _, s := range secrets {
			switch {
			case len(s) < leastToken:
				return nil, fmt.Errorf("the token %s: %s has fewer than %s", t.Name, t.File, figures.Plural(leastToken, "character"))
			case holder[s] != "" && holder[s] != t.Name:
				return nil, fmt.Errorf("the token %s is that of %s, too: nobody could tell them apart", t.Name, holder[s])
			}
			holder[s] = t.Name
		}
		all = append(all, web.NewToken(t.Name, rightsOf(t.May), t.Services, secrets...))
	}
	return all, nil
}

// writeLocal writes a new token into the file for commands on this machine, which only our own user
// can read. Without it they need a token of the configuration; that is logged.
func writeLocal(file string, log *slog.Logger) (tokens []web.Token) {
	if file == "" {
		return nil
	}
	token := rand.Text()
	if err := folder.Replace(file, 0o600, []byte(token+"\n")); err != nil {
		log.Warn("commands on this machine need a token of the configuration: web.local_token_file cannot be written", "err", err)
		return nil
	}
	return []web.Token{web.NewToken(config.LocalToken, web.AllRights, nil, token)}
}

// ReadLocal returns the token that a daemon on this machine has written, "" if there is none that
// this user may read.
func ReadLocal(file string) string {
	token, _ := folder.ReadSecret(file) // without one, the daemon says what it takes
	return token
}

// trust returns who is believed about whom, by the configuration in force.
func (a *Daemon) trust() web.Trust {
	cfg := a.cfg.Load().Web
	t := web.Trust{Proxies: cfg.Proxies.Addresses, UserHeader: cfg.Proxies.UserHeader}
	for _, g := range cfg.Grants {
		t.Grants = append(t.Grants, web.Grant{Who: g.Who, May: rightsOf(g.May), Services: g.Services})
	}
	return t
}

// openLogin makes the way by which people sign in, nil without one. Its sessions keep the groups
// that a grant of that time is for.
func (a *Daemon) openLogin(cfg config.OIDC) (*login.Door, error) {
	if cfg.Issuer == "" {
		return nil, nil
	}
	text, err := secret(cfg.SecretFile, "", a.Log)
	if err != nil {
		return nil, fmt.Errorf("web.oidc.client_secret_file: %w", err)
	}
	if strings.HasPrefix(a.ExternalURL, "http://") && !strings.HasPrefix(a.ExternalURL, "http://127.") {
		a.Log.Warn("sessions of those who sign in are sent without TLS: whoever is in between can use them; set --web.external-url to https://", "url", a.ExternalURL)
	}
	return login.New(login.Options{
		Issuer: cfg.Issuer, ClientID: cfg.ClientID, Secrets: linesOf(text), ExternalURL: a.ExternalURL, Scopes: cfg.Scopes,
		UserClaim: cfg.UserClaim, GroupsClaim: cfg.GroupsClaim, Domains: cfg.Domains, Groups: cfg.Groups, Life: cfg.Session,
		Keeps: func(group string) bool {
			return slices.ContainsFunc(a.trust().Grants, func(g web.Grant) bool { return g.IsForGroup(group) })
		}, Log: a.Log,
	}), nil
}

// linesOf returns the lines that hold something: what others have made up may have spaces in it.
func linesOf(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

func rightsOf(texts []string) (may []web.Right) {
	for _, text := range texts {
		may = append(may, web.Right(text))
	}
	return may
}

// currentTokens returns those in force; none before the first were read.
func (a *Daemon) currentTokens() []web.Token {
	if all := a.tokens.Load(); all != nil {
		return slices.Concat(*all, a.local)
	}
	return a.local
}

package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/slo"
)

// Right is something that whoever holds a token may do.
type Right string

// The rights. None contains another.
const (
	MayRead     Right = "read"     // see everything, without the password of the web configuration
	MayChange   Right = "change"   // record changes and experiments, and have the configuration read anew
	MayAct      Right = "act"      // acknowledge, silence, note, declare, drill
	MayOverride Right = "override" // override the gate, exempt from the policy, classify incidents
)

// AllRights are what the token in SLOWBURN_WRITE_TOKEN may.
var AllRights = []Right{MayRead, MayChange, MayAct, MayOverride}

// Token is a secret by which somebody proves who they are, and what they may.
type Token struct {
	Name     string
	Local    bool // it is for this machine, and by itself nobody else's
	secrets  [][sha256.Size]byte
	may      []Right
	services []string
}

// NewToken makes a token from its secrets: more than one while it is changed. services are patterns
// of the services about which something may be done by it; none is all.
func NewToken(name string, may []Right, services []string, secrets ...string) Token {
	t := Token{Name: name, may: may, services: services}
	for _, s := range secrets {
		t.secrets = append(t.secrets, sha256.Sum256([]byte(s)))
	}
	return t
}

// TokenHeader carries a token beside the password of the web configuration, which has Authorization
// for itself.
const TokenHeader = "X-Slowburn-Token"

// tokenOf returns the token that a request carries, "" if none.
func tokenOf(r *http.Request) string {
	if token := r.Header.Get(TokenHeader); token != "" {
		return token
	}
	if kind, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(kind, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// tokenFor returns the token of a secret, nil if it is that of none. It takes as long for each.
func (s *server) tokenFor(secret string) *Token {
	given := sha256.Sum256([]byte(secret))
	var found *Token
	tokens := s.Tokens()
	for n := range tokens {
		for _, is := range tokens[n].secrets {
			if subtle.ConstantTimeCompare(given[:], is[:]) == 1 {
				found = &tokens[n]
			}
		}
	}
	return found
}

// caller is who sent a request, as far as that is proven.
type caller struct {
	who   string // "token ci", "user ada", "certificate ada"; "" is nobody known, on this machine
	token *Token // nil is whoever may everything
}

// callerOf returns who sent a request that wants to change something, and false if that may be
// anybody. secret is the token that a form carries, "" if it has none. Without any token but the
// local one, and without a password, whoever is on this machine itself, and not passed on by a
// proxy on it, may do everything.
func (s *server) callerOf(r *http.Request, secret string) (caller, bool) {
	proven := s.proven(r)
	if given := tokenOf(r); given != "" {
		secret = given
	}
	if secret != "" {
		if t := s.tokenFor(secret); t != nil {
			return caller{strings.Join(append([]string{"token " + t.Name}, proven...), ", "), t}, true
		}
		s.refusals.wrong(r, "token")
		return caller{}, false
	}
	passedOn := slices.ContainsFunc([]string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via"}, func(name string) bool { return r.Header.Get(name) != "" })
	trusted := !s.hasTokens() && len(proven) == 0
	return caller{}, trusted && !passedOn && isLoopback(r.RemoteAddr)
}

// hasTokens reports whether anybody but those on this machine may hold a token.
func (s *server) hasTokens() bool {
	return slices.ContainsFunc(s.Tokens(), func(t Token) bool { return !t.Local })
}

// proven lists the identities that a request has proven by the web configuration.
func (s *server) proven(r *http.Request) (all []string) {
	if name, _, ok := r.BasicAuth(); ok && s.isUser(name) {
		all = append(all, "user "+name)
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		all = append(all, "certificate "+r.TLS.VerifiedChains[0][0].Subject.CommonName)
	}
	return all
}

// passes reports whether a request with the token needs no password: to read by the right to
// read, and to change something by any, whose rights are looked at where that is done.
func (t *Token) passes(r *http.Request) bool {
	return slices.Contains(t.may, MayRead) || r.Method != http.MethodGet && r.Method != http.MethodHead
}

// may returns nil if the caller may do something about services, else why not.
func (c caller) may(right Right, services ...string) error {
	if c.token == nil {
		return nil
	}
	if !slices.Contains(c.token.may, right) {
		return forbidden("The token %q may not do this: it takes the right %q.", c.token.Name, right)
	}
	for _, service := range services {
		matches := func(pattern string) bool { ok, _ := path.Match(pattern, service); return ok }
		if len(c.token.services) > 0 && !slices.ContainsFunc(c.token.services, matches) {
			return forbidden("The token %q may not do this: it is not for %s.", c.token.Name, namedService(service))
		}
	}
	return nil
}

func namedService(name string) string {
	if name == "" {
		return "what is about no service"
	}
	return fmt.Sprintf("the service %q", clip(name))
}

func forbidden(format string, args ...any) error {
	return &problem{http.StatusForbidden, "forbidden", fmt.Sprintf(format, args...)}
}

// rightFor returns what an act takes. What takes another act back takes what that did.
func rightFor(a api.Act, undone alerting.ActKind) Right {
	kind := a.Kind
	if kind == alerting.Undo {
		kind = undone
	}
	switch kind {
	case alerting.Override, alerting.Exempt, alerting.Classify:
		return MayOverride
	case alerting.Changed, alerting.Experiment:
		return MayChange
	}
	return MayAct
}

// servicesOf lists the services that an act is about; "" is none by name.
func servicesOf(a api.Act) []string {
	var all []string
	for _, id := range []string{a.Incident, string(a.SLO)} {
		if id != "" {
			all = append(all, slo.ID(id).Service())
		}
	}
	if a.Service != "" {
		all = append(all, a.Service)
	}
	if a.Kind == alerting.Merge {
		all = append(all, slo.ID(a.Other).Service())
	}
	if len(all) == 0 {
		all = append(all, "")
	}
	return all
}

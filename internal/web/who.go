package web

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/login"
	"github.com/slowburn-sre/slowburn/internal/printable"
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

// identity is something that a request has proven of who sent it: "token ci", "user ada",
// "certificate ada", "proxy ada".
type identity struct{ kind, name string }

// The kinds of identities that a grant may name. Tokens have rights of their own.
const (
	byToken       = "token"
	byPassword    = "user"        // of the web configuration
	byCertificate = "certificate" // of a client, verified
	byProxy       = "proxy"       // told by a proxy that is trusted
	byLogin       = "oidc"        // signed in by the OpenID provider
	byGroup       = "group"       // which the provider told; it is nobody by itself
)

// String returns the identity as the audit log has it. A name that could be taken for more than one
// identity, or that cannot be shown, is quoted.
func (i identity) String() string {
	if strings.ContainsAny(i.name, ",\"") || printable.Line(i.name) != i.name {
		return i.kind + " " + strconv.Quote(i.name)
	}
	return i.kind + " " + i.name
}

// Grant is what may be done by people and programs that have proven who they are by other means
// than a token.
type Grant struct {
	Who      []string // globs of identities, as the audit log has them: "certificate deploy-*"
	May      []Right
	Services []string // globs of the services about which something may be done; none is all
}

// isFor reports whether it is for somebody.
func (g Grant) isFor(i identity) bool { return matchesAny(g.Who, i.kind+" "+i.name) }

// IsForGroup reports whether it is for the members of a group.
func (g Grant) IsForGroup(name string) bool { return g.isFor(identity{byGroup, name}) }

// covers reports whether it gives a right about services.
func (g Grant) covers(services []string) bool {
	return len(g.Services) == 0 || !slices.ContainsFunc(services, func(s string) bool { return !matchesAny(g.Services, s) })
}

func matchesAny(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool { ok, _ := path.Match(glob, name); return ok })
}

// caller is who sent a request, as far as that is proven, and what they may.
type caller struct {
	proven []identity
	grants []Grant
}

// who returns the caller as the audit log has it.
func (c caller) who() string {
	var all []string
	for _, i := range c.proven {
		all = append(all, i.String())
	}
	return strings.Join(all, ", ")
}

// name returns by which name an act is recorded whose sender names nobody: a person who has proven
// an identity, else the program that a token is for. It is "" where neither is known: a group and
// the token of this machine are nobody.
func (c caller) name() string {
	program := ""
	for _, i := range c.proven {
		switch {
		case i.kind == byGroup, i.kind == byToken && i.name == config.LocalToken:
		case i.kind == byToken:
			program = i.name
		default:
			return i.name
		}
	}
	return program
}

// callerOf returns who sent a request that wants to change something, and false if that is nobody
// who may change anything. secret is the token that a form carries, "" if it has none. Whoever
// brings a token may what that may; others what is granted to them. From where a request comes
// proves nothing.
func (s *server) callerOf(r *http.Request, secret string) (caller, bool) {
	c := caller{proven: s.proven(r)}
	if given := tokenOf(r); given != "" {
		secret = given
	}
	if secret != "" {
		t := s.tokenFor(secret)
		if t == nil {
			s.refusals.wrong(r, "token")
			return caller{}, false
		}
		c.proven = slices.Insert(c.proven, 0, identity{byToken, t.Name})
		c.grants = []Grant{{May: t.may, Services: t.services}}
		return c, true
	}
	is := c.proven
	if in, ok := s.session(r); ok {
		for _, group := range in.Groups {
			is = append(slices.Clip(is), identity{byGroup, group})
		}
	}
	for _, g := range s.Trust().Grants {
		if slices.ContainsFunc(is, g.isFor) {
			c.grants = append(c.grants, g)
		}
	}
	return c, len(c.grants) > 0
}

// proven lists the identities that a request has proven beside a token.
func (s *server) proven(r *http.Request) (all []identity) {
	if in, ok := s.session(r); ok {
		all = append(all, identity{byLogin, in.User})
	}
	if name, _, ok := r.BasicAuth(); ok && s.isUser(name) {
		all = append(all, identity{byPassword, name})
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		all = append(all, identity{byCertificate, subjectOf(r.TLS.VerifiedChains[0][0])})
	}
	if name := s.toldByProxy(r); name != "" {
		all = append(all, identity{byProxy, name})
	}
	return all
}

// session returns who has signed in.
func (s *server) session(r *http.Request) (login.Session, bool) {
	if s.Login == nil {
		return login.Session{}, false
	}
	return s.Login.Who(r)
}

// subjectOf returns whose a certificate is: its common name, or else the first other name in it.
func subjectOf(c *x509.Certificate) string {
	all := []string{c.Subject.CommonName}
	for _, u := range c.URIs {
		all = append(all, u.String())
	}
	return cmp.Or(slices.Concat(all, c.EmailAddresses, c.DNSNames, []string{c.Subject.String()})...)
}

// passes reports whether a request with the token needs no password: to read by the right to
// read, and to change something by any, whose rights are looked at where that is done.
func (t *Token) passes(r *http.Request) bool {
	return slices.Contains(t.may, MayRead) || r.Method != http.MethodGet && r.Method != http.MethodHead
}

// may returns nil if the caller may do something about services, else why not. One grant must
// cover all of it.
func (c caller) may(right Right, services ...string) error {
	granted := false
	for _, g := range c.grants {
		if slices.Contains(g.May, right) {
			if granted = true; g.covers(services) {
				return nil
			}
		}
	}
	if !granted {
		return forbidden("%s may not do this: it takes the right %q.", c.title(), right)
	}
	for _, service := range services {
		if !slices.ContainsFunc(c.grants, func(g Grant) bool { return slices.Contains(g.May, right) && g.covers([]string{service}) }) {
			return forbidden("%s may not do this: it is not for %s.", c.title(), namedService(service))
		}
	}
	return forbidden("%s may not do this: no grant is for all of its services.", c.title())
}

// title returns how the caller is addressed.
func (c caller) title() string {
	switch {
	case len(c.proven) == 0:
		return "Somebody unknown"
	case c.proven[0].kind == byToken:
		return fmt.Sprintf("The token %q", c.proven[0].name)
	}
	return "You, known as " + clip(c.who()) + ","
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
	case alerting.Override, alerting.Exempt, alerting.Classify, alerting.Approve, alerting.Reject:
		return MayOverride
	case alerting.Changed, alerting.Experiment:
		return MayChange
	}
	return MayAct
}

// servicesOf lists the services that acts are about: one, and the one that it takes back or decides
// on; "" is none by name.
func servicesOf(acts ...api.Act) (all []string) {
	for _, a := range acts {
		all = append(all, namedIn(a)...)
	}
	if len(all) == 0 {
		all = append(all, "")
	}
	return all
}

// namedIn lists the services that an act names.
func namedIn(a api.Act) (all []string) {
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
	return all
}

package config

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// Web says who may do what over HTTP.
type Web struct {
	Tokens  []Token
	Grants  []Grant
	Proxies Proxies
	OIDC    OIDC
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

// Grant is what may be done by those who prove who they are by something else than a token.
type Grant struct {
	Who      []string // globs of identities as the audit log has them
	May      []string // of TokenRights
	Services []string // globs; none is all
}

// Proxies may say who has sent a request.
type Proxies struct {
	Addresses  []netip.Prefix
	UserHeader string
}

// AsksForProof reports whether nobody is shown anything who has not proven who they are, whatever
// the web configuration says.
func (w Web) AsksForProof() bool { return len(w.Proxies.Addresses) > 0 || w.OIDC.Issuer != "" }

// OIDC is how people sign in to the pages; the zero value is not at all.
type OIDC struct {
	Issuer, ClientID, SecretFile string
	Scopes                       []string
	UserClaim, GroupsClaim       string
	Domains, Groups              []string // who may sign in
	Session                      time.Duration
}

// The defaults of signing in.
const (
	defaultUserClaim   = "email"
	defaultGroupsClaim = "groups"
	defaultSession     = 8 * time.Hour
)

// TokenRights are what may be done by a token.
var TokenRights = []string{"read", "change", "act", "override"}

// NameForm is the form of a name that is written into the audit log.
const NameForm = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

// HeaderForm is the form of the name of a header.
const HeaderForm = `^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`

// LocalToken is the name of the token in the file of web.local_token_file.
const LocalToken = "local"

var (
	namePattern   = regexp.MustCompile(NameForm)
	headerPattern = regexp.MustCompile(HeaderForm)
)

func (c *Config) readWeb(v strictyaml.Value) {
	o, ok := v.Object(webKeys.Keys()...)
	if !ok {
		return
	}
	if text, ok := o.Get("local_token_file").Text(); ok {
		c.Web.LocalTokenFile = c.Abs(text)
	}
	c.readGrants(o)
	c.readProxies(o)
	c.readOIDC(o)
	list, _ := o.Get("tokens").List(maxEntries)
	seen := map[string]bool{}
	for _, item := range list {
		t, ok := item.Object(tokenKeys.Keys()...)
		if !ok {
			continue
		}
		token := Token{Services: globsIn(t.Get("services"), "such as checkout or pay-*")}
		if name, ok := t.Need("name", "who holds it, such as ci").Text(); ok {
			switch {
			case !namePattern.MatchString(name):
				t.Get("name").Problem(fmt.Sprintf("%q is no name of a token", name), "use letters, digits, dots, dashes and underscores, at most 64")
			case name == LocalToken:
				t.Get("name").Problem("the name local is taken", "it is that of the token in web.local_token_file")
			case seen[name]:
				t.Get("name").Problem(fmt.Sprintf("there are two tokens named %q", name), "call one of them another: the audit log tells them apart by it")
			}
			seen[name], token.Name = true, name
		}
		if text, ok := t.Need("file", "the file that holds the token").Text(); ok {
			token.File = c.Abs(text)
		}
		token.May = rightsIn(t.Need("may", "what may be done by it, such as [change]"))
		c.Web.Tokens = append(c.Web.Tokens, token)
	}
}

func rightsIn(v strictyaml.Value) (all []string) {
	rights, _ := v.List(maxEntries)
	for _, right := range rights {
		if is, ok := right.OneOf(TokenRights...); ok {
			all = append(all, is)
		}
	}
	return all
}

func globsIn(v strictyaml.Value, such string) []string {
	globs := v.Texts(maxEntries)
	for _, glob := range globs {
		if _, err := path.Match(glob, ""); err != nil {
			v.Problem(fmt.Sprintf("%q is no glob", glob), such)
		}
	}
	return globs
}

// identityKinds begin the identities that a grant may be for.
var identityKinds = []string{"user", "certificate", "proxy", "oidc", "group"}

func (c *Config) readGrants(o strictyaml.Object) {
	list, _ := o.Get("grants").List(maxEntries)
	for _, item := range list {
		g, ok := item.Object(grantKeys.Keys()...)
		if !ok {
			continue
		}
		who := g.Need("who", "whom it is for, such as [user ada]")
		grant := Grant{
			Who: globsIn(who, "such as user ada or certificate deploy-*"), Services: globsIn(g.Get("services"), "such as checkout or pay-*"),
			May: rightsIn(g.Need("may", "what they may, such as [act]")),
		}
		for _, glob := range grant.Who {
			if kind, name, _ := strings.Cut(glob, " "); !slices.Contains(identityKinds, kind) || name == "" {
				who.Problem(fmt.Sprintf("%q says not how they prove who they are", glob), "begin with one of "+strings.Join(identityKinds, ", ")+", then a space and the name")
			}
		}
		c.Web.Grants = append(c.Web.Grants, grant)
	}
}

func (c *Config) readProxies(o strictyaml.Object) {
	if !o.Get("trusted_proxies").Given() {
		return
	}
	p, ok := o.Get("trusted_proxies").Object(proxiesKeys.Keys()...)
	if !ok {
		return
	}
	addresses := p.Need("addresses", "those of the proxies, such as [127.0.0.1]")
	for _, text := range addresses.Texts(maxEntries) {
		network, err := networkOf(text)
		if err != nil {
			addresses.Problem(fmt.Sprintf("%q is no address and no network", text), "such as 127.0.0.1 or 10.0.3.0/28")
			continue
		}
		if network.Bits() == 0 {
			addresses.Problem(fmt.Sprintf("%q is everybody", text), "name the proxies alone: whoever is among these addresses is believed whatever user they name")
		}
		c.Web.Proxies.Addresses = append(c.Web.Proxies.Addresses, network)
	}
	header := p.Need("user_header", "the header with the user, such as X-Forwarded-User")
	if name, ok := header.Text(); ok {
		switch {
		case !headerPattern.MatchString(name):
			header.Problem(fmt.Sprintf("%q is no name of a header", name), "such as X-Forwarded-User")
		case slices.Contains(takenHeaders, http.CanonicalHeaderKey(name)):
			header.Problem(fmt.Sprintf("the header %s has another meaning", name), "such as X-Forwarded-User")
		}
		c.Web.Proxies.UserHeader = http.CanonicalHeaderKey(name)
	}
}

func (c *Config) readOIDC(o strictyaml.Object) {
	if !o.Get("oidc").Given() {
		return
	}
	v, ok := o.Get("oidc").Object(oidcKeys.Keys()...)
	if !ok {
		return
	}
	in := OIDC{Scopes: []string{"email", "profile"}, UserClaim: defaultUserClaim, GroupsClaim: defaultGroupsClaim, Session: defaultSession}
	if address, ok := file.Address(v.Need("issuer", "such as https://login.example.com/realms/sre"), login); ok {
		in.Issuer = address
		if u, err := url.Parse(address); err == nil && u.Scheme != "https" && u.Hostname() != "localhost" && !netip.MustParsePrefix("127.0.0.0/8").Contains(addressIn(u.Hostname())) {
			v.Get("issuer").Problem("the issuer is asked without TLS", "whoever is in between could be anybody: write https://")
		}
	}
	in.ClientID, _ = v.Need("client_id", "as it is registered with the issuer").Text()
	if text, ok := v.Need("client_secret_file", "the file that holds the client secret").Text(); ok {
		in.SecretFile = c.Abs(text)
	}
	if v.Get("scopes").Given() {
		in.Scopes = v.Get("scopes").Texts(maxEntries)
	}
	for key, into := range map[string]*string{"user_claim": &in.UserClaim, "groups_claim": &in.GroupsClaim} {
		if text, ok := v.Get(key).Text(); ok {
			*into = text
		}
	}
	in.Domains, in.Groups = v.Get("allowed_domains").Texts(maxEntries), v.Get("allowed_groups").Texts(maxEntries)
	if len(in.Domains)+len(in.Groups) == 0 {
		o.Get("oidc").Problem("oidc does not say who may sign in", `name allowed_domains or allowed_groups; allowed_domains: ["*"] is everybody whom the issuer knows`)
	}
	if d, ok := v.Get("session").Duration(); ok {
		if in.Session = d; d < time.Minute || d > 7*24*time.Hour {
			v.Get("session").Problem("a session lasts from a minute to seven days", "such as 8h")
		}
	}
	c.Web.OIDC = in
}

// addressIn reads an address; what is none is that of nobody.
func addressIn(host string) netip.Addr {
	address, _ := netip.ParseAddr(host)
	return address
}

// takenHeaders are those that say something else than who a user is.
var takenHeaders = []string{"Authorization", "Cookie", "Host", "X-Slowburn-Token", "X-Forwarded-For", "Forwarded", "X-Real-Ip", "Origin", "Sec-Fetch-Site"}

// networkOf reads a network, or an address as one.
func networkOf(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		network, err := netip.ParsePrefix(text)
		return network.Masked(), err
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
}

package config

import (
	"fmt"
	"net/http"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// Web says who may do what over HTTP.
type Web struct {
	Tokens  []Token
	Grants  []Grant
	Proxies Proxies
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
func (w Web) AsksForProof() bool { return len(w.Proxies.Addresses) > 0 }

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
				t.Get("name").Problem(fmt.Sprintf("there are two tokens named %q", name), "a name may be used once: the audit log tells them apart by it")
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
var identityKinds = []string{"user", "certificate", "proxy"}

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

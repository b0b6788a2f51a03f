// Package login lets people prove who they are to the pages by an OpenID provider: the code flow
// with state, nonce and PKCE, and a session in a sealed cookie.
//
// # Design
//
// Nothing is kept here: what has to survive the way to the provider and back, and the session after
// it, are cookies that only we can read and write (sealed.go). So it does not matter which of
// several daemons answers, or whether it was restarted meanwhile, as long as they have the same
// client secret. What a daemon does keep are the sessions that were ended by hand, until they would
// have ended.
//
// A session proves who somebody is, by the name that the provider gave at its beginning. What they
// may do is not decided here.
package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/slowburn-sre/slowburn/internal/httpclient"
	"github.com/slowburn-sre/slowburn/internal/printable"
)

// Options are what a door is made of.
type Options struct {
	Issuer   string
	ClientID string
	// Secrets are those of the client: more than one while it is changed, the newest first. They
	// seal the cookies, too.
	Secrets []string
	// ExternalURL is where people reach the pages, with the prefix of their paths.
	ExternalURL string
	Scopes      []string // beside openid
	UserClaim   string   // the claim with the name; "" is email
	GroupsClaim string   // the claim with the groups; "" is groups
	// Domains and Groups are who may come in: people whose name ends in @ and one of the domains,
	// "*" being all, and who are in one of the groups. None of one kind is anybody as to that.
	Domains, Groups []string
	// Keeps says which other groups a session keeps, beside those that it came in by.
	Keeps func(group string) bool
	// Life is how long a session lasts.
	Life   time.Duration
	Now    func() time.Time // the wall's clock; nil is time.Now
	Client *http.Client     // for the provider; nil is one of our own
	Log    *slog.Logger     // nil discards
}

// Door is the way in.
type Door struct {
	Options
	seal   sealer
	prefix string // of the paths
	secure bool   // cookies are for TLS only

	asking   sync.Mutex
	provider *oidc.Provider // nil before it was asked; under asking

	mu    sync.Mutex
	ended map[string]time.Time // sessions that were ended by hand, and when they would have
}

// The paths of the door, below the prefix.
const (
	LoginPath    = "/login"
	CallbackPath = "/login/callback"
	LogoutPath   = "/logout"
)

const (
	loginLife = 10 * time.Minute // from here to the provider and back
	askFor    = 10 * time.Second // how long the provider may take to answer
	maxAnswer = 1 << 20          // and how much of its answer is read
	maxName   = 256
	maxGroups = 50
	maxEnded  = 10_000
)

// New makes a door. It asks nobody: the provider is asked when the first person comes.
func New(o Options) *Door {
	o.UserClaim, o.GroupsClaim = cmp.Or(o.UserClaim, "email"), cmp.Or(o.GroupsClaim, "groups")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: askFor, Transport: bounded{http.DefaultTransport}, CheckRedirect: httpclient.SameHost}
	}
	if o.Keeps == nil {
		o.Keeps = func(string) bool { return false }
	}
	d := &Door{Options: o, seal: newSealer(o.Secrets, o.Issuer+"\x00"+o.ClientID), ended: map[string]time.Time{}}
	if u, err := url.Parse(o.ExternalURL); err == nil {
		d.prefix, d.secure = strings.TrimSuffix(u.EscapedPath(), "/"), u.Scheme == "https"
	}
	return d
}

// bounded reads only so much of an answer.
type bounded struct{ http.RoundTripper }

// RoundTrip asks.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// Session is somebody who has come in. Like what is remembered on the way, it is kept in a cookie
// by the names of its fields.
type Session struct {
	ID     string
	User   string
	Groups []string
	Until  time.Time
}

// journey is what is remembered of somebody on the way to the provider.
type journey struct {
	State    string
	Nonce    string
	Verifier string // of PKCE
	Back     string // where they wanted to go
	Until    time.Time
}

// The cookies.
const (
	sessionCookie = "slowburn_session"
	journeyCookie = "slowburn_login"
)

// named returns a cookie's name. Over TLS no other host, and nobody without TLS, can set one of
// that name.
func (d *Door) named(name string) string {
	if d.secure {
		return "__Host-" + name
	}
	return name
}

// set sets a cookie, or takes it away if it has no value.
func (d *Door) set(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{
		Name: d.named(name), Value: value, Path: "/", HttpOnly: true, Secure: d.secure,
		SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds()), // lax, so that links in messages find a session
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// open reads a sealed cookie.
func (d *Door) open(r *http.Request, name string, into any) bool {
	c, err := r.Cookie(d.named(name))
	return err == nil && d.seal.open(name, c.Value, into)
}

// Who returns the session of a request, false if there is none that counts. Of what changes
// something it counts only if the browser says from which site it comes; whether that is ours is
// looked at elsewhere.
func (d *Door) Who(r *http.Request) (Session, bool) {
	var s Session
	if !d.open(r, sessionCookie, &s) || !d.Now().Before(s.Until) || s.User == "" {
		return Session{}, false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return Session{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ended := d.ended[s.ID]
	return s, !ended
}

// config returns how the provider is spoken to; it is asked for its addresses the first time.
func (d *Door) config(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	d.asking.Lock()
	defer d.asking.Unlock()
	if d.provider == nil {
		ctx, cancel := context.WithTimeout(oidc.ClientContext(context.WithoutCancel(ctx), d.Client), askFor)
		defer cancel()
		p, err := oidc.NewProvider(ctx, d.Issuer)
		if err != nil {
			return nil, nil, err
		}
		d.provider = p
	}
	return &oauth2.Config{
		ClientID: d.ClientID, ClientSecret: d.Secrets[0], Endpoint: d.provider.Endpoint(),
		RedirectURL: strings.TrimSuffix(d.ExternalURL, "/") + CallbackPath,
		Scopes:      append([]string{oidc.ScopeOpenID}, d.Scopes...),
	}, d.provider, nil
}

// Begin sends somebody to the provider. They come back to the page that the parameter back names.
func (d *Door) Begin(w http.ResponseWriter, r *http.Request) error {
	c, _, err := d.config(r.Context())
	if err != nil {
		d.Log.Error("the OpenID provider cannot be asked", "issuer", d.Issuer, "err", err)
		return &Refusal{http.StatusBadGateway, "The OpenID provider does not answer as it should; the log says why. Try again later."}
	}
	j := journey{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Back: here(r.URL.Query().Get("back")), Until: d.Now().Add(loginLife)}
	d.set(w, journeyCookie, d.seal.seal(journeyCookie, j), loginLife)
	http.Redirect(w, r, c.AuthCodeURL(j.State, oidc.Nonce(j.Nonce), oauth2.S256ChallengeOption(j.Verifier)), http.StatusSeeOther)
	return nil
}

// here returns a path on this site, "/" for anything else.
func here(back string) string {
	u, err := url.Parse(back)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(back, "/") ||
		strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n\t") || len(back) > 1024 {
		return "/"
	}
	return back
}

// Refusal is why somebody does not come in, as a sentence for them.
type Refusal struct {
	Code int
	Text string
}

// Error returns the sentence.
func (r *Refusal) Error() string { return r.Text }

// Finish takes somebody who comes back from the provider, and sends them to where they wanted to
// go.
func (d *Door) Finish(w http.ResponseWriter, r *http.Request) error {
	var j journey
	known := d.open(r, journeyCookie, &j)
	d.set(w, journeyCookie, "", 0) // it is good for one try
	q := r.URL.Query()
	switch {
	case !known || !d.Now().Before(j.Until) || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(j.State)) != 1:
		return &Refusal{http.StatusBadRequest, "This is not the end of a sign-in that was begun here within ten minutes. Begin anew."}
	case q.Get("error") != "":
		d.Log.Warn("the OpenID provider let somebody not in", "error", printable.Line(q.Get("error")), "description", printable.Line(q.Get("error_description")))
		return &Refusal{http.StatusForbidden, "The OpenID provider did not sign you in."}
	}
	s, err := d.session(r.Context(), q.Get("code"), j)
	if err != nil {
		d.Log.Warn("somebody could not sign in", "err", printable.Line(err.Error()))
		if no := new(Refusal); errors.As(err, &no) {
			return no
		}
		return &Refusal{http.StatusForbidden, "What the OpenID provider says of you could not be verified; the log says why."}
	}
	d.set(w, sessionCookie, d.seal.seal(sessionCookie, s), d.Life)
	d.Log.Info("signed in", "user", s.User)
	http.Redirect(w, r, d.prefix+j.Back, http.StatusSeeOther)
	return nil
}

// session redeems the code, and makes a session of what it proves.
func (d *Door) session(ctx context.Context, code string, j journey) (Session, error) {
	c, p, err := d.config(ctx)
	if err != nil {
		return Session{}, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, d.Client), askFor)
	defer cancel()
	token, err := c.Exchange(ctx, code, oauth2.VerifierOption(j.Verifier))
	if err != nil {
		return Session{}, errors.New("the code was not redeemed") // what the provider says may hold secrets
	}
	raw, _ := token.Extra("id_token").(string)
	is, err := p.Verifier(&oidc.Config{ClientID: d.ClientID, Now: d.Now}).Verify(ctx, raw)
	if err != nil {
		return Session{}, err
	}
	if subtle.ConstantTimeCompare([]byte(is.Nonce), []byte(j.Nonce)) != 1 {
		return Session{}, errors.New("the token was made for another sign-in")
	}
	claims := map[string]any{}
	if err := is.Claims(&claims); err != nil {
		return Session{}, err
	}
	return d.admit(claims)
}

// admit makes a session for those who may come in.
func (d *Door) admit(claims map[string]any) (Session, error) {
	user, _ := claims[d.UserClaim].(string)
	switch verified := claims["email_verified"]; {
	case user == "" || len(user) > maxName || printable.Line(user) != user || strings.TrimSpace(user) != user:
		return Session{}, &Refusal{http.StatusForbidden, fmt.Sprintf("The OpenID provider does not say who you are in the claim %q.", d.UserClaim)}
	case d.UserClaim == "email" && verified != true && verified != "true":
		return Session{}, &Refusal{http.StatusForbidden, "The OpenID provider has not verified your mail address."}
	}
	at := strings.LastIndex(user, "@")
	domain := strings.ToLower(user[at+1:])
	if len(d.Domains) > 0 && !slices.Contains(d.Domains, "*") && (at < 1 || !slices.ContainsFunc(d.Domains, func(s string) bool { return strings.ToLower(s) == domain })) {
		return Session{}, &Refusal{http.StatusForbidden, user + " is of no domain that may sign in here."}
	}
	s := Session{ID: rand.Text(), User: user, Until: d.Now().Add(d.Life)}
	member := len(d.Groups) == 0
	for _, group := range textsOf(claims[d.GroupsClaim]) {
		allowed := slices.Contains(d.Groups, group)
		member = member || allowed
		if (allowed || d.Keeps(group)) && len(s.Groups) < maxGroups {
			s.Groups = append(s.Groups, group)
		}
	}
	if !member {
		return Session{}, &Refusal{http.StatusForbidden, user + " is in no group that may sign in here."}
	}
	return s, nil
}

// textsOf returns the texts of a claim that is one or a list of them.
func textsOf(claim any) (all []string) {
	switch is := claim.(type) {
	case string:
		return []string{is}
	case []any:
		for _, one := range is {
			if text, ok := one.(string); ok && len(text) <= maxName {
				all = append(all, text)
			}
		}
	}
	return all
}

// End ends a session: here for good, and at other daemons because the browser has forgotten it.
func (d *Door) End(w http.ResponseWriter, r *http.Request) {
	s, known := d.Who(r)
	d.set(w, sessionCookie, "", 0)
	if !known {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	for id, until := range d.ended {
		if !now.Before(until) || len(d.ended) >= maxEnded {
			delete(d.ended, id)
		}
	}
	d.ended[s.ID] = s.Until
}

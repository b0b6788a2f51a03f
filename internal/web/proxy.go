package web

import (
	"net/http"
	"net/netip"
	"slices"

	"github.com/slowburn-sre/slowburn/internal/printable"
)

// Trust is who is believed about whom, and what may be done by those who are known.
type Trust struct {
	Grants []Grant
	// Proxies are the addresses whose requests may name a user in UserHeader; "" and none is
	// nobody's.
	Proxies    []netip.Prefix
	UserHeader string
}

// maxUser bounds the name that a proxy tells.
const maxUser = 256

// asksForProof reports whether there is a way to prove who one is beside the web configuration.
// Then nothing but what is free is shown to whoever has not.
func (t Trust) asksForProof() bool { return len(t.Proxies) > 0 }

// onlyFromProxies returns a handler to which the header that names a user comes only from proxies
// that are trusted, and only if it names one. From all others it is taken away and counted.
func (s *server) onlyFromProxies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t := s.Trust(); t.UserHeader != "" && len(r.Header.Values(t.UserHeader)) > 0 && !t.believes(r) {
			s.refusals.ignored(r, "user_header")
			r.Header.Del(t.UserHeader)
		}
		next.ServeHTTP(w, r)
	})
}

// believes reports whether a request names one user, and comes from a proxy that may. No other
// header counts for where it comes from.
func (t Trust) believes(r *http.Request) bool {
	names := r.Header.Values(t.UserHeader)
	if len(names) != 1 || names[0] == "" || len(names[0]) > maxUser || printable.Line(names[0]) != names[0] {
		return false
	}
	from, err := netip.ParseAddr(addressOf(r))
	return err == nil && slices.ContainsFunc(t.Proxies, func(p netip.Prefix) bool { return p.Contains(from.Unmap().WithZone("")) })
}

// toldByProxy returns the user whom a trusted proxy names, "" if there is none.
func (s *server) toldByProxy(r *http.Request) string {
	if t := s.Trust(); t.UserHeader != "" && t.believes(r) {
		return r.Header.Get(t.UserHeader)
	}
	return ""
}

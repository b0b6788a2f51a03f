package web

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// policy is the content security policy of every answer. Nothing is loaded but the style sheet and
// the script that slowburn itself serves; labels and names of metrics are other people's text, and
// even if one slipped through the templates it could not run.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guard returns the handler that every request passes first: headers, the Host check, the doors
// with their bounds. A handler that panics is logged and answered with 500.
func guard(next http.Handler, names hosts, prefix string, asker func(*http.Request) string, log *slog.Logger) http.Handler {
	doors := newDoors()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		if !names.allow(r) {
			http.Error(w, "This address does not serve the host that was asked for. Behind a proxy, or under a name in DNS, set --web.external-url.", http.StatusMisdirectedRequest)
			return
		}
		leave := doors.of(strings.TrimPrefix(r.URL.Path, prefix)).enter(w, r, asker(r))
		if leave == nil {
			return
		}
		defer leave()
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				log.Error("a request failed", "path", r.URL.Path, "panic", p)
				http.Error(w, "Something went wrong; the log says what.", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// hosts are the names by which slowburn may be asked: that of the external URL and that of the
// machine, beside those that nobody can register.
type hosts []string

// allow guards against DNS rebinding: a page elsewhere can make a browser believe that its own name
// is an address of this machine, and read what is served there. So a request must have asked for an
// address, which no name can be bound to; for a name that no stranger can own; or for one of ours.
// Over loopback it must not be another machine's address either.
func (h hosts) allow(r *http.Request) bool {
	host := strings.ToLower(strings.TrimSuffix(hostOf(r.Host), "."))
	if isLoopback(r.Host) || slices.Contains(h, host) {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return true // no listener of ours
	}
	if isLoopback(local.String()) || host == "" {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.Contains(host, ".") || slices.ContainsFunc(privateNames, func(end string) bool { return strings.HasSuffix(host, end) })
}

// privateNames are the ends of names that no public DNS resolves: those of services in Kubernetes,
// and those that are set aside for networks of one's own.
var privateNames = []string{".svc", ".svc.cluster.local", ".internal", ".home.arpa"}

// hostsOf returns the names that are ours, beside the one of the external URL.
func hostsOf(external string) (all hosts) {
	if external != "" {
		all = append(all, strings.ToLower(external))
	}
	if name, err := os.Hostname(); err == nil {
		all = append(all, strings.ToLower(name))
	}
	return all
}

// isLoopback reports whether an address, with or without a port, is on the loopback interface by
// its very name. No name is looked up.
func isLoopback(address string) bool {
	host := hostOf(address)
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
}

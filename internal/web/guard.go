package web

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// policy is the content security policy of every answer. Nothing is loaded but the style sheet that
// slowburn itself serves; labels and names of metrics are other people's text, and even if one
// slipped through the templates it could not run.
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// maxInFlight bounds how many requests are worked on at once; more are turned away.
const maxInFlight = 64

// guard returns the handler that every request passes first: headers, the Host check, the bounds. A
// handler that panics is logged and answered with 500.
func guard(next http.Handler, externalHost string, log *slog.Logger) http.Handler {
	slots := make(chan struct{}, maxInFlight)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		if !hostAllowed(r, externalHost) {
			http.Error(w, "This address does not serve the host that was asked for. Behind a proxy, set --web.external-url.", http.StatusMisdirectedRequest)
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "Too many requests at once.", http.StatusServiceUnavailable)
			return
		}
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

// hostAllowed guards against DNS rebinding: a page elsewhere can make a browser believe that its
// own name is the loopback address, and read what is served there. So whoever connects over
// loopback must have asked for a name of this machine, or for the host of the external URL.
func hostAllowed(r *http.Request, externalHost string) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !isLoopback(local.String()) {
		return true
	}
	return isLoopback(r.Host) || externalHost != "" && strings.EqualFold(hostOf(r.Host), externalHost)
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

package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/slowburn-sre/slowburn/internal/folder"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// shutdownIn bounds how long requests in flight may take when slowburn stops.
const shutdownIn = 10 * time.Second

// Serve serves the handler on the listener until ctx ends, then lets the requests in flight finish,
// for at most ten seconds. It closes the listener. webConfigFile is TLS and authentication in the
// format of the Prometheus family, "" for neither.
func Serve(ctx context.Context, l net.Listener, h http.Handler, webConfigFile string, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if f, ok := h.(*front); ok {
		srv.RegisterOnShutdown(f.server.stop)
		f.server.users = func(name string) bool { return isUserOf(webConfigFile, name) }
		// The toolkit has put its handler, which asks for the password, before ours when it begins
		// to listen, and nothing was accepted yet.
		srv.BaseContext = func(net.Listener) context.Context {
			srv.Handler = f.behind(srv.Handler)
			return context.Background()
		}
	}
	failed := make(chan error, 1)
	go func() { failed <- toolkit.Serve(l, srv, &toolkit.FlagConfig{WebConfigFile: &webConfigFile}, log) }()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serving HTTP: %w", err), srv.Close(), closed(l))
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownIn)
	defer cancel()
	if err := srv.Shutdown(bounded); err != nil {
		log.Warn("requests in flight were cut off", "err", err)
		_ = srv.Close()
	}
	_ = closed(l) // if it was not yet being served
	if err := <-failed; err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}

// isUserOf reports whether a web configuration asks a user for a password; "" is any user. The
// toolkit reads the file for every request, too.
func isUserOf(webConfigFile, name string) bool {
	cfg, err := readGuards(webConfigFile)
	users := cfg.Child("basic_auth_users")
	return err == nil && (users.Has(name) || name == "" && users.IsMap() && !users.Empty())
}

// closed closes a listener that may be closed already.
func closed(l net.Listener) error {
	if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// CheckAddress refuses to listen where others can connect unless they have to say who they are, or
// insecure says that this is meant.
func CheckAddress(addr string, hasAuth, insecure bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("the listen address %q is not host:port: %w", addr, err)
	}
	if hasAuth || insecure || isLoopback(host) {
		return nil
	}
	return fmt.Errorf("listening on %s lets everybody on the network read, so it needs authentication: "+
		"give --web.config.file with basic_auth_users or client certificates, configure web.oidc or web.trusted_proxies, or say --web.insecure", addr)
}

// Guards reports what a web configuration file says: whether clients are asked who they are, by
// password or by certificate, and whether they are served over TLS, which alone asks nobody. No
// file says neither.
func Guards(webConfigFile string) (auth, tls bool, err error) {
	if webConfigFile == "" {
		return false, false, nil
	}
	cfg, err := readGuards(webConfigFile)
	if err == nil {
		err = toolkit.Validate(webConfigFile)
	}
	if err != nil {
		return false, false, fmt.Errorf("the web configuration %s: %w", webConfigFile, err)
	}
	users, server := cfg.Child("basic_auth_users"), cfg.Child("tls_server_config")
	tls = server.IsMap()
	return users.IsMap() && !users.Empty() || tls && server.Peek("client_auth_type") == "RequireAndVerifyClientCert", tls, nil
}

// readGuards reads a web configuration; no file asks nobody.
func readGuards(webConfigFile string) (cfg strictyaml.Value, err error) {
	if webConfigFile == "" {
		return cfg, nil
	}
	data, err := folder.ReadOwn(webConfigFile, strictyaml.MaxSize)
	if err != nil {
		return cfg, err
	}
	f := strictyaml.Parse(webConfigFile, data, strictyaml.Options{Plain: []string{}}) // all that it holds may be secret
	if err := f.Problems().Err(); err != nil {
		return cfg, err
	}
	return f.Documents[0], nil
}

// Address returns the address under which a listener is reached, as far as it knows itself: by the
// name of this machine if it listens at all of its addresses.
func Address(l net.Addr, tls bool) string {
	host, port, err := net.SplitHostPort(l.String())
	if ip, wrong := netip.ParseAddr(host); err == nil && wrong == nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

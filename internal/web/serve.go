package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v4"
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
		"give --web.config.file with basic_auth_users or client certificates, or say --web.insecure", addr)
}

// HasAuth reports whether a web configuration file asks clients who they are, by password or by
// certificate; TLS alone does not. No file asks nobody.
func HasAuth(webConfigFile string) (bool, error) {
	if webConfigFile == "" {
		return false, nil
	}
	if err := toolkit.Validate(webConfigFile); err != nil {
		return false, fmt.Errorf("the web configuration %s: %w", webConfigFile, err)
	}
	data, err := os.ReadFile(webConfigFile)
	if err != nil {
		return false, fmt.Errorf("the web configuration: %w", err)
	}
	var cfg struct {
		Users map[string]string `yaml:"basic_auth_users"`
		TLS   struct {
			ClientAuth string `yaml:"client_auth_type"`
		} `yaml:"tls_server_config"`
	}
	if err := yaml.Unmarshal(data, &cfg); err != nil {
		return false, fmt.Errorf("the web configuration %s: %w", webConfigFile, err)
	}
	return len(cfg.Users) > 0 || cfg.TLS.ClientAuth == "RequireAndVerifyClientCert", nil
}

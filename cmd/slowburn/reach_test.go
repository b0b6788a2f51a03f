package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/daemon"
)

// A daemon that leads elsewhere is not followed: neither a token nor a password goes there, and it
// is told.
func TestNoCommandIsLedElsewhereWithItsToken(t *testing.T) {
	var stolen []string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stolen = append(stolen, r.Method+" "+r.Header.Get("X-Slowburn-Token")+r.Header.Get("Authorization"))
	}))
	defer thief.Close()
	config := filepath.Join(t.TempDir(), "http.yaml")
	if err := os.WriteFile(config, []byte("basic_auth: {username: ci, password: pa55}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		daemonOf := httptest.NewServer(http.RedirectHandler(thief.URL, code))
		defer daemonOf.Close()
		for _, args := range [][]string{{"gate", "shop"}, {"incidents", "ack", "i", "--by=Ada"}, {"gate", "shop", "--http.config.file=" + config}} {
			var out bytes.Buffer
			env := func(name string) string { return map[string]string{daemon.WriteTokenEnv: "t0ken"}[name] }
			got := run(append(args, "--url="+daemonOf.URL), surroundings{out: &out, err: &out, getenv: env, now: time.Now})
			if got == exitGood || !strings.Contains(out.String(), "redirected elsewhere") || strings.Contains(out.String(), "t0ken") || len(stolen) > 0 {
				t.Errorf("%d, %v: %d %s; sent elsewhere: %q", code, args, got, out.String(), stolen)
			}
		}
	}
}

// A daemon behind TLS, a client certificate and a password can be asked, and told, by every command
// that takes --url; the write token goes beside the password.
func TestADaemonBehindTLSCertificateAndPasswordIsReached(t *testing.T) {
	var seen []string
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		seen = append(seen, fmt.Sprintf("%s %s:%s %d %s", r.Method, user, password, len(r.TLS.PeerCertificates), r.Header.Get("X-Slowburn-Token")))
		fmt.Fprint(w, `{"status":"success","data":{"kind":"acknowledge","incident":"i","by":"Ada","service":"shop","state":"open","go":true}}`)
	}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	srv.StartTLS()
	defer srv.Close()
	dir := t.TempDir()
	put := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key, err := x509.MarshalPKCS8PrivateKey(srv.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	put("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	put("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	put("password", []byte("pa55\n"))
	put("http.yaml", []byte("basic_auth: {username: ci, password_file: password}\ntls_config: {ca_file: cert.pem, cert_file: cert.pem, key_file: key.pem}\n"))
	put("wrong.yaml", []byte("basic_auth: {username: ci, pasword: canary}\n"))
	ask := func(file string, args ...string) (int, string) {
		var out bytes.Buffer
		env := func(name string) string { return map[string]string{daemon.WriteTokenEnv: "t0ken"}[name] }
		code := run(append(args, "--url="+srv.URL, "--http.config.file="+filepath.Join(dir, file)), surroundings{out: &out, err: &out, getenv: env, now: time.Now})
		return code, out.String()
	}
	if code, out := ask("http.yaml", "gate", "shop"); code != exitGood {
		t.Errorf("the gate answers %d: %s", code, out)
	}
	if code, out := ask("http.yaml", "incidents", "ack", "i", "--by=Ada"); code != exitGood {
		t.Errorf("ack answers %d: %s", code, out)
	}
	want := []string{"GET ci:pa55 1 t0ken", "POST ci:pa55 1 t0ken"}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("the daemon saw %q, want %q", seen, want)
	}
	for _, file := range []string{"wrong.yaml", "none.yaml", "/dev/null"} {
		if code, out := ask(file, "gate", "shop"); code == exitGood || strings.Contains(out, "canary") || !strings.Contains(out, file) {
			t.Errorf("%s: %d, %s", file, code, out)
		}
	}
}

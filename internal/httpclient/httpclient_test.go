package httpclient

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	promconfig "github.com/prometheus/common/config"
)

// TestFilesOfAClientAreReadBounded: a device or a large file in the place of a secret fails the
// request, whichever setting names it, and is not read to its end.
func TestFilesOfAClientAreReadBounded(t *testing.T) {
	var seen http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header }))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bad := map[string]string{"a device": "/dev/zero", "a folder": dir, "a large file": file("large", strings.Repeat("x", maxFile+1))}
	for setting, set := range map[string]func(s *promconfig.HTTPClientConfig, file string){
		"password_file": func(s *promconfig.HTTPClientConfig, file string) {
			s.BasicAuth = &promconfig.BasicAuth{Username: "ana", PasswordFile: file}
		},
		"username_file": func(s *promconfig.HTTPClientConfig, file string) {
			s.BasicAuth = &promconfig.BasicAuth{UsernameFile: file}
		},
		"credentials_file": func(s *promconfig.HTTPClientConfig, file string) {
			s.Authorization = &promconfig.Authorization{Type: "Bearer", CredentialsFile: file}
		},
		"bearer_token_file": func(s *promconfig.HTTPClientConfig, file string) { s.BearerTokenFile = file },
		"client_secret_file": func(s *promconfig.HTTPClientConfig, file string) {
			s.OAuth2 = &promconfig.OAuth2{ClientID: "slowburn", TokenURL: server.URL, ClientSecretFile: file}
		},
		"ca_file": func(s *promconfig.HTTPClientConfig, file string) { s.TLSConfig.CAFile = file },
		"http_headers": func(s *promconfig.HTTPClientConfig, file string) {
			s.HTTPHeaders = &promconfig.Headers{Headers: map[string]promconfig.Header{"X-Tenant": {Files: []string{file}}}}
		},
	} {
		for what, name := range bad {
			t.Run(setting+" is "+what, func(t *testing.T) {
				settings := promconfig.DefaultHTTPClientConfig
				set(&settings, name)
				client, err := New(settings, "test")
				if err == nil {
					_, err = client.Get(server.URL)
				}
				if err == nil || !strings.Contains(err.Error(), "regular file") && !strings.Contains(err.Error(), "larger than") {
					t.Error(err)
				}
			})
		}
	}

	settings := promconfig.DefaultHTTPClientConfig
	settings.BasicAuth = &promconfig.BasicAuth{Username: "ana", PasswordFile: file("password", "one\n")}
	client, err := New(settings, "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two"} { // the file is replaced
		file("password", want+"\n")
		if _, err := client.Get(server.URL); err != nil {
			t.Fatal(err)
		}
		if _, got, _ := (&http.Request{Header: seen}).BasicAuth(); got != want {
			t.Errorf("the password is %q, not %q", got, want)
		}
	}
	if settings.BasicAuth.PasswordFile == "" {
		t.Error("the settings were changed, which are compared by a reload")
	}
	settings.BasicAuth = &promconfig.BasicAuth{Username: "ana", PasswordRef: "vault/password"}
	if client, err = New(settings, "test"); err == nil {
		_, err = client.Get(server.URL)
	}
	if err == nil || !strings.Contains(err.Error(), "name a file") {
		t.Error(err)
	}
}

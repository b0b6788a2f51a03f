// Package httpclient makes HTTP clients from the settings of the Prometheus family.
//
// That family reads the files of a client (passwords, tokens, certificates) with each request, as
// long as they are. Here they are read as all our secrets are: regular files only, and so many
// bytes of them. A file that is replaced is still taken up by the next request.
package httpclient

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	promconfig "github.com/prometheus/common/config"

	"github.com/slowburn-sre/slowburn/internal/folder"
)

// maxFile bounds a file: those with the authorities of a whole system are the longest.
const maxFile = 1 << 20

// ErrRedirected is why a request that was sent elsewhere is not followed.
var ErrRedirected = errors.New("redirected elsewhere")

// SameHost lets a request be redirected only on its own host and with its method unchanged: secrets
// must not travel, in whatever header or body they are, and a POST that turns into a GET has lost
// what it says.
func SameHost(req *http.Request, via []*http.Request) error {
	first := via[0]
	if req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme || req.Method != first.Method || len(via) > 3 {
		return ErrRedirected
	}
	return nil
}

// New makes a client. name is for whom it is, as errors of the library have it.
func New(settings promconfig.HTTPClientConfig, name string, options ...promconfig.HTTPClientOption) (*http.Client, error) {
	settings, options, err := bounded(settings, options)
	if err != nil {
		return nil, err
	}
	return promconfig.NewClientFromConfig(settings, name, options...)
}

// Transport makes what such a client sends by.
func Transport(settings promconfig.HTTPClientConfig, name string, options ...promconfig.HTTPClientOption) (http.RoundTripper, error) {
	settings, options, err := bounded(settings, options)
	if err != nil {
		return nil, err
	}
	return promconfig.NewRoundTripperFromConfig(settings, name, options...)
}

// bounded returns settings whose files are read by us: each is given as a reference, which [files]
// looks up. Those of headers have none, so they are read here once to see that they may be.
func bounded(s promconfig.HTTPClientConfig, options []promconfig.HTTPClientOption) (promconfig.HTTPClientConfig, []promconfig.HTTPClientOption, error) {
	if s.BearerTokenFile != "" {
		s.Authorization, s.BearerTokenFile = &promconfig.Authorization{Type: "Bearer", CredentialsFile: s.BearerTokenFile}, ""
	}
	if s.BasicAuth != nil {
		auth := *s.BasicAuth
		refer(&auth.UsernameFile, &auth.UsernameRef)
		refer(&auth.PasswordFile, &auth.PasswordRef)
		s.BasicAuth = &auth
	}
	if s.Authorization != nil {
		auth := *s.Authorization
		refer(&auth.CredentialsFile, &auth.CredentialsRef)
		s.Authorization = &auth
	}
	if s.OAuth2 != nil {
		auth := *s.OAuth2
		refer(&auth.ClientSecretFile, &auth.ClientSecretRef)
		refer(&auth.ClientCertificateKeyFile, &auth.ClientCertificateKeyRef)
		referTLS(&auth.TLSConfig)
		s.OAuth2 = &auth
	}
	referTLS(&s.TLSConfig)
	if s.HTTPHeaders != nil {
		for _, name := range slices.Sorted(maps.Keys(s.HTTPHeaders.Headers)) {
			for _, file := range s.HTTPHeaders.Headers[name].Files {
				if _, err := folder.ReadOwn(file, maxFile); err != nil {
					return s, nil, fmt.Errorf("the header %s: %s: %w", name, file, err)
				}
			}
		}
	}
	return s, append(slices.Clip(options), promconfig.WithSecretManager(files{})), nil
}

func referTLS(s *promconfig.TLSConfig) {
	refer(&s.CAFile, &s.CARef)
	refer(&s.CertFile, &s.CertRef)
	refer(&s.KeyFile, &s.KeyRef)
}

// ours begins each reference that was made of the name of a file.
const ours = "file "

func refer(file, ref *string) {
	if *file != "" {
		*file, *ref = "", ours+*file
	}
}

// files looks up what a reference names: a file.
type files struct{}

// Fetch reads the file, without the space around what it holds.
func (files) Fetch(_ context.Context, ref string) (string, error) {
	name, ok := strings.CutPrefix(ref, ours)
	if !ok {
		return "", errors.New("slowburn knows no such keeper of secrets: name a file instead")
	}
	data, err := folder.ReadOwn(name, maxFile)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(string(data)), nil
}

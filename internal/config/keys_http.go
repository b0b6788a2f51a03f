package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	promconfig "github.com/prometheus/common/config"

	"github.com/slowburn-sre/slowburn/internal/schema"
)

// httpWords are descriptions of the settings of the HTTP client.
var httpWords = map[string]string{
	"basic_auth":             "User name and password.",
	"authorization":          "The header Authorization: a type, Bearer by default, and credentials.",
	"oauth2":                 "A token by OAuth 2.0, client credentials or JWT.",
	"bearer_token":           "Old spelling of authorization with credentials.",
	"bearer_token_file":      "Old spelling of authorization with credentials_file.",
	"tls_config":             "Certificates for TLS.",
	"proxy_url":              "The proxy to go through.",
	"no_proxy":               "Hosts that are reached without the proxy, with commas between.",
	"proxy_from_environment": "Take the proxy from HTTP_PROXY, HTTPS_PROXY and NO_PROXY.",
	"proxy_connect_header":   "Headers for the proxy.",
	"follow_redirects":       "Follow redirects.",
	"enable_http2":           "Use HTTP/2.",
	"http_headers":           "Headers of every request, such as the tenant: {X-Scope-OrgID: {values: [shop]}}.",
	"password_file":          "A file with the password.",
	"credentials_file":       "A file with the credentials.",
	"insecure_skip_verify":   "Do not check the server's certificate.",
}

// httpKeys returns the settings of the HTTP client, taken from the type that reads them, so that
// the two agree whatever its version.
func httpKeys() (keys []schema.Key) {
	s := ofType(reflect.TypeFor[promconfig.HTTPClientConfig]())
	s.Properties["follow_redirects"].Standard(promconfig.DefaultHTTPClientConfig.FollowRedirects)
	s.Properties["enable_http2"].Standard(promconfig.DefaultHTTPClientConfig.EnableHTTP2)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		keys = append(keys, schema.May(name, s.Properties[name]))
	}
	return keys
}

// httpNames are their names.
var httpNames = schema.Object("", httpKeys()...).Keys()

// ofType returns the schema of what the YAML library reads into a type.
func ofType(t reflect.Type) *schema.Schema {
	switch t {
	case reflect.TypeFor[promconfig.URL]():
		return &schema.Schema{Type: "string"}
	case reflect.TypeFor[promconfig.TLSVersion]():
		s := &schema.Schema{}
		for _, name := range slices.Sorted(maps.Keys(promconfig.TLSVersions)) {
			s.Enum = append(s.Enum, name)
		}
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return ofType(t.Elem())
	case reflect.Bool:
		return &schema.Schema{Type: "boolean"}
	case reflect.String:
		return &schema.Schema{Type: "string"}
	case reflect.Slice:
		return &schema.Schema{Type: "array", Items: ofType(t.Elem())}
	case reflect.Map:
		return &schema.Schema{Type: "object", Additional: ofType(t.Elem())}
	case reflect.Struct:
		s := &schema.Schema{Type: "object", Properties: map[string]*schema.Schema{}, Additional: false}
		fieldsOf(t, s)
		return s
	}
	return &schema.Schema{} // anything
}

// fieldsOf adds the fields of a struct, those of embedded ones too.
func fieldsOf(t reflect.Type, s *schema.Schema) {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case options == "inline" && field.Type.Kind() == reflect.Struct:
			fieldsOf(field.Type, s)
		case options == "inline":
			s.Additional = ofType(field.Type.Elem())
		case field.IsExported():
			p := ofType(field.Type)
			p.Description = httpWords[name]
			s.Properties[name] = p
		}
	}
}

package notify

import "log/slog"

// Secret is a token, a key, or an address that holds one. However it is printed, logged or
// marshalled, only "<secret>" comes out; Reveal is the one way to its value.
type Secret string

// Reveal returns the value itself. Hand it to nothing but the request.
func (s Secret) Reveal() string { return string(s) }

// String returns "<secret>", or "" if there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "<secret>"
}

// GoString returns String, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText returns String, for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

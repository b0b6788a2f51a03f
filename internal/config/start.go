package config

import (
	"reflect"
	"slices"
)

// atStart are the keys that are read at the start only, as their descriptions in keys.go say, each
// with a pointer to what it sets.
var atStart = []struct {
	key string
	of  func(*Config) any
}{
	{"prometheus", func(c *Config) any { return &c.Prometheus }},
	{"store", func(c *Config) any { return &c.StorePath }},
	{"store", func(c *Config) any { return &c.Postgres }},
	{"web.trusted_proxies", func(c *Config) any { return &c.Web.Proxies }},
	{"web.oidc", func(c *Config) any { return &c.Web.OIDC }},
	{"web.local_token_file", func(c *Config) any { return &c.Web.LocalTokenFile }},
}

// StoredIn returns c with its store in a file, instead of what it names; "" changes nothing.
func (c Config) StoredIn(path string) Config {
	if path != "" {
		c.StorePath, c.Postgres = path, Postgres{}
	}
	return c
}

// TakenUp returns c as a process takes it up that runs with another configuration: what is read at
// the start only stays as it is there. waiting names the keys that c changes and a restart takes
// up.
func (c Config) TakenUp(running Config) (inForce Config, waiting []string) {
	for _, k := range atStart {
		old, now := reflect.ValueOf(k.of(&running)).Elem(), reflect.ValueOf(k.of(&c)).Elem()
		if !reflect.DeepEqual(old.Interface(), now.Interface()) {
			waiting = append(waiting, k.key)
		}
		now.Set(old)
	}
	return c, slices.Compact(waiting)
}

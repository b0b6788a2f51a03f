package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/slowburn-sre/slowburn/internal/strictyaml"
)

// Receiver is a way out beside Slack.
type Receiver struct {
	Kind       string // pagerduty, alertmanager or webhook
	Name       string // tells several of a kind apart, "" if there is one
	URL        string
	URLFile    string // of a webhook: holds the address
	SecretFile string // the routing key, or what a webhook is signed with
	HTTP       promconfig.HTTPClientConfig
}

// Leg is the receiver's name in routes, in the outbox and on the pages: "pagerduty", "pagerduty/payments".
func (r Receiver) Leg() string {
	if r.Name == "" {
		return r.Kind
	}
	return r.Kind + "/" + r.Name
}

// Heartbeat says whom to tell that everything worked. The zero value is nobody.
type Heartbeat struct {
	URL, URLFile string
	Every        time.Duration
}

// Fallback says where a page goes that another leg does not deliver.
type Fallback struct {
	To    []string // in this order; empty is every leg, pagers first
	After time.Duration
}

const (
	defaultHeartbeat = time.Minute
	defaultFallback  = 5 * time.Minute
)

// readLegs reads everything about the ways out.
func (c *Config) readLegs(o strictyaml.Object) {
	c.readPagerDuty(o.Get("pagerduty"))
	c.readReceivers(o.Get("alertmanagers"), AlertmanagerKind, "url")
	c.readReceivers(o.Get("webhooks"), WebhookKind, "url", "url_file", "secret_file")
	c.readHeartbeat(o.Get("heartbeat"))
	c.readRoutes(o.Get("routes"))
	c.readFallback(o.Get("fallback"))
}

// readPagerDuty reads one routing key, or a list of them.
func (c *Config) readPagerDuty(v strictyaml.Value) {
	items := []strictyaml.Value{v}
	if v.IsList() {
		items, _ = v.List(1000)
	}
	for _, item := range items {
		o, ok := item.Object("name", "routing_key_file", "url")
		if !ok {
			continue
		}
		r := Receiver{Kind: PagerdutyKind}
		if text, ok := o.Need("routing_key_file", "a file with the integration key of an Events API v2 integration").Text(); ok {
			r.SecretFile = c.Abs(text)
		}
		r.URL = address(o.Get("url"))
		c.addReceiver(r, item, o.Get("name"))
	}
}

// readReceivers reads a list of receivers that are reached by an address with the settings of the HTTP client.
func (c *Config) readReceivers(v strictyaml.Value, kind string, keys ...string) {
	list, _ := v.List(1000)
	for _, item := range list {
		o, ok := item.Object(append(append([]string{"name"}, keys...), httpKeys...)...)
		if !ok {
			continue
		}
		r := Receiver{Kind: kind, HTTP: c.readHTTP(o, item)}
		r.URL, r.URLFile = c.readAddress(o, slices.Contains(keys, "url_file"))
		if text, ok := o.Get("secret_file").Text(); ok {
			r.SecretFile = c.Abs(text)
		}
		if u, err := url.Parse(r.URL); kind == AlertmanagerKind && err == nil {
			r.Name = u.Host
		}
		c.addReceiver(r, item, o.Get("name"))
	}
}

// readAddress reads an address, or the file that holds it because it is a secret.
func (c *Config) readAddress(o strictyaml.Object, file bool) (text, name string) {
	if file && o.Get("url_file").Given() {
		if o.Get("url").Given() {
			o.Get("url_file").Problem("there is an address in url already", "keep one of the two")
		}
		name, _ = o.Get("url_file").Text()
		return "", c.Abs(name)
	}
	return address(o.Need("url", "such as https://alerts.example.com/")), ""
}

func address(v strictyaml.Value) string {
	text, ok := v.Text()
	if !ok {
		return ""
	}
	if err := checkURL(text); err != nil {
		v.Problem(err.Error(), "write an address such as https://alerts.example.com/")
	}
	return text
}

// addReceiver takes a receiver under a name that no other of its kind has.
func (c *Config) addReceiver(r Receiver, item, name strictyaml.Value) {
	if text, ok := name.Text(); ok {
		r.Name = text
		if strings.ContainsAny(text, "/ ") {
			name.Problem("a name holds no slash and no space", "write for example payments")
		}
	}
	for _, other := range c.Receivers {
		if other.Leg() == r.Leg() {
			item.Problem(fmt.Sprintf("there are two receivers called %s", r.Leg()), "give each a name of its own")
		}
	}
	c.Receivers = append(c.Receivers, r)
}

func (c *Config) readHeartbeat(v strictyaml.Value) {
	o, ok := v.Object("url", "url_file", "interval")
	if !ok {
		return
	}
	c.Heartbeat.Every = defaultHeartbeat
	c.Heartbeat.URL, c.Heartbeat.URLFile = c.readAddress(o, true)
	if d, ok := o.Get("interval").Duration(); ok {
		c.Heartbeat.Every = d
	}
}

func (c *Config) readRoutes(v strictyaml.Value) {
	list, _ := v.List(1000)
	for _, item := range list {
		o, ok := item.Object("match", "to", "channel")
		if !ok {
			continue
		}
		r := Route{To: c.readTo(o.Need("to", "such as [slack, pagerduty]"))}
		r.Channel, _ = o.Get("channel").Text()
		if m, ok := o.Get("match").Object("severity", "owner", "service", "tier", "labels"); ok {
			r.Match = readMatch(m)
		}
		c.Routes = append(c.Routes, r)
	}
}

func readMatch(o strictyaml.Object) map[string][]string {
	match := map[string][]string{}
	for _, key := range []string{"severity", "owner", "service", "tier"} {
		if v := o.Get(key); v.Given() {
			match[key] = oneOrMore(v)
		}
	}
	for _, s := range match["severity"] {
		if !slices.Contains(Severities, s) {
			o.Get("severity").Problem(fmt.Sprintf("there is no severity %q", s), "one of "+strings.Join(Severities, ", "))
		}
	}
	if labels, ok := o.Get("labels").Object(keysOf(o.Get("labels"))...); ok {
		for _, name := range keysOf(o.Get("labels")) {
			match["label "+name] = oneOrMore(labels.Get(name))
		}
	}
	return match
}

// keysOf are the keys of a map, whatever they are called.
func keysOf(v strictyaml.Value) (keys []string) {
	if v.IsMap() {
		for i := 0; i < len(v.Node().Content); i += 2 {
			keys = append(keys, v.Node().Content[i].Value)
		}
	}
	return keys
}

// oneOrMore is a text, or a list of them.
func oneOrMore(v strictyaml.Value) []string {
	if v.IsList() {
		return texts(v)
	}
	text, ok := v.Text()
	if !ok {
		return nil
	}
	return []string{text}
}

// readTo reads names of receivers, which must exist.
func (c *Config) readTo(v strictyaml.Value) []string {
	list, ok := v.List(100)
	if ok && len(list) == 0 {
		v.Problem("nobody is told", "name at least one, such as [slack]")
	}
	var names []string
	known := []string{SlackLeg}
	for _, r := range c.Receivers {
		known = append(known, r.Kind, r.Leg())
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for _, item := range list {
		text, ok := item.Text()
		if !ok {
			continue
		}
		if !slices.Contains(known, text) {
			item.Problem(fmt.Sprintf("there is no receiver called %q", text), "one of "+strings.Join(known, ", "))
		}
		names = append(names, text)
	}
	return names
}

func (c *Config) readFallback(v strictyaml.Value) {
	o, ok := v.Object("to", "after")
	if !ok {
		return
	}
	if to := o.Get("to"); to.Given() {
		c.Fallback.To = c.readTo(to)
	}
	if d, ok := o.Get("after").Duration(); ok {
		c.Fallback.After = d
	}
}

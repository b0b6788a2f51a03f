package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/slowburn-sre/slowburn/internal/crontime"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/receivers"
	"github.com/slowburn-sre/slowburn/internal/strictyaml"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// Receiver is one place beside Slack that is told, of a kind that package receivers lists.
type Receiver struct {
	Name   string            // in routes, in the outbox and on the pages: "pagerduty", "pagerduty/payments"
	Values map[string]string // what stands in the file, by the names of the kind's keys
	Files  map[string]string // the files that hold what is secret, by the same names
	HTTP   promconfig.HTTPClientConfig
}

// Heartbeat says whom to tell that everything worked. The zero value is nobody.
type Heartbeat struct {
	URL, URLFile string
	Every        time.Duration
}

// Fallback says where a page goes that another receiver does not deliver.
type Fallback struct {
	To    []string // in this order; empty is every receiver, pagers first
	After time.Duration
}

// Drill says when drills are made. Without a schedule they are made by command only.
type Drill struct {
	Schedule *crontime.Schedule
	Loud     bool
	Wait     time.Duration // of a loud one: for an acknowledgement
}

const (
	defaultHeartbeat = time.Minute
	defaultFallback  = 5 * time.Minute
	defaultDrillWait = 15 * time.Minute
)

// readReceivers reads everything about who is told beside Slack.
func (c *Config) readReceivers(o strictyaml.Object) {
	for _, kind := range receivers.Kinds() {
		v := o.Get(kind.Key)
		items := []strictyaml.Value{v}
		if v.IsList() || kind.Key != kind.Name {
			items, _ = v.List(maxEntries)
		}
		for _, item := range items {
			c.readReceiver(kind, item)
		}
	}
	c.readHeartbeat(o.Get("heartbeat"))
	c.readRoutes(o.Get("routes"))
	c.readFallback(o.Get("fallback"))
	c.readDrill(o.Get("drill"))
}

// readReceiver reads one receiver of a kind.
func (c *Config) readReceiver(kind notify.Kind, item strictyaml.Value) {
	o, ok := item.Object(receiverKeys(kind).Keys()...)
	if !ok {
		return
	}
	r := Receiver{Name: kind.Name, Values: map[string]string{}, Files: map[string]string{}}
	for _, k := range kind.Keys {
		value, name := c.readSetting(o, k)
		if value != "" {
			r.Values[k.Name] = value
		}
		if name != "" {
			r.Files[k.Name] = name
		}
	}
	if kind.HTTP {
		r.HTTP = c.readHTTP(o, item)
		seeEncrypted(o, r.HTTP, r.Values["url"])
	}
	if u, err := url.Parse(r.Values["url"]); kind.ByHost && err == nil && u.Host != "" {
		r.Name += "/" + u.Host
	}
	c.addReceiver(kind, r, item, o.Get("name"))
}

// readSetting reads what stands under a key of a receiver, or the file that is named there.
func (c *Config) readSetting(o strictyaml.Object, k notify.Key) (value, name string) {
	get := func(key string) strictyaml.Value {
		if k.Required {
			return o.Need(key, "such as "+k.Example)
		}
		return o.Get(key)
	}
	switch k.Form {
	case notify.SecretFile:
		if text, ok := get(k.Name + "_file").Text(); ok {
			name = c.Abs(text)
		}
	case notify.SecretOrAddress:
		return c.readAddress(o)
	case notify.Address:
		value, _ = file.Address(get(k.Name), login)
	}
	return value, name
}

// readAddress reads an address, or the file that holds it because it is a secret.
func (c *Config) readAddress(o strictyaml.Object) (text, name string) {
	if o.Get("url_file").Given() {
		if o.Get("url").Given() {
			o.Get("url_file").Problem("there is an address in url already", "keep one of the two")
		}
		name, _ = o.Get("url_file").Text()
		return "", c.Abs(name)
	}
	text, _ = file.Address(o.Need("url", "such as https://alerts.example.com/"), login)
	return text, ""
}

// addReceiver takes a receiver under a name that no other of its kind has.
func (c *Config) addReceiver(kind notify.Kind, r Receiver, item, name strictyaml.Value) {
	if text, ok := name.Text(); ok {
		r.Name = kind.Name + "/" + text
		if strings.ContainsAny(text, "/ ") {
			name.Problem("a name holds no slash and no space", "write for example payments")
		}
	}
	for _, other := range c.Receivers {
		if other.Name == r.Name {
			item.Problem(fmt.Sprintf("there are two receivers called %s", r.Name), "give each a name of its own")
		}
	}
	c.Receivers = append(c.Receivers, r)
}

func (c *Config) readHeartbeat(v strictyaml.Value) {
	o, ok := v.Object(heartbeatKeys.Keys()...)
	if !ok {
		return
	}
	c.Heartbeat.Every = defaultHeartbeat
	c.Heartbeat.URL, c.Heartbeat.URLFile = c.readAddress(o)
	if d, ok := o.Get("interval").Duration(); ok {
		c.Heartbeat.Every = d
	}
}

func (c *Config) readDrill(v strictyaml.Value) {
	o, ok := v.Object(drillKeys.Keys()...)
	if !ok {
		return
	}
	zone, known := file.Zone(o.Get("timezone"))
	if !known {
		zone = time.UTC // so that the schedule is looked at as well
	}
	if when, ok := file.Schedule(o.Need("schedule", "such as 0 10 * * TUE"), zone); ok {
		c.Drill.Schedule = &when
	}
	c.Drill.Loud, _ = o.Get("loud").Bool()
	if d, ok := o.Get("wait").Duration(); ok {
		c.Drill.Wait = d
	}
}

func (c *Config) readRoutes(v strictyaml.Value) {
	list, _ := v.List(maxEntries)
	for _, item := range list {
		o, ok := item.Object(routeKeys.Keys()...)
		if !ok {
			continue
		}
		r := Route{To: c.readTo(o.Need("to", "such as [slack, pagerduty]"))}
		r.Channel, _ = file.Channel(o.Get("channel"))
		if m, ok := o.Get("match").Object(matchKeys.Keys()...); ok {
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

// keysOf returns the keys of a map, whatever they are called.
func keysOf(v strictyaml.Value) (keys []string) {
	if v.IsMap() {
		for i := 0; i < len(v.Node().Content); i += 2 {
			keys = append(keys, v.Node().Content[i].Value)
		}
	}
	return keys
}

// oneOrMore returns a text, or a list of them.
func oneOrMore(v strictyaml.Value) []string {
	if v.IsList() {
		return v.Texts(maxEntries)
	}
	if text, ok := v.Text(); ok {
		return []string{text}
	}
	return nil
}

// readTo reads names of receivers, which must exist.
func (c *Config) readTo(v strictyaml.Value) []string {
	list, ok := v.List(100)
	if ok && len(list) == 0 {
		v.Problem("nobody is told", "name at least one, such as [slack]")
	}
	var names []string
	known := []string{SlackReceiver}
	for _, r := range c.Receivers {
		known = append(known, notify.KindOf(r.Name), r.Name)
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
	o, ok := v.Object(fallbackKeys.Keys()...)
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

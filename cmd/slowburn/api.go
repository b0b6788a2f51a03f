package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v4"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/httpclient"
	"github.com/slowburn-sre/slowburn/internal/printable"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/internal/web"
)

// remote are the flags of commands that ask a running daemon for facts.
type remote struct {
	client
	printer
}

// client asks a running daemon.
type client struct {
	URL string `help:"The daemon's address." env:"SLOWBURN_URL" default:"http://127.0.0.1:7569"`
	reach
}

// reach says how a daemon is reached.
type reach struct {
	HTTPConfig string `name:"http.config.file" help:"TLS, client certificate, password and proxy for the daemon, as in Prometheus' HTTP client." env:"SLOWBURN_HTTP_CONFIG_FILE" placeholder:"FILE"`
}

// client returns what asks an address, and warns if secrets go there that others can read: those of
// its settings, and further ones that are named. The transport keeps no connection: a command asks
// a few times.
func (r reach) client(e *env, address string, secrets ...string) (*http.Client, error) {
	if r.HTTPConfig == "" {
		e.warnInClear(config.InClear(promconfig.HTTPClientConfig{}, address, secrets...))
		return &http.Client{Timeout: apiTimeout, CheckRedirect: httpclient.SameHost}, nil
	}
	settings, err := config.LoadHTTP(r.HTTPConfig)
	if err != nil {
		return nil, refused(err)
	}
	e.warnInClear(config.InClear(settings, address, secrets...))
	c, err := httpclient.New(settings, "slowburn", promconfig.WithKeepAlivesDisabled())
	if err != nil {
		return nil, cannotFindOut(fmt.Errorf("%s: %w", r.HTTPConfig, err))
	}
	c.Timeout, c.CheckRedirect = apiTimeout, httpclient.SameHost
	return c, nil
}

// printer prints facts as somebody wants to have them.
type printer struct {
	Output string `short:"o" help:"How to print: ${enum}." enum:"table, json, yaml" default:"table"`
}

// show asks the API and prints the data of its answer.
func (d remote) show(e *env, path string, query url.Values, data any, table func() error) error {
	if err := d.get(e, path, query, data); err != nil {
		return err
	}
	return d.print(e, data, table)
}

// record sends something to the API and prints what the daemon has written down.
func (d remote) record(e *env, path string, body, done any, table func() error) error {
	if err := d.post(e, path, body, done); err != nil {
		return err
	}
	return d.print(e, done, table)
}

// get asks the API. What is to be a table for people has each text in one line.
func (d remote) get(e *env, path string, query url.Values, data any) error {
	return d.client.get(e, path, query, d.lined(data))
}

// post sends something to the API and decodes the data of its answer, as get does.
func (d remote) post(e *env, path string, body, data any) error {
	return d.client.post(e, path, body, d.lined(data))
}

func (p printer) lined(data any) any {
	if data == nil || p.Output == "json" || p.Output == "yaml" {
		return data
	}
	return &oneLined{data}
}

// oneLined decodes JSON whose texts were made one line each: a note with a line break must not look
// like a line of ours.
type oneLined struct{ data any }

// UnmarshalJSON decodes into the data.
func (l *oneLined) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(printable.LinesOfJSON(text), l.data)
}

// warnInClear tells, once a command, of secrets that go to another machine without encryption.
func (e *env) warnInClear(all []config.Exposed) {
	for _, x := range all {
		if !slices.Contains(e.told, x) {
			e.told = append(e.told, x)
			fmt.Fprintf(e.err, "slowburn: %s; %s\n", x, x.Hint())
		}
	}
}

// prometheus returns what asks the server of a configuration, or the one that was named instead: it
// gets the credentials of the configuration.
func (e *env) prometheus(p *config.Prometheus, named string) (*prom.Client, error) {
	p.URL = cmp.Or(named, p.URL)
	e.warnInClear(config.InClear(p.HTTP, p.URL))
	return daemon.NewClient(*p)
}

// apiTimeout bounds one question to the daemon.
const apiTimeout = 30 * time.Second

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// get asks the API and decodes the data of its answer.
func (d client) get(e *env, path string, query url.Values, data any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return d.ask(e, http.MethodGet, path, nil, data)
}

// post sends something to the API and decodes the data of its answer.
func (d client) post(e *env, path string, body, data any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return d.ask(e, http.MethodPost, path, bytes.NewReader(text), data)
}

// send asks the daemon, with a token if there is one: what changes something needs it, and reading
// may.
func (d client) send(e *env, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(e.ctx, method, strings.TrimSuffix(d.URL, "/")+"/"+path, body)
	if err != nil {
		return nil, cannotFindOut(errors.New("the address of the daemon, --url, is malformed")) // it may hold a password
	}
	token := cmp.Or(e.getenv(daemon.WriteTokenEnv), localToken(e, req.URL))
	d.authorize(req, token)
	var secrets []string
	if token != "" {
		secrets = append(secrets, "the write token")
	}
	asks, err := d.reach.client(e, d.URL, secrets...)
	if err != nil {
		return nil, err
	}
	resp, err := asks.Do(req)
	if errors.Is(err, httpclient.ErrRedirected) {
		return nil, cannotFindOut(fmt.Errorf("asking the daemon: %w; nothing was sent there: if that is the daemon, name it with --url", err))
	}
	if err != nil {
		return nil, cannotFindOut(fmt.Errorf("asking the daemon: %w (is it running? start it with slowburn serve, or name it with --url)", err))
	}
	return resp, nil
}

// localToken returns the token that a daemon on this machine has written into the file of the
// configuration, "" if there is none that this user may read. It is sent to this machine only.
func localToken(e *env, to *url.URL) string {
	if ip, err := netip.ParseAddr(to.Hostname()); to.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) {
		return ""
	}
	cfg, _ := config.Load(e.cli.ConfigFile) // the defaults, if there is none
	return daemon.ReadLocal(cfg.LocalTokenFile())
}

// authorize adds the write token, "" if there is none. A password needs Authorization for itself.
func (d client) authorize(req *http.Request, token string) {
	if token == "" {
		return
	}
	req.Header.Set(web.TokenHeader, token)
	if d.HTTPConfig == "" && req.URL.User == nil {
		req.Header.Set("Authorization", "Bearer "+token)
	}
}

func (d client) ask(e *env, method, path string, body io.Reader, data any) error {
	resp, err := d.send(e, method, "api/v1/"+path, body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return answerOf(resp, data)
	}
	defer resp.Body.Close()
	waits := api.Answer{Data: data}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&waits); err != nil {
		return notOurs(resp)
	}
	return d.wait(e, waits)
}

// notOurs says that an answer is none of slowburn.
func notOurs(resp *http.Response) error {
	return cannotFindOut(fmt.Errorf("asking the daemon: %s answered %s, which is not slowburn's API", resp.Request.URL.Redacted(), resp.Status))
}

// answerOf decodes the data of an answer, and closes it. What was refused is a "no"; what does not
// exist cannot be found out about.
func answerOf(resp *http.Response, data any) error {
	defer resp.Body.Close()
	answer := api.Answer{Data: data}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return notOurs(resp)
	}
	if answer.Status != "success" {
		switch resp.StatusCode {
		case http.StatusConflict, http.StatusBadRequest:
			return answerNo(errors.New(printable.Line(answer.Error)))
		}
		return cannotFindOut(answered{answer.ErrorType, printable.Line(answer.Error)})
	}
	return nil
}

// answered is what the daemon has answered instead of what was asked for.
type answered struct{ kind, text string }

func (a answered) Error() string { return a.text }

// undecided returns the daemon's words for an SLO that it has loaded, and of which no minute is
// decided yet; nil for any other.
func (d client) undecided(e *env, name string) error {
	service, slo, _ := strings.Cut(name, "/")
	err, why := d.get(e, "slos/"+url.PathEscape(service)+"/"+url.PathEscape(slo), nil, nil), answered{}
	if errors.As(err, &why) && why.kind == api.Undecided {
		return err
	}
	return nil
}

// answerEvery is how often the daemon is asked what became of what waits.
const answerEvery = time.Second

// wait waits until something that was asked of a daemon that stands by is done, or refused, by the
// one that leads.
func (d client) wait(e *env, waits api.Answer) error {
	ctx, cancel := context.WithTimeout(e.ctx, apiTimeout)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return cannotFindOut(errors.New(printable.Line(waits.Error)))
		case <-time.After(answerEvery):
		}
		resp, err := d.send(e, http.MethodGet, "api/v1/requests/"+(&url.URL{Path: waits.Key}).EscapedPath(), nil)
		if err != nil {
			return err
		}
		pending := resp.StatusCode == http.StatusAccepted
		err = answerOf(resp, nil)
		if !pending {
			return err
		}
	}
}

// page copies one of the daemon's pages to the output.
func (d client) page(e *env, path string) error {
	resp, err := d.send(e, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return cannotFindOut(errors.New("the daemon has no such page: " + resp.Request.URL.Path))
	default:
		return cannotFindOut(fmt.Errorf("asking the daemon: %s answered %s", resp.Request.URL.Redacted(), resp.Status))
	}
	_, err = io.Copy(e.out, io.LimitReader(resp.Body, maxAnswer))
	return err
}

// print writes facts as JSON or YAML, or as a table if that is wanted.
func (p printer) print(e *env, facts any, table func() error) error {
	switch p.Output {
	case "json":
		return indented(e.out).Encode(facts)
	case "yaml":
		text, err := yamlOf(facts)
		if err != nil {
			return err
		}
		_, err = e.out.Write(text)
		return err
	}
	return table()
}

// indented returns an encoder of JSON that people can read.
func indented(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(escaping{w})
	enc.SetIndent("", "  ")
	return enc
}

// escaping writes JSON with escapes for what a terminal must not get.
type escaping struct{ io.Writer }

// Write writes a whole JSON text.
func (w escaping) Write(text []byte) (int, error) {
	if _, err := w.Writer.Write(printable.EscapeJSON(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// yamlOf writes facts under the names they have in JSON.
func yamlOf(facts any) ([]byte, error) {
	text, err := json.Marshal(facts)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	text, err = yaml.Marshal(quoteHidden(tree))
	return printable.EscapeJSON(text), err // in double quotes, YAML has the same escapes
}

// quoteHidden puts texts in double quotes that hold what must be escaped.
func quoteHidden(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = quoteHidden(value)
		}
	case []any:
		for i, value := range v {
			v[i] = quoteHidden(value)
		}
	case string:
		if strings.ContainsFunc(v, func(r rune) bool { return r != '\n' && r != '\t' && printable.Hidden(r) }) {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: v}
		}
	}
	return tree
}

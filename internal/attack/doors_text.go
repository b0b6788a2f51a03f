package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/printable"
)

// textProbes put hostile text into every field that takes one, and look at whatever shows it.
func textProbes() []probe {
	return []probe{
		{door: "text", name: "no page runs it", inputs: []int{46, 47, 48}, try: pagesRunNothing},
		{door: "text", name: "no page holds a link to it", inputs: []int{34}, try: apiLinks},
		{door: "text", name: "the postmortem holds it as text", inputs: []int{46}, try: draftHolds},
		{door: "text", name: "a terminal is not steered by any command", inputs: []int{29, 30}, try: terminal},
		{door: "text", name: "no line of the audit log is forged", inputs: []int{29}, try: forgedLine},
		{door: "text", name: "the register is inert for commas, semicolons and tabs", try: inertRegister},
		{door: "text", name: "webhooks get JSON, one header each, and no secret", try: hooks},
		{door: "text", name: "no address in an SLO or a change is asked", try: lures},
		{door: "text", name: "labels of metrics are quoted in what Prometheus is asked", inputs: []int{35, 36, 37, 39, 45}, try: labelsQuoted},
		{door: "text", name: "the log holds one line an event", inputs: []int{30}, try: logLines},
	}
}

// wounded holds what was written into each castle once.
var wounded sync.Map

// wound writes hostile text into every field of the bank that takes it: an incident with notes, a
// change, work.
func wound(ctx context.Context, c *camp) (*castle, error) {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return nil, err
	}
	if err := eventually(ctx, func() error { return read(ctx, own) }); err != nil {
		return nil, err
	}
	once, _ := wounded.LoadOrStore(own, sync.OnceValue(func() error {
		incident := ""
		if _, err := own.do(ctx, headToken, "/api/v1/changes", map[string]any{"service": "shop", "by": "mallory", "title": "a lure", "version": "lure", "kind": "deploy", "link": own.lured + "/change"}); err != nil {
			return err
		}
		for n, text := range hostile {
			text = string([]rune(text)[:min(len([]rune(text)), 200)])
			if n == 0 {
				a, err := own.do(ctx, headToken, "/api/v1/acts", map[string]any{"kind": "declare", "slo": "bank/availability", "level": "page", "text": text, "by": text})
				if err != nil {
					return err
				}
				var whole struct{ Data struct{ Incident string } }
				if err := json.Unmarshal([]byte(a.body), &whole); err != nil || whole.Data.Incident == "" {
					return errors.New("nothing was declared: " + a.body)
				}
				incident = whole.Data.Incident
			}
			for path, values := range map[string][]map[string]any{
				"/api/v1/acts": {
					{"kind": "remark", "incident": incident, "text": text, "by": text},
					{"kind": "work", "by": text, "text": text, "facts": map[string]string{"minutes": "1", "kind": "toil"}},
					{"kind": "classify", "incident": incident, "by": text, "facts": map[string]string{"class": text, "classified_by": text, "country": text}},
				},
				"/api/v1/changes": {{"service": "shop", "by": text, "title": text, "version": text, "kind": "deploy", "text": text}},
			} {
				for _, value := range values {
					if _, err := own.do(ctx, headToken, path, value); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}))
	return own, once.(func() error)()
}

// read returns nil as soon as the daemon has read the shop.
func read(ctx context.Context, own *castle) error {
	a, err := own.get(ctx, "/api/v1/slos")
	if err == nil && !strings.Contains(a.body, `"shop/availability`) {
		err = errors.New("the shop is not read: " + a.body)
	}
	return err
}

var links = regexp.MustCompile(`href="(/[^"#]*)`)

// pagesRunNothing follows the links from the first page on, and looks at each page.
func pagesRunNothing(ctx context.Context, c *camp) error {
	own, err := wound(ctx, c)
	if err != nil {
		return err
	}
	queue, seen := slices.Clone(pagesOf), map[string]bool{}
	for len(queue) > 0 && len(seen) < 120 {
		path := queue[0]
		queue = queue[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		a, err := own.get(ctx, path)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			continue
		}
		if found := foundIn(a.body); found != "" {
			return fmt.Errorf("%s holds %s", path, found)
		}
		for _, m := range links.FindAllStringSubmatch(a.body, -1) {
			queue = append(queue, strings.ReplaceAll(m[1], "&amp;", "&"))
		}
	}
	if len(seen) < 10 {
		return fmt.Errorf("only %d pages were found", len(seen))
	}
	return nil
}

// apiLinks wants only web addresses as links in what the API answers.
func apiLinks(ctx context.Context, c *camp) error {
	own, err := wound(ctx, c)
	if err != nil {
		return err
	}
	for _, path := range []string{"/api/v1/changes", "/api/v1/acts", "/api/v1/incidents", "/api/v1/slos"} {
		a, err := own.get(ctx, path)
		if err != nil {
			return err
		}
		var tree any
		if err := json.Unmarshal([]byte(a.body), &tree); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if link := badLink(tree); link != "" {
			return fmt.Errorf("%s links to %q", path, link)
		}
	}
	return nil
}

func badLink(tree any) string {
	switch t := tree.(type) {
	case []any:
		for _, item := range t {
			if link := badLink(item); link != "" {
				return link
			}
		}
	case map[string]any:
		for key, value := range t {
			if link, ok := value.(string); ok && (key == "link" || key == "url" || key == "runbook" || key == "dashboard") {
				if u, err := url.Parse(link); err != nil || link != "" && u.Scheme != "http" && u.Scheme != "https" {
					return link
				}
				continue
			}
			if link := badLink(value); link != "" {
				return link
			}
		}
	}
	return ""
}

// incidentOf returns an incident of the bank that is open.
func incidentOf(ctx context.Context, own *castle) (string, error) {
	a, err := own.get(ctx, "/api/v1/incidents?state=open")
	if err != nil {
		return "", err
	}
	var whole struct{ Data []struct{ ID string } }
	if err := json.Unmarshal([]byte(a.body), &whole); err != nil || len(whole.Data) == 0 {
		return "", errors.New("there is no incident: " + a.body)
	}
	for _, i := range whole.Data {
		if strings.Contains(i.ID, "/declared/") {
			return i.ID, nil
		}
	}
	return whole.Data[0].ID, nil
}

// woundedIncident returns the bank, full of hostile text, and an incident of it that is open.
func woundedIncident(ctx context.Context, c *camp) (own *castle, id string, err error) {
	if own, err = wound(ctx, c); err != nil {
		return nil, "", err
	}
	id, err = incidentOf(ctx, own)
	return own, id, err
}

func draftHolds(ctx context.Context, c *camp) error {
	own, id, err := woundedIncident(ctx, c)
	if err != nil {
		return err
	}
	out, code, err := own.cli(ctx, nil, "postmortem", id)
	if err != nil || code != 0 {
		return fmt.Errorf("exit code %d: %s (%v)", code, out, err)
	}
	if _, rest, ok := strings.Cut(strings.TrimPrefix(out, "---\n"), "\n---\n"); ok {
		out = rest // its head is YAML
	}
	unescaped := regexp.MustCompile("(?s)\\\\.|`+[^`]*`+").ReplaceAllString(out, "") // an escaped character is only itself
	for _, bad := range []string{"](javascript:", "<script", "<img", "](http://evil.example/x.png)"} {
		if strings.Contains(unescaped, bad) {
			return fmt.Errorf("the draft holds %q", bad)
		}
	}
	return nil
}

// commands lists those that show what others have written.
func commands(ctx context.Context, own *castle) ([][]string, error) {
	id, err := incidentOf(ctx, own)
	if err != nil {
		return nil, err
	}
	return [][]string{
		{"audit"}, {"incidents"}, {"incidents", "show", id}, {"change", "list"}, {"gate", "shop"}, {"status"}, {"status", "shop"}, {"postmortem", id}, {"postmortem", "list"}, {"register"}, {"explain", "shop/availability"}, {"report"},
	}, nil
}

func terminal(ctx context.Context, c *camp) error {
	own, err := wound(ctx, c)
	if err != nil {
		return err
	}
	all, err := commands(ctx, own)
	if err != nil {
		return err
	}
	for _, args := range all {
		out, _, err := own.cli(ctx, nil, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", args, err)
		}
		if at := strings.IndexFunc(strings.NewReplacer("\n", "", "\t", "").Replace(out), printable.Hidden); at >= 0 {
			return fmt.Errorf("%s shows a character that steers", args)
		}
	}
	return nil
}

// forgedLine writes a note that looks like a line of the log.
func forgedLine(ctx context.Context, c *camp) error {
	own, err := wound(ctx, c)
	if err != nil {
		return err
	}
	const forged = "2026-11-29 09:00:00  Ada Lovelace  slack  override evil approved"
	if _, _, err := write(ctx, c, map[string]any{"kind": "work", "text": "ok\r\n" + forged, "facts": map[string]string{"minutes": "1", "kind": "toil"}}); err != nil {
		return err
	}
	out, _, err := own.cli(ctx, nil, "audit")
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.Join(strings.Fields(line), " "), strings.Join(strings.Fields(forged), " ")) {
			return errors.New("a note is a line of the log")
		}
	}
	return err
}

var formula = regexp.MustCompile(`^\s*[=+\-@]`)

func inertRegister(ctx context.Context, c *camp) error {
	own, err := wound(ctx, c)
	if err != nil {
		return err
	}
	a, err := own.get(ctx, "/api/v1/register?format=csv")
	if err != nil {
		return err
	}
	if err := oneOf(a, 200); err != nil {
		return err
	}
	for _, comma := range []rune{',', ';', '\t'} {
		r := csv.NewReader(bytes.NewReader([]byte(a.body)))
		r.Comma, r.LazyQuotes, r.FieldsPerRecord = comma, true, -1
		rows, err := r.ReadAll()
		if err != nil {
			return err
		}
		for _, row := range rows {
			for _, cell := range row {
				if formula.MatchString(cell) && len(cell) > 1 && !regexp.MustCompile(`^-?[0-9.]+$`).MatchString(cell) {
					return fmt.Errorf("read with %q, a cell is %q", comma, cell)
				}
			}
		}
	}
	return nil
}

// lures wants the addresses that others name, which may be those of a metadata service, to be shown
// and never asked.
func lures(ctx context.Context, c *camp) error {
	own, err := wound(ctx, c)
	if err != nil {
		return err
	}
	err = eventually(ctx, func() error {
		for _, got := range own.sink.all() {
			if strings.Contains(got.body, own.lured+"/runbook") {
				return nil
			}
		}
		return errors.New("no message shows the runbook")
	})
	if err != nil {
		return err
	}
	for _, path := range append([]string{"/api/v1/changes", "/api/v1/incidents", "/api/v1/slos"}, pagesOf...) {
		if _, err := own.get(ctx, path); err != nil {
			return err
		}
	}
	for _, got := range own.lure.all() {
		return fmt.Errorf("a %s is sent to an address that an SLO or a change names", got.method)
	}
	return nil
}

func hooks(ctx context.Context, c *camp) error {
	own, err := wound(ctx, c)
	if err != nil {
		return err
	}
	err = eventually(ctx, func() error {
		if len(own.sink.all()) == 0 {
			return errors.New("nothing came to the webhook")
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, got := range own.sink.all() {
		if got.method == http.MethodPost && !json.Valid([]byte(got.body)) {
			return errors.New("sent " + got.body)
		}
		for name, values := range got.header {
			if len(values) != 1 {
				return fmt.Errorf("the header %s comes %d times", name, len(values))
			}
		}
		for _, secret := range canaries {
			if strings.Contains(got.body+fmt.Sprint(got.header), secret) {
				return errors.New("a secret is sent")
			}
		}
	}
	return nil
}

func labelsQuoted(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	if text := own.log.String(); strings.Contains(text, "parse error") || strings.Contains(text, "bad_data") {
		return errors.New("asks Prometheus what it does not understand")
	}
	return eventually(ctx, func() error { return read(ctx, own) })
}

func logLines(ctx context.Context, c *camp) error {
	own, err := wound(ctx, c)
	if err != nil {
		return err
	}
	for line := range strings.Lines(own.log.String()) {
		if !strings.HasPrefix(line, "time=") {
			return fmt.Errorf("the log holds the line %q", line)
		}
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), printable.Hidden) {
			return fmt.Errorf("the log holds a character that steers: %q", line)
		}
	}
	return nil
}

// slackTextProbes look at what Slack was sent about it.
func slackTextProbes() (all []probe) {
	for name, inputs := range map[string][]int{
		"calls nobody and leads nowhere": {24, 25, 26, 27, 28, 33, 34}, "holds no line break, turn or control of others": {29, 30}, "is as long as Slack takes": {31, 32},
	} {
		all = append(all, probe{door: "slack text", name: "no message " + map[bool]string{true: "is longer than Slack takes", false: name}[strings.HasPrefix(name, "is as")], inputs: inputs, try: slackMessages(name)})
	}
	return all
}

// foreign is what only somebody else can have written into a message.
var foreign = regexp.MustCompile(`<!(channel|here|everyone|subteam)|<@U0EVIL|<https?://(evil|a\|)|<javascript|<slack:|<data:`)

func slackMessages(what string) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		own, err := wound(ctx, c)
		if err != nil {
			return err
		}
		var messages []slacktest.Message
		err = eventually(ctx, func() error {
			messages = nil
			for _, ch := range own.slack.State().Channels() {
				messages = append(messages, own.slack.State().All(ch.Name)...)
			}
			if len(messages) < 3 {
				return fmt.Errorf("only %d messages came", len(messages))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if bad := own.slack.State().Violations(); len(bad) > 0 {
			return fmt.Errorf("refused by Slack: %+v", bad[0])
		}
		for _, m := range messages {
			text, _ := json.Marshal(m)
			for _, s := range mrkdwnOf(text) {
				switch {
				case what[0] == 'c' && foreign.MatchString(s):
					return fmt.Errorf("a message holds %q", s)
				case what[0] == 'h' && strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(s), func(r rune) bool { return r < ' ' || r == '\u202e' || r == '\u2066' || r == '\u009b' }):
					return fmt.Errorf("a message holds %q", s)
				case what[0] == 'i' && len([]rune(s)) > 3000:
					return fmt.Errorf("a text has %d characters", len([]rune(s)))
				}
			}
		}
		return nil
	}
}

// mrkdwnOf lists the texts of a message that Slack takes for its markup: not those that say that
// they are plain.
func mrkdwnOf(message []byte) (all []string) {
	var tree any
	if json.Unmarshal(message, &tree) != nil {
		return nil
	}
	var walk func(any)
	walk = func(t any) {
		switch t := t.(type) {
		case []any:
			for _, item := range t {
				walk(item)
			}
		case map[string]any:
			if t["type"] == "plain_text" {
				return
			}
			for key, value := range t {
				if s, ok := value.(string); ok && strings.EqualFold(key, "text") {
					all = append(all, s)
				}
				walk(value)
			}
		}
	}
	walk(tree)
	return all
}

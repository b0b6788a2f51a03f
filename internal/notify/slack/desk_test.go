package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	theirs "github.com/slack-go/slack/slacktest"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/slo"
)

// office is a backend that remembers.
type office struct {
	answer error // to what waited
	mu     sync.Mutex
	acts   map[string]alerting.Act
	slow   time.Duration
	fails  error
	owed   []outbox.Entry
	known  []alerting.Incident
}

func (o *office) Do(ctx context.Context, a alerting.Act) error {
	if o.slow > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(o.slow):
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fails != nil {
		return o.fails
	}
	if o.acts == nil {
		o.acts = map[string]alerting.Act{}
	}
	if _, again := o.acts[a.Key]; !again {
		o.acts[a.Key] = a
	}
	return nil
}

func (o *office) Incident(_ context.Context, id string) (alerting.Incident, bool) {
	for _, i := range o.known {
		if i.ID == id {
			return i, true
		}
	}
	return alerting.Incident{}, false
}

func (o *office) Open() []alerting.Incident {
	return slices.DeleteFunc(slices.Clone(o.known), func(i alerting.Incident) bool { return !i.Open })
}

func (o *office) Standings() []Standing {
	spec := &slo.Spec{}
	return []Standing{
		{ID: "checkout/availability", Spec: spec, Data: "ok", Status: budget.Status{Sum: budget.Sum{Bad: 5, Total: 1000}, Allowed: 10, Spent: 0.5, Sized: true}, Open: o.Open()[:1]},
		{ID: "web/<!channel>", Spec: spec, Data: "absent"},
	}
}

func (o *office) Gate(scope string) (alerting.Verdict, bool) {
	return alerting.Verdict{
		SLO: "checkout/<!here>", Gate: alerting.GateFrozen, Ground: alerting.Broken, Problem: "The budget of <!here> is spent.",
		Permit: &alerting.Act{By: "<@U0BEN>", Text: "<!channel>", At: monday},
	}, scope == "checkout"
}

func (o *office) Postmortem(_ context.Context, i alerting.Incident) (string, error) {
	return "# Postmortem\n\nIt was <!channel> all along: " + i.ID + "\n", nil
}

func (o *office) Answer(context.Context, string) error { return o.answer }

func (o *office) Owe(_ context.Context, _ string, entries []outbox.Entry) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range entries {
		if !slices.ContainsFunc(o.owed, func(known outbox.Entry) bool { return known.Key == e.Key }) {
			o.owed = append(o.owed, e)
		}
	}
	return o.fails
}

func (o *office) Now() time.Time { return monday }

func (o *office) done() []alerting.Act {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []alerting.Act
	for _, a := range o.acts {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b alerting.Act) int { return strings.Compare(a.Key, b.Key) })
	return all
}

const (
	burning = "checkout/availability/page/1795403040"
	over    = "checkout/availability/ticket/1795300000"
	secretA = Secret("8f742231b10e8888abcd99yyyzzz85a5")
)

// scene is a workspace with a message that can be acted on, and a desk that listens.
type scene struct {
	*testing.T
	srv  *slacktest.Server
	desk *Desk
	back *office
	x    *slacktest.Expectation
}

func newScene(t *testing.T, o slacktest.Options, c DeskConfig, ways Doors) *scene {
	s := &scene{T: t, back: &office{known: []alerting.Incident{
		{ID: burning, SLO: "checkout/availability", Rule: alerting.RulePage, Severity: alerting.Page, Open: true, Detected: monday},
		{ID: over, SLO: "checkout/availability", Rule: alerting.RuleTicket, Severity: alerting.Ticket, Resolved: monday},
		{ID: "checkout/taken/page/1", Open: true, Acts: []alerting.Act{{Key: "k", Kind: alerting.Acknowledge, By: "Ben Okafor", Who: "U0BEN", At: monday}}},
	}}}
	o.Token, o.Unpaced, o.SigningSecret, o.AckWithin = token, true, secretA.Reveal(), 20*time.Second
	s.srv = slacktest.Start(o)
	t.Cleanup(s.srv.Close)
	client, err := New(Config{Token: token, APIURL: s.srv.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	c.Backend, c.Log, ways.Client = s.back, slog.New(slog.NewTextHandler(t.Output(), nil)), client
	s.desk = NewDesk(c, ways)
	s.x = s.srv.Expect(t)
	return s
}

// run runs the desk until the test ends.
func (s *scene) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { _ = s.desk.Connect(ctx) }()
	go func() { done <- s.desk.Run(ctx) }()
	s.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.Error(err)
		}
	})
}

// signedDoor opens the door for signed requests.
func signedDoor(t *testing.T, o slacktest.Options) *scene {
	s := newScene(t, o, DeskConfig{}, Doors{SigningSecrets: []Secret{"an-older-one", secretA}})
	door := httptest.NewServer(s.desk.Handler())
	t.Cleanup(door.Close)
	s.srv.SetCallbacks(door.URL+"/slack/interactions", door.URL+"/slack/commands")
	return s
}

// socketDoor opens Socket Mode, waits for the connection, and takes it for dead after a silence.
func socketDoor(t *testing.T, o slacktest.Options, silence time.Duration) *scene {
	s := newScene(t, o, DeskConfig{}, Doors{AppToken: "xapp-1-A0SLOW0001-stand-in"})
	s.desk.timing = socketTiming{pings: silence, pause: 10 * time.Millisecond}
	s.run()
	s.connected(1)
	return s
}

// bothDoors are the two ways in which Slack reaches the desk.
var bothDoors = map[string]func(*testing.T, slacktest.Options) *scene{
	"signed requests": signedDoor,
	"Socket Mode":     func(t *testing.T, o slacktest.Options) *scene { return socketDoor(t, o, 20*time.Second) },
}

// connected waits until one connection is open, the n-th that ever was.
func (s *scene) connected(n int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	err := s.srv.Wait(ctx, func(st slacktest.State) bool { open, ever := st.Connections(); return open == 1 && ever >= n })
	if err != nil {
		s.Fatal(err)
	}
}

// message posts one with the controls of an incident.
func (s *scene) message(incident string) string {
	s.Helper()
	f := message{composer: Composer{Interactive: true}}
	f.Event.Incident, f.Incident = incident, alerting.Incident{Open: true, Severity: alerting.Page, Rule: alerting.RuleDeclared}
	b := Body{Text: "burning " + incident, Blocks: append([]Block{section("burning " + incident)}, f.controls()...)}
	_, err := s.desk.doors.Load().Client.postTo(s.Context(), target{channel: general}, incident, b)
	if err != nil {
		s.Fatal(err)
	}
	return s.x.Message(general, "burning "+incident).TS
}

func (s *scene) press(ts, action, value string) slacktest.Ack {
	s.Helper()
	ack, err := s.srv.Choose(ts, action, value, "U0ANA")
	if err != nil || ack.Status != http.StatusOK {
		s.Fatalf("%s %s: %+v, %v", action, value, ack, err)
	}
	return ack
}

// whispered waits until the person was told something with these words.
func (s *scene) whispered(words string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	err := s.srv.Wait(ctx, func(st slacktest.State) bool {
		return slices.ContainsFunc(st.Ephemerals(), func(e slacktest.Ephemeral) bool {
			return strings.Contains(e.Text+fmt.Sprint(e.Blocks), words)
		})
	})
	if err != nil {
		s.Fatalf("nobody was told %q: %v\n%+v", words, err, s.srv.State().Ephemerals())
	}
}

// Everything that a person can do does the same over both doors.
func TestWhatPeopleDo(t *testing.T) {
	for door, open := range bothDoors {
		t.Run(door, func(t *testing.T) {
			s := open(t, slacktest.Options{})
			ts := s.message(burning)
			s.press(ts, ActionAck, "")
			s.press(ts, ActionSilence, "4h")
			s.press(ts, ActionSilence, "recovered")
			s.press(ts, ActionTicket, "")
			s.press(ts, ActionClose, "")
			var got []string
			for _, a := range s.back.done() {
				got = append(got, fmt.Sprintf("%s %s %s by %s (%s) via %s until %v", a.Kind, a.Incident, a.Level, a.By, a.Who, a.Via, !a.Until.IsZero()))
				if a.Kind == alerting.Silence && !a.Until.IsZero() && !a.Until.Equal(monday.Add(4*time.Hour)) {
					t.Errorf("silent until %v", a.Until)
				}
			}
			slices.Sort(got)
			want := []string{
				"acknowledge " + burning + "  by Ana Sousa (U0ANA) via slack until false",
				"close " + burning + "  by Ana Sousa (U0ANA) via slack until false",
				"escalate " + burning + " ticket by Ana Sousa (U0ANA) via slack until false",
				"silence " + burning + "  by Ana Sousa (U0ANA) via slack until false",
				"silence " + burning + "  by Ana Sousa (U0ANA) via slack until true",
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			s.press(ts, ActionPostmortem, "")
			s.desk.work.Wait()
			if len(s.back.owed) != 1 {
				t.Fatalf("%d messages are owed for the draft", len(s.back.owed))
			}
			e := s.back.owed[0]
			b, err := parseBody(e.Body)
			text := string(e.Body)
			if err != nil || len(b.Validate()) > 0 || e.Thread != burning || e.Op != outbox.Reply ||
				!strings.Contains(text, "# Postmortem") || !strings.Contains(text, "asked for by Ana Sousa") || strings.Contains(text, "<!channel>") {
				t.Errorf("the draft in the thread: %+v\n%s", e, text)
			}
		})
	}
}

func TestWhatPeopleAreTold(t *testing.T) {
	for _, c := range []struct {
		name, incident, want string
		fails                error
	}{
		{"an incident that is over cannot be acknowledged", over, "over since", nil},
		{"an incident that nobody knows", "gone/away/page/1", "does not know this incident", nil},
		{"an incident with a long name is found by its hash", "x", "", nil},
		{"the backend's own refusal is passed on, escaped", burning, "Ben has it ‹!here&gt;", Refusal("Ben has it <!here>")},
		{"somebody else has it", "checkout/taken/page/1", "Ben Okafor has acknowledged it already", nil},
		{"what could not be written down is said, and why is not", burning, "nothing has changed", errors.New("disk full at secret-place")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := signedDoor(t, slacktest.Options{})
			s.back.fails = c.fails
			if c.want == "" {
				c.incident = "checkout/" + strings.Repeat("x", 300)
				s.back.known = append(s.back.known, alerting.Incident{ID: c.incident, Open: true})
			}
			s.press(s.message(c.incident), ActionAck, "")
			if c.want == "" {
				if acts := s.back.done(); len(acts) != 1 || acts[0].Incident != c.incident {
					t.Errorf("%+v", acts)
				}
				return
			}
			s.whispered(c.want)
			if got := s.back.done(); len(got) != 0 {
				t.Errorf("and yet: %+v", got)
			}
			if strings.Contains(fmt.Sprint(s.srv.State().Ephemerals()), "secret-place") {
				t.Error("an inner error was shown")
			}
		})
	}
}

// The 23 ways in which a request may be wrong. None has an effect, and none is told why.
func TestBadRequestsAreRefusedWithoutDetailOrEffect(t *testing.T) {
	now := time.Unix(1795403100, 0)
	const hook = "https://hooks.slack.com/actions/T0SLOW0001/1/x"
	payload := func(change func(string) string) string {
		p := `{"type":"block_actions","api_app_id":"A0SLOW0001","team":{"id":"T0SLOW0001"},"user":{"id":"U0ANA","username":"ana","team_id":"T0SLOW0001"},` +
			`"container":{"channel_id":"C0SLOW0001","message_ts":"1795403050.000100"},"response_url":"` + hook + `",` +
			`"actions":[{"action_id":"slowburn_ack","block_id":"b","value":"` + burning + `","action_ts":"1795403099.123456"}]}`
		if change != nil {
			p = change(p)
		}
		return url.Values{"payload": {p}}.Encode()
	}
	swap := func(old, new string) func(string) string {
		return func(p string) string { return strings.Replace(p, old, new, 1) }
	}
	stamp := fmt.Sprint(now.Unix())
	with := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
	}
	at := func(s string) func(*http.Request) { // another time, rightly signed
		return func(r *http.Request) {
			r.Header.Set(headerTimestamp, s)
			r.Header.Set(headerSignature, sign(secretA, s, []byte(payload(nil))))
		}
	}
	right := sign(secretA, stamp, []byte(payload(nil)))
	for _, c := range []struct {
		name   string
		body   string // "" is a good press
		change func(*http.Request)
		desk   func(*Desk)
		status int
	}{
		{name: "1 no signature", change: with(headerSignature), status: 401},
		{name: "2 no timestamp", change: with(headerTimestamp), status: 401},
		{name: "3 the signature of another body", change: with(headerSignature, sign(secretA, stamp, []byte("payload={}"))), status: 401},
		{name: "4 too old by a second", change: at(fmt.Sprint(now.Unix() - 301)), status: 401},
		{name: "5 from the future by a second", change: at(fmt.Sprint(now.Unix() + 301)), status: 401},
		{name: "6 a time in the year 5138", change: at("99999999999"), status: 401},
		{name: "7 a time that overflows", change: at("9223372036854775807"), status: 401},
		{name: "8 a time before all time", change: at("-1"), status: 401},
		{name: "9 a time with an exponent", change: at("1e9"), status: 401},
		{name: "9 a time after a space", change: at(" " + stamp), status: 401},
		{name: "9 a time with a sign", change: at("+" + stamp), status: 401},
		{name: "9 a time in hexadecimal", change: at(fmt.Sprintf("0x%x", now.Unix())), status: 401},
		{name: "9 a time in other digits", change: at("١٧٩٥٤٠٣١٠٠"), status: 401},
		{name: "9 a time with a leading zero", change: at("0" + stamp), status: 401},
		{name: "10 a signature without its version", change: with(headerSignature, strings.TrimPrefix(right, "v0=")), status: 401},
		{name: "11 a version in capitals", change: with(headerSignature, "V0="+strings.TrimPrefix(right, "v0=")), status: 401},
		{name: "11 digits in capitals", change: with(headerSignature, "v0="+strings.ToUpper(strings.TrimPrefix(right, "v0="))), status: 401},
		{name: "11 a digit too few", change: with(headerSignature, right[:len(right)-1]), status: 401},
		{name: "11 a digit too many", change: with(headerSignature, right+"0"), status: 401},
		{name: "13 the body encoded anew", change: func(r *http.Request) {
			body := strings.ReplaceAll(payload(nil), "%3A", ":")
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}, status: 401},
		{name: "14 two signatures, one of them right", change: with(headerSignature, right, "v0="+strings.Repeat("0", 64)), status: 401},
		{name: "14 two times", change: with(headerTimestamp, stamp, stamp), status: 401},
		{name: "15 a body in gzip", change: with("Content-Encoding", "gzip"), status: 401},
		{name: "16 a body of 100 MB", body: "payload=" + strings.Repeat("x", 100<<20), status: 401},
		{name: "16 a body of 100 MB that does not say so", body: "payload=" + strings.Repeat("x", 100<<20), change: func(r *http.Request) { r.ContentLength = -1 }, status: 401},
		{name: "17 two payloads", body: payload(nil) + "&" + payload(nil), status: 401},
		{name: "18 from another workspace", body: payload(swap(`"team":{"id":"T0SLOW0001"}`, `"team":{"id":"T0EVIL"}`)), status: 401},
		{name: "18 from another app", body: payload(swap("A0SLOW0001", "A0EVIL")), status: 401},
		{name: "19 a stranger in a shared channel silences", body: payload(swap(`"team_id":"T0SLOW0001"`, `"team_id":"T0OTHER"`)), status: 200},
		{name: "20 an unknown incident", body: payload(swap(burning, "no/such/page/1")), status: 200},
		{name: "20 an incident that is over", body: payload(swap(burning, over)), status: 200},
		{name: "21 an answer into the cloud's metadata", body: payload(swap(hook, "http://169.254.169.254/latest")), status: 400},
		{name: "21 an answer to a host that looks like Slack's", body: payload(swap(hook, "https://hooks.slack.com.evil.example/x")), status: 400},
		{name: "21 an answer with a password", body: payload(swap(hook, "https://a:b@hooks.slack.com/x")), status: 400},
		{name: "22 the certificate is looked at", body: "ssl_check=1&token=x", status: 200},
		{name: "22 the certificate is looked at, unsigned", body: "ssl_check=1&token=x", change: with(headerSignature), status: 401},
		{
			name: "23 no secret is configured, and the empty one signs", desk: func(d *Desk) { d.doors.Load().SigningSecrets = []Secret{""} },
			change: with(headerSignature, sign("", stamp, []byte(payload(nil)))), status: 401,
		},
		{name: "23 no secret is configured at all", desk: func(d *Desk) { d.doors.Load().SigningSecrets = nil }, status: 404},
		{name: "no form", change: with("Content-Type", "application/json"), status: 401},
		{name: "no JSON", body: "payload=%7B", status: 400},
		{name: "no payload", body: "pay=1", status: 400},
		{name: "an action of another app's making", body: payload(swap("slowburn_ack", "launch_missiles")), status: 200},
		{name: "a silence that is not offered", body: payload(swap("slowburn_ack", "slowburn_silence")), status: 401},
		{name: "a user who is none", body: payload(swap("U0ANA", "../etc")), status: 400},
		{name: "a modal", body: payload(swap("block_actions", "view_submission")), status: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, slacktest.Options{}, DeskConfig{Now: func() time.Time { return now }}, Doors{SigningSecrets: []Secret{secretA}})
			s.desk.hook = &http.Client{Transport: nowhere{t}}
			if c.desk != nil {
				c.desk(s.desk)
			}
			body := c.body
			if body == "" {
				body = payload(nil)
			}
			r := httptest.NewRequest(http.MethodPost, "/slack/interactions", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(headerTimestamp, stamp)
			r.Header.Set(headerSignature, sign(secretA, stamp, []byte(body)))
			if c.change != nil {
				c.change(r)
			}
			w := httptest.NewRecorder()
			s.desk.Handler().ServeHTTP(w, r)
			s.desk.work.Wait()
			if w.Code != c.status || w.Body.Len() > 0 {
				t.Errorf("status %d, want %d; it says %q", w.Code, c.status, w.Body)
			}
			if acts := s.back.done(); len(acts) > 0 {
				t.Errorf("it had an effect: %+v", acts)
			}
		})
	}
}

// nowhere takes answers for Slack's own host, and fails the test for any other.
type nowhere struct{ t *testing.T }

func (n nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "hooks.slack.com" {
		n.t.Errorf("%s was asked", r.URL)
	}
	w := httptest.NewRecorder()
	fmt.Fprint(w, "ok")
	return w.Result(), nil
}

// 12, the same valid request twice, has one effect: over one door, and over both.
func TestAPressThatArrivesTwiceHasOneEffect(t *testing.T) {
	s := signedDoor(t, slacktest.Options{})
	ts := s.message(burning)
	s.press(ts, ActionAck, "")
	for range 3 {
		if ack, err := s.srv.Replay(); err != nil || ack.Status != http.StatusOK {
			t.Fatal(ack, err)
		}
	}
	if acts := s.back.done(); len(acts) != 1 {
		t.Errorf("%d acts", len(acts))
	}
	// After a restart nothing is remembered but what is written down: the key of the act.
	before := s.back.done()[0].Key
	s.desk.recent = recent{}
	if ack, err := s.srv.Replay(); err != nil || ack.Status != http.StatusOK {
		t.Fatal(ack, err)
	}
	if acts := s.back.done(); len(acts) != 1 || acts[0].Key != before {
		t.Errorf("after a restart: %+v", acts)
	}
}

func TestAnEnvelopeThatArrivesTwiceHasOneEffect(t *testing.T) {
	s := socketDoor(t, slacktest.Options{}, 20*time.Second)
	s.press(s.message(burning), ActionPostmortem, "")
	if _, err := s.srv.Redeliver(); err != nil {
		t.Fatal(err)
	}
	s.desk.work.Wait()
	if len(s.back.owed) != 1 {
		t.Errorf("the draft is owed %d times", len(s.back.owed))
	}
	s.desk.recent = recent{} // as after a restart
	if _, err := s.srv.Redeliver(); err != nil || len(s.back.owed) != 1 {
		t.Errorf("after a restart: %v, %d", err, len(s.back.owed))
	}
}

// Slack waits three seconds. The clock here is virtual: the answer comes after two, whatever the
// backend does.
func TestTheAnswerDoesNotWaitForASlowBackend(t *testing.T) {
	for name, slow := range map[string]time.Duration{"a quick one": 0, "a slow one": 10 * time.Second, "one that never comes back": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &Desk{DeskConfig: DeskConfig{Backend: &office{slow: slow}, Now: time.Now}, slots: make(chan struct{}, maxWork)}
				began, worked := time.Now(), false
				_, err := d.take(job{key: "k", do: func(ctx context.Context) outcome {
					worked = d.Backend.Do(ctx, alerting.Act{Key: "k"}) == nil
					return outcome{}
				}})
				if took := time.Since(began); err != nil || took >= 3*time.Second || took > slow {
					t.Errorf("acknowledged after %v, %v", took, err)
				}
				d.work.Wait()
				if worked != (slow < workLimit) || time.Since(began) > workLimit {
					t.Errorf("worked: %v, after %v", worked, time.Since(began))
				}
			})
		})
	}
}

func TestTooMuchAtATimeIsTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Desk{DeskConfig: DeskConfig{Backend: &office{slow: time.Hour}, Now: time.Now}, slots: make(chan struct{}, maxWork)}
		var busy, taken int
		var mu sync.Mutex
		var all sync.WaitGroup
		for n := range 5 * maxWork {
			all.Go(func() {
				_, err := d.take(job{key: fmt.Sprint(n), do: func(ctx context.Context) outcome { _ = d.Backend.Do(ctx, alerting.Act{}); return outcome{} }})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					busy++
				} else {
					taken++
				}
			})
		}
		all.Wait()
		if taken != maxWork || busy != 4*maxWork {
			t.Errorf("%d taken, %d turned away", taken, busy)
		}
		d.work.Wait()
	})
}

// The example that Slack publishes with its description of signatures, and what is next to it.
func TestSignatures(t *testing.T) {
	body := []byte("token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c")
	const published = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	when := time.Unix(1531420618, 0)
	h := http.Header{headerSignature: {published}, headerTimestamp: {"1531420618"}}
	for _, c := range []struct {
		name    string
		secrets []Secret
		now     time.Time
		body    []byte
		want    bool
	}{
		{"as published", []Secret{secretA}, when, body, true},
		{"five minutes later to the second", []Secret{secretA}, when.Add(signatureAge), body, true},
		{"a second after that", []Secret{secretA}, when.Add(signatureAge + time.Second), body, false},
		{"five minutes before", []Secret{secretA}, when.Add(-signatureAge), body, true},
		{"while the secret is changed", []Secret{"new", secretA}, when, body, true},
		{"after it was changed", []Secret{"new"}, when, body, false},
		{"without a secret", nil, when, body, false},
		{"with a space more", []Secret{secretA}, when, append(body, ' '), false},
		{"with nothing in it", []Secret{secretA}, when, nil, false},
	} {
		if got := verify(c.secrets, h, c.body, c.now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestWhatIsDeliveredIsRememberedForLongerThanItIsValid(t *testing.T) {
	var r recent
	now := monday
	if !r.first("a", now) || r.first("a", now) {
		t.Error("at once")
	}
	for n := range 3 * maxRecent {
		r.first(fmt.Sprint(n), now)
	}
	if len(r.fresh)+len(r.stale) > 2*maxRecent {
		t.Error("it grows without bounds")
	}
	r.first("b", now.Add(time.Hour))
	if r.first("b", now.Add(time.Hour+2*signatureAge-time.Second)) {
		t.Error("forgotten while it is valid")
	}
}

// What /slowburn answers, over both doors: to the person alone, and whatever the names are.
func TestCommands(t *testing.T) {
	for door, open := range bothDoors {
		t.Run(door, func(t *testing.T) {
			s := open(t, slacktest.Options{})
			for n, c := range []struct {
				text string
				want []string
			}{
				{"status", []string{"2 budgets, 1 open incident, 1 unknown", "🔥 *checkout/availability* · 50.0 % of the budget left · page, burning since", "❔ *web/‹!channel&gt;*"}},
				{"status checkout/availability", []string{"1 budget, 1 open incident.", "🔥"}},
				{"  STATUS   checkout", []string{"1 budget, 1 open incident."}},
				{"status nowhere<!here>", []string{"There is no service and no SLO “nowhere‹!here&gt;”."}},
				{"incidents", []string{"2 open incidents.", "page, burning since", "`" + burning + "`"}},
				{"gate checkout", []string{"🔴 Frozen: checkout", "The budget of ‹!here&gt; is spent.", "is exempt from the error-budget policy until it is taken back, says ‹@U0BEN&gt;"}},
				{"gate", []string{"Which one?"}},
				{"gate web", []string{"There is no service and no SLO “web”."}},
				{"help", []string{"/slowburn incidents"}},
				{"", []string{"/slowburn incidents"}},
				{"<!channel> now", []string{"There is no “‹!channel&gt;”."}},
			} {
				if ack, err := s.srv.Command(general, "/slowburn", c.text, "U0ANA"); err != nil || ack.Status != http.StatusOK {
					t.Fatal(c.text, ack, err)
				}
				e := s.srv.State().Ephemerals()
				if len(e) != n+1 || e[n].User != "U0ANA" {
					t.Fatalf("%s: %d answers", c.text, len(e))
				}
				said := slacktest.Message{Text: e[n].Text, Blocks: e[n].Blocks}
				for _, w := range c.want {
					if !strings.Contains(said.Visible(), w) {
						t.Errorf("%s: no %q in\n%s", c.text, w, said.Visible())
					}
				}
				if m := said.Mentions(); len(m) > 0 {
					t.Errorf("%s mentions %v", c.text, m)
				}
			}
			if len(s.srv.Messages(general)) > 0 {
				t.Error("something was said in the channel")
			}
		})
	}
}

func TestACommandThatTakesLongIsAnsweredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Desk{DeskConfig: DeskConfig{Now: time.Now}, slots: make(chan struct{}, maxWork)}
		heard := make(chan string, 2)
		d.hook = &http.Client{Transport: recorder(func(r *http.Request) { text, _ := io.ReadAll(r.Body); heard <- string(text) })}
		o, err := d.take(job{key: "k", hook: "https://hooks.slack.com/x", inline: true, do: func(context.Context) outcome {
			time.Sleep(20 * time.Second)
			return whisper("here it is")
		}})
		if err != nil || o.say != nil || len(heard) > 0 {
			t.Errorf("at first: %+v, %v", o, err)
		}
		d.work.Wait()
		if text := <-heard; len(heard) > 0 || !strings.Contains(text, `"response_type":"ephemeral"`) || !strings.Contains(text, "here it is") {
			t.Errorf("later: %v", text)
		}
	})
}

type recorder func(*http.Request)

func (f recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	w := httptest.NewRecorder()
	fmt.Fprint(w, "ok")
	return w.Result(), nil
}

// However many budgets there are, an answer stays within Slack's limits.
func TestAnswersAreWithinTheLimits(t *testing.T) {
	var many []Standing
	var open []alerting.Incident
	for n := range 3000 {
		id := slo.ID(fmt.Sprintf("service-%04d/%s", n, strings.Repeat("&<>*`", 60)))
		i := alerting.Incident{ID: string(id) + "/page/1", SLO: id, Severity: alerting.Page, Open: true}
		many, open = append(many, Standing{ID: id, Spec: &slo.Spec{}, Data: "ok", Open: []alerting.Incident{i}}), append(open, i)
	}
	for _, b := range []Body{statusBody(many, ""), incidentsBody(open)} {
		if problems := b.Validate(); len(problems) > 0 || !strings.Contains(string(b.marshal()), "more; ") {
			t.Errorf("%v", problems)
		}
	}
}

// Socket Mode over what happens to it.
func TestSocketModeHolds(t *testing.T) {
	for _, c := range []struct {
		name   string
		happen func(*scene)
	}{
		{"Slack asks to connect anew", func(s *scene) { s.srv.Disconnect("refresh_requested") }},
		{"the connection is cut", func(s *scene) { s.srv.Cut() }},
		{"the connection falls silent", func(s *scene) { s.srv.Stall() }},
		{"opening fails a few times", func(s *scene) {
			s.srv.Inject(slacktest.Fault{Method: "apps.connections.open", Count: 2, Do: slacktest.ServerError(503)})
			s.srv.Cut()
		}},
		{"opening is limited, for a second", func(s *scene) {
			s.srv.Inject(slacktest.Fault{Method: "apps.connections.open", Do: slacktest.RetryAfter("1")})
			s.srv.Cut()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			silence := 20 * time.Second
			if c.name == "the connection falls silent" {
				silence = 2 * time.Second
			}
			s := socketDoor(t, slacktest.Options{PingEvery: 100 * time.Millisecond}, silence)
			ts := s.message(burning)
			c.happen(s)
			s.connected(2)
			s.press(ts, ActionAck, "")
			if acts := s.back.done(); len(acts) != 1 {
				t.Errorf("%d acts", len(acts))
			}
			if v := s.srv.Violations(); len(v) > 0 {
				t.Errorf("%v", v)
			}
		})
	}
}

func TestARefusedAppTokenIsSaidAndNotHammered(t *testing.T) {
	s := newScene(t, slacktest.Options{}, DeskConfig{}, Doors{AppToken: "xapp-wrong"})
	s.run()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.srv.Wait(ctx, func(st slacktest.State) bool { return len(st.Calls("apps.connections.open")) > 0 }); err != nil {
		t.Fatal(err)
	}
	if n := len(s.srv.Calls("apps.connections.open")); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// Other doors are connected in place of those before; the same ones stay connected.
func TestSocketModeGoesWhereTheDoorsAre(t *testing.T) {
	s := socketDoor(t, slacktest.Options{}, 20*time.Second)
	before := s.desk.doors.Load().Doors
	s.desk.SetDoors(before)
	other := slacktest.Start(slacktest.Options{Token: token, AppToken: "xapp-2"})
	t.Cleanup(other.Close)
	client, err := New(Config{Token: token, APIURL: other.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	wait := func(srv *slacktest.Server, want int) {
		t.Helper()
		if err := srv.Wait(ctx, func(st slacktest.State) bool { open, _ := st.Connections(); return open == want }); err != nil {
			t.Fatal(err)
		}
	}
	s.desk.SetDoors(Doors{Client: client, AppToken: "xapp-2"})
	wait(other, 1)
	wait(s.srv, 0)
	s.desk.SetDoors(Doors{})
	wait(other, 0)
	s.desk.SetDoors(before)
	wait(s.srv, 1)
	if n := len(s.srv.Calls("apps.connections.open")); n != 2 {
		t.Errorf("%d connections: doors that stayed were connected anew", n)
	}
}

// A connection that ends as soon as it is open is not opened again and again.
func TestConnectionsThatDoNotLastArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paced{next: recorderOK{}, shortest: time.Second}
		began := time.Now()
		for range 10 {
			r := httptest.NewRequest(http.MethodPost, "https://slack.com/api/apps.connections.open", nil)
			resp, err := p.RoundTrip(r)
			if err != nil || resp.Header.Get("Retry-After") != "300" {
				t.Fatal(resp, err)
			}
		}
		if took := time.Since(began); took < 4*time.Minute || took > 6*time.Minute { // 0, 1, 2, 4, 8, 16, 32, 60, 60, 60 seconds
			t.Errorf("ten connections in %v", took)
		}
		time.Sleep(time.Hour)
		again := time.Now()
		_, _ = p.RoundTrip(httptest.NewRequest(http.MethodPost, "https://slack.com/x", nil))
		if time.Since(again) > 0 {
			t.Error("a connection that lasted is replaced at once")
		}
	})
}

type recorderOK struct{}

func (recorderOK) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Retry-After", "1000000000000")
	return w.Result(), nil
}

// The second opinion: the desk over the server that the library's own authors ship. What it sends
// is less than what Slack does, and a press over it is acknowledged and done all the same.
func TestSocketModeAgreesWithTheLibrarysOwnServer(t *testing.T) {
	other := theirs.NewTestServer()
	other.Start()
	t.Cleanup(other.Stop)
	client, err := New(Config{Token: "ABCDEFG", APIURL: other.GetAPIURL()})
	if err != nil {
		t.Fatal(err)
	}
	back := &office{known: []alerting.Incident{{ID: burning, Open: true}}}
	d := NewDesk(DeskConfig{Backend: back, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}, Doors{Client: client, AppToken: "xapp-1"})
	s := &scene{T: t, desk: d}
	s.run()
	other.SendToWebsocket(`{"type":"interactive","envelope_id":"e1","accepts_response_payload":false,"payload":{"type":"block_actions","team":{"id":"T024BE7LD"},` +
		`"user":{"id":"U0ANA","name":"ana"},"container":{"channel_id":"C1","message_ts":"1.000001"},` +
		`"actions":[{"action_id":"slowburn_ack","value":"` + burning + `","action_ts":"1.000002"}]}}`)
	select {
	case ack := <-other.SeenFeed:
		if strings.TrimSpace(ack) != `{"envelope_id":"e1"}` {
			t.Errorf("acknowledged by %s", ack)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it was not acknowledged")
	}
	if acts := back.done(); len(acts) != 1 || acts[0].Kind != alerting.Acknowledge {
		t.Errorf("%+v", acts)
	}
}

// TestStatusSaysWhatIsEstimated: of counts that are estimates, how many they are.
func TestStatusSaysWhatIsEstimated(t *testing.T) {
	st := budget.Status{Sum: budget.Sum{Total: 1000_000, Bad: 300, Known: 100, Estimated: 40}, Allowed: 1000, Coverage: 0.9, Sized: true}
	line := Standing{ID: "a/b", Spec: &slo.Spec{}, Status: st, Data: "ok"}.line()
	if want := "about 70.0 % of the budget left · 90.0 % (40.0 % of it estimated) of the window is known"; !strings.Contains(line, want) {
		t.Errorf("%q, want %q", line, want)
	}
}

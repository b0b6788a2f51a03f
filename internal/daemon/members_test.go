package daemon

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/web"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/notify/notifytest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
	"github.com/slowburn-sre/slowburn/slo"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// patience is how long a test waits for what daemons do by themselves.
const patience = 3 * time.Minute

// band is a store on PostgreSQL in which an incident is open, and the daemons that share it.
type band struct {
	t        *testing.T
	server   *pgtest.Server
	schema   string
	incident alerting.Incident
	began    time.Time // on the wall
	ahead    atomic.Int64
}

func newBand(t *testing.T) *band {
	t.Helper()
	return newBandOn(t, pgtest.Shared(t))
}

func newBandOn(t *testing.T, server *pgtest.Server) *band {
	t.Helper()
	b := &band{t: t, server: server, began: time.Now()}
	b.schema = b.server.Make(t)
	f := notifytest.Story("", false)[0]
	b.incident = f.Incident
	db := b.open()
	term := ok(db.Lead(t.Context(), nil))(t)
	turn := store.Turn{SLO: notifytest.ID, State: alerting.State{Through: f.Event.At + 1}, Incidents: []alerting.Incident{f.Incident}}
	check(t, db.Commit(t.Context(), store.Tick{At: f.Event.Time(), Turns: []store.Turn{turn}}))
	term.Resign()
	return b
}

func ok[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens the store beside the daemons.
func (b *band) open() *store.DB {
	b.t.Helper()
	db := ok(store.OpenPostgres(b.t.Context(), b.schema, store.Options{}))(b.t)
	b.t.Cleanup(func() { _ = db.Close() })
	return db
}

// now is the time of all members. Jump takes it ahead.
func (b *band) now() time.Time {
	return notifytest.Story("", false)[0].Event.Time().Add(time.Since(b.began) + time.Duration(b.ahead.Load()))
}

func (b *band) jump(by time.Duration) { b.ahead.Add(int64(by)) }

// name is the schema of the band, and through the store's address by a proxy.
func (b *band) name() string {
	_, schema, _ := strings.Cut(b.schema, "search_path=")
	return schema
}

func (b *band) through(proxy *pgtest.Proxy) string {
	return b.server.Through(proxy.Port, "postgres") + "&search_path=" + b.name()
}

// member is a daemon of a band.
type member struct {
	*Daemon
	*band
	t     *testing.T
	url   string
	token string // by which somebody asks
	stop  func()
}

// as returns the same member, as somebody with that token asks it.
func (m *member) as(token string) *member {
	other := *m
	other.token = token
	return &other
}

// seat is how a daemon joins a band. Only the address is needed.
type seat struct {
	address string            // of the store
	source  string            // the address of its Prometheus; "" is one that does not answer
	config  string            // more of it
	env     map[string]string // secrets
	every   time.Duration     // how long a minute is between ticks; zero is a minute
	spec    *slo.Spec         // nil is that of the story
	log     slog.Handler      // nil discards
}

// join starts a daemon that reaches the store at an address.
func (b *band) join(address string) *member { return b.seat(seat{address: address}) }

func (b *band) seat(s seat) *member {
	b.t.Helper()
	text := "prometheus: {url: '" + cmp.Or(s.source, "http://127.0.0.1:9") + "'}\nslos: [slos/]\nstore: {postgres: '" + s.address + "'}\n" + s.config
	cfg := ok(config.Parse("slowburn.yaml", []byte(text)))(b.t)
	l := ok(net.Listen("tcp", "127.0.0.1:0"))(b.t)
	if s.spec == nil {
		s.spec = notifytest.Spec()
	}
	set := slo.NewSet([]*slo.Spec{s.spec}, nil, nil)
	if s.log == nil {
		s.log = slog.DiscardHandler
	}
	a := ok(New(b.t.Context(), cfg, set, Options{
		Log: slog.New(s.log), Clock: b.now, Every: cmp.Or(s.every, time.Minute), Listener: l, Getenv: func(name string) string {
			return cmp.Or(s.env[name], map[string]string{WriteTokenEnv: memberToken}[name])
		},
	}))(b.t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	m := &member{Daemon: a, band: b, t: b.t, url: "http://" + l.Addr().String(), token: memberToken}
	m.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
	b.t.Cleanup(m.stop)
	return m
}

// until waits until something is so.
func (b *band) until(what string, is func() bool) {
	b.t.Helper()
	end, again := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-end:
			b.t.Fatalf("after %s it is not so that %s", patience, what)
		case <-again.C:
		}
	}
}

func (m *member) leads() bool { return !m.Engine.Snapshot().Standby }

// answer is what becomes of a request by POST: on a busy machine a standby says first that it
// waits.
func (m *member) answer(path string, body any) (int, string) {
	m.t.Helper()
	code, text := m.ask(path, body, nil)
	for end := time.Now().Add(patience); code == http.StatusAccepted && time.Now().Before(end); {
		var waits struct{ Key string }
		check(m.t, json.Unmarshal([]byte(text), &waits))
		code, text = m.ask("/api/v1/requests/"+waits.Key, nil, nil)
	}
	return code, text
}

// fill sends a form and returns the page that a person sees in the end: on a busy machine a standby
// says first that it waits, and where to ask what became of it.
func (m *member) fill(path string, form url.Values) (int, string) {
	m.t.Helper()
	code, page := m.ask(path, nil, form)
	if where := waitsAt.FindString(page); code == http.StatusAccepted && where != "" {
		for end := time.Now().Add(patience); code == http.StatusAccepted && time.Now().Before(end); {
			code, page = m.ask(where, nil, nil)
		}
		if code == http.StatusOK {
			code, page = m.ask(path, nil, nil)
		}
	}
	return code, page
}

// waitsAt is where a page says that it is told what became of what waits.
var waitsAt = regexp.MustCompile(`/api/v1/requests/web/[0-9a-f]+`)

// memberToken lets tests change something at every member.
const memberToken = "the-token-of-members"

// ask asks a daemon over HTTP; a body makes it a POST.
func (m *member) ask(path string, body any, form url.Values) (int, string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	r := ok(http.NewRequestWithContext(ctx, http.MethodGet, m.url+path, http.NoBody))(m.t)
	switch {
	case body != nil:
		r = ok(http.NewRequestWithContext(ctx, http.MethodPost, m.url+path, bytes.NewReader(notify.JSON(body))))(m.t)
	case form != nil:
		r = ok(http.NewRequestWithContext(ctx, http.MethodPost, m.url+path, strings.NewReader(form.Encode())))(m.t)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set(web.TokenHeader, m.token)
	resp := ok(http.DefaultClient.Do(r))(m.t)
	defer resp.Body.Close()
	return resp.StatusCode, string(ok(io.ReadAll(resp.Body))(m.t))
}

// page is the address of the incident's page.
func (b *band) page() string { return "/incidents/" + (&url.URL{Path: b.incident.ID}).EscapedPath() }

// acts lists what was done, by key.
func (b *band) acts(db *store.DB) (all []string) {
	b.t.Helper()
	for _, a := range ok(db.Acts(b.t.Context(), store.ActFilter{Incident: b.incident.ID}))(b.t) {
		all = append(all, a.Key)
	}
	return all
}

// TestAnActOnAStandbyIsTheLeaders: by the API and by the form, each once however often and through
// whom it comes; the standby shows it at once. What is refused is refused there too. Without a
// leader it waits, and the next leader does it.
func TestAnActOnAStandbyIsTheLeaders(t *testing.T) {
	t.Parallel()
	b := newBand(t)
	first := b.join(b.schema)
	b.until("the first leads", first.leads)
	second, db := b.join(b.schema), b.open()
	for at, members := range [][]*member{{second, first, second, second}, {first, second, first}} {
		note := api.Act{Key: fmt.Sprint("note/", at), Kind: alerting.Remark, By: "Ada", Incident: b.incident.ID, Text: "hello"}
		for n, m := range members {
			var body string
			b.until("it is done", func() (done bool) { // a script asks again while it waits
				var code int
				code, body = m.ask("/api/v1/acts", note, nil)
				return code == http.StatusOK
			})
			var told struct{ Data api.Act }
			check(t, json.Unmarshal([]byte(body), &told))
			known, _, err := db.Act(t.Context(), note.Key)
			check(t, err)
			if !reflect.DeepEqual(told.Data, known) || known.At.IsZero() || known.Text != "hello" {
				t.Errorf("%d: told %+v, and written down is %+v", n, told.Data, known)
			}
		}
	}
	if code, body := second.fill(b.page(), url.Values{"act": {"acknowledge"}, "by": {"Ben"}}); code != http.StatusOK || !strings.Contains(body, "Ben") {
		t.Errorf("the form: %d, and the page does not show it:\n%s", code, body)
	}
	if acts := b.acts(db); len(acts) != 3 {
		t.Errorf("acts: %v", acts)
	}
	wrong := api.Act{Key: "close", Kind: alerting.Close, By: "Ada", Incident: b.incident.ID}
	codeOf, textOf := first.ask("/api/v1/acts", wrong, nil)
	if code, body := second.answer("/api/v1/acts", wrong); code != codeOf || body != textOf || code/100 != 4 {
		t.Errorf("refused with %d %s; by the leader with %d %s", code, body, codeOf, textOf)
	}
	if code, body := second.answer("/api/v1/drills", api.NewDrill{}); code != http.StatusConflict || !strings.Contains(body, "nobody to tell") {
		t.Errorf("a drill: %d %s", code, body)
	}
	for _, m := range []*member{first, second} {
		if code, body := m.ask("/-/ready", nil, nil); code != http.StatusOK {
			t.Errorf("ready: %d %s", code, body)
		}
	}
	if code, body := second.ask("/api/v1/requests/note/0", nil, nil); code != http.StatusOK {
		t.Errorf("what became of it: %d %s", code, body)
	}
	if code, _ := second.ask("/api/v1/requests/nothing", nil, nil); code != http.StatusNotFound {
		t.Errorf("what nobody asked for: %d", code)
	}
}

// TestWhatNobodyJudgedTheNextLeaderJudges: while nobody leads, an act waits, is told to wait, and
// can be asked for; then it counts from when it was taken. What has waited for too long is refused,
// and so is what cannot be read.
func TestWhatNobodyJudgedTheNextLeaderJudges(t *testing.T) {
	t.Parallel()
	b := newBand(t)
	db := b.open()
	term := ok(db.Lead(t.Context(), nil))(t) // leads, and answers nobody
	m := b.join(b.schema)
	ack := api.Act{Key: "ack/1", Kind: alerting.Acknowledge, By: "Ada", Incident: b.incident.ID}
	code, body := m.ask("/api/v1/acts", ack, nil)
	var waits api.Answer
	if err := json.Unmarshal([]byte(body), &waits); err != nil || code != http.StatusAccepted || waits.Status != "pending" || waits.Key != ack.Key {
		t.Fatalf("%v: %d %s", err, code, body)
	}
	asked := b.now()
	if code, body := m.ask(b.page(), nil, url.Values{"act": {"remark"}, "by": {"Ben"}, "text": {"x"}}); code != http.StatusAccepted || !strings.Contains(body, "/api/v1/requests/web/") {
		t.Errorf("the form: %d %s", code, body)
	}
	if code, body := m.ask("/api/v1/requests/"+ack.Key, nil, nil); code != http.StatusAccepted {
		t.Errorf("while it waits: %d %s", code, body)
	}
	old := store.Request{Key: "old", Kind: requestAct, At: b.now().Add(-heldFor - time.Minute), Data: notify.JSON(ack)}
	for _, r := range []store.Request{old, {Key: "strange", Kind: "song", At: b.now(), Data: []byte("{}")}, {Key: "broken", Kind: requestOwe, At: b.now(), Data: []byte("7")}} {
		check(t, db.Ask(t.Context(), r))
	}
	term.Resign()
	b.until("the act is done", func() bool { code, _ := m.ask("/api/v1/requests/"+ack.Key, nil, nil); return code == http.StatusOK })
	for key, want := range map[string]int{"old": http.StatusConflict, "strange": http.StatusBadRequest, "broken": http.StatusBadRequest} {
		b.until(key+" is refused", func() bool { code, _ := m.ask("/api/v1/requests/"+key, nil, nil); return code == want })
	}
	i, _, err := b.open().Incident(t.Context(), b.incident.ID)
	check(t, err)
	if has, taken := i.Acknowledged(); !taken || has.At.After(asked) {
		t.Errorf("acknowledged %v: %+v; it was asked for before %s", taken, has, asked)
	}
}

// TestAVerdictIsWrittenWithTheAct: the leader dies before the commit, or after it. There is neither
// the act nor the answer, or both.
func TestAVerdictIsWrittenWithTheAct(t *testing.T) {
	for step, want := range map[string]int{"commit.verdicts": 0, "commit.commit": 0, "commit.done": 1} {
		t.Run(step, func(t *testing.T) {
			dead := ""
			a := openStoryIn(t, "", t.TempDir()+"/slowburn.db", func(op string) error {
				if dead != "" && (op == dead || op == "commit.begin" && dead == "now") {
					dead = "now"
					return io.ErrUnexpectedEOF
				}
				return nil
			})
			a.Clock = func() time.Time { return notifytest.Story("", false)[0].Event.Time() }
			a.connect()
			check(t, a.lead(t.Context()))
			act := alerting.Act{Key: "k", Kind: alerting.Remark, By: "Ada", Text: "x", Incident: notifytest.Story("", false)[0].Incident.ID}
			check(t, a.db.Ask(t.Context(), store.Request{Key: act.Key, Kind: requestAct, At: a.Now(), Data: notify.JSON(act)}))
			dead = step
			if err := a.inbox.judgeAll(t.Context()); err == nil {
				t.Fatal("it did not die")
			}
			dead = ""
			acts := ok(a.db.Acts(t.Context(), store.ActFilter{}))(t)
			v, known, err := a.db.Verdict(t.Context(), act.Key)
			check(t, err)
			if answered := known && !v.At.IsZero(); len(acts) != want || answered != (want == 1) {
				t.Errorf("%d acts, answered %v", len(acts), answered)
			}
			check(t, a.inbox.judgeAll(t.Context())) // the next one
			acts = ok(a.db.Acts(t.Context(), store.ActFilter{}))(t)
			if v, _, _ = a.db.Verdict(t.Context(), act.Key); len(acts) != 1 || v.At.IsZero() {
				t.Errorf("in the end %d acts, answered %v", len(acts), v.At)
			}
		})
	}
}

// TestALeaderThatIsCutOffStandsByAgain: another one takes over, the first writes and sends nothing
// any more, follows when the network is back, and leads again when it is its turn, with what was
// decided meanwhile.
func TestALeaderThatIsCutOffStandsByAgain(t *testing.T) {
	t.Parallel()
	b := newBand(t)
	proxy := b.server.NewProxy(t)
	first := b.join(b.through(proxy))
	b.until("the first leads", first.leads)
	second := b.join(b.schema)
	proxy.Hold(true)
	b.until("the first stands by", func() bool { return !first.leads() })
	b.until("the second leads", second.leads)
	if first.leadsUntil().After(time.Now()) {
		t.Error("the first may still send")
	}
	if code, body := second.ask("/api/v1/acts", api.Act{Key: "n", Kind: alerting.Remark, By: "Ada", Incident: b.incident.ID, Text: "meanwhile"}, nil); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	proxy.Hold(false)
	page := func() bool { _, body := first.ask(b.page(), nil, nil); return strings.Contains(body, "meanwhile") }
	b.until("the first shows what was done meanwhile", page)
	b.until("it says who leads", func() bool {
		_, body := first.ask("/-/healthy", nil, nil)
		return strings.Contains(body, "another slowburn leads")
	})
	second.stop()
	b.until("the first leads again", first.leads)
	if code, body := first.ask("/api/v1/acts", api.Act{Key: "n2", Kind: alerting.Acknowledge, By: "Ben", Incident: b.incident.ID}, nil); code != http.StatusOK || !page() {
		t.Errorf("%d %s", code, body)
	}
	if acts := b.acts(b.open()); len(acts) != 2 {
		t.Errorf("acts: %v", acts)
	}
}

// still is a daemon that does nothing by itself.
func (b *band) still() *Daemon {
	b.t.Helper()
	cfg := parsed(b.t, "store: {postgres: '"+b.schema+"'}\n")
	a := ok(New(b.t.Context(), cfg, slo.NewSet([]*slo.Spec{notifytest.Spec()}, nil, nil), Options{
		Log: slog.New(slog.DiscardHandler), Clock: b.now, Every: time.Minute, Getenv: func(string) string { return "" },
	}))(b.t)
	b.t.Cleanup(func() { _ = a.Close() })
	return a
}

// resolve writes down, as whoever leads, that the incident of the story is over.
func (b *band) resolve(db *store.DB) {
	b.t.Helper()
	i, at := b.incident, notifytest.Story("", false)[0].Event.At
	i.Open, i.Resolved = false, b.now()
	check(b.t, db.Commit(b.t.Context(), store.Tick{At: b.now(), Turns: []store.Turn{{SLO: notifytest.ID, State: alerting.State{Through: at + 2}, Incidents: []alerting.Incident{i}}}}))
}

// TestWhoTakesOverHasWhatWasWrittenLast: what the one before has written since this one looked for
// the last time, it knows before it decides anything.
func TestWhoTakesOverHasWhatWasWrittenLast(t *testing.T) {
	t.Parallel()
	b := newBand(t)
	db := b.open()
	term := ok(db.Lead(t.Context(), nil))(t)
	a := b.still()
	b.resolve(db)
	term.Resign()
	check(t, a.lead(t.Context()))
	if n := a.Engine.Snapshot().Open.Len(); n != 1 {
		t.Fatalf("it has looked already: %d are open", n)
	}
	check(t, a.takeOver(t.Context()))
	if n := a.Engine.Snapshot().Open.Len(); n != 0 || a.Engine.Snapshot().Standby {
		t.Errorf("it begins with %d open incidents", n)
	}
}

// TestAStandbyThatFellBehindLoadsAnew: what it has missed was folded.
func TestAStandbyThatFellBehindLoadsAnew(t *testing.T) {
	t.Parallel()
	b := newBand(t)
	db := b.open()
	term := ok(db.Lead(t.Context(), nil))(t)
	defer term.Resign()
	a := b.still()
	if w := a.waitsFor(); w != "it is not known yet whether another slowburn leads" {
		t.Errorf("before it has asked it says %q", w)
	}
	follower := a.standby.follower
	b.resolve(db)
	check(t, db.Fold(t.Context(), nil))
	check(t, a.follow(t.Context()))
	if a.standby.follower == follower || a.Engine.Snapshot().Open.Len() != 0 {
		t.Errorf("%d incidents are open", a.Engine.Snapshot().Open.Len())
	}
	scheduled := a.drills.scheduled
	check(t, a.follow(t.Context()))
	if !a.drills.scheduled.Equal(scheduled) {
		t.Error("drills were recalled though nothing has changed")
	}
}

// TestWhoStepsDownLetsGoWhatOnlyItKnows: what was owed in memory alone is decided again by whoever
// leads.
func TestWhoStepsDownLetsGoWhatOnlyItKnows(t *testing.T) {
	t.Parallel()
	b := newBand(t)
	m := b.join(b.schema)
	b.until("it leads", m.leads)
	m.Pump.Owe([]outbox.Entry{{Key: "k", Receiver: "nobody", Lane: outbox.LanePage, Channel: "c", Thread: "k", Op: outbox.Post, Created: b.now(), Body: []byte("{}")}})
	if n := m.Pump.Summary().Unwritten; n != 1 {
		t.Fatalf("%d messages are owed in memory", n)
	}
	term := m.term.Load()
	term.Resign()
	b.until("it leads again", func() bool { return m.leads() && m.term.Load() != term })
	if n := m.Pump.Summary().Unwritten; n != 0 {
		t.Errorf("%d messages of the term before are owed in memory", n)
	}
}

// TestWhereOthersMaySendOnlyTheLeaderDoes: the outbox of a member sends as long as the lease lasts,
// and within it; that of a daemon that has its store for itself asks nobody.
func TestWhereOthersMaySendOnlyTheLeaderDoes(t *testing.T) {
	t.Parallel()
	b := newBand(t)
	first := b.join(b.schema)
	b.until("it leads", first.leads)
	second := b.join(b.schema)
	b.until("the second follows", func() bool { return second.waitsFor() == "another slowburn leads" })
	for m, leads := range map[*member]bool{first: true, second: false} {
		o := m.delivery()
		if o.Lease == nil || o.Attempt != sharedAttempt {
			t.Fatalf("it sends for %s, whoever leads", o.Attempt)
		}
		b.until("it may send if it leads", func() bool { return o.Lease().After(time.Now()) == leads })
	}
	if o := openStory(t, "").delivery(); o.Lease != nil {
		t.Error("a daemon that is alone asks whether it leads")
	}
}

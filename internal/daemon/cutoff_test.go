package daemon

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/web"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/promtest"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// begin sends a request that nobody waits for, but the end of the test.
func (m *member) begin(method, path string, body any) (ended <-chan struct{}) {
	m.t.Helper()
	over := make(chan struct{})
	var reads io.Reader = http.NoBody
	if body != nil {
		reads = strings.NewReader(string(notify.JSON(body)))
	}
	r := ok(http.NewRequestWithContext(context.Background(), method, m.url+path, reads))(m.t)
	r.Header.Set(web.TokenHeader, memberToken)
	go func() {
		defer close(over)
		if resp, err := http.DefaultClient.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}()
	return over
}

// TestALeaderThatIsCutOffStandsByWhateverItDoes: it has asked the database for something, holds
// what it locks meanwhile, and the answer never comes, because the network is gone and tells
// nobody. It stands by all the same when its term is over, and whoever has asked it for something
// gets an answer.
func TestALeaderThatIsCutOffStandsByWhateverItDoes(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	none := make(chan struct{})
	close(none)
	for name, c := range map[string]struct {
		table string // that nobody else can use
		waits string // the statement that waits for it
		deaf  bool   // Prometheus does not answer
		seat  seat
		do    func(*band, *member) (ended <-chan struct{})
	}{
		"tick": {table: "counters", waits: "update counters%", do: func(*band, *member) <-chan struct{} { return none }},
		"digest": {
			table: "incidents", waits: "%from incidents%", seat: seat{config: "reports: [{name: weekly, schedule: \"0 9 * * TUE\"}]\n"},
			do: func(b *band, _ *member) <-chan struct{} {
				b.jump(30 * time.Hour) // to Tuesday, 18 o'clock
				return none
			},
		},
		"what is owed": {
			table: "outbox", waits: "select count(%) from outbox where key%", deaf: true,
			seat: seat{config: "slack: {channel: \"#x\", api_url: \"http://127.0.0.1:9/\"}\n", env: map[string]string{"SLACK_BOT_TOKEN": "xoxb-1"}},
			do: func(b *band, _ *member) <-chan struct{} {
				b.jump(time.Hour) // so long Prometheus does not answer, which people are told
				return none
			},
		},
		"act": {table: "incidents", waits: "%from incidents%id = $1", do: func(_ *band, m *member) <-chan struct{} {
			return m.begin(http.MethodPost, "/api/v1/acts", api.Act{Key: "x", Kind: alerting.Remark, By: "Ada", Incident: "checkout/availability/page/x", Text: "x"})
		}},
		"metrics":   {table: "outbox", waits: "select state, count%", do: func(_ *band, m *member) <-chan struct{} { return m.begin(http.MethodGet, "/metrics", nil) }},
		"incidents": {table: "incidents", waits: "%from incidents%limit%", do: func(_ *band, m *member) <-chan struct{} { return m.begin(http.MethodGet, "/api/v1/incidents", nil) }},
		"delivery":  {table: "outbox", waits: "%outbox%", do: func(_ *band, m *member) <-chan struct{} { return m.begin(http.MethodGet, "/api/v1/delivery", nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBandOn(t, server)
			proxy := b.server.NewProxy(t)
			if !c.deaf {
				c.seat.source = promtest.Serve(t, promfake.New(promfake.Options{Now: b.now}).Handler())
			}
			c.seat.address, c.seat.every = b.through(proxy), time.Second
			m := b.seat(c.seat)
			t.Cleanup(func() { proxy.Hold(false) })
			b.until("it leads", m.leads)
			term := m.term.Load()
			b.server.Lock(t, b.name()+"."+c.table)
			ended := c.do(b, m)
			b.until("it waits for an answer", func() bool { return b.server.Waits(t, c.waits) })
			proxy.Hold(true)
			<-term.Lost()
			b.until("it stands by", func() bool { return !m.leads() })
			b.until("who has asked is answered", func() bool {
				select {
				case <-ended:
					return true
				default:
					return false
				}
			})
		})
	}
}

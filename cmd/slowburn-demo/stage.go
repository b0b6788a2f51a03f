package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/internal/daemon"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/shop"
	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/slo"
)

// The story, on the shop's clock. It plays on a Monday morning, so that the weekly report falls
// into it.
const (
	storyBegins  = 8*time.Hour + 20*time.Minute // the shop goes live, on the last Monday
	outageAfter  = 6 * time.Minute
	outageLength = 20 * time.Minute
	storyLength  = 75 * time.Minute
	weekLead     = 30 * time.Minute // before the reported week, slowburn is started
	demoSeed     = 7
)

// stage is everything around the daemon: the shop, its Prometheus, and Slack.
type stage struct {
	DB     *promfake.DB
	shop   *shop.Shop
	prom   *promfake.Server
	slack  *slacktest.Server
	outage shop.Outage
	dir    string
	door   *promfake.Server
	begin  time.Time // when slowburn was started in the shop
	clock  atomic.Pointer[shop.Clock]

	releases []shop.Release // that slowburn was not told of yet
}

// now returns the shop's time: what every part of the demo takes for the time of day.
func (s *stage) now() time.Time { return s.clock.Load().At(time.Now()) }

// set puts the shop's clock to a time and a speed.
func (s *stage) set(at time.Time, speed float64) {
	s.clock.Store(&shop.Clock{Wall: time.Now(), Shop: at, Speed: speed})
}

// play shows the story, live or at once.
func (d *demo) play(ctx context.Context) error {
	s, err := d.build()
	if err != nil {
		return err
	}
	defer s.close()
	a, err := d.wire(ctx, s)
	if err != nil {
		return err
	}
	if d.Once {
		fmt.Fprintln(d.out, "A small shop on a Monday morning, on a simulated clock. What slowburn sends to Slack:")
	} else {
		fmt.Fprintln(d.out, "\n  The shop lives through its week until Monday morning: some seconds …")
	}
	err = s.openDoor(a)
	if err == nil {
		err = week{s, a, s.begin, s.shop.Live()}.live(ctx)
	}
	if err != nil {
		return errors.Join(err, a.Close())
	}
	if d.Once {
		return errors.Join(d.once(ctx, s, a), a.Close())
	}
	return d.live(ctx, s, a)
}

// build makes the stage with its month of history.
func (d *demo) build() (*stage, error) {
	s := &stage{}
	monday := lastMonday(d.now())
	live := monday.Add(storyBegins)
	s.begin = monday.AddDate(0, 0, -7).Add(-weekLead)
	s.set(s.begin, 0)
	s.DB = promfake.New(promfake.Options{Now: s.now})
	s.shop = shop.New(demoSeed, s.DB, live)
	s.outage = shop.Story(live.Add(outageAfter), outageLength)
	for _, o := range append(shop.Week(monday), s.outage) {
		if err := s.shop.Stage(o); err != nil {
			return nil, err
		}
	}
	s.releases = s.shop.Releases(s.begin)
	s.shop.Fill(s.begin)
	var err error
	if s.dir, err = os.MkdirTemp("", "slowburn-demo-"); err != nil {
		return nil, err
	}
	if s.prom, err = promfake.Start(s.DB.Handler()); err != nil {
		s.close()
		return nil, err
	}
	s.slack, err = slacktest.Listen(slacktest.Options{
		Addr: d.slackAddress(), Now: s.now, SignedAt: time.Now, Team: "The shop", AppName: "slowburn", Users: people,
		Channels: []slacktest.Channel{{ID: "C01", Name: "checkout-oncall"}, {ID: "C02", Name: "reliability"}, {ID: "C03", Name: "reliability-leads"}},
	})
	if err != nil {
		s.close()
		return nil, fmt.Errorf("the Slack stand-in cannot listen: %w (choose another place with --slack.listen-address)", err)
	}
	return s, nil
}

// slackAddress returns any free port in a run that nobody looks at.
func (d *demo) slackAddress() string {
	if d.Once {
		return "127.0.0.1:0"
	}
	return d.Slack
}

// lastMonday returns the beginning of the newest Monday that is wholly in the past, in UTC: the
// story must not lie ahead of the wall's clock.
func lastMonday(t time.Time) time.Time {
	t = t.UTC().Truncate(slo.Day)
	days := (int(t.Weekday()) + 6) % 7
	if days == 0 {
		days = 7
	}
	return t.AddDate(0, 0, -days)
}

func (s *stage) close() {
	if s.slack != nil {
		s.slack.Close()
	}
	for _, srv := range []*promfake.Server{s.door, s.prom} {
		if srv != nil {
			_ = srv.Close()
		}
	}
	_ = os.RemoveAll(s.dir)
}

// wire makes the real daemon, wired as serve wires it, on the stage's clock.
func (d *demo) wire(ctx context.Context, s *stage) (*daemon.Daemon, error) {
	cfg, set, err := s.writeFiles()
	if err != nil {
		return nil, err
	}
	o := daemon.Options{
		Log: d.log, Clock: s.now, Lag: daemon.DefaultLag, Getenv: d.secrets(s),
		Every: time.Duration(float64(daemon.TickEvery) / d.Speed),
	}
	if d.Once {
		o.ExternalURL = "http://" + d.Listen
	} else if o.Listener, err = net.Listen("tcp", d.Listen); err != nil {
		return nil, fmt.Errorf("listening: %w (choose another place with --web.listen-address)", err)
	} else {
		o.ExternalURL = "http://" + o.Listener.Addr().String()
	}
	return daemon.New(ctx, cfg, set, o)
}

// secrets returns those of the stand-in. Live, buttons come over Socket Mode.
func (d *demo) secrets(s *stage) func(string) string {
	return func(name string) string {
		switch {
		case name == "SLACK_BOT_TOKEN":
			return s.slack.Token
		case name == "SLACK_SIGNING_SECRET":
			return s.slack.SigningSecret()
		case name == "SLACK_APP_TOKEN" && !d.Once:
			return s.slack.AppToken
		}
		return ""
	}
}

// demoConfig is the configuration of the demo, as a user would write it.
const demoConfig = `# The configuration of this demo.
prometheus: {url: %q}
slos: [slos/]
slack: {api_url: %q, channel: "#reliability"}
reports:
  - {name: weekly, schedule: "0 9 * * MON", channel: "#reliability-leads"}
policy:
  caution_below: 25%%
  freeze_below: 0%%
  postmortem_at: 20%%
  notify: {channel: "#reliability-leads"}
postmortems: {path: postmortems/}
`

// writeFiles puts configuration and SLO files where a person can read them while the demo runs, and
// loads them.
func (s *stage) writeFiles() (config.Config, *slo.Set, error) {
	files := map[string]string{"slowburn.yaml": fmt.Sprintf(demoConfig, s.prom.URL, s.slack.APIURL())}
	for name, text := range shop.SLOFiles() {
		files[filepath.Join("slos", name)] = text
	}
	if err := os.Mkdir(filepath.Join(s.dir, "slos"), 0o755); err != nil {
		return config.Config{}, nil, err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
			return config.Config{}, nil, err
		}
	}
	return config.LoadAll(filepath.Join(s.dir, "slowburn.yaml"))
}

// live runs the daemon on the accelerated clock until it is interrupted.
func (d *demo) live(ctx context.Context, s *stage, a *daemon.Daemon) error {
	fmt.Fprintf(d.out, `
  slowburn-demo: a small shop, its Prometheus, Slack and the daemon, in this process.

    Slack       %s    what people see: #checkout-oncall; press its buttons, say /slowburn status
    slowburn    http://%s    budgets, burn rates, incidents, reports
    Prometheus  %s    the real PromQL engine behind its API
    Files       %s
                configuration, SLOs, postmortems
    Token       %s
                for the form on an incident's page: it is in this file

  Last week is there already: look around. Then watch #checkout-oncall: somebody is about to be paged.
  The shop's clock runs %.0f times faster than yours. It is %s there.
`, s.slack.URL(), a.Listener.Addr(), s.prom.URL, s.dir, filepath.Join(s.dir, "data", "slowburn.db.token"), d.Speed, s.now().Format("Monday 15:04"))
	s.set(s.now(), d.Speed)
	s.shop.Fill(s.now()) // before the daemon looks, or what the week left out would be missing data
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go s.play(ctx, a, d.out)
	return a.Run(ctx)
}

// play lets the shop go on, and says what happens on the stage.
func (s *stage) play(ctx context.Context, a *daemon.Daemon, out io.Writer) {
	cues := s.cues()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := s.now()
		s.shop.Fill(now)
		if err := s.record(ctx, a, now); err != nil {
			fmt.Fprintf(out, "    the release could not be recorded: %v\n", err)
		}
		for len(cues) > 0 && !now.Before(cues[0].at) {
			fmt.Fprintf(out, "    %s  %s\n", cues[0].at.Format("15:04"), cues[0].text)
			cues = cues[1:]
			if len(cues) == 0 {
				s.set(now, 1)
			}
		}
	}
}

// cue is what happens in the shop at some time.
type cue struct {
	at   time.Time
	text string
}

func (s *stage) cues() []cue {
	live := s.shop.Live()
	return []cue{
		{live, "all is well"},
		{s.outage.Start.Add(-s.outage.Lead), "checkout " + s.outage.Version + " is deployed"},
		{s.outage.Start, "payments by card begin to fail"},
		{s.outage.End(), "the deployment is rolled back"},
		{live.Add(40 * time.Minute), "nine o'clock: the report of last week comes to #reliability-leads"},
		{live.Add(storyLength), "the story is over; the shop goes on in real time. Stop with Ctrl-C"},
	}
}

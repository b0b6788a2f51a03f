package web

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/outbox"
	"github.com/slowburn-sre/slowburn/internal/store"
)

// registerMetrics registers everything but the metrics of SLOs that is read when it is asked for,
// and the runtime's own metrics.
func registerMetrics(s *server) {
	s.Registry.MustRegister(
		s.refusals.count,
		outboxCollector{s},
		pagingCollector{s},
		auditCollector{s},
		versioncollector.NewCollector("slowburn"),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "slowburn_evaluation_last_timestamp_seconds", Help: "When the newest tick was, on the evaluation's clock; that of the leader where another daemon leads.",
		}, func() float64 { return unix(s.Source.Snapshot().Last.At) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "slowburn_evaluation_through_timestamp_seconds", Help: "The time up to which everything that could be read is evaluated.",
		}, func() float64 { return unix(s.Source.Snapshot().Last.Through) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "slowburn_evaluation_decided_within_seconds", Help: "How far the newest decided minute of any SLO may be from now: max_lateness of the SLO that waits longest, and 15 minutes.",
		}, func() float64 { return s.decidedWithin().Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "slowburn_config_last_reload_successful", Help: "1 if the newest reload of the configuration was good, else 0.",
		}, func() float64 { return truth(s.Reloaded().OK) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "slowburn_config_last_reload_success_timestamp_seconds", Help: "When the configuration was last loaded well.",
		}, func() float64 {
			if at := s.Reloaded().At; at != nil {
				return unix(*at)
			}
			return unix(time.Time{})
		}),
	)
}

var (
	descEntries = prometheus.NewDesc("slowburn_outbox_entries", "Messages in the outbox by state; dead ones were given up.", []string{"state"}, nil)
	descOldest  = prometheus.NewDesc("slowburn_outbox_oldest_pending_age_seconds", "Age of the oldest message that is still owed, 0 if none is.", nil, nil)
)

// readOutbox reads how full the outbox is, and how its channels do.
func (s *server) readOutbox(ctx context.Context) (depth store.Depth, channels []store.Delivery, err error) {
	if depth, err = s.Archive.Depth(ctx); err == nil {
		channels, err = s.Archive.Deliveries(ctx)
	}
	if ctx.Err() == nil {
		s.unread.Tried(s.Log, outboxUnread, err)
	}
	return depth, channels, err
}

const outboxUnread = "cannot read the outbox"

// outboxCollector reads the outbox when it is scraped. If the store cannot be read, its metrics are
// absent; one that is known not to answer is not waited for.
type outboxCollector struct{ *server }

// Describe names the metrics.
func (c outboxCollector) Describe(ch chan<- *prometheus.Desc) { ch <- descEntries; ch <- descOldest }

// Collect reads the depth of the outbox.
func (c outboxCollector) Collect(ch chan<- prometheus.Metric) {
	if !c.Archive.Silent().IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	depth, err := c.Archive.Depth(ctx)
	if c.unread.Tried(c.Log, outboxUnread, err); err != nil {
		return
	}
	for _, state := range []outbox.State{outbox.Pending, outbox.Sent, outbox.Superseded, outbox.Dead} {
		ch <- prometheus.MustNewConstMetric(descEntries, prometheus.GaugeValue, float64(depth.Count[state]), string(state))
	}
	age := 0.0
	if !depth.Oldest.IsZero() {
		age = max(c.Now().Sub(depth.Oldest).Seconds(), 0)
	}
	ch <- prometheus.MustNewConstMetric(descOldest, prometheus.GaugeValue, age)
}

var (
	wayLabels   = []string{"receiver", "channel"}
	descUp      = prometheus.NewDesc("slowburn_receiver_up", "0 if pages and tickets do not arrive there: at a receiver, and of Slack a channel; 1 if nothing is known to be wrong.", wayLabels, nil)
	descUpSince = prometheus.NewDesc("slowburn_receiver_since_timestamp_seconds", "Since when the destination works or does not; absent before the first message to it since the start.", wayLabels, nil)
	descUpTaken = prometheus.NewDesc("slowburn_receiver_last_success_timestamp_seconds", "When the destination took its newest message; absent before the first since the start.", wayLabels, nil)
)

var (
	descRoutes = prometheus.NewDesc("slowburn_drill_routes", "Pairs of a service's severity and a destination, by whether a drill has proven it within seven days.", []string{"proven"}, nil)
	descDrill  = prometheus.NewDesc("slowburn_drill_last_success_timestamp_seconds", "When a drill has proven the destination last; absent before the first.", wayLabels, nil)
)

// pagingCollector reads how the destinations of pages stand when it is scraped.
type pagingCollector struct{ *server }

// Describe names the metrics.
func (c pagingCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUp, descUpSince, descUpTaken, descRoutes, descDrill} {
		ch <- d
	}
}

// Collect reads every destination.
func (c pagingCollector) Collect(ch chan<- prometheus.Metric) {
	p := c.Paging()
	ch <- prometheus.MustNewConstMetric(descRoutes, prometheus.GaugeValue, float64(p.Proven), "yes")
	ch <- prometheus.MustNewConstMetric(descRoutes, prometheus.GaugeValue, float64(p.Routes-p.Proven), "no")
	for _, w := range p.Destinations {
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, w.Receiver, w.Channel)
		}
		gauge(descUp, truth(w.State != api.DestinationDown))
		if w.Since != nil {
			gauge(descUpSince, unix(*w.Since))
		}
		if w.LastTaken != nil {
			gauge(descUpTaken, unix(*w.LastTaken))
		}
		if w.Drill != nil && w.Drill.LastProven != nil {
			gauge(descDrill, unix(*w.Drill.LastProven))
		}
	}
}

var (
	descActs      = prometheus.NewDesc("slowburn_audit_acts", "The number of the newest act in the log; absent until the log was looked at.", nil, nil)
	descHead      = prometheus.NewDesc("slowburn_audit_head", "The first 48 bits of the hash of the newest act, as a number: printf '%012x'.", nil, nil)
	descLogFaults = prometheus.NewDesc("slowburn_audit_faults", "What was found in the log of acts that slowburn has not written; 0 if it is whole.", nil, nil)
)

// auditCollector reads how the log of acts stood at the newest look.
type auditCollector struct{ *server }

// Describe names the metrics.
func (c auditCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descActs, descHead, descLogFaults} {
		ch <- d
	}
}

// Collect gives what is known.
func (c auditCollector) Collect(ch chan<- prometheus.Metric) {
	a := c.Audit()
	if a == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	gauge(descActs, float64(a.Acts))
	gauge(descHead, float64(store.Place{Seq: a.Acts, Hash: a.Hash}.Number()))
	gauge(descLogFaults, float64(a.Found))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/engine"
	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// heartbeat is an address that is asked as long as everything works. Who watches it alerts when the
// asking stops: whatever is wrong with slowburn, it is noticed from outside.
type heartbeat struct {
	address notify.Secret // "" is nobody
	every   time.Duration
}

// pulse asks the heartbeat's address after ticks that worked.
type pulse struct {
	ways    *waysInForce
	pump    *outbox.Pump
	paging  func() api.Paging
	log     *slog.Logger
	metrics receiverMetrics

	worked chan struct{} // a tick did
}

// receiverMetrics count what the outbox does not.
type receiverMetrics struct {
	fallbacks *prometheus.CounterVec
	notKept   *prometheus.CounterVec
	beats     *prometheus.CounterVec
	lastBeat  prometheus.Gauge
}

func newReceiverMetrics(r prometheus.Registerer) receiverMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := receiverMetrics{
		fallbacks: counter("slowburn_outbox_fallbacks_total", "Pages that went out through another receiver because one did not take them.", "from", "to"),
		notKept:   counter("slowburn_alertmanager_repeat_failures_total", "Repetitions of the open alerts that an Alertmanager did not take. The label leg is the old name of receiver.", "receiver", "leg"),
		beats:     counter("slowburn_heartbeats_total", "Heartbeats by outcome: sent, failed, or withheld because something does not work.", "outcome"),
		lastBeat:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "slowburn_heartbeat_last_success_timestamp_seconds", Help: "When the heartbeat was last taken."}),
	}
	r.MustRegister(m.fallbacks, m.notKept, m.beats, m.lastBeat)
	return m
}

// unwritten shows what is owed in memory alone.
func unwritten(p *outbox.Pump) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "slowburn_outbox_unwritten_entries",
		Help: "Messages that only memory has, or of which only memory knows that they were sent, because the store cannot be written.",
	}, func() float64 { return float64(p.Summary().Unwritten) })
}

// observe takes a tick: the heartbeat goes on if everything worked, that and delivery.
func (p *pulse) observe(s engine.Summary) {
	if p.ways.Load().heartbeat.address == "" {
		return
	}
	if !s.Good() || !p.pump.Summary().Healthy() || !p.paging().OK {
		p.metrics.beats.WithLabelValues("withheld").Inc()
		return
	}
	select {
	case p.worked <- struct{}{}:
	default: // one is waiting already
	}
}

// run asks the address after ticks that worked, no more often than its interval says.
func (p *pulse) run(ctx context.Context) error {
	client := notify.NewClient()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.worked:
		}
		h := p.ways.Load().heartbeat
		if h.address == "" || time.Since(last) < h.every-h.every/10 { // ticks jitter
			continue
		}
		last = time.Now()
		if err := h.ping(ctx, client); err != nil {
			p.metrics.beats.WithLabelValues("failed").Inc()
			p.log.Warn("the heartbeat was not taken", "err", err)
			continue
		}
		p.metrics.beats.WithLabelValues("sent").Inc()
		p.metrics.lastBeat.SetToCurrentTime()
	}
}

// pingTimeout bounds one heartbeat.
const pingTimeout = 10 * time.Second

// ping asks the address once. The error does not hold it: it may be a secret.
func (h heartbeat) ping(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.address.Reveal(), http.NoBody)
	if err != nil {
		return errors.New("the address is malformed")
	}
	resp, err := client.Do(req)
	if err != nil {
		return notify.NetworkFailure(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		return errors.New("http " + strconv.Itoa(resp.StatusCode))
	}
	return nil
}

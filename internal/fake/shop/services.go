package shop

import (
	"math"
	"strconv"

	"github.com/prometheus/common/model"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/metadata"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/chance"
)

// service is one part of the shop. instrument registers the metrics of a new pod and returns what
// the pod does in an interval.
type service struct {
	name       string
	version    string // major and minor; releases count the patch
	replicas   int
	instrument func(*pod) func(moment)
}

// services are the parts of the shop.
var services = []service{
	{name: "checkout", version: "v2.3", replicas: 3, instrument: checkout},
	{name: "payments", version: "v1.8", replicas: 2, instrument: payments},
	{name: "partners", version: "v0.9", replicas: 1, instrument: partners},
	{name: "orders-worker", version: "v3.1", replicas: 1, instrument: ordersWorker},
	{name: "web", version: "v5.0", replicas: 1, instrument: web},
}

// Background shares of work that go wrong on a good day.
const (
	noise     = 0.0002 // of requests fail: a fifth of a 99.9 % budget
	grpcNoise = 0.00008
	slowShare = 0.004 // of requests take longer than 300 ms
)

// exemplarShare is the chance that an interval with errors on a good day leaves an exemplar. In an
// outage every interval does.
const exemplarShare = 0.1

// checkout returns an HTTP API with a classic latency histogram.
func checkout(p *pod) func(moment) {
	routes := []struct {
		path string  // and, of /pay, the payment
		rps  float64 // requests per second and pod, on average
		endpoint
	}{
		{"/cart", 10, httpEndpoint(p, "/cart")},
		{"/orders", 4, httpEndpoint(p, "/orders")},
		{"/pay card", 3.7, httpEndpoint(p, "/pay", "payment", "card")},
		{"/pay wallet", 2.3, httpEndpoint(p, "/pay", "payment", "wallet")},
	}
	latency := classic(p, "http_request_duration_seconds", []float64{0.05, 0.1, 0.3, 1, 3})
	throttled := p.counter("container_cpu_cfs_throttled_periods_total", "container", p.job)
	periods := p.counter("container_cpu_cfs_periods_total", "container", p.job)
	return func(m moment) {
		var all float64
		for _, r := range routes {
			all += r.serve(p, m, r.rps*m.seconds*m.load, noise, m.failing(r.path))
		}
		latency.observe(p, all, slowShare*m.load, m)
		periods.value += m.seconds * 10
		throttled.value += chance.Binomial(p.rng, m.seconds*10, 0.02*m.load)
	}
}

// endpoint counts the requests of one route by status code.
type endpoint struct{ ok, notFound, failed *metric }

func httpEndpoint(p *pod, route string, pairs ...string) endpoint {
	code := func(code string) []string { return append([]string{"route", route, "code", code}, pairs...) }
	return endpoint{
		ok:       p.counter("http_requests_total", code("200")...),
		notFound: p.lazyCounter("http_requests_total", code("404")...),
		failed:   p.lazyCounter("http_requests_total", code("500")...),
	}
}

// serve handles about mean requests, of which the share noise fails always and the share outage of
// the others too. It returns how many there were.
func (e endpoint) serve(p *pod, m moment, mean, noise, outage float64) float64 {
	n := chance.Poisson(p.rng, mean)
	bad := chance.Binomial(p.rng, n, noise+outage)
	missing := chance.Binomial(p.rng, n-bad, 0.003)
	e.failed.value += bad
	e.notFound.value += missing
	e.ok.value += n - bad - missing
	if bad > 0 && (outage > 0 || p.rng.Float64() < exemplarShare) {
		p.trace(e.failed, 1, m.t)
	}
	return n
}

// payments returns a gRPC service.
func payments(p *pod) func(moment) {
	methods := []struct {
		name                   string
		ok, invalid, down, all *metric
		latency                *classicHistogram
	}{{name: "Authorize"}, {name: "Capture"}}
	for i := range methods {
		c := &methods[i]
		pairs := []string{"grpc_service", "shop.Payments", "grpc_method", c.name, "grpc_type", "unary"}
		code := func(code string) []string { return append(pairs[:len(pairs):len(pairs)], "grpc_code", code) }
		c.all = p.counter("grpc_server_started_total", pairs...)
		c.ok = p.counter("grpc_server_handled_total", code("OK")...)
		c.invalid = p.lazyCounter("grpc_server_handled_total", code("InvalidArgument")...)
		c.down = p.lazyCounter("grpc_server_handled_total", code("Unavailable")...)
		c.latency = classic(p, "grpc_server_handling_seconds", []float64{0.05, 0.1, 0.3, 1, 3}, pairs...)
	}
	return func(m moment) {
		for _, c := range methods {
			n := chance.Poisson(p.rng, 3.75*m.seconds*m.load)
			bad := chance.Binomial(p.rng, n, grpcNoise+m.failing(c.name))
			invalid := chance.Binomial(p.rng, n-bad, 0.002)
			c.all.value += n
			c.down.value += bad
			c.invalid.value += invalid
			c.ok.value += n - bad - invalid
			c.latency.observe(p, n, slowShare, m)
		}
	}
}

// partners returns an HTTP API that hardly anybody calls.
func partners(p *pod) func(moment) {
	e := httpEndpoint(p, "/export")
	latency := classic(p, "http_request_duration_seconds", []float64{0.5, 1, 2.5})
	return func(m moment) {
		n := e.serve(p, m, 40.0/3600*m.seconds*m.load, 0.002, m.failing("/export"))
		latency.observe(p, n, slowShare, m)
	}
}

// ordersWorker takes jobs from a queue. When it fails, the queue grows and its head gets old;
// afterwards it works off what has piled up.
func ordersWorker(p *pod) func(moment) {
	ok := p.counter("jobs_processed_total", "result", "ok")
	failed := p.lazyCounter("jobs_processed_total", "result", "failed")
	depth := p.outside(0, "queue_depth", "queue:9187", "queue", "orders")
	oldest := p.outside(0, "queue_oldest_seconds", "queue:9187", "queue", "orders")
	const jobsPerSecond, headroom = 5.0, 4.0
	var waiting float64
	return func(m moment) {
		arrived := chance.Poisson(p.rng, jobsPerSecond*m.load*m.seconds)
		capacity := math.Round(jobsPerSecond * headroom * m.seconds * (1 - m.failing("")))
		done := math.Min(waiting+arrived, capacity)
		waiting += arrived - done
		bad := chance.Binomial(p.rng, done, 0.0001)
		failed.value += bad
		ok.value += done - bad
		inFlight := chance.Poisson(p.rng, 3*m.load)
		depth.value = waiting + inFlight
		oldest.value = math.Round(10*(waiting/(jobsPerSecond*m.load)+2+3*p.rng.Float64())) / 10
	}
}

// web returns the front end: a probe from outside, and latency as a native histogram.
func web(p *pod) func(moment) {
	const page = "https://shop.example.com/"
	up := p.outside(1, "probe_success", page)
	took := p.outside(0.1, "probe_duration_seconds", page)
	native := p.add(&metric{hist: emptyNative()}, "http_server_request_duration_seconds", "http_route", "/")
	return func(m moment) {
		up.value = 1
		if p.rng.Float64() < m.failing("")+0.00003 {
			up.value = 0
		}
		took.value = math.Round(1000*(0.08+0.05*m.load*p.rng.Float64())) / 1000
		observeNative(native.hist, p, chance.Poisson(p.rng, 8*m.load*m.seconds), m)
	}
}

// instrumentRuntime registers what every pod has: its version and how full it is.
func instrumentRuntime(p *pod) {
	p.gauge(1, "up")
	p.gauge(1, "build_info", "version", p.version)
	if p.replica == 0 {
		p.outside(float64(p.generation), "kube_deployment_status_observed_generation", "kube-state-metrics:8080", "deployment", p.job, "job", "kube-state-metrics")
	}
	fds := p.gauge(40, "process_open_fds")
	p.gauge(1024, "process_max_fds")
	goroutines := p.gauge(30, "go_goroutines")
	p.run = func(m moment) {
		if m.t.Unix()%300 >= int64(m.seconds) {
			return // these move slowly: a new value every five minutes is enough
		}
		fds.value = math.Round(40 + 60*m.load + 5*p.rng.Float64())
		goroutines.value = math.Round(30 + 80*m.load + 10*p.rng.Float64())
	}
}

// classicHistogram is a histogram with a series per bucket.
type classicHistogram struct {
	buckets    []*metric // cumulative; the last is +Inf
	count, sum *metric
	slow       int // index of the first bucket of a slow request
	width      []float64
}

// classic registers a histogram with these upper bounds (in seconds).
func classic(p *pod, name string, bounds []float64, pairs ...string) *classicHistogram {
	h := &classicHistogram{width: append(bounds, 2*bounds[len(bounds)-1])}
	for _, le := range bounds {
		h.buckets = append(h.buckets, p.counter(name+"_bucket", append(pairs[:len(pairs):len(pairs)], "le", formatBound(le))...))
	}
	h.buckets = append(h.buckets, p.counter(name+"_bucket", append(pairs[:len(pairs):len(pairs)], "le", "+Inf")...))
	h.count, h.sum = p.counter(name+"_count", pairs...), p.counter(name+"_sum", pairs...)
	h.slow = min(3, len(bounds)-1)
	return h
}

// observe spreads n requests over the buckets: about six of ten into the fastest, most of the rest
// below the slow bound, the share slow above it.
func (h *classicHistogram) observe(p *pod, n, slow float64, m moment) {
	left := n
	take := func(share float64) float64 {
		k := chance.Binomial(p.rng, left, share)
		left -= k
		return k
	}
	slowOnes := take(slow)
	below := 0.0
	for i, b := range h.buckets {
		k := 0.0
		switch {
		case i < h.slow-1:
			k = take(0.62)
		case i == h.slow-1:
			k = left
		case i < len(h.buckets)-1:
			k = math.Ceil(slowOnes * 0.9)
			slowOnes -= k
		default:
			k = slowOnes
		}
		below += k
		b.value += below
		h.sum.value += math.Round(k*h.width[i]*600) / 1000
		if i >= h.slow && k > 0 && p.rng.Float64() < exemplarShare/10 {
			p.trace(b, h.width[i]*0.8, m.t)
		}
	}
	h.count.value += n
}

// emptyNative returns a native histogram of schema 2 (four buckets per doubling) over 32 ms to 1 s.
func emptyNative() *histogram.Histogram {
	return &histogram.Histogram{
		Schema: 2, ZeroThreshold: 1e-9,
		PositiveSpans:   []histogram.Span{{Offset: -19, Length: 20}},
		PositiveBuckets: make([]int64, 20),
	}
}

// observeNative adds n observations around 90 ms with a tail.
func observeNative(h *histogram.Histogram, p *pod, n float64, m moment) {
	shares := []float64{.04, .08, .12, .16, .2, .22, .26, .3, .34, .4, .4, .5, .5, .5, .5, .5, .6, .6, .7, 1}
	slow := m.failing("")
	left := n - chance.Binomial(p.rng, n, slow)
	var carry int64 // buckets are stored as differences to the one before
	for i, share := range shares {
		k := left
		if i < len(shares)-1 {
			k = chance.Binomial(p.rng, left, share)
		}
		left -= k
		if i == len(shares)-1 {
			k += chance.Binomial(p.rng, n, slow)
		}
		h.PositiveBuckets[i] += int64(k) - carry
		carry = int64(k)
		h.Count += uint64(k)
		h.Sum += k * 0.032 * math.Pow(2, float64(i)/4)
	}
}

// describe tells the DB what the metrics mean.
func describe(db *promfake.DB) {
	for _, d := range []struct {
		name string
		typ  model.MetricType
		help string
	}{
		{"http_requests_total", model.MetricTypeCounter, "HTTP requests by route and status code."},
		{"http_request_duration_seconds", model.MetricTypeHistogram, "Time to answer an HTTP request."},
		{"http_server_request_duration_seconds", model.MetricTypeHistogram, "Duration of HTTP server requests."},
		{"grpc_server_started_total", model.MetricTypeCounter, "RPCs started on the server."},
		{"grpc_server_handled_total", model.MetricTypeCounter, "RPCs completed on the server, by code."},
		{"grpc_server_handling_seconds", model.MetricTypeHistogram, "Time to handle an RPC."},
		{"jobs_processed_total", model.MetricTypeCounter, "Jobs taken from the queue, by result."},
		{"queue_depth", model.MetricTypeGauge, "Jobs waiting or in work."},
		{"queue_oldest_seconds", model.MetricTypeGauge, "Age of the oldest waiting job."},
		{"probe_success", model.MetricTypeGauge, "Whether the probe succeeded."},
		{"probe_duration_seconds", model.MetricTypeGauge, "How long the probe took."},
		{"process_open_fds", model.MetricTypeGauge, "Open file descriptors."},
		{"process_max_fds", model.MetricTypeGauge, "Most file descriptors allowed."},
		{"go_goroutines", model.MetricTypeGauge, "Goroutines that exist."},
		{"container_cpu_cfs_periods_total", model.MetricTypeCounter, "CPU periods elapsed."},
		{"container_cpu_cfs_throttled_periods_total", model.MetricTypeCounter, "CPU periods throttled."},
		{"kube_deployment_status_observed_generation", model.MetricTypeGauge, "Generation seen by the deployment controller."},
		{"build_info", model.MetricTypeGauge, "Version that runs."},
		{"up", model.MetricTypeGauge, "Whether the last scrape succeeded."},
	} {
		db.SetMetadata(d.name, metadata.Metadata{Type: d.typ, Help: d.help})
	}
}

// formatBound writes a bucket bound the way Prometheus 3 does: 1 is "1.0".
func formatBound(le float64) string {
	s := strconv.FormatFloat(le, 'g', -1, 64)
	if le == math.Trunc(le) {
		s += ".0"
	}
	return s
}

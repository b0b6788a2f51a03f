package integration_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/alerting"
	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/integration/servers"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

// remoteWrite sends samples to a Prometheus as another one does, with the protocol written by hand:
// a protobuf of series in a block of snappy that compresses nothing.
type remoteWrite struct {
	t     testing.TB
	url   string
	shown func() // lets what was sent be asked for; nil where it can be at once
	buf   []byte
}

// staleMarker ends a series.
var staleMarker = math.Float64frombits(0x7ff0000000000002)

// add adds a sample of a series, whose labels are sorted pairs.
func (w *remoteWrite) add(labels []string, at time.Time, v float64) {
	field := func(b []byte, n int, body []byte) []byte {
		b = append(b, byte(n<<3|2))
		return append(binary.AppendUvarint(b, uint64(len(body))), body...)
	}
	var series []byte
	for i := 0; i < len(labels); i += 2 {
		series = field(series, 1, field(field(nil, 1, []byte(labels[i])), 2, []byte(labels[i+1])))
	}
	sample := binary.LittleEndian.AppendUint64([]byte{1<<3 | 1}, math.Float64bits(v))
	sample = binary.AppendUvarint(append(sample, 2<<3), uint64(at.UnixMilli()))
	w.buf = field(w.buf, 1, field(series, 2, sample))
}

// send delivers what was added.
func (w *remoteWrite) send() {
	w.t.Helper()
	if len(w.buf) == 0 {
		return
	}
	block := binary.AppendUvarint(nil, uint64(len(w.buf)))
	for part := range slices.Chunk(w.buf, 1<<16) {
		block = append(block, 61<<2, byte((len(part)-1)&0xff), byte((len(part)-1)>>8))
		block = append(block, part...)
	}
	w.buf = w.buf[:0]
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/api/v1/write", bytes.NewReader(block))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		w.t.Fatalf("remote write: %s: %s", resp.Status, body)
	}
	if w.shown != nil {
		w.shown()
	}
}

// receiving is a Prometheus that takes what is sent to it.
func receiving(t *testing.T) *remoteWrite {
	t.Helper()
	return &remoteWrite{t: t, url: servers.Prometheus(t, servers.PrometheusOptions{Flags: []string{"--web.enable-remote-write-receiver"}}).URL}
}

// trouble is what happens to the counters of one job from minute 30 on. Of a scrape it returns the
// labels that are added, the value, whether there is one, and how late it is written.
type trouble func(n int, since time.Duration) (more []string, value float64, shown bool, late time.Duration)

const (
	oldCounter = 5_000_000
	perScrape  = 60
	podsOfJob  = 2
)

// stays is a scrape of which nothing is to be said.
func stays(n int) ([]string, float64, bool, time.Duration) {
	return nil, oldCounter + float64(perScrape*n), true, 0
}

// during is trouble in a stretch of minutes from minute 30 on.
func during(length time.Duration, what trouble) trouble {
	return func(n int, since time.Duration) ([]string, float64, bool, time.Duration) {
		if since < 0 || length > 0 && since >= length {
			return stays(n)
		}
		return what(n, since)
	}
}

var troubles = map[string]trouble{
	"plain": func(n int, _ time.Duration) ([]string, float64, bool, time.Duration) { return stays(n) },
	"label-added": during(0, func(n int, _ time.Duration) ([]string, float64, bool, time.Duration) {
		_, v, _, _ := stays(n)
		return []string{"zone", "a"}, v, true, 0
	}),
	"scrape-gap": during(100*time.Second, func(int, time.Duration) ([]string, float64, bool, time.Duration) { return nil, 0, false, 0 }),
	"write-stall": during(4*time.Minute, func(n int, since time.Duration) ([]string, float64, bool, time.Duration) {
		_, v, _, _ := stays(n)
		return nil, v, true, 4*time.Minute - since
	}),
	"restart": during(0, func(_ int, since time.Duration) ([]string, float64, bool, time.Duration) {
		return nil, float64(perScrape * (1 + int(since/scrapeEvery))), true, 0
	}),
	"le-respelled": during(0, func(n int, _ time.Duration) ([]string, float64, bool, time.Duration) {
		_, v, _, _ := stays(n)
		return []string{"le", "1.0"}, v, true, 0
	}),
	"bucket-gone": during(2*time.Minute, func(n int, _ time.Duration) ([]string, float64, bool, time.Duration) {
		_, v, _, _ := stays(n)
		return nil, v, false, 0
	}),
	"outage": during(10*time.Minute, func(n int, _ time.Duration) ([]string, float64, bool, time.Duration) { return stays(n) }),
}

// write is a sample to be written, not before a time.
type written struct {
	labels []string
	at     time.Time
	value  float64
	due    time.Time
}

// arrivals are all samples of the jobs over an hour, in the order in which they are written.
func arrivals(start time.Time) (out []written) {
	for job, what := range troubles {
		histogram := job == "le-respelled" || job == "bucket-gone"
		for pod := range podsOfJob {
			last := map[string][]string{}
			for n := range int(time.Hour / scrapeEvery) {
				at := start.Add(time.Duration(n)*scrapeEvery + time.Duration(3+8*pod)*time.Second)
				more, value, shown, late := what(n, at.Sub(start.Add(30*time.Minute)))
				add := func(name string, v float64, shown bool, pairs ...string) {
					pairs = append(pairs, "job", job, "instance", fmt.Sprint("pod-", pod))
					labels := []string{"__name__", name}
					for _, l := range slices.Sorted(maps.Keys(pairsOf(pairs))) {
						labels = append(labels, l, pairsOf(pairs)[l])
					}
					if old := last[name]; old != nil && (!shown || !slices.Equal(old, labels)) && late == 0 && job != "scrape-gap" {
						out = append(out, written{old, at, staleMarker, at})
						delete(last, name)
					}
					if shown {
						out = append(out, written{labels, at, v, at.Add(late)})
						last[name] = labels
					}
				}
				switch {
				case histogram:
					add("d_count", oldCounter+float64(perScrape*n), true)
					if len(more) == 0 {
						more = []string{"le", "1"}
					}
					add("d_bucket", value, shown, more...)
				case job == "outage": // a fifth fails for ten minutes
					failed := float64(perScrape/5) * min(max(float64(n)-120, 0), 40)
					add("requests_total", value-failed, true, "code", "200")
					out = append(out, written{[]string{"__name__", "requests_total", "code", "500", "instance", fmt.Sprint("pod-", pod), "job", job}, at, failed, at})
				default:
					add("requests_total", value, shown, append(more, "code", "200")...)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b written) int {
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return a.at.Compare(b.at)
	})
	return out
}

func pairsOf(list []string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(list); i += 2 {
		out[list[i]] = list[i+1]
	}
	return out
}

// arrivalSLOs has an SLO for each job.
func arrivalSLOs() (files []string) {
	for _, job := range slices.Sorted(maps.Keys(troubles)) {
		sli := fmt.Sprintf(`{events: {total: 'requests_total{job="%[1]s"}', bad: 'requests_total{job="%[1]s",code=~"5.."}'}}`, job)
		if strings.Contains(job, "le-") || strings.Contains(job, "bucket") {
			sli = fmt.Sprintf(`{latency: {histogram: 'd{job="%s"}', below: 1s}}`, job)
		}
		files = append(files, fmt.Sprintf("version: slowburn/v1\nservice: %s\nslos:\n  - name: slo\n    objective: 99.9\n    sli: %s\n    alerts: {spent: off}\n", job, sli))
	}
	const rates = `{events: {total: 'sum(rate(requests_total{job="write-stall"}[$window]))', bad: 'sum(rate(requests_total{job="write-stall",code=~"5.."}[$window]))'}}`
	return append(files, fmt.Sprintf("version: slowburn/v1\nservice: expression\nslos:\n  - name: slo\n    objective: 99.9\n    sli: %s\n    alerts: {spent: off}\n", rates))
}

// TestDataAsTheyComeFromARealServer: what an upgrade, a relabelling, a gap in scraping, a remote
// write that stalls, a bucket that is gone and a restart do to samples pages nobody and loses
// nothing; an outage beside them is paged.
func TestDataAsTheyComeFromARealServer(t *testing.T) {
	t.Run("Prometheus", func(t *testing.T) { testDataAsTheyCome(t, receiving(t)) })
	t.Run("VictoriaMetrics", func(t *testing.T) {
		server := servers.VictoriaMetrics(t)
		testDataAsTheyCome(t, &remoteWrite{t: t, url: server.URL, shown: func() { server.Import(t, "") }})
	})
}

func testDataAsTheyCome(t *testing.T, w *remoteWrite) {
	t.Helper()
	start := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Hour)
	samples := arrivals(start)
	d := newDaemon(t, w.url, start.Add(20*time.Minute), arrivalSLOs()...)
	for d.now.Before(start.Add(56 * time.Minute)) {
		for len(samples) > 0 && samples[0].due.Before(d.now) {
			w.add(samples[0].labels, samples[0].at, samples[0].value)
			samples = samples[1:]
		}
		w.send()
		d.run(d.now)
	}
	for _, i := range d.incidents("") {
		if i.SLO.Service() != "outage" {
			t.Errorf("an incident that is none: %+v", i)
		}
	}
	if n := len(d.incidents(alerting.RulePage)); n != 1 {
		t.Errorf("%d pages, want the outage's", n)
	}
	from, to := start.Add(24*time.Minute), start.Add(50*time.Minute)
	want := int64(to.Sub(from)/scrapeEvery) * perScrape * podsOfJob * budget.Unit
	for job := range troubles {
		bad := int64(0)
		if job == "outage" {
			bad = 40 * perScrape / 5 * podsOfJob * budget.Unit
		}
		if s := d.sum(slo.ID(job+"/slo"), from, to); s.Total != want || s.Bad != bad {
			t.Errorf("%s: %d of %d thousandths, want %d of %d", job, s.Bad, s.Total, bad, want)
		}
	}
	if s := d.sum("expression/slo", from, to); s.Total < want*9999/10_000 || s.Total > want*10_001/10_000 {
		t.Errorf("rates of what stalled: %d thousandths, want %d", s.Total, want)
	}
}

// TestALargeMetricOfARealPrometheus: what no answer can hold is read in parts, exactly; what no
// label divides is added up, as an estimate.
func TestALargeMetricOfARealPrometheus(t *testing.T) {
	w := receiving(t)
	start := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Hour)
	const pods, users, scrapes = 300, 5_010, 28
	for n := range scrapes {
		at := start.Add(time.Duration(n)*30*time.Second + 3*time.Second)
		for i := range users {
			w.add([]string{"__name__", "users_total", "instance", "1", "job", "users", "user", fmt.Sprint(i)}, at, float64(2*n))
			if i < pods {
				w.add([]string{"__name__", "pods_total", "instance", fmt.Sprint("pod-", i), "job", "pods"}, at, float64(2*n))
			}
		}
		w.send()
	}
	for metric, want := range map[string]int64{"pods_total": 4 * pods * budget.Unit, "users_total": 4 * users * budget.Unit} {
		query := func(text string) *slo.Query {
			q, err := slo.ParseQuery(text)
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		spec := &slo.Spec{Service: "svc", Name: "x", SLI: slo.Indicator{Kind: slo.Events, Total: query(metric), Bad: query(metric + `{code="500"}`)}}
		limit := int64(20 << 10)
		if metric == "users_total" {
			limit = 300 << 10
		}
		client, err := prom.NewClient(prom.ClientOptions{URL: w.url, MaxBytes: limit})
		if err != nil {
			t.Fatal(err)
		}
		r, decided := prom.New(client, prom.Options{}), 0
		for minute := 5; minute < scrapes/2; minute++ {
			b := r.Read(t.Context(), []*slo.Spec{spec}, start.Add(time.Duration(minute)*time.Minute+31*time.Second))
			r.Commit(b)
			for _, s := range b.Readings["svc/x"].Slots {
				if decided++; s.Slot.Total != want || s.Slot.Estimated != (metric == "users_total") {
					t.Errorf("%s: %s is %+v, want %d", metric, s.At.Time(), s.Slot, want)
				}
			}
		}
		if decided < 7 {
			t.Errorf("%s: %d minutes were decided", metric, decided)
		}
		r.Close()
		client.CloseIdle()
	}
}

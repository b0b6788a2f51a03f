package conformance_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/slowburn-sre/slowburn/budget"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake/truth"
	"github.com/slowburn-sre/slowburn/internal/prom"
	"github.com/slowburn-sre/slowburn/slo"
)

var (
	historyDays   = flag.Int("history.days", 6, "days of history that BenchmarkHistory reads")
	historyOthers = flag.Int("history.others", 96, "how many ordinary services it has beside its 48 worlds of trouble, of eight series each")
)

// historyStart is when the worlds begin: a whole hour, some time ago.
var historyStart = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// BenchmarkHistory lets a real Prometheus, a process of its own, answer for the history of SLOs
// that are seen for the first time, and beside it increase[1h] over the same. It compares how much
// CPU time the server spends, and how far the budgets are from what the samples can show. It fails
// if reading costs more than twice as much as increase[1h], or errs by more than 0.3 %.
func BenchmarkHistory(b *testing.B) {
	path, err := exec.LookPath("prometheus")
	if err != nil {
		b.Skip("prometheus is not installed")
	}
	db := promfake.New(promfake.Options{})
	worlds, specs := playWorlds(b, db, time.Duration(*historyDays)*24*time.Hour, *historyOthers)
	dir := filepath.Join(b.TempDir(), "data")
	samples := writeBlocks(b, db, dir, *historyDays)
	server := startPrometheus(b, path, dir)
	from, end := budget.MinuteOf(historyStart)+60, budget.MinuteOf(historyStart)+budget.Minute(*historyDays)*24*60
	for range b.N {
		server.warm(b, end)
		cpu, wall := server.cpu(b), time.Now()
		ledgers, usage := readHistory(b, server.url, specs, from, end)
		ours, elapsed := server.cpu(b)-cpu, time.Since(wall)
		cpu, wall = server.cpu(b), time.Now()
		usual := server.increases(b, from, end)
		theirs := server.cpu(b) - cpu
		b.Logf("%d days, %.1f M samples: we read %.1f M in %d queries and %.1f MB; server CPU %s (%s), increase[1h] %s (%s)", *historyDays, samples/1e6,
			float64(usage.Samples)/1e6, usage.Queries, float64(usage.Bytes)/1e6, ours, elapsed.Round(time.Second), theirs, time.Since(wall).Round(time.Second))
		errs, others := map[string][]float64{}, map[string][]float64{}
		for name, w := range worlds {
			seen := w.Shown(from.Time(), end.Time())
			sum := ledgers[slo.ID("svc/"+name)].Sum(from, end)
			tier := strings.Split(name, "-")[strings.Count(name, "-")-1]
			e := offBy(float64(sum.Bad)/budget.Unit, float64(seen.Bad))
			if e > 0.3 {
				b.Errorf("%s: %.2f bad events, the samples show %d", name, float64(sum.Bad)/budget.Unit, seen.Bad)
			}
			errs[tier] = append(errs[tier], e)
			others[tier] = append(others[tier], offBy(usual[name], float64(seen.Bad)))
		}
		for _, tier := range truth.Tiers {
			slices.Sort(errs[tier.Name])
			slices.Sort(others[tier.Name])
			n := len(errs[tier.Name])
			b.Logf("%-8s bad events off by, median (largest): %.4f (%.4f) %%; increase[1h]: %.3g (%.3g) %%", tier.Name,
				errs[tier.Name][n/2], errs[tier.Name][n-1], others[tier.Name][n/2], others[tier.Name][n-1])
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(ours.Seconds()/theirs.Seconds(), "server-cpu/increase")
		if ours > 2*theirs {
			b.Errorf("the server spent %s, %s on increase[1h]; the bound is twice that", ours, theirs)
		}
	}
}

func offBy(got, want float64) float64 { return math.Abs(got-want) / max(want, 1) * 100 }

// playWorlds plays every kind of trouble at every amount of traffic, and ordinary services beside
// them.
func playWorlds(b *testing.B, db *promfake.DB, length time.Duration, others int) (map[string]*truth.Truth, []*slo.Spec) {
	kinds := slices.Clone(truth.Kinds)
	for range others / len(truth.Tiers) {
		kinds = append(kinds, truth.Ordinary)
	}
	worlds, specs := map[string]*truth.Truth{}, []*slo.Spec(nil)
	for i, kind := range kinds {
		for k, tier := range truth.Tiers {
			o := truth.Of(kind, tier, uint64(100*i+k), historyStart, length, 30*time.Second)
			o.Services[0].Name += fmt.Sprintf("-%d", i)
			w, err := truth.Generate(db, o)
			if err != nil {
				b.Fatal(err)
			}
			name := o.Services[0].Name
			worlds[name] = w.Services[0]
			specs = append(specs, &slo.Spec{Service: "svc", Name: name, SLI: slo.Indicator{
				Kind: slo.Events, Total: selector(b, name, ""), Bad: selector(b, name, `,code="500"`),
			}})
		}
	}
	return worlds, specs
}

func selector(b *testing.B, job, more string) *slo.Query {
	q, err := slo.ParseQuery(fmt.Sprintf(`http_requests_total{job=%q%s}`, job, more))
	if err != nil {
		b.Fatal(err)
	}
	return q
}

// readHistory reads all of it by the hour.
func readHistory(b *testing.B, url string, specs []*slo.Spec, from, end budget.Minute) (map[slo.ID]*budget.Ledger, prom.Usage) {
	client, err := prom.NewClient(prom.ClientOptions{URL: url, Timeout: 5 * time.Minute, Stats: true})
	if err != nil {
		b.Fatal(err)
	}
	defer client.CloseIdle()
	ledgers := map[slo.ID]*budget.Ledger{}
	work := prom.New(client, prom.Options{}).Backfill(specs, prom.Plan{From: from, Fine: end, To: end})
	for !work.Done() {
		batch := work.Next(context.Background())
		if len(batch.Failures) > 0 {
			b.Fatal(batch.Failures[0].Err)
		}
		for id, reading := range batch.Readings {
			if ledgers[id] == nil {
				ledgers[id] = &budget.Ledger{}
			}
			for _, h := range reading.Hours {
				if h.Sum.Estimated > 0 {
					b.Errorf("%s: hour %d is an estimate", id, h.Hour)
				}
				ledgers[id].PutHour(h.Hour, h.Sum)
			}
		}
	}
	return ledgers, client.Usage()
}

// writeBlocks copies everything into the blocks of a real database, a day each.
func writeBlocks(b *testing.B, db *promfake.DB, dir string, days int) (samples float64) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		b.Fatal(err)
	}
	for day := range days {
		from := historyStart.Add(time.Duration(day) * 24 * time.Hour).UnixMilli()
		to := from + 24*time.Hour.Milliseconds() - 1
		w, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), dir, 2*24*time.Hour.Milliseconds()) // half of it may lie before the newest sample
		if err != nil {
			b.Fatal(err)
		}
		q, err := db.Querier(from, to)
		if err != nil {
			b.Fatal(err)
		}
		app := w.Appender(context.Background())
		set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "http_requests_total"))
		for set.Next() {
			for it := set.At().Iterator(nil); it.Next() != chunkenc.ValNone; {
				if ms, v := it.At(); ms >= from && ms <= to {
					if _, err := app.Append(0, set.At().Labels(), ms, v); err != nil {
						b.Fatal(err)
					}
					samples++
				}
			}
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		_, _ = w.Close(), q.Close()
	}
	return samples
}

// realServer is a Prometheus that was installed.
type realServer struct {
	url string
	pid int
}

func startPrometheus(b *testing.B, path, data string) realServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	config := filepath.Join(b.TempDir(), "prometheus.yml")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(path, "--config.file="+config, "--storage.tsdb.path="+data, "--storage.tsdb.retention.time=4000d", "--web.listen-address="+address, "--query.timeout=10m")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	s := realServer{"http://" + address, cmd.Process.Pid}
	for range 600 {
		if resp, err := http.Get(s.url + "/-/ready"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return s
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatal("prometheus is not ready")
	return s
}

// cpu is the user and system time of the server.
func (s realServer) cpu(b *testing.B) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		b.Skip("only where there is /proc")
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// warm asks for something, so that whoever comes first does not pay for opening the blocks.
func (s realServer) warm(b *testing.B, end budget.Minute) {
	for at := budget.MinuteOf(historyStart) + 60; at < end; at += 24 * 60 {
		s.rangeOf(b, "sum(count_over_time(http_requests_total[5m]))", at, at+60, func(string, float64) {})
	}
}

// increases adds up the hourly increases of the bad events of every job, as one query over all
// codes gives them, five days at a time.
func (s realServer) increases(b *testing.B, from, end budget.Minute) map[string]float64 {
	found := map[string]float64{}
	for at := from; at < end; at += 5 * 24 * 60 {
		s.rangeOf(b, "sum by (job, code) (increase(http_requests_total[1h]))", at, min(at+5*24*60, end), func(series string, v float64) {
			if job, bad := strings.CutSuffix(series, " 500"); bad {
				found[job] += v
			}
		})
	}
	return found
}

// rangeOf asks for the hours of [from, to) and calls f with every value, and "job code" of its
// series.
func (s realServer) rangeOf(b *testing.B, query string, from, to budget.Minute, f func(string, float64)) {
	s.steps(b, query, from.Time().Add(time.Hour), to.Time(), time.Hour, f)
}

// steps asks for a query's values from one time to another and calls f with each, and "job code" of
// its series.
func (s realServer) steps(b *testing.B, query string, from, to time.Time, step time.Duration, f func(string, float64)) {
	resp, err := http.PostForm(s.url+"/api/v1/query_range", url.Values{
		"query": {query}, "start": {fmt.Sprint(from.Unix())}, "end": {fmt.Sprint(to.Unix())}, "step": {fmt.Sprint(step.Seconds())},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.NewDecoder(bufio.NewReader(resp.Body)).Decode(&answer); err != nil || answer.Error != "" {
		b.Fatal(err, answer.Error)
	}
	for _, r := range answer.Data.Result {
		for _, v := range r.Values {
			n, _ := strconv.ParseFloat(fmt.Sprint(v[1]), 64)
			f(r.Metric["job"]+" "+r.Metric["code"], n)
		}
	}
}

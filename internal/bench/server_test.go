package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// The embedded Prometheus of the fleet runs in a process of its own, so that its CPU time and
// memory are not ours. That process is this test binary, started once more with an order in its
// environment.

const (
	orderServices = "SLOWBURN_BENCH_SERVICES" // how many services to serve
	orderMinutes  = "SLOWBURN_BENCH_MINUTES"  // how many minutes of samples they have
)

// TestMain is the tests, or the server if there is an order.
func TestMain(m *testing.M) {
	if text := os.Getenv(orderServices); text != "" {
		var services, minutes int
		_, err1 := fmt.Sscan(text, &services)
		_, err2 := fmt.Sscan(os.Getenv(orderMinutes), &minutes)
		if err1 != nil || err2 != nil {
			os.Exit(2)
		}
		serveFleet(services, minutes)
		return
	}
	os.Exit(m.Run())
}

const (
	seriesPerService = 6
	scrapeEvery      = 30 * time.Second
)

// serveFleet writes the samples, prints the address and serves until its input ends, which it does
// with its parent.
func serveFleet(services, minutes int) {
	db := promfake.New(promfake.Options{})
	for i := range services {
		for k := range seriesPerService {
			s := db.Series(labels.FromStrings("__name__", "http_requests_total", "job", serviceName(i), "namespace", "default", "cluster", "eu-west-1",
				"instance", fmt.Sprintf("10.0.%d.%d:8080", i, k/3), "code", []string{"200", "404", "500"}[k%3]))
			offset := time.Duration(i%29)*time.Second + time.Second/2
			for n := range minutes * int(time.Minute/scrapeEvery) {
				at := t0.Add(offset + time.Duration(n)*scrapeEvery)
				if err := s.Append(at.UnixMilli(), float64(n*perScrape(k))); err != nil {
					panic(err)
				}
			}
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/", db.Handler())
	mux.HandleFunc("/cost", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(cost{CPU: ownCPU(), Samples: db.Stats().SamplesRead, Queries: db.Stats().Queries})
	})
	srv, err := promfake.Start(mux)
	if err != nil {
		panic(err)
	}
	fmt.Println(srv.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = srv.Close()
}

// perScrape is the increment of a service's k-th series: every third one is failures, of which
// there are few.
func perScrape(k int) int {
	if k%3 == 2 {
		return 1
	}
	return 3000 * (k + 1)
}

func serviceName(i int) string { return fmt.Sprintf("service-%04d", i) }

// cost is what a process has spent so far.
type cost struct {
	CPU     time.Duration // user and system
	Samples int64         // read by queries
	Queries int64
}

// ownCPU is the user and system time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fleetServer is the other process.
type fleetServer struct{ url string }

func startFleet(b *testing.B, services, minutes int) fleetServer {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", orderServices, services), fmt.Sprintf("%s=%d", orderMinutes, minutes))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return fleetServer{strings.TrimSpace(line)}
}

// cost asks the server what it has spent.
func (s fleetServer) cost(b *testing.B) (c cost) {
	b.Helper()
	resp, err := http.Get(s.url + "/cost")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		b.Fatal(err)
	}
	return c
}

package servers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/slowburn-sre/slowburn/integration/servers"
)

// patience bounds the wait for something a real server does in its own time, such as the next
// scrape.
const patience = 30 * time.Second

func TestPrometheusAnswersFromHistoryAndScrapes(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE scraped_total counter\nscraped_total{code=\"200\"} 7\n")
	}))
	defer target.Close()

	start := time.Now().Add(-48 * time.Hour).Truncate(time.Hour)
	prom := servers.Prometheus(t, servers.PrometheusOptions{
		Scrape:      []string{target.URL},
		OpenMetrics: counterHistory("history_total", start, 121),
	})

	at := start.Add(2 * time.Hour)
	if got := scalar(t, prom.URL, "increase(history_total[1h])", at); got != 600 {
		t.Errorf("increase over one hour of the history = %v, want 600", got)
	}
	eventually(t, "the target is scraped", func() bool {
		return scalar(t, prom.URL, "scraped_total", time.Now()) == 7
	})
}

func TestPrometheusKeepsAddressAndDataOverARestart(t *testing.T) {
	start := time.Now().Add(-48 * time.Hour).Truncate(time.Hour)
	prom := servers.Prometheus(t, servers.PrometheusOptions{
		OpenMetrics: counterHistory("history_total", start, 61),
	})
	before := prom.URL
	at := start.Add(time.Hour)
	if got := scalar(t, prom.URL, "history_total", at); got != 600 {
		t.Fatalf("history_total after one hour = %v, want 600", got)
	}

	prom.Stop(t)
	if _, err := http.Get(prom.URL + "/-/ready"); err == nil {
		t.Error("a stopped server answers")
	}

	prom.Start(t)
	if prom.URL != before {
		t.Errorf("address after the restart = %s, want %s", prom.URL, before)
	}
	if got := scalar(t, prom.URL, "history_total", at); got != 600 {
		t.Errorf("history_total after the restart = %v, want 600", got)
	}
}

func TestVictoriaMetricsAnswersImportedSamples(t *testing.T) {
	vm := servers.VictoriaMetrics(t)
	start := time.Now().Add(-2 * time.Hour).Truncate(time.Minute)
	var text strings.Builder
	for i := range 61 {
		at := start.Add(time.Duration(i) * time.Minute)
		fmt.Fprintf(&text, "imported_total{code=\"500\"} %d %d\n", 10*i, at.UnixMilli())
	}
	vm.Import(t, text.String())

	if got := scalar(t, vm.URL, "imported_total", start.Add(time.Hour)); got != 600 {
		t.Errorf("imported_total after one hour = %v, want 600", got)
	}
}

func TestAlertmanagerForwardsAnAlert(t *testing.T) {
	bodies := make(chan string, 16)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	}))
	defer hook.Close()
	am := servers.Alertmanager(t, hook.URL)

	alert := `[{"labels":{"alertname":"SlowBurn","service":"checkout"},"annotations":{"summary":"spends its budget"}}]`
	resp, err := http.Post(am.URL+"/api/v2/alerts", "application/json", strings.NewReader(alert))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("posting an alert answered %s", resp.Status)
	}

	var got struct {
		Status string `json:"status"`
		Alerts []struct {
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	select {
	case body := <-bodies:
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
	case <-time.After(patience):
		t.Fatalf("nothing was forwarded\n%s", am.Output())
	}
	if got.Status != "firing" || len(got.Alerts) != 1 || got.Alerts[0].Labels["service"] != "checkout" {
		t.Errorf("forwarded %+v", got)
	}
}

// counterHistory is OpenMetrics text of a counter that grows by 10 a minute from zero at start.
func counterHistory(name string, start time.Time, minutes int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# TYPE %s counter\n", strings.TrimSuffix(name, "_total"))
	for i := range minutes {
		at := start.Add(time.Duration(i) * time.Minute)
		fmt.Fprintf(&b, "%s %d %d\n", name, 10*i, at.Unix())
	}
	b.WriteString("# EOF\n")
	return b.String()
}

// scalar asks an instant query through the official client and returns the value of its only
// series, or -1 when there is none (yet).
func scalar(t *testing.T, url, query string, at time.Time) float64 {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: url})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	value, _, _, err := promv1.NewAPI(client).Query(ctx, query, at)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	vector, ok := value.(model.Vector)
	if !ok || len(vector) != 1 {
		return -1
	}
	return float64(vector[0].Value)
}

// eventually waits until the condition holds, and fails the test when it does not within patience.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("waited %s in vain until %s", patience, what)
}

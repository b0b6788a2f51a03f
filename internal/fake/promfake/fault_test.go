package promfake_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// broken starts a server with one series and the given failure.
func broken(t *testing.T, do promfake.Failure) (url string) {
	t.Helper()
	db := promfake.New(promfake.Options{Now: func() time.Time { return at(1500) }})
	ramp(t, db, lset("c_total", "pod", "a"), 100)
	ramp(t, db, lset("c_total", "pod", "b"), 100)
	db.Faults.Add(promfake.Fault{When: promfake.OnQuery("c_total"), Do: do})
	url, _ = open(t, db)
	return url + "/api/v1/query?query=c_total"
}

func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		do     promfake.Failure
		status int
		want   string // in the body
	}{
		{"an error status in Prometheus' words", promfake.Status(503), 503, `"errorType":"timeout","error":"injected: Service Unavailable"`},
		{"a status Prometheus never sends", promfake.Status(429), 429, `"errorType":"internal"`},
		{"an error under 200", promfake.ErrorBody("internal", "boom"), 200, `{"status":"error","errorType":"internal","error":"boom"}`},
		{"a page in place of JSON", promfake.HTML(200), 200, "<h1>Please sign in</h1>"},
		{"a body of one's own", promfake.Body(200, "application/json", "{}"), 200, "{}"},
		{"half the JSON", promfake.Truncated(), 200, `{"status":"success"`},
		{"a warning beside the truth", promfake.Warn("store gone"), 200, `"1500"]}]},"warnings":["store gone"]}`},
		{"a part of the series with a warning", promfake.Partial(1, "store gone"), 200, `"pod":"a"},"value":[1793611500,"1500"]}]},"warnings":["store gone"]}`},
		{"numbers out of range", promfake.Values("1e309"), 200, `"pod":"a"},"value":[1793611500,"1e309"]},`},
		{"not numbers", promfake.Values("NaN"), 200, `"pod":"b"},"value":[1793611500,"NaN"]}]}}`},
		{"every series twice", promfake.Duplicate(), 200, `"pod":"b"},"value":[1793611500,"1500"]},{"metric":{"__name__":"c_total","pod":"a"`},
		{"a redirect", promfake.Redirect(302, "http://127.0.0.1:1"), 302, "127.0.0.1:1/api/v1/query?query=c_total"},
		{"a slow truth", promfake.SlowBody(3, time.Millisecond), 200, `"pod":"b"},"value":[1793611500,"1500"]}]}}`},
		{"a late truth", promfake.Delay(time.Millisecond), 200, `"pod":"b"},"value":[1793611500,"1500"]}]}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, err := http.DefaultTransport.RoundTrip(request(t, context.Background(), broken(t, tc.do)))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status || !strings.Contains(string(body), tc.want) {
				t.Errorf("got %d %s\nwant %d …%s…", resp.StatusCode, body, tc.status, tc.want)
			}
		})
	}
}

// request is a GET without redirects, cookies or any other help.
func request(t *testing.T, ctx context.Context, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestBrokenConnections(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   promfake.Failure
	}{
		{"a reset before the answer", promfake.Reset()},
		{"a cut in the middle of the answer", promfake.Cut()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tr := &http.Transport{DisableKeepAlives: true}
			resp, err := tr.RoundTrip(request(t, context.Background(), broken(t, tc.do)))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil {
				t.Error("the client saw no error")
			}
		})
	}
}

func TestHangEndsWithTheClientOrTheServer(t *testing.T) {
	url := broken(t, promfake.Hang())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := http.DefaultTransport.RoundTrip(request(t, ctx, url))
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func TestOversizedAnswers(t *testing.T) {
	resp, err := http.DefaultTransport.RoundTrip(request(t, context.Background(), broken(t, promfake.Oversized(3<<20))))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n < 3<<20 {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

func TestPlanCountsAndClears(t *testing.T) {
	db := promfake.New(promfake.Options{})
	url, _ := open(t, db)
	hits := db.Faults.Add(promfake.Fault{When: promfake.OnPath("/labels"), After: 1, Times: 2, Do: promfake.Status(500)})
	var got []int
	for range 5 {
		status, _ := get(t, url+"/api/v1/labels")
		got = append(got, status)
	}
	want := []int{200, 500, 500, 200, 200}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("one passes, two fail, the rest passes: got %v, want %v", got, want)
		}
	}
	if n := hits(); n != 2 {
		t.Errorf("hits: got %d, want 2", n)
	}
	db.Faults.Fail(promfake.Status(500))
	if status, _ := get(t, url+"/-/ready"); status != 500 {
		t.Errorf("an unconditional fault let %d through", status)
	}
	db.Faults.Clear()
	if status, _ := get(t, url+"/-/ready"); status != 200 {
		t.Errorf("after Clear: %d", status)
	}
}

package promfake_test

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// A test writes an hour of samples at once, lets the server believe it is half past nine, and asks
// over HTTP.
func Example() {
	nine := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	db := promfake.New(promfake.Options{Now: func() time.Time { return nine.Add(30 * time.Minute) }})
	requests := db.Series(labels.FromStrings("__name__", "http_requests_total", "job", "checkout"))
	for s := 0; s < 3600; s += 30 {
		if err := requests.Append(nine.Add(time.Duration(s)*time.Second).UnixMilli(), float64(10*s)); err != nil {
			fmt.Println(err)
		}
	}

	server, err := promfake.Start(db.Handler())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, _ := api.NewClient(api.Config{Address: server.URL})
	value, _, _, err := v1.NewAPI(client).Query(context.Background(), `http_requests_total[1m]`, time.Time{})
	fmt.Println(value, err)

	db.Faults.Fail(promfake.Status(503))
	_, _, _, err = v1.NewAPI(client).Query(context.Background(), `http_requests_total`, time.Time{})
	fmt.Println(err)

	// Output:
	// http_requests_total{job="checkout"} =>
	// 17700 @[1793611770]
	// 18000 @[1793611800] <nil>
	// server_error: server error: 503
}

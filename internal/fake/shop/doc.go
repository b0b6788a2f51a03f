// Package shop is a small web shop that does not exist: five services whose metrics can be
// generated for any span of time, past or future.
//
// It is the stage of the demo and a source of realistic data for tests. The shop writes what
// Prometheus would have scraped, every 30 seconds, straight into a promfake.DB:
//
//	checkout       HTTP, 3 pods, ~60 requests/s: orders and money
//	payments       gRPC, 2 pods, ~15 calls/s
//	partners       HTTP, 1 pod, ~40 requests an hour: the low-traffic case
//	orders-worker  jobs from a queue, with the age of the oldest job
//	web            a probed front end with native histograms
//
// The numbers follow a day and a week, pods restart, deployments replace pods and reset counters,
// the first error of a pod creates its series, and a few incidents lie in the past (see [Past]).
//
// # How it works
//
// Every pod is one scrape target with a random generator of its own. Filling time means: while the
// target's next scrape is due, draw what happened since the last one, add it to the counters,
// append a sample per series. Nothing depends on the wall clock or on how time is cut into calls of
// [Shop.Fill]: one call for a month and one call a second write the same samples.
//
// # One clock
//
// The demo plays in its own time. [Clock] maps the wall clock to the shop's clock, faster by some
// factor; the embedded Prometheus, the daemon and the shop all read that one clock, so nothing
// about them needs to know.
//
// # Reading order
//
// shop.go (time and targets), outage.go (what goes wrong and when), pod.go (counters of one pod),
// services.go (what the five do), load.go (the day and the week), slos.go and slos/*.yaml (what was
// promised).
package shop

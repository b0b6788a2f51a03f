// Package web shows what slowburn knows: pages for people, a JSON API for programs, metrics for
// Prometheus, and health for whoever keeps it running.
//
// It reads and never decides. Everything comes through two read-only interfaces declared here:
// [Source] is the engine's memory, [Archive] is the store. The only thing that can be done over
// HTTP is to reload the configuration.
//
// # How to read
//
// web.go holds the options and the routes. guard.go is what every request passes first: the
// headers, the Host check, the limits. types.go is the reference of the JSON API, convert.go fills
// its types and api.go serves them. metrics.go and evaluation.go are the metrics, health.go is
// health, readiness and reload, serve.go the listener.
//
// The pages are rendered here, once, as plain HTML that works without a script: pages.go gathers
// what a page shows, words.go puts figures into words, chart.go draws, and templates/ lays out.
// They load nothing from elsewhere; one style sheet is embedded and served.
//
// # What is not known
//
// is null in JSON, absent from the metrics, a gap in a chart, and a dash with its reason on a page.
// It is never a nought.
package web

// Package web shows what slowburn knows: pages for people, a JSON API for programs, metrics for
// Prometheus, and health for whoever keeps it running.
//
// It reads and never decides. Everything comes through two read-only interfaces declared here:
// [Source] is the engine's memory, [Archive] is the store. What people do goes out through
// [Options].Do, and only from those who have proven who they are and may do it. From where they
// come proves nothing. who.go knows them.
//
// # How to read
//
// web.go holds the options and the routes, and what all parts share: server. Above it stand
// jsonAPI, which answers programs, and site, which shows pages. guard.go is what every request
// passes first: the headers, the Host check, the limits. Package api has the shapes of the JSON
// API; convert.go fills those that need the engine or the store, and api.go serves them. metrics.go
// and evaluation.go are the metrics, health.go is health, readiness and reload, serve.go the
// listener.
//
// The pages are rendered here, once, as plain HTML that works without a script. live.go tells those
// who have one that there is something new, and live.js changes what differs. pages.go serves
// them; overview.go, servicepage.go, slopage.go (with calendar.go, power.go and journey.go),
// incidentpage.go, reportpage.go and lists.go gather what a page shows; words.go puts figures into
// words; table.go, chart.go and markdown.go make HTML of it, and templates/ lays it out. They load
// nothing from elsewhere; one style sheet is embedded and served.
//
// # What is not known
//
// is null in JSON, absent from the metrics, a gap in a chart, and a dash with its reason on a page.
// It is never a nought.
package web

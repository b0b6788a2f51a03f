// Package api holds every JSON shape that slowburn shows to programs, under one set of names and
// units, and makes them of the values of the core. A fact is converted here, once, at the edge;
// nothing inside reads these types back but the commands that ask a daemon.
//
// # Names and units
//
// Times are RFC 3339 in UTC. Durations are numbers of seconds, and their names end in Seconds; what
// is named by its length, such as a window, is a string as Prometheus writes it ("28d"). Counts are
// events and may have three decimals. Percentages are those of an SLI and an objective alone; every
// other share is a plain number with 1 for the whole. What is not known is null, never 0. Lists are
// in a fixed order that each type names.
//
// A field that gets a better name keeps the old one beside it for a release, in a type or a field
// that says Old.
//
// # The HTTP API
//
// Every answer is an envelope:
//
//	{"status": "success", "data": …}
//	{"status": "error", "errorType": "not_found", "error": "a sentence"}
//
//	GET  /api/v1/slos                        []SLO
//	GET  /api/v1/slos/{service}/{slo}        SLO; ?labels={route="/pay"} picks one budget of an SLO with `by:`
//	GET  …/history?from=&to=&step=           History; the last day in steps of five minutes if not said
//	GET  …/spend?by=                         Spend: where the budget of the first window went, by day or by hour
//	GET  /api/v1/incidents                   []Incident; ?open= &service= &slo= &from= &to= &limit=
//	GET  /api/v1/incidents/{id}              IncidentDetail
//	GET  /api/v1/incidents/{id}/postmortem   Postmortem
//	GET  /api/v1/postmortems                 []Review, those that are kept as files, the newest incident first
//	POST /api/v1/incidents/{id}/ack          acknowledges it; the answer is its IncidentDetail. The body may be {"by": "Ada", "text": "…"}
//	POST /api/v1/acts                        Act: what somebody does; the answer is the Act
//	GET  /api/v1/acts                        []Act, the audit log, newest first; ?kind= &incident= &service= &from= &to= &limit=
//	GET  /api/v1/reports                     []Report; ?name= &limit=
//	GET  /api/v1/reports/{name}/{period}     Report, with its contents
//	GET  /api/v1/signals/{service}           the four golden signals now and a week ago; see package signals, Snapshot
//	GET  /api/v1/changes                     []Change; ?service= &kind= &from= &to= &limit=; of the last hundred days
//	POST /api/v1/changes                     NewChange; the answer is the Change
//	GET  /api/v1/experiments/{key}           Change; its experiment.abort says whether it must end
//	GET  /api/v1/delivery                    Delivery; ?service= &from= &to=
//	GET  /api/v1/status                      Status
//	GET  /api/v1/gate/{service}[/{slo}]      Gate; ?fail=1 answers 409 instead of 200 when the gate is not open
//	                                         ?spend=5% asks for an experiment
//	POST /api/v1/gate/{service}[/{slo}]      the same with fail=1, for callers that can only post; it changes nothing
//
// Writes are for those who bring a token, in X-Slowburn-Token or as a bearer, and for those to whom
// web.grants gives it.
//
// IDs may be written as they are or percent-encoded; times are RFC 3339 or Unix seconds.
package api

// Package integration holds the tests that need more than Go: real servers, and the genuine server
// packages of Prometheus. They are modules of their own, so that who builds slowburn downloads none
// of this.
//
//	servers/         starts Prometheus, VictoriaMetrics and Alertmanager for a test
//	conformance/     proves that the embedded Prometheus answers like the original
//	                 (a module of its own; see its go.mod for the reason)
//	engines_test.go  real servers tell the same slots as the embedded one
//	outage_test.go   an outage in which Prometheus and the daemon die, on a clock
//	                 that the test moves (daemon_test.go is that daemon)
//	program_test.go  the program as it is built, on the wall clock
//	browser_test.go  the pages in a headless Chromium, with the rules of axe
//	cost_test.go     a benchmark: five thousand SLOs on a real Prometheus
//	e2e_test.go      builds the program
//
// Run them with `make integration`. A server or a browser that is not installed skips its tests;
// SLOWBURN_CI=1 turns that into a failure. Servers may also be unpacked instead of installed:
// SLOWBURN_SERVERS names the directory.
package integration

// Package bench measures the figures that slowburn promises, and holds the tests that go through
// the whole chain, from an SLO file over a real HTTP API to an event.
//
// There is no code here, only tests and benchmarks; `make bench` runs them and docs/benchmarks.md
// explains what came out. Everything runs against the embedded Prometheus of package promfake.
// Where CPU time is measured, that server is a process of its own, so that its cost and ours are
// never mixed.
//
// # Reading order
//
// chain_test.go (SLO files, reader, ledger, engine and store put together as the daemon does it),
// vectors_test.go (the alerts of the Site Reliability Workbook), lives_test.go (a live run is a
// backtest), accuracy_test.go (budgets against what really happened), fleet_test.go and
// server_test.go (thousands of SLOs), ask_test.go (what people and programs ask of them),
// forecast_test.go (when a budget is gone, against lives in which the burn goes on), quiet_test.go
// (false calls and detection at little traffic).
package bench

// Package daemon wires the packages of slowburn into one running process.
//
// [New] opens the store, makes the reader of Prometheus, the engine, the outbox's pump, the
// receivers and the web handler, in the order in which they depend on each other. [Daemon.Run] runs
// them until it is told to stop: first the listener closes, then the turn and the sends in flight
// end, and the store closes last. [Daemon.Reload] reads the configuration again and exchanges what
// it names, or changes nothing.
//
// Who is told about what follows from the routes of the configuration: routes.go decides,
// composer.go hands the event to the receivers that it names.
//
// Time comes from [Options.Clock] only, so the demo and the tests run the same daemon on a clock of
// their own.
package daemon

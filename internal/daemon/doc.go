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
// What goes on beside the ticks has a type each, with the state that is its own: drillBook makes
// drills, arrival sees to it that pages arrive, pulse asks the heartbeat's address, inbox does what
// people ask for or hands it to whoever leads, witness tells what was known of a time, and
// [Archive] draws postmortems and the register from it. [Daemon] wires them, and takes turns in
// leading.
//
// Time comes from [Options.Clock] only, so the demo and the tests run the same daemon on a clock of
// their own.
package daemon

// Package budget is the arithmetic of bad events.
//
// An error budget is a number of events that may go wrong: of a million requests under an objective
// of 99.9 %, a thousand. The [Ledger] writes down, minute by minute, how many events there were and
// how many were bad ([Slot]). Everything else is a sum over it: the budget that is spent
// ([StatusAt]), how fast it burns ([Burn]), when it will be gone ([Forecast]).
//
// Three rules keep the figures true:
//
//   - Ratios are never averaged. Bad and total events are summed first and divided once, so a
//     quiet night does not weigh as much as a busy day.
//   - Counts are integers, thousandths of an event. Nothing is lost by subtraction, and a
//     comparison with a threshold is exact.
//   - Unknown is not zero. A minute of which nothing is known is neither good nor bad; it is
//     counted apart and shown as coverage.
//
// The package is pure: time comes in as an argument and nothing goes out but values.
package budget
